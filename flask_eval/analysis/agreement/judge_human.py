"""A judge against people: at the level of items, of instances and of systems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import pandas as pd

from flask_eval.analysis.agreement.matching import INSTANCE, ITEM, SYSTEM, Match, Result, at_level, mean_of_results
from flask_eval.analysis.agreement.records import Figures, JudgeVersusHuman
from flask_eval.analysis.agreement.setting import Matches, Options, Scope, Setting, setting_of


def judge_versus_human(ratings: pd.DataFrame | Setting, **options: Unpack[Options]) -> list[JudgeVersusHuman]:
    """How far judges and metrics agree with people.

    For each judge, skill (then all pooled, then pooled with each skill's mean taken out), and people (`mean`, `each`:
    the mean over persons, `majority`, and each person): a row at level `item` (pairs of scores, samples averaged),
    `instance` (the correlation across models for each (instance, skill) with at least three models, then the mean) and
    `system` (the correlation of the models' means).

    Args:
        ratings: the long table, or what `prepare` made of it. Rows count where `outcome` is `scored`, `item` is empty,
            and the score lies on the rater's scale.
        options: clusters, slice_of, by, within, scales, judges, humans, anonymous, kappa_weights, resamples, confidence,
            seed: see `Options`.

    Returns:
        Rows in the order judge, slice, skill, people, level. What does not exist is none, with the reason in
        `undefined`. None where there are no people, or no judges.

    Raises:
        ValueError: a scale, a label or an option does not fit.
    """
    setting = setting_of(ratings, options)
    return [
        _row(setting, matches.judge.name, human, scope, (level, result))
        for matches in setting.matches()
        for part in setting.parts
        for scope in matches.scopes(part)
        for human, level, result in _results(setting, matches, scope)
    ]


def _results(setting: Setting, matches: Matches, scope: Scope) -> Iterator[tuple[str, str, Result]]:
    """(people, level, measures) within a scope."""
    levels = levels_of(scope)

    def found(matched: Match) -> list[Result]:
        within = scope.of(matched)
        return [
            at_level(within, level, weights=setting.weights, kappa_weights=setting.kappa_weights) for level in levels
        ]

    persons = [(person.human.name, found(person)) for person in matches.persons]
    each = [mean_of_results(results) for results in zip(*(results for _, results in persons), strict=True)]
    shown = [(name, results) for name, results in persons if name in matches.shown]
    every = [("mean", found(matches.mean)), ("each", each), ("majority", found(matches.majority)), *shown]
    for human, results in every:
        for level, result in zip(levels, results, strict=True):
            yield human, level, result


def levels_of(scope: Scope) -> tuple[str, ...]:
    """The levels that make sense in a scope: within a skill, taking out its mean changes nothing."""
    return (ITEM, SYSTEM) if scope.adjusted else (ITEM, INSTANCE, SYSTEM)


def _row(setting: Setting, judge: str, human: str, scope: Scope, found: tuple[str, Result]) -> JudgeVersusHuman:
    level, result = found
    figures = Figures.of(result.estimates, setting.asked)
    return JudgeVersusHuman(
        judge=judge,
        human=human,
        skill=scope.skill,
        slice=scope.part.name,
        by=scope.part.by,
        level=level,
        adjusted=scope.adjusted,
        n=int(result.counted.size),
        n_groups=None if result.groups is None else int(result.groups.size),
        n_instances=setting.study.n_instances(result.units),
        measures=figures.measures,
        intervals=figures.intervals,
        undefined=figures.undefined,
        n_off_points=result.n_off_points,
        n_out_of_range=setting.out_of_range(judge),
        n_clusters=setting.study.clusters_of(result.units),
        method=figures.method,
    )
