"""ROUGE-L: how much of two texts is one common sequence of words (Lin, 2004), FLASK's baseline without a judge."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz.distance import LCSseq

# (first, last) code points of scripts that write no blanks between words: ideographs, kana, bopomofo
_UNSPACED = (
    (0x3041, 0x312F),
    (0x3190, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)


class _Spacing(dict[int, str]):
    """What each character becomes before a text is split at blanks; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char.isalnum():
            kept = f" {char} " if any(first <= code <= last for first, last in _UNSPACED) else char
        elif unicodedata.category(char) in {"Mn", "Mc"}:
            # vowel signs and accents belong to their word; variation selectors only tell how a character is drawn
            kept = "" if 0xFE00 <= code <= 0xFE0F else char
        else:
            kept = " "
        self[code] = kept
        return kept


_SPACING = _Spacing()


def tokens(text: str) -> tuple[str, ...]:
    """The words of a text: lower-case runs of letters and digits; each CJK character is a word of its own.

    On ASCII text these are the tokens of the `rouge_score` package without stemming. Thai, Lao and Khmer, which leave no
    blanks either, are not cut into words.
    """
    return tuple(text.lower().translate(_SPACING).split())


@lru_cache(maxsize=8192)
def _reference_tokens(text: str) -> tuple[str, ...]:
    return tokens(text)


def rouge_l(candidate: str, references: Sequence[str]) -> float:
    """The F1 of the longest common subsequence of words, with the reference that fits best.

    Args:
        candidate: the text to be rated.
        references: what is known to be right, one text or several.

    Returns:
        0 to 1; 0 where a side has no word, or there is no reference.
    """
    words = tokens(candidate)
    return max((_f1(words, _reference_tokens(reference)) for reference in references), default=0.0)


def _f1(candidate: tuple[str, ...], reference: tuple[str, ...]) -> float:
    """2PR / (P + R), with P = common / len(candidate) and R = common / len(reference)."""
    if not candidate or not reference:
        return 0.0
    common: int = LCSseq.similarity(candidate, reference)
    return 2 * common / (len(candidate) + len(reference))
