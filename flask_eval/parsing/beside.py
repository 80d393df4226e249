"""Beside: scores that stand right beside the name of what they rate, as in `Factuality: 4` or in a table's row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from flask_eval.parsing.hits import AMOUNT, SCORE_WORD, Hit, Rank, enclosed
from flask_eval.parsing.names import Mention
from flask_eval.parsing.phrases import FILLER_WORDS, VERB
from flask_eval.parsing.quotes import Span
from flask_eval.parsing.values import take, whole
from flask_eval.schema import Scale

_BAR = re.compile(r"\|")
MAX_ROW_CHARS = 4_000
"""How far a table's row is read."""
_NAME_BRIDGE = re.compile(
    r"(?:[^\S\n]++(?:score|rating|grade|level))?(?P<aside>[^\S\n]*+\([^()\n]{0,60}\))?"
    r"[^\S\n]*+(?P<sep>(?:[\"'”][^\S\n]*+)?[:=|]+|\]|-+(?:>|(?=\s))|\bis\b[^\S\n]*+:?)[^\S\n]*+"
    r"(?:(?:score|rating|grade|verdict)[^\S\n]*+(?:[:=-]|\bof\b|\bis\b)?[^\S\n]*+)?(?:(?:an?|only)[^\S\n]++)?",
    re.IGNORECASE,
)
_NAME_PHRASE = re.compile(
    rf"(?:[^\S\n]++(?:{VERB.pattern}|{'|'.join(FILLER_WORDS.split())})(?![\w'])){{0,9}}[^\S\n]++", re.IGNORECASE
)
_BEFORE_NAME = re.compile(
    rf"(?<![\w./-])[+-]?{AMOUNT}(?:\s*/\s*\d+|\s+out\s+of\s+\w+)?(?:\s+(?:stars?|points?))?\s+(?:for|on|in|in\s+terms\s+of|regarding)\s+"
    r"(?:(?:the|its|overall|perfect|general|this|skill)\s+)*$",
    re.IGNORECASE,
)
_LINE_START = re.compile(
    r"(?:^|[\n.;:,|(<])[\s>\-•\d.)(|<\"'\[\]]*(?:(?:overall|the|for|on|skill|criterion|aspect|dimension|metric|its|and)[\s:]+)*$",
    re.IGNORECASE,
)


def beside(text: str, mention: Mention, scale: Scale) -> Iterator[Hit]:
    """The value right after or before a mention: `Factuality: 4`, `factuality (4)`, `4 for factuality`."""
    if cells := _cells(text, mention):
        yield from _in_row(text, mention, cells, scale)
        return
    plainly = bool(_LINE_START.search(text[max(0, mention.start - 60) : mention.start]))
    rank, mark = (Rank.EXPLICIT if plainly else Rank.NAMED), enclosed(text, mention.end, scale)
    if mark is None and (bridge := _NAME_BRIDGE.match(text, mention.end)):
        mark = take(text, bridge.end(), scale)
    if mark is None and (phrase := _NAME_PHRASE.match(text, mention.end)):
        mark, rank = take(text, phrase.end(), scale), Rank.NAMED
    if mark is not None and "\n" not in text[mention.end : mark.end]:
        yield Hit(rank, mention.start, mark.end, mark, mention.index)
    back = max(0, mention.start - 60)
    if before := _BEFORE_NAME.search(text[back : mention.start]):
        mark = take(text, back + before.start(), scale)
        if mark is not None:
            yield Hit(Rank.NAMED, back + before.start(), mention.end, mark, mention.index)


def _cells(text: str, mention: Mention) -> list[Span]:
    """The cells of a table's row whose first cell is the mention, or nothing."""
    start, end = text.rfind("\n", 0, mention.start) + 1, text.find("\n", mention.end)
    end = min(len(text) if end < 0 else end, mention.end + MAX_ROW_CHARS)
    if mention.start - start > MAX_ROW_CHARS or text[start : mention.start].strip(" |"):
        return []
    bars = [bar.start() for bar in _BAR.finditer(text, mention.end, end)]
    if not bars or "|" not in text[start : mention.start] + text[bars[0] + 1 : end]:
        return []
    return [(left + 1, right) for left, right in pairwise([*bars, end])]


def _in_row(text: str, mention: Mention, cells: list[Span], scale: Scale) -> Iterator[Hit]:
    """The one cell of a row that is a value; of several, the one below a heading such as `Score`."""
    marks = [(k, whole(text[left:right], scale), right) for k, (left, right) in enumerate(cells)]
    values = [(k, mark, end) for k, mark, end in marks if mark.outcome != "unparsed"]
    if len(values) > 1:
        column = _score_column(text, mention.start)
        values = [value for value in values if value[0] == column]
    if len(values) == 1:
        _, mark, end = values[0]
        yield Hit(Rank.EXPLICIT, mention.start, end, replace(mark, end=end), mention.index)


def _score_column(text: str, at: int) -> int | None:
    """Which cell after the first is headed `Score`, in the table that holds this place."""
    lines = text[max(0, at - 4000) : at].split("\n")[:-1]
    head = next((line for line in reversed(lines) if "|" in line and SCORE_WORD.search(line)), "")
    titles = head.strip().strip("|").split("|")[1:]
    return next((k for k, title in enumerate(titles) if SCORE_WORD.fullmatch(title.strip())), None)
