"""How well people agree with people, beside how well the judge does: the human ceiling.

One person at a time is left out and set against the remaining people, on the measures and the units on which the judge
is set against those same people. A judge's r of 0.6 is much where a person reaches 0.6, and little where a person
reaches 0.9.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from flask_eval.analysis.trust.coefficients import COEFFICIENTS, CORRELATIONS, ON_LABELS, ON_POINTS, count_cells
from flask_eval.analysis.trust.jackknife import groups_of, jackknife_interval, method_name
from flask_eval.analysis.trust.panel import Anonymous, Bools, Clusters, Floats, Ints, Panel, by_skill_of_all, panels
from flask_eval.analysis.trust.rows import Interval, Row, number
from flask_eval.analysis.trust.scales import MOST_OFF_POINTS, Scales, on_points, other_scale

Against = Literal["mean", "each", "majority"]
FEWEST_UNITS = 3
MOST_PAIRS = 240
"""More ordered pairs of people than that, and a random part of them stands for all."""


@dataclass(frozen=True, slots=True)
class PersonFigures(Row):
    """One person against the remaining people, and the judge on the same units."""

    rater: str
    """The person."""
    n: int
    """Units (against `each`: summed over the other people)."""
    measures: Mapping[str, float | None]
    """The person's figures."""
    judge_measures: Mapping[str, float | None]
    """The judge's, on the same units."""


@dataclass(frozen=True, slots=True)
class Ceiling(Row):
    """The people's figures beside the judge's, for one skill or all pooled."""

    judge: str | None
    """The judge or metric; none where there are only people."""
    skill: str | None
    """The skill; none: all pooled."""
    slice: str | None
    """The name of the slice; none: everything."""
    human: Against
    """What a left-out person is set against: the mean of the others, each of them, or their majority."""
    n: int
    """Units behind at least one person's figure."""
    n_instances: int
    """Instances behind them."""
    n_clusters: int
    """Clusters behind them."""
    n_raters: int
    """People who were left out in turn."""
    measures: Mapping[str, float | None]
    """The mean over people of their figures: the ceiling."""
    intervals: Mapping[str, Interval | None]
    """Their intervals."""
    judge_measures: Mapping[str, float | None]
    """The mean over people of the judge's figures against the same people, on the same units."""
    judge_intervals: Mapping[str, Interval | None]
    """Their intervals."""
    differences: Mapping[str, float | None]
    """The judge's figure less the ceiling."""
    difference_intervals: Mapping[str, Interval | None]
    """Their intervals: below 0 throughout, the judge agrees with people less than people do."""
    persons: tuple[PersonFigures, ...]
    """One entry a person; empty where people are places in a list."""
    method: str
    """How figures and intervals were made."""
    seed: int
    """The seed of grouping and of the part of the pairs."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is none: by measure; `judge.MEASURE` and `difference.MEASURE` for the others."""


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """One left-out person against the reference, with the judge on the same units."""

    person: int
    rows: Ints
    own: Floats
    reference: Floats
    judge: Floats | None


