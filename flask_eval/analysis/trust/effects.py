"""How a rater differs from the others: severity, central tendency, use of the scale, length, self-preference, drift.

Everyone is compared with people: a judge with all of them, a person with the other people; where there are none, with
the other raters. Means over units shared with them, intervals by leaving out clusters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from flask_eval.analysis.trust.ceiling import mean_of
from flask_eval.analysis.trust.families import family_of
from flask_eval.analysis.trust.jackknife import Transform, groups_of, jackknife_interval, leave_out_sums, method_name
from flask_eval.analysis.trust.panel import (
    Anonymous,
    Bools,
    Clusters,
    Floats,
    Ints,
    Panel,
    by_skill_of_all,
    cluster_codes,
    codes_of,
    panels,
    scored,
)
from flask_eval.analysis.trust.rows import Interval, Row, number
from flask_eval.analysis.trust.scales import Scales, ends_of, other_scale, step_of

Lengths = Mapping[tuple[str, str, int], float]
"""Characters of a response: (instance, model, response sample)."""
FEWEST_FOR_LENGTH = 5

MEASURES = (
    "severity",
    "central_tendency",
    "middle_use",
    "low_end_use",
    "high_end_use",
    "entropy",
    "distinct",
    "length_slope",
    "length_correlation",
    "self_preference",
    "drift",
)
"""What is measured of each rater."""


@dataclass(frozen=True, slots=True)
class RaterEffects(Row):
    """The effects of one rater, for one skill or all pooled."""

    rater: str
    """The rater."""
    kind: str
    """judge, human or metric."""
    skill: str | None
    """The skill; none: all pooled."""
    slice: str | None
    """The name of the slice; none: everything."""
    against: Literal["people", "raters"] | None
    """Who the others are; none where there are none."""
    family: str | None
    """The family that the rater's name tells; none for people."""
    n: int
    """Units that the rater scored."""
    n_instances: int
    """Instances behind them."""
    n_clusters: int
    """Clusters behind them."""
    measures: Mapping[str, float | None]
    """severity: mean of own score less the others' mean, in points (below 0 severe, above 0 lenient).
    central_tendency: own standard deviation over another's on shared units, geometric mean over the others (below 1:
    keeps to the middle). middle_use, low_end_use, high_end_use: share of scores in the middle third of the scale, at
    its lowest and its highest point. entropy: of the scores, 0 (one score) to 1 (all equally often). distinct: how many
    different scores. length_slope: points that doubling the length adds where the others' score is the same (people's
    noise leaves some quality in it: people's own rows show how much). length_correlation: the partial correlation. self_preference: severity on models of the own family less
    severity on the other models. drift: points from one sample to the next."""
    intervals: Mapping[str, Interval | None]
    """Their intervals."""
    counts: Mapping[str, int]
    """The n of each: units, for drift ratings."""
    method: str
    """How intervals were made."""
    seed: int
    """The seed of the grouping of clusters."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none: by measure, and `MEASURE.interval`."""


class _Figure(NamedTuple):
    """A figure on everything and without each group (groups + 1,), or why there is none."""

    each: Floats | None
    n: int
    reason: str = ""
    transform: Transform = "plain"
    bounds: Interval | None = None


def rater_effects(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    lengths: Lengths | None = None,
    families: Mapping[str, str] | None = None,
    scales: Scales | None = None,
    anonymous: Anonymous = False,
    nominal: bool | None = None,
    judges: Collection[str] | None = None,
    confidence: float | None = 0.95,
    slice_name: str | None = None,
    seed: int = 0,
) -> list[RaterEffects]:
    """The effects of every rater: a row a skill, and one pooled.

    Args:
        ratings: the long table.
        clusters: the cluster of an instance, which intervals leave out.
        lengths: characters of the responses.
        families: the family of a model or judge by its exact name, where its name does not tell.
        scales: what is known of raters' scales; without one, the lowest and highest seen stand for the ends.
        anonymous: people who are only places in a list, not persons: they have no rows.
        nominal: whether scores are labels without order; none: where they are text.
        judges: the judges and metrics to look at; none: all. People are always looked at.
        confidence: of the intervals; none: no intervals.
        slice_name: the name of the slice that `ratings` holds.
        seed: groups the clusters where they are many.

    Returns:
        Rows for judges, people and metrics; none for people who are only places in a list (`NAME#1`).
    """
    drifts = _Drifts(ratings, clusters)
    found = panels(ratings, clusters, nominal=nominal, judges=judges, anonymous=anonymous)
    rows = []
    for skill, part in by_skill_of_all(found):
        sizes = None if lengths is None else _lengths_of(part, lengths)
        for column in range(len(part.raters)):
            if not part.places[column]:
                study = _Study(part, column, sizes, families, scales or {}, drifts)
                rows.append(study.row(skill, slice_name, confidence, seed))
    return rows


