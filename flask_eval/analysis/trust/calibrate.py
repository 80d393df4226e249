"""The judge's scores on the people's scale: what people would have said, by a curve fitted where both scored.

Cross-fitted by cluster: a labelled score is corrected by a curve that has not seen it. Outside the range of the judge's
labelled scores there is no correction, since a curve knows nothing there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import isotonic_regression

from flask_eval.analysis.trust.ceiling import mean_of
from flask_eval.analysis.trust.jackknife import groups_of, jackknife_interval, leave_out_sums, method_name
from flask_eval.analysis.trust.panel import Clusters, Floats, Ints, Panel, panels
from flask_eval.analysis.trust.rows import Interval, Row, number

Curve = Literal["isotonic", "linear"]
FEWEST_CLUSTERS = 5
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Correction(Row):
    """How a judge's scores on a skill become people's, and how well."""

    judge: str
    """The judge or metric."""
    skill: str
    """The skill."""
    slice: str | None
    """The name of the slice; none: everything."""
    curve: Curve
    """isotonic: any rising curve; linear: slope and intercept."""
    n: int
    """Units that people and the judge scored."""
    n_instances: int
    """Instances behind them."""
    n_clusters: int
    """Clusters behind them."""
    n_judge: int
    """Units that the judge scored."""
    n_refused: int
    """Units without a corrected score, because the judge's score is outside the labelled range."""
    knots: tuple[tuple[float, float], ...]
    """The curve fitted on all labelled units: (judge's score, people's scale); straight lines between them."""
    error_raw: float | None
    """Root mean squared distance of the judge's score from the people's mean, on labelled units with a correction."""
    error_corrected: float | None
    """The same of the corrected, cross-fitted score."""
    gain: float | None
    """The mean squared error that the correction takes away (below 0: it adds)."""
    interval: Interval | None
    """The interval of the gain."""
    method: str
    """How it was fitted."""
    seed: int
    """The seed of the folds."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Corrections, and every corrected score."""

    corrections: tuple[Correction, ...]
    """One row a judge and skill."""
    scores: pd.DataFrame
    """A row a unit that a judge scored: instance, model, response_sample, skill, rater, score, corrected (NaN: none),
    reason (empty where there is a corrected score)."""


def calibrate(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    curve: Curve = "isotonic",
    judges: Collection[str] | None = None,
    folds: int = FOLDS,
    confidence: float | None = 0.95,
    slice_name: str | None = None,
    seed: int = 0,
) -> Calibration:
    """Correct each judge's scores to the people's mean, skill by skill.

    Args:
        ratings: the long table; skills scored by labels are left out.
        clusters: the cluster of an instance; a cluster is never on both sides of a fold.
        curve: `isotonic` or `linear`.
        judges: the judges and metrics to correct; none: all.
        folds: how many parts the labelled clusters are split into.
        confidence: of the interval of the gain; none: no interval.
        slice_name: the name of the slice that `ratings` holds.
        seed: draws the folds.

    Raises:
        ValueError: the curve is not known, or there are fewer than 2 folds.

    Source: pool adjacent violators (Ayer et al. 1955) by scipy; cross-fitting as in Chernozhukov et al. (2018).
    """
    if curve not in ("isotonic", "linear") or folds < 2:
        raise ValueError(f"curve '{curve}' must be isotonic or linear, and folds ({folds}) at least 2")
    rows, tables = [], []
    for panel in panels(ratings, clusters, judges=judges):
        if panel.nominal:
            continue
        for skill in dict.fromkeys(panel.skill):
            of_skill = panel.only(panel.skill == skill)
            for column in of_skill.judges:
                study = _Study(of_skill, column, curve, folds, seed)
                rows.append(study.row(str(skill), slice_name, confidence))
                tables.append(study.table(str(skill)))
    return Calibration(tuple(rows), pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS))


_COLUMNS = ["instance", "model", "response_sample", "skill", "rater", "score", "corrected", "reason"]


