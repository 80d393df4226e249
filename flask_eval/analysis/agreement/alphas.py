"""Krippendorff's alpha at four levels of measurement, with its value without each cluster.

The krippendorff package gives the point value, behind `alpha`. The jackknife and resamples use our own formulation
over counts of values, which tests hold against the package. Ordinal alpha is interval alpha of midranks, so nothing
here is quadratic in the number of ratings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats, Ints, compact, product, sums_by
from flask_eval.analysis.agreement.correlation import signed
from flask_eval.analysis.agreement.intervals import FISHER, Estimate, undefined
from flask_eval.analysis.agreement.sheet import Sheet

Level = Literal["nominal", "ordinal", "interval", "ratio"]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval", "ratio")
_PACKAGE = 4_000_000
_DENSE = 4_000_000
_PRODUCTS = 500_000_000
_MOST_RATIOS = 3000


def alpha(counts: Ints, values: Floats, level: Level) -> tuple[float | None, str]:
    """Krippendorff's alpha as the krippendorff package gives it (GPL-3.0-or-later; called from here only).

    Args:
        counts: (N, V) how many ratings of each unit have each value; units with fewer than two do not count.
        values: (V,) the values, ascending; on the nominal level any numbers that differ.
        level: the level of measurement.

    Returns:
        The value and "", or none and the reason: no unit with two ratings, all ratings equal, or negative scores on
        the ratio level. The package would raise or give nan.

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section D.
    """
    import krippendorff

    counts = counts[counts.sum(axis=1) > 1]
    seen = counts.any(axis=0)
    if why := _no_alpha(len(counts), int(seen.sum()), level, values[seen]):
        return None, why
    found = krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=level)
    return (float(found), "") if math.isfinite(found) else (None, "no disagreement is to be expected by chance")


def _no_alpha(units: int, different: int, level: Level, values: Floats) -> str:
    if not units:
        return "no unit has two ratings"
    if different < 2:
        return "all ratings equal"
    if level == "ratio" and values.min() < 0:
        return "a ratio scale has no negative scores"
    return ""


def alphas(sheet: Sheet, levels: Sequence[Level] = LEVELS, *, spread: bool = True) -> dict[Level, Estimate]:
    """Alpha at several levels of measurement.

    Args:
        sheet: ratings of N units in G clusters.
        levels: the levels.
        spread: whether intervals will be asked for.
    """
    pairs = sheet.pairable
    made: dict[Level, Estimate] = {}
    for level in levels:
        value, why = _value(pairs, level)
        if value is None:
            made[level] = undefined(why)
            continue
        left_out = _without_clusters(pairs, level) if spread else None
        made[level] = Estimate(value, "", left_out, pairs.clusters, transform=FISHER)
    return made


def _value(pairs: Sheet, level: Level) -> tuple[float | None, str]:
    width = pairs.score.distinct.size
    if why := _no_alpha(pairs.n_units, width, level, pairs.score.distinct):
        return None, why
    if pairs.n_units * width**2 <= _PACKAGE:
        return alpha(dense_counts(pairs), pairs.score.distinct, level)
    if level == "ratio" and width > _MOST_RATIOS:
        return None, f"more than {_MOST_RATIOS:,} different scores"
    return own_alpha(pairs, level), ""


def dense_counts(sheet: Sheet) -> Ints:
    """(N, V) how many ratings of each unit have each value."""
    made = np.zeros((sheet.n_units, sheet.score.distinct.size), np.int64)
    made[sheet.cells.unit, sheet.cells.value] = sheet.cells.count.astype(np.int64)
    return made


def own_alpha(pairs: Sheet, level: Level) -> float:
    """Alpha without the package, from counts of values.

    Args:
        pairs: units with at least two ratings each, and at least two values.
        level: the level of measurement.

    Source: Krippendorff (2011), section D: 1 - D_o / D_e with coincidences (c_k c_l - [k = l] c_k) / (m - 1); the
    ordinal difference of two values is that of their midranks.
    """
    count = float(len(pairs))
    observed = float(_observed(pairs, level, _scores(pairs, level)).sum())
    return 1 - observed * (count - 1) / float(_expected(pairs, level, _scores(pairs, level)))


def _scores(pairs: Sheet, level: Level) -> Floats:
    """(V,) the numbers whose squared differences are the level's: values about their mean, or twice centred midranks."""
    counts = pairs.score.counts
    return signed(counts) if level == "ordinal" else pairs.score.distinct - counts @ pairs.score.distinct / counts.sum()


def ratios(values: Floats) -> Floats:
    """(V, V) squared differences on the ratio level: ((a - b) / (a + b))^2, 0 where both are 0."""
    total = values[:, None] + values
    safe = np.where(total == 0, 1.0, total)
    return np.asarray(((values[:, None] - values) / safe) ** 2)


def _observed(pairs: Sheet, level: Level, scores: Floats) -> Floats:
    """(N,) the disagreement within each unit, over (m - 1)."""
    cells, size = pairs.cells, pairs.sizes
    if level == "nominal":
        total = size**2 - sums_by(cells.unit, pairs.n_units, cells.count**2)
    elif level == "ratio":
        total = _within_ratios(pairs)
    else:
        first = sums_by(cells.unit, pairs.n_units, cells.count * scores[cells.value])
        second = sums_by(cells.unit, pairs.n_units, cells.count * scores[cells.value] ** 2)
        total = 2 * (size * second - first**2)
    return np.asarray(total / (size - 1))