class _Study:
    """One rater of a panel beside the others."""

    def __init__(
        self,
        panel: Panel,
        column: int,
        lengths: Floats | None,
        families: Mapping[str, str] | None,
        scales: Scales,
        drifts: _Drifts,
    ) -> None:
        self.panel, self.column, self.lengths, self.drifts = panel, column, lengths, drifts
        self.families, self.scales = families, scales
        self.rater, self.kind = panel.raters[column], panel.kinds[column]
        self.own = panel.scores[:, column]
        people = [k for k in panel.people if k != column]
        self.others = people or [k for k in range(len(panel.raters)) if k != column]
        self.against: Literal["people", "raters"] | None = "people" if people else "raters" if self.others else None
        self.reference = mean_of(panel.scores[:, self.others])
        self.shared: Bools = ~np.isnan(self.own) & ~np.isnan(self.reference)
        self.seed = 0

    def row(self, skill: str | None, slice_name: str | None, confidence: float | None, seed: int) -> RaterEffects:
        """Every measure, or the reason why there is none."""
        self.seed = seed
        measures: dict[str, float | None] = {}
        intervals: dict[str, Interval | None] = {}
        counts: dict[str, int] = {}
        undefined: dict[str, str] = {}
        for name, figure in self._figures(skill).items():
            counts[name] = figure.n
            made = None if figure.each is None else number(figure.each[0])
            measures[name], intervals[name] = made, None
            if figure.each is None or made is None:
                undefined[name] = figure.reason or "a side is constant"
                continue
            intervals[name], why = jackknife_interval(figure.each, confidence, figure.transform, figure.bounds)
            if why:
                undefined[f"{name}.interval"] = figure.reason or why
        mine = ~np.isnan(self.own)
        groups = groups_of(self.panel.cluster[mine])
        return RaterEffects(
            rater=self.rater,
            kind=self.kind,
            skill=skill,
            slice=slice_name,
            against=self.against,
            family=None if self.kind == "human" else family_of(self.rater, self.families),
            n=int(mine.sum()),
            n_instances=len(set(self.panel.instance[mine])),
            n_clusters=len(np.unique(self.panel.cluster[mine])),
            measures=measures,
            intervals=intervals,
            counts=counts,
            method=method_name(int(groups.max(initial=-1)) + 1) + " (central tendency on logarithms)",
            seed=seed,
            undefined=undefined,
        )

    def _figures(self, skill: str | None) -> dict[str, _Figure]:
        reason = "labels have no order" if self.panel.nominal else ""
        apart = reason or self._apart()
        made = {name: _Figure(None, 0, reason or apart) for name in MEASURES}
        made |= self._use()
        if not apart:
            made |= {"severity": self._severity(), "central_tendency": self._central_tendency()}
            made |= self._length()
            made["self_preference"] = self._self_preference()
        if not reason:
            made["drift"] = self.drifts.figure(self.rater, skill, self.seed)
        return {name: made[name] for name in MEASURES}

    def _apart(self) -> str:
        """Why own scores cannot be set against the others', or nothing."""
        if self.against is None:
            return "there is no other rater"
        if not self.shared.any():
            return "no unit is shared with the others"
        if self.kind != "human":
            return other_scale(self.panel, self.column, self.others, self.scales)
        return ""

    def _sums(self, rows: Bools, *columns: Floats) -> Floats:
        """Sums of columns (rows,) and of ones, on everything and without each group."""
        groups = groups_of(self.panel.cluster[rows], seed=self.seed)
        return leave_out_sums(np.column_stack([*columns, np.ones(int(rows.sum()))]), groups, int(groups.max()) + 1)

    # ---- against the others ---------------------------------------------------------------------------------------

    def _severity(self) -> _Figure:
        sums = self._sums(self.shared, (self.own - self.reference)[self.shared])
        return _Figure(_ratio(sums[:, 0], sums[:, 1]), int(self.shared.sum()))

    def _central_tendency(self) -> _Figure:
        """Geometric mean over the others of the ratio of standard deviations on shared units."""
        groups = np.zeros(len(self.own), np.int64)
        groups[self.shared] = groups_of(self.panel.cluster[self.shared], seed=self.seed)
        count = int(groups.max()) + 1
        logs = []
        for other in self.others:
            theirs = self.panel.scores[:, other]
            rows = ~np.isnan(theirs) & ~np.isnan(self.own)
            if rows.sum() < 2 or np.ptp(theirs[rows]) == 0:
                continue
            spreads = [_variance(column[rows], groups[rows], count) for column in (self.own, theirs)]
            with np.errstate(divide="ignore", invalid="ignore"):
                logs.append((np.log(spreads[0]) - np.log(spreads[1])) / 2)
        if not logs:
            return _Figure(None, 0, "the others' scores are constant on shared units")
        with np.errstate(over="ignore"):
            values = np.exp(np.mean(logs, axis=0))
        return _Figure(values, int(self.shared.sum()), transform="log")

    def _self_preference(self) -> _Figure:
        """Severity on models of the own family less severity on the others: a difference in differences."""
        if self.kind != "judge":
            return _Figure(None, 0, "only a judge has a family")
        family = family_of(self.rater, self.families)
        if family is None:
            return _Figure(None, 0, f"the name '{self.rater}' tells no family")
        place, models = pd.factorize(self.panel.model[self.shared])
        kin = np.array([family_of(str(model), self.families) == family for model in models], dtype=float)[place]
        if kin.all() or not kin.any():
            which = "every" if kin.all() else "no"
            return _Figure(None, len(kin), f"{which} model is of the judge's family '{family}'")
        apart = (self.own - self.reference)[self.shared]
        sums = self._sums(self.shared, apart * kin, kin, apart * (1 - kin), 1 - kin)
        return _Figure(_ratio(sums[:, 0], sums[:, 1]) - _ratio(sums[:, 2], sums[:, 3]), len(kin))

    def _length(self) -> dict[str, _Figure]:
        """Own score on log2 of length and the others' score: the slope, and the partial correlation."""
        names = ("length_slope", "length_correlation")
        if self.lengths is None:
            return dict.fromkeys(names, _Figure(None, 0, "no lengths are given"))
        rows = self.shared & (self.lengths > 0)
        n = int(rows.sum())
        if n < FEWEST_FOR_LENGTH:
            return dict.fromkeys(names, _Figure(None, n, f"{n} shared units with a length: {FEWEST_FOR_LENGTH} needed"))
        y, x, z = self.own[rows], np.log2(self.lengths[rows]), self.reference[rows]
        slope, partial = partial_slope(y, x, z, self.panel.cluster[rows], self.seed)
        why = "length or the rater's score is constant, or told by the others' score"
        return {
            "length_slope": _Figure(slope, n, why if not np.isfinite(slope[0]) else ""),
            "length_correlation": _Figure(partial, n, why if not np.isfinite(partial[0]) else "", "fisher"),
        }

    # ---- own scores alone -----------------------------------------------------------------------------------------

    def _use(self) -> dict[str, _Figure]:
        mine = ~np.isnan(self.own)
        n, own = int(mine.sum()), self.own[mine]
        seen = np.unique(self.panel.scores[~np.isnan(self.panel.scores)])
        values, place = np.unique(own, return_inverse=True)
        groups = groups_of(self.panel.cluster[mine], seed=self.seed)
        count, size = int(groups.max()) + 1, len(values)
        of_group = np.bincount(groups * size + place, minlength=count * size).reshape(count, size).astype(float)
        used = np.vstack([of_group.sum(axis=0), of_group.sum(axis=0) - of_group])
        shares = used / np.maximum(used.sum(axis=1, keepdims=True), 1)
        made = {"distinct": _Figure(np.array([float(len(values))]), n, "a count has no interval")}
        points = self._points(seen)
        if points < 2:
            made["entropy"] = _Figure(None, n, "the scale has one point")
        else:
            logs = np.log(np.where(shares > 0, shares, 1.0))
            made["entropy"] = _Figure(np.abs((shares * logs).sum(axis=1)) / np.log(points), n, bounds=(0.0, 1.0))
        if self.panel.nominal:
            return made
        low, high = self._ends(seen)
        if low == high:
            return made | dict.fromkeys(
                ("middle_use", "low_end_use", "high_end_use"), _Figure(None, n, "the scale has one point")
            )
        which = {
            "middle_use": np.abs(values - (low + high) / 2) <= (high - low) / 6 + 1e-9,
            "low_end_use": values <= low + 1e-9,
            "high_end_use": values >= high - 1e-9,
        }
        return made | {name: _Figure(shares @ hit, n, bounds=(0.0, 1.0)) for name, hit in which.items()}

    def _ends(self, seen: Floats) -> Interval:
        """Lowest and highest point of the scale: as given, else as seen."""
        return ends_of(self.scales.get(self.rater)) or (float(seen[0]), float(seen[-1]))

    def _points(self, seen: Floats) -> int:
        """How many points the scale has: steps between its ends, else the scores seen."""
        if self.panel.nominal:
            return len(self.panel.labels)
        low, high = self._ends(seen)
        step = step_of(self.scales.get(self.rater))
        on = np.abs((seen - low) / step - np.round((seen - low) / step)) < 1e-6
        return round((high - low) / step) + 1 if bool(on.all()) else len(seen)


