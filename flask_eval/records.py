"""Read and write records: JSONL, JSON, CSV, Parquet, YAML, each also as `.gz`; `-` is standard input, a folder all its files.

Whatever does not fit is told with file, line, value and remedy (`RecordError`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from flask_eval.errors import NotFoundError, RecordError, UserError, masked, nearest

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel, ValidationError

log = logging.getLogger("flask_eval")

Row = tuple[str, dict[str, Any]]
M = TypeVar("M", bound="BaseModel")

_READABLE = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def suffix(path: Path) -> str:
    """The suffix that tells the format, `.gz` left out."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def files_of(source: str | Path) -> list[Path]:
    """The files behind a path: itself, or what a folder holds that can be read, by name."""
    path = Path(source)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.is_file() and suffix(p) in _READABLE and p.name[0] not in "._")
        if not found:
            raise NotFoundError(f"{path}: the folder holds no file of records ({', '.join(_READABLE)}, also .gz)")
        return found
    if not path.exists():
        near = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        hint = nearest(path.name, near) if path.parent.is_dir() else f"; there is no folder {path.parent} either"
        raise NotFoundError(
            f"{path}: no such file or folder{hint if 'did you mean' in hint or 'no folder' in hint else ''}"
        )
    return [path]


def read_rows(source: str | Path) -> Iterator[Row]:
    """Yield (place, row) for every record behind `source`; `place` is `file:line`.

    Args:
        source: a file (`.jsonl`, `.json`, `.csv`, `.tsv`, `.parquet`, also `.gz`), a folder of such files, or `-`.

    Raises:
        NotFoundError: nothing is there.
        RecordError: a line is broken, or a file holds no record.
    """
    if str(source) == "-":
        yield from _told_if_empty("standard input", _jsonl(sys.stdin, "standard input"))
        return
    for path in files_of(source):
        yield from _told_if_empty(str(path), _rows_of(path))


def _told_if_empty(place: str, rows: Iterator[Row]) -> Iterator[Row]:
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise RecordError(place, "holds no record", "give a file with at least one")


