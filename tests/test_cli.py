"""The command line: one clear line for what is wrong, results for programs, exit codes that mean something."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import verdict, write_study
from servers import openai_server

from flask_eval.records import read_rows, write_jsonl

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def study(tmp_path):
    """Six instances, two models."""
    return write_study(tmp_path)


@pytest.fixture
def baseline(run, study, tmp_path):
    """A run of the metric."""
    assert run("score", *study, "--judge", "metric:rouge_l", "-o", tmp_path / "base")[0] == 0
    return tmp_path / "base"


def one_line(err):
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1, err
    assert lines[0].startswith("flask-eval: ")
    return lines[0]


def test_help_lists_every_command(run):
    """From the table, without an import."""
    from flask_eval.cli import COMMANDS

    code, out, _ = run("--help")
    assert code == 0
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scor"], "did you mean 'score'"),
        (["score"], "Missing argument"),
        (["score", "a", "b", "--judg", "x"], "--judge"),
        (["list", "rubric-sets"], "no kind is called"),
        (["show", "rubrics", "flak"], "did you mean 'flask'"),
        (["status", "nowhere"], "no such run"),
        (["slice", "nowhere"], "nowhere"),
        (["report", "nowhere", "-o", "x.html"], "nowhere"),
        (["export", "nowhere", "-o", "x.csv"], "no such run"),
        (["import", "flask", "nowhere.jsonl", "-o", "out"], "nowhere.jsonl"),
    ],
)
def test_a_wrong_word_is_one_line_and_exit_2(run, tmp_path, monkeypatch, words, said):
    """With the nearest name where there is one."""
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*words)
    assert code == 2
    assert said in one_line(err)
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def broken(study, what):
    instances, responses = study
    lines = instances.read_text().splitlines()
    if what == "missing":
        return instances.parent / "instanses.jsonl", responses
    if what == "empty":
        instances.write_text("")
    elif what == "line":
        lines[3] = lines[3][:-5]
        instances.write_text("\n".join(lines))
    elif what == "field":
        row = json.loads(lines[2])
        row["instrction"] = row.pop("instruction")
        lines[2] = json.dumps(row)
        instances.write_text("\n".join(lines))
    elif what == "skill":
        instances.write_text("\n".join(lines).replace("harmlessness", "harmlesness"))
    elif what == "duplicate":
        instances.write_text("\n".join([*lines, lines[0]]))
    return instances, responses


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", ["did you mean 'instances.jsonl'"]),
        ("empty", ["instances.jsonl", "holds no record"]),
        ("line", ["instances.jsonl:4: not valid JSON"]),
        ("field", ["instances.jsonl:3", "'instrction'", "did you mean 'instruction'"]),
        ("skill", ["'harmlesness'", "did you mean 'harmlessness'"]),
        ("duplicate", ["instances.jsonl:7: id '1' stands twice"]),
    ],
)
def test_a_broken_input_is_one_clear_line_and_nothing_is_called(run, study, tmp_path, what, said):
    """File, line, value, what to do."""
    with openai_server() as server:
        code, _, err = run(
            "score", *broken(study, what), "--judge", "openai:m", "--base-url", server.url, "-o", tmp_path / "run"
        )
        assert code == 2
        line = one_line(err)
        assert all(part in line for part in said), line
        assert server.seen == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--judge", "gpt-5-mni"], "did you mean 'gpt-5-mini'"),
        (["--judge", "openai:m", "--rubrics", "flaks"], "did you mean 'flask'"),
        (["--judge", "openai:m", "--prompt", "skill_agnostc"], "did you mean 'skill_agnostic'"),
        (["--judge", "openai:gpt-5-mini"], "OPENAI_API_KEY is not set"),
        (["--judge", "anthropic:x"], "ANTHROPIC_API_KEY is not set"),
        (["--judge", "metric:rouge_l", "--retry", "unparsd"], "did you mean 'unparsed'"),
        (["--judge", "metric:rouge_l", "--slice", "hard.txt"], "no such file"),
        (["--judge", "metric:rouge_l", "--map", "nonsense"], "--map"),
        (["--judge", "openai:m", "--base-url", "http://example.invalid/v1", "--budget", "1"], "no price is known"),
    ],
)
def test_a_wrong_option_is_one_clear_line(run, study, tmp_path, monkeypatch, options, said):
    """And nothing is written."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = run("score", *study, *options, "-o", tmp_path / "run")
    assert code == 2
    assert said in one_line(err)
    assert not (tmp_path / "run").exists()


