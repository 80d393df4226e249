"""A run's ledger: one SQLite file that records every call, and the ratings derived from them.

WAL with `synchronous=NORMAL`: nothing that was acknowledged is lost by kill -9; a power cut may cost the last calls
(`durable` is FULL). Prompts, responses and completions are stored once, by digest. Few methods, so that a server database
can stand behind them later.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from flask_eval.errors import NotFoundError, UserError
from flask_eval.schema import (
    Asked,
    Call,
    Cell,
    Completion,
    Instance,
    Rating,
    Request,
    Response,
    Scale,
    canonical,
    digest,
)

_SHOWN = ("instruction", "messages", "reference", "checklist", "rubrics")
"""The fields of an instance that a prompt may show."""

FORMAT = 1
"""The version of the tables; a ledger of another version is refused, not guessed at."""

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS text (digest BLOB PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS instance (id TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS response (
    instance TEXT NOT NULL, model TEXT NOT NULL, sample INTEGER NOT NULL,
    text BLOB NOT NULL, finish TEXT NOT NULL, settings TEXT NOT NULL,
    PRIMARY KEY (instance, model, sample));
CREATE TABLE IF NOT EXISTS rater (name TEXT PRIMARY KEY, kind TEXT NOT NULL, config TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cell (
    id INTEGER PRIMARY KEY, instance TEXT NOT NULL, model TEXT NOT NULL, response_sample INTEGER NOT NULL,
    rater TEXT NOT NULL, sample INTEGER NOT NULL, skills TEXT NOT NULL, planned INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    UNIQUE (rater, instance, model, response_sample, sample));
CREATE TABLE IF NOT EXISTS request (
    cell INTEGER NOT NULL, part INTEGER NOT NULL, key BLOB NOT NULL, asked BLOB NOT NULL,
    PRIMARY KEY (cell, part)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS call (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, attempt INTEGER NOT NULL, request TEXT NOT NULL,
    text BLOB, finish TEXT, input_tokens INTEGER, cached_tokens INTEGER, output_tokens INTEGER,
    seconds REAL, error TEXT, error_kind TEXT, at REAL NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS answered ON call (key, attempt) WHERE finish IS NOT NULL;
CREATE TABLE IF NOT EXISTS rating (
    cell INTEGER NOT NULL, skill TEXT NOT NULL, item TEXT NOT NULL, outcome TEXT NOT NULL, score, rationale TEXT NOT NULL,
    PRIMARY KEY (cell, skill, item)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_outcome ON rating (outcome, cell);
"""


