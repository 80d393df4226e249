"""Agreement on annotations: between annotators, and of a model's annotation with a person's.

Domains and skills are sets of labels; difficulty is a level on an ordinal scale. Intervals are cluster jackknives
(`agreement.intervals`); the cluster is the instance, or what it belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from flask_eval.analysis.agreement.alphas import alphas
from flask_eval.analysis.agreement.arrays import Floats, Ints, compact, sums_by
from flask_eval.analysis.agreement.concordance import kendall
from flask_eval.analysis.agreement.correlation import pearson, spearman
from flask_eval.analysis.agreement.intervals import SHARE, Estimate, cluster_mean, interval_of, mean_of, undefined
from flask_eval.analysis.agreement.kappa import point_measures
from flask_eval.analysis.agreement.paired import Paired, paired
from flask_eval.analysis.agreement.sheet import Sheet, sheet_of
from flask_eval.schema import Instance


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer on one field: what was labelled, by whom, with which labels; no label is a missing answer.

    Attributes:
        unit: what was labelled.
        rater: who labelled it.
        labels: the labels, most important first.
        cluster: what the unit belongs to; units of one cluster are not independent.
    """

    unit: Hashable
    rater: str
    labels: tuple[str, ...]
    cluster: str


def _codes(values: Iterable[Hashable]) -> tuple[Ints, list[Hashable]]:
    """Positions of values in the order in which they first came, and the values."""
    places: dict[Hashable, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return np.asarray(codes, np.int64), list(places)


def _told(estimates: Mapping[str, Estimate], confidence: float) -> dict[str, Any]:
    """Measures with intervals, and the reason for each that does not exist."""
    intervals = {name: interval_of(e, confidence) for name, e in estimates.items()}
    reasons = {name: e.reason for name, e in estimates.items() if e.value is None}
    no_interval = {
        f"{name}_interval": interval.method
        for name, interval in intervals.items()
        if interval.ends is None and name not in reasons
    }
    return {
        "measures": {name: e.value for name, e in estimates.items()},
        "intervals": {name: i.ends and list(i.ends) for name, i in intervals.items()},
        "undefined": reasons | no_interval,
    }


# ---- between annotators ---------------------------------------------------------------------------------------------


def agreement_on_labels(rows: Sequence[Labelled], *, ordinal: bool = False, confidence: float = 0.95) -> dict[str, Any]:
    """How far raters agree on the labels of the same units.

    Args:
        rows: answers on one field; a rater answers a unit once.
        ordinal: whether labels are numbers on an ordinal scale, one an answer.
        confidence: of the intervals.

    Returns:
        `n` (units with two answers or more), `n_answers`, `n_missing`, `raters`, `measures` (`alpha_nominal` of the
        first label, `alpha_ordinal` where labels are levels, `exact`: the share of pairs of raters with the same set),
        with `intervals` and `undefined`; and `labels`: for each one named `n_named`, and alpha and Cohen's kappa of
        naming it or not (of more than two raters the mean over pairs).

    Source: Krippendorff (2011); Cohen (1960).
    """
    said = [row for row in rows if row.labels]
    unit, _ = _codes(row.unit for row in said)
    rater, raters = _codes(row.rater for row in said)
    cluster, _ = _codes(row.cluster for row in said)

    def sheet(scores: Sequence[float]) -> Sheet:
        return sheet_of(unit, rater, np.asarray(scores, np.float64), cluster)

    first, _ = _codes(row.labels[0] for row in said)
    sets, _ = _codes(frozenset(row.labels) for row in said)
    shared = sheet(first.tolist()).pairable
    estimates = {"alpha_nominal": _alpha(sheet(first.tolist()), "nominal")}
    if ordinal:
        estimates["alpha_ordinal"] = _alpha(sheet([float(row.labels[0]) for row in said]), "ordinal")
    estimates["exact"] = _over_pairs(sheet(sets.tolist()), len(raters), _exact)
    labels = sorted({label for row in said for label in row.labels}, key=_by_number if ordinal else str)
    return {
        "n": shared.n_units,
        "n_answers": len(said),
        "n_missing": len(rows) - len(said),
        "raters": [str(name) for name in raters],
        **_told(estimates, confidence),
        "labels": [
            {"label": label, **_of_label(sheet, said, label, len(raters), confidence)} for label in labels
        ],
    }  # fmt: skip


def _by_number(label: str) -> float:
    return float(label)


def _alpha(sheet: Sheet, level: Any) -> Estimate:
    return next(iter(alphas(sheet, (level,)).values()))


def _of_label(
    sheet: Callable[[Sequence[float]], Sheet], said: Sequence[Labelled], label: str, n_raters: int, confidence: float
) -> dict[str, Any]:
    named = [float(label in row.labels) for row in said]
    table = sheet(named)
    estimates = {"alpha": _alpha(table, "nominal"), "kappa": _over_pairs(table, n_raters, _kappa)}
    return {"n_named": int(sum(named)), **_told(estimates, confidence)}


def _over_pairs(sheet: Sheet, n_raters: int, measure: Callable[[Paired], Estimate]) -> Estimate:
    """The mean of a measure over the pairs of raters."""
    found = [measure(pair) for a, b in combinations(range(n_raters), 2) if len(pair := _pair(sheet, a, b))]
    return mean_of(found) if found else undefined("no unit has two ratings")


def _pair(sheet: Sheet, a: int, b: int) -> Paired:
    """The scores of two raters on the units that both labelled."""
    of_a, of_b = (np.flatnonzero(sheet.rater == rater) for rater in (a, b))
    _, in_a, in_b = np.intersect1d(sheet.unit[of_a], sheet.unit[of_b], return_indices=True)
    x, y = of_a[in_a], of_b[in_b]
    numbers = sheet.score.numbers
    return paired(numbers[x], numbers[y], sheet.clusters[sheet.cluster[sheet.unit[x]]])


def _exact(pair: Paired) -> Estimate:
    return point_measures(pair, nominal=True)["exact"]


def _kappa(pair: Paired) -> Estimate:
    return point_measures(pair, nominal=True)["kappa"]


# ---- a model's annotation and a person's ----------------------------------------------------------------------------


def check_annotations(
    own: Sequence[Instance], human: Sequence[Instance], *, confidence: float = 0.95
) -> dict[str, Any]:
    """Hold an annotation against a person's, on the instances that both files have.

    Args:
        own: annotated instances.
        human: instances with the same ids, annotated by people.
        confidence: of the intervals.

    Returns:
        The record of `annotate --check --json`. `skills` and `domains` compare the instances where the person named a
        label: `accepted` and `precision` are the share of own labels that the person named as well (FLASK's
        acceptance), `recall` the share of the person's labels that are among the own, `exact` the share of instances
        with the same set; `chance` is the acceptance to be expected were the person's sets dealt to the instances at
        random. `difficulty` compares the instances where both have a level.

    Source: Ye et al. (2023), FLASK, section 3.2 and appendix (acceptance; correlation of difficulty).
    """
    other = {one.id: one for one in human}
    pairs = [(one, other[one.id]) for one in own if one.id in other]
    return {
        "instances": len(pairs),
        "only_here": len(own) - len(pairs),
        "only_human": len(human) - len(pairs),
        "skills": _sets([(a.annotation.skills, b.annotation.skills, _cluster(a)) for a, b in pairs], confidence),
        "domains": _sets(
            [(_folded(a.annotation.domains), _folded(b.annotation.domains), _cluster(a)) for a, b in pairs], confidence
        ),
        "difficulty": _levels(
            [(a.annotation.difficulty, b.annotation.difficulty, _cluster(a)) for a, b in pairs], confidence
        ),
        "confidence": confidence,
    }


def _cluster(instance: Instance) -> str:
    return instance.cluster or instance.id


def _folded(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip().casefold() for name in names)


def _sets(rows: Sequence[tuple[tuple[str, ...], tuple[str, ...], str]], confidence: float) -> dict[str, Any]:
    compared = [(set(own), set(theirs), cluster) for own, theirs, cluster in rows if theirs]
    cluster, _ = _codes(c for *_, c in compared)
    both = np.array([len(own & theirs) for own, theirs, _ in compared], np.float64)
    size = np.array([len(own) for own, *_ in compared], np.float64)
    theirs_size = np.array([len(theirs) for _, theirs, _ in compared], np.float64)
    same = np.array([own == theirs for own, theirs, _ in compared], np.float64)
    none = undefined("the other file has no such annotation") if not compared else None
    precision = none or _ratio(both, size, cluster, "no label to compare")
    estimates = {
        "accepted": precision,
        "precision": precision,
        "recall": none or _ratio(both, theirs_size, cluster, "no label to compare"),
        "exact": none or cluster_mean(same, cluster, transform=SHARE),
    }
    told = _told(estimates, confidence)
    counts = [Counter(label for row in compared for label in row[side]) for side in (0, 1)]
    expected = sum(n * counts[1][label] for label, n in counts[0].items())
    labels = [
        {"label": label, "here": counts[0][label], "human": counts[1][label],
         "both": sum(label in own & theirs for own, theirs, _ in compared)}
        for label in sorted(counts[0].keys() | counts[1].keys())
    ]  # fmt: skip
    named = int(size.sum())
    return {
        **told.pop("measures"),
        "n": len(compared),
        "n_labels": named,
        "n_missing": int((size == 0).sum()),
        "n_without_human": sum(bool(own) and not theirs for own, theirs, _ in rows),
        "chance": expected / (len(compared) * named) if named else None,
        **told,
        "labels": labels,
    }


def _ratio(above: Floats, below: Floats, cluster: Ints, why: str) -> Estimate:
    """The ratio of two sums, with its value without each cluster."""
    if not below.sum():
        return undefined(why)
    count = int(cluster.max()) + 1
    top, bottom = (values.sum() - sums_by(cluster, count, values) for values in (above, below))
    left_out = np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), np.nan)
    return Estimate(float(above.sum() / below.sum()), left_out=left_out, transform=SHARE)


