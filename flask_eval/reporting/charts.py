"""Plotly figures from rows of means: radar, dots with intervals, heat map, full set against slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask_eval.analysis.text import number
from flask_eval.reporting.chart_parts import (
    COLOURS,
    INK,
    LINE,
    QUIET,
    Axis,
    Row,
    angles,
    bars,
    blank,
    closed,
    hover,
    label,
    looks,
    mark,
    padded,
    span,
    symbols,
    told,
    wrapped,
)
from flask_eval.reporting.text import FEW

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SCALE = ((0.0, "#f5f9fd"), (1.0, "#62a7d8"))
"""One hue from light to less light: its order survives colour-blindness and grey print, and ink stands out from all of it."""


def dots(axes: Sequence[Axis], models: Sequence[str], scale: tuple[float, float] | None = None) -> Figure:
    """Means with intervals, an axis a line, the models one below the other within it; a missing mean has no mark."""
    from plotly.graph_objects import Scatter

    step = 0.7 / max(len(models), 1)
    figure = blank(height=90 + len(axes) * max(34, 9 * len(models)))
    for model, look in looks(models).items():
        offset = (look.place - (len(models) - 1) / 2) * step
        found = [
            (k, axis, row) for k, axis in enumerate(axes) if (row := axis.rows.get(model)) and row.mean is not None
        ]
        figure.add_trace(
            Scatter(
                x=[row.mean for _, _, row in found],
                y=[k + offset for k, _, _ in found],
                error_x=bars([row for _, _, row in found]),
                mode="markers",
                marker={"color": look.colour, "symbol": symbols(look, [row for _, _, row in found]), "size": 8},
                **told(model, look, [(axis, row) for _, axis, row in found]),
            )
        )
    figure.update_yaxes(
        tickvals=list(range(len(axes))), ticktext=[label(axis.title) for axis in axes], range=[len(axes) - 0.5, -0.5]
    )
    figure.update_xaxes(range=padded(scale), title_text="mean")
    return figure


def ranked(title: str, rows: Sequence[Row], scale: tuple[float, float] | None = None) -> Figure:
    """Models by their mean, highest first, each with its interval; a hollow mark: fewer than ten instances."""
    from plotly.graph_objects import Scatter

    order = sorted((row for row in rows if row.mean is not None), key=lambda row: -(row.mean or 0.0))
    figure = blank(title, width=720, height=110 + 24 * max(len(order), 2))
    figure.add_trace(
        Scatter(
            x=[row.mean for row in order],
            y=list(range(len(order))),
            error_x=bars(order) | {"color": COLOURS[0], "thickness": 2},
            mode="markers",
            marker={"color": INK, "symbol": ["circle-open" if row.n < FEW else "circle" for row in order], "size": 9},
            showlegend=False,
        )
    )
    named = [f"{label(row.model)}  (n {row.n:,})" for row in order]
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=named, range=[max(len(order), 1) - 0.5, -0.5])
    figure.update_xaxes(range=padded(scale), title_text="mean and interval")
    return figure


def radar(axes: Sequence[Axis], models: Sequence[str], scale: tuple[float, float] | None = None) -> Figure:
    """All models over each other, an axis a skill, in the given order; the area between them means nothing."""
    from plotly.graph_objects import Scatterpolar

    figure = _round(
        axes, [wrapped(axis.title) for axis in axes], scale, width=900, height=min(max(600, 90 + 20 * len(models)), 900)
    )
    for model, look in looks(models).items():
        rows = [axis.rows.get(model) for axis in axes]
        figure.add_trace(
            Scatterpolar(
                r=closed([None if row is None else row.mean for row in rows]),
                theta=closed(angles(len(axes))),
                mode="lines+markers",
                connectgaps=False,
                line={"color": look.colour, "dash": look.dash, "width": 2},
                marker={"color": look.colour, "symbol": closed(symbols(look, rows)), "size": 7},
                **told(model, look, [(axis, row) for axis, row in zip(axes, rows, strict=True)], around=True),
            )
        )
    return figure


def portrait(
    model: str, axes: Sequence[Axis], median: Sequence[float | None], scale: tuple[float, float] | None = None
) -> Figure:
    """One model's radar: its mean, the band of its intervals, the median of all models dashed; n on the axes."""
    from plotly.graph_objects import Scatterpolar

    rows = [axis.rows.get(model) for axis in axes]
    counts = ["N/A" if row is None or row.mean is None else f"n {row.n:,}" for row in rows]
    heads = [f"{wrapped(axis.title)}<br><i>{count}</i>" for axis, count in zip(axes, counts, strict=True)]
    figure = _round(axes, heads, scale, label(model), width=680, height=600)
    for turn, low, high in _bands(rows):
        figure.add_trace(
            Scatterpolar(
                r=[*high, *reversed(low)], theta=[*turn, *reversed(turn)], mode="lines", fill="toself",
                fillcolor="rgba(0,114,178,0.2)", line={"width": 0.8, "color": "rgba(0,114,178,0.35)"}, showlegend=False,
            )
        )  # fmt: skip
    lines = (
        ("median of all models", median, QUIET, "dash"),
        (label(model), [r and r.mean for r in rows], INK, "solid"),
    )
    for said, values, colour, dash in lines:
        own = dash == "solid"
        if not own and not any(value is not None for value in values):
            continue  # one model has no others to be set against
        figure.add_trace(
            Scatterpolar(
                r=closed(list(values)), theta=closed(angles(len(axes))), connectgaps=False, name=said,
                mode="lines+markers" if own else "lines", line={"color": colour, "dash": dash, "width": 2 if own else 1.5},
                marker={"color": colour, "size": 7, "symbol": closed([mark(row, "circle") for row in rows])},
            )
        )  # fmt: skip
    figure.update_layout(legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.2})
    return figure


