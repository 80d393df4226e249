"""From a cell to a score or to the outcome that says why there is none."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

from flask_eval.errors import RecordError, nearest
from flask_eval.importing.table_options import TableOptions
from flask_eval.importing.table_rows import ABSENT, text_of
from flask_eval.schema import OUTCOMES, Value, is_empty

Reading = tuple[Value | None, str]
"""A score and `scored`; or none and an outcome, or `drop`."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_NO_SCORE = {"n/a", "na", "nan", "-nan", "null", "<na>", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_KNOWN_AT_MOST = 100_000


def shown(value: Any) -> str:
    """A value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def whole(text: str) -> str:
    """The text, half a surrogate pair replaced, which no file can hold."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


class ScoreReader:
    """Reads the cells of one import; equal cells are read once."""

    def __init__(self, options: TableOptions) -> None:
        self._labels, self._missing = options.labels, options.missing
        self._default = options.default_outcome
        self._known: dict[Any, Reading] = {}

    def read(self, cell: Any, place: str) -> Reading:
        """The score, or the outcome.

        Raises:
            RecordError: the cell is neither a finite number nor a label.
        """
        if isinstance(cell, bool):
            cell = "true" if cell else "false"
        try:
            found = self._known.get(cell)
        except TypeError:
            raise RecordError(place, f"score {shown(cell)} is neither a number nor a label") from None
        if found is None:
            found = self._read(cell, place)
            if len(self._known) < _KNOWN_AT_MOST:
                self._known[cell] = found
        return found

    def _read(self, cell: Any, place: str) -> Reading:
        text = text_of(cell)
        if text is None:
            number = _as_float(cell)
            if number is None:
                raise RecordError(place, f"score {shown(cell)} is neither a number nor a label")
            cell, text = number, text_of(number) or ""
        key = "" if is_empty(text) else text.strip().casefold()
        if key in self._labels:
            return self._labels[key], "scored"
        if key in self._missing or not key:
            return None, self._missing.get(key) or self._default
        return _score(cell, whole(text.strip()), place), "scored"

    def outcome(self, cell: Any, reading: Reading, place: str) -> str:
        """The outcome of a rating whose outcome column says `cell`.

        Raises:
            RecordError: the outcome does not exist, or does not go with the score.
        """
        said = (text_of(cell) or "").strip()
        if said in ("", "scored"):
            return reading[1]
        if said not in OUTCOMES:
            raise RecordError(place, f"unknown outcome {shown(cell)}{nearest(said, OUTCOMES)}")
        if reading[0] is not None:
            remedy = "a rating has a score exactly when its outcome is 'scored'; mend the row or leave --outcome out"
            raise RecordError(place, f"outcome is '{said}', but the score {shown(reading[0])} is there", remedy)
        return said


def _as_float(cell: Any) -> float | None:
    """A number of another kind (Decimal, Fraction), or none."""
    try:
        return float(cell) if hasattr(cell, "as_integer_ratio") else None
    except (TypeError, ValueError, OverflowError):
        return None


def _score(cell: Any, text: str, place: str) -> Value:
    if isinstance(cell, int):
        return cell
    if isinstance(cell, float) or _NUMBER.fullmatch(text):
        number = cell if isinstance(cell, float) else float(text)
        if not math.isfinite(number):
            raise _no_number(text, place)
        return int(number) if number.is_integer() else number
    if text.lower() in _NO_SCORE:
        raise _no_number(text, place)
    return text


def _no_number(text: str, place: str) -> RecordError:
    return RecordError(
        place, f"score '{text}' is no finite number and no label", f"say what it means: --missing {text}"
    )


def unpacked(cell: Any, *, apart: bool = False) -> Any:
    """A list or an object that a text cell holds (JSON, or as Python prints it); any other cell as it is.

    Args:
        cell: the cell.
        apart: whether a text is a list too where `;` parts it, or where `,` or `|` parts numbers.
    """
    text = cell.strip() if isinstance(cell, str) else ""
    if text[:1] + text[-1:] not in ("[]", "{}"):
        return (_parts(text) or cell) if apart and text else cell
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return cell
    if isinstance(found, set):
        found = list(found)
    return found if isinstance(found, list | dict) else cell


def _parts(text: str) -> list[str]:
    """The parts of a list written in one cell; none where the text is no list."""
    if ";" in text:
        return [part.strip() for part in text.split(";")]
    sign = "|" if "|" in text else ","
    parts = [part.strip() for part in text.split(sign)]
    return parts if len(parts) > 1 and all(not part or _NUMBER.fullmatch(part) for part in parts) else []


def looks_like_a_list(label: str) -> bool:
    """Whether a label is several numbers in one cell."""
    return any(_NUMBER.fullmatch(part) for part in _parts(label))


def aligned(cell: Any, path: tuple[str | int, ...], sizes: tuple[int, ...], place: str, option: str) -> Any:
    """What stands beside a score: the same place of a list, the same field, or the whole where there is no list.

    Args:
        cell: what the row holds under `option`.
        path: the keys and places by which the score was reached within its cell.
        sizes: the length of the list at each step of `path`; 0 for a field.
        place: where the row stands.
        option: for messages.

    Raises:
        RecordError: the list beside is of another length.
    """
    for step, size in zip(path, sizes, strict=True):
        held = unpacked(cell)
        if isinstance(step, int) and isinstance(held, list):
            if len(held) != size:
                raise RecordError(place, f"{option}: a list of {len(held)} stands beside {size} scores")
            cell = held[step]
        elif isinstance(step, str) and isinstance(held, dict):
            cell = held.get(step)
    return cell


def reasons(cell: Any, place: str) -> str:
    """A rationale as text; the parts of a list one under the other.

    Raises:
        RecordError: it holds fields.
    """
    if cell is None or cell is ABSENT:
        return ""
    if isinstance(cell, list) and all(text_of(part) is not None for part in cell):
        return "\n".join(text_of(part) or "" for part in cell)
    text = text_of(cell)
    if text is None:
        raise RecordError(place, f"rationale {shown(cell)} is no text", "name one of its fields by a dotted path")
    return text
