"""Which ratings belong where: the values of a dimension, and the instances of a slice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flask_eval.analysis.coding import Coded, Ints, Mask
from flask_eval.analysis.text import shown
from flask_eval.errors import UserError, nearest
from flask_eval.ratings import INSTANCE_COLUMNS, RatingTable
from flask_eval.schema import Slice, slug


def in_slice(table: RatingTable, part: Slice, notes: list[str] | None = None) -> Mask:
    """Which instances of the table belong to a slice: listed by id, or every condition holds.

    Conditions are on `id`, `skill` (as annotated), `domain`, `difficulty`, `source` and metadata keys.

    Raises:
        UserError: none belongs to it, or a condition is on something that the instances do not have.
    """
    instances = table.instances
    if part.ids is not None:
        inside = instances["instance"].isin(part.ids).to_numpy(bool)
        unknown = len(part.ids) - int(inside.sum())
        if unknown and notes is not None and inside.any():
            notes.append(f"{unknown:,} of {len(part.ids):,} ids of slice '{part.name}' are not among the instances.")
    else:
        inside = np.ones(len(instances), bool)
        for dimension, wanted in (part.where or {}).items():
            asked = {shown(value) for value in (wanted if isinstance(wanted, (list, tuple)) else [wanted])}
            if dimension == "skill":
                asked = {slug(value) for value in asked}
            inside &= np.array([bool(asked & values) for values in _facts(instances, dimension, part.name)], bool)
    if not inside.any():
        raise UserError(f"slice '{part.name}' holds none of the {len(instances):,} instances: do the ids match?")
    return inside


def _facts(instances: pd.DataFrame, dimension: str, name: str) -> list[set[str]]:
    column = {"id": "instance", "skill": "skills", "domain": "domains"}.get(dimension, dimension)
    known = ["id", "skill", "domain", "difficulty", "source", *instances.columns[len(INSTANCE_COLUMNS) :]]
    if dimension not in known:
        raise UserError(f"slice '{name}': instances have no '{dimension}'{nearest(dimension, known)}")
    if column in ("skills", "domains"):
        return [set(values) for values in instances[column]]
    return [{shown(None if value is pd.NA or value == "" else value)} for value in instances[column]]


def dimension(data: Coded, name: str, rows: Ints) -> tuple[list[Any], Ints, Ints | None]:
    """The values of a dimension in order, the code of each row, and which rows to repeat where one has several."""
    if name == "model":
        return list(data.models), data.model[rows], None
    if name == "skill":
        return list(data.skills), data.skill[rows], None
    if name == "group":
        groups = [facts.group if (facts := data.table.rubrics.get(skill)) else "" for skill in data.skills]
        values = list(dict.fromkeys(group or None for group in groups))
        lookup = np.array([values.index(group or None) for group in groups], np.int64)
        _check_known(values, name)
        return values, lookup[data.skill[rows]], None
    if name == "domain":
        return _domains(data, rows)
    cells = data.table.instances[name]
    raw = [None if value is pd.NA or value == "" or value is None else value for value in cells]
    values = _ordered(raw)
    _check_known(values, name)
    places = {shown(value): place for place, value in enumerate(values)}
    lookup = np.array([places[shown(value)] for value in raw], np.int64)
    return [_plain(value) for value in values], lookup[data.instance[rows]], None


def _domains(data: Coded, rows: Ints) -> tuple[list[Any], Ints, Ints]:
    """Domains: a row of an instance with several is repeated, once for each."""
    raw: list[tuple[Any, ...]] = [values or (None,) for values in data.table.instances["domains"]]
    values = _ordered([value for found in raw for value in found])
    _check_known(values, "domain")
    places = {shown(value): place for place, value in enumerate(values)}
    sizes = np.array([len(found) for found in raw], np.int64)
    starts = np.cumsum(sizes) - sizes
    flat = np.array([places[shown(value)] for found in raw for value in found], np.int64)
    instance = data.instance[rows]
    repeat = np.repeat(np.arange(rows.size), sizes[instance])
    first = np.cumsum(sizes[instance]) - sizes[instance]
    within = np.arange(repeat.size) - first[repeat]
    return values, flat[starts[instance][repeat] + within], repeat


def _ordered(values: Iterable[Any]) -> list[Any]:
    """Distinct values: numbers ascending, then texts, then none."""
    distinct = {shown(value): value for value in values}

    def rank(value: Any) -> tuple[int, float, str]:
        if value is None:
            return 2, 0.0, ""
        numeric = isinstance(value, (int, float, np.integer)) and not isinstance(value, bool)
        return (0, float(value), "") if numeric else (1, 0.0, str(value))

    return sorted(distinct.values(), key=rank)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _check_known(values: Sequence[Any], name: str) -> None:
    if all(value is None for value in values):
        remedy = "name the rubric set that has groups" if name == "group" else "give the instances with --instances"
        raise UserError(f"--by {name}: no {name} is known; {remedy}")
