"""The difference between two judges, against the same people on the same pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
    ratings: pd.DataFrame | Setting, *, against: Sequence[str] = AGAINST, **options: Unpack[Options]
) -> list[JudgeDifference]:
    """How much better one judge agrees with people than another.

    Args:
        ratings: the long table, as in `judge_versus_human`; or what `prepare` made of it.
        against: which of `mean`, `each`, `majority`, and persons' names.
        options: as in `judge_versus_human`; `judges` picks those that are compared.

    Returns:
        For every two judges, in the order in which they come, the measures of the first less those of the second, on
        the pairs that both and the people scored. The two share their people and their pairs, so the interval of the
        difference is narrower than their own intervals suggest: a cluster is left out of both at once.

    Raises:
        ValueError: a scale, a label or an option does not fit.
    """
    setting = setting_of(ratings, options)
    pairs = list(combinations(setting.matches(), 2))
    wanted = [
        (scope, number, order)
        for number, (first, _) in enumerate(pairs)
        for part in setting.parts
        for order, scope in enumerate(first.scopes(part))
    ]
    found: list[tuple[tuple[int, int, int], list[JudgeDifference]]] = []
    for scope, group in _by_scope(wanted):
        measured = _Measured(setting, scope)  # a judge's own measures serve all pairs that it is in
        for number, order in group:
            place = (number, setting.parts.index(scope.part), order)
            found.append((place, _rows(measured, pairs[number], against)))
    return [row for _, rows in sorted(found, key=lambda one: one[0]) for row in rows]


def _by_scope(
    wanted: Sequence[tuple[Scope, int, int]],
) -> Iterator[tuple[Scope, list[tuple[int, int]]]]:
    """Each scope once, with the pairs of judges that want it."""
    groups: dict[tuple[int, str | None, str | None], tuple[Scope, list[tuple[int, int]]]] = {}
    for scope, number, order in wanted:
        key = (id(scope.part), scope.skill, scope.adjusted)
        groups.setdefault(key, (scope, []))[1].append((number, order))
    yield from groups.values()


class _Measured:
    """Measures within a scope; those of a judge on all its pairs are made once."""

    def __init__(self, setting: Setting, scope: Scope) -> None:
        self.setting, self.scope = setting, scope
        self._known: dict[tuple[str, str, str], Result] = {}

    def at(self, matched: Match, level: str, *, whole: bool) -> Result:
        """The measures of a match within the scope; `whole` says that the other judge takes nothing off it."""
        key = (matched.judge.name, matched.human.name, level)
        if whole and key in self._known:
            return self._known[key]
        found = at_level(matched, level, weights=self.setting.weights, kappa_weights=self.setting.kappa_weights)
        if whole:
            self._known[key] = found
        return found


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two judges' matches with the same people, on the pairs that both judges scored."""

    a: Match
    b: Match
    whole: tuple[bool, bool]
    """Whether they are all of each judge's."""


def _rows(measured: _Measured, judges: tuple[Matches, Matches], against: Sequence[str]) -> list[JudgeDifference]:
    made = []
    for human in against:
        sides = zip(_matches(judges[0], human), _matches(judges[1], human), strict=True)
        pairs = [_common(measured.scope, one, other) for one, other in sides]
        for level in levels_of(measured.scope) if pairs else ():
            found = [_at(measured, pair, level) for pair in pairs]
            first, second = (
                mean_of_results(results) if human == "each" else results[0] for results in zip(*found, strict=True)
            )
            made.append(_row(measured, judges, human, (level, first, second)))
    return made


def _matches(matches: Matches, human: str) -> list[Match]:
    if human in ("mean", "majority"):
        return [matches.mean if human == "mean" else matches.majority]
    return [person for person in matches.persons if human in ("each", person.human.name)]


def _common(scope: Scope, a: Match, b: Match) -> _Pair:
    """What of both lies in a scope and has both judges' scores; a point counts where it is one for both."""
    first, second = own = scope.units_of(a), scope.units_of(b)
    if not np.array_equal(first.unit, second.unit):
        both = np.intersect1d(first.unit, second.unit, assume_unique=True)
        first, second = (one.only(np.searchsorted(one.unit, both)) for one in own)
    points = first.on_points & second.on_points
    whole = [len(one) == points.size and np.array_equal(one.on_points, points) for one in own]
    first, second = (scope.adjust(replace(one, on_points=points)) for one in (first, second))
    return _Pair(first, second, (whole[0], whole[1]))


def _at(measured: _Measured, pair: _Pair, level: str) -> tuple[Result, Result]:
    first, second = (
        measured.at(one, level, whole=whole) for one, whole in zip((pair.a, pair.b), pair.whole, strict=True)
    )
    if level == INSTANCE and not np.array_equal(first.counted, second.counted):
        groups = np.intersect1d(first.counted, second.counted)
        spread = measured.setting.asked.spread
        return first.only(groups, spread=spread), second.only(groups, spread=spread)
    return first, second


def _row(
    measured: _Measured, judges: tuple[Matches, Matches], human: str, found: tuple[str, Result, Result]
) -> JudgeDifference:
    setting, scope = measured.setting, measured.scope
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
