"""The steps of a study that bring instances and responses together, before anything is scored."""

from __future__ import annotations

from functools import partial

from flask_eval.records import write_jsonl
from flask_eval.studies.study.checking import Checked
from flask_eval.studies.study.digests import of_records
from flask_eval.studies.study.steps import Ended, Session, Step

INSTANCES = "instances.jsonl"


def instance_step(checked: Checked) -> Step:
    """The step that writes the study's instances."""
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
