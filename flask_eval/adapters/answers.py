"""The JSON schema of a judge's answer: one named property a skill, the rationale before the score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask_eval.schema import Asked, Request, Scale, describe

NOT_APPLICABLE = "N/A"
"""The score of a skill that does not apply to the instance."""

MOST_VALUES = 1000
"""The enum values that OpenAI's strict mode takes in one schema."""


def schema_of(request: Request, *, typed: bool = True) -> dict[str, Any] | None:
    """The JSON schema that a request's answer must obey: its own, or that of what it asks; none for free text."""
    if request.schema:
        own: dict[str, Any] = json.loads(request.schema)
        return own
    return answer_schema(request.answer, typed=typed) if request.answer else None


def answer_schema(answer: Sequence[Asked], *, typed: bool = True) -> dict[str, Any]:
    """The JSON schema of the answer, in the subset that the providers' strict modes share.

    Levels are an enum, never a range: Anthropic does not enforce ranges, OpenAI's strict mode does both.

    Args:
        answer: what is asked, in order.
        typed: give an enum its `type` as well. OpenAI's strict mode wants one with every schema; Anthropic counts each
            list of types against a limit of 16, and its SDK drops it.
    """
    listed = sum(len(asked.scale.values) + 1 for asked in answer) <= MOST_VALUES
    properties = {asked.name: _property(asked, typed=typed, listed=listed) for asked in answer}
    return _closed(properties)


def _property(asked: Asked, *, typed: bool, listed: bool) -> dict[str, Any]:
    score = _score(asked.scale, typed=typed, listed=listed)
    inner = {"rationale": {"type": "string"}, "score": score} if asked.rationale else {"score": score}
    closed = _closed(inner)
    return {"type": closed.pop("type"), "description": asked.title, **closed}


def _score(scale: Scale, *, typed: bool, listed: bool) -> dict[str, Any]:
    if scale.is_numeric and not listed:
        # too many levels to list: parsing checks the score in any case
        wanted = f"A number of the scale {describe(scale)}, or {NOT_APPLICABLE}"
        return {"type": [_number_type(scale), "string"], "description": wanted}
    values = [*scale.values, *([] if NOT_APPLICABLE in scale.values else [NOT_APPLICABLE])]
    if not typed:
        return {"enum": values}
    return {"type": [_number_type(scale), "string"] if scale.is_numeric else "string", "enum": values}


def _number_type(scale: Scale) -> str:
    return "integer" if all(isinstance(value, int) for value in scale.values) else "number"


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
