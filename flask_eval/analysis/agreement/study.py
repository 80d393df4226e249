"""From the long table to integer codes: units, raters, and one score of a rater for a unit.

The unit is (instance, model, response sample, versus, skill). A rating counts where its outcome is `scored`, it
belongs to no checklist question, and its score lies on the rater's scale. What is missing is left out, never imputed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement.arrays import Bools, Floats, Ints, distinct, sums_by
from flask_eval.analysis.agreement.scales import Scale, ScaleEnds, scales_of

KINDS = ("human", "judge", "metric")
_UNIT = ("skill", "instance", "model", "response_sample", "versus")
_DEFAULTS: dict[str, Any] = {
    "model": "",
    "response_sample": 0,
    "versus": "",
    "item": "",
    "kind": "human",
    "sample": 0,
    "variant": "",
    "outcome": "scored",
}


@dataclass(frozen=True, eq=False)
class Ratings:
    """Single ratings as codes, one position a rating."""

    unit: Ints
    """Positions in `Study.skill` and its neighbours."""
    rater: Ints
    """Positions in `Study.raters`."""
    score: Floats
    """The number; on a nominal scale the position in `Study.labels`."""
    mixed: Bools
    """Whether it is a mean of samples that differ: no point of a scale, even where it looks like one."""

    def take(self, where: Ints) -> Ratings:
        """Some of the ratings."""
        return Ratings(self.unit[where], self.rater[where], self.score[where], self.mixed[where])

    def __len__(self) -> int:
        return int(self.unit.size)


@dataclass(frozen=True, eq=False)
class Study:
    """The ratings of several raters, ready to be compared."""

    raters: tuple[str, ...]
    kinds: tuple[str, ...]
    """The kind of each rater: `human`, `judge` or `metric`."""
    scales: tuple[Scale, ...]
    """The scale of each rater."""
    skills: tuple[str, ...]
    models: tuple[str, ...]
    instances: tuple[str, ...]
    labels: tuple[str, ...]
    """The labels of nominal scales."""
    nominal: Bools
    """(raters, skills) whether the rater scores the skill by labels."""
    skill: Ints
    """(units,) the skill; units of one skill stand together."""
    instance: Ints
    """(units,) the instance."""
    model: Ints
    """(units,) the model."""
    cluster: Ints
    """(units,) the cluster, below `n_clusters`."""
    n_clusters: int
    single: Ratings
    """Every rating, samples by themselves."""
    sample: Ints
    """(ratings,) the sample's number of each single rating."""
    variant: Ints
    """(ratings,) a code for the variant of each single rating."""
    row: Ints
    """(ratings,) the position of each single rating in the long table."""
    out_of_range: Ints
    """(raters,) how many scores lay outside the rater's scale and do not count."""

    @property
    def n_units(self) -> int:
        """How many units have a rating."""
        return int(self.skill.size)

    def n_instances(self, units: Ints) -> int:
        """How many instances are behind some units."""
        return int(distinct(self.instance[units], len(self.instances)).size)

    def clusters_of(self, units: Ints) -> int:
        """How many clusters are behind some units."""
        return int(distinct(self.cluster[units], self.n_clusters).size)

    @cached_property
    def ratings(self) -> Ratings:
        """One score of a rater for a unit: the mean of its samples, for labels their most frequent one.

        Sorted by unit, then rater. Labels without a most frequent one give no score.
        """
        one, raters = self.single, max(len(self.raters), 1)
        key = one.unit * raters + one.rater
        found, first, inverse, count = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        unit, rater, score = found // raters, found % raters, one.score[first]
        if found.size == key.size:
            return Ratings(unit, rater, score, np.zeros(found.size, bool))
        differ = sums_by(inverse, found.size, one.score != score[inverse]) > 0
        means = tidy(sums_by(inverse, found.size, one.score) / count)
        labelled = self.nominal[rater, self.skill[unit]]
        modes = mode(inverse, one.score, found.size) if (differ & labelled).any() else means
        score = np.where(differ, np.where(labelled, modes, means), score)
        keep = ~np.isnan(score)
        return Ratings(unit[keep], rater[keep], score[keep], (differ & ~labelled)[keep])

    def of_kind(self, kind: str) -> list[int]:
        """The raters of a kind."""
        return [position for position, own in enumerate(self.kinds) if own == kind]