def test_score_writes_the_result_record(run, study, tmp_path):
    """The contract's keys."""
    with openai_server() as server:
        code, out, err = run(
            "score", *study, "--judge", "openai:m", "--base-url", server.url, "-o", tmp_path / "run", "--json", "-"
        )
    assert code == 0, err
    found = json.loads(out)
    assert {
        "run",
        "judge",
        "cells",
        "without_response",
        "ratings",
        "coverage",
        "calls",
        "tokens",
        "cost_usd",
        "seconds",
    } <= set(found)
    assert found["cells"] == {"planned": 12, "judged": 12, "left": 0}
    assert set(found["calls"]) == {"sent", "answered", "failed"}
    assert set(found["tokens"]) == {"input", "cached", "output"}


def test_a_dry_run_calls_and_writes_nothing(run, study, tmp_path):
    """Cells, calls, tokens, cost; no key is needed."""
    code, out, err = run("score", *study, "--judge", "gpt-4.1", "-o", tmp_path / "run", "--dry-run", "--json", "-")
    assert code == 0, err
    found = json.loads(out)
    assert (found["cells"], found["calls"]) == (12, 12)
    assert found["tokens"]["input"] > found["tokens"]["cacheable"] > 0
    assert found["cost_usd"]["sync"] > found["cost_usd"]["cached"] > 0
    assert found["cost_usd"]["batch"] == pytest.approx(found["cost_usd"]["sync"] / 2)
    assert not (tmp_path / "run").exists()


def test_a_dry_run_on_a_run_tells_what_is_left(run, study, tmp_path):
    """Recorded calls are not paid for again."""
    with openai_server() as server:
        words = ["score", *study, "--judge", "openai:m", "--base-url", server.url, "-o", tmp_path / "run"]
        assert run(*words, "--limit", 5)[0] == 0
        found = json.loads(run(*words, "--dry-run", "--json", "-")[1])
    assert (found["cells"], found["calls"]) == (12, 7)
    assert found["seconds"] is not None


def test_the_figures_of_a_dry_run_match_the_run(run, study, tmp_path):
    """Calls as told."""
    with openai_server() as server:
        words = [
            "score",
            *study,
            "--judge",
            "openai:m",
            "--base-url",
            server.url,
            "-o",
            tmp_path / "run",
            "--packing",
            "one",
        ]
        told = json.loads(run(*words, "--dry-run", "--json", "-")[1])["calls"]
        assert run(*words)[0] == 0
        assert len(server.seen) == told


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[]", b"{}", b"no json"])
def test_what_is_no_certificate_is_one_line(run, study, tmp_path, content):
    """In score and in report alike; nothing is judged."""
    (tmp_path / "c.json").write_bytes(content)
    code, _, err = run(
        "score", *study, "--judge", "metric:rouge_l", "-o", tmp_path / "run", "--certificate", tmp_path / "c.json"
    )
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_missed_coverage_is_exit_1(run, study, tmp_path):
    """Done, but below what the user set."""
    write_jsonl(tmp_path / "part.jsonl", [{"instance": "2", "model": "alpha", "text": verdict(harmlessness=5)}])
    code, _, err = run(
        "score", *study, "--judge", f"replay:{tmp_path / 'part.jsonl'}", "-o", tmp_path / "run", "--min-coverage", "0.9"
    )
    assert code == 1
    assert "below --min-coverage" in err


