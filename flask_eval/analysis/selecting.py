"""Which model for this mix of skills: weighted means, who is likely the best, and what a price buys.

The means of all models in all skills and their joint covariance (cluster-robust: skills and models that share instances correlate)
are all that is needed. For weights w that sum to 1 the weighted means are `M w`, their covariance `(I x w)' C (I x w)`; so a page can
recompute everything for weights that its reader sets. Intervals and tests use Student's t with the degrees of freedom of Satterthwaite
(1946, Biometrics Bulletin 2:110-114), the probability of being best a multivariate normal around the means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from flask_eval.analysis.coding import Floats, Mask
from flask_eval.analysis.scores import check_confidence
from flask_eval.analysis.skill_means import SkillMeans, shares
from flask_eval.analysis.sparsity import is_sparse

DRAWS = 20_000
_TINY = 1e-12
NOT_ASKED = "not asked for"
_NO_SPREAD = "one instance only in a skill that counts, or all scores are equal: nothing shows how much others differ"


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
    sparse: bool
    """Whether a skill that counts has too few to be firm."""
    price: float | None
    speed: float | None
    on_front: bool | None
    """Whether no model is at least as good in mean, price and speed, and better in one; None: not all of them are known."""
    beaten_by: str | None
    """The best of the models that are."""
    beaten_clearly: bool | None
    """Whether its mean is significantly higher too."""
    undefined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """The models under one set of weights, best first; those that cannot be ranked last."""

    rater: str
    weights: Mapping[str, float]
    """By skill; they sum to 1."""
    choices: tuple[Choice, ...]
    leaders: tuple[str, ...]
    """The ranked models that no other is significantly better than; none where nothing could be tested."""
    clear: bool
    """Whether the one leader is significantly better than every other model."""
    confidence: float
    tests: int
    """How many pairs the correction counts."""
    draws: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """A record for JSON."""
        return asdict(self) | {
            "method": "weighted mean over skills; cluster-robust covariance of all means; interval and tests: Student's t with "
            "Satterthwaite's degrees of freedom, Holm over all pairs; probability of best: multivariate normal"
        }


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

    A model without a score in a skill that counts is not ranked. Differences are tested between all pairs (Holm), so that the highest
    of many models gains nothing from having been picked out.

    Args:
        means: of one rater.
        weights: by skill, at least 0; None: the same for all that every model has a score for.
        prices: by model; the lower the better.
        speeds: by model; the higher the better.
        confidence: of intervals and tests.
        draws: of the probability of being best; 0: neither that nor intervals and tests.
        seed: of the draws.

    Raises:
        UserError: no weight above 0 is left.
    """
    check_confidence(confidence)
    share = shares(means.skills, means.mean, weights)
    found = _weighted(means, share)
    separated = _separated(found, means.field, 1 - confidence) if draws else np.zeros((len(means.models),) * 2, bool)
    chances = _chances(found, draws, seed)
    placed = _Placed(means, share, found, confidence if draws else None, chances)
    criteria = [dict(zip(means.models, found.mean.round(9).tolist(), strict=True))]
    criteria += [{m: -v for m, v in prices.items()}] if prices else []
    criteria += [dict(speeds)] if speeds else []
    unknown = np.flatnonzero(np.isnan(found.mean)).tolist()
    made = []
    for m in [*found.order, *unknown]:
        name = means.models[m]
        open_ = len(criteria) > 1 and all(name in one for one in criteria) and m not in unknown
        rival = _rival(means.models, m, found.order, criteria) if open_ else None
        clearly = bool(separated[rival, m]) if rival is not None and draws else None
        made.append(
            Choice(
                **placed.numbers(m),
                price=(prices or {}).get(name),
                speed=(speeds or {}).get(name),
                on_front=rival is None if open_ else None,
                beaten_by=None if rival is None else means.models[rival],
                beaten_clearly=clearly,
            )
        )
    tested = draws > 0 and len(found.firm) > 1
    top = [m for m in found.order if tested and not separated[:, m].any()]
    return Selection(
        rater=means.rater,
        weights=dict(zip(means.skills, share.tolist(), strict=True)),
        choices=tuple(made),
        leaders=tuple(means.models[m] for m in top),
        clear=len(top) == 1 and bool(separated[top[0]].sum() == len(found.order) - 1),
        confidence=confidence,
        tests=means.field * (means.field - 1) // 2,
        draws=draws,
        seed=seed,
    )


class _Weighted(NamedTuple):
    mean: Floats
    """[models]; NaN for models that lack a skill that counts."""
    covariance: Floats
    """[models, models]"""
    degrees: Floats
    """[models], of freedom."""
    order: list[int]
    """The ranked models, best first."""
    firm: list[int]
    """Those of them whose spread is known."""


