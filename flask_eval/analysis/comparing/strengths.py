"""Bradley-Terry strengths and mean win rates: who wins, not by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.analysis.coding import Floats, Ints, Mask
from flask_eval.analysis.comparing.estimates import ABSENT, Signs
from flask_eval.analysis.scores import compact

_STEPS, _CLOSE = 100, 1e-10


@dataclass(frozen=True, eq=False)
class Duels:
    """Comparisons of two models on an instance: `share` is 1 where `a` wins, 1/2 at a tie, 0 where `b` wins."""

    a: npt.NDArray[np.integer[Any]]
    b: npt.NDArray[np.integer[Any]]
    share: npt.NDArray[np.floating[Any]]
    cluster: npt.NDArray[np.integer[Any]]
    models: int


@dataclass(frozen=True, eq=False)
class Strengths:
    """Log strengths with mean 0 and their standard errors; or why there are none."""

    strength: Floats
    error: Floats
    clusters: int
    reason: str = ""


def duels_of(signs: Signs, a: Ints, b: Ints, cluster: Ints, models: int) -> Duels:
    """Every pair on every instance that both have scores for.

    Args:
        signs: [pairs, instances]: 1, 0 or -1, `ABSENT` where one has no score.
        a: the first model of each pair.
        b: the second.
        cluster: of each instance.
        models: how many there are.
    """
    pair, instance = np.nonzero(signs != ABSENT)
    share = (signs[pair, instance].astype(np.float32) + 1) / 2
    return Duels(a.astype(np.int32)[pair], b.astype(np.int32)[pair], share, cluster.astype(np.int32)[instance], models)


def verdict_duels(
    ratings: pd.DataFrame, rater: str, cluster: Mapping[str, int]
) -> tuple[tuple[str, ...], Duels] | None:
    """The pairwise verdicts of a rater: models by name, and one comparison an instance and pair; None where it gave none.

    Several verdicts on an instance and pair (both orders, samples, skills) are averaged first.

    Args:
        ratings: the long table; `versus` names the other model, `score` is -1, 0 or 1 for `model`.
        rater: whose verdicts.
        cluster: the cluster of each instance.
    """
    own = ratings[(ratings["rater"] == rater) & (ratings["versus"] != "") & (ratings["outcome"] == "scored")]
    own = own[own["model"] != own["versus"]]
    if own.empty:
        return None
    models = tuple(sorted({*own["model"], *own["versus"]}))
    index = pd.Index(models)
    first, second = index.get_indexer(own["model"]), index.get_indexer(own["versus"])
    share = (np.sign(pd.to_numeric(own["score"]).to_numpy(np.float64)) + 1) / 2
    swapped = first > second
    made = pd.DataFrame(
        {
            "instance": own["instance"].to_numpy(),
            "a": np.where(swapped, second, first),
            "b": np.where(swapped, first, second),
            "share": np.where(swapped, 1 - share, share),
        }
    )
    found = made.groupby(["instance", "a", "b"], as_index=False).agg({"share": "mean"})
    where = found["instance"].map(dict(cluster)).to_numpy(np.int64)
    a, b = (found[name].to_numpy(np.int64) for name in ("a", "b"))
    return models, Duels(a, b, found["share"].to_numpy(np.float64), where, len(models))


def bradley_terry(duels: Duels) -> Strengths:
    """Maximum-likelihood strengths by Newton's method; a tie is half a win for each (Bradley and Terry 1952, Biometrika 39:324).

    P(a wins) = 1 / (1 + exp(strength b - strength a)). Errors are those of a sandwich: scores of the likelihood summed by cluster,
    since one instance decides many comparisons (White 1982, Econometrica 50:1-25).
    """
    size = duels.models
    none = np.full(size, np.nan)
    if size < 2:
        return Strengths(none, none, 0, "there is no other model")
    if not duels.a.size:
        return Strengths(none, none, 0, "no instance has scores of two models")
    wins = _table(duels)
    if not _connected(wins):
        return Strengths(
            none, none, 0,
            "no finite strength: some models win, or lose, every comparison with the others, or are not compared with them",
        )  # fmt: skip
    strength, curvature = _fitted(wins)
    residual = duels.share - _logistic(strength[duels.a] - strength[duels.b])
    names, cluster = compact(duels.cluster.astype(np.int64), int(duels.cluster.max()) + 1)
    score = np.bincount(duels.a * names.size + cluster, residual, size * names.size)
    score -= np.bincount(duels.b * names.size + cluster, residual, size * names.size)
    score = score.reshape(size, names.size)
    if names.size < 2:
        return Strengths(
            strength, none, names.size, "one instance (cluster) only: nothing shows how much others differ"
        )
    bread = np.linalg.pinv(curvature, hermitian=True)
    spread = bread @ (score @ score.T) @ bread * names.size / (names.size - 1)
    return Strengths(strength, np.sqrt(np.maximum(np.diag(spread), 0.0)), int(names.size))


def _table(duels: Duels) -> Floats:
    """[winner, loser]: sums of what `a` has won of `b`, and `b` of `a`."""
    size = duels.models
    pair = duels.a.astype(np.int64) * size + duels.b
    won = np.bincount(pair, duels.share, size * size).reshape(size, size)
    lost = np.bincount(pair, minlength=size * size).reshape(size, size) - won
    return np.asarray(won + lost.T, np.float64)


def _connected(wins: Floats) -> bool:
    """Whether from each model a chain of wins leads to each other (Ford 1957): only then all strengths are finite."""
    reach = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(int(np.ceil(np.log2(len(wins)))) + 1):
        reach = (reach.astype(np.float64) @ reach.astype(np.float64)) > 0
    return bool(reach.all())


def _logistic(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def _fitted(wins: Floats) -> tuple[Floats, Floats]:
    """Strengths with mean 0, and the information matrix there."""
    games = wins + wins.T
    strength = np.zeros(len(wins))
    for _ in range(_STEPS):
        chance = _logistic(strength[:, None] - strength[None, :])
        gradient = (wins - games * chance).sum(axis=1)
        weight = games * chance * (1 - chance)
        curvature = np.diag(weight.sum(axis=1)) - weight
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        step -= step.mean()
        strength = strength + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < _CLOSE:
            break
    return strength, curvature


# ---- mean win rate ------------------------------------------------------------------------------------------------


def mean_win_rate(means: Floats, tolerance: float = 0.0) -> Floats:
    """The mean over a model's skills of the share of rivals whose mean it beats (Perlitz et al. 2024, appendix A).

    Ties count half; a skill that a model has no mean in is left out for it, as is a rival without one.

    Args:
        means: [models, skills]; NaN where there is none.
        tolerance: differences up to this size are ties.

    Returns:
        [models]; NaN where a model meets no rival.
    """
    won, met = _meetings(means, tolerance)
    return _rate(won.sum(axis=1), met.sum(axis=1))


def leaders_without(means: Floats, tolerance: float = 0.0) -> list[tuple[int, ...]]:
    """For each model the rivals whose removal changes whether it leads by mean win rate.

    For a leader: those whose removal costs it the lead; for any other: those whose removal makes it the leader.
    """
    size = len(means)
    won, met = _meetings(means, tolerance)
    leads = _leads(_rate(won.sum(axis=1), met.sum(axis=1)))
    found: list[list[int]] = [[] for _ in range(size)]
    for gone in range(size):
        if np.isnan(means[gone]).all():
            continue
        rate = _rate(won.sum(axis=1) - won[:, gone], met.sum(axis=1) - met[:, gone])
        rate[gone] = np.nan
        now = _leads(rate)
        for model in np.flatnonzero((now != leads) & (np.arange(size) != gone)).tolist():
            found[model].append(gone)
    return [tuple(names) for names in found]


def _meetings(means: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """[model, rival, skill]: what the model wins of the rival (ties half), and whether both have a mean."""
    gap = means[:, None, :] - means[None, :, :]
    met = ~np.isnan(gap)
    met[np.arange(len(means)), np.arange(len(means))] = False
    won = np.where(np.abs(gap) <= tolerance, 0.5, gap > 0)
    return np.where(met, won, 0.0), met.astype(np.float64)


def _rate(won: Floats, met: Floats) -> Floats:
    """Mean over skills of won / met, where anything is met; both [models, skills]."""
    there = met > 0
    share = np.where(there, won / np.where(there, met, 1.0), 0.0)
    count = there.sum(axis=1)
    return np.asarray(np.where(count > 0, share.sum(axis=1) / np.maximum(count, 1), np.nan))


def _leads(rate: Floats) -> Mask:
    if np.isnan(rate).all():
        return np.zeros(rate.shape, bool)
    return np.asarray(rate >= np.nanmax(rate) - 1e-12)
