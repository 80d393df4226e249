"""What a command would do: cells, requests, tokens and cost; nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask_eval.adapters import Adapter, open_adapter
from flask_eval.calling.keys import call_key
from flask_eval.calling.price import cost, price_of
from flask_eval.calling.tokens import count_tokens
from flask_eval.content import check_skills, load_judge, load_rubrics, load_slice
from flask_eval.errors import UserError, nearest
from flask_eval.judging.inputs import in_slice, read_instances, read_responses
from flask_eval.metrics import find_metric
from flask_eval.prompting import Prompt, check_rubrics, open_prompt, packs
from flask_eval.schema import (
    Asked,
    Cell,
    Instance,
    JudgeCard,
    Request,
    Response,
    RubricSet,
    Scale,
    Slice,
    canonical,
    describe,
    digest,
    is_empty,
)

RATIONALE_TOKENS = 90
"""Output tokens that a plan expects of one rationale with its score: an assumption, told with the plan."""


@dataclass(frozen=True, repr=False)
class Plan:
    """Cells to judge, and how; made by `plan`.

    Attributes:
        card: the judge card.
        rubrics: the rubric set that was named.
        prompt: the prompt, or none for metrics and replayed completions.
        instances: by id; those of the slice.
        responses: those that will be judged, in file order.
        cells: one a response and sample, in file order, cut off by `limit`.
        without_response: instances that a model did not answer: {model: n}.
        notes: what the user should know: responses to unknown instances, instances left out.
    """

    card: JudgeCard
    rubrics: RubricSet
    prompt: Prompt
    instances: dict[str, Instance]
    responses: dict[tuple[str, str, int], Response]
    cells: tuple[Cell, ...]
    without_response: dict[str, int]
    notes: tuple[str, ...] = ()
    packing: str = "all"
    empty: str = "missing"
    seed: int = 0

    def __repr__(self) -> str:
        """A line, whatever the texts' size."""
        models = len({cell.model for cell in self.cells})
        return (
            f"Plan(judge={self.card.name!r}, cells={len(self.cells)}, models={models}, rubrics={self.rubrics.name!r})"
        )

    @property
    def scale(self) -> Scale:
        """The scale on which the rater scores."""
        if self.card.adapter == "metric":
            low, high = find_metric(self.card.model).scale
            return Scale(min=low, max=high, step=(high - low) / 1000)
        return self.prompt.rubrics.scale

    def config(self) -> dict[str, Any]:
        """What tells one configuration of a rater from another; price, limits and name left out."""
        hidden = {"name", "price", "limits", "api_key_env", "prompt"}
        if self.card.adapter == "replay":
            hidden |= {"model"}  # a path; each completion's text is part of its own call's key
        card = self.card.model_dump(mode="json", exclude=hidden)
        found: dict[str, Any] = {"card": card, "scale": self.scale.model_dump(mode="json", exclude_defaults=True)}
        if self.card.adapter == "metric":
            return found
        found["rubrics"] = self.prompt.rubrics.model_dump(mode="json", exclude_defaults=True)
        if self.card.adapter != "replay":
            found["prompt"] = {"name": self.prompt.name, "asks": self.prompt.asks, "digest": self.prompt.digest}
            found["packing"] = self.packing
        found["empty"] = self.empty
        return found

    def response(self, cell: Cell) -> Response:
        """The response that a cell is about."""
        return self.responses[cell.instance, cell.model, cell.response_sample]

    def requests(self, cell: Cell, adapter: Adapter) -> Iterator[Request]:
        """The requests of a cell: one, or as many as the packing says."""
        instance = self.instances[cell.instance]
        if self.card.adapter == "replay":
            split: Callable[[Cell], Sequence[tuple[str, ...]]] = adapter.packs  # type: ignore[attr-defined]
            for skills in split(cell):
                part = Cell(cell.instance, cell.model, cell.response_sample, cell.rater, cell.sample, tuple(skills))
                yield Request((), self.prompt.asked(instance, skills), (), cell.sample, part)
            return
        text = self.response(cell).text
        whole = self.prompt.asks == "overall"
        for skills in packs(cell.skills, "all" if whole else self.packing):
            yield self.prompt.render(instance, text, skills, cell=cell)

    def asked(self, cell: Cell) -> tuple[Asked, ...]:
        """All that is asked about a cell."""
        return self.prompt.asked(self.instances[cell.instance], cell.skills)

    # ---- the estimate: rendered once, on demand ---------------------------------------------------------------------

    @property
    def calls(self) -> int:
        """Distinct requests; equal ones are asked once, empty responses not at all."""
        return int(self._estimate["calls"])

    @property
    def tokens(self) -> dict[str, int]:
        """Input, cacheable (the start that an earlier request shares) and expected output tokens."""
        return dict(self._estimate["tokens"])

    @property
    def cost_usd(self) -> float | None:
        """US dollars at full price, or none where no price is known."""
        return cost(price_of(self.card), self.tokens["input"], 0, self.tokens["output"])

    @cached_property
    def _estimate(self) -> dict[str, Any]:
        return self.estimate()

    def estimate(self, held: Callable[[str], bool] = lambda _: False) -> dict[str, Any]:
        """Calls and tokens still to be paid for.

        Args:
            held: whether the ledger holds an answered call of that key.
        """
        tokens = {"input": 0, "cacheable": 0, "output": 0}
        if self.card.adapter == "metric":
            return {"calls": 0, "tokens": tokens}
        adapter = open_adapter(self.card, concurrency=1, sends=False)
        seen: set[str] = set()
        starts: set[str] = set()
        for cell in self.cells:
            if is_empty(self.response(cell).text):
                continue
            for request in self.requests(cell, adapter):
                key = call_key(adapter.identity(request), request)
                if key in seen or held(key):
                    continue
                seen.add(key)
                for k, (_, content) in enumerate(request.messages):
                    size = count_tokens(content)
                    tokens["input"] += size
                    if k == 0 and digest(content) in starts:
                        tokens["cacheable"] += size
                    starts.add(digest(content))
                if request.messages:
                    tokens["output"] += sum(RATIONALE_TOKENS if a.rationale else 12 for a in request.answer)
        return {"calls": len(seen), "tokens": tokens}


