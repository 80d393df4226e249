"""Words of the page: names that cannot deceive, and lists and counts in prose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flask_eval.analysis import sparsity
from flask_eval.analysis.text import number, visible

FEW = sparsity.FEW
"""Below so many instances a mean is shown in grey: too few to be firm."""

KIND = {"judge": "Judge", "human": "Person", "metric": "Baseline metric"}
OUTCOME = {
    "scored": "Scored",
    "not_applicable": "Not applicable",
    "refused": "Refused",
    "truncated": "Truncated",
    "unparsed": "Unparsed",
    "out_of_range": "Out of range",
    "failed": "Failed",
    "empty_response": "Empty response",
}


class Name(NamedTuple):
    """A name as it is shown, and in full where it had to be cut."""

    text: str
    full: str = ""


def name(raw: str, limit: int = 40) -> Name:
    """A name with hidden characters made visible, and cut where it is very long."""
    made = visible(raw) or "(no name)"
    if len(made) <= limit:
        return Name(made)
    return Name(made[: limit - 1].rstrip() + "\u2026", made[:300] + ("\u2026" if len(made) > 300 else ""))


def listed(parts: Sequence[str], most: int = 6) -> str:
    """`A, B and C`; of many the first, and how many more."""
    shown = list(parts) if len(parts) <= most else [*parts[: most - 1], f"{len(parts) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 model`, `1,740 instances`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ends(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval: `3.80\u20134.02`, with `to` where a sign would blur the dash."""
    if low is None or high is None:
        return ""
    joint = "\u2013" if low >= 0 else " to "
    return f"{number(low, digits)}{joint}{number(high, digits)}"


def signed(value: float | None) -> str:
    """A difference with its sign."""
    return number(value) if value is None or value <= 0 else f"+{number(value)}"
