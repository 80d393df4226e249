"""Merging values of a dimension that too few instances have, as FLASK merged sparse levels of difficulty.

FLASK shows some skills by the levels 1, 2, 3 and "4 and above" (Ye et al. 2024, arXiv 2307.10928, figures by difficulty),
without a rule; this is ours. **Ordered values** (levels of difficulty, numbers): the level with the fewest instances goes
to its neighbour with fewer, until every level has enough; the label is the range, `4-5`. **Other values**: those with too
few go together into `other (3 values)`. Instances are counted where any model has a score, so that the same values are
merged for all models of a rater, and a model that was refused changes nothing. What has no value stays by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flask_eval.analysis.coding import Ints, Mask
from flask_eval.analysis.scores import compact, count_distinct
from flask_eval.analysis.text import shown


@dataclass(frozen=True, slots=True)
class Merged:
    """A dimension whose values were merged within parts."""

    left: list[Any]
    """The values and labels that are left, in order."""
    codes: Ints
    """The place of each row's value in `left`."""
    labels: tuple[tuple[int, str, tuple[str, ...]], ...]
    """What was merged: the part, the label, and the values behind it."""


def merge(values: Sequence[Any], codes: Ints, part: Ints, instance: Ints, scored: Mask, least: int) -> Merged:
    """Merge the values of a dimension until each has enough instances, within each part.

    Args:
        values: the dimension's values in order; None stands for instances without one.
        codes: the place of each row's value.
        part: the part that each row belongs to, from 0 without gaps: each is merged by itself.
        instance: the instance of each row.
        scored: which rows have a score.
        least: so many instances a value shall have.
    """
    size, n_parts = len(values), int(part.max(initial=-1)) + 1
    cell = part * size + codes
    present = np.bincount(cell, minlength=n_parts * size).reshape(n_parts, size) > 0
    n_instances = int(instance.max(initial=-1)) + 1
    counts = count_distinct(cell[scored], instance[scored], n_parts * size, n_instances).reshape(n_parts, size)
    ordered = _is_ordered(values)
    names: list[list[Any]] = [[] for _ in range(n_parts)]
    labels = []
    order: dict[str, tuple[tuple[float, ...], Any]] = {}
    for own in range(n_parts):
        names[own] = list(values)
        known = [place for place in np.flatnonzero(present[own]).tolist() if values[place] is not None]
        for group in (_neighbours if ordered else _others)(known, counts[own], least):
            label = _label([values[place] for place in group], ordered=ordered)
            rank = (float(group[0]), float(group[-1])) if ordered else (float(size), float(len(group)))
            order.setdefault(label, (rank, label))
            labels.append((own, label, tuple(shown(values[place]) for place in group)))
            for place in group:
                names[own][place] = label
    for place in np.flatnonzero(present.any(axis=0)).tolist():
        if any(names[own][place] is values[place] for own in range(n_parts) if present[own, place]):
            rank = (2.0 * size if values[place] is None else float(place), float(place))
            order[shown(values[place])] = (rank, values[place])
    kept = sorted(order, key=lambda name: order[name][0])
    places = {name: number for number, name in enumerate(kept)}
    lookup = np.array([[places.get(shown(name), 0) for name in row] for row in names], np.int64).reshape(n_parts, size)
    return Merged([order[name][1] for name in kept], lookup[part, codes], tuple(labels))


def _is_ordered(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) for value in known
    )


def _neighbours(known: Sequence[int], counts: Ints, least: int) -> list[list[int]]:
    """Runs of neighbouring levels that go together."""
    groups = [[place] for place in known]
    sizes = [int(counts[place]) for place in known]
    while len(groups) > 1 and min(sizes) < least:
        last = len(sizes) - 1
        place = min(range(last + 1), key=lambda k: (sizes[k], -k))
        sides = [k for k in (place - 1, place + 1) if 0 <= k <= last]
        other = min(sides, key=lambda k: (sizes[k], k))
        first = min(place, other)
        groups[first : first + 2] = [groups[first] + groups[first + 1]]
        sizes[first : first + 2] = [sizes[first] + sizes[first + 1]]
    return [group for group in groups if len(group) > 1]


def _others(known: Sequence[int], counts: Ints, least: int) -> list[list[int]]:
    """The values with too few instances; a single one stays as it is."""
    few = [place for place in known if counts[place] < least]
    return [few] if len(few) > 1 else []


def _label(values: Sequence[Any], *, ordered: bool) -> str:
    if not ordered:
        return f"other ({len(values)} values)"
    low, high = shown(values[0]), shown(values[-1])
    return f"{low} to {high}" if "-" in low + high else f"{low}-{high}"


def without_twice(columns: Sequence[Ints], sizes: Sequence[int]) -> Ints:
    """The rows to keep where rows that were repeated for several values are now the same."""
    part = parts_of(columns, sizes, columns[0].size)
    return np.sort(np.unique(part, return_index=True)[1])


def parts_of(columns: Sequence[Ints], sizes: Sequence[int], rows: int) -> Ints:
    """The part of each row, by its values in several dimensions, from 0 without gaps."""
    key, size = np.zeros(rows, np.int64), 1
    for own, count in zip(columns, sizes, strict=True):
        key, size = key * count + own, size * count
    return compact(key, size)[1]
