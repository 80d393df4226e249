"""Sources: whatever holds ratings is opened by what it is, and becomes checked parts, the fast way where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from flask_eval.errors import UserError
from flask_eval.ratings.checking import Builder, Part, check_columns
from flask_eval.ratings.columnar import codes_of, columns_of, is_text
from flask_eval.ratings.columns import CHUNK, CODED, COLUMNS, Source
from flask_eval.ratings.runs import RunPart, from_run
from flask_eval.records import files_of, read_rows, suffix

if TYPE_CHECKING:
    import pyarrow as pa


def open_source(source: Source, number: int) -> Iterator[Part | RunPart]:
    """The parts that a source holds; `number` names a table that has no name of its own.

    Raises:
        RecordError: a row does not fit.
        UserError: it is nothing that can hold ratings.
    """
    if isinstance(source, pd.DataFrame):
        yield _from_frame(source, f"table {number}")
        return
    path = getattr(source, "path", source) if not isinstance(source, (str, Path)) else source
    if not isinstance(path, (str, Path)):
        raise UserError(f"ratings are a path, a DataFrame or a run, not {type(source).__name__}")
    if str(path) == "-":
        yield _from_rows("standard input", read_rows("-"), text=False, keep_places=True)
    elif (folder := Path(path)).is_dir() and (
        (folder / "ledger.sqlite").exists() or (folder / "manifest.json").exists()
    ):
        yield from_run(folder)
    else:
        for file in files_of(path):
            yield _from_file(file)


def _from_file(file: Path) -> Part:
    """The fast way; what it cannot read goes the slow way, which tells the fault."""
    text = suffix(file) in (".csv", ".tsv")
    table = columns_of(file)
    if table is not None:
        return _from_columns(table, file, text=text)
    if suffix(file) == ".parquet" and (part := _from_parquet(file)):
        return part
    return _from_rows(str(file), read_rows(file), text=text)


def _from_columns(table: pa.Table, file: Path, *, text: bool) -> Part:
    check_columns(table.column_names, f"{file}:1" if text else str(file))
    builder = Builder(str(file), _place_in(file), text=text)
    cells: dict[str, Any] = {}
    if "rationale" in table.column_names:
        reasons = table["rationale"]
        cells["rationale"] = pd.Series(pd.array(reasons, dtype="str")) if is_text(reasons) else reasons.to_pylist()
    coded = {name: codes_of(table[name]) for name in CODED if name in table.column_names}
    builder.extend(cells, table.num_rows, coded=coded)
    return builder.part()


def _from_parquet(file: Path) -> Part | None:
    try:
        frame = pd.read_parquet(file)
    except Exception:  # noqa: BLE001 (whatever it is, the slow way tells it)
        return None
    return _from_frame(frame, str(file), colon=True) if len(frame) else None


def _place_in(file: Path) -> Callable[[int], str]:
    return lambda row: next(islice(read_rows(file), row, None))[0]


def _from_rows(name: str, rows: Iterable[tuple[str, dict[str, Any]]], *, text: bool, keep_places: bool = False) -> Part:
    places: list[str] = []
    builder = Builder(name, places.__getitem__ if keep_places else _place_in(Path(name)), text=text)
    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK)):
        for place, row in chunk:
            if not row.keys() <= _ALLOWED:
                check_columns(row.keys(), place)
        if keep_places:
            places.extend(place for place, _ in chunk)
        cells = {column: [row.get(column) for _, row in chunk] for column in COLUMNS}
        builder.extend(cells, len(chunk))
    return builder.part()


_ALLOWED = frozenset(COLUMNS)


def _from_frame(frame: pd.DataFrame, name: str, *, colon: bool = False) -> Part:
    check_columns([str(c) for c in frame.columns], name)
    builder = Builder(name, lambda row: f"{name}:{row + 1}" if colon else f"{name}, row {row}", text=False)
    cells: dict[str, Any] = {}
    coded = {}
    for column in (frame[name] for name in COLUMNS if name in frame.columns):
        kind = pd.api.types.infer_dtype(column, skipna=True) if column.dtype == object else ""
        if column.name == "rationale" or kind not in ("", "string", "empty"):
            cells[str(column.name)] = column.tolist()
        else:
            coded[str(column.name)] = pd.factorize(column)
    builder.extend(cells, len(frame), coded=coded)
    return builder.part()
