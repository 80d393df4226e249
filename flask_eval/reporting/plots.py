"""The geometry of the page's plots: dots with intervals, slopes, length against score. Numbers in, places and paths out.

A mean that is missing has no mark. All lengths are in units of the drawing; texts take about `CHARACTER` units a character.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flask_eval.analysis.text import number
from flask_eval.reporting.text import Name, name

CHARACTER = 5.9
"""Units of a character at 10.5 units of type size; names are cut by it."""
_LINE = 14
_NAME = 19
"""Characters of a model's name in a plot."""


class Mean(NamedTuple):
    """A model's mean with its interval."""

    model: str
    mean: float
    low: float | None
    high: float | None
    sparse: bool
    leads: bool
    """Whether no model is significantly better."""


class Label(NamedTuple):
    """A text and where it stands."""

    x: str
    y: str
    text: str
    leads: bool = False


class Tick(NamedTuple):
    """A place on an axis."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the number line that a drawing shows."""

    low: float
    high: float
    start: float
    end: float
    """Where `low` and `high` stand in the drawing."""

    def at(self, value: float) -> float:
        """The place of a value; outside ones stand at the end."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def short(value: float) -> str:
    """A coordinate: at most one decimal."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0", 1)
        if abs(value) < 0.05
        else f"{value:.1f}".removesuffix(".0")
    )


def around(values: Sequence[float], scale: tuple[float, float] | None) -> tuple[float, float]:
    """The ends of an axis that holds the values: steps of 1, 2 or 5, within the scale where it is known."""
    low, high = min(values), max(values)
    step = stride(max(high - low, 1e-9 * max(abs(high), 1.0)), 4)
    first, last = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if last - first < step / 2:
        first, last = first - step, last + step
    if scale is not None:
        first, last = max(first, scale[0]), min(last, scale[1])
    return (first, last) if last > first else (first, first + step)


def stride(span: float, count: int) -> float:
    """A step of 1, 2 or 5 times a power of ten, so that about `count` fit into the span."""
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return power * next(one for one in (1, 2, 5, 10) if one * power >= raw * (1 - 1e-9))


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values from `low` to `high`."""
    step = stride(high - low, count)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


# ---- dots ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Panel:
    """Models by their mean on one skill, highest first, each a dot on the line of its interval."""

    head: Name
    mark: int
    height: int
    labels: tuple[Label, ...]
    grid: str
    lines: str
    leaders: str
    others: str
    hollow: str
    """Dots of too few instances."""
    absent: str
    """Who has no mean, in words."""


@dataclass(frozen=True, slots=True)
class Panels:
    """Panels with one axis for all."""

    width: int
    right: int
    """Where the models' names end."""
    ticks: tuple[Tick, ...]
    panels: tuple[Panel, ...]
    words: str


_PANEL, _NAMES = 330, 122


def panels(
    found: Sequence[tuple[Name, int, Sequence[Mean], Sequence[str]]], scale: tuple[float, float] | None
) -> Panels | None:
    """One panel a skill: its title, group, means and the models without one. None where nothing can be drawn.

    The axis spans what is drawn, not the whole scale, so that intervals can be told apart; the words say so.
    """
    every = [
        end for _, _, means, _ in found for one in means for end in (one.mean, one.low, one.high) if end is not None
    ]
    if not every:
        return None
    low, high = around(every, scale)
    span = Span(low, high, _NAMES + 10.0, _PANEL - 10.0)
    cut = scale is not None and (low > scale[0] or high < scale[1])
    words = f"All axes go from {low:g} to {high:g}"
    words += f", a part of the scale {scale[0]:g}\u2013{scale[1]:g}." if cut and scale is not None else "."
    at = tuple(Tick(short(span.at(value)), f"{value:g}") for value in _labelled(ticks(low, high)))
    made = tuple(_panel(head, mark, means, absent, span, at) for head, mark, means, absent in found)
    return Panels(_PANEL, _NAMES, at, made, words)


