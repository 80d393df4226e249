"""Which model for this mix of skills: weighted means, who is likely the best, and what a price buys.

The means of all models in all skills and their joint covariance (cluster-robust, so that skills and models that share instances
correlate) are all that is needed: for any weights w the weighted means are `M w`, and their covariance is `(I x w)' C (I x w)`. Intervals,
tests and probabilities use the normal approximation, so that a page can recompute them for weights that its reader sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, Ints
from flask_eval.analysis.scores import compact
from flask_eval.errors import UserError, nearest
from flask_eval.schema import slug

DRAWS = 20_000
_TINY = 1e-12


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
    covariance: Floats
    """[models * skills, models * skills], models outside; NaN throughout with fewer than two clusters. 0 where there is no mean."""
    clusters: int
    scale: tuple[float, float] | None


def skill_means(data: Coded, rater: str) -> SkillMeans:
    """Measure a rater's models in all its skills.

    Args:
        data: the ratings.
        rater: one of `data.raters`.
    """
    position = data.raters.index(rater)
    rows = np.flatnonzero((data.rater == position) & ~np.isnan(data.score))
    models, skills = np.unique(data.model[data.rater == position]), np.unique(data.skill[data.rater == position])
    shape = models.size, skills.size
    cell = np.searchsorted(models, data.model[rows]) * shape[1] + np.searchsorted(skills, data.skill[rows])
    size = shape[0] * shape[1]
    counts = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(cell, data.score[rows], size) / counts
    clusters, cluster = compact(data.cluster[rows], max(data.n_clusters, 1))
    influence = np.zeros((clusters.size, size))
    np.add.at(influence, (cluster, cell), (data.score[rows] - mean[cell]) / counts[cell])
    covariance = np.full((size, size), np.nan)
    if clusters.size > 1:
        covariance = clusters.size / (clusters.size - 1) * (influence.T @ influence)
    pairs, _ = compact(cell * len(data.table.instances) + data.instance[rows], max(size * len(data.table.instances), 1))
    n = np.bincount(pairs // max(len(data.table.instances), 1), minlength=size)
    return SkillMeans(
        rater=rater,
        models=tuple(data.models[m] for m in models),
        skills=tuple(data.skills[s] for s in skills),
        mean=mean.reshape(shape),
        n=n.reshape(shape),
        covariance=covariance,
        clusters=int(clusters.size),
        scale=data.scale(position),
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """One model under the weights."""

    model: str
    mean: float | None
    low: float | None
    high: float | None
    rank: int | None
    probability_best: float | None
    n: int
    """The fewest instances behind a skill that counts."""
    price: float | None = None
    speed: float | None = None
    on_front: bool | None = None
    """Whether no model is at least as good and as cheap, and better in one; None without a price or a mean."""
    beaten_by: str | None = None
    """The best of the models that are."""
    beaten_clearly: bool | None = None
    """Whether the difference of the means is significant too."""
    undefined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """The models under one set of weights, best first."""

    rater: str
    weights: Mapping[str, float]
    """By skill; they sum to 1."""
    choices: tuple[Choice, ...]
    leaders: tuple[str, ...]
    """The models that are not significantly worse than another (Holm over all pairs)."""
    confidence: float
    draws: int
    seed: int


def weights_of(text: str, skills: Sequence[str]) -> dict[str, float]:
    """`--weights SKILL=W,...` as numbers, by slug; skills that are not named weigh nothing.

    Raises:
        UserError: no number of at least 0, no such skill, a skill named twice, or nothing above 0.
    """
    found: dict[str, float] = {}
    for part in (piece.strip() for piece in text.split(",") if piece.strip()):
        title, sign, value = part.rpartition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = float("nan")
        if not sign or not title.strip() or not 0 <= weight < float("inf"):
            raise UserError(f"--weights {part}: write SKILL=W with a number of at least 0, such as factuality=2")
        skill = slug(title)
        if skill not in skills:
            raise UserError(f"--weights {part}: no skill is called '{title.strip()}'{nearest(title.strip(), skills)}")
        if skill in found:
            raise UserError(f"--weights {part}: '{skill}' is named twice")
        found[skill] = weight
    if not any(found.values()):
        raise UserError(f"--weights {text!r}: at least one weight must be above 0")
    return found


def select(
    means: SkillMeans,
    weights: Mapping[str, float] | None = None,
    *,
    prices: Mapping[str, float] | None = None,
    speeds: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Selection:
    """Rank models for a mix of skills.

    Args:
        means: of one rater.
        weights: by skill, at least 0; None: the same for all. Skills that `means` does not have are left out.
        prices: by model; the lower the better.
        speeds: by model; shown only.
        confidence: of intervals and tests.
        draws: of the probability of being best; 0: neither that nor intervals.
        seed: of the draws.

    Raises:
        UserError: no weight above 0 is left.
    """
    given = dict.fromkeys(means.skills, 1.0) if weights is None else {s: weights.get(s, 0.0) for s in means.skills}
    total = sum(given.values())
    if means.skills and not total > 0:
        raise UserError("--weights: none of the skills that weigh something is rated")
    share = np.array([given[s] / total for s in means.skills])
    counted = share > 0
    known = ~np.isnan(means.mean[:, counted]).any(axis=1)
    mean, covariance = _weighted(means, share, known)
    order = sorted(np.flatnonzero(known).tolist(), key=lambda m: (-float(f"{mean[m]:.9g}"), means.models[m]))
    separated = _separated(mean, covariance, order, 1 - confidence) if draws else np.zeros((0, 0), bool)
    chances = _chances(mean, covariance, order, draws, seed)
    cost, speed = dict(prices or {}), dict(speeds or {})
    made = []
    for m in [*order, *np.flatnonzero(~known).tolist()]:
        own = _placed(means, m, mean, covariance, order, counted, confidence if draws else None)
        rival = _rival(means.models, m, mean, order, cost) if known[m] else None
        priced = bool(known[m]) and means.models[m] in cost
        made.append(
            Choice(
                **own,
                probability_best=None if chances is None or not known[m] else float(chances[m]),
                price=cost.get(means.models[m]),
                speed=speed.get(means.models[m]),
                on_front=rival is None if priced else None,
                beaten_by=None if rival is None else means.models[rival],
                beaten_clearly=None if rival is None or not draws else bool(separated[rival, m]),
            )
        )
    leaders = tuple(means.models[m] for m in order if draws and not separated[:, m].any())
    return Selection(
        rater=means.rater,
        weights={s: float(w) for s, w in zip(means.skills, share, strict=True)},
        choices=tuple(made),
        leaders=leaders,
        confidence=confidence,
        draws=draws,
        seed=seed,
    )


def _weighted(means: SkillMeans, share: Floats, known: np.ndarray) -> tuple[Floats, Floats]:
    """Weighted means and their covariance; NaN for models that lack a skill that counts."""
    n_models, n_skills = means.mean.shape
    mean = np.where(known, np.nan_to_num(means.mean) @ share, np.nan)
    blocks = means.covariance.reshape(n_models, n_skills, n_models, n_skills)
    covariance = np.einsum("s,asbt,t->ab", share, blocks, share, optimize=True)
    return mean, covariance


def _separated(mean: Floats, covariance: Floats, order: Sequence[int], level: float) -> np.ndarray:
    """[better, worse]: which differences are significant under Holm over all pairs."""
    from scipy.special import ndtr

    size = mean.size
    made = np.zeros((size, size), bool)
    pairs = [(a, b) for place, a in enumerate(order) for b in order[place + 1 :]]
    if not pairs or np.isnan(covariance).any():
        return made
    a, b = np.array(pairs).T
    spread = np.sqrt(np.maximum(covariance[a, a] + covariance[b, b] - 2 * covariance[a, b], 0.0))
    gap = mean[a] - mean[b]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(spread > _TINY, 2 * ndtr(-np.abs(gap) / spread), 1.0)  # nothing varied: nothing is shown
    for place, k in enumerate(np.argsort(p, kind="stable")):
        if p[k] * (p.size - place) > level:
            break
        made[a[k], b[k]] = True
    return made


def _chances(mean: Floats, covariance: Floats, order: Sequence[int], draws: int, seed: int) -> Floats | None:
    """The share of draws in which a model is the best; None where nothing can be drawn."""
    own = list(order)
    inner = covariance[np.ix_(own, own)]
    if not draws or len(own) < 2 or np.isnan(inner).any() or not np.trace(inner) > 0:
        return None
    values, vectors = np.linalg.eigh(inner)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(seed).standard_normal((draws, len(own))) @ root.T + mean[own]
    top = drawn >= drawn.max(axis=1, keepdims=True) - _TINY
    made = np.full(mean.size, np.nan)
    made[own] = (top / top.sum(axis=1, keepdims=True)).mean(axis=0)
    return made


def _placed(
    means: SkillMeans,
    m: int,
    mean: Floats,
    covariance: Floats,
    order: Sequence[int],
    counted: np.ndarray,
    confidence: float | None,
) -> dict[str, object]:
    """Mean, interval and rank of one model, or why not."""
    from scipy.special import ndtri

    n = int(means.n[m, counted].min(initial=np.iinfo(np.int64).max)) if counted.any() else 0
    if np.isnan(mean[m]):
        lacking = [s for s, c, v in zip(means.skills, counted, means.mean[m], strict=True) if c and np.isnan(v)]
        why = f"no score in {', '.join(lacking[:3])}" + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        none = dict.fromkeys(("mean", "low", "high", "rank", "probability_best"), why)
        return {
            "model": means.models[m],
            "mean": None,
            "low": None,
            "high": None,
            "rank": None,
            "n": n,
            "undefined": none,
        }
    value = float(mean[m])
    rank = 1 + sum(mean[other] > value + _TINY for other in order)
    error = float(np.sqrt(max(covariance[m, m], 0.0))) if not np.isnan(covariance[m, m]) else 0.0
    undefined: dict[str, str] = {}
    low = high = None
    if confidence is None:
        undefined = dict.fromkeys(("low", "high", "probability_best"), "not asked for")
    elif error <= _TINY:
        undefined = dict.fromkeys(("low", "high"), "all scores are the same, or there is one instance only")
    else:
        half = float(ndtri((1 + confidence) / 2)) * error
        ends = means.scale or (-np.inf, np.inf)
        low, high = max(value - half, ends[0]), min(value + half, ends[1])
    if len(order) < 2:
        undefined["probability_best"] = "there is no other model"
    return {
        "model": means.models[m], "mean": value, "low": low, "high": high, "rank": int(rank), "n": n, "undefined": undefined,
    }  # fmt: skip


def _rival(models: Sequence[str], m: int, mean: Floats, order: Sequence[int], cost: Mapping[str, float]) -> int | None:
    """The best model that is at least as good and as cheap, and better in one; None where there is none."""
    own = cost.get(models[m])
    if own is None:
        return None
    better = [
        other
        for other in order
        if other != m
        and models[other] in cost
        and mean[other] >= mean[m]
        and cost[models[other]] <= own
        and (mean[other] > mean[m] or cost[models[other]] < own)
    ]
    return better[0] if better else None
