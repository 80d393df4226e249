"""The means of a rater's models in its skills with their joint covariance, and weights over skills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, Ints
from flask_eval.analysis.scores import compact
from flask_eval.errors import UserError, nearest
from flask_eval.schema import slug


@dataclass(frozen=True, eq=False)
class SkillMeans:
    """The means of one rater's models in its skills, and how they vary together."""

    rater: str
    models: tuple[str, ...]
    skills: tuple[str, ...]
    mean: Floats
    """[models, skills]; NaN where there is no score."""
    n: Ints
    """[models, skills]: instances."""
    clusters: Ints
    """[models, skills]: independent instances."""
    all_clusters: Ints
    """[models]: over all skills."""
    covariance: Floats
    """[models * skills, models * skills], model by model; NaN in the rows and columns of cells with fewer than two clusters."""
    field: int
    """How many models the rater has scores for, those that were left out of these too."""
    scale: tuple[float, float] | None


class _Cells(NamedTuple):
    """What `_cells` sums up; the axes are models, skills."""

    models: Ints
    skills: Ints
    rows: Ints
    cell: Ints
    counts: Ints
    mean: Floats


def _cells(data: Coded, rater: str) -> _Cells:
    own = data.rater == data.raters.index(rater)
    rows = np.flatnonzero(own & ~np.isnan(data.score))
    models, skills = np.unique(data.model[own]), np.unique(data.skill[own])
    cell = np.searchsorted(models, data.model[rows]) * skills.size + np.searchsorted(skills, data.skill[rows])
    count = np.bincount(cell, minlength=models.size * skills.size)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(cell, data.score[rows], count.size) / count
    shape = models.size, skills.size
    return _Cells(models, skills, rows, cell, count.reshape(shape), mean.reshape(shape))


def leading(data: Coded, rater: str, most: int, weights: Mapping[str, float] | None = None) -> tuple[str, ...]:
    """The `most` models with the highest weighted means, in the order of `data.models`; those without a mean come last."""
    cells = _cells(data, rater)
    share = shares(tuple(data.skills[s] for s in cells.skills), cells.mean, weights)
    means = np.nan_to_num(cells.mean) @ share
    means[np.isnan(cells.mean[:, share > 0]).any(axis=1)] = -np.inf
    kept = np.sort(np.argsort(-means, kind="stable")[:most])
    return tuple(data.models[m] for m in cells.models[kept])


def skill_means(data: Coded, rater: str, models: Sequence[str] | None = None) -> SkillMeans:
    """Measure a rater's models in all its skills.

    The covariance is that of sums of influences by cluster (Liang and Zeger 1986, Biometrika 73:13-22); on its diagonal it equals the
    squared standard errors of `slice`.

    Args:
        data: the ratings.
        rater: one of `data.raters`.
        models: measure only these; None: all.
    """
    cells = _cells(data, rater)
    n_skills = cells.skills.size
    wanted = np.array([models is None or data.models[m] in models for m in cells.models], bool)
    inside = np.repeat(wanted, n_skills)[cells.cell]
    rows, cell = cells.rows[inside], (np.cumsum(np.repeat(wanted, n_skills)) - 1)[cells.cell[inside]]
    kept, mean, count = cells.models[wanted], cells.mean[wanted], cells.counts[wanted]
    found, cluster = compact(data.cluster[rows], max(data.n_clusters, 1))
    influence = np.zeros((found.size, mean.size))
    np.add.at(influence, (cluster, cell), (data.score[rows] - mean.ravel()[cell]) / count.ravel()[cell])
    seen = np.zeros((found.size, mean.size), bool)
    seen[cluster, cell] = True
    clusters = seen.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(clusters > 1, np.sqrt(clusters / (clusters - 1)), np.nan)
    influence *= factor
    pairs, _ = compact(
        cell * len(data.table.instances) + data.instance[rows], max(mean.size * len(data.table.instances), 1)
    )
    n = np.bincount(pairs // max(len(data.table.instances), 1), minlength=mean.size)
    return SkillMeans(
        rater=rater,
        models=tuple(data.models[m] for m in kept),
        skills=tuple(data.skills[s] for s in cells.skills),
        mean=mean,
        n=n.reshape(mean.shape).astype(np.int64),
        clusters=clusters.reshape(mean.shape).astype(np.int64),
        all_clusters=seen.reshape(found.size, kept.size, n_skills).any(axis=2).sum(axis=0).astype(np.int64),
        covariance=influence.T @ influence,
        field=int((cells.counts > 0).any(axis=1).sum()),
        scale=data.scale(data.raters.index(rater)),
    )


def weights_of(text: str, skills: Mapping[str, str]) -> dict[str, float]:
    """`--weights SKILL=W,...` as numbers by skill; skills that are not named weigh nothing.

    Args:
        text: what the user wrote.
        skills: titles by skill; both are accepted, whatever their case.

    Raises:
        UserError: no number of at least 0, no such skill, a skill named twice, or nothing above 0.
    """
    known = {slug(title): skill for skill, title in skills.items()} | {slug(skill): skill for skill in skills}
    made: dict[str, float] = {}
    for part in (piece.strip() for piece in text.split(",") if piece.strip()):
        title, sign, value = part.rpartition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = float("nan")
        if not sign or not title.strip() or not 0 <= weight < float("inf"):
            raise UserError(f"--weights {part}: write SKILL=W with a number of at least 0, such as factuality=2")
        skill = known.get(slug(title))
        if skill is None:
            raise UserError(f"--weights {part}: no skill is called '{title.strip()}'{nearest(title.strip(), skills)}")
        if skill in made:
            raise UserError(f"--weights {part}: '{skill}' is named twice")
        made[skill] = weight
    if not any(made.values()):
        raise UserError(f"--weights '{text}': at least one weight must be above 0, such as factuality=2")
    return made


def shares(skills: Sequence[str], mean: Floats, weights: Mapping[str, float] | None) -> Floats:
    """The weights of `skills`, which sum to 1.

    Without `weights` each skill counts alike that every model with a score at all has a score for (all skills, where there is none).

    Raises:
        UserError: nothing is left that weighs something.
    """
    if weights is None:
        known = ~np.isnan(mean)
        common = known[known.any(axis=1)].all(axis=0) if known.any() else np.zeros(len(skills), bool)
        made = (common if common.any() else np.ones(len(skills), bool)).astype(np.float64)
    else:
        made = np.array([weights.get(skill, 0.0) for skill in skills], np.float64)
        if not made.sum() > 0:
            named = ", ".join(skill for skill, weight in weights.items() if weight > 0)
            raise UserError(f"--weights: this rater has rated none of {named}{nearest(named, skills)}")
    return np.asarray(made / max(float(made.sum()), 1e-12), np.float64)
