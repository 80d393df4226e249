"""What a comparison says: rows of models, of pairs, of interactions, and the alternatives to a mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model's place under one skill, or over all of them."""

    rater: str
    kind: str
    model: str
    skill: str | None
    """None: the macro mean over the skills."""
    slice: str | None
    """None: everything; else `hard;domain=Math`."""
    by: Mapping[str, Any]
    mean: float | None
    """On the cells that every compared model has a score for."""
    low: float | None
    high: float | None
    n: int
    """Instances behind it."""
    rank: int | None
    """By the mean; equal means share the better rank."""
    rank_low: int | None
    """1 + models that are significantly better."""
    rank_high: int | None
    """Models less those that are significantly worse."""
    tied_with: tuple[str, ...]
    """Models shown to be equivalent within the margin."""
    not_separated_from: tuple[str, ...]
    """Models that are neither significantly different nor shown to be equivalent."""
    probability_best: float | None
    undefined: Mapping[str, str]
    """Why a field is null."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two models on the instances that both have scores for; the difference is `a` less `b`."""

    rater: str
    kind: str
    a: str
    b: str
    skill: str | None
    slice: str | None
    by: Mapping[str, Any]
    difference: float | None
    low: float | None
    high: float | None
    """The interval of this difference alone; `q` tells what holds over all rows."""
    p: float | None
    q: float | None
    """Adjusted over the row's family: all rows with a skill or a slice, or all overall rows."""
    adjust: str
    """`holm` or `bh`."""
    n: int
    """Instances that both have a score for."""
    wins: int
    """Instances on which `a` scores higher."""
    ties: int
    losses: int
    equivalent: bool | None
    """Whether the difference is shown to lie within the margin; None without a margin."""
    q_equivalent: float | None
    detectable: float | None
    """The difference that this data would have found with a power of 80% at the level of the first step of the family."""
    undefined: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InteractionRow:
    """How much better or worse than elsewhere a model does in one part, relative to the field."""

    rater: str
    kind: str
    dimension: str
    """`domain`, `difficulty`, ..., or `slice`."""
    value: str
    model: str
    difference: float | None
    """(model less the field's mean) inside the part, less the same outside it."""
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    n: int
    """Instances inside the part."""
    undefined: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StrengthRow:
    """A model by Bradley-Terry strength and by mean win rate: alternatives to the mean, with their own troubles."""

    rater: str
    kind: str
    model: str
    bradley_terry: float | None
    """Log strength, the field's mean 0; a difference d means winning an instance with odds e^d, a tie being half a win."""
    bradley_terry_low: float | None
    bradley_terry_high: float | None
    mean_win_rate: float | None
    """The share of (skill, rival) pairs that the model's mean wins, ties half (Perlitz et al. 2024, appendix A)."""
    leads_without: tuple[str, ...]
    """Models whose removal would make this one the leader by mean win rate; for the leader, those whose removal costs it the lead."""
    undefined: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """Models held against each other, instance by instance."""

    models: tuple[ModelRow, ...]
    """Overall rows first, best first; then by skill; then by slice."""
    pairs: tuple[PairRow, ...]
    """Each pair once, `a` above `b` in the order of the overall rows."""
    interactions: tuple[InteractionRow, ...]
    strengths: tuple[StrengthRow, ...]
    confidence: float
    adjust: str
    margin: float | None
    resamples: int
    seed: int
    method: str
    notes: tuple[str, ...] = ()
    families: Mapping[str, int] = field(default_factory=dict)
    """How many tests each family holds: `overall`, `rows`, `interactions`."""

    @property
    def level(self) -> float:
        """The level of every verdict: 1 - confidence."""
        return 1 - self.confidence

    def separated(self, row: PairRow | InteractionRow) -> bool:
        """Whether a row's difference is significant after adjustment."""
        return row.q is not None and row.q <= self.level

    def to_dict(self) -> dict[str, Any]:
        """What `compare --json` writes."""
        rows = {
            name: [asdict(row) for row in getattr(self, name)]
            for name in ("models", "pairs", "interactions", "strengths")
        }
        return {
            **rows,
            "confidence": self.confidence,
            "adjust": self.adjust,
            "margin": self.margin,
            "resamples": self.resamples,
            "seed": self.seed,
            "method": self.method,
            "families": dict(self.families),
            "notes": list(self.notes),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a pair."""
        names = [f.name for f in fields(PairRow)]
        return pd.DataFrame([[getattr(row, name) for name in names] for row in self.pairs], columns=names)
