"""The correlation of a judge with people, corrected for the people's own unreliability."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.arrays import Floats, Ints, sums_by
from flask_eval.analysis.agreement.correlation import constant, pearson
from flask_eval.analysis.agreement.icc import components
from flask_eval.analysis.agreement.intervals import Estimate, undefined, variance_ratio
from flask_eval.analysis.agreement.matching import Match, no_order
from flask_eval.analysis.agreement.records import Disattenuated, Figures
from flask_eval.analysis.agreement.setting import Options, Scope, Setting, setting_of
from flask_eval.analysis.agreement.sheet import Sheet, sheet_of


def disattenuated(ratings: pd.DataFrame | Setting, **options: Unpack[Options]) -> list[Disattenuated]:
    """What a judge's correlation with the mean of people would be if people were perfectly reliable.

    `corrected` = Pearson's r with the mean of people / the root of that mean's reliability. The reliability is the share
    of the mean's variance that is not error: v / (v + e * mean(1 / k)), with v and e the variance components between
    and within units of the one-way model (from units with two people or more) and k the people of each pair. It may
    exceed 1 by chance. The judge's own unreliability stays in: it is a property of the judge.

    Args:
        ratings: the long table, as in `judge_versus_human`; or what `prepare` made of it.
        options: as in `judge_versus_human`.

    Returns:
        Rows in the order judge, slice, skill, then all pooled, then pooled with each skill's mean taken out.
        `corrected` is undefined where the reliability is not above 0, or no unit has two people.

    Raises:
        ValueError: a scale, a label or an option does not fit.

    Source: Spearman (1904), The Proof and Measurement of Association between Two Things; components as in `icc`.
    """
    setting = setting_of(ratings, options)
    return [
        _row(setting, matches.judge.name, scope, scope.of(matches.mean))
        for matches in setting.matches()
        for part in setting.parts
        for scope in matches.scopes(part)
    ]


def _row(setting: Setting, judge: str, scope: Scope, matched: Match) -> Disattenuated:
    study = setting.study
    why = no_order(matched) or constant(matched.pairs, ("judge's", "people's"))
    sheet = None if why else _people(setting, matched)
    estimates = dict.fromkeys(("pearson", "reliability", "corrected"), undefined(why))
    if sheet is not None:
        estimates = _estimates(matched, sheet, spread=setting.asked.spread)
    figures = Figures.of(estimates, setting.asked)
    return Disattenuated(
        judge=judge,
        skill=scope.skill,
        slice=scope.part.name,
        by=scope.part.by,
        adjusted=scope.adjusted,
        n=len(matched),
        n_multiple=0 if sheet is None else int((sheet.sizes > 1).sum()),
        n_instances=study.n_instances(matched.unit),
        measures=figures.measures,
        intervals=figures.intervals,
        undefined=figures.undefined,
        n_clusters=study.clusters_of(matched.unit),
        method=figures.method,
    )


def _people(setting: Setting, matched: Match) -> Sheet:
    """The single people's scores of the pairs, less what was taken out of their mean."""
    study = setting.study
    place = np.full(study.n_units, -1)
    place[matched.unit] = np.arange(len(matched))
    own = np.isin(study.ratings.rater, study.of_kind("human")) & (place[study.ratings.unit] >= 0)
    unit, rater, score = study.ratings.unit[own], study.ratings.rater[own], study.ratings.score[own]
    if matched.centred:
        mean = (sums_by(unit, study.n_units, score) / np.maximum(sums_by(unit, study.n_units), 1))[matched.unit]
        score = score - (mean - matched.y.numbers)[place[unit]]
    return sheet_of(unit, rater, score, study.cluster[unit])


def _estimates(matched: Match, sheet: Sheet, *, spread: bool) -> dict[str, Estimate]:
    observed = pearson(matched.pairs, spread=spread)
    several = sheet.sizes > 1
    if several.sum() < 2:
        none = undefined("no two units have two people: their reliability is not known")
        return {"pearson": observed, "reliability": none, "corrected": none}
    reliability = _reliability(sheet, spread=spread)
    if not reliability[0] > 0:
        why = f"the people's reliability is {reliability[0]:.3f}, not above 0"
        if not np.isfinite(reliability[0]):
            why = "the people's ratings do not vary"
        value = float(reliability[0]) if np.isfinite(reliability[0]) else None
        return {"pearson": observed, "reliability": Estimate(value, why), "corrected": undefined(why)}
    with np.errstate(invalid="ignore"):
        root = np.sqrt(np.where(reliability > 0, reliability, np.nan))
    value = None if observed.value is None else float(observed.value / root[0])
    left_out = observed.left_out / root[1:] if observed.left_out is not None else None
    clusters: Ints = sheet.clusters
    scale = variance_ratio(1.0, single=False)
    return {
        "pearson": observed,
        "reliability": Estimate(
            float(reliability[0]), "", reliability[1:] if spread else None, clusters, transform=scale
        ),
        "corrected": Estimate(value, "", left_out, clusters),
    }


def _reliability(sheet: Sheet, *, spread: bool) -> Floats:
    """(1 + G,) of the mean of the people of a pair, over all units and without each cluster."""
    between, within, size = components(sheet, spread=spread)
    inverse = 1 / sheet.sizes
    error = np.array([inverse.mean()])
    if spread:
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.append(error, sheet.without(inverse) / sheet.without(np.ones(sheet.n_units)))
    with np.errstate(invalid="ignore", divide="ignore"):
        true = (between - within) / size
        return np.asarray(true / (true + within * error))
