"""Estimates and their intervals: cluster jackknife with t quantiles, and the cluster bootstrap where that fails.

The default is the delete-one-cluster jackknife: every measure is computed anew without each cluster in turn, its
standard error is carried to a scale on which the measure is nearly normal, and the quantile is Student's, with the
degrees of freedom that the spread of the pseudo-values supports. On ratings from 1 to 5 this covers its nominal 95%
at 50 instances where a percentile bootstrap does not (`benchmarks/agreement_coverage.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from flask_eval.analysis.agreement.arrays import Floats, Ints, sums_by

NO_OVERLAP = "no unit has both scores"
MIN_CLUSTERS = 5
"""Fewer clusters than this give no interval."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A scale on which a measure is nearly normal; the standard error is carried to it by the delta method."""

    name: str
    """What methods say about it."""
    forward: Callable[[float], float]
    """From the measure to the scale."""
    slope: Callable[[float], float]
    """The derivative of `forward`."""
    inverse: Callable[[float], float]
    """Back from the scale."""
    ends: tuple[float, float] = (-math.inf, math.inf)
    """Between which the measure must lie for the scale to be of use."""


IDENTITY = Transform("t", lambda x: x, lambda _: 1.0, lambda z: z)
"""Means and differences."""

FISHER = Transform("t on Fisher's z", math.atanh, lambda r: 1 / (1 - r * r), math.tanh, (-1.0, 1.0))
"""Coefficients between -1 and 1 (Fisher 1921)."""

SHARE = Transform("Wilson's interval with the effective n", lambda p: p, lambda _: 1.0, lambda p: p)
"""Shares between 0 and 1: see `_wilson`."""


def variance_ratio(size: float, *, single: bool) -> Transform:
    """The scale of an intraclass correlation: the logarithm of F, the ratio of its two mean squares.

    Args:
        size: ratings a unit (`n_0` where they differ).
        single: whether it is that of a single rating, (F-1)/(F+size-1), or of their mean, 1-1/F.

    Source: McGraw and Wong (1996), Table 7, where the interval of F is carried over in the same way.
    """
    if single:
        return Transform(
            "t on log F",
            lambda r: math.log((1 + (size - 1) * r) / (1 - r)),
            lambda r: size / ((1 - r) * (1 + (size - 1) * r)),
            lambda z: 1 - size / (_exp(z) + size - 1),
            (-1 / (size - 1), 1.0),
        )
    return Transform(
        "t on log F", lambda r: -math.log(1 - r), lambda r: 1 / (1 - r), lambda z: 1 - _exp(-z), (-math.inf, 1.0)
    )


def _exp(z: float) -> float:
    return math.exp(min(max(z, -50.0), 50.0))


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A measure's value with what its interval needs, or the reason why there is none."""

    value: float | None
    """The value; none where it is undefined."""
    reason: str = ""
    """Why it is undefined, in words; empty where it is defined."""
    left_out: Floats | None = None
    """(G,) its value without each cluster in turn; none where no interval is asked for."""
    clusters: Ints | None = None
    """(G,) which cluster each `left_out` leaves out."""
    draws: Floats | None = None
    """(B,) its value in each resample of the clusters; used in place of `left_out`."""
    transform: Transform = IDENTITY
    """The scale of its jackknife interval."""


def undefined(reason: str) -> Estimate:
    """An estimate that does not exist, and why."""
    return Estimate(None, reason)


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, or the reason why there is none."""

    low: float | None
    high: float | None
    method: str
    """How it was made; where `low` is none, why it could not be."""

    @property
    def ends(self) -> tuple[float, float] | None:
        """(low, high), or none."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def interval_of(estimate: Estimate, confidence: float = 0.95) -> Interval:
    """The interval of a defined estimate.

    Args:
        estimate: with `left_out` (jackknife) or `draws` (bootstrap).
        confidence: the nominal coverage, between 0 and 1.

    Returns:
        The interval; without ends, and with the reason as `method`, where it cannot be made: fewer than five
        clusters, no difference between them, a perfect coefficient, or a measure that hangs on one cluster.
    """
    if estimate.value is None:
        return Interval(None, None, estimate.reason)
    if estimate.draws is not None:
        return _two_sided_bootstrap(estimate.value, estimate.draws, confidence)
    if estimate.left_out is None:
        return Interval(None, None, "no interval was asked for")
    return _jackknife(estimate.value, estimate.left_out, estimate.transform, confidence)


def _jackknife(value: float, left_out: Floats, transform: Transform, confidence: float) -> Interval:
    if left_out.size < MIN_CLUSTERS:
        return Interval(None, None, f"fewer than {MIN_CLUSTERS} clusters")
    if not np.isfinite(left_out).all():
        return Interval(None, None, "without one of the clusters the measure is undefined: it hangs on that cluster")
    error, df = standard_error(left_out)
    quantile = float(stdtrit(df, (1 + confidence) / 2))
    method = f"cluster jackknife, {transform.name}"
    if transform is SHARE:
        return _wilson(value, error, left_out.size, quantile, method)
    if error < 1e-12 or not transform.ends[0] + 1e-9 < value < transform.ends[1] - 1e-9:
        return Interval(None, None, _NO_SPREAD)
    middle, half = transform.forward(value), quantile * error * transform.slope(value)
    return Interval(transform.inverse(middle - half), transform.inverse(middle + half), method)


