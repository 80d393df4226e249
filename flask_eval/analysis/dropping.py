"""What models lose, or gain, from all instances to a slice of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, Ints, Mask
from flask_eval.analysis.scores import (
    NOT_ASKED,
    Spread,
    check_confidence,
    cluster_spread,
    compact,
    count_distinct,
    intervals,
)
from flask_eval.analysis.sparsity import is_sparse


@dataclass(frozen=True, slots=True)
class DropRow:
    """A model's mean of everything beside its mean within a slice."""

    rater: str
    kind: str
    model: str
    skill: str | None
    """None: all skills pooled; a slice that asks for other skills changes this mean too."""
    slice: str
    full: float | None
    """Mean of everything, the slice's instances among them."""
    part: float | None
    """Mean within the slice."""
    difference: float | None
    """`part` less `full`; negative where the slice is harder."""
    low: float | None
    high: float | None
    """The interval of the difference; it knows that the slice is part of everything."""
    n_full: int
    """Instances with a score."""
    n_part: int
    sparse: bool
    """Too few instances within the slice to be firm."""
    undefined: Mapping[str, str]
    """Why a field is null."""


def drops(
    data: Coded,
    inside: Mask,
    *,
    name: str = "slice",
    by_skill: bool = False,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> tuple[DropRow, ...]:
    """The drop from all instances to a slice, per rater and model (and skill); raters with labels have none.

    Both means share the slice's instances; the influence of a rating is that on the slice's mean less that on the mean
    of all, so the interval knows it. Degrees of freedom are those of the smaller part, the slice.

    Args:
        data: the ratings.
        inside: which ratings belong to the slice.
        name: what the slice is called.
        by_skill: one row a skill, instead of all skills pooled.
        confidence: of the intervals.
        resamples: 0 for no intervals.
    """
    check_confidence(confidence)
    labels = data.scored & np.isnan(data.score)
    rows = np.flatnonzero(~np.isin(data.rater, np.unique(data.rater[labels])))
    n_skills = len(data.skills) if by_skill else 1
    key = (data.rater[rows] * len(data.models) + data.model[rows]) * n_skills
    groups, group = compact(key + data.skill[rows] if by_skill else key, len(data.raters) * len(data.models) * n_skills)
    numeric = data.scored[rows]
    made = _Differences.of(data, rows[numeric], inside[rows][numeric], group[numeric], groups.size)
    found = intervals(made.difference, made.spread, [None] * groups.size, confidence)
    table = []
    for k, code in enumerate(groups.tolist()):
        pair, skill = divmod(code, n_skills)
        rater, model = divmod(pair, len(data.models))
        low, high, why = found[k].low, found[k].high, made.reason(k, found[k].reason)
        if why or not resamples:
            low, high, why = None, None, why or NOT_ASKED
        full, part, difference = (_value(column[k]) for column in (made.full, made.part, made.difference))
        absent = {"full": "no rating is scored", "part": "no rating is scored within the slice"}
        undefined = {key: absent[key] for key, value in (("full", full), ("part", part)) if value is None}
        if difference is None:
            undefined["difference"] = absent["full" if full is None else "part"]
        table.append(
            DropRow(
                rater=data.raters[rater],
                kind=data.table.raters[data.raters[rater]],
                model=data.models[model],
                skill=data.skills[skill] if by_skill else None,
                slice=name,
                full=full,
                part=part,
                difference=difference,
                low=low,
                high=high,
                n_full=int(made.instances[k]),
                n_part=int(made.own_instances[k]),
                sparse=is_sparse(int(made.spread.clusters[k])),
                undefined=undefined | ({"low": why, "high": why} if low is None else {}),
            )
        )
    return tuple(table)


def _value(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


@dataclass(frozen=True, eq=False)
class _Differences:
    """The slice's mean less the mean of all, one a group."""

    full: Floats
    part: Floats
    difference: Floats
    spread: Spread
    counts: Ints
    """Scores of each group, and (`own`) those within the slice."""
    own: Ints
    instances: Ints
    own_instances: Ints

    @classmethod
    def of(cls, data: Coded, rows: Ints, part: Mask, group: Ints, size: int) -> _Differences:
        """The differences of groups of scored ratings."""
        score, cluster, instance = data.score[rows], data.cluster[rows], data.instance[rows]
        counts, own = np.bincount(group, minlength=size), np.bincount(group[part], minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(group, score, size) / counts
            sliced = np.bincount(group[part], score[part], size) / own
            influence = np.where(part, (score - sliced[group]) / own[group], 0) - (score - mean[group]) / counts[group]
        influence = np.where(own[group] > 0, influence, 0)
        error, _ = cluster_spread(influence, group, cluster, size, data.n_clusters)
        clusters = count_distinct(group[part], cluster[part], size, data.n_clusters)
        n_instances = len(data.table.instances)
        return cls(
            full=mean,
            part=sliced,
            difference=sliced - mean,
            spread=Spread(np.where(clusters > 1, error, np.nan), clusters),
            counts=counts,
            own=own,
            instances=count_distinct(group, instance, size, n_instances),
            own_instances=count_distinct(group[part], instance[part], size, n_instances),
        )

    def reason(self, k: int, otherwise: str) -> str:
        """Why a difference has no interval."""
        if self.own[k] and self.own[k] == self.counts[k]:
            return "the slice holds everything that is scored"
        if np.isnan(self.difference[k]):
            return "no rating is scored" if not self.counts[k] else "no rating is scored within the slice"
        return "all instances have the same mean" if "the scale is not known" in otherwise else otherwise
