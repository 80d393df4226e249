"""A run: a folder with its manifest and its ledger."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import flask_eval
from flask_eval.calling.price import cost
from flask_eval.errors import NotFoundError, UserError
from flask_eval.judging.rating import ratings_of
from flask_eval.ledger import Ledger, RunLock
from flask_eval.records import replacing
from flask_eval.schema import OUTCOMES, Call, Cell, Price, digest

MANIFEST = "manifest.json"
LEDGER = "ledger.sqlite"


@dataclass(frozen=True)
class Run:
    """One evaluation on disk.

    Attributes:
        path: the folder.
    """

    path: Path

    def ledger(self, *, read_only: bool = True, durable: bool = False) -> Ledger:
        """The run's ledger."""
        return Ledger(self.path / LEDGER, read_only=read_only, durable=durable)

    def manifest(self) -> dict[str, Any]:
        """What the manifest says."""
        found: dict[str, Any] = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        return found

    def status(self) -> dict[str, Any]:
        """Coverage, outcomes, calls, tokens and cost of all that the run holds (`status --json`)."""
        with self.ledger() as ledger:
            return _status(self.path, ledger)

    def reparse(self) -> dict[str, Any]:
        """Read every recorded completion anew; no call is made. Returns what changed, and the status."""
        lock = RunLock(self.path)
        try:
            with self.ledger(read_only=False) as ledger:
                changes = _reparse(ledger)
                return changes | {"status": _status(self.path, ledger)}
        finally:
            lock.close()


