"""What plotly figures share: rows and axes, looks, labels, an empty figure, several side by side.

Names come from data, and plotly reads tags, entities and formulas in labels: every text passes `label`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from flask_eval.analysis.text import number
from flask_eval.reporting.plots import stride
from flask_eval.reporting.text import FEW, ends, name

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours: told apart by colour-blind people too; dashes and symbols help further."""

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")
INK, QUIET, LINE = "#1b1f24", "#59636e", "#d5d9de"
FONT = "Liberation Sans, Arial, Helvetica, DejaVu Sans, sans-serif"


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


def blank(title: str = "", *, width: int | None = None, height: int | None = None) -> Figure:
    """A figure without marks: white, quiet lines, one font."""
    from plotly.graph_objects import Figure

    axis = {"gridcolor": LINE, "gridwidth": 0.7, "linecolor": LINE, "zeroline": False, "automargin": True, "ticks": ""}
    return Figure(
        layout={
            "template": "none", "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "width": width, "height": height,
            "font": {"family": FONT, "size": 13, "color": INK}, "xaxis": axis, "yaxis": axis,
            "title": {"text": label(title, 80), "font": {"size": 16}, "x": 0.02, "xanchor": "left"} if title else None,
            "margin": {"l": 20, "r": 20, "t": 60 if title else 24, "b": 54}, "hoverlabel": {"align": "left"},
            "legend": {"tracegroupgap": 0, "font": {"size": 12}, "itemclick": "toggle", "itemdoubleclick": "toggleothers"},
        }
    )  # fmt: skip


def beside(parts: Sequence[tuple[str, Figure]]) -> Figure:
    """Figures of one kind and of the same models next to each other, each under its title; one alone stays as it is.

    Args:
        parts: title and figure, at least one.
    """
    if len(parts) == 1:
        return parts[0][1]
    widths = [part.layout.width or 520 for _, part in parts]
    total, left = sum(widths), 0.0
    figure = blank(width=total, height=max((part.layout.height or 0 for _, part in parts), default=0) + 40 or None)
    for place, ((title, part), width) in enumerate(zip(parts, widths, strict=True)):
        key = "" if place == 0 else str(place + 1)
        drawn = part.to_plotly_json()
        start = left + _gutter(drawn["layout"]) / total
        left += width / total
        span = [start, max(left - 30 / total, start + 0.01)]
        for trace in drawn["data"]:
            trace.setdefault("showlegend", True)
            trace["showlegend"] = trace["showlegend"] and place == 0
            figure.add_trace(trace | _where(trace["type"], key))
        if drawn["data"] and drawn["data"][0]["type"] == "scatterpolar":
            figure.layout[f"polar{key}"] = drawn["layout"]["polar"] | {"domain": {"x": span}}
        else:
            figure.layout[f"xaxis{key}"] = drawn["layout"]["xaxis"] | {"domain": span, "anchor": f"y{key}"}
            figure.layout[f"yaxis{key}"] = drawn["layout"]["yaxis"] | {"anchor": f"x{key}"}
        figure.add_annotation(
            text=label(title, 60), xref="paper", yref="paper", x=sum(span) / 2, y=1, yshift=44, showarrow=False,
            font={"size": 15}, yanchor="top",
        )  # fmt: skip
    figure.update_layout(margin={"t": 84})
    return figure


def _where(kind: str, key: str) -> dict[str, Any]:
    """The axes that a trace of a panel is drawn on; a heat map's numbers stand in its cells, so it needs no bar of colours."""
    if kind == "scatterpolar":
        return {"subplot": f"polar{key}"}
    return {"xaxis": f"x{key}", "yaxis": f"y{key}"} | ({"showscale": False} if kind == "heatmap" else {})


def _gutter(layout: Mapping[str, Any]) -> float:
    """Room for the labels left of a panel, in pixels."""
    if "polar" in layout:
        return 90
    return 24 + 7 * max(map(len, layout.get("yaxis", {}).get("ticktext", ())), default=3)


def bars(rows: Sequence[Row]) -> dict[str, Any]:
    """Error bars to both ends of the interval; none where there is no interval."""
    high = [0 if r.high is None or r.mean is None else r.high - r.mean for r in rows]
    low = [0 if r.low is None or r.mean is None else r.mean - r.low for r in rows]
    return {"type": "data", "symmetric": False, "array": high, "arrayminus": low, "thickness": 1.2, "width": 0}


def span(rows: Sequence[Row]) -> tuple[float, float]:
    """Round numbers about all means and intervals, where no scale is known: no end of it means best or worst."""
    found = [end for row in rows for end in (row.mean, row.low, row.high) if end is not None]
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    step = stride((high - low) or abs(high) or 1.0, 5)
    ends = math.floor(low / step) * step, math.ceil(high / step) * step
    return ends if ends[1] > ends[0] else (ends[0], ends[0] + step)


def wrapped(title: str) -> str:
    """A label of a radar in two lines where it is long."""
    words = name(title).text.replace("_", "_\n").replace(" ", " \n").split("\n")
    lines, length = [""], sum(map(len, words))
    for word in words:
        if lines[-1] and len(lines) == 1 and length > 13 and len(lines[0]) + len(word) / 2 > length / 2:
            lines.append("")
        lines[-1] += word
    return "<br>".join(label(line.rstrip()) for line in lines)


def angles(count: int) -> list[float]:
    """Degrees of each axis, clockwise from the top."""
    return [360 * k / count for k in range(count)]


def closed(values: list[Any]) -> list[Any]:
    """The first value once more at the end, so that an outline closes."""
    return [*values, *values[:1]]


def padded(scale: tuple[float, float] | None) -> list[float] | None:
    """The scale with some room at both ends, so that marks on them are whole."""
    if scale is None:
        return None
    pad = 0.03 * (scale[1] - scale[0])
    return [scale[0] - pad, scale[1] + pad]


def mark(row: Row | None, symbol: str) -> str:
    """Hollow where fewer than ten instances are behind a mean."""
    return f"{symbol}-open" if row is not None and row.n < FEW else symbol


def symbols(look: Look, rows: Sequence[Row | None]) -> list[str]:
    """A model's symbol on each axis."""
    return [mark(row, look.symbol) for row in rows]


def hover(title: str, model: str, row: Row | None) -> str:
    """What a mark says when it is pointed at."""
    if row is None or row.mean is None:
        return f"{label(model)}<br>{label(title)}: no score"
    interval = ends(row.low, row.high)
    return f"{label(model)}<br>{label(title)}: {number(row.mean)}{f' ({interval})' if interval else ''}, n {row.n:,}"


def told(model: str, look: Look, found: Sequence[tuple[Axis, Row | None]], *, around: bool = False) -> dict[str, Any]:
    """Name, legend and hover text of a model's trace."""
    said = [hover(axis.title, model, row) for axis, row in found]
    return {
        "name": label(model), "legendgroup": str(look.place), "meta": {"model": look.place},
        "customdata": closed(said) if around else said, "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip
