"""Kendall's tau-b, with its values without each cluster.

A pair's net concordance (how many others it agrees with in order, less how many it disagrees with) gives both tau and,
exactly, what leaving a cluster out does to it. It is read off a contingency table where values are few, and counted
in O(n log n) where they are many.
"""

from __future__ import annotations

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats, Ints, compact, sums_by
from flask_eval.analysis.agreement.correlation import constant, signed, table_of
from flask_eval.analysis.agreement.intervals import FISHER, Estimate, undefined
from flask_eval.analysis.agreement.paired import Codes, Paired

_TABLE = 1 << 16
_FEW = 32


def kendall(pairs: Paired, *, spread: bool = True) -> Estimate:
    """Kendall's tau-b.

    Args:
        pairs: n pairs in G clusters.
        spread: whether an interval will be asked for.

    Returns:
        Undefined with fewer than three pairs, or where one side is constant.

    Source: Kendall (1945), the tie-corrected form: (C - D) / sqrt((n0 - tx) (n0 - ty)).
    """
    if why := constant(pairs):
        return undefined(why)
    net = net_concordance(pairs)
    n = float(len(pairs))
    concordance, every = float(net.sum()) / 2, n * (n - 1) / 2
    ties = [float(side.counts @ (side.counts - 1)) / 2 for side in (pairs.x, pairs.y)]
    value = float(_tau(np.array([concordance]), np.array([every]), np.array(ties[:1]), np.array(ties[1:]))[0])
    if not spread:
        return Estimate(value, transform=FISHER)
    within = _within_clusters(pairs)
    left = n - pairs.cluster_sizes
    tied = [
        total - pairs.per_cluster((side.counts - 1)[side.code]) + own
        for total, side, own in zip(ties, (pairs.x, pairs.y), within[1:], strict=True)
    ]
    left_out = _tau(concordance - pairs.per_cluster(net) + within[0], left * (left - 1) / 2, *tied)
    return Estimate(value, left_out=left_out, clusters=pairs.clusters, transform=FISHER)


