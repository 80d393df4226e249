"""What is known of the scales on which raters score, as far as trust in a judge needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flask_eval.analysis.trust.panel import Bools, Floats, Panel
from flask_eval.analysis.trust.rows import Interval

Scales = Mapping[str, Sequence[Any] | str]
"""By rater, where known: `(low, high)`, `(low, high, step)`, its labels, or the word `"nominal"`."""
MOST_OFF_POINTS = 0.1
"""The share of a rater's scores off its scale's points above which measures on points are undefined."""


def ends_of(scale: Sequence[Any] | str | None) -> Interval | None:
    """The lowest and the highest score of a numeric scale; none for labels, and where nothing is known."""
    if scale is None or isinstance(scale, str) or not scale or isinstance(scale[0], str):
        return None
    return float(scale[0]), float(scale[1])


def step_of(scale: Sequence[Any] | str | None) -> float:
    """The distance between neighbouring points of a numeric scale: 1 unless told."""
    return float(scale[2]) if ends_of(scale) is not None and scale is not None and len(scale) > 2 else 1.0


def on_points(scores: Floats, scale: Sequence[Any] | str | None) -> Bools:
    """Which scores (units,) are points of a scale; where it is not known, whole and half numbers are. NaN is none."""
    ends = ends_of(scale)
    low, step = (0.0, 0.5) if ends is None else (ends[0], step_of(scale))
    with np.errstate(invalid="ignore"):
        steps = (scores - low) / step
        return np.asarray(np.abs(steps - np.round(steps)) < 1e-6)


def other_scale(panel: Panel, rater: int, others: Sequence[int], scales: Scales) -> str:
    """Why a rater's scores cannot be set against the others': another scale, or scores outside it; or nothing.

    Args:
        panel: the panel.
        rater: the rater's column.
        others: the columns of the others.
        scales: what is known of scales.
    """
    if panel.nominal:
        return ""
    own = ends_of(scales.get(panel.raters[rater]))
    for other in others:
        theirs = ends_of(scales.get(panel.raters[other]))
        if own is not None and theirs is not None:
            if own != theirs:
                return f"the scales differ: {_shown(own)} here, {_shown(theirs)} of the others"
            continue
        for known, column in ((own, other), (theirs, rater)):
            if known is not None and _outside(panel.scores[:, column], known):
                return f"the scales differ: scores of '{panel.raters[column]}' lie outside {_shown(known)}"
    return ""


def _outside(scores: Floats, ends: Interval) -> bool:
    there = scores[~np.isnan(scores)]
    return bool(((there < ends[0] - 1e-9) | (there > ends[1] + 1e-9)).any())


def _shown(ends: Interval) -> str:
    return f"{ends[0]:g}-{ends[1]:g}"
