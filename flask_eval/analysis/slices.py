"""Scores by skill, group, domain, difficulty, source, model or a metadata key; within slices, and crossed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flask_eval.analysis.coding import Coded, Mask, coded
from flask_eval.analysis.cut import Cut
from flask_eval.analysis.cutting import By, in_slice, key_of, tables_of, values_of
from flask_eval.analysis.dropping import drops
from flask_eval.analysis.scores import check_confidence
from flask_eval.analysis.slice_rows import SliceRow, SliceTable
from flask_eval.metrics import METRICS
from flask_eval.ratings import RatingTable, as_table
from flask_eval.schema import Slice

__all__ = ["CROWDED", "ENOUGH", "By", "SliceRow", "SliceTable", "slice_scores", "too_narrow"]

CROWDED, ENOUGH = 0.85, 100
"""Above this share of scores at one end of the scale, and below so many instances, t intervals are too narrow."""


def too_narrow(method: str, at_end: float | None, n: int) -> bool:
    """Whether a t interval rests on few instances whose scores crowd at one end of the scale."""
    return method == "t" and at_end is not None and at_end > CROWDED and n < ENOUGH


def slice_scores(
    table: RatingTable | Coded,
    by: By = (),
    slices: Iterable[Slice] = (),
    *,
    skills: Iterable[str] | None = None,
    models: Iterable[str] | None = None,
    raters: Iterable[str] | None = None,
    merge: int = 0,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> SliceTable:
    """Score every model within parts of the ratings; each rater stands by itself.

    Args:
        table: what `read_ratings` gave.
        by: one entry a table: a dimension, or several that are crossed (`["domain", "difficulty"]`, or
            `"domain,difficulty"`). `"tags|"` is a metadata key whose values hold several, as in `a|b`. Without it: one row a
            skill, and one for all skills pooled.
        slices: parts of the instances; each table is made within each of them, and `drops` sets everything beside them.
        skills: only these skills, by slug or title.
        models: only these models.
        raters: only these raters.
        merge: merge values of fewer instances: neighbouring levels of an ordered dimension, other values into `other`; each
            dimension within skills and the dimensions named before it. 0: none.
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
    tables = tables_of(by, source)
    notes = [*source.notes, *data.notes]
    parts = [(part.name, in_slice(source, part, notes)[data.instance]) for part in slices]
    everything: list[tuple[str, Mask | None]] = [("", None)]
    rows: list[SliceRow] = []
    for name, inside in parts or everything:
        for dimensions in tables or (("skill",), ()):
            cut = Cut(data, dimensions, name, inside, merge)
            rows += cut.rows(confidence if resamples else None)
            notes += cut.notes
    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples}
    lost = [drops(data, part, name=name, by_skill=one, **options) for name, part in parts for one in (True, False)]
    return SliceTable(
        rows=tuple(rows),
        by=tables,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        notes=tuple(dict.fromkeys([*notes, *_told(source, tables, rows)])),
        drops=tuple(row for found in lost for row in found),
        merge=merge,
    )


def _told(table: RatingTable, tables: tuple[tuple[str, ...], ...], rows: Sequence[SliceRow]) -> list[str]:
    notes = [f"{name}: {_note_of(name)}" for name, kind in table.raters.items() if kind == "metric"]
    for name in dict.fromkeys(name for names in tables for name in names):
        several = sum(len(values) > 1 for values in values_of(table, name) or ())
        if several:
            what = "domains" if name == "domain" else f"values of '{key_of(name)}'"
            who = "1 instance has" if several == 1 else f"{several:,} instances have"
            notes.append(
                f"{who} several {what}; {'it counts' if several == 1 else 'they count'} with weight 1 in each."
            )
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
