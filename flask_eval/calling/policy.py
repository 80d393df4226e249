"""The one retry policy: six attempts, growing and jittered waits, and what the server asks for is honoured."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_base

from flask_eval.errors import CallError
from flask_eval.schema import Completion

ATTEMPTS = 6
"""Attempts in all before a call counts as `failed`."""

LONGEST_WAIT = 120.0
"""Seconds; a server that asks for more is asked again after this long."""


class Wait(wait_base):
    """Seconds before the next attempt: what the server asked for, else exponential; jittered in both cases."""

    def __init__(self, first: float = 0.5) -> None:
        """Start at `first` seconds and double."""
        self.first = first

    def __call__(self, retry_state: RetryCallState) -> float:
        """The wait after the attempt that `retry_state` tells of."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, CallError) else None
        if asked is not None:
            return min(asked, LONGEST_WAIT) + random.uniform(0, 0.25)  # noqa: S311 (jitter is no secret)
        growing: float = min(self.first * 2 ** (retry_state.attempt_number - 1), 30.0)
        return growing * random.uniform(0.5, 1.5)  # noqa: S311


async def persistently(
    ask: Callable[[], Awaitable[Completion]],
    *,
    tell: Callable[[CallError, float], None],
    stopped: asyncio.Event,
    first_wait: float,
) -> Completion:
    """Ask until answered, refused for good, or out of attempts.

    Args:
        ask: sends the request once.
        tell: called with the error and the wait before each further attempt.
        stopped: ends a wait early; no further attempt is made.
        first_wait: seconds before the second attempt, where the server asks for nothing.

    Raises:
        CallError: the last error.
    """

    async def sleep(seconds: float) -> None:
        try:
            await asyncio.wait_for(stopped.wait(), seconds)
        except TimeoutError:
            return

    def again(error: BaseException) -> bool:
        return isinstance(error, CallError) and error.retryable and not stopped.is_set()

    def before_sleep(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CallError):
            tell(error, state.upcoming_sleep)

    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=Wait(first_wait),
        retry=retry_if_exception(again),
        sleep=sleep,
        before_sleep=before_sleep,
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            if stopped.is_set() and attempt.retry_state.attempt_number > 1:
                raise CallError("stopped before it was asked again", kind="request")
            return await ask()
    raise AssertionError  # tenacity returns or raises
