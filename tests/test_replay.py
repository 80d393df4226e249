"""Recorded completions: how rows are read, how cells become requests, what answers them."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from flask_eval.adapters import open_adapter
from flask_eval.adapters.replay import ReplayAdapter
from flask_eval.errors import CallError, NotFoundError, RecordError
from flask_eval.schema import Cell, JudgeCard, Request

ROW = {"instance": "1", "model": "m", "text": "a verdict"}


def adapter(*rows):
    return ReplayAdapter([(f"file:{k}", row) for k, row in enumerate(rows, 1)], "file.jsonl")


def cell(*skills, instance="1", model="m", response_sample=0, sample=0):
    return Cell(instance, model, response_sample, "judge", sample, skills or ("a", "b"))


def answer(replay, of):
    return asyncio.run(replay.complete(Request((), (), cell=of)))


def test_a_completion_answers_the_cell_of_its_coordinates():
    replay = adapter(ROW, {**ROW, "sample": 1, "text": "again"}, {**ROW, "response_sample": 2, "text": "other"})
    assert answer(replay, cell()).text == "a verdict"
    assert answer(replay, cell(sample=1)).text == "again"
    assert answer(replay, cell(response_sample=2)).text == "other"
    assert answer(replay, cell()).finish == "stop"


def test_finish_reason_and_an_empty_text_come_through():
    replay = adapter({**ROW, "text": "", "finish": "length"})
    assert (answer(replay, cell()).text, answer(replay, cell()).finish) == ("", "length")


def test_ids_and_samples_may_be_numbers_or_strings_of_digits():
    replay = adapter({"instance": 1, "model": "m", "sample": "1", "response_sample": 0.0, "text": "x"})
    assert answer(replay, cell(sample=1)).text == "x"


def test_a_cell_without_skill_rows_is_one_request():
    assert adapter(ROW).packs(cell("a", "b")) == (("a", "b"),)
    assert adapter(ROW).packs(cell("a", "b", instance="2")) == (("a", "b"),)


def test_a_cell_with_skill_rows_is_one_request_a_skill():
    replay = adapter({**ROW, "skill": "Logical Correctness"}, {**ROW, "skill": "b", "text": "for b"})
    wanted = cell("logical_correctness", "b", "c")
    assert replay.packs(wanted) == (("logical_correctness",), ("b",), ("c",))
    assert answer(replay, cell("logical_correctness")).text == "a verdict"
    assert answer(replay, cell("b")).text == "for b"
    with pytest.raises(CallError, match="skill 'c'"):
        answer(replay, cell("c"))


def test_a_row_without_a_skill_answers_the_skills_that_no_other_row_does():
    replay = adapter({**ROW, "skill": "b", "text": "for b"}, ROW)
    assert replay.packs(cell("a", "b", "c")) == (("b",), ("a", "c"))
    assert answer(replay, cell("a", "c")).text == "a verdict"
    assert answer(replay, cell("a")).text == "a verdict"


@pytest.mark.parametrize("missing", [cell(instance="2"), cell(model="n"), cell(sample=1), cell(response_sample=1)])
def test_a_cell_without_a_completion_fails_with_its_name_and_the_file(missing):
    with pytest.raises(CallError, match=r"file\.jsonl: no completion recorded for instance") as caught:
        answer(adapter(ROW), missing)
    assert (caught.value.kind, caught.value.retryable, caught.value.fatal) == ("request", False, False)
    assert missing.instance in str(caught.value)


def test_the_identity_holds_the_coordinates_and_what_is_recorded():
    replay = adapter(ROW, {**ROW, "instance": "2"})
    identities = {
        replay.identity(Request((), (), cell=of))
        for of in (cell("a"), cell("b"), cell("a", instance="2"), cell("a", instance="3"))
    }
    assert len(identities) == 4
    assert json.loads(replay.identity(Request((), (), cell=cell("a")))) == [
        "replay", "1", "m", 0, 0, ["a"], ["a verdict", "stop"]
    ]  # fmt: skip
    assert json.loads(replay.identity(Request((), (), cell=cell("a", instance="3"))))[-1] is None
    changed = adapter({**ROW, "text": "another verdict"})
    assert changed.identity(Request((), (), cell=cell("a"))) not in identities


def test_a_request_without_a_cell_cannot_be_answered():
    with pytest.raises(CallError, match="without a cell"):
        answer(adapter(ROW), None)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"instance": "1", "model": "m"}, "'text': is missing"),
        ({**ROW, "text": None}, "'text': is missing"),
        ({**ROW, "text": 3}, "'text': 3 does not fit"),
        ({"model": "m", "text": "x"}, "'instance': is missing"),
        ({**ROW, "model": " "}, "'model'"),
        ({**ROW, "instance": True}, "'instance': True does not fit"),
        ({**ROW, "sample": -1}, "'sample': -1 does not fit"),
        ({**ROW, "sample": 1.5}, "'sample': 1.5"),
        ({**ROW, "sample": "first"}, "'sample': 'first'"),
        ({**ROW, "skill": 3}, "'skill': 3"),
        ({**ROW, "finish": 3}, "'finish': 3"),
        ({**ROW, "txt": "x"}, "unknown field 'txt'; did you mean 'text'"),
    ],
)
def test_a_row_that_does_not_fit_is_told_with_its_place(row, problem):
    with pytest.raises(RecordError) as caught:
        adapter(ROW, row)
    assert caught.value.place == "file:2"
    assert problem in str(caught.value)


def test_a_repeated_row_is_taken_once_and_a_different_one_is_refused():
    adapter(ROW, dict(ROW))
    with pytest.raises(RecordError, match="file:2: a different completion for instance '1', model 'm', skill 'a'"):
        adapter({**ROW, "skill": "A"}, {**ROW, "skill": "a", "text": "x"})


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz", "c.csv"])
def test_files_of_every_format_are_read_by_the_card_that_names_them(name, tmp_path):
    path = tmp_path / name
    lines = json.dumps(ROW) + "\n" if "json" in name else "instance,model,text\n1,m,a verdict\n"
    path.write_bytes(gzip.compress(lines.encode()) if name.endswith("gz") else lines.encode())
    replay = open_adapter(JudgeCard(name="c", adapter="replay", model=str(path)), concurrency=1, sends=False)
    assert answer(replay, cell()).text == "a verdict"
    asyncio.run(replay.close())


def test_a_file_that_is_not_there_is_told_when_the_judge_is_opened(tmp_path):
    with pytest.raises(NotFoundError):
        open_adapter(JudgeCard(name="c", adapter="replay", model=str(tmp_path / "no.jsonl")), concurrency=1)