def _rows_of(path: Path) -> Iterator[Row]:
    kind = suffix(path)
    if kind == ".parquet":
        yield from _parquet(path)
        return
    if kind not in _READABLE:
        raise RecordError(
            str(path), f"unknown format '{kind or path.name}'", f"use one of {', '.join(_READABLE)}, also .gz"
        )
    try:
        with open_text(path) as handle:
            if kind in (".jsonl", ".ndjson"):
                yield from _jsonl(handle, str(path))
            elif kind == ".json":
                yield from _json(handle, str(path))
            else:
                yield from _csv(handle, str(path), "\t" if kind == ".tsv" else ",")
    except UnicodeDecodeError as error:
        raise RecordError(str(path), f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise RecordError(str(path), f"is no whole gzip file ({error})", "fetch or pack it anew") from None
    except (PermissionError, IsADirectoryError) as error:
        raise RecordError(str(path), f"cannot be read ({error.strerror})") from None


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a UTF-8 text file for reading, a byte-order mark left out; `.gz` is unpacked."""
    raw = gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")  # noqa: SIM115 (closed below)
    with raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as handle:
        yield handle


def _jsonl(lines: Iterable[str], name: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{name}:{number}"
            yield place, _object(parse_json(line, place), place)


def _json(handle: IO[str], name: str) -> Iterator[Row]:
    data = parse_json(handle.read(), name)
    rows = data if isinstance(data, list) else [data]
    for number, row in enumerate(rows, 1):
        place = f"{name}[{number}]"
        yield place, _object(row, place)


def parse_json(text: str, place: str) -> Any:
    """Parse JSON; NaN, Infinity and repeated keys are refused, half surrogate pairs replaced (and told)."""
    try:
        data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError) as error:
        column = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        shown = text.strip().replace("\n", " ")[:60]
        raise RecordError(place, f"not valid JSON: {problem}{column} in `{shown}`", "mend or remove the line") from None
    if "\\ud" in text or "\\uD" in text:
        data = _without_surrogates(data, place)
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number; write null for a missing one")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key '{next(n for n in names if names.count(n) > 1)}' stands twice")
    return found


def _without_surrogates(data: Any, place: str) -> Any:
    if isinstance(data, str) and _LONE_SURROGATE.search(data):
        log.warning("%s: half of a surrogate pair was replaced by U+FFFD", place)
        return _LONE_SURROGATE.sub("\ufffd", data)
    if isinstance(data, list):
        return [_without_surrogates(item, place) for item in data]
    if isinstance(data, dict):
        return {key: _without_surrogates(item, place) for key, item in data.items()}
    return data


def _object(row: Any, place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise RecordError(place, f"a record must be a JSON object, this is {type(row).__name__} `{str(row)[:40]}`")
    return row


def _csv(handle: IO[str], name: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(handle, delimiter=delimiter, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            return
        if len(header) == 1 and header[0].count(";") > 1:
            raise RecordError(
                f"{name}:1", "its columns are separated by `;`", "save it with commas, or as .tsv with tabs"
            )
        if len(set(header)) != len(header):
            raise RecordError(f"{name}:1", f"a column stands twice in {header}")
        for cells in reader:
            if not cells:
                continue
            place = f"{name}:{reader.line_num}"
            if len(cells) != len(header):
                raise RecordError(place, f"has {len(cells)} cells, the header {len(header)}", "quote cells with commas")
            yield place, nested({k: v for k, v in zip(header, cells, strict=True) if v != ""})
    except csv.Error as error:
        raise RecordError(f"{name}:{reader.line_num}", f"not valid CSV: {error}") from None


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(str(path), f"is no Parquet file ({str(error).splitlines()[0]})") from None
    number = 0
    for batch in table.iter_batches(batch_size=1024):
        for row in batch.to_pylist():
            number += 1
            yield f"{path}:{number}", nested({k: v for k, v in row.items() if v is not None})


_NESTED = ("annotation.", "metadata.", "settings.")
"""Columns of these names are fields within a field; another dot is only part of a name (`claude-2.1`)."""


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """A row of a table as a record: `annotation.skills` becomes a field within `annotation`."""
    row: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".") if name.startswith(_NESTED) else [name]
        inner = row
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                break
        else:
            inner[last] = value
    return row


_LISTS = {"skills", "domains"}


def _as_list(value: Any) -> Any:
    """A cell that holds a list: JSON, or parts separated by `;`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.split(";") if part.strip()]


def _from_cells(row: dict[str, Any]) -> dict[str, Any]:
    """What a table's cells say in text, as the record wants it: lists, and JSON within a cell."""
    made = dict(row)
    annotation = made.get("annotation")
    if isinstance(annotation, dict):
        made["annotation"] = {k: _as_list(v) if k in _LISTS else v for k, v in annotation.items()}
    for name in ("reference", "messages", "checklist", "rubrics", "settings"):
        cell = made.get(name)
        if isinstance(cell, str) and cell[:1] in "[{":
            try:
                made[name] = json.loads(cell)
            except ValueError:
                continue
    return made


def as_records(rows: Iterable[Row], model: type[M], *, cells: bool = False) -> Iterator[tuple[str, M]]:
    """Validate rows; yield (place, record).

    Args:
        rows: places and rows.
        model: the record.
        cells: whether the rows are those of a table, so that a cell may hold a list as text.

    Raises:
        RecordError: a row does not fit; says place, field, value, and the nearest field for an unknown one.
    """
    from pydantic import ValidationError

    tabular = (".csv", ".tsv", ".parquet")
    for place, row in rows:
        name = place.rpartition(":")[0]
        table = cells or (suffix(Path(name)) in tabular if name else False)
        try:
            yield place, model.model_validate(_from_cells(row) if table else row)
        except ValidationError as error:
            raise record_error(place, error, model) from None


def record_error(
    place: str,
    error: ValidationError,
    model: type[BaseModel],
    line_of: Callable[[tuple[Any, ...]], int | None] = lambda _: None,
) -> RecordError:
    """The first fault of a validation, as one line: place, field, problem, value, remedy.

    An unknown field comes before a missing one: it is the same field, misspelt.
    """
    faults = error.errors(include_url=False)
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    path = path_of(fault)
    line = line_of(path)
    return fault_error(place if line is None else f"{place}:{line}", fault, model)


