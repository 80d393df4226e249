"""Markers: scores that a word such as `score` or `verdict` announces, and what the word says they are about."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flask_eval.parsing.hits import SCORE_WORD, Hit, Rank, enclosed, ends_line
from flask_eval.parsing.names import Mention
from flask_eval.parsing.values import Mark, take, words
from flask_eval.schema import Scale

_LABEL_WORD = re.compile(
    r"(?<![\w/])(?:scores?|ratings?|grades?|verdict|answer|choice|option|label|decision|conclusion|judge?ment|evaluation|"
    r"assessment|result|category|level)(?!\w)",
    re.IGNORECASE,
)
_LINE_WORD = re.compile(
    r"^[^\S\n]*+(?:[-•>][^\S\n]*+)?(?P<word>evaluation|assessment|judge?ment|result|overall|level|conclusion|total|points)(?=[^\S\n]*+[:=|-])",
    re.IGNORECASE | re.MULTILINE,
)
_ASIDE = r"(?:[^\S\n]*+[(\[][^()\[\]\n]{0,60}[)\]])?"
_SEPARATOR = r"(?:(?:[\"'”][^\S\n]*+)?[:=|]+|[:*]?\]|-+(?:>|(?=\s))|\bis\b[^\S\n]*+:?|\bwas\b|\bwould\s+be\b)"
_BRIDGE = re.compile(
    rf"{_ASIDE}(?P<about>[^\S\n]++(?:for|on|in|of|regarding|given|assigned|awarded|i\s+(?:would\s+|will\s+)?(?:give|assign))"
    rf"(?:[^\S\n]++[^.:;=|,\n\d()]{{1,60}}?)?(?={_ASIDE}\s*+{_SEPARATOR}))?{_ASIDE}"
    r"(?:[^\S\n]++\d+[^\S\n]*+-[^\S\n]*+\d+(?=[^\S\n]*+[:=|]))?"
    rf"\s*+(?P<sep>{_SEPARATOR}|\bof\b|\bat\b)?"
    r"\s*+(?:(?:an?|only|just|the|therefore|thus|hence|clearly|solid|strong|perfect|full)[^\S\n]++){0,2}",
    re.IGNORECASE,
)
_GLOSS = re.compile(r"[^\W\d][\w' -]{0,30}(?=\()")
_LEVEL = re.compile(r"\w+\s+\w+(?:\s*:|\s+-).*", re.DOTALL)
"""`Score 5: flawless`, as rubrics say it."""
_WORD_BEFORE = re.compile(r"([\w']+)[^\S\n]++$")
_WEIGHTS = dict.fromkeys(words("final ultimate revised updated adjusted corrected"), Rank.FINAL) | dict.fromkeys(
    words("overall total combined aggregate"), Rank.OVERALL
)
"""What a word before a marker makes of it."""
_NO_VERDICT_WORDS = words(
    "max maximum minimum min highest lowest possible top each every any which what no passing previous prior reference "
    "target expected ideal self other another perfect lower higher initial preliminary tentative draft original "
    "old first"
)
_NEUTRAL_WORDS = words(
    "my the a an your its this that numeric numerical assigned given suggested proposed resulting corresponding integer single "
    "skill response answer summary quality judge evaluation assessment and so is with therefore thus hence s or then following "
    "model assistant output to as in of for rating score grade our their his her i'd i new correct appropriate fair"
)
_NEUTRAL_ABOUT = re.compile(
    r"\b(?:response|answer|summary|this|i|given|assigned|awarded|the\s+(?:\w+\s+)?(?:skill|criterion|aspect|model|assistant|output|text)|it)\b",
    re.IGNORECASE,
)


class _Marker:
    """A word such as `score` in a text, with the value that it announces."""

    def __init__(self, text: str, named: Sequence[Mention], found: re.Match[str], scale: Scale) -> None:
        bridge = _BRIDGE.match(text, found.end())
        self.text, self.named, self.start, self.end = text, named, found.start(), found.end()
        self.past = bridge.end() if bridge else found.end()
        separator, self.about = (bridge["sep"] or "", bridge["about"] or "") if bridge else ("", "")
        self.plainly = separator.strip().lower() not in {"", "of", "at", "would be"}
        self.mark = self._value(scale)

    def _value(self, scale: Scale) -> Mark | None:
        """The value in brackets, after a separator, or after a word, as in `Good (4)`; on a line of its own or on this."""
        mark = enclosed(self.text, self.end, scale) or take(self.text, self.past, scale)
        if mark is None and (gloss := _GLOSS.match(self.text, self.past)):
            mark = enclosed(self.text, gloss.end(), scale)
        if mark and "\n" in self.text[self.end : mark.end] and not ends_line(self.text, mark.end):
            return None
        return mark

    def hit(self) -> Hit | None:
        """The hit, ranked by the word before the marker and by what it says to be about."""
        word = _WORD_BEFORE.search(self.text[max(0, self.start - 40) : self.start])
        before = word[1].lower() if word else ""
        if self.mark is None or before in _NO_VERDICT_WORDS:
            return None
        if (name := self._name()) is not None:
            named_rank = Rank.EXPLICIT if self.plainly else Rank.NAMED
            return Hit(named_rank, min(self.start, name.start), self.mark.end, self.mark, name.index)
        weight = _WEIGHTS.get(before) if self.plainly else Rank.PHRASE
        rank = weight if weight is not None else _by_subject(before, self.about)
        start = self.start - len(word[0]) if word and before in _WEIGHTS else self.start
        return None if rank is None else Hit(rank, start, self.mark.end, self.mark)

    def _name(self) -> Mention | None:
        """The asked property that stands right before the marker, or between it and the value."""
        before = self.text[max(0, self.start - 4) : self.start]
        end = self.start - len(before) + len(before.rstrip(" "))
        return _last_within(self.named, end - 1, end) or _last_within(self.named, self.end, self.past)


def markers(text: str, named: Sequence[Mention], scale: Scale) -> Iterator[Hit]:
    """`Score: 4`, `the rating is 4`, `a score of 4`, `score 4`, whether it is meant or not."""
    levels: list[Hit] = []
    for found in (_LABEL_WORD if scale.labels else SCORE_WORD).finditer(text):
        hit = _Marker(text, named, found, scale).hit()
        if hit and hit.rank is Rank.PHRASE and _LEVEL.fullmatch(text, hit.start, min(hit.end + 3, len(text))):
            levels.append(hit)
        elif hit:
            yield hit
    if len({hit.mark.score for hit in levels}) == 1:
        yield from levels
    for found in _LINE_WORD.finditer(text):
        hit = _Marker(text, named, found, scale).hit()
        if hit and ends_line(text, hit.end):
            yield replace(hit, rank=max(hit.rank, Rank.OVERALL))


def _by_subject(before: str, about: str) -> Rank | None:
    """Rank a marker by what it speaks of: the response, something else, or no rating at all."""
    neutral = not about or bool(_NEUTRAL_ABOUT.search(about))
    if not neutral and not about.lstrip().lower().startswith("for "):
        return None
    return Rank.EXPLICIT if neutral and (not before or before in _NEUTRAL_WORDS) else Rank.FOREIGN


def _last_within(named: Sequence[Mention], start: int, end: int) -> Mention | None:
    """The last mention that ends after `start` and not after `end`."""
    k = bisect_right(named, end, key=lambda mention: mention.end) - 1
    return named[k] if k >= 0 and named[k].end > start else None
