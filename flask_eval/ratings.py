"""The waist: runs and people's ratings become two tidy tables, ratings and instances.

Whatever fills the tables is checked once, here: every column is coded into its distinct values, each distinct value is
checked once, and only a fault goes back to the source for its line.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.content import load_rubrics
from flask_eval.errors import RecordError, UserError, nearest
from flask_eval.ledger import Ledger
from flask_eval.records import files_of, open_text, read_records, read_rows, suffix
from flask_eval.schema import OUTCOMES, Instance, RubricSet, is_empty, slug

Codes = npt.NDArray[np.int32]
_Column = tuple[Codes, list[Any]]
ScaleEnds = tuple[float, float] | tuple[str, ...]
Source = Any
"""A run's folder, a ratings file, a folder of them, `-`, a DataFrame, or an object with a `.path` (a Run)."""

KEY = ("instance", "model", "response_sample", "versus", "skill", "item", "rater", "sample", "variant")
"""What tells one rating from another."""

COLUMNS = (
    *("instance", "model", "response_sample", "versus", "skill", "item", "rater", "kind", "sample", "variant"),
    *("score", "outcome", "rationale"),
)
"""The columns of the long table, in order."""

INSTANCE_COLUMNS = ("instance", "cluster", "source", "difficulty", "skills", "domains")
"""The columns of the table of instances that are always there; metadata keys follow."""

LEFT_COLUMNS = ("instance", "model", "response_sample", "skill", "rater", "kind", "sample")
"""The columns of what is left to judge."""

DIMENSIONS = ("skill", "group", "domain", "difficulty", "source", "model")
"""What tables are cut by, beside metadata keys."""

KINDS = ("judge", "human", "metric")
_REQUIRED = ("instance", "skill", "rater", "score")
_CODED = COLUMNS[:-1]
_WHOLE = ("response_sample", "sample")
_CHUNK = 1 << 16
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_NO_SCORE = {"n/a", "na", "nan", "null", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "-nan", "<na>"}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class SkillFacts(NamedTuple):
    """What a rubric set says about a skill."""

    title: str
    group: str
    order: int


@dataclass(frozen=True, eq=False)
class RatingTable:
    """All ratings and all instances behind an analysis."""

    ratings: pd.DataFrame
    """One row a rating: `COLUMNS`. `score` is float64 (NaN: none), or object where a rater gives labels."""
    instances: pd.DataFrame
    """One row an instance: `INSTANCE_COLUMNS`, and a column for each metadata key."""
    left: pd.DataFrame
    """Planned ratings that are not judged yet: instance, model, response_sample, skill, rater, kind, sample."""
    without_response: Mapping[str, int] = field(default_factory=dict)
    """How many instances of the runs have no response of a model: {model: n}."""
    scales: Mapping[str, ScaleEnds] = field(default_factory=dict)
    """Lowest and highest score of a rater, or its labels, where known."""
    rubrics: Mapping[str, SkillFacts] = field(default_factory=dict)
    """Title, group and order of a skill, where known."""
    runs: tuple[Mapping[str, Any], ...] = ()
    """What each run says about itself: `run` (the folder), `raters` (configurations) and its manifest's keys."""
    notes: tuple[str, ...] = ()
    """What the user should be told, in sentences."""

    @cached_property
    def raters(self) -> dict[str, str]:
        """Each rater's kind; judges first, then people, then metrics."""
        pairs = pd.concat([self.ratings[["rater", "kind"]], self.left[["rater", "kind"]]]).drop_duplicates("rater")
        found = dict(zip(pairs["rater"], pairs["kind"], strict=True))
        return dict(sorted(found.items(), key=lambda pair: KINDS.index(pair[1])))

    @cached_property
    def models(self) -> list[str]:
        """The models, in the order in which they came."""
        return list(dict.fromkeys([*self.ratings["model"].unique(), *self.left["model"].unique()]))

    @cached_property
    def skills(self) -> list[str]:
        """The skills in the order of their rubric set, then as they came."""
        found = dict.fromkeys([*self.ratings["skill"].unique(), *self.left["skill"].unique()])
        last = len(self.rubrics)
        return sorted(found, key=lambda name: self.rubrics[name].order if name in self.rubrics else last)

    def title(self, skill: str) -> str:
        """What people read for a skill."""
        facts = self.rubrics.get(skill)
        return facts.title if facts else skill.replace("_", " ").capitalize()

    def only(
        self,
        *,
        raters: Iterable[str] | None = None,
        models: Iterable[str] | None = None,
        skills: Iterable[str] | None = None,
    ) -> RatingTable:
        """The part of the table that belongs to these raters, models and skills (by slug or title).

        Raises:
            UserError: a name does not occur; the nearest is suggested.
        """
        wanted = {
            "rater": (raters, list(self.raters)),
            "model": (models, self.models),
            "skill": (None if skills is None else [slug(s) for s in skills], self.skills),
        }
        ratings, left = self.ratings, self.left
        for name, (asked, known) in wanted.items():
            if asked is None:
                continue
            names = list(asked)
            for one in names:
                if one not in known:
                    raise UserError(f"no {name} is called '{one}' in these ratings{nearest(one, known)}")
            ratings, left = ratings[ratings[name].isin(names)], left[left[name].isin(names)]
        return replace(self, ratings=ratings, left=left)


