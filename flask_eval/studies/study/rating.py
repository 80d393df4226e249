"""The steps of a study that score: one a judge, each into a run of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.analysis.text import percent
from flask_eval.errors import UserError
from flask_eval.judging import Plan, plan, read_instances, read_responses, score
from flask_eval.judging.estimate import estimate
from flask_eval.judging.run import renew_run
from flask_eval.prompting import open_prompt
from flask_eval.schema import ChecklistItem, Instance, Response
from flask_eval.studies.study.checked import Asked, Checked
from flask_eval.studies.study.digests import of_file, of_records, of_source, of_value
from flask_eval.studies.study.schema import JudgePart, ModelPart
from flask_eval.studies.study.steps import Ended, Session, Step

ASSUMED_RESPONSE_TOKENS = 300
"""What a dry run takes as the length of a response that is not there yet."""

ASSUMED_SKILLS = 3
"""How many skills a dry run takes an instance to have that is not annotated yet."""


def score_steps(checked: Checked, needs: tuple[str, ...], asked: dict[str, Path], runs: dict[str, Path]) -> list[Step]:
    """A step for each judge.

    Args:
        checked: the study.
        needs: the steps that write instances and responses.
        asked: the file of each model's responses that the study asks for.
        runs: the folder of each judge's run.
    """
    return [_step(checked, judge, needs, asked, runs[judge.card.name]) for judge in checked.judges]


def _step(checked: Checked, judge: Asked, needs: tuple[str, ...], asked: dict[str, Path], run: Path) -> Step:
    return Step(
        name=f"score:{judge.card.name}",
        needs=needs,
        outputs=(run,),
        inputs=partial(_inputs, checked, judge, asked),
        run=partial(_score, checked, judge, asked, run),
        estimate=partial(_estimate, checked, judge, asked, run),
        renew=partial(renew_run, run),
    )


def _options(judge: Asked) -> JudgePart:
    if not isinstance(judge.part, JudgePart):
        raise TypeError(f"{judge.card.name} is no judge")
    return judge.part


def _inputs(checked: Checked, judge: Asked, asked: dict[str, Path]) -> dict[str, str]:
    part, card = _options(judge), judge.card
    hidden = {"price", "limits", "api_key_env", "model" if card.adapter == "replay" else "price"}
    found = {
        "instances": of_file(checked.out / "instances.jsonl"),
        "responses": of_records(checked.responses),
        "judge": of_value(card.model_dump(mode="json", exclude=hidden)),
        "rubrics": of_records([checked.rubrics]),
        "options": of_value(
            part.model_dump(mode="json", include={"samples", "packing", "skills", "empty", "retry", "min_coverage"})
        ),
        "seed": str(checked.study.seed),
        **{f"responses of {model}": of_file(file) for model, file in asked.items()},
    }
    if card.adapter == "replay":
        return found | {"completions": of_source(card.model)}
    return found if card.adapter == "metric" else found | {"prompt": open_prompt(card, checked.rubrics).digest}


def responses_of(checked: Checked, asked: dict[str, Path], instances: list[Instance]) -> list[Response]:
    """All responses to the study's instances: those that were there, and those that the study asked for."""
    known = {one.id for one in instances}
    files = [str(file) for file in asked.values() if file.stat().st_size]
    answered = read_responses(*files) if files else []
    return [one for one in [*checked.responses, *answered] if one.instance in known]


def _plan(checked: Checked, judge: Asked, instances: list[Instance], responses: list[Response]) -> Plan:
    part = _options(judge)
    return plan(
        instances,
        responses,
        judge=judge.card,
        rubrics=checked.rubrics,
        samples=part.samples,
        packing=part.packing,
        skills=part.skills or None,
        empty=part.empty,
        seed=checked.study.seed,
    )


def _score(checked: Checked, judge: Asked, asked: dict[str, Path], run: Path, session: Session) -> Ended:
    part = _options(judge)
    instances, notes = _rateable(checked, part)
    made = _plan(checked, judge, instances, responses_of(checked, asked, instances))
    with session.progress(f"judging by {judge.card.name}", len(made.cells)) as show:
        done = score(
            made,
            out=run,
            concurrency=part.concurrency or session.concurrency,
            budget=session.left,
            retry=part.retry,
            durable=session.durable,
            on_progress=lambda p: show(p.judged, f"{p.tally.answered:,} calls"),
            first_wait=session.first_wait,
        )
    result = done.result
    session.pay(result["cost_usd"])
    failed = result["ratings"].get("failed", 0)
    cells, coverage = result["cells"], result["coverage"]
    words = f"{cells['judged']:,} of {cells['planned']:,} cells judged, coverage {percent(coverage)}, {result['calls']['answered']:,} calls"
    if failed:
        words += f"; {failed:,} ratings failed{_last(result)}, the same command asks them again"
    missed: tuple[str, ...] = ()
    if part.min_coverage is not None and not done.stopped_by and (coverage or 0.0) < part.min_coverage:
        missed = (f"'{judge.card.name}': coverage {percent(coverage)} is below min_coverage {part.min_coverage:g}",)
    return Ended(words, result, done.stopped_by, not failed, missed, (*notes, *result["notes"]))


