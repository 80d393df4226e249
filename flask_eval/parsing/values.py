"""Values: from a piece of text to a score on a scale, or to the outcome that says why there is none."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from flask_eval.schema import Scale, Value

NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MAX_VALUE_CHARS = 300
"""A longer text is a rationale, whatever field it stands in."""

_DIGITS = r"(?:\d+(?:\.\d+|,\d{1,2})?|\.\d+)(?!(?![점分点])\w|[.,]\d)"
_WORD = rf"(?:{'|'.join(NUMBER_WORDS)})\b(?:\s+and\s+a\s+half\b|\s+point\s+five\b)?"
_AMOUNT = re.compile(
    rf"(?P<number>[+-]?{_DIGITS}|{_WORD})(?P<percent>\s*%)?"
    r"(?:\s*(?:/|\bof\b|\bout\s+of\b(?:\s+an?\b|\s+the\b)?(?:\s+(?:possible|maximum|max|total|full)\b)?(?:\s+of\b)?)\s*"
    rf"(?P<maximum>{_DIGITS}|{_WORD})(?!\s*/))?"
    r"(?P<unit>\s*(?:(?:stars?|points?|pts|marks?)\b|[점分点]))?",
    re.IGNORECASE,
)
_JSON_NUMBER = re.compile(r"[+-]?\d{1,300}(?:\.\d{0,300})?(?:e[+-]?\d{1,5})?", re.IGNORECASE)
_RANGE = re.compile(
    rf"\s*(?P<by>-+>?|=>|[\u2192\u21d2]|~|&|,|\bto\b|\bor\b|\band\b)\s*(?P<other>{_DIGITS}|{_WORD})", re.IGNORECASE
)
_OPENING = re.compile(
    r"(?:[\s\"'“”„\u2018\u2019`(\[{*]|\$(?=\\boxed|[^$\n]{1,12}\$)|\\boxed\s*\{|\\text\s*\{|<[A-Za-z][\w-]{0,30}>){0,12}",
    re.IGNORECASE,
)
_NOT_APPLICABLE = re.compile(
    r"(?:n/a|n\.\s?a\.?|na|null|none|nil|not[\s_-]+applicable|inapplicable|non[\s-]applicable|"
    r"(?:does\s+not|doesn't)\s+apply)(?![\w/])",
    re.IGNORECASE,
)
_GOES_ON = (
    "for because since as due given based in on with and but which while overall though although at here from to by "
    "under according considering the this it its that so thus therefore hence indicating reflecting is was seems feels "
    "appears out yet overall per"
)
_ENDS = re.compile(
    rf"(?!\+|-\w|\s*[&~]\s*\d)(?:\s*\Z|[^\S\n]*\n|[^\S\n]*[^\w\s]|\s+(?:{'|'.join(_GOES_ON.split())})\b|\s+(?-i:[A-Z]))",
    re.IGNORECASE,
)
_LETTER_ENDS = re.compile(r"(?!\s*[+])[^\S\n]*(?:\Z|\n|[.,;:!?)\]}\"'”\u2019|<]|-+\s|\(|\s+(?:because|since|as|for)\b)")
_LEAD = re.compile(
    r"(?:(?:final\s+|overall\s+)?(?:score|rating|grade|level|value)\s*(?:[:=]|is|of)?\s*)?", re.IGNORECASE
)
_GLOSS = re.compile(r"[\s\"'”\u2019)\]}.*]*(?:[-:(,.;][^\d]{0,80})?")

_GAP = r"[\s_-]+"
_INNER_GAP = r"(?<=\w)[\s_-]+(?=\w)"

_PLAIN = (
    {ord(c): " " for c in "*_#\u00a0\u200b\u200c\u200d\u2060\ufeff\u2009\u202f\u3000"}
    | {ord(c): "-" for c in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"}
    | {ord(c): "'" for c in "\u2018\u2019\u02bc"}
    | {0xFF01 + k: chr(0x21 + k) for k in range(94)}
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A value read at a place of a text: its outcome, its score where it is on the scale, and where it ends."""

    outcome: str
    score: Value | None
    end: int
    maximum: float | None = None
    """The M of `N/M` or `N out of M`."""


def words(text: str) -> frozenset[str]:
    """The words of a list that is written as a line."""
    return frozenset(text.split())


