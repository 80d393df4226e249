"""A study whose inputs were read, and the faults that were found on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask_eval.content import (
    is_path,
    load_rubrics,
)
from flask_eval.errors import UserError
from flask_eval.schema import Instance, JudgeCard, Response, RubricSet, Slice, Taxonomy
from flask_eval.studies.study.reading import StudyError, StudyFile
from flask_eval.studies.study.schema import Reached, Study, beside

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Asked:
    """A model that the study calls.

    Attributes:
        card: its card, with the study file's changes.
        part: what the study file says of it.
        place: `file:line:column`.
    """

    card: JudgeCard
    part: Reached
    place: str


@dataclass(frozen=True)
class Checked:
    """A study whose inputs were read and found in order.

    Attributes:
        file: the study file.
        out: the study's folder.
        instances: those of the study, before they are annotated.
        responses: those that are there already.
        ratings: files of people's ratings.
        rubrics: the rubric set.
        annotators: who annotates, if anybody.
        taxonomy: what annotators choose domains and levels from.
        models: whom the study asks for responses.
        judges: who rates.
        slices: parts that tables show.
        notes: what the user should know.
    """

    file: StudyFile
    out: Path
    instances: tuple[Instance, ...] = ()
    responses: tuple[Response, ...] = ()
    ratings: tuple[str, ...] = ()
    rubrics: RubricSet = field(default_factory=lambda: load_rubrics("flask"))
    annotators: tuple[Asked, ...] = ()
    taxonomy: Taxonomy | None = None
    models: tuple[Asked, ...] = ()
    judges: tuple[Asked, ...] = ()
    slices: tuple[Slice, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def study(self) -> Study:
        """What the file says."""
        return self.file.study

    def beside(self, name: str) -> str:
        """A path of the study file, seen from the working directory."""
        return beside(self.file.path.parent, name)

    @property
    def page(self) -> Path:
        """Where the page is written."""
        path = self.study.report.path
        return Path(self.beside(path)) if path else self.out / "report.html"


class Collected:
    """Collects faults, each with its place."""

    def __init__(self, file: StudyFile) -> None:
        self.file, self.study, self.folder = file, file.study, file.path.parent
        self.faults: list[tuple[int, int, str]] = []
        self.notes: list[str] = []
        self.slices: dict[int, Slice] = {}

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """A user's error inside is a fault at this place."""
        try:
            yield
        except UserError as error:
            self.fault(str(error), *path)

    def fault(self, text: str, *path: str | int) -> None:
        """Note a fault of a path."""
        self.fault_at(self.file.at(*path), text)

    def fault_at(self, place: str, text: str) -> None:
        """Note a fault of a place."""
        line, column = (int(part) for part in place.rsplit(":", 2)[1:])
        for option in ("--judge ", "--slice "):
            text = text.removeprefix(option)
        self.faults.append((line, column, f"{place}: {text}"))

    def beside(self, name: str) -> str:
        """A path of the study file, seen from the working directory."""
        return beside(self.folder, name)

    def own(self, name: str) -> str:
        """A shipped name as it is, a path seen from the working directory."""
        return self.beside(name) if is_path(name) else name

    def raise_faults(self) -> None:
        """Raise StudyError where there are faults."""
        if self.faults:
            raise StudyError([text for *_, text in sorted(dict.fromkeys(self.faults))])