def _rateable(checked: Checked, part: JudgePart) -> tuple[list[Instance], list[str]]:
    """The study's instances, less those to which no annotator gave a skill; and what is to be told of these."""
    instances = read_instances(str(checked.out / "instances.jsonl"))
    if not checked.annotators or part.skills:
        return instances, []
    kept = [one for one in instances if one.annotation.skills or one.rubrics]
    left = len(instances) - len(kept)
    return kept, [f"{left:,} instances got no skill from the annotators, and are left out"] if left else []


def plan_faults(checked: Checked) -> list[str]:
    """What keeps instances and judges apart: skills without a rubric, instances without skills; with the judge's place."""
    found = []
    instances = [_as_annotated(checked, one) if checked.annotators else one for one in checked.instances]
    one = Response(instance=instances[0].id, model="check", text="...")
    for judge in checked.judges:
        try:
            _plan(checked, judge, instances, [one])
        except UserError as error:
            found.append(f"{judge.place}: {str(error).replace('name skills by --skills', 'name `skills` here')}")
    return found


def samples_of(model: Asked) -> int:
    """How many responses the study asks of a model."""
    return model.part.samples if isinstance(model.part, ModelPart) else 1


def _last(result: dict[str, Any]) -> str:
    return f" (the last: {result['last_error']})" if result.get("last_error") else ""


# ---- what is to come ----------------------------------------------------------------------------------------------


def _estimate(checked: Checked, judge: Asked, asked: dict[str, Path], run: Path, ready: bool) -> dict[str, Any]:  # noqa: FBT001 (called through Step)
    """Calls, tokens and cost; an upper estimate where instances or responses are still to come."""
    concurrency = _options(judge).concurrency or checked.study.concurrency
    if ready:
        annotated = bool(checked.annotators)
        instances = _rateable(checked, _options(judge))[0] if annotated else list(checked.instances)
        made = _plan(checked, judge, instances, responses_of(checked, asked, instances))
        return {**estimate(made, run, concurrency=concurrency), "upper": False}
    instances = [_as_annotated(checked, one) for one in checked.instances]
    known = {one.id for one in instances}
    there = [one for one in checked.responses if one.instance in known]
    coming = [
        Response(instance=one.id, model=model.card.name, text=f"[{model.card.name}, {sample}]", sample=sample)
        for model in checked.models
        for one in instances
        for sample in range(samples_of(model))
    ]
    found = estimate(_plan(checked, judge, instances, [*there, *coming]), None, concurrency=concurrency)
    if judge.card.adapter in ("replay", "metric"):
        return {**found, "upper": True}
    a_response = found["calls"] / max(len(there) + len(coming), 1)
    found["tokens"]["input"] += round(len(coming) * a_response * ASSUMED_RESPONSE_TOKENS)
    return {**found, "cost_usd": _cost(judge, found["tokens"]), "upper": True}


def _as_annotated(checked: Checked, instance: Instance) -> Instance:
    """An instance that is not annotated yet, with as much as it is expected to get."""
    part = checked.study.annotate
    changes: dict[str, Any] = {}
    skills = instance.annotation.skills or tuple(skill.name for skill in instance.rubrics)
    if not skills:
        count = ASSUMED_SKILLS if part is None else part.top
        skills = tuple(skill.name for skill in checked.rubrics.skills[:count])
        changes["annotation"] = instance.annotation.model_copy(update={"skills": skills})
    if part is not None and part.checklist and not instance.checklist:
        changes["checklist"] = tuple(ChecklistItem(id=name, skill=name, question="...") for name in skills)
    return instance.model_copy(update=changes)


def _cost(judge: Asked, tokens: dict[str, int]) -> dict[str, float | None]:
    from flask_eval.calling.price import cost, price_of

    price = price_of(judge.card)
    full = cost(price, tokens["input"], 0, tokens["output"])
    return {
        "sync": full,
        "cached": cost(price, tokens["input"], tokens["cacheable"], tokens["output"]),
        "batch": None if full is None else full / 2,
    }
