"""The only code that meets a network: one module a provider, imported when a judge card names it.

    adapter = open_adapter(card, concurrency=32)
    completion = await adapter.complete(request)      # raises CallError

An adapter sends one request once. Retries, limits and the budget are `flask_eval.calling`'s business.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Protocol, cast

from flask_eval.adapters.answers import answer_schema
from flask_eval.adapters.keys import api_key, check_host, endpoint, redact
from flask_eval.errors import CallError, MissingPackageError, UserError
from flask_eval.schema import Completion, JudgeCard, Request, canonical

__all__ = ["Adapter", "answer_schema", "api_key", "open_adapter", "redact"]

MOST_CONNECTIONS = 1000
"""What the HTTP clients of both SDKs hold; a request beyond it would time out waiting for a connection."""

TIMEOUT = 300.0
"""Seconds that one request may take; a reasoning model needs minutes for a long verdict."""

PACKAGES = {
    "openai": (("openai", "httpx_aiohttp"), "pip install 'openai[aiohttp]>=2.20,<4'"),
    "anthropic": (("anthropic", "aiohttp"), "pip install 'anthropic[aiohttp]>=2,<3'"),
    "litellm": (("litellm",), "pip install 'litellm>=1.84,<=1.106.2'"),
    "replay": ((), ""),
}
"""What each adapter imports, and the command that installs it."""


class Adapter(Protocol):
    """One provider: a request in, a completion out."""

    def identity(self, request: Request) -> str:
        """What besides messages, schema, settings and sample shapes the answer: canonical JSON."""

    async def complete(self, request: Request) -> Completion:
        """Send the request once.

        Raises:
            CallError: no usable answer came; its `kind` says why.
        """

    async def close(self) -> None:
        """Close the connections; on the event loop that made the calls."""


class Unsent:
    """An adapter that sends nothing: it only tells identities, for plans and dry runs."""

    def __init__(self, card: JudgeCard) -> None:
        """Take the identity from the card."""
        self._identity = identity_of(card)

    def identity(self, request: Request) -> str:  # noqa: ARG002 - the card says it all
        """Adapter, base URL and model."""
        return self._identity

    async def complete(self, request: Request) -> Completion:  # noqa: ARG002 - nothing is sent
        """Refuse."""
        raise CallError("this adapter was opened without sending", kind="request")

    async def close(self) -> None:
        """Nothing is open."""


def identity_of(card: JudgeCard) -> str:
    """The identity that every request of a card shares: adapter, base URL in use, provider's model."""
    return canonical([card.adapter, endpoint(card), card.model])


def open_adapter(card: JudgeCard, *, concurrency: int, timeout: float = TIMEOUT, sends: bool = True) -> Adapter:
    """The adapter that a judge card names.

    Args:
        card: the judge card.
        concurrency: requests that will be in flight.
        timeout: seconds that one request may take.
        sends: whether requests will be sent; without, neither a key nor the provider's package is needed.

    Raises:
        UserError: the card cannot be called as it stands: its key is missing, or a setting does not fit.
        MissingPackageError: the provider's package is not installed.
    """
    if card.adapter not in PACKAGES:
        raise UserError(f"judge '{card.name}': a '{card.adapter}' rater makes no calls, so it has no adapter")
    if concurrency > MOST_CONNECTIONS:
        raise UserError(f"concurrency {concurrency}: at most {MOST_CONNECTIONS} requests can be in flight")
    check_host(card)
    if not sends and card.adapter != "replay":
        return Unsent(card)
    packages, install = PACKAGES[card.adapter]
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(package, f"judge '{card.name}' (adapter '{card.adapter}')", install)
    module = importlib.import_module(f"flask_eval.adapters.{card.adapter}")
    return cast("Adapter", module.open_card(card, timeout))
