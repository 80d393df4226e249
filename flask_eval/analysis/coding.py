"""The ratings of a table as integer codes, so that sums over any part of them are one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.ratings import RatingTable
from flask_eval.schema import OUTCOMES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SCORED, NOT_APPLICABLE, OUT_OF_RANGE = map(OUTCOMES.index, ("scored", "not_applicable", "out_of_range"))
LEFT = len(OUTCOMES)
"""The code of a planned rating that is not judged yet."""


@dataclass(frozen=True, eq=False)
class Coded:
    """The absolute ratings of a table as integer codes, one position a rating; what is left to judge stands behind."""

    table: RatingTable
    raters: tuple[str, ...]
    models: tuple[str, ...]
    skills: tuple[str, ...]
    rater: Ints
    model: Ints
    skill: Ints
    instance: Ints
    """Positions in `table.instances`."""
    cluster: Ints
    score: Floats
    """NaN where there is none, or a label."""
    outcome: Ints
    """Positions in `OUTCOMES`, or LEFT."""
    n_clusters: int
    notes: tuple[str, ...]

    @property
    def scored(self) -> Mask:
        """Which ratings have a score."""
        return np.asarray(self.outcome == SCORED)

    @property
    def missing(self) -> Mask:
        """Which ratings should have a score and have none."""
        return np.asarray((self.outcome != SCORED) & (self.outcome != NOT_APPLICABLE))

    def scale(self, rater: int) -> tuple[float, float] | None:
        """Lowest and highest score of a rater, where known and numeric."""
        ends = self.table.scales.get(self.raters[rater])
        return None if ends is None or isinstance(ends[0], str) else (float(ends[0]), float(ends[1]))


def coded(table: RatingTable) -> Coded:
    """Code a table.

    Pairwise verdicts are left out, as are answers to single questions where the skill as a whole has a rating too
    (that rating is made of them); a score outside a known scale counts as out of range.
    """
    ratings, notes = absolute(table.ratings)
    left = table.left
    raters, models, skills = tuple(table.raters), tuple(table.models), tuple(table.skills)
    codes = {
        name: _positions(known, ratings[name], left[name])
        for name, known in {"rater": raters, "model": models, "skill": skills}.items()
    }
    instance = _positions(table.instances["instance"].tolist(), ratings["instance"], left["instance"])
    clusters, names = pd.factorize(table.instances["cluster"])
    outcome = np.append(_positions(OUTCOMES, ratings["outcome"]), np.full(len(left), LEFT))
    score = np.append(_numbers(ratings["score"]), np.full(len(left), np.nan))
    made = Coded(
        table=table, raters=raters, models=models, skills=skills, instance=instance,
        cluster=clusters.astype(np.int64)[instance], score=score, outcome=outcome, n_clusters=len(names),
        notes=(), **codes,
    )  # fmt: skip
    for position, name in enumerate(raters):
        ends = made.scale(position)
        outside = (codes["rater"] == position) & ((score < ends[0]) | (score > ends[1])) if ends else np.zeros(0, bool)
        if ends and outside.any():
            outcome[outside], score[outside] = OUT_OF_RANGE, np.nan
            notes.append(
                f"{int(outside.sum()):,} scores of '{name}' lie outside its scale {ends[0]:g}-{ends[1]:g} and count as "
                "out of range, not as scores."
            )
    object.__setattr__(made, "notes", tuple(notes))
    return made


def absolute(ratings: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The ratings that `coded` codes, in their order, and what is told of the others."""
    notes = []
    pairwise = ratings["versus"].ne("").to_numpy(bool)
    if pairwise.any():
        notes.append(f"Pairwise verdicts are left out ({int(pairwise.sum()):,}): they are no scores of one model.")
        ratings = ratings[~pairwise]
    question = ratings["item"].ne("").to_numpy(bool)
    if question.any():
        key = ["instance", "model", "response_sample", "skill", "rater", "sample", "variant"]
        whole = pd.MultiIndex.from_frame(ratings.loc[~question, key])
        ratings = ratings[~question | ~pd.MultiIndex.from_frame(ratings[key]).isin(whole)]
    return ratings, notes


def _positions(known: Iterable[str], *columns: pd.Series[Any]) -> Ints:
    index = pd.Index(list(known), dtype="str")
    found = []
    for column in columns:
        codes, values = pd.factorize(column)
        found.append(index.get_indexer(pd.Index(values)).astype(np.int64)[codes])
    return np.concatenate(found)


def _numbers(score: pd.Series[Any]) -> Floats:
    if not pd.api.types.is_numeric_dtype(score):
        return np.array([v if isinstance(v, float) else np.nan for v in score], np.float64)
    return score.to_numpy(np.float64)
