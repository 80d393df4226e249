"""What went wrong, as a CallError: one mapping for every provider.

Messages are short, in one line, without keys and without the request.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from flask_eval.adapters.keys import redact, without_keys
from flask_eval.errors import CallError

LONGEST_WAIT = 120.0
"""Seconds: a server that asks for a longer wait is asked again after this one."""

LONGEST_MESSAGE = 300
"""Characters of the server's own words in an error."""

_KINDS = {
    401: "denied",
    403: "denied",
    404: "not_found",
    402: "quota",
    408: "timeout",
    409: "server",
    429: "rate_limit",
}
_EMPTY_ACCOUNT = re.compile(r"insufficient.?(?:quota|balance|credit|fund)|billing|credit.?balance", re.IGNORECASE)
_EMPTY_ACCOUNT_IN_WORDS = re.compile(
    r"insufficient_quota|billing_hard_limit|credit balance is too low|insufficient (?:balance|credits)", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context (?:length|window|size)|prompt is too long",
    re.IGNORECASE,
)
_SCHEMA_REFUSED = re.compile(
    r"response_format|json_schema|output_config|output_format|structured.?output|grammar", re.IGNORECASE
)
_INVISIBLE = re.compile("[\\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MISLEADING = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|\u00b5s|ns|s|m|h|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Faults:
    """Makes CallErrors for one judge.

    Attributes:
        place: how messages name the server.
        secrets: what no message may show.
        keyless: whether requests carry no key; a refusal then says how to name one.
    """

    place: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    keyless: bool = False

    def answered(self, status: int, headers: Mapping[str, str], body: str, *, structured: bool = True) -> CallError:
        """The error for an answer that is none.

        Args:
            status: the HTTP status.
            headers: the answer's headers.
            body: the answer's body as text.
            structured: whether the request held a JSON schema.
        """
        codes, words = described(body)
        kind = _kind(status, codes, words)
        # a refusal of the key is where servers quote it, in whatever encoding: its words are not repeated
        said = "the key was refused" if status == 401 else self.shown(words)
        message = f"HTTP {status} from {self.place}" + (f": {said}" if said else "")
        hint = self._hint(kind, words, structured=structured)
        return CallError(message + hint, kind=kind, status=status, retry_after=retry_after(headers))

    def unanswered(self, error: BaseException) -> CallError:
        """The error where no answer came: the connection failed, or the time was up."""
        causes = list(_causes(error))
        if any(isinstance(cause, TimeoutError) for cause in causes):
            return CallError(f"no answer from {self.place} in time", kind="timeout")
        said = self.shown(str(causes[-1])) or type(causes[-1]).__name__
        return CallError(f"no answer from {self.place}: {said}", kind="connection")

    def broken(self, problem: str) -> CallError:
        """The error for an answer with status 200 that holds no completion."""
        return CallError(
            f"{self.place} answered without a completion: {self.shown(problem)}", kind="server", status=200
        )

    def unsendable(self, error: Exception) -> CallError:
        """The error for a request that cannot be written down as JSON."""
        return CallError(f"the request cannot be encoded: {self.shown(str(error))}", kind="request")

    def shown(self, text: str) -> str:
        """Somebody else's words, fit for a message: one line, bounded, without secrets."""
        line = redact(one_line(text), self.secrets)
        return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 3] + "..."

    def kept(self, text: str) -> str:
        """A completion's text, less the key where a server put it there."""
        return without_keys(whole_text(text), self.secrets)

    def _hint(self, kind: str, words: str, *, structured: bool) -> str:
        if kind == "denied" and self.keyless:
            return "; no key was sent: name the variable that holds it in the card's api_key_env"
        if kind == "not_found":
            return "; check the model's name and the base URL"
        if kind == "request" and structured and _SCHEMA_REFUSED.search(words):
            return "; if the server does not take JSON schemas, set `structured: false` in the card's settings"
        return ""


def one_line(text: str) -> str:
    """The text in one line, without control, zero-width and direction characters, and without half surrogate pairs."""
    return _SURROGATES.sub("\ufffd", _INVISIBLE.sub(" ", _MISLEADING.sub("", text))).strip()


