"""The noise floor: how much of a score is the response, how much the judge's chance, and what difference can be told.

A generalisability study (Cronbach et al. 1972; Brennan 2001): scores are the sum of random effects, whose variances are
estimated by the method of moments. Henderson's method I needs no balance and equals the analysis of variance where the
design has it. A negative estimate is reported as 0 and told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from flask_eval.analysis.trust.jackknife import Transform, groups_of, jackknife_interval, method_name
from flask_eval.analysis.trust.panel import Bools, Clusters, Floats, Ints, cluster_codes, codes_of, scored
from flask_eval.analysis.trust.rows import Interval, Row

PARTS: dict[str, tuple[str, ...]] = {
    "instance": ("instance",),
    "model": ("model",),
    "judge": ("rater",),
    "variant": ("variant",),
    "instance_model": ("instance", "model"),
    "instance_judge": ("instance", "rater"),
    "model_judge": ("model", "rater"),
    "response": ("instance", "model", "response_sample"),
    "cell": ("instance", "model", "response_sample", "rater", "variant"),
}
"""What may move a score, by the columns whose combinations are its levels; `sample` is what is left within a cell."""
COMPONENTS = (*PARTS, "sample")
MOST_GROUPS = 50
MANY_RATINGS = 20_000
MOST_INSTANCES = 10**9
_ONE = {"model_judge": "model and one judge", "instance_judge": "instance and one judge"}
_SAME = {
    "instance": "each instance stands alone",
    "model": "each model has its own instances, or stands alone",
    "judge": "each judge has its own instances or models",
    "variant": "each variant has its own instances, models or judge",
    "instance_model": "one model, or one instance a model",
    "instance_judge": "one judge, or each has its own instances",
    "model_judge": "one judge, or each has its own models",
    "response": "one response of a model on an instance",
    "cell": "one judge and one variant",
}
_CONDITIONAL = {"model": "models", "judge": "judges", "variant": "variants", "model_judge": "models and judges"}


@dataclass(frozen=True, slots=True)
class NoiseFloor(Row):
    """The variance components of a judge's scores on a skill, and the smallest difference of two models it can tell."""

    judge: str | None
    """The judge; none: all judges together, each a draw of many."""
    skill: str
    """The skill."""
    slice: str | None
    """The name of the slice; none: everything."""
    n: int
    """Ratings."""
    n_instances: int
    """Instances."""
    n_clusters: int
    """Clusters."""
    n_models: int
    """Models."""
    n_judges: int
    """Judges."""
    samples: float
    """Ratings that are averaged for one instance and model: the harmonic mean."""
    components: Mapping[str, float | None]
    """The variance of each effect: instance, model, judge, variant, instance_model, instance_judge, model_judge,
    response (several answers of a model), cell (what a judge and variant make of one response), sample (its chance)."""
    shares: Mapping[str, float | None]
    """The share of each in their sum."""
    intervals: Mapping[str, Interval | None]
    """Intervals of the components, and of the minimum detectable difference."""
    negative: tuple[str, ...]
    """Components whose estimate was below 0 and stands as 0."""
    minimum_detectable_difference: float | None
    """The difference of two models' means on these instances that is found with the given power."""
    power: float
    """The power."""
    alpha: float
    """The two-sided level."""
    samples_to_halve: int | None
    """Ratings of one instance and model (as `samples`) that would halve it; none where no number does."""
    instances_to_halve: int | None
    """Instances that would halve it; none where no number does."""
    method: str
    """How components and intervals were estimated."""
    seed: int
    """The seed of the grouping of clusters."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none."""


class Design(NamedTuple):
    """Which effects the data can tell apart, and why not the others."""

    levels: dict[str, Ints]
    """(ratings,) the level of each effect that can be told."""
    reasons: dict[str, str]
    """Why each other one cannot."""


