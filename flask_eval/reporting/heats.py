"""Heat maps: the field's mean by skill and domain (or difficulty) as a table, and each model against it in small."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_eval.analysis.slices import SliceRow
from flask_eval.analysis.text import number, shown
from flask_eval.reporting.plots import stride
from flask_eval.reporting.tables import SkillHead
from flask_eval.reporting.text import FEW, Name, name

MOST_MAPS = 30
"""Of more models no small maps are drawn."""
SHADES = 8
"""Steps of the field's shading, light to dark."""
SIDE = 3
"""Steps of a model's difference on each side of the field."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A cell of the field's table."""

    text: str
    shade: int
    """0 (lightest) to SHADES; -1: nothing."""
    sparse: bool
    title: str = ""


@dataclass(frozen=True, slots=True)
class Map:
    """One model: a path of cells for each step of its difference, lowest first, and one of those that are not firm."""

    model: Name
    paths: tuple[tuple[str, str], ...]
    """Class and path."""
    words: str


@dataclass(frozen=True, slots=True)
class Heat:
    """Skills down, the values of a dimension across."""

    dimension: str
    heading: str
    caption: str
    columns: tuple[Name, ...]
    rows: tuple[tuple[Name, tuple[HeatCell, ...]], ...]
    maps: tuple[Map, ...]
    map_words: str
    legend: tuple[tuple[str, str], ...]
    """Class and what it stands for."""
    size: tuple[int, int]


def heat(rows: Sequence[SliceRow], dimension: str, skills: Sequence[SkillHead]) -> Heat | None:
    """The heat map of one rater.

    The field's mean is the mean of the models' means in a cell; a cell is firm where every model that has it has enough instances.

    Args:
        rows: by skill and the dimension.
        dimension: `domain` or `difficulty`.
        skills: in the order of the rows.

    Returns:
        None where there are fewer than two values of the dimension, or no means.
    """
    found: dict[tuple[str, str], dict[str, SliceRow]] = defaultdict(dict)
    for row in rows:
        if row.skill is not None and row.mean is not None:
            found[row.skill, shown(row.by[dimension])][row.model] = row
    values = [v for v in dict.fromkeys(shown(row.by[dimension]) for row in rows) if v != "none"]
    columns = [v for v in values if any((one.skill, v) in found for one in skills)]
    if len(columns) < 2:
        return None
    models = list(dict.fromkeys(row.model for row in rows if row.mean is not None))
    means = [mean for cell in found.values() if not _sparse(cell) and (mean := _field(cell)) is not None]
    low, high = (min(means), max(means)) if means else (0.0, 0.0)
    body = tuple((one.title, tuple(_cell(found.get((one.skill, v), {}), low, high) for v in columns)) for one in skills)
    maps, words, legend = _maps(found, skills, columns, models)
    what = "the models' mean" if len(models) > 1 else "mean"
    return Heat(
        dimension=dimension,
        heading=f"By skill and {dimension.replace('_', ' ')}",
        caption=f"Shaded by {what}, from the lowest to the highest of this table. n: instances. Grey: fewer than {FEW} instances, too "
        "few to be firm.",
        columns=tuple(name(v, 24) for v in columns),
        rows=body,
        maps=maps,
        map_words=words,
        legend=legend,
        size=(len(columns), len(skills)),
    )


def _field(found: Mapping[str, SliceRow]) -> float | None:
    """The mean of the models' means."""
    means = [row.mean for row in found.values() if row.mean is not None]
    return statistics.fmean(means) if means else None


def _cell(found: Mapping[str, SliceRow], low: float, high: float) -> HeatCell:
    mean = _field(found)
    if mean is None:
        return HeatCell("", -1, sparse=False)
    n = max(row.n for row in found.values())
    share = (mean - low) / (high - low) if high > low else 0.0
    return HeatCell(number(mean), round(min(max(share, 0.0), 1.0) * SHADES), _sparse(found), f"n {n:,}")


def _sparse(found: Mapping[str, SliceRow]) -> bool:
    return any(row.sparse for row in found.values())


def _maps(
    found: Mapping[tuple[str, str], Mapping[str, SliceRow]],
    skills: Sequence[SkillHead],
    columns: Sequence[str],
    models: Sequence[str],
) -> tuple[tuple[Map, ...], str, tuple[tuple[str, str], ...]]:
    if not 2 <= len(models) <= MOST_MAPS:
        return (), "", ()
    apart: dict[str, dict[tuple[int, int], tuple[float, bool]]] = {model: {} for model in models}
    for y, one in enumerate(skills):
        for x, value in enumerate(columns):
            cell = found.get((one.skill, value), {})
            means = [row.mean for row in cell.values() if row.mean is not None]
            if len(means) < 2:
                continue
            middle = statistics.median(means)
            for model, row in cell.items():
                apart[model][x, y] = ((row.mean or 0.0) - middle, row.sparse)
    firm = sorted(abs(far) for cells in apart.values() for far, sparse in cells.values() if not sparse)
    if not firm or firm[-1] == 0:
        return (), "", ()
    step = float(f"{stride(max(firm[int(0.95 * (len(firm) - 1))], firm[-1] / 10), SIDE):.6g}")
    made = tuple(
        Map(name(model), _paths(apart[model], step), _described(apart[model], skills, columns)) for model in models
    )
    words = (
        f"Each model against the median of the models, cell by cell; rows and columns as in the table above. Left white: less than {step / 2:g} "
        "away, or not rated. A small mark: too few instances. Single cells rest on few instances, so look for rows and columns, not for cells."
    )
    return made, words, _legend(step)


def _step_of(far: float, step: float) -> int:
    return max(-SIDE, min(SIDE, round(far / step)))


def _class(place: int) -> str:
    return f"{'u' if place > 0 else 'd'}{abs(place)}"


def _paths(cells: Mapping[tuple[int, int], tuple[float, bool]], step: float) -> tuple[tuple[str, str], ...]:
    made: dict[str, list[str]] = defaultdict(list)
    for (x, y), (far, sparse) in cells.items():
        place = _step_of(far, step)
        if place:  # a dot with square ends, as wide as the sheet says
            side = "u" if place > 0 else "d"
            made[f"{side}o" if sparse else _class(place)].append(f"M{x} {y}h0")
    return tuple((key, "".join(parts)) for key, parts in sorted(made.items()))


def _legend(step: float) -> tuple[tuple[str, str], ...]:
    made = []
    for place in range(-SIDE, SIDE + 1):
        if place:
            text = f"{place * step:+.3g}".replace("-", "\u2212")
            made.append(
                (_class(place), f"{text} and {'less' if place < 0 else 'more'}" if abs(place) == SIDE else text)
            )
    return tuple(made)


def _described(
    cells: Mapping[tuple[int, int], tuple[float, bool]], skills: Sequence[SkillHead], columns: Sequence[str]
) -> str:
    """A map in a sentence, for those who do not see it."""
    firm: dict[tuple[int, int], float] = {place: far for place, (far, sparse) in cells.items() if not sparse}
    if not firm:
        return "No cell has enough instances."
    high, low = max(firm, key=lambda place: firm[place]), min(firm, key=lambda place: firm[place])
    highest, lowest = (f"{skills[y].title.text}, {name(columns[x], 24).text}" for x, y in (high, low))
    return f"Highest: {highest}; lowest: {lowest}"
