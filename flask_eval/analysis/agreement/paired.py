"""Two sides' scores of the same things."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats, Ints, compact, sums_by


@dataclass(frozen=True, eq=False)
class Codes:
    """Numbers as positions in their distinct values."""

    code: Ints
    """(n,) positions in `distinct`."""
    distinct: Floats
    """(V,) the distinct values, ascending."""

    @property
    def numbers(self) -> Floats:
        """(n,) the numbers themselves."""
        return np.asarray(self.distinct[self.code])

    @cached_property
    def counts(self) -> Floats:
        """(V,) how often each value occurs."""
        return sums_by(self.code, self.distinct.size)

    def take(self, where: Ints) -> Codes:
        """The numbers at some positions, with the values that occur there."""
        code, used = compact(self.code[where], self.distinct.size)
        return Codes(code, self.distinct[used])


def codes_of(numbers: Floats) -> Codes:
    """Code numbers."""
    values, code = np.unique(numbers, return_inverse=True)
    return Codes(code.reshape(-1).astype(np.int64), values)


@dataclass(frozen=True, eq=False)
class Paired:
    """Scores of two sides, one position a pair."""

    x: Codes
    """The judge's, or the first rater's."""
    y: Codes
    """The people's, or the second rater's."""
    cluster: Ints
    """(n,) the cluster of each pair, 0 .. G-1."""
    clusters: Ints
    """(G,) which clusters of the study these are."""

    def __len__(self) -> int:
        return int(self.cluster.size)

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.clusters.size)

    def per_cluster(self, weights: Floats) -> Floats:
        """(G,) sums of a number for each pair over the pairs of a cluster."""
        return sums_by(self.cluster, self.n_clusters, weights)

    @cached_property
    def cluster_sizes(self) -> Floats:
        """(G,) how many pairs each cluster has."""
        return sums_by(self.cluster, self.n_clusters)

    @cached_property
    def by_cluster(self) -> Ints:
        """(n,) positions of the pairs, those of one cluster together."""
        return np.argsort(self.cluster, kind="stable")


def paired(x: Floats | Codes, y: Floats | Codes, cluster: Ints | None = None) -> Paired:
    """Put two sides together.

    Args:
        x: (n,) the judge's or first rater's scores, none missing.
        y: (n,) the people's or second rater's scores, none missing.
        cluster: (n,) a number for the cluster of each pair; none: each pair is its own.
    """
    first, second = (side if isinstance(side, Codes) else codes_of(np.asarray(side, np.float64)) for side in (x, y))
    if cluster is None:
        cluster = np.arange(first.code.size)
    own, clusters = compact(cluster, int(cluster.max(initial=-1)) + 1)
    return Paired(first, second, own, clusters)
