"""What an `annotate` command would ask; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask_eval.adapters import open_adapter
from flask_eval.annotating.fields import FIELDS, candidates, check_askable, has
from flask_eval.annotating.prompts import Wording, open_wording
from flask_eval.calling.asking import calls_folder
from flask_eval.calling.keys import call_key
from flask_eval.calling.price import cost, price_of
from flask_eval.calling.tokens import count_tokens
from flask_eval.content import check_skills
from flask_eval.errors import UserError, nearest
from flask_eval.ledger import Ledger
from flask_eval.prompting import check_rubrics
from flask_eval.schema import Instance, JudgeCard, Request, RubricSet, Taxonomy, digest

OUTPUT_TOKENS = {"domains": 120, "skills": 200, "difficulty": 90, "checklist": 250, "references": 400}
"""Output tokens that a plan expects of one answer: assumptions, told with the plan."""


@dataclass(frozen=True, repr=False)
class Plan:
    """Instances to annotate, and how; made by `plan_annotation`.

    Attributes:
        cards: the annotators; the first one also writes checklists and references.
        instances: all of the set, in order; those that are not chosen stay as they are.
        chosen: ids of the instances that are annotated.
        fields: the fields that are asked for, in the order of `FIELDS`.
        samples: answers of each annotator on each field.
        overwrite: replace what is there; else a field that holds something is not asked for.
        checklist: write checklists too.
        references: write missing references, before anything else.
    """

    cards: tuple[JudgeCard, ...]
    instances: tuple[Instance, ...]
    chosen: frozenset[str]
    fields: tuple[str, ...]
    wording: Wording
    samples: int = 1
    overwrite: bool = False
    checklist: bool = False
    references: bool = False
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """What is asked for, one after another: later steps show what earlier ones brought."""
        before, after = ("references",) * self.references, ("checklist",) * self.checklist
        return (*before, *self.fields, *after)

    def voters(self, step: str) -> tuple[tuple[JudgeCard, int], ...]:
        """Who answers a step: (card, sample)."""
        if step not in FIELDS:
            return ((self.cards[0], 0),)
        return tuple((card, sample) for card in self.cards for sample in range(self.samples))

    def wants(self, step: str, instance: Instance) -> bool:
        """Whether a step asks about an instance as it stands."""
        if instance.id not in self.chosen:
            return False
        if step == "references":
            return not instance.reference
        if step == "checklist":
            return bool(self.wording.annotated(instance)) and (self.overwrite or not instance.checklist)
        return self.overwrite or not has(instance.annotation, step)

    def request(self, step: str, card: JudgeCard, instance: Instance, sample: int = 0) -> Request:
        """The request of a step about an instance as it stands."""
        if step == "references":
            return self.wording.reference(card, instance)
        if step == "checklist":
            return self.wording.checklist(card, instance)
        ask: Callable[[JudgeCard, Instance, int], Request] = getattr(self.wording, step)
        return ask(card, instance, sample)

    def asks(self, step: str, instances: Sequence[Instance]) -> int:
        """How many answers a step needs."""
        return sum(self.wants(step, instance) for instance in instances) * len(self.voters(step))

    def _requests(self) -> Iterator[tuple[str, JudgeCard, Request]]:
        """Every request that can be told before the first answer.

        Difficulty is asked for in the wording that the instance's domain has now; a checklist as if the first skills
        of the set were chosen.
        """
        for step in self.steps:
            for card, sample in self.voters(step):
                for instance in self.instances:
                    likely = self._likely(step, instance)
                    if self.wants(step, likely):
                        yield step, card, self.request(step, card, likely, sample)

    def _likely(self, step: str, instance: Instance) -> Instance:
        if step != "checklist" or "skills" not in self.fields or has(instance.annotation, "skills"):
            return instance
        skills = tuple(candidates(instance, self.wording.rubrics))[: self.wording.top]
        return instance.model_copy(update={"annotation": instance.annotation.model_copy(update={"skills": skills})})

    def estimate(self, out: str | None = None) -> dict[str, Any]:
        """The record of `annotate --dry-run --json`: calls, tokens and cost of what is still to be asked.

        Args:
            out: the file that the command would write; the calls beside it are not counted again.
        """
        file = calls_folder(out) / "ledger.sqlite" if out else None
        if file is None or not file.exists():
            return self._estimate(lambda _: False)
        with Ledger(file, read_only=True) as ledger:
            return self._estimate(lambda key: ledger.answered(key) is not None)

    def _estimate(self, held: Callable[[str], bool]) -> dict[str, Any]:
        adapters = {card.name: open_adapter(card, concurrency=1, sends=False) for card in self.cards}
        tokens = {card.name: {"input": 0, "cacheable": 0, "output": 0} for card in self.cards}
        seen: set[str] = set()
        starts: set[str] = set()
        by_step = dict.fromkeys(self.steps, 0)
        for step, card, request in self._requests():
            key = call_key(adapters[card.name].identity(request), request)
            if key in seen or held(key):
                continue
            seen.add(key)
            by_step[step] += 1
            own = tokens[card.name]
            for place, (_, content) in enumerate(request.messages):
                size = count_tokens(content)
                own["input"] += size
                start = digest(card.name, content)
                own["cacheable"] += size if place == 0 and start in starts else 0
                starts.add(start)
            own["output"] += OUTPUT_TOKENS[step]
        return self._told(by_step, tokens)

    def _told(self, by_step: dict[str, int], tokens: dict[str, dict[str, int]]) -> dict[str, Any]:
        def dollars(*, cached: bool) -> float | None:
            parts = [
                cost(price_of(card), t["input"], t["cacheable"] if cached else 0, t["output"])
                for card, t in ((card, tokens[card.name]) for card in self.cards)
            ]
            known = [part for part in parts if part is not None]
            return sum(known) if len(known) == len(parts) else None

        full = dollars(cached=False)
        result: dict[str, Any] = {
            "instances": len(self.chosen),
            "calls": sum(by_step.values()),
            "by_field": by_step,
            "tokens": {name: sum(t[name] for t in tokens.values()) for name in ("input", "cacheable", "output")},
            "cost_usd": {"sync": full, "cached": dollars(cached=True), "batch": None if full is None else full / 2},
            "output_tokens_assumed": {step: OUTPUT_TOKENS[step] for step in self.steps},
            "undefined": {},
        }
        if full is None:
            result["undefined"]["cost_usd"] = no_price(self.cards)
        return result


def no_price(cards: Sequence[JudgeCard]) -> str:
    """Why there is no cost."""
    card = next(card for card in cards if price_of(card) is None)
    return f"no price is known for '{card.model}'; add `price` to the judge card"


def plan_annotation(
    instances: Sequence[Instance],
    cards: Sequence[JudgeCard],
    *,
    rubrics: RubricSet,
    taxonomy: Taxonomy,
    chosen: Sequence[str] | None = None,
    only: Sequence[str] = (),
    top: int = 3,
    samples: int = 1,
    overwrite: bool = False,
    checklist: bool = False,
    references: bool = False,
    seed: int = 0,
    prompts: str | None = None,
    places: dict[str, str] | None = None,
) -> Plan:
    """Plan what is to be annotated; nothing is sent.

    Args:
        instances: the whole set.
        cards: the annotators' judge cards.
        rubrics: its skills may be chosen, and the instances' own.
        taxonomy: its domains and levels may be chosen.
        chosen: ids of the instances to annotate; all where left out.
        only: the fields to ask for; all three where left out.
        top: how many skills an instance gets at most.
        samples: answers of each annotator.
        overwrite: replace what is there.
        checklist: write checklists too.
        references: write missing references too.
        seed: fixes the order of the criteria.
        prompts: a folder with templates that take the place of the shipped ones.
        places: where each id stands (`file:line`), for messages.

    Raises:
        UserError: anything does not fit; nothing was called.
    """
    for card in cards:
        if card.adapter in ("metric", "replay"):
            raise UserError(f"judge '{card.name}': a {card.adapter} calls no model, so it cannot annotate")
        if sum(other.name == card.name for other in cards) > 1:
            raise UserError(f"annotator '{card.name}' stands twice; --samples N asks one annotator N times")
    unknown = next((name for name in only if name not in FIELDS), None)
    if unknown is not None:
        raise UserError(f"--only {unknown}: is no field of an annotation{nearest(unknown, FIELDS)}")
    fields = tuple(field for field in FIELDS if not only or field in only)
    ids = frozenset(chosen if chosen is not None else (one.id for one in instances))
    asked = [one for one in instances if one.id in ids]
    open_fields = [f for f in fields if overwrite or any(not has(one.annotation, f) for one in asked)]
    check_askable(open_fields, taxonomy)
    for one in asked:
        place = (places or {}).get(one.id, f"instance '{one.id}'")
        check_rubrics(one, rubrics, place)
        own = {skill.name for skill in one.rubrics}
        if "skills" in open_fields and len(candidates(one, rubrics)) < 2:
            raise UserError(f"{place}: rubric set '{rubrics.name}' leaves one skill, so there is nothing to choose")
        if checklist and "skills" not in open_fields:
            check_skills([name for name in one.annotation.skills if name not in own], rubrics, place)
    wording = open_wording(taxonomy, rubrics, top=top, seed=seed, folder=prompts)
    return Plan(
        cards=tuple(cards),
        instances=tuple(instances),
        chosen=ids,
        fields=fields,
        wording=wording,
        samples=samples,
        overwrite=overwrite,
        checklist=checklist,
        references=references,
        notes=tuple(_notes(cards, samples)),
    )


def _notes(cards: Sequence[JudgeCard], samples: int) -> Iterator[str]:
    for card in cards:
        if samples > 1 and card.settings.get("temperature") == 0:
            yield (
                f"judge '{card.name}' is asked {samples} times at temperature 0: only the order of the criteria differs "
                "between its answers, so agreement with itself says little"
            )
