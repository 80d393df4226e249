"""What every comparison of judges with people starts from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.arrays import distinct
from flask_eval.analysis.agreement.kappa import KappaWeights
from flask_eval.analysis.agreement.matching import Match, match
from flask_eval.analysis.agreement.records import Asked
from flask_eval.analysis.agreement.resampling import Weights
from flask_eval.analysis.agreement.scales import ScaleEnds
from flask_eval.analysis.agreement.slices import Part, SliceOf, parts_of
from flask_eval.analysis.agreement.study import Study, study_of
from flask_eval.analysis.agreement.targets import LABELS, Side, side_of, together

SKILL_CENTRED = "skill_centred"
Anonymous = bool | Collection[str]


class Options(TypedDict, total=False):
    """What every comparison may be told.

    clusters: the cluster of an instance, which intervals resample; one that is left out is its own.
    slice_of: the label(s) of each instance, or of each rating (a Series with the index of the ratings). Then only
        slices have rows.
    by: the dimensions of the labels, where they are no mappings.
    within: a slice to which everything belongs; it stands first in the name of every slice.
    scales: `(low, high)`, `(low, high, step)`, labels or `"nominal"` by rater, where known.
    judges: only these judges; none: all of kind `judge` or `metric`.
    humans: only these people; none: all of kind `human`.
    anonymous: raters that are only places in a list, not persons: true for all people, or their names. They have no
        rows of their own; `each` is then the mean over places.
    kappa_weights: by value, or by position among the scores that occur.
    resamples: how often clusters are resampled where that is needed (level `system`). 0: no intervals.
    confidence: the nominal coverage of intervals.
    seed: of the resamples.
    """

    clusters: Mapping[str, str] | None
    slice_of: SliceOf | None
    by: Sequence[str]
    within: str | None
    scales: Mapping[str, ScaleEnds] | None
    judges: Collection[str] | None
    humans: Collection[str] | None
    anonymous: Anonymous
    kappa_weights: KappaWeights
    resamples: int
    confidence: float
    seed: int


@dataclass(frozen=True, eq=False)
class People:
    """What judges are held against."""

    mean: Side
    majority: Side
    persons: tuple[Side, ...]
    shown: frozenset[str]
    """The persons who have rows of their own."""


@dataclass(frozen=True, eq=False)
class Setting:
    """A study with its slices, its people, and what is asked of intervals."""

    study: Study
    parts: list[Part]
    people: People | None
    """None where no person rated anything."""
    asked: Asked
    weights: Weights | None
    """Resamples of the clusters; none where no interval is asked for."""
    kappa_weights: KappaWeights
    anonymous: Anonymous
    """Raters that are only places in a list."""

    def out_of_range(self, judge: str) -> int:
        """How many scores of a judge and of people lay outside their scale."""
        study = self.study
        raters = [study.raters.index(judge), *study.of_kind("human")]
        return int(study.out_of_range[raters].sum())

    def matches(self) -> Iterator[Matches]:
        """Every judge, then every metric, matched with everybody; nobody where there are no people."""
        if self.people is not None:
            for rater in (*self.study.of_kind("judge"), *self.study.of_kind("metric")):
                yield matches_of(self.study, side_of(self.study, rater), self.people)


def setting_of(ratings: pd.DataFrame | Setting, options: Options) -> Setting:
    """A setting as it is, or made of ratings."""
    if not isinstance(ratings, Setting):
        return prepare(ratings, **options)
    if options:
        raise ValueError(f"what is prepared knows its options already: leave out {', '.join(options)}")
    return ratings


def prepare(
    ratings: pd.DataFrame,
    *,
    clusters: Mapping[str, str] | None = None,
    slice_of: SliceOf | None = None,
    by: Sequence[str] = (),
    within: str | None = None,
    scales: Mapping[str, ScaleEnds] | None = None,
    judges: Collection[str] | None = None,
    humans: Collection[str] | None = None,
    anonymous: Anonymous = False,
    kappa_weights: KappaWeights = "value",
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Setting:
    """Code the long table and its slices once, for several questions.

    Args:
        ratings: the long table.
        clusters: see `Options`, as for all others.
        slice_of: see there.
        by: see there.
        within: see there.
        scales: see there.
        judges: see there.
        humans: see there.
        anonymous: see there.
        kappa_weights: see there.
        resamples: see there.
        confidence: see there.
        seed: see there.

    Returns:
        What every function of this package takes in place of the ratings and their options.

    Raises:
        ValueError: a scale, a label or an option does not fit.
    """
    if kappa_weights not in ("value", "position"):
        raise ValueError(f"kappa weights go by value or by position, not by {kappa_weights!r}")
    asked = Asked(confidence, resamples, seed)
    study = study_of(ratings, clusters=clusters, scales=scales, judges=judges, humans=humans)
    weights = Weights(study.n_clusters, resamples, seed) if asked.spread else None
    parts = parts_of(study, ratings, slice_of, by, within)
    return Setting(study, parts, _people(study, anonymous), asked, weights, kappa_weights, anonymous)


def _people(study: Study, anonymous: Anonymous) -> People | None:
    raters = study.of_kind("human")
    if not raters:
        return None
    mean, majority = together(study, raters)
    names = frozenset(study.raters[rater] for rater in raters)
    shown = names - places_among(names, anonymous)
    return People(mean, majority, tuple(side_of(study, rater) for rater in raters), shown)


def places_among(names: Collection[str], anonymous: Anonymous) -> frozenset[str]:
    """Those of the names that are only places in a list."""
    if isinstance(anonymous, bool):
        return frozenset(names if anonymous else ())
    return frozenset(name for name in names if name in anonymous)


@dataclass(frozen=True, eq=False)
class Scope:
    """A part of the units, for one skill or for all."""

    part: Part
    skill: str | None
    adjusted: str | None

    def of(self, matched: Match) -> Match:
        """What of a match lies in it, adjusted."""
        return self.adjust(self.units_of(matched))

    def adjust(self, matched: Match) -> Match:
        """A match with each skill's mean taken out, where that is asked for."""
        return matched.skill_centred() if self.adjusted else matched

    def units_of(self, matched: Match) -> Match:
        """What of a match lies in it."""
        study, unit = matched.study, matched.unit
        where = np.arange(unit.size)
        if self.skill is not None:
            position = study.skills.index(self.skill)
            where = np.arange(*np.searchsorted(study.skill[unit], [position, position + 1]))
        if self.part.inside is not None:
            where = where[self.part.inside[unit[where]]]
        return matched if where.size == unit.size else matched.only(where)


@dataclass(frozen=True, eq=False)
class Matches:
    """A judge matched with everybody."""

    judge: Side
    mean: Match
    majority: Match
    persons: tuple[Match, ...]
    shown: frozenset[str]

    def scopes(self, part: Part, *, centred: bool = True) -> Iterator[Scope]:
        """Each skill that the judge or people scored in a part, then all pooled, then (if asked) all centred."""
        study = self.mean.study
        units = np.union1d(self.judge.unit, self.mean.human.unit)
        if part.inside is not None:
            units = units[part.inside[units]]
        skills = distinct(study.skill[units], len(study.skills))
        yield from (Scope(part, study.skills[position], None) for position in skills.tolist())
        yield Scope(part, None, None)
        levels = (self.judge.levels | self.mean.human.levels)[skills]
        if centred and not (levels & LABELS).any():
            yield Scope(part, None, SKILL_CENTRED)


def matches_of(study: Study, judge: Side, people: People) -> Matches:
    """Match a judge with the mean of people, their majority, and each of them."""
    return Matches(
        judge,
        match(study, judge, people.mean),
        match(study, judge, people.majority),
        tuple(match(study, judge, person) for person in people.persons),
        people.shown,
    )
