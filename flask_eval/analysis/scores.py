"""Means of ratings, and how sure they are.

**The interval.** Ratings of one instance (its skills, samples, models) are not independent, so the variance of a mean
is that of its clusters' sums: every statistic here is a sum of influences (for a mean, `(score - mean) / N` of each
rating), its variance is `G / (G - 1)` times the sum over G clusters of their squared sums, and the interval is
Student's t with G - 1 degrees of freedom (Liang and Zeger 1986, Biometrika 73:13-22; for language models Miller 2024,
arXiv 2411.00640). With one rating a cluster it is the ordinary t interval. It is cut off at the ends of the scale.

**All scores equal.** The variance is 0 then, and an interval of width 0 would claim that no other score can occur.
None of G clusters differed, so at most the share `1 - (1 - confidence) ** (1 / G)` of all clusters does (the exact form
of the rule of three; Hanley and Lippman-Hand 1983, JAMA 249:1743-1745), and each of those by no more than the scale
allows: `low = mean - share * (mean - lowest)`, `high = mean + share * (highest - mean)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flask_eval.analysis.coding import Floats, Ints
from flask_eval.errors import UserError

METHOD = (
    "mean over ratings (samples are ratings of their own); interval: Student's t on cluster-robust standard errors, "
    "clusters are instances; no resampling, so the seed has no influence"
)
NOT_ASKED = "no interval was asked for"


def compact(key: Ints, size: int) -> tuple[Ints, Ints]:
    """The distinct keys in order, and the position of each key among them; `size` is above every key."""
    if size > max(1 << 22, 8 * key.size):
        found, inverse = np.unique(key, return_inverse=True)
        return found, inverse
    present = np.bincount(key, minlength=size) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[key]


def count_distinct(group: Ints, other: Ints, n_groups: int, n_others: int) -> Ints:
    """How many different `other` each group has."""
    pairs, _ = compact(group * n_others + other, n_groups * n_others)
    return np.bincount(pairs // max(n_others, 1), minlength=n_groups)


class Spread(NamedTuple):
    """Standard errors of groups, and the clusters behind them."""

    error: Floats
    clusters: Ints


def cluster_spread(influence: Floats, group: Ints, cluster: Ints, n_groups: int, n_clusters: int) -> Spread:
    """Cluster-robust standard errors of statistics that are sums of influences.

    Args:
        influence: one a rating; they sum to 0 within a group.
        group: the group of each rating, below `n_groups`.
        cluster: the cluster of each rating, below `n_clusters`.
        n_groups: how many groups there are.
        n_clusters: how many clusters there are.

    Returns:
        NaN where a group has fewer than two clusters.
    """
    pairs, inverse = compact(group * n_clusters + cluster, n_groups * n_clusters)
    sums = np.bincount(inverse, influence, pairs.size)
    owner = pairs // max(n_clusters, 1)
    clusters = np.bincount(owner, minlength=n_groups)
    squares = np.bincount(owner, sums**2, n_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = squares * clusters / (clusters - 1)
    return Spread(np.sqrt(np.where(clusters > 1, variance, np.nan)), clusters)


class Interval(NamedTuple):
    """An interval, how it was made (`t`, `equal` or empty), and why there is none."""

    low: float | None
    high: float | None
    method: str
    reason: str


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is none.

    Raises:
        UserError: it does not lie between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise UserError(f"--confidence {confidence}: must lie between 0 and 1; 0.95 is usual")


def intervals(
    mean: Floats,
    spread: Spread,
    ends: list[tuple[float, float] | None],
    confidence: float,
) -> list[Interval]:
    """The interval of each mean; see the module's head for both methods.

    Args:
        mean: one a group; NaN where there is none.
        spread: the groups' standard errors and clusters.
        ends: lowest and highest score of each group, where known.
        confidence: between 0 and 1.
    """
    from scipy.special import stdtrit

    degrees = np.maximum(spread.clusters - 1, 1)
    half = stdtrit(degrees, (1 + confidence) / 2) * spread.error
    equal = spread.error <= 1e-12 * np.maximum(1, np.abs(mean))
    share = 1 - (1 - confidence) ** (1 / np.maximum(spread.clusters, 1))
    made = []
    for k in range(mean.size):
        scale = ends[k]
        value = float(mean[k])
        if np.isnan(value):
            made.append(Interval(None, None, "", "no rating is scored"))
        elif spread.clusters[k] < 2:
            made.append(Interval(None, None, "", "one instance (cluster) only: nothing shows how much others differ"))
        elif not equal[k]:
            low, high = value - float(half[k]), value + float(half[k])
            low, high = (low, high) if scale is None else (max(low, scale[0]), min(high, scale[1]))
            made.append(Interval(low, high, "t", ""))
        elif scale is None:
            made.append(Interval(None, None, "", "all instances have the same mean, and the scale is not known"))
        else:
            part = float(share[k])
            low, high = value - part * (value - scale[0]), value + part * (scale[1] - value)
            made.append(Interval(low, high, "equal", ""))
    return made


def share_at_end(score: Floats, group: Ints, ends: Sequence[tuple[float, float] | None]) -> list[float | None]:
    """The share of each group's scores at the fuller end of its scale; None without a scale or a score."""
    size = len(ends)
    count = np.bincount(group, minlength=size)
    full = np.zeros(size)
    for side in (0, 1):
        edge = np.array([np.nan if pair is None else pair[side] for pair in ends], np.float64)
        full = np.maximum(full, np.bincount(group[score == edge[group]], minlength=size))
    return [None if ends[k] is None or not count[k] else float(full[k] / count[k]) for k in range(size)]