def noise_floor(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    judges: Collection[str] | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    confidence: float | None = 0.95,
    slice_name: str | None = None,
    seed: int = 0,
) -> list[NoiseFloor]:
    """Variance components and the minimum detectable difference: a row for each judge and skill.

    Args:
        ratings: the long table; raters of kind `judge` count, skills scored by labels and pairwise verdicts do not.
        clusters: the cluster of an instance, which intervals leave out.
        judges: the judges to look at; none: all.
        power: with which the difference is to be found.
        alpha: the two-sided level of the test.
        confidence: of the intervals; none: no intervals.
        slice_name: the name of the slice that `ratings` holds.
        seed: groups the clusters where they are many.

    Returns:
        A row for each judge and skill; where a skill has several judges, one more with `judge` none. Without repeated
        samples `sample` is none: its noise cannot be told from what a model is on an instance.

    Raises:
        ValueError: power or alpha is not between 0 and 1.
    """
    if not (0 < power < 1 and 0 < alpha < 1):
        raise ValueError(f"power {power} and alpha {alpha} must be between 0 and 1")
    rows = []
    for judge, skill, frame in _parts(ratings, clusters, judges):
        study = _Study(frame, power, alpha, confidence, seed)
        rows.append(study.row(judge, skill, slice_name))
    return rows


def _parts(
    ratings: pd.DataFrame, clusters: Clusters | None, judges: Collection[str] | None
) -> Iterator[tuple[str | None, str, pd.DataFrame]]:
    frame = scored(ratings)
    frame = frame.assign(score=pd.to_numeric(frame["score"], errors="coerce"))
    keep = (frame["kind"] == "judge") & frame["score"].notna() & (frame["versus"] == "")
    if judges is not None:
        keep &= frame["rater"].isin(list(judges))
    frame = frame[keep].reset_index(drop=True)
    frame = frame.assign(cluster=cluster_codes(frame["instance"], clusters))
    for skill, of_skill in frame.groupby("skill", sort=False):
        raters = list(of_skill["rater"].unique())
        for judge in raters:
            yield str(judge), str(skill), of_skill[of_skill["rater"] == judge].reset_index(drop=True)
        if len(raters) > 1:
            yield None, str(skill), of_skill.reset_index(drop=True)


