"""Intervals that leave out one cluster at a time (jackknife-t).

A percentile bootstrap is not enough at 50 instances; the jackknife with t quantiles, for correlations
on Fisher's z, is. Where there are many clusters, groups of them are left out (delete-a-group jackknife: Kott 2001).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import stats

from flask_eval.analysis.trust.panel import Floats, Ints
from flask_eval.analysis.trust.rows import Interval

Transform = Literal["plain", "fisher", "log"]
MOST_GROUPS = 200
FEWEST_GROUPS = 3
_THERE: dict[str, Callable[[Floats], Floats]] = {"plain": lambda x: x, "fisher": np.arctanh, "log": np.log}
_BACK: dict[str, Callable[[Floats], Floats]] = {"plain": lambda x: x, "fisher": np.tanh, "log": np.exp}


def groups_of(cluster: Ints, *, most: int = MOST_GROUPS, seed: int = 0) -> Ints:
    """The group (rows,) that is left out with each row: its cluster, or a random group of clusters where they are many.

    Args:
        cluster: (rows,) a number for the cluster.
        most: the most groups.
        seed: draws the groups.

    Source: Kott (2001), The delete-a-group jackknife, Journal of Official Statistics 17.
    """
    codes = np.unique(cluster, return_inverse=True)[1].astype(np.int64)
    count = int(codes.max()) + 1 if len(codes) else 0
    if count <= most:
        return codes
    place = np.random.default_rng(seed).permutation(count)
    return np.asarray((place % most)[codes], dtype=np.int64)


def leave_out_sums(columns: Floats, groups: Ints, count: int) -> Floats:
    """Sums of columns over all rows, then without each group.

    Args:
        columns: (rows, k).
        groups: (rows,) group numbers below `count`.
        count: how many groups there are.

    Returns:
        (count + 1, k); the first row is of all rows.
    """
    made = np.zeros((count + 1, columns.shape[1]))
    for k in range(columns.shape[1]):
        made[1:, k] = np.bincount(groups, columns[:, k], minlength=count)
    made[0] = made[1:].sum(axis=0)
    made[1:] = made[0] - made[1:]
    return made


def jackknife_interval(
    values: Floats,
    confidence: float | None,
    transform: Transform = "plain",
    bounds: Interval | None = None,
) -> tuple[Interval | None, str | None]:
    """The jackknife-t interval of a figure, or the reason why there is none.

    Args:
        values: (groups + 1,) the figure on everything, then without each group; NaN where undefined.
        confidence: 0.95 ...; none: no interval is wanted.
        transform: the scale on which the figure is near normal.
        bounds: ends that the interval may not pass.

    Returns:
        The interval and none, or none and the reason.

    Source: Efron and Stein (1981); Tukey's t with groups - 1 degrees of freedom; around the figure itself, on its
    transformed scale.
    """
    groups = len(values) - 1
    if confidence is None:
        return None, "no intervals were asked for"
    if not np.isfinite(values[0]):
        return None, "the figure is undefined"
    if groups < FEWEST_GROUPS:
        return None, f"{groups} cluster{'' if groups == 1 else 's'}: an interval needs {FEWEST_GROUPS}"
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = _THERE[transform](values)
    spread, why = _spread(moved)
    if why:
        return None, why
    reach = float(stats.t.ppf(0.5 + confidence / 2, groups - 1)) * spread
    low, high = (float(x) for x in _BACK[transform](np.array([moved[0] - reach, moved[0] + reach])))
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return (low, high), None


def _spread(moved: Floats) -> tuple[float, str]:
    """The jackknife standard error of figures (groups + 1,), or why there is none."""
    if not np.isfinite(moved[0]):
        return 0.0, "the figure is at the end of its range"
    if not np.isfinite(moved).all():
        return 0.0, "without one of the clusters the figure is undefined"
    groups = len(moved) - 1
    made = float(np.sqrt((groups - 1) / groups * ((moved[1:] - moved[1:].mean()) ** 2).sum()))
    flat = made <= 1e-12 * max(1.0, abs(float(moved[0])))
    return (0.0, "the figure does not vary between clusters") if flat else (made, "")


def method_name(groups: int, transform: Transform = "plain") -> str:
    """How an interval was made, in words."""
    scale = {"plain": "", "fisher": " on Fisher's z", "log": " on logarithms"}[transform]
    return f"jackknife-t{scale}, {groups} groups of clusters"
