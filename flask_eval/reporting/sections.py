"""What the page says of one rater: answer, radars, tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from flask_eval.analysis.coding import Coded
from flask_eval.analysis.comparing import Comparison, compare
from flask_eval.analysis.dropping import DropRow
from flask_eval.analysis.lengths import LengthRow, length_rows
from flask_eval.analysis.macro import MacroRow, macro_means
from flask_eval.analysis.slices import SliceRow, SliceTable, slice_scores
from flask_eval.analysis.text import number, percent
from flask_eval.errors import UserError
from flask_eval.reporting import radar
from flask_eval.reporting.answer import Answer, answer
from flask_eval.reporting.certified import Mark, footnotes
from flask_eval.reporting.contest import contest_of, difference_tables, leaders_of
from flask_eval.reporting.heats import Heat, heat
from flask_eval.reporting.pictured import Leaders, Length, dots, length, slope
from flask_eval.reporting.plots import Panels, Slopes
from flask_eval.reporting.tables import SkillHead, Table, drop_table, matrix, missing_table, slice_table
from flask_eval.reporting.text import FEW, KIND, Name, counted, name
from flask_eval.schema import Slice

GROUPS = 6
"""So many groups have a colour and a shape of their own; further ones share the last."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Every number of the page."""

    scores: SliceTable
    """By skill, and pooled."""
    cuts: dict[str, SliceTable]
    """By domain and by difficulty, where they are known."""
    macro: dict[str, tuple[MacroRow, ...]]
    """By rater."""
    slices: tuple[tuple[Slice, SliceTable, tuple[DropRow, ...]], ...]
    comparison: Comparison
    """Models held against each other: over all skills, and by skill."""
    crosses: dict[str, SliceTable]
    """By skill and domain, and by skill and difficulty, where they are known; without intervals."""
    lengths: tuple[LengthRow, ...]
    """Length against score, where lengths are held."""


Notes = tuple[tuple[str, bool], ...]
"""Below each axis: `n 57` or `N/A`, and whether it is too few."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One model's radar with its words."""

    model: Name
    shape: radar.Shape
    notes: int
    """Which of the section's notes stand below its axes."""
    label: str
    description: str


@dataclass(frozen=True, slots=True)
class Legend:
    """A group's name, with the colour and shape of its number."""

    mark: int
    title: Name


@dataclass(frozen=True, slots=True)
class Section:
    """What one rater says."""

    anchor: str
    rater: Name
    kind: str
    is_metric: bool
    answer: Answer
    scale: str
    line: str
    """What the lines of the answer's table go along."""
    frame: radar.Frame | None
    pictures: tuple[Picture, ...]
    median: str
    """The median of the models, dashed on every radar."""
    notes: tuple[Notes, ...]
    """Those that occur; models that are rated alike share them."""
    no_radar: str
    legend: tuple[Legend, ...]
    certified: tuple[str, ...]
    """What a certificate says of the skills, with the reasons; empty without one."""
    matrix: Table
    differences: tuple[Table, ...]
    """Which differences are real; empty where nothing could be tested."""
    missing: Table | None
    """Means that rest on fewer ratings than planned."""
    dots: Panels | None
    """Models sorted by skill."""
    cuts: tuple[Table, ...]
    heats: tuple[Heat, ...]
    slices: tuple[tuple[Table, Slopes | None], ...]
    length: Length | None


@dataclass(frozen=True, slots=True)
class Setting:
    """How the page's numbers are made."""

    confidence: float
    resamples: int
    """0 for no intervals."""
    seed: int
    margin: float | None = None
    """Two models are called tied where their difference is shown to lie within it."""


def numbers(data: Coded, raters: Sequence[str], slices: Sequence[Slice], setting: Setting) -> Numbers:
    """All numbers of the page; only `raters` are tested, so that others do not weigh on the correction."""
    confidence, resamples, seed = setting.confidence, setting.resamples, setting.seed
    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples}
    cuts, crosses = {}, {}
    for dimension in ("domain", "difficulty"):
        try:
            cuts[dimension] = slice_scores(data, by=[dimension], seed=seed, **options)
        except UserError:  # the instances do not say; the page has no such table then
            continue
        crosses[dimension] = _crossed(data, ("skill", dimension), seed=seed, confidence=confidence)
    parts = []
    for part in slices:
        scores = slice_scores(data, slices=[part], seed=seed, **options)
        parts.append((part, scores, tuple(row for row in scores.drops if row.skill is None)))
    return Numbers(
        scores=slice_scores(data, seed=seed, **options),
        cuts=cuts,
        macro={rater: macro_means(data, rater, **options) for rater in data.raters},
        slices=tuple(parts),
        comparison=compare(
            data,
            raters=None if set(raters) == set(data.raters) else raters,
            margin=setting.margin,
            seed=seed,
            **options,
        ),
        crosses=crosses,
        lengths=length_rows(data, **options),
    )


