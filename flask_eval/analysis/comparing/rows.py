"""Measured parts as rows: every number with n, an interval and what it can tell, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flask_eval.analysis.coding import Floats, Ints
from flask_eval.analysis.comparing.interacting import Sides
from flask_eval.analysis.comparing.measuring import Measured, Study
from flask_eval.analysis.comparing.parts import Part
from flask_eval.analysis.comparing.records import InteractionRow, ModelRow, PairRow, StrengthRow
from flask_eval.analysis.comparing.standing import Chances, beaten, ranks
from flask_eval.analysis.comparing.strengths import Strengths, leaders_without, mean_win_rate
from flask_eval.analysis.comparing.testing import detectable, limits
from flask_eval.analysis.scores import NOT_ASKED

ONE_CLUSTER = "one instance (cluster) only: nothing shows how much others differ"
NO_MARGIN = "no margin was given"
ALL_EQUAL = "the difference is the same on all instances: nothing shows how much others differ"
NO_SCALE = "all instances have the same value, and the scale is not known"
_WITHOUT_MARGIN = {"equivalent": NO_MARGIN, "q_equivalent": NO_MARGIN}


@dataclass(frozen=True)
class Setting:
    """What holds for all rows."""

    confidence: float
    adjust: str
    margin: float | None
    resamples: int
    families: Mapping[str, int]

    @property
    def level(self) -> float:
        """The level of every verdict."""
        return 1 - self.confidence


@dataclass(frozen=True, eq=False)
class Adjusted:
    """The adjusted p of a part's pairs."""

    q: Floats
    equivalent: Floats


