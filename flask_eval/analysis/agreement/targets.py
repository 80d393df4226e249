"""A side of a comparison: one rater's scores, or what people make together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flask_eval.analysis.agreement.arrays import Bools, Ints, sums_by
from flask_eval.analysis.agreement.paired import Codes, codes_of
from flask_eval.analysis.agreement.scales import Scale, common
from flask_eval.analysis.agreement.study import Ratings, Study, mode, tidy

NUMBERS, LABELS = 1, 2


@dataclass(frozen=True, eq=False)
class Side:
    """Scores of units by one rater, or by people together."""

    name: str
    unit: Ints
    """(n,) the units it scores, ascending."""
    score: Codes
    """(n,) its scores; labels as their positions."""
    levels: Ints
    """(skills,) NUMBERS, LABELS, both added up, or 0."""
    scale: Scale | None
    """Its scale; none where its people's scales differ."""
    no_points: str = ""
    """Why its scores are no points of a scale once any of them lies off the points; empty where a few may."""
    is_mean: bool = False
    """Whether it is the mean of people, which is never a point of a scale."""

    @cached_property
    def on_points(self) -> Bools:
        """(n,) which scores are points of its scale."""
        if self.scale is None:
            return np.zeros(self.unit.size, bool)
        return self.scale.on_points(self.score.distinct)[self.score.code]

    def positions(self, n_units: int) -> Ints:
        """(units,) where each unit stands in `unit`; -1 where it does not."""
        made = np.full(n_units, -1)
        made[self.unit] = np.arange(self.unit.size)
        return made


def side_of(study: Study, rater: int) -> Side:
    """One rater's scores, samples averaged."""
    where = np.flatnonzero(study.ratings.rater == rater)
    unit, score = study.ratings.unit[where], codes_of(study.ratings.score[where])
    scale = study.scales[rater]
    mean = bool(study.averaged[rater]) and not scale.on_points(score.distinct).all()
    return Side(
        study.raters[rater],
        unit,
        score,
        _levels(study, np.full(unit.size, rater), unit),
        scale,
        "means of samples are no points of the scale" if mean else "",
    )


def _levels(study: Study, rater: Ints, unit: Ints) -> Ints:
    skill = study.skill[unit]
    labelled = study.nominal[rater, skill]
    made = np.zeros(len(study.skills), np.int64)
    made[skill[~labelled]] |= NUMBERS
    made[skill[labelled]] |= LABELS
    return made


def together(study: Study, raters: Sequence[int]) -> Iterator[Side]:
    """The mean of people's scores, and what most of them gave (no score where two are equally frequent)."""
    where = np.flatnonzero(np.isin(study.ratings.rater, list(raters)))
    own = Ratings(study.ratings.unit[where], study.ratings.rater[where], study.ratings.score[where])
    levels = _levels(study, own.rater, own.unit)
    scale = common([study.scales[rater] for rater in raters])
    count = sums_by(own.unit, study.n_units)
    unit = np.flatnonzero(count)
    sums = sums_by(own.unit, study.n_units, own.score)
    mean = tidy(sums[unit] / count[unit])
    yield Side("mean", unit, codes_of(mean), levels, scale, is_mean=True)
    most = mode(own.unit, own.score, study.n_units)
    unit = np.flatnonzero(~np.isnan(most))
    averaged = bool(study.averaged[list(raters)].any())
    score = codes_of(most[unit])
    off = averaged and scale is not None and not scale.on_points(score.distinct).all()
    no_points = "means of samples are no points of the scale" if off else ""
    yield Side("majority", unit, score, levels, scale, no_points)


def reason_for_scales(judge: Scale | None, human: Scale | None, judge_score: Codes, human_score: Codes) -> str:
    """Why two sides' scores are not on one scale; empty where they may be."""
    if judge is None or human is None:
        return "the people's scales differ"
    if judge.known and human.known:
        same = (judge.low, judge.high, judge.nominal) == (human.low, human.high, human.nominal)
        return "" if same else f"the scales differ: {judge} (judge), {human} (people)"
    for known, other, name in ((judge, human_score, "people's"), (human, judge_score, "judge's")):
        if known.known and not known.nominal and known.outside(other.distinct).any():
            return f"the scales differ: {name} scores lie outside {known}"
    return ""
