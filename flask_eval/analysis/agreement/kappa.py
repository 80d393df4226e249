"""Cohen's kappa, plain and weighted, exact agreement and agreement within one step, of two raters.

Weights go by value: the disagreement of two scores is their distance (linear) or its square (quadratic). By position,
as R's irr and scikit-learn have it, it is the distance of their places among the scores that occur.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats, product, table_by
from flask_eval.analysis.agreement.intervals import FISHER, NO_OVERLAP, SHARE, Estimate, cluster_mean, undefined
from flask_eval.analysis.agreement.paired import Codes, Paired

KappaWeights = Literal["value", "position"]

POINT_MEASURES = ("kappa", "kappa_linear", "kappa_quadratic", "exact", "within_one")
"""Measures of scores that are points of a scale."""
_CHUNK = 4_000_000


def disagreements(values: Floats, weights: KappaWeights = "value") -> dict[str, Floats]:
    """What each kind of kappa takes for the disagreement of two scores.

    Args:
        values: (V,) the scores that occur, ascending.
        weights: by value, or by position among the scores that occur.

    Returns:
        `kappa`, `kappa_linear`, `kappa_quadratic`: (V, V), 0 on the diagonal.

    Source: Cohen (1960); Cohen (1968) for weights.
    """
    scores = np.arange(values.size, dtype=np.float64) if weights == "position" else values
    distance = np.abs(scores[:, None] - scores)
    return {"kappa": (distance > 0).astype(np.float64), "kappa_linear": distance, "kappa_quadratic": distance**2}


def kappa_of_tables(tables: Floats, disagreement: Floats) -> Floats:
    """Kappa of contingency tables.

    Args:
        tables: (..., V, V) how often the first rater gave the row's and the second the column's score.
        disagreement: (V, V) the disagreement of two scores.

    Returns:
        (...) 1 - observed / expected disagreement; NaN where none is to be expected: an empty table, or both raters
        give one and the same score.
    """
    count = tables.sum(axis=(-1, -2))
    observed = np.einsum("...ij,ij->...", tables, disagreement)
    expected = np.einsum("...i,ij,...j->...", tables.sum(axis=-1), disagreement, tables.sum(axis=-2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - observed * count / expected, np.nan)


def on_one_scale(pairs: Paired) -> tuple[Codes, Codes]:
    """Both sides as positions in the scores that occur on either."""
    values = np.union1d(pairs.x.distinct, pairs.y.distinct)
    first, second = (Codes(np.searchsorted(values, side.distinct)[side.code], values) for side in (pairs.x, pairs.y))
    return first, second


def point_measures(
    pairs: Paired,
    *,
    weights: KappaWeights = "value",
    step: float = 1.0,
    nominal: bool = False,
    spread: bool = True,
) -> dict[str, Estimate]:
    """Kappas, exact agreement and agreement within one step.

    Args:
        pairs: n pairs of points of a scale in G clusters.
        weights: by value, or by position among the scores that occur.
        step: the distance of neighbouring points.
        nominal: whether scores are labels: only kappa and exact agreement exist.
        spread: whether intervals will be asked for.

    Returns:
        The `POINT_MEASURES`. A kappa is undefined where both raters give one and the same score throughout.
    """
    if not len(pairs):
        return dict.fromkeys(POINT_MEASURES, undefined(NO_OVERLAP))
    first, second = on_one_scale(pairs)
    distance = np.abs(first.numbers - second.numbers)
    made = dict(_kappas(pairs, (first, second), weights, spread=spread))
    for name, limit in (("exact", 0.0), ("within_one", step)):
        agree = (distance <= limit * (1 + 1e-9)).astype(np.float64)
        share = cluster_mean(agree, pairs.cluster, transform=SHARE, spread=spread)
        made[name] = Estimate(share.value, "", share.left_out, pairs.clusters, transform=SHARE)
    if nominal:
        no_order = undefined("labels have no order")
        made |= dict.fromkeys(("kappa_linear", "kappa_quadratic", "within_one"), no_order)
    return made


def _kappas(
    pairs: Paired, sides: tuple[Codes, Codes], weights: KappaWeights, *, spread: bool
) -> list[tuple[str, Estimate]]:
    kinds = disagreements(sides[0].distinct, weights)
    counts = [side.counts for side in sides]
    made = []
    for name, disagreement in kinds.items():
        own = disagreement[sides[0].code, sides[1].code]
        expected = float(counts[0] @ disagreement @ counts[1])
        if expected <= 0:
            made.append((name, undefined("both give one and the same score throughout")))
            continue
        observed = float(own.sum())
        value = 1 - observed * len(pairs) / expected
        left_out = _left_out(pairs, sides, disagreement, observed - pairs.per_cluster(own)) if spread else None
        made.append((name, Estimate(value, "", left_out, pairs.clusters, transform=FISHER)))
    return made


def _left_out(pairs: Paired, sides: tuple[Codes, Codes], disagreement: Floats, observed: Floats) -> Floats:
    """(G,) kappa without each cluster, a block of clusters at a time."""
    size, count = disagreement.shape[0], pairs.n_clusters
    expected = np.empty(count)
    order, ends = pairs.by_cluster, np.append(0, np.cumsum(pairs.cluster_sizes)).astype(np.int64)
    block = max(_CHUNK // size, 1)
    for start in range(0, count, block):
        stop = min(start + block, count)
        where = order[ends[start] : ends[stop]]
        first, second = (
            side.counts - table_by(pairs.cluster[where] - start, side.code[where], (stop - start, size))
            for side in sides
        )
        expected[start:stop] = np.einsum("gv,gv->g", product(first, disagreement), second)
    left = len(pairs) - pairs.cluster_sizes
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - observed * left / expected, np.nan)