def heat(title: str, axes: Sequence[Axis], models: Sequence[str], scale: tuple[float, float] | None = None) -> Figure:
    """Models across, axes down: the mean in each cell, in brackets where fewer than ten instances are behind it."""
    from plotly.graph_objects import Heatmap

    cells = [[axis.rows.get(model) for model in models] for axis in axes]
    figure = blank(title, width=220 + 62 * len(models), height=150 + 30 * len(axes))
    figure.add_trace(
        Heatmap(
            z=[[None if row is None else row.mean for row in line] for line in cells],
            text=[[_cell(row) for row in line] for line in cells],
            texttemplate="%{text}",
            textfont={"color": INK},
            customdata=[[hover(axis.title, model, row) for model, row in zip(models, line, strict=True)]
                        for axis, line in zip(axes, cells, strict=True)],
            hovertemplate="%{customdata}<extra></extra>",
            colorscale=_SCALE,
            zmin=scale and scale[0],
            zmax=scale and scale[1],
            xgap=1,
            ygap=1,
            colorbar={"thickness": 12, "outlinewidth": 0},
        )
    )  # fmt: skip
    figure.update_xaxes(
        tickvals=list(range(len(models))), ticktext=[label(m) for m in models], tickangle=-40, showgrid=False
    )
    figure.update_yaxes(
        tickvals=list(range(len(axes))),
        ticktext=[label(axis.title) for axis in axes],
        autorange="reversed",
        showgrid=False,
    )
    return figure


def slopes(title: str, whole: Axis, part: Axis, models: Sequence[str]) -> Figure:
    """A line a model from its mean on all instances to that on the slice, with both intervals."""
    from plotly.graph_objects import Scatter

    figure = blank(title, width=760, height=max(420, 150 + 18 * len(models)))
    for model, look in looks(models).items():
        found = [
            (k, axis, row)
            for k, axis in enumerate((whole, part))
            if (row := axis.rows.get(model)) and row.mean is not None
        ]
        rows = [row for _, _, row in found]
        figure.add_trace(
            Scatter(
                x=[k + 0.01 * (look.place - len(models) / 2) for k, _, _ in found],
                y=[row.mean for row in rows],
                error_y=bars(rows),
                mode="lines+markers",
                line={"color": look.colour, "dash": look.dash, "width": 2},
                marker={"color": look.colour, "symbol": symbols(look, rows), "size": 8},
                **told(model, look, [(axis, row) for _, axis, row in found]),
            )
        )
    figure.update_xaxes(tickvals=[0, 1], ticktext=[label(whole.title), label(part.title)], range=[-0.15, 1.15])
    figure.update_yaxes(title_text="mean")
    return figure


def _round(
    axes: Sequence[Axis], heads: Sequence[str], scale: tuple[float, float] | None, title: str = "", **size: int
) -> Figure:
    """A figure with one axis a skill, clockwise from the top; the hub is the scale's lowest score."""
    low, high = scale or span([row for axis in axes for row in axis.rows.values()])
    figure = blank(**size)  # type: ignore[arg-type]
    side = 20 + 7.5 * max((len(line) for head in heads for line in head.split("<br>")), default=0)
    figure.update_layout(
        title={"text": title, "font": {"size": 16}, "x": 0.02, "xanchor": "left", "y": 0.98, "yanchor": "top"},
        margin={"l": side, "r": side, "t": 112 if title else 84, "b": 70},
        legend={"x": 1 + side / (0.55 * size["width"]), "y": 1},
        polar={
            "bgcolor": "rgba(0,0,0,0)",
            "angularaxis": {
                "tickvals": angles(len(axes)), "ticktext": list(heads), "direction": "clockwise", "rotation": 90, "gridwidth": 0.7,
                "gridcolor": LINE, "linecolor": LINE,
            },
            "radialaxis": {
                "range": [low, max(high, low + 1e-9)], "angle": 90, "tickangle": 90, "gridcolor": LINE, "gridwidth": 0.7, "showline": False,
                "nticks": 6, "tickfont": {"size": 10, "color": QUIET},
            },
        },
    )  # fmt: skip
    return figure


def _bands(rows: Sequence[Row | None]) -> list[tuple[list[float], list[float], list[float]]]:
    """Angles, lower and upper ends of each run of neighbouring axes with an interval; a full circle is closed."""
    count, turns = len(rows), angles(len(rows))
    has = [row is not None and row.low is not None and row.high is not None for row in rows]
    if all(has):
        runs = [[*range(count), 0]]
    else:
        gap = has.index(False)
        runs = [[]]
        for k in (place % count for place in range(gap + 1, gap + count + 1)):
            if has[k]:
                runs[-1].append(k)
            else:
                runs.append([])
    return [
        (
            [turns[k] for k in run],
            [row.low for k in run if (row := rows[k]) and row.low is not None],
            [row.high for k in run if (row := rows[k]) and row.high is not None],
        )
        for run in runs
        if run
    ]


def _cell(row: Row | None) -> str:
    if row is None or row.mean is None:
        return ""
    return f"({number(row.mean)})" if row.n < FEW else number(row.mean)
