"""The thread in which calls are made: it works in a notebook too, and ctrl-C lets calls in flight finish."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flask_eval.calling.engine import Engine, Job
from flask_eval.ledger import Ledger, Writer
from flask_eval.schema import Call

log = logging.getLogger("flask_eval")

STOPPED_BY_USER = "you stopped it"


def run_jobs(
    make: Callable[[Writer], Engine],
    ledger: Ledger,
    jobs: Callable[[Engine, Writer], Iterator[Job]],
    deliver: Callable[[Job, Call], None],
    tick: Callable[[], None],
) -> None:
    """Answer jobs on an event loop in a thread of its own; returns when all are answered or the engine was stopped.

    Args:
        make: makes the engine, on the loop; it is given the thread that writes.
        ledger: where calls are recorded.
        jobs: yields the jobs, on the loop; called once the engine is there.
        deliver: takes each job with its recorded call, on the loop.
        tick: called a few times a second in the caller's thread, and once at the end, when all is committed.
    """
    writer = Writer(ledger)
    holder: dict[str, Any] = {}
    # waited for by an event: `Thread.join` takes an interrupted thread for a dead one
    ended = threading.Event()

    async def work() -> None:
        holder["engine"] = made = make(writer)
        holder["loop"] = asyncio.get_running_loop()
        await made.run(jobs(made, writer), deliver)

    def thread() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
            holder["failure"] = error
        finally:
            ended.set()

    worker = threading.Thread(target=thread, name="calling", daemon=True)
    worker.start()
    try:
        _wait(ended, holder, tick)
        worker.join()
    finally:
        writer.close()
        tick()
    if "failure" in holder:
        raise holder["failure"]


def _wait(ended: threading.Event, holder: dict[str, Any], tick: Callable[[], None]) -> None:
    while not ended.is_set():
        try:
            ended.wait(0.2)
            tick()
        except KeyboardInterrupt:
            if "loop" not in holder or holder["engine"].stopped.is_set():
                raise
            holder["loop"].call_soon_threadsafe(holder["engine"].stop, STOPPED_BY_USER)
            log.warning("stopping: calls in flight finish first (once more stops at once)")
