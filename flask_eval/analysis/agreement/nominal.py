"""Chance-corrected agreement on categories: percent, Fleiss, Conger, Scott, Gwet's AC1, Brennan-Prediger.

All share the percent agreement of units that have two ratings or more, and differ in what they take for chance. As in
irrCAC, a unit with a single rating still counts for how often each category is used (Fleiss, AC1, Conger).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats, compact, sums_by, table_by
from flask_eval.analysis.agreement.intervals import FISHER, SHARE, Estimate, undefined
from flask_eval.analysis.agreement.sheet import Sheet

CATEGORY_MEASURES = ("percent", "fleiss", "conger", "scott", "ac1", "brennan_prediger")
"""Measures of categories, whatever their order."""
_CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class _Shares:
    """What the measures are made of, over all units and without each cluster in turn (first axis 1 + G, or 1)."""

    percent: Floats
    """(A,) percent agreement."""
    category: Floats
    """(A, V) mean share of each category over units."""
    paired: Floats
    """(A, V) the same over units with two ratings or more."""
    n_categories: int


def category_measures(
    sheet: Sheet, *, n_categories: int | None = None, identified: bool = True, spread: bool = True
) -> dict[str, Estimate]:
    """Percent agreement and its chance-corrected forms.

    Args:
        sheet: ratings of N units in G clusters.
        n_categories: how many categories the scale has; none: as many as occur.
        identified: whether a rater's number means the same rater on every unit; else Conger's kappa is undefined.
        spread: whether intervals will be asked for.

    Returns:
        The `CATEGORY_MEASURES`. Scott's pi is defined for two raters; with more, Fleiss' kappa is its extension.

    Sources: Fleiss (1971); Conger (1980); Scott (1955); Gwet (2008), equation 5; Brennan and Prediger (1981); missing
    ratings as in Gwet (2014), chapter 2.
    """
    pairs = sheet.pairable
    if not pairs.n_units:
        return dict.fromkeys(CATEGORY_MEASURES, undefined("no unit has two ratings"))
    shares = _shares(sheet, n_categories, spread=spread)
    whole, clusters = shares.percent, sheet.clusters
    equal = sheet.score.distinct.size < 2
    chance: dict[str, Callable[[], Floats]] = {
        "fleiss": lambda: np.einsum("gv,gv->g", shares.category, shares.category),
        "conger": lambda: _conger(sheet, spread=spread),
        "scott": lambda: np.einsum("gv,gv->g", shares.paired, shares.paired),
        "ac1": lambda: np.einsum("gv,gv->g", shares.category, 1 - shares.category) / (shares.n_categories - 1),
        "brennan_prediger": lambda: np.full(whole.size, 1 / shares.n_categories),
    }
    made = {"percent": Estimate(float(whole[0]), "", whole[1:] if spread else None, clusters, transform=SHARE)}
    for name in CATEGORY_MEASURES[1:]:
        if why := _no_measure(name, sheet, equal=equal, identified=identified, n_categories=shares.n_categories):
            made[name] = undefined(why)
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            by_chance = chance[name]()
            corrected = np.where(1 - by_chance > 1e-12, (whole - by_chance) / (1 - by_chance), np.nan)
        if not np.isfinite(corrected[0]):
            made[name] = undefined("no disagreement is to be expected by chance")
            continue
        made[name] = Estimate(float(corrected[0]), "", corrected[1:] if spread else None, clusters, transform=FISHER)
    return made


def _no_measure(name: str, sheet: Sheet, *, equal: bool, identified: bool, n_categories: int) -> str:
    if name == "conger" and not identified:
        return "ratings are places in a list, not raters with shares of their own"
    raters = np.unique(sheet.rater).size
    if name == "scott" and raters != 2:
        return f"defined for two raters, not {raters}; with more, Fleiss' kappa is its extension"
    if n_categories < 2 or (equal and name in ("fleiss", "conger", "scott")):
        return "all ratings equal"
    return ""


def _shares(sheet: Sheet, n_categories: int | None, *, spread: bool) -> _Shares:
    cells, size = sheet.cells, sheet.sizes
    several = size > 1
    agree = sums_by(cells.unit, sheet.n_units, cells.count * (cells.count - 1))
    agree = np.where(several, agree / np.maximum(size * (size - 1), 1), 0.0)
    share = cells.count / size[cells.unit]
    occurring = sheet.score.distinct.size
    return _Shares(
        percent=_ratio(sheet, agree, np.where(several, 1.0, 0.0), spread=spread),
        category=_category_shares(sheet, share, np.ones(sheet.n_units), spread=spread),
        paired=_category_shares(sheet, share, np.where(several, 1.0, 0.0), spread=spread),
        n_categories=max(n_categories or 0, occurring),
    )


def _ratio(sheet: Sheet, above: Floats, below: Floats, *, spread: bool) -> Floats:
    """(1 + G,) the ratio of two sums over units, and without each cluster."""
    whole = np.array([above.sum() / below.sum()])
    if not spread:
        return whole
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.concatenate([whole, sheet.without(above) / sheet.without(below)]))


def _category_shares(sheet: Sheet, share: Floats, counted: Floats, *, spread: bool) -> Floats:
    """(1 + G, V) mean share of each category over the units that count, and without each cluster."""
    cells, width = sheet.cells, sheet.score.distinct.size
    weight = share * counted[cells.unit]
    total = sums_by(cells.value, width, weight)
    whole = np.asarray((total / counted.sum())[None])
    if not spread:
        return whole
    own = table_by(sheet.cluster[cells.unit], cells.value, (sheet.n_clusters, width), weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.concatenate([whole, (total - own) / sheet.without(counted)[:, None]]))


def _conger(sheet: Sheet, *, spread: bool) -> Floats:
    """(1 + G,) agreement expected by chance from each rater's own shares, over all pairs of different raters."""
    rater, names = compact(sheet.rater, int(sheet.rater.max(initial=-1)) + 1)
    width, raters = sheet.score.distinct.size, names.size
    key = rater * width + sheet.score.code
    whole = sums_by(key, raters * width).reshape(1, raters, width)
    made = [_by_raters(whole)]
    if spread:
        cluster = sheet.cluster[sheet.unit]
        order = np.argsort(cluster, kind="stable")
        ends = np.searchsorted(cluster[order], np.arange(sheet.n_clusters + 1))
        block = max(_CHUNK // (raters * width), 1)
        for start in range(0, sheet.n_clusters, block):
            stop = min(start + block, sheet.n_clusters)
            where = order[ends[start] : ends[stop]]
            own = table_by(cluster[where] - start, key[where], (stop - start, raters * width))
            made.append(_by_raters(whole - own.reshape(-1, raters, width)))
    return np.concatenate(made)


def _by_raters(counts: Floats) -> Floats:
    """(A,) from (A, raters, V) counts; a rater who is left out with a cluster does not count."""
    total = counts.sum(axis=2, keepdims=True)
    there = (total > 0).sum(axis=(1, 2))
    shares = counts / np.maximum(total, 1)
    every = shares.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(((every**2).sum(axis=1) - (shares**2).sum(axis=(1, 2))) / (there * (there - 1)))
