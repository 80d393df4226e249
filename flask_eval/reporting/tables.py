"""The page's tables as records: every cell is text already, and says whether it stands on firm ground."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from flask_eval.analysis.coverage import OutcomeRow
from flask_eval.analysis.dropping import DropRow
from flask_eval.analysis.slices import CROWDED, ENOUGH, SliceRow, too_narrow
from flask_eval.analysis.text import number, percent, shown
from flask_eval.reporting.certified import Mark
from flask_eval.reporting.text import KIND, OUTCOME, Name, counted, ends, name, signed


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str
    small: str = ""
    """A second, quieter line: an interval, a count."""
    faint: bool = False
    """Too few instances to be firm."""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row with its head."""

    head: Name
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows under a common head."""

    head: Name | None
    rows: tuple[Row, ...]
    mark: int = -1
    """The group of skills whose colour and shape stand beside the head; -1: none."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption; `corner` heads the column of row heads."""

    caption: str
    corner: str
    columns: tuple[Name, ...]
    blocks: tuple[Block, ...]
    heading: str = ""
    label: str = ""
    """What a screen reader calls the table."""
    tall: bool = False
    """Whether the table scrolls within its own box."""


def coverage_table(rows: Sequence[OutcomeRow], without: dict[str, int], n_raters: int) -> Table:
    """Planned ratings by outcome, a block a rater; outcomes that never occurred are named in the caption."""
    seen = [o for o in OUTCOME if o in ("scored", "not_applicable") or any(row.outcomes[o] for row in rows)]
    never = [OUTCOME[o].lower() for o in OUTCOME if o not in seen]
    caption = "Planned ratings of each model, and what became of them."
    if never:
        caption += f" Outcomes that never occurred: {', '.join(never)}."
    heads = ["Planned", *(OUTCOME[o] for o in seen), "Left to judge", "Coverage", "Instances without response"]
    blocks = []
    for rater in dict.fromkeys(row.rater for row in rows):
        own = [row for row in rows if row.rater == rater]
        head = Name(f"{KIND[own[0].kind]}: {name(rater).text}", name(rater).full) if n_raters > 1 else None
        blocks.append(Block(head, tuple(_coverage_row(row, seen, without) for row in own)))
    return Table(caption, "Model", tuple(map(Name, heads)), tuple(blocks), label="Coverage and outcomes")


def _coverage_row(row: OutcomeRow, seen: Iterable[str], without: dict[str, int]) -> Row:
    cells = [Cell(f"{row.planned:,}"), *(Cell(f"{row.outcomes[o]:,}") for o in seen), Cell(f"{row.left:,}")]
    cells.append(Cell(percent(row.coverage)))
    cells.append(Cell(f"{without[row.model]:,}" if row.model in without else "\u2013"))
    return Row(name(row.model), tuple(cells))


@dataclass(frozen=True, slots=True)
class SkillHead:
    """A skill as the tables name it."""

    skill: str
    title: Name
    group: str
    mark: int


def matrix(
    rows: Sequence[SliceRow],
    skills: Sequence[SkillHead],
    models: Sequence[str],
    caption: str,
    marks: Mapping[str, Mark] | None = None,
) -> Table:
    """Skills down, models across: mean, interval and n; before them what a certificate says of the skill."""
    found = {(row.skill, row.model): row for row in rows}
    said = marks or {}
    if any(too_narrow(row.interval, row.at_end, row.n) for row in rows):
        caption += (
            f" Interval with *: too narrow, since more than {CROWDED:.0%} of the scores are at one end of the scale, of fewer "
            f"than {ENOUGH} instances."
        )

    def row_of(one: SkillHead) -> Row:
        mark = said.get(one.skill)
        first = (Cell(mark.text, title=name(mark.reason, 300).text),) if mark else (Cell(""),) if said else ()
        return Row(one.title, (*first, *(_mean_cell(found.get((one.skill, m)), count=True) for m in models)))

    blocks = [
        Block(Name(head.group) if head.group else None, tuple(map(row_of, part)), head.mark if head.group else -1)
        for head, part in _by_group(skills)
    ]
    return Table(
        caption,
        "Skill",
        (*((Name("Certificate"),) if said else ()), *(name(m, 28) for m in models)),
        tuple(blocks),
        heading="By skill and model",
        label="Mean by skill and model",
    )


def _by_group(skills: Sequence[SkillHead]) -> list[tuple[SkillHead, list[SkillHead]]]:
    """Neighbouring skills of a group together, headed by the first."""
    made: list[tuple[SkillHead, list[SkillHead]]] = []
    for one in skills:
        if made and made[-1][0].group == one.group:
            made[-1][1].append(one)
        else:
            made.append((one, [one]))
    return made


