"""Every other provider, through LiteLLM; slower a call than the two SDKs, and heavy to import."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import re
import time
import warnings
from collections.abc import Mapping
from typing import Any

from flask_eval.adapters import identity_of
from flask_eval.adapters.answers import schema_of
from flask_eval.adapters.faults import Faults, count
from flask_eval.adapters.keys import NO_KEY, api_key, endpoint, secrets_of
from flask_eval.errors import CallError, UserError
from flask_eval.schema import Completion, JudgeCard, Request

OURS = frozenset(
    {"model", "messages", "stream", "n", "api_key", "api_base", "base_url", "num_retries", "max_retries", "timeout"}
)
"""What a request holds anyway; a card's settings cannot change it."""

_QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else importing it asks GitHub for prices
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # else the first Claude call asks GitHub for headers
    "LITELLM_MODE": "PRODUCTION",  # else importing it reads a .env file into the environment
    "LITELLM_TELEMETRY": "False",
}
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_NO_ANSWER = re.compile(
    r"connection error|server disconnected|cannot connect|connect(?:ion)? (?:call )?failed", re.IGNORECASE
)
_NOISE = re.compile(
    r"^(?:(?:litellm\.)?\w+(?:Error|Exception|Timeout)(?: \w+Error)?\s*[:-]\s*)+"
    r"|\.? Handle with `[\w.]+`\.?"
    r"| ssl:<[^>]*>"
)
"""What LiteLLM and aiohttp put around the server's words."""

_open: list[object] = []
"""The open adapters: they share LiteLLM's connections, so the last one closes them."""


def open_card(card: JudgeCard, timeout: float) -> LiteLLMAdapter:
    """The adapter for a card that LiteLLM reaches.

    Raises:
        UserError: the model names no provider, the key is missing, or a setting does not fit.
    """
    for name in sorted(OURS & card.settings.keys()):
        raise UserError(f"judge '{card.name}': the setting '{name}' is not the card's to choose; leave it out")
    if "/" not in card.model:
        raise UserError(
            f"judge '{card.name}': litellm needs the provider before the model: PROVIDER/{card.model}, "
            f"such as openai/{card.model}"
        )
    key = api_key(card)
    package = _load()
    _check(package, card, key)
    return LiteLLMAdapter(package, card, key, timeout)