class _Study:
    """One judge on one skill."""

    def __init__(self, panel: Panel, column: int, curve: Curve, folds: int, seed: int) -> None:
        self.panel = panel.only(~np.isnan(panel.scores[:, column]))
        self.judge, self.curve, self.seed = panel.raters[column], curve, seed
        self.score = self.panel.scores[:, self.panel.raters.index(self.judge)]
        self.human = mean_of(self.panel.scores[:, list(self.panel.people)])
        self.labelled = ~np.isnan(self.human)
        self.cluster = self.panel.cluster
        self.clusters = len(np.unique(self.cluster[self.labelled]))
        self.folds = min(folds, self.clusters)
        self.corrected, self.reasons = self._correct()

    def _correct(self) -> tuple[Floats, npt.NDArray[np.object_]]:
        """The corrected score of every unit (NaN: none), and why there is none."""
        corrected = np.full(len(self.score), np.nan)
        reasons = np.full(len(self.score), "", dtype=object)
        if self.clusters < FEWEST_CLUSTERS:
            reasons[:] = self._too_few()
            return corrected, reasons
        fold = np.full(len(self.score), -1, dtype=np.int64)
        fold[self.labelled] = folds_of(self.cluster[self.labelled], self.folds, self.seed)
        # a cluster that is labelled in part is corrected, in all its units, by a curve that has not seen it
        seen = dict(zip(self.cluster[self.labelled], fold[self.labelled], strict=True))
        fold = np.array([seen.get(c, -1) for c in self.cluster], dtype=np.int64)
        for part in np.unique(fold):
            rows = fold == part
            known = self.labelled & ~rows if part >= 0 else self.labelled
            predict, low, high = fit_curve(self.score[known], self.human[known], self.curve)
            inside = rows & (self.score >= low) & (self.score <= high)
            corrected[inside] = predict(self.score[inside])
            reasons[rows & ~inside] = f"outside the labelled range {low:g}-{high:g}"
        return corrected, reasons

    def row(self, skill: str, slice_name: str | None, confidence: float | None) -> Correction:
        """The curve and its errors, or the reasons why there are none."""
        judged = self.labelled & ~np.isnan(self.corrected)
        raw = (self.score - self.human)[judged] ** 2
        after = (self.corrected - self.human)[judged] ** 2
        undefined = {}
        gain, interval, why = None, None, "no labelled unit has a corrected score"
        groups = 0
        if judged.any():
            place = groups_of(self.cluster[judged], seed=self.seed)
            groups = int(place.max()) + 1
            sums = leave_out_sums(np.column_stack([raw - after, np.ones(len(raw))]), place, groups)
            values = np.where(sums[:, 1] > 0, sums[:, 0] / np.maximum(sums[:, 1], 1), np.nan)
            gain = number(values[0])
            interval, why_not = jackknife_interval(values, confidence)
            why = why_not or ""
            undefined = {"interval": why} if why else {}
        else:
            undefined = dict.fromkeys(("error_raw", "error_corrected", "gain", "interval"), self._too_few() or why)
        return Correction(
            judge=self.judge,
            skill=skill,
            slice=slice_name,
            curve=self.curve,
            n=int(self.labelled.sum()),
            n_instances=len(set(self.panel.instance[self.labelled])),
            n_clusters=self.clusters,
            n_judge=len(self.score),
            n_refused=int((np.isnan(self.corrected)).sum()),
            knots=self._knots(),
            error_raw=number(np.sqrt(raw.mean())) if judged.any() else None,
            error_corrected=number(np.sqrt(after.mean())) if judged.any() else None,
            gain=gain,
            interval=interval,
            method=f"{self.curve}, cross-fitted by cluster in {self.folds} folds; {method_name(groups)}",
            seed=self.seed,
            undefined=undefined,
        )

    def table(self, skill: str) -> pd.DataFrame:
        """Every unit that the judge scored, with its corrected score."""
        return pd.DataFrame(
            {
                "instance": self.panel.instance,
                "model": self.panel.model,
                "response_sample": self.panel.response,
                "skill": skill,
                "rater": self.judge,
                "score": self.score,
                "corrected": self.corrected,
                "reason": self.reasons,
            }
        )

    def _knots(self) -> tuple[tuple[float, float], ...]:
        if self.clusters < FEWEST_CLUSTERS:
            return ()
        known = self.score[self.labelled]
        predict, _, _ = fit_curve(known, self.human[self.labelled], self.curve)
        values = np.unique(known) if self.curve == "isotonic" else np.unique([known.min(), known.max()])
        return tuple((float(x), float(y)) for x, y in zip(values, predict(values), strict=True))

    def _too_few(self) -> str:
        if self.clusters >= FEWEST_CLUSTERS:
            return ""
        return f"{self.clusters} labelled clusters: a curve needs {FEWEST_CLUSTERS}"


def fit_curve(judge: Floats, human: Floats, curve: Curve) -> tuple[Callable[[Floats], Floats], float, float]:
    """A rising curve or a line from the judge's scores to the people's, and the range in which it holds.

    Args:
        judge: (units,) at least one.
        human: (units,).
        curve: `isotonic`: pool adjacent violators over the distinct scores, straight lines between them; `linear`:
            least squares, never falling; the mean where the judge is constant.
    """
    low, high = float(judge.min()), float(judge.max())
    values, place, count = np.unique(judge, return_inverse=True, return_counts=True)
    mean = np.bincount(place, human) / count
    if curve == "isotonic":
        fitted = isotonic_regression(mean, weights=count.astype(float), increasing=True).x
        return (lambda x: np.asarray(np.interp(x, values, fitted), dtype=float)), low, high
    spread = float(((judge - judge.mean()) ** 2).sum())
    slope = max(float(((judge - judge.mean()) * (human - human.mean())).sum()) / spread, 0.0) if spread > 1e-12 else 0.0
    level = float(human.mean()) - slope * float(judge.mean())
    return (lambda x: level + slope * x), low, high


def folds_of(cluster: Ints, folds: int, seed: int) -> Ints:
    """The fold (rows,) of each row: clusters are dealt out at random, as evenly as can be."""
    codes = np.unique(cluster, return_inverse=True)[1]
    dealt = np.random.default_rng(seed).permutation(int(codes.max()) + 1) % folds
    return np.asarray(dealt[codes], dtype=np.int64)