def _mean_cell(row: SliceRow | None, *, count: bool = False) -> Cell:
    if row is None:
        return Cell("\u2013", title="not rated")
    if row.mean is None:
        return Cell("N/A" if not row.n_missing else "\u2013", title=row.undefined.get("mean", ""))
    interval = ends(row.low, row.high) + ("*" if too_narrow(row.interval, row.at_end, row.n) else "")
    small = f"{interval} \u00b7 n {row.n:,}" if count and interval else f"n {row.n:,}" if count else interval
    return Cell(number(row.mean), small, row.sparse, row.undefined.get("low", "") if not interval else "")


def missing_table(
    rows: Sequence[SliceRow], skills: Sequence[SkillHead], models: Sequence[str], confidence: float
) -> Table | None:
    """The means that do not rest on every planned rating: what is missing, and what that could mean; None where all do."""
    found = {(row.skill, row.model): row for row in rows if row.n_missing or row.n_not_applicable}
    if not found:
        return None
    heads = (
        "Mean",
        f"{confidence:.0%} interval",
        "n",
        "Not applicable",
        "Missing",
        "Coverage",
        "If missing were lowest\u2013highest",
    )
    blocks = [
        Block(
            name(model), tuple(_number_row(one.title, row) for one in skills if (row := found.get((one.skill, model))))
        )
        for model in models
    ]
    caption = (
        "Means that rest on fewer ratings than planned, model by model: some did not apply, or have no score. Coverage: the ratings "
        "with a score, of those that apply."
    )
    if len(found) < len(rows):
        caption += f" The other {counted(len(rows) - len(found), 'mean')} rest on every planned rating."
    return Table(
        caption=caption,
        corner="Skill",
        columns=tuple(map(Name, heads)),
        blocks=tuple(block for block in blocks if block.rows),
        heading="Where scores are missing",
        label="Missing scores by model and skill",
        tall=True,
    )


def _number_row(title: Name, row: SliceRow) -> Row:
    texts = (
        number(row.mean),
        ends(row.low, row.high) or "\u2013",
        f"{row.n:,}",
        f"{row.n_not_applicable:,}",
        f"{row.n_missing:,}",
        percent(row.coverage),
        ends(row.bound_low, row.bound_high) if row.n_missing else "",
    )
    return Row(title, tuple(Cell(text, faint=row.sparse) for text in texts))


def slice_table(rows: Sequence[SliceRow], dimension: str, models: Sequence[str], caption: str) -> Table:
    """The values of a dimension down, models across."""
    found = {(shown(row.by[dimension]), row.model): row for row in rows}
    values = list(dict.fromkeys(shown(row.by[dimension]) for row in rows))
    if len(values) > 1 and "none" in values:
        values = [*(v for v in values if v != "none"), "none"]
    body = tuple(Row(name(v), tuple(_mean_cell(found.get((v, m)), count=True) for m in models)) for v in values)
    return Table(
        caption=caption,
        corner=dimension.replace("_", " ").capitalize(),
        columns=tuple(name(m, 28) for m in models),
        blocks=(Block(None, body),),
        heading=f"By {dimension}",
        label=f"Mean by {dimension}",
    )


def drop_table(
    whole: Sequence[SliceRow], part: Sequence[SliceRow], lost: Sequence[DropRow], label: str, caption: str
) -> Table:
    """All instances beside a slice, and the difference, one row a model."""
    inside = {row.model: row for row in part}
    differences = {row.model: row for row in lost}
    body = []
    for row in whole:
        own, drop = inside.get(row.model), differences.get(row.model)
        change = Cell("\u2013")
        if drop is not None and drop.difference is not None:
            change = Cell(signed(drop.difference), ends(drop.low, drop.high), title=drop.undefined.get("low", ""))
        body.append(Row(name(row.model), (_mean_cell(row, count=True), _mean_cell(own, count=True), change)))
    heads = (Name("All instances"), name(label, 28), Name("Difference"))
    said = name(label)
    return Table(
        caption, "Model", heads, (Block(None, tuple(body)),), heading=f"Slice {said.text}", label=f"Slice {said.text}"
    )


def study_table(frame: pd.DataFrame, caption: str) -> Table:
    """Any result as a table: its first column heads the rows; at most 500 rows."""
    columns = [str(c) for c in frame.columns]
    body = [
        Row(name(_said(values[0])), tuple(Cell(name(_said(v), 80).text) for v in values[1:]))
        for values in frame.head(500).itertuples(index=False, name=None)
    ]
    if len(frame) > 500:
        caption += f" The first 500 of {len(frame):,} rows."
    return Table(caption, columns[0], tuple(name(c) for c in columns[1:]), (Block(None, tuple(body)),), tall=True)


def _said(value: object) -> str:
    if value is None or value is pd.NA:
        return "\u2013"
    if isinstance(value, float):
        return "\u2013" if value != value else number(value, 3)  # noqa: PLR0124 (NaN)
    if isinstance(value, dict):
        return "; ".join(f"{k}={_said(v)}" for k, v in value.items())
    return shown(value)