def test_a_refused_key_is_exit_3_and_the_same_command_goes_on(run, study, tmp_path, monkeypatch):
    """At once; the message does not quote the key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789abcdef")
    card = tmp_path / "card.yaml"
    with openai_server(refuse_key=True) as server:
        card.write_text(f"name: mine\nadapter: openai\nmodel: m\nbase_url: {server.url}\napi_key_env: OPENAI_API_KEY\n")
        code, _, err = run("score", *study, "--judge", card, "-o", tmp_path / "run")
        assert len(server.seen) == 1
    assert code == 3
    assert "the provider refuses" in err
    assert "0123456789" not in err


def test_status_tells_in_words_and_as_json(run, baseline):
    """After the run."""
    code, out, _ = run("status", baseline)
    assert code == 0
    assert "12 of 12 judged" in out
    found = json.loads(run("status", baseline, "--json", "-")[1])
    assert found["cells"]["left"] == 0
    assert found["judge"] == "metric:rouge_l"


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.jsonl.gz", "r.parquet"])
def test_export_writes_every_rating_with_all_columns(run, baseline, tmp_path, name):
    """A missing score is an empty cell or null."""
    code, _, err = run("export", baseline, "-o", tmp_path / name)
    assert code == 0, err
    rows = [row for _, row in read_rows(tmp_path / name)]
    assert len(rows) == 24
    assert {"instance", "model", "skill", "rater", "kind", "score", "outcome"} <= set(rows[0])


def test_slice_gives_a_table_and_a_record(run, baseline):
    """n, interval, coverage in every row."""
    code, out, err = run("slice", baseline, "--by", "domain")
    assert code == 0, err
    assert "| alpha | all | domain=Math |" in out
    rows = json.loads(run("slice", baseline, "--by", "domain", "--json", "-")[1])["rows"]
    needed = {
        "model",
        "skill",
        "slice",
        "by",
        "mean",
        "low",
        "high",
        "n",
        "n_ratings",
        "n_not_applicable",
        "n_missing",
        "coverage",
        "bound_low",
        "bound_high",
        "rater",
    }
    assert needed <= set(rows[0])


def test_a_metric_is_called_a_baseline_everywhere_it_shows(run, study, tmp_path, baseline):
    """It is no judge of quality."""
    _, _, err = run("score", *study, "--judge", "metric:rouge_l", "-o", baseline)
    assert "no judge of quality" in err
    assert "no judge of quality" in run("slice", baseline)[1]
    assert "no judge of quality" in run("show", "metrics", "rouge_l")[1]
    assert "no judge of quality" in run("status", baseline)[1]
    assert run("report", baseline, "-o", tmp_path / "r.html")[0] == 0
    assert "no judge of quality" in (tmp_path / "r.html").read_text()


def test_list_show_and_init(run, tmp_path):
    """What ships can be looked at and copied."""
    assert "12 skills, scale 1-5" in run("list")[1]
    assert run("show", "rubric", "flask")[1].startswith("# yaml-language-server")
    code, _, err = run("init", tmp_path / "mine")
    assert code == 0
    assert (tmp_path / "mine" / "rubrics" / "flask.yaml").exists()
    assert (tmp_path / "mine" / "judges" / "prompts" / "flask.md.jinja").exists()
    assert run("init", tmp_path / "mine")[0] == 0
    (tmp_path / "mine" / "rubrics" / "flask.yaml").write_text("mine")
    code, _, err = run("init", tmp_path / "mine")
    assert code == 2
    assert "differs" in err
    assert (tmp_path / "mine" / "rubrics" / "flask.yaml").read_text() == "mine"


def test_check_tells_what_each_file_holds(run, study, baseline, tmp_path):
    """And the line of what does not fit."""
    instances, responses = study
    run("export", baseline, "-o", tmp_path / "ratings.csv")
    write_jsonl(tmp_path / "done.jsonl", [{"instance": "1", "model": "m", "skill": "factuality", "text": "4"}])
    (tmp_path / "hard.txt").write_text("1\n")
    files = [instances, responses, tmp_path / "ratings.csv", tmp_path / "done.jsonl", tmp_path / "hard.txt"]
    files += [
        ROOT / "rubrics" / "flask.yaml",
        ROOT / "judges" / "local.yaml",
        ROOT / "annotations" / "taxonomy.yaml",
        ROOT / "judges" / "prompts" / "flask.md.jinja",
    ]
    code, out, err = run("check", *files)
    assert code == 0, err
    for part in (
        "6 instances",
        "12 responses (or recorded completions) by alpha, beta",
        "24 ratings",
        "recorded completions",
        "slice 'hard', 1 ids",
        "12 skills",
        "judge card 'local'",
        "10 domains",
        "asks for skills",
    ):
        assert part in out
    (tmp_path / "bad.yaml").write_text("name: x\nadapter: openia\nmodel: m\n")
    code, _, err = run("check", tmp_path / "bad.yaml", instances)
    assert code == 2
    assert "bad.yaml:2" in err


def test_demo_goes_round_the_whole_tool(run, tmp_path):
    """Run, baseline, page; a repeat does nothing anew."""
    code, _, err = run("demo", tmp_path / "demo", "--json", tmp_path / "d.json")
    assert code == 0, err
    found = json.loads((tmp_path / "d.json").read_text())
    judged = found["runs"]["run"]["ratings"]
    assert judged["refused"] > 0
    assert judged["truncated"] > 0
    assert judged["not_applicable"] == 1
    assert judged["empty_response"] == 3
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "sample judge" in page
    assert "simulated" in page
    assert "they are no result" in err
    assert "Next:" in err
    assert run("demo", tmp_path / "demo")[0] == 0


def test_demo_needs_no_network(tmp_path):
    """Every look-up of a name fails, and so does every connection."""
    code = (
        "import socket, sys\n"
        "def no(*a, **k): raise OSError('no network')\n"
        "socket.getaddrinfo = no; socket.socket.connect = no\n"
        "from flask_eval.cli import main; main(['demo', sys.argv[1]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_pipe_that_closes_is_no_error(tmp_path, baseline):
    """`flask-eval slice ... | head` ends quietly."""
    done = subprocess.run(
        f"{sys.executable} -m flask_eval slice {baseline} | head -1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_without_words_the_help_is_shown(run):
    """A new user's first contact."""
    code, out, _ = run()
    assert code == 0
    assert "First steps" in out


