"""A model's mean over its skills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, Ints
from flask_eval.analysis.scores import (
    NOT_ASKED,
    Interval,
    check_confidence,
    cluster_spread,
    count_distinct,
    intervals,
    share_at_end,
)
from flask_eval.analysis.sparsity import is_sparse


@dataclass(frozen=True, slots=True)
class MacroRow:
    """A model's mean over the means of its skills, each skill with the same weight."""

    rater: str
    kind: str
    model: str
    mean: float | None
    low: float | None
    high: float | None
    n: int
    """Instances behind it."""
    n_ratings: int
    skills: tuple[str, ...]
    """The skills that count: those that every model of the rater has a score for."""
    left_out: tuple[str, ...]
    """Skills that only some models have a score for."""
    coverage: float | None
    """Scored / (planned - not applicable), over all skills that every model was to be rated on, scored or not."""
    bound_low: float | None
    """The mean over those skills if every missing rating had the scale's lowest score; None: the scale is not known."""
    bound_high: float | None
    """The mean over those skills if every missing rating had the scale's highest score."""
    at_end: float | None
    """The share of the scores at one end of the scale, the fuller one; None where the scale is not known."""
    interval: str
    """How the interval was made: `t`, `equal` (all instances have the same mean), or empty."""
    sparse: bool
    """Too few instances to be firm."""
    reason: str = ""
    """Why mean or interval is missing."""


def macro_means(data: Coded, rater: str, *, confidence: float = 0.95, resamples: int = 1000) -> tuple[MacroRow, ...]:
    """The models of a rater by their macro mean, highest first.

    A skill counts where every model has a score for it, so that all means are of the same skills; the cells behind
    them may differ between models. Coverage and bounds also take in a skill that a model was to be rated on and has no
    score for, so that nobody gains by refusing a whole skill; the mean may lie outside its bounds then. The interval is of the same kind as a mean's, with the influence
    `(score - mean of its skill) / (skills * ratings of the skill)`.
    """
    check_confidence(confidence)
    own = data.rater == data.raters.index(rater)
    models = np.unique(data.model[own])
    rows = np.flatnonzero(own & ~np.isnan(data.score))
    shape = len(data.models), len(data.skills)
    means, counts = _cell_means(data, rows, shape)
    scale = data.scale(data.raters.index(rater))
    bounds = _bounds(data, np.flatnonzero(own & data.missing), models, (means, counts), scale)
    common, some = (counts[models] > 0).all(axis=0), (counts[models] > 0).any(axis=0)
    rows = rows[common[data.skill[rows]]]
    group, skill = data.model[rows], data.skill[rows]
    weight = 1 / (max(int(common.sum()), 1) * counts[group, skill])
    influence = weight * (data.score[rows] - means[group, skill])
    spread = cluster_spread(influence, group, data.cluster[rows], shape[0], data.n_clusters)
    macro = means[:, common].mean(axis=1) if common.any() else np.full(shape[0], np.nan)
    found = intervals(macro, spread, [scale] * shape[0], confidence)
    if not resamples:
        found = [Interval(None, None, "", NOT_ASKED)] * shape[0]
    instances = count_distinct(group, data.instance[rows], shape[0], len(data.table.instances))
    ratings = np.bincount(group, minlength=shape[0])
    crowd = share_at_end(data.score[rows], group, [scale] * shape[0])
    why = "" if common.any() else "no skill has a score of every model" if some.any() else "no score is a number"
    made = [
        MacroRow(
            rater=rater,
            kind=data.table.raters[rater],
            model=data.models[m],
            mean=None if why else float(macro[m]),
            low=found[m].low,
            high=found[m].high,
            n=int(instances[m]),
            n_ratings=int(ratings[m]),
            skills=tuple(np.array(data.skills, object)[common]),
            left_out=tuple(np.array(data.skills, object)[some & ~common]),
            coverage=bounds[m].coverage,
            bound_low=bounds[m].low,
            bound_high=bounds[m].high,
            at_end=crowd[m],
            interval="" if why else found[m].method,
            sparse=is_sparse(int(spread.clusters[m])),
            reason=why or found[m].reason,
        )
        for m in models
    ]
    return tuple(sorted(made, key=lambda row: (-np.inf if row.mean is None else -row.mean, row.model)))


def _cell_means(data: Coded, rows: Ints, shape: tuple[int, int]) -> tuple[Floats, Ints]:
    """Mean and number of the scores of each model (first axis) in each skill."""
    size = shape[0] * shape[1]
    cell = data.model[rows] * shape[1] + data.skill[rows]
    counts = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore"):
        means = np.bincount(cell, data.score[rows], size) / counts
    return means.reshape(shape), counts.reshape(shape)


class _Bounds(NamedTuple):
    """How much of a model's ratings is scored, and what its macro mean might be with the rest."""

    coverage: float | None
    low: float | None
    high: float | None


def _bounds(
    data: Coded, missing: Ints, models: Ints, scored: tuple[Floats, Ints], scale: tuple[float, float] | None
) -> dict[int, _Bounds]:
    """Coverage and bounds of each model, over the skills that every model was to be rated on."""
    means, counts = scored
    lost = np.bincount(data.model[missing] * counts.shape[1] + data.skill[missing], minlength=counts.size)
    lost = lost.reshape(counts.shape)
    asked = ((counts + lost)[models] > 0).all(axis=0)
    made = {}
    for model in models.tolist():
        have, without = counts[model, asked], lost[model, asked]
        sums = np.where(have > 0, means[model, asked], 0) * have
        ends: list[float | None] = [None, None]
        if asked.any() and (scale is not None or not without.any()):
            ends = [float(((sums + without * end) / (have + without)).mean()) for end in scale or (0.0, 0.0)]
        covered = float(have.sum() / (have + without).sum()) if asked.any() else None
        made[model] = _Bounds(covered, ends[0], ends[1])
    return made
