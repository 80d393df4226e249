"""Slice x model interaction: what a model does in one part, against elsewhere, relative to the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flask_eval.analysis.coding import Floats, Mask
from flask_eval.analysis.comparing.cells import Cells
from flask_eval.analysis.comparing.estimates import degrees_of, frame_of, sums
from flask_eval.analysis.comparing.parts import Part


@dataclass(frozen=True, eq=False)
class Sides:
    """A part against all other cells, for each model."""

    difference: Floats
    """[models]"""
    error: Floats
    degrees: float
    clusters: int
    """Of the side with fewer."""
    n: int
    """Instances inside the part."""


def sides(own: Cells, part: Part, shared: Mask) -> Sides | None:
    """(model less the field's mean) inside the part, less the same outside it; None where one side is empty.

    The field is the mean of all models in a cell. Both means weigh cells equally; the influence of a cell is that on the mean
    of its side, and clusters that have cells on both sides keep them together.

    Args:
        own: the rater's cells.
        part: the inside.
        shared: the cells that every rated model has a score in.
    """
    inside = np.zeros(shared.size, bool)
    inside[part.cells] = True
    inside = inside[shared]
    if not inside.any() or inside.all():
        return None
    score = own.score[: own.rated][:, shared]
    score = score - score.mean(axis=0)
    weight = np.where(inside, 1 / inside.sum(), -1 / (~inside).sum())
    cells = frame_of(score, np.zeros(weight.size, np.int64), own.cluster[shared], own.instance[shared])
    centred = score - np.where(inside, score[:, inside].mean(axis=1)[:, None], score[:, ~inside].mean(axis=1)[:, None])
    influence = sums(centred * weight, cells.cluster)
    degrees = float(degrees_of(sums(weight**2, cells.cluster)))
    error = np.sqrt((influence**2).sum(axis=1) * (1 + 1 / degrees))
    fewest = min(np.unique(cells.cluster[side]).size for side in (inside, ~inside))
    return Sides(
        difference=score @ weight,
        error=error if fewest > 1 else np.full(len(score), np.nan),
        degrees=degrees,
        clusters=fewest,
        n=np.unique(cells.instance[inside]).size,
    )
