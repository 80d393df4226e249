"""Named values: what the objects of a text say of the asked properties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flask_eval.parsing.objects import Node, Piece
from flask_eval.parsing.values import Mark, fold, whole, words
from flask_eval.schema import Scale

MAX_WRAPPERS = 4
"""How deep verdicts may be wrapped."""

_SCORE_KEYS = (
    "score",
    "rating",
    "grade",
    "value",
    "level",
    "points",
    "mark",
    "marks",
    "stars",
    "label",
    "verdict",
    "answer",
    "result",
)
_SCORE_KEY = re.compile(r"(?:final|overall|numeric|assigned)_(?:score|rating)|(?:score|rating)_(?:\d.*|out_of.*|value)")
_NAME_KEYS = (
    "skill",
    "name",
    "criterion",
    "criteria",
    "aspect",
    "dimension",
    "metric",
    "title",
    "category",
    "property",
    "question",
    "id",
)
_RATIONALE_KEYS = (
    "rationale", "reason", "explanation", "feedback", "justification", "comment", "analysis", "reasoning", "rationales",
    "reasons", "explanations", "justifications", "comments", "evidence", "thoughts",
)  # fmt: skip
_WRAPPERS = words(
    "score scores rating ratings evaluation evaluations result results assessment assessments verdict verdicts judgment judgement "
    "judgments skill skills output answer answers review reviews grade grades criteria metrics aspects dimensions final data items "
    "properties parameters arguments input report overall json content questions checklist"
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:\s*/\s*\d+)?")


@dataclass(frozen=True, slots=True)
class Named:
    """What one object says of one property: its name as folded and as written, its value, and reasons beside it."""

    key: str
    written: str
    value: Piece
    rationale: str = ""
    depth: int = 1


def properties(node: Node, asked: dict[str, int]) -> list[Named]:
    """The scored properties of an object, also through wrappers: those asked for, whatever their value, and others."""
    return list(_walk(node, asked, 1, {}))


def mark_of(value: Piece, scale: Scale) -> Mark:
    """The score that the value of a property states, or the outcome that says why it states none; a word is no score."""
    for _ in range(MAX_WRAPPERS):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, Node):
            if value.damaged:
                return Mark("unparsed", None, 0)
            value = score_of(value)
        else:
            break
    if not isinstance(value, str) or not value:
        return Mark("unparsed", None, 0)
    mark = whole(value, scale)
    spelt = scale.is_numeric and mark.outcome != "not_applicable" and not any(c.isdigit() for c in value)
    return Mark("unparsed", None, 0) if spelt else mark


def score_of(node: Node) -> Piece:
    """What stands under `score` (or a word for it) in an object; nothing where there is none."""
    found = {fold(key): value for key, value in node.pairs}
    key = next((key for key in _SCORE_KEYS if key in found), None)
    key = key or next((key for key in found if _SCORE_KEY.fullmatch(key)), None)
    return found[key] if key is not None else ""


def unnamed(node: Node, asked: dict[str, int]) -> Node | None:
    """The object, or one it only wraps, that has a score but names no skill."""
    for _ in range(MAX_WRAPPERS):
        score = score_of(node)
        if isinstance(score, str) and score:
            return node if _record(node, asked) is None else None
        wrapped = [
            value for key, value in node.pairs if isinstance(value, Node) and _is_wrapper(fold(key), value, node)
        ]
        if len(wrapped) != 1 or _WRAPPERS.isdisjoint(fold(node.pairs[0][0]).split("_")):
            return None
        node = wrapped[0]
    return None


def rationale_of(value: Piece) -> str:
    """The reasons that an object gives; a list of them is joined."""
    if not isinstance(value, Node):
        return ""
    found = {fold(key): piece for key, piece in value.pairs}
    return next((text for key in _RATIONALE_KEYS if key in found and (text := _text(found[key]))), "")


def is_scored(value: Piece) -> bool:
    """Whether a value looks like a score: a number, or an object with one."""
    if isinstance(value, Node):
        return bool(score_of(value))
    return isinstance(value, str) and bool(_NUMBER.fullmatch(value.strip()))


def _text(value: Piece) -> str:
    if isinstance(value, str):
        return value.strip()
    return "\n".join(item for item in value if isinstance(item, str)).strip() if isinstance(value, list) else ""


def _walk(node: Node, asked: dict[str, int], depth: int, reasons: dict[str, str]) -> Iterator[Named]:
    """The properties that an object names by its keys, by a `skill` field, or inside wrappers."""
    shared = rationale_of(node)
    if (record := _record(node, asked)) is not None:
        yield Named(fold(record), record, node, shared, depth)
        return
    reasons = reasons | _reasons(node, asked)
    for written, value in node.pairs:
        key = fold(written)
        base = re.sub(r"_(?:score|rating)$", "", key)
        if key in asked or (base in asked and base != key):
            base = key if key in asked else base
            yield Named(base, written, value, rationale_of(value) or reasons.get(base, "") or shared, depth)
            if isinstance(value, Node) and depth < MAX_WRAPPERS:
                nested = _walk(value, asked, depth + 1, reasons)
                yield from (inner for inner in nested if inner.key in asked and inner.key != base)
        elif _is_wrapper(key, value, node) and depth < MAX_WRAPPERS:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, Node):
                    yield from _walk(item, asked, depth + 1, reasons)
        elif key not in _SCORE_KEYS and is_scored(value):
            yield Named(key, written, value, "", depth)


def _record(node: Node, asked: dict[str, int]) -> str | None:
    """The skill that an object names in a field, as in `{"skill": "factuality", "score": 4}`."""
    found = {fold(key): value for key, value in node.pairs}
    if not asked.keys().isdisjoint(found):
        return None
    names = (found[key] for key in _NAME_KEYS if key in found)
    name = next((name for name in names if isinstance(name, str) and name), None)
    scored = not found.keys().isdisjoint(_SCORE_KEYS)
    return name if name is not None and (scored or fold(name) in asked) else None


def _reasons(node: Node, asked: dict[str, int]) -> dict[str, str]:
    """Reasons that stand apart from the scores: `factuality_rationale`, or `rationales: {factuality: ...}`."""
    found: dict[str, str] = {}
    for written, value in node.pairs:
        key = fold(written)
        base, _, last = key.rpartition("_")
        if last in _RATIONALE_KEYS and base in asked:
            found[base] = _text(value)
        elif key in _RATIONALE_KEYS and isinstance(value, Node):
            found |= {fold(name): _text(reason) for name, reason in value.pairs}
    return found


def _is_wrapper(key: str, value: Piece, node: Node) -> bool:
    if not isinstance(value, (Node, list)) or key in _RATIONALE_KEYS:
        return False
    return bool(_WRAPPERS & set(key.split("_"))) or (
        len(node.pairs) == 1 and isinstance(value, Node) and not score_of(value)
    )
