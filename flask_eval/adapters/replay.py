"""Completions that someone already has, read from a file instead of asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_eval.errors import CallError, RecordError, nearest
from flask_eval.records import read_rows
from flask_eval.schema import Cell, Completion, JudgeCard, Request, canonical, is_empty, slug

FIELDS = ("instance", "model", "skill", "sample", "response_sample", "text", "finish")
"""The fields of a row; `instance`, `model` and `text` are required."""

Coordinates = tuple[str, str, int, int]
"""Instance, model, response sample, sample."""


def open_card(card: JudgeCard, timeout: float) -> ReplayAdapter:  # noqa: ARG001 - nothing waits
    """The adapter for a card whose model is a file of completions."""
    return open_replay(card.model)


def open_replay(path: str) -> ReplayAdapter:
    """Read a file (or a folder) of completions.

    Raises:
        NotFoundError: nothing is there.
        RecordError: a row does not fit.
    """
    return ReplayAdapter(read_rows(path), path)


class ReplayAdapter:
    """Answers from recorded completions, of whole cells or of single skills."""

    def __init__(self, rows: Iterable[tuple[str, dict[str, Any]]], path: str = "the file") -> None:
        """Take (place, row) pairs; `path` names their source in messages."""
        self._path = path
        # by coordinates: a skill's slug, or "" for the whole cell
        self._texts: dict[Coordinates, dict[str, tuple[str, str]]] = {}
        for place, row in rows:
            self._add(place, row)

    def packs(self, cell: Cell) -> tuple[tuple[str, ...], ...]:
        """How the recorded completions split a cell's skills into requests.

        One request a skill where rows name skills (a skill without a row then fails on its own), else one for all; where
        a cell has both, the row without a skill answers what no other row does.
        """
        found = self._texts.get(_coordinates(cell), {})
        if not any(found.keys() - {""}):
            return (cell.skills,)
        if "" not in found:
            return tuple((skill,) for skill in cell.skills)
        rest = tuple(skill for skill in cell.skills if skill not in found)
        return (*((skill,) for skill in cell.skills if skill in found), *([rest] if rest else []))

    def strays(self, cells: Iterable[Cell]) -> list[str]:
        """What the file and the cells do not have in common, in words."""
        planned = {_coordinates(cell): set(cell.skills) for cell in cells}
        unused = [
            (where, skill)
            for where, texts in self._texts.items()
            for skill in texts
            if where not in planned or (skill and skill not in planned[where])
        ]
        missing = [where for where in planned if where not in self._texts]
        total = sum(len(texts) for texts in self._texts.values())
        notes = []
        if unused:
            (instance, model, *_), skill = unused[0]
            first = f"instance '{instance}', model '{model}'" + (f", skill '{skill}'" if skill else "")
            notes.append(
                f"{len(unused):,} of {total:,} completions in {self._path} match no planned cell (the first: {first})"
            )
        if missing:
            instance, model, *_ = missing[0]
            notes.append(
                f"{len(missing):,} of {len(planned):,} cells have no completion in {self._path} "
                f"(the first: instance '{instance}', model '{model}')"
            )
        return notes

    def identity(self, request: Request) -> str:
        """The cell's coordinates and what is recorded for them."""
        cell = request.cell
        if cell is None:
            return canonical(["replay", None])
        return canonical(["replay", *_coordinates(cell), list(cell.skills), self._find(cell)])

    async def complete(self, request: Request) -> Completion:
        """The recorded completion; raises CallError where there is none."""
        cell = request.cell
        found = self._find(cell) if cell else None
        if cell is None or found is None:
            raise CallError(f"{self._path}: no completion recorded for {_described(cell)}", kind="request")
        return Completion(text=found[0], finish=found[1])

    async def close(self) -> None:
        """Nothing is open."""

    def _find(self, cell: Cell) -> tuple[str, str] | None:
        found = self._texts.get(_coordinates(cell), {})
        own = found.get(cell.skills[0]) if len(cell.skills) == 1 else None
        return own or found.get("")

    def _add(self, place: str, row: dict[str, Any]) -> None:
        unknown = [name for name in row if name not in FIELDS]
        if unknown:
            raise RecordError(place, f"unknown field '{unknown[0]}'{nearest(unknown[0], FIELDS)}")
        instance, model = _identifier(row, "instance", place), _identifier(row, "model", place)
        response_sample, sample = _ordinal(row, "response_sample", place), _ordinal(row, "sample", place)
        skill = slug(_string(row, "skill", place, default=""))
        text, finish = _string(row, "text", place), _string(row, "finish", place, default="stop")
        cell = self._texts.setdefault((instance, model, response_sample, sample), {})
        if cell.setdefault(skill, (text, finish)) != (text, finish):
            which = f"instance '{instance}', model '{model}'" + (f", skill '{skill}'" if skill else "")
            raise RecordError(
                place, f"a different completion for {which} stands above", "number repeats by `sample`: 0, 1, ..."
            )


def _coordinates(cell: Cell) -> Coordinates:
    return cell.instance, cell.model, cell.response_sample, cell.sample


def _described(cell: Cell | None) -> str:
    if cell is None:
        return "a request without a cell"
    skills = f", skill '{cell.skills[0]}'" if len(cell.skills) == 1 else ""
    samples = f", response sample {cell.response_sample}" if cell.response_sample else ""
    samples += f", sample {cell.sample}" if cell.sample else ""
    return f"instance '{cell.instance}', model '{cell.model}'{skills}{samples}"


def _identifier(row: dict[str, Any], name: str, place: str) -> str:
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or is_empty(value):
        raise RecordError(place, f"field '{name}': {_told(value)}", "give the id as a string")
    return value


def _ordinal(row: dict[str, Any], name: str, place: str) -> int:
    value = row.get(name)
    if value is None:
        return 0
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or isinstance(value, bool) or (isinstance(value, float) and number != value):
        raise RecordError(place, f"field '{name}': {_told(value)}", "give a whole number from 0")
    return number


def _string(row: dict[str, Any], name: str, place: str, *, default: str | None = None) -> str:
    value = row.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        remedy = (
            "give the completion's text; leave the row out where there is none" if name == "text" else "give a string"
        )
        raise RecordError(place, f"field '{name}': {_told(value)}", remedy)
    return value


def _told(value: Any) -> str:
    return "is missing" if value is None else f"{value!r} does not fit"
