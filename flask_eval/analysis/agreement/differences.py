"""The difference between two judges, against the same people on the same pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Unpack

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.intervals import difference_of
from flask_eval.analysis.agreement.judge_human import levels_of
from flask_eval.analysis.agreement.matching import INSTANCE, Match, Result, at_level, mean_of_results
from flask_eval.analysis.agreement.records import Figures, JudgeDifference
from flask_eval.analysis.agreement.setting import Matches, Options, Scope, Setting, setting_of

AGAINST = ("mean", "each", "majority")


def judge_difference(
    ratings: pd.DataFrame, *, against: Sequence[str] = AGAINST, **options: Unpack[Options]
) -> list[JudgeDifference]:
    """How much better one judge agrees with people than another.

    Args:
        ratings: the long table, as in `judge_versus_human`.
        against: which of `mean`, `each`, `majority`, and persons' names.
        options: as in `judge_versus_human`; `judges` picks those that are compared.

    Returns:
        For every two judges, in the order in which they come, the measures of the first less those of the second, on
        the pairs that both and the people scored. The two share their people and their pairs, so the interval of the
        difference is narrower than their own intervals suggest: a cluster is left out of both at once.

    Raises:
        ValueError: a scale, a label or an option does not fit.
    """
    setting = setting_of(ratings, **options)
    return [
        _row(setting, (a, b), human, scope, (level, *results))
        for a, b in combinations(setting.matches(), 2)
        for part in setting.parts
        for scope in a.scopes(part)
        for human in against
        for level, results in _results(setting, a, b, (scope, human))
    ]


def _results(
    setting: Setting, a: Matches, b: Matches, wanted: tuple[Scope, str]
) -> Iterator[tuple[str, tuple[Result, Result]]]:
    scope, human = wanted
    matched = [_common(scope, one, other) for one, other in zip(_matches(a, human), _matches(b, human), strict=True)]
    if not matched:
        return
    for level in levels_of(scope):
        found = [_at(setting, pair, level) for pair in matched]
        first, second = (
            mean_of_results(results) if human == "each" else results[0] for results in zip(*found, strict=True)
        )
        yield level, (first, second)


def _matches(matches: Matches, human: str) -> list[Match]:
    if human in ("mean", "majority"):
        return [matches.mean if human == "mean" else matches.majority]
    return [person for person in matches.persons if human in ("each", person.human.name)]


def _common(scope: Scope, a: Match, b: Match) -> tuple[Match, Match]:
    """What of both lies in a scope and has both judges' scores; a point counts where it is one for both."""
    both = np.intersect1d(a.unit, b.unit, assume_unique=True)
    first, second = (one.only(np.searchsorted(one.unit, both)) for one in (a, b))
    points = first.on_points & second.on_points
    return scope.of(replace(first, on_points=points)), scope.of(replace(second, on_points=points))


def _at(setting: Setting, pair: tuple[Match, Match], level: str) -> tuple[Result, Result]:
    found = [at_level(one, level, weights=setting.weights, kappa_weights=setting.kappa_weights) for one in pair]
    if level == INSTANCE and not np.array_equal(found[0].counted, found[1].counted):
        groups = np.intersect1d(found[0].counted, found[1].counted)
        kept = [one.only(np.flatnonzero(np.isin(one.points.group, groups))) for one in pair]
        again = [at_level(one, level, weights=setting.weights, kappa_weights=setting.kappa_weights) for one in kept]
        found = [replace(new, groups=old.groups) for new, old in zip(again, found, strict=True)]
    return found[0], found[1]


def _row(
    setting: Setting,
    judges: tuple[Matches, Matches],
    human: str,
    scope: Scope,
    found: tuple[str, Result, Result],
) -> JudgeDifference:
    level, first, second = found
    own = [Figures.of(result.estimates, replace(setting.asked, resamples=0)).measures for result in (first, second)]
    figures = Figures.of(
        {name: difference_of(first.estimates[name], second.estimates[name]) for name in first.estimates}, setting.asked
    )
    return JudgeDifference(
        a=judges[0].judge.name,
        b=judges[1].judge.name,
        human=human,
        skill=scope.skill,
        slice=scope.part.name,
        by=scope.part.by,
        level=level,
        adjusted=scope.adjusted,
        n=int(first.counted.size),
        n_groups=None if first.groups is None else int(first.groups.size),
        n_instances=setting.study.n_instances(first.units),
        a_measures=own[0],
        b_measures=own[1],
        measures=figures.measures,
        intervals=figures.intervals,
        undefined=figures.undefined,
        n_clusters=setting.study.clusters_of(first.units),
        method=figures.method,
    )