def plan(
    instances: Any,
    responses: Any,
    *,
    judge: str | JudgeCard,
    rubrics: str | RubricSet = "flask",
    prompt: str | None = None,
    model: str | None = None,
    base_url: str | None = None,
    samples: int = 1,
    packing: str | int = "all",
    limit: int | None = None,
    part: str | Slice | None = None,
    skills: Sequence[str] | None = None,
    empty: str = "missing",
    seed: int = 0,
    mapping: dict[str, str] | None = None,
    without_references_by: Sequence[str] = (),
) -> Plan:
    """Plan what is to be judged; nothing is sent.

    Args:
        instances: a path, records or a DataFrame (`read_instances`).
        responses: one of these, or a list of paths.
        judge: a judge card, or a name, a file, `ADAPTER:MODEL`, `replay:FILE`, `metric:NAME`.
        rubrics: a rubric set, or its name or path.
        prompt: takes the place of the card's prompt template.
        model: takes the place of the card's model.
        base_url: takes the place of the card's base URL.
        samples: how many verdicts on each response.
        packing: skills in one call: `all`, `one`, or a number.
        limit: plan the first so many cells, in file order.
        part: a slice of the instances.
        skills: rate these in place of the annotated ones.
        empty: an empty response counts as `missing`, or gets the `lowest` score.
        seed: kept with the run.
        mapping: field: column, for tables whose columns have other names.
        without_references_by: references that one of these wrote (`reference_by`) are left out.

    Raises:
        UserError: anything does not fit; nothing was called.
    """
    card = load_judge(judge, model=model, base_url=base_url, prompt=prompt)
    rubric_set = load_rubrics(rubrics)
    if card.adapter == "metric":
        find_metric(card.model)
    found = open_prompt(card, rubric_set)
    if instances == "-" and "-" in (responses if isinstance(responses, (list, tuple)) else [responses]):
        raise UserError("standard input can be the instances or the responses, not both")
    places: dict[str, str] = {}
    checked = read_instances(instances, mapping=mapping, places=places)
    checked, left_out = _without_references(checked, without_references_by)
    chosen = chosen_instances(checked, part)
    several = isinstance(responses, (list, tuple)) and not _are_records(responses, (Response, dict))
    answers = read_responses(*responses, mapping=mapping) if several else read_responses(responses, mapping=mapping)
    wanted = check_skills(list(skills), rubric_set, "--skills") if skills else None
    notes = _check_instances(chosen, rubric_set, places, card, annotated=wanted is None)
    if card.adapter == "metric" and samples > 1:
        raise UserError("--samples: a metric gives the same score each time; leave it out")
    known = {i.id for i in checked}
    cells, more = _cells(chosen, answers, card, found, wanted, samples)
    notes = [*_unknown(answers, known), *left_out, *notes, *more, *_other_scale(found, rubric_set)]
    kept = cells if limit is None else cells[:limit]
    needed = {(c.instance, c.model, c.response_sample) for c in kept}
    return Plan(
        card=card,
        rubrics=rubric_set,
        prompt=found,
        instances={i.id: i for i in chosen},
        responses={k: r for r in answers if (k := (r.instance, r.model, r.sample)) in needed},
        cells=tuple(kept),
        without_response=_without_response(chosen, answers),
        notes=tuple(notes),
        packing=_packing(packing),
        empty=empty,
        seed=seed,
    )


