"""Correlations across models: within each (instance, skill) and then averaged, and of the models' means."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flask_eval.analysis.agreement.arrays import Floats, Ints, compact, sums_by, table_by
from flask_eval.analysis.agreement.intervals import FISHER, NO_OVERLAP, Estimate, cluster_mean, undefined
from flask_eval.analysis.agreement.resampling import Weights
from flask_eval.analysis.agreement.study import tidy

CORRELATIONS = ("pearson", "spearman", "kendall")
FEWEST_MODELS = 3
_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class Points:
    """Two sides' scores of models on instances, one position a pair."""

    x: Floats
    """(n,) the judge's scores."""
    y: Floats
    """(n,) the people's scores."""
    group: Ints
    """(n,) a number for the (instance, skill)."""
    model: Ints
    """(n,) a number for the model."""
    cluster: Ints
    """(n,) a number for the cluster; all pairs of a group have one."""

    def __len__(self) -> int:
        return int(self.x.size)


@dataclass(frozen=True, eq=False)
class ByModel:
    """One pair of scores a group and model, sorted by group: response samples are averaged."""

    x: Floats
    y: Floats
    group: Ints
    """0 .. K-1."""
    cluster: Ints
    """(K,) the cluster of each group."""
    groups: Ints
    """(K,) the number of each group."""

    @property
    def n_groups(self) -> int:
        """K."""
        return int(self.groups.size)

    def per_group(self, weights: Floats) -> Floats:
        """(K,) sums over the models of a group."""
        return sums_by(self.group, self.n_groups, weights)


def by_model(points: Points) -> ByModel:
    """Average what a group has of one model, and sort by group."""
    models = int(points.model.max(initial=-1)) + 1
    key, first, inverse, count = np.unique(
        points.group * models + points.model, return_index=True, return_inverse=True, return_counts=True
    )
    x, y = points.x[first], points.y[first]
    if key.size < len(points):
        x, y = (tidy(np.bincount(inverse, side) / count) for side in (points.x, points.y))
    group = key // max(models, 1)
    start = np.flatnonzero(np.append(True, group[1:] != group[:-1])) if group.size else np.zeros(0, np.int64)
    own = np.cumsum(np.append(False, group[1:] != group[:-1])) if group.size else group
    return ByModel(x, y, own.astype(np.int64), points.cluster[first][start], group[start])


def group_correlations(data: ByModel) -> dict[str, Floats]:
    """(K,) each: the correlation across the models of a group; NaN with fewer than three, or a constant side.

    A model's centred midrank, twice, is the sum of the signs of its differences from the others of its group; so ranks
    and Kendall's concordance come from one pass over the pairs of a group.
    """
    sizes = sums_by(data.group, data.n_groups)
    ranks = np.zeros((2, data.x.size))
    signs = np.zeros((3, data.n_groups))
    for lag in range(1, int(sizes.max(initial=0))):
        same = np.flatnonzero(data.group[lag:] == data.group[:-lag])
        x, y = (np.sign(side[same + lag] - side[same]) for side in (data.x, data.y))
        for place, sign in enumerate((x, y)):
            ranks[place, same + lag] += sign
            ranks[place, same] -= sign
        for place, weights in enumerate((x * y, x * x, y * y)):
            signs[place] += sums_by(data.group[same], data.n_groups, weights)
    centred = [side - (data.per_group(side) / np.maximum(sizes, 1))[data.group] for side in (data.x, data.y)]
    usable = (signs[1] > 0) & (signs[2] > 0) & (sizes >= FEWEST_MODELS)
    with np.errstate(invalid="ignore", divide="ignore"):
        kendall = signs[0] / np.sqrt(signs[1] * signs[2])
        made = {"pearson": _ratio(data, *centred), "spearman": _ratio(data, *ranks), "kendall": kendall}
    return {name: np.where(usable, np.clip(value, -1, 1), np.nan) for name, value in made.items()}


def _ratio(data: ByModel, x: Floats, y: Floats) -> Floats:
    return np.asarray(data.per_group(x * y) / np.sqrt(data.per_group(x * x) * data.per_group(y * y)))


@dataclass(frozen=True, eq=False)
class InstanceLevel:
    """The correlations across models within each (instance, skill)."""

    values: dict[str, Floats]
    """(K,) by measure, for the groups that count."""
    used: Ints
    """(K,) the groups that count."""
    cluster: Ints
    """(K,) their clusters."""
    groups: Ints
    """All groups."""
    reason: str = ""
    """Why none counts; empty where any does."""

    def only(self, groups: Ints) -> InstanceLevel:
        """Those of the groups that count which are among `groups`."""
        keep = np.isin(self.used, groups)
        why = self.reason if keep.any() else self.reason or _CONSTANT
        return replace(
            self,
            values={name: value[keep] for name, value in self.values.items()},
            used=self.used[keep],
            cluster=self.cluster[keep],
            reason=why,
        )

    def estimates(self, *, spread: bool = True) -> dict[str, Estimate]:
        """Their means, measure by measure."""
        if self.reason:
            return dict.fromkeys(CORRELATIONS, undefined(self.reason))
        cluster, clusters = compact(self.cluster, int(self.cluster.max()) + 1)
        made = {}
        for name, values in self.values.items():
            mean = cluster_mean(values, cluster, transform=FISHER, spread=spread)
            made[name] = Estimate(mean.value, "", mean.left_out, clusters, transform=FISHER)
        return made


