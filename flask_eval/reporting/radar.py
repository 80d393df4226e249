"""The geometry of radars: numbers in, points and paths out; what is not scored leaves a gap, never a zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 368
CENTRE = (210, 186)
_RADIUS, _HUB, _LABEL, _RING = 116.0, 15.0, 17.0, 6.0
LINE = 13
LEAST, MOST = 3, 20
"""With fewer or more skills no radar is drawn: it would show nothing, or its labels would collide."""

Mark = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """One skill: where its label stands."""

    title: str
    lines: tuple[str, ...]
    group: int
    x: str
    y: str
    """The baseline of the first line."""
    below: str
    """The baseline of the line below the last: what a model has on this axis."""
    anchor: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What all radars of a rater share: axes in fixed order, rings at the scale's steps, arcs of the groups."""

    axes: tuple[Axis, ...]
    spokes: str
    rings: tuple[tuple[str, str, str], ...]
    """Radius, label, baseline of the label."""
    arcs: tuple[tuple[int, str], ...]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """A mean on its axis."""

    x: str
    y: str
    group: int
    few: bool
    axis: int


@dataclass(frozen=True, slots=True)
class Shape:
    """One model on a frame."""

    outline: str
    band: str
    points: tuple[Point, ...]


def frame(titles: Sequence[str], groups: Sequence[int], low: float, high: float) -> Frame:
    """Axes clockwise from the top; the hub is the scale's lowest score, the rim its highest."""
    count, low, high = len(titles), float(low), float(high)
    ends = [_at(k, count, _RADIUS) for k in range(count)]
    hubs = [_at(k, count, _HUB) for k in range(count)]
    spokes = "".join(f"M{_pair(a)}L{_pair(b)}" for a, b in zip(hubs, ends, strict=True))
    rings = []
    for value in _steps(low, high):
        radius = _radius(value, low, high)
        rings.append((_short(radius), f"{value:g}", _short(CENTRE[1] - radius + 3)))
    axes = tuple(_axis(title, groups[k], k, count) for k, title in enumerate(titles))
    return Frame(axes, spokes, tuple(rings), tuple(_arcs(groups)), low, high)


def shape(
    made: Frame,
    means: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    few: Sequence[bool],
) -> Shape:
    """A model's outline, interval band and points; each broken where a number is missing."""
    own = _marks(made, means)
    lows = _marks(made, [None if pair is None else pair[0] for pair in intervals])
    highs = _marks(made, [None if pair is None else pair[1] for pair in intervals])
    points = [
        Point(_short(mark[0]), _short(mark[1]), made.axes[k].group, few[k], k)
        for k, mark in enumerate(own)
        if mark is not None
    ]
    return Shape(_line(own), _band(lows, highs), tuple(points))


def outline(made: Frame, values: Sequence[float | None]) -> str:
    """A line through one value an axis, such as the field's median."""
    return _line(_marks(made, values))


def _marks(made: Frame, values: Sequence[float | None]) -> list[Mark | None]:
    count = len(made.axes)
    return [None if v is None else _at(k, count, _radius(v, made.low, made.high)) for k, v in enumerate(values)]


def _at(position: float, count: int, radius: float) -> Mark:
    angle = 2 * math.pi * position / count
    return CENTRE[0] + radius * math.sin(angle), CENTRE[1] - radius * math.cos(angle)


def _radius(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low)
    return _HUB + min(max(share, 0.0), 1.0) * (_RADIUS - _HUB)


def _steps(low: float, high: float) -> list[float]:
    span = high - low
    if span.is_integer() and low.is_integer() and 3 <= span <= 10:
        return [low + k for k in range(int(span) + 1)]
    return [low + span * k / 4 for k in range(5)]


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _pair(mark: Mark) -> str:
    return f"{_short(mark[0])} {_short(mark[1])}"


def _runs(marks: Sequence[Mark | None]) -> list[list[int]]:
    """Neighbouring axes that all have a mark, around the circle; one run of all where none is missing."""
    count = len(marks)
    gaps = [k for k in range(count) if marks[k] is None]
    if not gaps:
        return [list(range(count))]
    runs: list[list[int]] = [[]]
    for k in range(gaps[0] + 1, gaps[0] + count + 1):
        if marks[k % count] is None:
            runs.append([])
        else:
            runs[-1].append(k % count)
    return [run for run in runs if run]


def _line(marks: Sequence[Mark | None]) -> str:
    parts = []
    for run in _runs(marks):
        corners = [mark for k in run if (mark := marks[k]) is not None]
        if len(corners) > 1:
            parts.append("M" + "L".join(map(_pair, corners)) + ("Z" if len(run) == len(marks) else ""))
    return "".join(parts)


def _band(lows: Sequence[Mark | None], highs: Sequence[Mark | None]) -> str:
    """The area between both ends; a ring where no axis is missing. A single axis is a stroke along itself."""
    parts = []
    for run in _runs(lows):
        inner = [mark for k in run if (mark := lows[k]) is not None]
        outer = [mark for k in run if (mark := highs[k]) is not None]
        if len(run) == len(lows):
            parts += ["M" + "L".join(map(_pair, side)) + "Z" for side in (outer, inner)]
        elif inner:
            parts.append("M" + "L".join(map(_pair, [*outer, *reversed(inner)])) + "Z")
    return "".join(parts)


def _axis(title: str, group: int, position: int, count: int) -> Axis:
    angle = 2 * math.pi * position / count
    x, y = _at(position, count, _RADIUS + _LABEL)
    lines = _wrapped(title)
    top = y - LINE * (len(lines) + 1) * (1 + math.cos(angle)) / 2
    side = math.sin(angle)
    anchor = "a" if abs(side) < 0.2 else "b" if side > 0 else "e"
    first = top + 0.8 * LINE
    return Axis(title, lines, group, _short(x), _short(first), _short(first + LINE * len(lines)), anchor)


def _wrapped(title: str, width: int = 15) -> tuple[str, ...]:
    """A title in one or two lines, each cut at `width` characters."""
    words = title.split()
    if len(title) <= 12 or len(words) < 2:
        lines = [title]
    else:
        cuts = range(1, len(words))
        best = min(cuts, key=lambda k: max(len(" ".join(words[:k])), len(" ".join(words[k:]))))
        lines = [" ".join(words[:best]), " ".join(words[best:])]
    return tuple(line if len(line) <= width else line[: width - 1] + "\u2026" for line in lines)


def _arcs(groups: Sequence[int]) -> list[tuple[int, str]]:
    """One arc for each run of neighbouring axes of a group, just outside the rim."""
    count = len(groups)
    starts = [k for k in range(count) if groups[k] != groups[k - 1]] or [0]
    radius = _short(_RADIUS + _RING)
    made = []
    for start, end in zip(starts, [*starts[1:], starts[0] + count], strict=True):
        first, last = (_at(k, count, _RADIUS + _RING) for k in (start - 0.42, end - 0.58))
        large = int((end - start - 0.16) / count > 0.5)
        made.append((groups[start], f"M{_pair(first)}A{radius} {radius} 0 {large} 1 {_pair(last)}"))
    return made
