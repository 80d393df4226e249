"""Hits: the places of a free text that may state a score, each ranked by how plainly it does."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

from flask_eval.parsing.names import Mention, mentions
from flask_eval.parsing.quotes import Span, inside, is_hedged, is_meant, quoted
from flask_eval.parsing.values import NUMBER_WORDS, Mark, plain, take, whole
from flask_eval.schema import Asked, Scale


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


_MARKER = re.compile(r"(?<![\w/])(?:scores?|ratings?|grades?|verdict|marks?|평점|점수|评分|分数|得分|スコア|評価)(?![\w-]*\w)", re.IGNORECASE)
_LABEL_MARKER = re.compile(
    r"(?<![\w/])(?:scores?|ratings?|grades?|verdict|answer|choice|option|label|decision|conclusion|judge?ment|evaluation|"
    r"assessment|result|category|level)(?!\w)",
    re.IGNORECASE,
)
_LINE_MARKER = re.compile(
    r"^[^\S\n]*(?:[-•>][^\S\n]*)?(?P<word>evaluation|assessment|judge?ment|result|overall|level|conclusion|total|points)(?=[^\S\n]*[:=|-])",
    re.IGNORECASE | re.MULTILINE,
)
_REST = re.compile(r"[^\w\n]*(?:\n|\Z)")
_ASIDE = r"(?:[^\S\n]*[(\[][^()\[\]\n]{0,60}[)\]])?"
_SEPARATOR = r"(?:[\"'”]?[^\S\n]*[:=|]+|[:*]?\]|-+>?|\bis\b[^\S\n]*:?|\bwas\b|\bwould\s+be\b)"
_BRIDGE = re.compile(
    rf"{_ASIDE}(?P<about>[^\S\n]+(?:for|on|in|of|regarding|given|assigned|awarded|i\s+(?:would\s+|will\s+)?(?:give|assign))"
    rf"[^\S\n]+[^.:;=|,\n\d()]{{1,60}}?(?={_ASIDE}\s*{_SEPARATOR}))?{_ASIDE}"
    r"(?:[^\S\n]+\d+[^\S\n]*-[^\S\n]*\d+(?=[^\S\n]*[:=|]))?"
    rf"\s*(?P<sep>{_SEPARATOR}|\bof\b|\bat\b)?"
    r"\s*(?:(?:an?|only|just|the|therefore|thus|hence|clearly|solid|strong|perfect|full)[^\S\n]+){0,2}",
    re.IGNORECASE,
)
_GLOSS = re.compile(r"[^\W\d][\w' -]{0,30}(?=\()")
_LEVEL = re.compile(r"\w+\s+\w+(?:\s*:|\s+-).*", re.DOTALL)
"""`Score 5: flawless`, as rubrics say it."""
_LETTER = re.compile(r"\w")
_RESULT = re.compile(r"(?<!\[)\[{1,2}[^\S\n]*result[^\S\n]*\]{1,2}\s*:?\s*\(?", re.IGNORECASE)
_DOUBLE = re.compile(r"\[\[(?=[^\[\]\n]{1,40}\]\])")
_TAG = re.compile(r"<[^\S\n]*(?P<name>[\w -]{1,60})[^\S\n]*>\s*(?=[^<\n]{1,60}</)")
_BOXED = re.compile(r"\\boxed\s*\{")
_VERB = re.compile(
    r"\b(?:score[sd]?|scoring|rate[sd]?|rating|give[sn]?|giving|gave|award(?:s|ed|ing)?|assign(?:s|ed|ing)?|grade[sd]?|grading|"
    r"deserv(?:es?|ed|ing)|earn(?:s|ed|ing)?|merit(?:s|ed|ing)?|warrant(?:s|ed|ing)?|receiv(?:es?|ed|ing)|gets?|getting|got|"
    r"settled?\s+on|lands?\s+(?:on|at)|goes\s+with|go(?:ing)?\s+with|worth|justif(?:y|ies)|evaluated?|assess(?:ed)?|chose|choose|"
    r"select(?:ed)?|pick(?:ed)?|conclude[sd]?|say|vote)\b",
    re.IGNORECASE,
)
_IS_A = re.compile(
    r"\b(?:(?:it|this|that|the\s+(?:response|answer|summary))(?:'s|\s+is)(?:\s+\w+ly)?\s+an?\s+(?:(?:solid|strong|clear|weak|firm|full|low|high)\s+)?|"
    r"(?:believe|think|feel|say|find)\s+(?:that\s+)?an?\s+)(?=\S)",
    re.IGNORECASE,
)
_FILLER_WORDS = (
    "it this that the these an a its their my your our response responses answer summary reply output text model assistant "
    "assistant's response's article dialogue story essay translation completion candidate content solution explanation code "
    "submission student conversation as at of with to be is in on for overall final total solid strong full perfect only just "
    "score rating grade mark verdict level therefore thus hence likely both also here gets deserves receives given"
)
_FILLERS = re.compile(rf"(?:[^\S\n]+(?:{'|'.join(sorted(_FILLER_WORDS.split(), key=len, reverse=True))})(?![\w'])){{0,9}}[^\S\n]*:?[^\S\n]*", re.IGNORECASE)
_DIGIT_OR_WORD = rf"(?:\d+(?:[.,]\d+)?|{'|'.join(NUMBER_WORDS)})"
_RATIO = re.compile(rf"(?<![\w./+-])[+-]?{_DIGIT_OR_WORD}(?=\s*/\s*\d|\s+out\s+of\b)", re.IGNORECASE)
_STARS = re.compile(rf"(?<![\w./-]){_DIGIT_OR_WORD}(?:\s+and\s+a\s+half)?[\s-]stars?\b(?=\s*\Z|[^\S\n]*[^\w\s]|\s*\n|\s+(?:rating|score|response|answer|summary|for|because|since|as|out)\b)|[★⭐][★⭐☆\ufe0f\s]*", re.IGNORECASE)
_NAME_BRIDGE = re.compile(
    r"(?:[^\S\n]+(?:score|rating|grade|level))?(?P<aside>[^\S\n]*\([^()\n]{0,60}\))?"
    r"[^\S\n]*(?P<sep>[\"'”]?[^\S\n]*[:=|]+|\]|-+>?|\bis\b[^\S\n]*:?)[^\S\n]*"
    r"(?:(?:score|rating|grade|verdict)[^\S\n]*(?:[:=-]|\bof\b|\bis\b)?[^\S\n]*)?(?:(?:an?|only)[^\S\n]+)?",
    re.IGNORECASE,
)
_NAME_PHRASE = re.compile(rf"(?:[^\S\n]+(?:{_VERB.pattern}|{'|'.join(_FILLER_WORDS.split())})(?![\w'])){{0,9}}[^\S\n]+", re.IGNORECASE)
_BEFORE_NAME = re.compile(
    rf"(?<![\w./-])[+-]?{_DIGIT_OR_WORD}(?:\s*/\s*\d+|\s+out\s+of\s+\w+)?(?:\s+(?:stars?|points?))?\s+(?:for|on|in|in\s+terms\s+of|regarding)\s+"
    r"(?:(?:the|its|overall|perfect|general|this|skill)\s+)*$",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"(?:^|[\n.;:,|(<])[\s>\-•\d.)(|<\"'\[\]]*(?:(?:overall|the|for|on|skill|criterion|aspect|dimension|metric|its|and)[\s:]+)*$", re.IGNORECASE)

_FINAL_WORDS = frozenset({"final", "ultimate"})
_OVERALL_WORDS = frozenset({"overall", "total", "combined", "aggregate"})
_NO_VERDICT_WORDS = frozenset(
    "max maximum minimum min highest lowest possible top best each every any which what no passing previous prior reference "
    "target expected ideal self other another perfect lower higher".split()
)
_NEUTRAL_WORDS = frozenset(
    "my the a an your its this that numeric numerical assigned given suggested proposed resulting corresponding integer single "
    "skill response answer summary quality judge evaluation assessment and so is with therefore thus hence s or then following "
    "model assistant output to as in of for rating score grade our their his her i'd i new correct appropriate fair".split()
)
_NEUTRAL_ABOUT = re.compile(r"\b(?:response|answer|summary|this|the\s+(?:\w+\s+)?(?:skill|criterion|aspect|model|assistant|output|text)|it)\b", re.IGNORECASE)


class Page:
    """A plain text with what is quoted in it, its mentions of the asked properties and its hits by scale."""

    def __init__(self, text: str, answer: Sequence[Asked]) -> None:
        self.text = plain(text)
        self.answer = answer
        self.quotes: list[Span] = quoted(text)
        if inside(self.quotes, *_visible_span(text)) and not text.lstrip().startswith(">"):
            self.quotes = []
        self.mentions: list[Mention] = mentions(text, answer)
        self._by_scale: dict[Scale, list[Hit]] = {}

    def hits(self, scale: Scale) -> list[Hit]:
        """Every meant and unquoted hit but the bare ones, in order."""
        if scale not in self._by_scale:
            sources = (_tokens, _markers, _verbs, _copulas, _ratios, _stars)
            found = (hit for source in sources for hit in source(self, scale))
            kept = (kept for hit in found if (kept := self._kept(hit)))
            self._by_scale[scale] = sorted(kept, key=lambda hit: (hit.end, hit.start))
        return self._by_scale[scale]

    def named(self, index: int) -> list[Hit]:
        """The hits that name an asked property right beside the value, in order."""
        scale = self.answer[index].scale
        own = (mention for mention in self.mentions if mention.index == index)
        found = (hit for mention in own for hit in _beside(self, mention, scale))
        return [kept for hit in found if (kept := self._kept(hit))]

    def _kept(self, hit: Hit) -> Hit | None:
        if inside(self.quotes, hit.start, hit.end):
            return None
        if not is_meant(self.text, hit.start, hit.end):
            return None
        return replace(hit, rank=Rank.HEDGED) if is_hedged(self.text, hit.start) else hit


def _visible_span(text: str) -> Span:
    return len(text) - len(text.lstrip()), len(text.rstrip(" \t\r\n."))


def ends_line(text: str, at: int) -> bool:
    """Whether nothing but punctuation stands between here and the end of the line."""
    return bool(_REST.match(text, at, at + 80))


def _tokens(page: Page, scale: Scale) -> Iterator[Hit]:
    """`[RESULT] 4`, `[[4]]`, `<score>4</score>`, `\\boxed{4}`."""
    for pattern, rank in ((_RESULT, Rank.EXPLICIT), (_DOUBLE, Rank.EXPLICIT), (_BOXED, Rank.BARE)):
        for sign in pattern.finditer(page.text):
            if mark := take(page.text, sign.end(), scale):
                yield Hit(rank, sign.start(), mark.end, mark)
    for tag in _TAG.finditer(page.text):
        if _MARKER.fullmatch(tag["name"]) and (mark := take(page.text, tag.end(), scale)):
            yield Hit(Rank.EXPLICIT, tag.start(), mark.end, mark)


def _markers(page: Page, scale: Scale) -> Iterator[Hit]:
    """`Score: 4`, `the rating is 4`, `a score of 4`, `score 4`."""
    levels: list[Hit] = []
    for marker in (_LABEL_MARKER if scale.labels else _MARKER).finditer(page.text):
        if (hit := _marked(page, marker, scale)) is None:
            continue
        if hit.rank is Rank.PHRASE and _LEVEL.fullmatch(page.text, hit.start, min(hit.end + 3, len(page.text))):
            levels.append(hit)
        else:
            yield hit
    if len({hit.mark.score for hit in levels}) == 1:
        yield from levels
    for marker in _LINE_MARKER.finditer(page.text):
        if (hit := _marked(page, marker, scale)) and ends_line(page.text, hit.end):
            yield replace(hit, rank=max(hit.rank, Rank.OVERALL))


def _marked(page: Page, marker: re.Match[str], scale: Scale) -> Hit | None:
    bridge = _BRIDGE.match(page.text, marker.end())
    if bridge is None or (mark := _value_after(page.text, marker.end(), bridge.end(), scale)) is None:
        return None
    if "\n" in page.text[marker.end() : mark.end] and not ends_line(page.text, mark.end):
        return None
    plainly = (bridge["sep"] or "of").strip().lower() not in {"of", "at", "would be"}
    rank, index, start = _qualified(page, marker, bridge, plainly=plainly)
    return Hit(rank, start, mark.end, mark, index) if rank is not None else None


def _value_after(text: str, at: int, past: int, scale: Scale) -> Mark | None:
    """The value after a marker: in brackets, after a separator, or in brackets after a word, as in `Good (4)`."""
    mark = _enclosed(text, at, scale) or take(text, past, scale)
    if mark is None and (gloss := _GLOSS.match(text, past)):
        mark = _enclosed(text, gloss.end(), scale)
    return mark


def _qualified(page: Page, marker: re.Match[str], bridge: re.Match[str], *, plainly: bool) -> tuple[Rank | None, int | None, int]:
    """Rank a marker by the word before it and by what it says to be about."""
    word = re.search(r"([\w']+)[^\S\n]+$", page.text[max(0, marker.start() - 40) : marker.start()])
    before = word[1].lower() if word else ""
    start = marker.start() - (len(word[0]) if word and before in _FINAL_WORDS | _OVERALL_WORDS else 0)
    if before in _NO_VERDICT_WORDS:
        return None, None, start
    named = _named_before(page, marker.start()) or _named_within(page, marker.end(), bridge.end())
    if named is not None:
        return (Rank.EXPLICIT if plainly else Rank.NAMED), named.index, min(start, named.start)
    if not plainly:
        return Rank.PHRASE, None, start
    if before in _FINAL_WORDS:
        return Rank.FINAL, None, start
    if before in _OVERALL_WORDS:
        return Rank.OVERALL, None, start
    about = bridge["about"]
    if about and not _NEUTRAL_ABOUT.search(about) and not about.lstrip().lower().startswith(("for ", "given ")):
        return None, None, start
    foreign = (before and before not in _NEUTRAL_WORDS) or (about and not _NEUTRAL_ABOUT.search(about))
    return (Rank.FOREIGN if foreign else Rank.EXPLICIT), None, start


def _named_before(page: Page, at: int) -> Mention | None:
    """The mention that only blanks part from this place."""
    end = len(page.text[max(0, at - 4) : at].rstrip(" ")) + max(0, at - 4)
    return _named_within(page, end - 1, end)


def _named_within(page: Page, start: int, end: int) -> Mention | None:
    """The last mention that ends after `start` and not after `end`."""
    k = bisect_right(page.mentions, end, key=lambda mention: mention.end) - 1
    return page.mentions[k] if k >= 0 and page.mentions[k].end > start else None


def _verbs(page: Page, scale: Scale) -> Iterator[Hit]:
    """`I give it a 4`, `rated 4`, `deserves a 4`."""
    for verb in _VERB.finditer(page.text):
        fillers = _FILLERS.match(page.text, verb.end())
        if not fillers or not fillers[0].strip(" :" if verb[0].lower() in {"score", "rating", "grade"} else ""):
            continue
        mark = take(page.text, fillers.end(), scale)
        if mark and "\n" not in page.text[verb.end() : mark.end]:
            yield Hit(Rank.PHRASE, verb.start(), mark.end, mark)


def _copulas(page: Page, scale: Scale) -> Iterator[Hit]:
    """`it is a 4`, `I believe a 4 is fair`."""
    for said in _IS_A.finditer(page.text):
        if mark := take(page.text, said.end(), scale):
            yield Hit(Rank.PHRASE, said.start(), mark.end, mark)


def _ratios(page: Page, scale: Scale) -> Iterator[Hit]:
    """`4 out of 5`, `4/5`; with another maximum only where it ends the text."""
    for ratio in _RATIO.finditer(page.text):
        mark = take(page.text, ratio.start(), scale)
        if mark is None or mark.maximum is None:
            continue
        if mark.maximum == scale.max or not _LETTER.search(page.text, mark.end):
            yield Hit(Rank.RATIO, ratio.start(), mark.end, mark)


def _stars(page: Page, scale: Scale) -> Iterator[Hit]:
    """`4 stars`, `a 4-star answer`, `★★★★☆`."""
    if scale.labels:
        return
    for stars in _STARS.finditer(page.text):
        full = sum(stars[0].count(sign) for sign in "★⭐")
        text = str(full) if full else re.split(r"[\s-]stars?", stars[0])[0]
        total = full + stars[0].count("☆")
        mark = take(f"{text}/{total}" if total > full else text, 0, scale)
        if mark is not None:
            yield Hit(Rank.STARS, stars.start(), stars.end(), replace(mark, end=stars.end()))


def _beside(page: Page, mention: Mention, scale: Scale) -> Iterator[Hit]:
    """The value right after or before a mention: `Factuality: 4`, `factuality (4)`, `4 for factuality`."""
    text = page.text
    if cells := _cells(text, mention):
        yield from _in_row(text, mention, cells, scale)
        return
    plainly = bool(_LINE_START.search(text[max(0, mention.start - 60) : mention.start]))
    rank, mark = (Rank.EXPLICIT if plainly else Rank.NAMED), _enclosed(text, mention.end, scale)
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
    end = len(text) if end < 0 else end
    bars = [k for k in range(start, min(end, start + 4000)) if text[k] == "|"]
    if len(bars) < 2 or text[start : mention.start].strip(" |"):
        return []
    borders = [mention.end, *(bar for bar in bars if bar >= mention.end), end]
    return [(left + 1, right) for left, right in pairwise(borders[1:])]


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
    head = next((line for line in reversed(lines) if "|" in line and _MARKER.search(line)), "")
    titles = head.strip().strip("|").split("|")[1:]
    return next((k for k, title in enumerate(titles) if _MARKER.fullmatch(title.strip())), None)


def _enclosed(text: str, at: int, scale: Scale) -> Mark | None:
    """A value that fills a bracket or a tag: `(4)`, `[4/5]`, `>4</`."""
    bracket = re.match(r"[^\S\n]*(?:[(\[]|>\s*)", text[at : at + 10])
    mark = take(text, at + bracket.end(), scale) if bracket else None
    closed = mark is not None and re.match(r"\s*(?:[)\]]|</)", text[mark.end : mark.end + 10])
    return mark if mark and closed and mark.outcome != "unparsed" else None
