"""Interactive figures on the page: plotly, inlined once, with the models that a reader chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask_eval.reporting import charts
from flask_eval.reporting.gallery import Subject
from flask_eval.reporting.scripts import allowed, json_text, script
from flask_eval.reporting.text import Name, name

if TYPE_CHECKING:
    from markupsafe import Markup
    from plotly.graph_objects import Figure

FIRST = 5
"""So many models are chosen at first, those with the highest means, where there are more than `ALL`."""
ALL = 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where a figure is drawn."""

    heading: str
    words: str
    kind: str
    """What filtering means for it: `lines`, `dots` or `heat`."""


@dataclass(frozen=True, slots=True)
class View:
    """One rater's figures."""

    rater: Name
    models: tuple[tuple[Name, bool], ...]
    """In the order of the figures, and whether the model is chosen at first."""
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Interactive:
    """The section, the figures as JSON, and the scripts with their sources for the page's policy."""

    views: tuple[View, ...]
    data: Markup
    scripts: tuple[tuple[Markup, str], ...]


def interactive(subjects: Sequence[Subject]) -> Interactive:
    """Radar, dots, heat maps and slopes of each rater, for the page's own numbers."""
    from plotly.offline import get_plotlyjs

    views, figures = [], []
    for one in subjects:
        drawn = list(_drawn(one))
        first = len(one.models) if len(one.models) <= ALL else FIRST
        models = tuple((name(model), place < first) for place, model in enumerate(one.models))
        views.append(View(name(one.rater), models, tuple(place for place, _ in drawn)))
        figures.append([{"kind": place.kind, "figure": _plain(figure)} for place, figure in drawn])
    return Interactive(tuple(views), json_text(figures), (allowed(get_plotlyjs()), script("interactive")))


def _drawn(one: Subject) -> Iterator[tuple[Place, Figure]]:
    if one.round:
        words = "The models over each other. The order of the skills is fixed; the area within a line means nothing."
        yield Place("Radar", words, "lines"), charts.radar(one.skills, one.models, one.scale)
    if one.skills:
        words = "Mean and interval. A hollow mark: fewer than 10 instances."
        yield Place("Skill by skill", words, "dots"), charts.dots(one.skills, one.models, one.reach())
        words = "Shaded from the lowest to the highest mean shown. In brackets: fewer than 10 instances."
        yield Place("Heat map of skills", words, "heat"), charts.heat("", one.skills, one.models)
    for dimension, axes in one.cuts.items():
        words = f"By {dimension}; all skills pooled. In brackets: fewer than 10 instances."
        yield Place(f"Heat map by {dimension}", words, "heat"), charts.heat("", axes, one.models)
    for whole, part in one.slices:
        words = "All skills pooled, with intervals; the slice is part of all instances."
        yield (
            Place(f"All instances and {name(part.title).text}", words, "lines"),
            charts.slopes("", whole, part, one.models),
        )


def _plain(figure: Figure) -> dict[str, Any]:
    """A figure as JSON takes it; the page sets width and colours."""
    made = figure.to_plotly_json()
    for key in ("template", "title", "width"):
        made["layout"].pop(key, None)
    return {"data": made["data"], "layout": made["layout"]}