def path_of(fault: Mapping[str, Any]) -> tuple[Any, ...]:
    """The path of one of pydantic's faults within the record."""
    return (*fault["loc"], *getattr(fault.get("ctx", {}).get("error"), "path", ()))


def fault_error(where: str, fault: Mapping[str, Any], model: type[BaseModel]) -> RecordError:
    """One of pydantic's faults as one line: place, field, problem, value, remedy."""
    path, own = path_of(fault), fault.get("ctx", {}).get("error")
    named = ".".join(str(part) for part in path if not (isinstance(part, str) and part in _UNION_ARMS))
    shown = _shown(fault.get("input"))
    if fault["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        return RecordError(where, f"unknown field '{named}'{nearest(str(path[-1]), known)}")
    if fault["type"] == "missing":
        return RecordError(where, f"field '{named}' is missing", "add it")
    message = _PLAIN.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if own is not None and (getattr(own, "path", None) or isinstance(fault.get("input"), dict)):
        return RecordError(where, message)
    if not named or path[0] in _UNSHOWN:
        return RecordError(where, f"field '{named}': {message}" if named else message)
    return RecordError(where, f"field '{named}': {message}, got {shown}")


_UNSHOWN = {"base_url", "settings", "api_key_env"}
"""Fields of a judge card where somebody may have put a key: the value is not repeated."""


_UNION_ARMS = {"str", "int", "float", "bool"}
"""What pydantic adds to the path of a field that may hold several types."""

_PLAIN = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of fields",
    "model_type": "must be a mapping of fields",
    "model_attributes_type": "must be a mapping of fields",
    "string_type": "must be text (in YAML: quote it)",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "has a character that is not allowed here",
}
"""What pydantic says, in words for people."""


def _shown(value: Any) -> str:
    text = masked(repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """The names of the fields of the model that `path` leads to, as far as types tell."""
    from typing import get_args

    from pydantic import BaseModel as Base

    here: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        found = here.model_fields.get(part)
        if found is None:
            break
        todo = [found.annotation]
        while todo:
            kind = todo.pop()
            if isinstance(kind, type) and issubclass(kind, Base):
                here = kind
                break
            todo.extend(get_args(kind))
    return list(here.model_fields)


def read_records(source: str | Path, model: type[M]) -> Iterator[tuple[str, M]]:
    """Read and validate every record behind `source`: (place, record)."""
    yield from as_records(read_rows(source), model)


# ---- YAML ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Places:
    """Where each path of a YAML file stands: (line, column), both from 1."""

    name: str
    """How messages call the file."""
    columns: bool = False
    """Whether messages tell the column too."""
    keys: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)
    """Where a mapping's key stands; a list's item where the item begins."""
    contents: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)
    """Where a value begins."""
    scalars: set[tuple[Any, ...]] = field(default_factory=set)
    """The paths that hold a single value."""

    def at(self, mark: Any) -> str:
        """A parser's mark as `file:line` or `file:line:column`."""
        return f"{self.name}:{mark.line + 1}" + (f":{mark.column + 1}" if self.columns else "")

    def of(self, path: tuple[Any, ...], *, key: bool = False) -> str:
        """`file:line:column` of a value (or of its key), or of the nearest that holds it."""
        marks = self.keys if key else self.contents
        while path and path not in marks:
            path = path[:-1]
            marks = self.contents if path in self.scalars else self.keys
        line, column = marks.get(path) or self.contents.get(path) or (1, 1)
        return f"{self.name}:{line}:{column}"


def load_yaml(text: str, name: str) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """Read YAML strictly: (data, line of each path).

    Only `true` and `false` are booleans, only decimal digits are integers, dates are text; a repeated key, a tag, a
    recursive alias or more than one document is refused.
    """
    places = Places(name)
    data = _load(text, places)
    return data, {path: line for path, (line, _) in places.keys.items()}


