"""Read a study file: everything that does not fit is told together, with line and column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_eval.content import text_of
from flask_eval.errors import NotFoundError, RecordError, UserError
from flask_eval.records import Places, fault_error, load_placed_yaml, path_of
from flask_eval.studies.study.schema import Study


class StudyError(UserError):
    """A study file has faults; each is a line with `file:line:column`, value and remedy.

    Attributes:
        faults: the lines.
    """

    def __init__(self, faults: list[str]) -> None:
        """Tell all faults, a line each."""
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


@dataclass(frozen=True)
class StudyFile:
    """A study with the places of its parts.

    Attributes:
        study: what the file says.
        path: the file; its folder is what paths are relative to.
        places: line and column of everything.
    """

    study: Study
    path: Path
    places: Places

    def at(self, *path: str | int) -> str:
        """`file:line:column` of a value."""
        return self.places.of(path)


def read_study(path: str | Path) -> StudyFile:
    """Read a study file.

    Raises:
        NotFoundError: there is no such file.
        RecordError: it is no YAML.
        StudyError: fields are unknown, missing or of the wrong kind; all are told.
    """
    from pydantic import ValidationError

    file = Path(path)
    if not file.is_file():
        raise NotFoundError(f"{file}: no such file; `flask-eval init DIR` writes a study to start from")
    data, places = load_placed_yaml(text_of(file), str(file))
    if not isinstance(data, dict):
        raise RecordError(f"{file}:1:1", "must be a mapping of fields", "see `flask-eval show schemas study`")
    try:
        return StudyFile(Study.model_validate(data), file, places)
    except ValidationError as error:
        raise StudyError(_faults(error, places)) from None


def _faults(error: Any, places: Places) -> list[str]:
    """Every fault of a validation, in the order of the file; a field is not missing where it may only be misspelt."""
    faults = error.errors(include_url=False)
    misspelt = {path_of(fault)[:-1] for fault in faults if fault["type"] == "extra_forbidden"}
    found = []
    for fault in faults:
        path = path_of(fault)
        if fault["type"] == "missing" and path[:-1] in misspelt:
            continue
        where = places.of(path, key=fault["type"] == "extra_forbidden")
        line, column = (int(part) for part in where.rsplit(":", 2)[1:])
        found.append((line, column, str(fault_error(where, fault, Study))))
    return [text for *_, text in sorted(dict.fromkeys(found))]
