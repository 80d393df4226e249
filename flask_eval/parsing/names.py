"""Names: where a text speaks of the skills that were asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from flask_eval.parsing.values import fold, plain
from flask_eval.schema import Asked


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where a text names an asked property."""

    start: int
    end: int
    index: int
    """Which of the asked properties."""


def keys(answer: Sequence[Asked]) -> dict[str, int]:
    """Folded names and titles, and which asked property they mean; a name goes before another's title."""
    known: dict[str, int] = {}
    for forms in ((asked.name for asked in answer), (asked.title for asked in answer)):
        for k, form in enumerate(forms):
            known.setdefault(fold(form), k)
    for form, k in list(known.items()):
        known.setdefault(form.replace("_", ""), k)
        if question := re.fullmatch(r"q_?(\d+)", form):
            known.setdefault(f"question_{question[1]}", k)
    known.pop("", None)
    return known


def mentions(text: str, answer: Sequence[Asked]) -> list[Mention]:
    """Every mention of an asked property, in order; the longest name wins where several fit."""
    known = keys(answer)
    if not known:
        return []
    pattern = _pattern(tuple(sorted(known, key=len, reverse=True)))
    found = (Mention(m.start(), m.end(), known.get(fold(m[0]), -1)) for m in pattern.finditer(plain(text)))
    return [mention for mention in found if mention.index >= 0]


@lru_cache(maxsize=512)
def _pattern(forms: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for folded names: between their words anything but letters and digits may stand, within a line."""
    spelt = (r"[^\w\n]{0,4}_?[^\w\n]{0,4}".join(map(re.escape, form.split("_"))) for form in forms)
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(spelt)})(?![^\W_])", re.IGNORECASE)
