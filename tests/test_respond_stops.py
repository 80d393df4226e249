"""respond after a stop: the file keeps what the ledger holds, what is left is counted, and no key is written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import write_study
from servers import Faults, Raw, openai_server

MISSING = Raw(404, '{"error": {"message": "no model called m", "code": "model_not_found"}}')


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_repeat_that_the_provider_refuses_takes_nothing_from_the_file(tmp_path, run) -> None:
    """Twelve new samples come between recorded ones; the first of them ends the work."""
    instances, _ = write_study(tmp_path)
    out = tmp_path / "answers.jsonl"
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:m,openai:k", "--base-url", server.url, "-o", out)
        assert run(*words)[0] == 0
        before = read(out)
        server.raw = lambda *_: MISSING
        code, text, err = run(*words, "--samples", "2", "--json", "-")
        assert len(server.seen) == len(before) + 1
        assert code == 3, err
        assert read(out) == before
        assert json.loads(text)["left"] == 12
        assert json.loads(text)["models"] == {m: {"responses": 6, "outcomes": {"answered": 6}} for m in ("m", "k")}
        server.raw = None
        assert run(*words, "--samples", "2")[0] == 0
    assert len(read(out)) == 24


def test_answers_that_were_to_be_asked_again_stand_after_a_stop_and_count_as_left(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    out = tmp_path / "answers.jsonl"
    with openai_server(faults=Faults(cut=1.0, times=99)) as server:
        words = ("respond", instances, "--model", "openai:m,openai:k", "--base-url", server.url, "-o", out)
        assert run(*words)[0] == 0
        before, calls = out.read_bytes(), len(server.seen)
        dry = run(*words, "--retry", "truncated", "--dry-run", "--json", "-")[1]
        assert json.loads(dry)["calls"] == 12
        server.raw = lambda *_: MISSING
        code, text, _ = run(*words, "--retry", "truncated", "--json", "-")
        assert len(server.seen) == calls + 1
        assert code == 3
        assert out.read_bytes() == before
        assert json.loads(text)["left"] >= 11
        server.raw = server.faults = None
        code, text, _ = run(*words, "--retry", "truncated", "--json", "-")
    assert code == 0
    assert json.loads(text)["left"] == 0
    assert json.loads(text)["models"]["k"]["outcomes"] == {"answered": 6}


def test_a_budget_is_one_for_all_models(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path, instances=10)
    cards = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    with openai_server() as server:
        for card in cards:
            card.write_text(
                f"name: {card.stem}\nadapter: openai\nmodel: {card.stem}\nbase_url: {server.url}\n"
                "settings: {max_tokens: 10}\nprice: {input: 1000, output: 1000}\n"
            )
        words = ("respond", instances, "--model", ",".join(map(str, cards)), "-o", tmp_path / "r.jsonl", "--json", "-")
        spent = json.loads(run(*words, "--limit", "5", "--budget", "9")[1])["cost_usd"]
        assert spent > 0
        code, text, _ = run(*words, "--budget", str(spent * 0.95), "--concurrency", "1")
        found = json.loads(text)
        assert code == 3
        assert 0 < found["cost_usd"] <= spent * 0.95
        assert found["models"]["a"]["responses"] == 10
        assert 5 < found["models"]["b"]["responses"] < 10
        assert found["left"] == 20 - len(read(tmp_path / "r.jsonl"))
        assert run(*words)[0] == 0
        assert server.counts()["distinct"] == 10
    assert len(read(tmp_path / "r.jsonl")) == 20


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "openai:m", "--settings", "api_key=abc"), "--settings: 'api_key' may hold a key"),
        (("--model", "openai:m", "--settings", "user=sk-proj-0123456789abcdefghij"), "looks like a key"),
        (("--model", "openai:"), "--model openai: names no model; write openai:NAME"),
    ],
)
def test_no_key_is_taken_as_a_setting_and_no_model_without_a_name(tmp_path, run, words, said) -> None:
    instances, _ = write_study(tmp_path)
    with openai_server() as server:
        code, _, err = run("respond", instances, *words, "--base-url", server.url, "-o", tmp_path / "r.jsonl")
        assert server.seen == []
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert "sk-proj-0123" not in err
    assert not (tmp_path / "r.calls").exists()


def test_the_same_seed_shows_the_same_examples_in_another_run(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    seen: dict[str, list[list[dict]]] = {}
    with openai_server() as server:
        for name, seed, per in (("a", 1, "run"), ("b", 1, "run"), ("c", 2, "run"), ("d", 1, "instance")):
            words = ("respond", instances, "--model", f"openai:{name}", "--base-url", server.url)
            words += ("--shots", instances, "--n-shots", "2", "--shots-per", per, "--seed", seed, "--concurrency", "1")
            assert run(*words, "-o", tmp_path / f"{name}.jsonl")[0] == 0
            seen[name] = [one.body["messages"] for one in server.seen if one.body["model"] == name]
    assert seen["a"] == seen["b"] != seen["c"]
    assert seen["d"] not in (seen["a"], seen["c"])
    for turns in seen["a"] + seen["c"] + seen["d"]:
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user"]
        assert turns[-1]["content"] not in {turn["content"] for turn in turns[:-1]}


def test_only_the_chosen_instances_are_asked_and_the_columns_may_have_other_names(tmp_path, run) -> None:
    table, ids = tmp_path / "table.csv", tmp_path / "some.txt"
    table.write_text("nr,question\n1,One?\n2,Two?\n3,Three?\n4,Four?\n")
    ids.write_text("2\n3\n4\n")
    with openai_server() as server:
        words = ("respond", table, "--map", "id=nr", "--map", "instruction=question", "--slice", ids, "--limit", "2")
        words += ("--model", "openai:m", "--base-url", server.url, "-o", tmp_path / "r.jsonl")
        code, _, err = run(*words)
        assert code == 0, err
        assert sorted(one.body["messages"][0]["content"] for one in server.seen) == ["Three?", "Two?"]
    assert [row["instance"] for row in read(tmp_path / "r.jsonl")] == ["2", "3"]


def test_a_study_that_is_stopped_keeps_the_answers_that_are_recorded(tmp_path, run) -> None:
    write_study(tmp_path)
    study = tmp_path / "study.yaml"
    with openai_server() as server:

        def ask(samples: int) -> tuple[int, str]:
            model = {"name": "m", "model": "m", "base_url": server.url, "samples": samples}
            plan = {"name": "s", "instances": "instances.jsonl", "models": [model], "judges": ["metric:rouge_l"]}
            study.write_text(json.dumps(plan))
            code, _, err = run("run", study)
            return code, err

        code, err = ask(1)
        assert code == 0, err
        (out,) = tmp_path.rglob("m.jsonl")
        before = read(out)
        assert len(before) == 6
        server.raw = lambda *_: MISSING
        assert ask(2)[0] == 3
        assert read(out) == before
        server.raw = None
        assert ask(2)[0] == 0
        assert len(read(out)) == 12
        assert server.counts()["served"] == 12