class _Study:
    """The ratings of one skill by one judge or several."""

    def __init__(self, frame: pd.DataFrame, power: float, alpha: float, confidence: float | None, seed: int) -> None:
        self.frame, self.power, self.alpha, self.confidence, self.seed = frame, power, alpha, confidence, seed
        self.score = frame["score"].to_numpy(dtype=float)
        self.design = design_of(frame)
        self.models, self.judges = frame["model"].nunique(), frame["rater"].nunique()
        self.shared = shared_instances(frame)
        self.weights = {
            "instance_model": 1.0,
            "response": 1 / _per_pair(frame, ("response_sample",)),
            "cell": 1 / _per_pair(frame, ("response_sample", "rater", "variant")),
            "sample": 1 / _per_pair(frame),
        }
        most = MOST_GROUPS if len(frame) <= MANY_RATINGS else MOST_GROUPS // 2
        self.groups = groups_of(frame["cluster"].to_numpy(), most=most, seed=seed)

    def row(self, judge: str | None, skill: str, slice_name: str | None) -> NoiseFloor:
        """Components, the smallest difference and what would halve it, or the reasons why not."""
        undefined = dict(self.design.reasons)
        raw, why = self._components(np.ones(len(self.score), bool))
        if why:
            undefined |= dict.fromkeys(COMPONENTS, why)
        components = {name: max(raw[name], 0.0) if name in raw else None for name in COMPONENTS}
        total = sum(value for value in components.values() if value is not None)
        difference = self._difference(components, self.shared, undefined)
        intervals = self._intervals(raw, difference, undefined)
        return NoiseFloor(
            judge=judge,
            skill=skill,
            slice=slice_name,
            n=len(self.score),
            n_instances=self.frame["instance"].nunique(),
            n_clusters=self.frame["cluster"].nunique(),
            n_models=self.models,
            n_judges=self.judges,
            samples=_per_pair(self.frame),
            components=components,
            shares={name: None if v is None or total <= 0 else v / total for name, v in components.items()},
            intervals=intervals,
            negative=tuple(name for name, value in raw.items() if value < 0),
            minimum_detectable_difference=difference,
            power=self.power,
            alpha=self.alpha,
            samples_to_halve=self._samples_to_halve(components, difference, undefined),
            instances_to_halve=self._instances_to_halve(components, difference, undefined),
            method="method of moments (Henderson I); " + method_name(int(self.groups.max()) + 1, "log"),
            seed=self.seed,
            undefined=undefined,
        )

    # ---- the components -------------------------------------------------------------------------------------------

    def _components(self, keep: Bools) -> tuple[dict[str, float], str]:
        """The raw estimate of each effect that the design tells, on some of the ratings; or why there are none."""
        score = self.score[keep]
        if len(score) < 2 or np.ptp(score) == 0:
            return {}, "all scores are equal" if len(score) > 1 else "there is one rating"
        return henderson(score, {name: levels[keep] for name, levels in self.design.levels.items()})

    def _intervals(
        self, raw: Mapping[str, float], difference: float | None, undefined: dict[str, str]
    ) -> dict[str, Interval | None]:
        """Jackknife intervals over clusters of the components and of the smallest difference."""
        names = [*COMPONENTS, "minimum_detectable_difference"]
        made: dict[str, Interval | None] = dict.fromkeys(names)
        if self.confidence is None or not raw:
            return made
        parts = [raw, *(self._components(self.groups != g)[0] for g in range(int(self.groups.max()) + 1))]
        for name in raw:
            if name in _CONDITIONAL:
                undefined[f"{name}.interval"] = f"conditional on these {_CONDITIONAL[name]}: instances do not tell it"
                continue
            values = np.array([part.get(name, np.nan) for part in parts])
            scale: Transform = "log" if (values > 0).all() else "plain"
            made[name], why = jackknife_interval(values, self.confidence, scale, (0.0, np.inf))
            if why:
                undefined[f"{name}.interval"] = why
        if difference is not None:
            values = np.array([self._reach(part, self.shared) for part in parts])
            values = np.where(values > 0, values, np.nan)
            made["minimum_detectable_difference"], why = jackknife_interval(values, self.confidence, "log")
            if why:
                undefined["minimum_detectable_difference.interval"] = why
        return made

    # ---- the smallest difference ----------------------------------------------------------------------------------

    def _difference(self, components: Mapping[str, float | None], n: int, undefined: dict[str, str]) -> float | None:
        """The smallest difference of two models on n instances, or the reason why there is none in `undefined`."""
        why = ""
        if all(value is None for value in components.values()):
            why = undefined["sample"]
        elif self.models < 2:
            why = "one model: there is no difference of two"
        elif n < 2:
            why = "two models share fewer than 2 instances"
        elif components["instance_model"] is None and components["cell"] is None:
            why = "what a model is on an instance cannot be told apart: " + undefined["instance_model"]
        elif (reach := self._reach(components, n)) > 0:
            return reach
        undefined["minimum_detectable_difference"] = why or "nothing varies between models within an instance"
        return None

    def _reach(self, components: Mapping[str, float | None], n: float) -> float:
        """The smallest difference on n instances: quantiles of t times the standard error (Lehr's formula, with t)."""
        within = sum(weight * max(components.get(name) or 0.0, 0.0) for name, weight in self.weights.items())
        spread = 2 * (within / n + self._floor(components))
        return float((stats.t.ppf(1 - self.alpha / 2, n - 1) + stats.t.ppf(self.power, n - 1)) * np.sqrt(spread))

    def _floor(self, components: Mapping[str, float | None]) -> float:
        """What no number of instances takes away: how judges differ on models."""
        return max(components.get("model_judge") or 0.0, 0.0) / self.judges

    def _instances_to_halve(
        self, components: Mapping[str, float | None], difference: float | None, undefined: dict[str, str]
    ) -> int | None:
        if difference is None:
            undefined["instances_to_halve"] = "there is no minimum detectable difference"
            return None
        low, high = self.shared, 2 * self.shared
        while self._reach(components, high) > difference / 2:
            low, high = high, 2 * high
            if high > MOST_INSTANCES:
                undefined["instances_to_halve"] = "no number does: judges differ on models, which instances do not mend"
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._reach(components, middle) <= difference / 2 else (middle, high)
        return high

    def _samples_to_halve(
        self, components: Mapping[str, float | None], difference: float | None, undefined: dict[str, str]
    ) -> int | None:
        chance = components["sample"]
        if difference is None or chance is None:
            undefined["samples_to_halve"] = (
                "there is no minimum detectable difference" if difference is None else undefined["sample"]
            )
            return None
        now = sum(weight * (components[name] or 0.0) for name, weight in self.weights.items())
        fixed = now - self.weights["sample"] * chance
        floor = self._floor(components)
        left = (now / self.shared + floor) / 4 * self.shared - floor * self.shared - fixed
        if chance <= 0 or left <= 1e-12:
            undefined["samples_to_halve"] = "no number does: the judge's chance is too small a part of it"
            return None
        return int(np.ceil(chance / left - 1e-9))


