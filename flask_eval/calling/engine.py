"""C workers pull jobs from an iterator; each goes on when its call is committed.

The first job goes alone: a wrong key, address or model costs one request, not a wave of them. Equal requests in flight are
asked once. A stop lets calls in flight finish.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiolimiter import AsyncLimiter

from flask_eval.adapters import Adapter
from flask_eval.calling.keys import request_schema
from flask_eval.calling.policy import persistently
from flask_eval.calling.price import cost, cost_of
from flask_eval.errors import CallError
from flask_eval.ledger import Ledger, Writer
from flask_eval.schema import Call, Completion, JudgeCard, Price, Request

log = logging.getLogger("flask_eval")

_FATAL = frozenset({"denied", "not_found", "quota"})
"""Kinds of error that end the run: the cell stays to be judged."""

CONCURRENCY = 16
"""Requests in flight where neither the card nor the user says."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request with its key and its place."""

    cell: int
    part: int
    key: str
    request: Request
    held: Call | None
    """The answered call that the ledger holds, to be used as it is; none: ask."""
    attempt: int = 0


FRAMING = 16
"""Tokens that a chat's format adds to a request, and to each message, at most."""


@dataclass
class Tally:
    """What a command has done so far."""

    sent: int = 0
    answered: int = 0
    failed: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    reserved_usd: float = 0.0
    started: float = field(default_factory=time.monotonic)
    last_error: str = ""
    """What the last failed call came to; empty where none failed."""
    stopped_by: str = ""
    """Why the work ended early: the budget, the provider or a signal, in words; empty where it did not."""

    def add(self, completion: Completion, price: Price | None) -> None:
        """Count an answer."""
        self.answered += 1
        self.input_tokens += completion.input_tokens
        self.cached_tokens += completion.cached_tokens
        self.output_tokens += completion.output_tokens
        self.cost_usd += cost_of(price, completion)


@dataclass(frozen=True, slots=True)
class Limiting:
    """How much at a time, and how much in all."""

    concurrency: int
    """Requests in flight."""
    price: Price | None = None
    """US dollars per million tokens; none where nobody knows."""
    budget: float | None = None
    """US dollars that may be spent."""
    first_wait: float = 0.5
    """Seconds before the second attempt of a call, where the server asks for nothing."""


