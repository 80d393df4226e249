"""Carry a plan out: what the ledger holds is not asked again, what comes is recorded, and every cell gets its ratings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.adapters import Adapter, open_adapter
from flask_eval.calling.engine import CONCURRENCY, Engine, Job, Limiting, Tally
from flask_eval.calling.keys import call_key
from flask_eval.calling.loop import run_jobs
from flask_eval.calling.price import price_of
from flask_eval.errors import UserError, nearest
from flask_eval.judging.planning import Plan, same
from flask_eval.judging.rating import of_empty, ratings_of
from flask_eval.judging.run import Run, create_run, now, plan_status, write_manifest
from flask_eval.ledger import Ledger, RunLock, Writer
from flask_eval.metrics import find_metric, rate
from flask_eval.schema import OUTCOMES, Asked, Call, Cell, Price, Rating

_BATCH = 1000


@dataclass
class Progress:
    """How far a command is; handed to `on_progress` as it changes."""

    cells: int
    judged: int = 0
    tally: Tally = field(default_factory=Tally)
    outcomes: dict[str, int] = field(default_factory=dict)
    unknown: int = 0

    def add(self, ratings: Iterable[Rating]) -> None:
        """Count a judged cell."""
        self.judged += 1
        for rating in ratings:
            if not rating.item:
                self.outcomes[rating.outcome] = self.outcomes.get(rating.outcome, 0) + 1


@dataclass(frozen=True)
class Scored:
    """What `score` did: the run, and this command's own figures.

    Attributes:
        run: the run on disk.
        result: the result record (`score --json`).
        stopped_by: why work is left; empty where none is.
    """

    run: Run
    result: dict[str, Any]
    stopped_by: str = ""

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.run.path

    def status(self) -> dict[str, Any]:
        """The run's status."""
        return self.run.status()


def score(
    plan: Plan,
    *,
    out: str | Path,
    concurrency: int | None = None,
    budget: float | None = None,
    retry: Iterable[str] = (),
    durable: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    first_wait: float = 0.5,
) -> Scored:
    """Judge the cells of a plan into a run; a repeat goes on where an earlier one stopped.

    Args:
        plan: made by `plan`.
        out: the run's folder.
        concurrency: requests in flight.
        budget: US dollars that this command may spend.
        retry: outcomes whose cells are asked again.
        durable: sync every commit to disk.
        on_progress: called as cells are judged.
        first_wait: seconds before the second attempt of a call.

    Returns:
        The run with the result record; `stopped_by` says why work is left.

    Raises:
        UserError: the run holds something else under the same names, or the judge cannot be called; nothing was called.
    """
    again = _retried(retry)
    price = price_of(plan.card)
    if budget is not None and price is None:
        raise UserError(
            f"--budget {budget:g}: no price is known for '{plan.card.model}'; add `price` to the judge card"
        )
    flying = concurrency or plan.card.limits.concurrency or CONCURRENCY
    adapter = None if plan.card.adapter == "metric" else open_adapter(plan.card, concurrency=flying)
    started = time.monotonic()
    run = create_run(out)
    lock = RunLock(run.path)
    try:
        with run.ledger(read_only=False, durable=durable) as ledger:
            _prepare(plan, ledger, price)
            write_manifest(run, ledger)
            work = _Work(plan, ledger, again, on_progress)
            notes = () if adapter is None or plan.card.adapter != "replay" else adapter.strays(plan.cells)  # type: ignore[attr-defined]
            if adapter is None:
                work.rate_by_metric()
            elif work.todo:

                def engine(writer: Writer) -> Engine:
                    limits = Limiting(concurrency=flying, price=price, budget=budget, first_wait=first_wait)
                    return Engine(plan.card, adapter, ledger, writer, limits)

                work.judge(adapter, engine)
            scored = _finish(plan, run, ledger, work, price, time.monotonic() - started)
            scored.result["notes"] += notes
            return scored
    finally:
        lock.close()


def _retried(retry: Iterable[str]) -> frozenset[str]:
    names = frozenset(retry)
    for name in sorted(names):
        if name not in OUTCOMES or name in ("scored", "empty_response"):
            askable = [o for o in OUTCOMES if o not in ("scored", "empty_response")]
            raise UserError(f"--retry {name}: no outcome that can be asked again{nearest(name, askable)}")
    return names


def _prepare(plan: Plan, ledger: Ledger, price: Price | None) -> None:
    """Write the plan down; refuse what contradicts the run."""
    config = plan.config()
    held = ledger.rater(plan.card.name)
    difference = same(held[1], config) if held else ""
    if difference:
        raise UserError(
            f"the run holds ratings by '{plan.card.name}' with another configuration: {difference}; "
            "score into a new run (-o), or give the judge card another name"
        )
    used = {cell.instance for cell in plan.cells}

    def write() -> None:
        ledger.add_instances(i for i in plan.instances.values() if i.id in used)
        ledger.add_responses(plan.responses.values())
        ledger.add_rater(plan.card.name, plan.card.kind, config)
        ledger.add_cells(plan.cells)
        if ledger.meta("created") is None:
            ledger.set_meta("created", now())
            ledger.set_meta("seed", str(plan.seed))
        if price is not None:
            ledger.set_meta("price", price.model_dump_json())

    ledger.transaction([write])


