"""Means of models from few people's labels and many judge's scores: prediction-powered inference.

The judge's mean over all instances is corrected by what the judge gets wrong where people looked too. How much the judge
counts (lambda) is tuned, so that a useless judge costs nothing. The unit is the instance, each model on its own: rows
pooled over models that share instances cover far less than they claim.

Source: Angelopoulos, Duchi and Zrnic (2023), PPI++: Efficient prediction-powered inference, sections 2 and 6. The
interval is that of the regression estimator under double sampling (Cochran 1977, section 12.6): its residuals have lost
two degrees of freedom, and lambda's own error grows with the distance of the labelled judge mean from the whole one. A
labels alone stand where that interval would be wider than theirs, and where so few labelled instances show the judge at
fault that the spread of its faults is not seen yet (docs/simulations.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from flask_eval.analysis.trust.ceiling import mean_of
from flask_eval.analysis.trust.panel import Bools, Clusters, Floats, Ints, Panel, panels
from flask_eval.analysis.trust.rows import Row, number

Labelled = Literal["random"] | Mapping[str, float]
"""How the labelled instances were chosen: at random, or each with a known probability: {instance: probability}."""
FEWEST_LABELS = 2
FEWEST_TO_TUNE = 10
"""Fewer labelled clusters than that, and the labels stand alone."""
FEWEST_DISAGREEMENTS = 20
"""Labelled clusters (or half of them, where they are few) that must differ from the usual difference of people and judge
before the judge counts: where nearly all agree, the few that would not are not in the sample, and an interval from it is too narrow."""

_NOT_TOLD = (
    "how the labelled instances were chosen is not told: they must be a random sample of the judged ones, or have known "
    "probabilities"
)


@dataclass(frozen=True, slots=True)
class CalibratedMean(Row):
    """A model's mean on a skill, on the people's scale."""

    judge: str
    """The judge whose scores stand in where no person looked."""
    model: str
    """The model."""
    skill: str
    """The skill."""
    slice: str | None
    """The name of the slice; none: everything."""
    mean: float | None
    """The prediction-powered mean."""
    low: float | None
    """The low end of its interval."""
    high: float | None
    """The high end."""
    judge_mean: float | None
    """The judge's own mean over all instances that it scored."""
    human_mean: float | None
    """The mean of the labels alone."""
    n_human: int
    """Instances with a person's and the judge's score."""
    n_judge: int
    """Instances with the judge's score, labelled ones among them."""
    n_clusters: int
    """Clusters of the labelled instances."""
    lambda_: float | None
    """How much the judge counts: 0 not at all, 1 in full."""
    method: str
    """How mean and interval were made."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none."""


@dataclass(frozen=True, slots=True)
class CalibratedDifference(Row):
    """The difference of two models' means on a skill, from their differences on shared instances."""

    judge: str
    """The judge."""
    a: str
    """The first model."""
    b: str
    """The second model."""
    skill: str
    """The skill."""
    slice: str | None
    """The name of the slice; none: everything."""
    difference: float | None
    """The mean of a less the mean of b."""
    low: float | None
    """The low end of its interval."""
    high: float | None
    """The high end."""
    p: float | None
    """Two-sided p of no difference, not adjusted over pairs."""
    judge_difference: float | None
    """The judge's own difference over all shared instances."""
    n_human: int
    """Instances where people and the judge scored both models."""
    n_judge: int
    """Instances where the judge scored both models."""
    n_clusters: int
    """Clusters of the labelled instances."""
    lambda_: float | None
    """How much the judge counts."""
    method: str
    """How difference and interval were made."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none."""


class Estimate(NamedTuple):
    """A prediction-powered mean with its interval; NaN where there is none."""

    mean: float
    low: float
    high: float
    lam: float
    p: float
    reason: str
    """Why the interval is none; empty where it is there."""


class _Sample(NamedTuple):
    """One model on one skill, instance by instance: what the judge scored."""

    instance: npt.NDArray[np.object_]
    cluster: Ints
    human: Floats
    judge: Floats