def ceilings(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    judges: Collection[str] | None = None,
    nominal: bool | None = None,
    scales: Scales | None = None,
    anonymous: Anonymous = False,
    confidence: float | None = 0.95,
    slice_name: str | None = None,
    seed: int = 0,
) -> list[Ceiling]:
    """The human ceiling beside each judge: rows for each skill, and pooled.

    Args:
        ratings: the long table; people are the raters of kind `human`.
        clusters: the cluster of an instance, which intervals leave out.
        judges: the judges and metrics to set beside; none: all.
        nominal: whether scores are labels without order; none: where they are text.
        scales: what is known of raters' scales: their points, and whether the judge's is the people's.
        anonymous: people who are only places in a list, not persons: they have no figures of their own.
        confidence: of the intervals; none: no intervals.
        slice_name: the name of the slice that `ratings` holds.
        seed: groups the clusters, and picks pairs of people, where they are many.

    Returns:
        Rows against the `mean` (labels: the `majority`) of the others and against `each` of them; without a judge, the
        people alone. Measures on points (kappas, exact, within one) exist against `each` only.
    """
    found = panels(ratings, clusters, nominal=nominal, judges=judges, anonymous=anonymous)
    rows = []
    for skill, part in by_skill_of_all(found):
        references: tuple[Against, ...] = ("majority", "each") if part.nominal else ("mean", "each")
        for judge in part.judges or (None,):
            for against in references:
                study = _Study(part, judge, against, scales or {}, confidence, seed)
                rows.append(study.row(skill, slice_name))
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """One judge's column (or none) of a panel, against one kind of reference."""

    panel: Panel
    judge: int | None
    against: Against
    scales: Scales
    confidence: float | None
    seed: int

    def row(self, skill: str | None, slice_name: str | None) -> Ceiling:
        """All measures, or the reasons why there are none."""
        matches = list(self._matches())
        used = _either(matches, len(self.panel.scores)) if matches else np.array([], np.int64)
        groups = np.zeros(len(self.panel.cluster), np.int64)
        if self.confidence is not None:
            groups[used] = groups_of(self.panel.cluster[used], seed=self.seed)
        count = int(groups.max()) + 1 if len(used) else 0
        figures = self._figures(matches, groups, count)
        undefined: dict[str, str] = {}
        people = self._summary(figures, 0, "", undefined)
        judge = self._summary(figures, 1, "judge.", undefined)
        apart = self._summary(figures, 2, "difference.", undefined)
        persons = sorted({m.person for m in matches})
        return Ceiling(
            judge=None if self.judge is None else self.panel.raters[self.judge],
            skill=skill,
            slice=slice_name,
            human=self.against,
            n=len(used),
            n_instances=len(set(self.panel.instance[used])),
            n_clusters=len(np.unique(self.panel.cluster[used])),
            n_raters=len(persons),
            measures=people[0],
            intervals=people[1],
            judge_measures=judge[0],
            judge_intervals=judge[1],
            differences=apart[0],
            difference_intervals=apart[1],
            persons=() if self.panel.anonymous else tuple(self._person(p, matches, figures) for p in persons),
            method=self._method(count),
            seed=self.seed,
            undefined=undefined,
        )

    # ---- who is set against whom ----------------------------------------------------------------------------------

    def _matches(self) -> Iterator[_Match]:
        people = self.panel.people
        if self.against == "each":
            for person, other in self._pairs():
                yield from self._match(person, self.panel.scores[:, other])
            return
        reference = majority_of if self.against == "majority" else mean_of
        for person in people:
            others = self.panel.scores[:, [o for o in people if o != person]]
            yield from self._match(person, reference(others))

    def _pairs(self) -> list[tuple[int, int]]:
        pairs = [(a, b) for a in self.panel.people for b in self.panel.people if a != b]
        if len(pairs) <= MOST_PAIRS:
            return pairs
        picked = np.random.default_rng(self.seed).choice(len(pairs), MOST_PAIRS, replace=False)
        return [pairs[k] for k in sorted(picked)]

    def _match(self, person: int, reference: Floats) -> Iterator[_Match]:
        own = self.panel.scores[:, person]
        judge = None if self.judge is None else self.panel.scores[:, self.judge]
        rated = ~np.isnan(own) & ~np.isnan(reference)
        if judge is not None:
            rated &= ~np.isnan(judge)
        rows = np.flatnonzero(rated)
        if len(rows) >= FEWEST_UNITS:
            yield _Match(person, rows, own[rows], reference[rows], None if judge is None else judge[rows])

    # ---- the figures ----------------------------------------------------------------------------------------------

    @property
    def _names(self) -> tuple[str, ...]:
        if self.panel.nominal:
            return ON_LABELS
        return ON_POINTS if self.against == "each" else CORRELATIONS

    def _figures(self, matches: list[_Match], groups: Ints, count: int) -> dict[str, list[Floats]]:
        """For each measure one array (3, groups + 1) a match: the person's figure, the judge's, their difference."""
        made: dict[str, list[Floats]] = {name: [] for name in self._names}
        points = self._on_points()[0]
        for match in matches:
            everything = np.ones(len(match.rows), bool)
            for name in self._names:
                made[name].append(np.full((3, count + 1), np.nan))
            for names, keep in (
                (set(self._names) & set(CORRELATIONS) or set(self._names), everything),
                (set(self._names) - set(CORRELATIONS) if not self.panel.nominal else set(), points[match.rows]),
            ):
                if not names or keep.sum() < FEWEST_UNITS:
                    continue
                for side, scores in enumerate((match.own, match.judge)):
                    if scores is None:
                        continue
                    cells = count_cells(scores[keep], match.reference[keep], groups[match.rows[keep]], count)
                    for name in names:
                        made[name][-1][side] = COEFFICIENTS[name][0](cells)
            for name in self._names:
                made[name][-1][2] = made[name][-1][1] - made[name][-1][0]
        return made

    def _on_points(self) -> tuple[Bools, str]:
        """Which units every rater scored on a point of the scale, and why there are no points."""
        nowhere = np.zeros(len(self.panel.scores), bool)
        if self.judge is not None and (why := other_scale(self.panel, self.judge, self.panel.people, self.scales)):
            return nowhere, why
        kept = ~nowhere
        for column in (*self.panel.people, *(() if self.judge is None else (self.judge,))):
            scores, name = self.panel.scores[:, column], self.panel.raters[column]
            scored = ~np.isnan(scores)
            off = scored & ~on_points(scores, self._scale(column))
            if off.any() and self.panel.averaged[column]:
                return nowhere, f"means of several ratings of '{name}' are no points of the scale"
            if off.sum() > MOST_OFF_POINTS * scored.sum():
                return nowhere, f"{off.sum()} of the {scored.sum()} scores of '{name}' are no points of the scale"
            kept &= ~off
        return kept, ""

    def _scale(self, column: int) -> Sequence[Any] | str | None:
        """A rater's scale, or that of anybody here of whom it is known."""
        names = [self.panel.raters[column], *self.panel.raters]
        return next((self.scales[name] for name in names if name in self.scales), None)

    def _summary(
        self, figures: Mapping[str, list[Floats]], side: int, prefix: str, undefined: dict[str, str]
    ) -> tuple[dict[str, float | None], dict[str, Interval | None]]:
        """The mean over matches of each measure and its interval; what is none gets its reason in `undefined`."""
        measures: dict[str, float | None] = dict.fromkeys(COEFFICIENTS)
        intervals: dict[str, Interval | None] = dict.fromkeys(COEFFICIENTS)
        for name, (_, transform) in COEFFICIENTS.items():
            values = mean_of_matches(figures.get(name, []), side, alone=self.judge is None)
            if values is None:
                undefined[prefix + name] = self._reason(name, figures, side)
                continue
            measures[name] = number(values[0])
            scale, ends = (
                (transform, (-1.0 if transform == "fisher" else 0.0, 1.0)) if side < 2 else ("plain", (-2.0, 2.0))
            )
            intervals[name], why = jackknife_interval(values, self.confidence, scale, ends)
            if why:
                undefined[f"{prefix}{name}.interval"] = why
        return measures, intervals

    def _reason(self, name: str, figures: Mapping[str, list[Floats]], side: int) -> str:
        if name not in self._names:
            return (
                "only for scores with an order" if self.panel.nominal else "exists on scale points, not against a mean"
            )
        if side > 0 and self.judge is None:
            return "there is no judge"
        if len(self.panel.people) < 2:
            return f"{len(self.panel.people)} person: a ceiling needs 2"
        if not figures[name]:
            return f"no person shares {FEWEST_UNITS} units with the others" + (
                " and the judge" if self.judge is not None else ""
            )
        if name not in CORRELATIONS and not self.panel.nominal and (why := self._on_points()[1]):
            return why
        return "a side is constant in every comparison"

    def _person(self, person: int, matches: list[_Match], figures: Mapping[str, list[Floats]]) -> PersonFigures:
        own = [k for k, match in enumerate(matches) if match.person == person]
        made: list[dict[str, float | None]] = []
        for side in (0, 1):
            of_measure = {
                name: mean_of_matches([arrays[k] for k in own], side, alone=True) for name, arrays in figures.items()
            }
            made.append({name: None if values is None else number(values[0]) for name, values in of_measure.items()})
        n = sum(len(matches[k].rows) for k in own)
        return PersonFigures(self.panel.raters[person], n, made[0], made[1])

    def _method(self, count: int) -> str:
        people = len(self.panel.people)
        part = people * (people - 1) > MOST_PAIRS and self.against == "each"
        return (
            f"one person left out at a time, mean over {'pairs of people' if self.against == 'each' else 'people'}"
            + (f" ({MOST_PAIRS} of {people * (people - 1)} pairs, at random)" if part else "")
            + f"; {method_name(count)} (correlations and kappas on Fisher's z)"
        )


