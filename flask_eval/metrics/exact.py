"""Exact match: whether a text is a reference, whatever its case and the punctuation around it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_AROUND = " \u200b\u200e\u200f\u2060\ufeff\"'`*_\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a\u300c\u300d\u300e\u300f"
_BEFORE = _AROUND + "#\u00a1\u00bf"
_AFTER = _AROUND + ".,;:?!\u2026\u3001\u3002\uff01\uff0c\uff1f"
_IN_BRACKETS = re.compile(r"[(\[{](\w+)[)\]}]")


def bare(text: str) -> str:
    """A text without case, quotes, emphasis and closing punctuation around it, its blanks made single.

    Signs that change a value stay: `-5`, `.5`, `5%`, `5!`, `(1, 2]`; brackets go where one word is within, as in `(B)`.
    """
    folded = " ".join(unicodedata.normalize("NFC", text).casefold().split()).lstrip(_BEFORE)
    trimmed = folded.rstrip(_AFTER)
    tail = folded[len(trimmed) :]
    if trimmed[-1:].isdigit():
        trimmed += "!" * (len(tail) - len(tail.lstrip("!")))
    within = _IN_BRACKETS.fullmatch(trimmed)
    return within[1] if within else trimmed


@lru_cache(maxsize=8192)
def _bare_reference(text: str) -> str:
    return bare(text)


def exact_match(candidate: str, references: Sequence[str]) -> float:
    """1 where the candidate equals a reference, else 0; see `bare` for what does not count.

    Args:
        candidate: the text to be rated.
        references: what is known to be right, one text or several. FLASK writes `yes`, `No` and `TRUE` in mixed case.
    """
    text = bare(candidate)
    if not text:
        return float(candidate.strip() in {reference.strip() for reference in references})
    return float(any(text == _bare_reference(reference) for reference in references))
