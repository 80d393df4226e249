"""Checking, once for all sources: rows become a part, in which every value fits its column.

Every column is coded into its distinct values, each distinct value is checked once, and only a fault goes back to the
source for its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.errors import RecordError, nearest
from flask_eval.ratings.columns import CODED, COLUMNS, KINDS, LONE_SURROGATE, NUMBER, Codes, Column
from flask_eval.schema import OUTCOMES, is_empty, slug

_REQUIRED = ("instance", "skill", "rater", "score")
_NO_SCORE = {"n/a", "na", "nan", "null", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "-nan", "<na>"}


LARGEST = 1e9
"""No score lies beyond it."""


class _UnfitError(ValueError):
    """A value does not fit its column: the problem, and the remedy."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


class _Coded:
    """A column as codes into its distinct values; -1 stands for a missing one."""

    def __init__(self) -> None:
        self.chunks: list[Codes] = []
        self.values: list[Any] = []
        self._known: dict[tuple[type, Any], int] = {}

    def code(self, value: Any) -> int:
        """The code of a value; 1, 1.0, True and "1" are four values."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or value is pd.NA or (isinstance(value, str) and not value):
            return -1
        if isinstance(value, float) and math.isnan(value):
            return -1
        try:
            key = (type(value), value)
            found = self._known.setdefault(key, len(self.values))
        except TypeError:  # a list or an object: kept, so that its cleaner can refuse it
            found = len(self.values)
        if found == len(self.values):
            self.values.append(value)
        return found

    def extend(self, cells: Sequence[Any], *, plain: bool) -> None:
        """Take cells; `plain` says that all are strings, which goes faster."""
        if not plain:
            self.chunks.append(np.fromiter((self.code(v) for v in cells), np.int32, len(cells)))
            return
        codes, found = pd.factorize(np.array(cells, dtype=object))
        self.extend_codes(codes, found)

    def extend_codes(self, codes: npt.NDArray[Any], values: Iterable[Any]) -> None:
        """Take codes into other values."""
        lookup = np.array([*(self.code(v) for v in values), -1], np.int32)
        self.chunks.append(lookup[codes])

    @property
    def codes(self) -> Codes:
        """All codes, one a row."""
        return np.concatenate(self.chunks) if self.chunks else np.empty(0, np.int32)


@dataclass(slots=True)
class Part:
    """The checked ratings of one source: codes and values of each column."""

    name: str
    columns: dict[str, Column]
    rationale: pd.Series[str]
    place: Callable[[int], str]

    @property
    def size(self) -> int:
        """How many ratings there are."""
        return len(self.rationale)


class Builder:
    """Takes the rows of one source, column by column, and checks them.

    `text` says that the source knows nothing but text (CSV), so that a score of digits is a number.
    """

    def __init__(self, name: str, place: Callable[[int], str], *, text: bool) -> None:
        self.name, self.place, self.text = name, place, text
        self.columns = {name: _Coded() for name in CODED}
        self.size = 0
        self._rationale: list[pd.Series[str]] = []

    def extend(
        self,
        cells: Mapping[str, Sequence[Any]],
        size: int,
        *,
        plain: Collection[str] = (),
        coded: Mapping[str, tuple[npt.NDArray[Any], Iterable[Any]]] | None = None,
    ) -> None:
        """Take `size` rows; a column that is left out is missing.

        Args:
            cells: columns value by value; those in `plain` hold nothing but strings. Rationales may be a Series of text.
            size: how many rows.
            plain: see `cells`.
            coded: columns as codes into their values, -1 where one is missing.
        """
        for name, column in self.columns.items():
            if coded and name in coded:
                column.extend_codes(*coded[name])
            elif name in cells:
                column.extend(cells[name], plain=name in plain)
            else:
                column.chunks.append(np.full(size, -1, np.int32))
        texts: Any = cells.get("rationale", ())
        if isinstance(texts, pd.Series):
            self._rationale.append(texts.fillna(""))
        else:
            self._rationale.append(self._texts(texts if len(texts) else [""] * size))
        self.size += size

    def part(self) -> Part:
        """The checked part.

        Raises:
            RecordError: a value does not fit, or score and outcome contradict each other.
        """
        made = {name: self._clean(name, column) for name, column in self.columns.items()}
        made["outcome"] = self._outcomes(made["score"][0], *made["outcome"])
        texts = pd.concat(self._rationale, ignore_index=True) if self._rationale else _as_text([])
        return Part(self.name, made, texts, self.place)

    def _texts(self, cells: Sequence[Any]) -> pd.Series[str]:
        return _as_text(
            [text if text.__class__ is str else self._text(self.size + row, text) for row, text in enumerate(cells)]
        )

    def _text(self, row: int, text: Any) -> str:
        if isinstance(text, str):
            return str(text)
        if text is None or text is pd.NA or (isinstance(text, float) and math.isnan(text)):
            return ""
        raise RecordError(self.place(row), f"rationale {shown(text)} is no text")

    def _clean(self, name: str, column: _Coded) -> tuple[Codes, list[Any]]:
        """Codes into clean values: each distinct value is checked once."""
        known: dict[Any, int] = {}
        lookup = []
        codes = column.codes
        for code, value in enumerate(column.values):
            try:
                clean = _score(value, text=self.text) if name == "score" else _CLEANERS[name](value, name)
            except _UnfitError as error:
                row = int(np.flatnonzero(codes == code)[0])
                raise RecordError(self.place(row), error.problem, error.remedy) from None
            lookup.append(known.setdefault(clean, len(known)))
        default = _DEFAULTS.get(name)
        if (codes < 0).any() and name in _REQUIRED and name != "score":
            row = int(np.flatnonzero(codes < 0)[0])
            raise RecordError(self.place(row), f"{name} is empty", f"every rating names its {name}")
        lookup.append(-1 if default is None else known.setdefault(default, len(known)))
        return np.array(lookup, np.int32)[codes], list(known)

    def _outcomes(self, score: Codes, outcome: Codes, values: list[Any]) -> tuple[Codes, list[Any]]:
        """Outcomes with their default: `scored` where a score is there; a score exactly when it is `scored`."""
        names = [*values, "scored"] if "scored" not in values else values
        scored = names.index("scored")
        made = np.where((outcome < 0) & (score >= 0), scored, outcome).astype(np.int32)
        wrong = np.flatnonzero((made < 0) | ((score >= 0) != (made == scored)))
        if not wrong.size:
            return made, names
        row = int(wrong[0])
        place = self.place(row)
        if made[row] < 0:
            raise RecordError(
                place,
                "score is empty and outcome is not given",
                f"write a score, or an outcome ({', '.join(OUTCOMES[1:])})",
            )
        name = names[made[row]]
        if name == "scored":
            raise RecordError(place, "outcome is 'scored', but score is empty", "write a score, or another outcome")
        raise RecordError(
            place, f"outcome is '{name}', but a score is there", "leave the score empty, or write 'scored'"
        )


def _as_text(texts: Sequence[str]) -> pd.Series[str]:
    try:
        return pd.Series(texts, dtype="str")
    except UnicodeEncodeError:  # half of a surrogate pair, which no file can hold
        return pd.Series([LONE_SURROGATE.sub("\ufffd", text) for text in texts], dtype="str")


def shown(value: Any) -> str:
    """A value as messages show it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _UnfitError(f"{name} {shown(value)} is no text", "give names and ids as text or whole numbers")