def _panel(
    head: Name, mark: int, means: Sequence[Mean], absent: Sequence[str], span: Span, at: Sequence[Tick]
) -> Panel:
    order = sorted(means, key=lambda one: (-one.mean, one.model))
    bottom = _LINE * len(order) + 4
    lines, groups = [], {"leaders": [], "others": [], "hollow": []}  # type: ignore[var-annotated]
    for place, one in enumerate(order):
        y = short(place * _LINE + 9)
        if one.low is not None and one.high is not None:
            lines.append(f"M{short(span.at(one.low))} {y}H{short(span.at(one.high))}")
        kind = "hollow" if one.sparse else "leaders" if one.leads else "others"
        groups[kind].append(f"M{short(span.at(one.mean))} {y}h0")
    return Panel(
        head=head,
        mark=mark,
        height=bottom + 16,
        labels=tuple(
            Label("", short(place * _LINE + 13), name(one.model, _NAME).text, one.leads)
            for place, one in enumerate(order)
        ),
        grid="".join(f"M{tick.at} 0V{bottom}" for tick in at),
        lines="".join(lines),
        leaders="".join(groups["leaders"]),
        others="".join(groups["others"]),
        hollow="".join(groups["hollow"]),
        absent=", ".join(name(model, 28).text for model in absent),
    )


def _labelled(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.12g}") for value in values]


# ---- slopes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slopes:
    """A line a model, from its mean on all instances to that on a slice."""

    heads: tuple[Name, Name]
    width: int
    height: int
    sides: tuple[str, str]
    lines: str
    leaders: str
    ends: str
    """Intervals at both ends."""
    hints: str
    """From labels that had to move to their points."""
    labels: tuple[tuple[Label, ...], tuple[Label, ...]]


_BETWEEN = 190.0
"""Units between both sides of the slope plot."""
_INTERVALS = 4
"""Of so many models at most the slope plot shows intervals; of more they would cover each other."""