_NAMES = ("meta", "text", "instance", "response", "rater", "cell", "request", "call", "rating")


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell with its place in the ledger."""

    id: int
    cell: Cell
    done: bool


class Ledger:
    """The tables of one run, and the connections to them."""

    def __init__(self, path: Path, *, durable: bool = False, read_only: bool = False) -> None:
        """Open `path`; create it unless `read_only`.

        Raises:
            NotFoundError: read-only, and there is no ledger.
            UserError: the file is no ledger, or one of another version.
        """
        self.path, self.read_only = path, read_only
        if read_only and not path.exists():
            raise NotFoundError(f"{path.parent}: holds no ledger.sqlite; is it a run that `flask-eval score -o` wrote?")
        self._durable = durable
        try:
            self._db = self._connect()
            if not read_only:
                self._db.executescript(_TABLES)
                self._db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
            kinds = dict(self._db.execute("SELECT name, type FROM sqlite_master").fetchall())
            if any(kinds.get(name) != "table" for name in _NAMES) or "trigger" in kinds.values():
                raise UserError(f"{path}: is no ledger of flask-eval (its tables are not those that it writes)")
            found = self._db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path}: is no ledger of flask-eval ({error})") from None
        if found is None or found[0] != str(FORMAT):
            raise UserError(
                f"{path}: has format {found and found[0]}, this version reads {FORMAT}; score into a new run"
            )
        self._reader = self._db if read_only else self._connect()

    def _connect(self) -> sqlite3.Connection:
        if not self.read_only:
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
            db.execute("PRAGMA trusted_schema=OFF")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")
            return db
        where = self.path.absolute().as_uri()
        db = sqlite3.connect(f"{where}?mode=ro", uri=True, isolation_level=None, timeout=30)
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:  # a folder that cannot be written to: nobody else writes either
            db.close()
            db = sqlite3.connect(f"{where}?immutable=1", uri=True, isolation_level=None)
        return db

    def close(self) -> None:
        """Close the connections; the write-ahead log is folded in."""
        self._reader.close()
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing (one transaction each; the caller may group them by `transaction`) --------------------------------

    def transaction(self, work: Iterable[Callable[[], None]]) -> None:
        """Do all of it in one transaction, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for step in work:
                step()
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact of the run."""
        self._db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )

    def _text(self, body: str) -> bytes:
        key = bytes.fromhex(digest(body))
        self._db.execute("INSERT OR IGNORE INTO text VALUES (?, ?)", (key, body))
        return key

    def add_instances(self, instances: Iterable[Instance]) -> None:
        """Keep instances; what no prompt shows (domains, difficulty, source, metadata, cluster) may be corrected.

        Raises:
            UserError: the run holds another instance under the same id.
        """
        for instance in instances:
            record = instance.model_dump_json(exclude_defaults=True)
            held = self._db.execute("SELECT record FROM instance WHERE id = ?", (instance.id,)).fetchone()
            if held is None:
                self._db.execute("INSERT INTO instance VALUES (?, ?)", (instance.id, record))
            elif held[0] != record:
                before = Instance.model_validate_json(held[0])
                changed = [name for name in _SHOWN if getattr(before, name) != getattr(instance, name)]
                if before.annotation.skills != instance.annotation.skills:
                    changed.append("annotation.skills")
                if changed:
                    raise UserError(
                        f"instance '{instance.id}' differs from the one that the run holds ({', '.join(changed)}); "
                        "score into a new run (-o)"
                    )
                self._db.execute("UPDATE instance SET record = ? WHERE id = ?", (record, instance.id))

    def add_responses(self, responses: Iterable[Response]) -> None:
        """Keep responses.

        Raises:
            UserError: the run holds another response under the same instance, model and sample.
        """
        for r in responses:
            text = self._text(r.text)
            where = (r.instance, r.model, r.sample)
            held = self._db.execute(
                "SELECT text FROM response WHERE instance = ? AND model = ? AND sample = ?", where
            ).fetchone()
            if held is None:
                row = (*where, text, r.finish, canonical(r.settings))
                self._db.execute("INSERT INTO response VALUES (?, ?, ?, ?, ?, ?)", row)
            elif held[0] != text:
                raise UserError(
                    f"the response of '{r.model}' to instance '{r.instance}' differs from the one that the run holds; "
                    "score into a new run (-o)"
                )

    def add_rater(self, name: str, kind: str, config: dict[str, Any]) -> None:
        """Keep a rater's configuration; the caller has compared it with the one held (`rater`)."""
        self._db.execute("INSERT OR REPLACE INTO rater VALUES (?, ?, ?)", (name, kind, canonical(config)))

    def add_cells(self, cells: Iterable[Cell]) -> None:
        """Plan cells; those that are planned already stay as they are."""
        rows = (
            (c.instance, c.model, c.response_sample, c.rater, c.sample, canonical(list(c.skills)), len(c.skills))
            for c in cells
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO cell (instance, model, response_sample, rater, sample, skills, planned)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def add_request(self, cell: int, part: int, key: str, answer: Iterable[Asked]) -> None:
        """Keep which call answers a part of a cell, and what it is asked."""
        asked = self._text(canonical([asked_row(a) for a in answer]))
        self._db.execute("INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?)", (cell, part, bytes.fromhex(key), asked))

    def add_call(self, call: Call, request: Request, schema: str) -> None:
        """Record a call: what was sent, and the completion or the error. An answered call is recorded once."""
        sent = canonical(
            {
                "messages": [[role, self._text(content).hex()] for role, content in request.messages],
                "schema": self._text(schema).hex(),
                "settings": dict(request.settings),
                "sample": request.sample,
            }
        )
        c = call.completion
        answer: tuple[Any, ...] = (None,) * 6
        if c is not None:
            answer = (self._text(c.text), c.finish, c.input_tokens, c.cached_tokens, c.output_tokens, c.seconds)
        row = (
            bytes.fromhex(call.key),
            call.attempt,
            sent,
            *answer,
            call.error or None,
            call.error_kind or None,
            time.time(),
        )
        self._db.execute(
            "INSERT OR IGNORE INTO call (key, attempt, request, text, finish, input_tokens, cached_tokens, output_tokens,"
            " seconds, error, error_kind, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def set_ratings(self, cell: int, ratings: Iterable[Rating]) -> None:
        """Give a cell its ratings, in place of earlier ones; the cell is done."""
        self._db.execute("DELETE FROM rating WHERE cell = ?", (cell,))
        rows = [(cell, r.skill, r.item, r.outcome, r.score, r.rationale) for r in ratings]
        self._db.executemany("INSERT INTO rating VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._db.execute("UPDATE cell SET done = 1 WHERE id = ?", (cell,))

    def replan(self) -> None:
        """Forget what was planned and rated; every recorded call stays, so what is planned again is not asked again."""
        for table in ("request", "rating", "cell", "rater", "response", "instance"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 (ours)
        self._db.execute("DELETE FROM meta WHERE key IN ('without_response', 'seed', 'created')")

    # ---- reading ---------------------------------------------------------------------------------------------------

    def query(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a question in SQL, for the readers of the run."""
        return self._reader.execute(sql, tuple(values)).fetchall()

    def meta(self, key: str) -> str | None:
        """A fact of the run, or none."""
        found = self._reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def rater(self, name: str) -> tuple[str, dict[str, Any]] | None:
        """A rater's kind and configuration, or none."""
        found = self._reader.execute("SELECT kind, config FROM rater WHERE name = ?", (name,)).fetchone()
        return None if found is None else (found[0], json.loads(found[1]))

    def instances(self) -> Iterator[Instance]:
        """The run's instances, in the order in which they came."""
        for (record,) in self._reader.execute("SELECT record FROM instance ORDER BY rowid"):
            yield Instance.model_validate_json(record)

    def responses(self) -> Iterator[Response]:
        """The run's responses, in the order in which they came."""
        rows = self._reader.execute(
            "SELECT instance, model, sample, body, finish, settings FROM response JOIN text ON text.digest = response.text"
            " ORDER BY response.rowid"
        )
        for instance, model, sample, body, finish, settings in rows:
            yield Response(
                instance=instance, model=model, sample=sample, text=body, finish=finish, settings=json.loads(settings)
            )

    def cells(self, rater: str) -> dict[Cell, PlannedCell]:
        """The planned cells of a rater."""
        rows = self._reader.execute(
            "SELECT id, instance, model, response_sample, rater, sample, skills, done FROM cell WHERE rater = ?",
            (rater,),
        )
        found = {}
        for number, *where, skills, done in rows:
            instance, model, response_sample, by, sample = where
            cell = Cell(instance, model, response_sample, by, sample, tuple(json.loads(skills)))
            found[cell] = PlannedCell(number, cell, bool(done))
        return found

    def cells_with(self, rater: str, outcomes: Iterable[str]) -> set[int]:
        """The cells of a rater that hold a rating of one of the outcomes."""
        names = tuple(outcomes)
        marks = ",".join("?" * len(names))
        sql = f"SELECT DISTINCT cell FROM rating JOIN cell ON cell.id = rating.cell WHERE rater = ? AND outcome IN ({marks})"  # noqa: S608 (marks only)
        return {row[0] for row in self._reader.execute(sql, (rater, *names))}

    def answered(self, key: str) -> Call | None:
        """The newest answered call of a key, or none."""
        row = self._reader.execute(
            "SELECT attempt, body, finish, input_tokens, cached_tokens, output_tokens, seconds FROM call"
            " JOIN text ON text.digest = call.text WHERE key = ? AND finish IS NOT NULL ORDER BY attempt DESC LIMIT 1",
            (bytes.fromhex(key),),
        ).fetchone()
        return None if row is None else Call(key, row[0], Completion(*row[1:]))

    def requests_of(self, cell: int) -> list[tuple[str, tuple[Asked, ...]]]:
        """Key and what was asked, for each part of a cell."""
        rows = self._reader.execute(
            "SELECT key, body FROM request JOIN text ON text.digest = request.asked WHERE cell = ? ORDER BY part",
            (cell,),
        )
        return [(key.hex(), tuple(asked_from(row) for row in json.loads(body))) for key, body in rows]


def asked_row(asked: Asked) -> list[Any]:
    """An asked property as JSON."""
    scale = asked.scale.model_dump(exclude_defaults=True)
    return [asked.name, asked.title, scale, list(asked.skills), asked.item, asked.rationale]


def asked_from(row: list[Any]) -> Asked:
    """The asked property behind its JSON."""
    name, title, scale, skills, item, rationale = row
    return Asked(name, title, Scale.model_validate(scale), tuple(skills), item, rationale)


class Writer:
    """The one thread that writes: it commits what is queued, without a timer, and says when it is committed."""

    def __init__(self, ledger: Ledger) -> None:
        """Start the thread."""
        self._ledger = ledger
        self._queue: queue.SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, step: Callable[[], None]) -> Future[None]:
        """Queue a write; the future is done when it is committed."""
        future: Future[None] = Future()
        self._queue.put((step, future))
        return future

    def close(self) -> None:
        """Commit what is queued, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        closing = False
        while not closing:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < 512:
                batch.append(self._queue.get())
            closing = None in batch
            steps = [item for item in batch if item is not None]
            if steps:
                self._commit(steps)

    def _commit(self, steps: list[tuple[Callable[[], None], Future[None]]]) -> None:
        try:
            self._ledger.transaction(step for step, _ in steps)
        except BaseException as error:  # noqa: BLE001 (told to whoever waits for the commit)
            for _, future in steps:
                future.set_exception(error)
        else:
            for _, future in steps:
                future.set_result(None)


class RunLock:
    """A lock that one process at a time holds on a run; it goes with the process, also by kill -9."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            UserError: another process works on the run.
        """
        self._db = sqlite3.connect(folder / "lock.sqlite", isolation_level=None, timeout=0)
        try:
            self._db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            self._db.close()
            raise UserError(f"{folder}: another flask-eval works on this run; wait for it, or stop it") from None

    def close(self) -> None:
        """Let go."""
        self._db.close()