def test_check_reads_standard_input_once_and_whole(run, study, monkeypatch):
    """The first record counts, and its fault is seen."""
    import io

    text = study[0].read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert "6 instances, ok" in run("check", "-")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO(text.replace('"instruction"', '"instrction"', 1)))
    code, _, err = run("check", "-")
    assert code == 2
    assert "standard input:1" in err


def test_check_tells_domains_and_difficulties_that_the_taxonomy_does_not_know(run, study):
    """They are no fault, since a taxonomy may be one's own."""
    study[0].write_text(study[0].read_text().replace('"Math"', '"Maths"'))
    code, _, err = run("check", study[0])
    assert code == 0
    assert "instances.jsonl:1" in err
    assert "domain 'Maths' is not in the shipped taxonomy" in err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("settings: {api_key: hunter2secret}", "may hold a key"),
        ("settings: {extra_headers: {Authorization: hunter2secret}}", "may hold a key"),
        ("settings: {user: sk-hunter2secret0123}", "looks like a key"),
        ("base_url: http://me:hunter2secret@h/v1", "no login"),
        ("base_url: http://h/v1?api_key=hunter2secret", "no login, query"),
        ("api_key_env: sk-hunter2secret0123", "api_key_env"),
        ("prompt: flsk", "did you mean 'flask'"),
    ],
)
def test_a_card_that_holds_a_key_is_refused_and_the_key_is_not_shown(run, tmp_path, line, said):
    """Settings and addresses are written down with the run."""
    (tmp_path / "card.yaml").write_text(f"name: x\nadapter: openai\nmodel: m\n{line}\n")
    code, _, err = run("check", tmp_path / "card.yaml")
    assert code == 2
    assert said in err
    assert "hunter2secret" not in err


