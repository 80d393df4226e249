"""Reading a whole file at once, column by column (Arrow); whatever is unusual is left to the reader of rows.

Arrow is laxer than the reader of rows: it lets stray quotes, NaN and objects over several lines pass. What it might have
misread is therefore looked for, and read again row by row, so that the same file means the same either way.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from flask_eval.ratings.columns import COLUMNS
from flask_eval.records import suffix

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 24
"""Bytes that are read at a time; a longer line is left to the reader of rows."""

_BOM = b"\xef\xbb\xbf"
_NUMBERS = {"score": "float64", "sample": "int64", "response_sample": "int64"}


def columns_of(file: Path) -> pa.Table | None:
    """The table in a CSV, TSV, JSONL or Parquet file (also `.gz`); None where it takes the reader of rows.

    Names of columns are as the file has them, and unchecked; text is neither trimmed nor taken for a missing value.
    """
    import pyarrow as pa

    read = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}.get(suffix(file))
    if read is None:
        return None
    try:
        table = read(file)
        if table is not None:
            table.validate(full=True)
    except (pa.ArrowException, ValueError, OSError, EOFError):  # the reader of rows says what it is
        return None
    return table if table is not None and table.num_rows and all(map(_plain, table.schema.types)) else None


def codes_of(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """A column as codes into its distinct values; -1 where a value is missing."""
    import pyarrow as pa

    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = pa.chunked_array([coded.unify_dictionaries().combine_chunks()]).chunk(0)
    return whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), whole.dictionary.to_pylist()


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether a column holds nothing but text."""
    from pyarrow import types

    return bool(types.is_string(column.type) or types.is_large_string(column.type))


def _plain(kind: pa.DataType) -> bool:
    """Whether values of a type mean what they say: text, whole and floating numbers."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_null)
    return any(test(kind) for test in tests)


def _parquet(file: Path) -> pa.Table | None:
    import pyarrow.parquet as pq

    if file.name.lower().endswith(".gz"):
        return None
    names = pq.read_schema(file).names
    if not set(names) <= set(COLUMNS):  # unknown ones, or the index of a data frame
        return None
    return pq.read_table(file, read_dictionary=[name for name in names if name != "rationale"])


def _csv(file: Path) -> pa.Table | None:
    import pyarrow as pa
    from pyarrow import csv

    delimiter = "\t" if suffix(file) == ".tsv" else ","
    with _opened(file) as handle:
        if not _well_quoted(_blocks(handle), delimiter.encode()):
            return None
    kinds = {name: pa.dictionary(pa.int32(), pa.string()) for name in COLUMNS} | {"rationale": pa.string()}
    with _opened(file) as handle:
        table = csv.read_csv(
            handle,
            csv.ReadOptions(block_size=BLOCK),
            csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            csv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
        )
    return table if len(set(table.column_names)) == len(table.column_names) else None


def _well_quoted(blocks: Iterable[bytes], delimiter: bytes) -> bool:
    """Whether every quote opens a cell, closes one, or stands twice within one."""
    allowed = np.zeros(256, bool)
    allowed[list(delimiter + b'\n\r"')] = True
    count, window = 0, b"\n"  # as if a line had ended before the file, and one after it
    for block in chain(blocks, [b"\n"]):
        window += block
        data = np.frombuffer(window, np.uint8)
        places = np.flatnonzero(data[1:-1] == ord('"')) + 1
        opens = (np.arange(places.size) + count) % 2 == 0
        if not allowed[data[np.where(opens, places - 1, places + 1)]].all():
            return False
        count += places.size
        window = window[-2:]
    return count % 2 == 0


def _jsonl(file: Path) -> pa.Table | None:
    from pyarrow import compute
    from pyarrow import json as arrow_json

    with _opened(file) as handle:
        schema = _schema_of(handle)
    if schema is None:
        return None
    with _opened(file) as handle:
        counted = _Counted(handle)
        table = arrow_json.read_json(
            counted,
            arrow_json.ReadOptions(block_size=BLOCK),
            arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
    score = table["score"]
    if score.type == "double" and not compute.all(compute.is_finite(score), min_count=0).as_py():
        return None
    return table if table.num_rows == counted.lines or table.num_rows == _filled_lines(file) else None


def _schema_of(handle: IO[bytes]) -> pa.Schema | None:
    """The types of all columns, as the first line has them."""
    import pyarrow as pa

    first = json.loads(next((line for line in handle if line.strip()), b""))
    if not isinstance(first, dict) or not first.keys() <= set(COLUMNS):
        return None
    kinds = {str: "string", int: "int64", float: "float64", type(None): ""}
    found = {name: kinds.get(type(value), "bool") for name, value in first.items()}
    if "bool" in found.values():
        return None
    if found.get("score") == "int64":
        found["score"] = "float64"
    return pa.schema([(name, found.get(name) or _NUMBERS.get(name, "string")) for name in COLUMNS])


class _Counted(io.RawIOBase):
    """A file that counts its lines while it is read."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle, self._breaks, self._last = handle, 0, b"\n"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._handle.read(size)
        self._breaks += data.count(b"\n")
        self._last = data[-1:] or self._last
        return data

    @property
    def lines(self) -> int:
        return self._breaks + (self._last != b"\n")


def _filled_lines(file: Path) -> int:
    with _opened(file) as handle:
        return sum(1 for line in handle if line.strip())


def _opened(file: Path) -> IO[bytes]:
    """The bytes of a file, unpacked."""
    return cast("IO[bytes]", gzip.open(file, "rb") if file.name.lower().endswith(".gz") else file.open("rb"))


def _blocks(handle: IO[bytes]) -> Iterator[bytes]:
    first = handle.read(BLOCK)
    yield first.removeprefix(_BOM)
    while block := handle.read(BLOCK):
        yield block
