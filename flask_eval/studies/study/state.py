"""What a study remembers of its steps: `study.json` in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import flask_eval
from flask_eval.errors import RecordError
from flask_eval.records import parse_json, replacing

STATE = "study.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Done:
    """A step as it was left."""

    inputs: dict[str, str]
    """Digest of each thing that shaped it."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Digest of each thing that it wrote, by its path within the study's folder."""
    complete: bool = False
    """Whether nothing was left to do; a step that was stopped, or has failed calls, is taken up again."""
    missed: tuple[str, ...] = ()
    """Thresholds that were missed."""
    result: dict[str, Any] = field(default_factory=dict)
    """The step's result record."""


class State:
    """The steps of a study that were begun, by name; written after every change."""

    def __init__(self, folder: Path, study: str) -> None:
        """Read what is there.

        Raises:
            RecordError: the file was not written by this tool.
        """
        self._file, self._study = folder / STATE, study
        self._steps = self._read() if self._file.is_file() else {}

    def get(self, step: str) -> Done | None:
        """What is known of a step, or none."""
        return self._steps.get(step)

    def put(self, step: str, done: Done) -> None:
        """Remember a step; written at once, whole or not at all."""
        self._steps[step] = done
        data = {
            "format": FORMAT,
            "flask_eval": flask_eval.__version__,
            "study": self._study,
            "steps": {name: asdict(one) for name, one in self._steps.items()},
        }
        with replacing(self._file) as handle:
            json.dump(data, handle, indent=1, ensure_ascii=False, allow_nan=False)
            handle.write("\n")

    def keep(self, steps: set[str]) -> None:
        """Forget steps that the study no longer has."""
        self._steps = {name: done for name, done in self._steps.items() if name in steps}

    def _read(self) -> dict[str, Done]:
        place = str(self._file)
        try:
            data = parse_json(self._file.read_text(encoding="utf-8"), place)
            if data["format"] != FORMAT:
                raise RecordError(place, f"is of format {data['format']}, not {FORMAT}", "name another `out`")
            return {name: Done(**{**row, "missed": tuple(row["missed"])}) for name, row in dict(data["steps"]).items()}
        except (KeyError, TypeError, ValueError, UnicodeDecodeError):
            raise RecordError(
                place, "was not written by `flask-eval run`", "remove it: nothing is asked twice"
            ) from None
