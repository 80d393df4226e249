"""Agreement among raters of one kind, and of one rater with itself over its samples."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.alphas import LEVELS, alphas
from flask_eval.analysis.agreement.crossings import pairs_of
from flask_eval.analysis.agreement.icc import icc
from flask_eval.analysis.agreement.intervals import Estimate, Ints, undefined
from flask_eval.analysis.agreement.kappa import KappaWeights
from flask_eval.analysis.agreement.nominal import CATEGORY_MEASURES, category_measures
from flask_eval.analysis.agreement.paired import Codes, codes_of
from flask_eval.analysis.agreement.records import Asked, Figures, InterRater
from flask_eval.analysis.agreement.scales import FEW_OFF, Bools, Scale, ScaleEnds, common
from flask_eval.analysis.agreement.sheet import Sheet, sheet_of
from flask_eval.analysis.agreement.slices import Part, SliceOf, parts_of
from flask_eval.analysis.agreement.study import KINDS, Ratings, Study, study_of

INTER_RATER_MEASURES = (*(f"alpha_{level}" for level in LEVELS), *CATEGORY_MEASURES, "icc_single", "icc_mean")
"""Every measure of agreement among raters."""
_OF_LABELS = ("alpha_nominal", *CATEGORY_MEASURES)
Anonymous = bool | Collection[str]


def inter_rater(
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
) -> list[InterRater]:
    """How far raters agree among each other.

    One row a kind of raters (`of="raters"`), and one a rater with several samples (`of="samples"`), for each skill and
    for all of them pooled; a rater's samples are averaged before it is held against others.

    Args:
        ratings: the long table. Rows count where `outcome` is `scored`, `item` is empty, and the score lies on the
            rater's scale.
        clusters: the cluster of an instance, which intervals resample; one that is left out is its own.
        slice_of: the label(s) of each instance, or of each rating (a Series with the index of `ratings`). Then only
            slices have rows.
        by: the dimensions of the labels, where they are no mappings.
        within: a slice to which everything belongs; it stands first in the name of every slice.
        scales: `(low, high)`, `(low, high, step)`, labels or `"nominal"` by rater, where known.
        judges: only these judges; none: all.
        humans: only these people; none: all.
        anonymous: raters that are only places in a list, not persons: true for all people, or their names. They have
            no pairs, and no measure that needs a rater's own shares (Conger's kappa).
        kappa_weights: of weighted kappas: by value, or by position among the scores that occur.
        resamples: 0: no intervals. The jackknife needs none, so that other numbers have no influence here.
        confidence: the nominal coverage of intervals.
        seed: kept with the result.

    Returns:
        Rows in the order kind, slice, skill, then pooled. What does not exist is none, with the reason in `undefined`.

    Raises:
        ValueError: a scale, a label or an option does not fit.
    """
    asked = Asked(confidence, resamples, seed)
    study = study_of(ratings, clusters=clusters, scales=scales, judges=judges, humans=humans)
    parts = parts_of(study, ratings, slice_of, by, within)
    return [
        _row(panel, part, skill, asked, kappa_weights)
        for panel in _panels(study, anonymous)
        for part in parts
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
    cluster_unit: Ints
    """(ratings,) the unit of the study; `ratings.unit` may be finer."""
    identified: bool
    averaged: bool
    """Whether scores are means of samples."""

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
        return np.asarray(part.inside[self.cluster_unit])

    def skills(self, part: Part) -> list[str]:
        """The skills that have a rating in a part, in the study's order."""
        seen = np.bincount(self.study.skill[self.cluster_unit[self.inside(part)]], minlength=len(self.study.skills))
        return [self.study.skills[position] for position in np.flatnonzero(seen).tolist()]

    def sheet(self, where: Ints) -> Sheet:
        """Some of the ratings as a sheet."""
        unit = self.cluster_unit[where]
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
        own = Ratings(ratings.unit[keep], place[ratings.rater[keep]], ratings.score[keep])
        names = tuple(study.raters[rater] for rater in raters)
        identified = kind != "human" or not _any_anonymous(names, anonymous)
        averaged = bool(study.averaged[raters].any())
        yield _Panel(study, kind, "raters", tuple(raters), own, names, own.unit, identified, averaged)
        for rater in raters:
            yield from _samples(study, kind, rater)


