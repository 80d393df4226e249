"""An agreement study in one go: do the people agree, does the judge agree with them, and may it stand in for one?

Everything is computed from the long table by `analysis.agreement` (coefficients, judge against people) and
`analysis.trust` (replaceability, ceiling, effects, noise, calibration); here it is put together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from flask_eval.analysis.agreement import (
    Confusion,
    Disattenuated,
    InterRater,
    JudgeDifference,
    JudgeVersusHuman,
    Options,
    RankingAccuracy,
    confusion,
    disattenuated,
    inter_rater,
    judge_difference,
    judge_versus_human,
    prepare,
    ranking_accuracy,
)
from flask_eval.analysis.cutting import in_slice
from flask_eval.analysis.trust.alt_test import EPSILON, AltTest, replaceability
from flask_eval.analysis.trust.calibrate import Correction, Curve, calibrate
from flask_eval.analysis.trust.ceiling import Ceiling, ceilings
from flask_eval.analysis.trust.effects import RaterEffects, rater_effects
from flask_eval.analysis.trust.noise import NoiseFloor, noise_floor
from flask_eval.analysis.trust.orthogonality import Orthogonality, orthogonality
from flask_eval.analysis.trust.ppi import (
    CalibratedDifference,
    CalibratedMean,
    Labelled,
    calibrated_differences,
    calibrated_means,
)
from flask_eval.errors import UserError, nearest
from flask_eval.ratings import DIMENSIONS, INSTANCE_COLUMNS, RatingTable, as_table
from flask_eval.schema import Slice

By = Sequence[Sequence[str]]
ScaleEnds = tuple[float, ...] | tuple[str, ...] | Literal["nominal"]

_PLACE = re.compile(r"#\d+$")
"""The end of the name of a rater that is only a place in a list."""


_ROWS = (
    "inter_rater", "judge_vs_human", "judge_differences", "ranking_accuracy", "confusion", "disattenuated",
    "replaceability", "ceiling", "rater_effects", "orthogonality", "noise_floor", "calibrated", "calibrated_differences", "corrections",
)  # fmt: skip
"""The parts of a study, in the order of the record."""


@dataclass(frozen=True, eq=False)
class AgreementStudy:
    """What an agreement study shows: rows, each with n, interval and method, or the reason why there is none."""

    inter_rater: tuple[InterRater, ...]
    """Among people, among judges, one rater with itself."""
    judge_vs_human: tuple[JudgeVersusHuman, ...]
    """Each judge against people, at three levels."""
    judge_differences: tuple[JudgeDifference, ...]
    """Two judges against the same people, on the same pairs."""
    ranking_accuracy: tuple[RankingAccuracy, ...]
    """How often a judge orders two responses as people do."""
    confusion: tuple[Confusion, ...]
    """Counts of the judge's score for each of the people's."""
    disattenuated: tuple[Disattenuated, ...]
    """Correlations corrected for the people's own unreliability."""
    replaceability: tuple[AltTest, ...]
    """The alternative annotator test."""
    ceiling: tuple[Ceiling, ...]
    """How far people agree with each other on the same measures."""
    rater_effects: tuple[RaterEffects, ...]
    """Severity, use of the scale, length and self-preference, drift."""
    orthogonality: tuple[Orthogonality, ...]
    """Correlations between skills within the judge and within people."""
    noise_floor: tuple[NoiseFloor, ...]
    """Variance components and the smallest difference that can be told."""
    calibrated: tuple[CalibratedMean, ...]
    """Prediction-powered means beside the judge's."""
    calibrated_differences: tuple[CalibratedDifference, ...]
    """The same for differences between models."""
    corrections: tuple[Correction, ...]
    """How the judge's scores become people's, skill by skill, and how much nearer they come."""
    corrected: pd.DataFrame
    """A row a unit that a judge scored, with its corrected score, or the reason why there is none; not in the record."""
    confidence: float
    resamples: int
    seed: int
    epsilon: float
    kappa_weights: str
    n_people: int
    n_judges: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What `agree --json` writes."""
        made: dict[str, Any] = {name: [row.to_dict() for row in getattr(self, name)] for name in _ROWS}
        options = ("confidence", "resamples", "seed", "epsilon", "kappa_weights", "n_people", "n_judges")
        return made | {name: getattr(self, name) for name in options} | {"notes": list(self.notes)}

    def to_frame(self) -> pd.DataFrame:
        """Judge against people: one row a judge, people, skill, slice and level, one column a measure."""
        rows = []
        for row in self.judge_vs_human:
            made = {
                n: getattr(row, n) for n in ("judge", "human", "skill", "slice", "level", "adjusted", "n", "n_groups")
            }
            for name, value in row.measures.items():
                made[name] = value
                made[f"{name}_low"], made[f"{name}_high"] = row.intervals.get(name, (None, None))
            rows.append(made)
        return pd.DataFrame(rows)


def agree(
    table: RatingTable,
    by: By = (),
    slices: Iterable[Slice] = (),
    *,
    judges: Collection[str] | None = None,
    humans: Collection[str] | None = None,
    scales: Mapping[str, ScaleEnds] | None = None,
    kappa_weights: Literal["value", "position"] = "value",
    epsilon: float = EPSILON["skilled"],
    labelled: Labelled | None = None,
    curve: Curve = "isotonic",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> AgreementStudy:
    """Hold judges against people.

    Args:
        table: what `read_ratings` gave.
        by: one entry a table: dimensions that are crossed (`["domain"]`); without it, everything together.
        slices: parts of the instances; everything is done within each of them.
        judges: these raters are the judges; none: those of kind judge or metric.
        humans: these raters are the people; none: those of kind human.
        scales: `(low, high)`, labels or `"nominal"` by rater, where no run tells; `""` stands for all others.
        kappa_weights: by value on the scale, or by position among the scores that occur.
        epsilon: what a person may be better by (replaceability): .2 experts, .15 skilled, .1 crowd.
        labelled: how the instances that people rated were chosen: `"random"`, or a probability for each; none: not known,
            so no calibrated means.
        curve: of the correction of the judge's scores: `isotonic` (any rising curve) or `linear`.
        confidence: of the intervals.
        resamples: of the clusters where an interval is bootstrapped; 0: no intervals.
        seed: of the resamples.

    Raises:
        UserError: a rater, a dimension or a slice does not occur, or nothing can be compared.
    """
    table = as_table(table)
    ratings, notes = _prepared(table, judges, humans, scales)
    spread = confidence if resamples else None
    known = _scales(table, ratings, scales)
    guessed = _fractions(ratings, known)
    known |= guessed
    notes += [
        f"No scale of '{name}' is known; its scores lie between 0 and 1, so 0-1 is taken (say otherwise by --scale)."
        for name in guessed
    ]
    if len(ratings["variant"].unique()) > 1:
        notes.append(
            "Ratings of one rater under several variants are averaged, as samples are; select one to tell them apart."
        )
    clusters = dict(zip(table.instances["instance"], table.instances["cluster"], strict=True))
    options: Options = {
        "clusters": clusters,
        "scales": known,
        "kappa_weights": kappa_weights,
        "resamples": resamples,
        "confidence": confidence,
        "seed": seed,
        "anonymous": {name for name in ratings["rater"].unique() if _PLACE.search(name)},
    }
    _check_dimensions(table, by)
    made: dict[str, list[Any]] = {name: [] for name in AgreementStudy.__dataclass_fields__}
    corrected: list[pd.DataFrame] = []
    for name, part in _parts(table, ratings, slices, notes):
        for dimensions in by or ((),):
            own: Options = {**options, "within": name}
            if dimensions and list(dimensions) != ["skill"]:
                own |= {"slice_of": _labels(table, part, dimensions), "by": list(dimensions)}
            _coefficients(made, part, own)
        if by:
            for piece, label in _pieces(table, part, by, name):
                made["replaceability"] += replaceability(
                    piece,
                    clusters,
                    epsilon=epsilon,
                    scales=_ends(known),
                    confidence=spread,
                    slice_name=label,
                    seed=seed,
                )
                made["ceiling"] += ceilings(piece, clusters, confidence=spread, slice_name=label, seed=seed)
            continue
        trust: dict[str, Any] = {"confidence": spread, "slice_name": name, "seed": seed}
        made["replaceability"] += replaceability(part, clusters, epsilon=epsilon, scales=_ends(known), **trust)
        made["ceiling"] += ceilings(part, clusters, **trust)
        made["rater_effects"] += rater_effects(
            part, clusters, lengths=table.lengths or None, scales=_ends(known), **trust
        )
        made["orthogonality"] += orthogonality(part, clusters, **trust)
        made["noise_floor"] += noise_floor(part, clusters, **trust)
        fitted = calibrate(part, clusters, curve=curve, **trust)
        made["corrections"] += fitted.corrections
        corrected.append(fitted.scores if name is None else fitted.scores.assign(slice=name))
        if resamples:
            made["calibrated"] += calibrated_means(
                part, clusters, labelled=labelled, confidence=confidence, slice_name=name
            )
            made["calibrated_differences"] += calibrated_differences(
                part, clusters, labelled=labelled, confidence=confidence, slice_name=name
            )
    kinds = ratings.drop_duplicates("rater")["kind"]
    nonempty = [table for table in corrected if len(table)]
    rows = {name: tuple(found) for name, found in made.items() if name in _ROWS}
    return AgreementStudy(
        **rows,
        corrected=pd.concat(nonempty, ignore_index=True) if nonempty else pd.DataFrame(),
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        epsilon=epsilon,
        kappa_weights=kappa_weights,
        n_people=int((kinds == "human").sum()),
        n_judges=int((kinds != "human").sum()),
        notes=tuple(dict.fromkeys(notes)),
    )


def _coefficients(made: dict[str, list[Any]], ratings: pd.DataFrame, options: Options) -> None:
    setting = prepare(ratings, **options)
    made["inter_rater"] += inter_rater(setting)
    made["judge_vs_human"] += judge_versus_human(setting)
    made["judge_differences"] += judge_difference(setting)
    made["ranking_accuracy"] += ranking_accuracy(setting)
    made["confusion"] += confusion(setting)
    made["disattenuated"] += disattenuated(setting)


def _prepared(
    table: RatingTable,
    judges: Collection[str] | None,
    humans: Collection[str] | None,
    scales: Mapping[str, ScaleEnds] | None,
) -> tuple[pd.DataFrame, list[str]]:
    """The ratings of those who take part, each under the kind that they are taken for, on their scales."""
    known = list(table.raters)
    for name in [*(judges or ()), *(humans or ()), *(n for n in scales or {} if n)]:
        if name not in known:
            raise UserError(f"no rater is called '{name}' in these ratings{nearest(name, known)}")
    both = set(judges or ()) & set(humans or ())
    if both:
        raise UserError(f"'{min(both)}' is named as a judge and as a person; say which")
    kinds: dict[str, str] = {}
    for name, kind in table.raters.items():
        if name in (humans or ()):
            kinds[name] = "human"
        elif name in (judges or ()):
            kinds[name] = "judge" if kind == "human" else kind
        elif (humans if kind == "human" else judges) is None:
            kinds[name] = kind
    if not kinds:
        raise UserError("no rater takes part; name raters by --judge and --human")
    ratings = table.ratings[table.ratings["rater"].isin(list(kinds))]
    ratings = ratings.assign(kind=ratings["rater"].astype(object).map(kinds))
    return _on_scales(ratings, _scales(table, ratings, scales))


def _scales(table: RatingTable, ratings: pd.DataFrame, given: Mapping[str, ScaleEnds] | None) -> dict[str, Any]:
    """The scale of each rater, where it is known: as given, else as its run tells."""
    said = dict(given or {})
    every = said.pop("", None)
    found: dict[str, Any] = {}
    for name in ratings["rater"].unique():
        ends = said.get(name, every if every is not None else table.scales.get(name))
        if ends is not None:
            found[name] = ends
    return found


def _fractions(ratings: pd.DataFrame, known: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Raters without a known scale who score by fractions of 1 beside others who do not: their scale is 0-1."""
    scored = ratings[ratings["score"].notna()]
    numbers = pd.to_numeric(scored["score"], errors="coerce")
    by = scored["rater"].astype(object)
    low, high = numbers.groupby(by).min(), numbers.groupby(by).max()
    broken = (numbers % 1 != 0).groupby(by).any()
    small = [str(n) for n in low.index if low[n] >= 0 and high[n] <= 1 and broken[n] and n not in known]
    larger = bool((high > 1).any())
    return dict.fromkeys(small, (0.0, 1.0)) if larger else {}


