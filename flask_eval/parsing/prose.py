"""Prose: which of the scores that a free text names is the verdict."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from flask_eval.parsing.hits import SCORE_WORD, Hit, Rank, ends_line
from flask_eval.parsing.names import Mention
from flask_eval.parsing.pages import Page
from flask_eval.parsing.quotes import Span, inside, is_meant
from flask_eval.parsing.values import Mark, fold, take, words
from flask_eval.schema import Asked, Scale

MAX_RATIONALE_CHARS = 4000
MAX_PROSE_CHARS = 40_000
"""A longer text is read from its end: the verdict is the last."""

_INSIDE_A_SKILL = words(
    "score scores rating verdict rationale reason reasons reasoning feedback explanation analysis justification evaluation "
    "assessment comment comments strengths weaknesses evidence grade level why observations answer"
)
_NOT_A_NAME = _INSIDE_A_SKILL | {"overall", "final", "response", "total", "option", "judgment", "judgement", "result"}
_HEADING = re.compile(
    r"^[^\S\n]*+(?:#{1,6}[^\S\n]+(?P<hash>[^\n]{1,80})|\*\*(?P<bold>[^*\n]{1,60})\*\*:?|"
    r"\d+[.)][^\S\n]+\**(?P<item>[A-Z][\w &/-]{1,40})\**:?|(?P<colon>[A-Z][\w &/-]{2,30}):|"
    r"[^\w\n]*+(?:[Ss]kill|[Cc]riterion|[Aa]spect|[Dd]imension|[Mm]etric|[Cc]ategory)[^\S\n]*\d{0,3}[^\S\n]*[:.][^\S\n]*(?P<named>\w[^\n]{0,60}?))[^\S\n]*$",
    re.MULTILINE,
)
_AT_LINE_START = re.compile(
    r"(?:^|\n)[^\w\n]*(?:\d+[.):]*\s*)?(?:(?:skill|criterion|aspect|dimension|metric|category|name)\s*(?:\d+\s*)?[:.)-]?\s*)?[^\w\n]*$",
    re.IGNORECASE,
)
_HEADS = re.compile(
    r"[*_`\"']|[^\S\n]*(?:\n|\Z|[:(\[\]=|>.-]|[\u2010-\u2015]|(?:score|rating|grade|level|analysis|assessment|evaluation)\b)",
    re.IGNORECASE,
)
MAX_SENTENCE_CHARS = 1_000
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_GOES_ON = re.compile(r"\s*(?:i|it|so|thus|hence|therefore|score|rating|accordingly)\b", re.IGNORECASE)
_VISIBLE = re.compile(r"[\w★⭐]")
_BULLET = re.compile(
    r"[\s>\"'`]*(?:[-•]\s+)?(?:(?:level|option|choice|category|an?(?:\s+(?:solid|strong|clear|weak|firm))?)\s+(?=[\w(]+[^\w\n]*(?:\n|\Z)))?",
    re.IGNORECASE,
)
_CLOSERS = re.compile(r"[^\w+\n]*\Z")
_LEAD_IN = re.compile(r"\s*(?:-+|:|,|\()\s*(?=[^\d\s])|\s*[.)]\s+(?=[A-Z])")
_NUMBERED = re.compile(r"^[^\w\n]*(?:\d+|[A-Za-z])[.):-]\s", re.MULTILINE)
_NUMBER_ONLY = re.compile(r"[^\w\n]*\d+[.)]\s*\Z")
MAX_GLOSSED_CHARS = 200
_GLOSSED = re.compile(
    r"^[^\w\n]*[A-Za-z][\w'-]{0,30}(?:\s+[\w'-]{1,30}){0,2}\s*(?:\(|:\s*)(?=[^()\n]{1,20}\)?\s*\.?\Z)"
)
_UNKNOWN = re.compile(
    r"^[^\w\n]*(?:\d+[.)]\s*)?(?P<name>[A-Z][\w &/-]{1,40}?)[^\S\n]*(?:[:=|]|\s-\s)[^\S\n]*(?=[\d\w])", re.MULTILINE
)
_LEADING = re.compile(
    r"[\s*_:|#>)\]-]*(?:(?:feedback|rationale|reason(?:ing)?|explanation|analysis|justification)[\s*_]*:[\s*_]*)?",
    re.IGNORECASE,
)
_SENTENCE_BEFORE = re.compile(r"[.!?\n:*]\W*$")


@dataclass(frozen=True, slots=True)
class Told:
    """What a text says of one asked property: its value, where it stands, how plainly it is said, and the reasons."""

    mark: Mark | None
    rank: Rank = Rank.HEDGED
    start: int = -1
    rationale: str = ""
    named: bool = False
    """Whether the place names the property beside the value."""

    @property
    def is_plain(self) -> bool:
        """Whether this is a verdict in so many words."""
        return self.mark is not None and self.rank <= Rank.EXPLICIT


def tell(text: str, masked: str, answer: Sequence[Asked], foreign: Sequence[Span] = ()) -> tuple[list[Told], list[str]]:
    """What a free text says of each asked property, and the names of others that it scores.

    `masked` is the text with blanks for its objects: they state nothing here, but may belong to the reasons; `foreign`
    holds the passages that are said to be the response's, in order.
    """
    cut = max(0, len(text) - MAX_PROSE_CHARS)
    told, others = _tell(text[cut:], Page(masked[cut:], answer, [(a - cut, b - cut) for a, b in foreign]))
    return [replace(item, start=item.start + cut) if item.mark else item for item in told], others


def _tell(text: str, page: Page) -> tuple[list[Told], list[str]]:
    answer = page.answer
    others = dict(_unknown(page))
    if len(answer) == 1:
        return [_one(page, text)], list(others.values())
    sections = _sections(page, others)
    first = min((spans[0][0] for spans in sections if spans), default=len(text))
    return [_of_several(page, text, k, sections[k], first) for k in range(len(answer))], list(others.values())


def _unknown(page: Page) -> Iterator[tuple[int, str]]:
    """Where a line names something with a value on the scale that nobody asked for, and its name."""
    asked = {mention.start for mention in page.mentions}
    for line in _UNKNOWN.finditer(page.text):
        if line.start("name") in asked or not _NOT_A_NAME.isdisjoint(fold(line["name"]).split("_")):
            continue
        mark = take(page.text, line.end(), page.answer[0].scale)
        if mark and mark.outcome == "scored" and ends_line(page.text, mark.end):
            yield line.start(), line["name"].strip()


def _one(page: Page, text: str) -> Told:
    """The verdict on the only property asked for: a final one, one in its own section, or the plainest of the text."""
    scale = page.answer[0].scale
    everything = [*page.hits(scale), *page.named(0), *_bare(page, (0, len(text)), scale)]
    best = _plainest(everything, scale)
    if best is None or best.rank is not Rank.FINAL:
        spans = _sections(page, ())[0]
        if spans and max(_foreign_headings(page), default=-1) > spans[-1][0]:
            best = _plainest(_within(everything, spans), scale) or best
    if best is None:
        return Told(None, rationale=_trimmed(text))
    return Told(best.mark, best.rank, best.start, _without(text, best, (0, len(text))), best.index == 0)


def _of_several(page: Page, text: str, index: int, spans: list[Span], first: int) -> Told:
    """The verdict on one of several properties: beside its name, or in its section."""
    scale = page.answer[index].scale
    hits = [*page.named(index), *(hit for hit in page.hits(scale) if hit.index == index)]
    headed = _headed(page, spans)
    if not any(hit.rank <= Rank.EXPLICIT for hit in hits):
        hits += _within([hit for hit in page.hits(scale) if hit.index is None and hit.rank is not Rank.FOREIGN], spans)
        hits += [hit for span in spans if headed for hit in _bare(page, span, scale)]
    best = _plainest(hits, scale)
    span = next((span for span in reversed(spans) if best is None or span[0] <= best.start < span[1]), None)
    if span is not None and headed:
        name_end = next(mention.end for mention in page.mentions if mention.start == span[0])
        rationale = _without(text, best, (name_end, span[1]))
    else:
        end = _last_sentence_end(text, min(first, best.start if best else first))
        rationale = _trimmed(text[:end]) or _trimmed(text)
    if best is None:
        return Told(None, rationale=rationale)
    return Told(best.mark, best.rank, best.start, rationale, best.index == index)


def _last_sentence_end(text: str, at: int) -> int:
    """Where the last whole sentence before a place ends."""
    return max((end.end() for end in _SENTENCE_END.finditer(text, max(0, at - MAX_SENTENCE_CHARS), at)), default=0)


def _plainest(hits: list[Hit], scale: Scale) -> Hit | None:
    """The last of the plainest hits; hedged and foreign ones count only where all of them agree."""
    if scale.labels and any(hit.mark.outcome != "out_of_range" for hit in hits):
        hits = [hit for hit in hits if hit.mark.outcome != "out_of_range"]
    if not hits:
        return None
    rank = min(hit.rank for hit in hits)
    best = [hit for hit in hits if hit.rank == rank]
    if rank >= Rank.FOREIGN and len({(hit.mark.outcome, hit.mark.score) for hit in best}) > 1:
        return None
    return max(best, key=lambda hit: (hit.end, -hit.start))


def _within(hits: list[Hit], spans: list[Span]) -> list[Hit]:
    """The hits that begin in one of the spans, which are in order."""
    places = [(hit, bisect_right(spans, hit.start, key=lambda span: span[0]) - 1) for hit in hits]
    return [hit for hit, k in places if k >= 0 and hit.start < spans[k][1]]


def _sections(page: Page, others: Iterable[int]) -> list[list[Span]]:
    """For each asked property the parts of the text that speak of it: below its headings, else in its sentences."""
    heads = [mention for mention in page.mentions if is_heading(page, mention)]
    borders = sorted({*(m.start for m in heads), *_foreign_headings(page), *others, len(page.text)})
    spans: list[list[Span]] = [[] for _ in page.answer]
    for head in heads:
        spans[head.index].append((head.start, borders[bisect_right(borders, head.start)]))
    return [own or list(_sentences(page, index)) for index, own in enumerate(spans)]


def is_heading(page: Page, mention: Mention) -> bool:
    """Whether a mention begins a line, but for bullets, numbers and words such as `Skill:`, and no sentence."""
    before = page.text[max(0, mention.start - 60) : mention.start]
    return bool(_AT_LINE_START.search(before) and _HEADS.match(page.raw, mention.end))


def _headed(page: Page, spans: list[Span]) -> bool:
    """Whether these sections stand below headings; either all of them do or none."""
    start = spans[0][0] if spans else -1
    return any(mention.start == start and is_heading(page, mention) for mention in page.mentions)


def _foreign_headings(page: Page) -> list[int]:
    """Where headings stand that name no asked property and nothing that belongs inside a section."""
    named = [mention.start for mention in page.mentions]
    return [
        heading.start()
        for heading in _HEADING.finditer(page.raw)
        if bisect_left(named, heading.start()) == bisect_left(named, heading.end())
        and _INSIDE_A_SKILL.isdisjoint(fold(heading[heading.lastgroup or 0]).split("_"))
    ]


def _sentences(page: Page, index: int) -> Iterator[Span]:
    """From each mention to the end of its sentence, and the next one where that goes on; less what names another."""
    for k, mention in enumerate(page.mentions):
        following = page.mentions[k + 1] if k + 1 < len(page.mentions) else None
        if mention.index != index:
            continue
        end = _sentence_end(page.text, mention.end)
        if _GOES_ON.match(page.text, end + 1):
            end = _sentence_end(page.text, end + 1)
        yield mention.start, min(end, following.start) if following and following.index != index else end


def _sentence_end(text: str, at: int) -> int:
    """Where the sentence ends that goes on here; one that never ends is cut."""
    end = _SENTENCE_END.search(text, at, at + MAX_SENTENCE_CHARS)
    return end.start() if end else min(len(text), at + MAX_SENTENCE_CHARS)


def _bare(page: Page, span: Span, scale: Scale) -> list[Hit]:
    """A last or first line that is only a value; a value that opens the text, as in `4 - good` or `Yes, because`."""
    lines = _lines(page.text, span)
    if not lines:
        return []
    marks = [_line_value(page, line, scale) for line in (lines[-1], *lines[-2:-1], lines[0])]
    last, before, first = marks[0], marks[1] if len(lines) > 1 else None, marks[-1]
    if last and _NUMBER_ONLY.match(page.text, *lines[-1]) and len(_NUMBERED.findall(page.text)) > 1:
        return []
    place, mark = (lines[-1], last) if last else (lines[0], first or _opening(page, lines, scale))
    doubtful = last and before and before.score != last.score and len(lines) > 2
    if mark is None or doubtful or any(inside(spans, place[0], mark.end) for spans in (page.quotes, page.told)):
        return []
    return [Hit(Rank.BARE, place[0], mark.end, mark)]


def _lines(text: str, span: Span) -> list[Span]:
    """The lines that say something."""
    found, start = [], span[0]
    while start < span[1]:
        end = text.find("\n", start, span[1])
        end = span[1] if end < 0 else end
        if _VISIBLE.search(text, start, end):
            found.append((start, end))
        start = end + 1
    return found


def _line_value(page: Page, line: Span, scale: Scale) -> Mark | None:
    """The value of a line that holds nothing else."""
    bullet = _BULLET.match(page.text, *line)
    mark = take(page.text[: line[1]], bullet.end() if bullet else line[0], scale)
    return mark if mark and _CLOSERS.match(page.text, mark.end, line[1]) else None


def _opening(page: Page, lines: list[Span], scale: Scale) -> Mark | None:
    """The value that opens the text, before a dash, a comma, a bracket or a full stop; never the head of a list."""
    start, end = lines[0]
    bullet = _BULLET.match(page.text, start, end)
    mark = take(page.text, bullet.end() if bullet else start, scale)
    if mark is None:
        return _glossed(page, lines, scale)
    lead = _LEAD_IN.match(page.text, mark.end, end)
    if lead is None or len(_NUMBERED.findall(page.text)) > 1:
        return None
    numbered = lead[0].strip() in {".", ")"} and not isinstance(mark.score, str)
    return mark if not numbered or (len(lines) == 1 and len(page.text.split()) <= 6) else None


def _glossed(page: Page, lines: list[Span], scale: Scale) -> Mark | None:
    """`Good (4)`, `Response: 4`, as all that the text says."""
    if len(lines) != 1 or lines[0][1] - lines[0][0] > MAX_GLOSSED_CHARS:
        return None
    gloss = _GLOSSED.search(page.text, *lines[0])
    mark = take(page.text, gloss.end(), scale) if gloss else None
    if (
        gloss is None
        or mark is None
        or SCORE_WORD.search(gloss[0])
        or not _CLOSERS.match(page.text, mark.end, lines[0][1])
    ):
        return None
    return mark if is_meant(page.text, gloss.end(), mark.end) else None


def _without(text: str, hit: Hit | None, span: Span) -> str:
    """The reasons: the text less the verdict, where the verdict is a sentence or a line of its own."""
    if hit is None:
        return _trimmed(text[slice(*span)])
    before, after = text[span[0] : max(hit.start, span[0])], text[hit.end : span[1]]
    own = not before.strip() or bool(_SENTENCE_BEFORE.search(before[-20:]))
    if hit.rank >= Rank.NAMED and hit.rank is not Rank.BARE and not own:
        return _trimmed(text[slice(*span)])
    return _trimmed(before.rstrip(" \n*#_[-|") + "\n" + after.lstrip(" .,;:)]}*/-_|>\n"))


def _trimmed(text: str) -> str:
    """A rationale without its own heading, not longer than anyone reads."""
    text = _LEADING.sub("", text.rstrip(" \n\t*_|-#"), count=1).strip()
    return text if len(text) <= MAX_RATIONALE_CHARS else text[:MAX_RATIONALE_CHARS].rstrip() + " ..."
