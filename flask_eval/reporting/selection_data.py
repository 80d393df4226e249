"""What the page's script computes a selection with: means, standard errors and correlations in few bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flask_eval.analysis.coding import Floats
from flask_eval.analysis.selecting import Selection
from flask_eval.analysis.skill_means import SkillMeans
from flask_eval.analysis.sparsity import FEW
from flask_eval.reporting.models_table import ModelsTable
from flask_eval.reporting.text import Name, name

WIDE = 4_000
"""Up to so many correlations two digits each are taken, above one."""
LETTERS = "".join(chr(code) for code in range(0x23, 0x7F) if chr(code) not in "&<>\\~")
"""The digits of a packed correlation: their number is odd, so that 0 is exact."""
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

    Means and standard errors stand rounded, the correlations as arcsines (`packed`), so that they are finest where models are alike.
    """
    from scipy.special import ndtri

    errors = np.sqrt(np.diag(means.covariance))
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
    text, digits = packed(means.covariance)
    return record | {
        "errors": [_short(value, 4) for value in errors],
        "packed": text,
        "digits": digits,
        "letters": LETTERS,
        "z": round(float(ndtri(1 - alpha / 2)), 5),
        "level": round(alpha, 9),
        "tests": found.tests,
        "draws": PAGE_DRAWS,
        "seed": found.seed % 2**32,
    }


def packed(covariance: Floats) -> tuple[str, int]:
    """The correlations of a covariance above the diagonal, row by row: arcsines as numbers with the digits `LETTERS`.

    A letter takes a byte of the page, and none needs an escape in JSON or HTML; base64 would take a third more for the same numbers.

    Returns:
        The text, and how many digits each correlation has.
    """
    errors = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.nan_to_num(covariance / np.outer(errors, errors), posinf=0.0, neginf=0.0)
    angle = np.arcsin(correlation[np.triu_indices(errors.size, 1)].clip(-1, 1))
    digits = 2 if angle.size <= WIDE else 1
    whole = np.rint((angle * 2 / np.pi + 1) / 2 * (len(LETTERS) ** digits - 1)).astype(np.int64)
    places = np.stack([whole // len(LETTERS) ** k % len(LETTERS) for k in reversed(range(digits))], axis=-1)
    return "".join(np.array(list(LETTERS))[places.ravel()]), digits


def unpacked(text: str, digits: int, errors: Sequence[float | None]) -> Floats:
    """The covariance that the page's script computes with, from `packed` and the standard errors; 0 where there is none."""
    letters = np.array([LETTERS.index(letter) for letter in text], np.int64).reshape(-1, digits)
    whole = letters @ len(LETTERS) ** np.arange(digits)[::-1]
    made = np.eye(len(errors))
    made[np.triu_indices(len(errors), 1)] = np.sin((2 * whole / (len(LETTERS) ** digits - 1) - 1) * np.pi / 2)
    made = np.triu(made) + np.triu(made, 1).T
    spread = np.array([error or 0.0 for error in errors])
    return np.asarray(made * np.outer(spread, spread), np.float64)


def _short(value: float, digits: int = 6) -> float | None:
    return None if np.isnan(value) else float(f"{value:.{digits}g}")
