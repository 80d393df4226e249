"""Anthropic's messages."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anthropic

from flask_eval.adapters import identity_of
from flask_eval.adapters.answers import schema_of
from flask_eval.adapters.faults import Faults, count, json_object, strings
from flask_eval.adapters.keys import NO_KEY, api_key, endpoint, secrets_of
from flask_eval.errors import UserError
from flask_eval.schema import Completion, JudgeCard, Request

MAX_TOKENS = 2048
"""Sent where the card sets none; the API demands a number."""

SAMPLING = ("temperature", "top_k", "top_p")
"""What the API refuses since its version 2026-10-21."""

OURS = frozenset({"model", "messages", "stream", "system"})
"""What a request holds anyway; a card's settings cannot change it."""

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}


def open_card(card: JudgeCard, timeout: float) -> AnthropicAdapter:
    """The adapter for a card of Anthropic's API.

    Raises:
        UserError: the key is missing, or a setting does not fit.
    """
    for name in sorted(OURS & card.settings.keys()):
        raise UserError(f"judge '{card.name}': the setting '{name}' is not the card's to choose; leave it out")
    refused = [name for name in SAMPLING if name in card.settings]
    if refused and "anthropic_version" not in card.settings:
        raise UserError(
            f"judge '{card.name}': Anthropic's API has no setting '{refused[0]}' any more; leave it out, or, for an older "
            f"model, use the adapter litellm or add the setting `anthropic_version: '2023-06-01'`"
        )
    return AnthropicAdapter(card, api_key(card), timeout)


class AnthropicAdapter:
    """Sends messages, not streamed, once each."""

    def __init__(self, card: JudgeCard, key: str | None, timeout: float) -> None:
        """Make the client; nothing is sent yet."""
        self._model, self._timeout = card.model, timeout
        self._identity = identity_of(card)
        place = f"{endpoint(card)} (model '{card.model}')"
        self._faults = Faults(place, secrets_of(card, key), keyless=key is None)
        self._client = anthropic.AsyncAnthropic(
            api_key=key or NO_KEY,
            base_url=card.base_url or endpoint(card),  # else the SDK reads ANTHROPIC_BASE_URL
            max_retries=0,
            timeout=timeout,
            # a redirect could carry the prompts elsewhere
            http_client=anthropic.DefaultAioHttpClient(follow_redirects=False),
        )

    def identity(self, request: Request) -> str:  # noqa: ARG002 - the card says it all
        """Adapter, base URL and model."""
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """Send the request once; raises CallError."""
        body, headers = _parts(request)
        began = time.perf_counter()
        try:
            # the client's own timeout starts anew with each byte
            async with asyncio.timeout(self._timeout):
                raw = await self._client.messages.with_raw_response.create(
                    model=self._model,
                    max_tokens=body.pop("max_tokens"),
                    messages=body.pop("messages"),
                    extra_headers=headers,
                    extra_body=body,
                )
        except anthropic.APIStatusError as error:
            said = error.response
            structured = "format" in body.get("output_config", {})
            fault = self._faults.answered(said.status_code, said.headers, said.text, structured=structured)
        except (anthropic.APIConnectionError, TimeoutError) as error:
            fault = self._faults.unanswered(error)
        except ValueError as error:
            fault = self._faults.unsendable(error)
        else:
            return self._read(raw.http_response.content, time.perf_counter() - began)
        raise fault  # out here, so that it does not carry the SDK's error, which holds the request and its key

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _read(self, body: bytes, seconds: float) -> Completion:
        data = json_object(body)
        if data is None or not isinstance(data.get("content"), list):
            raise self._faults.broken("no content" if data is not None else "not JSON")
        reason = str(data.get("stop_reason") or "stop")
        usage = data.get("usage")
        cached = count(usage, "cache_read_input_tokens")
        return Completion(
            text=self._faults.kept(strings(data["content"])),
            finish=_FINISH.get(reason, reason),
            input_tokens=count(usage, "input_tokens") + cached + count(usage, "cache_creation_input_tokens"),
            cached_tokens=cached,
            output_tokens=count(usage, "output_tokens"),
            seconds=seconds,
        )


def _parts(request: Request) -> tuple[dict[str, Any], dict[str, str]]:
    """The body besides the model, and the headers that the settings ask for."""
    settings = dict(request.settings)
    structured = settings.pop("structured", True)
    version = settings.pop("anthropic_version", None)
    output = dict(settings.pop("output_config", {}))
    if effort := settings.pop("effort", None):
        output["effort"] = effort
    if structured and (wanted := schema_of(request, typed=False)):
        output["format"] = {"type": "json_schema", "schema": wanted}
    body: dict[str, Any] = {"max_tokens": MAX_TOKENS, **settings}
    if output:
        body["output_config"] = output
    if system := _system(request):
        body["system"] = system
    body["messages"] = [{"role": role, "content": text} for role, text in request.messages if role != "system"]
    return body, {"anthropic-version": str(version)} if version else {}


def _system(request: Request) -> list[dict[str, Any]]:
    """The system messages as text blocks; what stands up to the last one is cached by the provider."""
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": text} for role, text in request.messages if role == "system" and text
    ]
    if blocks:
        blocks[-1]["cache_control"] = {"type": "ephemeral"}
    return blocks
