"""What the reader of a comparison should be told, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from flask_eval.analysis.coding import Coded
from flask_eval.analysis.comparing.cells import Cells
from flask_eval.analysis.comparing.measuring import Study
from flask_eval.analysis.text import short

METHOD = (
    "differences paired by instance, samples averaged first; p: Student's t on cluster-robust standard errors (clusters are "
    "instances), never below what a sign-flip test of the clusters that differ can give"
)


def method_of(adjust: str, margin: float | None) -> str:
    """How the rows were made, in one sentence."""
    correction = "Holm" if adjust == "holm" else "Benjamini-Hochberg"
    told = f"{METHOD}; q: {correction} over all overall rows, and over all rows of a skill or slice"
    return told + (
        f"; equivalence: two one-sided tests within \u00b1{margin:g}, corrected likewise" if margin is not None else ""
    )


def notes_of(study: Study, data: Coded, *, several: bool) -> Iterator[str]:
    """What is special about a rater's comparison; `several`: name the rater."""
    own = study.own
    by = f" (rater '{short(own.rater)}')" if several else ""
    if own.rated < len(own.models):
        names = _listed(own.models[own.rated :])
        yield f"No score of {names}{by}: not compared."
    if own.rated < 2:
        return
    yield from _skills(study, data, by)
    yield from _common(study, by)


def _skills(study: Study, data: Coded, by: str) -> Iterator[str]:
    own, whole = study.own, study.overall
    counted = {int(s) for s in np.unique(own.skill[whole.part.cells])}
    out = [data.skills[s] for s in np.unique(own.skill).tolist() if s not in counted]
    if out:
        yield f"Only some models have scores for {_listed(out)}{by}; overall rows leave these skills out."
    shared = {int(s) for s in np.unique(own.skill[_shared(own)])} & counted
    if len(shared) < len(counted) and shared:
        lost = [data.skills[s] for s in sorted(counted - shared)]
        yield f"No instance has scores of every model for {_listed(lost)}{by}; overall means leave these skills out."


def _common(study: Study, by: str) -> Iterator[str]:
    """Where pairs rest on more than the models' means do, and who is to blame."""
    own, whole = study.own, study.overall
    cells = whole.part.cells
    known = ~np.isnan(own.score[: own.rated][:, cells])
    common, any_pair = int(known.all(axis=0).sum()), (known.astype(np.float64) @ known.T.astype(np.float64))
    pairs = any_pair[np.triu_indices(own.rated, 1)]
    if not cells.size or pairs.max() <= common:
        return
    yield (
        f"Means rest on the {common:,} ratings (instance and skill) that every model has a score for; pairs rest on those that the "
        f"two have in common, {int(pairs.min()):,} to {int(pairs.max()):,}{by}. So a difference of means may differ a little from "
        "the difference of the pair."
    )
    missing = (~known).sum(axis=0)
    for m in range(own.rated):
        without = common + int(((missing == 1) & ~known[m]).sum())
        if own.rated > 2 and common < without / 2:
            yield (
                f"'{short(own.models[m])}' has few scores{by}: the other models have {without:,} ratings in common, with it "
                f"{common:,}. Leave it out (--models) to compare the others on all of them."
            )


def _shared(own: Cells) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(~np.isnan(own.score[: own.rated]).any(axis=0))


def told_of_parts(studies: Sequence[Study], data: Coded, tables: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """What holds for parts of all raters."""
    if any(part.part.slice is not None and part.part.skill is None for study in studies for part in study.parts):
        yield (
            "Overall rows give each skill the same weight; rows of a slice without a skill give each rating (instance and skill) "
            "the same weight, as `slice` does."
        )
    if any("domain" in names for names in tables):
        several = int((data.table.instances["domains"].map(len) > 1).sum())
        if several:
            told = (
                "1 instance has several domains; it counts"
                if several == 1
                else f"{several:,} instances have several domains; they count"
            )
            yield f"{told} with weight 1 in each."
    equal = sum(
        int(((part.pairs.error <= 1e-12) & (part.pairs.difference == 0)).sum())
        for study in studies
        for part in study.parts
    )
    if equal:
        yield (
            f"In {equal:,} rows two models have the same score on every instance; p is 1 there, and the interval is the exact "
            "rule-of-three bound (Hanley and Lippman-Hand 1983) on what other instances might show."
        )
    if len(data.table.ratings["variant"].unique()) > 1:
        yield "Ratings under several variants are averaged."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{short(name)}'" for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")
