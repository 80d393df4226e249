"""Which cells belong to a row of the comparison: all of them, a skill, a domain, a slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flask_eval.analysis.coding import Coded, Ints, Mask
from flask_eval.analysis.comparing.cells import Cells
from flask_eval.analysis.cutting import dimension
from flask_eval.analysis.scores import compact
from flask_eval.analysis.slices import By
from flask_eval.analysis.text import shown
from flask_eval.errors import UserError, nearest
from flask_eval.ratings import DIMENSIONS, INSTANCE_COLUMNS, RatingTable


@dataclass(frozen=True, eq=False)
class Part:
    """Some cells of a rater, and what they are called."""

    skill: str | None
    slice: str | None
    by: Mapping[str, Any]
    cells: Ints
    """Positions in the columns of `Cells`, ascending."""
    macro: bool = False
    """Whether each skill has the same weight; otherwise each cell has."""
    dimension: str | None = None
    """What makes this part one side of an interaction: a dimension, or `slice`."""
    value: str = ""

    @property
    def overall(self) -> bool:
        """Whether this is the one row for all skills and all instances."""
        return self.skill is None and self.slice is None


def tables_of(by: By, table: RatingTable) -> tuple[tuple[str, ...], ...]:
    """The dimensions of each table that `by` asks for.

    Raises:
        UserError: a dimension does not occur, stands twice, or is the model.
    """
    known = [*DIMENSIONS, *table.instances.columns[len(INSTANCE_COLUMNS) :]]
    made = []
    for entry in [by] if isinstance(by, str) else by:
        names = tuple(part.strip() for part in (entry.split(",") if isinstance(entry, str) else entry))
        for name in names:
            if name not in known:
                raise UserError(f"--by {','.join(names)}: unknown dimension '{name}'{nearest(name, known)}")
            if names.count(name) > 1:
                raise UserError(f"--by {','.join(names)}: '{name}' stands twice")
            if name == "model":
                raise UserError(f"--by {','.join(names)}: models are what is compared; cut by something else")
        made.append(names)
    return tuple(dict.fromkeys(made))


def parts_of(
    data: Coded, own: Cells, tables: Sequence[tuple[str, ...]], slices: Sequence[tuple[str, Mask]]
) -> Iterator[Part]:
    """All parts of a rater's cells, in the order of the rows; parts without a cell are left out.

    Args:
        data: what the cells were made of.
        own: the cells.
        tables: dimensions, one entry a table.
        slices: name and instances of each slice.
    """
    everything = np.arange(own.skill.size)
    yield Part(None, None, {}, everything[_counted(own)], macro=True)
    yield from _cut(data, own, everything, ("skill",), side=("skill",) in tables)
    others = [names for names in tables if names != ("skill",)]
    for names in others:
        yield from _cut(data, own, everything, names, side=len(names) == 1)
    for name, inside in slices:
        cells = np.flatnonzero(inside[own.instance])
        if cells.size:
            yield Part(None, name, {}, cells, dimension="slice", value=name)
        for names in (("skill",), *others):
            yield from _cut(data, own, cells, names, within=name)


def _counted(own: Cells) -> Mask:
    """Cells of skills that every rated model has a score for."""
    have = ~np.isnan(own.score[: own.rated])
    skills = [s for s in np.unique(own.skill).tolist() if have[:, own.skill == s].any(axis=1).all()]
    return np.isin(own.skill, skills)


def _cut(
    data: Coded, own: Cells, cells: Ints, names: tuple[str, ...], *, within: str = "", side: bool = False
) -> Iterator[Part]:
    """One part for each value of the dimensions, or combination of values."""
    key, size = np.zeros(cells.size, np.int64), 1
    values: list[list[Any]] = []
    for name in names:
        found, codes, repeat = dimension(_grid(data, own), name, cells)
        if repeat is not None:
            cells, key = cells[repeat], key[repeat]
        key, size = key * len(found) + codes, size * len(found)
        values.append(found)
    groups, group = compact(key, size)
    chosen = np.split(cells[np.argsort(group, kind="stable")], np.cumsum(np.bincount(group))[:-1])
    for code, part in zip(groups.tolist(), chosen, strict=False):
        found_values = _decoded(code, names, values)
        by = {name: value for name, value in found_values.items() if name != "skill"}
        label = ";".join([*([within] if within else []), *(f"{name}={shown(value)}" for name, value in by.items())])
        yield Part(
            skill=found_values.get("skill"),
            slice=label or None,
            by=by,
            cells=np.sort(part),
            dimension=names[0] if side else None,
            value=shown(found_values[names[0]]) if side else "",
        )


def _decoded(code: int, names: tuple[str, ...], values: list[list[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, known in zip(reversed(names), reversed(values), strict=True):
        code, position = divmod(code, len(known))
        found[name] = known[position]
    return {name: found[name] for name in names}


def _grid(data: Coded, own: Cells) -> Coded:
    """The cells in the form of ratings, so that the dimensions of ratings are theirs."""
    return replace(data, instance=own.instance, skill=own.skill, cluster=own.cluster)
