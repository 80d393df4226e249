"""respond: what models are asked, what becomes of each answer, and that nothing is lost or asked twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from samples import NO_DATA, SHARED, kill_after, write_study
from servers import REFUSAL, STANDARD, Faults, Raw, openai_server

from flask_eval.calling.asking import Asking
from flask_eval.errors import UserError
from flask_eval.judging import read_instances, read_responses
from flask_eval.ledger import Ledger
from flask_eval.records import write_jsonl
from flask_eval.responding import Manner, models_of, outcome_of, requests, respond, shots_of
from flask_eval.schema import Completion, Instance, Message


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def asked(server) -> list[list[tuple[str, str]]]:
    return [[(m["role"], m["content"]) for m in seen.body["messages"]] for seen in server.seen]


# ---- the command --------------------------------------------------------------------------------------------------


def test_several_models_answer_in_one_command_and_the_file_can_be_scored(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    out = tmp_path / "answers.jsonl"
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:small,openai:large", "--base-url", server.url, "-o", out)
        code, text, err = run(*words, "--settings", "temperature=0,max_tokens=64", "--json", "-")
        bodies = [seen.body for seen in server.seen]
    assert code == 0, err
    result = json.loads(text)
    assert result["models"] == {m: {"responses": 6, "outcomes": {"answered": 6}} for m in ("small", "large")}
    assert result["calls"] == {"sent": 12, "answered": 12, "failed": 0}
    assert result["cost_usd"] == 0  # a local server's
    assert {body["model"] for body in bodies} == {"small", "large"}
    assert all(body["temperature"] == 0 and body["max_tokens"] == 64 for body in bodies)
    rows = read(out)
    assert [(row["model"], row["instance"]) for row in rows] == [
        (m, str(n)) for m in ("small", "large") for n in range(1, 7)
    ]
    assert rows[0]["settings"] == {"adapter": "openai", "model": "small", "temperature": 0, "max_tokens": 64}
    code, _, err = run("score", instances, out, "--judge", "metric:rouge_l", "-o", tmp_path / "run")
    assert code == 0, err


def test_a_repeat_asks_nothing_and_writes_the_same(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    out = tmp_path / "answers.jsonl"
    with openai_server(faults=STANDARD) as server:
        words = ("respond", instances, "--model", "openai:m", "--base-url", server.url, "-o", out)
        assert run(*words)[0] == 0
        before, calls = out.read_bytes(), len(server.seen)
        code, _, err = run(*words)
        assert len(server.seen) == calls
        assert "nothing was asked" in err
        assert out.read_bytes() == before
        assert run(*words, "--samples", "2")[0] == 0
        assert len(server.seen) >= calls + 6
    assert code == 0
    assert [row["sample"] for row in read(out)] == [0, 1] * 6


@pytest.mark.parametrize(
    ("fault", "outcome", "text", "finish"),
    [
        ("refusal", "refused", REFUSAL, "refusal"),
        ("empty", "empty", "", "stop"),
        ("cut", "truncated", None, "length"),
        ("garbage", "answered", None, "stop"),
    ],
)
def test_each_kind_of_answer_is_kept_and_counted_as_what_it_is(tmp_path, run, fault, outcome, text, finish) -> None:
    instances, _ = write_study(tmp_path, instances=2)
    out = tmp_path / "r.jsonl"
    with openai_server(faults=Faults(**{fault: 1.0}, times=99)) as server:
        words = ("respond", instances, "--model", "openai:m", "--base-url", server.url, "-o", out, "--json", "-")
        code, said, _ = run(*words)
        assert json.loads(said)["models"]["m"] == {"responses": 2, "outcomes": {outcome: 2}}
        calls = len(server.seen)
        if outcome != "answered":
            run(*words, "--retry", outcome)
            assert len(server.seen) == calls + 2
    assert code == 0
    for row in read(out):
        assert row["finish"] == finish
        assert text is None or row["text"] == text


def test_what_failed_is_no_response_is_counted_and_asked_again(tmp_path) -> None:
    instances, _ = write_study(tmp_path, instances=3)
    found, out = read_instances(instances), tmp_path / "r.jsonl"
    with openai_server() as server:
        server.faults = lambda _, attempt: (
            "server" if attempt < 6 and "Question 2" in str(server.seen[-1].body) else None
        )
        models = models_of(["openai:m"], base_url=server.url)
        how = Asking(concurrency=1, first_wait=0.0)
        first = respond(found, models, out=out, how=how).result
        assert first["models"]["m"] == {"responses": 2, "outcomes": {"answered": 2, "failed": 1}}
        assert "500" in first["last_error"]
        assert [row["instance"] for row in read(out)] == ["1", "3"]
        again = respond(found, models, out=out, how=how).result
    assert again["models"]["m"]["outcomes"] == {"answered": 3}
    assert again["calls"]["sent"] == 1
    assert [row["instance"] for row in read(out)] == ["1", "2", "3"]


def test_a_folder_gets_a_file_a_model(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:org/a,openai:b", "--base-url", server.url)
        assert run(*words, "-o", f"{tmp_path / 'out'}/")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jsonl")) == ["b.jsonl", "org_a.jsonl"]
    assert {row["model"] for row in read(tmp_path / "out" / "org_a.jsonl")} == {"org/a"}


def test_a_text_is_continued_at_the_completions_endpoint(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path, instances=2)
    out = tmp_path / "r.jsonl"
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:base", "--base-url", server.url, "-o", out)
        assert run(*words, "--completion", "--system", "Solve.")[0] == 0
        assert {seen.path for seen in server.seen} == {"/v1/completions"}
        assert server.seen[0].body["prompt"] == "Solve.\n\nQuestion 1: what is 1 + 1?\n"
    assert all(row["text"].startswith("Answer ") for row in read(out))


def test_a_dry_run_sends_nothing_and_counts_what_is_left(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    out = tmp_path / "r.jsonl"
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:m", "--base-url", server.url, "-o", out)
        code, text, _ = run(*words, "--samples", "2", "--dry-run", "--json", "-")
        assert (code, server.seen) == (0, [])
        assert json.loads(text)["calls"] == 12
        run(*words)
        assert json.loads(run(*words, "--samples", "2", "--dry-run", "--json", "-")[1])["calls"] == 6


def test_a_file_that_cannot_be_written_anew_is_not_written_over(tmp_path, run) -> None:
    instances, mine = write_study(tmp_path)
    kept = {path: path.read_bytes() for path in (instances, mine)}
    out = tmp_path / "answers.jsonl"
    with openai_server() as server:
        words = ("respond", instances, "--base-url", server.url)
        for path, bytes_before in kept.items():
            code, _, err = run(*words, "--model", "openai:a", "-o", path)
            assert code == 2
            assert "no calls are recorded beside it" in err
            assert path.read_bytes() == bytes_before
        assert server.seen == []
        assert run(*words, "--model", "openai:a", "-o", out)[0] == 0
        before, calls = out.read_bytes(), len(server.seen)
        code, _, err = run(*words, "--model", "openai:b", "-o", out)
        assert code == 2
        assert "holds responses of 'a', which would be lost" in err
        assert (out.read_bytes(), len(server.seen)) == (before, calls)
        assert run(*words, "--model", "openai:b,openai:a", "-o", out)[0] == 0
        assert len(server.seen) == calls + 6
    assert [row["model"] for row in read(out)] == ["b"] * 6 + ["a"] * 6


def test_a_packed_file_is_written_and_read_back(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path, instances=2)
    out = tmp_path / "answers.jsonl.gz"
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:m", "--base-url", server.url, "-o", out)
        assert run(*words)[0] == run(*words)[0] == 0
        assert len(server.seen) == 2
    assert [response.instance for response in read_responses(out)] == ["1", "2"]


def test_two_models_do_not_share_a_file_of_a_folder(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:org/m,openai:org_m", "--base-url", server.url)
        code, _, err = run(*words, "-o", f"{tmp_path / 'out'}/")
        assert server.seen == []
    assert code == 2
    assert "'org/m' and 'org_m' would both go into org_m.jsonl" in err


def test_how_a_response_came_to_be_stands_in_it(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path, instances=2)
    out, solved = tmp_path / "a.jsonl", tmp_path / "solved.jsonl"
    write_jsonl(solved, [{"id": f"s{k}", "instruction": f"Solve {k}.", "reference": f"{k}"} for k in range(5)])
    with openai_server() as server:
        words = ("respond", instances, "--model", "openai:m", "--base-url", server.url, "-o", out, "--completion")
        words += ("--shots", solved, "--n-shots", "2", "--seed", "4", "--system", "Be brief.")
        code, _, err = run(*words, "--settings", 'stop=["\n\n","Q:"], temperature=0.5,user=a b')
        assert code == 0, err
        body = server.seen[0].body
    assert body["stop"] == ["\n\n", "Q:"]
    assert (body["temperature"], body["user"]) == (0.5, "a b")
    assert body["prompt"].count("Solve ") == 2
    settings = read(out)[0]["settings"]
    assert settings.pop("system_digest")
    assert settings == {
        "adapter": "openai", "model": "m", "stop": ["\n\n", "Q:"], "temperature": 0.5, "user": "a b",
        "shots": {"count": 2, "per": "run", "seed": 4}, "completion": True,
    }  # fmt: skip


def test_a_model_that_the_server_lacks_stops_at_once_and_the_others_answers_stay(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path)
    out = tmp_path / "a.jsonl"
    missing = Raw(404, '{"error": {"message": "no model called gone", "code": "model_not_found"}}')
    with openai_server(raw=lambda body, _: missing if body["model"] == "gone" else None) as server:
        words = ("respond", instances, "--base-url", server.url, "-o", out)
        code, text, err = run(*words, "--model", "openai:here,openai:gone", "--json", "-")
        assert len(server.seen) == 7
    assert code == 3
    assert "no model called gone" in next(line for line in err.splitlines() if line.startswith("stopped:"))
    assert json.loads(text)["models"]["gone"] == {"responses": 0, "outcomes": {}}
    assert {row["model"] for row in read(out)} == {"here"}


def test_a_key_that_one_model_lacks_is_told_before_another_is_asked(tmp_path, run, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    instances, _ = write_study(tmp_path)
    card = tmp_path / "near.yaml"
    with openai_server() as server:
        card.write_text(f"name: near\nadapter: openai\nmodel: m\nbase_url: {server.url}\n")
        code, _, err = run("respond", instances, "--model", f"{card},openai:far", "-o", tmp_path / "a.jsonl")
        assert server.seen == []
    assert code == 2
    assert "OPENAI_API_KEY is not set" in err


def test_an_answer_that_is_no_completion_is_no_response(tmp_path) -> None:
    """A gateway's page with status 200, six times: the call failed, and nothing of it stands in the file."""
    instances, _ = write_study(tmp_path, instances=3)
    out = tmp_path / "a.jsonl"
    page = Raw(200, "<html>Sign in to go on</html>", kind="text/html")
    with openai_server(raw=lambda body, _: page if "Question 3" in str(body) else None) as server:
        how = Asking(concurrency=1, first_wait=0.0)
        done = respond(read_instances(instances), models_of(["openai:m"], base_url=server.url), out=out, how=how)
    assert done.result["models"]["m"]["outcomes"] == {"answered": 2, "failed": 1}
    assert "not JSON" in done.result["last_error"]
    assert "Sign in" not in out.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "openai:m,openai:m"), "two models are called 'm'"),
        (("--model", "metric:rouge_l"), "calls no model"),
        (("--model", "anthropic:m", "--completion"), "only the adapter openai"),
        (("--model", "openai:m", "--retry", "odd"), "--retry odd"),
        (("--model", "openai:m", "--settings", "hot"), "write NAME=VALUE"),
        (("--model", "openai:m", "--settings", "a=1,hot,b=2"), "write NAME=VALUE"),
        (("--model", "openai:m", "--settings", "messages=1"), "is not the card's to choose"),
        (("--model", "openai:m", "--shots", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--model", "openai:m", "--system", "@nowhere.txt"), "cannot be read"),
        (("--model", "nobody"), "nobody"),
    ],
)
def test_bad_options_are_told_before_anything_is_asked(tmp_path, run, monkeypatch, words, said) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    instances, _ = write_study(tmp_path)
    with openai_server() as server:
        code, _, err = run("respond", instances, *words, "--base-url", server.url, "-o", tmp_path / "r.jsonl")
        assert server.seen == []
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_refused_key_stops_at_once_and_never_shows(tmp_path, run, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    instances, _ = write_study(tmp_path)
    with openai_server(refuse_key=True) as server:
        code, text, err = run(
            "respond",
            instances,
            "--model",
            "openai:m",
            "--base-url",
            server.url,
            "-o",
            tmp_path / "r.jsonl",
            "--json",
            "-",
        )
        assert len(server.seen) == 1
    assert code == 3
    assert "very-secret" not in text + err
    assert all(b"very-secret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert read(tmp_path / "r.jsonl") == []


# ---- what is asked ------------------------------------------------------------------------------------------------


def test_earlier_turns_stand_before_the_instruction(tmp_path) -> None:
    one = Instance(
        id="1",
        instruction="And in Greek?",
        messages=(Message(role="user", content="Translate 'sea'."), Message(role="assistant", content="mare")),
    )
    ((_, request),) = requests([one], {"temperature": 0}, Manner(system="Be brief."))
    assert request.messages == (
        ("system", "Be brief."), ("user", "Translate 'sea'."), ("assistant", "mare"), ("user", "And in Greek?"),
    )  # fmt: skip


def test_system_prompts_stand_in_one_message_and_first() -> None:
    own = (Message(role="system", content="You are a poet."), Message(role="user", content="Hi."))
    one = Instance(id="1", instruction="A line, please.", messages=own)
    shot = Instance(id="s", instruction="q", reference=("a",))
    ((_, request),) = requests([one], {}, Manner(system="Be brief.", shots=(shot,), count=1))
    assert request.messages == (
        ("system", "Be brief.\n\nYou are a poet."), ("user", "q"), ("assistant", "a"), ("user", "Hi."),
        ("user", "A line, please."),
    )  # fmt: skip


def test_worked_examples_are_drawn_by_seed_and_never_the_instance_itself() -> None:
    pool = tuple(Instance(id=str(k), instruction=f"q{k}", reference=(f"a{k}",)) for k in range(8))
    manner = Manner(shots=pool, count=7, seed=3)
    for one in pool:
        shown = shots_of(manner, one)
        assert len(shown) == 14
        assert ("user", one.instruction) not in shown
    few = Manner(shots=pool, count=2, seed=3)
    other = Instance(id="x", instruction="new")
    assert shots_of(few, other) == shots_of(few, Instance(id="y", instruction="newer"))
    assert (
        len(
            {
                shots_of(Manner(shots=pool, count=2, seed=3, per="instance"), Instance(id=str(k), instruction="n"))
                for k in range(20)
            }
        )
        > 1
    )
    assert len({shots_of(Manner(shots=pool, count=2, seed=k), other) for k in range(20)}) > 1


def test_outcomes_are_told_apart() -> None:
    def made(text: str, finish: str = "stop") -> str:
        return outcome_of(Completion(text=text, finish=finish))

    assert outcome_of(None) == "failed"
    assert [made("x"), made(" \u200b\n"), made("x", "length"), made("", "length"), made("x", "content_filter")] == [
        "answered", "empty", "truncated", "empty", "refused",
    ]  # fmt: skip


def test_what_calls_no_model_cannot_respond(tmp_path) -> None:
    with pytest.raises(UserError, match="cannot be asked for responses"):
        models_of(["metric:rouge_l"])


def test_a_card_names_its_model_and_an_address_its_own(tmp_path) -> None:
    card = tmp_path / "mine.yaml"
    card.write_text("name: mine\nadapter: openai\nmodel: org/model\nbase_url: http://127.0.0.1:9/v1\n")
    found = models_of([str(card), "openai:org/model"], settings={"temperature": 1})
    assert list(found) == ["mine", "org/model"]
    assert found["mine"].settings == {"temperature": 1}


# ---- long work ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason=NO_DATA)
def test_a_kill_in_the_middle_loses_nothing_and_asks_nothing_twice(tmp_path, run) -> None:
    """The 1,740 released instructions at 64 in flight, kill -9, and again."""
    run("import", "flask", SHARED / "flask" / "evaluation_set" / "flask_evaluation.jsonl", "-o", tmp_path / "f")
    out = tmp_path / "r.jsonl"
    with openai_server(latency=0.02) as server:
        words = ["respond", str(tmp_path / "f" / "instances.jsonl"), "--model", "openai:m", "--base-url", server.url]
        words += ["-o", str(out), "--concurrency", "64"]
        kill_after(server, 500, *words)
        with Ledger(tmp_path / "r.calls" / "ledger.sqlite", read_only=True) as ledger:
            recorded = ledger.query("SELECT COUNT(*) FROM call")[0][0]
        assert not out.exists()
        code, text, err = run(*words, "--json", "-")
        assert code == 0, err
        counts = server.counts()
    result = json.loads(text)
    assert result["models"]["m"] == {"responses": 1740, "outcomes": {"answered": 1740}}
    assert counts["distinct"] == 1739  # one instruction stands twice
    assert counts["repeated"] <= 64
    assert recorded > 0
    assert recorded + result["calls"]["sent"] == 1739
    assert len(read(out)) == 1740


def test_a_signal_stops_with_what_is_there_written_and_the_same_command_goes_on(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path, instances=200)
    out = tmp_path / "a.jsonl"
    with openai_server(latency=0.05) as server:
        words = ["respond", str(instances), "--model", "openai:m", "--base-url", server.url, "-o", str(out)]
        child = subprocess.Popen(
            [sys.executable, "-m", "flask_eval", *words, "--concurrency", "4"], stderr=subprocess.PIPE
        )
        while sum(server.answered.values()) < 30 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate()
        assert child.returncode == 3
        assert b"the same command goes on" in err
        first = len(read(out))
        assert 30 <= first < 200
        assert run(*words)[0] == 0
        counts = server.counts()
    assert counts["served"] == counts["distinct"] == 200
    assert len(read(out)) == 200


def test_a_budget_stops_with_what_is_there_written(tmp_path, run) -> None:
    instances, _ = write_study(tmp_path, instances=40)
    card = tmp_path / "m.yaml"
    with openai_server() as server:
        card.write_text(
            f"name: m\nadapter: openai\nmodel: m\nbase_url: {server.url}\n"
            "settings: {max_tokens: 100}\nprice: {input: 1000, output: 1000}\n"
        )
        words = ("respond", instances, "--model", card, "-o", tmp_path / "r.jsonl", "--json", "-")
        code, text, _ = run(*words, "--budget", "0.5", "--concurrency", "1")
        first = json.loads(text)
        assert code == 3
        assert 0 < first["models"]["m"]["responses"] < 40
        assert first["left"] == 40 - first["models"]["m"]["responses"]
        assert first["cost_usd"] <= 0.5
        assert len(read(tmp_path / "r.jsonl")) == first["models"]["m"]["responses"]
        assert run(*words)[0] == 0
        assert server.counts()["repeated"] == 0
    assert write_jsonl(tmp_path / "x.jsonl", read(tmp_path / "r.jsonl")) == 40