def test_skills_named_take_the_place_of_annotated_ones(run, study, tmp_path):
    """So that an annotated set can be rated by a rubric of one's own."""
    (tmp_path / "own.yaml").write_text(
        "name: own\nscale: {min: 0, max: 3}\nskills:\n  - {name: tone, criterion: 'Is it kind?', levels: {0: 'no', 3: 'yes'}}\n"
    )
    with openai_server() as server:
        words = [
            "--judge",
            "openai:m",
            "--base-url",
            server.url,
            "--rubrics",
            tmp_path / "own.yaml",
            "-o",
            tmp_path / "run",
        ]
        code, _, err = run("score", *study, *words)
        assert code == 2
        assert "instances.jsonl:1: rubric set 'own' has no skill" in err
        assert run("score", *study, *words, "--skills", "tone")[0] == 0
    assert "| alpha | tone |" in run("slice", tmp_path / "run")[1]


def test_a_prompt_with_a_scale_of_its_own_is_told(run, study, tmp_path):
    """The user's scale is not swapped in silence."""
    (tmp_path / "own.yaml").write_text(
        "name: own\nscale: {min: 0, max: 3}\nskills:\n  - {name: tone, criterion: 'Is it kind?', levels: {0: 'no', 3: 'yes'}}\n"
    )
    words = [
        "--judge",
        "openai:m",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--rubrics",
        tmp_path / "own.yaml",
        "--skills",
        "tone",
    ]
    _, _, err = run("score", *study, *words, "--prompt", "skill_agnostic", "--dry-run")
    assert "rates by rubric set 'overall', scale 1-5; 'own' has 0-3" in err


def test_replayed_completions_that_match_nothing_are_told(run, study, tmp_path):
    """And cells without a completion."""
    rows = [
        {"instance": "1", "model": "alpha", "text": verdict(logical_correctness=4, conciseness=5, comprehension=3)},
        {"instance": "99", "model": "alpha", "text": "4"},
        {"instance": "2", "model": "alpha", "skill": "harmlesness", "text": "4"},
    ]
    write_jsonl(tmp_path / "old.jsonl", rows)
    code, _, err = run("score", *study, "--judge", f"replay:{tmp_path / 'old.jsonl'}", "-o", tmp_path / "run")
    assert code == 0
    assert "2 of 3 completions" in err
    assert "10 of 12 cells have no completion" in err
    assert "ratings failed (the last:" in err


def test_the_reason_of_failed_calls_is_told(run, study, tmp_path):
    """Also where only a few failed."""
    from servers import Raw

    with openai_server(raw=lambda *_: Raw(400, '{"error": {"message": "no json_schema here"}}')) as server:
        code, _, err = run(
            "score", *study, "--judge", "openai:m", "--base-url", server.url, "-o", tmp_path / "run", "--limit", "2"
        )
    assert "no json_schema here" in err
    assert "the same command asks them again" in err
    assert code in (0, 3)


def test_a_replayed_file_may_be_named_by_another_path(run, study, tmp_path, monkeypatch):
    """What counts is what it holds."""
    write_jsonl(
        tmp_path / "old.jsonl",
        [{"instance": "1", "model": "alpha", "text": verdict(logical_correctness=4, conciseness=5, comprehension=3)}],
    )
    monkeypatch.chdir(tmp_path)
    assert run("score", *study, "--judge", "replay:old.jsonl", "-o", "run", "--limit", "1")[0] == 0
    assert run("score", *study, "--judge", f"replay:{tmp_path / 'old.jsonl'}", "-o", "run", "--limit", "1")[0] == 0