def whole_text(text: str) -> str:
    """A completion's text; half of a surrogate pair, which no file takes, becomes U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def described(body: str) -> tuple[str, str]:
    """The machine-readable codes and the words of an error body; of JSON, the known fields only."""
    try:
        data = json.loads(body)
    except ValueError:
        return "", re.sub(r"<[^>]*>", " ", body)
    if isinstance(data, list) and data:
        data = data[0]  # Google wraps its errors in a list
    if not isinstance(data, dict):
        return "", str(data)
    inner = data.get("error")
    holder = inner if isinstance(inner, dict) else data
    codes = " ".join(str(holder[name]) for name in ("code", "type", "status") if holder.get(name))
    words = (
        inner if isinstance(inner, str) else holder.get("message") or data.get("message") or data.get("detail") or ""
    )
    return codes, _worded(words)


def _worded(words: Any) -> str:
    """An error's words; of FastAPI's list of complaints the messages, not the input that it quotes."""
    if isinstance(words, list):
        return "; ".join(str(part.get("msg", "")) if isinstance(part, dict) else str(part) for part in words)
    return words if isinstance(words, str) else ""


def _kind(status: int, codes: str, words: str) -> str:
    if status in {400, 402, 403, 429} and (_EMPTY_ACCOUNT.search(codes) or _EMPTY_ACCOUNT_IN_WORDS.search(words)):
        return "quota"
    if status in _KINDS:
        return _KINDS[status]
    if _TOO_LONG.search(codes) or _TOO_LONG.search(words):
        return "request"
    if 300 <= status < 400:
        return "not_found"
    return "request" if 400 <= status < 500 else "server"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that the server asks to wait (0 to 120), or none.

    Read from `retry-after-ms`, `retry-after` (seconds or an HTTP date), else from the time at which an exhausted limit
    is full again: `x-ratelimit-reset-*` (a duration), `anthropic-ratelimit-*-reset` (a time).
    """
    given = {name.lower().removeprefix("llm_provider-"): str(value).strip() for name, value in headers.items()}
    now = now or datetime.now(UTC)
    milliseconds = _number(given.get("retry-after-ms", ""))
    hint = None if milliseconds is None else milliseconds / 1000
    if hint is None:
        hint = _number(given.get("retry-after", ""))
    if hint is None:
        hint = _until(given.get("retry-after", ""), now)
    if hint is None:
        hint = max(_resets(given, now), default=None)
    return None if hint is None else min(max(hint, 0.0), LONGEST_WAIT)


def _resets(given: Mapping[str, str], now: datetime) -> Iterator[float]:
    """Seconds until each exhausted limit is full again; Anthropic may leave out what remains."""
    for name, value in given.items():
        if found := re.fullmatch(r"x-ratelimit-reset-(.+)", name):
            left, wait = given.get(f"x-ratelimit-remaining-{found[1]}", ""), _duration(value)
        elif found := re.fullmatch(r"anthropic-ratelimit-(.+)-reset", name):
            left, wait = given.get(f"anthropic-ratelimit-{found[1]}-remaining", "0"), _until(value, now)
        else:
            continue
        if wait is not None and _number(left) == 0:
            yield wait


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _duration(text: str) -> float | None:
    """Seconds in `1m30s`, `300ms` or `2.5`."""
    if _DURATION.sub("", text) == "" != text:
        return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))
    return _number(text)


def _until(text: str, now: datetime) -> float | None:
    """Seconds from now to an RFC 3339 time or an HTTP date."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            time = read(text)
        except ValueError:
            continue
        return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - now).total_seconds()
    return None


def json_object(body: bytes | str) -> dict[str, Any] | None:
    """The JSON object in a body, or none."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def count(holder: Any, *names: str) -> int:
    """A number of tokens below nested keys; 0 where the server tells none."""
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return int(holder) if isinstance(holder, (int, float)) and not isinstance(holder, bool) and holder > 0 else 0


def strings(parts: Iterable[Any]) -> str:
    """The text of content blocks."""
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
