"""Resamples of clusters, without a loop over ratings.

Two uses: the distribution of alpha itself (`alpha_draws`, `alpha_draws_of_units`), which stands as a check of the
jackknife intervals, and weights for what the jackknife cannot do, ranks of models by their means (`Weights`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from flask_eval.analysis.agreement.alphas import Level, dense_counts, ratios
from flask_eval.analysis.agreement.arrays import Floats, Ints
from flask_eval.analysis.agreement.correlation import signed
from flask_eval.analysis.agreement.sheet import Sheet

_MOST_GROUPS = 5000
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Weights:
    """How often each cluster of a study is drawn in each resample; the same for every measure of the study.

    More than 5,000 clusters are dealt into 5,000 groups at random, which are then resampled.
    """

    n_clusters: int
    resamples: int
    seed: int

    @cached_property
    def group(self) -> Ints:
        """(clusters,) the group of each cluster."""
        own = np.arange(self.n_clusters)
        if self.n_clusters <= _MOST_GROUPS:
            return own
        return np.asarray(np.random.default_rng(self.seed).permutation(own % _MOST_GROUPS))

    @property
    def n_groups(self) -> int:
        """How many groups are resampled."""
        return min(self.n_clusters, _MOST_GROUPS)

    @cached_property
    def _drawn(self) -> npt.NDArray[np.uint16]:
        rng = np.random.default_rng(self.seed)
        made = np.empty((self.resamples, self.n_groups), np.uint16)
        for row in made:
            row[:] = np.bincount(rng.integers(0, self.n_groups, self.n_groups), minlength=self.n_groups)
        return made

    def of_sums(self, sums: Floats) -> Floats:
        """(B, K) sums over the drawn clusters, from (groups, K) sums over each group."""
        made = np.empty((self.resamples, sums.shape[1]))
        block = max(_BLOCK // max(self.n_groups, 1), 1)
        for start in range(0, self.resamples, block):
            part = self._drawn[start : start + block].astype(np.float64)
            made[start : start + block] = part @ sums
        return made


def draw_clusters(n_clusters: int, resamples: int, seed: int) -> npt.NDArray[np.int32]:
    """(B, G) which clusters each resample draws, with replacement."""
    return np.random.default_rng(seed).integers(0, n_clusters, (resamples, n_clusters), np.int32)


def _coincidences(pairs: Sheet) -> tuple[Floats, tuple[Ints, Ints]]:
    """(N, V(V+1)/2) each unit's coincidences, and the values of each column.

    Both orders of two different values stand in one column; n_k is the sum of row k of the full matrix.
    """
    counts = dense_counts(pairs).astype(np.float64)
    first, second = np.triu_indices(counts.shape[1])
    products = counts[:, first] * (counts[:, second] - (first == second))
    return products / (pairs.sizes - 1)[:, None], (first, second)


def _alpha_of_coincidences(sums: Floats, columns: tuple[Ints, Ints], values: Floats, level: Level) -> Floats:
    """(B,) alpha from (B, V(V+1)/2) coincidences; NaN where all ratings of a resample are equal."""
    first, second = columns
    marginal = np.zeros((values.size, first.size))
    marginal[first, np.arange(first.size)] = 1
    marginal[second, np.arange(first.size)] = 1
    count = sums @ marginal.T
    total = count.sum(axis=1)
    if level == "ordinal":
        ranks = signed(count)
        difference = (ranks[:, first] - ranks[:, second]) ** 2
    elif level == "interval":
        difference = ((values[first] - values[second]) ** 2)[None]
    elif level == "ratio":
        difference = ratios(values)[first, second][None]
    else:
        difference = (first != second).astype(np.float64)[None]
    observed = (sums * difference).sum(axis=1)
    expected = (count[:, first] * count[:, second] * difference).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - (total - 1) * observed / expected, np.nan)


def alpha_draws(sheet: Sheet, level: Level, draws: Ints | npt.NDArray[np.int32]) -> Floats:
    """Alpha in each resample of the clusters.

    Args:
        sheet: ratings in G clusters; units with fewer than two do not count.
        level: the level of measurement.
        draws: (B, G) which clusters each resample draws: `draw_clusters`.

    Returns:
        (B,) the same numbers as alpha of the drawn units, to rounding; NaN where all of them are equal. A cluster
        counts as often as it is drawn; one without a unit that has two ratings adds nothing.
    """
    pairs = sheet.pairable
    own, columns = _coincidences(pairs)
    by_cluster = np.zeros((sheet.n_clusters, own.shape[1]))
    place = np.searchsorted(sheet.clusters, pairs.clusters)[pairs.cluster]
    np.add.at(by_cluster, place, own)
    sums = np.empty((len(draws), own.shape[1]))
    columns_first = np.ascontiguousarray(by_cluster.T)
    for number, row in enumerate(draws):
        # not a matrix product: its threads would cost more than they save, least of all on a busy machine
        drawn = np.bincount(row, minlength=sheet.n_clusters).astype(np.float64)
        sums[number] = np.einsum("g,kg->k", drawn, columns_first)
    return _alpha_of_coincidences(sums, columns, pairs.score.distinct, level)


def alpha_draws_of_units(sheet: Sheet, level: Level, *, resamples: int, seed: int) -> Floats:
    """The same where every unit is its own cluster: how often each distinct pattern of ratings is drawn is multinomial.

    The distribution is that of `alpha_draws`, the draws are others; the time hardly depends on the number of units.
    """
    pairs = sheet.pairable
    first, times = _patterns(dense_counts(pairs))
    own, columns = _coincidences(pairs.only(np.isin(np.arange(pairs.n_units), first)))
    drawn = np.random.default_rng(seed).multinomial(pairs.n_units, times / pairs.n_units, resamples)
    return _alpha_of_coincidences(drawn @ own, columns, pairs.score.distinct, level)


def _patterns(counts: Ints) -> tuple[Ints, Ints]:
    """A unit of each distinct row of counts, in order, and how many units have it."""
    base = int(counts.max(initial=0)) + 1
    if base ** counts.shape[1] < 1 << 62:
        key = counts @ base ** np.arange(counts.shape[1])
        _, first, times = np.unique(key, return_index=True, return_counts=True)
    else:
        _, first, times = np.unique(counts, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], times[order]
