"""Digests of what shapes a step and of what it wrote: contents, never names of folders or times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flask_eval.judging.run import LEDGER
from flask_eval.ledger import Ledger
from flask_eval.records import files_of
from flask_eval.schema import canonical, digest

_RATINGS = (
    "SELECT instance, model, response_sample, rater, sample, skills, done, skill, item, outcome, score, rationale"
    " FROM cell LEFT JOIN rating ON rating.cell = cell.id"
    " ORDER BY instance, model, response_sample, rater, sample, skill, item"
)


def of_value(value: Any) -> str:
    """The digest of plain data."""
    return digest(canonical(value))


def of_records(records: Iterable[BaseModel]) -> str:
    """The digest of records in their order."""
    return digest(*(record.model_dump_json(exclude_defaults=True) for record in records))


def of_source(source: str) -> str:
    """The digest of the bytes of a file, or of a folder's files; of the name alone where it is a set on a hub."""
    if source.startswith("hf:"):
        return digest(source)
    return digest(*(_of_bytes(file) for file in files_of(source)))


def of_file(path: Path) -> str:
    """The digest of one file's bytes."""
    return _of_bytes(path)


def of_run(folder: Path) -> str:
    """The digest of a run's plan and ratings, however and whenever they came."""
    with Ledger(folder / LEDGER, read_only=True) as ledger:
        instances = ledger.query("SELECT id, record FROM instance ORDER BY id")
        return digest(*(canonical(list(row)) for row in [*instances, *ledger.query(_RATINGS)]))


def of_output(path: Path) -> str | None:
    """The digest of what a step wrote, or none where it is gone: a file, or a run's folder."""
    if path.is_file():
        return _of_bytes(path)
    return of_run(path) if (path / LEDGER).is_file() else None


def _of_bytes(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