def tidy(means: Floats) -> Floats:
    """Means without the noise of their last digits, so that equal ones are equal."""
    largest = float(np.abs(means).max(initial=0.0))
    scale = 10.0 ** np.clip(11 - np.ceil(np.log10(largest)), -300, 300) if largest else 1.0
    return np.asarray(np.round(means * scale) / scale)


def mode(group: Ints, score: Floats, n_groups: int) -> Floats:
    """The most frequent score of each group; NaN where two are equally frequent, or the group is empty.

    Args:
        group: (n,) the group of each score, below `n_groups`.
        score: (n,) scores, or positions of labels.
        n_groups: how many groups there are.
    """
    values, code = np.unique(score, return_inverse=True)
    cells, count = np.unique(group * max(values.size, 1) + code, return_counts=True)
    owner = cells // max(values.size, 1)
    order = np.lexsort((count, owner))
    owner, count, value = owner[order], count[order], values[(cells % max(values.size, 1))[order]]
    last = np.append(owner[1:] != owner[:-1], True) if owner.size else np.zeros(0, bool)
    tied = np.append(False, (owner[1:] == owner[:-1]) & (count[1:] == count[:-1])) if owner.size else last
    made = np.full(n_groups, np.nan)
    made[owner[last]] = np.where(tied[last], np.nan, value[last])
    return made


def study_of(
    ratings: pd.DataFrame,
    *,
    clusters: Mapping[str, str] | None = None,
    scales: Mapping[str, ScaleEnds] | None = None,
    judges: Collection[str] | None = None,
    humans: Collection[str] | None = None,
) -> Study:
    """Code the long table.

    Args:
        ratings: the long table; `instance`, `skill`, `rater` and `score` are needed, the others have the defaults of a
            ratings file.
        clusters: the cluster of an instance; one that is left out is its own.
        scales: what is known of the scale of a rater.
        judges: only these judges, whatever their kind says; none: all of kind `judge` or `metric`.
        humans: only these people, whatever their kind says; none: all of kind `human`.
    """
    columns = {name: _column(ratings, name) for name in (*_UNIT, "item", "kind", "sample", "variant", "outcome")}
    number, label, labels = _numbers_and_labels(ratings["score"])
    kept = ~np.isnan(number) | (label >= 0)
    kept &= (columns["outcome"] == "scored").to_numpy(bool) & (columns["item"] == "").to_numpy(bool)
    rater, raters = _coded(ratings["rater"][kept])
    kinds = _kinds(columns["kind"][kept], rater, raters, judges, humans)
    wanted = np.array([kind != "" for kind in kinds], bool)[rater]
    row = np.flatnonzero(kept)[wanted]
    order = [position for position, kind in enumerate(kinds) if kind]
    renumber = np.full(len(raters), -1)
    renumber[order] = np.arange(len(order))
    names = [raters[position] for position in order]
    codes = {name: _coded(columns[name].iloc[row]) for name in (*_UNIT, "variant")}
    scored = _Scores(renumber[rater[wanted]], codes["skill"][0], number[row], label[row], labels)
    nominal, every = scored.levels(scales_of(scales, names), len(codes["skill"][1]))
    score, inside = scored.on_scale(scales_of(scales, names), nominal, every)
    key = np.zeros(row.size, np.int64)
    for name in _UNIT:
        own, values = codes[name]
        key = key * max(len(values), 1) + own
    _, first, unit = np.unique(key[inside], return_index=True, return_inverse=True)
    place = np.flatnonzero(inside)[first]
    instances = codes["instance"][1]
    cluster, n_clusters = _clusters(clusters, instances, codes["instance"][0][place])
    return Study(
        raters=tuple(names),
        kinds=tuple(kinds[position] for position in order),
        scales=tuple(scales_of(scales, names)),
        skills=tuple(codes["skill"][1]),
        models=tuple(codes["model"][1]),
        instances=tuple(instances),
        labels=tuple(every),
        nominal=nominal,
        skill=codes["skill"][0][place],
        instance=codes["instance"][0][place],
        model=codes["model"][0][place],
        cluster=cluster,
        n_clusters=n_clusters,
        single=Ratings(unit.reshape(-1), scored.rater[inside], score[inside], np.zeros(unit.size, bool)),
        sample=columns["sample"].iloc[row[inside]].to_numpy(np.int64),
        variant=codes["variant"][0][inside],
        row=row[inside],
        out_of_range=np.bincount(scored.rater[~inside], minlength=len(names)),
    )


