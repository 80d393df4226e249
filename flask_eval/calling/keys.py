"""The identity of a call: the digest of everything that shapes the answer."""

from __future__ import annotations

from typing import Any

from flask_eval.adapters import answer_schema
from flask_eval.schema import Asked, Request, canonical, digest

_cache: dict[tuple[Any, ...], str] = {}


def schema_text(answer: tuple[Asked, ...]) -> str:
    """The answer schema as canonical JSON; equal for equal names, titles, levels and rationale."""
    shape = tuple((a.name, a.title, a.scale.values, a.rationale) for a in answer)
    if shape not in _cache:
        if len(_cache) > 10_000:  # a checklist has a shape for every instance
            _cache.clear()
        _cache[shape] = canonical(answer_schema(answer))
    return _cache[shape]


def request_schema(request: Request) -> str:
    """The schema of a request's answer as canonical JSON: its own, or that of what it asks."""
    return request.schema or schema_text(request.answer)


def call_key(identity: str, request: Request) -> str:
    """The key of a request: no price, limit, card name or version of ours shapes it.

    Args:
        identity: what the adapter adds (`Adapter.identity`): its name, base URL and model.
        request: messages, answer, settings and sample number.
    """
    messages = [part for role, content in request.messages for part in (role, content)]
    settings = canonical(dict(request.settings))
    return digest(identity, request_schema(request), settings, str(request.sample), *messages)