class _Work:
    """The cells of a plan that are still to be judged, and what becomes of them."""

    def __init__(
        self, plan: Plan, ledger: Ledger, again: frozenset[str], on_progress: Callable[[Progress], None]
    ) -> None:
        self.plan, self.ledger, self.again, self.on_progress = plan, ledger, again, on_progress
        held = ledger.cells(plan.card.name)
        planned = [held[cell] for cell in plan.cells if cell in held]
        if len(planned) < len(plan.cells):
            cell = next(c for c in plan.cells if c not in held)
            raise UserError(
                f"the run holds the response of '{cell.model}' to instance '{cell.instance}' with other skills than "
                f"{', '.join(cell.skills)}; score into a new run (-o)"
            )
        redo = ledger.cells_with(plan.card.name, {"failed", *again})
        self.todo = [p for p in planned if not p.done or p.id in redo]
        self.ids = {p.id for p in planned}
        self.progress = Progress(cells=len(planned), judged=len(planned) - len(self.todo))
        self._asked_again: set[str] = set()
        self._parts: dict[int, dict[int, tuple[tuple[Asked, ...], Call]]] = {}
        self._open: dict[int, tuple[Cell, int]] = {}
        self._writer: Writer

    # ---- metrics ---------------------------------------------------------------------------------------------------

    def rate_by_metric(self) -> None:
        """Rate by a metric: no call, a transaction for every thousand cells."""
        metric = find_metric(self.plan.card.model)
        for start in range(0, len(self.todo), _BATCH):
            steps = []
            for planned in self.todo[start : start + _BATCH]:
                cell = planned.cell
                instance = self.plan.instances[cell.instance]
                response = self.plan.response(cell)
                ratings = rate(metric, instance, response, cell.rater, skills=cell.skills)
                if self.plan.empty == "lowest":
                    ratings = of_empty(cell, response, self.plan.scale, lowest=True) or ratings
                steps.append(partial(self.ledger.set_ratings, planned.id, ratings))
                self.progress.add(ratings)
            self.ledger.transaction(steps)
            self.on_progress(self.progress)

    # ---- judges ----------------------------------------------------------------------------------------------------

    def judge(self, adapter: Adapter, engine: Callable[[Writer], Engine]) -> None:
        """Judge by calls; ctrl-C lets those in flight finish."""

        def jobs(made: Engine, writer: Writer) -> Iterator[Job]:
            self._writer, self.progress.tally = writer, made.tally
            return self._jobs(adapter)

        run_jobs(engine, self.ledger, jobs, self._deliver, lambda: self.on_progress(self.progress))

    def _jobs(self, adapter: Adapter) -> Iterator[Job]:
        for planned in self.todo:
            cell = planned.cell
            ratings = of_empty(cell, self.plan.response(cell), self.plan.scale, lowest=self.plan.empty == "lowest")
            if ratings is not None:
                self._rated(planned.id, ratings)
                continue
            requests = list(self.plan.requests(cell, adapter))
            self._open[planned.id] = (cell, len(requests))
            for part, request in enumerate(requests):
                key = call_key(adapter.identity(request), request)
                held = self.ledger.answered(key)
                if held and key not in self._asked_again and self._wants_again(request.answer, held, cell):
                    self._asked_again.add(key)
                    yield Job(planned.id, part, key, request, None, held.attempt + 1)
                else:
                    yield Job(planned.id, part, key, request, held)

    def _wants_again(self, asked: tuple[Asked, ...], call: Call, cell: Cell) -> bool:
        if not self.again:
            return False
        ratings, _ = ratings_of(cell, [(asked, call)])
        return any(r.outcome in self.again for r in ratings)

    def _deliver(self, job: Job, call: Call) -> None:
        """Take a recorded call; with the last part of a cell, give the cell its ratings."""
        cell, count = self._open[job.cell]
        parts = self._parts.setdefault(job.cell, {})
        parts[job.part] = (job.request.answer, call)
        self._writer.submit(partial(self.ledger.add_request, job.cell, job.part, job.key, job.request.answer))
        if len(parts) < count:
            return
        ratings, unknown = ratings_of(cell, [parts[k] for k in sorted(parts)])
        self.progress.unknown += unknown
        self._rated(job.cell, ratings)
        del self._parts[job.cell], self._open[job.cell]

    def _rated(self, cell: int, ratings: list[Rating]) -> None:
        self._writer.submit(partial(self.ledger.set_ratings, cell, ratings))
        self.progress.add(ratings)


def _finish(plan: Plan, run: Run, ledger: Ledger, work: _Work, price: Price | None, seconds: float) -> Scored:
    """Close the books: the run's totals, and this command's result record."""
    tally = work.progress.tally
    totals = {
        "sent": str(int(ledger.meta("sent") or 0) + tally.sent),
        "seconds": str(float(ledger.meta("seconds") or 0) + seconds),
    }
    held = json.loads(ledger.meta("without_response") or "{}")
    totals["without_response"] = json.dumps(held | plan.without_response)
    ledger.transaction([partial(ledger.set_meta, name, value) for name, value in totals.items()])
    write_manifest(run, ledger)
    result = {
        "run": str(run.path),
        "judge": plan.card.name,
        **plan_status(ledger, plan.card.name, work.ids),
        "without_response": plan.without_response,
        "calls": {"sent": tally.sent, "answered": tally.answered, "failed": tally.failed},
        "tokens": {"input": tally.input_tokens, "cached": tally.cached_tokens, "output": tally.output_tokens},
        "cost_usd": None if price is None else tally.cost_usd,
        "seconds": round(seconds, 3),
        "unknown_properties": work.progress.unknown,
        "seed": plan.seed,
        "nothing_to_do": not work.todo,
        "notes": list(plan.notes),
    }
    if plan.card.adapter == "metric":
        result["note"] = find_metric(plan.card.model).note
    if price is None:
        result.setdefault("undefined", {})["cost_usd"] = (
            f"no price is known for '{plan.card.model}'; add `price` to the judge card"
        )
    if tally.last_error:
        result["last_error"] = tally.last_error
    left = result["cells"]["left"]
    return Scored(run, result, tally.stopped_by if left else "")
