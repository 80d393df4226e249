"""What the page's script computes a selection with: means, standard errors and correlations in few bytes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from flask_eval.analysis.coding import Floats
from flask_eval.analysis.selecting import Selection
from flask_eval.analysis.skill_means import SkillMeans
from flask_eval.analysis.sparsity import FEW
from flask_eval.reporting.models_table import ModelsTable
from flask_eval.reporting.text import Name, name

WIDE = 12_000
"""Up to so many correlations two bytes each are taken, above one."""
PAGE_DRAWS = 4000
TOP = 10
"""The sliders' highest weight."""


def head(word: str, unit: str) -> str:
    """A column's or an axis's name."""
    return f"{word} ({name(unit).text})" if unit else word


def slider_values(share: Sequence[float]) -> list[float]:
    """Weights as the sliders show them, in steps of a half: the highest at the top, equal ones in the middle."""
    positive = {round(w, 12) for w in share if w > 0}
    top = TOP / 2 if len(positive) < 2 else TOP
    highest = max(share, default=0.0) or 1.0
    return [max(round(2 * top * w / highest) / 2, 0.5) if w > 0 else 0.0 for w in share]


def embedded(means: SkillMeans, found: Selection, titles: Sequence[Name], known: ModelsTable) -> dict[str, Any]:
    """What the page's script computes with; `selection.js` reads it.

    Means and standard errors stand rounded, the upper triangle of the correlations as arcsines in one or two bytes each
    (`packed`), so that they are finest where models are alike.
    """
    from scipy.special import ndtri

    errors = np.sqrt(np.diag(means.covariance))
    pairs = len(means.models) * (len(means.models) - 1) // 2
    alpha = 1 - found.confidence
    record: dict[str, Any] = {
        "models": [name(model).text for model in means.models],
        "skills": [title.text for title in titles],
        "shares": [_short(found.weights[skill]) for skill in means.skills],
        "means": [_short(value) for value in means.mean.ravel()],
        "n": means.n.ravel().tolist(),
        "clusters": None if (means.n == means.clusters).all() else means.clusters.ravel().tolist(),
        "all": means.all_clusters.tolist(),
        "few": FEW,
        "scale": means.scale,
        "price": [known.prices.get(model) for model in means.models] if known.prices else None,
        "speed": [known.speeds.get(model) for model in means.models] if known.speeds else None,
        "heads": [head("Price", known.price_unit), head("Speed", known.speed_unit)],
    }
    if not found.draws:
        return record
    text, bits = packed(means.covariance)
    return record | {
        "errors": [_short(value, 4) for value in errors],
        "packed": text,
        "bits": bits,
        "z": round(float(ndtri(1 - alpha / 2)), 5),
        "holm": [round(float(ndtri(1 - alpha / 2 / (max(found.tests, pairs) - k))), 4) for k in range(pairs)],
        "draws": PAGE_DRAWS,
        "seed": found.seed % 2**32,
    }


def packed(covariance: Floats) -> tuple[str, int]:
    """The correlations of a covariance above the diagonal, row by row: arcsines as signed integers (little-endian), in base64.

    Returns:
        The text, and the bits of each integer.
    """
    errors = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.nan_to_num(covariance / np.outer(errors, errors), posinf=0.0, neginf=0.0)
    upper = correlation[np.triu_indices(errors.size, 1)].clip(-1, 1)
    bits = 16 if upper.size <= WIDE else 8
    whole = np.rint(np.arcsin(upper) * 2 / np.pi * (2 ** (bits - 1) - 1)).astype(f"<i{bits // 8}")
    return b64encode(whole.tobytes()).decode(), bits


def unpacked(text: str, bits: int, errors: Sequence[float | None]) -> Floats:
    """The covariance that the page's script computes with, from `packed` and the standard errors; 0 where there is none."""
    whole = np.frombuffer(b64decode(text), f"<i{bits // 8}").astype(np.float64)
    made = np.eye(len(errors))
    made[np.triu_indices(len(errors), 1)] = np.sin(whole / (2 ** (bits - 1) - 1) * np.pi / 2)
    made = np.triu(made) + np.triu(made, 1).T
    spread = np.array([error or 0.0 for error in errors])
    return np.asarray(made * np.outer(spread, spread), np.float64)


def _short(value: float, digits: int = 6) -> float | None:
    return None if np.isnan(value) else float(f"{value:.{digits}g}")
