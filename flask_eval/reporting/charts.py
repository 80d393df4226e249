"""Plotly figures from rows of means: radar, dots with intervals, heat map, full set against slice.

Names come from data, and plotly reads tags, entities and formulas in labels: every text passes `label`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from flask_eval.analysis.text import number
from flask_eval.reporting.text import FEW, ends, name

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours: told apart by colour-blind people too; dashes and symbols help further."""

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")
_INK, _QUIET, _LINE = "#1b1f24", "#59636e", "#d5d9de"
FONT = "Liberation Sans, Arial, Helvetica, DejaVu Sans, sans-serif"
_SCALE = ((0.0, "#f3f7fb"), (0.5, "#7fb6dc"), (1.0, "#00466e"))
"""One hue from light to dark: its order survives colour-blindness and grey print."""


class Row(Protocol):
    """A mean with its interval, as slices, macro means and comparisons have it."""

    @property
    def model(self) -> str:
        """Whose mean it is."""
        ...

    @property
    def mean(self) -> float | None:
        """None where there is none."""
        ...

    @property
    def low(self) -> float | None:
        """The interval's lower end."""
        ...

    @property
    def high(self) -> float | None:
        """The interval's upper end."""
        ...

    @property
    def n(self) -> int:
        """Instances behind it."""
        ...


class Axis(NamedTuple):
    """A skill, a slice or a value of a dimension, as figures name it."""

    title: str
    rows: Mapping[str, Row]
    """By model."""


class Look(NamedTuple):
    """How a model is drawn, the same in each figure."""

    place: int
    colour: str
    dash: str
    symbol: str


def label(text: str, limit: int = 40) -> str:
    """A text from data as plotly shows it literally: no tag, no entity, no formula, no hidden character."""
    made = name(text, limit).text
    return made.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")


def looks(models: Sequence[str]) -> dict[str, Look]:
    """A colour, dash and symbol for each model."""
    kinds = zip(cycle(COLOURS), cycle(_DASHES), cycle(_SYMBOLS), strict=False)
    return {
        model: Look(place, *kind)
        for place, (model, kind) in enumerate(zip(models, islice(kinds, len(models)), strict=True))
    }


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
                marker={"color": look.colour, "symbol": _symbols(look, [row for _, _, row in found]), "size": 8},
                **_told(model, look, [(axis, row) for _, axis, row in found]),
            )
        )
    figure.update_yaxes(
        tickvals=list(range(len(axes))), ticktext=[label(axis.title) for axis in axes], range=[len(axes) - 0.5, -0.5]
    )
    figure.update_xaxes(range=_padded(scale), title_text="mean")
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
            marker={"color": _INK, "symbol": ["circle-open" if row.n < FEW else "circle" for row in order], "size": 9},
            showlegend=False,
        )
    )
    named = [f"{label(row.model)}  (n {row.n:,})" for row in order]
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=named, range=[max(len(order), 1) - 0.5, -0.5])
    figure.update_xaxes(range=_padded(scale), title_text="mean and interval")
    return figure