def slopes(heads: tuple[Name, Name], pairs: Sequence[tuple[Mean, Mean]]) -> Slopes | None:
    """The slope plot of models that have both means; None where none has."""
    if not pairs:
        return None
    intervals = len(pairs) <= _INTERVALS
    ends = [
        v
        for pair in pairs
        for one in pair
        for v in ((one.mean, one.low, one.high) if intervals else (one.mean,))
        if v is not None
    ]
    low, high = around(ends, None)
    height = max(240, _LINE * len(pairs) + 60)
    span = Span(low, high, height - 14.0, 26.0)
    longest = max(len(name(left.model, _NAME).text) for left, _ in pairs) + 6
    margin = max(CHARACTER * longest + 24, CHARACTER * len(heads[1].text) + 8)
    sides = (margin, margin + _BETWEEN)
    lines: list[str] = []
    leaders: list[str] = []
    whiskers: list[str] = []
    hints: list[str] = []
    for left, right in pairs:
        path = f"M{short(sides[0])} {short(span.at(left.mean))}L{short(sides[1])} {short(span.at(right.mean))}"
        (leaders if left.leads else lines).append(path)
        for x, one in zip(sides, (left, right), strict=True):
            if intervals and one.low is not None and one.high is not None:
                whiskers.append(f"M{short(x)} {short(span.at(one.low))}V{short(span.at(one.high))}")
    labels = []
    for side, x in enumerate(sides):
        column = sorted((pair[side] for pair in pairs), key=lambda one: (-one.mean, one.model))
        wanted = [span.at(one.mean) for one in column]
        placed = apart(wanted, _LINE - 1, 22.0, height - 8.0)
        outward = -1 if side == 0 else 1
        made = []
        for one, at, y in zip(column, wanted, placed, strict=True):
            said = name(one.model, _NAME).text
            text = f"{said}  {number(one.mean)}" if side == 0 else f"{number(one.mean)}  {said}"
            made.append(Label(short(x + outward * 22), short(y + 3.5), text, one.leads))
            hints.append(f"M{short(x + outward * 4)} {short(at)}L{short(x + outward * 18)} {short(y)}")
        labels.append(tuple(made))
    return Slopes(
        heads=heads,
        width=round(2 * margin + _BETWEEN),
        height=height,
        sides=(short(sides[0]), short(sides[1])),
        lines="".join(lines),
        leaders="".join(leaders),
        ends="".join(whiskers),
        hints="".join(hints),
        labels=(labels[0], labels[1]),
    )


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as possible to the wanted ones (ascending), at least `gap` apart, within the ends where they fit.

    Neighbours that collide are moved as one block around the mean of what they want.
    """
    blocks: list[list[float]] = []  # start, count, sum of (wanted - offset)
    for value in wanted:
        blocks.append([value, 1, value])
        while True:
            last = blocks[-1]
            last[0] = min(max(last[2] / last[1], low), max(low, high - gap * (last[1] - 1)))
            if len(blocks) < 2 or blocks[-2][0] + gap * blocks[-2][1] <= last[0] + 1e-9:
                break
            _, count, total = blocks.pop()
            before = blocks[-1]
            before[2] += total - gap * before[1] * count
            before[1] += count
    return [start + gap * k for start, count, _ in blocks for k in range(int(count))]


# ---- length against score -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scatter:
    """Models by the length of their responses and by their mean."""

    width: int
    height: int
    labels: tuple[Label, ...]
    """Those that found room."""
    points: str
    leaders: str
    hollow: str
    lines: str
    grid: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    unlabelled: int


_SCATTER = (560, 330)
_FRAME = (44.0, 12.0, 548.0, 292.0)
"""Left, top, right, bottom of the plotting area."""


def scatter(found: Sequence[tuple[Mean, float]]) -> Scatter | None:
    """Means against characters (a logarithmic axis); None with fewer than two models."""
    shown = [(one, size) for one, size in found if size > 0]
    if len(shown) < 2:
        return None
    left, top, right, bottom = _FRAME
    logs = [math.log10(size) for _, size in shown]
    pad = max(0.06 * (max(logs) - min(logs)), 0.02)
    across = Span(min(logs) - pad, max(logs) + pad, left, right)
    low, high = around([v for one, _ in shown for v in (one.mean, one.low, one.high) if v is not None], None)
    up = Span(low, high, bottom, top)
    places = [(across.at(math.log10(size)), up.at(one.mean)) for one, size in shown]
    groups: dict[str, list[str]] = {"leaders": [], "points": [], "hollow": []}
    lines = []
    for (one, _), (x, y) in zip(shown, places, strict=True):
        groups["hollow" if one.sparse else "leaders" if one.leads else "points"].append(f"M{short(x)} {short(y)}h0")
        if one.low is not None and one.high is not None:
            lines.append(f"M{short(x)} {short(up.at(one.low))}V{short(up.at(one.high))}")
    labels = tuple(_labels([one for one, _ in shown], places))
    x_ticks = tuple(Tick(short(across.at(math.log10(v))), f"{v:,}") for v in _round_sizes(across))
    y_ticks = tuple(Tick(short(up.at(v)), f"{v:g}") for v in _labelled(ticks(low, high)))
    grid = "".join(f"M{short(left)} {tick.at}H{short(right)}" for tick in y_ticks)
    return Scatter(
        *_SCATTER,
        labels=labels,
        points="".join(groups["points"]),
        leaders="".join(groups["leaders"]),
        hollow="".join(groups["hollow"]),
        lines="".join(lines),
        grid=grid,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        unlabelled=len(shown) - len(labels),
    )


def _round_sizes(across: Span) -> list[int]:
    """1, 2 and 5 times powers of ten within the axis, thinned to those that have room."""
    low, high = 10**across.low, 10**across.high
    values = [
        lead * 10**power
        for power in range(max(math.floor(across.low), 0), math.ceil(across.high) + 1)
        for lead in (1, 2, 5)
        if low <= lead * 10**power <= high
    ]
    kept: list[int] = []
    for value in values:
        if not kept or across.at(math.log10(value)) - across.at(math.log10(kept[-1])) > 44:
            kept.append(value)
    return kept


def _labels(means: Sequence[Mean], places: Sequence[tuple[float, float]]) -> Iterator[Label]:
    """Names beside their points where they cover no other name and no point; leaders choose first."""
    left, top, right, bottom = _FRAME
    taken: list[tuple[float, float, float, float]] = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    order = sorted(range(len(means)), key=lambda k: (not means[k].leads, -means[k].mean, means[k].model))
    for k in order:
        (x, y), text = places[k], name(means[k].model, _NAME).text
        width = CHARACTER * len(text)
        for dx, dy in (
            (7, 0),
            (-7 - width, 0),
            (-width / 2, -11),
            (-width / 2, 12),
            (6, -10),
            (6, 11),
            (-6 - width, -10),
            (-6 - width, 11),
        ):
            box = (x + dx, y + dy - 6, x + dx + width, y + dy + 6)
            inside = left <= box[0] and box[2] <= right + 8 and top - 8 <= box[1] and box[3] <= bottom
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield Label(short(box[0]), short(y + dy + 3.5), text, means[k].leads)
                break


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
