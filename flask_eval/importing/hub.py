"""Read data sets of the Hugging Face hub and Arrow folders, and give foreign columns the names of our fields.

The only module that imports `datasets`. Nothing is fetched but the data set that was named, and it is streamed.
"""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from flask_eval.errors import NotFoundError, UserError, nearest
from flask_eval.records import Row, nested, read_rows
from flask_eval.schema import Annotation, Instance, Response

PROBE_SECONDS = 1.5
"""How long the hub may take to accept a connection; the library itself would retry for 23 s."""

FIELDS = frozenset(Instance.model_fields) | frozenset(Response.model_fields)
"""Fields that a column can be mapped to."""

_NEEDED = ("id", "instruction", "instance", "model", "text")
_LOOK_AHEAD = 1000
_ABSENT: Any = object()
_BATCH = 1000
_SPEC = re.compile(r"hf:(?P<name>[^:/\s]+(?:/[^:/\s]+)?)(?::(?P<first>[^:]*))?(?::(?P<second>[^:]+))?")


def is_arrow_folder(path: str | Path) -> bool:
    """Whether a folder was written by `save_to_disk` of `datasets`: one set, or a set of splits."""
    folder = Path(path)
    one = (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    return one or (folder / "dataset_dict.json").is_file()


def read_hub(
    spec: str | Path, mapping: Mapping[str, str] | None = None, *, fields: Collection[str] | None = None
) -> Iterator[Row]:
    """Read (place, row) from a hub data set, an Arrow folder, or whatever `read_rows` takes (Parquet, CSV, JSONL).

    Args:
        spec: `hf:ORG/NAME[:CONFIG][:SPLIT]`, or a path. A single part after the name is a configuration if the set has
            one of that name, else a split.
        mapping: see `apply_mapping`.
        fields: see `apply_mapping`.

    Raises:
        NotFoundError: the hub cannot be reached, or there is no such set, configuration or split.
        UserError: the specification or the mapping does not fit.
    """
    name = str(spec)
    table = _hub_table(name) if name.startswith("hf:") else _folder_table(name) if is_arrow_folder(name) else None
    if table is None:
        return apply_mapping(read_rows(spec), mapping or {}, fields=fields)
    return apply_mapping(_table_rows(table), mapping or {}, fields=fields, columns=table.data.column_names or ())


# ---- columns and fields -------------------------------------------------------------------------------------------


def parse_mapping(options: Iterable[str]) -> dict[str, str]:
    """What `--map FIELD=COLUMN` says, one entry an option; `FIELD==TEXT` gives `{"FIELD": "=TEXT"}`.

    Raises:
        UserError: an option is no FIELD=COLUMN, or a field is mapped twice.
    """
    mapping: dict[str, str] = {}
    for option in options:
        field, equals, column = option.partition("=")
        field = field.strip()
        if not equals or not field or not column:
            raise UserError(f"--map {option}: write FIELD=COLUMN, FIELD=# for row numbers, or FIELD==TEXT")
        if field in mapping:
            raise UserError(f"--map {option}: '{field}' is mapped twice; keep one")
        mapping[_known_field(field)] = column
    return mapping


def apply_mapping(
    rows: Iterable[Row],
    mapping: Mapping[str, str],
    *,
    fields: Collection[str] | None = None,
    columns: Collection[str] = (),
) -> Iterator[Row]:
    """Give columns the names of fields.

    Args:
        rows: (place, row) as `read_rows` yields them.
        mapping: FIELD: COLUMN. Both may be dotted (`annotation.skills`, `messages.0.content`); `#` is the row's number
            from 1, `=TEXT` the same text for every row. Without a mapping rows stay as they are; with one, columns that
            are neither named nor fields are dropped.
        fields: the fields of the record that is read (`Instance.model_fields`); all known fields where left out.
            What is mapped to other known fields is meant for another file and passed over.
        columns: columns that are known to be there; the first 1,000 rows tell of the others.

    Raises:
        UserError: a field or a column does not exist (the nearest is named), or a needed column is missing.
    """
    wanted = {field: column for field, column in mapping.items() if _root(_known_field(field)) in (fields or FIELDS)}
    rest = iter(rows)
    head = list(islice(rest, _LOOK_AHEAD))
    for field, column in wanted.items():
        _check_column(field, column, head, columns)
    _check_needed(wanted, head, columns, fields)
    return _mapped(chain(head, rest), wanted, frozenset(fields or FIELDS)) if mapping else chain(head, rest)


def _root(field: str) -> str:
    return field.partition(".")[0]


def _known_field(field: str) -> str:
    root, dot, rest = field.partition(".")
    if root not in FIELDS:
        raise UserError(f"--map {field}=...: no field is called '{root}'{nearest(root, FIELDS)}")
    if root == "annotation" and rest not in Annotation.model_fields:
        known = [f"annotation.{name}" for name in Annotation.model_fields]
        raise UserError(f"--map {field}=...: name a part of the annotation{nearest(field, known)}")
    if dot and root not in ("annotation", "metadata", "settings"):
        raise UserError(f"--map {field}=...: '{root}' has no parts; write `--map {root}=COLUMN`")
    return field


def _is_column(source: str) -> bool:
    return source != "#" and not source.startswith("=")


def _check_column(field: str, column: str, head: list[Row], columns: Collection[str]) -> None:
    if not _is_column(column) or column in columns or any(_reach(row, column) is not _ABSENT for _, row in head):
        return
    raise UserError(f"--map {field}={column}: there is no column '{column}'{nearest(column, _names(head, columns))}")


def _names(head: list[Row], columns: Collection[str]) -> set[str]:
    """The names of columns and of what lies one step within them."""
    names = set(columns)
    for _, row in head:
        for name, value in row.items():
            names.add(name)
            if isinstance(value, dict):
                names.update(f"{name}.{inner}" for inner in value)
    return names


def _check_needed(
    wanted: Mapping[str, str], head: list[Row], columns: Collection[str], fields: Collection[str] | None
) -> None:
    present = set(wanted) | set(columns) | {name for _, row in head for name in row}
    needed = [name for name in _NEEDED if name in fields] if fields is not None else _guess(present)
    for name in needed:
        if head and name not in present:
            shown = ", ".join(sorted(present - set(wanted))[:15])
            numbers = ", or `--map id=#` for row numbers" if name == "id" else ""
            raise UserError(
                f"{head[0][0]}: there is no column '{name}'; say which it is: `--map {name}=COLUMN` "
                f"(columns: {shown}){numbers}"
            )


def _guess(present: set[str]) -> list[str]:
    return [] if "instance" in present else ["id"]


def _mapped(rows: Iterable[Row], wanted: Mapping[str, str], fields: frozenset[str]) -> Iterator[Row]:
    kept = fields - {column for column in wanted.values() if _is_column(column)}
    for number, (place, row) in enumerate(rows, 1):
        made = {name: value for name, value in row.items() if name in kept}
        for field, column in wanted.items():
            value = _value(row, column, number)
            if value is not _ABSENT and value is not None:
                _put(made, field, value)
            else:
                made.pop(field, None)
        yield place, made


def _value(row: dict[str, Any], source: str, number: int) -> Any:
    if source == "#":
        return str(number)
    return source[1:] if source.startswith("=") else _reach(row, source)


def _reach(row: dict[str, Any], column: str) -> Any:
    """The value under a column or a dotted path; a number within the path counts a list's items from 0."""
    if column in row:
        return row[column]
    here: Any = row
    for part in column.split("."):
        if isinstance(here, dict) and part in here:
            here = here[part]
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return _ABSENT
    return here


def _put(row: dict[str, Any], field: str, value: Any) -> None:
    root, dot, rest = field.partition(".")
    if not dot:
        row[root] = value
        return
    inner = row.get(root)
    row[root] = {**inner, rest: value} if isinstance(inner, dict) else {rest: value}


# ---- tables of `datasets` -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of `datasets` and how places name it."""

    name: str
    data: Any


def _datasets() -> Any:
    """The library, kept from counting downloads, drawing bars and talking."""
    for name, value in {
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "DATASETS_VERBOSITY": "error",
        "HF_HUB_VERBOSITY": "error",
    }.items():
        os.environ.setdefault(name, value)
    import datasets  # 1 s and 150 MB: only where a data set is read

    return datasets


def _table_rows(table: _Table) -> Iterator[Row]:
    """Rows of plain Python values, numbered from 1; what is null is absent."""
    labels = {
        name: feature.names
        for name, feature in (table.data.features or {}).items()
        if type(feature).__name__ == "ClassLabel"
    }
    number = 0
    with _told(table.name):
        for batch in table.data.with_format("arrow").iter(batch_size=_BATCH):
            for row in batch.to_pylist():
                number += 1
                named = {name: _named(value, labels.get(name)) for name, value in row.items()}
                yield f"{table.name} row {number}", nested(_plain(named))


def _named(value: Any, labels: list[str] | None) -> Any:
    """The name of a class label; -1 means none."""
    if labels is None or not isinstance(value, int):
        return value
    return labels[value] if 0 <= value < len(labels) else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        plain = {str(key): _plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in plain.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _folder_table(path: str) -> _Table:
    datasets = _datasets()
    with _told(path):
        found = datasets.load_from_disk(path)
    if not isinstance(found, datasets.DatasetDict):
        return _Table(path, found)
    splits = sorted(found)
    if len(splits) != 1:
        raise UserError(f"{path}: holds the splits {', '.join(splits)}; name one: {Path(path) / splits[0]}")
    return _Table(str(Path(path) / splits[0]), found[splits[0]])


def _hub_table(spec: str) -> _Table:
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise UserError(f"{spec}: write a hub data set as hf:ORG/NAME[:CONFIG][:SPLIT]")
    _check_hub(spec)
    name, first, second = match["name"], match["first"] or None, match["second"]
    with _told(spec):
        config, splits = _load(name, first, second)
    split = second if second or config else first
    if split is None and len(splits) > 1:
        raise UserError(f"{spec}: the set has the splits {', '.join(splits)}; name one: {spec}:{next(iter(splits))}")
    split = split or next(iter(splits))
    if split not in splits:
        known = nearest(split, splits)
        raise NotFoundError(
            f"{spec}: the set has no configuration or split '{split}' (splits: {', '.join(splits)}){known}"
        )
    return _Table(":".join(part for part in ("hf", name, config, split) if part), splits[split])


def _load(name: str, first: str | None, second: str | None) -> tuple[str | None, dict[str, Any]]:
    """The configuration, if one was named, and the splits; nothing but headers is fetched yet."""
    load = _datasets().load_dataset
    if first is None or second is not None:
        return first, load(name, first, streaming=True)
    try:
        return first, load(name, first, streaming=True)
    except ValueError:  # no configuration of that name
        return None, load(name, streaming=True)


@contextmanager
def _told(spec: str) -> Iterator[None]:
    """Tell the library's errors in one line."""
    known = (OSError, ValueError, RuntimeError, _datasets().exceptions.DatasetsError)
    try:
        yield
    except known as error:
        reason = " ".join(str(error).split())[:300]
        hint = "check the name; a set with limited access needs HF_TOKEN" if spec.startswith("hf:") else "write it anew"
        raise NotFoundError(f"{spec}: cannot be read ({reason or type(error).__name__}); {hint}") from None


# ---- whether the hub is there -------------------------------------------------------------------------------------


def _check_hub(spec: str) -> None:
    """Raise NotFoundError at once where the hub cannot be reached; with HF_HUB_OFFLINE=1 the cache answers."""
    if any(os.environ.get(name, "").upper() in {"1", "ON", "YES", "TRUE"} for name in _OFFLINE):
        return
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    reason = _unreachable(endpoint)
    if reason:
        raise NotFoundError(
            f"{spec}: the hub {endpoint} cannot be reached ({reason}); set HF_ENDPOINT for a mirror, HF_HUB_OFFLINE=1 "
            "for a set in the cache, or give a local file"
        )


_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def _unreachable(endpoint: str) -> str:
    """Why no connection to the endpoint (or to the proxy before it) can be made, or ""."""
    url = urlsplit(endpoint)
    proxy = getproxies().get(url.scheme)
    if proxy and not proxy_bypass(url.hostname or ""):
        url = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    if not url.hostname:
        return "not a URL"
    address = (url.hostname, url.port or (80 if url.scheme == "http" else 443))
    answer: SimpleQueue[str] = SimpleQueue()
    # in a thread, because looking up a name knows no time limit
    Thread(target=lambda: answer.put(_connect(address)), daemon=True).start()
    try:
        return answer.get(timeout=PROBE_SECONDS)
    except Empty:
        return f"no answer within {PROBE_SECONDS} s"


def _connect(address: tuple[str, int]) -> str:
    try:
        socket.create_connection(address, timeout=PROBE_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return ""
