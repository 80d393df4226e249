"""Interactive figures (plotly) for notebooks; the page draws its own SVG."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from flask_eval.analysis.slices import SliceRow, SliceTable
from flask_eval.analysis.text import visible
from flask_eval.errors import UserError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours: told apart by colour-blind people too; dashes and symbols help further."""

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")


def plot(scores: SliceTable) -> Figure:
    """Means with intervals, a panel a rater: skills (or slices) down the side, one mark a model.

    Args:
        scores: what `slice_scores` gave.

    Returns:
        A plotly figure; a mean that is missing has no mark.

    Raises:
        UserError: there is no row with a name to show.
    """
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    rows = [row for row in scores.rows if _name(row) is not None]
    if not rows:
        raise UserError("there is nothing to plot: the table has no row for a skill or a slice")
    raters = list(dict.fromkeys(row.rater for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    figure: Figure = make_subplots(
        rows=1, cols=len(raters), subplot_titles=[visible(r) for r in raters], shared_yaxes=True
    )
    for column, rater in enumerate(raters, 1):
        for model, colour, dash, symbol in zip(models, cycle(COLOURS), cycle(_DASHES), cycle(_SYMBOLS), strict=False):
            shown = [row for row in rows if row.rater == rater and row.model == model and row.mean is not None]
            figure.add_trace(
                Scatter(
                    x=[row.mean for row in shown],
                    y=[visible(_name(row) or "") for row in shown],
                    error_x=_bars(shown),
                    mode="markers",
                    name=visible(model),
                    legendgroup=model,
                    showlegend=column == 1,
                    marker={"color": colour, "symbol": symbol, "size": 9},
                    line={"dash": dash},
                    customdata=[[row.n, row.n_missing] for row in shown],
                    hovertemplate="%{y}: %{x:.2f} (n %{customdata[0]}, missing %{customdata[1]})<extra>%{fullData.name}</extra>",
                ),
                row=1,
                col=column,
            )
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(
        template="plotly_white", legend_title_text="model", margin={"l": 10, "r": 10, "t": 40, "b": 40}
    )
    return figure


def _name(row: SliceRow) -> str | None:
    parts = [part for part in (row.skill, row.slice) if part]
    return " · ".join(parts) if parts else None


def _bars(rows: list[SliceRow]) -> dict[str, Any]:
    """Error bars to both ends of the interval; none where there is no interval."""
    high = [0 if r.high is None or r.mean is None else r.high - r.mean for r in rows]
    low = [0 if r.low is None or r.mean is None else r.mean - r.low for r in rows]
    return {"type": "data", "symmetric": False, "array": high, "arrayminus": low, "thickness": 1}