def _any_anonymous(names: Sequence[str], anonymous: Anonymous) -> bool:
    if isinstance(anonymous, bool):
        return anonymous
    return any(name in anonymous for name in names)


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
    own = Ratings(unit, column.reshape(-1), study.single.score[where])
    names = tuple(str(number) for number in numbers.tolist())
    yield _Panel(study, kind, "samples", (rater,), own, names, study.single.unit[where], identified=False, averaged=False)


def _row(panel: _Panel, part: Part, skill: str | None, asked: Asked, weights: KappaWeights) -> InterRater:
    study = panel.study
    inside = panel.inside(part)
    if skill is not None:
        inside &= (study.skill == study.skills.index(skill))[panel.cluster_unit]
    where = np.flatnonzero(inside)
    sheet = panel.sheet(where)
    level, why_points = _level(panel, where), _no_points(panel, where)
    nominal = level == "labels"
    pairs = sheet.pairable
    figures = Figures.of(_estimates(panel, sheet, level, why_points, asked), asked)
    scale = panel.scale
    units = np.unique(panel.cluster_unit[where][np.isin(np.arange(where.size), _positions(sheet))])
    crossed = ()
    if panel.of == "samples" or panel.identified:
        crossed = pairs_of(
            sheet,
            panel.columns,
            why=why_points or ("" if level in ("labels", "numbers") else level),
            nominal=nominal,
            weights=weights,
            step=scale.step if scale else 1.0,
        )
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
        pairs=crossed,
        n_single_units=sheet.n_units - pairs.n_units,
        n_out_of_range=int(study.out_of_range[list(panel.raters)].sum()),
        n_instances=int(np.unique(study.instance[units]).size),
        n_clusters=pairs.n_clusters,
        method=figures.method,
    )


def _positions(sheet: Sheet) -> Ints:
    return np.flatnonzero(sheet.sizes[sheet.unit] > 1)


def _level(panel: _Panel, where: Ints) -> str:
    """`numbers`, `labels`, or why neither."""
    if panel.scale is None:
        scales = ", ".join(f"{panel.study.raters[r]}: {panel.study.scales[r]}" for r in panel.raters)
        return f"the raters' scales differ ({scales})"
    skill = panel.study.skill[panel.cluster_unit[where]]
    rater = np.array(panel.raters)[panel.ratings.rater[where] if panel.of == "raters" else np.zeros(where.size, int)]
    labelled = panel.study.nominal[rater, skill]
    if labelled.all() and where.size:
        return "labels"
    return "some scores are labels, others numbers" if labelled.any() else "numbers"


def _no_points(panel: _Panel, where: Ints) -> str:
    """Why scores are no points of a scale; empty where they are."""
    if panel.scale is None or not where.size:
        return ""
    off = int((~panel.scale.on_points(panel.ratings.score[where])).sum())
    if off and panel.averaged:
        return "means of samples are no points of the scale"
    return f"{off:,} of {where.size:,} scores are no points of a scale" if off > FEW_OFF * where.size else ""


def _estimates(panel: _Panel, sheet: Sheet, level: str, why_points: str, asked: Asked) -> dict[str, Estimate]:
    if why := _no_agreement(panel, sheet, level):
        return dict.fromkeys(INTER_RATER_MEASURES, undefined(why))
    points = panel.scale.points if panel.scale else None
    labels = len(panel.scale.labels) if panel.scale else 0
    made: dict[str, Estimate] = {}
    if level == "numbers":
        made |= {f"alpha_{name}": value for name, value in alphas(sheet, spread=asked.spread).items()}
        made |= icc(sheet, spread=asked.spread)
    else:
        made["alpha_nominal"] = alphas(sheet, spread=asked.spread)["nominal"]
    if why_points:
        made |= dict.fromkeys(_OF_LABELS, undefined(why_points))
    else:
        made |= category_measures(
            sheet,
            n_categories=labels or (points.size if points is not None else None),
            identified=panel.identified,
            spread=asked.spread,
        )
    return {name: made.get(name, undefined("labels have no order")) for name in INTER_RATER_MEASURES}


def _no_agreement(panel: _Panel, sheet: Sheet, level: str) -> str:
    if panel.of == "raters" and len(panel.columns) < 2:
        return f"only one rater of kind {panel.kind}"
    if not sheet.pairable.n_units:
        return "no unit has two ratings"
    return "" if level in ("numbers", "labels") else level
