"""Means and differences over cells, with cluster-robust errors.

**Influence.** A statistic is a weighted sum over cells: each cell counts 1 / n, or, where each skill has the same weight, 1 / (S n_s)
with S skills and n_s cells of the skill. A cell's influence is its weight times (its value less the mean of its skill); the
variance is the sum over clusters of their squared summed influences (Liang and Zeger 1986), times (1 + 1 / degrees of freedom).

**Degrees of freedom.** Clusters with unequal weights are worth fewer: by Satterthwaite's approximation, with v_g the sum of the
squared weights of cluster g, `(sum v)^2 / sum v^2 - 1`, at least 1. With equal weights this is G - 1, and the factor above the usual
G / (G - 1). (Satterthwaite 1946, Biometrics Bulletin 2:110-114; for clusters Carter, Schnepel and Steigerwald 2017, Review of
Economics and Statistics 99:698-709.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flask_eval.analysis.coding import Floats, Ints, Mask
from flask_eval.analysis.comparing.cells import Cells
from flask_eval.analysis.comparing.parts import Part

Signs = npt.NDArray[np.int8]
ABSENT = 2
"""Where a sign would stand if both models had a score."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A part's cells, by stratum (skill of the same weight), cluster and instance."""

    score: Floats
    """[models, cells]"""
    strata: Floats
    """[cells, strata]: 1 where a cell belongs to a stratum."""
    stratum: Ints
    cluster: Ints
    """Positions 0, 1, ... in the order of the cells."""
    instance: Ints

    @property
    def complete(self) -> bool:
        """Whether every model has a score in every cell."""
        return not bool(np.isnan(self.score).any())

    def taken(self, cells: Mask | Ints, models: Mask | Ints | None = None) -> Frame:
        """Only some cells (and models); a stratum without a cell goes."""
        score = self.score if models is None else self.score[models]
        return frame_of(score[:, cells], self.stratum[cells], self.cluster[cells], self.instance[cells])


def frame_of(score: Floats, stratum: Ints, cluster: Ints, instance: Ints) -> Frame:
    """A frame of cells that stand by cluster, then instance."""
    names, inverse = np.unique(stratum, return_inverse=True)
    strata = np.zeros((stratum.size, names.size))
    strata[np.arange(stratum.size), inverse] = 1
    return Frame(score, strata, inverse.astype(np.int64), _steps(cluster), _steps(instance))


def frame(own: Cells, part: Part) -> Frame:
    """The cells of a part."""
    cells = part.cells
    stratum = own.skill[cells] if part.macro else np.zeros(cells.size, np.int64)
    return frame_of(own.score[:, cells], stratum, own.cluster[cells], own.instance[cells])


def _steps(codes: Ints) -> Ints:
    """Codes that stand in groups, as 0, 1, ...: where a group begins, the count goes up."""
    return np.cumsum(np.diff(codes, prepend=codes[:1]) != 0).astype(np.int64)


def sums(values: Floats, group: Ints) -> Floats:
    """Sums over groups that stand together, along the last axis."""
    if not group.size or group[-1] + 1 == group.size:
        return values
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.add.reduceat(values, starts, axis=-1)


def degrees_of(weights: Floats) -> Floats:
    """Satterthwaite's degrees of freedom of clusters with these summed squared weights, along the last axis."""
    with np.errstate(invalid="ignore", divide="ignore"):
        made = weights.sum(axis=-1) ** 2 / (weights**2).sum(axis=-1) - 1
    return np.asarray(np.maximum(np.nan_to_num(made, nan=1.0), 1.0))


# ---- means --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Means:
    """Means of models on the cells that all of them have, and their joint covariance."""

    mean: Floats
    """[models]; NaN for models without a score here."""
    covariance: Floats
    """[models, models]; NaN where there are fewer than two clusters."""
    degrees: float
    clusters: int
    n: int
    """Instances."""
    cells: int
    having: Mask
    """Which models have a score in the part at all."""


