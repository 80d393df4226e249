"""Everything about one rater, before p values are corrected over the whole command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, Mask
from flask_eval.analysis.comparing.cells import Cells, cells_of
from flask_eval.analysis.comparing.estimates import Differences, Means, differences, frame, means_of
from flask_eval.analysis.comparing.interacting import Sides, sides
from flask_eval.analysis.comparing.parts import Part, parts_of
from flask_eval.analysis.comparing.strengths import Duels, duels_of
from flask_eval.analysis.comparing.testing import p_equivalent, p_values


@dataclass(frozen=True, eq=False)
class Measured:
    """The models of a rater within one part."""

    part: Part
    means: Means
    pairs: Differences
    p: Floats
    """One a pair; NaN where there is no test."""
    equivalent: Floats
    """One a pair: p of equivalence; NaN where there is no test, or no margin."""


@dataclass(frozen=True, eq=False)
class Study:
    """All that one rater says."""

    own: Cells
    """Models in the order of their overall means."""
    parts: tuple[Measured, ...]
    sides: tuple[tuple[Part, Sides | None], ...]
    duels: Duels
    """Who won on which instance, over all skills that count."""

    @property
    def overall(self) -> Measured:
        """All skills that count, all instances."""
        return self.parts[0]


def study_of(
    data: Coded, rater: int, tables: Sequence[tuple[str, ...]], slices: Sequence[tuple[str, Mask]], margin: float | None
) -> Study | None:
    """Measure what a rater says of the models; None where it gave no scores and has none left to give."""
    own = cells_of(data, rater)
    if not own.models:
        return None
    own = own.ordered(_by_mean(own, data))
    parts = list(parts_of(data, own, tables, slices))
    measured = tuple(_measured(own, part, margin) for part in parts)
    shared = np.asarray(~np.isnan(own.score[: own.rated]).any(axis=0))
    held = tuple((part, sides(own, part, shared)) for part in parts if part.dimension and own.rated > 1)
    return Study(own, measured, held, _duels(own, measured[0]))


def _by_mean(own: Cells, data: Coded) -> list[str]:
    """Models by their overall means, best first; those without one by name."""
    first = next(parts_of(data, own, (), ()))
    mean = means_of(frame(own, first)).mean
    return [own.models[k] for k in sorted(range(len(own.models)), key=lambda k: (_low(float(mean[k])), own.models[k]))]


def _low(mean: float) -> float:
    return np.inf if np.isnan(mean) else -float(f"{mean:.9g}")


def _measured(own: Cells, part: Part, margin: float | None) -> Measured:
    cells = frame(own, part)
    pairs = differences(cells, own.tolerance, signs=part.overall)
    span = None if own.scale is None else own.scale[1] - own.scale[0]
    equivalent = np.full(pairs.a.size, np.nan) if margin is None else p_equivalent(pairs, margin, span)
    return Measured(part, means_of(cells), pairs, p_values(pairs), equivalent)


def _duels(own: Cells, whole: Measured) -> Duels:
    cells, pairs = frame(own, whole.part), whole.pairs
    first = np.flatnonzero(np.diff(cells.instance, prepend=-1))
    signs = np.zeros((0, first.size), np.int8) if pairs.signs is None else pairs.signs
    return duels_of(signs, pairs.a, pairs.b, cells.cluster[first], len(own.models))
