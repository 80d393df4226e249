"""P values, intervals, equivalence, and what could have been found."""

from __future__ import annotations

import numpy as np

from flask_eval.analysis.coding import Floats, Ints, Mask
from flask_eval.analysis.comparing.estimates import Differences

EQUAL = 1e-12


def constant(found: Differences) -> Mask:
    """Which differences are the same in every cluster, so that nothing was seen of how much they vary."""
    return np.asarray(found.error <= EQUAL * np.maximum(1, np.abs(found.difference)))


def p_values(found: Differences) -> Floats:
    """Two-sided p of each difference; NaN where there is no error.

    From Student's t, but never below `2 ** (1 - K)` with K clusters whose difference is not 0: no permutation of signs of K
    differences can give less, and t is too sure where few differ.
    """
    return two_sided(found.difference, found.error, found.degrees, 2.0 ** (1 - np.maximum(found.moved, 1)))


def two_sided(difference: Floats, error: Floats, degrees: Floats, floor: Floats) -> Floats:
    """Student's t, not below `floor`; where nothing varies the floor itself; NaN without an error."""
    from scipy.special import stdtr

    same = error <= EQUAL * np.maximum(1, np.abs(difference))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stdtr(degrees, -np.abs(difference / np.where(same, np.nan, error)))
    p = np.where(same, floor, np.maximum(p, floor))
    return np.where(np.isnan(error) | np.isnan(difference), np.nan, np.minimum(p, 1.0))


def p_equivalent(found: Differences, margin: float, span: float | None) -> Floats:
    """P of two one-sided tests that a difference lies within +-margin (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657-680).

    Never below what an unseen kind of cluster could hide: had a share pi of all clusters a difference that is further off by the
    largest deviation that was seen, with pi just large enough to move the mean to the margin, then none of G would show it with
    probability `(1 - pi) ** G`; nor below `2 ** -G`. Where no deviation was seen, the scale's whole span stands for it.

    Args:
        found: the differences.
        margin: above 0.
        span: highest less lowest score; None where not known.

    Returns:
        NaN where there is no error, or where all differences are equal and the span is not known.
    """
    from scipy.special import stdtr

    same = constant(found)
    reach = np.where(same, np.nan if span is None else span + np.abs(found.difference), found.deviation)
    worst = np.zeros(found.difference.shape)
    for gap in (margin - found.difference, margin + found.difference):
        with np.errstate(invalid="ignore", divide="ignore"):
            p = stdtr(found.degrees, -gap / np.where(same, np.nan, found.error))
            hidden = (1 - np.clip(gap / reach, 0, 1)) ** found.clusters
        p = np.where(same, 0.0, p)
        floor = np.maximum(hidden, 2.0 ** -np.minimum(found.clusters, 1000))
        worst = np.maximum(worst, np.where(gap > 0, np.maximum(p, floor), np.maximum(p, np.where(same, 1.0, 0.5))))
    return np.where(np.isnan(found.error) | np.isnan(found.difference), np.nan, worst)


def limits(
    value: Floats,
    error: Floats,
    degrees: Floats,
    clusters: Ints,
    ends: tuple[float, float] | None,
    confidence: float,
) -> tuple[Floats, Floats, Mask]:
    """Interval ends, by Student's t, cut off at the ends of what is possible; and which were made without any variation.

    Where nothing varied: the exact rule of three, as for means (`scores`). NaN where there is no interval.
    """
    from scipy.special import stdtrit

    half = stdtrit(degrees, (1 + confidence) / 2) * error
    low, high = value - half, value + half
    same = np.asarray(error <= EQUAL * np.maximum(1, np.abs(value)))
    if ends is None:
        return np.where(same, np.nan, low), np.where(same, np.nan, high), same
    share = 1 - (1 - confidence) ** (1 / np.maximum(clusters, 1))
    low = np.where(same, value - share * (value - ends[0]), np.maximum(low, ends[0]))
    high = np.where(same, value + share * (ends[1] - value), np.minimum(high, ends[1]))
    return low, high, same


def detectable(error: Floats, degrees: Floats, clusters: Ints, level: float, power: float = 0.8) -> Floats:
    """The difference that is found with this power at this two-sided level; NaN where none could be.

    `(t[1 - level / 2] + t[power]) * error`. With so few clusters that no p can be as low as the level, nothing can be found.
    """
    from scipy.special import stdtrit

    found = (stdtrit(degrees, 1 - level / 2) + stdtrit(degrees, power)) * error
    return np.where((2.0 ** (1 - np.maximum(clusters, 1)) > level) | ~(error > 0), np.nan, found)
