"""The scores of one rater as a matrix: one row a model, one column an (instance, skill)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, Ints
from flask_eval.analysis.scores import compact


@dataclass(frozen=True, eq=False)
class Cells:
    """The mean score of each model in each cell (instance, skill) that any model has a score in."""

    rater: str
    kind: str
    models: tuple[str, ...]
    """Rows; those without any score come last and are counted by `rated`."""
    rated: int
    """How many models have a score: the first so many rows."""
    score: Floats
    """[models, cells]; NaN where there is none. Samples, variants and response samples are averaged first."""
    instance: Ints
    """Positions in `table.instances`, one a cell; cells stand by cluster, then instance, then skill."""
    skill: Ints
    """Positions in `Coded.skills`, one a cell."""
    cluster: Ints
    scale: tuple[float, float] | None

    @cached_property
    def tolerance(self) -> float:
        """Differences up to this size are rounding."""
        return 1e-9 * max(1.0, float(np.nanmax(np.abs(self.score), initial=0.0)))

    def ordered(self, models: list[str]) -> Cells:
        """The same with the models in another order; those with scores first."""
        first = [name for name in models if name in self.models[: self.rated]]
        names = (*first, *(name for name in models if name not in first))
        take = [self.models.index(name) for name in names]
        return replace(self, models=names, score=self.score[take])


def is_nominal(data: Coded, rater: int) -> bool:
    """Whether a rater gives labels, which have no mean."""
    ends = data.table.scales.get(data.raters[rater])
    labels = (data.rater == rater) & data.scored & np.isnan(data.score)
    return bool((ends is not None and isinstance(ends[0], str)) or labels.any())


def cells_of(data: Coded, rater: int) -> Cells:
    """The cells of a rater; its models are those that it rated or was to rate, by name."""
    own = data.rater == rater
    codes = np.unique(data.model[own])
    rows = np.flatnonzero(own & ~np.isnan(data.score))
    n_skills, n_models = max(len(data.skills), 1), max(len(data.models), 1)
    column = data.instance[rows] * n_skills + data.skill[rows]
    found, position = compact(column, len(data.table.instances) * n_skills)
    size = found.size * n_models
    place = data.model[rows] * found.size + position
    counts = np.bincount(place, minlength=size)
    with np.errstate(invalid="ignore"):
        score = (np.bincount(place, data.score[rows], size) / counts).reshape(n_models, found.size)
    cluster = np.zeros(found.size, np.int64)
    cluster[position] = data.cluster[rows]
    instance, skill = found // n_skills, found % n_skills
    order = np.lexsort((skill, instance, cluster))
    empty = np.asarray(np.isnan(score).all(axis=1))
    take = sorted(codes.tolist(), key=lambda code: (bool(empty[code]), data.models[code]))
    return Cells(
        rater=data.raters[rater],
        kind=data.table.raters[data.raters[rater]],
        models=tuple(data.models[code] for code in take),
        rated=int((~empty[take]).sum()),
        score=np.ascontiguousarray(score[take][:, order]),
        instance=instance[order],
        skill=skill[order],
        cluster=cluster[order],
        scale=data.scale(rater),
    )