def read_ratings(
    *sources: Source,
    instances: str | Path | Iterable[Instance] | None = None,
    rubrics: str | RubricSet | None = None,
    scales: Mapping[str, ScaleEnds] | None = None,
) -> RatingTable:
    """Put runs and ratings together in one table.

    Args:
        sources: run folders, ratings files (CSV, JSONL, Parquet, `.gz`), folders of them, `-`, DataFrames, or runs.
        instances: a file of instances, or instances, for slicing ratings files; wins over what a run holds.
        rubrics: a rubric set for titles, groups and order of skills, where no run brings one.
        scales: lowest and highest score (or labels) of raters whose scale no run tells.

    Raises:
        RecordError: a row does not fit, or two rows contradict each other; says where, what and what to do.
        UserError: nothing is given, or sources do not fit together.
    """
    if not sources:
        raise UserError("no ratings are given: name a run's folder or a ratings file")
    parts: list[_Part] = []
    runs: list[_RunPart] = []
    for number, source in enumerate(sources, 1):
        for found in _open_source(source, number):
            parts.append(found if isinstance(found, _Part) else found.part)
            if isinstance(found, _RunPart):
                runs.append(found)
    table, notes = _joined(parts)
    left = _left_of(runs, table)
    rated = list(dict.fromkeys([*table["instance"].unique(), *left["instance"].unique()]))
    skills = {*table["skill"].unique(), *left["skill"].unique()}
    known = _instances_of(runs, instances, rated, notes)
    missing: dict[str, int] = {}
    for model, count in (pair for run in runs for pair in run.without_response.items()):
        missing[model] = max(count, missing.get(model, 0))
    return RatingTable(
        ratings=table,
        instances=_instance_table(known, rated, notes),
        left=left,
        without_response=missing,
        scales=_scales_of(runs) | dict(scales or {}),
        rubrics=_rubrics_of(runs, rubrics, known, skills, notes),
        runs=tuple(run.facts for run in runs),
        notes=tuple(notes),
    )


def export_table(run: Source) -> pd.DataFrame:
    """Every rating of a run (or of any source) with all columns; whole scores as integers, a missing one as null."""
    ratings = read_ratings(run).ratings
    score = ratings["score"]
    if pd.api.types.is_float_dtype(score) and (score.dropna() % 1 == 0).all():
        return ratings.assign(score=score.astype("Int64"))
    return ratings


# ---- from sources to coded parts ----------------------------------------------------------------------------------


class _UnfitError(ValueError):
    """A value does not fit its column: the problem, and the remedy."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


class _Coded:
    """A column as codes into its distinct values; -1 stands for a missing one."""

    def __init__(self) -> None:
        self.chunks: list[Codes] = []
        self.values: list[Any] = []
        self._known: dict[tuple[type, Any], int] = {}

    def code(self, value: Any) -> int:
        """The code of a value; 1, 1.0, True and "1" are four values."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or value is pd.NA or (isinstance(value, str) and not value):
            return -1
        if isinstance(value, float) and math.isnan(value):
            return -1
        try:
            key = (type(value), value)
            found = self._known.setdefault(key, len(self.values))
        except TypeError:  # a list or an object: kept, so that its cleaner can refuse it
            found = len(self.values)
        if found == len(self.values):
            self.values.append(value)
        return found

    def extend(self, cells: Sequence[Any], *, plain: bool) -> None:
        """Take cells; `plain` says that all are strings, which goes faster."""
        if not plain:
            self.chunks.append(np.fromiter((self.code(v) for v in cells), np.int32, len(cells)))
            return
        codes, found = pd.factorize(np.array(cells, dtype=object))
        self.extend_codes(codes, found)

    def extend_codes(self, codes: npt.NDArray[Any], values: Iterable[Any]) -> None:
        """Take codes into other values."""
        lookup = np.array([*(self.code(v) for v in values), -1], np.int32)
        self.chunks.append(lookup[codes])

    @property
    def codes(self) -> Codes:
        """All codes, one a row."""
        return np.concatenate(self.chunks) if self.chunks else np.empty(0, np.int32)


