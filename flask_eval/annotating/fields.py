"""What an annotator is asked for each field of an annotation, and which labels its answer holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask_eval.errors import UserError
from flask_eval.parsing import read
from flask_eval.schema import Annotation, Asked, Call, Instance, RubricSet, Scale, Skill, Taxonomy, digest

FIELDS = ("domains", "skills", "difficulty")
"""The fields of an annotation, in the order in which they are asked for; later ones may use earlier ones."""

NO_SECOND = "none"
"""What `second_domain` holds where there is only one domain."""

WORST_FIRST = ("failed", "refused", "truncated", "unparsed", "out_of_range", "not_applicable")
"""Outcomes without a label; an answer that came to several is told by the first of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one asked property of an answer came to."""

    name: str
    outcome: str
    label: str = ""
    """A domain's name, a skill's slug, a level's number; empty where there is none."""
    rationale: str = ""
    repeated: bool = False
    """Whether it named what an earlier property of the answer had named; the repeat is `out_of_range`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one annotator said, once, of one field of an instance.

    Attributes:
        instance: the instance's id.
        field: one of `FIELDS`.
        annotator: the judge's name.
        sample: which of several answers of the same annotator.
        labels: the labels, most important first; empty exactly when the outcome is not `scored`.
        outcome: `scored` where there is a label, else why there is none.
        parts: each asked property with its own outcome.
        shown: the skills behind the numbered criteria, in the order in which they were shown; the key to the choice.
    """

    instance: str
    field: str
    annotator: str
    sample: int
    labels: tuple[str, ...]
    outcome: str
    parts: tuple[Part, ...]
    shown: tuple[str, ...] = ()


def has(annotation: Annotation, field: str) -> bool:
    """Whether the annotation holds something for the field; level 0 is something."""
    return annotation.difficulty is not None if field == "difficulty" else bool(getattr(annotation, field))


def candidates(instance: Instance, rubrics: RubricSet) -> dict[str, Skill]:
    """The skills that an instance may be annotated with: those of the set, and its own, which go before."""
    return {s.name: s for s in rubrics.skills} | {s.name: s for s in instance.rubrics}


def shuffled(names: Iterable[str], instance: str, seed: int, sample: int = 0) -> tuple[str, ...]:
    """Names in an order that seed, instance and sample number fix, on every machine and in every version.

    Each annotator sees the same order, so that two of them differ by what they think; each sample sees another.
    """
    return tuple(sorted(names, key=lambda name: digest("order of criteria", str(seed), instance, str(sample), name)))


def ask_domains(taxonomy: Taxonomy, *, rationale: bool = True) -> tuple[Asked, ...]:
    """The first domain, and a second one or `none`."""
    names = tuple(domain.name for domain in taxonomy.domains)
    first = Asked("domain", "domain", Scale(labels=names, level="nominal"), (), rationale=rationale)
    second = Scale(labels=(*names, NO_SECOND), level="nominal")
    return first, Asked("second_domain", "second domain", second, (), rationale=rationale)


def ask_skills(n_criteria: int, top: int, *, rationale: bool = True) -> tuple[Asked, ...]:
    """The numbers of the criteria that matter most, the first before all."""
    numbers = Scale(labels=tuple(str(n) for n in range(1, n_criteria + 1)), level="nominal")
    count = min(top, n_criteria)
    return tuple(Asked(f"choice_{n}", f"choice {n}", numbers, (), rationale=rationale) for n in range(1, count + 1))


def ask_difficulty(taxonomy: Taxonomy, *, rationale: bool = True) -> tuple[Asked, ...]:
    """The number of a level."""
    levels = Scale(labels=tuple(str(level.level) for level in taxonomy.difficulties), level="ordinal")
    return (Asked("difficulty", "difficulty", levels, (), rationale=rationale),)


def check_askable(fields: Sequence[str], taxonomy: Taxonomy) -> None:
    """Raise UserError where a field leaves no choice, or where its labels cannot be told apart."""
    domains = [domain.name.strip().casefold() for domain in taxonomy.domains]
    levels = [level.level for level in taxonomy.difficulties]
    known: dict[str, tuple[Sequence[object], str]] = {"domains": (domains, "domain"), "difficulty": (levels, "level")}
    for field in known.keys() & set(fields):
        labels, what = known[field]
        place = f"taxonomy '{taxonomy.name}': {what}"
        if (twice := next((label for label in labels if labels.count(label) > 1), None)) is not None:
            raise UserError(f"{place} '{twice}' stands twice; keep one")
        if len(labels) < 2:
            others = ",".join(f for f in FIELDS if f != field)
            raise UserError(f"{place} '{labels[0]}' is the only one, so there is nothing to choose; --only {others}")
        if field == "domains" and (odd := next((d for d in domains if d in (NO_SECOND, "n/a")), None)):
            raise UserError(f"{place} '{odd}' would be read as no domain; give it another name")


def answer_of(
    where: tuple[str, str, str, int], asked: Sequence[Asked], call: Call, shown: tuple[str, ...] = ()
) -> Answer:
    """What a call says of a field; never a label that the completion does not hold.

    Args:
        where: instance, field, annotator and sample.
        asked: what was asked.
        call: the recorded call.
        shown: the skills behind the numbers, where criteria were shown.
    """
    if call.completion is None:
        parts = [Part(a.name, "failed", rationale=call.error) for a in asked]
        return Answer(*where, (), "failed", tuple(parts), shown)
    parts = []
    taken: list[str] = []
    for verdict in read(asked, call.completion).verdicts:
        name, outcome = verdict.asked.name, verdict.outcome
        label = str(verdict.score) if verdict.score is not None else ""
        if label and shown:
            label = shown[int(label) - 1]
        if name == "second_domain" and label == NO_SECOND:
            outcome, label = "not_applicable", ""
        if label in taken:
            parts.append(Part(name, "out_of_range", "", verdict.rationale, repeated=True))
            continue
        if label:
            taken.append(label)
        parts.append(Part(name, outcome, label, verdict.rationale))
    if any(part.name == "domain" and not part.label for part in parts):
        taken = []  # a second domain is never promoted to the first, which chooses the wording for difficulty
    return Answer(*where, tuple(taken), _outcome(taken, parts), tuple(parts), shown)


def _outcome(labels: Sequence[str], parts: Sequence[Part]) -> str:
    if labels:
        return "scored"
    # what became of a second domain says nothing where the first one failed
    first = [part.outcome for part in parts if part.name != "second_domain"]
    return min(first, key=WORST_FIRST.index)


def with_labels(annotation: Annotation, field: str, labels: Sequence[str]) -> Annotation:
    """The annotation with these labels for one field."""
    value = (int(labels[0]) if labels else None) if field == "difficulty" else tuple(labels)
    return annotation.model_copy(update={field: value})
