"""Parts of the units: which belong to a slice, and what the slice is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.arrays import Bools
from flask_eval.analysis.agreement.study import Study
from flask_eval.analysis.text import shown

SliceOf = Mapping[str, Any] | pd.Series
"""The label of each instance, or (a Series that shares the index of the ratings) of each rating.

A label is a mapping of dimensions to values, a tuple with a value for each name in `by`, or one value; a list of labels
puts the instance into each of them; none puts it into no slice.
"""


@dataclass(frozen=True, eq=False)
class Part:
    """A named part of the units, or all of them."""

    name: str | None
    """`domain=Math;difficulty=5`; none: everything."""
    by: Mapping[str, Any]
    """The values by dimension."""
    inside: Bools | None
    """(units,) which units belong to it; none: all."""


def parts_of(
    study: Study,
    ratings: pd.DataFrame,
    slice_of: SliceOf | None,
    by: Sequence[str] = (),
    within: str | None = None,
) -> list[Part]:
    """The parts in the order in which they occur; without `slice_of` one, which is everything.

    Args:
        study: the coded ratings.
        ratings: the long table that was coded.
        slice_of: the label of each instance or rating.
        by: the dimensions of labels that are no mapping.
        within: the name of a slice to which all ratings belong; it stands before each name.

    Raises:
        ValueError: a label has another number of values than `by` has names.
    """
    if slice_of is None:
        return [Part(within, {}, None)]
    by = [name for name in by if name != "skill"]
    members: dict[str, tuple[dict[str, Any], list[int]]] = {}
    labels, code, unit = _labels(study, ratings, slice_of)
    for position, label in enumerate(labels):
        for one in label if isinstance(label, (list, set, frozenset)) else [label]:
            if one is None or one is pd.NA or (isinstance(one, float) and np.isnan(one)):
                continue
            values, name = _named(one, by)
            members.setdefault(name, (values, []))[1].append(position)
    parts = []
    for name, (values, positions) in members.items():
        inside = np.zeros(study.n_units, bool)
        wanted = np.zeros(len(labels), bool)
        wanted[positions] = True
        inside[unit[wanted[code]]] = True
        parts.append(Part(f"{within};{name}" if within else name, values, inside))
    return parts


def _labels(study: Study, ratings: pd.DataFrame, slice_of: SliceOf) -> tuple[list[Any], Any, Any]:
    """Labels, which of them each entry has, and the unit of each entry."""
    if isinstance(slice_of, pd.Series) and slice_of.index.equals(ratings.index):
        cells = slice_of.iloc[study.row].tolist()
        seen: dict[Any, int] = {}
        labels: list[Any] = []
        code = np.zeros(len(cells), np.int64)
        for position, cell in enumerate(cells):
            # an object that many ratings share is looked at once; equal labels meet again by their names
            key = (type(cell), cell) if isinstance(cell, (str, int, tuple)) else id(cell)
            if key not in seen:
                seen[key] = len(labels)
                labels.append(cell)
            code[position] = seen[key]
        return labels, code, study.single.unit
    return [slice_of.get(name) for name in study.instances], study.instance, np.arange(study.n_units)


def _named(label: Any, by: Sequence[str]) -> tuple[dict[str, Any], str]:
    if isinstance(label, Mapping):
        values = {str(name): _plain(value) for name, value in label.items() if name != "skill"}
        return values, ";".join(f"{name}={shown(value)}" for name, value in values.items())
    if not by:
        return {}, shown(_plain(label))
    cells = label if isinstance(label, tuple) else (label,)
    if len(cells) != len(by):
        raise ValueError(f"label {label!r} has {len(cells)} values, but the slices are by {', '.join(by)}")
    values = {name: _plain(cell) for name, cell in zip(by, cells, strict=True)}
    return values, ";".join(f"{name}={shown(value)}" for name, value in values.items())


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
