"""May a judge stand in for a person? The alternative annotator test.

Source: Calderon, Reichart and Dror (2025), The Alternative Annotator Test for LLM-as-a-Judge, ACL, sections 3 and 4.
One person at a time is left out; on each unit the judge and that person are scored against the remaining people. The
judge wins over the person where the person's share of units at least as good exceeds the judge's by less than epsilon,
the price that a person's cost and slowness is worth. With half of the people won over, the judge may replace a person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from flask_eval.analysis.trust.jackknife import groups_of, jackknife_interval, leave_out_sums, method_name
from flask_eval.analysis.trust.panel import Anonymous, Bools, Clusters, Floats, Ints, Panel, by_skill, panels
from flask_eval.analysis.trust.rows import Interval, Row
from flask_eval.analysis.trust.scales import Scales, other_scale

EPSILON = {"expert": 0.2, "skilled": 0.15, "crowd": 0.1}
"""The paper's rule of thumb for epsilon, by the kind of people."""
FEWEST_PEOPLE = 3
FEWEST_INSTANCES = 30
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class PersonTest(Row):
    """The judge against one person who was left out."""

    rater: str
    """The person."""
    n: int
    """Units that the person, the judge and at least one other person scored."""
    n_clusters: int
    """Clusters behind them: the units of the t-test."""
    judge_advantage: float
    """Share of units where the judge is at least as close to the others as the person (rho of the judge)."""
    person_advantage: float
    """Share of units where the person is at least as close to the others as the judge (rho of the person)."""
    difference: float
    """The person's share less the judge's; the judge wins where it is below epsilon."""
    interval: Interval | None
    """The t interval of the difference."""
    p: float | None
    """One-sided p of `difference >= epsilon`; none where the person has too few instances."""
    q: float | None
    """p adjusted over the people (Benjamini-Yekutieli)."""
    wins: bool | None
    """Whether the judge wins over this person."""


