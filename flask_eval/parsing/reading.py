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
from flask_eval.parsing.quotes import inside, is_attributed, quoted
from flask_eval.parsing.refusals import is_refusal
from flask_eval.parsing.values import fold
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


def read(answer: Sequence[Asked], completion: Completion) -> Reading:
    """One verdict for each asked property; never raises.

    A completion that did not stop by itself gives no scores: `content_filter` and `refusal` make every property
    `refused`, any other reason than `stop` makes it `truncated`; reasons that can be read are kept.
    """
    reading = _answered(answer, completion.text) if not is_empty(completion.text) else _nothing(answer)
    if completion.finish != "stop":
        outcome = "refused" if completion.finish in {"content_filter", "refusal"} else "truncated"
    elif all(verdict.outcome == "unparsed" for verdict in reading.verdicts) and is_refusal(
        _without_thoughts(completion.text)
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
    text = plain_lines(_without_thoughts(_unwrapped(text)), answer)
    found = scan(text)
    if found.overrun or not answer:
        return _nothing(answer, "text")
    known = keys(answer)
    masked = _masked(text, found.nodes)
    placed = _placed(masked, found.nodes[-MAX_OBJECTS:], known)
    naming = [p for p in placed if any(item.key in known for item in p.names)]
    own = [p for p in naming if p.own]
    told, others = prose.tell(text, masked, answer) if not any(p.block for p in own) else ([], [])
    if own and not _overruled(own, told):
        return _from_objects(answer, own)
    if len(answer) == 1 and not own and (single := _unnamed(answer[0], placed, known, told)):
        return single
    if naming and not own and all(item.mark is None for item in told) and _stands_alone(text, naming[-1].node):
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


def _without_thoughts(text: str) -> str:
    """The text after a reasoning model's thoughts, and before its end-of-text tokens."""
    text = text[:-MAX_LINE_CHARS] + _END_TOKENS.sub("", text[-MAX_LINE_CHARS:])
    if _THOUGHT.match(text):
        end = _THOUGHT_END.search(text)
        return text[end.end() :] if end else ""
    end = _BARE_THOUGHT_END.search(text)
    if end and not any(node.start < end.start() < node.end for node in scan(text).nodes):
        return text[end.end() :] if not is_empty(text[end.end() :]) else text
    return text


def _masked(text: str, nodes: Sequence[Node]) -> str:
    """The text with blanks for its objects; every other character keeps its place."""
    parts, at = [], 0
    for node in nodes:
        parts += [text[at : node.start], _NOT_A_BREAK.sub(" ", text[node.start : node.end])]
        at = node.end
    return "".join([*parts, text[at:]])


def _placed(masked: str, nodes: Sequence[Node], known: dict[str, int]) -> list[_Placed]:
    """How each object stands in the text; `masked` has blanks in their place."""
    if not nodes:
        return []
    first = max(0, nodes[0].start - MAX_LINE_CHARS)
    spans = [(start + first, end + first) for start, end in quoted("".join(_outlined(masked, nodes, first)))]
    placed = []
    for node in nodes:
        line = _BULLET.sub("", _BLANKS.sub(" ", _line_before(masked, node.start)))
        own = not inside(spans, node.start, node.end) and not is_attributed(masked, node.start, node.end)
        block = not line.strip(" \t*_`$([") or line.rstrip(" \t*_`$").endswith(":") or bool(_LEAD_IN.search(line))
        placed.append(_Placed(node, tuple(properties(node, known)), own, block))
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


def _unnamed(
    asked: Asked, placed: Sequence[_Placed], known: dict[str, int], told: Sequence[prose.Told]
) -> Reading | None:
    """The last own object with a score and no name, where one property was asked for and no later prose says more."""
    bare = [(p.node, node) for p in placed if p.own and p.block and (node := unnamed(p.node, known))]
    if not bare or (told and told[0].mark and told[0].rank <= Rank.EXPLICIT and told[0].start > bare[-1][0].end):
        return None
    outer, node = bare[-1]
    mark = mark_of(node, asked.scale)
    verdict = Verdict(asked, mark.outcome, mark.score, rationale_of(node) or rationale_of(outer))
    return Reading((verdict,), notes=("json", "repaired") if outer.repaired else ("json",))


def _from_objects(answer: Sequence[Asked], own: Sequence[_Placed]) -> Reading:
    """For each property the last object that names it."""
    known = keys(answer)
    last: dict[int, Named] = {}
    others: dict[str, None] = {}
    for placed in own:
        found = placed.names
        last |= {known[item.key]: item for item in sorted(found, key=lambda item: -item.depth) if item.key in known}
        others |= dict.fromkeys(item.written for item in found if item.key not in known and is_scored(item.value))
    verdicts = tuple(_verdict(asked, last.get(known.get(fold(asked.name), k))) for k, asked in enumerate(answer))
    notes = ("json", "repaired") if any(placed.node.repaired for placed in own) else ("json",)
    return Reading(verdicts, tuple(others), notes)


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
