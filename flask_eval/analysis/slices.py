"""Scores by skill, group, domain, difficulty, source, model or a metadata key; within slices, and crossed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from flask_eval.analysis.coding import NOT_APPLICABLE, Coded, Floats, Ints, Mask, coded
from flask_eval.analysis.cutting import dimension, in_slice
from flask_eval.analysis.scores import (
    METHOD,
    NOT_ASKED,
    Interval,
    check_confidence,
    cluster_spread,
    compact,
    count_distinct,
    intervals,
)
from flask_eval.analysis.text import markdown_table, number, percent, short, shown
from flask_eval.errors import UserError, nearest
from flask_eval.metrics import METRICS
from flask_eval.ratings import DIMENSIONS, INSTANCE_COLUMNS, RatingTable, as_table
from flask_eval.schema import Slice

By = Sequence[str | Sequence[str]] | str

CROWDED, ENOUGH = 0.85, 100
"""Above this share of scores at one end of the scale, and below so many instances, t intervals are too narrow."""


def too_narrow(method: str, at_end: float | None, n: int) -> bool:
    """Whether a t interval rests on few instances whose scores crowd at one end of the scale."""
    return method == "t" and at_end is not None and at_end > CROWDED and n < ENOUGH


def share_at_end(score: Floats, group: Ints, ends: Sequence[tuple[float, float] | None]) -> list[float | None]:
    """The share of each group's scores at the fuller end of its scale; None without a scale or a score."""
    size = len(ends)
    count = np.bincount(group, minlength=size)
    full = np.zeros(size)
    for side in (0, 1):
        edge = np.array([np.nan if pair is None else pair[side] for pair in ends], np.float64)
        full = np.maximum(full, np.bincount(group[score == edge[group]], minlength=size))
    return [None if ends[k] is None or not count[k] else float(full[k] / count[k]) for k in range(size)]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """The scores of one model by one rater, in one part of the ratings."""

    rater: str
    kind: str
    model: str
    skill: str | None
    """None: all skills pooled."""
    slice: str | None
    """None: everything; else `hard;domain=Math;difficulty=5`."""
    by: Mapping[str, Any]
    """The values behind the slice, `skill` left out."""
    mean: float | None
    low: float | None
    high: float | None
    n: int
    """Instances with a scored rating."""
    n_ratings: int
    """Scored ratings."""
    n_not_applicable: int
    n_missing: int
    """Planned ratings that should have a score and have none, those that are not judged yet among them."""
    coverage: float | None
    """Scored / (planned - not applicable)."""
    bound_low: float | None
    """The mean if every missing rating had the scale's lowest score."""
    bound_high: float | None
    """The mean if every missing rating had the scale's highest score."""
    interval: str
    """How the interval was made: `t`, `equal` (all instances have the same mean), or empty."""
    at_end: float | None
    """The share of the scores at one end of the scale, the fuller one; None where the scale is not known."""
    undefined: Mapping[str, str]
    """Why a field is null."""


