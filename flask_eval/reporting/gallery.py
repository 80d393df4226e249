"""What the page's plotly figures and the pictures for papers show, by rater: the page's own numbers as axes of rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask_eval.analysis.coding import Coded
from flask_eval.analysis.macro import MacroRow
from flask_eval.analysis.slices import SliceRow
from flask_eval.analysis.text import shown
from flask_eval.reporting.chart_parts import Axis, span
from flask_eval.reporting.radar import LEAST, MOST
from flask_eval.reporting.sections import Numbers, range_of


@dataclass(frozen=True, slots=True)
class Subject:
    """One rater's numbers as figures take them."""

    rater: str
    anchor: str
    """Of the rater's section on the page."""
    models: tuple[str, ...]
    """Highest macro mean first, those without one last."""
    macro: tuple[MacroRow, ...]
    skills: tuple[Axis, ...]
    cuts: Mapping[str, tuple[Axis, ...]]
    """By domain and by difficulty, where they are known."""
    slices: tuple[tuple[Axis, Axis], ...]
    """All instances, and the slice; all skills pooled."""
    scale: tuple[float, float]
    """The ends of the scale, or what the scores span where it is not known: what radars go along, as on the page."""

    @property
    def round(self) -> bool:
        """Whether the skills make a radar."""
        return LEAST <= len(self.skills) <= MOST

    def reach(self) -> tuple[float, float]:
        """Round numbers about all means and intervals by skill: what dots are drawn on, whichever models are shown."""
        return span([row for axis in self.skills for row in axis.rows.values()])

    def median(self) -> list[float | None]:
        """The models' median on each skill; None with fewer than two models."""
        means = [[row.mean for row in axis.rows.values() if row.mean is not None] for axis in self.skills]
        return [statistics.median(one) if len(one) > 1 else None for one in means]


def subjects(data: Coded, made: Numbers, raters: Sequence[str]) -> tuple[Subject, ...]:
    """The raters that have a section on the page and any rating."""
    return tuple(_subject(data, made, rater) for rater in raters)


def _subject(data: Coded, made: Numbers, rater: str) -> Subject:
    rows = [row for row in made.scores.rows if row.rater == rater]
    own = {row.model for row in rows}
    macro = made.macro[rater]
    order = dict.fromkeys([*(row.model for row in macro), *data.models])
    by_skill = _axes((row.skill, data.table.title(row.skill), row) for row in rows if row.skill is not None)
    whole = {row.model: row for row in rows if row.skill is None}
    return Subject(
        rater=rater,
        anchor=f"rater-{data.raters.index(rater) + 1}",
        models=tuple(model for model in order if model in own),
        macro=macro,
        skills=by_skill,
        cuts={
            dimension: _axes((row.slice or "", shown(row.by[dimension]), row) for row in cut.rows if row.rater == rater)
            for dimension, cut in made.cuts.items()
        },
        slices=tuple(
            (
                Axis("all instances", whole),
                Axis(part.name, {r.model: r for r in scores.rows if r.rater == rater and r.skill is None}),
            )
            for part, scores, _ in made.slices
        ),
        scale=range_of(data, data.raters.index(rater)),
    )


def _axes(rows: Iterable[tuple[str, str, SliceRow]]) -> tuple[Axis, ...]:
    """Axes by key, since two may share a title."""
    found: dict[str, tuple[str, dict[str, SliceRow]]] = {}
    for key, title, row in rows:
        found.setdefault(key, (title, {}))[1][row.model] = row
    return tuple(Axis(title, own) for title, own in found.values())
