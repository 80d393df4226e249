"""The steps of a study that bring instances and responses together, before anything is scored."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask_eval.annotating import Plan, annotate, plan_annotation
from flask_eval.calling.asking import Asking
from flask_eval.errors import UserError
from flask_eval.records import write_jsonl
from flask_eval.studies.study.checked import Checked
from flask_eval.studies.study.digests import of_records, of_value
from flask_eval.studies.study.schema import AnnotatePart
from flask_eval.studies.study.steps import Ended, Session, Step

INSTANCES = "instances.jsonl"


def instance_step(checked: Checked) -> Step:
    """The step that writes the study's instances, annotated where the study says so."""
    if checked.study.annotate is not None:
        return _annotate_step(checked, checked.study.annotate)
    return Step(
        name="instances",
        needs=(),
        outputs=(checked.out / INSTANCES,),
        inputs=lambda: {"instances": of_records(checked.instances)},
        run=partial(_write, checked),
        edited=True,
    )


def _write(checked: Checked, _: Session) -> Ended:
    rows = (one.model_dump(mode="json", exclude_defaults=True) for one in checked.instances)
    count = write_jsonl(checked.out / INSTANCES, rows)
    return Ended(f"{count:,} instances", {"instances": count})


# ---- annotation ---------------------------------------------------------------------------------------------------


def _annotate_step(checked: Checked, part: AnnotatePart) -> Step:
    return Step(
        name="annotate",
        needs=(),
        outputs=(checked.out / INSTANCES,),
        inputs=partial(_inputs, checked, part),
        run=partial(_annotate, checked, part),
        estimate=partial(_estimate, checked, part),
        edited=True,
    )


def annotation_faults(checked: Checked) -> list[str]:
    """What keeps the instances from being annotated, with its place in the study file."""
    if checked.study.annotate is None:
        return []
    try:
        _plan(checked, checked.study.annotate)
    except UserError as error:
        return [f"{checked.file.at('annotate')}: {error}"]
    return []


def _inputs(checked: Checked, part: AnnotatePart) -> dict[str, str]:
    cards = [
        one.card.model_dump(mode="json", include={"name", "adapter", "model", "base_url", "settings"})
        for one in checked.annotators
    ]
    return {
        "instances": of_records(checked.instances),
        "annotators": of_value(cards),
        "rubrics": of_records([checked.rubrics]),
        "taxonomy": of_records([checked.taxonomy] if checked.taxonomy else []),
        "options": of_value(part.model_dump(mode="json", exclude={"judge", "taxonomy"})),
        "seed": str(checked.study.seed),
    }


def _plan(checked: Checked, part: AnnotatePart) -> Plan:
    if checked.taxonomy is None:
        raise TypeError("a study that annotates has a taxonomy")
    return plan_annotation(
        checked.instances,
        [one.card for one in checked.annotators],
        rubrics=checked.rubrics,
        taxonomy=checked.taxonomy,
        only=part.only,
        top=part.top,
        samples=part.samples,
        overwrite=part.overwrite,
        checklist=part.checklist,
        references=part.references,
        seed=checked.study.seed,
    )


def _annotate(checked: Checked, part: AnnotatePart, session: Session) -> Ended:
    plan, file = _plan(checked, part), checked.out / INSTANCES
    flying = next((one.part.concurrency for one in checked.annotators if one.part.concurrency), session.concurrency)
    with session.progress("annotating", len(plan.instances)) as show:
        # what somebody edited was looked for before: the file may be written anew
        found = annotate(
            plan,
            out=file,
            source=file,
            how=Asking(flying, session.left, session.first_wait),
            retry=part.retry,
            durable=session.durable,
            on_progress=lambda done, total, tally: show(
                round(done * len(plan.instances) / max(total, 1)), f"{tally.answered:,} calls"
            ),
        )
    result = found.result
    session.pay(result["cost_usd"])
    outcomes = result["outcomes"]
    words = f"{result['annotated']:,} of {result['instances']:,} instances annotated ({_counted(outcomes)})"
    settle = result["settle"]
    if settle["file"]:
        words += f"; {settle['rows']:,} fields for a person to settle in {settle['file']}"
    return Ended(words, result, found.stopped_by, not outcomes.get("failed"), (), plan.notes)


def _counted(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in outcomes.items()) or "nothing was asked"


def _estimate(checked: Checked, part: AnnotatePart, ready: bool) -> dict[str, Any]:  # noqa: FBT001 (called through Step)
    """Calls, tokens and cost of what is still to be asked; nothing comes before it."""
    return {**_plan(checked, part).estimate(str(checked.out / INSTANCES)), "upper": not ready}
