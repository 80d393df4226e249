"""What every result of a trust analysis shares: a frozen record that becomes JSON without NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

Interval = tuple[float, float]
"""The low and the high end of a confidence interval."""


class Row:
    """A frozen dataclass that becomes a dict for JSON; a trailing underscore of a field's name is dropped."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """All fields by name: tuples as lists, records as dicts, what is not finite as null."""
        return {field.name.rstrip("_"): plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """A value as JSON holds it: records and mappings as dicts, tuples as lists, NaN and infinities as null."""
    if isinstance(value, Row):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return number(value)
    return value


def number(value: float) -> float | None:
    """A float of Python's own, or none where the value is not finite."""
    made = float(value)
    return made if math.isfinite(made) else None
