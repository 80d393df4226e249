"""Pairwise ranking accuracy: does a judge order two responses to one instance as people do?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Unpack

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.arrays import Floats, Ints, compact, sums_by
from flask_eval.analysis.agreement.intervals import SHARE, Estimate, mean_of, undefined
from flask_eval.analysis.agreement.levels import by_model
from flask_eval.analysis.agreement.matching import Match, no_order
from flask_eval.analysis.agreement.records import Figures, RankingAccuracy
from flask_eval.analysis.agreement.setting import Matches, Options, Scope, Setting, setting_of

_KINDS = ("concordant", "discordant", "tied_human", "tied_judge", "tied_both")


def ranking_accuracy(
    ratings: pd.DataFrame | Setting, *, tie_margin: float = 0.0, **options: Unpack[Options]
) -> list[RankingAccuracy]:
    """How often judges order two models' responses to one instance as people do.

    All pairs of models within an (instance, skill) count. `accuracy` counts a tie as right where both give one:
    (concordant + tied by both) / all pairs. `decided` looks at the pairs that people order: the share that the judge
    orders alike, where its own ties count half.

    Args:
        ratings: the long table, as in `judge_versus_human`; or what `prepare` made of it.
        tie_margin: two of a judge's scores that differ by no more than this are tied. A judge with a continuous score
            gives no ties otherwise, and can then never be right where people give one.
        options: as in `judge_versus_human`.

    Returns:
        Rows in the order judge, slice, skill (then all pooled), people.

    Raises:
        ValueError: a scale, a label or an option does not fit.

    Source: Deutsch, Foster and Freitag (2023), Ties Matter, section 5 (acc_eq); the margin is their epsilon.
    """
    if not tie_margin >= 0:
        raise ValueError(f"tie_margin is {tie_margin}, but must not be negative")
    setting = setting_of(ratings, options)
    return [
        _row(setting, matches.judge.name, human, scope, counted)
        for matches in setting.matches()
        for part in setting.parts
        for scope in matches.scopes(part, centred=False)
        for human, counted in _people(matches, scope, tie_margin)
    ]


@dataclass(frozen=True, eq=False)
class _Counted:
    counts: dict[str, int]
    groups: Ints
    units: Ints
    estimates: dict[str, Estimate]


def _people(matches: Matches, scope: Scope, margin: float) -> Iterator[tuple[str, _Counted]]:
    persons = [(person.human.name, _count(scope.of(person), margin)) for person in matches.persons]
    yield "mean", _count(scope.of(matches.mean), margin)
    found = [counted for _, counted in persons]
    yield (
        "each",
        _Counted(
            {kind: sum(counted.counts[kind] for counted in found) for kind in _KINDS},
            np.unique(np.concatenate([counted.groups for counted in found])),
            np.unique(np.concatenate([counted.units for counted in found])),
            {name: mean_of([counted.estimates[name] for counted in found]) for name in ("accuracy", "decided")},
        ),
    )
    yield "majority", _count(scope.of(matches.majority), margin)
    yield from ((name, counted) for name, counted in persons if name in matches.shown)


def _count(matched: Match, margin: float) -> _Counted:
    if why := no_order(matched):
        return _nothing(why)
    data = by_model(matched.points)
    sums = np.zeros((len(_KINDS), data.n_groups))
    for lag in range(1, int(np.bincount(data.group).max(initial=0))):
        same = np.flatnonzero(data.group[lag:] == data.group[:-lag])
        judge, people = (side[same + lag] - side[same] for side in (data.x, data.y))
        tied = np.abs(judge) <= margin + 1e-12
        alike = np.sign(judge) == np.sign(people)
        decided = ~tied & (people != 0)
        kinds = (decided & alike, decided & ~alike, ~tied & (people == 0), tied & (people != 0), tied & (people == 0))
        for place, kind in enumerate(kinds):
            sums[place] += sums_by(data.group[same], data.n_groups, kind)
    total = dict(zip(_KINDS, (int(n) for n in sums.sum(axis=1)), strict=True))
    used = sums.sum(axis=0) > 0
    if not used.any():
        return _nothing("on no instance are two models or more rated by both")
    right, wrong, _, tied_judge, tied_both = sums
    estimates = {
        "accuracy": _share(right + tied_both, sums.sum(axis=0), data.cluster),
        "decided": _share(right + tied_judge / 2, right + wrong + tied_judge, data.cluster),
    }
    units = matched.unit[np.isin(matched.points.group, data.groups[used])]
    return _Counted(total, data.groups[used], units, estimates)


def _nothing(why: str) -> _Counted:
    none = np.zeros(0, np.int64)
    return _Counted(dict.fromkeys(_KINDS, 0), none, none, dict.fromkeys(("accuracy", "decided"), undefined(why)))


def _share(above: Floats, below: Floats, cluster: Ints) -> Estimate:
    used = below > 0
    if not used.any():
        return undefined("people give all models of an instance the same score")
    own, clusters = compact(cluster[used], int(cluster.max()) + 1)
    sums = [sums_by(own, clusters.size, part[used]) for part in (above, below)]
    with np.errstate(invalid="ignore", divide="ignore"):
        left_out = (above.sum() - sums[0]) / (below.sum() - sums[1])
    return Estimate(float(above.sum() / below.sum()), "", left_out, clusters, transform=SHARE)


def _row(setting: Setting, judge: str, human: str, scope: Scope, counted: _Counted) -> RankingAccuracy:
    figures = Figures.of(counted.estimates, setting.asked)
    return RankingAccuracy(
        judge=judge,
        human=human,
        skill=scope.skill,
        slice=scope.part.name,
        by=scope.part.by,
        n=sum(counted.counts.values()),
        n_groups=int(counted.groups.size),
        n_instances=setting.study.n_instances(counted.units),
        n_concordant=counted.counts["concordant"],
        n_discordant=counted.counts["discordant"],
        n_tied_human=counted.counts["tied_human"],
        n_tied_judge=counted.counts["tied_judge"],
        n_tied_both=counted.counts["tied_both"],
        measures=figures.measures,
        intervals=figures.intervals,
        undefined=figures.undefined,
        n_clusters=setting.study.clusters_of(counted.units),
        method=figures.method,
    )