def _within_ratios(pairs: Sheet) -> Floats:
    """(N,) sums of the ratio level's differences over ordered pairs of a unit's values, lag by lag of its cells."""
    cells, values = pairs.cells, pairs.score.distinct[pairs.cells.value]
    made = np.zeros(pairs.n_units)
    longest = int(np.bincount(cells.unit).max(initial=0))
    for lag in range(1, longest):
        same = np.flatnonzero(cells.unit[lag:] == cells.unit[:-lag])
        difference = ((values[same + lag] - values[same]) / (values[same + lag] + values[same])) ** 2
        weight = 2 * cells.count[same] * cells.count[same + lag]
        made += sums_by(cells.unit[same], pairs.n_units, weight * difference)
    return made


def _expected(pairs: Sheet, level: Level, scores: Floats) -> float:
    """The disagreement among all ratings, over ordered pairs."""
    counts = pairs.score.counts
    total = counts.sum()
    if level == "nominal":
        return float(total**2 - counts @ counts)
    if level == "ratio":
        return float(counts @ ratios(pairs.score.distinct) @ counts)
    return float(2 * (total * (counts @ scores**2) - (counts @ scores) ** 2))


def _without_clusters(pairs: Sheet, level: Level) -> Floats:
    """(G,) alpha without each cluster."""
    left = len(pairs) - pairs.per_cluster(pairs.sizes)
    scores = _scores(pairs, level)
    if level == "ordinal":
        largest = max(pairs.n_clusters, pairs.n_units) * scores.size
        if largest > 2 * _DENSE or largest * scores.size > _PRODUCTS:
            return _ordinal_first_order(pairs, scores)
        observed, expected = _ordinal(pairs)
    else:
        observed = pairs.without(_observed(pairs, level, scores))
        expected = _expected_without(pairs, level, scores, left)
    with np.errstate(invalid="ignore", divide="ignore"):
        made = 1 - observed * (left - 1) / expected
    whole = _expected(pairs, level, scores)
    return np.where((left > 1) & (expected > 1e-12 * whole), made, np.nan)


def _expected_without(pairs: Sheet, level: Level, scores: Floats, left: Floats) -> Floats:
    counts, code = pairs.score.counts, pairs.score.code
    own = pairs.cluster[pairs.unit]
    if level == "interval":
        first, second = (
            (counts @ power) - sums_by(own, pairs.n_clusters, power[code]) for power in (scores, scores**2)
        )
        return np.asarray(2 * (left * second - first**2))
    width = counts.size
    key, _ = compact(own * width + code, pairs.n_clusters * width)
    if level == "nominal":
        moved = sums_by(own, pairs.n_clusters, 2 * counts[code] - np.bincount(key)[key])
        return np.asarray(left**2 - (counts @ counts - moved))
    difference = ratios(pairs.score.distinct)
    pushed = counts @ difference
    made = counts @ pushed - 2 * sums_by(own, pairs.n_clusters, pushed[code])
    if pairs.n_clusters * width <= _DENSE and pairs.n_clusters * width**2 <= _PRODUCTS:
        made += np.einsum("gv,gv->g", product(pairs.cluster_counts, difference), pairs.cluster_counts)
    return np.asarray(made)


def _ordinal(pairs: Sheet) -> tuple[Floats, Floats]:
    """(G,) observed and expected ordinal disagreement without each cluster; midranks are made anew for each."""
    left = pairs.score.counts - pairs.cluster_counts
    ranks = signed(left)
    counts, size = dense_counts(pairs).astype(np.float64), pairs.sizes
    weighted = counts / (size - 1)[:, None]
    every = (ranks**2) @ (size @ weighted) - np.einsum("gv,gv->g", product(ranks, weighted.T @ counts), ranks)
    score = ranks[pairs.cluster[pairs.unit], pairs.score.code]
    own = (size * pairs.per_unit(score**2) - pairs.per_unit(score) ** 2) / (size - 1)
    expected = 2 * left.sum(axis=1) * np.einsum("gv,gv->g", left, ranks**2)
    return 2 * (every - pairs.per_cluster(own)), expected


def _ordinal_first_order(pairs: Sheet, ranks: Floats) -> Floats:
    """(G,) ordinal alpha to the first order, for many different values (infinitesimal jackknife).

    A rating moves its own unit's disagreement, and the ranks of all other ratings by the sign of their difference.
    """
    code, size, total = pairs.score.code, pairs.sizes, float(len(pairs))
    cluster = pairs.cluster[pairs.unit]
    score = ranks[code]
    mean = (pairs.per_unit(score) / size)[pairs.unit]
    slope = 4 * (size / (size - 1))[pairs.unit] * (score - mean)
    pushed = -signed(sums_by(code, ranks.size, slope))[code]
    within = _observed(pairs, "ordinal", ranks)
    observed, expected = within.sum(), _expected(pairs, "ordinal", ranks)
    lost = sums_by(cluster, pairs.n_clusters)
    lost_observed = pairs.per_cluster(within) + sums_by(cluster, pairs.n_clusters, pushed)
    moved = score**2 - 2 * signed(pairs.score.counts * ranks)[code]
    lost_expected = 2 * total * sums_by(cluster, pairs.n_clusters, moved) + expected / total * lost
    value = 1 - observed * (total - 1) / expected
    relative = lost_observed / observed + lost / (total - 1) - lost_expected / expected if observed else 0.0 * lost
    return np.asarray(value + (1 - value) * relative)
