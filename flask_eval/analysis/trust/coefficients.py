"""Agreement of two raters, on everything and without each group of clusters at once.

Pairs of scores are counted in cells (distinct pairs), so that every leave-one-out figure costs the number of cells, not
the number of units. A figure that does not exist is NaN here; the records turn it into null with a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from flask_eval.analysis.trust.jackknife import Transform
from flask_eval.analysis.trust.panel import Floats, Ints

MOST_SIGNS = 4000
"""More cells than that, and Kendall's tau is computed group by group, which needs no cells by cells matrix."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Distinct pairs of scores and how often they occur, on everything and without each group."""

    x: Floats
    """(cells,) the first rater's score."""
    y: Floats
    """(cells,) the second rater's score."""
    weights: Floats
    """(groups + 1, cells) how many units; the first row is of all."""


def count_cells(x: Floats, y: Floats, groups: Ints, count: int) -> Cells:
    """Count the pairs of two raters.

    Args:
        x: (units,) the first rater's scores, no NaN.
        y: (units,) the second rater's.
        groups: (units,) the group that is left out with the unit, below `count`.
        count: how many groups there are.
    """
    code_x, values_x = pd.factorize(x)
    code_y, values_y = pd.factorize(y)
    cell, pairs = pd.factorize(code_x.astype(np.int64) * len(values_y) + code_y)
    size = len(pairs)
    counts = np.bincount(groups * size + cell, minlength=count * size).reshape(count, size).astype(float)
    total = counts.sum(axis=0)
    return Cells(values_x[pairs // len(values_y)], values_y[pairs % len(values_y)], np.vstack([total, total - counts]))


def pearson(cells: Cells) -> Floats:
    """Pearson's r (groups + 1,); NaN where a side is constant."""
    return _weighted_r(cells.x[None, :], cells.y[None, :], cells.weights)


def spearman(cells: Cells) -> Floats:
    """Spearman's rho with mid-ranks (groups + 1,); NaN where a side is constant."""
    return _weighted_r(_midranks(cells.x, cells.weights), _midranks(cells.y, cells.weights), cells.weights)


def kendall(cells: Cells) -> Floats:
    """Kendall's tau-b (groups + 1,); NaN where a side is constant.

    Source: Kendall (1945), The treatment of ties in ranking problems.
    """
    if len(cells.x) > MOST_SIGNS:
        return _kendall_by_group(cells)
    signs = np.sign(cells.x[:, None] - cells.x[None, :]) * np.sign(cells.y[:, None] - cells.y[None, :])
    agreed = np.einsum("gc,gc->g", cells.weights @ signs, cells.weights)
    pairs = cells.weights.sum(axis=1) ** 2
    untied_x = pairs - (_by_value(cells.x, cells.weights)[1] ** 2).sum(axis=1)
    untied_y = pairs - (_by_value(cells.y, cells.weights)[1] ** 2).sum(axis=1)
    return _ratio(agreed, np.sqrt(untied_x * untied_y))


def exact(cells: Cells) -> Floats:
    """The share of equal scores (groups + 1,)."""
    return _share(cells.weights, np.isclose(cells.x, cells.y, rtol=0, atol=1e-9))


def within_one(cells: Cells) -> Floats:
    """The share of scores at most one apart (groups + 1,)."""
    return _share(cells.weights, np.abs(cells.x - cells.y) <= 1 + 1e-9)


def kappa(cells: Cells) -> Floats:
    """Cohen's kappa (groups + 1,); NaN where both use one and the same score only.

    Source: Cohen (1960).
    """
    _, x, y = _marginals(cells)
    total = cells.weights.sum(axis=1)
    chance = _ratio((x * y).sum(axis=1), total**2)
    return _ratio(exact(cells) - chance, 1 - chance)


def kappa_linear(cells: Cells) -> Floats:
    """Kappa with weights by distance (groups + 1,), by the value of the scores.

    Source: Cohen (1968).
    """
    values, x, y = _marginals(cells)
    total = cells.weights.sum(axis=1)
    seen = _ratio((cells.weights * np.abs(cells.x - cells.y)).sum(axis=1), total)
    apart = np.abs(values[:, None] - values[None, :])
    expected = _ratio(np.einsum("gk,gk->g", x @ apart, y), total**2)
    return 1 - _ratio(seen, expected)


def kappa_quadratic(cells: Cells) -> Floats:
    """Kappa with weights by squared distance (groups + 1,), by the value of the scores.

    Source: Cohen (1968); chance from the moments of both sides.
    """
    weights, total = cells.weights, cells.weights.sum(axis=1)
    middle = cells.x.mean() if len(cells.x) else 0.0
    x, y = cells.x - middle, cells.y - middle
    seen = _ratio(weights @ (x - y) ** 2, total)
    expected = _ratio(weights @ x**2 + weights @ y**2, total) - 2 * _ratio((weights @ x) * (weights @ y), total**2)
    return 1 - _ratio(seen, np.where(expected > 1e-12, expected, 0.0))


COEFFICIENTS: dict[str, tuple[Callable[[Cells], Floats], Transform]] = {
    "pearson": (pearson, "fisher"),
    "spearman": (spearman, "fisher"),
    "kendall": (kendall, "fisher"),
    "kappa": (kappa, "fisher"),
    "kappa_linear": (kappa_linear, "fisher"),
    "kappa_quadratic": (kappa_quadratic, "fisher"),
    "exact": (exact, "plain"),
    "within_one": (within_one, "plain"),
}
"""Each measure with the scale on which its interval is made."""

CORRELATIONS = ("pearson", "spearman", "kendall")
ON_POINTS = (*CORRELATIONS, "kappa", "kappa_linear", "kappa_quadratic", "exact", "within_one")
ON_LABELS = ("kappa", "exact")


def _ratio(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(bottom) > 1e-12, top / np.where(bottom == 0, 1.0, bottom), np.nan)


def _share(weights: Floats, hit: object) -> Floats:
    return _ratio(weights @ np.asarray(hit, dtype=float), weights.sum(axis=1))


def _weighted_r(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Pearson's r of (1 or groups + 1, cells) values under each row of weights."""
    total = weights.sum(axis=1, keepdims=True)
    dx = x - _ratio((weights * x).sum(axis=1, keepdims=True), total)
    dy = y - _ratio((weights * y).sum(axis=1, keepdims=True), total)
    xx, yy = (weights * dx * dx).sum(axis=1), (weights * dy * dy).sum(axis=1)
    size = np.maximum(1.0, np.abs(x).max(initial=0.0) ** 2 + np.abs(y).max(initial=0.0) ** 2)
    flat = (xx <= 1e-12 * size) | (yy <= 1e-12 * size)
    made = _ratio((weights * dx * dy).sum(axis=1), np.sqrt(xx * yy))
    return np.where(flat, np.nan, np.clip(made, -1.0, 1.0))


def _by_value(side: Floats, weights: Floats) -> tuple[Ints, Floats]:
    """The number of each cell's value (cells,), and the weight of each value, lowest first (groups + 1, values)."""
    values, place = np.unique(side, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(values)))
    return place.astype(np.int64), np.add.reduceat(weights[:, order], starts, axis=1)


def _midranks(side: Floats, weights: Floats) -> Floats:
    """The mid-rank of each cell (groups + 1, cells) under each row of weights."""
    place, of_value = _by_value(side, weights)
    return np.asarray((of_value.cumsum(axis=1) - of_value / 2)[:, place])


def _marginals(cells: Cells) -> tuple[Floats, Floats, Floats]:
    """All values, and how often each side has them (groups + 1, values)."""
    values = np.unique(np.concatenate([cells.x, cells.y]))
    made = []
    for side in (cells.x, cells.y):
        counts = np.zeros((len(cells.weights), len(values)))
        counts[:, np.searchsorted(values, np.unique(side))] = _by_value(side, cells.weights)[1]
        made.append(counts)
    return values, made[0], made[1]


def _kendall_by_group(cells: Cells) -> Floats:
    made = []
    for row in cells.weights.astype(np.int64):
        x, y = np.repeat(cells.x, row), np.repeat(cells.y, row)
        flat = len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0
        made.append(np.nan if flat else float(stats.kendalltau(x, y).statistic))
    return np.array(made)
