"""Ask several models for responses to the same instances, and write them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask_eval.calling.asking import Asking, ask, calls_folder, check_askable, open_calls, recorded
from flask_eval.calling.engine import Tally
from flask_eval.calling.keys import call_key
from flask_eval.calling.price import cost, price_of
from flask_eval.calling.tokens import count_tokens
from flask_eval.content import load_judge
from flask_eval.errors import UserError
from flask_eval.ledger import Ledger
from flask_eval.records import as_records, read_rows, suffix, write_jsonl
from flask_eval.responding.asking import OUTCOMES, Manner, outcome_of, requests, rows
from flask_eval.schema import Call, Instance, JudgeCard, Response

ASSUMED_TOKENS = 300
"""What a dry run takes as the length of a response."""

PLAIN, USUAL = Manner(), Asking()
SCHEMES = ("openai:", "anthropic:", "litellm:")


@dataclass(frozen=True)
class Responded:
    """What came of it."""

    result: dict[str, Any]
    """What `respond --json` writes."""
    stopped_by: str
    """Why work is left; empty where none is."""


def name_of(typed: str, card: JudgeCard) -> str:
    """The model's name in its responses: a card's name, or MODEL of `ADAPTER:MODEL`."""
    return card.model if typed.startswith(SCHEMES) else card.name


def models_of(
    names: Sequence[str], *, base_url: str | None = None, settings: Mapping[str, Any] | None = None
) -> dict[str, JudgeCard]:
    """The models by the name that stands in their responses: a card's name, or MODEL of `ADAPTER:MODEL`.

    Raises:
        UserError: no such card, a kind that answers nothing (`replay:`, `metric:`), two models of one name, or a setting
            that may hold a key.
    """
    found: dict[str, JudgeCard] = {}
    for typed in names:
        if typed in SCHEMES:
            raise UserError(f"--model {typed} names no model; write {typed}NAME")
        card = load_judge(typed, base_url=base_url)
        if card.adapter not in ("openai", "anthropic", "litellm"):
            raise UserError(f"--model {typed}: cannot be asked for responses; name a card, or ADAPTER:MODEL")
        if settings:
            # validated as a card is: none of them may hold a key
            card = load_judge(card.model_copy(update={"settings": {**card.settings, **settings}}))
        name = name_of(typed, card)
        if name in found:
            raise UserError(f"--model {typed}: two models are called '{name}'; give one a card with a name of its own")
        found[name] = card
    if not found:
        raise UserError("--model: name at least one model")
    return found


def respond(
    instances: Sequence[Instance],
    models: Mapping[str, JudgeCard],
    *,
    out: str | Path,
    manner: Manner = PLAIN,
    how: Asking = USUAL,
    retry: Sequence[str] = (),
    durable: bool = False,
    on_progress: Callable[[int, Tally], None] = lambda *_: None,
) -> Responded:
    """Ask each model for responses; what was answered before is not asked again.

    Args:
        instances: what is asked.
        models: name: card, as `models_of` gives them.
        out: one file for all, or a folder (one that is there, or ending in `/`) for a file a model. The calls stand beside it.
        manner: system prompt, examples, samples.
        how: concurrency and budget, of all models together.
        retry: outcomes that are asked again although they were answered: empty, truncated, refused.
        durable: sync each call to disk.
        on_progress: told how many responses are there, of all models.

    Raises:
        UserError: a card cannot be called as it stands, an outcome is unknown, or the place is taken; nothing was called.
    """
    _check(models, manner, retry)
    check_askable(models.values(), how)
    files = files_of(out, models)
    order = [(one.id, sample) for one in instances for sample in range(manner.samples)]
    began, tally, priced, left = time.monotonic(), Tally(), True, 0
    answered: dict[str, dict[Any, Call]] = {}
    _guard(files, out)
    with open_calls(out, durable=durable) as ledger:
        for name, card in models.items():
            found: dict[Any, Call] = {}
            reached = not tally.stopped_by
            if reached:
                done, own = sum(map(len, answered.values())), Tally()
                found = ask(
                    card,
                    requests(instances, card.settings, manner),
                    ledger,
                    how if how.budget is None else replace(how, budget=max(how.budget - tally.cost_usd, 0.0)),
                    again=lambda _, __, call: _in(call, retry),
                    tally=own,
                    on_progress=lambda n, counted, before=done: on_progress(before + n, counted),  # type: ignore[misc]
                )
                _add(tally, own)
                priced = priced and price_of(card) is not None
            # a stop leaves answers unread that the ledger holds: the file keeps them
            held = recorded(card, requests(instances, card.settings, manner), ledger) if tally.stopped_by else {}
            left += sum(key not in found and (key not in held or _in(held[key], retry)) for key in order)
            if reached or held:
                answered[name] = held | found
    written = _write(files, models, answered, order, manner)
    result = {
        "models": {name: _counts(answered.get(name, {})) for name in models},
        "calls": {"sent": tally.sent, "answered": tally.answered, "failed": tally.failed},
        "tokens": {"input": tally.input_tokens, "cached": tally.cached_tokens, "output": tally.output_tokens},
        "cost_usd": tally.cost_usd if priced else None,
        "seconds": round(time.monotonic() - began, 3),
        "left": left,
        "files": written,
        "last_error": tally.last_error,
    }
    if not priced:
        result["undefined"] = {"cost_usd": "no price is known for at least one model; add `price` to its card"}
    return Responded(result, tally.stopped_by if left else "")


def _check(models: Mapping[str, JudgeCard], manner: Manner, retry: Sequence[str]) -> None:
    for outcome in retry:
        if outcome not in OUTCOMES or outcome == "answered":
            raise UserError(f"--retry {outcome}: write one of {', '.join(OUTCOMES[1:])}")
    for name, card in models.items():
        if manner.completion and card.adapter != "openai":
            raise UserError(
                f"--completion: only the adapter openai has texts continued, and '{name}' goes through {card.adapter}"
            )


def _in(call: Call, outcomes: Sequence[str]) -> bool:
    return outcome_of(call.completion) in outcomes


def _add(tally: Tally, own: Tally) -> None:
    """Count one model's calls among all."""
    for name in ("sent", "answered", "failed", "input_tokens", "cached_tokens", "output_tokens", "cost_usd"):
        setattr(tally, name, getattr(tally, name) + getattr(own, name))
    tally.last_error = own.last_error or tally.last_error
    tally.stopped_by = own.stopped_by or tally.stopped_by


