"""Ratings cut by dimensions: a group of each rating, and one row a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from flask_eval.analysis.coding import NOT_APPLICABLE, Coded, Ints, Mask
from flask_eval.analysis.cutting import dimension, key_of, values_of
from flask_eval.analysis.merging import Merged, merge, parts_of, without_twice
from flask_eval.analysis.scores import (
    NOT_ASKED,
    Interval,
    cluster_spread,
    compact,
    count_distinct,
    intervals,
    share_at_end,
)
from flask_eval.analysis.slice_rows import SliceRow
from flask_eval.analysis.sparsity import is_sparse
from flask_eval.analysis.text import shown


class Cut:
    """The ratings, or those within a slice, cut by dimensions: a group of each rating, and what the groups are."""

    def __init__(
        self, data: Coded, dimensions: tuple[str, ...], name: str, inside: Mask | None, merge: int = 0
    ) -> None:
        self.data, self.dimensions, self.name = data, dimensions, name
        self.notes: list[str] = []
        rows = np.arange(data.rater.size) if inside is None else np.flatnonzero(inside)
        self.values: list[list[Any]] = []
        codes: list[Ints] = []
        for one in dimensions:
            values, own, repeat = dimension(data, one, rows)
            if repeat is not None:
                rows, codes = rows[repeat], [known[repeat] for known in codes]
            self.values.append(values)
            codes.append(own)
        if merge:
            rows, codes = self._merge(rows, codes, merge)
        key = data.rater[rows] * len(data.models) + data.model[rows]
        size = len(data.raters) * len(data.models)
        for own, values in zip(codes, self.values, strict=True):
            key, size = key * len(values) + own, size * len(values)
        self.take = rows
        self.groups, self.group = compact(key, size)

    def _merge(self, rows: Ints, codes: list[Ints], least: int) -> tuple[Ints, list[Ints]]:
        """Merge values of too few instances, each dimension within skills, groups and the dimensions before it."""
        data, fixed = self.data, [k for k, name in enumerate(self.dimensions) if name in ("skill", "group")]
        done = list(fixed)
        for place, name in enumerate(self.dimensions):
            if place in fixed or name == "model":
                continue
            part = parts_of(
                [data.rater[rows], *(codes[k] for k in done)],
                [len(data.raters), *(len(self.values[k]) for k in done)],
                rows.size,
            )
            found = merge(self.values[place], codes[place], part, data.instance[rows], data.scored[rows], least)
            self.values[place], codes[place] = found.left, found.codes
            self.notes += _merged_note(key_of(name), found, least)
            done.append(place)
            if values_of(data.table, name) is not None:
                keep = without_twice([rows, *codes], [data.rater.size, *map(len, self.values)])
                rows, codes = rows[keep], [own[keep] for own in codes]
        return rows, codes

    def rows(self, confidence: float | None) -> list[SliceRow]:
        """One row a group."""
        data, take, group, size = self.data, self.take, self.group, self.groups.size
        score, outcome = data.score[take], data.outcome[take]
        rated, numeric = data.scored[take], ~np.isnan(score)
        counts = np.bincount(group[rated], minlength=size)
        absent = np.bincount(group[outcome == NOT_APPLICABLE], minlength=size)
        missing = np.bincount(group[data.missing[take]], minlength=size)
        instances = count_distinct(group[rated], data.instance[take][rated], size, len(data.table.instances))
        clusters = instances
        if data.n_clusters < len(data.table.instances):
            clusters = count_distinct(group[rated], data.cluster[take][rated], size, data.n_clusters)
        labels = np.bincount(group[rated & ~numeric], minlength=size) > 0
        sums = np.bincount(group[numeric], score[numeric], size)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(labels, np.nan, sums / counts)
        own = group[numeric]
        spread = cluster_spread(
            (score[numeric] - mean[own]) / counts[own], own, data.cluster[take][numeric], size, data.n_clusters
        )
        made = [self._names(int(code)) for code in self.groups]
        ends = [data.scale(rater) for rater, *_ in made]
        found = [Interval(None, None, "", NOT_ASKED)] * size
        if confidence is not None:
            found = intervals(mean, spread, ends, confidence)
        crowd = share_at_end(score[numeric], own, ends)
        tallies = [
            _Counts(int(a), int(b), int(c), int(d))
            for a, b, c, d in zip(instances, counts, absent, missing, strict=True)
        ]
        means = [None if np.isnan(value) else float(value) for value in mean]
        return [
            _row(
                self._keys(*made[k]) | {"at_end": crowd[k], "sparse": is_sparse(int(clusters[k]))},
                means[k],
                found[k],
                ends[k],
                tallies[k],
                labels=bool(labels[k]),
            )
            for k in range(size)
        ]

    def _names(self, code: int) -> tuple[int, int, dict[str, Any]]:
        """A group's rater, model, and value in each dimension."""
        found: dict[str, Any] = {}
        for name, values in zip(reversed(self.dimensions), reversed(self.values), strict=True):
            code, position = divmod(code, len(values))
            found[name] = values[position]
        rater, model = divmod(code, len(self.data.models))
        return rater, model, {key_of(name): found[name] for name in self.dimensions}

    def _keys(self, rater: int, model: int, values: dict[str, Any]) -> dict[str, Any]:
        by = {name: value for name, value in values.items() if name != "skill"}
        label = ";".join([*([self.name] if self.name else []), *(f"{name}={shown(v)}" for name, v in by.items())])
        name = self.data.raters[rater]
        return {
            "rater": name,
            "kind": self.data.table.raters[name],
            "model": self.data.models[model],
            "skill": values.get("skill"),
            "slice": label or None,
            "by": by,
        }


