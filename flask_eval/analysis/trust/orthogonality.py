"""Do a judge's skills tell more than one story? Correlations between skills within the judge against those of people.

The multitrait-multimethod matrix (Campbell and Fiske 1959): skills are traits, raters are methods. A judge whose skills
correlate more than people's do has a halo: one impression colours every score. A judge that is merely less noisy than
one person also correlates more; so the people's correlations are given as they are and freed of their noise, and halo is
flagged where the judge exceeds both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from flask_eval.analysis.trust.ceiling import MOST_PAIRS, mean_of
from flask_eval.analysis.trust.jackknife import groups_of, jackknife_interval, leave_out_sums, method_name
from flask_eval.analysis.trust.panel import Anonymous, Bools, Clusters, Floats, Ints, Panel, panels
from flask_eval.analysis.trust.rows import Interval, Row, number

FEWEST_RESPONSES = 5
"""Responses that two skills must share for their correlation to count."""


@dataclass(frozen=True, slots=True)
class Orthogonality(Row):
    """A judge's correlations between skills beside the people's."""

    judge: str
    """The judge."""
    slice: str | None
    """The name of the slice; none: everything."""
    skills: tuple[str, ...]
    """The skills, in the order of the matrices."""
    n: int
    """Responses that the judge scored on at least two skills."""
    n_instances: int
    """Instances behind them."""
    n_clusters: int
    """Clusters behind them."""
    n_pairs: int
    """Pairs of skills that both judge and people have: the means are over them."""
    judge_matrix: tuple[tuple[float | None, ...], ...]
    """Pearson's r between skills within the judge."""
    people_matrix: tuple[tuple[float | None, ...], ...]
    """The same within people."""
    cross_matrix: tuple[tuple[float | None, ...], ...]
    """r of the judge's skill (row) with the mean of the people's skill (column); the diagonal is validity."""
    people_are: Literal["each", "mean"] | None
    """Whether the people's r is the mean over persons, or of their mean scores (where they are places in a list)."""
    measures: Mapping[str, float | None]
    """judge, people: mean r over the pairs. people_noise_free: the people's, freed of their noise by correlating
    different persons. excess: judge less people. excess_noise_free: judge less people_noise_free."""
    intervals: Mapping[str, Interval | None]
    """Their intervals."""
    halo: bool | None
    """Whether both excesses are above 0 with their intervals (the second where it exists); none where undefined."""
    method: str
    """How the intervals were made."""
    seed: int
    """The seed of the grouping of clusters."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Scores of responses on every skill."""

    scores: Floats
    """(raters, responses, skills)."""
    groups: Ints
    count: int

    def correlation(self, x: Floats, y: Floats) -> Floats:
        """Pearson's r (groups + 1,) of two columns (responses,); NaN where too few or constant."""
        rows = ~np.isnan(x) & ~np.isnan(y)
        if rows.sum() < FEWEST_RESPONSES:
            return np.full(self.count + 1, np.nan)
        return _r(*_moments(x[rows], y[rows], self.groups[rows], self.count))

    def covariance(self, x: Floats, y: Floats) -> Floats:
        """Covariance (groups + 1,) of two columns (responses,); NaN where there are too few."""
        rows = ~np.isnan(x) & ~np.isnan(y)
        if rows.sum() < FEWEST_RESPONSES:
            return np.full(self.count + 1, np.nan)
        return _moments(x[rows], y[rows], self.groups[rows], self.count)[2]


def orthogonality(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    judges: Collection[str] | None = None,
    anonymous: Anonymous = False,
    confidence: float | None = 0.95,
    slice_name: str | None = None,
    seed: int = 0,
) -> list[Orthogonality]:
    """The correlations between skills within each judge against those within people; a row a judge.

    Args:
        ratings: the long table; skills scored by labels are left out.
        clusters: the cluster of an instance, which intervals leave out.
        judges: the judges to look at; none: all. Metrics are left out: they may give all skills one score.
        anonymous: people who are only places in a list, not persons: their mean scores are correlated.
        confidence: of the intervals; none: no intervals, and no flag.
        slice_name: the name of the slice that `ratings` holds.
        seed: groups the clusters where they are many.

    Source: Campbell and Fiske (1959), Convergent and discriminant validation by the multitrait-multimethod matrix.
    """
    found = [panel for panel in panels(ratings, clusters, judges=judges, anonymous=anonymous) if not panel.nominal]
    if not found:
        return []
    panel = found[0]
    return [
        _Study(panel, column, confidence, seed).row(slice_name)
        for column in panel.judges
        if panel.kinds[column] == "judge"
    ]


