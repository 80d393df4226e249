"""The page's second part: single items with all their texts, so that numbers can be held against what was said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flask_eval.analysis.coding import Coded, Mask
from flask_eval.analysis.contrasts import CellMeans, Contrast, cell_means, chosen, contrasts, judging
from flask_eval.analysis.cutting import in_slice
from flask_eval.analysis.text import number
from flask_eval.reporting.item_cards import (
    Card,
    Turn,
    Verdicts,
    by_instance,
    card,
    excerpt,
    turns_of,
    verdicts_of,
)
from flask_eval.reporting.scripts import json_text
from flask_eval.reporting.text import Name, counted, name
from flask_eval.schema import Slice

if TYPE_CHECKING:
    from markupsafe import Markup

LIMIT = 200
"""So many items are listed unless told otherwise."""

ROOM = 8_000_000
"""Characters of all texts that a page takes; a browser opens that at once, and ten times as much hardly."""


@dataclass(frozen=True, slots=True)
class Item:
    """One instance with the responses to it."""

    place: int
    id: Name
    excerpt: str
    facts: tuple[str, ...]
    """Skills, domains, difficulty, slices, gap, disagreement; in words."""
    turns: tuple[Turn, ...]
    cards: tuple[Card, ...]

    @property
    def size(self) -> int:
        """Characters of its texts."""
        return sum(len(one.text.body) for one in self.turns) + sum(one.size for one in self.cards)


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter and its values."""

    id: str
    label: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """The part of the page that lists items."""

    words: tuple[str, ...]
    items: tuple[Item, ...]
    choices: tuple[Choice, ...]
    models: tuple[str, ...]
    has_gaps: bool
    has_disagreements: bool
    data: Markup
    """What the filters go by, as JSON."""


def items_of(data: Coded, slices: Sequence[Slice] = (), limit: int = LIMIT) -> Items:
    """List the items of a table.

    Args:
        data: the ratings.
        slices: parts of the instances that the items can be filtered by.
        limit: at most so many items; those where models or raters lie furthest apart come first.

    Raises:
        NotFoundError: a run that holds the responses is no longer where it was.
    """
    found = contrasts(data)
    wanted = chosen(found, limit)
    maker = _Maker(data, slices, wanted)
    items: list[Item] = []
    taken = 0
    for one in wanted:
        made = maker.item(one, len(items))
        taken += made.size
        if items and taken > ROOM:
            break
        items.append(made)
    listed = wanted[: len(items)]
    return Items(
        words=tuple(_words(found, listed, len(wanted), items)),
        items=tuple(items),
        choices=maker.choices(),
        models=tuple(name(model).text for model in data.models),
        has_gaps=any(one.gap for one in listed),
        has_disagreements=any(one.disagreement is not None for one in listed),
        data=json_text(maker.filters(listed)),
    )


def _words(found: Sequence[Contrast], listed: Sequence[Contrast], wanted: int, items: Sequence[Item]) -> Iterator[str]:
    if not listed:
        yield "No instance is rated."
        return
    said = f"{len(listed):,} of {len(found):,}" if len(listed) < len(found) else f"All {len(found):,}"
    rest = "; the others are not on this page" if len(listed) < len(found) else ""
    yield f"{said if len(found) > 1 else 'The'} rated {'instances' if len(found) > 1 else 'instance'}{_order(listed)}{rest}."
    if len(listed) < wanted:
        yield (
            f"{wanted:,} were to be listed; the texts of the others would make the page too large to open "
            f"(more than {ROOM // 1_000_000} million characters)."
        )
    if any(one.gap for one in listed):
        yield (
            "The gap is that of the two models furthest apart, by the rater who sets them furthest apart, over the "
            "skills that both have a score for."
        )
    if any(one.disagreement is not None for one in listed):
        yield (
            "The disagreement is the distance between the highest and the lowest score that raters gave one response on "
            "one skill, averaged, in percent of the scale; metrics do not count."
        )
    absent = sum(one.absent == "The text is not known here." for item in items for one in item.cards)
    if absent:
        yield f"The texts of {counted(absent, 'response')} are not known: --responses FILE brings them in."
    unknown = sum(all(turn.head != "Instruction" for turn in item.turns) for item in items)
    if unknown:
        yield f"{counted(unknown, 'instruction')} not known: --instances FILE brings them in."


def _order(listed: Sequence[Contrast]) -> str:
    gaps, apart = any(one.gap for one in listed), any(one.disagreement for one in listed)
    if gaps and apart:
        return ": by turns that with the widest gap between models and that with the most disagreement between raters"
    if gaps or apart:
        said = "widest gap between models" if gaps else "most disagreement between raters"
        return f": the {said} first"
    return ""


