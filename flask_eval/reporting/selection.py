"""Choose for a mix of skills: the table for the given weights, and all that the page needs to recompute it for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flask_eval.analysis.coding import Coded
from flask_eval.analysis.selecting import DRAWS, Choice, Selection, select
from flask_eval.analysis.skill_means import SkillMeans, leading, skill_means
from flask_eval.analysis.sparsity import FEW
from flask_eval.analysis.text import number, percent
from flask_eval.reporting.answer import Sentence
from flask_eval.reporting.comparison_words import chance_of
from flask_eval.reporting.models_table import ModelsTable
from flask_eval.reporting.scripts import json_text
from flask_eval.reporting.selection_data import embedded, head, slider_values
from flask_eval.reporting.text import KIND, Name, counted, ends, listed, name

if TYPE_CHECKING:
    from markupsafe import Markup

MOST_MODELS = 20
MOST_MEANS = 300
"""So many means (models times skills) may stand in the page with their covariance."""
MOST_SKILLS = 60
"""With more there are no sliders."""


@dataclass(frozen=True, slots=True)
class Line:
    """A model in the table."""

    place: int
    """Its position in the embedded data."""
    name: Name
    cells: tuple[tuple[str, str], ...]
    """Text and small print of each column."""
    few: bool


@dataclass(frozen=True, slots=True)
class Slider:
    """One skill's weight."""

    place: int
    title: Name
    value: float
    share: str


@dataclass(frozen=True, slots=True)
class Group:
    """Skills of one group."""

    title: Name | None
    sliders: tuple[Slider, ...]


@dataclass(frozen=True, slots=True)
class Chooser:
    """The section's words and numbers."""

    mix: str
    headline: Sentence
    words: tuple[str, ...]
    caption: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    groups: tuple[Group, ...]
    """Empty where there is nothing to choose between."""
    against: str
    """What quality is drawn against: `price`, `speed`, or empty where no front is known."""
    given: bool
    """Whether the user gave weights."""
    data: Markup
    selection: Selection