def radar(axes: Sequence[Axis], models: Sequence[str], scale: tuple[float, float] | None = None) -> Figure:
    """All models over each other, an axis a skill, in the given order; the area between them means nothing."""
    from plotly.graph_objects import Scatterpolar

    figure = _round(axes, [label(axis.title) for axis in axes], scale, width=760, height=620)
    for model, look in looks(models).items():
        rows = [axis.rows.get(model) for axis in axes]
        figure.add_trace(
            Scatterpolar(
                r=_closed([None if row is None else row.mean for row in rows]),
                theta=_closed(_angles(len(axes))),
                mode="lines+markers",
                connectgaps=False,
                line={"color": look.colour, "dash": look.dash, "width": 2},
                marker={"color": look.colour, "symbol": _closed(_symbols(look, rows)), "size": 7},
                **_told(model, look, [(axis, row) for axis, row in zip(axes, rows, strict=True)], closed=True),
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
    heads = [f"{label(axis.title)}<br><i>{count}</i>" for axis, count in zip(axes, counts, strict=True)]
    figure = _round(axes, heads, scale, label(model), width=620, height=560)
    for angles, low, high in _bands(rows):
        figure.add_trace(
            Scatterpolar(
                r=[*high, *reversed(low)], theta=[*angles, *reversed(angles)], mode="lines", fill="toself",
                fillcolor="rgba(0,114,178,0.2)", line={"width": 0.8, "color": "rgba(0,114,178,0.35)"}, showlegend=False,
            )
        )  # fmt: skip
    lines = (
        ("median of all models", median, _QUIET, "dash"),
        (label(model), [r and r.mean for r in rows], _INK, "solid"),
    )
    for said, values, colour, dash in lines:
        own = dash == "solid"
        figure.add_trace(
            Scatterpolar(
                r=_closed(list(values)), theta=_closed(_angles(len(axes))), connectgaps=False, name=said,
                mode="lines+markers" if own else "lines", line={"color": colour, "dash": dash, "width": 2 if own else 1.5},
                marker={"color": colour, "size": 7, "symbol": _closed([_mark(row, "circle") for row in rows])},
            )
        )  # fmt: skip
    figure.update_layout(legend={"orientation": "h", "y": -0.12})
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
            customdata=[[_hover(axis.title, model, row) for model, row in zip(models, line, strict=True)]
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
                x=[k + 0.004 * (look.place - len(models) / 2) for k, _, _ in found],
                y=[row.mean for row in rows],
                error_y=bars(rows),
                mode="lines+markers",
                line={"color": look.colour, "dash": look.dash, "width": 2},
                marker={"color": look.colour, "symbol": _symbols(look, rows), "size": 8},
                **_told(model, look, [(axis, row) for _, axis, row in found]),
            )
        )
    figure.update_xaxes(tickvals=[0, 1], ticktext=[label(whole.title), label(part.title)], range=[-0.15, 1.15])
    figure.update_yaxes(title_text="mean")
    return figure


def blank(title: str = "", *, width: int | None = None, height: int | None = None) -> Figure:
    """A figure without marks: white, quiet lines, one font."""
    from plotly.graph_objects import Figure

    axis = {"gridcolor": _LINE, "linecolor": _LINE, "zeroline": False, "automargin": True, "ticks": ""}
    return Figure(
        layout={
            "template": "none", "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "width": width, "height": height,
            "font": {"family": FONT, "size": 13, "color": _INK}, "xaxis": axis, "yaxis": axis,
            "title": {"text": label(title, 80), "font": {"size": 16}, "x": 0.02, "xanchor": "left"} if title else None,
            "margin": {"l": 20, "r": 20, "t": 60 if title else 24, "b": 44}, "hoverlabel": {"align": "left"},
        }
    )  # fmt: skip


def bars(rows: Sequence[Row]) -> dict[str, Any]:
    """Error bars to both ends of the interval; none where there is no interval."""
    high = [0 if r.high is None or r.mean is None else r.high - r.mean for r in rows]
    low = [0 if r.low is None or r.mean is None else r.mean - r.low for r in rows]
    return {"type": "data", "symmetric": False, "array": high, "arrayminus": low, "thickness": 1.2, "width": 0}


def _round(
    axes: Sequence[Axis], heads: Sequence[str], scale: tuple[float, float] | None, title: str = "", **size: int
) -> Figure:
    """A figure with one axis a skill, clockwise from the top; the hub is the scale's lowest score."""
    found = [row.mean for axis in axes for row in axis.rows.values() if row.mean is not None]
    low, high = scale or ((math.floor(min(found)), math.ceil(max(found))) if found else (0.0, 1.0))
    figure = blank(**size)  # type: ignore[arg-type]
    figure.update_layout(
        title={"text": title, "font": {"size": 16}, "x": 0.02, "xanchor": "left"},
        margin={"l": 90, "r": 90, "t": 70, "b": 60},
        polar={
            "bgcolor": "rgba(0,0,0,0)",
            "angularaxis": {
                "tickvals": _angles(len(axes)), "ticktext": list(heads), "direction": "clockwise", "rotation": 90,
                "gridcolor": _LINE, "linecolor": _LINE,
            },
            "radialaxis": {
                "range": [low, max(high, low + 1e-9)], "angle": 90, "tickangle": 90, "gridcolor": _LINE, "showline": False,
                "nticks": 6, "tickfont": {"size": 10, "color": _QUIET},
            },
        },
    )  # fmt: skip
    return figure


def _angles(count: int) -> list[float]:
    return [360 * k / count for k in range(count)]


def _closed(values: list[Any]) -> list[Any]:
    """The first value once more at the end, so that an outline closes."""
    return [*values, *values[:1]]


def _bands(rows: Sequence[Row | None]) -> list[tuple[list[float], list[float], list[float]]]:
    """Angles, lower and upper ends of each run of neighbouring axes with an interval; a full circle is closed."""
    count, angles = len(rows), _angles(len(rows))
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
            [angles[k] for k in run],
            [row.low for k in run if (row := rows[k]) and row.low is not None],
            [row.high for k in run if (row := rows[k]) and row.high is not None],
        )
        for run in runs
        if run
    ]


def _padded(scale: tuple[float, float] | None) -> list[float] | None:
    if scale is None:
        return None
    pad = 0.03 * (scale[1] - scale[0])
    return [scale[0] - pad, scale[1] + pad]


def _mark(row: Row | None, symbol: str) -> str:
    """Hollow where fewer than ten instances are behind a mean."""
    return f"{symbol}-open" if row is not None and row.n < FEW else symbol


def _symbols(look: Look, rows: Sequence[Row | None]) -> list[str]:
    return [_mark(row, look.symbol) for row in rows]


def _cell(row: Row | None) -> str:
    if row is None or row.mean is None:
        return ""
    return f"({number(row.mean)})" if row.n < FEW else number(row.mean)


def _hover(title: str, model: str, row: Row | None) -> str:
    if row is None or row.mean is None:
        return f"{label(model)}<br>{label(title)}: no score"
    interval = ends(row.low, row.high)
    return f"{label(model)}<br>{label(title)}: {number(row.mean)}{f' ({interval})' if interval else ''}, n {row.n:,}"


def _told(model: str, look: Look, found: Sequence[tuple[Axis, Row | None]], *, closed: bool = False) -> dict[str, Any]:
    """Name, legend and hover text of a model's trace."""
    said = [_hover(axis.title, model, row) for axis, row in found]
    return {
        "name": label(model), "legendgroup": str(look.place), "meta": {"model": look.place},
        "customdata": _closed(said) if closed else said, "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip
