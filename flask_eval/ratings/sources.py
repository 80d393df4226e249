"""Sources: whatever holds ratings is opened by what it is, and becomes checked parts, the fast way where there is one."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flask_eval.errors import UserError
from flask_eval.ratings.checking import Builder, Part, check_columns
from flask_eval.ratings.columns import CHUNK, CODED, COLUMNS, Source
from flask_eval.ratings.runs import RunPart, from_run
from flask_eval.records import files_of, open_text, read_rows, suffix


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
    """The fast way for the format; what it cannot read goes the slow way, which tells the fault."""
    kind = suffix(file)
    fast = {".csv": _from_csv, ".tsv": _from_csv, ".parquet": _from_parquet}.get(kind)
    part = fast(file) if fast else None
    return part or _from_rows(str(file), read_rows(file), text=kind in (".csv", ".tsv"))


def _from_csv(file: Path) -> Part | None:
    builder = Builder(str(file), _place_in(file), text=True)
    try:
        with open_text(file) as handle:
            reader = csv.reader(handle, delimiter="\t" if suffix(file) == ".tsv" else ",", strict=True)
            header = next(reader, [])
            if not header or len(set(header)) != len(header):
                return None
            check_columns(header, f"{file}:1")
            while chunk := list(islice(reader, CHUNK)):
                widths = set(map(len, chunk))
                if not widths <= {0, len(header)}:
                    return None
                if 0 in widths and not (chunk := [row for row in chunk if row]):  # empty lines say nothing
                    continue
                builder.extend(dict(zip(header, zip(*chunk, strict=True), strict=True)), len(chunk), plain=header)
    except (csv.Error, UnicodeDecodeError, OSError, EOFError):
        return None
    return builder.part() if builder.rationale else None


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
    for column in CODED:
        coded = builder.columns[column]
        if column not in frame.columns:
            coded.chunks.append(np.full(len(frame), -1, np.int32))
            continue
        cells = frame[column]
        if cells.dtype == object and pd.api.types.infer_dtype(cells, skipna=True) not in ("string", "empty"):
            coded.extend(cells.tolist(), plain=False)
        else:
            codes, values = pd.factorize(cells)
            coded.extend_codes(codes, values)
    builder.rationale = frame["rationale"].tolist() if "rationale" in frame.columns else [""] * len(frame)
    return builder.part()
