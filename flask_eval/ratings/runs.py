"""Runs as a source: a run's folder becomes a part, and what the run knows beside its ratings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flask_eval.judging.run import calls_of
from flask_eval.ledger import Ledger
from flask_eval.ratings.checking import Builder, Part
from flask_eval.ratings.columns import CHUNK, LEFT_COLUMNS, ScaleEnds
from flask_eval.schema import Instance


@dataclass(slots=True)
class RunPart:
    """What a run brings beside its ratings."""

    part: Part
    facts: dict[str, Any]
    instances: list[Instance]
    left: pd.DataFrame
    without_response: dict[str, int]
    lengths: dict[tuple[str, str, int], int]


def from_run(folder: Path) -> RunPart:
    """All that the ledger and the manifest of a run's folder say."""
    with Ledger(folder / "ledger.sqlite", read_only=True) as ledger:
        raters = {name: {"kind": kind, **json.loads(config)} for name, kind, config in ledger.query(_RATERS)}
        kinds = {name: config["kind"] for name, config in raters.items()}
        return RunPart(
            part=_run_ratings(ledger, str(folder), kinds),
            facts={**_manifest(folder), "run": folder.name or str(folder), "raters": raters, "spent": calls_of(ledger)},
            instances=list(ledger.instances()),
            left=_run_left(ledger, kinds),
            without_response=_without_response(ledger),
            lengths={
                (instance, model, sample): n
                for instance, model, sample, n in ledger.query(
                    "SELECT instance, model, sample, LENGTH(body) FROM response JOIN text ON text.digest = response.text"
                )
            },
        )


_RATERS = "SELECT name, kind, config FROM rater ORDER BY rowid"


def _manifest(folder: Path) -> dict[str, Any]:
    """What the run says about itself; a manifest that cannot be read says nothing, and its ratings still count."""
    try:
        data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


_OF_CELL = ("instance", "model", "response_sample", "rater", "sample")
_OF_RATING = ("skill", "item", "outcome", "score", "rationale")
_STORED_AS_TEXT = ("skill", "item", "outcome")


def _run_ratings(ledger: Ledger, name: str, kinds: Mapping[str, str]) -> Part:
    planned = ledger.query(f"SELECT id, {', '.join(_OF_CELL)} FROM cell WHERE done = 1 ORDER BY id")  # noqa: S608 (ours)
    ids = np.array([cell[0] for cell in planned], np.int64)
    columns = [np.array([cell[place] for cell in planned], "O") for place in range(1, len(_OF_CELL) + 1)]
    of_cell = dict(zip(_OF_CELL, map(pd.factorize, columns), strict=True))
    codes, raters = of_cell["rater"]
    of_cell["kind"] = codes, np.array([kinds.get(rater, "judge") for rater in raters], object)
    builder = Builder(name, lambda row: f"{name}, rating {row + 1}", text=False)
    for start in range(0, ids.size, CHUNK // 32):
        number, found = _of_cells(ledger, ids[start : start + CHUNK // 32])
        cells = dict(zip(_OF_RATING, found, strict=True))
        place = np.searchsorted(ids, number)
        coded = {column: (known[place], values) for column, (known, values) in of_cell.items()}
        coded["score"] = pd.factorize(np.array(cells["score"], "O"))
        builder.extend(cells, number.size, plain=_STORED_AS_TEXT, coded=coded)
    return builder.part()


def _of_cells(ledger: Ledger, ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[Sequence[Any]]]:
    """The cells of their ratings, and the columns of `_OF_RATING`; ids in between may be of cells that are not done."""
    rows = ledger.query(
        f"SELECT cell, {', '.join(_OF_RATING)} FROM rating WHERE cell BETWEEN ? AND ? ORDER BY cell, skill, item",  # noqa: S608 (ours)
        (int(ids[0]), int(ids[-1])),
    )
    if not rows:
        return np.empty(0, np.int64), [()] * len(_OF_RATING)
    cells, *columns = zip(*rows, strict=True)
    number = np.array(cells, np.int64)
    keep = np.isin(number, ids)
    if keep.all():
        return number, list(columns)
    return number[keep], [tuple(compress(column, keep)) for column in columns]


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


def scales_of(runs: list[RunPart]) -> dict[str, ScaleEnds]:
    """The ends or labels of each rater's scale, where its configuration tells them; metrics go from 0 to 1."""
    found: dict[str, ScaleEnds] = {}
    for name, config in ((n, c) for run in runs for n, c in run.facts["raters"].items()):
        ends = _ends(config.get("scale")) or ((0.0, 1.0) if config["kind"] == "metric" else None)
        if ends is not None:
            found[name] = ends
    return found
