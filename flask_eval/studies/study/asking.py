"""The steps of a study that ask models for responses: one a model, each with its calls recorded beside its file."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.calling.asking import Asking, ask, calls_folder, open_calls
from flask_eval.calling.engine import Tally
from flask_eval.calling.keys import call_key
from flask_eval.calling.price import cost, price_of
from flask_eval.calling.tokens import count_tokens
from flask_eval.judging import read_instances
from flask_eval.ledger import Ledger
from flask_eval.records import write_jsonl
from flask_eval.schema import Call, Completion, Instance, Request, Response, is_empty
from flask_eval.studies.study.checked import Asked, Checked
from flask_eval.studies.study.digests import of_source, of_value
from flask_eval.studies.study.schema import ModelPart
from flask_eval.studies.study.steps import Ended, Session, Step

ASSUMED_TOKENS = 300
"""What a dry run takes as the length of a response."""

OUTCOMES = ("answered", "empty", "truncated", "refused", "failed")
"""What came of asking for a response; all but the failed ones are kept in the file."""


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


def outcome_of(completion: Completion | None) -> str:
    """What came of asking for a response."""
    if completion is None:
        return "failed"
    if completion.finish in ("refusal", "content_filter"):
        return "refused"
    if is_empty(completion.text):
        return "empty"
    return "truncated" if completion.finish == "length" else "answered"


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


def _requests(checked: Checked, model: Asked, instances: list[Instance]) -> Iterator[tuple[Hashable, Request]]:
    """(instance, sample) with its request: system prompt, worked examples, earlier turns, instruction."""
    part = _options(model)
    system = _system(checked, part)
    before = (("system", system),) if system else ()
    shots = read_instances(checked.beside(part.shots.file)) if part.shots else []
    settings = tuple(sorted(model.card.settings.items()))
    for one in instances:
        turns = tuple((turn.role, turn.content) for turn in one.messages)
        messages = (*before, *_shown(part, shots, one, checked.study.seed), *turns, ("user", one.instruction))
        for sample in range(part.samples):
            yield (one.id, sample), Request(messages, (), settings, sample)


def _shown(part: ModelPart, shots: list[Instance], instance: Instance, seed: int) -> tuple[tuple[str, str], ...]:
    """The worked examples before an instruction, never the instance itself."""
    if part.shots is None:
        return ()
    others = [one for one in shots if one.reference]
    drawn = random.Random(f"{seed}:{instance.id}" if part.shots.per == "instance" else str(seed))  # noqa: S311 (no secret)
    drawn.shuffle(others)
    kept = [one for one in others if one.id != instance.id and one.instruction != instance.instruction]
    pairs = (((("user", one.instruction), ("assistant", one.reference[0]))) for one in kept[: part.shots.count])
    return tuple(turn for pair in pairs for turn in pair)


def _respond(checked: Checked, model: Asked, file: Path, session: Session) -> Ended:
    part, price = _options(model), price_of(model.card)
    instances = read_instances(str(checked.out / "instances.jsonl"))
    total, tally = len(instances) * part.samples, Tally()
    how = Asking(part.concurrency or session.concurrency, session.left, session.first_wait)
    with (
        open_calls(file, durable=session.durable) as ledger,
        session.progress(f"asking {model.card.name}", total) as show,
    ):
        found = ask(
            model.card,
            _requests(checked, model, instances),
            ledger,
            how,
            again=lambda _, __, call: outcome_of(call.completion) in part.retry,
            tally=tally,
            on_progress=lambda done, counted: show(done, f"{counted.answered:,} calls"),
        )
    session.pay(None if price is None else tally.cost_usd)
    kept = write_jsonl(file, _rows(model, found))
    counts = Counter(outcome_of(call.completion) for call in found.values())
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


def _rows(model: Asked, found: dict[Any, Call]) -> Iterator[dict[str, Any]]:
    """The responses as records; what failed is none."""
    settings = {"adapter": model.card.adapter, "model": model.card.model, **model.card.settings}
    for (instance, sample), call in found.items():
        if call.completion is not None:
            yield Response(
                instance=instance,
                model=model.card.name,
                text=call.completion.text,
                sample=sample,
                finish=call.completion.finish,
                settings=settings,
            ).model_dump(mode="json")


def _estimate(checked: Checked, model: Asked, file: Path, ready: bool) -> dict[str, Any]:  # noqa: FBT001 (called through Step)
    """Calls still to come; their input tokens are counted, those of the responses assumed."""
    from flask_eval.adapters import open_adapter

    adapter = open_adapter(model.card, concurrency=1, sends=False)
    held = calls_folder(file) / "ledger.sqlite"
    ledger = Ledger(held, read_only=True) if held.is_file() else None
    tokens = {"input": 0, "cacheable": 0, "output": 0}
    keys: set[str] = set()
    try:
        for _, request in _requests(checked, model, list(checked.instances)):
            key = call_key(adapter.identity(request), request)
            if key in keys or (ledger is not None and ledger.answered(key)):
                continue
            keys.add(key)
            tokens["input"] += sum(count_tokens(content) for _, content in request.messages)
            tokens["output"] += ASSUMED_TOKENS
    finally:
        if ledger is not None:
            ledger.close()
    usd = cost(price_of(model.card), tokens["input"], 0, tokens["output"])
    return {"calls": len(keys), "tokens": tokens, "cost_usd": {"sync": usd}, "upper": not ready}