def _either(matches: list[_Match], size: int) -> Ints:
    """The units that at least one match has."""
    there = np.zeros(size, bool)
    for match in matches:
        there[match.rows] = True
    return np.flatnonzero(there)


def mean_of_matches(arrays: list[Floats], side: int, *, alone: bool) -> Floats | None:
    """The mean (groups + 1,) over matches in which the figure exists; none where it exists in no match.

    Args:
        arrays: (3, groups + 1) a match: the person's figure, the judge's, their difference.
        side: which of the three.
        alone: whether a match counts where only this side has a figure; else both must have one.
    """
    good = [array[side] for array in arrays if np.isfinite(array[side if alone else 2][0])]
    return np.mean(good, axis=0) if good else None


def mean_of(scores: Floats) -> Floats:
    """The mean of each row (units,) of scores (units, people); NaN where nobody scored."""
    there = ~np.isnan(scores)
    count = there.sum(axis=1)
    return np.where(count > 0, np.where(there, scores, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def majority_of(codes: Floats) -> Floats:
    """The most frequent code of each row (units,) of codes (units, people); NaN where two are equally frequent."""
    size = int(np.nanmax(codes, initial=-1.0)) + 1 if codes.size else 0
    if size <= 0:
        return np.full(len(codes), np.nan)
    counts = np.stack([(codes == code).sum(axis=1) for code in range(size)], axis=1)
    best = counts.max(axis=1)
    single = (counts == best[:, None]).sum(axis=1) == 1
    return np.where((best > 0) & single, counts.argmax(axis=1), np.nan).astype(float)
