"""What slices hold: rows of scores, and what they are set beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from flask_eval.analysis.dropping import DropRow
from flask_eval.analysis.scores import METHOD
from flask_eval.analysis.sparsity import RULE
from flask_eval.analysis.text import markdown_table, number, percent, short

SPARSE_MARK = "\u2020"
"""Behind a mean that is not firm."""


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
    sparse: bool
    """Too few instances to be firm."""
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
    drops: tuple[DropRow, ...] = ()
    """Everything beside each slice, by skill and pooled."""
    merge: int = 0
    """Values of fewer instances than this were merged; 0: none."""

    def to_dict(self) -> dict[str, Any]:
        """What `slice --json` writes."""
        made = asdict(self)
        made["by"] = [list(names) for names in self.by]
        made |= {name: list(made[name]) for name in ("rows", "drops", "notes")}
        return made

    def to_frame(self) -> pd.DataFrame:
        """One row a score."""
        names = [f.name for f in fields(SliceRow)]
        return pd.DataFrame([[getattr(row, name) for name in names] for row in self.rows], columns=names)

    def to_markdown(self) -> str:
        """Tables for people: the rows, and everything beside each slice."""
        parts = [_row_table(self), *_drop_tables(self.drops, self.confidence)]
        if any(row.sparse and row.mean is not None for row in self.rows) or any(row.sparse for row in self.drops):
            parts.append(f"{SPARSE_MARK} {RULE}.")
        parts.append(f"Method: {self.method}.")
        return "\n\n".join([*parts, *(f"- {short(note, 600)}" for note in self.notes)]) + "\n"

    def __str__(self) -> str:
        return self.to_markdown()


def _row_table(table: SliceTable) -> str:
    several = len({row.rater for row in table.rows}) > 1
    names = (["rater"] if several else []) + ["model", "skill", "slice"]
    header = [*names, "mean", f"{table.confidence:.0%} interval", "n", "ratings", "N/A", "missing", "coverage"]
    lines = [
        [
            *([short(row.rater)] if several else []),
            short(row.model),
            short(row.skill or "all"),
            short(row.slice or "all"),
            _marked(row.mean, sparse=row.sparse),
            _between(row.low, row.high),
            *(f"{n:,}" for n in (row.n, row.n_ratings, row.n_not_applicable, row.n_missing)),
            percent(row.coverage),
        ]
        for row in table.rows
    ]
    return markdown_table(header, lines, left=len(names))


def _drop_tables(rows: Sequence[DropRow], confidence: float) -> Iterator[str]:
    """Everything beside each slice."""
    several = len({row.rater for row in rows}) > 1
    names = (["rater"] if several else []) + ["model", "skill"]
    for part in dict.fromkeys(row.slice for row in rows):
        header = [*names, "all", "n", short(part), "n", "difference", f"{confidence:.0%} interval"]
        lines = [
            [
                *([short(row.rater)] if several else []),
                short(row.model),
                short(row.skill or "all"),
                number(row.full),
                f"{row.n_full:,}",
                _marked(row.part, sparse=row.sparse),
                f"{row.n_part:,}",
                number(row.difference),
                _between(row.low, row.high),
            ]
            for row in rows
            if row.slice == part
        ]
        yield f"Everything beside slice {short(part)}:\n\n{markdown_table(header, lines, left=len(names))}"


def _marked(mean: float | None, *, sparse: bool) -> str:
    return number(mean) + (f" {SPARSE_MARK}" if sparse and mean is not None else "")


def _between(low: float | None, high: float | None) -> str:
    return "\u2013" if low is None else f"{number(low)} to {number(high)}"
