"""The steps of a study that ask models for responses: one a model, each with its calls recorded beside its file."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.calling.asking import Asking, ask, open_calls, recorded
from flask_eval.calling.engine import Tally
from flask_eval.calling.price import price_of
from flask_eval.judging import read_instances
from flask_eval.records import write_jsonl
from flask_eval.responding import OUTCOMES, Manner, estimate, outcome_of, requests, rows
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
    part, price = _options(model), price_of(model.card)
    instances = read_instances(str(checked.out / "instances.jsonl"))
    total, tally, manner = len(instances) * part.samples, Tally(), _manner(checked, model)
    order = [(one.id, sample) for one in instances for sample in range(part.samples)]
    how = Asking(part.concurrency or session.concurrency, session.left, session.first_wait)
    with (
        open_calls(file, durable=session.durable) as ledger,
        session.progress(f"asking {model.card.name}", total) as show,
    ):
        found = ask(
            model.card,
            requests(instances, model.card.settings, manner),
            ledger,
            how,
            again=lambda _, __, call: outcome_of(call.completion) in part.retry,
            tally=tally,
            on_progress=lambda done, counted: show(done, f"{counted.answered:,} calls"),
        )
        # a stop leaves answers unread that the ledger holds: the file keeps them
        held = (
            recorded(model.card, requests(instances, model.card.settings, manner), ledger) if tally.stopped_by else {}
        )
    session.pay(None if price is None else tally.cost_usd)
    there = held | found
    kept = write_jsonl(file, rows(model.card, model.card.name, there, order, manner))
    counts = Counter(outcome_of(call.completion) for call in there.values())
    outcomes = {name: counts[name] for name in OUTCOMES if counts[name]}
    result = {
        "models": {model.card.name: {"responses": kept, "outcomes": outcomes}},
        "calls": {"sent": tally.sent, "answered": tally.answered, "failed": tally.failed},
        "tokens": {"input": tally.input_tokens, "cached": tally.cached_tokens, "output": tally.output_tokens},
        "cost_usd": None if price is None else tally.cost_usd,
    }
    words = f"{kept:,} of {total:,} responses ({', '.join(f'{n:,} {name}' for name, n in outcomes.items())})"
    if counts["failed"]:
        words += f"; the same command asks the failed ones again (the last: {tally.last_error})"
    return Ended(words, result, tally.stopped_by if len(found) < total else "", not counts["failed"])


def _estimate(checked: Checked, model: Asked, file: Path, ready: bool) -> dict[str, Any]:  # noqa: FBT001 (called through Step)
    """Calls still to come; their input tokens are counted, those of the responses assumed."""
    found = estimate(list(checked.instances), {model.card.name: model.card}, out=file, manner=_manner(checked, model))
    return {"calls": found["calls"], "tokens": found["tokens"], "cost_usd": found["cost_usd"], "upper": not ready}
