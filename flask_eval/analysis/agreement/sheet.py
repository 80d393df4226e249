"""Several raters' scores of the same units, in long form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flask_eval.analysis.agreement.arrays import Bools, Floats, Ints, compact, sums_by, table_by
from flask_eval.analysis.agreement.paired import Codes, codes_of


@dataclass(frozen=True, eq=False)
class Cells:
    """How many ratings of a unit have a value, where any has."""

    unit: Ints
    value: Ints
    count: Floats


@dataclass(frozen=True, eq=False)
class Sheet:
    """Ratings of N units, sorted by unit, none missing."""

    unit: Ints
    """(n,) 0 .. N-1, each of which occurs."""
    rater: Ints
    """(n,) which rater gave it: any numbers."""
    score: Codes
    """(n,) the scores; on a nominal scale positions of labels."""
    cluster: Ints
    """(N,) the cluster of each unit, 0 .. G-1."""
    clusters: Ints
    """(G,) which clusters of the study these are."""

    def __len__(self) -> int:
        return int(self.unit.size)

    @property
    def n_units(self) -> int:
        """N."""
        return int(self.cluster.size)

    @property
    def n_clusters(self) -> int:
        """G."""
        return int(self.clusters.size)

    @cached_property
    def sizes(self) -> Floats:
        """(N,) how many ratings each unit has."""
        return sums_by(self.unit, self.n_units)

    @cached_property
    def cells(self) -> Cells:
        """The units' counts of values."""
        width = max(self.score.distinct.size, 1)
        key = self.unit * width + self.score.code
        if self.n_units * width <= max(1 << 22, 4 * len(self)):
            counts = np.bincount(key, minlength=self.n_units * width)
            found = np.flatnonzero(counts)
            return Cells(found // width, found % width, counts[found].astype(np.float64))
        found, count = np.unique(key, return_counts=True)
        return Cells(found // width, found % width, count.astype(np.float64))

    @cached_property
    def pairable(self) -> Sheet:
        """The units that have at least two ratings."""
        return self if (self.sizes > 1).all() else self.only(self.sizes > 1)

    def only(self, units: Bools) -> Sheet:
        """The units that `units` (N,) keeps."""
        keep = units[self.unit]
        cluster, used = compact(self.cluster[units], self.n_clusters)
        return replace(
            self,
            unit=(np.cumsum(units) - 1)[self.unit[keep]],
            rater=self.rater[keep],
            score=self.score.take(np.flatnonzero(keep)),
            cluster=cluster,
            clusters=self.clusters[used],
        )

    def per_unit(self, weights: Floats) -> Floats:
        """(N,) sums of a number for each rating."""
        return sums_by(self.unit, self.n_units, weights)

    def per_cluster(self, weights: Floats) -> Floats:
        """(G,) sums of a number for each unit."""
        return sums_by(self.cluster, self.n_clusters, weights)

    def without(self, weights: Floats) -> Floats:
        """(G,) the sum of a number for each unit over the units of all other clusters."""
        return np.asarray(weights.sum() - self.per_cluster(weights))

    @cached_property
    def cluster_counts(self) -> Floats:
        """(G, V) how often each value occurs in each cluster."""
        width = self.score.distinct.size
        return table_by(self.cluster[self.unit], self.score.code, (self.n_clusters, width))


def sheet_of(unit: Ints, rater: Ints, score: Floats | Codes, cluster: Ints | None = None) -> Sheet:
    """Put ratings in order.

    Args:
        unit: (n,) the unit of each rating: any numbers from 0.
        rater: (n,) who gave it.
        score: (n,) the scores, none missing.
        cluster: (n,) a number for the cluster of each rating's unit; none: each unit is its own.
    """
    own, _ = compact(unit, int(unit.max(initial=-1)) + 1)
    order = np.arange(own.size) if (own[1:] >= own[:-1]).all() else np.argsort(own, kind="stable")
    codes = score if isinstance(score, Codes) else codes_of(score)
    ordered = own[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if own.size else np.zeros(0, np.int64)
    numbers = ordered[first] if cluster is None else cluster[order][first]
    groups, used = compact(numbers, int(numbers.max(initial=-1)) + 1)
    return Sheet(ordered, rater[order], Codes(codes.code[order], codes.distinct), groups, used)


def sheet_of_table(table: Floats) -> Sheet:
    """A table of raters (rows) by units (columns), NaN where a rating is missing; units without any are left out."""
    rater, unit = np.nonzero(~np.isnan(table))
    return sheet_of(unit, rater, table[rater, unit])