def load_placed_yaml(text: str, name: str) -> tuple[Any, Places]:
    """Read YAML as strictly as `load_yaml`: (data, places); every fault is told with line and column."""
    places = Places(name, columns=True)
    return _load(text, places), places


def _load(text: str, places: Places) -> Any:
    import yaml

    loader_class = _strict_loader()
    try:
        loader = loader_class(text)
        try:
            node = loader.get_single_node()
            return None if node is None else _construct(loader, node, (), places, set())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = places.at(mark) if mark else places.name
        raise RecordError(place, f"not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise RecordError(places.name, f"not valid YAML: {str(error).splitlines()[0]}") from None


def _strict_loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Strict(base):  # type: ignore[misc]
        """A safe loader that takes fewer words for something else than text."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own protocol)

    tag = "tag:yaml.org,2002:"
    Strict.add_implicit_resolver(tag + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
    Strict.add_implicit_resolver(tag + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    Strict.add_implicit_resolver(tag + "int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
    number = re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$")
    Strict.add_implicit_resolver(tag + "float", number, list("-+0123456789."))
    return Strict


def _construct(loader: Any, node: Any, path: tuple[Any, ...], places: Places, open_: set[int]) -> Any:
    mark = node.start_mark
    places.keys[path] = places.contents[path] = (mark.line + 1, mark.column + 1)
    if len(places.contents) > 200_000:
        raise RecordError(places.at(mark), "the file is too large, or its aliases multiply")
    if id(node) in open_:
        raise RecordError(places.at(mark), "an alias refers to itself")
    if node.id == "scalar":
        if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.endswith((":binary", ":timestamp")):
            raise RecordError(places.at(mark), f"the tag {node.tag} is not taken")
        places.scalars.add(path)
        return loader.construct_object(node)
    open_ = open_ | {id(node)}
    if node.id == "sequence":
        return [_construct(loader, item, (*path, k), places, open_) for k, item in enumerate(node.value)]
    made: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node) if key_node.id == "scalar" else None
        mark = key_node.start_mark
        if key is None or isinstance(key, bool):
            raise RecordError(places.at(mark), f"`{key_node.value}` is no key; quote it")
        if key in made:
            raise RecordError(places.at(mark), f"key '{key}' stands twice", "keep one")
        made[key] = _construct(loader, value_node, (*path, key), places, open_)
        places.keys[*path, key] = (mark.line + 1, mark.column + 1)
    return made


def yaml_record(text: str, name: str, model: type[M]) -> M:
    """Read one record from YAML; a fault is told with its line."""
    from pydantic import ValidationError

    data, lines = load_yaml(text, name)
    if not isinstance(data, dict):
        raise RecordError(name, "must be a mapping of fields", f"see the fields of {model.__name__}")

    def line_of(path: tuple[Any, ...]) -> int | None:
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path)

    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise record_error(name, error, model, line_of) from None


# ---- writing ------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path, *, packed: bool | None = None) -> Iterator[IO[str]]:
    """Write a text file whole or not at all: a new file takes the old one's place at the end."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    os.close(handle)
    pack = path.name.lower().endswith(".gz") if packed is None else packed
    try:
        raw: Any = gzip.open(temporary, "wb") if pack else Path(temporary).open("wb")  # noqa: SIM115 (closed below)
        with raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
            yield text
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object a line; returns how many."""
    count = 0
    with replacing(Path(path)) as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, JSONL or Parquet, by the suffix; missing values are empty cells or null."""
    target = Path(path)
    kind = suffix(target)
    if kind == ".parquet":
        target.parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(target, index=False)
    elif kind in (".csv", ".tsv"):
        with replacing(target) as handle:
            table.to_csv(handle, index=False, sep="\t" if kind == ".tsv" else ",", lineterminator="\n")
    elif kind in (".jsonl", ".ndjson"):
        columns = [str(c) for c in table.columns]
        clean = table.astype(object).where(table.notna(), None)
        write_jsonl(target, (dict(zip(columns, row, strict=True)) for row in clean.itertuples(index=False, name=None)))
    else:
        raise RecordError(str(path), f"unknown format '{kind}'", "name it .csv, .jsonl or .parquet")
