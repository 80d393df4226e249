"""Agreement among raters of one kind, and of one rater with itself over its samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Unpack

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.alphas import LEVELS, alphas
from flask_eval.analysis.agreement.arrays import Bools, Ints
from flask_eval.analysis.agreement.crossings import pairs_of
from flask_eval.analysis.agreement.icc import icc
from flask_eval.analysis.agreement.intervals import Estimate, undefined
from flask_eval.analysis.agreement.kappa import KappaWeights
from flask_eval.analysis.agreement.nominal import CATEGORY_MEASURES, category_measures
from flask_eval.analysis.agreement.paired import Codes, codes_of
from flask_eval.analysis.agreement.records import Asked, Figures, InterRater, Pair
from flask_eval.analysis.agreement.scales import FEW_OFF, Scale, common
from flask_eval.analysis.agreement.setting import Anonymous, Options, Setting, places_among, setting_of
from flask_eval.analysis.agreement.sheet import Sheet, sheet_of
from flask_eval.analysis.agreement.slices import Part
from flask_eval.analysis.agreement.study import KINDS, Ratings, Study

INTER_RATER_MEASURES = (*(f"alpha_{level}" for level in LEVELS), *CATEGORY_MEASURES, "icc_single", "icc_mean")
"""Every measure of agreement among raters."""
_OF_LABELS = ("alpha_nominal", *CATEGORY_MEASURES)


def inter_rater(ratings: pd.DataFrame | Setting, **options: Unpack[Options]) -> list[InterRater]:
    """How far raters agree among each other.

    One row a kind of raters (`of="raters"`), and one a rater with several samples (`of="samples"`), for each skill and
    for all of them pooled; a rater's samples are averaged before it is held against others.

    Args:
        ratings: the long table, or what `prepare` made of it. Rows count where `outcome` is `scored`, `item` is empty,
            and the score lies on the rater's scale.
        options: clusters, slice_of, by, within, scales, judges, humans, anonymous, kappa_weights, resamples, confidence,
            seed: see `Options`. Anonymous raters have no pairs, and no measure that needs a rater's own shares
            (Conger's kappa). `resamples` says only whether intervals are wanted: the jackknife needs none.

    Returns:
        Rows in the order kind, slice, skill, then pooled. What does not exist is none, with the reason in `undefined`.

    Raises:
        ValueError: a scale, a label or an option does not fit.
    """
    setting = setting_of(ratings, options)
    return [
        _row(panel, part, skill, setting)
        for panel in _panels(setting.study, setting.anonymous)
        for part in setting.parts
        for skill in (*panel.skills(part), None)
    ]


@dataclass(frozen=True, eq=False)
class _Panel:
    """Raters of one kind, or the samples of one rater."""

    study: Study
    kind: str
    of: str
    raters: tuple[int, ...]
    ratings: Ratings
    """Their ratings; for samples `rater` is the sample's place in `columns`."""
    columns: tuple[str, ...]
    """What is held against each other."""
    study_unit: Ints
    """(ratings,) the unit of the study; `ratings.unit` may be finer."""
    places: frozenset[str]
    """Those of `columns` that are only places in a list."""

    @cached_property
    def score(self) -> Codes:
        """The scores as codes."""
        return codes_of(self.ratings.score)

    @cached_property
    def scale(self) -> Scale | None:
        """Their scale; none where raters' scales differ."""
        return common([self.study.scales[rater] for rater in self.raters])

    def inside(self, part: Part) -> Bools:
        """(ratings,) which ratings belong to a part."""
        if part.inside is None:
            return np.ones(len(self.ratings), bool)
        return np.asarray(part.inside[self.study_unit])

    def skills(self, part: Part) -> list[str]:
        """The skills that have a rating in a part, in the study's order."""
        seen = np.bincount(self.study.skill[self.study_unit[self.inside(part)]], minlength=len(self.study.skills))
        return [self.study.skills[position] for position in np.flatnonzero(seen).tolist()]

    def sheet(self, where: Ints) -> Sheet:
        """Some of the ratings as a sheet."""
        unit = self.study_unit[where]
        return sheet_of(
            self.ratings.unit[where], self.ratings.rater[where], self.score.take(where), self.study.cluster[unit]
        )


def _panels(study: Study, anonymous: Anonymous) -> Iterator[_Panel]:
    ratings = study.ratings
    for kind in KINDS:
        raters = study.of_kind(kind)
        if not raters:
            continue
        place = np.full(len(study.raters), -1)
        place[raters] = np.arange(len(raters))
        keep = np.flatnonzero(place[ratings.rater] >= 0)
        own = replace(ratings.take(keep), rater=place[ratings.rater[keep]])
        names = tuple(study.raters[rater] for rater in raters)
        places = places_among(names, anonymous if kind == "human" or not isinstance(anonymous, bool) else False)
        yield _Panel(study, kind, "raters", tuple(raters), own, names, own.unit, places)
        for rater in raters:
            yield from _samples(study, kind, rater)


def _samples(study: Study, kind: str, rater: int) -> Iterator[_Panel]:
    """A rater with itself, where it rated any unit more than once under the same conditions."""
    where = np.flatnonzero(study.single.rater == rater)
    variants = int(study.variant.max(initial=0)) + 1
    unit = study.single.unit[where] * variants + study.variant[where]
    order = np.argsort(unit, kind="stable")
    where, unit = where[order], unit[order]
    if not (unit[1:] == unit[:-1]).any():
        return
    numbers, column = np.unique(study.sample[where], return_inverse=True)
    own = replace(study.single.take(where), unit=unit, rater=column.reshape(-1))
    names = tuple(str(number) for number in numbers.tolist())
    yield _Panel(study, kind, "samples", (rater,), own, names, study.single.unit[where], frozenset())


def _row(panel: _Panel, part: Part, skill: str | None, setting: Setting) -> InterRater:
    study, asked = panel.study, setting.asked
    inside = panel.inside(part)
    if skill is not None:
        inside &= (study.skill == study.skills.index(skill))[panel.study_unit]
    where = np.flatnonzero(inside)
    level, (on_points, no_points) = _level(panel, where), _points(panel, where)
    sheet, of_points = panel.sheet(where), panel.sheet(on_points)
    figures = Figures.of(_estimates(panel, sheet, of_points, (level, no_points), asked), asked)
    several = np.bincount(sheet.unit, minlength=1) > 1
    units = panel.study_unit[where][several[sheet.unit]] if where.size else where
    pairs = sheet.pairable
    return InterRater(
        kind=panel.kind,
        of=panel.of,
        raters=tuple(study.raters[rater] for rater in panel.raters),
        skill=skill,
        slice=part.name,
        by=part.by,
        n_units=pairs.n_units,
        n_ratings=len(pairs),
        measures=figures.measures,
        intervals=figures.intervals,
        undefined=figures.undefined,
        pairs=_pairs(panel, of_points, (level, no_points), setting.kappa_weights),
        n_single_units=sheet.n_units - pairs.n_units,
        n_out_of_range=int(study.out_of_range[list(panel.raters)].sum()),
        n_instances=study.n_instances(units),
        n_clusters=pairs.n_clusters,
        method=figures.method,
    )


def _pairs(panel: _Panel, sheet: Sheet, state: tuple[str, str], weights: KappaWeights) -> tuple[Pair, ...]:
    level, no_points = state
    made = pairs_of(
        sheet,
        panel.columns,
        why=no_points or ("" if level in ("labels", "numbers") else level),
        nominal=level == "labels",
        weights=weights,
        step=panel.scale.step if panel.scale else 1.0,
    )
    return tuple(pair for pair in made if not {pair.a, pair.b} & panel.places)


def _level(panel: _Panel, where: Ints) -> str:
    """`numbers`, `labels`, or why neither."""
    if panel.scale is None:
        scales = ", ".join(f"{panel.study.raters[r]}: {panel.study.scales[r]}" for r in panel.raters)
        return f"the raters' scales differ ({scales})"
    skill = panel.study.skill[panel.study_unit[where]]
    rater = np.array(panel.raters)[panel.ratings.rater[where] if panel.of == "raters" else np.zeros(where.size, int)]
    labelled = panel.study.nominal[rater, skill]
    if labelled.all() and where.size:
        return "labels"
    return "some scores are labels, others numbers" if labelled.any() else "numbers"


def _points(panel: _Panel, where: Ints) -> tuple[Ints, str]:
    """The ratings that are points of the scale, or all of them and why they are no points."""
    if panel.scale is None:
        return where, ""
    on = panel.scale.on_points(panel.ratings.score[where])
    off = int((~on).sum())
    if panel.ratings.mixed[where].any():
        return where, "means of samples are no points of the scale"
    if off > FEW_OFF * where.size:
        return where, f"{off:,} of {where.size:,} scores are no points of a scale"
    return where[on], ""


def _estimates(
    panel: _Panel, sheet: Sheet, of_points: Sheet, state: tuple[str, str], asked: Asked
) -> dict[str, Estimate]:
    level, no_points = state
    if why := _no_agreement(panel, sheet, level):
        return dict.fromkeys(INTER_RATER_MEASURES, undefined(why))
    levels = LEVELS[:1] if level == "labels" else LEVELS[1:] if no_points else LEVELS
    made = {f"alpha_{name}": value for name, value in alphas(sheet, levels, spread=asked.spread).items()}
    if level == "numbers":
        made |= icc(sheet, spread=asked.spread)
    if no_points:
        made |= dict.fromkeys(_OF_LABELS, undefined(no_points))
    else:
        made |= category_measures(
            of_points,
            n_categories=_n_categories(panel.scale),
            identified=panel.of == "raters" and not panel.places,
            spread=asked.spread,
        )
    return {name: made.get(name, undefined("labels have no order")) for name in INTER_RATER_MEASURES}


def _n_categories(scale: Scale | None) -> int | None:
    if scale is None or scale.points is None:
        return len(scale.labels) or None if scale else None
    return int(scale.points.size)


def _no_agreement(panel: _Panel, sheet: Sheet, level: str) -> str:
    if panel.of == "raters" and len(panel.columns) < 2:
        return f"only one rater of kind {panel.kind}"
    if not sheet.pairable.n_units:
        return "no unit has two ratings"
    return "" if level in ("numbers", "labels") else level
