"""Where models stand: ranks, what the corrected pairs allow, and the probability of being best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flask_eval.analysis.coding import Floats, Ints, Mask
from flask_eval.analysis.comparing.estimates import Means

DRAWS = 10
"""Draws of the probability of being best, for each of the resamples that were asked for."""
_BLOCK = 2_000


def ranks(mean: Floats, tolerance: float) -> Ints:
    """1 + the number of models with a higher mean; equal means share the better rank. Models without a mean get 0."""
    above = (mean[None, :] > mean[:, None] + tolerance).sum(axis=1) + 1
    return np.asarray(np.where(np.isnan(mean), 0, above))


def beaten(size: int, a: Ints, b: Ints, difference: Floats, separated: Mask) -> tuple[Ints, Ints]:
    """How many models are significantly better than each model, and how many worse."""
    won, lost = separated & (difference > 0), separated & (difference < 0)
    better = np.bincount(b[won], minlength=size) + np.bincount(a[lost], minlength=size)
    worse = np.bincount(a[won], minlength=size) + np.bincount(b[lost], minlength=size)
    return better, worse


class Chances:
    """Probabilities of being best, from the same standard normal draws for every part."""

    def __init__(self, models: int, resamples: int, seed: int) -> None:
        self._seed = seed
        self._normal = np.random.default_rng(seed).standard_normal((resamples * DRAWS, models))

    def best(self, found: Means, tolerance: float) -> Floats | None:
        """The share of draws of the true means in which a model is the best; exact ties share.

        The true means are drawn from a multivariate t around the means, with their cluster-robust covariance (a normal
        approximation with heavier tails for few clusters; no prior). None without draws or without a covariance.
        """
        having = np.flatnonzero(~np.isnan(found.mean))
        covariance = found.covariance[np.ix_(having, having)]
        if not len(self._normal) or having.size < 2 or np.isnan(covariance).any() or not np.trace(covariance) > 0:
            return None
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        random = np.random.default_rng([self._seed, found.clusters])
        heavy = np.sqrt(found.degrees / random.chisquare(found.degrees, len(self._normal)))
        share = np.zeros(having.size)
        for start in range(0, len(self._normal), _BLOCK):
            block = slice(start, start + _BLOCK)
            drawn = found.mean[having] + (self._normal[block, : having.size] @ root.T) * heavy[block, None]
            first = _ties(drawn, tolerance)
            share += (first / first.sum(axis=1, keepdims=True)).sum(axis=0)
        made = np.full(found.mean.size, np.nan)
        made[having] = share / len(self._normal)
        return made


def _ties(drawn: Floats, tolerance: float) -> npt.NDArray[np.float64]:
    return np.asarray(drawn >= drawn.max(axis=1, keepdims=True) - tolerance, np.float64)