AT_ONCE = 400_000
"""So many ratings are crossed at once, some models after others: a cross repeats what has several domains."""


def _crossed(data: Coded, names: tuple[str, ...], **options: Any) -> SliceTable:
    """A cross without intervals."""
    whole = len(data.rater)
    parts = min(max(-(-whole // AT_ONCE), 1), max(len(data.models), 1))
    bounds = np.linspace(0, len(data.models), parts + 1).astype(int)
    tables = []
    for low, high in pairwise(bounds.tolist()):
        inside = (data.model >= low) & (data.model < high)
        own = data if parts == 1 else replace(data, **{name: getattr(data, name)[inside] for name in _BY_RATING})
        tables.append(slice_scores(own, by=[names], resamples=0, **options))
    return replace(tables[0], rows=tuple(row for table in tables for row in table.rows))


_BY_RATING = ("rater", "model", "skill", "instance", "cluster", "score", "outcome")


def section(data: Coded, made: Numbers, rater: str, marks: Mapping[str, Mark] | None = None) -> Section:
    """What the page says of one rater; `marks`: what a certificate says of its skills."""
    position = data.raters.index(rater)
    rows = [row for row in made.scores.rows if row.rater == rater]
    models = [m for m in data.models if any(row.model == m for row in rows)]
    skills = _heads(data, [s for s in data.skills if any(row.skill == s for row in rows)])
    low, high = scale = range_of(data, position)
    known = data.scale(position) is not None
    kind = data.table.raters[rater]
    frame = _frame(skills, low, high)
    by_skill = [row for row in rows if row.skill is not None]
    confidence = made.scores.confidence
    notes: dict[Notes, int] = {}
    pictures = _pictures(frame, by_skill, skills, models, notes) if frame else ()
    leaders = leaders_of(made.comparison, rater)
    interval = (
        f"small: {confidence:.0%} interval, n instances"
        if made.scores.resamples
        else "n instances; no intervals were asked for"
    )
    caption = f"Mean score ({interval}). Grey: fewer than {FEW} instances, too few to be firm."
    return Section(
        anchor=f"rater-{position + 1}",
        rater=name(rater),
        kind=KIND[kind],
        is_metric=kind == "metric",
        answer=answer(made.macro[rater], scale, kind, contest_of(made.comparison, rater)),
        scale=f"{low:g} (hub) to {high:g} (rim)"
        + (", the ends of the scale" if known else f"; {_occurring(data, position)}"),
        line=f"on the scale {low:g}\u2013{high:g}"
        if known
        else f"from {low:g} to {high:g}; {_occurring(data, position)}",
        frame=frame,
        pictures=pictures,
        median=_median(frame, by_skill, skills) if frame else "",
        notes=tuple(notes),
        no_radar="" if frame else _why_no_radar(len(skills)),
        legend=tuple(Legend(mark, Name(title)) for mark, title in _groups(skills)),
        certified=footnotes(marks or {}, {one.skill: one.title.text for one in skills}, [one.skill for one in skills]),
        matrix=matrix(by_skill, skills, models, caption, marks),
        differences=difference_tables(made.comparison, rater, skills, pairs=kind != "metric"),
        missing=missing_table(by_skill, skills, models, confidence),
        dots=dots(by_skill, skills, models, data.scale(position), leaders),
        cuts=tuple(_cut(cut, dimension, rater, models) for dimension, cut in made.cuts.items()),
        heats=tuple(_heats(made.crosses, rater, skills)),
        slices=tuple(_slice(part, rows, scores, lost, rater) for part, scores, lost in made.slices),
        length=_length(made, rater, leaders),
    )


def _heads(data: Coded, skills: Sequence[str]) -> tuple[SkillHead, ...]:
    known = data.table.rubrics
    groups = [known[s].group if s in known else "" for s in skills]
    marks = {group: min(k, GROUPS - 1) for k, group in enumerate(dict.fromkeys(groups))}
    return tuple(
        SkillHead(skill, name(data.table.title(skill)), name(group).text if group else "", marks[group])
        for skill, group in zip(skills, groups, strict=True)
    )


def _groups(skills: Sequence[SkillHead]) -> list[tuple[int, str]]:
    return list(dict.fromkeys((one.mark, one.group) for one in skills if one.group))


def range_of(data: Coded, position: int) -> tuple[float, float]:
    """The scale's ends, or what the scores span."""
    known = data.scale(position)
    if known is not None:
        return known
    scores = data.score[(data.rater == position) & ~np.isnan(data.score)]
    if not scores.size:
        return 0.0, 1.0
    low, high = math.floor(scores.min()), math.ceil(scores.max())
    return float(low), float(max(high, low + 1))


def _occurring(data: Coded, position: int) -> str:
    """Which scores occur, where the scale is not known."""
    scores = data.score[(data.rater == position) & ~np.isnan(data.score)]
    if not scores.size:
        return "no score is a number"
    low, high = (f"{end:.4g}" for end in (scores.min(), scores.max()))
    said = f"scores occur from {low} to {high}" if low != high else f"every score is {low}"
    return f"{said}; the scale is not known (tell it by --scale)"


def _frame(skills: Sequence[SkillHead], low: float, high: float) -> radar.Frame | None:
    if not radar.LEAST <= len(skills) <= radar.MOST:
        return None
    return radar.frame([one.title.text for one in skills], [one.mark for one in skills], low, high)


def _why_no_radar(count: int) -> str:
    if count < radar.LEAST:
        return f"With {counted(count, 'skill')} a radar would show nothing that the table does not."
    return f"With {count} skills the labels of a radar would collide; the tables hold every number."


def _pictures(
    frame: radar.Frame,
    rows: Sequence[SliceRow],
    skills: Sequence[SkillHead],
    models: Sequence[str],
    notes: dict[Notes, int],
) -> tuple[Picture, ...]:
    found = {(row.model, row.skill): row for row in rows}
    return tuple(
        _picture(frame, model, [found.get((model, s.skill)) for s in skills], skills, notes) for model in models
    )


def _median(frame: radar.Frame, rows: Sequence[SliceRow], skills: Sequence[SkillHead]) -> str:
    """The median of the models' means, an axis each; none where only one model has a mean."""
    means = {one.skill: [row.mean for row in rows if row.skill == one.skill and row.mean is not None] for one in skills}
    middle = [statistics.median(means[one.skill]) if len(means[one.skill]) > 1 else None for one in skills]
    return radar.outline(frame, middle)


def _picture(
    frame: radar.Frame,
    model: str,
    rows: Sequence[SliceRow | None],
    skills: Sequence[SkillHead],
    notes: dict[Notes, int],
) -> Picture:
    few = [row is not None and row.sparse for row in rows]
    drawn = radar.shape(
        frame,
        [None if row is None else row.mean for row in rows],
        [None if row is None or row.low is None or row.high is None else (row.low, row.high) for row in rows],
        few,
    )
    own = tuple(
        ("N/A", True) if row is None or row.mean is None else (f"n {row.n:,}", small)
        for row, small in zip(rows, few, strict=True)
    )
    shared = notes.setdefault(own, len(notes))
    return Picture(name(model), drawn, shared, f"Radar of {name(model).text}", _described(rows, skills))


def _described(rows: Sequence[SliceRow | None], skills: Sequence[SkillHead]) -> str:
    """A radar in a sentence, for those who do not see it."""
    means = [(row.mean, one.title.text) for one, row in zip(skills, rows, strict=True) if row and row.mean is not None]
    if not means:
        return "No skill has a score."
    (low, worst), (high, best) = min(means), max(means)
    said = f"{len(means)} of {len(skills)} skills have a score, from {number(low)} ({worst}) to {number(high)} ({best})"
    return f"{said}; the tables below hold every number."


def _cut(cut: SliceTable, dimension: str, rater: str, models: Sequence[str]) -> Table:
    rows = [row for row in cut.rows if row.rater == rater]
    several = next((f" {note}" for note in cut.notes if "several domains" in note), "")
    caption = f"Mean over all skills.{several if dimension == 'domain' else ''}"
    return slice_table(rows, dimension, models, caption)


def _heats(crosses: Mapping[str, SliceTable], rater: str, skills: Sequence[SkillHead]) -> Iterator[Heat]:
    for dimension, cross in crosses.items():
        if drawn := heat([row for row in cross.rows if row.rater == rater], dimension, skills):
            yield drawn


def _length(made: Numbers, rater: str, leaders: Leaders) -> Length | None:
    row = next((row for row in made.lengths if row.rater == rater), None)
    return None if row is None else length(row, made.macro[rater], leaders)


def _slice(
    part: Slice, rows: Sequence[SliceRow], scores: SliceTable, lost: Sequence[DropRow], rater: str
) -> tuple[Table, Slopes | None]:
    whole = [row for row in rows if row.skill is None]
    inside = [row for row in scores.rows if row.rater == rater and row.skill is None]
    own = [row for row in lost if row.rater == rater]
    caption = (
        "Mean over all ratings, of all instances and of the slice alone. The difference is the slice less all; its "
        "interval knows that the slice is part of all."
    )
    return drop_table(whole, inside, own, part.name, caption), slope(whole, inside, part.name, own)


def coverage_words(covered: float | None) -> str:
    """Coverage in a sentence."""
    if covered is None:
        return "No rating applies."
    if covered == 1:
        return "Every planned rating that applies has a score."
    return f"{percent(covered)} of the planned ratings that apply have a score; the others are counted, never guessed."
