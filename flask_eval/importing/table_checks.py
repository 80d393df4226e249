"""Ratings column by column: coded as they come, checked for repeats and mixed scores, and given out as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.errors import RecordError
from flask_eval.importing.table_record import FIELDS, Entry
from flask_eval.importing.table_values import looks_like_a_list, whole
from flask_eval.schema import Kind

Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

COLUMNS = (*FIELDS[:7], "kind", *FIELDS[7:], "score", "outcome", "rationale")
"""The columns of the long table, in the order of the ratings file."""

_CODED = (*FIELDS, "score", "outcome")
_WHOLE = ("response_sample", "sample")
_MANY_LABELS = 50


class Coded:
    """A column as codes into its distinct values; -1 stands for a missing one."""

    def __init__(self) -> None:
        self.distinct: list[Any] = []
        self._known: dict[Any, int] = {}
        self._chunks: list[Codes] = []

    def extend(self, cells: Sequence[Any]) -> None:
        """Take cells; 4 and "4" are two values."""
        codes, found = pd.factorize(np.array(cells, dtype=object))
        lookup = np.empty(len(found) + 1, np.int32)
        for code, value in enumerate(found):
            lookup[code] = self._known.setdefault(value, len(self.distinct))
            if lookup[code] == len(self.distinct):
                self.distinct.append(value)
        lookup[-1] = -1
        self._chunks.append(lookup[codes])

    @property
    def codes(self) -> Codes:
        """All codes, one a rating."""
        if len(self._chunks) != 1:
            self._chunks = [np.concatenate(self._chunks) if self._chunks else np.empty(0, np.int32)]
        return self._chunks[0]

    def replace(self, codes: Codes, values: list[Any]) -> None:
        """Put other codes and values in the place of these."""
        self._chunks, self.distinct = [codes], values


class Ratings:
    """Ratings in the order in which they came."""

    def __init__(self) -> None:
        self.columns = {name: Coded() for name in _CODED}
        self.rationales: list[str] = []
        self._rows: list[npt.NDArray[np.int64]] = []

    def extend(self, entries: Sequence[Entry], rows: Sequence[int]) -> None:
        """Take ratings, and the number of the row that each comes from."""
        *coded, rationales = zip(*entries, strict=True)
        for column, cells in zip(self.columns.values(), coded, strict=True):
            column.extend(cells)
        self.rationales.extend(rationales)
        self._rows.append(np.array(rows, np.int64))

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each rating."""
        return np.concatenate(self._rows) if self._rows else np.empty(0, np.int64)

    def __len__(self) -> int:
        return sum(map(len, self._rows))

    def say(self, name: str, rating: int) -> Any:
        """A value of one rating."""
        coded = self.columns[name]
        code = int(coded.codes[rating])
        return None if code < 0 else coded.distinct[code]


def key_of(ratings: Ratings, names: Sequence[str] = FIELDS) -> npt.NDArray[np.int64]:
    """One number for each rating, the same exactly where the named fields are."""
    key = np.zeros(len(ratings), np.int64)
    size = 1
    for name in names:
        coded = ratings.columns[name]
        width = max(len(coded.distinct), 1)
        if size * width >= 2**62:
            key, found = pd.factorize(key)
            size = len(found)
        key = key * width + coded.codes
        size *= width
    return key


def number_raters(ratings: Ratings, unplaced: set[str]) -> None:
    """Give raters without identity the number of their turn among the ratings of the same unit: NAME#1, NAME#2 ..."""
    coded = ratings.columns["rater"]
    turn = pd.Series(key_of(ratings)).groupby(key_of(ratings)).cumcount().to_numpy()
    wanted = np.array([name in unplaced for name in coded.distinct], bool)[coded.codes]
    pairs = np.where(wanted, turn + 1, 0) * len(coded.distinct) + coded.codes
    codes, found = pd.factorize(pairs)
    names = []
    for pair in found:
        number, code = divmod(int(pair), len(coded.distinct))
        names.append(f"{coded.distinct[code]}#{number}" if number else coded.distinct[code])
    coded.replace(codes.astype(np.int32), names)


def check_labels(ratings: Ratings, place: Callable[[int], str]) -> list[str]:
    """Refuse numbers and labels side by side; return what is to be told about labels.

    Raises:
        RecordError: a rater scores a skill both by numbers and by labels.
    """
    rater, skill, score = (ratings.columns[name] for name in ("rater", "skill", "score"))
    is_label = np.array([*(isinstance(value, str) for value in score.distinct), False])
    if not is_label.any():
        return []
    pair = rater.codes.astype(np.int64) * len(skill.distinct) + skill.codes
    size = len(rater.distinct) * len(skill.distinct)
    labelled = is_label[score.codes]
    numbered = (score.codes >= 0) & ~labelled
    mixed = (np.bincount(pair[labelled], minlength=size) > 0) & (np.bincount(pair[numbered], minlength=size) > 0)
    if mixed.any():
        at = int(np.flatnonzero(mixed[pair] & labelled)[0])
        label = ratings.say("score", at)
        raise RecordError(
            place(at),
            f"score {label!r:.60} stands among numbers of '{ratings.say('rater', at)}' for {ratings.say('skill', at)}",
            f"say what it means: --labels '{label:.40}=NUMBER', or --missing '{label:.40}' where it is no score",
        )
    return _told_labels([value for value in score.distinct if isinstance(value, str)])