@dataclass(frozen=True, slots=True)
class AltTest(Row):
    """Whether a judge may replace a person, for one skill or all pooled."""

    judge: str
    """The judge or metric."""
    skill: str | None
    """The skill; none: all pooled."""
    slice: str | None
    """The name of the slice; none: everything."""
    winning_rate: float | None
    """Share of people over whom the judge wins."""
    epsilon: float
    """What a person may be better by."""
    advantage_probability: float | None
    """Mean over people of the share of units where the judge is at least as close to the others."""
    replaces: bool | None
    """Whether the winning rate is at least one half."""
    n: int
    """Units with a score of the judge and of at least two people."""
    n_instances: int
    """Instances behind them."""
    n_clusters: int
    """Clusters behind them."""
    n_raters: int
    """People who could be tested."""
    score: str
    """How closeness is measured: `minus_rmse`, `accuracy`, or `mixed` where skills differ."""
    q_level: float
    """The false discovery rate that is held."""
    intervals: Mapping[str, Interval | None]
    """The interval of the advantage probability."""
    persons: tuple[PersonTest, ...]
    """One entry a person."""
    method: str
    """The test and the interval, in words."""
    seed: int
    """The seed of the grouping of clusters."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Duel:
    """The judge against one person, unit by unit."""

    cluster: Ints
    judge: Floats
    person: Floats


def replaceability(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    epsilon: float = EPSILON["skilled"],
    q: float = 0.05,
    judges: Collection[str] | None = None,
    nominal: bool | None = None,
    scales: Scales | None = None,
    anonymous: Anonymous = False,
    confidence: float | None = 0.95,
    slice_name: str | None = None,
    seed: int = 0,
) -> list[AltTest]:
    """The alternative annotator test of each judge: a row a skill, and one pooled.

    Args:
        ratings: the long table; people are the raters of kind `human`.
        clusters: the cluster of an instance; the t-test's unit is the cluster's mean.
        epsilon: what a person may be better by: .2 for experts, .15 skilled people, .1 crowd workers.
        q: the false discovery rate over the people.
        judges: the judges and metrics to test; none: all.
        nominal: whether scores are labels without order; none: where they are text.
        scales: what is known of raters' scales; a judge on another scale than the people's is not tested.
        anonymous: people who are only places in a list, not persons: they cannot be tested.
        confidence: of the intervals; none: no intervals.
        slice_name: the name of the slice that `ratings` holds.
        seed: groups the clusters where they are many.

    Returns:
        A row for each judge and skill, and a pooled one (`skill` none) last. `winning_rate` and `replaces` are none,
        with the reason, where fewer than 3 identified people have 30 instances (clusters) each.

    Raises:
        ValueError: epsilon or q is not in [0, 1).
    """
    if not (0 <= epsilon < 1 and 0 < q < 1):
        raise ValueError(f"epsilon {epsilon} must be in [0, 1) and q {q} in (0, 1)")
    by_level = panels(ratings, clusters, nominal=nominal, judges=judges, anonymous=anonymous)
    rows = []
    for judge in dict.fromkeys(panel.raters[k] for panel in by_level for k in panel.judges):
        parts: dict[str | None, list[Panel]] = {}
        for panel in by_level:
            for skill, part in by_skill(panel):
                if judge in part.raters:
                    parts.setdefault(skill, []).append(part)
        pooled = parts.pop(None, [])
        for skill, part_panels in [*parts.items(), (None, pooled)]:
            made = _Study(judge, skill, part_panels, epsilon, q, confidence, seed)
            rows.append(made.row(slice_name, scales or {}))
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """One judge on one skill (or all): its panels and the settings of the test."""

    judge: str
    skill: str | None
    panels: list[Panel]
    epsilon: float
    q: float
    confidence: float | None
    seed: int

    def row(self, slice_name: str | None, scales: Scales) -> AltTest:
        """Test, or say why not."""
        usable = [_with_two_people(panel, self.judge) for panel in self.panels]
        reason = self._other_scale(scales) or _not_persons(self.panels)
        duels = {} if reason else _duels(usable, self.judge)
        tested = [name for name, duel in duels.items() if len(np.unique(duel.cluster)) >= FEWEST_INSTANCES]
        if not reason and len(tested) < FEWEST_PEOPLE:
            reason = _too_few(usable, duels, tested)
        persons = self._persons(duels, tested if not reason else [])
        counted = [person for person in persons if reason or person.p is not None]
        wins = sum(person.wins is True for person in counted)
        rate = None if reason else wins / len(counted)
        advantage, interval, why = self._advantage([duels[person.rater] for person in counted])
        if not duels and reason:
            why = reason
        undefined = {"winning_rate": reason, "replaces": reason} if reason else {}
        if why:
            undefined["advantage_probability" if advantage is None else "advantage_probability.interval"] = why
        cluster = np.concatenate([panel.cluster for panel in usable]) if usable else np.array([], np.int64)
        return AltTest(
            judge=self.judge,
            skill=self.skill,
            slice=slice_name,
            winning_rate=rate,
            epsilon=self.epsilon,
            advantage_probability=advantage,
            replaces=None if rate is None else rate >= 0.5,
            n=len(cluster),
            n_instances=len({name for panel in usable for name in panel.instance}),
            n_clusters=len(np.unique(cluster)),
            n_raters=len(tested),
            score=_score_name(self.panels),
            q_level=self.q,
            intervals={"advantage_probability": interval},
            persons=tuple(persons),
            method=_method(cluster),
            seed=self.seed,
            undefined=undefined,
        )

    def _other_scale(self, scales: Scales) -> str:
        found = (other_scale(part, part.raters.index(self.judge), part.people, scales) for part in self.panels)
        return next((reason for reason in found if reason), "")

    def _persons(self, duels: Mapping[str, _Duel], tested: list[str]) -> list[PersonTest]:
        values = {
            name: one_sided_p(_cluster_means(duels[name], duels[name].person - duels[name].judge), self.epsilon)
            for name in tested
        }
        adjusted = dict(zip(values, benjamini_yekutieli(list(values.values())), strict=True))
        made = []
        for name, duel in duels.items():
            means = _cluster_means(duel, duel.person - duel.judge)
            q = adjusted.get(name)
            made.append(
                PersonTest(
                    rater=name,
                    n=len(duel.cluster),
                    n_clusters=len(means),
                    judge_advantage=float(_cluster_means(duel, duel.judge).mean()),
                    person_advantage=float(_cluster_means(duel, duel.person).mean()),
                    difference=float(means.mean()),
                    interval=_t_interval(means, self.confidence),
                    p=values.get(name),
                    q=q,
                    wins=None if q is None else q <= self.q,
                )
            )
        return made

    def _advantage(self, duels: list[_Duel]) -> tuple[float | None, Interval | None, str | None]:
        """Mean over people of the judge's share, with its jackknife interval, or the reason why there is none."""
        if not duels:
            return None, None, "no unit is scored by the judge and by two people"
        every = np.unique(np.concatenate([duel.cluster for duel in duels]))
        groups = groups_of(every, seed=self.seed)
        count = int(groups.max()) + 1
        total = np.zeros(count + 1)
        for duel in duels:
            means = _cluster_means(duel, duel.judge)
            place = groups[np.searchsorted(every, np.unique(duel.cluster))]
            sums = leave_out_sums(np.column_stack([means, np.ones(len(means))]), place, count)
            total += np.where(sums[:, 1] > 0, sums[:, 0] / np.maximum(sums[:, 1], 1), np.nan)
        values = total / len(duels)
        interval, why = jackknife_interval(values, self.confidence, bounds=(0.0, 1.0))
        return float(values[0]), interval, why


def one_sided_p(differences: Floats, epsilon: float) -> float:
    """The p of "the mean difference is at least epsilon" against "it is below" (paired t-test).

    Args:
        differences: (clusters,) the person's indicator less the judge's, at least two.
        epsilon: the margin.

    Source: Calderon et al. (2025), section 3; without any spread the t is infinite, so p is 0 or 1.
    """
    spread = float(differences.std(ddof=1))
    distance = float(differences.mean()) - epsilon
    if spread <= 1e-12:
        return 0.0 if distance < 0 else 1.0
    return float(stats.t.cdf(distance / (spread / np.sqrt(len(differences))), len(differences) - 1))


