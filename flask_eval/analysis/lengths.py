"""Do longer responses score higher? An association, told beside the scores; it is no cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from flask_eval.analysis.coding import Coded, Floats, Ints, absolute
from flask_eval.analysis.scores import NOT_ASKED, cluster_spread, intervals


@dataclass(frozen=True, slots=True)
class LengthPoint:
    """One model's responses."""

    model: str
    characters: float
    """Median over its responses that are not empty."""
    n: int
    """Responses with a length and a score."""


@dataclass(frozen=True, slots=True)
class LengthRow:
    """Length against score, by one rater."""

    rater: str
    kind: str
    points: tuple[LengthPoint, ...]
    spearman: float | None
    """Mean over instances of the rank correlation of length and score among the models' responses to the instance."""
    low: float | None
    high: float | None
    n: int
    """Instances whose correlation is defined: at least three responses that differ in length and in score."""
    n_groups: int
    """Instances with at least three responses that have a length and a score."""
    undefined: Mapping[str, str] = field(default_factory=dict)


LEAST = 3
"""Responses that an instance needs for a correlation of its own."""


def length_rows(data: Coded, *, confidence: float = 0.95, resamples: int = 1000) -> tuple[LengthRow, ...]:
    """One row a rater; empty where no lengths are held.

    A response's score is its mean over skills and samples. Ties share ranks; an instance where all scores (or lengths) are equal
    is left out, not counted as 0. The interval is Student's t over clusters of instances.

    Args:
        data: the ratings; `data.table.lengths` holds characters by response.
        confidence: of the interval.
        resamples: 0 for no interval.
    """
    if not data.table.lengths:
        return ()
    responses = _responses(data)
    made = (_row(data, rater, responses, confidence if resamples else None) for rater in range(len(data.raters)))
    return tuple(row for row in made if row is not None)


@dataclass(frozen=True, eq=False)
class _Responses:
    """A code for each rating's response, and the length of each response; 0 where it is empty or not known."""

    code: Ints
    length: Floats


def _responses(data: Coded) -> _Responses:
    table = data.table
    sample = np.concatenate([_samples(data), table.left["response_sample"].to_numpy(np.int64)])
    size = int(sample.max(initial=0)) + 1
    key = (data.instance * len(data.models) + data.model) * size + sample
    groups, code = np.unique(key, return_inverse=True)
    first, number = np.divmod(groups, size)
    instance, model = np.divmod(first, len(data.models))
    names = table.instances["instance"].to_numpy(object)
    length = [
        table.lengths.get((names[i], data.models[m], s), 0)
        for i, m, s in zip(instance.tolist(), model.tolist(), number.tolist(), strict=True)
    ]
    return _Responses(code.astype(np.int64), np.array(length, float))


def _samples(data: Coded) -> Ints:
    """The response sample of each coded rating; what `coded` left out is left out here too."""
    ratings = data.table.ratings
    if len(ratings) + len(data.table.left) != data.instance.size:
        ratings, _ = absolute(ratings)
    return ratings["response_sample"].to_numpy(np.int64)


def _row(data: Coded, rater: int, responses: _Responses, confidence: float | None) -> LengthRow | None:
    rows = np.flatnonzero((data.rater == rater) & ~np.isnan(data.score))
    rows = rows[responses.length[responses.code[rows]] > 0]
    if not rows.size:
        return None
    groups, first, position = np.unique(responses.code[rows], return_index=True, return_inverse=True)
    score = np.bincount(position, data.score[rows]) / np.bincount(position)
    frame = pd.DataFrame(
        {
            "instance": data.instance[rows][first],
            "cluster": data.cluster[rows][first],
            "model": data.model[rows][first],
            "length": responses.length[groups],
            "score": np.round(score, 9),
        }
    )
    found, n_groups = _correlations(frame)
    name = data.raters[rater]
    low, high, undefined = _interval(found, confidence)
    if found.empty:
        undefined["spearman"] = f"no instance has {LEAST} responses that differ in length and in score"
    return LengthRow(
        rater=name,
        kind=data.table.raters[name],
        points=tuple(_points(data, frame)),
        spearman=None if found.empty else float(found["r"].mean()),
        low=low,
        high=high,
        n=len(found),
        n_groups=n_groups,
        undefined=undefined,
    )


def _points(data: Coded, frame: pd.DataFrame) -> list[LengthPoint]:
    grouped = frame.groupby("model", sort=True)["length"]
    return [
        LengthPoint(data.models[model], float(middle), int(n))
        for model, middle, n in zip(grouped.size().index, grouped.median(), grouped.size(), strict=True)
    ]


def _correlations(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Spearman's correlation within each instance (r, with its cluster), and how many instances have enough responses."""
    enough = frame[frame.groupby("instance")["model"].transform("size") >= LEAST]
    grouped = enough.groupby("instance")
    ranks = pd.DataFrame({side: grouped[side].rank() for side in ("length", "score")})
    centred = ranks - ranks.groupby(enough["instance"]).transform("mean")
    sums = pd.DataFrame(
        {
            "xy": centred["length"] * centred["score"],
            "xx": centred["length"] ** 2,
            "yy": centred["score"] ** 2,
        }
    )
    total = sums.groupby(enough["instance"]).sum()
    defined = total[(total["xx"] > 0) & (total["yy"] > 0)]
    made = pd.DataFrame({"r": defined["xy"] / np.sqrt(defined["xx"] * defined["yy"])})
    clusters = enough.drop_duplicates("instance").set_index("instance")["cluster"]
    return made.assign(cluster=clusters.reindex(made.index)), len(total)


def _interval(found: pd.DataFrame, confidence: float | None) -> tuple[float | None, float | None, dict[str, str]]:
    """As for means (`scores`), clustered; where all correlations are the same, the rule of three."""
    if confidence is None:
        return None, None, dict.fromkeys(("low", "high"), NOT_ASKED)
    codes, names = pd.factorize(found["cluster"])
    mean = np.array([found["r"].mean()])
    influence = (found["r"].to_numpy() - mean) / max(len(found), 1)
    spread = cluster_spread(influence, np.zeros(len(found), np.int64), codes.astype(np.int64), 1, max(len(names), 1))
    made = intervals(mean, spread, [(-1.0, 1.0)], confidence)[0]
    return made.low, made.high, dict.fromkeys(("low", "high"), made.reason) if made.low is None else {}
