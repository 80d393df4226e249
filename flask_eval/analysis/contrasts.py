"""How far apart models, and raters, lie on a single instance: where to look first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, Ints, Mask

_AT_ONCE = 4_000_000
"""Numbers that are held at once while models are set against each other."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The two models that lie furthest apart on an instance, by one rater."""

    rater: str
    high_model: str
    low_model: str
    high: float
    """Its mean over the skills that both have a score for, each skill once."""
    low: float
    n_skills: int
    share: float
    """(high - low) as a share of the rater's scale."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """One rated instance."""

    instance: int
    """Its position in `table.instances`."""
    gap: Gap | None
    """None: fewer than two models have a score for the same skill."""
    disagreement: float | None
    """Highest less lowest score that raters give a response on a skill, as a share of their scales: the mean over all
    that at least two raters scored. Metrics do not count. None: there is no such."""


@dataclass(frozen=True, slots=True)
class CellMeans:
    """The mean score of each (rater, instance, model, skill) that has one, over samples and questions."""

    rater: Ints
    instance: Ints
    model: Ints
    skill: Ints
    mean: Floats
    share: Floats
    """(mean - lowest) / (highest - lowest) on the rater's scale, or within its scores where the scale is not known."""


def cell_means(data: Coded) -> CellMeans:
    """Average repeated scores of one thing; labels and missing scores have none."""
    rows = np.flatnonzero(~np.isnan(data.score))
    sizes = (len(data.table.instances), len(data.models), len(data.skills))
    key = data.rater[rows]
    for size, codes in zip(sizes, (data.instance, data.model, data.skill), strict=True):
        key = key * size + codes[rows]
    groups, group = np.unique(key, return_inverse=True)
    mean = np.bincount(group, data.score[rows], groups.size) / np.bincount(group, minlength=groups.size)
    rest, skill = np.divmod(groups, sizes[2])
    rest, model = np.divmod(rest, sizes[1])
    rater, instance = np.divmod(rest, sizes[0])
    low, span = _scales(data)
    return CellMeans(rater, instance, model, skill, mean, (mean - low[rater]) / span[rater])


def contrasts(data: Coded) -> tuple[Contrast, ...]:
    """The gap between models and the disagreement between raters of each rated instance, in the order of the table."""
    cells = cell_means(data)
    gaps = _gaps(data, cells)
    apart = _disagreements(data, cells)
    return tuple(Contrast(place, gaps.get(place), apart.get(place)) for place in np.unique(data.instance).tolist())


def _scales(data: Coded) -> tuple[Floats, Floats]:
    """Lowest score and span of each rater; where the scale is not known, of the scores that occur."""
    low, span = np.zeros(len(data.raters)), np.ones(len(data.raters))
    for rater in range(len(data.raters)):
        ends = data.scale(rater)
        if ends is None:
            own = data.score[(data.rater == rater) & ~np.isnan(data.score)]
            ends = (float(own.min()), float(own.max())) if own.size else (0.0, 1.0)
        low[rater], span[rater] = ends[0], ends[1] - ends[0] or 1.0
    return low, span


def judging(data: Coded) -> Mask:
    """Which raters count when models are set against each other: metrics only where nobody else rates."""
    metric = np.array([data.table.raters[name] == "metric" for name in data.raters], bool)
    return ~metric if not metric.all() else metric


def _gaps(data: Coded, cells: CellMeans) -> dict[int, Gap]:
    """The widest gap of each instance over raters, the first of equal ones; metrics count where nobody else rates."""
    _, span = _scales(data)
    found: dict[int, Gap] = {}
    for rater in np.flatnonzero(judging(data)).tolist():
        for places, mean, has in _blocks(data, cells, cells.rater == rater):
            for place, gap in _widest(data, rater, float(span[rater]), places, mean, has):
                if place not in found or found[place].share < gap.share:
                    found[place] = gap
    return found


def _widest(data: Coded, rater: int, span: float, places: Ints, mean: Floats, has: Floats) -> Iterator[tuple[int, Gap]]:
    """The two models furthest apart, over the skills that both have a score for, by one rater."""
    sums = np.matmul(mean, has.transpose(0, 2, 1))  # of the first model, over what the second has too
    shared = np.matmul(has, has.transpose(0, 2, 1))
    wide = np.where(shared > 0, (sums - sums.transpose(0, 2, 1)) / np.maximum(shared, 1), -np.inf)
    diagonal = np.arange(len(data.models))
    wide[:, diagonal, diagonal] = -np.inf
    best = wide.reshape(len(places), -1).argmax(axis=1)
    for k, place in enumerate(places.tolist()):
        a, b = divmod(int(best[k]), len(data.models))
        if np.isfinite(wide[k, a, b]):
            n = int(shared[k, a, b])
            high, low = float(sums[k, a, b] / n), float(sums[k, b, a] / n)
            yield place, Gap(data.raters[rater], data.models[a], data.models[b], high, low, n, (high - low) / span)


def _blocks(data: Coded, cells: CellMeans, mask: Mask) -> Iterator[tuple[Ints, Floats, Floats]]:
    """Some instances at a time: their positions, scores (instance, model, skill; 0: none), and which there are."""
    own = np.flatnonzero(mask)
    places, position = np.unique(cells.instance[own], return_inverse=True)
    models, skills = len(data.models), len(data.skills)
    step = max(1, _AT_ONCE // (models * max(models, skills)))
    for start in range(0, places.size, step):
        part = own[(position >= start) & (position < start + step)]
        size = min(step, places.size - start)
        where = (np.searchsorted(places, cells.instance[part]) - start, cells.model[part], cells.skill[part])
        mean, has = np.zeros((size, models, skills)), np.zeros((size, models, skills))
        mean[where], has[where] = cells.mean[part], 1.0
        yield places[start : start + size], mean, has


def _disagreements(data: Coded, cells: CellMeans) -> dict[int, float]:
    judges = np.array([data.table.raters[name] != "metric" for name in data.raters], bool)
    own = np.flatnonzero(judges[cells.rater])
    key = (cells.instance[own] * len(data.models) + cells.model[own]) * len(data.skills) + cells.skill[own]
    groups, group, count = np.unique(key, return_inverse=True, return_counts=True)
    high, low = np.full(groups.size, -np.inf), np.full(groups.size, np.inf)
    np.maximum.at(high, group, cells.share[own])
    np.minimum.at(low, group, cells.share[own])
    several = count > 1
    instance = groups[several] // (len(data.models) * len(data.skills))
    places, position = np.unique(instance, return_inverse=True)
    apart = np.bincount(position, (high - low)[several], places.size) / np.bincount(position, minlength=places.size)
    return dict(zip(places.tolist(), apart.tolist(), strict=True))


def chosen(found: Sequence[Contrast], limit: int) -> list[Contrast]:
    """At most `limit` instances: by turns the one with the widest gap and the one with the most disagreement.

    Where one of the two is not known, the other goes on alone; instances without either come last.
    """
    by_gap = sorted((c for c in found if c.gap), key=lambda c: -(c.gap.share if c.gap else 0.0))
    by_rater = sorted((c for c in found if c.disagreement), key=lambda c: -(c.disagreement or 0.0))
    turns = [c for pair in zip_longest(by_gap, by_rater) for c in pair if c is not None]
    return list({c.instance: c for c in [*turns, *found]}.values())[:limit]
