"""Which ratings belong where: the values of a dimension, and the instances of a slice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flask_eval.analysis.coding import Coded, Ints, Mask
from flask_eval.analysis.text import shown
from flask_eval.errors import UserError, nearest
from flask_eval.ratings import DIMENSIONS, INSTANCE_COLUMNS, RatingTable
from flask_eval.schema import Slice, several, slug

By = Sequence[str | Sequence[str]] | str

SEVERAL = "|"
"""Behind a metadata key: its values hold several, `|` between them, and an instance counts in each."""


def tables_of(by: By, table: RatingTable) -> tuple[tuple[str, ...], ...]:
    """The dimensions of each table that `by` asks for: `"skill"`, `"domain,difficulty"` or `["domain", "difficulty"]`.

    Raises:
        UserError: a dimension does not occur, or stands twice.
    """
    entries = [by] if isinstance(by, str) else list(by)
    known = [*DIMENSIONS, *_keys(table)]
    made = []
    for entry in entries:
        names = tuple(part.strip() for part in (entry.split(",") if isinstance(entry, str) else entry))
        plain = [key_of(name) for name in names]
        for name, key in zip(names, plain, strict=True):
            if key not in known or (name != key and key in DIMENSIONS):
                raise UserError(f"--by {','.join(names)}: unknown dimension '{name}'{nearest(name, known)}")
            if plain.count(key) > 1:
                raise UserError(f"--by {','.join(names)}: '{key}' stands twice")
        made.append(names)
    return tuple(made)


def key_of(name: str) -> str:
    """A dimension's name as rows have it: `tags|` is `tags`."""
    return name.removesuffix(SEVERAL)


def _keys(table: RatingTable) -> list[str]:
    """The metadata keys of the instances."""
    return list(table.instances.columns[len(INSTANCE_COLUMNS) :])


def values_of(table: RatingTable, name: str) -> list[tuple[Any, ...]] | None:
    """The values of each instance in a dimension of which one may have several; None for other dimensions."""
    if name == "domain":
        return list(table.instances["domains"])
    if name.endswith(SEVERAL):
        return [several(None if value is pd.NA else value) for value in table.instances[key_of(name)]]
    return None


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
            inside &= np.array([bool(asked & values) for values in _facts(table, dimension, part.name)], bool)
    if not inside.any():
        raise UserError(_empty(table, part))
    return inside


def _empty(table: RatingTable, part: Slice) -> str:
    """Why a slice holds nothing: of one condition, what the instances have instead."""
    said = f"slice '{part.name}' holds none of the {len(table.instances):,} instances"
    if part.where is None or len(part.where) != 1:
        return f"{said}: {'do the ids match?' if part.where is None else 'no instance meets all conditions'}"
    name = next(iter(part.where))
    found = sorted({value for values in _facts(table, name, part.name) for value in values} - {"none"})
    if not found:
        return f"{said}: no {name} is known; give the instances with --instances"
    return f"{said}: {name} is one of {', '.join(found[:12])}{', ...' if len(found) > 12 else ''}"


def _facts(table: RatingTable, name: str, part: str) -> list[set[str]]:
    """Each instance's values in a dimension of conditions, as text."""
    known = ["id", "skill", "domain", "difficulty", "source", *_keys(table)]
    if key_of(name) not in (known if name == key_of(name) else _keys(table)):
        raise UserError(f"slice '{part}': instances have no '{name}'{nearest(name, known)}")
    lists = list(table.instances["skills"]) if name == "skill" else values_of(table, name)
    if lists is not None:
        return [{shown(value) for value in values or (None,)} for values in lists]
    column = table.instances["instance" if name == "id" else name]
    return [{shown(None if value is pd.NA or value == "" else value)} for value in column]


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
    lists = values_of(data.table, name)
    if lists is not None:
        return _each(data, name, lists, rows)
    cells = data.table.instances[name]
    raw = [None if value is pd.NA or value == "" or value is None else value for value in cells]
    values = _ordered(raw)
    _check_known(values, name)
    places = {shown(value): place for place, value in enumerate(values)}
    lookup = np.array([places[shown(value)] for value in raw], np.int64)
    return [_plain(value) for value in values], lookup[data.instance[rows]], None


def _each(data: Coded, name: str, lists: Sequence[tuple[Any, ...]], rows: Ints) -> tuple[list[Any], Ints, Ints]:
    """A dimension of which an instance may have several values: its rows are repeated, once for each."""
    raw: list[tuple[Any, ...]] = [values or (None,) for values in lists]
    values = _ordered([value for found in raw for value in found])
    _check_known(values, key_of(name))
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