def means_of(part: Frame) -> Means:
    """Means on the cells that every model with a score in this part has one for."""
    known = np.asarray(~np.isnan(part.score))
    having = np.asarray(known.any(axis=1))
    shared = np.asarray(known[having].all(axis=0)) & bool(having.any())
    size = part.score.shape[0]
    mean, covariance = np.full(size, np.nan), np.full((size, size), np.nan)
    if not shared.any():
        return Means(mean, covariance, 1.0, 0, 0, 0, having)
    own = part if known.all() else part.taken(shared, having)
    weight = weights_of(own)
    by_stratum = own.score @ own.strata / own.strata.sum(axis=0)
    mean[having] = by_stratum.mean(axis=1)
    influence = sums((own.score - by_stratum[:, own.stratum]) * weight, own.cluster)
    clusters = int(own.cluster[-1]) + 1
    degrees = float(degrees_of(sums(weight**2, own.cluster)))
    if clusters > 1:
        covariance[np.ix_(having, having)] = (1 + 1 / degrees) * (influence @ influence.T)
    return Means(mean, covariance, degrees, clusters, int(own.instance[-1]) + 1, int(shared.sum()), having)


def weights_of(part: Frame) -> Floats:
    """The weight of each cell in the mean over strata; they sum to 1."""
    size = part.strata.sum(axis=0)
    return np.asarray((1 / (size.size * size))[part.stratum])


# ---- differences --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Differences:
    """All pairs (a, b), a before b in the order of the models: a less b on the cells that both have."""

    a: Ints
    b: Ints
    difference: Floats
    """NaN where the pair shares no cell, or lacks a stratum."""
    error: Floats
    """NaN with fewer than two clusters."""
    degrees: Floats
    clusters: Ints
    moved: Ints
    """Clusters whose difference is not 0."""
    deviation: Floats
    """The largest deviation of a cluster's difference from the mean difference."""
    n: Ints
    """Instances."""
    wins: Ints
    ties: Ints
    losses: Ints
    signs: Signs | None
    """[pairs, instances] of the frame: 1, 0, -1; `ABSENT` where the pair has no score. Only where asked for."""


_FIELDS = ("difference", "error", "degrees", "clusters", "moved", "deviation", "n", "wins", "ties", "losses")


@dataclass(frozen=True, eq=False)
class _Rest:
    """One model against the later ones, on the cells that each two have."""

    difference: Floats
    degrees: Floats
    total: Floats
    """[others, clusters]: what each cluster adds to the difference."""
    influence: Floats
    """[others, clusters]: the same, less what it would add if every cell had the mean of its stratum."""
    clusters: Ints
    won: Floats
    """[others, instances]: the difference of the sums of an instance's scores."""
    met: Mask | None
    """[others, instances]: where both have a score; None: everywhere."""


def differences(part: Frame, tolerance: float, *, signs: bool = False) -> Differences:
    """Hold every model of a frame against every later one.

    Args:
        part: the cells.
        tolerance: differences up to this size are none.
        signs: whether to keep who won on which instance.
    """
    size = part.score.shape[0]
    a, b = np.triu_indices(size, 1)
    made: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _FIELDS}
    if not part.stratum.size:
        return _none(a, b, signs=signs)
    kept = [np.zeros((0, int(part.instance[-1]) + 1), np.int8)]
    for rest in _complete(part) if part.complete else _common(part):
        won = np.sign(np.where(np.abs(rest.won) <= tolerance, 0.0, rest.won)).astype(np.int8)
        for name, values in _summary(rest, won, tolerance).items():
            made[name].append(values)
        if signs:
            kept.append(won if rest.met is None else np.where(rest.met, won, np.int8(ABSENT)))
    joined = {name: np.concatenate(values) if values else np.zeros(0) for name, values in made.items()}
    whole = {name: joined[name].astype(np.int64) for name in ("clusters", "moved", "n", "wins", "ties", "losses")}
    return Differences(
        a=a, b=b, difference=joined["difference"], error=joined["error"], degrees=joined["degrees"],
        deviation=joined["deviation"], signs=np.concatenate(kept) if signs else None, **whole,
    )  # fmt: skip


