"""What is known of the scale on which a rater scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flask_eval.analysis.agreement.arrays import Bools, Floats

ScaleEnds = Sequence[Any] | str
"""`(low, high)`, `(low, high, step)`, the labels of a nominal scale, or the word `"nominal"`."""

FEW_OFF = 0.1
"""Up to this share of scores may lie off the points of their scale; those are left out. More: no measure of points."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A numeric scale, or labels without order."""

    low: float | None = None
    """The lowest score; none where it is not known."""
    high: float | None = None
    """The highest score; none where it is not known."""
    step: float = 1.0
    """The distance between neighbouring points."""
    nominal: bool = False
    """Whether scores are labels without order."""
    labels: tuple[str, ...] = ()
    """The labels where they are known."""

    @property
    def known(self) -> bool:
        """Whether its ends, or its labels, are known."""
        return self.low is not None or bool(self.labels)

    def __str__(self) -> str:
        if self.nominal:
            return "labels"
        if self.low is None or self.high is None:
            return "unknown"
        return f"{self.low:g}-{self.high:g}" + ("" if self.step == 1 else f" by {self.step:g}")

    def outside(self, scores: Floats) -> Bools:
        """(n,) which scores lie below the lowest or above the highest."""
        if self.low is None or self.high is None:
            return np.zeros(scores.shape, bool)
        return np.asarray((scores < self.low - 1e-9) | (scores > self.high + 1e-9))

    def on_points(self, scores: Floats) -> Bools:
        """(n,) which scores are points of the scale.

        Where the scale is not known, whole and half numbers are taken for points.
        """
        if self.nominal:
            return np.ones(scores.shape, bool)
        low, step = (0.0, 0.5) if self.low is None else (self.low, self.step)
        steps = (scores - low) / step
        return np.asarray(np.abs(steps - np.round(steps)) < 1e-6)

    @property
    def points(self) -> Floats | None:
        """Every point of a known numeric scale, ascending; none where there are more than 1,001."""
        if self.nominal or self.low is None or self.high is None:
            return None
        count = int(np.floor((self.high - self.low) / self.step + 1e-9)) + 1
        return np.asarray(self.low + self.step * np.arange(count)) if count <= 1001 else None


def scales_of(said: Mapping[str, ScaleEnds] | None, raters: Sequence[str]) -> list[Scale]:
    """The scale of each rater, unknown where nothing is said.

    Raises:
        ValueError: something else than two or three numbers, labels or `"nominal"` is said.
    """
    known = said or {}
    return [_scale(name, known[name]) if name in known else Scale() for name in raters]


def _scale(name: str, said: ScaleEnds) -> Scale:
    if isinstance(said, str):
        if said == "nominal":
            return Scale(nominal=True)
        raise ValueError(f"scale of '{name}': '{said}' is neither two numbers, nor labels, nor 'nominal'")
    values = list(said)
    if values and all(isinstance(value, str) for value in values):
        return Scale(nominal=True, labels=tuple(values))
    if len(values) not in (2, 3) or not values[0] < values[1]:
        raise ValueError(f"scale of '{name}': {values!r} is not (lowest, highest) or (lowest, highest, step)")
    step = float(values[2]) if len(values) == 3 else 1.0
    if step <= 0:
        raise ValueError(f"scale of '{name}': the step {step:g} is not above 0")
    return Scale(float(values[0]), float(values[1]), step)


def common(scales: Sequence[Scale]) -> Scale | None:
    """The scale of several raters together; none where they contradict each other.

    Raters of whom nothing is known go along with the others.
    """
    known = list(dict.fromkeys(scale for scale in scales if scale.known))
    if not known:
        return Scale(nominal=any(scale.nominal for scale in scales))
    if len(known) > 1 and not all(scale.nominal for scale in known):
        return None
    if known[0].nominal:
        return Scale(nominal=True, labels=tuple(dict.fromkeys(label for scale in known for label in scale.labels)))
    return known[0]
