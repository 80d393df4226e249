"""Interactive figures (plotly) for notebooks, from results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from flask_eval.analysis.comparing import Comparison
from flask_eval.analysis.comparing.records import ModelRow
from flask_eval.analysis.slices import SliceRow, SliceTable
from flask_eval.errors import UserError
from flask_eval.reporting import charts
from flask_eval.reporting.chart_parts import Axis, Row, beside
from flask_eval.reporting.radar import LEAST, MOST
from flask_eval.reporting.text import counted

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Kind = Literal["radar", "dots", "heat", "slopes"]


class Point(NamedTuple):
    """A mean whose interval the result does not hold."""

    model: str
    mean: float | None
    n: int
    low: float | None = None
    high: float | None = None


def plot(result: SliceTable | Comparison, *, kind: Kind | None = None) -> Figure:
    """Draw a result: skills (or slices) and models, a panel a rater.

    Args:
        result: what `slice_scores` or `compare` gave.
        kind: `dots` (means with their intervals, the default), `radar` (the models over each other, an axis a skill or a slice;
            the hub is a round number below all intervals, not zero), `heat` (models across, skills down), or `slopes`
            (from everything to a slice).

    Returns:
        A plotly figure; a mean that is missing has no mark, and one of fewer than ten instances a hollow one.

    Raises:
        UserError: the result holds nothing for such a figure.
    """
    if not isinstance(result, SliceTable | Comparison):
        raise UserError(f"plot: {type(result).__name__} has no figure; give what slice_scores or compare returned")
    wanted = kind or "dots"
    if wanted not in get_args(Kind):
        raise UserError(f"kind='{wanted}': no such figure; use one of {', '.join(get_args(Kind))}")
    rows: Sequence[SliceRow | ModelRow] = result.rows if isinstance(result, SliceTable) else result.models
    models = list(dict.fromkeys(row.model for row in rows))
    parts: list[tuple[str, Figure]] = []
    for rater in dict.fromkeys(row.rater for row in rows):
        parts += (
            _slopes(result, rater, models)
            if wanted == "slopes"
            else _of_axes(wanted, _axes(rows, rater), rater, models)
        )
    if not parts:
        lack = "a slice beside everything (slices=[...])" if wanted == "slopes" else "a row for a skill or a slice"
        raise UserError(f"there is nothing to plot: the result lacks {lack}")
    return beside(parts)


def _axes(rows: Sequence[SliceRow | ModelRow], rater: str) -> list[Axis]:
    """What is compared, in the order of the rows; all skills pooled are no axis beside single ones."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.rater == rater and (row.skill or row.slice):
            found.setdefault(_name(row), {})[row.model] = row
    return [Axis(title, own) for title, own in found.items()]


def _name(row: SliceRow | ModelRow) -> str:
    return " \u00b7 ".join(part for part in (row.skill, row.slice) if part)


def _of_axes(kind: str, axes: Sequence[Axis], rater: str, models: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    if not axes:
        return
    if kind == "radar" and not LEAST <= len(axes) <= MOST:
        raise UserError(
            f"kind='radar': a radar has {LEAST} to {MOST} axes, the result has {counted(len(axes), 'skill or slice', 'skills and slices')};"
            " use kind='dots' or kind='heat'"
        )
    draw: Mapping[str, Callable[[], Figure]] = {
        "dots": lambda: charts.dots(axes, models),
        "radar": lambda: charts.radar(axes, models),
        "heat": lambda: charts.heat("", axes, models),
    }
    yield rater, draw[kind]()


def _slopes(result: SliceTable | Comparison, rater: str, models: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """A figure a slice: over all skills, from everything to the slice."""
    for part, whole, inside in _pairs(result, rater):
        yield f"{rater} \u00b7 {part}", charts.slopes("", Axis("all instances", whole), Axis(part, inside), models)


def _pairs(result: SliceTable | Comparison, rater: str) -> Iterator[tuple[str, dict[str, Row], dict[str, Row]]]:
    if isinstance(result, SliceTable):
        drops = [row for row in result.drops if row.rater == rater and row.skill is None]
        for part in dict.fromkeys(row.slice for row in drops):
            own = [row for row in drops if row.slice == part]
            yield (
                part,
                {row.model: Point(row.model, row.full, row.n_full) for row in own},
                {row.model: Point(row.model, row.part, row.n_part) for row in own},
            )
        return
    overall = [row for row in result.models if row.rater == rater and row.skill is None and not row.by]
    for part in dict.fromkeys(row.slice for row in overall if row.slice):
        whole: dict[str, Row] = {row.model: row for row in overall if not row.slice}
        yield part, whole, {row.model: row for row in overall if row.slice == part}