def _without_references(instances: list[Instance], writers: Sequence[str]) -> tuple[list[Instance], list[str]]:
    """The instances without the references of some writers, and a note that says how many."""
    if not writers:
        return instances, []
    known = {i.reference_by for i in instances if i.reference and i.reference_by}
    for name in writers:
        if name not in known:
            raise UserError(
                f"--without-references-by {name}: no reference says so (`reference_by`){nearest(name, known)}"
            )
    gone = {i.id for i in instances if i.reference and i.reference_by in writers}
    kept = [i.model_copy(update={"reference": ()}) if i.id in gone else i for i in instances]
    return kept, [
        f"{len(gone):,} of {len(instances):,} instances lose their reference, written by {', '.join(writers)}"
    ]


def _are_records(source: Any, model: tuple[type, ...]) -> bool:
    return isinstance(source, (list, tuple)) and all(isinstance(item, model) for item in source)


def _packing(packing: str | int) -> str:
    text = str(packing)
    if text in ("all", "one") or (text.isdigit() and int(text) > 0):
        return text
    raise UserError(
        f"--packing {packing}: say all, one, or how many skills a call rates{nearest(text, ('all', 'one'))}"
    )


def chosen_instances(instances: list[Instance], part: str | Slice | None) -> list[Instance]:
    """The instances of a slice, in their order; all where there is none.

    Raises:
        UserError: the slice names an id that is no instance, or holds no instance.
    """
    if part is None:
        return instances
    wanted = load_slice(part)
    chosen = [i for i in instances if in_slice(wanted, i)]
    unknown = sorted(set(wanted.ids or ()) - {i.id for i in instances})
    if unknown:
        raise UserError(
            f"slice '{wanted.name}': id '{unknown[0]}' is no instance"
            + (f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else "")
            + nearest(unknown[0], (i.id for i in instances))
        )
    if not chosen:
        raise UserError(f"slice '{wanted.name}' holds none of the {len(instances)} instances")
    return chosen


def _check_instances(
    instances: list[Instance], rubrics: RubricSet, places: dict[str, str], card: JudgeCard, *, annotated: bool
) -> list[str]:
    """Check skills and rubrics of the instances; for a metric, which needs no rubric, unknown skills are only told."""
    strange: dict[str, str] = {}
    for instance in instances:
        place = places.get(instance.id, f"instance '{instance.id}'")
        own = {s.name for s in instance.rubrics}
        named = [*(instance.annotation.skills if annotated else ()), *(i.skill for i in instance.checklist)]
        foreign = [name for name in named if name not in own]
        if card.adapter == "metric":
            strange |= {name: place for name in foreign if rubrics.find(name) is None}
            continue
        check_rubrics(instance, rubrics, place)
        check_skills(foreign, rubrics, place)
    if not strange or len(strange) == len({s for i in instances for s in i.annotation.skills}):
        return []
    name, place = next(iter(strange.items()))
    near = nearest(name, [s.name for s in rubrics.skills])
    return [f"{len(strange)} skills are not in rubric set '{rubrics.name}' (the first: '{name}' at {place}{near})"]