@dataclass(frozen=True, eq=False)
class _Scores:
    """Scores as numbers or labels, before scales are looked at."""

    rater: Ints
    skill: Ints
    number: Floats
    """NaN where a label stands."""
    label: Ints
    """-1 where a number stands."""
    names: list[str]

    def levels(self, scales: Sequence[Scale], n_skills: int) -> tuple[Bools, list[str]]:
        """Which (rater, skill) are nominal, and every label in order: as declared, then by name."""
        nominal = np.zeros((len(scales), n_skills), bool)
        nominal[np.array([scale.nominal for scale in scales], bool)] = True
        nominal[self.rater[self.label >= 0], self.skill[self.label >= 0]] = True
        turned = nominal[self.rater, self.skill] & (self.label < 0)
        seen = {*(_text(value) for value in np.unique(self.number[turned]).tolist())}
        seen |= {self.names[code] for code in np.unique(self.label[self.label >= 0]).tolist()}
        declared = dict.fromkeys(label for scale in scales for label in scale.labels)
        return nominal, [*declared, *sorted(seen - declared.keys())]

    def on_scale(self, scales: Sequence[Scale], nominal: Bools, every: list[str]) -> tuple[Floats, Bools]:
        """(n,) scores as numbers or positions of labels, and which lie on the rater's scale."""
        place = {name: position for position, name in enumerate(every)}
        score = self.number.copy()
        labelled = nominal[self.rater, self.skill]
        lookup = np.array([place.get(name, -1) for name in self.names] or [-1])
        score[self.label >= 0] = lookup[self.label[self.label >= 0]]
        turned = labelled & (self.label < 0)
        if turned.any():
            values, code = np.unique(self.number[turned], return_inverse=True)
            score[turned] = np.array([place[_text(value)] for value in values.tolist()])[code]
        inside = np.ones(score.size, bool)
        for rater, scale in enumerate(scales):
            if scale.known:
                own = self.rater == rater
                allowed = [place[label] for label in scale.labels]
                outside = ~np.isin(score[own], allowed) if scale.nominal else scale.outside(score[own])
                inside[own] &= ~(outside & (labelled[own] == scale.nominal))
        return score, inside


def _text(value: float) -> str:
    return f"{value:g}"


def _column(ratings: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name in ratings.columns:
        return ratings[name]
    return pd.Series([_DEFAULTS[name]], dtype=object).repeat(len(ratings)).set_axis(ratings.index)


def _coded(column: pd.Series[Any]) -> tuple[Ints, list[Any]]:
    codes, values = pd.factorize(column)
    return codes.astype(np.int64), list(values)


def _numbers_and_labels(score: pd.Series[Any]) -> tuple[Floats, Ints, list[str]]:
    if pd.api.types.is_numeric_dtype(score):
        number = score.to_numpy(np.float64, na_value=np.nan)
        return np.where(np.isfinite(number), number, np.nan), np.full(number.size, -1), []
    codes, values = pd.factorize(score)
    names = [value for value in values if isinstance(value, str)]
    place = {name: position for position, name in enumerate(names)}
    numbers = np.array([np.nan if isinstance(value, str) else float(value) for value in values] + [np.nan])
    numbers[~np.isfinite(numbers)] = np.nan
    lookup = np.array([place[value] if isinstance(value, str) else -1 for value in values] + [-1])
    return numbers[codes], lookup[codes], names


def _kinds(
    kind: pd.Series[Any],
    rater: Ints,
    raters: Sequence[str],
    judges: Collection[str] | None,
    humans: Collection[str] | None,
) -> list[str]:
    """The kind of each rater; empty for those who do not take part."""
    codes, names = _coded(kind)
    first = np.full(len(raters), -1)
    first[rater[::-1]] = codes[::-1]
    made = []
    for position, name in enumerate(raters):
        own = str(names[first[position]])
        if humans is not None and name in humans:
            made.append("human")
        elif judges is not None and name in judges:
            made.append("judge" if own == "human" else own)
        else:
            picked = humans if own == "human" else judges
            made.append(own if picked is None else "")
    return made


def _clusters(clusters: Mapping[str, str] | None, instances: Sequence[str], instance: Ints) -> tuple[Ints, int]:
    names = instances if clusters is None else [clusters.get(name, name) for name in instances]
    used = np.flatnonzero(np.bincount(instance, minlength=len(names)))
    codes, found = pd.factorize(np.array([str(names[position]) for position in used.tolist()], object))
    lookup = np.zeros(len(names), np.int64)
    lookup[used] = codes
    return lookup[instance], len(found)
