"""Agreement of every pair of raters, from one contingency table a pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flask_eval.analysis.agreement.arrays import Bools, Floats, Ints, compact, table_by
from flask_eval.analysis.agreement.intervals import NO_OVERLAP
from flask_eval.analysis.agreement.kappa import POINT_MEASURES, KappaWeights, disagreements, kappa_of_tables
from flask_eval.analysis.agreement.records import Pair
from flask_eval.analysis.agreement.sheet import Sheet

MOST_PAIRS = 1000
"""With more pairs of raters than this, those that share no unit are not listed."""
_BLOCK = 4_000_000


def pairs_of(
    sheet: Sheet,
    names: Sequence[str],
    *,
    why: str = "",
    nominal: bool = False,
    weights: KappaWeights = "value",
    step: float = 1.0,
) -> tuple[Pair, ...]:
    """Cohen's kappas, exact agreement and agreement within one step of every pair of raters.

    Args:
        sheet: ratings; `rater` are positions in `names`.
        names: the raters, in the order in which pairs are listed.
        why: the reason why no measure exists (scores are no points of a scale); empty where they do.
        nominal: whether scores are labels.
        weights: of weighted kappas: by value, or by position among the scores that two raters used.
        step: the distance of neighbouring points.
    """
    first, second = np.triu_indices(len(names), 1)
    shared = _shared(sheet, len(names))
    if shared is None or why:
        counts = np.zeros(first.size, np.int64)
        if shared is not None:
            counts = np.bincount(shared[0], minlength=len(names) ** 2)[first * len(names) + second]
        return tuple(
            _pair(names[a], names[b], int(n), {}, why or NO_OVERLAP)
            for a, b, n in zip(first.tolist(), second.tolist(), counts, strict=True)
            if n or first.size <= MOST_PAIRS
        )
    key, a_code, b_code = shared
    own, keys = compact(key, len(names) ** 2)
    measured = dict(zip(keys.tolist(), _measures(sheet, own, a_code, b_code, weights, step), strict=True))
    made = []
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        found = measured.get(a * len(names) + b)
        if found is None and first.size > MOST_PAIRS:
            continue
        n, values = found or (0, {})
        made.append(_pair(names[a], names[b], n, values, "" if found else NO_OVERLAP, nominal=nominal))
    return tuple(made)


def _shared(sheet: Sheet, n_raters: int) -> tuple[Ints, Ints, Ints] | None:
    """For each two ratings of a unit: the pair of raters (a * R + b, a < b), and both scores."""
    order = np.lexsort((sheet.rater, sheet.unit))
    unit, rater, code = sheet.unit[order], sheet.rater[order], sheet.score.code[order]
    found = []
    for lag in range(1, int(sheet.sizes.max(initial=0))):
        same = np.flatnonzero(unit[lag:] == unit[:-lag])
        found.append((rater[same] * n_raters + rater[same + lag], code[same], code[same + lag]))
    if not found:
        return None
    key, a, b = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return key, a, b


def _measures(
    sheet: Sheet, own: Ints, a: Ints, b: Ints, weights: KappaWeights, step: float
) -> list[tuple[int, dict[str, float]]]:
    """For each pair of raters, in order: units, and measures that may be NaN."""
    values = sheet.score.distinct
    size, count = values.size, int(own.max(initial=-1)) + 1
    order = np.argsort(own, kind="stable")
    ends = np.searchsorted(own[order], np.arange(count + 1))
    near = np.abs(values[:, None] - values) <= step * (1 + 1e-9)
    block = max(_BLOCK // size**2, 1)
    made: list[tuple[int, dict[str, float]]] = []
    for start in range(0, count, block):
        stop = min(start + block, count)
        where = order[ends[start] : ends[stop]]
        tables = table_by(own[where] - start, a[where] * size + b[where], (stop - start, size**2))
        tables = tables.reshape(-1, size, size)
        made += _of_tables(tables, values, near, weights)
    return made


def _of_tables(
    tables: Floats, values: Floats, near: Bools, weights: KappaWeights
) -> list[tuple[int, dict[str, float]]]:
    count = tables.sum(axis=(1, 2))
    columns = {
        "exact": np.einsum("pii->p", tables) / count,
        "within_one": np.einsum("pij,ij->p", tables, near.astype(np.float64)) / count,
    }
    if weights == "value":
        columns |= {name: kappa_of_tables(tables, d) for name, d in disagreements(values).items()}
    else:
        columns |= _by_position(tables, values)
    rows = zip(*(columns[name].tolist() for name in POINT_MEASURES), strict=True)
    return [(int(n), dict(zip(POINT_MEASURES, row, strict=True))) for n, row in zip(count.tolist(), rows, strict=True)]


def _by_position(tables: Floats, values: Floats) -> dict[str, Floats]:
    """Kappas weighted by place among the scores that the two raters of a table used."""
    made: dict[str, list[float]] = {}
    for table in tables:
        used = np.flatnonzero(table.any(axis=0) | table.any(axis=1))
        for name, disagreement in disagreements(values[used], "position").items():
            made.setdefault(name, []).append(float(kappa_of_tables(table[np.ix_(used, used)], disagreement)))
    return {name: np.array(column) for name, column in made.items()}


def _pair(a: str, b: str, n: int, values: dict[str, float], why: str, *, nominal: bool = False) -> Pair:
    measures: dict[str, float | None] = {}
    undefined = {}
    for name in POINT_MEASURES:
        value = values.get(name, np.nan)
        measures[name] = None if np.isnan(value) else float(value)
        if measures[name] is None:
            undefined[name] = why or "both give one and the same score throughout"
        if nominal and name in ("kappa_linear", "kappa_quadratic", "within_one"):
            measures[name], undefined[name] = None, why or "labels have no order"
    return Pair(a=a, b=b, n=n, undefined=undefined, **measures)