def _other_scale(prompt: Prompt, rubrics: RubricSet) -> list[str]:
    """A prompt that brings its own rubric may rate on another scale than the user's."""
    if prompt.rubrics.scale == rubrics.scale:
        return []
    theirs, ours = describe(prompt.rubrics.scale), describe(rubrics.scale)
    return [
        f"prompt '{prompt.name}' rates by rubric set '{prompt.rubrics.name}', scale {theirs}; '{rubrics.name}' has {ours}"
    ]


def _cells(
    instances: list[Instance],
    responses: list[Response],
    card: JudgeCard,
    prompt: Prompt,
    wanted: list[str] | None,
    samples: int,
) -> tuple[list[Cell], list[str]]:
    if samples < 1:
        raise UserError(f"--samples {samples}: say how many verdicts on each response, at least 1")
    skills: dict[str, tuple[str, ...]] = {}
    for instance in instances:
        named = wanted or instance.annotation.skills or tuple(s.name for s in instance.rubrics)
        skills[instance.id] = tuple(named) if card.adapter == "metric" else prompt.skills_of(instance, named)
    bare = [i.id for i in instances if not skills[i.id]]
    if (bare and len(bare) == len(instances)) or (bare and prompt.asks != "checklist"):
        missing = "no checklist" if prompt.asks == "checklist" else "no annotated skills"
        remedy = (
            "write one into the instances file"
            if prompt.asks == "checklist"
            else "annotate it, or name skills by --skills"
        )
        more = f" (and {len(bare) - 1} more)" if len(bare) > 1 else ""
        raise UserError(f"instance '{bare[0]}'{more} has {missing}: {remedy}")
    cells = [
        Cell(r.instance, r.model, r.sample, card.name, sample, skills[r.instance])
        for r in responses
        if skills.get(r.instance)
        for sample in range(samples)
    ]
    if not cells:
        raise UserError(
            f"none of the {len(responses)} responses answers one of the {len(instances)} instances; check the ids"
        )
    notes = [f"{len(bare)} instances have no checklist and are left out (the first: '{bare[0]}')"] if bare else []
    return cells, notes


def _unknown(responses: list[Response], known: set[str]) -> list[str]:
    strays = [r for r in responses if r.instance not in known]
    if not strays:
        return []
    first = strays[0]
    near = nearest(first.instance, known) if len(known) < 5000 else ""
    told = f"(the first: instance '{first.instance}' of '{first.model}'{near})"
    return [f"{len(strays)} of {len(responses)} responses answer an unknown instance and are left out {told}"]


def _without_response(instances: list[Instance], responses: list[Response]) -> dict[str, int]:
    ids = {i.id for i in instances}
    answered = Counter(model for _, model in {(r.instance, r.model) for r in responses if r.instance in ids})
    models = dict.fromkeys(r.model for r in responses)
    return {model: len(ids) - answered[model] for model in models}


def same(held: dict[str, Any], config: dict[str, Any]) -> str:
    """Which part of two configurations differs, in words; empty where none does."""
    for name in sorted(set(held) | set(config)):
        before, now = held.get(name), config.get(name)
        if canonical(before) == canonical(now):
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            keys = sorted(k for k in {*before, *now} if canonical(before.get(k)) != canonical(now.get(k)))
            return f"{name}: {'; '.join(_change(k, before.get(k), now.get(k)) for k in keys)}"
        return _change(name, before, now)
    return ""


def _change(name: str, before: Any, now: Any) -> str:
    said = [repr(value) if len(repr(value)) < 60 else "..." for value in (before, now)]
    return f"{name} changed" if "..." in said else f"{name} was {said[0]}, now {said[1]}"