def _ends(scales: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The numeric scales only: (lowest, highest)."""
    return {
        name: (float(ends[0]), float(ends[1]))
        for name, ends in scales.items()
        if not isinstance(ends, str) and all(isinstance(end, (int, float)) for end in ends)
    }


def _on_scales(ratings: pd.DataFrame, scales: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """Scores outside a rater's scale become `out_of_range`, and are told; nominal scores become labels."""
    notes = []
    nominal = [name for name, ends in scales.items() if ends == "nominal"]
    if nominal:
        rows = ratings["rater"].isin(nominal) & ratings["score"].notna()
        score = ratings["score"].astype(object)
        score[rows] = [value if isinstance(value, str) else f"{value:g}" for value in score[rows]]
        ratings = ratings.assign(score=score)
    if pd.api.types.is_numeric_dtype(ratings["score"]):
        numbers = ratings["score"]
    else:
        numbers = pd.to_numeric(ratings["score"].where(~ratings["rater"].isin(nominal)), errors="coerce")
    outside = np.zeros(len(ratings), bool)
    for name, (low, high) in _ends(scales).items():
        own = (ratings["rater"] == name).to_numpy(bool)
        wrong = own & ((numbers < low - 1e-9) | (numbers > high + 1e-9)).to_numpy(bool)
        if wrong.any():
            notes.append(
                f"{int(wrong.sum()):,} scores of '{name}' lie outside {low:g}-{high:g} and count as out of range."
            )
            outside |= wrong
    if outside.any():
        ratings = ratings.assign(
            score=ratings["score"].mask(outside),
            outcome=ratings["outcome"].astype(object).mask(outside, "out_of_range"),
        )
    return ratings, notes


def _parts(
    table: RatingTable, ratings: pd.DataFrame, slices: Iterable[Slice], notes: list[str]
) -> list[tuple[str | None, pd.DataFrame]]:
    wanted = list(slices)
    if not wanted:
        return [(None, ratings)]
    made: list[tuple[str | None, pd.DataFrame]] = []
    for part in wanted:
        inside = table.instances["instance"][in_slice(table, part, notes)]
        made.append((part.name, ratings[ratings["instance"].isin(inside)]))
    return made


def _check_dimensions(table: RatingTable, by: By) -> None:
    known = [*DIMENSIONS, *table.instances.columns[len(INSTANCE_COLUMNS) :]]
    for name in (name for dimensions in by for name in dimensions):
        if name not in known:
            raise UserError(f"--by {name}: there is no such dimension{nearest(name, known)}")


def _values(table: RatingTable, ratings: pd.DataFrame, dimension: str) -> pd.Series[Any]:
    """The value of a dimension for each rating; a list of domains where it is that."""
    if dimension == "model":
        return ratings["model"].astype(object)
    if dimension == "group":
        groups = {name: facts.group or None for name, facts in table.rubrics.items()}
        return ratings["skill"].astype(object).map(groups)
    column = {"domain": "domains"}.get(dimension, dimension)
    cells = table.instances[column].astype(object)
    plain = [None if value is pd.NA or value in ("", ()) else value for value in cells]
    return ratings["instance"].astype(object).map(dict(zip(table.instances["instance"], plain, strict=True)))


def _labels(table: RatingTable, ratings: pd.DataFrame, dimensions: Sequence[str]) -> pd.Series[Any]:
    """For each rating the list of its labels: a mapping of dimension to value for each combination."""
    names = [name for name in dimensions if name != "skill"]
    columns = [_values(table, ratings, name) for name in names]
    known: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    made = []
    for values in zip(*columns, strict=True):
        if values not in known:
            known[values] = _combinations(names, values)
        made.append(known[values])
    return pd.Series(made, index=ratings.index, dtype=object)


def _combinations(names: Sequence[str], values: Sequence[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}]
    for name, value in zip(names, values, strict=True):
        options = value if isinstance(value, tuple) else (value,)
        found = [{**one, name: option} for one in found for option in options]
    return found


def _pieces(
    table: RatingTable, ratings: pd.DataFrame, by: By, within: str | None
) -> Iterable[tuple[pd.DataFrame, str | None]]:
    """The ratings of each slice, with its name."""
    for dimensions in by:
        if list(dimensions) == ["skill"]:
            yield ratings, within
            continue
        labels = _labels(table, ratings, dimensions)
        members: dict[str, list[int]] = {}
        for place, found in enumerate(labels):
            for one in found:
                text = ";".join(f"{name}={'none' if value is None else value}" for name, value in one.items())
                members.setdefault(text, []).append(place)
        for text, places in members.items():
            yield ratings.iloc[places], f"{within};{text}" if within else text