def _none(a: Ints, b: Ints, *, signs: bool) -> Differences:
    """Without a cell no two models can be held against each other."""
    none, zero = np.full(a.size, np.nan), np.zeros(a.size, np.int64)
    return Differences(
        a=a, b=b, difference=none, error=none, degrees=np.ones(a.size), clusters=zero, moved=zero, deviation=none,
        n=zero, wins=zero, ties=zero, losses=zero, signs=np.zeros((a.size, 0), np.int8) if signs else None,
    )  # fmt: skip


def _summary(rest: _Rest, won: Signs, tolerance: float) -> dict[str, Floats | Ints]:
    clusters = rest.clusters
    variance = np.einsum("kg,kg->k", rest.influence, rest.influence) * (1 + 1 / rest.degrees)
    wins, losses = np.count_nonzero(won > 0, axis=1), np.count_nonzero(won < 0, axis=1)
    n = np.full(len(won), won.shape[1]) if rest.met is None else np.count_nonzero(rest.met, axis=1)
    largest = np.maximum(rest.influence.max(axis=1, initial=0.0), -rest.influence.min(axis=1, initial=0.0))
    # a cluster's share in the mean is about 1 / clusters, so this is its difference in points of the scale
    moved = np.count_nonzero(np.abs(rest.total) > tolerance / np.maximum(clusters, 1)[:, None], axis=1)
    return {
        "difference": rest.difference,
        "error": np.sqrt(np.where(clusters > 1, variance, np.nan)),
        "degrees": rest.degrees,
        "clusters": clusters,
        "moved": moved,
        "deviation": largest * clusters,
        "n": n,
        "wins": wins,
        "ties": n - wins - losses,
        "losses": losses,
    }


def _complete(part: Frame) -> Iterator[_Rest]:
    """Every model has a score in every cell: all sums are differences of the models' own."""
    score, size = part.score, part.score.shape[0]
    weight = weights_of(part)
    by_stratum = score @ part.strata / part.strata.sum(axis=0)
    total = sums(score * weight, part.cluster)
    influence = total - by_stratum @ sums((part.strata * weight[:, None]).T, part.cluster)
    mean, instance = by_stratum.mean(axis=1), sums(score, part.instance)
    clusters, degrees = total.shape[1], float(degrees_of(sums(weight**2, part.cluster)))
    for model in range(size - 1):
        others = slice(model + 1, size)
        yield _Rest(
            difference=mean[model] - mean[others],
            degrees=np.full(size - model - 1, degrees),
            total=total[model] - total[others],
            influence=influence[model] - influence[others],
            clusters=np.full(size - model - 1, clusters),
            won=instance[model] - instance[others],
            met=None,
        )


def _common(part: Frame) -> Iterator[_Rest]:
    """Some scores are missing: each pair on its own cells."""
    known = (~np.isnan(part.score)).astype(np.float64)
    score = np.where(known > 0, part.score, 0.0)
    size, n_strata = len(score), part.strata.shape[1]
    for model in range(size - 1):
        both = known[model] * known[model + 1 :]
        rest = (score[model] - score[model + 1 :]) * both
        counts = both @ part.strata
        with np.errstate(invalid="ignore", divide="ignore"):
            by_stratum = rest @ part.strata / counts
            share = np.nan_to_num(1 / (n_strata * counts), posinf=0.0)
        expected = np.nan_to_num(by_stratum)
        if n_strata == 1:
            weights, centred = both * share, rest - both * expected
        else:
            weights, centred = both * share[:, part.stratum], rest - both * expected[:, part.stratum]
        cells = sums(both, part.cluster)
        yield _Rest(
            difference=by_stratum.mean(axis=1),
            degrees=degrees_of(sums(weights**2, part.cluster)),
            total=sums(rest * weights, part.cluster),
            influence=sums(centred * weights, part.cluster),
            clusters=np.count_nonzero(cells, axis=1),
            won=sums(rest, part.instance),
            met=sums(both, part.instance) > 0,
        )
