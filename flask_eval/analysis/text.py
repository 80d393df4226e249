"""Names and numbers as people read them: no hidden character, no false precision."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

_HIDDEN = re.compile(
    # control, soft hyphen, marks and overrides of direction, zero width, line separators, byte-order mark, tags, and
    # halves of surrogate pairs; joiners (U+200C, U+200D) stay, since scripts and emoji need them
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with control, bidirectional and zero-width characters as escapes: `<U+202E>` in angle marks."""
    return _HIDDEN.sub(lambda found: f"\u27e8U+{ord(found.group()):04X}\u27e9", text)


def short(text: str, limit: int = 60) -> str:
    """The text with hidden characters made visible; the middle of a very long one gives way to an ellipsis."""
    made = visible(text if len(text) <= 2 * limit else f"{text[:limit]}\u2026{text[-limit:]}")
    if len(made) <= limit:
        return made
    tail = limit // 2
    return f"{made[: limit - tail - 1].rstrip()}\u2026{made[-tail:].lstrip()}"


def shown(value: Any) -> str:
    """A value of a dimension: `none`, `true`, `5`, or its text."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits; a dash where there is none."""
    if value is None:
        return "\u2013"
    made = f"{value:.{digits}f}"
    return made.replace("-", "\u2212") if float(made) else made.lstrip("-")


def percent(share: float | None) -> str:
    """A share in percent; never 100 % where something is missing, never 0 % where something is there."""
    if share is None:
        return "\u2013"
    if 0 < share < 0.001 or 0.999 < share < 1:
        return "<0.1%" if share < 0.5 else ">99.9%"
    made = f"{100 * share:.1f}"
    return f"{made.removesuffix('.0')}%"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table in Markdown; the first `left` columns are text, the others numbers."""
    marks = ["---" if k < left else "---:" for k in range(len(header))]
    lines = [header, marks, *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
