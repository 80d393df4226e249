"""Hits: values that places of a free text state, each ranked by how plainly it does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from flask_eval.parsing.values import NUMBER_WORDS, Mark, take
from flask_eval.schema import Scale

AMOUNT = rf"(?:\d+(?:[.,]\d+)?|{'|'.join(NUMBER_WORDS)})"
"""How a number may be spelt."""
SCORE_WORD = re.compile(
    r"(?<![\w/])(?:scores?|ratings?|grades?|verdict|marks?|평점|점수|评分|分数|得分|スコア|評価)(?![\w-]*\w)",
    re.IGNORECASE,
)
_REST = re.compile(r"[^\w\n]*(?:\n|\Z)")
_BRACKET = re.compile(r"[^\S\n]*(?:[(\[]|>\s*)")
_BRACKET_END = re.compile(r"\s*(?:[)\]]|</)")


class Rank(IntEnum):
    """How plainly a place states a verdict, plainest first."""

    FINAL = 0
    """`Final score: 4`."""
    EXPLICIT = 1
    """`Score: 4`, `[[4]]`, `[RESULT] 4`, `<score>4</score>`, `Factuality: 4`."""
    OVERALL = 2
    """`Overall rating: 4`."""
    NAMED = 3
    """`factuality deserves a 4`, `4 for factuality`."""
    PHRASE = 4
    """`a score of 4`, `I give it a 4`."""
    RATIO = 5
    """`4 out of 5`, `4/5`."""
    STARS = 6
    """`4 stars`, `★★★★☆`."""
    BARE = 7
    """A line that is only a value; a value that opens the text; `\\boxed{4}`."""
    FOREIGN = 8
    """`Style score: 4`, where something else was asked for."""
    HEDGED = 9
    """`it could be given a 4`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A value that a place of the text states."""

    rank: Rank
    start: int
    end: int
    mark: Mark
    index: int | None = None
    """The asked property that the place names, where it names one."""


def ends_line(text: str, at: int) -> bool:
    """Whether nothing but punctuation stands between here and the end of the line."""
    return bool(_REST.match(text, at, at + 80))


def enclosed(text: str, at: int, scale: Scale) -> Mark | None:
    """A value that fills a bracket or a tag: `(4)`, `[4/5]`, `>4</`."""
    bracket = _BRACKET.match(text, at)
    mark = take(text, bracket.end(), scale) if bracket else None
    return mark if mark and _BRACKET_END.match(text, mark.end) and mark.outcome != "unparsed" else None