def chooser(
    data: Coded,
    raters: Sequence[str],
    weights: Mapping[str, float] | None,
    known: ModelsTable | None,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Chooser | None:
    """The section for the first judge, else the first rater; None without one.

    Raises:
        UserError: the weights name only skills that the rater has not rated.
    """
    kinds = data.table.raters
    rater = next((r for r in raters if kinds[r] == "judge"), raters[0] if raters else None)
    if rater is None:
        return None
    known = known or ModelsTable({}, {})
    n_skills = len({int(s) for s in data.skill[data.rater == data.raters.index(rater)]})
    most = min(MOST_MODELS, max(MOST_MEANS // max(n_skills, 1), 2))
    kept = leading(data, rater, most, weights)
    means = skill_means(data, rater, kept)
    found = select(
        means,
        weights,
        prices={m: v for m, v in known.prices.items() if m in kept},
        speeds={m: v for m, v in known.speeds.items() if m in kept},
        confidence=confidence,
        draws=DRAWS if resamples else 0,
        seed=seed,
    )
    titles = [name(data.table.title(skill)) for skill in means.skills]
    movable = 2 <= n_skills <= MOST_SKILLS and len(kept) > 1 and bool((~np.isnan(means.mean)).any())
    return Chooser(
        mix=_mix(means, weights, found, titles),
        headline=headline(found),
        words=tuple(_words(data, raters, rater, means, found, known)),
        caption=_caption(found, known),
        columns=_columns(known, found),
        lines=tuple(_line(means, titles, choice, known, found) for choice in found.choices),
        groups=_groups(data, means, found, titles) if movable else (),
        against=("price" if known.prices else "speed") if _fronted(found) else "",
        given=weights is not None,
        data=json_text(embedded(means, found, titles, known) if movable else {}),
        selection=found,
    )


def headline(found: Selection) -> Sentence:
    """Who is best for the mix, or whom the data cannot tell apart; `selection.js` says it in the same words."""
    ranked = [choice for choice in found.choices if choice.mean is not None]
    if not ranked:
        return ("No model has a score in every skill that counts.",)
    top, first = ranked[0], name(ranked[0].model)
    if len(ranked) == 1:
        return first, f" has a weighted mean of {number(top.mean)}; there is no other model to rank."
    interval = ends(top.low, top.high)
    mean = f"{number(top.mean)} ({interval})" if interval else number(top.mean)
    if found.clear:
        return first, _clear(top, mean)
    if not found.leaders:
        return first, f" has the highest weighted mean, {mean}; nothing tells whether the models differ."
    chance = (
        ""
        if top.probability_best is None
        else f", and the best with a probability of {chance_of(top.probability_best)}"
    )
    rest = " Every other model here has a significantly better one." if 1 < len(found.leaders) < len(ranked) else ""
    after = f" is highest, {mean}{chance}.{rest}"
    if len(found.leaders) == 1:
        start: Sentence = (
            "The data cannot tell ",
            first,
            " apart from every other model, though none is significantly better. ",
        )
    else:
        start = "The data cannot tell apart ", *_names(found.leaders), ". "
    return *start, first, after


def _clear(top: Choice, mean: str) -> str:
    if not top.sparse:
        return f" is best for this mix, {mean}: every other model here is significantly lower."
    few = f"a skill that counts has only {counted(top.n, 'instance')}, too few to be firm."
    return f" is highest for this mix, {mean}, and every other model here significantly lower; but {few}"


def _names(models: Sequence[str], most: int = 6) -> Sentence:
    shown: list[str | Name] = [name(model) for model in (models if len(models) <= most else models[: most - 1])]
    shown += [f"{len(models) - most + 1} more"] if len(models) > most else []
    made: list[str | Name] = []
    for place, part in enumerate(shown):
        made += ["" if not place else " and " if place == len(shown) - 1 else ", ", part]
    return tuple(part for part in made if part)


def _mix(means: SkillMeans, weights: Mapping[str, float] | None, found: Selection, titles: Sequence[Name]) -> str:
    share = [found.weights[skill] for skill in means.skills]
    counted_ = [(w, title.text) for w, title in zip(share, titles, strict=True) if w > 0]
    if weights is not None:
        said = listed([f"{title} {percent(w)}" for w, title in sorted(counted_, key=lambda one: -one[0])], 12)
        return f"Weights: {said}." + (" Skills that are not named weigh nothing." if len(counted_) < len(share) else "")
    if len(counted_) == len(share):
        return f"Each of {counted(len(share), 'skill')} has the same weight."
    left = listed([title.text for w, title in zip(share, titles, strict=True) if not w])
    return f"Each skill that every model has a score for has the same weight; {left} weigh{'s' * (len(share) - len(counted_) == 1)} nothing."


def _words(
    data: Coded, raters: Sequence[str], rater: str, means: SkillMeans, found: Selection, known: ModelsTable
) -> list[str]:
    made = []
    if len(raters) > 1:
        kind = KIND[data.table.raters[rater]].lower()
        made.append(f"By one rater alone: the {kind} {name(rater).text}.")
    if len(means.models) < means.field:
        made.append(
            f"These are the {len(means.models)} models of {means.field} with the highest weighted means; the others are not shown here, whatever the sliders say."
        )
    if found.leaders:
        made.append(
            "A normal approximation: from the means of all models in all skills and their covariance, which knows that models and skills "
            f"share instances. Intervals are Student's t; differences are tested between all {counted(found.tests, 'pair')} of models, "
            "corrected by Holm. Set the weights by what you need, not by who wins: a winner that was searched for is none."
        )
    models = [choice.model for choice in found.choices]
    return [*made, *known.notes(list(data.models), models)]


def _fronted(found: Selection) -> bool:
    return any(choice.on_front is not None for choice in found.choices)


def _caption(found: Selection, known: ModelsTable) -> str:
    said = ["Weighted mean over skills, highest first."]
    if found.draws:
        said.append("Best: how likely the model has the highest weighted mean.")
    said.append(f"Instances: the fewest behind a skill that counts; grey: fewer than {FEW}.")
    if _fronted(found):
        kinds = listed([*(["price"] if known.prices else []), *(["speed"] if known.speeds else [])])
        said.append(
            f"Front of mean and {kinds}: no model is at least as good in all and better in one. Off it, the best model that is stands "
            "beside, and whether its mean is significantly higher."
        )
    return " ".join(said)


def _columns(known: ModelsTable, found: Selection) -> tuple[str, ...]:
    made = ["Rank", "Weighted mean", "Interval", "Best", "Instances"]
    made += [head("Price", known.price_unit)] if known.prices else []
    made += [head("Speed", known.speed_unit)] if known.speeds else []
    return (*made, *(["On the front"] if _fronted(found) else []))


def _line(
    means: SkillMeans,
    titles: Sequence[Name],
    choice: Choice,
    known: ModelsTable,
    found: Selection,
) -> Line:
    lacking = ""
    m = means.models.index(choice.model)
    if choice.mean is None:
        without = [
            title.text
            for skill, title, value in zip(means.skills, titles, means.mean[m], strict=True)
            if found.weights[skill] > 0 and np.isnan(value)
        ]
        lacking = f"no score in {listed(without, 3)}" if without else ""
    cells = [
        (number(None) if choice.rank is None else str(choice.rank), ""),
        (number(choice.mean), lacking),
        (ends(choice.low, choice.high) or number(None), ""),
        (chance_of(choice.probability_best), ""),
        (f"{choice.n:,}", ""),
    ]
    cells += [(_plain(choice.price), "")] if known.prices else []
    cells += [(_plain(choice.speed), "")] if known.speeds else []
    cells += [_front(choice)] if _fronted(found) else []
    return Line(m, name(choice.model), tuple(cells), choice.sparse)


def _front(choice: Choice) -> tuple[str, str]:
    if choice.on_front is None:
        return number(None), ""
    if choice.beaten_by is None:
        return "yes", ""
    word = "significantly" if choice.beaten_clearly else "not significantly"
    after = "" if choice.beaten_clearly is None else f": {word} better"
    return "no", f"{name(choice.beaten_by).text}{after}"


def _plain(value: float | None) -> str:
    return number(None) if value is None else f"{value:,.10g}"


def _groups(data: Coded, means: SkillMeans, found: Selection, titles: Sequence[Name]) -> tuple[Group, ...]:
    facts = data.table.rubrics
    share = [found.weights[skill] for skill in means.skills]
    values = slider_values(share)
    made: dict[str, list[Slider]] = {}
    for place, skill in enumerate(means.skills):
        group = facts[skill].group if skill in facts else ""
        one = Slider(place, titles[place], values[place], f"{100 * share[place]:.0f}%")
        made.setdefault(group or "", []).append(one)
    return tuple(Group(name(group) if group else None, tuple(sliders)) for group, sliders in made.items())
