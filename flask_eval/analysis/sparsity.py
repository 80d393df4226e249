"""When a mean rests on too little to be firm: one rule for every table, page and sentence."""

from __future__ import annotations

FEW = 10
"""Fewer independent instances than this are sparse."""

RULE = f"fewer than {FEW} instances (those of one cluster count once): too few to be firm"


def is_sparse(clusters: int) -> bool:
    """Whether a mean over so many independent instances (clusters) is not firm.

    Such a cell is shown, but greyed or marked, and no sentence rests on it.
    """
    return clusters < FEW
