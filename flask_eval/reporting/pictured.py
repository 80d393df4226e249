"""What one rater's plots show: sorted dots by skill, heat maps, slopes to a slice, length against score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask_eval.analysis.dropping import DropRow
from flask_eval.analysis.lengths import LengthRow
from flask_eval.analysis.macro import MacroRow
from flask_eval.analysis.slices import SliceRow
from flask_eval.analysis.text import number
from flask_eval.reporting.plots import Mean, Panels, Scatter, Slopes, panels, scatter, slopes
from flask_eval.reporting.tables import Block, Cell, Row, SkillHead, Table
from flask_eval.reporting.text import Name, counted, ends, name

Leaders = Mapping[str | None, frozenset[str]]
"""By skill (None: over all skills): the models without a significantly better one."""


@dataclass(frozen=True, slots=True)
class Length:
    """Length against score."""

    words: str
    plot: Scatter | None
    table: Table


def dots(
    rows: Sequence[SliceRow],
    skills: Sequence[SkillHead],
    models: Sequence[str],
    scale: tuple[float, float] | None,
    leaders: Leaders,
) -> Panels | None:
    """A panel a skill; None with fewer than two models, since there is nothing to sort."""
    if len(models) < 2:
        return None
    found = {(row.skill, row.model): row for row in rows}

    def panel(one: SkillHead) -> tuple[Name, int, list[Mean], list[str]]:
        own = {model: found.get((one.skill, model)) for model in models}
        lead = leaders.get(one.skill, frozenset())
        means = [made for model, row in own.items() if row and (made := _mean(row, leads=model in lead))]
        known = {mean.model for mean in means}
        return one.title, one.mark if one.group else -1, means, [model for model in models if model not in known]

    return panels([panel(one) for one in skills], scale)


def _mean(row: SliceRow, *, leads: bool) -> Mean | None:
    return None if row.mean is None else Mean(row.model, row.mean, row.low, row.high, row.sparse, leads)


def slope(whole: Sequence[SliceRow], part: Sequence[SliceRow], label: str, lost: Sequence[DropRow]) -> Slopes | None:
    """From all instances to a slice; the models that lose significantly less than others are not told here, only the means.

    Args:
        whole: one row a model.
        part: the same within the slice.
        label: the slice's name.
        lost: the differences; a model without one has no line.
    """
    inside = {row.model: row for row in part}
    known = {row.model for row in lost if row.difference is not None}
    pairs = [
        (left, right)
        for row in whole
        if row.model in known and (left := _mean(row, leads=False)) and (right := _mean(inside[row.model], leads=False))
    ]
    return slopes((Name("All instances"), name(label, 28)), pairs) if len(pairs) > 1 else None


def length(row: LengthRow, macro: Sequence[MacroRow], leaders: Leaders) -> Length | None:
    """Length against score by one rater; None where no model has both."""
    means = {
        one.model: Mean(one.model, one.mean, one.low, one.high, one.sparse, one.model in leaders.get(None, frozenset()))
        for one in macro
        if one.mean is not None
    }
    points = [(means[point.model], point) for point in row.points if point.model in means]
    if not points:
        return None
    order = sorted(points, key=lambda pair: (-pair[1].characters, pair[1].model))
    body = tuple(
        Row(
            name(point.model),
            (
                Cell(f"{point.characters:,.0f}"),
                Cell(number(mean.mean), ends(mean.low, mean.high)),
                Cell(f"{point.n:,}"),
            ),
        )
        for mean, point in order
    )
    table = Table(
        "Median characters of the responses that are not empty, longest first, and the mean over skills.",
        "Model",
        (Name("Characters"), Name("Mean"), Name("Responses")),
        (Block(None, body),),
        label="Length and mean by model",
    )
    plot = scatter([(mean, point.characters) for mean, point in points])
    return Length(" ".join(_told(row, plot)), plot, table)


def _told(row: LengthRow, plot: Scatter | None) -> Iterator[str]:
    if row.spearman is None:
        yield f"Within instances nothing is told of length: {row.undefined['spearman']}."
    else:
        interval = f" ({ends(row.low, row.high)})" if row.low is not None else ""
        side = "higher" if row.spearman > 0 else "lower"
        firm = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
        first = f"Of the responses to one instance, longer ones tend to score {side}" if firm else (
            "Of the responses to one instance, longer ones are not shown to score higher or lower"
        )  # fmt: skip
        yield f"{first}: mean rank correlation {number(row.spearman)}{interval}, {counted(row.n, 'instance')}."
        yield "That is no cause: longer responses may be better, or the rater may favour length."
    if plot and plot.unlabelled:
        yield f"{counted(plot.unlabelled, 'name')} found no room in the plot; the table has them."
