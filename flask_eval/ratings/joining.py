"""Joining: the parts of all sources become one table, where no rating stands twice and none contradicts another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.errors import RecordError
from flask_eval.ratings.checking import Part, shown
from flask_eval.ratings.columns import CODED, COLUMNS, KEY, LEFT_COLUMNS, NUMBER, Column
from flask_eval.ratings.runs import RunPart

_WHOLE = ("response_sample", "sample")


def joined(parts: list[Part]) -> tuple[pd.DataFrame, list[str]]:
    """One table of all parts, without repeats, and what is to be told."""
    columns: dict[str, Column] = {}
    for name in CODED:
        known: dict[Any, int] = {}
        codes = []
        for part in parts:
            own, values = part.columns.pop(name)
            codes.append(np.array([*(known.setdefault(v, len(known)) for v in values), -1], np.int32)[own])
        columns[name] = np.concatenate(codes), list(known)
    starts = np.cumsum([0, *(part.size for part in parts)])
    notes: list[str] = []

    def place(row: int) -> str:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        return parts[number].place(row - int(starts[number]))

    _check_kinds(columns, place)
    _check_labels(columns, place, notes)
    keep = _without_repeats(columns, place, notes)
    rationale = pd.concat([part.rationale for part in parts], ignore_index=True)
    return _frame(columns, rationale, keep), notes


def _check_kinds(columns: Mapping[str, Column], place: Callable[[int], str]) -> None:
    """One rater is of one kind."""
    (rater, raters), (kind, kinds) = columns["rater"], columns["kind"]
    pairs = rater.astype(np.int64) * len(kinds) + kind
    first: dict[int, tuple[int, int]] = {}
    for pair, row in zip(*np.unique(pairs, return_index=True), strict=True):
        one, of = divmod(int(pair), len(kinds))
        if one in first:
            (early, was), (late, now) = sorted([first[one], (int(row), of)])
            raise RecordError(
                place(late),
                f"rater '{raters[one]}' is of kind '{kinds[now]}' here, and of kind '{kinds[was]}' in {place(early)}",
                "give the two raters different names, or one kind",
            )
        first[one] = (int(row), of)


def _check_labels(columns: Mapping[str, Column], place: Callable[[int], str], notes: list[str]) -> None:
    """A rater scores a skill by numbers or by labels, not by both."""
    (rater, raters), (skill, skills), (score, scores) = columns["rater"], columns["skill"], columns["score"]
    is_label = np.array([isinstance(value, str) for value in scores] + [False])
    if not is_label.any():
        return
    pair = rater.astype(np.int64) * len(skills) + skill
    size = len(raters) * len(skills)
    labelled = np.bincount(pair[is_label[score]], minlength=size) > 0
    numbered = np.bincount(pair[(score >= 0) & ~is_label[score]], minlength=size) > 0
    mixed = np.flatnonzero((labelled & numbered)[pair] & is_label[score])
    if mixed.size:
        row = int(mixed[0])
        raise RecordError(
            place(row),
            f"score {shown(scores[score[row]])} stands among numbers of '{raters[rater[row]]}' for {skills[skill[row]]}",
            "write a number, or leave it empty and give an outcome (not_applicable, ...)",
        )
    digits = np.array([isinstance(v, str) and bool(NUMBER.fullmatch(v)) for v in scores] + [False])
    notes.extend(
        f"Rater '{raters[code]}' gives numbers as text; they are taken as labels, which have no mean. "
        "Write numbers without quotes where means are wanted."
        for code in np.unique(rater[digits[score]])
    )


def _without_repeats(columns: Mapping[str, Column], place: Callable[[int], str], notes: list[str]) -> Any:
    """The rows to keep, as a mask: of equal ratings of the same thing the first; none may contradict another."""
    key = _key_of(columns)
    repeated = pd.Series(key).duplicated(keep="first").to_numpy()
    again = np.flatnonzero(repeated)
    if not again.size:
        return ~repeated
    order = np.argsort(key, kind="stable")
    first = order[np.searchsorted(key, key[again], sorter=order)]
    different = np.zeros(again.size, bool)
    for name in ("score", "outcome"):
        codes = columns[name][0]
        different |= codes[again] != codes[first]
    if different.any():
        late, early = int(again[different][0]), int(first[different][0])
        (score, scores), (outcome, outcomes) = columns["score"], columns["outcome"]
        said = [scores[score[r]] if score[r] >= 0 else outcomes[outcome[r]] for r in (late, early)]
        raise RecordError(
            place(late),
            f"says {said[0]!r} where {place(early)} says {said[1]!r}, on the same rating ({_key_in_words(columns, late)})",
            "keep one, or tell them apart by sample or variant",
        )
    notes.append(
        f"{again.size:,} rating{'s' if again.size > 1 else ''} stood twice with the same verdict and "
        f"{'are' if again.size > 1 else 'is'} counted once (the first: {place(int(again[0]))})."
    )
    return ~repeated


def _key_of(columns: Mapping[str, Column]) -> npt.NDArray[np.int64]:
    key = np.zeros(len(columns["instance"][0]), np.int64)
    size = 1
    for name in KEY:
        codes, values = columns[name]
        if size * max(len(values), 1) >= 2**62:
            key, found = pd.factorize(key)
            size = len(found)
        key = key * len(values) + codes
        size *= max(len(values), 1)
    return key


def _key_in_words(columns: Mapping[str, Column], row: int) -> str:
    values = ((name, columns[name][1][columns[name][0][row]]) for name in KEY)
    return ", ".join(f"{name} {value}" for name, value in values if value not in ("", 0))


def _frame(columns: Mapping[str, Column], rationale: pd.Series[str], keep: Any) -> pd.DataFrame:
    made: dict[str, Any] = {}
    for name, (codes, values) in columns.items():
        kept = codes[keep]
        if name in _WHOLE:
            made[name] = np.array(values or [0], np.int64)[kept]
        elif name == "score":
            if any(isinstance(v, str) for v in values):
                made[name] = pd.Series(np.array([*values, None], object)[kept], dtype=object)
            else:
                made[name] = np.array([*values, np.nan], np.float64)[kept]
        else:
            made[name] = pd.Series(pd.array(values, dtype="str").take(kept))
    made["rationale"] = rationale if keep.all() else rationale[keep].reset_index(drop=True)
    return pd.DataFrame({name: made[name] for name in COLUMNS})


def left_of(runs: list[RunPart], table: pd.DataFrame) -> pd.DataFrame:
    """What is left to judge, counted once where a run is named twice or its export is there too."""
    key = [name for name in LEFT_COLUMNS if name != "kind"]
    frames = [run.left for run in runs if len(run.left)]
    if not frames:
        return table.head(0)[list(LEFT_COLUMNS)]
    left = pd.concat(frames, ignore_index=True).drop_duplicates(key)
    judged = pd.MultiIndex.from_frame(table[table["rater"].isin(left["rater"].unique())][key])
    return left[~pd.MultiIndex.from_frame(left[key]).isin(judged)].reset_index(drop=True)