def _identity(value: Any, name: str) -> str:
    text = _text(value, name)
    if is_empty(text):
        raise _UnfitError(f"{name} {shown(value)} has no visible character", f"every rating names its {name}")
    return text


def _skill(value: Any, name: str) -> str:
    made = slug(_identity(value, name))
    if not made:
        raise _UnfitError(f"skill {shown(value)} has no letter a-z and no digit", "give it a name in a-z, 0-9 and _")
    return made


def _whole(value: Any, name: str) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return int(value)
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0 and 0 <= value < 10**9
    if not whole:
        raise _UnfitError(f"{name} {shown(value)} is no whole number from 0 up")
    return int(value)


def _one_of(known: Sequence[str]) -> Callable[[Any, str], str]:
    def clean(value: Any, name: str) -> str:
        if value not in known:
            raise _UnfitError(f"unknown {name} {shown(value)}{nearest(str(value), known)}")
        return str(value)

    return clean


def _score(value: Any, *, text: bool) -> float | str:
    """A number, or a label; numbers that are given as text stay labels, but in CSV everything is text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if math.isfinite(value):
            return _within(float(value))
        raise _UnfitError(f"score {value} is no finite number", "leave it empty and give an outcome")
    if not isinstance(value, str):
        raise _UnfitError(f"score {shown(value)} is neither a number nor a label")
    label = LONE_SURROGATE.sub("\ufffd", value).strip()
    if label.lower() in _NO_SCORE or is_empty(label):
        raise _UnfitError(
            f"score {shown(value)} is no score", "leave it empty and give an outcome (not_applicable, ...)"
        )
    if text and NUMBER.fullmatch(label):
        number = float(label)
        if not math.isfinite(number):
            raise _UnfitError(f"score {shown(value)} is no finite number")
        return _within(number)
    return label


def _within(number: float) -> float:
    """A score that can be added up and squared."""
    if abs(number) > LARGEST:
        raise _UnfitError(f"score {number:g} is beyond {LARGEST:g}", "no scale goes that far; mend it")
    return number


_CLEANERS: dict[str, Callable[[Any, str], Any]] = {
    "instance": _identity,
    "model": _text,
    "response_sample": _whole,
    "versus": _text,
    "skill": _skill,
    "item": _text,
    "rater": _identity,
    "kind": _one_of(KINDS),
    "sample": _whole,
    "variant": _text,
    "outcome": _one_of(OUTCOMES),
}
_DEFAULTS = {"model": "", "response_sample": 0, "versus": "", "item": "", "kind": "human", "sample": 0, "variant": ""}


def check_columns(names: Iterable[str], place: str) -> None:
    """No column but the known ones, and none of the required ones missing.

    Raises:
        RecordError: a column is unknown or missing.
    """
    names = list(names)
    for name in names:
        if name not in COLUMNS:
            raise RecordError(place, f"unknown column '{name}'{nearest(str(name), COLUMNS)}")
    for name in _REQUIRED:
        if name not in names:
            raise RecordError(place, f"column '{name}' is missing", f"a ratings table needs {', '.join(_REQUIRED)}")