_CONSTANT = "on every instance one side gives all models the same score"


def instance_level(points: Points) -> InstanceLevel:
    """Correlate across the models of each (instance, skill); a constant side is skipped, not 0."""
    data = by_model(points)
    found = group_correlations(data)
    known = ~np.isnan(found["pearson"])
    enough = bool((np.bincount(data.group, minlength=1) >= FEWEST_MODELS).any())
    why = _CONSTANT if enough else _no_models("on no instance")
    return InstanceLevel(
        {name: value[known] for name, value in found.items()},
        data.groups[known],
        data.cluster[known],
        data.groups,
        "" if known.any() else why if len(points) else NO_OVERLAP,
    )


def _no_models(where: str) -> str:
    return f"{where} are {FEWEST_MODELS} models or more rated by both"


@dataclass(frozen=True, eq=False)
class SystemLevel:
    """Correlations of the models' means, for these models."""

    estimates: dict[str, Estimate]
    models: Ints
    """The models that both sides rated."""


def system_level(points: Points, weights: Weights | None = None) -> SystemLevel:
    """Correlate the models' means, unweighted over their pairs.

    Args:
        points: n pairs.
        weights: resamples of the clusters; none: no intervals. They are conditional on these models: how the figure
            would move with other instances, not with other models.
    """
    if not len(points):
        every = (*CORRELATIONS, "mean_difference")
        return SystemLevel(dict.fromkeys(every, undefined(NO_OVERLAP)), np.zeros(0, np.int64))
    model, models = compact(points.model, int(points.model.max()) + 1)
    count, x, y = (sums_by(model, models.size, row) for row in (None, points.x, points.y))
    means = tidy(x / count), tidy(y / count)
    made: dict[str, Estimate] = {"mean_difference": _mean_difference(points, model, spread=weights is not None)}
    if why := _no_system(*means):
        return SystemLevel(made | dict.fromkeys(CORRELATIONS, undefined(why)), models)
    values = across_models(means[0][None], means[1][None])
    draws = _resampled(points, model, weights) if weights is not None else {}
    for name, value in values.items():
        made[name] = Estimate(float(value[0]), draws=draws.get(name), transform=FISHER)
    return SystemLevel(made, models)


def _no_system(x: Floats, y: Floats) -> str:
    if x.size < FEWEST_MODELS:
        return f"fewer than {FEWEST_MODELS} models"
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return "one side gives all models the same mean"
    return ""


def across_models(x: Floats, y: Floats) -> dict[str, Floats]:
    """(A,) correlations of (A, M) means; NaN where a side is constant or unknown."""
    a, b = (side - side.mean(axis=1, keepdims=True) for side in (x, y))
    signs = [np.sign(side[:, :, None] - side[:, None, :]) for side in (x, y)]
    ranks = [sign.sum(axis=2) for sign in signs]
    with np.errstate(invalid="ignore", divide="ignore"):
        made = {
            "pearson": (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)),
            "spearman": (ranks[0] * ranks[1]).sum(1) / np.sqrt((ranks[0] ** 2).sum(1) * (ranks[1] ** 2).sum(1)),
            "kendall": (signs[0] * signs[1]).sum((1, 2))
            / np.sqrt((signs[0] ** 2).sum((1, 2)) * (signs[1] ** 2).sum((1, 2))),
        }
    return {name: np.clip(value, -1, 1) for name, value in made.items()}


def _resampled(points: Points, model: Ints, weights: Weights) -> dict[str, Floats]:
    """(B,) the correlations in each resample of the clusters, the models fixed."""
    size = int(model.max()) + 1
    sums = [
        table_by(weights.group[points.cluster], model, (weights.n_groups, size), row)
        for row in (None, points.x, points.y)
    ]
    drawn = weights.of_sums(np.concatenate(sums, axis=1))
    block = max(_BLOCK // size**2, 1)
    parts = []
    for start in range(0, len(drawn), block):
        count, x, y = np.split(drawn[start : start + block], 3, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(across_models(x / count, y / count))
    return {name: np.concatenate([part[name] for part in parts]) for name in CORRELATIONS}


def _mean_difference(points: Points, model: Ints, *, spread: bool) -> Estimate:
    """The mean over models of the judge's mean less the people's."""
    size = int(model.max()) + 1
    count, total = np.bincount(model), np.bincount(model, points.x - points.y)
    value = float((total / count).mean())
    if not spread:
        return Estimate(value)
    cluster, clusters = compact(points.cluster, int(points.cluster.max()) + 1)
    own = [table_by(cluster, model, (clusters.size, size), row) for row in (None, points.x - points.y)]
    with np.errstate(invalid="ignore", divide="ignore"):
        left_out = ((total - own[1]) / (count - own[0])).mean(axis=1)
    return Estimate(value, "", left_out, clusters)
