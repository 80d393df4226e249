"""What a judge and people scored both, and every measure of it at one level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flask_eval.analysis.agreement.arrays import Bools, Ints, compact, distinct, sums_by
from flask_eval.analysis.agreement.concordance import kendall
from flask_eval.analysis.agreement.correlation import constant, pearson, spearman
from flask_eval.analysis.agreement.intervals import NO_OVERLAP, Estimate, cluster_mean, mean_of, undefined
from flask_eval.analysis.agreement.kappa import POINT_MEASURES, KappaWeights, point_measures
from flask_eval.analysis.agreement.levels import CORRELATIONS, InstanceLevel, Points, instance_level, system_level
from flask_eval.analysis.agreement.paired import Codes, Paired, codes_of
from flask_eval.analysis.agreement.resampling import Weights
from flask_eval.analysis.agreement.scales import FEW_OFF
from flask_eval.analysis.agreement.study import Study
from flask_eval.analysis.agreement.targets import LABELS, NUMBERS, Side, reason_for_scales

VERSUS_MEASURES = (*CORRELATIONS, *POINT_MEASURES, "mean_difference")
"""Every measure of a judge against people."""
ITEM, INSTANCE, SYSTEM = "item", "instance", "system"


@dataclass(frozen=True, eq=False)
class Result:
    """Measures at one level, and what they were counted over."""

    estimates: dict[str, Estimate]
    counted: Ints
    """The units, groups or models that count."""
    groups: Ints | None
    """At level `instance` all groups."""
    units: Ints
    """The units behind it."""
    n_off_points: int = 0
    """Pairs that measures of points leave out."""
    within: InstanceLevel | None = None
    """At level `instance` the correlations behind the mean."""

    def only(self, groups: Ints, *, spread: bool) -> Result:
        """At level `instance` the mean over some of the groups."""
        if self.within is None or self.within.reason:
            return self
        kept = self.within.only(groups)
        return replace(self, estimates=self.estimates | kept.estimates(spread=spread), counted=kept.used, within=kept)


@dataclass(frozen=True, eq=False)
class Match:
    """The units that a judge and people scored both."""

    study: Study
    judge: Side
    human: Side
    unit: Ints
    """(n,) the units, ascending."""
    x: Codes
    """(n,) the judge's scores."""
    y: Codes
    """(n,) the people's scores."""
    on_points: Bools
    """(n,) whether both scores are points of their scales."""
    centred: bool = False
    """Whether each skill's mean is taken out of both sides."""

    def __len__(self) -> int:
        return int(self.unit.size)

    def only(self, where: Ints) -> Match:
        """The match at some positions."""
        return replace(
            self,
            unit=self.unit[where],
            x=self.x.take(where),
            y=self.y.take(where),
            on_points=self.on_points[where],
        )

    def skill_centred(self) -> Match:
        """The match with each skill's mean taken out of both sides."""
        skill = self.study.skill[self.unit]
        size = len(self.study.skills)
        count = np.maximum(sums_by(skill, size), 1)
        x, y = (
            codes_of(side.numbers - (sums_by(skill, size, side.numbers) / count)[skill]) if len(self) else side
            for side in (self.x, self.y)
        )
        return replace(self, x=x, y=y, centred=True)

    @cached_property
    def level(self) -> int:
        """NUMBERS, LABELS, or both added up."""
        skills = distinct(self.study.skill[self.unit], len(self.study.skills))
        return int(np.bitwise_or.reduce(self.judge.levels[skills] | self.human.levels[skills], initial=0))

    @cached_property
    def pairs(self) -> Paired:
        """The pairs in their clusters."""
        cluster, clusters = compact(self.study.cluster[self.unit], self.study.n_clusters)
        return Paired(self.x, self.y, cluster, clusters)

    @cached_property
    def points(self) -> Points:
        """The pairs as scores of models on (instance, skill)."""
        study, unit = self.study, self.unit
        group = study.instance[unit] * len(study.skills) + study.skill[unit]
        return Points(self.x.numbers, self.y.numbers, group, study.model[unit], study.cluster[unit])


def match(study: Study, judge: Side, human: Side) -> Match:
    """What two sides scored both."""
    place = judge.positions(study.n_units)[human.unit]
    theirs = np.flatnonzero(place >= 0)
    own = place[theirs]
    return Match(
        study,
        judge,
        human,
        human.unit[theirs],
        judge.score.take(own),
        human.score.take(theirs),
        judge.on_points[own] & human.on_points[theirs],
    )