class _Drifts:
    """Scores over sample numbers, within the same unit and variant."""

    def __init__(self, ratings: pd.DataFrame, clusters: Clusters | None) -> None:
        frame = scored(ratings)
        cell = codes_of(frame, ("instance", "model", "response_sample", "versus", "skill", "rater", "variant"))
        several = np.bincount(cell)[cell] > 1 if len(cell) else np.zeros(0, bool)
        frame = frame.assign(cell=cell, cluster=cluster_codes(frame["instance"], clusters))[several]
        self.frame = frame.assign(score=pd.to_numeric(frame["score"], errors="coerce")).dropna(subset=["score"])

    def figure(self, rater: str, skill: str | None, seed: int) -> _Figure:
        """Points from one sample to the next: the slope within cells."""
        frame = self.frame[self.frame["rater"] == rater] if len(self.frame) else self.frame
        if skill is not None and len(frame):
            frame = frame[frame["skill"] == skill]
        if not len(frame):
            return _Figure(None, 0, "no unit was rated more than once")
        cell = np.unique(frame["cell"].to_numpy(), return_inverse=True)[1]
        when = _within(frame["sample"].to_numpy(dtype=float), cell)
        score = _within(frame["score"].to_numpy(dtype=float), cell)
        groups = groups_of(frame["cluster"].to_numpy(), seed=seed)
        sums = leave_out_sums(np.column_stack([when * score, when**2]), groups, int(groups.max()) + 1)
        return _Figure(_ratio(sums[:, 0], sums[:, 1]), len(frame))