def plain(text: str) -> str:
    """The text without markup, odd dashes, blanks and wide characters; every character keeps its place."""
    return text.translate(_PLAIN)


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """A name for comparison: case, blanks, underscores and punctuation do not count (`slug`, for any alphabet)."""
    return re.sub(r"[\W_]+", "_", unicodedata.normalize("NFKC", name).casefold()).strip("_")


def take(text: str, at: int, scale: Scale) -> Mark | None:
    """The value that begins at `at` (quotes and brackets may open it), or none; `text` is plain."""
    opened = _OPENING.match(text, at)
    at = opened.end() if opened else at
    mark = _label(text, at, scale) if scale.labels else None
    if mark is not None:
        return mark
    if (absent := _NOT_APPLICABLE.match(text, at)) and _ENDS.match(text, absent.end()):
        return Mark("not_applicable", None, absent.end())
    return _amount(text, at, scale)


def whole(text: str, scale: Scale) -> Mark:
    """The value that a field holds: a number, `4/5`, `4 - good`, a label, N/A; anything else is unparsed."""
    unparsed = Mark("unparsed", None, len(text))
    if len(text) > MAX_VALUE_CHARS:
        return Mark("out_of_range", None, len(text)) if text.isdecimal() else unparsed
    if scale.labels and (label := scale.find(text)) is not None:
        return Mark("scored", label, len(text))
    text = plain(text).strip()
    if _JSON_NUMBER.fullmatch(text):
        return _graded(float(text), None, scale, len(text))
    lead = _LEAD.match(text)
    mark = take(text, lead.end() if lead else 0, scale)
    return mark if mark is not None and _GLOSS.fullmatch(text, mark.end) else unparsed


def number_of(text: str) -> float:
    """The number that digits or words spell: `3.5`, `3,5`, `three and a half`."""
    head = text.split(maxsplit=1)[0].lower()
    if head in NUMBER_WORDS:
        return NUMBER_WORDS.index(head) + (0.5 if " " in text.strip() else 0.0)
    return float(text.replace(",", "."))


def _amount(text: str, at: int, scale: Scale) -> Mark | None:
    found = _AMOUNT.match(text, at)
    if found is None:
        return None
    number = number_of(found["number"])
    other = _RANGE.match(text, found.end())
    if other and (other["by"] != "-" or number_of(other["other"]) > number) and not _ends_list(text, other):
        return Mark("unparsed", None, other.end())
    if not _ENDS.match(text, found.end()):
        return None
    maximum = number_of(found["maximum"]) if found["maximum"] else None
    return _graded(number, 100.0 if found["percent"] else maximum, scale, found.end())


def _ends_list(text: str, other: re.Match[str]) -> bool:
    """Whether what follows a number counts something: `4, 3 of them wrong`, `4 and two errors` are no ranges."""
    return other["by"] in {",", "and", "-"} and not _ENDS.match(text, other.end())


def _graded(number: float, maximum: float | None, scale: Scale, end: int) -> Mark:
    """Place a number on the scale; `N/M` fits only a scale that ends at M."""
    value = scale.find(f"{number:g}") if scale.labels else scale.find(number)
    if value is None or (maximum is not None and maximum != scale.max):
        return Mark("out_of_range", None, end, maximum)
    return Mark("scored", value, end, maximum)


def _label(text: str, at: int, scale: Scale) -> Mark | None:
    found = _labels(scale.labels).match(text, at)
    if found is None or found.lastindex is None:
        return None
    ends = _LETTER_ENDS if len(found[0]) == 1 and found[0].isalpha() else _ENDS
    if not ends.match(text, found.end()):
        return None
    return Mark("scored", scale.labels[int((found.lastgroup or "_0")[1:])], found.end())


@lru_cache(maxsize=256)
def _labels(labels: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern with a group for each label, longest first; inside a label blanks, underscores, hyphens are one."""
    spelt = sorted(((plain(label).strip(), k) for k, label in enumerate(labels)), key=lambda pair: -len(pair[0]))
    forms = (
        rf"(?P<_{k}>{_GAP.join(re.escape(part) for part in re.split(_INNER_GAP, label))})"
        for label, k in spelt
        if label
    )
    return re.compile(rf"(?:{'|'.join(forms)})(?!\w|[.,]\d)", re.IGNORECASE)