@dataclass(frozen=True, slots=True)
class _Counts:
    n: int
    ratings: int
    not_applicable: int
    missing: int


def _row(
    keys: dict[str, Any],
    mean: float | None,
    interval: Interval,
    ends: tuple[float, float] | None,
    counts: _Counts,
    *,
    labels: bool,
) -> SliceRow:
    undefined: dict[str, str] = {}
    wanted = counts.ratings + counts.missing
    if mean is None:
        why = "the scores are labels" if labels else "no rating is scored"
        undefined |= {"mean": why, "low": why, "high": why}
    elif interval.reason:
        undefined |= {"low": interval.reason, "high": interval.reason}
    if not wanted:
        undefined["coverage"] = "no rating applies"
    if keys["at_end"] is None:
        undefined["at_end"] = (
            "the scores are labels" if labels else "the scale is not known" if ends is None else "no rating is scored"
        )
    low, high = _bounds(mean, ends, counts)
    if low is None:
        why = "the scores are labels" if labels else "no rating applies" if not wanted else "the scale is not known"
        undefined |= {"bound_low": why, "bound_high": why}
    return SliceRow(
        **keys,
        mean=mean,
        low=None if mean is None else interval.low,
        high=None if mean is None else interval.high,
        n=counts.n,
        n_ratings=counts.ratings,
        n_not_applicable=counts.not_applicable,
        n_missing=counts.missing,
        coverage=counts.ratings / wanted if wanted else None,
        bound_low=low,
        bound_high=high,
        interval="" if mean is None else interval.method,
        undefined=undefined,
    )


def _bounds(mean: float | None, ends: tuple[float, float] | None, counts: _Counts) -> tuple[float | None, float | None]:
    """The mean if every missing rating had the lowest, or the highest score."""
    wanted = counts.ratings + counts.missing
    if mean is None and counts.ratings:  # labels
        return None, None
    if not counts.missing:
        return mean, mean
    if ends is None:
        return None, None
    total = (mean or 0.0) * counts.ratings
    return (total + counts.missing * ends[0]) / wanted, (total + counts.missing * ends[1]) / wanted


def _merged_note(name: str, found: Merged, least: int) -> list[str]:
    """What was merged, in a sentence; of many parts the first."""
    said = list(
        dict.fromkeys(
            f"{label} = {', '.join(values[:8])}{', ...' * (len(values) > 8)}" for _, label, values in found.labels
        )
    )
    if not said:
        return []
    more = f"; and {len(said) - 4} more" if len(said) > 4 else ""
    return [f"Values of '{name}' of fewer than {least} instances were merged: {'; '.join(said[:4])}{more}."]