_NO_SPREAD = "no two clusters differ, or the value is at the end of its scale: the spread tells nothing"


def standard_error(left_out: Floats) -> tuple[float, float]:
    """Standard error and degrees of freedom from the values without each cluster.

    Args:
        left_out: (G,) values without each cluster in turn; G of at least 4.

    Returns:
        The jackknife's standard error (Tukey 1958), and Satterthwaite's degrees of freedom, 2 / (2/(G-1) + k/G) with
        k the unbiased excess kurtosis of the pseudo-values, not below 0 (Box 1953): where few clusters carry the
        spread, its own estimate is uncertain, and the quantile grows.
    """
    count = left_out.size
    spread = left_out - left_out.mean()
    square = float((spread**2).mean())
    error = math.sqrt((count - 1) * square)
    if square <= 0:
        return 0.0, float(count - 1)
    excess = float((spread**4).mean()) / square**2 - 3
    unbiased = (count - 1) / ((count - 2) * (count - 3)) * ((count + 1) * excess + 6)
    return error, 2 / (2 / (count - 1) + max(unbiased, 0.0) / count)


def _wilson(share: float, error: float, clusters: int, quantile: float, method: str) -> Interval:
    """Wilson's interval with the number of independent pairs that the clusters are worth.

    Where all agree (or none), a cluster counts as one pair. Sources: Wilson (1927); Korn and Graubard (1998) for the
    effective number in clustered data.
    """
    if error < 1e-12 and 1e-12 < share < 1 - 1e-12:
        return Interval(None, None, _NO_SPREAD)
    worth = clusters if error < 1e-12 else share * (1 - share) / error**2
    if not math.isfinite(worth) or worth <= 1e-12:
        return Interval(None, None, _NO_SPREAD)
    square = quantile**2 / worth
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(max(share * (1 - share) * square + square**2 / 4, 0.0)) / (1 + square)
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0), method)


def _two_sided_bootstrap(value: float, draws: Floats, confidence: float) -> Interval:
    """The percentile interval of the resamples joined with its mirror image about the value.

    Noise in the models' means pulls a correlation between them towards 0, and in a resample it does so once more: the
    percentile interval lies too low, its mirror image makes up for it.
    """
    known = draws[np.isfinite(draws)]
    if known.size < max(20, draws.size // 2):
        return Interval(None, None, "in most resamples the measure is undefined")
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = float(min(low, 2 * value - high)), float(max(high, 2 * value - low))
    if high - low < 1e-12:
        return Interval(None, None, "all resamples give the same value, so their spread tells nothing")
    return Interval(max(low, -1.0), min(high, 1.0), "cluster bootstrap, percentiles and their mirror image")


def cluster_mean(values: Floats, cluster: Ints, *, transform: Transform = IDENTITY, spread: bool = True) -> Estimate:
    """The mean of values, with its value without each cluster.

    Args:
        values: (n,) numbers.
        cluster: (n,) which cluster each belongs to, 0 .. G-1, each of which occurs.
        transform: the scale of its interval: `IDENTITY`, `FISHER` for coefficients, `SHARE` for what is 0 or 1.
        spread: whether an interval will be asked for.
    """
    if not values.size:
        return undefined("there are no values")
    mean = float(values.mean())
    if not spread:
        return Estimate(mean, transform=transform)
    clusters = int(cluster.max()) + 1
    count, sums = sums_by(cluster, clusters), sums_by(cluster, clusters, values - mean)
    rest = values.size - count
    left_out = np.where(rest > 0, mean - sums / np.maximum(rest, 1), np.nan)
    return Estimate(mean, left_out=left_out, transform=transform)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of several estimates from the same study; those that are undefined do not count.

    A cluster that one of them does not have, or whose loss would leave it undefined, does not move it.
    """
    known = [estimate for estimate in estimates if estimate.value is not None]
    if not known:
        reasons = [estimate.reason for estimate in estimates]
        return undefined(next((why for why in reasons if why != NO_OVERLAP), NO_OVERLAP))
    return _combined(known, [1 / len(known)] * len(known), known[0].transform)


def difference_of(first: Estimate, second: Estimate) -> Estimate:
    """One estimate less another from the same study; its interval is on their own scale."""
    if first.value is None or second.value is None:
        return undefined(first.reason or second.reason)
    return _combined([first, second], [1.0, -1.0], IDENTITY)


def _combined(estimates: Sequence[Estimate], weights: Sequence[float], transform: Transform) -> Estimate:
    terms = [(e.value, weight) for e, weight in zip(estimates, weights, strict=True) if e.value is not None]
    value = math.fsum(one * weight for one, weight in terms)
    draws = [e.draws for e in estimates if e.draws is not None]
    if len(draws) == len(estimates):
        return Estimate(value, draws=np.tensordot(weights, draws, 1), transform=transform)
    left = [(e.left_out, e.clusters) for e in estimates if e.left_out is not None and e.clusters is not None]
    if len(left) < len(estimates):
        return Estimate(value, transform=transform)
    every = np.unique(np.concatenate([clusters for _, clusters in left]))
    moved = np.zeros(every.size)
    for (left_out, clusters), (own, weight) in zip(left, terms, strict=True):
        moved[np.searchsorted(every, clusters)] += weight * np.nan_to_num(left_out - own, posinf=0.0, neginf=0.0)
    return Estimate(value, left_out=value + moved, clusters=every, transform=transform)
