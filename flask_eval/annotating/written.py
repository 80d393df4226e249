"""What a model wrote for an instance: a checklist, or a reference; nothing from a reply that holds none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask_eval.annotating.prompts import MOST_QUESTIONS
from flask_eval.errors import RecordError
from flask_eval.parsing.reading import without_thoughts
from flask_eval.parsing.refusals import is_refusal
from flask_eval.records import parse_json
from flask_eval.schema import Call, ChecklistItem, Completion, is_empty, slug

SAME = 90.0
"""Two questions that are this alike (rapidfuzz's ratio of their letters and digits, 0 to 100) are one."""

_FENCED = re.compile(r"\s*```(?:json)?[^\S\n]*\n(.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Checklist:
    """The questions of one instance that a reply came to.

    Attributes:
        items: at most five, with the ids `c1`, `c2` ...
        outcome: `scored` where there is a question, else why there is none.
        why: the error of a failed call.
        duplicates: questions left out because an earlier one asks the same.
        unknown: the skills of questions left out because the instance is not annotated with them, or because nothing is
            asked.
        surplus: questions left out because there were five.
    """

    items: tuple[ChecklistItem, ...]
    outcome: str
    why: str = ""
    duplicates: int = 0
    unknown: tuple[str, ...] = ()
    surplus: int = 0


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference that a reply came to; empty text where the outcome is not `scored`."""

    text: str
    outcome: str
    why: str = ""


def checklist_of(call: Call, skills: Sequence[str]) -> Checklist:
    """Read a checklist strictly: a JSON object as asked for, a code fence around it or not.

    Args:
        call: the recorded call.
        skills: the slugs to which questions may belong.
    """
    if call.completion is None:
        return Checklist((), "failed", call.error)
    if (outcome := _unfinished(call.completion)) is not None:
        return Checklist((), outcome)
    text = without_thoughts(call.completion.text, {})
    rows = _questions(text)
    if rows is None:
        return Checklist((), "refused" if is_refusal(text) else "unparsed")
    found = _sorted_out(rows, skills)
    if found.items:
        return found
    return replace(found, outcome="out_of_range" if rows else "not_applicable")


def _unfinished(completion: Completion) -> str | None:
    """The outcome of a completion that did not stop by itself, or none."""
    if completion.finish == "stop":
        return None
    return "refused" if completion.finish in {"content_filter", "refusal"} else "truncated"


def _questions(text: str) -> list[dict[str, str]] | None:
    """The listed questions, or none where the text is not what was asked for."""
    fenced = _FENCED.fullmatch(text)
    try:
        data: Any = parse_json(fenced[1] if fenced else text, "a checklist")
    except RecordError:
        return None
    rows = data.get("questions") if isinstance(data, dict) else None
    fits = isinstance(rows, list) and all(
        isinstance(row, dict) and isinstance(row.get("skill"), str) and isinstance(row.get("question"), str)
        for row in rows
    )
    return rows if fits else None


def _sorted_out(rows: Sequence[dict[str, str]], skills: Sequence[str]) -> Checklist:
    kept: list[ChecklistItem] = []
    unknown: list[str] = []
    duplicates = surplus = 0
    for row in rows:
        skill, question = slug(row["skill"]), row["question"].strip()
        if skill not in skills or is_empty(question):
            unknown.append(row["skill"])
        elif any(_alike(question, item.question) for item in kept):
            duplicates += 1
        elif len(kept) == MOST_QUESTIONS:
            surplus += 1
        else:
            kept.append(ChecklistItem(id=f"c{len(kept) + 1}", skill=skill, question=question))
    return Checklist(tuple(kept), "scored", "", duplicates, tuple(unknown), surplus)


def _alike(one: str, other: str) -> bool:
    """Whether two questions ask the same: equal but for case and punctuation, or nearly so."""
    from rapidfuzz.fuzz import ratio

    a, b = (_SIGNS.sub(" ", text.casefold()).strip() for text in (one, other))
    # a text of signs alone has no letters to compare
    return a == b if not (a and b) else ratio(a, b) >= SAME


def reference_of(call: Call) -> Reference:
    """The text of a reply as a reference; a reply that is empty, cut off or a refusal is none."""
    if call.completion is None:
        return Reference("", "failed", call.error)
    if (outcome := _unfinished(call.completion)) is not None:
        return Reference("", outcome)
    text = without_thoughts(call.completion.text, {}).strip()
    if is_empty(text):
        return Reference("", "empty_response")
    return Reference("", "refused") if is_refusal(text) else Reference(text, "scored")