def _tau(concordance: Floats, every: Floats, tied_x: Floats, tied_y: Floats) -> Floats:
    sizes = np.maximum(every - tied_x, 0) * np.maximum(every - tied_y, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        made = concordance / np.sqrt(sizes)
    return np.asarray(np.clip(np.where(sizes > 0.5, made, np.nan), -1, 1))


def net_concordance(pairs: Paired) -> Floats:
    """(n,) for each pair the sum over all others of sign(x - x') sign(y - y')."""
    if pairs.x.distinct.size * pairs.y.distinct.size <= max(_TABLE, 2 * len(pairs)):
        net = signed(signed(table_of(pairs), axis=0), axis=1)
        return np.asarray(net[pairs.x.code, pairs.y.code])
    return _net(pairs.x.code, pairs.y.code)


def _net(x: Ints, y: Ints) -> Floats:
    """The same from integer codes, in O(n log n).

    All others = (below, below) + (below, above) + ... ; one count, of those below on both sides, gives the rest.
    """
    n = x.size
    below_x, equal_x = _below_and_equal(x)
    below_y, equal_y = _below_and_equal(y)
    both = _below_both(x, y)
    equal_in_y = _below_within(x, y)
    equal_in_x = _below_within(y, x)
    identical = _below_and_equal(compact(_joined(x, y), int(_joined(x, y).max(initial=0)) + 1)[0])[1]
    low_high = below_x - both - equal_in_y
    high_low = below_y - both - equal_in_x
    at_most_both = both + equal_in_y + equal_in_x + identical
    high_high = n - below_x - equal_x - below_y - equal_y + at_most_both
    return np.asarray(both + high_high - low_high - high_low, np.float64)


def _joined(x: Ints, y: Ints) -> Ints:
    return x * (int(y.max(initial=0)) + 1) + y


def _below_and_equal(code: Ints) -> tuple[Ints, Ints]:
    """For each code how many are below it, and how many equal it (itself among them)."""
    counts = np.bincount(code)
    return (np.cumsum(counts) - counts)[code], counts[code]


def _below_within(x: Ints, group: Ints) -> Ints:
    """For each position how many of the same group have a smaller x."""
    order = np.lexsort((x, group))
    ordered_group, ordered = group[order], x[order]
    place = np.arange(x.size)
    new_group = np.append(True, ordered_group[1:] != ordered_group[:-1])
    new_value = new_group | np.append(True, ordered[1:] != ordered[:-1])
    start = np.maximum.accumulate(np.where(new_group, place, 0))
    first = np.maximum.accumulate(np.where(new_value, place, 0))
    made = np.empty(x.size, np.int64)
    made[order] = first - start
    return made


def _below_both(x: Ints, y: Ints) -> Ints:
    """For each position how many are smaller in both x and y.

    Taken in order of x (ties: y falling), these are the earlier ones with a smaller y. They are counted bit by bit of y
    from the top, as in a wavelet tree: among those that agree in all higher bits, one with the bit set has above it
    all earlier ones without it.
    """
    order = np.lexsort((-y, x))
    value, source = y[order], order
    made = np.zeros(y.size, np.int64)
    start = np.zeros(y.size, np.int64)
    place = np.arange(y.size)
    for bit in range(int(y.max(initial=0)).bit_length() - 1, -1, -1):
        is_set = (value >> bit) & 1
        zeros = np.concatenate(([0], np.cumsum(1 - is_set)))
        earlier = zeros[:-1] - zeros[start]
        made[source] += earlier * is_set
        end = np.append(start[1:] != start[:-1], True)
        ends = np.flatnonzero(end)
        in_group = (zeros[ends + 1] - zeros[start[ends]])[np.cumsum(np.append(0, end[:-1]))]
        target = np.where(is_set == 0, start + earlier, start + in_group + (place - start - earlier))
        next_start = np.where(is_set == 0, start, start + in_group)
        moved = np.empty_like(source)
        moved[target] = source
        source = moved
        value = y[source]
        fresh = np.empty_like(start)
        fresh[target] = next_start
        start = fresh
    return made


def _within_clusters(pairs: Paired) -> tuple[Floats, Floats, Floats]:
    """(G,) each: net concordance, ties in x and ties in y among the pairs of a cluster."""
    if pairs.cluster_sizes.max(initial=0) <= _FEW:
        return _by_lag(pairs)
    order = pairs.by_cluster
    cluster = pairs.cluster[order]
    x = _within(pairs.x, cluster, order)
    y = _within(pairs.y, cluster, order)
    net = _net(x, y) - (len(pairs) - pairs.cluster_sizes[cluster])
    return (
        sums_by(cluster, pairs.n_clusters, net) / 2,
        sums_by(cluster, pairs.n_clusters, (_below_and_equal(x)[1] - 1).astype(np.float64)) / 2,
        sums_by(cluster, pairs.n_clusters, (_below_and_equal(y)[1] - 1).astype(np.float64)) / 2,
    )


def _within(side: Codes, cluster: Ints, order: Ints) -> Ints:
    """Codes that rise from cluster to cluster, so that pairs of different clusters always agree in order."""
    size = side.distinct.size
    key = cluster * size + side.code[order]
    return compact(key, (int(cluster.max(initial=0)) + 1) * size)[0]


def _by_lag(pairs: Paired) -> tuple[Floats, Floats, Floats]:
    order = pairs.by_cluster
    cluster, x, y = pairs.cluster[order], pairs.x.code[order], pairs.y.code[order]
    made = np.zeros((3, pairs.n_clusters))
    for lag in range(1, int(pairs.cluster_sizes.max(initial=0))):
        same = np.flatnonzero(cluster[lag:] == cluster[:-lag])
        sign_x = np.sign(x[same + lag] - x[same])
        sign_y = np.sign(y[same + lag] - y[same])
        for place, weights in enumerate((sign_x * sign_y, sign_x == 0, sign_y == 0)):
            made[place] += sums_by(cluster[same], pairs.n_clusters, weights)
    return made[0], made[1], made[2]
