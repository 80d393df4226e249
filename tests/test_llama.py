"""A real inference server end to end: llama.cpp answers, judges under a JSON schema, and the page is written."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from llama import Server, serving
from samples import write_study

from flask_eval.records import write_jsonl

NEEDED = ("xllamacpp", "gguf")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        no_server(f"{', '.join(missing)} is not installed: no wheel of llama.cpp for this machine")
    with ExitStack() as stack:
        try:
            found = stack.enter_context(serving(tmp_path_factory.mktemp("llama")))
        except RuntimeError as error:  # such as a processor that the wheel was not built for
            no_server(str(error))
        yield found


def no_server(why: str) -> NoReturn:
    """Skip, but where the tests are run for all: there the server has to be."""
    if os.environ.get("CI"):
        pytest.fail(f"CI is set: {why}")
    pytest.skip(why)


def judge_card(folder: Path, url: str) -> Path:
    path = folder / "local.yaml"
    path.write_text(
        f"name: local\nadapter: openai\nmodel: tiny\nbase_url: {url}\nwithout: [rationale]\n"
        "settings: {temperature: 0, max_tokens: 400}\n"
    )
    return path


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_responses_are_asked_for_scored_and_reported_over_real_http(tmp_path, run, server) -> None:
    instances, _ = write_study(tmp_path)
    out = tmp_path / "answers.jsonl"
    words = ("respond", instances, "--model", "openai:tiny,openai:other", "--base-url", server.url, "-o", out)
    code, text, err = run(*words, "--settings", "max_tokens=24,temperature=0.8,seed=1", "--json", "-")
    assert code == 0, err
    result = json.loads(text)
    for own in result["models"].values():
        assert own["responses"] == 6
        assert set(own["outcomes"]) <= {"answered", "truncated"}
    assert result["tokens"]["input"] > 100
    rows = read(out)
    assert all(row["text"].strip() for row in rows)
    liked = [{"instance": str(n), "model": "liked", "text": "splendid " * 300} for n in range(1, 7)]
    write_jsonl(tmp_path / "liked.jsonl", liked)
    out = [out, tmp_path / "liked.jsonl"]
    code, text, err = run(
        "score", instances, *out, "--judge", judge_card(tmp_path, server.url), "-o", tmp_path / "run", "--json", "-"
    )
    assert code == 0, err
    scored = json.loads(text)
    assert set(scored["ratings"]) <= {"scored", "not_applicable"}  # the schema allows no other
    assert scored["cells"] == {"planned": 18, "judged": 18, "left": 0}
    assert scored["coverage"] == 1.0
    code, _, err = run("report", tmp_path / "run", "-o", tmp_path / "page.html")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    assert "tiny" in page
    assert "liked" in page


def test_a_better_response_gets_a_higher_score_from_a_real_model(tmp_path, run, server) -> None:
    """The tiny model likes the word splendid, and dislikes gibberish."""
    instances, _ = write_study(tmp_path, instances=3)
    rows = [
        {"instance": str(n), "model": model, "text": f"{word} " * 300}
        for model, word in (("good", "splendid"), ("bad", "gibberish"))
        for n in range(1, 4)
    ]
    write_jsonl(tmp_path / "marked.jsonl", rows)
    words = ("score", instances, tmp_path / "marked.jsonl", "--judge", judge_card(tmp_path, server.url))
    code, _, err = run(*words, "-o", tmp_path / "run")
    assert code == 0, err
    assert run("export", tmp_path / "run", "-o", tmp_path / "ratings.jsonl")[0] == 0
    scores: dict[str, list[float]] = {"good": [], "bad": []}
    for row in read(tmp_path / "ratings.jsonl"):
        scores[row["model"]].append(row["score"])
    assert len(scores["good"]) == len(scores["bad"]) > 0
    assert min(scores["good"]) > max(scores["bad"])


def test_a_text_is_continued_by_a_real_server_after_worked_examples(tmp_path, run, server) -> None:
    instances, _ = write_study(tmp_path, instances=3)
    solved, out = tmp_path / "solved.jsonl", tmp_path / "answers.jsonl"
    write_jsonl(solved, [{"id": f"s{k}", "instruction": f"Question {k}?", "reference": "yes"} for k in range(4)])
    words = ("respond", instances, "--model", "openai:tiny", "--base-url", server.url, "-o", out, "--completion")
    words += ("--shots", solved, "--settings", "max_tokens=8,temperature=0")
    code, text, err = run(*words, "--json", "-")
    assert code == 0, err
    assert json.loads(text)["calls"] == {"sent": 3, "answered": 3, "failed": 0}
    first = out.read_bytes()
    assert [row["settings"]["completion"] for row in read(out)] == [True] * 3
    code, text, _ = run(*words, "--json", "-")
    assert json.loads(text)["calls"]["sent"] == 0
    assert out.read_bytes() == first


def test_an_answer_that_the_server_cannot_finish_is_a_failed_call_and_told(tmp_path, run, server) -> None:
    """Cut off by max_tokens under a schema, llama.cpp answers 500: no score is made of that."""
    instances, responses = write_study(tmp_path, instances=1, models=("alpha",))
    card = judge_card(tmp_path, server.url)
    card.write_text(card.read_text().replace("max_tokens: 400", "max_tokens: 4"))
    code, text, _ = run("score", instances, responses, "--judge", card, "-o", tmp_path / "run", "--json", "-")
    found = json.loads(text)
    assert "scored" not in found["ratings"]
    assert set(found["ratings"]) <= {"failed", "truncated"}
    assert code in (0, 3)