@dataclass(frozen=True)
class SliceTable:
    """Rows of scores, and how they were made."""

    rows: tuple[SliceRow, ...]
    by: tuple[tuple[str, ...], ...]
    """The dimensions of each table, in the order of the rows; empty: by skill, and pooled."""
    confidence: float
    resamples: int
    """0: no intervals."""
    seed: int
    method: str = METHOD
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What `slice --json` writes."""
        made = asdict(self)
        made["by"] = [list(names) for names in self.by]
        made["rows"], made["notes"] = list(made["rows"]), list(self.notes)
        return made

    def to_frame(self) -> pd.DataFrame:
        """One row a score."""
        names = [f.name for f in fields(SliceRow)]
        return pd.DataFrame([[getattr(row, name) for name in names] for row in self.rows], columns=names)

    def to_markdown(self) -> str:
        """A table for people."""
        several = len({row.rater for row in self.rows}) > 1
        names = (["rater"] if several else []) + ["model", "skill", "slice"]
        header = [*names, "mean", f"{self.confidence:.0%} interval", "n", "ratings", "N/A", "missing", "coverage"]
        lines = [
            [
                *([short(row.rater)] if several else []),
                short(row.model),
                short(row.skill or "all"),
                short(row.slice or "all"),
                number(row.mean),
                "\u2013" if row.low is None else f"{number(row.low)} to {number(row.high)}",
                *(f"{n:,}" for n in (row.n, row.n_ratings, row.n_not_applicable, row.n_missing)),
                percent(row.coverage),
            ]
            for row in self.rows
        ]
        parts = [markdown_table(header, lines, left=len(names)), f"Method: {self.method}."]
        return "\n\n".join([*parts, *(f"- {short(note, 600)}" for note in self.notes)]) + "\n"

    def __str__(self) -> str:
        return self.to_markdown()


def slice_scores(
    table: RatingTable | Coded,
    by: By = (),
    slices: Iterable[Slice] = (),
    *,
    skills: Iterable[str] | None = None,
    models: Iterable[str] | None = None,
    raters: Iterable[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> SliceTable:
    """Score every model within parts of the ratings; each rater stands by itself.

    Args:
        table: what `read_ratings` gave.
        by: one entry a table: a dimension, or several that are crossed (`["domain", "difficulty"]`, or
            `"domain,difficulty"`). Without it: one row a skill, and one for all skills pooled.
        slices: parts of the instances; each table is made within each of them.
        skills: only these skills, by slug or title.
        models: only these models.
        raters: only these raters.
        confidence: of the intervals.
        resamples: 0 for no intervals; else without influence, since the intervals need no resampling.
        seed: kept with the result; without influence.

    Raises:
        UserError: a dimension, skill, model or rater does not occur, or a slice holds none of the instances.
    """
    check_confidence(confidence)
    if isinstance(table, Coded):
        data, source = table, table.table
    else:
        source = as_table(table).only(raters=raters, models=models, skills=skills)
        data = coded(source)
    tables = _tables_of(by, source)
    notes = [*source.notes, *data.notes]
    rows: list[SliceRow] = []
    parts: list[tuple[str, Mask | None]] = [("", None)]
    if wanted := list(slices):
        parts = [(part.name, in_slice(source, part, notes)[data.instance]) for part in wanted]
    for name, inside in parts:
        for dimensions in tables or (("skill",), ()):
            rows += _Cut(data, dimensions, name, inside).rows(confidence if resamples else None)
    notes += _told(source, tables, rows)
    return SliceTable(tuple(rows), tables, confidence, resamples, seed, notes=tuple(dict.fromkeys(notes)))


def _tables_of(by: By, table: RatingTable) -> tuple[tuple[str, ...], ...]:
    entries = [by] if isinstance(by, str) else list(by)
    known = [*DIMENSIONS, *table.instances.columns[len(INSTANCE_COLUMNS) :]]
    made = []
    for entry in entries:
        names = tuple(part.strip() for part in (entry.split(",") if isinstance(entry, str) else entry))
        for name in names:
            if name not in known:
                raise UserError(f"--by {','.join(names)}: unknown dimension '{name}'{nearest(name, known)}")
            if names.count(name) > 1:
                raise UserError(f"--by {','.join(names)}: '{name}' stands twice")
        made.append(names)
    return tuple(made)


def _told(table: RatingTable, tables: tuple[tuple[str, ...], ...], rows: Sequence[SliceRow]) -> list[str]:
    notes = [f"{name}: {_note_of(name)}" for name, kind in table.raters.items() if kind == "metric"]
    if any("domain" in names for names in tables):
        several = int((table.instances["domains"].map(len) > 1).sum())
        if several:
            told = (
                "1 instance has several domains; it counts"
                if several == 1
                else f"{several:,} instances have several domains; they count"
            )
            notes.append(f"{told} with weight 1 in each.")
    equal = sum(row.interval == "equal" for row in rows)
    if equal:
        notes.append(
            f"In {equal:,} of {len(rows):,} rows all instances have the same mean; their interval is the exact rule-of-three "
            "bound (Hanley and Lippman-Hand 1983) on what other instances might score."
        )
    crowded = sum(too_narrow(row.interval, row.at_end, row.n) for row in rows)
    if crowded:
        notes.append(
            f"In {crowded:,} of {len(rows):,} rows more than {CROWDED:.0%} of the scores are at one end of the scale, of "
            f"fewer than {ENOUGH} instances: t intervals are too narrow there (simulated with 50 instances and 90-95% at "
            "the end, intervals of 95% held in 88-90%)."
        )
    if len(table.ratings["variant"].unique()) > 1:
        notes.append("Ratings under several variants are taken together.")
    return notes


def _note_of(rater: str) -> str:
    """What a metric must not be taken for."""
    known = METRICS.get(rater.removeprefix("metric:"))
    return known.note if known else "A baseline metric, no judge of quality."


class _Cut:
    """The ratings, or those within a slice, cut by dimensions: a group of each rating, and what the groups are."""

    def __init__(self, data: Coded, dimensions: tuple[str, ...], name: str, inside: Mask | None) -> None:
        self.data, self.dimensions, self.name = data, dimensions, name
        rows = np.arange(data.rater.size) if inside is None else np.flatnonzero(inside)
        key = data.rater[rows] * len(data.models) + data.model[rows]
        size = len(data.raters) * len(data.models)
        self.values: list[list[Any]] = []
        for one in dimensions:
            values, codes, repeat = dimension(data, one, rows)
            if repeat is not None:
                rows, key = rows[repeat], key[repeat]
            key, size = key * len(values) + codes, size * len(values)
            self.values.append(values)
        self.take = rows
        self.groups, self.group = compact(key, size)

    def rows(self, confidence: float | None) -> list[SliceRow]:
        """One row a group."""
        data, take, group, size = self.data, self.take, self.group, self.groups.size
        score, outcome = data.score[take], data.outcome[take]
        rated, numeric = data.scored[take], ~np.isnan(score)
        counts = np.bincount(group[rated], minlength=size)
        absent = np.bincount(group[outcome == NOT_APPLICABLE], minlength=size)
        missing = np.bincount(group[data.missing[take]], minlength=size)
        instances = count_distinct(group[rated], data.instance[take][rated], size, len(data.table.instances))
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
                self._keys(*made[k]) | {"at_end": crowd[k]},
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
        return rater, model, {name: found[name] for name in self.dimensions}

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