def open_run(path: str | Path) -> Run:
    """A run that `score` wrote.

    Raises:
        NotFoundError: there is none.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise NotFoundError(f"{folder}: no such run; `flask-eval score ... -o {folder}` writes one")
    if not (folder / LEDGER).is_file():
        raise NotFoundError(f"{folder}: holds no {LEDGER}; is it a run that `flask-eval score -o` wrote?")
    return Run(folder)


def create_run(path: str | Path) -> Run:
    """The folder of a run, made where it is not there.

    Raises:
        UserError: something else is there.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"-o {folder}: is a file; name a folder for the run")
    if folder.is_dir() and not (folder / LEDGER).exists() and any(folder.iterdir()):
        names = sorted(p.name for p in folder.iterdir())
        if set(names) - {"lock.sqlite", MANIFEST}:
            raise UserError(f"-o {folder}: is no run, and not empty (it holds '{names[0]}'); name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    return Run(folder)


def renew_run(path: str | Path) -> None:
    """Empty a run of what was planned and rated, where there is one; its recorded calls stay and answer the next plan.

    Raises:
        UserError: another process works on the run.
    """
    folder = Path(path)
    if not (folder / LEDGER).is_file():
        return
    lock = RunLock(folder)
    try:
        with Run(folder).ledger(read_only=False) as ledger:
            ledger.transaction([ledger.replan])
    finally:
        lock.close()


def write_manifest(run: Run, ledger: Ledger) -> None:
    """Write down what shaped the run, for people and programs that do not open the ledger."""
    raters = {name: {"kind": kind, **json.loads(config)} for name, kind, config in ledger.query("SELECT * FROM rater")}
    first = next(iter(raters.values()))
    rubrics = first.get("rubrics")
    facts = {
        "format": 1,
        "flask_eval": flask_eval.__version__,
        "created": ledger.meta("created"),
        "judge": next(iter(raters)) if len(raters) == 1 else None,
        "raters": raters,
        "rubrics": rubrics and {"name": rubrics["name"], "version": rubrics.get("version", "1"), "digest": digest(json.dumps(rubrics, sort_keys=True))},
        "seed": int(ledger.meta("seed") or 0),
        "without_response": json.loads(ledger.meta("without_response") or "{}"),
    }  # fmt: skip
    with replacing(run.path / MANIFEST) as handle:
        json.dump(facts, handle, indent=2, ensure_ascii=False)
        handle.write("\n")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _status(path: Path, ledger: Ledger) -> dict[str, Any]:
    raters = [name for (name,) in ledger.query("SELECT name FROM rater ORDER BY rowid")]
    found = {name: rater_status(ledger, name) for name in raters}
    total = _added(list(found.values()))
    result: dict[str, Any] = {"run": str(path), "judge": raters[0] if len(raters) == 1 else None, **total}
    result["without_response"] = json.loads(ledger.meta("without_response") or "{}")
    result |= calls_of(ledger)
    if len(raters) > 1:
        result["raters"] = found
    return result


def rater_status(ledger: Ledger, rater: str) -> dict[str, Any]:
    """Cells, ratings by outcome and coverage of one rater."""
    cells = ledger.query("SELECT COUNT(*), SUM(done), SUM(planned) FROM cell WHERE rater = ?", (rater,))[0]
    counts = ledger.query(
        "SELECT outcome, COUNT(*) FROM rating JOIN cell ON cell.id = rating.cell WHERE rater = ? AND item = '' GROUP BY outcome",
        (rater,),
    )
    planned, judged, ratings = (int(n or 0) for n in cells)
    return _counted(planned, judged, ratings, dict(counts))


def plan_status(ledger: Ledger, rater: str, ids: set[int]) -> dict[str, Any]:
    """The same for some of a rater's cells."""
    cells = [
        row for row in ledger.query("SELECT id, done, planned FROM cell WHERE rater = ?", (rater,)) if row[0] in ids
    ]
    if len(cells) == ledger.query("SELECT COUNT(*) FROM cell WHERE rater = ?", (rater,))[0][0]:
        return rater_status(ledger, rater)
    rows = ledger.query(
        "SELECT cell, outcome FROM rating JOIN cell ON cell.id = rating.cell WHERE rater = ? AND item = ''", (rater,)
    )
    counts = Counter(outcome for cell, outcome in rows if cell in ids)
    return _counted(len(cells), sum(done for _, done, _ in cells), sum(n for *_, n in cells), counts)


def _counted(planned: int, judged: int, ratings: int, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "cells": {"planned": planned, "judged": judged, "left": planned - judged},
        "ratings": {outcome: counts[outcome] for outcome in OUTCOMES if outcome in counts},
        "ratings_planned": ratings,
        "coverage": (share := coverage(counts, ratings)),
        **({"undefined": {"coverage": "no planned rating applies"}} if share is None else {}),
    }


def coverage(counts: dict[str, int], planned: int) -> float | None:
    """Scored ratings over planned ones that apply; none where none applies."""
    wanted = planned - counts.get("not_applicable", 0)
    return counts.get("scored", 0) / wanted if wanted else None


def _added(parts: list[dict[str, Any]]) -> dict[str, Any]:
    cells = {name: sum(p["cells"][name] for p in parts) for name in ("planned", "judged", "left")}
    ratings = {o: n for o in OUTCOMES if (n := sum(p["ratings"].get(o, 0) for p in parts))}
    planned = sum(p["ratings_planned"] for p in parts)
    return {"cells": cells, "ratings": ratings, "ratings_planned": planned, "coverage": coverage(ratings, planned)}


def calls_of(ledger: Ledger) -> dict[str, Any]:
    """Calls, tokens, cost and seconds of all that the ledger holds."""
    answered, failed, *tokens = ledger.query(
        "SELECT COUNT(finish), COUNT(*) - COUNT(finish), COALESCE(SUM(input_tokens), 0), COALESCE(SUM(cached_tokens), 0),"
        " COALESCE(SUM(output_tokens), 0) FROM call"
    )[0]
    price = ledger.meta("price")
    spent = cost(Price.model_validate_json(price), *tokens) if price else None
    sent = int(ledger.meta("sent") or 0)
    return {
        "calls": {"sent": max(sent, answered + failed), "answered": answered, "failed": failed},
        "tokens": dict(zip(("input", "cached", "output"), tokens, strict=True)),
        "cost_usd": spent,
        "seconds": float(ledger.meta("seconds") or 0.0),
    }


def _reparse(ledger: Ledger) -> dict[str, Any]:
    """Derive the ratings of every judged cell anew from its newest answered calls."""
    cells = [
        (number, Cell(instance, model, response_sample, rater, sample, tuple(json.loads(skills))))
        for number, instance, model, response_sample, rater, sample, skills in ledger.query(
            "SELECT id, instance, model, response_sample, rater, sample, skills FROM cell"
            " WHERE id IN (SELECT cell FROM request)"
        )
    ]
    changed = unknown = read = 0
    for start in range(0, len(cells), 2000):
        steps = []
        for number, cell in cells[start : start + 2000]:
            held = ledger.requests_of(number)
            parts: list[tuple[Any, Call]] = [(asked, call) for key, asked in held if (call := ledger.answered(key))]
            if len(parts) < len(held):
                continue
            ratings, strange = ratings_of(cell, parts)
            read += 1
            unknown += strange
            before = {
                (s, i): (o, x)
                for s, i, o, x in ledger.query(
                    "SELECT skill, item, outcome, score FROM rating WHERE cell = ?", (number,)
                )
            }
            changed += sum(before.get((r.skill, r.item)) != (r.outcome, r.score) for r in ratings)
            steps.append(partial(ledger.set_ratings, number, ratings))
        ledger.transaction(steps)
    return {"cells_read": read, "ratings_changed": changed, "unknown_properties": unknown}
