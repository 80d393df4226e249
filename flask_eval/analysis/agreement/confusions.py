"""Confusion matrices: what the judge gave where people gave each score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.arrays import Floats, table_by
from flask_eval.analysis.agreement.intervals import NO_OVERLAP
from flask_eval.analysis.agreement.matching import Match, no_points
from flask_eval.analysis.agreement.records import Confusion
from flask_eval.analysis.agreement.setting import Matches, Options, Scope, Setting, setting_of
from flask_eval.analysis.agreement.study import Study
from flask_eval.analysis.agreement.targets import LABELS


def confusion(ratings: pd.DataFrame | Setting, **options: Unpack[Options]) -> list[Confusion]:
    """A matrix of counts for each judge, skill (then all pooled) and people (`each`, `majority`, and each person).

    Args:
        ratings: the long table, as in `judge_versus_human`; or what `prepare` made of it.
        options: as in `judge_versus_human`; those of intervals have no influence.

    Returns:
        Rows in the order judge, slice, skill, people. The points are those of the scale where it is known, else the
        scores that occur. There are no counts where scores are no points of one scale; the reason is in `undefined`.

    Raises:
        ValueError: a scale, a label or an option does not fit.
    """
    setting = setting_of(ratings, options)
    return [
        _row(setting, matches.judge.name, human, scope, found)
        for matches in setting.matches()
        for part in setting.parts
        for scope in matches.scopes(part, centred=False)
        for human, found in _people(matches, scope)
    ]


def _people(matches: Matches, scope: Scope) -> Iterator[tuple[str, list[Match]]]:
    persons = [scope.of(person) for person in matches.persons]
    yield "each", persons
    yield "majority", [scope.of(matches.majority)]
    yield from ((person.human.name, [person]) for person in persons if person.human.name in matches.shown)


def _row(setting: Setting, judge: str, human: str, scope: Scope, matched: Sequence[Match]) -> Confusion:
    some = [one for one in matched if len(one)]
    off = sum(int((~one.on_points).sum()) for one in some)
    reasons = [why for one in some if (why := no_points(one, int((~one.on_points).sum())))]
    why = reasons[0] if reasons else "" if some else NO_OVERLAP
    points, counts = ((), ()) if why else _counts(setting.study, some)
    units = np.concatenate([one.unit for one in some]) if some else np.zeros(0, np.int64)
    return Confusion(
        judge=judge,
        human=human,
        skill=scope.skill,
        slice=scope.part.name,
        by=scope.part.by,
        points=points,
        counts=counts,
        n=sum(map(sum, counts)),
        n_off_points=off,
        n_instances=setting.study.n_instances(units),
        undefined={"counts": why} if why else {},
    )


def _counts(study: Study, matched: Sequence[Match]) -> tuple[tuple[float | str, ...], tuple[tuple[int, ...], ...]]:
    kept = [one.only(np.flatnonzero(one.on_points)) for one in matched]
    labels = any(one.level == LABELS for one in kept)
    values = _points(kept, labels=labels)
    total = np.zeros((values.size, values.size), np.int64)
    for one in kept:
        people, judge = (np.searchsorted(values, side.numbers - 1e-9) for side in (one.y, one.x))
        total += table_by(people, judge, total.shape).astype(np.int64)
    names = tuple(study.labels[int(value)] if labels else float(value) for value in values.tolist())
    return names, tuple(tuple(row) for row in total.tolist())


def _points(matched: Sequence[Match], *, labels: bool) -> Floats:
    """The points of the scale where it is known, and whatever else occurs."""
    occurring = [side.distinct for one in matched for side in (one.x, one.y)]
    known = [side.scale.points for one in matched for side in (one.judge, one.human) if side.scale is not None]
    declared = [] if labels else [points for points in known if points is not None]
    every = np.unique(np.concatenate([*occurring, *declared]))
    return every[np.append(True, np.diff(every) > 1e-6)] if every.size else every