def calibrated_means(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    labelled: Labelled | None,
    judges: Collection[str] | None = None,
    confidence: float = 0.95,
    slice_name: str | None = None,
) -> list[CalibratedMean]:
    """Each model's mean on each skill by PPI++: a row a judge, model and skill.

    Args:
        ratings: the long table; people label some instances, judges score all.
        clusters: the cluster of an instance; the interval is robust to dependence within clusters.
        labelled: `"random"`, or the probability of each instance to be labelled, or none: not known, so no estimate.
        judges: the judges to use; none: all. Metrics count too.
        confidence: of the intervals.
        slice_name: the name of the slice that `ratings` holds.
    """
    rows = []
    for judge, skill, samples, reason in _samples(ratings, clusters, judges):
        for model, sample in samples.items():
            why = reason or _refusal(sample, labelled)
            made = None if why else _estimate(sample, labelled, confidence)
            there = ~np.isnan(sample.human)
            rows.append(
                CalibratedMean(
                    judge=judge,
                    model=model,
                    skill=skill,
                    slice=slice_name,
                    mean=made and number(made.mean),
                    low=made and number(made.low),
                    high=made and number(made.high),
                    judge_mean=None if reason else _mean(sample.judge),
                    human_mean=None if reason else _mean(sample.human[there]),
                    n_human=int(there.sum()),
                    n_judge=len(sample.judge),
                    n_clusters=len(np.unique(sample.cluster[there])),
                    lambda_=made and number(made.lam),
                    method=_method(sample, labelled, made),
                    undefined=_undefined(("mean", "low", "high", "lambda"), why, made),
                )
            )
    return rows


def calibrated_differences(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    labelled: Labelled | None,
    judges: Collection[str] | None = None,
    confidence: float = 0.95,
    slice_name: str | None = None,
) -> list[CalibratedDifference]:
    """Each pair of models on each skill by PPI++ on their per-instance differences; arguments as `calibrated_means`."""
    rows = []
    for judge, skill, samples, reason in _samples(ratings, clusters, judges):
        for a, b in combinations(samples, 2):
            sample = _apart(samples[a], samples[b])
            why = reason or _refusal(sample, labelled)
            made = None if why else _estimate(sample, labelled, confidence)
            there = ~np.isnan(sample.human)
            rows.append(
                CalibratedDifference(
                    judge=judge,
                    a=a,
                    b=b,
                    skill=skill,
                    slice=slice_name,
                    difference=made and number(made.mean),
                    low=made and number(made.low),
                    high=made and number(made.high),
                    p=made and number(made.p),
                    judge_difference=None if reason else _mean(sample.judge),
                    n_human=int(there.sum()),
                    n_judge=len(sample.judge),
                    n_clusters=len(np.unique(sample.cluster[there])),
                    lambda_=made and number(made.lam),
                    method=_method(sample, labelled, made),
                    undefined=_undefined(("difference", "low", "high", "p", "lambda"), why, made),
                )
            )
    return rows


# ---- the estimate -------------------------------------------------------------------------------------------------


