"""What became of every planned rating."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flask_eval.analysis.coding import LEFT, Coded
from flask_eval.schema import OUTCOMES


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The planned ratings of one model by one rater."""

    rater: str
    kind: str
    model: str
    planned: int
    outcomes: Mapping[str, int]
    """Every outcome, in the order in which they are shown."""
    left: int
    """Planned, but not judged yet."""
    coverage: float | None
    """Scored / (planned - not applicable); none where no rating applies."""


def outcome_counts(data: Coded) -> tuple[OutcomeRow, ...]:
    """Ratings by outcome, one row a rater and model that has any."""
    n_models, n_states = len(data.models), LEFT + 1
    key = (data.rater * n_models + data.model) * n_states + data.outcome
    counts = np.bincount(key, minlength=len(data.raters) * n_models * n_states).reshape(-1, n_states)
    return tuple(
        _row(data, *divmod(pair, n_models), counts[pair].tolist())
        for pair in np.flatnonzero(counts.sum(axis=1)).tolist()
    )


def _row(data: Coded, rater: int, model: int, counts: list[int]) -> OutcomeRow:
    outcomes = dict(zip(OUTCOMES, counts[:LEFT], strict=True))
    planned = sum(counts)
    wanted = planned - outcomes["not_applicable"]
    name = data.raters[rater]
    return OutcomeRow(
        rater=name,
        kind=data.table.raters[name],
        model=data.models[model],
        planned=planned,
        outcomes=outcomes,
        left=counts[LEFT],
        coverage=outcomes["scored"] / wanted if wanted else None,
    )
