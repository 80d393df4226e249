"""Thresholds for a CI job: means that must be reached, and a baseline that must not be undercut.

A gate never takes a missing score for a pass: a model without a mean misses its threshold. A difference that is not separated
passes, and what could have been missed is said with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from flask_eval.analysis.coding import coded
from flask_eval.analysis.comparing.adjusting import HOLM, adjusted
from flask_eval.analysis.comparing.records import PairRow
from flask_eval.analysis.comparing.run import compare
from flask_eval.analysis.macro import macro_means
from flask_eval.analysis.slices import slice_scores
from flask_eval.analysis.text import number
from flask_eval.errors import UserError, nearest
from flask_eval.ratings import RatingTable
from flask_eval.schema import canonical, slug

OVERALL = "overall"
"""The name under which a threshold speaks of the macro mean over skills."""

BASELINE = " (baseline)"
"""Stands behind the name of a baseline's model."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One threshold of one model, and whether it was kept."""

    gate: str
    """`fail_under` or `fail_if_worse_than`."""
    rater: str
    model: str
    skill: str | None
    """None: over all skills."""
    value: float | None
    """The mean; or the difference to the baseline."""
    threshold: float | None
    """What the mean must reach; None for a baseline: significance decides."""
    passed: bool
    reason: str


def thresholds_of(text: str, skills: Sequence[str]) -> dict[str | None, float]:
    """`--fail-under SKILL=X,...` as numbers; `overall` (None) is the macro mean.

    Raises:
        UserError: no number, or no such skill among `skills`.
    """
    found: dict[str | None, float] = {}
    for part in (piece.strip() for piece in text.split(",") if piece.strip()):
        name, sign, value = part.rpartition("=")
        try:
            least = float(value)
        except ValueError:
            least = float("nan")
        if not sign or not name.strip() or not abs(least) < float("inf"):
            raise UserError(f"--fail-under {part}: write SKILL=X, such as factuality=3.5 or {OVERALL}=4")
        skill = slug(name)
        if skill not in skills and skill != OVERALL:
            raise UserError(
                f"--fail-under {part}: no skill is called '{name.strip()}'{nearest(name, [*skills, OVERALL])}"
            )
        found[skill if skill in skills else None] = least
    if not found:
        raise UserError(f"--fail-under {text!r}: write SKILL=X, such as factuality=3.5 or {OVERALL}=4")
    return found


def fail_under(table: RatingTable, thresholds: Mapping[str | None, float]) -> list[Gate]:
    """Hold every model's own mean against its threshold; the mean is over all of the model's scores, as `slice` shows it.

    Raises:
        UserError: several raters, whose means need thresholds of their own; or none.
    """
    data = coded(table)
    if len(data.raters) > 1:
        raise UserError(f"--fail-under: {_some(data.raters)} rate these models; pick one by --rater")
    rows = {(row.rater, row.model, row.skill): row for row in slice_scores(data, resamples=0).rows}
    made = []
    for rater in data.raters:
        whole = {row.model: row for row in macro_means(data, rater, resamples=0)}
        for skill, least in thresholds.items():
            for model, macro in whole.items():
                row = macro if skill is None else rows.get((rater, model, skill))
                mean = None if row is None else row.mean
                passed = mean is not None and mean >= least
                where = f"'{model}' {skill or OVERALL}"
                said = "has no mean, and a missing score is no pass" if mean is None else f"has {number(mean, 3)}"
                told = f"{where} {said}; at least {least:g} is asked for"
                made.append(Gate("fail_under", rater, model, skill, mean, least, passed, told))
    if not made:
        raise UserError("--fail-under: nothing is rated")
    return made