def at_level(matched: Match, level: str, *, weights: Weights | None, kappa_weights: KappaWeights = "value") -> Result:
    """Every measure at a level.

    Args:
        matched: the pairs.
        level: `item`, `instance` or `system`.
        weights: resamples of the clusters; none: no intervals.
        kappa_weights: of weighted kappas.
    """
    if level == ITEM:
        return _item(matched, kappa_weights, spread=weights is not None)
    elsewhere = undefined("counted at level item")
    estimates = dict.fromkeys(VERSUS_MEASURES, elsewhere)
    why = no_order(matched)
    study = matched.study
    if level == INSTANCE:
        found = instance_level(matched.points)
        own = dict.fromkeys(CORRELATIONS, undefined(why)) if why else found.estimates(spread=weights is not None)
        return Result(estimates | own, found.used, found.groups, matched.unit, within=found)
    made = system_level(matched.points, weights)
    estimates |= dict.fromkeys((*CORRELATIONS, "mean_difference"), undefined(why)) if why else made.estimates
    if not why and (reason := _no_difference(matched)):
        estimates["mean_difference"] = undefined(reason)
    return Result(estimates, distinct(study.model[matched.unit], len(study.models)), None, matched.unit)


def _item(matched: Match, kappa_weights: KappaWeights, *, spread: bool) -> Result:
    pairs = matched.pairs
    if why := no_order(matched):
        made = dict.fromkeys((*CORRELATIONS, "mean_difference"), undefined(why))
    elif why := constant(pairs, ("judge's", "people's")):
        made = dict.fromkeys(CORRELATIONS, undefined(why))
    else:
        made = {name: find(pairs, spread=spread) for name, find in _FINDERS.items()}
    if "mean_difference" not in made:
        made["mean_difference"] = _mean_difference(matched, spread=spread)
    off = int((~matched.on_points).sum())
    if why := no_points(matched, off):
        made |= dict.fromkeys(POINT_MEASURES, undefined(why))
        return Result(_ordered(made), matched.unit, None, matched.unit)
    on = matched.only(np.flatnonzero(matched.on_points)) if off else matched
    made |= point_measures(
        on.pairs,
        weights=kappa_weights,
        step=max(side.scale.step if side.scale else 1.0 for side in (matched.judge, matched.human)),
        nominal=matched.level == LABELS,
        spread=spread,
    )
    return Result(_ordered(made), matched.unit, None, matched.unit, off)


def _ordered(estimates: dict[str, Estimate]) -> dict[str, Estimate]:
    return {name: estimates[name] for name in VERSUS_MEASURES}


_FINDERS = {"pearson": pearson, "spearman": spearman, "kendall": kendall}


def no_order(matched: Match) -> str:
    """Why scores have no order; empty where they have."""
    if not len(matched):
        return NO_OVERLAP
    if matched.human.scale is None:
        return "the people's scales differ"
    if matched.level == LABELS:
        return "labels have neither order nor mean"
    return "" if matched.level == NUMBERS else "some scores are labels, others numbers"


def _no_difference(matched: Match) -> str:
    if matched.centred:
        return "each skill's mean is taken out of both sides"
    return reason_for_scales(matched.judge.scale, matched.human.scale, matched.x, matched.y)


def _mean_difference(matched: Match, *, spread: bool) -> Estimate:
    if why := _no_difference(matched):
        return undefined(why)
    pairs = matched.pairs
    found = cluster_mean(pairs.x.numbers - pairs.y.numbers, pairs.cluster, spread=spread)
    return replace(found, clusters=pairs.clusters)


def no_points(matched: Match, off: int) -> str:
    """Why the pairs are no points of one scale; empty where they are.

    Args:
        matched: the pairs.
        off: how many of them hold a score that is no point of its scale.
    """
    if not len(matched):
        return NO_OVERLAP
    reasons = {
        "some scores are labels, others numbers": matched.level == NUMBERS | LABELS,
        "skill-centred scores are no points of the scale": matched.centred,
        matched.human.no_points: off > 0,
        matched.judge.no_points: off > 0,
        reason_for_scales(matched.judge.scale, matched.human.scale, matched.x, matched.y): True,
        f"{off:,} of {len(matched):,} pairs hold a score that is no point of the scale": off > FEW_OFF * len(matched),
    }
    return next((why for why, holds in reasons.items() if why and holds), "")


def mean_of_results(results: Sequence[Result]) -> Result:
    """The mean over persons, measure by measure; a person for whom one is undefined does not count in it."""
    names = results[0].estimates

    def together(parts: Sequence[Ints]) -> Ints:
        every = np.concatenate(parts)
        return distinct(every, int(every.max(initial=-1)) + 1)

    some = [result.groups for result in results if result.groups is not None]
    return Result(
        {name: mean_of([result.estimates[name] for result in results]) for name in names},
        together([result.counted for result in results]),
        together(some) if some else None,
        together([result.units for result in results]),
        max(result.n_off_points for result in results),
    )
