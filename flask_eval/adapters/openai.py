"""OpenAI's chat completions, and every server that speaks that API (vLLM, llama.cpp, Ollama, gateways)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import openai

from flask_eval.adapters import identity_of
from flask_eval.adapters.answers import schema_of
from flask_eval.adapters.faults import Faults, count, json_object, strings
from flask_eval.adapters.keys import NO_KEY, api_key, endpoint, is_home, secrets_of
from flask_eval.errors import CallError, UserError
from flask_eval.schema import Completion, JudgeCard, Request

OURS = frozenset({"model", "messages", "stream", "n"})
"""What a request holds anyway; a card's settings cannot change it."""

PROMPT = "prompt"
"""The role of a text that is continued, in place of a chat."""


def open_card(card: JudgeCard, timeout: float) -> OpenAIAdapter:
    """The adapter for a card of OpenAI's API.

    Raises:
        UserError: the key is missing, or a setting does not fit.
    """
    for name in sorted(OURS & card.settings.keys()):
        raise UserError(f"judge '{card.name}': the setting '{name}' is not the card's to choose; leave it out")
    return OpenAIAdapter(card, api_key(card), timeout)


class OpenAIAdapter:
    """Sends chat completions, not streamed, once each."""

    def __init__(self, card: JudgeCard, key: str | None, timeout: float) -> None:
        """Make the client; nothing is sent yet."""
        self._model, self._timeout, self._home = card.model, timeout, is_home(card)
        self._identity = identity_of(card)
        place = f"{endpoint(card)} (model '{card.model}')"
        self._faults = Faults(place, secrets_of(card, key), keyless=key is None)
        self._client = openai.AsyncOpenAI(
            api_key=key or NO_KEY,
            base_url=card.base_url or endpoint(card),  # else the SDK reads OPENAI_BASE_URL
            max_retries=0,
            timeout=timeout,
            # the default client burns 7-16 ms of CPU a call; a redirect could carry the prompts elsewhere
            http_client=openai.DefaultAioHttpClient(follow_redirects=False),
        )
        if not self._home:
            # the SDK takes these from the environment; other hosts have no business with them
            self._client.organization = self._client.project = None

    def identity(self, request: Request) -> str:  # noqa: ARG002 - the card says it all
        """Adapter, base URL and model."""
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """Send the request once; raises CallError."""
        body = self._body(request)
        began = time.perf_counter()
        try:
            # the client's own timeout starts anew with each byte
            async with asyncio.timeout(self._timeout):
                raw = await self._sent(body)
        except openai.APIStatusError as error:
            said = error.response
            fault = self._faults.answered(
                said.status_code, said.headers, said.text, structured="response_format" in body
            )
        except (openai.APIConnectionError, TimeoutError) as error:
            fault = self._faults.unanswered(error)
        except ValueError as error:
            fault = self._faults.unsendable(error)
        else:
            return self._read(raw.content, time.perf_counter() - began, continued=_continued(request))
        raise fault  # out here, so that it does not carry the SDK's error, which holds the request and its key

    async def _sent(self, body: dict[str, Any]) -> Any:
        """The raw answer: of a chat, or of a text that is continued (one message of the role `prompt`)."""
        messages = body.pop("messages")
        if messages and messages[0]["role"] == PROMPT:
            return await self._client.completions.with_raw_response.create(
                model=self._model, prompt=messages[0]["content"], extra_body=body
            )
        return await self._client.chat.completions.with_raw_response.create(
            model=self._model, messages=messages, extra_body=body
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _body(self, request: Request) -> dict[str, Any]:
        """What is sent besides the model: settings known to OpenAI or not, the schema, the messages."""
        settings = dict(request.settings)
        structured = settings.pop("structured", True)
        if self._home and "max_tokens" in settings:
            # newer models refuse the old name; other servers know only that one
            settings.setdefault("max_completion_tokens", settings.pop("max_tokens"))
        chosen = settings.pop("response_format", None)
        if chosen is not None:
            settings["response_format"] = {"type": chosen} if isinstance(chosen, str) else chosen
        elif structured and (wanted := schema_of(request)):
            schema = {"name": "verdict", "strict": True, "schema": wanted}
            settings["response_format"] = {"type": "json_schema", "json_schema": schema}
        messages = [{"role": role, "content": content} for role, content in request.messages]
        return {"messages": messages, **settings}

    def _read(self, body: bytes, seconds: float, *, continued: bool) -> Completion:
        data = json_object(body)
        choice = _first(data, continued=continued)
        if data is None or choice is None:
            raise self._no_completion(data, body)
        text, finish = _said(choice)
        usage = data.get("usage")
        return Completion(
            text=self._faults.kept(text),
            finish=finish,
            input_tokens=count(usage, "prompt_tokens"),
            cached_tokens=count(usage, "prompt_tokens_details", "cached_tokens"),
            output_tokens=count(usage, "completion_tokens"),
            seconds=seconds,
        )

    def _no_completion(self, data: dict[str, Any] | None, body: bytes) -> CallError:
        """Gateways put errors into an answer with status 200."""
        error = (data or {}).get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 600:
            return self._faults.answered(code, {}, body.decode("utf-8", "replace"))
        return self._faults.broken("no choices" if data is not None else "not JSON")


def _continued(request: Request) -> bool:
    return bool(request.messages) and request.messages[0][0] == PROMPT


def _first(data: dict[str, Any] | None, *, continued: bool) -> dict[str, Any] | None:
    choices = (data or {}).get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if continued and isinstance(first, dict):
        return {**first, "message": {"content": first["text"]}} if isinstance(first.get("text"), str) else None
    return first if isinstance(first, dict) and isinstance(first.get("message"), dict) else None


def _said(choice: dict[str, Any]) -> tuple[str, str]:
    """Text and finish reason of a choice."""
    message = choice["message"]
    if refusal := message.get("refusal"):
        return str(refusal), "refusal"
    content = message.get("content") or ""
    text = content if isinstance(content, str) else strings(content)
    return text, str(choice.get("finish_reason") or "stop")