class _Study:
    """One judge's responses, with the people's scores of the same ones."""

    def __init__(self, panel: Panel, column: int, confidence: float | None, seed: int) -> None:
        mine: Bools = ~np.isnan(panel.scores[:, column])
        self.judge, self.panel = panel.raters[column], panel.only(mine)
        self.confidence, self.seed = confidence, seed
        self.skills = tuple(str(name) for name in dict.fromkeys(self.panel.skill))
        frame = pd.DataFrame({"i": self.panel.instance, "m": self.panel.model, "r": self.panel.response})
        response = frame.groupby(["i", "m", "r"], sort=False).ngroup().to_numpy()
        skill = np.array([self.skills.index(name) for name in self.panel.skill], dtype=np.int64)
        size = int(response.max(initial=-1)) + 1
        scores = np.full((len(self.panel.raters), size, len(self.skills)), np.nan)
        scores[:, response, skill] = self.panel.scores.T
        own = scores[self.panel.raters.index(self.judge)] if size else np.zeros((0, 0))
        keep = (~np.isnan(own)).sum(axis=1) >= 2
        first = np.unique(response, return_index=True)[1]
        self.instance, self.cluster = self.panel.instance[first][keep], self.panel.cluster[first][keep]
        groups = groups_of(self.cluster, seed=seed)
        self.table = _Table(scores[:, keep], groups, int(groups.max(initial=-1)) + 1)
        self.own = own[keep]
        self.people = self.table.scores[[k for k, kind in enumerate(self.panel.kinds) if kind == "human"]]

    def row(self, slice_name: str | None) -> Orthogonality:
        """Matrices, their means and the flag, or the reasons why there are none."""
        pairs = list(combinations(range(len(self.skills)), 2))
        judge = {pair: self.table.correlation(self.own[:, pair[0]], self.own[:, pair[1]]) for pair in pairs}
        people = {pair: self._people(pair) for pair in pairs}
        free = self._noise_free(pairs)
        common = [pair for pair in pairs if np.isfinite(judge[pair][0]) and np.isfinite(people[pair][0])]
        both = [pair for pair in common if np.isfinite(free[pair][0])]
        figures = {
            "judge": _mean(judge, common),
            "people": _mean(people, common),
            "people_noise_free": _mean(free, both),
            "excess": _mean({p: judge[p] - people[p] for p in common}, common),
            "excess_noise_free": _mean({p: judge[p] - free[p] for p in both}, both),
        }
        measures: dict[str, float | None] = {}
        intervals: dict[str, Interval | None] = {}
        undefined: dict[str, str] = {}
        for name, values in figures.items():
            measures[name], intervals[name] = None if values is None else number(values[0]), None
            if values is None:
                undefined[name] = self._reason(common)
                continue
            scale, ends = ("fisher", (-1.0, 1.0)) if name in ("judge", "people") else ("plain", (-2.0, 2.0))
            intervals[name], why = jackknife_interval(values, self.confidence, scale, ends)  # type: ignore[arg-type]
            if why:
                undefined[f"{name}.interval"] = why
        halo = _halo(intervals, measures)
        if halo is None:
            undefined["halo"] = undefined.get("excess") or undefined.get("excess.interval", "")
        return Orthogonality(
            judge=self.judge,
            slice=slice_name,
            skills=self.skills,
            n=len(self.own),
            n_instances=len(set(self.instance)),
            n_clusters=len(np.unique(self.cluster)),
            n_pairs=len(common),
            judge_matrix=self._matrix(judge),
            people_matrix=self._matrix(people),
            cross_matrix=self._cross(),
            people_are=None if not len(self.people) else "mean" if self.panel.anonymous else "each",
            measures=measures,
            intervals=intervals,
            halo=halo,
            method=method_name(self.table.count) + " (judge and people on Fisher's z)",
            seed=self.seed,
            undefined=undefined,
        )

    def _people(self, pair: tuple[int, int]) -> Floats:
        """Pearson's r between two skills within people: the mean over persons, or of their mean scores where they are places."""
        a, b = pair
        if self.panel.anonymous:
            return self.table.correlation(self._mean_of(a), self._mean_of(b))
        each = [self.table.correlation(person[:, a], person[:, b]) for person in self.people]
        there = [values for values in each if np.isfinite(values[0])]
        return np.mean(there, axis=0) if there else np.full(self.table.count + 1, np.nan)

    def _mean_of(self, skill: int) -> Floats:
        return mean_of(self.people[:, :, skill].T)

    def _noise_free(self, pairs: list[tuple[int, int]]) -> dict[tuple[int, int], Floats]:
        """Pearson's r between two skills by covariances between different persons only: neither noise nor halo of one person."""
        between = {}
        persons = self._pairs_of_persons()
        for a in range(len(self.skills)):
            for b in range(a, len(self.skills)):
                found = [self.table.covariance(self.people[p][:, a], self.people[o][:, b]) for p, o in persons]
                there = [values for values in found if np.isfinite(values[0])]
                between[a, b] = np.mean(there, axis=0) if there else np.full(self.table.count + 1, np.nan)
        return {(a, b): _r(between[a, a], between[b, b], between[a, b]) for a, b in pairs}

    def _pairs_of_persons(self) -> list[tuple[int, int]]:
        pairs = [(p, o) for p in range(len(self.people)) for o in range(len(self.people)) if p != o]
        if len(pairs) <= MOST_PAIRS:
            return pairs
        picked = np.random.default_rng(self.seed).choice(len(pairs), MOST_PAIRS, replace=False)
        return [pairs[k] for k in sorted(picked)]

    def _matrix(self, values: Mapping[tuple[int, int], Floats]) -> tuple[tuple[float | None, ...], ...]:
        size = range(len(self.skills))
        return tuple(tuple(1.0 if a == b else number(values[min(a, b), max(a, b)][0]) for b in size) for a in size)

    def _cross(self) -> tuple[tuple[float | None, ...], ...]:
        size = range(len(self.skills))
        if not len(self.people):
            return tuple(tuple(None for _ in size) for _ in size)
        means = [self._mean_of(b) for b in size]
        return tuple(tuple(number(self.table.correlation(self.own[:, a], means[b])[0]) for b in size) for a in size)

    def _reason(self, common: list[tuple[int, int]]) -> str:
        if len(self.skills) < 2:
            return f"{len(self.skills)} skill: a correlation between skills needs 2"
        if not len(self.people):
            return "there are no people's scores of these responses"
        if common:
            return "people's scores of different persons do not vary together: noise cannot be taken out"
        return f"no pair of skills varies, in {FEWEST_RESPONSES} shared responses, both for the judge and for people"