def _lengths_of(panel: Panel, lengths: Lengths) -> Floats:
    """Characters of the response of each unit (units,); 0 where unknown."""
    keys = zip(panel.instance, panel.model, panel.response.tolist(), strict=True)
    return np.array([lengths.get(key, 0) for key in keys], dtype=float)


def partial_slope(y: Floats, x: Floats, z: Floats, cluster: Ints, seed: int = 0) -> tuple[Floats, Floats]:
    """The slope and the partial correlation of y on x with z held equal, on everything and without each group.

    Args:
        y: (units,) the score.
        x: (units,) what may move it.
        z: (units,) what is held equal.
        cluster: (units,) the cluster.
        seed: groups the clusters where they are many.

    Returns:
        Two arrays (groups + 1,); NaN where x is constant or told by z; the correlation also where y is told by z.
    """
    groups = groups_of(cluster, seed=seed)
    a, b, c = (column - column.mean() for column in (y, x, z))
    columns = np.column_stack([a, b, c, a * a, b * b, c * c, a * b, a * c, b * c, np.ones(len(a))])
    sums = leave_out_sums(columns, groups, int(groups.max()) + 1)
    mean = sums[:, :9] / np.maximum(sums[:, 9:], 1)
    yy, xx, zz = (mean[:, 3 + k] - mean[:, k] ** 2 for k in range(3))
    yx, yz, xz = (
        mean[:, 6] - mean[:, 0] * mean[:, 1],
        mean[:, 7] - mean[:, 0] * mean[:, 2],
        mean[:, 8] - mean[:, 1] * mean[:, 2],
    )
    fixed = np.where(zz > 1e-12, zz, np.inf)  # a constant z holds nothing
    left_xx, left_yy, left_yx = xx - xz**2 / fixed, yy - yz**2 / fixed, yx - yz * xz / fixed
    left_xx = np.where(left_xx > 1e-9 * np.maximum(xx, 1e-12), left_xx, 0.0)
    left_yy = np.where(left_yy > 1e-9 * np.maximum(yy, 1e-12), left_yy, 0.0)
    return _ratio(left_yx, left_xx), np.clip(_ratio(left_yx, np.sqrt(left_xx * left_yy)), -1.0, 1.0)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.where(bottom > 1e-12, top / np.where(bottom > 1e-12, bottom, 1.0), np.nan)


def _variance(column: Floats, groups: Ints, count: int) -> Floats:
    """The variance (groups + 1,) of a column (rows,); exactly 0 where it is constant."""
    centred = column - column.mean()
    sums = leave_out_sums(np.column_stack([centred, centred**2, np.ones(len(column))]), groups, count)
    size = np.maximum(sums[:, 2], 1)
    made = sums[:, 1] / size - (sums[:, 0] / size) ** 2
    return np.where(made > 1e-12 * max(1.0, float(np.abs(column).max()) ** 2), made, 0.0)


def _within(column: Floats, cell: Ints) -> Floats:
    """A column (rows,) less the mean of its cell."""
    return column - (np.bincount(cell, column) / np.bincount(cell))[cell]
