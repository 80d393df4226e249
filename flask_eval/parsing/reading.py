"""Reading: from a completion to one verdict for each asked property."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask_eval.parsing import prose
from flask_eval.parsing.hits import Rank
from flask_eval.parsing.layout import plain_lines
from flask_eval.parsing.named import Named, is_scored, mark_of, properties, rationale_of, unnamed
from flask_eval.parsing.names import keys
from flask_eval.parsing.objects import Node, scan
from flask_eval.parsing.quotes import Span, inside, is_attributed, is_doubtful_lead, joined, line_above, quoted, shown
from flask_eval.parsing.refusals import is_refusal
from flask_eval.parsing.values import Mark, fold
from flask_eval.schema import Asked, Completion, Reading, Verdict, is_empty

_THOUGHT = re.compile(r"\s*<(think|thinking|thought|thoughts|reasoning|scratchpad)>", re.IGNORECASE)
_THOUGHT_END = re.compile(r"</(?:think|thinking|thought|thoughts|reasoning|scratchpad)>", re.IGNORECASE)
_BARE_THOUGHT_END = re.compile(rf"(?:(?<=\n){_THOUGHT_END.pattern}|{_THOUGHT_END.pattern}(?=\s*\n))", re.IGNORECASE)
"""Where thoughts end that a template opened: at a line's border, not in the middle of a sentence that quotes the tag."""
_END_TOKENS = re.compile(r"(?:\s*(?:</s>|<\|[^|>\n]{1,30}\|>|<eos>|<end_of_turn>))+\s*\Z")
_BLANKS = re.compile(r"[^\S\n]+")
_NOT_A_BREAK = re.compile(r"[^\n]")
MAX_OBJECTS = 1_000
"""How many objects are looked at, from the last backwards."""
_BULLET = re.compile(r"^[\s>*-]*(?:\d+[.)]\s)?|```\w*")
MAX_LINE_CHARS = 300
_QUOTES = frozenset("\"'“”\u2018\u2019`")
_GOES_ON = re.compile(r"(?:[^\n]{0,400}?|\s*[\"'“”][^\"\n]{0,400})\"\s*(?:,\s*\"[^\"\n]{1,80}\"\s*:|\})")
"""`". Bad.", "score": 1}` after an object: a quote in it was not escaped, so that it ended too early."""
"""How much of a line is looked at beside an object."""
_LEAD_IN = re.compile(
    r"(?:^|[\s*_#>-])(?:verdicts?|scores?|ratings?|evaluation|judge?ment|answer|result|json|output|final|conclusion|my\b[^.:\n]{0,40})"
    r"[\s*_]*(?:is|are|as\s+follows)?[\s*_]*[:=-]?[\s*_]*[\"'“\u2018`$]*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Placed:
    """An object with how it stands in the text."""

    node: Node
    names: tuple[Named, ...]
    own: bool
    """Not quoted, and not said to be someone else's."""
    block: bool
    """Begins a line, or follows a colon or words such as `my verdict`."""
    told: bool
    """Said to be the response's, in words."""
    doubtful: bool
    """After a line that speaks of the response rather than of a verdict."""
    forged: bool
    """What follows goes on as if the object had not ended."""


def read(answer: Sequence[Asked], completion: Completion) -> Reading:
    """One verdict for each asked property; never raises.

    A completion that did not stop by itself gives no scores: `content_filter` and `refusal` make every property
    `refused`, any other reason than `stop` makes it `truncated`; reasons that can be read are kept.
    """
    reading = _answered(answer, completion.text) if not is_empty(completion.text) else _nothing(answer)
    if completion.finish != "stop":
        outcome = "refused" if completion.finish in {"content_filter", "refusal"} else "truncated"
    elif all(verdict.outcome == "unparsed" for verdict in reading.verdicts) and is_refusal(
        without_thoughts(completion.text, {})
    ):
        outcome = "refused"
    else:
        return reading
    verdicts = (replace(verdict, outcome=outcome, score=None) for verdict in reading.verdicts)
    return replace(reading, verdicts=tuple(verdicts))


def _nothing(answer: Sequence[Asked], *notes: str) -> Reading:
    return Reading(tuple(Verdict(asked, "unparsed") for asked in answer), notes=notes)


def _answered(answer: Sequence[Asked], text: str) -> Reading:
    """Read objects that name an asked property, else the prose around all objects."""
    known = keys(answer)
    text = plain_lines(without_thoughts(_unwrapped(text), known), answer)
    found = scan(text)
    if found.overrun or not answer:
        return _nothing(answer, "text")
    masked = _masked(text, found.nodes)
    foreign, doubtful = shown("".join(_outlined(masked, found.nodes, 0)))
    placed = _placed(masked, found.nodes[-MAX_OBJECTS:], known, foreign)
    naming = [p for p in placed if any(item.key in known for item in p.names)]
    told, others = prose.tell(text, masked, answer, foreign)
    surely, _ = prose.tell(text, masked, answer, joined([*foreign, *doubtful])) if doubtful else (told, [])
    sure = [item if item.is_plain else None for item in surely]
    told = [item or other for item, other in zip(sure, told, strict=True)]
    own = _standing(answer, [p for p in placed if p.own], surely)
    if own and any(p.block for p in own):
        return _amended(_from_objects(answer, own), own, sure, known)
    if own and not _overruled(own, told):
        return _from_objects(answer, own)
    if len(answer) == 1 and not own and (single := _unnamed(answer[0], placed, known, [item for item in sure if item])):
        return single
    quoted_only = naming and not own and not naming[-1].told
    if quoted_only and all(item.mark is None for item in told) and _stands_alone(text, naming[-1].node):
        return _from_objects(answer, naming[-1:])
    return _from_prose(answer, told, others or _other_names(placed, known))


def _unwrapped(text: str) -> str:
    """The text within a JSON string, where a whole object was encoded twice."""
    bare = text.strip()
    if bare.startswith('"') and bare.endswith('"') and '{\\"' in bare[:200]:
        try:
            inner = json.loads(bare, strict=False)
        except ValueError:
            return text
        return inner if isinstance(inner, str) else text
    return text.replace('\\"', '"') if bare.startswith('{\\"') else text


def without_thoughts(text: str, known: dict[str, int]) -> str:
    """The text after a reasoning model's thoughts, and before its end-of-text tokens.

    A lone end tag discards no object that names an asked property: the tag may be the response's.
    """
    text = text[:-MAX_LINE_CHARS] + _END_TOKENS.sub("", text[-MAX_LINE_CHARS:])
    if _THOUGHT.match(text):
        end = _THOUGHT_END.search(text)
        return text[end.end() :] if end else ""
    end = _BARE_THOUGHT_END.search(text)
    if end and not any(
        node.start < end.start()
        and (end.start() < node.end or any(item.key in known for item in properties(node, known)))
        for node in scan(text).nodes
    ):
        return text[end.end() :] if not is_empty(text[end.end() :]) else text
    return text


def _masked(text: str, nodes: Sequence[Node]) -> str:
    """The text with blanks for its objects; every other character keeps its place."""
    parts, at = [], 0
    for node in nodes:
        parts += [text[at : node.start], _NOT_A_BREAK.sub(" ", text[node.start : node.end])]
        at = node.end
    return "".join([*parts, text[at:]])


def _placed(masked: str, nodes: Sequence[Node], known: dict[str, int], foreign: list[Span]) -> list[_Placed]:
    """How each object stands in the text; `masked` has blanks in their place."""
    if not nodes:
        return []
    first = max(0, nodes[0].start - MAX_LINE_CHARS)
    spans = [(start + first, end + first) for start, end in quoted("".join(_outlined(masked, nodes, first)))]
    outlined = "".join(_outlined(masked, nodes, 0))
    placed = []
    for node in nodes:
        line = _BULLET.sub("", _BLANKS.sub(" ", _line_before(masked, node.start)))
        told = is_attributed(outlined, node.start, node.end) or inside(foreign, node.start, node.end)
        own = not told and not inside(spans, node.start, node.end)
        block = not line.strip(" \t*_`$([") or line.rstrip(" \t*_`$").endswith(":") or bool(_LEAD_IN.search(line))
        doubtful = block and is_doubtful_lead(line_above(outlined, node.start))
        forged = masked[node.start - 1 : node.start] not in _QUOTES and bool(_GOES_ON.match(masked, node.end))
        placed.append(_Placed(node, tuple(properties(node, known)), own, block, told, doubtful, forged))
    return placed


def _line_before(text: str, at: int) -> str:
    """What stands before a place on its line; of a long line only the end."""
    return text[max(text.rfind("\n", 0, at) + 1, at - MAX_LINE_CHARS) : at]


def _outlined(masked: str, nodes: Sequence[Node], at: int) -> list[str]:
    """The masked text from `at` with one line of brackets for each object, so that quotes around it are seen."""
    parts = []
    for node in nodes:
        parts += [masked[at : node.start], "{" + " " * (node.end - node.start - 2) + "}"]
        at = max(node.end, node.start + 2)
    return [*parts, masked[at:]]


def _stands_alone(text: str, node: Node) -> bool:
    """Whether a quoted object is all that its line says, but for words such as `my verdict`."""
    before, after = (
        _BLANKS.sub(" ", _line_before(text, node.start)),
        text[node.end : node.end + MAX_LINE_CHARS].partition("\n")[0],
    )
    lead = before.strip(" \t\"'“”\u2018\u2019`")
    return (
        not lead.startswith(">")
        and not after.strip(" \t\"'“”\u2018\u2019`.")
        and (not lead or bool(_LEAD_IN.search(before)))
    )


def _overruled(own: Sequence[_Placed], told: Sequence[prose.Told]) -> bool:
    """Whether a plain verdict in prose follows objects that only stand in the middle of a sentence."""
    return any(item.mark and item.rank <= Rank.EXPLICIT and item.start > own[-1].node.start for item in told)


def _standing(answer: Sequence[Asked], own: list[_Placed], told: Sequence[prose.Told]) -> list[_Placed]:
    """The own objects, but for those that a line about the response introduces after another own verdict."""
    known = keys(answer)
    kept: list[_Placed] = []
    bare: Mark | None = None
    for placed in own:
        if not _asked(placed, known):
            if len(answer) == 1 and placed.block and not placed.doubtful and (node := unnamed(placed.node, known)):
                bare = mark_of(node, answer[0].scale)
            continue
        marks = {known[item.key]: mark_of(item.value, answer[known[item.key]].scale) for item in _asked(placed, known)}
        before = {k: item.mark for k, item in enumerate(told) if item.is_plain and item.start < placed.node.start}
        if bare:
            before[0] = bare
        for earlier in kept:
            for item in _asked(earlier, known):
                before[known[item.key]] = mark_of(item.value, answer[known[item.key]].scale)
        differs = any(
            (mark := before.get(k)) and (mark.outcome, mark.score) != (own_mark.outcome, own_mark.score)
            for k, own_mark in marks.items()
        )
        if not (placed.doubtful and differs):
            kept.append(placed)
    return kept


def _asked(placed: _Placed, known: dict[str, int]) -> list[Named]:
    """What an object says of asked properties, the outermost last."""
    return sorted((item for item in placed.names if item.key in known), key=lambda item: -item.depth)


def _amended(
    reading: Reading, own: Sequence[_Placed], told: Sequence[prose.Told | None], known: dict[str, int]
) -> Reading:
    """The reading of the objects, but for what a plain line of prose after them says of a property by its name."""
    ends = {known[item.key]: placed.node.end for placed in own for item in _asked(placed, known)}
    verdicts = list(reading.verdicts)
    for k, item in enumerate(told):
        mark = item.mark if item and item.named else None
        if item is None or mark is None or mark.outcome not in {"scored", "not_applicable"}:
            continue
        if any(placed.forged for placed in own):
            continue
        if item.start >= ends.get(k, 0) and (mark.outcome, mark.score) != (verdicts[k].outcome, verdicts[k].score):
            verdicts[k] = Verdict(verdicts[k].asked, mark.outcome, mark.score, item.rationale)
    return replace(reading, verdicts=tuple(verdicts))


def _unnamed(
    asked: Asked, placed: Sequence[_Placed], known: dict[str, int], told: Sequence[prose.Told]
) -> Reading | None:
    """The last own object with a score and no name, where one property was asked for and no later prose says more."""
    bare = [(p, node) for p in placed if p.own and p.block and (node := unnamed(p.node, known))]
    plain = bool(told) and told[0].is_plain
    if plain:
        bare = [pair for pair in bare if not pair[0].doubtful or pair[0].node.start < told[0].start]
    bare = [pair for pair in bare if not pair[0].doubtful] or bare
    if not bare or (plain and told[0].start > bare[-1][0].node.end):
        return None
    placed_last, node = bare[-1]
    outer = placed_last.node
    if placed_last.forged:
        return Reading((Verdict(asked, "unparsed"),), notes=("json", "repaired"))
    mark = mark_of(node, asked.scale)
    verdict = Verdict(asked, mark.outcome, mark.score, rationale_of(node) or rationale_of(outer))
    return Reading((verdict,), notes=("json", "repaired") if outer.repaired else ("json",))


def _from_objects(answer: Sequence[Asked], own: Sequence[_Placed]) -> Reading:
    """For each property the last object that names it; one that names it twice, with two values, says nothing."""
    known = keys(answer)
    last: dict[int, Named] = {}
    others: dict[str, None] = {}
    broken: set[int] = set()
    for placed in own:
        found = placed.names
        for k, items in _by_property(placed, known).items():
            last[k] = items[-1]
            marks = {(mark.outcome, mark.score) for item in items if (mark := mark_of(item.value, answer[k].scale))}
            twice = len({fold(item.written) for item in items}) < len(items) and len(marks) > 1
            (broken.add if twice or placed.forged else broken.discard)(k)
        others |= dict.fromkeys(item.written for item in found if item.key not in known and is_scored(item.value))
    verdicts = tuple(_verdict(asked, last.get(known.get(fold(asked.name), k))) for k, asked in enumerate(answer))
    verdicts = tuple(
        replace(verdict, outcome="unparsed", score=None) if known.get(fold(asked.name), k) in broken else verdict
        for k, (asked, verdict) in enumerate(zip(answer, verdicts, strict=True))
    )
    notes = ("json", "repaired") if any(placed.node.repaired for placed in own) else ("json",)
    return Reading(verdicts, tuple(others), notes)


def _by_property(placed: _Placed, known: dict[str, int]) -> dict[int, list[Named]]:
    """What an object says of each asked property at its outermost place, in order; a name may stand twice."""
    found: dict[int, list[Named]] = {}
    for item in _asked(placed, known):
        items = found.setdefault(known[item.key], [])
        if items and items[-1].depth > item.depth:
            items.clear()
        items.append(item)
    return found


def _verdict(asked: Asked, named: Named | None) -> Verdict:
    if named is None:
        return Verdict(asked, "unparsed")
    mark = mark_of(named.value, asked.scale)
    return Verdict(asked, mark.outcome, mark.score, named.rationale)


def _from_prose(answer: Sequence[Asked], told: Sequence[prose.Told], others: Sequence[str]) -> Reading:
    """What the prose says, and the names that were scored without being asked for."""
    verdicts = tuple(
        Verdict(asked, item.mark.outcome, item.mark.score, item.rationale)
        if item.mark
        else Verdict(asked, "unparsed", rationale=item.rationale)
        for asked, item in zip(answer, told, strict=True)
    )
    return Reading(verdicts, tuple(dict.fromkeys(others)), ("text",))


def _other_names(placed: Sequence[_Placed], known: dict[str, int]) -> list[str]:
    """The scored names of the last object, none of which was asked for."""
    return [item.written for item in placed[-1].names if item.key not in known] if placed else []