def henderson(score: Floats, levels: Mapping[str, Ints]) -> tuple[dict[str, float], str]:
    """Variance components by Henderson's method I; on balanced designs the analysis of variance.

    Args:
        score: (ratings,).
        levels: (ratings,) the level of each random effect; every rating is a level of its own of `sample`, where that
            is among the effects.

    Returns:
        The raw estimate (it may be negative) of each effect and no reason, or nothing and the reason.

    Source: Henderson (1953), Estimation of variance and covariance components; Searle, Casella and McCulloch (1992),
    section 5.3: uncorrected sums of squares set equal to their expectations.
    """
    names = list(levels)
    size, y = len(score), score - score.mean()
    codes = [np.unique(levels[name], return_inverse=True)[1].astype(np.int64) for name in names]
    counts = [np.bincount(code) for code in codes]
    left = np.empty((len(names), len(names)))
    right = np.empty(len(names))
    for a in range(len(names)):
        right[a] = (np.bincount(codes[a], y) ** 2 / counts[a]).sum() - y.sum() ** 2 / size
        for b in range(len(names)):
            wide = int(counts[b].size)
            pair, both = np.unique(codes[a] * wide + codes[b], return_counts=True)
            left[a, b] = (both**2 / counts[a][pair // wide]).sum() - (counts[b].astype(float) ** 2).sum() / size
    scale = np.maximum(np.abs(left).max(axis=1, keepdims=True), 1e-300)
    if np.linalg.matrix_rank(left / scale, tol=1e-9) < len(names):
        return {}, "the design does not tell the effects apart"
    solved = np.linalg.solve(left / scale, right / scale[:, 0])
    floor = 1e-12 * max(float(y.var()), 1e-300)
    return {name: float(value) if abs(value) > floor else 0.0 for name, value in zip(names, solved, strict=True)}, ""


def design_of(frame: pd.DataFrame) -> Design:
    """Which effects the ratings can tell apart, with their levels, and why they cannot tell the others.

    Args:
        frame: one row a rating, with the columns of `PARTS`.
    """
    levels: dict[str, Ints] = {}
    reasons: dict[str, str] = {}
    for name, columns in PARTS.items():
        code = codes_of(frame, columns)
        same = next((other for other, known in levels.items() if _same(code, known)), None)
        if int(code.max(initial=0)) == 0:
            reasons[name] = f"one {_ONE.get(name, name)}"
        elif same is not None:
            reasons[name] = f"not told apart from {same}: {_SAME[name]}"
        else:
            levels[name] = code
    rows = np.arange(len(frame), dtype=np.int64)
    finest = next((name for name, code in levels.items() if _same(code, rows)), None)
    if finest is None and len(frame) > 1:
        levels["sample"] = rows
    else:
        reasons["sample"] = "no repeated samples" + (f": the judge's chance is inside {finest}" if finest else "")
    return Design(levels, reasons)


def shared_instances(frame: pd.DataFrame) -> int:
    """How many instances two models share: the median over pairs of models."""
    instance, model = codes_of(frame, ("instance",)), codes_of(frame, ("model",))
    there = np.zeros((int(instance.max(initial=-1)) + 1, int(model.max(initial=-1)) + 1), dtype=np.int64)
    there[instance, model] = 1
    shared = (there.T @ there)[np.triu_indices(there.shape[1], 1)]
    return int(np.median(shared)) if len(shared) else 0


def _same(a: Ints, b: Ints) -> bool:
    """Whether two codings by order of appearance part the ratings in the same way."""
    return bool((a == b).all())


def _per_pair(frame: pd.DataFrame, columns: tuple[str, ...] = ()) -> float:
    """The harmonic mean over (instance, model) of how many ratings, or combinations of columns, there are."""
    key = ["instance", "model"]
    kept = frame.drop_duplicates([*key, *columns]) if columns else frame
    return round(float(stats.hmean(kept.groupby(key).size().to_numpy(dtype=float))), 9)