def _levels(rows: Sequence[tuple[int | None, int | None, str]], confidence: float) -> dict[str, Any]:
    both = [(float(a), float(b), cluster) for a, b, cluster in rows if a is not None and b is not None]
    cluster, _ = _codes(c for *_, c in both)
    x, y = (np.array([row[side] for row in both], np.float64) for side in (0, 1))
    pairs = paired(x, y, cluster)
    unit = np.arange(len(both), dtype=np.int64)
    rater = np.repeat(np.arange(2, dtype=np.int64), len(both))
    sheet = sheet_of(np.tile(unit, 2), rater, np.concatenate([x, y]), np.tile(cluster, 2))
    estimates = {
        "pearson": pearson(pairs),
        "spearman": spearman(pairs),
        "kendall": kendall(pairs),
        "alpha_ordinal": _alpha(sheet, "ordinal"),
        "exact": point_measures(pairs)["exact"],
    }
    told = _told(estimates, confidence)
    return {
        **told.pop("measures"),
        "n": len(both),
        "n_missing": sum(a is None and b is not None for a, b, _ in rows),
        "n_without_human": sum(a is not None and b is None for a, b, _ in rows),
        "chance": _same_by_chance(x, y) if both else None,
        **told,
    }


def _same_by_chance(x: Floats, y: Floats) -> float:
    """The share of equal levels to be expected were one side dealt to the instances at random."""
    values, code = np.unique(np.concatenate([x, y]), return_inverse=True)
    first, second = (np.bincount(part, minlength=values.size) for part in np.split(compact(code, values.size)[0], 2))
    return float(first @ second) / x.size**2
