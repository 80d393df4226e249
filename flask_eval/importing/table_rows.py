"""Rows of foreign tables as they stand, and the sources of fields within them.

Unlike `read_rows`, a column called `gpt-3.5` stays one column, and an empty cell stays a cell.
"""

from __future__ import annotations

import csv
import gzip
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flask_eval.errors import RecordError, UserError, nearest
from flask_eval.records import Row, files_of, open_text, read_rows, suffix

ABSENT: Any = object()
"""What a source gives where a row does not have it; null and an empty cell are values."""


def table_rows(path: str | Path) -> Iterator[Row]:
    """Yield (place, row) for every row behind `path`: a file, a folder of files, or `-` (JSON lines).

    Raises:
        NotFoundError: nothing is there.
        RecordError: a line is broken, or a file holds no row.
    """
    if str(path) == "-":
        yield from read_rows("-")
        return
    for file in files_of(path):
        kind = suffix(file)
        if kind not in (".csv", ".tsv", ".parquet"):
            yield from read_rows(file)
            continue
        empty = True
        for row in _parquet(file) if kind == ".parquet" else _text(file, "\t" if kind == ".tsv" else ","):
            empty = False
            yield row
        if empty:
            raise RecordError(str(file), "holds no row", "give a file with at least one")


def _text(file: Path, delimiter: str) -> Iterator[Row]:
    try:
        with open_text(file) as handle:
            yield from _csv(handle, str(file), delimiter)
    except UnicodeDecodeError as error:
        raise RecordError(str(file), f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise RecordError(str(file), f"is no whole gzip file ({error})", "fetch or pack it anew") from None
    except (PermissionError, IsADirectoryError) as error:
        raise RecordError(str(file), f"cannot be read ({error.strerror})") from None


def _csv(handle: Iterable[str], name: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(handle, delimiter=delimiter, strict=True)
    try:
        header = next(reader, None) or []
        twice = next((column for column in header if header.count(column) > 1), None)
        if twice is not None:
            raise RecordError(f"{name}:1", f"column '{twice}' stands twice", "give each column a name of its own")
        for cells in reader:
            if cells:
                place = f"{name}:{reader.line_num}"
                if len(cells) != len(header):
                    problem = f"has {len(cells)} cells, the header {len(header)}"
                    raise RecordError(place, problem, "quote cells that hold the separator")
                yield place, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise RecordError(f"{name}:{reader.line_num}", f"not valid CSV: {error}") from None


def _parquet(file: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(str(file), f"is no Parquet file ({str(error).splitlines()[0]})") from None
    number = 0
    with table:
        for batch in table.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield f"{file}:{number}", row


class RowPlaces:
    """Where each row stands, kept in 8 bytes a row."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._starts: list[int] = []
        self._forms: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, place: str) -> None:
        """Take the place of the next row: `file:line`, or `file[number]`."""
        name, mark, number = place.rpartition("[" if place.endswith("]") else ":")
        form = (name + mark, "]" if mark == "[" else "")
        if not self._forms or self._forms[-1] != form:
            self._starts.append(len(self._numbers))
            self._forms.append(form)
        self._numbers.append(int(number.removesuffix("]")))

    def __getitem__(self, row: int) -> str:
        before, after = self._forms[bisect_right(self._starts, row) - 1]
        return f"{before}{self._numbers[row]}{after}"


# ---- the names within rows ----------------------------------------------------------------------------------------


def reach(row: Mapping[str, Any], path: str) -> tuple[Any, str]:
    """The value under a column or a dotted path, and the name of the last step; `ABSENT` where there is none.

    A key may hold dots itself; a number counts a list's items from 0, and the last step is then called `NAME-1`.
    """
    if path in row:
        return row[path], path
    return _walk(row, path.split("."), "")


def _walk(here: Any, parts: list[str], name: str) -> tuple[Any, str]:
    if not parts:
        return here, name
    if isinstance(here, list) and parts[0].isdecimal() and int(parts[0]) < len(here):
        return _walk(here[int(parts[0])], parts[1:], f"{name}-{int(parts[0]) + 1}")
    if isinstance(here, dict):
        for size in range(1, len(parts) + 1):
            key = ".".join(parts[:size])
            if key in here:
                found = _walk(here[key], parts[size:], key)
                if found[0] is not ABSENT:
                    return found
    return ABSENT, ""


def names_of_rows(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of columns and of what lies one step within them, in the order in which they come."""
    names: dict[str, None] = {}
    for row in rows:
        for name, value in row.items():
            names.setdefault(name)
            if isinstance(value, dict):
                names.update((f"{name}.{inner}", None) for inner in value)
    return list(names)


# ---- sources ------------------------------------------------------------------------------------------------------


class Source:
    """Where the value of a field comes from.

    Attributes:
        constant: the text that is the same for all rows, or none.
    """

    constant: str | None = None

    def of(self, row: Mapping[str, Any], number: int) -> Any:
        """The value in a row; `number` is the row's, from 1. `ABSENT` where the row has none."""
        raise NotImplementedError

    def columns(self) -> list[Column]:
        """The columns behind it."""
        return []


class Constant(Source):
    """`=TEXT`."""

    def __init__(self, text: str) -> None:
        self.constant = text

    def of(self, row: Mapping[str, Any], number: int) -> Any:  # noqa: ARG002
        """The text."""
        return self.constant


class Number(Source):
    """`#`: the row's number."""

    def of(self, row: Mapping[str, Any], number: int) -> Any:  # noqa: ARG002
        """The number."""
        return number


class Column(Source):
    """A column or a dotted path."""

    def __init__(self, option: str, path: str) -> None:
        self.option, self.path = option, path
        self.found = False
        self._dotted = "." in path

    def of(self, row: Mapping[str, Any], number: int) -> Any:  # noqa: ARG002
        """The cell."""
        value = row.get(self.path, ABSENT)
        if value is ABSENT and self._dotted:
            value = reach(row, self.path)[0]
        if value is not ABSENT:
            self.found = True
        return value

    def columns(self) -> list[Column]:
        """Itself."""
        return [self]

    def unknown(self, names: Iterable[str]) -> UserError:
        """The error that says that no row has it."""
        return UserError(f"{self.option} {self.path}: there is no column '{self.path}'{nearest(self.path, names)}")


class Match(Source):
    """`C~REGEX`: a part of a column."""

    def __init__(self, option: str, path: str, pattern: str) -> None:
        self._column = Column(option, path)
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise UserError(f"{option} {path}~{pattern}: no regular expression: {error}") from None

    def of(self, row: Mapping[str, Any], number: int) -> Any:
        """The first group, or the whole match."""
        value = self._column.of(row, number)
        found = None if value is ABSENT else self._pattern.search(text_of(value) or "")
        if found is None:
            return ABSENT
        return found[1] if self._pattern.groups else found[0]

    def columns(self) -> list[Column]:
        """The column."""
        return [self._column]


class Joined(Source):
    """`A+B` or `{A}/{B}`: texts and columns put together; absent where one of them is."""

    def __init__(self, parts: list[str | Source]) -> None:
        self._parts = parts

    def of(self, row: Mapping[str, Any], number: int) -> Any:
        """The text."""
        made = []
        for part in self._parts:
            text = part if isinstance(part, str) else text_of(part.of(row, number))
            if not text:
                return ABSENT
            made.append(text)
        return "".join(made)

    def columns(self) -> list[Column]:
        """The columns put together."""
        return [column for part in self._parts if isinstance(part, Source) for column in part.columns()]


_PART = re.compile(r"\{([^{}]+)\}")
_MATCH = re.compile(r"([^+{}~]+)~(.+)", re.DOTALL)


def source_of(option: str, text: str, names: Iterable[str]) -> Source:
    """The source that an option names; what is a column of the table wins over every other reading.

    Raises:
        UserError: the text is empty, or its regular expression is none.
    """
    if text in names:
        return Column(option, text)
    if text.startswith("=") and len(text) > 1:
        return Constant(text[1:])
    if match := _MATCH.fullmatch(text):
        return Match(option, match[1], match[2])
    return Number() if text == "#" else _put_together(option, text, names)


def _put_together(option: str, text: str, names: Iterable[str]) -> Source:
    if _PART.search(text):
        pieces = _PART.split(text)
        return Joined([source_of(option, piece, names) if k % 2 else piece for k, piece in enumerate(pieces) if piece])
    columns = text.split("+")
    if not all(columns) or text.startswith("="):
        raise UserError(f"{option} {text!r}: name a column, a dotted path, or =TEXT")
    joined: list[str | Source] = [Column(option, columns[0])]
    for column in columns[1:]:
        joined += ["/", Column(option, column)]
    return Joined(joined) if len(columns) > 1 else Column(option, text)


def text_of(value: Any) -> str | None:
    """A cell as text: 4.0 is `4`, true is `true`, a missing one is ""; none for a list, fields and the like."""
    if isinstance(value, str):
        return value
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value) if isinstance(value, int) else None