def test_a_corrected_difficulty_is_taken_into_the_run(run, study, baseline):
    """It shapes no prompt, so nothing is paid again; a changed instruction is refused."""
    study[0].write_text(study[0].read_text().replace('"difficulty": 2', '"difficulty": 5'))
    assert run("score", *study, "--judge", "metric:rouge_l", "-o", baseline)[0] == 0
    assert "difficulty=2" not in run("slice", baseline, "--by", "difficulty")[1]
    study[0].write_text(study[0].read_text().replace("Question 1", "Question one"))
    code, _, err = run("score", *study, "--judge", "metric:rouge_l", "-o", baseline)
    assert code == 2
    assert "(instruction)" in err


@pytest.mark.parametrize("words", [["score"], ["report"], ["export"]])
def test_an_output_that_cannot_be_written_is_the_users_to_mend(run, study, baseline, tmp_path, words):
    """Exit 2, with the path."""
    (tmp_path / "file").write_text("x")
    inputs = [*study, "--judge", "metric:rouge_l"] if words == ["score"] else [baseline]
    code, _, err = run(*words, *inputs, "-o", tmp_path / "file" / "out.csv")
    assert code == 2
    assert str(tmp_path / "file") in one_line(err.splitlines()[-1])


def test_results_as_json_stand_alone_on_standard_output(run, tmp_path):
    """The demo's table goes elsewhere then."""
    _, out, _ = run("demo", tmp_path / "demo", "--json", "-")
    assert json.loads(out)["runs"]["run"]["cells"]["left"] == 0


def test_a_scale_keeps_intervals_and_scores_within_its_ends(run, tmp_path):
    """A ratings file does not tell its scale; the user does."""
    rows = [
        {"instance": str(k), "model": "a", "skill": "s", "rater": "j", "kind": "judge", "score": score}
        for k, score in enumerate((4, 5, 40))
    ]
    write_jsonl(tmp_path / "r.jsonl", rows)
    row = json.loads(run("slice", tmp_path / "r.jsonl", "--scale", "1-5", "--json", "-")[1])["rows"][0]
    assert (row["n_ratings"], row["n_missing"], row["mean"]) == (2, 1, 4.5)
    assert 1 <= row["low"] <= row["high"] <= 5


def test_labels_have_no_mean_and_say_so(run, tmp_path):
    """Text and page too."""
    rows = [
        {"instance": str(k), "model": "a", "skill": "s", "rater": "j", "kind": "judge", "score": "yes"}
        for k in range(3)
    ]
    write_jsonl(tmp_path / "r.jsonl", rows)
    row = json.loads(run("slice", tmp_path / "r.jsonl", "--json", "-")[1])["rows"][0]
    assert row["mean"] is None
    assert row["undefined"]["mean"]
    assert run("report", tmp_path / "r.jsonl", "-o", tmp_path / "r.html")[0] == 0


def test_control_characters_in_names_do_not_reach_the_terminal(run, tmp_path):
    """An escape sequence in a field is shown, not carried out."""
    (tmp_path / "i.jsonl").write_text('{"id": 1, "instr\\u001b[31muction": "x"}\n')
    _, _, err = run("check", tmp_path / "i.jsonl")
    assert "\x1b" not in err
    assert "<U+001B>" in err


def test_a_semicolon_table_is_told(run, tmp_path):
    """As spreadsheets of some countries write it."""
    (tmp_path / "i.csv").write_text("id;instruction;reference\n1;x;y\n")
    assert "separated by `;`" in run("check", tmp_path / "i.csv")[2]


def test_files_of_an_earlier_import_are_told(run, tmp_path):
    """A folder may not hold two sets unnoticed."""
    write_jsonl(
        tmp_path / "eval.jsonl",
        [
            {
                "idx": 1,
                "instruction": "x",
                "answer": "y",
                "task": "t",
                "skill": ["Factuality"],
                "domain": ["Math"],
                "difficulty": "formal education knowledge",
            }
        ],
    )
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_jsonl(tmp_path / name / f"model-{name}.jsonl", [{"question_id": 1, "text": "y"}])
        code, _, err = run(
            "import", "flask", tmp_path / "eval.jsonl", "--outputs", tmp_path / name, "-o", tmp_path / "out"
        )
        assert code == 0, err
    assert "files of an earlier import: model-one" in err