def _load() -> Any:
    """Import LiteLLM with its telephone off the hook."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside of it are not our user's business
        package: Any = importlib.import_module("litellm")
    package.suppress_debug_info = True
    package.telemetry = False
    package.drop_params = False
    package.disable_hf_tokenizer_download = True  # else counting tokens of a Llama asks the hub
    if "LITELLM_LOG" not in os.environ:
        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=UserWarning, module="pydantic")  # its records do not fit their own types
    return package


def _check(package: Any, card: JudgeCard, key: str | None) -> None:
    """Raise UserError where LiteLLM does not know the provider, or finds no key for it in the environment."""
    try:
        package.get_llm_provider(card.model)
    except package.exceptions.BadRequestError:
        provider = card.model.partition("/")[0]
        raise UserError(
            f"judge '{card.name}': litellm knows no provider '{provider}'; see https://docs.litellm.ai/docs/providers"
        ) from None
    if key or card.base_url:
        return
    missing = package.validate_environment(card.model)["missing_keys"]
    if missing and all(name.endswith("_API_KEY") for name in missing):
        raise UserError(
            f"judge '{card.name}' needs an API key: the environment variable {' or '.join(missing)} is not set; "
            f"`export {missing[0]}=...`, or name another variable in the card's api_key_env"
        )


class LiteLLMAdapter:
    """Sends completions through LiteLLM, not streamed, once each."""

    def __init__(self, package: Any, card: JudgeCard, key: str | None, timeout: float) -> None:
        """Keep what each call needs; nothing is sent yet."""
        self._litellm, self._model, self._timeout = package, card.model, timeout
        self._base_url = card.base_url
        self._key = key or (NO_KEY if card.base_url else None)
        self._identity = identity_of(card)
        place = f"{endpoint(card) or 'litellm'} (model '{card.model}')"
        self._faults = Faults(place, _secrets(card, key), keyless=self._key == NO_KEY)
        _open.append(self)

    def identity(self, request: Request) -> str:  # noqa: ARG002 - the card says it all
        """Adapter, base URL and model."""
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """Send the request once; raises CallError."""
        sent = self._sent(request)
        began = time.perf_counter()
        try:
            # some providers' clients have no timeout of their own
            async with asyncio.timeout(self._timeout + 1):
                answer = await self._litellm.acompletion(**sent)
        except TimeoutError as error:
            fault = self._faults.unanswered(error)
        except Exception as error:  # noqa: BLE001 - each provider's module raises its own, and trips over odd answers
            fault = self._fault(error, structured="response_format" in sent)
        else:
            return _read(answer, time.perf_counter() - began, self._faults)
        raise fault  # out here, so that it does not carry LiteLLM's error, which holds the request

    async def close(self) -> None:
        """Close the connections, unless another adapter uses them."""
        if self in _open:
            _open.remove(self)
        if not _open:
            await self._litellm.close_litellm_async_clients()
            self._litellm.in_memory_llm_clients_cache.flush_cache()  # it would hand out the closed clients again

    def _sent(self, request: Request) -> dict[str, Any]:
        settings = dict(request.settings)
        structured = settings.pop("structured", True)
        chosen = settings.get("response_format")
        if isinstance(chosen, str):
            settings["response_format"] = {"type": chosen}
        elif chosen is None and structured and (wanted := schema_of(request)):
            schema = {"name": "verdict", "strict": True, "schema": wanted}
            settings["response_format"] = {"type": "json_schema", "json_schema": schema}
        return {
            **settings,
            "model": self._model,
            "messages": [{"role": role, "content": content} for role, content in request.messages],
            "api_base": self._base_url,
            "api_key": self._key,
            "num_retries": 0,
            "max_retries": 0,
            "timeout": self._timeout,
        }

    def _fault(self, error: Exception, *, structured: bool) -> CallError:
        """LiteLLM's exceptions carry a status of its own choosing, the words of the server, and its headers."""
        if isinstance(error, self._litellm.Timeout):
            return self._faults.unanswered(TimeoutError())
        headers: Mapping[str, str] | None = getattr(error, "litellm_response_headers", None)
        status, words = getattr(error, "status_code", None), _words(error)
        if isinstance(error, UnicodeError) or "surrogates not allowed" in words:
            return self._faults.unsendable(ValueError(words))
        if headers is None and _NO_ANSWER.search(words):
            return self._faults.unanswered(ConnectionError(words))
        if not isinstance(status, int) or status < 400 or (headers is None and status >= 500):
            return self._faults.broken(f"{type(error).__name__}: {words}")  # the status is LiteLLM's own
        return self._faults.answered(status, headers or {}, words, structured=structured)


def _secrets(card: JudgeCard, key: str | None) -> tuple[str, ...]:
    """The key, and what else in the environment may be one: LiteLLM finds keys there by itself."""
    found = {value.strip() for name, value in os.environ.items() if _SECRET.search(name) and len(value.strip()) >= 8}
    return tuple(sorted(found.union(secrets_of(card, key))))


def _words(error: Exception) -> str:
    """What the server said: its JSON where LiteLLM kept it, else the first line without LiteLLM's prefixes."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        return json.dumps({"error": body})
    text = str(getattr(error, "message", "") or error)
    if (start := text.find("{")) >= 0:
        try:
            return json.dumps(json.JSONDecoder().raw_decode(text, start)[0])
        except ValueError:
            pass
    return _NOISE.sub("", text.partition("\n")[0])


def _read(answer: Any, seconds: float, faults: Faults) -> Completion:
    """The completion in LiteLLM's own record, which has the form of OpenAI's."""
    choices = getattr(answer, "choices", None)
    if not choices:
        raise faults.broken("no choices")
    message = choices[0].message
    usage = getattr(answer, "usage", None)
    refusal = (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
    return Completion(
        text=faults.kept(str(refusal or message.content or "")),
        finish="refusal" if refusal else str(choices[0].finish_reason or "stop"),
        input_tokens=_tokens(usage, "prompt_tokens"),
        cached_tokens=_tokens(getattr(usage, "prompt_tokens_details", None), "cached_tokens"),
        output_tokens=_tokens(usage, "completion_tokens"),
        seconds=seconds,
    )


def _tokens(holder: Any, name: str) -> int:
    return count({name: getattr(holder, name, None)}, name)