def ppi_mean(
    human: Floats,
    judge: Floats,
    *,
    lam: float | None = None,
    weights: Floats | None = None,
    cluster: Ints | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """The prediction-powered mean with its interval.

    Args:
        human: (instances,) people's score; NaN where nobody looked.
        judge: (instances,) the judge's score, on every instance.
        lam: how much the judge counts; none: tuned (PPI++, example 6.1), clipped to [0, 1].
        weights: (instances,) one over the probability to be labelled; none: labelled at random.
        cluster: (instances,) the cluster; none: each instance is its own.
        confidence: of the interval.

    Returns:
        The estimate; with fewer than 2 labelled clusters all NaN, with a reason.

    Raises:
        ValueError: shapes differ, or a judge's score is missing.
    """
    if human.shape != judge.shape or np.isnan(judge).any():
        raise ValueError("human and judge need one shape, and the judge a score everywhere")
    there = ~np.isnan(human)
    cluster = np.arange(len(human), dtype=np.int64) if cluster is None else cluster
    labelled_clusters = len(np.unique(cluster[there]))
    if labelled_clusters < FEWEST_LABELS:
        why = f"{labelled_clusters} labelled instance(s) or cluster(s): {FEWEST_LABELS} are needed"
        return Estimate(np.nan, np.nan, np.nan, np.nan, np.nan, why)
    parts = _Parts(human, judge, there, cluster, weights)
    if lam is None:
        lam = tuned_lambda(human, judge, weights=weights) if labelled_clusters >= FEWEST_TO_TUNE else 0.0
        if _disagreements(human[there] - lam * judge[there], cluster[there]) < min(
            FEWEST_DISAGREEMENTS, labelled_clusters // 2
        ):
            lam = 0.0
    error, freedom = parts.error(lam)
    alone, alone_freedom = parts.error(0.0)
    mean = parts.mean(lam)
    if alone <= 1e-12 * max(1.0, float(np.abs(human[there]).max())):
        return Estimate(mean, np.nan, np.nan, lam, np.nan, "all labels are equal")
    quantile = float(stats.t.ppf(0.5 + confidence / 2, freedom))
    labels_alone = float(stats.t.ppf(0.5 + confidence / 2, alone_freedom))
    if quantile * error > labels_alone * alone:  # the judge does not help: the labels speak for themselves
        lam, mean, error, freedom, quantile = 0.0, parts.mean(0.0), alone, alone_freedom, labels_alone
    half = quantile * error
    p = 2 * float(stats.t.sf(abs(mean) * quantile / half, freedom)) if half > 0 else np.nan
    return Estimate(mean, mean - half, mean + half, lam, p, "")


def _disagreements(rectifier: Floats, cluster: Ints) -> int:
    """Labelled clusters whose people and judge differ otherwise than most: with few, their spread is not yet seen."""
    values, count = np.unique(np.round(rectifier, 9), return_counts=True)
    usual = values[count.argmax()]
    return len(np.unique(cluster[np.abs(rectifier - usual) > 1e-8]))


def tuned_lambda(human: Floats, judge: Floats, *, weights: Floats | None = None) -> float:
    """Lambda that gives the smallest variance, clipped to [0, 1]; 0 where the judge is constant or nothing is unlabelled.

    Args:
        human: (instances,) NaN where nobody looked.
        judge: (instances,).
        weights: (instances,) one over the probability to be labelled; none: labelled at random.

    Source: PPI++, example 6.1: Cov(Y, f) / ((1 + n/N) Var(f)); with weights the same minimum, over the contributions
    of single instances to estimate and correction.
    """
    there = ~np.isnan(human)
    n, left = int(there.sum()), int((~there).sum())
    spread = float(judge.var(ddof=1)) if len(judge) > 1 else 0.0
    if not n or not left or spread <= 1e-12:
        return 0.0
    y, f = human[there], judge[there]
    if weights is None:
        share = float(((y - y.mean()) * (f - f.mean())).mean()) / ((1 + n / left) * spread)
        return float(np.clip(share, 0.0, 1.0))
    w = weights[there] / weights[there].sum()
    own = np.zeros(len(judge))
    own[there] = w * (y - (w * y).sum())
    moved = (judge - judge.mean()) / len(judge)
    moved[there] -= w * (f - (w * f).sum())
    size = float((moved**2).sum())
    return float(np.clip(-(own * moved).sum() / size, 0.0, 1.0)) if size > 1e-300 else 0.0


class _Parts:
    """What labelled and other instances contribute to the mean and to its error."""

    def __init__(self, human: Floats, judge: Floats, there: Bools, cluster: Ints, weights: Floats | None) -> None:
        self.y, self.f, self.all, self.there = human[there], judge[there], judge, there
        self.weighted = weights is not None
        chosen = np.ones(len(self.y)) if weights is None else weights[there]
        self.w = chosen / chosen.sum()
        # a random sample is set against the rest (PPI++), a weighted one against all (the difference estimator)
        self.rest = np.ones(len(judge), bool) if self.weighted else ~there
        self.cluster = np.unique(cluster, return_inverse=True)[1]
        in_cluster = np.bincount(self.cluster[there], self.w, minlength=int(self.cluster.max()) + 1)
        self.share = in_cluster[self.cluster[there]]
        # clusters of unequal weight tell the error less well: as many equal ones (Satterthwaite 1946)
        self.effective = max(float((in_cluster**2).sum()) ** 2 / float((in_cluster**4).sum()), 1 + 1e-9)
        self.rest_clusters = len(np.unique(cluster[self.rest]))

    def mean(self, lam: float) -> float:
        """The labels' mean, and lambda times how far the judge's mean moves without the labels' choice."""
        if not lam or not self.rest.any():
            return float((self.w * self.y).sum())
        return float((self.w * (self.y - lam * self.f)).sum() + lam * self.all[self.rest].mean())

    def error(self, lam: float) -> tuple[float, float]:
        """The cluster-robust standard error and its degrees of freedom."""
        freedom = max(self.effective - 1 - (lam != 0), 1.0)
        residual = self.y - lam * self.f
        part = np.zeros(len(self.all))
        part[self.there] = self.w * (residual - (self.w * residual).sum())
        if self.weighted:  # an instance of much weight pulls the mean to itself: its residual without it (HC3)
            part[self.there] /= 1 - self.share
            part *= np.sqrt(max((self.effective - 1) / freedom, 1.0))
        else:
            part *= np.sqrt(self.effective / freedom)
        part *= np.sqrt(1 + self._leverage(lam))
        if lam and self.rest.any():
            own = self.all[self.rest]
            grown = np.sqrt(self.rest_clusters / max(self.rest_clusters - 1, 1))
            part[self.rest] += lam * grown * (own - own.mean()) / len(own)
        return float(np.sqrt((np.bincount(self.cluster, part) ** 2).sum())), freedom

    def _leverage(self, lam: float) -> float:
        """How much lambda's own error adds: the squared distance of the judge's means over the judge's variance."""
        centre = float((self.w * self.f).sum())
        spread = float((self.w * (self.f - centre) ** 2).sum())
        return (float(self.all.mean()) - centre) ** 2 / spread if lam and spread > 1e-12 else 0.0


# ---- from ratings to samples --------------------------------------------------------------------------------------


def _samples(
    ratings: pd.DataFrame, clusters: Clusters | None, judges: Collection[str] | None
) -> Iterator[tuple[str, str, dict[str, _Sample], str]]:
    """For each judge and skill the models' samples, and why none has a mean."""
    for panel in panels(ratings, clusters, judges=judges):
        reason = "labels have no mean" if panel.nominal else ""
        for skill in dict.fromkeys(panel.skill):
            of_skill = panel.only(panel.skill == skill)
            for column in of_skill.judges:
                mine = of_skill.scores[:, column]
                models = dict.fromkeys(of_skill.model[~np.isnan(mine)])
                samples = {str(model): _sample(of_skill, column, of_skill.model == model) for model in models}
                yield of_skill.raters[column], str(skill), samples, reason


def _sample(panel: Panel, column: int, rows: Bools) -> _Sample:
    """The instances that the judge scored: means over people, responses and versus, one row an instance."""
    frame = pd.DataFrame(
        {
            "instance": panel.instance[rows],
            "cluster": panel.cluster[rows],
            "judge": panel.scores[rows, column],
            "human": mean_of(panel.scores[rows][:, list(panel.people)]),
        }
    )
    mean = frame.groupby("instance", sort=False).agg({"cluster": "first", "judge": "mean", "human": "mean"})
    mean = mean[mean["judge"].notna()]
    return _Sample(
        mean.index.to_numpy(dtype=object),
        mean["cluster"].to_numpy(dtype=np.int64),
        mean["human"].to_numpy(dtype=float),
        mean["judge"].to_numpy(dtype=float),
    )


def _apart(a: _Sample, b: _Sample) -> _Sample:
    """Per-instance differences on the instances that both have."""
    place = {name: k for k, name in enumerate(b.instance)}
    rows = np.array([k for k, name in enumerate(a.instance) if name in place], dtype=np.int64)
    other = np.array([place[a.instance[k]] for k in rows], dtype=np.int64)
    return _Sample(a.instance[rows], a.cluster[rows], a.human[rows] - b.human[other], a.judge[rows] - b.judge[other])


def _refusal(sample: _Sample, labelled: Labelled | None) -> str:
    """Why no estimate may be made, or nothing."""
    there = ~np.isnan(sample.human)
    if not there.any():
        return "no instance has both a person's and the judge's score"
    if labelled is None:
        return "" if there.all() else _NOT_TOLD  # where everything is labelled nothing was chosen
    if isinstance(labelled, str):
        return "" if labelled == "random" else f"labelled is '{labelled}': only 'random' or probabilities are known"
    return _bad_probability(sample.instance, there, labelled)


def _bad_probability(instance: npt.NDArray[np.object_], there: Bools, labelled: Mapping[str, float]) -> str:
    for name, known in zip(instance, there, strict=True):
        chance = labelled.get(str(name))
        if chance is None and known:
            return f"instance '{name}' is labelled, but its probability is not given"
        if chance is not None and not 0 < chance <= 1:
            return f"instance '{name}' has probability {chance}: it must be above 0 and at most 1"
    return ""


def _estimate(sample: _Sample, labelled: Labelled | None, confidence: float) -> Estimate:
    weights = None
    if labelled is not None and not isinstance(labelled, str):
        there = ~np.isnan(sample.human)
        weights = np.ones(len(there))
        weights[there] = [1 / labelled[str(name)] for name in sample.instance[there]]
    return ppi_mean(sample.human, sample.judge, weights=weights, cluster=sample.cluster, confidence=confidence)


def _method(sample: _Sample, labelled: Labelled | None, made: Estimate | None) -> str:
    if made is None:
        return "none"
    if not made.lam:
        why = (
            "nothing is unlabelled"
            if not np.isnan(sample.human).any()
            else "the judge adds nothing that can be relied on"
        )
        if len(np.unique(sample.cluster[~np.isnan(sample.human)])) < FEWEST_TO_TUNE:
            why = f"fewer than {FEWEST_TO_TUNE} labelled clusters"
        return f"labels alone ({why}); cluster-robust t"
    chosen = "random sample" if labelled == "random" else "known probabilities"
    return f"PPI++ ({chosen}); cluster-robust t"


def _undefined(names: tuple[str, ...], why: str, made: Estimate | None) -> dict[str, str]:
    if why:
        return dict.fromkeys(names, why)
    if made is not None and made.reason:
        return {name: made.reason for name in names if not np.isfinite(getattr(made, _FIELD.get(name, name)))}
    return {}


_FIELD = {"lambda": "lam", "difference": "mean"}


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None
