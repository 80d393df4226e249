"""Import ratings from tables of any shape: a column a rater, a list a cell, nested fields, counts, contingency tables.

Nothing is dropped, guessed or repaired in silence: a missing score is an outcome, repeats are counted, and what the table
leaves open is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pandas as pd

from flask_eval.errors import RecordError, UserError
from flask_eval.importing.table_checks import (
    Ratings,
    check_labels,
    find_repeats,
    number_raters,
    summary_of,
    table_of,
)
from flask_eval.importing.table_expand import Expander, Sieve
from flask_eval.importing.table_options import (
    Condition,
    TableOptions,
    parse_condition,
    parse_labels,
    parse_list,
    parse_missing,
)
from flask_eval.importing.table_rows import RowPlaces, table_rows
from flask_eval.records import suffix, write_jsonl, write_table

__all__ = [
    "Condition",
    "ImportedRatings",
    "TableOptions",
    "check_target",
    "import_ratings",
    "parse_condition",
    "parse_labels",
    "parse_list",
    "parse_missing",
    "summary",
    "write_ratings",
]

_HEAD = 1000
_CHUNK = 1 << 16
_WRITABLE = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True, eq=False)
class ImportedRatings:
    """Ratings out of a foreign table."""

    table: pd.DataFrame
    """One row a rating, the columns of the long table; `score` is Int64, or object where it is not always whole."""
    raters: dict[str, int]
    """How many ratings each rater gave, those without a score among them."""
    skills: dict[str, int]
    """How many ratings each skill has."""
    models: dict[str, int]
    """How many ratings each model has; empty where the table names none."""
    instances: int
    """How many instances are rated."""
    missing: dict[str, int]
    """Ratings without a score, by outcome."""
    duplicates: int
    """Repeated ratings that were dropped."""
    notes: tuple[str, ...]
    """What the user should be told, in sentences."""


def import_ratings(path: str | Path, options: TableOptions) -> ImportedRatings:
    """Read a table of ratings.

    Args:
        path: a file (`.csv`, `.tsv`, `.jsonl`, `.json`, `.parquet`, also `.gz`), a folder of such files, or `-`.
        options: which column is what.

    Raises:
        NotFoundError: nothing is there.
        RecordError: a row does not fit, or two rows contradict each other; says where, what and what to do.
        UserError: a column does not exist, or the options do not say what the table needs said.
    """
    rows = iter(table_rows(path))
    head = list(islice(rows, _HEAD))
    expander, sieve, places, ratings = Expander(options, head), Sieve(options), RowPlaces(), Ratings()
    entries, numbers = [], []
    kept = 0
    for place, row in chain(head, rows):
        places.add(place)
        if not sieve.wants(row):
            continue
        kept += 1
        number = len(places)
        for entry in expander.entries(place, row, number):
            entries.append(entry)
            numbers.append(number - 1)
        if len(entries) >= _CHUNK:
            ratings.extend(entries, numbers)
            entries, numbers = [], []
    if entries:
        ratings.extend(entries, numbers)
    sieve.check(kept, expander.names)
    expander.check()
    if not len(ratings):
        raise RecordError(str(path), "holds no rating", "are the --scores cells all empty?")
    return _finished(ratings, expander, sieve, places)


def _finished(ratings: Ratings, expander: Expander, sieve: Sieve, places: RowPlaces) -> ImportedRatings:
    options, context = expander.options, expander.context
    rows = ratings.rows

    def place(rating: int) -> str:
        return places[int(rows[rating])]

    if context.unplaced:
        number_raters(ratings, context.unplaced)
    notes = [*context.notes, *check_labels(ratings, place)]
    repeats = find_repeats(ratings, place, options.keep)
    counts = summary_of(ratings, repeats.keep)
    notes += _anonymous(list(counts["rater"]))
    notes += [f"{n:,} {what}." for what, n in context.counts.items()]
    if sieve.left_out:
        notes.append(f"{sieve.left_out:,} of {len(places):,} rows are left out by --where.")
    if context.dropped:
        notes.append(f"{context.dropped:,} missing scores give no rating, as asked.")
    notes += _repeated(repeats.same, repeats.different, options.keep)
    return ImportedRatings(
        table=table_of(ratings, options.kind, repeats.keep),
        raters=counts["rater"],
        skills=counts["skill"],
        models={name: n for name, n in counts["model"].items() if name},
        instances=len(counts["instance"]),
        missing={name: n for name, n in counts["outcome"].items() if name != "scored"},
        duplicates=repeats.same + repeats.different,
        notes=tuple(notes),
    )


def _anonymous(raters: list[str]) -> Iterator[str]:
    """Tell which raters are places."""
    groups: dict[str, int] = {}
    for rater in raters:
        name, mark, number = rater.rpartition("#")
        if mark and number.isdecimal():
            groups[name] = groups.get(name, 0) + 1
    for name, count in groups.items():
        yield f"{name}#1 ... ({count:,} in all) are places, not persons: figures of a single one mean nothing."


def _repeated(same: int, different: int, keep: str | None) -> Iterator[str]:
    if same:
        yield f"{same:,} repeated ratings say the same and are counted once."
    if different:
        yield f"{different:,} repeated ratings say something else; the {keep} is kept, as asked."


def check_target(path: str | Path) -> None:
    """Refuse a file name whose format cannot be written, before any work is done.

    Raises:
        UserError: names the formats.
    """
    if suffix(Path(path)) not in _WRITABLE:
        raise UserError(f"-o {path}: unknown format; name it .csv, .jsonl or .parquet")


def write_ratings(result: ImportedRatings, path: str | Path) -> None:
    """Write the long table as CSV, JSONL or Parquet, by the suffix; a missing score is an empty cell or null.

    Raises:
        UserError: the file cannot be written, or Parquet cannot hold labels and numbers in one column.
    """
    table = result.table
    check_target(path)
    if suffix(Path(path)) == ".parquet" and table["score"].dtype == object:
        labels = table["score"].map(lambda score: isinstance(score, str))
        if labels.any() and (table["score"].notna() & ~labels).any():
            raise UserError(f"-o {path}: Parquet holds no labels and numbers in one column; name it .jsonl or .csv")
        if not labels.any():
            table = table.assign(score=table["score"].astype("Float64"))
    try:
        if suffix(Path(path)) in (".jsonl", ".ndjson"):
            write_jsonl(path, _records(table))
        else:
            write_table(path, table)
    except OSError as error:
        raise UserError(f"-o {path}: cannot be written ({error.strerror}); name another file") from None


def _records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as Python values, some at a time: a long table does not stand in memory twice."""
    names = list(table.columns)
    for start in range(0, len(table), _CHUNK):
        part = table.iloc[start : start + _CHUNK].astype(object)
        part["score"] = part["score"].where(part["score"].notna(), None)
        for row in part.itertuples(index=False, name=None):
            yield dict(zip(names, row, strict=True))


def summary(result: ImportedRatings) -> dict[str, Any]:
    """The record that `import ratings --json` writes; models and instances as counts."""
    return {
        "ratings": len(result.table),
        "raters": result.raters,
        "skills": result.skills,
        "models": len(result.models),
        "instances": result.instances,
        "missing": result.missing,
        "duplicates": result.duplicates,
        "notes": list(result.notes),
    }
