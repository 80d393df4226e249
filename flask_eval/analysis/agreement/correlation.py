"""Pearson's and Spearman's correlation of two sides, with their values without each cluster.

Both stay exact when clusters are left out: sums over clusters are taken off the sums over all pairs, so that the
jackknife costs one pass. On 1-5 ratings ranks come from counts of the values (a contingency table), not from sorting.
"""

from __future__ import annotations

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats, product, sums_by, table_by
from flask_eval.analysis.agreement.intervals import FISHER, NO_OVERLAP, Estimate, undefined
from flask_eval.analysis.agreement.paired import Codes, Paired

FEWEST_PAIRS = 3
_DENSE = 4_000_000
_PRODUCTS = 500_000_000


def constant(pairs: Paired, names: tuple[str, str] = ("first rater's", "second rater's")) -> str:
    """Why no correlation of these pairs exists; empty where one does."""
    if not len(pairs):
        return NO_OVERLAP
    if len(pairs) < FEWEST_PAIRS:
        return f"fewer than {FEWEST_PAIRS} pairs"
    for side, name in ((pairs.x, names[0]), (pairs.y, names[1])):
        if side.distinct.size < 2:
            return f"all of the {name} scores are equal"
    return ""


def pearson(pairs: Paired, *, spread: bool = True) -> Estimate:
    """Pearson's product-moment correlation.

    Args:
        pairs: n pairs in G clusters.
        spread: whether an interval will be asked for.

    Returns:
        Undefined with fewer than three pairs, or where one side is constant.

    Source: Pearson (1896).
    """
    if why := constant(pairs):
        return undefined(why)
    x, y = (side.numbers - side.counts @ side.distinct / len(pairs) for side in (pairs.x, pairs.y))
    products = np.array([np.ones(len(pairs)), x, y, x * x, y * y, x * y])
    total = products.sum(axis=1)
    value = _moments(total[:, None])[0]
    if not spread:
        return Estimate(value, transform=FISHER)
    own = np.array([pairs.per_cluster(row) for row in products])
    left_out = _moments(total[:, None] - own, total[3:5])
    return Estimate(value, left_out=left_out, clusters=pairs.clusters, transform=FISHER)


def _moments(sums: Floats, whole: Floats | None = None) -> Floats:
    """(G,) correlations from (6, G) sums of 1, x, y, xx, yy, xy; NaN where a side is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        n, x, y, xx, yy, xy = sums
        spread_x, spread_y = xx - x * x / n, yy - y * y / n
        made = (xy - x * y / n) / np.sqrt(spread_x * spread_y)
    if whole is not None:
        made[(spread_x <= 1e-12 * whole[0]) | (spread_y <= 1e-12 * whole[1])] = np.nan
    return np.asarray(np.clip(made, -1, 1))


def signed(counts: Floats, axis: int = -1) -> Floats:
    """For each position the sum of what stands before it less the sum of what stands after it, along an axis.

    Of counts of ascending values these are centred midranks, twice: 2 R - n - 1.
    """
    upto = np.cumsum(counts, axis=axis)
    total = np.take(upto, [-1], axis=axis)
    return np.asarray(2 * upto - counts - total)


def table_of(pairs: Paired) -> Floats:
    """(V, W) how often each pair of values occurs."""
    return table_by(pairs.x.code, pairs.y.code, (pairs.x.distinct.size, pairs.y.distinct.size))


def spearman(pairs: Paired, *, spread: bool = True) -> Estimate:
    """Spearman's rank correlation, ties at their mean rank.

    Args:
        pairs: n pairs in G clusters.
        spread: whether an interval will be asked for.

    Returns:
        Undefined with fewer than three pairs, or where one side is constant. With very many different values and
        clusters `left_out` is the first-order approximation (infinitesimal jackknife).

    Source: Spearman (1904); ties as in Kendall (1948).
    """
    if why := constant(pairs):
        return undefined(why)
    ranks = [signed(side.counts) for side in (pairs.x, pairs.y)]
    x, y = ranks[0][pairs.x.code], ranks[1][pairs.y.code]
    size_x, size_y = (float(rank**2 @ side.counts) for rank, side in zip(ranks, (pairs.x, pairs.y), strict=True))
    value = float(np.clip(x @ y / np.sqrt(size_x * size_y), -1, 1))
    if not spread:
        return Estimate(value, transform=FISHER)
    width, height = pairs.x.distinct.size, pairs.y.distinct.size
    small = pairs.n_clusters * (width + height) <= _DENSE and pairs.n_clusters * width * height <= _PRODUCTS
    left_out = _without_clusters(pairs) if small else _first_order(pairs, x, y, (float(x @ y), size_x, size_y))
    return Estimate(value, left_out=left_out, clusters=pairs.clusters, transform=FISHER)


def cluster_counts(pairs: Paired, side: Codes) -> Floats:
    """(G, V) how often each value occurs in each cluster."""
    return table_by(pairs.cluster, side.code, (pairs.n_clusters, side.distinct.size))


def _without_clusters(pairs: Paired) -> Floats:
    """(G,) rank correlations without each cluster, exactly: ranks are made anew from the remaining counts."""
    left_x, left_y = (side.counts - cluster_counts(pairs, side) for side in (pairs.x, pairs.y))
    ranks_x, ranks_y = signed(left_x), signed(left_y)
    products = np.einsum("gv,gv->g", product(ranks_x, table_of(pairs)), ranks_y)
    own = ranks_x[pairs.cluster, pairs.x.code] * ranks_y[pairs.cluster, pairs.y.code]
    sizes = np.einsum("gv,gv->g", left_x, ranks_x**2) * np.einsum("gv,gv->g", left_y, ranks_y**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        made = (products - pairs.per_cluster(own)) / np.sqrt(sizes)
    return np.clip(np.where(sizes > 0, made, np.nan), -1, 1)


def _first_order(pairs: Paired, x: Floats, y: Floats, sums: tuple[float, float, float]) -> Floats:
    """(G,) the same to the first order: a pair moves its own product, and the ranks of all other pairs.

    Moving the weight of pair j moves the rank of pair i by sign(x_i - x_j), and with it the sum of x_i y_i by
    sum_i y_i sign(x_i - x_j).
    """
    product, size_x, size_y = sums

    def pushed(side: Codes, ranks: Floats) -> Floats:
        return -signed(sums_by(side.code, side.distinct.size, ranks))[side.code]

    moved = x * y + pushed(pairs.x, y) + pushed(pairs.y, x)
    moved_x, moved_y = x * x + 2 * pushed(pairs.x, x), y * y + 2 * pushed(pairs.y, y)
    root = np.sqrt(size_x * size_y)
    influence = (moved - product / 2 * (moved_x / size_x + moved_y / size_y)) / root
    value = product / root
    return np.asarray(value - pairs.per_cluster(influence))