def _counts(found: Mapping[Any, Call]) -> dict[str, Any]:
    counts = Counter(outcome_of(call.completion) for call in found.values())
    return {
        "responses": sum(counts.values()) - counts["failed"],
        "outcomes": {name: counts[name] for name in OUTCOMES if counts[name]},
    }


def files_of(out: str | Path, models: Iterable[str]) -> dict[Path, list[str]]:
    """Which models' responses go into which file: all into one, or each into one of its own in a folder.

    Raises:
        UserError: no file of JSON lines, or two models would share one in the folder.
    """
    if not str(out).endswith(("/", "\\")) and not Path(out).is_dir():
        if suffix(Path(out)) not in (".jsonl", ".ndjson"):
            raise UserError(
                f"-o {out}: responses are written as JSON lines; name a .jsonl (or .jsonl.gz), or a folder/"
            )
        return {Path(out): list(models)}
    files: dict[Path, list[str]] = {}
    for name in models:
        path = Path(out) / f"{_file_name(name)}.jsonl"
        if path in files:
            raise UserError(f"-o {out}: '{files[path][0]}' and '{name}' would both go into {path.name}; name one file")
        files[path] = [name]
    return files


def _file_name(model: str) -> str:
    """A model's name as a file's: no separators, no leading dot."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in model).lstrip(".") or "model"


def _recorded(out: str | Path) -> Ledger | None:
    """The calls beside a file, to be read; none where there are none."""
    held = calls_folder(out) / "ledger.sqlite"
    return Ledger(held, read_only=True) if held.is_file() else None


def _guard(files: Mapping[Path, list[str]], out: str | Path) -> None:
    """Raise UserError where writing would lose what cannot be written anew from the recorded calls."""
    recorded = False
    if ledger := _recorded(out):
        with ledger:
            recorded = bool(ledger.query("SELECT 1 FROM call LIMIT 1"))
    for path, models in files.items():
        if not path.exists() or not path.stat().st_size:
            continue
        if not recorded:
            raise UserError(f"{path}: exists, and no calls are recorded beside it; move it away, or name another file")
        for _, row in as_records(read_rows(path), Response):
            if row.model not in models:
                raise UserError(
                    f"{path}: holds responses of '{row.model}', which would be lost; ask for all models in one command, "
                    "name another file, or a folder/ with a file a model"
                )


def _write(
    files: Mapping[Path, list[str]],
    models: Mapping[str, JudgeCard],
    answered: Mapping[str, Mapping[Any, Call]],
    order: Sequence[tuple[str, int]],
    manner: Manner,
) -> list[str]:
    """Write what is there; a model that was not asked any more has no file of its own."""
    written = []
    for path, names in files.items():
        asked = [name for name in names if name in answered]
        if asked:
            write_jsonl(path, (r for name in asked for r in rows(models[name], name, answered[name], order, manner)))
            written.append(str(path))
    return written


def estimate(
    instances: Sequence[Instance],
    models: Mapping[str, JudgeCard],
    *,
    out: str | Path | None,
    manner: Manner = PLAIN,
    retry: Sequence[str] = (),
) -> dict[str, Any]:
    """Calls still to come; their input tokens are counted, those of the responses assumed (`respond --dry-run --json`)."""
    from flask_eval.adapters import open_adapter

    _check(models, manner, retry)
    ledger = None if out is None else _recorded(out)
    calls, tokens, usd = 0, {"input": 0, "cacheable": 0, "output": 0}, 0.0
    unpriced = []
    try:
        for name, card in models.items():
            adapter = open_adapter(card, concurrency=1, sends=False)
            keys: set[str] = set()
            sizes = 0
            for _, request in requests(instances, card.settings, manner):
                key = call_key(adapter.identity(request), request)
                known = ledger.answered(key) if ledger is not None and key not in keys else None
                if key not in keys and (known is None or _in(known, retry)):
                    keys.add(key)
                    sizes += sum(count_tokens(content) for _, content in request.messages)
            calls += len(keys)
            tokens["input"] += sizes
            tokens["output"] += ASSUMED_TOKENS * len(keys)
            one = cost(price_of(card), sizes, 0, ASSUMED_TOKENS * len(keys))
            if one is None:
                unpriced.append(name)
            else:
                usd += one
    finally:
        if ledger is not None:
            ledger.close()
    result: dict[str, Any] = {
        "instances": len(instances),
        "models": list(models),
        "calls": calls,
        "tokens": tokens,
        "cost_usd": {"sync": None if unpriced else usd},
        "output_tokens_per_response": ASSUMED_TOKENS,
    }
    if unpriced:
        result["undefined"] = {"cost_usd": f"no price is known for {', '.join(unpriced)}; add `price` to its card"}
    return result
