"""What agreement studies give: frozen records whose `to_dict` is a row of `agree --json`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from flask_eval.analysis.agreement.intervals import Estimate, Interval, interval_of

Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Method:
    """How a row was made."""

    confidence: float
    """The nominal coverage of intervals."""
    resamples: int
    """Resamples of the clusters where an interval is bootstrapped; 0: no intervals."""
    seed: int
    """The seed of the resamples."""
    intervals: Mapping[str, str]
    """How each interval was made, by measure."""
    no_interval: Mapping[str, str]
    """Why a defined measure has no interval, by measure."""


class Row:
    """A record that becomes a dict for JSON: tuples as lists, records as dicts."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Every field by name."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, (Row, Method)):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}  # type: ignore[arg-type]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Figures:
    """Measures with their intervals, and reasons for what is missing."""

    measures: Mapping[str, float | None]
    intervals: Mapping[str, Ends]
    undefined: Mapping[str, str]
    method: Method

    @classmethod
    def of(cls, estimates: Mapping[str, Estimate], asked: Asked) -> Self:
        """From estimates, with intervals where they are asked for."""
        measures = {name: _number(estimate.value) for name, estimate in estimates.items()}
        undefined = {name: estimate.reason for name, estimate in estimates.items() if measures[name] is None}
        made: dict[str, Interval] = {}
        if asked.resamples:
            known = (name for name, value in measures.items() if value is not None)
            made = {name: interval_of(estimates[name], asked.confidence) for name in known}
        return cls(
            measures,
            {name: interval.ends for name, interval in made.items() if interval.ends},
            undefined,
            Method(
                asked.confidence,
                asked.resamples,
                asked.seed,
                {name: interval.method for name, interval in made.items() if interval.ends},
                {name: interval.method for name, interval in made.items() if not interval.ends},
            ),
        )


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of intervals."""

    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}, but must lie between 0 and 1")
        if self.resamples < 0:
            raise ValueError(f"resamples is {self.resamples}, but must not be negative")

    @property
    def spread(self) -> bool:
        """Whether intervals are asked for."""
        return self.resamples > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Row):
    """Two raters on the units that both rated."""

    a: str
    b: str
    n: int
    """Units that both rated, with scores that are points of the scale."""
    kappa: float | None
    kappa_linear: float | None
    kappa_quadratic: float | None
    exact: float | None
    within_one: float | None
    undefined: Mapping[str, str]
    """Why a measure does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterRater(Row):
    """Agreement among raters of one kind, or of one rater with itself over its samples."""

    kind: str
    """`human`, `judge` or `metric`."""
    of: str
    """`raters`, or `samples`: one rater with itself."""
    raters: tuple[str, ...]
    skill: str | None
    """None: all skills pooled."""
    slice: str | None
    """None: everything."""
    by: Mapping[str, Any]
    n_units: int
    """Units (instance, model, response sample, skill) with two ratings or more."""
    n_ratings: int
    """Their ratings."""
    measures: Mapping[str, float | None]
    intervals: Mapping[str, Ends]
    undefined: Mapping[str, str]
    pairs: tuple[Pair, ...]
    n_single_units: int
    """Units with one rating: they do not count, but for how often Fleiss, Conger and AC1 see each category used."""
    n_out_of_range: int
    """Scores of these raters that lay outside their scale, over the whole study; they do not count."""
    n_instances: int
    """Instances behind the units."""
    n_clusters: int
    """Clusters behind them: what intervals resample."""
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeVersusHuman(Row):
    """A judge (or metric) against people."""

    judge: str
    human: str
    """`mean`, `each` (mean over persons), `majority`, or a rater."""
    skill: str | None
    """None: all skills pooled."""
    slice: str | None
    """None: everything."""
    by: Mapping[str, Any]
    level: str
    """`item`: pairs; `instance`: across models per (instance, skill), then the mean; `system`: models' means."""
    adjusted: str | None
    """`skill_centred`: each skill's mean is taken out of both sides."""
    n: int
    """Pairs; groups that count; models."""
    n_groups: int | None
    """At level `instance`: all groups (instance, skill)."""
    n_instances: int
    measures: Mapping[str, float | None]
    intervals: Mapping[str, Ends]
    """At level `system` conditional on these models: other instances, not other models."""
    undefined: Mapping[str, str]
    n_off_points: int
    """Pairs that kappas, exact and within-one leave out, since a score is no point of its scale."""
    n_out_of_range: int
    """Scores of the judge and of people that lay outside their scale, over the whole study; they do not count."""
    n_clusters: int
    """Clusters behind the pairs: what intervals resample."""
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDifference(Row):
    """One judge less another, against the same people on the same pairs."""

    a: str
    b: str
    human: str
    skill: str | None
    slice: str | None
    by: Mapping[str, Any]
    level: str
    adjusted: str | None
    n: int
    n_groups: int | None
    n_instances: int
    a_measures: Mapping[str, float | None]
    """The measures of `a` on the pairs that both judges rated."""
    b_measures: Mapping[str, float | None]
    measures: Mapping[str, float | None]
    """`a` less `b`."""
    intervals: Mapping[str, Ends]
    undefined: Mapping[str, str]
    n_clusters: int
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingAccuracy(Row):
    """How often a judge orders two responses to one instance as people do, over all pairs of models."""

    judge: str
    human: str
    skill: str | None
    slice: str | None
    by: Mapping[str, Any]
    n: int
    """Pairs of models, within (instance, skill)."""
    n_groups: int
    """The (instance, skill) that have such a pair."""
    n_instances: int
    n_concordant: int
    """Both order the two models, and alike."""
    n_discordant: int
    """Both order the two models, and differently."""
    n_tied_human: int
    """Only the people give both models the same score."""
    n_tied_judge: int
    """Only the judge does."""
    n_tied_both: int
    measures: Mapping[str, float | None]
    """`accuracy`: (concordant + tied by both) / all pairs; `decided`: of the pairs that people order, the share that
    the judge orders alike, its ties counting half."""
    intervals: Mapping[str, Ends]
    undefined: Mapping[str, str]
    n_clusters: int
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion(Row):
    """How often the judge gave one score where people gave another."""

    judge: str
    human: str
    """`each`: every (person, unit) is a pair; `majority`; or a rater."""
    skill: str | None
    slice: str | None
    by: Mapping[str, Any]
    points: tuple[float | str, ...]
    """The points of the scale, ascending, or the labels."""
    counts: tuple[tuple[int, ...], ...]
    """People in rows, the judge in columns."""
    n: int
    """All pairs in it."""
    n_off_points: int
    """Pairs that are left out, since a score is no point of the scale."""
    n_instances: int
    undefined: Mapping[str, str]
    """Why there are no counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disattenuated(Row):
    """The correlation of a judge with the mean of people, corrected for the people's own unreliability."""

    judge: str
    skill: str | None
    slice: str | None
    by: Mapping[str, Any]
    adjusted: str | None
    n: int
    """Pairs of the judge's score and the people's mean."""
    n_multiple: int
    """Pairs with two people or more, which tell the reliability."""
    n_instances: int
    measures: Mapping[str, float | None]
    """`pearson` as observed, the people's `reliability`, and `corrected` = pearson / sqrt(reliability)."""
    intervals: Mapping[str, Ends]
    undefined: Mapping[str, str]
    n_clusters: int
    method: Method


def to_dicts(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as JSON holds them."""
    return [row.to_dict() for row in rows]
