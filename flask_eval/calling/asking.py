"""Ask a model many things: what the ledger holds is not asked again, and every answer is recorded before it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask_eval.adapters import open_adapter
from flask_eval.calling.engine import CONCURRENCY, Engine, Job, Limiting, Tally
from flask_eval.calling.keys import call_key
from flask_eval.calling.loop import run_jobs
from flask_eval.calling.price import price_of
from flask_eval.errors import UserError
from flask_eval.ledger import Ledger, RunLock, Writer
from flask_eval.schema import Call, JudgeCard, Price, Request

Again = Callable[[Hashable, Request, Call], bool]


@dataclass(frozen=True, slots=True)
class Asking:
    """How much at a time, and how much in all."""

    concurrency: int | None = None
    """Requests in flight; the card's own limit, or 16, where left out."""
    budget: float | None = None
    """US dollars that may be spent."""
    first_wait: float = 0.5
    """Seconds before the second attempt of a call, where the server asks for nothing."""


def never(_: Hashable, __: Request, ___: Call) -> bool:
    """No answered call is asked again."""
    return False


def ask(
    card: JudgeCard,
    requests: Iterable[tuple[Hashable, Request]],
    ledger: Ledger,
    how: Asking = Asking(),
    *,
    again: Again = never,
    tally: Tally | None = None,
    on_progress: Callable[[int, Tally], None] = lambda *_: None,
) -> dict[Hashable, Call]:
    """Ask each request that the ledger does not hold; record every call.

    Args:
        card: the model that is asked.
        requests: what is asked, each with a name of its own; equal requests are asked once.
        ledger: holds earlier calls, and takes the new ones.
        how: concurrency, budget, waits.
        again: whether a request is asked again although the ledger holds this answer.
        tally: counts calls, tokens and cost; of earlier askings too, where one is handed on.
        on_progress: told a few times a second how many requests have their call.

    Returns:
        The newest call of each name, in the order in which they came; a failed one has an error in place of a completion,
        unless an earlier answer was asked again: that one stands then. What a stop left unasked is missing;
        `tally.stopped_by` says why.

    Raises:
        UserError: the card cannot be called as it stands, or has no price to hold a budget against; nothing was called.
    """
    price = _price_within(card, how.budget)
    flying = how.concurrency or card.limits.concurrency or CONCURRENCY
    adapter = open_adapter(card, concurrency=flying)
    counted = tally or Tally()
    names: list[Hashable] = []
    found: dict[Hashable, Call] = {}
    earlier: dict[str, Call] = {}

    def engine(writer: Writer) -> Engine:
        made = Engine(card, adapter, ledger, writer, Limiting(flying, price, how.budget, how.first_wait))
        made.tally = counted
        return made

    def jobs(_: Engine, __: Writer) -> Iterator[Job]:
        for place, (name, request) in enumerate(requests):
            names.append(name)
            key = call_key(adapter.identity(request), request)
            held = ledger.answered(key)
            if held and key not in earlier and again(name, request, held):
                earlier[key] = held
            if key in earlier and held == earlier[key]:
                yield Job(place, 0, key, request, None, held.attempt + 1)
            else:
                yield Job(place, 0, key, request, held)

    def deliver(job: Job, call: Call) -> None:
        found[names[job.cell]] = call if call.completion else earlier.get(job.key, call)

    run_jobs(engine, ledger, jobs, deliver, lambda: on_progress(len(found), counted))
    return {name: found[name] for name in names if name in found}


def recorded(card: JudgeCard, requests: Iterable[tuple[Hashable, Request]], ledger: Ledger) -> dict[Hashable, Call]:
    """The answered call of each request, where the ledger holds one; nothing is asked.

    Args:
        card: the model that was asked.
        requests: what was asked, each with a name of its own.
        ledger: holds the calls.
    """
    adapter = open_adapter(card, concurrency=1, sends=False)
    found = ((name, ledger.answered(call_key(adapter.identity(request), request))) for name, request in requests)
    return {name: call for name, call in found if call}


def check_askable(cards: Iterable[JudgeCard], how: Asking = Asking()) -> None:
    """Whether all of several cards can be called, before the first is: each is opened and closed, nothing is sent.

    Raises:
        UserError: a card cannot be called as it stands, or has no price to hold a budget against.
    """
    for card in cards:
        _price_within(card, how.budget)
        adapter = open_adapter(card, concurrency=how.concurrency or 1)
        with ThreadPoolExecutor(1) as pool:  # where an event loop runs already (a notebook), this one goes beside it
            pool.submit(asyncio.run, adapter.close()).result()


def _price_within(card: JudgeCard, budget: float | None) -> Price | None:
    """The price of a card's tokens; a budget needs one."""
    price = price_of(card)
    if budget is not None and price is None:
        raise UserError(f"--budget {budget:g}: no price is known for '{card.model}'; add `price` to its card")
    return price


def calls_folder(out: str | Path) -> Path:
    """Where the calls behind a file are recorded: `responses.jsonl` has `responses.calls/`; a folder has `calls/` in it."""
    path = Path(out)
    if str(out).endswith(("/", "\\")) or path.is_dir():
        return path / "calls"
    name = path.name.removesuffix(".gz")
    return path.with_name(f"{Path(name).stem or name}.calls")


@contextmanager
def open_calls(out: str | Path, *, durable: bool = False) -> Iterator[Ledger]:
    """The ledger beside a file, locked against other processes.

    Yields:
        The ledger; it is made where there is none.

    Raises:
        UserError: another process works on it, or the folder holds something else.
    """
    folder = calls_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    lock = RunLock(folder)
    try:
        with Ledger(folder / "ledger.sqlite", durable=durable) as ledger:
            yield ledger
    finally:
        lock.close()