def _told_labels(labels: list[str]) -> list[str]:
    notes = []
    if len(labels) > _MANY_LABELS:
        notes.append(
            f"There are {len(labels):,} different labels, '{labels[0]:.40}' for one: is that a column of scores?"
        )
    if lists := [label for label in labels if looks_like_a_list(label)]:
        notes.append(f"The label '{lists[0]:.40}' looks like a list: --list raters or --list samples takes it apart.")
    spellings: dict[str, str] = {}
    for label in labels:
        other = spellings.setdefault(label.casefold(), label)
        if other != label:
            notes.append(
                f"The labels '{other}' and '{label}' are counted as two: --labels {label}={other} makes them one."
            )
    return notes[:5]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Ratings that stand more than once."""

    keep: Mask
    """Which ratings stay."""
    same: int
    """Dropped ratings that say the same."""
    different: int
    """Dropped ratings that say something else."""


def find_repeats(ratings: Ratings, place: Callable[[int], str], keep: Literal["first", "last"] | None) -> Repeats:
    """Of ratings of the same thing one stays.

    Raises:
        RecordError: two say different things, and `keep` does not say which stays.
    """
    key = key_of(ratings)
    dropped = pd.Series(key).duplicated(keep="last" if keep == "last" else "first").to_numpy()
    again = np.flatnonzero(dropped)
    if not again.size:
        return Repeats(~dropped, 0, 0)
    order = np.argsort(key, kind="stable")
    side: Literal["left", "right"] = "right" if keep == "last" else "left"
    stays = order[np.searchsorted(key, key[again], side=side, sorter=order) - (side == "right")]
    different = np.zeros(again.size, bool)
    for name in ("score", "outcome"):
        codes = ratings.columns[name].codes
        different |= codes[again] != codes[stays]
    count = int(different.sum())
    if count and keep is None:
        late, early = int(again[different][0]), int(stays[different][0])
        said = [
            ratings.say("score", at) if ratings.say("score", at) is not None else ratings.say("outcome", at)
            for at in (late, early)
        ]
        more = f", and {count - 1:,} more" if count > 1 else ""
        raise RecordError(
            place(late),
            f"says {said[0]!r} where {place(early)} says {said[1]!r}, on the same rating ({_in_words(ratings, late)}){more}",
            "--keep first or --keep last takes one; --sample C, --variant C or --response-sample C tell them apart",
        )
    return Repeats(~dropped, int(again.size) - count, count)


def _in_words(ratings: Ratings, at: int) -> str:
    values = ((name, ratings.say(name, at)) for name in FIELDS)
    return ", ".join(f"{name} {value}" for name, value in values if value not in ("", 0))


def counts_of(ratings: Ratings, name: str, keep: Mask) -> dict[str, int]:
    """How often each value of a column occurs, in the order in which they came."""
    coded = ratings.columns[name]
    counts = np.bincount(coded.codes[keep], minlength=len(coded.distinct))
    return {str(value): int(n) for value, n in zip(coded.distinct, counts, strict=True) if n}


def table_of(ratings: Ratings, kind: Kind, keep: Mask) -> pd.DataFrame:
    """The long table: whole scores as `int`; scores of other kinds side by side as Python objects, missing as None."""
    made: dict[str, Any] = {"kind": _texts(np.zeros(int(keep.sum()), np.int32), [kind])}
    for name, coded in ratings.columns.items():
        codes = coded.codes[keep]
        if name in _WHOLE:
            made[name] = np.array(coded.distinct or [0], np.int64)[codes]
        elif name == "score":
            made[name] = _scores(codes, coded.distinct)
        else:
            made[name] = _texts(codes, coded.distinct)
    made["rationale"] = pd.array([whole(text) for text in compress(ratings.rationales, keep)], dtype="str")
    return pd.DataFrame({name: made[name] for name in COLUMNS})


def _scores(codes: Codes, values: list[Any]) -> pd.Series[Any]:
    found = np.array([*values, None], dtype=object)[codes]
    if all(isinstance(value, int) and abs(value) < 2**63 for value in values):
        return pd.Series(found, dtype="Int64")
    return pd.Series(found, dtype=object)


def _texts(codes: Codes, distinct: list[str]) -> pd.Series[Any]:
    return pd.Series(pd.array([whole(text) for text in distinct], dtype="str").take(codes))


def summary_of(ratings: Ratings, keep: Mask) -> Mapping[str, dict[str, int]]:
    """Counts of the columns that a result record tells."""
    return {name: counts_of(ratings, name, keep) for name in ("rater", "skill", "model", "instance", "outcome")}
