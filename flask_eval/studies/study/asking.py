"""The steps of a study that ask models for responses: one a model, each with its calls recorded beside its file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.calling.asking import Asking
from flask_eval.judging import read_instances
from flask_eval.responding import Manner, estimate, respond
from flask_eval.studies.study.checked import Asked, Checked
from flask_eval.studies.study.digests import of_source, of_value
from flask_eval.studies.study.schema import ModelPart
from flask_eval.studies.study.steps import Ended, Session, Step


def respond_steps(checked: Checked, needs: tuple[str, ...], files: dict[str, Path]) -> list[Step]:
    """A step for each model that the study asks.

    Args:
        checked: the study.
        needs: the steps that write the instances.
        files: where each model's responses go.
    """
    return [
        Step(
            name=f"respond:{model.card.name}",
            needs=needs,
            outputs=(files[model.card.name],),
            inputs=partial(_inputs, checked, model),
            run=partial(_respond, checked, model, files[model.card.name]),
            estimate=partial(_estimate, checked, model, files[model.card.name]),
            edited=True,
        )
        for model in checked.models
    ]


def _options(model: Asked) -> ModelPart:
    if not isinstance(model.part, ModelPart):
        raise TypeError(f"{model.card.name} is not asked for responses")
    return model.part


def _inputs(checked: Checked, model: Asked) -> dict[str, str]:
    part = _options(model)
    card = model.card.model_dump(mode="json", include={"name", "adapter", "model", "base_url", "settings"})
    instances = read_instances(str(checked.out / "instances.jsonl"))
    found = {
        "instances": of_value(
            [one.model_dump(mode="json", include={"id", "messages", "instruction"}) for one in instances]
        ),
        "model": of_value(card),
        "options": of_value(part.model_dump(mode="json", include={"samples", "shots", "retry"})),
        "system": of_value(_system(checked, part)),
    }
    if part.shots is not None:
        found |= {"shots": of_source(checked.beside(part.shots.file)), "seed": str(checked.study.seed)}
    return found


def _system(checked: Checked, part: ModelPart) -> str | None:
    """The system prompt; `@FILE` is read from a file."""
    if part.system is None or not part.system.startswith("@"):
        return part.system
    return Path(checked.beside(part.system[1:])).read_text(encoding="utf-8").strip()


# ---- what is asked ------------------------------------------------------------------------------------------------


def _manner(checked: Checked, model: Asked) -> Manner:
    """System prompt, worked examples and samples of a model."""
    part = _options(model)
    shots = read_instances(checked.beside(part.shots.file)) if part.shots else []
    return Manner(
        samples=part.samples,
        system=_system(checked, part),
        shots=tuple(shots),
        count=part.shots.count if part.shots else 0,
        per=part.shots.per if part.shots else "run",
        seed=checked.study.seed,
    )


def _respond(checked: Checked, model: Asked, file: Path, session: Session) -> Ended:
    part, name = _options(model), model.card.name
    instances = read_instances(str(checked.out / "instances.jsonl"))
    total = len(instances) * part.samples
    with session.progress(f"asking {name}", total) as show:
        done = respond(
            instances,
            {name: model.card},
            out=file,
            manner=_manner(checked, model),
            how=Asking(part.concurrency or session.concurrency, session.left, session.first_wait),
            retry=part.retry,
            durable=session.durable,
            on_progress=lambda n, counted: show(n, f"{counted.answered:,} calls"),
        )
    session.pay(done.result["cost_usd"])
    own = done.result["models"][name]
    outcomes = ", ".join(f"{n:,} {outcome}" for outcome, n in own["outcomes"].items())
    words = f"{own['responses']:,} of {total:,} responses ({outcomes})"
    failed = own["outcomes"].get("failed")
    if failed:
        words += f"; the same command asks the failed ones again (the last: {done.result['last_error']})"
    return Ended(words, done.result, done.stopped_by, not failed)


def _estimate(checked: Checked, model: Asked, file: Path, ready: bool) -> dict[str, Any]:  # noqa: FBT001 (called through Step)
    """Calls still to come; their input tokens are counted, those of the responses assumed."""
    found = estimate(list(checked.instances), {model.card.name: model.card}, out=file, manner=_manner(checked, model))
    return {"calls": found["calls"], "tokens": found["tokens"], "cost_usd": found["cost_usd"], "upper": not ready}
