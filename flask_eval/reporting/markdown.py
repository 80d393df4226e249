"""The page's tables in Markdown, for a paper or an issue: the same cells, and the method below them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from flask_eval.analysis.sparsity import RULE
from flask_eval.analysis.text import visible
from flask_eval.reporting.answer import Standing
from flask_eval.reporting.heats import Heat
from flask_eval.reporting.sections import Section
from flask_eval.reporting.tables import Block, Cell, Row, Table
from flask_eval.reporting.text import Name

FAINT = "\u2020"
"""Behind a mean of too few instances; the page shows it in grey."""
_ACTIVE = re.compile(r"([\\`*\[\]<>|#~$]|(?<![^\W_])_|_(?![^\W_]))")
_PAGE_ONLY = (("(small: ", "("), ("Grey: ", f"{FAINT}: "), ("Shaded by", "Cells: "))


def markdown(
    title: str, banners: Sequence[str], sections: Sequence[Section], coverage: Table, method: Sequence[str]
) -> str:
    """The tables of every rater, coverage first.

    Args:
        title: the page's title.
        banners: what nobody may overlook.
        sections: the raters.
        coverage: what was rated.
        method: lines below the tables.
    """
    blocks = [
        f"# {escaped(title)}",
        *(f"> {escaped(text)}" for text in banners),
        "## What was rated",
        *_table(coverage),
    ]
    for one in sections:
        blocks.append(f"## {one.kind}: {_name(one.rater)}")
        blocks.append("".join(escaped(part) if isinstance(part, str) else _name(part) for part in one.answer.headline))
        blocks += [escaped(one.answer.detail)] if one.answer.detail else []
        blocks += _standings(one.answer.standings)
        for table in _tables(one):
            blocks += _table(table)
        blocks += ["\n".join(f"- {escaped(line)}" for line in one.certified)] if one.certified else []
    text = "\n\n".join(blocks)
    notes = [f"{FAINT} {RULE}."] if f" {FAINT}" in text else []
    return "\n\n".join([text, "## Method", *notes, "\n".join(f"- {escaped(line)}" for line in method)]) + "\n"


def escaped(text: str) -> str:
    """A text that Markdown shows literally: no markup, no link, no table's bar, no hidden character."""
    return _ACTIVE.sub(r"\\\1", visible(text).replace("&", "&amp;")).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _name(one: Name) -> str:
    return escaped(one.full or one.text)


def _tables(one: Section) -> Iterator[Table]:
    yield one.matrix
    yield from one.differences
    if one.missing:
        yield one.missing
    yield from one.cuts
    yield from (_heat(heat) for heat in one.heats)
    yield from (table for table, _ in one.slices)
    if one.length:
        yield one.length.table


def _standings(rows: Sequence[Standing]) -> Iterator[str]:
    if rows:
        heads = ("Mean", "Interval", "Ranks", "Best", "Instances", "Coverage")
        body = tuple(
            Row(
                one.name,
                (
                    Cell(one.mean, faint=one.few),
                    *(Cell(text) for text in (one.interval, one.ranks, one.chance, one.count, one.coverage)),
                ),
            )
            for one in rows
        )
        caption = "Mean over skills, highest first. Ranks: those that the tests leave open. Best: how likely the model is the best."
        yield from _table(Table(caption, "Model", tuple(map(Name, heads)), (Block(None, body),), "Mean over skills"))


def _heat(heat: Heat) -> Table:
    body = tuple(Row(head, tuple(Cell(one.text, one.title, one.sparse) for one in cells)) for head, cells in heat.rows)
    return Table(heat.caption, "Skill", heat.columns, (Block(None, body),), heat.heading)


def _table(table: Table) -> Iterator[str]:
    """Heading, caption and lines; the heads of blocks are lines of their own."""
    if table.heading:
        yield f"### {escaped(table.heading)}"
    caption = table.caption
    for on_page, here in _PAGE_ONLY:
        caption = caption.replace(on_page, here)
    yield escaped(caption)
    heads = [escaped(table.corner), *map(_name, table.columns)]
    lines = [heads, ["---", *("---:" for _ in table.columns)]]
    for block in table.blocks:
        if block.head:
            lines.append([f"**{_name(block.head)}**", *("" for _ in table.columns)])
        lines += [[_name(row.head), *map(_cell, row.cells)] for row in block.rows]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell) -> str:
    small = f" ({escaped(cell.small)})" if cell.small else ""
    return f"{escaped(cell.text)}{f' {FAINT}' if cell.faint and cell.text else ''}{small}"