def _weighted(means: SkillMeans, share: Floats) -> _Weighted:
    n_models, n_skills = means.mean.shape
    counted = np.asarray(share > 0)
    mean = np.nan_to_num(means.mean) @ share
    mean[np.isnan(means.mean[:, counted]).any(axis=1) | (not counted.any())] = np.nan
    blocks = means.covariance.reshape(n_models, n_skills, n_models, n_skills)
    covariance = np.einsum("s,asbt,t->ab", share, np.nan_to_num(blocks), share, optimize=True)
    own = share**2 * np.nan_to_num(np.diag(means.covariance)).reshape(n_models, n_skills)
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = own.sum(axis=1) ** 2 / (own**2 / np.maximum(means.clusters - 1, 1)).sum(axis=1)
    degrees = np.fmin(degrees, np.maximum(means.all_clusters - 1, 1))
    order = sorted(np.flatnonzero(~np.isnan(mean)).tolist(), key=lambda m: (-round(float(mean[m]), 9), m))
    spread = (means.clusters[:, counted] > 1).all(axis=1) & (np.diag(covariance) > _TINY)
    return _Weighted(mean, covariance, degrees, order, [m for m in order if spread[m]])


def _separated(found: _Weighted, n_models: int, level: float) -> Mask:
    """[better, worse]: which differences are significant, by Holm over all pairs of `n_models`."""
    from scipy.special import stdtr

    made = np.zeros((found.mean.size,) * 2, bool)
    if len(found.firm) < 2:
        return made
    first, second = np.triu_indices(len(found.firm), 1)
    a, b = np.array(found.firm)[first], np.array(found.firm)[second]
    spread = found.covariance[a, a] + found.covariance[b, b] - 2 * found.covariance[a, b]
    varies = spread > _TINY  # a difference that never varies has no test
    t = (found.mean[a] - found.mean[b])[varies] / np.sqrt(spread[varies])
    a, b = a[varies], b[varies]
    p = 2 * stdtr(np.minimum(found.degrees[a], found.degrees[b]), -t)
    for place, k in enumerate(np.argsort(p, kind="stable").tolist()):
        if p[k] * (n_models * (n_models - 1) // 2 - place) > level:
            break
        made[a[k], b[k]] = True
    return made


def _chances(found: _Weighted, draws: int, seed: int) -> Mapping[int, float]:
    """The share of draws in which a model has the highest mean; empty where nothing can be drawn."""
    if not draws or len(found.firm) < 2:
        return {}
    values, vectors = np.linalg.eigh(found.covariance[np.ix_(found.firm, found.firm)])
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(seed).standard_normal((draws, len(found.firm))) @ root.T + found.mean[found.firm]
    top = drawn >= drawn.max(axis=1, keepdims=True) - 1e-9
    return dict(zip(found.firm, (top / top.sum(axis=1, keepdims=True)).mean(axis=0).tolist(), strict=True))


class _Placed(NamedTuple):
    """Where a model's numbers come from."""

    means: SkillMeans
    share: Floats
    found: _Weighted
    confidence: float | None
    chances: Mapping[int, float]

    def numbers(self, m: int) -> dict[str, Any]:
        """Mean, interval, rank and probability of one model, or why not."""
        counted = self.share > 0
        value = float(self.found.mean[m])
        known = not np.isnan(value)
        made: dict[str, Any] = {
            "model": self.means.models[m],
            "mean": value if known else None,
            "rank": 1 + int(sum(self.found.mean[other] > value + 1e-9 for other in self.found.order))
            if known
            else None,
            "n": int(self.means.n[m, counted].min()) if counted.any() else 0,
            "sparse": is_sparse(int(self.means.clusters[m, counted].min()) if counted.any() else 0),
            "probability_best": self.chances.get(m),
            "low": None,
            "high": None,
        }
        if not known:
            lacking = [
                s for s, c, v in zip(self.means.skills, counted, self.means.mean[m], strict=True) if c and np.isnan(v)
            ]
            why = f"no score in {', '.join(lacking)}" if lacking else "no skill counts"
            return made | {"undefined": dict.fromkeys(("mean", "low", "high", "rank", "probability_best"), why)}
        if self.confidence is None:
            return made | {"undefined": dict.fromkeys(("low", "high", "probability_best"), NOT_ASKED)}
        if m not in self.found.firm:
            return made | {"undefined": dict.fromkeys(("low", "high", "probability_best"), _NO_SPREAD)}
        undefined = {} if m in self.chances else {"probability_best": "there is no other model with an interval"}
        return made | self._ends(m, value, self.confidence) | {"undefined": undefined}

    def _ends(self, m: int, value: float, confidence: float) -> dict[str, float]:
        from scipy.special import stdtrit

        error = float(np.sqrt(self.found.covariance[m, m]))
        half = float(stdtrit(self.found.degrees[m], (1 + confidence) / 2)) * error
        low, high = self.means.scale or (-np.inf, np.inf)
        return {"low": max(value - half, low), "high": min(value + half, high)}


def _rival(models: Sequence[str], m: int, order: Sequence[int], criteria: Sequence[Mapping[str, float]]) -> int | None:
    """The best model that is nowhere worse (each criterion: higher is better) and somewhere better; None where there is none."""
    own = [one[models[m]] for one in criteria]
    for other in order:
        if all(models[other] in one for one in criteria):
            theirs = [one[models[other]] for one in criteria]
            if theirs != own and all(t >= o for t, o in zip(theirs, own, strict=True)):
                return other
    return None