@dataclass(slots=True)
class _Part:
    """The checked ratings of one source: codes and values of each column."""

    name: str
    columns: dict[str, _Column]
    rationale: list[str]
    place: Callable[[int], str]


class _Builder:
    """Takes the rows of one source, column by column, and checks them.

    `text` says that the source knows nothing but text (CSV), so that a score of digits is a number.
    """

    def __init__(self, name: str, place: Callable[[int], str], *, text: bool) -> None:
        self.name, self.place, self.text = name, place, text
        self.columns = {name: _Coded() for name in _CODED}
        self.rationale: list[Any] = []

    def extend(self, cells: Mapping[str, Sequence[Any]], size: int, *, plain: bool = False) -> None:
        """Take `size` rows; a column that is left out is missing."""
        for name, column in self.columns.items():
            if name in cells:
                column.extend(cells[name], plain=plain)
            else:
                column.chunks.append(np.full(size, -1, np.int32))
        self.rationale.extend(cells["rationale"] if "rationale" in cells else [""] * size)

    def part(self) -> _Part:
        """The checked part.

        Raises:
            RecordError: a value does not fit, or score and outcome contradict each other.
        """
        made = {name: self._clean(name, column) for name, column in self.columns.items()}
        made["outcome"] = self._outcomes(made["score"][0], *made["outcome"])
        for row, text in enumerate(self.rationale):
            if text.__class__ is not str:
                self.rationale[row] = self._rationale(row, text)
        return _Part(self.name, made, self.rationale, self.place)

    def _rationale(self, row: int, text: Any) -> str:
        if isinstance(text, str):
            return str(text)
        if text is None or text is pd.NA or (isinstance(text, float) and math.isnan(text)):
            return ""
        raise RecordError(self.place(row), f"rationale {_shown(text)} is no text")

    def _clean(self, name: str, column: _Coded) -> tuple[Codes, list[Any]]:
        """Codes into clean values: each distinct value is checked once."""
        known: dict[Any, int] = {}
        lookup = []
        codes = column.codes
        for code, value in enumerate(column.values):
            try:
                clean = _score(value, text=self.text) if name == "score" else _CLEANERS[name](value, name)
            except _UnfitError as error:
                row = int(np.flatnonzero(codes == code)[0])
                raise RecordError(self.place(row), error.problem, error.remedy) from None
            lookup.append(known.setdefault(clean, len(known)))
        default = _DEFAULTS.get(name)
        if (codes < 0).any() and name in _REQUIRED and name != "score":
            row = int(np.flatnonzero(codes < 0)[0])
            raise RecordError(self.place(row), f"{name} is empty", f"every rating names its {name}")
        lookup.append(-1 if default is None else known.setdefault(default, len(known)))
        return np.array(lookup, np.int32)[codes], list(known)

    def _outcomes(self, score: Codes, outcome: Codes, values: list[Any]) -> tuple[Codes, list[Any]]:
        """Outcomes with their default: `scored` where a score is there; a score exactly when it is `scored`."""
        names = [*values, "scored"] if "scored" not in values else values
        scored = names.index("scored")
        made = np.where((outcome < 0) & (score >= 0), scored, outcome).astype(np.int32)
        wrong = np.flatnonzero((made < 0) | ((score >= 0) != (made == scored)))
        if not wrong.size:
            return made, names
        row = int(wrong[0])
        place = self.place(row)
        if made[row] < 0:
            raise RecordError(
                place,
                "score is empty and outcome is not given",
                f"write a score, or an outcome ({', '.join(OUTCOMES[1:])})",
            )
        name = names[made[row]]
        if name == "scored":
            raise RecordError(place, "outcome is 'scored', but score is empty", "write a score, or another outcome")
        raise RecordError(
            place, f"outcome is '{name}', but a score is there", "leave the score empty, or write 'scored'"
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _UnfitError(f"{name} {_shown(value)} is no text", "give names and ids as text or whole numbers")


def _identity(value: Any, name: str) -> str:
    text = _text(value, name)
    if is_empty(text):
        raise _UnfitError(f"{name} {_shown(value)} has no visible character", f"every rating names its {name}")
    return text


def _skill(value: Any, name: str) -> str:
    made = slug(_identity(value, name))
    if not made:
        raise _UnfitError(f"skill {_shown(value)} has no letter a-z and no digit", "give it a name in a-z, 0-9 and _")
    return made


def _whole(value: Any, name: str) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return int(value)
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0 and 0 <= value < 10**9
    if not whole:
        raise _UnfitError(f"{name} {_shown(value)} is no whole number from 0 up")
    return int(value)


def _one_of(known: Sequence[str]) -> Callable[[Any, str], str]:
    def clean(value: Any, name: str) -> str:
        if value not in known:
            raise _UnfitError(f"unknown {name} {_shown(value)}{nearest(str(value), known)}")
        return str(value)

    return clean


def _score(value: Any, *, text: bool) -> float | str:
    """A number, or a label; numbers that are given as text stay labels, but in CSV everything is text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if math.isfinite(value):
            return float(value)
        raise _UnfitError(f"score {value} is no finite number", "leave it empty and give an outcome")
    if not isinstance(value, str):
        raise _UnfitError(f"score {_shown(value)} is neither a number nor a label")
    label = _LONE_SURROGATE.sub("\ufffd", value).strip()
    if label.lower() in _NO_SCORE or is_empty(label):
        raise _UnfitError(
            f"score {_shown(value)} is no score", "leave it empty and give an outcome (not_applicable, ...)"
        )
    if text and _NUMBER.fullmatch(label):
        number = float(label)
        if not math.isfinite(number):
            raise _UnfitError(f"score {_shown(value)} is no finite number")
        return number
    return label


_CLEANERS: dict[str, Callable[[Any, str], Any]] = {
    "instance": _identity,
    "model": _text,
    "response_sample": _whole,
    "versus": _text,
    "skill": _skill,
    "item": _text,
    "rater": _identity,
    "kind": _one_of(KINDS),
    "sample": _whole,
    "variant": _text,
    "outcome": _one_of(OUTCOMES),
}
_DEFAULTS = {"model": "", "response_sample": 0, "versus": "", "item": "", "kind": "human", "sample": 0, "variant": ""}


def _check_columns(names: Iterable[str], place: str) -> None:
    names = list(names)
    for name in names:
        if name not in COLUMNS:
            raise RecordError(place, f"unknown column '{name}'{nearest(str(name), COLUMNS)}")
    for name in _REQUIRED:
        if name not in names:
            raise RecordError(place, f"column '{name}' is missing", f"a ratings table needs {', '.join(_REQUIRED)}")


def _open_source(source: Source, number: int) -> Iterator[_Part | _RunPart]:
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
        yield _from_run(folder)
    else:
        for file in files_of(path):
            yield _from_file(file)


def _from_file(file: Path) -> _Part:
    """The fast way for the format; what it cannot read goes the slow way, which tells the fault."""
    kind = suffix(file)
    fast = {".csv": _from_csv, ".tsv": _from_csv, ".parquet": _from_parquet}.get(kind)
    part = fast(file) if fast else None
    return part or _from_rows(str(file), read_rows(file), text=kind in (".csv", ".tsv"))


def _from_csv(file: Path) -> _Part | None:
    builder = _Builder(str(file), _place_in(file), text=True)
    try:
        with open_text(file) as handle:
            reader = csv.reader(handle, delimiter="\t" if suffix(file) == ".tsv" else ",", strict=True)
            header = next(reader, [])
            if not header or len(set(header)) != len(header):
                return None
            _check_columns(header, f"{file}:1")
            rows = (row for row in reader if row)
            while chunk := list(islice(rows, _CHUNK)):
                if set(map(len, chunk)) != {len(header)}:
                    return None
                builder.extend(dict(zip(header, zip(*chunk, strict=True), strict=True)), len(chunk), plain=True)
    except (csv.Error, UnicodeDecodeError, OSError, EOFError):
        return None
    return builder.part() if builder.rationale else None


def _from_parquet(file: Path) -> _Part | None:
    try:
        frame = pd.read_parquet(file)
    except Exception:  # noqa: BLE001 (whatever it is, the slow way tells it)
        return None
    return _from_frame(frame, str(file), colon=True) if len(frame) else None


def _place_in(file: Path) -> Callable[[int], str]:
    return lambda row: next(islice(read_rows(file), row, None))[0]


def _from_rows(
    name: str, rows: Iterable[tuple[str, dict[str, Any]]], *, text: bool, keep_places: bool = False
) -> _Part:
    places: list[str] = []
    builder = _Builder(name, places.__getitem__ if keep_places else _place_in(Path(name)), text=text)
    stream = iter(rows)
    while chunk := list(islice(stream, _CHUNK)):
        for place, row in chunk:
            if not row.keys() <= _ALLOWED:
                _check_columns(row.keys(), place)
        if keep_places:
            places.extend(place for place, _ in chunk)
        cells = {column: [row.get(column) for _, row in chunk] for column in COLUMNS}
        builder.extend(cells, len(chunk))
    return builder.part()


_ALLOWED = frozenset(COLUMNS)


def _from_frame(frame: pd.DataFrame, name: str, *, colon: bool = False) -> _Part:
    _check_columns([str(c) for c in frame.columns], name)
    builder = _Builder(name, lambda row: f"{name}:{row + 1}" if colon else f"{name}, row {row}", text=False)
    for column in _CODED:
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


# ---- from runs ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _RunPart:
    """What a run brings beside its ratings."""

    part: _Part
    facts: dict[str, Any]
    instances: list[Instance]
    left: pd.DataFrame
    without_response: dict[str, int]


def _from_run(folder: Path) -> _RunPart:
    with Ledger(folder / "ledger.sqlite", read_only=True) as ledger:
        raters = {name: {"kind": kind, **json.loads(config)} for name, kind, config in ledger.query(_RATERS)}
        kinds = {name: config["kind"] for name, config in raters.items()}
        return _RunPart(
            part=_run_ratings(ledger, str(folder), kinds),
            facts={**_manifest(folder), "run": folder.name or str(folder), "raters": raters},
            instances=list(ledger.instances()),
            left=_run_left(ledger, kinds),
            without_response=_without_response(ledger),
        )


_RATERS = "SELECT name, kind, config FROM rater ORDER BY rowid"


def _manifest(folder: Path) -> dict[str, Any]:
    """What the run says about itself; a manifest that cannot be read says nothing, and its ratings still count."""
    try:
        data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _run_ratings(ledger: Ledger, name: str, kinds: Mapping[str, str]) -> _Part:
    sql = "SELECT id, instance, model, response_sample, rater, sample FROM cell WHERE done = 1 ORDER BY id"
    cells = ledger.query(sql)
    builder = _Builder(name, lambda row: f"{name}, rating {row + 1}", text=False)
    for start in range(0, len(cells), _CHUNK // 8):
        where = {number: rest for number, *rest in cells[start : start + _CHUNK // 8]}
        rows = ledger.query(
            "SELECT cell, skill, item, outcome, score, rationale FROM rating WHERE cell BETWEEN ? AND ?"
            " ORDER BY cell, skill, item",
            (min(where), max(where)),
        )
        if rows := [row for row in rows if row[0] in where]:
            number, skill, item, outcome, score, rationale = zip(*rows, strict=True)
            instance, model, response_sample, rater, sample = zip(*(where[n] for n in number), strict=True)
            made: dict[str, Sequence[Any]] = {"instance": instance, "model": model, "response_sample": response_sample}
            made |= {"skill": skill, "item": item, "rater": rater, "kind": [kinds.get(r, "judge") for r in rater]}
            made |= {"sample": sample, "score": score, "outcome": outcome, "rationale": rationale}
            builder.extend(made, len(rows))
    return builder.part()


def _run_left(ledger: Ledger, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Planned ratings of cells that are not done."""
    rows = [
        (instance, model, response_sample, skill, rater, kinds.get(rater, "judge"), sample)
        for instance, model, response_sample, rater, sample, skills in ledger.query(
            "SELECT instance, model, response_sample, rater, sample, skills FROM cell WHERE done = 0 ORDER BY id"
        )
        for skill in json.loads(skills)
    ]
    return pd.DataFrame(rows, columns=list(LEFT_COLUMNS))


def _without_response(ledger: Ledger) -> dict[str, int]:
    """As the run counted them, or else all its instances less those that a model answered."""
    said = ledger.meta("without_response")
    if said:
        return {str(model): int(count) for model, count in json.loads(said).items()}
    return dict(
        ledger.query(
            "SELECT model, (SELECT COUNT(*) FROM instance) - COUNT(DISTINCT instance) FROM response GROUP BY model"
        )
    )


def _ends(scale: Any) -> ScaleEnds | None:
    """The ends of a scale that a rater's configuration holds, or its labels."""
    said = scale if isinstance(scale, dict) else {}
    if said.get("labels"):
        return tuple(str(label) for label in said["labels"])
    low, high = said.get("min"), said.get("max")
    return (float(low), float(high)) if isinstance(low, (int, float)) and isinstance(high, (int, float)) else None


def _scales_of(runs: list[_RunPart]) -> dict[str, ScaleEnds]:
    found: dict[str, ScaleEnds] = {}
    for name, config in ((n, c) for run in runs for n, c in run.facts["raters"].items()):
        ends = _ends(config.get("scale")) or ((0.0, 1.0) if config["kind"] == "metric" else None)
        if ends is not None:
            found[name] = ends
    return found


# ---- putting together ---------------------------------------------------------------------------------------------


def _joined(parts: list[_Part]) -> tuple[pd.DataFrame, list[str]]:
    """One table of all parts, without repeats, and what is to be told."""
    columns: dict[str, _Column] = {}
    for name in _CODED:
        known: dict[Any, int] = {}
        codes = []
        for part in parts:
            own, values = part.columns.pop(name)
            codes.append(np.array([*(known.setdefault(v, len(known)) for v in values), -1], np.int32)[own])
        columns[name] = np.concatenate(codes), list(known)
    starts = np.cumsum([0, *(len(part.rationale) for part in parts)])
    notes: list[str] = []

    def place(row: int) -> str:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        return parts[number].place(row - int(starts[number]))

    _check_kinds(columns, place)
    _check_labels(columns, place, notes)
    keep = _without_repeats(columns, place, notes)
    rationale = [text for part in parts for text in part.rationale]
    return _frame(columns, rationale, keep), notes


def _check_kinds(columns: Mapping[str, _Column], place: Callable[[int], str]) -> None:
    """One rater is of one kind."""
    (rater, raters), (kind, kinds) = columns["rater"], columns["kind"]
    pairs = rater.astype(np.int64) * len(kinds) + kind
    first: dict[int, tuple[int, int]] = {}
    for pair, row in zip(*np.unique(pairs, return_index=True), strict=True):
        one, of = divmod(int(pair), len(kinds))
        if one in first:
            (early, was), (late, now) = sorted([first[one], (int(row), of)])
            raise RecordError(
                place(late),
                f"rater '{raters[one]}' is of kind '{kinds[now]}' here, and of kind '{kinds[was]}' in {place(early)}",
                "give the two raters different names, or one kind",
            )
        first[one] = (int(row), of)


def _check_labels(columns: Mapping[str, _Column], place: Callable[[int], str], notes: list[str]) -> None:
    """A rater scores a skill by numbers or by labels, not by both."""
    (rater, raters), (skill, skills), (score, scores) = columns["rater"], columns["skill"], columns["score"]
    is_label = np.array([isinstance(value, str) for value in scores] + [False])
    if not is_label.any():
        return
    pair = rater.astype(np.int64) * len(skills) + skill
    size = len(raters) * len(skills)
    labelled = np.bincount(pair[is_label[score]], minlength=size) > 0
    numbered = np.bincount(pair[(score >= 0) & ~is_label[score]], minlength=size) > 0
    mixed = np.flatnonzero((labelled & numbered)[pair] & is_label[score])
    if mixed.size:
        row = int(mixed[0])
        raise RecordError(
            place(row),
            f"score {_shown(scores[score[row]])} stands among numbers of '{raters[rater[row]]}' for {skills[skill[row]]}",
            "write a number, or leave it empty and give an outcome (not_applicable, ...)",
        )
    digits = np.array([isinstance(v, str) and bool(_NUMBER.fullmatch(v)) for v in scores] + [False])
    notes.extend(
        f"Rater '{raters[code]}' gives numbers as text; they are taken as labels, which have no mean. "
        "Write numbers without quotes where means are wanted."
        for code in np.unique(rater[digits[score]])
    )


def _without_repeats(columns: Mapping[str, _Column], place: Callable[[int], str], notes: list[str]) -> Any:
    """The rows to keep, as a mask: of equal ratings of the same thing the first; none may contradict another."""
    key = _key_of(columns)
    repeated = pd.Series(key).duplicated(keep="first").to_numpy()
    again = np.flatnonzero(repeated)
    if not again.size:
        return ~repeated
    order = np.argsort(key, kind="stable")
    first = order[np.searchsorted(key, key[again], sorter=order)]
    different = np.zeros(again.size, bool)
    for name in ("score", "outcome"):
        codes = columns[name][0]
        different |= codes[again] != codes[first]
    if different.any():
        late, early = int(again[different][0]), int(first[different][0])
        (score, scores), (outcome, outcomes) = columns["score"], columns["outcome"]
        said = [scores[score[r]] if score[r] >= 0 else outcomes[outcome[r]] for r in (late, early)]
        raise RecordError(
            place(late),
            f"says {said[0]!r} where {place(early)} says {said[1]!r}, on the same rating ({_key_in_words(columns, late)})",
            "keep one, or tell them apart by sample or variant",
        )
    notes.append(
        f"{again.size:,} rating{'s' if again.size > 1 else ''} stood twice with the same verdict and "
        f"{'are' if again.size > 1 else 'is'} counted once (the first: {place(int(again[0]))})."
    )
    return ~repeated


def _key_of(columns: Mapping[str, _Column]) -> npt.NDArray[np.int64]:
    key = np.zeros(len(columns["instance"][0]), np.int64)
    size = 1
    for name in KEY:
        codes, values = columns[name]
        if size * max(len(values), 1) >= 2**62:
            key, found = pd.factorize(key)
            size = len(found)
        key = key * len(values) + codes
        size *= max(len(values), 1)
    return key


def _key_in_words(columns: Mapping[str, _Column], row: int) -> str:
    values = ((name, columns[name][1][columns[name][0][row]]) for name in KEY)
    return ", ".join(f"{name} {value}" for name, value in values if value not in ("", 0))


def _frame(columns: Mapping[str, _Column], rationale: list[str], keep: Any) -> pd.DataFrame:
    made: dict[str, Any] = {}
    for name, (codes, values) in columns.items():
        kept = codes[keep]
        if name in _WHOLE:
            made[name] = np.array(values or [0], np.int64)[kept]
        elif name == "score":
            if any(isinstance(v, str) for v in values):
                made[name] = pd.Series(np.array([*values, None], object)[kept], dtype=object)
            else:
                made[name] = np.array([*values, np.nan], np.float64)[kept]
        else:
            made[name] = pd.Series(pd.Categorical.from_codes(kept, pd.Index(values, dtype="str"))).astype("str")
    made["rationale"] = _as_text(pd.Series(rationale, dtype=object)[keep])
    return pd.DataFrame({name: made[name] for name in COLUMNS})


def _as_text(cells: pd.Series[Any]) -> pd.Series[str]:
    cells = cells.reset_index(drop=True)
    try:
        return cells.astype("str")
    except UnicodeEncodeError:  # half of a surrogate pair, which no file can hold
        return cells.map(lambda text: _LONE_SURROGATE.sub("\ufffd", text)).astype("str")


def _left_of(runs: list[_RunPart], table: pd.DataFrame) -> pd.DataFrame:
    """What is left to judge, counted once where a run is named twice or its export is there too."""
    key = [name for name in LEFT_COLUMNS if name != "kind"]
    frames = [run.left for run in runs if len(run.left)]
    if not frames:
        return table.head(0)[list(LEFT_COLUMNS)]
    left = pd.concat(frames, ignore_index=True).drop_duplicates(key)
    judged = pd.MultiIndex.from_frame(table[table["rater"].isin(left["rater"].unique())][key])
    return left[~pd.MultiIndex.from_frame(left[key]).isin(judged)].reset_index(drop=True)


def _instances_of(
    runs: list[_RunPart], given: str | Path | Iterable[Instance] | None, rated: list[str], notes: list[str]
) -> dict[str, Instance]:
    """Every instance by id; what is given wins over what runs hold, and two runs may not contradict each other."""
    found: dict[str, Instance] = {}
    if given is not None:
        if isinstance(given, (str, Path)):
            pairs = read_records(given, Instance)
        else:
            pairs = ((f"instance '{instance.id}'", instance) for instance in given)
        for place, instance in pairs:
            if instance.id in found:
                raise RecordError(place, f"instance '{instance.id}' stands twice", "keep one")
            found[instance.id] = instance
        _check_ids(found, rated, notes)
    sources = dict.fromkeys(found, "")
    for run in runs:
        for instance in run.instances:
            source = sources.setdefault(instance.id, run.part.name)
            if source and found.setdefault(instance.id, instance) != instance:
                raise UserError(
                    f"instance '{instance.id}' differs between {source} and {run.part.name}: they do not belong "
                    "together, unless --instances says which is right"
                )
    return found


def _check_ids(given: Mapping[str, Instance], rated: list[str], notes: list[str]) -> None:
    """Tell rated instances that the given instances do not know."""
    unknown = [name for name in rated if name not in given]
    if rated and len(unknown) == len(rated):
        raise UserError(f"no rated instance is among the given instances, for one '{unknown[0]}': do the ids match?")
    if unknown:
        notes.append(
            f"{len(unknown):,} of {len(rated):,} rated instances are not among the given instances (for one "
            f"'{unknown[0]}'); they have no domain, difficulty or source."
        )


def _instance_table(given: Mapping[str, Instance], rated: Iterable[str], notes: list[str]) -> pd.DataFrame:
    """One row an instance; what is rated but not known has its id alone."""
    rows = list(given.values()) + [
        Instance(id=name, instruction="") for name in dict.fromkeys(rated) if name not in given
    ]
    annotations = [row.annotation for row in rows]
    made: dict[str, Any] = {
        "instance": pd.Series([row.id for row in rows], dtype="str"),
        "cluster": pd.Series([row.cluster or row.id for row in rows], dtype="str"),
        "source": pd.Series([row.source for row in rows], dtype="str"),
        "difficulty": pd.Series([a.difficulty for a in annotations], dtype="Int64"),
        "skills": pd.Series([a.skills for a in annotations], dtype=object),
        "domains": pd.Series([a.domains for a in annotations], dtype=object),
    }
    for key in dict.fromkeys(key for row in rows for key in row.metadata):
        if key in INSTANCE_COLUMNS or key in DIMENSIONS:
            notes.append(f"The metadata key '{key}' is left out: a column of flask-eval has that name.")
        else:
            made[key] = pd.Series([row.metadata.get(key) for row in rows], dtype=object)
    return pd.DataFrame(made)


def _rubrics_of(
    runs: list[_RunPart],
    rubrics: str | RubricSet | None,
    instances: Mapping[str, Instance],
    rated: set[str],
    notes: list[str],
) -> dict[str, SkillFacts]:
    """Titles, groups and order of skills: as given, else from the runs, else of shipped skills of the same names."""
    sets = [load_rubrics(rubrics)] if rubrics is not None else _sets_of(runs)
    skills = [skill for found in sets for skill in found.skills]
    skills += [skill for instance in instances.values() for skill in instance.rubrics]
    facts: dict[str, SkillFacts] = {}
    for skill in skills:
        facts.setdefault(skill.name, SkillFacts(skill.label, skill.group, len(facts)))
    unknown = rated - facts.keys()
    shipped = load_rubrics("flask") if unknown else None
    if shipped and all(shipped.find(name) for name in unknown):
        notes.append("Titles, groups and order of the skills are those of the shipped rubric set 'flask'.")
        for skill in shipped.skills:
            facts.setdefault(skill.name, SkillFacts(skill.label, skill.group, len(facts)))
    return facts


def _sets_of(runs: list[_RunPart]) -> list[RubricSet]:
    """The rubric sets that the raters' configurations hold."""
    found = []
    for config in (config for run in runs for config in run.facts["raters"].values()):
        try:
            found.append(RubricSet.model_validate(config["rubrics"]))
        except (KeyError, ValueError):
            continue
    return found
