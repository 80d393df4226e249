"""The table that every analysis takes: all ratings and all instances, and what is known of raters and skills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from flask_eval.errors import UserError, nearest
from flask_eval.ratings.columns import KINDS, ScaleEnds
from flask_eval.ratings.texts import Texts
from flask_eval.schema import slug


class SkillFacts(NamedTuple):
    """What a rubric set says about a skill."""

    title: str
    group: str
    order: int


@dataclass(frozen=True, eq=False)
class RatingTable:
    """All ratings and all instances behind an analysis."""

    ratings: pd.DataFrame
    """One row a rating: `COLUMNS`. `score` is float64 (NaN: none), or object where a rater gives labels."""
    instances: pd.DataFrame
    """One row an instance: `INSTANCE_COLUMNS`, and a column for each metadata key."""
    left: pd.DataFrame
    """Planned ratings that are not judged yet: instance, model, response_sample, skill, rater, kind, sample."""
    without_response: Mapping[str, int] = field(default_factory=dict)
    """How many instances of the runs have no response of a model: {model: n}."""
    scales: Mapping[str, ScaleEnds] = field(default_factory=dict)
    """Lowest and highest score of a rater, or its labels, where known."""
    rubrics: Mapping[str, SkillFacts] = field(default_factory=dict)
    """Title, group and order of a skill, where known."""
    runs: tuple[Mapping[str, Any], ...] = ()
    """What each run says about itself: `run` (the folder), `raters` (configurations), `spent` (calls, tokens, cost) and its
    manifest's keys."""
    notes: tuple[str, ...] = ()
    """What the user should be told, in sentences."""
    lengths: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    """Characters of each response that the runs hold: {(instance, model, response sample): n}."""
    texts: Texts = field(default_factory=Texts)
    """Instructions and responses, for those who show them."""

    @cached_property
    def raters(self) -> dict[str, str]:
        """Each rater's kind; judges first, then people, then metrics."""
        pairs = pd.concat([self.ratings[["rater", "kind"]], self.left[["rater", "kind"]]]).drop_duplicates("rater")
        found = dict(zip(pairs["rater"], pairs["kind"], strict=True))
        return dict(sorted(found.items(), key=lambda pair: KINDS.index(pair[1])))

    @cached_property
    def models(self) -> list[str]:
        """The models, in the order in which they came."""
        return list(dict.fromkeys([*self.ratings["model"].unique(), *self.left["model"].unique()]))

    @cached_property
    def skills(self) -> list[str]:
        """The skills in the order of their rubric set, then as they came."""
        found = dict.fromkeys([*self.ratings["skill"].unique(), *self.left["skill"].unique()])
        last = len(self.rubrics)
        return sorted(found, key=lambda name: self.rubrics[name].order if name in self.rubrics else last)

    def title(self, skill: str) -> str:
        """What people read for a skill."""
        facts = self.rubrics.get(skill)
        return facts.title if facts else skill.replace("_", " ").capitalize()

    def only(
        self,
        *,
        raters: Iterable[str] | None = None,
        models: Iterable[str] | None = None,
        skills: Iterable[str] | None = None,
    ) -> RatingTable:
        """The part of the table that belongs to these raters, models and skills (by slug or title).

        Raises:
            UserError: a name does not occur; the nearest is suggested.
        """
        wanted = {
            "rater": (raters, list(self.raters)),
            "model": (models, self.models),
            "skill": (None if skills is None else [slug(s) for s in skills], self.skills),
        }
        ratings, left = self.ratings, self.left
        for name, (asked, known) in wanted.items():
            if asked is None:
                continue
            names = list(asked)
            for one in names:
                if one not in known:
                    raise UserError(f"no {name} is called '{one}' in these ratings{nearest(one, known)}")
            ratings, left = ratings[ratings[name].isin(names)], left[left[name].isin(names)]
        return replace(self, ratings=ratings, left=left)