def _moments(x: Floats, y: Floats, groups: Ints, count: int) -> tuple[Floats, Floats, Floats]:
    """Variance, variance and covariance (groups + 1,) of two columns (rows,)."""
    a, b = x - x.mean(), y - y.mean()
    sums = leave_out_sums(np.column_stack([a, b, a * a, b * b, a * b, np.ones(len(a))]), groups, count)
    mean = sums[:, :5] / np.maximum(sums[:, 5:], 1)
    return mean[:, 2] - mean[:, 0] ** 2, mean[:, 3] - mean[:, 1] ** 2, mean[:, 4] - mean[:, 0] * mean[:, 1]


def _r(xx: Floats, yy: Floats, xy: Floats) -> Floats:
    there = (xx > 1e-12) & (yy > 1e-12)
    return np.where(there, xy / np.sqrt(np.where(there, xx * yy, 1.0)), np.nan)


def _mean(values: Mapping[tuple[int, int], Floats], pairs: list[tuple[int, int]]) -> Floats | None:
    return np.mean([values[pair] for pair in pairs], axis=0) if pairs else None


def _halo(intervals: Mapping[str, Interval | None], measures: Mapping[str, float | None]) -> bool | None:
    excess, free = intervals["excess"], intervals["excess_noise_free"]
    if excess is None:
        return None
    if excess[0] <= 0 or measures["excess_noise_free"] is None:
        return excess[0] > 0
    return free is not None and free[0] > 0