def _maybe(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


# ---- pairs --------------------------------------------------------------------------------------------------------


def pair_rows(study: Study, part: Measured, found: Adjusted, setting: Setting) -> Iterator[PairRow]:
    """One row a pair."""
    own, pairs = study.own, part.pairs
    span = None if own.scale is None else own.scale[1] - own.scale[0]
    low, high, same = limits(
        pairs.difference, pairs.error, pairs.degrees, pairs.clusters, None if span is None else (-span, span), setting.confidence
    )  # fmt: skip
    tests = setting.families["overall" if part.part.overall else "rows"]
    least = detectable(pairs.error, pairs.degrees, pairs.clusters, setting.level / max(tests, 1))
    for k in range(pairs.a.size):
        undefined: dict[str, str] = {} if setting.margin is not None else dict(_WITHOUT_MARGIN)
        difference = _maybe(pairs.difference[k])
        ends = (_maybe(low[k]), _maybe(high[k])) if setting.resamples and difference is not None else (None, None)
        if difference is None:
            undefined |= dict.fromkeys(_TESTED, _why_none(study, part, k))
        elif np.isnan(pairs.error[k]):
            undefined |= dict.fromkeys(_TESTED[1:], ONE_CLUSTER)
        else:
            undefined |= _untested(
                setting, ends[0], found.equivalent[k], least[k], same=bool(same[k]), n=int(pairs.clusters[k])
            )
        if setting.margin is not None and np.isnan(found.equivalent[k]) and "q_equivalent" not in undefined:
            undefined |= dict.fromkeys(("equivalent", "q_equivalent"), undefined.get("p", NO_SCALE))
        q_equivalent = _maybe(found.equivalent[k])
        yield PairRow(
            rater=own.rater, kind=own.kind, a=own.models[pairs.a[k]], b=own.models[pairs.b[k]],
            skill=part.part.skill, slice=part.part.slice, by=part.part.by,
            difference=difference, low=ends[0], high=ends[1], p=_maybe(part.p[k]), q=_maybe(found.q[k]),
            adjust=setting.adjust, n=int(pairs.n[k]), wins=int(pairs.wins[k]), ties=int(pairs.ties[k]),
            losses=int(pairs.losses[k]), equivalent=None if q_equivalent is None else q_equivalent <= setting.level,
            q_equivalent=q_equivalent, detectable=_maybe(least[k]), undefined=undefined,
        )  # fmt: skip


_TESTED = ("difference", "low", "high", "p", "q", "detectable")


def _why_none(study: Study, part: Measured, k: int) -> str:
    if part.part.macro and not part.part.cells.size:
        return "no skill has a score of every model"
    lacking = [int(m) for m in (part.pairs.a[k], part.pairs.b[k]) if m >= study.own.rated]
    if lacking:
        return f"'{study.own.models[lacking[0]]}' has no score"
    if part.pairs.n[k]:
        return "the two have no instance in common under some of the skills that count"
    return "no instance has a score of both"


def _untested(
    setting: Setting, low: float | None, equivalent: float, least: float, *, same: bool, n: int
) -> dict[str, str]:
    """Why fields of a row with a difference and an error are null."""
    undefined: dict[str, str] = {}
    if low is None:
        undefined |= dict.fromkeys(("low", "high"), NO_SCALE if setting.resamples else NOT_ASKED)
    if np.isnan(least):
        few = f"with {n:,} instances (clusters) and so many tests no difference could be significant"
        undefined["detectable"] = ALL_EQUAL if same else few
    if setting.margin is not None and np.isnan(equivalent):
        undefined |= dict.fromkeys(("equivalent", "q_equivalent"), NO_SCALE)
    return undefined


# ---- models -------------------------------------------------------------------------------------------------------


def model_rows(study: Study, part: Measured, found: Adjusted, setting: Setting, chances: Chances) -> list[ModelRow]:
    """One row a model, best first."""
    own, means, pairs = study.own, part.means, part.pairs
    size = len(own.models)
    error = np.sqrt(np.diag(means.covariance)) if size else np.zeros(0)
    degrees, clusters = np.full(size, means.degrees), np.full(size, means.clusters)
    low, high, _ = limits(means.mean, error, degrees, clusters, own.scale, setting.confidence)
    separated = found.q <= setting.level
    better, worse = beaten(size, pairs.a, pairs.b, pairs.difference, separated)
    rank = ranks(means.mean, own.tolerance)
    best = chances.best(means, own.tolerance)
    tied = found.equivalent <= setting.level
    beside = _partners(own.models, pairs.a, pairs.b, tied)
    unclear = _partners(own.models, pairs.a, pairs.b, ~separated & ~tied & ~np.isnan(found.q))
    ranked = int((rank > 0).sum())
    rows = []
    for m in np.lexsort((np.arange(size), np.where(rank > 0, rank, size + 1))).tolist():
        mean = _maybe(means.mean[m])
        ends = (None, None) if mean is None or not setting.resamples else (_maybe(low[m]), _maybe(high[m]))
        chance = None if best is None else _maybe(best[m])
        rows.append(
            ModelRow(
                rater=own.rater, kind=own.kind, model=own.models[m], skill=part.part.skill, slice=part.part.slice,
                by=part.part.by, mean=mean, low=ends[0], high=ends[1], n=means.n if mean is not None else 0,
                rank=None if mean is None else int(rank[m]),
                rank_low=None if mean is None else 1 + int(better[m]),
                rank_high=None if mean is None else ranked - int(worse[m]),
                tied_with=beside[m], not_separated_from=unclear[m], probability_best=chance,
                undefined=_unplaced(part, m, setting, mean, ends[0], chance),
            )
        )  # fmt: skip
    return rows


_PLACED = ("mean", "low", "high", "rank", "rank_low", "rank_high", "probability_best")


def _unplaced(
    part: Measured, m: int, setting: Setting, mean: float | None, low: float | None, chance: float | None
) -> dict[str, str]:
    if mean is None:
        if part.part.macro and not part.part.cells.size:
            why = "no skill has a score of every model"
        elif not part.means.having[m]:
            why = "no rating is scored"
        else:
            why = "no instance has a score of every model"
        return dict.fromkeys(_PLACED, why)
    undefined: dict[str, str] = {}
    single = part.means.clusters < 2
    if low is None:
        why = NOT_ASKED if not setting.resamples else ONE_CLUSTER if single else NO_SCALE
        undefined |= {"low": why, "high": why}
    if chance is None:
        alone = part.means.having.sum() < 2
        undefined["probability_best"] = (
            "there is no other model" if alone else "no draws were asked for" if not setting.resamples
            else ONE_CLUSTER if single else "the means are the same on all instances: nothing shows how much others differ"
        )  # fmt: skip
    return undefined


def _partners(models: tuple[str, ...], a: Ints, b: Ints, chosen: Any) -> list[tuple[str, ...]]:
    found: list[list[int]] = [[] for _ in models]
    for first, second in zip(a[chosen].tolist(), b[chosen].tolist(), strict=True):
        found[first].append(second)
        found[second].append(first)
    return [tuple(models[k] for k in sorted(others)) for others in found]


# ---- interactions -------------------------------------------------------------------------------------------------


def interaction_rows(
    study: Study, part: Part, side: Sides | None, p: Floats, q: Floats, setting: Setting
) -> Iterator[InteractionRow]:
    """One row a model: the part against everything else."""
    own = study.own
    fixed: dict[str, Any] = {
        "rater": own.rater, "kind": own.kind, "dimension": part.dimension or "", "value": part.value
    }  # fmt: skip
    if side is None:
        none: dict[str, Any] = dict.fromkeys(("difference", "low", "high", "p", "q"))
        why = dict.fromkeys(none, "no instance with scores of every model stands inside it, or none outside")
        yield from (
            InteractionRow(**fixed, **none, model=model, n=0, undefined=why) for model in own.models[: own.rated]
        )
        return
    size = own.rated
    span = None if own.scale is None else 2 * (own.scale[1] - own.scale[0])
    low, high, _ = limits(
        side.difference, side.error, np.full(size, side.degrees), np.full(size, side.clusters),
        None if span is None else (-span, span), setting.confidence,
    )  # fmt: skip
    for m in range(size):
        undefined: dict[str, str] = {}
        if np.isnan(side.error[m]):
            undefined = dict.fromkeys(("low", "high", "p", "q"), "one instance (cluster) only on one side")
        elif not setting.resamples or np.isnan(low[m]):
            undefined = dict.fromkeys(("low", "high"), NO_SCALE if setting.resamples else NOT_ASKED)
        ends = (_maybe(low[m]), _maybe(high[m])) if setting.resamples else (None, None)
        yield InteractionRow(
            **fixed, model=own.models[m], difference=float(side.difference[m]), low=ends[0], high=ends[1],
            p=_maybe(p[m]), q=_maybe(q[m]), n=side.n, undefined=undefined,
        )  # fmt: skip


# ---- strengths ----------------------------------------------------------------------------------------------------


def strength_rows(
    rater: str, kind: str, models: tuple[str, ...], found: Strengths, means: Floats, setting: Setting, tolerance: float
) -> Iterator[StrengthRow]:
    """One row a model.

    Args:
        rater: whose comparisons they are.
        kind: of the rater.
        models: in the order of the strengths and of the rows of `means`.
        found: Bradley-Terry strengths.
        means: [models, skills] for the mean win rate.
        setting: of the command.
        tolerance: differences of means up to this size are ties.
    """
    from scipy.special import stdtrit

    rate, changes = mean_win_rate(means, tolerance), leaders_without(means, tolerance)
    half = stdtrit(max(found.clusters - 1, 1), (1 + setting.confidence) / 2) * found.error
    for m, model in enumerate(models):
        strength, spread = _maybe(found.strength[m]), _maybe(half[m]) if setting.resamples else None
        undefined: dict[str, str] = {}
        if strength is None:
            undefined |= dict.fromkeys(("bradley_terry", "bradley_terry_low", "bradley_terry_high"), found.reason)
        elif spread is None:
            why = found.reason if setting.resamples else NOT_ASKED
            undefined |= dict.fromkeys(("bradley_terry_low", "bradley_terry_high"), why)
        if np.isnan(rate[m]):
            undefined["mean_win_rate"] = "no skill in which it meets another model"
        yield StrengthRow(
            rater=rater, kind=kind, model=model, bradley_terry=strength,
            bradley_terry_low=None if strength is None or spread is None else strength - spread,
            bradley_terry_high=None if strength is None or spread is None else strength + spread,
            mean_win_rate=_maybe(rate[m]), leads_without=tuple(models[k] for k in changes[m]), undefined=undefined,
        )  # fmt: skip
