"""The one-way random intraclass correlation, of a single rating and of the mean of a unit's ratings."""

from __future__ import annotations

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats
from flask_eval.analysis.agreement.intervals import Estimate, undefined, variance_ratio
from flask_eval.analysis.agreement.sheet import Sheet


def components(sheet: Sheet, *, spread: bool = True) -> tuple[Floats, Floats, Floats]:
    """Mean squares between and within units, and ratings a unit.

    Args:
        sheet: ratings of N units in G clusters; units with fewer than two do not count.
        spread: whether values without each cluster are wanted.

    Returns:
        (1 + G,) or (1,) each: over all units, and without each cluster. Ratings a unit is
        n_0 = (n - sum m^2 / n) / (N - 1) where sizes m differ.

    Source: Shrout and Fleiss (1979), ICC(1,1) and ICC(1,k); n_0 as in Searle, Casella and McCulloch (1992), 3.6.
    """
    score = sheet.score.numbers
    score = score - score.mean()
    first, second, size = sheet.per_unit(score), sheet.per_unit(score**2), sheet.sizes
    sums = np.array([np.ones(sheet.n_units), size, size**2, first, second, first**2 / size]) * (size > 1)
    total = sums.sum(axis=1, keepdims=True)
    if spread:
        total = np.concatenate([total, np.array([sheet.without(row) for row in sums])], axis=1)
    total[:, total[4] - total[3] ** 2 / np.maximum(total[1], 1) <= 1e-12 * total[4, 0]] = np.nan
    units, ratings, squares, first, second, between = total
    with np.errstate(invalid="ignore", divide="ignore"):
        return (
            np.maximum(between - first**2 / ratings, 0) / (units - 1),
            np.maximum(second - between, 0) / (ratings - units),
            (ratings - squares / ratings) / (units - 1),
        )


def icc(sheet: Sheet, *, spread: bool = True) -> dict[str, Estimate]:
    """`icc_single` and `icc_mean`.

    Args:
        sheet: ratings of N units in G clusters; units with fewer than two do not count.
        spread: whether intervals will be asked for.

    Returns:
        Undefined with fewer than two units, or where all ratings are equal. Both may be negative.
    """
    pairs = sheet.pairable
    names = ("icc_single", "icc_mean")
    if pairs.n_units < 2 or pairs.score.distinct.size < 2:
        why = "all ratings equal" if pairs.n_units >= 2 else "fewer than two units have two ratings"
        return dict.fromkeys(names, undefined(why if pairs.n_units else "no unit has two ratings"))
    between, within, size = components(pairs, spread=spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        flat = between <= 1e-12 * within
        values = (
            (between - within) / (between + (size - 1) * within),
            np.where(flat, np.nan, (between - within) / between),
        )
    made = {}
    for name, value in zip(names, values, strict=True):
        if flat[0] and name == "icc_mean":
            made[name] = undefined("the units' means are all equal")
            continue
        transform = variance_ratio(float(size[0]), single=name == "icc_single")
        left_out = value[1:] if spread else None
        made[name] = Estimate(float(value[0]), "", left_out, pairs.clusters, transform=transform)
    return made
