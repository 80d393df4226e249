"""The ledger records every call once, and nothing acknowledged is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from flask_eval.errors import NotFoundError, UserError
from flask_eval.ledger import Ledger, RunLock, Writer, asked_from, asked_row
from flask_eval.schema import Asked, Call, Cell, Completion, Instance, Rating, Request, Response, Scale, digest

SCALE = Scale(min=1, max=5)
ASKED = Asked("factuality", "Factuality", SCALE, ("factuality",))


def request(text="q"):
    return Request((("system", "rubric"), ("user", text)), (ASKED,))


def call(key, text="a", attempt=0):
    return Call(key, attempt, Completion(text, "stop", 10, 2, 3, 0.5))


@pytest.fixture
def ledger(tmp_path):
    """An empty ledger."""
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def test_an_answered_call_is_found_by_its_key(ledger):
    """With all its figures."""
    key = digest("k")
    ledger.transaction([lambda: ledger.add_call(call(key), request(), "{}")])
    assert ledger.answered(key) == call(key)
    assert ledger.answered(digest("other")) is None


def test_an_answered_call_is_recorded_once(ledger):
    """A second write under the same key and attempt changes nothing."""
    key = digest("k")
    ledger.transaction([partial(ledger.add_call, call(key, text), request(), "{}") for text in ("first", "second")])
    assert ledger.answered(key).completion.text == "first"


def test_the_newest_attempt_counts(ledger):
    """What was asked again replaces nothing, it follows."""
    key = digest("k")
    ledger.transaction(
        [
            partial(ledger.add_call, call(key, "old", 0), request(), "{}"),
            partial(ledger.add_call, call(key, "new", 1), request(), "{}"),
        ]
    )
    assert ledger.answered(key).completion.text == "new"
    assert ledger.query("SELECT COUNT(*) FROM call") == [(2,)]


def test_a_failed_call_is_kept_but_is_no_answer(ledger):
    """It is asked again."""
    key = digest("k")
    failed = Call(key, 0, None, "503 from the server", "server")
    ledger.transaction([lambda: ledger.add_call(failed, request(), "{}")])
    assert ledger.answered(key) is None
    assert ledger.query("SELECT error, error_kind FROM call") == [("503 from the server", "server")]


def test_texts_are_stored_once(ledger):
    """A thousand prompts with one system message hold it once."""
    ledger.transaction(
        [partial(ledger.add_call, call(digest(str(k)), "same"), request(str(k)), "{}") for k in range(100)]
    )
    bodies = [body for (body,) in ledger.query("SELECT body FROM text")]
    assert bodies.count("rubric") == 1
    assert bodies.count("same") == 1


def test_a_transaction_is_whole_or_nothing(ledger):
    """One bad step undoes the others."""
    ledger.transaction([lambda: ledger.set_meta("a", "1")])

    def bad():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ledger.transaction([lambda: ledger.set_meta("a", "2"), bad])
    assert ledger.meta("a") == "1"


def test_cells_and_their_ratings_come_back(ledger):
    """A cell is done once it has its ratings."""
    cell = Cell("1", "m", 0, "j", 0, ("factuality",))
    ledger.transaction([lambda: ledger.add_cells([cell])])
    planned = ledger.cells("j")[cell]
    assert not planned.done
    rating = Rating("1", "m", "factuality", "j", "judge", "scored", 4, rationale="good")
    ledger.transaction([lambda: ledger.set_ratings(planned.id, [rating])])
    assert ledger.cells("j")[cell].done
    assert ledger.query("SELECT outcome, score, rationale FROM rating") == [("scored", 4, "good")]
    assert ledger.cells_with("j", ["scored"]) == {planned.id}
    assert ledger.cells_with("j", ["refused"]) == set()


def test_a_changed_instance_or_response_is_refused(ledger):
    """A run never mixes two texts under one id."""
    first = Instance(id="1", instruction="a")
    ledger.transaction([lambda: ledger.add_instances([first, first])])
    with pytest.raises(UserError, match="instance '1' differs"):
        ledger.transaction([lambda: ledger.add_instances([Instance(id="1", instruction="b")])])
    answer = Response(instance="1", model="m", text="x")
    ledger.transaction([lambda: ledger.add_responses([answer, answer])])
    with pytest.raises(UserError, match="response of 'm' to instance '1' differs"):
        ledger.transaction([lambda: ledger.add_responses([Response(instance="1", model="m", text="y")])])
    assert [r.text for r in ledger.responses()] == ["x"]
    assert list(ledger.instances()) == [first]


@pytest.mark.parametrize("text", ["", "\x00", "a\x00b", "\u202e", "\U0001f600", "x" * 1_000_000])
def test_hostile_texts_come_back_as_they_were(ledger, text):
    """NUL, bidi marks, a megabyte."""
    ledger.transaction([lambda: ledger.add_responses([Response(instance="1", model="m", text=text)])])
    assert [r.text for r in ledger.responses()] == [text]


def test_what_was_asked_comes_back():
    """Reparse needs no template."""
    for asked in (
        ASKED,
        Asked("q1", "Is it?", Scale(labels=["no", "yes"], level="nominal"), ("a", "b"), "i", rationale=False),
    ):
        assert asked_from(asked_row(asked)) == asked


def test_a_reader_sees_what_a_writer_has_committed(tmp_path):
    """`status` works while a run goes on."""
    with Ledger(tmp_path / "l.sqlite") as writing:
        writing.transaction([lambda: writing.set_meta("a", "1")])
        with Ledger(tmp_path / "l.sqlite", read_only=True) as reading:
            assert reading.meta("a") == "1"
            with pytest.raises(sqlite3.OperationalError):
                reading.set_meta("a", "2")


def test_a_missing_or_foreign_file_is_told(tmp_path):
    """In words."""
    with pytest.raises(NotFoundError, match="holds no ledger"):
        Ledger(tmp_path / "l.sqlite", read_only=True)
    (tmp_path / "l.sqlite").write_text("no database, but a text that is long enough to be looked at" * 20)
    with pytest.raises(UserError, match="is no ledger"):
        Ledger(tmp_path / "l.sqlite")


def test_another_format_is_refused(tmp_path):
    """It is not guessed at."""
    with Ledger(tmp_path / "l.sqlite") as opened:
        opened.transaction([lambda: opened.set_meta("format", "99")])
    with pytest.raises(UserError, match="format 99"):
        Ledger(tmp_path / "l.sqlite")


def test_two_writers_at_once_are_refused(tmp_path):
    """Nothing is paid twice by two commands on one run."""
    lock = RunLock(tmp_path)
    with pytest.raises(UserError, match="another flask-eval works on this run"):
        RunLock(tmp_path)
    lock.close()
    RunLock(tmp_path).close()


def test_the_writer_tells_a_failure_to_whoever_waits(ledger):
    """And goes on with the next."""
    writer = Writer(ledger)

    def bad():
        raise ValueError("disk full")

    with pytest.raises(ValueError, match="disk full"):
        writer.submit(bad).result(5)
    writer.submit(lambda: ledger.set_meta("a", "1")).result(5)
    writer.close()
    assert ledger.meta("a") == "1"


WRITE = """
import sys
from pathlib import Path
from flask_eval.ledger import Ledger, Writer
from flask_eval.schema import Call, Completion, Request, digest
ledger = Ledger(Path(sys.argv[1]))
writer = Writer(ledger)
for k in range(100000):
    call = Call(digest(str(k)), 0, Completion("answer " * 50))
    writer.submit(lambda: ledger.add_call(call, Request((("user", str(k)),), ()), "{}")).result()
    print(k, flush=True)
"""


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path):
    """Killed in the middle of writing, three times; every acknowledged call is there."""
    path = tmp_path / "l.sqlite"
    for _ in range(3):
        worker = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        )
        time.sleep(0.7)
        os.kill(worker.pid, signal.SIGKILL)
        told = [int(line) for line in worker.stdout.read().splitlines() if line.strip().isdigit()]
        worker.stdout.close()
        worker.wait()
        assert told
        with Ledger(path) as ledger:
            assert ledger.query("PRAGMA integrity_check") == [("ok",)]
            assert all(ledger.answered(digest(str(k))) for k in told[:-1])


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE rating",
        "ALTER TABLE rating RENAME TO x; CREATE VIEW rating AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n FROM c) SELECT n AS cell FROM c",
        "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM call; END",
    ],
)
def test_a_ledger_of_other_making_is_refused(tmp_path, statement):
    """A view can run for ever, a trigger can delete."""
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    db = sqlite3.connect(path)
    db.executescript(statement)
    db.close()
    with pytest.raises(UserError, match="is no ledger"):
        Ledger(path, read_only=True)