def benjamini_yekutieli(p: list[float]) -> list[float]:
    """Adjust p so that those at most q keep the false discovery rate at q under any dependence.

    Source: Benjamini and Yekutieli (2001), The control of the false discovery rate under dependency, theorem 1.3.
    """
    count = len(p)
    if not count:
        return []
    order = np.argsort(p, kind="stable")
    price = float((1 / np.arange(1, count + 1)).sum())
    scaled = np.array(p)[order] * count * price / np.arange(1, count + 1)
    made = np.empty(count)
    made[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return [float(value) for value in made]


def _with_two_people(panel: Panel, judge: str) -> Panel:
    """The units that the judge and at least two people scored."""
    rated: Bools = ~np.isnan(panel.scores)
    mine = rated[:, panel.raters.index(judge)]
    return panel.only(mine & (rated[:, list(panel.people)].sum(axis=1) >= 2))


def _duels(parts: list[Panel], judge: str) -> dict[str, _Duel]:
    """The judge against each person in turn; skills are put together."""
    found: dict[str, list[_Duel]] = {}
    for panel in parts:
        if not len(panel.scores):
            continue
        own = panel.scores[:, panel.raters.index(judge)]
        for k in panel.people:
            others = [o for o in panel.people if o != k]
            rest = panel.scores[:, others]
            rows = ~np.isnan(panel.scores[:, k]) & ~np.isnan(rest).all(axis=1)
            if not rows.any():
                continue
            judge_score, person_score = (
                closeness(own[rows], rest[rows], nominal=panel.nominal),
                closeness(panel.scores[rows, k], rest[rows], nominal=panel.nominal),
            )
            made = _Duel(
                panel.cluster[rows],
                (judge_score >= person_score - _TIE).astype(float),
                (person_score >= judge_score - _TIE).astype(float),
            )
            found.setdefault(panel.raters[k], []).append(made)
    return {
        name: _Duel(*(np.concatenate([getattr(d, part) for d in duels]) for part in ("cluster", "judge", "person")))
        for name, duels in found.items()
    }


def closeness(score: Floats, others: Floats, *, nominal: bool) -> Floats:
    """How close a score is to the others', unit by unit: minus RMSE, or the share of equal labels.

    Args:
        score: (units,).
        others: (units, people), NaN where a person did not score; at least one did.
        nominal: whether scores are labels.

    Source: Calderon et al. (2025), section 3: -RMSE and ACC.
    """
    there = ~np.isnan(others)
    each = (others == score[:, None]).astype(float) if nominal else (others - score[:, None]) ** 2
    mean: Floats = np.where(there, each, 0.0).sum(axis=1) / there.sum(axis=1)
    return mean if nominal else np.asarray(-np.sqrt(mean))


def _cluster_means(duel: _Duel, values: Floats) -> Floats:
    """The mean of each cluster (clusters,), in the order of their numbers."""
    place = np.unique(duel.cluster, return_inverse=True)[1]
    return np.asarray(np.bincount(place, values) / np.bincount(place))


def _t_interval(means: Floats, confidence: float | None) -> Interval | None:
    if confidence is None or len(means) < 2 or float(means.std()) <= 1e-12:
        return None
    reach = float(stats.t.ppf(0.5 + confidence / 2, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means)))
    middle = float(means.mean())
    return max(-1.0, middle - reach), min(1.0, middle + reach)


def _not_persons(parts: list[Panel]) -> str | None:
    people = {panel.raters[k] for panel in parts for k in panel.people}
    if not people:
        return "there are no people's scores"
    if any(panel.anonymous for panel in parts):
        return "the people are places in a list, not identified persons"
    return None


def _too_few(parts: list[Panel], duels: Mapping[str, _Duel], tested: list[str]) -> str:
    people = {panel.raters[k] for panel in parts for k in panel.people}
    if len(people) < FEWEST_PEOPLE:
        count = f"{len(people)} {'person' if len(people) == 1 else 'people'}"
        return f"{count} scored what the judge scored, with another person: the test needs {FEWEST_PEOPLE}"
    most = max((len(np.unique(duel.cluster)) for duel in duels.values()), default=0)
    return (
        f"{len(tested)} of {len(people)} people have {FEWEST_INSTANCES} instances (clusters) that the judge and another "
        f"person scored (the most: {most}): the test needs {FEWEST_PEOPLE}"
    )


def _score_name(parts: list[Panel]) -> str:
    found = {"accuracy" if panel.nominal else "minus_rmse" for panel in parts}
    return "mixed" if len(found) > 1 else next(iter(found), "minus_rmse")


def _method(cluster: Ints) -> str:
    groups = int(groups_of(cluster).max()) + 1 if len(cluster) else 0
    return (
        "alternative annotator test: one-sided paired t on clusters' means, Benjamini-Yekutieli over the people; "
        f"advantage probability: {method_name(groups)}"
    )