def beside_baseline(now: RatingTable, before: RatingTable) -> tuple[RatingTable, list[tuple[str, str]]]:
    """Both tables as one, the baseline's models marked, and who is held against whom.

    Returns:
        The table, and pairs (model, baseline's model as it is called there). Models are matched by name; where each side
        has one model, these two.

    Raises:
        UserError: no model can be matched, or a rater of both was configured otherwise.
    """
    _check_raters(now, before)
    names = {model: f"{model}{BASELINE}" for model in before.models}
    if len(now.models) == len(before.models) == 1:
        matched = [(now.models[0], names[before.models[0]])]
    else:
        matched = [(model, names[model]) for model in now.models if model in names]
    if not matched:
        raise UserError(
            f"--fail-if-worse-than: the baseline rates {_some(before.models)}, and none of {_some(now.models)}; pick one on each "
            "side by --model, or give the models the same names"
        )
    ratings = pd.concat(
        [now.ratings, before.ratings.assign(model=before.ratings["model"].map(names))], ignore_index=True
    )
    left = pd.concat([now.left, before.left.assign(model=before.left["model"].map(names))], ignore_index=True)
    instances = pd.concat([now.instances, before.instances]).drop_duplicates("instance", ignore_index=True)
    both = replace(now, ratings=ratings, left=left, instances=instances, scales={**before.scales, **now.scales})
    return both.only(models=[name for pair in matched for name in pair]), matched


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _check_raters(now: RatingTable, before: RatingTable) -> None:
    common = [rater for rater in now.raters if rater in before.raters]
    if not common:
        raise UserError(
            f"--fail-if-worse-than: the baseline was rated by {_some(list(before.raters))}, this by {_some(list(now.raters))}; "
            "scores of different raters cannot be compared: score both with the same judge"
        )
    ours, theirs = _configurations(now), _configurations(before)
    for rater in common:
        if rater in ours and rater in theirs and ours[rater] != theirs[rater]:
            raise UserError(
                f"--fail-if-worse-than: '{rater}' was configured otherwise in the baseline (model, prompt, rubrics or settings "
                "differ), so its scores cannot be compared; score both the same way"
            )


def _configurations(table: RatingTable) -> dict[str, str]:
    found: dict[str, Any] = {}
    for run in table.runs:
        raters = run.get("raters")
        found |= raters if isinstance(raters, dict) else {}
    return {rater: canonical(config) for rater, config in found.items()}


def worse_than(
    both: RatingTable,
    matched: Sequence[tuple[str, str]],
    *,
    adjust: str = HOLM,
    confidence: float = 0.95,
    **options: Any,
) -> list[Gate]:
    """Whether a model is significantly worse than its baseline, over all skills or in any.

    Only matched pairs are tested; their p values are corrected together, overall rows as a family of their own.

    Args:
        both: the table that `beside_baseline` made.
        matched: its pairs.
        adjust: `holm` or `bh`.
        confidence: a difference is significant where its q is at most 1 - confidence.
        options: what else `compare` takes.

    Raises:
        UserError: a model and its baseline have no instance in common.
    """
    found: list[tuple[str, PairRow]] = []
    for model, baseline in matched:
        held = compare(both.only(models=[model, baseline]), adjust=adjust, confidence=confidence, **options)
        rows = [row for row in held.pairs if row.slice is None]
        if not any(row.n for row in rows):
            raise UserError(
                f"--fail-if-worse-than: '{model}' and its baseline have scores for no instance in common; do the ids match?"
            )
        found += [(model, row) for row in rows]
    made = []
    for family in (True, False):
        own = [(model, row) for model, row in found if (row.skill is None) is family]
        corrected = adjusted(np.array([np.nan if row.p is None else row.p for _, row in own], np.float64), adjust)
        for (model, row), q in zip(own, corrected.tolist(), strict=True):
            made.append(_held_against(row, model, None if np.isnan(q) else q, 1 - confidence))
    return made


def _held_against(row: PairRow, model: str, q: float | None, level: float) -> Gate:
    value = row.difference if row.difference is None or row.a == model else -row.difference
    worse = q is not None and q <= level and value is not None and value < 0
    where = f"'{model}' {row.skill or OVERALL}"
    if value is None:
        told = f"{where}: no instance in common"
    elif worse:
        told = f"{where} is worse than the baseline by {number(-value, 3)} (q {number(q, 4)}, n {row.n:,})"
    else:
        found_by = (
            "" if row.detectable is None else f"; a loss of {number(row.detectable)} would have been found (power 80%)"
        )
        told = f"{where} is not shown to be worse ({number(value, 3)}, n {row.n:,}{found_by})"
    # a rating that is missing on both sides is nobody's loss, so it fails nothing; overall there must be something
    passed = not worse and (value is not None or row.skill is not None)
    return Gate("fail_if_worse_than", row.rater, model, row.skill, value, None, passed, told)