class _Maker:
    """Makes the items of a table, and knows what stands in the filters."""

    def __init__(self, data: Coded, slices: Sequence[Slice], wanted: Sequence[Contrast]) -> None:
        self.data, self.table = data, data.table
        self.instances = self.table.instances
        listed = self.instances.iloc[[one.instance for one in wanted]]
        self.texts = self.table.texts.responses(listed["instance"])
        self.verdicts = verdicts_of(self.table, listed["instance"])
        self.models = {model: place for place, model in enumerate(data.models)}
        self.responses = by_instance([*self.verdicts, *self.texts], self.models)
        self.slices: list[tuple[str, Mask]] = [(part.name, in_slice(self.table, part)) for part in slices]
        self.domains = sorted({domain for own in listed["domains"] for domain in own})
        self.levels = sorted({int(level) for level in listed["difficulty"].dropna()})

    def item(self, one: Contrast, place: int) -> Item:
        key = str(self.instances["instance"].iloc[one.instance])
        instance = self.table.texts.instances.get(key)
        own = self.responses.get(key, [])
        several = len({model for model, _ in own}) < len(own)
        cards = tuple(
            card(
                self.table,
                (model, self.models[model]),
                self.texts.get((key, model, sample)),
                self.verdicts.get((key, model, sample), Verdicts()),
                self.data.raters,
                sample if several else None,
            )
            for model, sample in own
        )
        said = excerpt(instance.instruction if instance else "")
        return Item(place, name(key), said, tuple(self._facts(one, key)), turns_of(instance), cards)

    def _rated(self, key: str) -> list[str]:
        """The skills on which a response to the instance is rated."""
        own = (self.verdicts.get((key, model, sample)) for model, sample in self.responses.get(key, []))
        skills = {topic.skill for verdicts in own if verdicts for topic in verdicts.scores}
        return [skill for skill in self.data.skills if skill in skills]

    def _level(self, place: int) -> int | None:
        level = self.instances["difficulty"].iloc[place]
        return None if pd.isna(level) else int(level)

    def _facts(self, one: Contrast, key: str) -> Iterator[str]:
        yield from (name(self.table.title(skill)).text for skill in self._rated(key))
        yield from (name(domain).text for domain in self.instances["domains"].iloc[one.instance])
        level = self._level(one.instance)
        if level is not None:
            yield f"difficulty {level}"
        yield from (f"in {name(part).text}" for part, inside in self.slices if inside[one.instance])
        if one.gap:
            gap = one.gap
            by = f" by {name(gap.rater).text}" if len(self.data.raters) > 1 else ""
            ends = f"{name(gap.high_model).text} {number(gap.high)}, {name(gap.low_model).text} {number(gap.low)}"
            yield f"gap {number(gap.high - gap.low)}{by}: {ends}"
        if one.disagreement is not None:
            yield f"disagreement {one.disagreement:.0%}"

    def choices(self) -> tuple[Choice, ...]:
        """The filters that have something to choose from."""
        made = (
            Choice("skill", "Skill", tuple(name(self.table.title(skill)).text for skill in self.data.skills)),
            Choice("domain", "Domain", tuple(name(domain).text for domain in self.domains)),
            Choice("difficulty", "Difficulty", tuple(map(str, self.levels))),
            Choice("slice", "Slice", tuple(name(part).text for part, _ in self.slices)),
        )
        return tuple(one for one in made if len(one.options) > (one.id != "slice"))

    def filters(self, listed: Sequence[Contrast]) -> list[dict[str, Any]]:
        """What the filters go by, an entry an item."""
        cells = cell_means(self.data)
        order = np.argsort(cells.instance, kind="stable")
        starts = np.searchsorted(cells.instance[order], np.arange(len(self.instances) + 1))
        return [self._filter(one, cells, order[starts[one.instance] : starts[one.instance + 1]]) for one in listed]

    def _filter(self, one: Contrast, cells: CellMeans, own: Any) -> dict[str, Any]:
        counts, level = judging(self.data), self._level(one.instance)
        places = {skill: place for place, skill in enumerate(self.data.skills)}
        return {
            "skill": [places[skill] for skill in self._rated(str(self.instances["instance"].iloc[one.instance]))],
            "domain": [self.domains.index(domain) for domain in self.instances["domains"].iloc[one.instance]],
            "difficulty": [] if level is None else [self.levels.index(level)],
            "slice": [place for place, (_, inside) in enumerate(self.slices) if inside[one.instance]],
            "gap": one.gap and round(one.gap.share, 4),
            "apart": one.disagreement and round(one.disagreement, 4),
            "order": one.instance,
            "cells": [
                [int(cells.rater[k]), int(cells.skill[k]), int(cells.model[k]), round(float(cells.share[k]), 3)]
                for k in own
                if counts[cells.rater[k]]
            ],
        }
