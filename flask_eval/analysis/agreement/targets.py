"""A side of a comparison: one rater's scores, or what people make together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from flask_eval.analysis.agreement.arrays import Bools, Ints, sums_by
from flask_eval.analysis.agreement.paired import Codes, codes_of
from flask_eval.analysis.agreement.scales import Scale, common
from flask_eval.analysis.agreement.study import Study, mode, tidy

NUMBERS, LABELS = 1, 2
_MIXED = "means of samples are no points of the scale"


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
    on_points: Bools
    """(n,) which scores are points of its scale."""
    no_points: str
    """Why none of its scores counts as a point once any does not; empty where a few may be left out."""

    def positions(self, n_units: int) -> Ints:
        """(units,) where each unit stands in `unit`; -1 where it does not."""
        made = np.full(n_units, -1)
        made[self.unit] = np.arange(self.unit.size)
        return made


def side_of(study: Study, rater: int) -> Side:
    """One rater's scores, samples averaged."""
    own = study.ratings.take(np.flatnonzero(study.ratings.rater == rater))
    scale, score = study.scales[rater], codes_of(own.score)
    on_points = scale.on_points(score.distinct)[score.code] & ~own.mixed
    why = _MIXED if own.mixed.any() else ""
    return Side(study.raters[rater], own.unit, score, _levels(study, own.rater, own.unit), scale, on_points, why)


def _levels(study: Study, rater: Ints, unit: Ints) -> Ints:
    skill = study.skill[unit]
    labelled = study.nominal[rater, skill]
    made = np.zeros(len(study.skills), np.int64)
    made[skill[~labelled]] |= NUMBERS
    made[skill[labelled]] |= LABELS
    return made


def together(study: Study, raters: Sequence[int]) -> Iterator[Side]:
    """The mean of people's scores, and what most of them gave (no score where two are equally frequent)."""
    own = study.ratings.take(np.flatnonzero(np.isin(study.ratings.rater, list(raters))))
    levels = _levels(study, own.rater, own.unit)
    scale = common([study.scales[rater] for rater in raters])
    count = sums_by(own.unit, study.n_units)
    unit = np.flatnonzero(count)
    mean = tidy(sums_by(own.unit, study.n_units, own.score)[unit] / count[unit])
    never = np.zeros(unit.size, bool)
    yield Side("mean", unit, codes_of(mean), levels, scale, never, "a mean of people's scores is no point of the scale")
    most = mode(own.unit, own.score, study.n_units)
    unit = np.flatnonzero(~np.isnan(most))
    score = codes_of(most[unit])
    on_points = ~(sums_by(own.unit, study.n_units, own.mixed) > 0)[unit]
    if scale is not None:
        on_points &= scale.on_points(score.distinct)[score.code]
    yield Side("majority", unit, score, levels, scale, on_points, _MIXED if own.mixed.any() else "")


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