class Engine:
    """Sends jobs through an adapter, within limits and budget, and records each call before it is handed on."""

    def __init__(
        self,
        card: JudgeCard,
        adapter: Adapter,
        ledger: Ledger,
        writer: Writer,
        limiting: Limiting,
    ) -> None:
        """Keep what the work needs; nothing is sent yet."""
        self.card, self.adapter, self.ledger, self.writer = card, adapter, ledger, writer
        self.concurrency, self.price = limiting.concurrency, limiting.price
        self.budget, self.first_wait = limiting.budget, limiting.first_wait
        self.tally = Tally()
        self.stopped = asyncio.Event()
        limits = card.limits
        self._rpm = (
            AsyncLimiter(max(limits.rpm / 60, 1), 1 if limits.rpm >= 60 else 60 / limits.rpm) if limits.rpm else None
        )
        self._tpm = AsyncLimiter(limits.tpm, 60) if limits.tpm else None
        self._waiting: dict[str, list[Job]] = {}
        self._streak = 0
        self._told = 0.0
        self._stopping = _FATAL | {"connection", "timeout", "server"}

    def stop(self, why: str) -> None:
        """Start nothing more; calls in flight finish. The first reason stands."""
        if not self.stopped.is_set():
            self.tally.stopped_by = why
            self.stopped.set()

    async def run(self, jobs: Iterator[Job], deliver: Callable[[Job, Call], None]) -> None:
        """Answer every job; `deliver` gets each with its call, once the call is recorded."""
        try:
            await self._until_first_answer(jobs, deliver)
            workers = [asyncio.create_task(self._work(jobs, deliver)) for _ in range(self.concurrency)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        finally:
            await self.adapter.close()

    async def _until_first_answer(self, jobs: Iterator[Job], deliver: Callable[[Job, Call], None]) -> None:
        while not self.stopped.is_set() and not self.tally.answered:
            job = next(jobs, None)
            if job is None:
                return
            await self._one(job, deliver)
        self._stopping = _FATAL

    async def _work(self, jobs: Iterator[Job], deliver: Callable[[Job, Call], None]) -> None:
        while not self.stopped.is_set():
            job = next(jobs, None)
            if job is None:
                return
            await self._one(job, deliver)

    async def _one(self, job: Job, deliver: Callable[[Job, Call], None]) -> None:
        if job.held is not None:
            deliver(job, job.held)
            await asyncio.sleep(0)
            return
        if job.key in self._waiting:
            self._waiting[job.key].append(job)
            return
        self._waiting[job.key] = []
        try:
            call = await self._ask(job)
            if call is None:
                return
            schema = request_schema(job.request)
            await asyncio.wrap_future(self.writer.submit(lambda: self.ledger.add_call(call, job.request, schema)))
            if call.error_kind not in self._stopping:
                for one in (job, *self._waiting[job.key]):
                    deliver(one, call)
        finally:
            del self._waiting[job.key]

    async def _ask(self, job: Job) -> Call | None:
        """Ask once, with retries; none where the budget or a stop came first."""
        reserved = self._reserve(job.request)
        if reserved is None:
            return None
        try:
            completion = await persistently(
                lambda: self._send(job.request), tell=self._tell, stopped=self.stopped, first_wait=self.first_wait
            )
        except CallError as error:
            if self.stopped.is_set() and error.retryable:
                return None
            return self._failed(job, error)
        finally:
            self.tally.reserved_usd -= reserved
        self.tally.add(completion, self.price)
        self._streak = 0
        return Call(job.key, job.attempt, completion)

    async def _send(self, request: Request) -> Completion:
        if self._rpm:
            await self._rpm.acquire()
        if self._tpm:
            await self._tpm.acquire(min(self._size(request), self._tpm.max_rate))
        self.tally.sent += 1
        return await self.adapter.complete(request)

    def _failed(self, job: Job, error: CallError) -> Call:
        self.tally.failed += 1
        self.tally.last_error = str(error)
        self._streak += 1
        if error.fatal:
            self.stop(f"the provider refuses: {error}")
        elif error.kind in self._stopping:
            self.stop(f"the provider does not answer: {error}")
        elif self._streak >= max(20, 2 * self.concurrency) and self.card.adapter != "replay":
            self.stop(f"{self._streak} calls in a row failed, the last: {error}")
        return Call(job.key, job.attempt, None, str(error), error.kind)

    def _tell(self, error: CallError, wait: float) -> None:
        now = time.monotonic()
        if now - self._told > 10:
            self._told = now
            log.warning("%s; asked again in %.1f s", error, wait)

    def _size(self, request: Request) -> float:
        """Tokens of a request, roughly: four characters each, and the longest answer."""
        settings: dict[str, Any] = dict(request.settings)
        return sum(len(content) for _, content in request.messages) / 4 + float(settings.get("max_tokens", 1024))

    def _reserve(self, request: Request) -> float | None:
        """Set the dearest possible cost of a request aside; none (and a stop) where the budget does not reach."""
        if self.budget is None:
            return 0.0
        settings: dict[str, Any] = dict(request.settings)
        # bytes, since a character of many scripts is a token or more; and what the chat's own format adds
        sent = FRAMING + sum(len(content.encode("utf-8", "replace")) / 3 + FRAMING for _, content in request.messages)
        dearest = cost(self.price, sent, 0, float(settings.get("max_tokens", 1024))) or 0.0
        if self.tally.cost_usd + self.tally.reserved_usd + dearest > self.budget:
            self.stop(
                f"the budget of {self.budget:g} USD does not reach for another call: {self.tally.cost_usd:.4f} USD are spent, "
                f"and a call may cost {dearest:.4f} USD; raise --budget, or lower max_tokens in the judge card"
            )
            return None
        self.tally.reserved_usd += dearest
        return dearest
