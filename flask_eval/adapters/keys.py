"""Where a judge is reached, which key goes there, and how keys stay out of everything that is written."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, urlsplit

from flask_eval.errors import UserError
from flask_eval.schema import JudgeCard

HOMES = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
"""The base URL of each provider's own service."""

VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""The variable that holds the key of each provider's own service; sent nowhere else unless the card names it."""

NO_KEY = "none"
"""What is sent where no key is needed; the SDKs refuse an empty one."""

_LOOKALIKE = re.compile(
    r"\b(?:sk|gsk|xai|hf)[-_][\w*.\u2026-]{4,}|\bAIza[\w*.\u2026-]{4,}|\bbearer\s+[^\s\"',;]+",
    re.IGNORECASE,
)
_SHORTEST_PART = 8
_HIDDEN = "[key]"


def endpoint(card: JudgeCard) -> str | None:
    """The base URL that is really used, whatever the SDKs' own environment variables say; none where litellm chooses.

    A user name and a password in the URL are left out.
    """
    if card.adapter == "litellm":
        return without_login(card.base_url or _litellm_base(card.model) or "") or None
    return without_login(card.base_url or HOMES.get(card.adapter, "")) or None


def _litellm_base(model: str) -> str | None:
    """The base URL that litellm reads from the environment."""
    provider = re.sub(r"\W", "_", model.partition("/")[0]).upper()
    return os.environ.get(f"{provider}_BASE_URL") or os.environ.get(f"{provider}_API_BASE")


def without_login(url: str) -> str:
    """The URL without user name, password and trailing slash."""
    return re.sub(r"^([a-z][a-z0-9+.-]*://)[^/@]*@", r"\1", url.strip(), flags=re.IGNORECASE).rstrip("/")


def check_host(card: JudgeCard) -> None:
    """Raise UserError where the base URL is none, or where the SDK would send a login of the environment to it."""
    if not card.base_url:
        return
    if not re.match(r"https?://[^/\s]+", card.base_url.strip(), re.IGNORECASE):
        raise UserError(f"judge '{card.name}': base_url '{card.base_url}' must begin with http:// or https://")
    variable = "ANTHROPIC_CUSTOM_HEADERS" if card.adapter == "anthropic" else "OPENAI_CUSTOM_HEADERS"
    login = re.search(
        r"^\s*(authorization|x-api-key|api-key)\s*:", os.environ.get(variable, ""), re.IGNORECASE | re.MULTILINE
    )
    if login and not is_home(card):
        raise UserError(
            f"judge '{card.name}': {variable} would send its {login[1]} header to {without_login(card.base_url)}; "
            f"unset it, and name the key's variable in the card's api_key_env"
        )


def is_home(card: JudgeCard) -> bool:
    """Whether the card reaches the provider's own service (or one of its regions), over TLS."""
    home = urlsplit(HOMES.get(card.adapter, "")).hostname
    used = urlsplit(card.base_url or HOMES.get(card.adapter, ""))
    host = used.hostname or ""
    return home is not None and used.scheme == "https" and (host == home or host.endswith(f".{home}"))


def is_local(url: str) -> bool:
    """Whether the URL's host is this machine or a private address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def api_key(card: JudgeCard) -> str | None:
    """The key from the environment, or none where none is needed (or where litellm finds its own).

    Raises:
        UserError: a key is needed, and its variable is not set or holds what no header can carry.
    """
    variable = card.api_key_env or (VARIABLES.get(card.adapter) if is_home(card) else None)
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        if card.base_url and is_local(card.base_url):
            return None
        raise UserError(
            f"judge '{card.name}' needs an API key: the environment variable {variable} is not set; "
            f"`export {variable}=...`, or name another variable in the card's api_key_env"
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise UserError(f"judge '{card.name}': the key in {variable} holds a character that no key has; copy it anew")
    return key


def secrets_of(card: JudgeCard, key: str | None) -> tuple[str, ...]:
    """What no message may show: the key, and a password in the base URL."""
    password = urlsplit(card.base_url or "").password
    return tuple(secret for secret in (key, password) if secret)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets: whole, URL-encoded, in parts of 8 characters and more; and without lookalikes."""
    spans = [match.span() for match in _LOOKALIKE.finditer(text)]
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], *_encoded(secret)}:
            spans.extend(_occurrences(form, text))
    return _without(text, sorted(spans))


def without_keys(text: str, secrets: Iterable[str]) -> str:
    """The text with each whole key hidden, also in base64 and hex; nothing else changes, for a completion is a record."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_PART:
            for form in (secret, *_encoded(secret)):
                text = text.replace(form, _HIDDEN)
    return text


def _encoded(secret: str) -> tuple[str, ...]:
    """A key in base64 (whatever stands before it) and in hex."""
    data = secret.encode()
    # what stands before the key shifts it by 0, 1 or 2 bytes; the first and the last characters depend on the neighbours
    cores = [base64.b64encode(b"\0" * shift + data).decode()[start:-4] for shift, start in enumerate((0, 2, 3))]
    return (*(core for core in cores if len(core) >= _SHORTEST_PART), data.hex(), data.hex().upper())


def _occurrences(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a secret stands, in any part of 8 characters; a shorter one as a word, or the text would be unreadable."""
    if len(secret) < _SHORTEST_PART:
        pattern = rf"(?<!\w){re.escape(secret)}(?!\w)"
        yield from (match.span() for match in re.finditer(pattern, text) if secret)
        return
    parts = {secret[k : k + _SHORTEST_PART] for k in range(len(secret) - _SHORTEST_PART + 1)}
    for k in range(len(text) - _SHORTEST_PART + 1):
        if text[k : k + _SHORTEST_PART] in parts:
            yield k, k + _SHORTEST_PART


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    kept: list[str] = []
    end = 0
    for low, high in spans:
        if low > end or not kept:
            kept += [text[end:low], _HIDDEN]
        end = max(end, high)
    return "".join([*kept, text[end:]])
