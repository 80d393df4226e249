"""The exceptions of flask_eval, drawn as a tree.

    FlaskEvalError
    |- UserError            the input or the options are wrong; nothing was called (exit 2)
    |  |- NotFoundError     a name or a path that leads nowhere
    |  |- RecordError       a line of a file that does not fit
    |  `- MissingPackageError   an optional package is not installed
    |- CallError            one request failed; the retry policy decides what follows
    `- StoppedError         a run ended with work left; what was done is kept (exit 3)

Every message names the value, the place and the next step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff]")
_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|gsk|xai|hf)[-_][\w-]{8,}|\bAIza[\w-]{8,}|\bbearer\s+\S+", re.IGNORECASE)


class FlaskEvalError(Exception):
    """The root: every error that flask_eval raises on purpose."""


class UserError(FlaskEvalError):
    """The user's input or options are wrong; nothing was called."""


class NotFoundError(UserError):
    """A name or a path leads nowhere."""


class RecordError(UserError):
    """A line of a file does not fit its record."""

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        """Say where (`file:line`), what and what to do."""
        self.place, self.problem, self.remedy = place, problem, remedy
        super().__init__(f"{place}: {problem}" + (f"; {remedy}" if remedy else ""))


class MissingPackageError(UserError):
    """An optional package is not installed."""

    def __init__(self, package: str, purpose: str, install: str) -> None:
        """Name the package, what it is for and the command that installs it."""
        super().__init__(f"{purpose} needs the package '{package}': install it with `{install}`")


class CallError(FlaskEvalError):
    """One request failed.

    Attributes:
        kind: `connection`, `timeout`, `rate_limit`, `server`, `denied`, `not_found`, `quota` or `request`.
        status: the HTTP status, or none where no answer came.
        retry_after: seconds that the server asked to wait, or none.
    """

    def __init__(self, message: str, *, kind: str, status: int | None = None, retry_after: float | None = None) -> None:
        """Keep what the retry policy needs."""
        super().__init__(message)
        self.kind, self.status, self.retry_after = kind, status, retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.kind in {"connection", "timeout", "rate_limit", "server"}

    @property
    def fatal(self) -> bool:
        """Whether every further request of the run would fail the same way (401, 403, 404, an empty account)."""
        return self.kind in {"denied", "not_found", "quota"}


class StoppedError(FlaskEvalError):
    """A run ended with work left; what was done is kept, and the same command goes on."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say `; did you mean 'x'?` where a known name is close to `name`, else name the known ones."""
    names = sorted(set(known))
    close = get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if close:
        match = next(n for n in names if n.lower() == close[0])
        return f"; did you mean '{match}'?"
    shown = ", ".join(names[:15]) + (", ..." if len(names) > 15 else "")
    return f"; known: {shown}" if names else ""


def masked(text: str) -> str:
    """A text with all that looks like a key hidden."""
    return _LOOKS_LIKE_A_KEY.sub("[key]", text)


def for_terminal(text: str) -> str:
    """A text that a terminal shows and does not obey: keys hidden, control and bidirectional characters as `<U+001B>`."""
    return _UNSEEN.sub(lambda found: f"<U+{ord(found.group()):04X}>", masked(text))
