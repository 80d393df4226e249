"""A study: one file from instances to the page; checked before anything is called, resumed, skipped where nothing changed."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from samples import kill_after, verdict, write_study
from servers import openai_server

from flask_eval.records import write_jsonl
from flask_eval.studies.study import run_study
from flask_eval.studies.study.shipped import shipped_files, study_schema

ROOT = Path(__file__).resolve().parents[1]


def offline(folder, **more):
    """A study without a model: two models' responses, a replayed judge, a metric, a person. Returns its file."""
    _, responses = write_study(folder)
    texts = {
        "factuality": 4,
        "readability": 3,
        "logical_correctness": 5,
        "conciseness": 2,
        "comprehension": 3,
        "harmlessness": 5,
    }
    rows = [json.loads(line) for line in responses.read_text().splitlines()]
    write_jsonl(
        folder / "judge.jsonl",
        [{"instance": r["instance"], "model": r["model"], "text": verdict(**texts)} for r in rows],
    )
    lines = ["instance,model,skill,rater,score"]
    for r in rows:
        number = int(r["instance"])
        skill = {0: "factuality", 1: "logical_correctness", 2: "harmlessness"}[number % 3]
        lines += [f"{number},{r['model']},{skill},{who},{1 + (number + k) % 5}" for k, who in enumerate(("ann", "ben"))]
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    study = {
        "name": "Offline",
        "instances": "instances.jsonl",
        "responses": "responses.jsonl",
        "judges": ["replay:judge.jsonl", "metric:rouge_l"],
        "ratings": "people.csv",
        "resamples": 20,
        **more,
    }
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study, sort_keys=False))
    return file


def change(file, **more):
    """Change a study file."""
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **more}, sort_keys=False))


def done(found):
    """The steps that were done."""
    return [step.step for step in found.steps if step.status == "done"]


SCORES = ["score:judge", "score:metric:rouge_l"]
LAST = ["agree", "compare", "report"]


# ---- from one file to the page -------------------------------------------------------------------------------------


def test_a_study_runs_from_one_file_to_the_page_and_is_skipped_the_next_time(tmp_path, run):
    """Everything lies in one folder; nothing changed, nothing done."""
    file = offline(tmp_path)
    code, _, err = run("run", file, "--json", tmp_path / "first.json")
    assert code == 0, err
    out = tmp_path / "results"
    assert (out / "report.html").as_uri() in err
    assert {"instances.jsonl", "agree.md", "compare.json", "report.html", "study.json"} <= {
        p.name for p in out.iterdir()
    }
    assert (out / "runs" / "metric-rouge-l" / "manifest.json").is_file()
    first = json.loads((tmp_path / "first.json").read_text())
    assert [s["step"] for s in first["steps"]] == ["instances", *SCORES, *LAST]
    assert first["steps"][1]["result"]["cells"] == {"planned": 12, "judged": 12, "left": 0}
    agree = json.loads((out / "agree.json").read_text())
    assert {row["judge"] for row in agree["judge_vs_human"]} == {"judge", "metric:rouge_l"}
    before = (out / "report.html").stat().st_mtime_ns
    code, _, err = run("run", file)
    assert code == 0
    assert err.count("skipped (nothing has changed)") == 6
    assert (out / "report.html").stat().st_mtime_ns == before


def test_weights_and_prices_reach_the_page_and_a_changed_price_redoes_it_alone(tmp_path):
    (tmp_path / "models.csv").write_text("model,price\nalpha,2\nbeta,1\n")
    file = offline(tmp_path, report={"weights": {"Factuality": 3, "harmlessness": 1}, "models_table": "models.csv"})
    assert run_study(file).stopped_by == ""
    record = json.loads((tmp_path / "results" / "report.json").read_text())["selection"]
    weights = [one["weights"] for one in ([record] if isinstance(record, dict) else record)]
    assert weights[0]["factuality"] == 0.75
    assert done(run_study(file)) == []
    (tmp_path / "models.csv").write_text("model,price\nalpha,2\nbeta,3\n")
    assert done(run_study(file)) == ["report"]


def test_a_study_names_models_as_respond_does(tmp_path, run):
    """So that a table of prices serves both."""
    instances, _ = write_study(tmp_path)
    with openai_server(models=("org/small", "big")) as server:
        asked = [{"card": f"openai:{model}", "base_url": server.url} for model in ("org/small", "big")]
        file = tmp_path / "study.yaml"
        file.write_text(
            yaml.safe_dump({"name": "S", "instances": "instances.jsonl", "models": asked, "judges": "metric:rouge_l"})
        )
        run_study(file)
        out = tmp_path / "r.jsonl"
        run("respond", instances, "--model", "openai:org/small,openai:big", "--base-url", server.url, "-o", out)
    assert {json.loads(line)["model"] for line in out.read_text().splitlines()} == {"org/small", "big"}
    found = [
        json.loads(line)["model"]
        for path in (tmp_path / "results").rglob("*.jsonl")
        for line in path.read_text().splitlines()
        if '"model"' in line
    ]
    assert set(found) == {"org/small", "big"}


def responses_edit(folder, text="alpha says otherwise."):
    rows = [json.loads(line) for line in (folder / "responses.jsonl").read_text().splitlines()]
    rows[0]["text"] = text
    write_jsonl(folder / "responses.jsonl", rows)


def people_edit(folder):
    text = (folder / "people.csv").read_text()
    (folder / "people.csv").write_text(
        text.replace("\n1,alpha,logical_correctness,ann,2", "\n1,alpha,logical_correctness,ann,1")
    )


def instances_edit(folder):
    text = (folder / "instances.jsonl").read_text()
    (folder / "instances.jsonl").write_text(text.replace('"difficulty": 2', '"difficulty": 3', 1))


CHANGES = {
    "title": (lambda d: change(d / "study.yaml", report={"title": "Other"}), ["report"]),
    "margin": (lambda d: change(d / "study.yaml", compare={"margin": 0.5}), ["compare", "report"]),
    "epsilon": (lambda d: change(d / "study.yaml", agree={"epsilon": 0.2}), ["agree", "report"]),
    "slices": (lambda d: change(d / "study.yaml", slices=["difficulty=3|4"]), LAST),
    "people": (people_edit, LAST),
    "one judge's packing": (
        lambda d: change(
            d / "study.yaml", judges=["replay:judge.jsonl", {"card": "metric:rouge_l", "empty": "lowest"}]
        ),
        ["score:metric:rouge_l"],
    ),
    "a response": (responses_edit, [*SCORES, *LAST]),
    "an instance": (instances_edit, ["instances", *SCORES, *LAST]),
    "concurrency shapes nothing": (lambda d: change(d / "study.yaml", concurrency=3), []),
    "a comment": (lambda d: (d / "study.yaml").write_text((d / "study.yaml").read_text() + "# so\n"), []),
    "a page that is gone": (lambda d: (d / "results" / "report.html").unlink(), ["report"]),
    "a table that was changed": (lambda d: (d / "results" / "agree.md").write_text("x"), ["agree"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_redoes_the_steps_that_it_shapes_and_no_other(tmp_path, name):
    """A step that comes to the same results leaves what follows alone."""
    file = offline(tmp_path)
    run_study(file)
    CHANGES[name][0](tmp_path)
    planned = [s.step for s in run_study(file, dry_run=True).steps if s.status == "to do"]
    assert done(run_study(file)) == CHANGES[name][1]
    assert set(planned) >= set(CHANGES[name][1])
    assert done(run_study(file)) == []


def test_a_changed_response_is_judged_anew_and_nothing_else_is_asked_again(tmp_path):
    """The run follows the study; its recorded calls stay."""
    with openai_server() as server:
        judge = {"model": "j", "base_url": server.url}
        file = offline(tmp_path, judges=[judge], ratings=[])
        run_study(file)
        assert server.counts()["served"] == 12
        responses_edit(tmp_path)
        found = run_study(file)
        assert done(found) == ["score:j", "compare", "report"]
        assert server.counts() | {"statuses": None} == server.counts() | {"statuses": None, "served": 13, "repeated": 0}
        responses_edit(tmp_path, "alpha says 2.")
        assert run_study(file).steps[1].result["calls"]["sent"] == 0
        change(file, instances={"file": "instances.jsonl", "limit": 3})
        found = run_study(file)
        assert found.steps[1].result["cells"]["planned"] == 6
        assert server.counts()["served"] == 13
        assert "4" not in {row["instance"] for row in ratings_of(tmp_path / "results" / "runs" / "j")}


def ratings_of(folder):
    """The rows of a run."""
    from flask_eval.ratings import read_ratings

    return read_ratings(str(folder)).ratings.to_dict("records")


def test_steps_are_picked_and_forced_by_name(tmp_path, run):
    """`--only` leaves the others as they are; `--force` does a step again."""
    file = offline(tmp_path)
    code, _, err = run("run", file, "--only", "report")
    assert code == 2
    assert "instances has not run yet" in err
    found = run_study(file, only=["instances", "score"])
    assert [s.status for s in found.steps] == ["done", "done", "done", *["left out"] * 3]
    run_study(file)
    assert done(run_study(file, force=["compare"])) == ["compare"]
    code, _, err = run("run", file, "--force", "scor")
    assert code == 2
    assert "did you mean 'score'?" in err


def test_a_missed_threshold_is_exit_1_also_when_nothing_is_left_to_do(tmp_path, run):
    """A CI job sees it each time."""
    file = offline(tmp_path, compare={"fail_under": {"overall": 4.9}})
    for _ in range(2):
        code, _, err = run("run", file)
        assert code == 1
        assert "missed: 'alpha' overall has" in err
        assert "report.html" in err


def test_instances_edited_by_hand_are_not_overwritten(tmp_path, run):
    """A person's work is not lost; the way out is said."""
    file = offline(tmp_path)
    run_study(file)
    written = tmp_path / "results" / "instances.jsonl"
    written.write_text(written.read_text().replace("Question 1", "Query 1"))
    code, _, err = run("run", file)
    assert code == 2
    assert "was changed since the study wrote it" in err
    assert "Query 1" in written.read_text()
    assert "instances" in done(run_study(file, force=["instances"]))
    assert "Query 1" not in written.read_text()


def test_only_the_studys_instances_are_counted_in_peoples_ratings(tmp_path):
    """A limit holds for people too."""
    file = offline(tmp_path, instances={"file": "instances.jsonl", "limit": 4})
    found = run_study(file)
    assert not found.stopped_by
    rows = json.loads((tmp_path / "results" / "agree.json").read_text())["inter_rater"]
    assert max(row["n_units"] for row in rows if row["kind"] == "human") == 8


# ---- faults --------------------------------------------------------------------------------------------------------

FAULTS = {
    "an unknown key": ("judgs: [x]", "2:1: unknown field 'judgs'; did you mean 'judges'?"),
    "an unknown key inside": ("judges: [{card: flask, pakcing: one}]", "2:24: unknown field 'judges.0.pakcing'; did you mean"),
    "a wrong type": ("budget: much", "2:9: field 'budget': must be a number, got 'much'"),
    "no judge": ("seed: 1", "1:1: a study needs `judges`, or `ratings` of people, or both"),
    "a missing file": ("judges: metric:rouge_l\nresponses: respnses.jsonl", "3:12: {d}/respnses.jsonl: no such file or folder; did you mean 'responses.jsonl'?"),
    "a missing instances file": ("judges: metric:rouge_l\ninstances: gone.jsonl", "3:12: {d}/gone.jsonl: no such file"),
    "an unknown judge": ("judges: [gpt-5-mni]", "2:10: no shipped judge card is called 'gpt-5-mni'; did you mean 'gpt-5-mini'?"),
    "an unknown metric": ("judges:\n- metric:rouge_k", "3:3: "),
    "a judge twice": ("judges: [metric:rouge_l, metric:rouge_l]", "2:26: the judge 'metric:rouge_l' stands twice"),
    "a model twice": (
        "judges: metric:rouge_l\nmodels:\n  - {name: m, model: a}\n  - {name: m, model: b}",
        "5:5: the model 'm' stands twice (first at {d}/study.yaml:4:5)",
    ),
    "a model whose responses are there": (
        "judges: metric:rouge_l\nmodels: [{name: alpha, model: a}]",
        "3:10: the model 'alpha' stands twice (first at the responses' files)",
    ),
    "a slice twice": ("judges: metric:rouge_l\nslices: [difficulty=2, difficulty=2]", "3:24: the slice 'difficulty=2' stands twice"),
    "a slice of nothing": ("judges: metric:rouge_l\nslices:\n  - domain=Medicine", "4:5: slice 'domain=Medicine' holds none of the 6"),
    "a key twice": ("judges: metric:rouge_l\nseed: 1\nseed: 2", "4:1: key 'seed' stands twice; keep one"),
    "no YAML": ("judges: [", ": not valid YAML"),
    "results read as input": (
        "judges: metric:rouge_l\nresponses: results/responses.jsonl",
        "3:12: 'results/responses.jsonl' lies in `out` (results): only the study itself writes there",
    ),
    "results in the study's own folder": ("judges: metric:rouge_l\nout: .", "3:6: out '.' holds the study file itself"),
    "results in a file": ("judges: metric:rouge_l\nout: people.csv", "3:6: {d}/people.csv: is a file; name a folder"),
    "a page over an input": (
        "judges: metric:rouge_l\nreport: {path: responses.jsonl}",
        "3:16: the page would take the place of 'responses.jsonl'",
    ),
    "an unknown dimension": ("judges: metric:rouge_l\ncompare: {by: dificulty}", "3:15: there is no dimension 'dificulty'; did you mean"),
    "an unknown skill with a weight": ("judges: metric:rouge_l\nreport:\n  weights: {factualty: 3}", "4:12: no skill is called 'factualty'; did you mean"),
    "no weight above 0": ("judges: metric:rouge_l\nreport:\n  weights: {factuality: 0}", "4:12: at least one weight must be above 0"),
    "no table of models": ("judges: metric:rouge_l\nreport:\n  models_table: nowhere.csv", "4:17: "),
    "an unknown skill": ("judges: metric:rouge_l\ncompare:\n  fail_under: {factualty: 3}", "4:15: no skill is called 'factualty'; did you mean"),
    "a budget without a price": (
        "judges: [{model: a, base_url: 'http://203.0.113.5/v1'}]\nbudget: 1",
        "3:9: budget 1: no price is known for 'a'; add `price` to 'a'",
    ),
    "a metric that is to answer": ("judges: metric:rouge_l\nmodels: metric:rouge_l", "3:9: 'metric:rouge_l' calls no model, so it cannot answer"),
    "a key in settings": ("judges: [{model: a, settings: {api_key: sk-abcdefghijk}}]", "2:10: "),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_line_column_and_remedy_and_nothing_is_written(tmp_path, run, name):
    """Exit 2."""
    offline(tmp_path)
    text, wanted = FAULTS[name]
    more = "" if "instances:" in text else "\ninstances: instances.jsonl"
    more += "" if "responses:" in text or name == "no YAML" else "\nresponses: responses.jsonl"
    file = tmp_path / "study.yaml"
    file.write_text(f"name: x\n{text}{more}\n")
    for command in ("run", "check"):
        code, out, err = run(command, file)
        assert code == 2, out
        assert f"flask-eval: {tmp_path}/study.yaml:" in err
        assert wanted.format(d=tmp_path) in err
        assert "sk-abcdefghijk" not in err
    assert not (tmp_path / "results").exists()


def test_all_faults_are_told_together(tmp_path, run):
    """One round is enough."""
    file = offline(tmp_path, judges=["metric:rouge_l", "metric:rouge_l", "nobody"], ratings=["no.csv"], rubrics="flsk")
    code, _, err = run("run", file)
    assert code == 2
    assert len([line for line in err.splitlines() if line.startswith("flask-eval: ")]) == 4
    lines = [int(re.search(r"study.yaml:(\d+):", line)[1]) for line in err.splitlines()]
    assert lines == sorted(lines)


def test_a_server_that_lacks_the_model_or_is_not_there_or_a_missing_key_is_told_before_anything_is_called(
    tmp_path, run, monkeypatch
):
    """With the models that the server has."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with openai_server(models=("ours-7b", "ours-13b")) as server:
        judges = [
            {"name": "a", "model": "ours-7c", "base_url": server.url},
            {"name": "b", "model": "x", "base_url": "http://127.0.0.1:9/v1"},
            {"name": "c", "card": "openai:gpt-5-mini"},
            {"name": "d", "model": "ours-13b", "base_url": server.url},
        ]
        file = offline(tmp_path, judges=judges)
        code, _, err = run("run", file)
        assert code == 2
        assert "has no model 'ours-7c'; did you mean 'ours-7b'?" in err
        assert "http://127.0.0.1:9/v1 cannot be reached" in err
        assert "OPENAI_API_KEY is not set" in err
        assert err.count("flask-eval:") == 3
        assert server.seen == []
    assert not (tmp_path / "results").exists()


def test_a_server_without_a_list_of_models_is_taken_at_its_word(tmp_path):
    """Not every server keeps one."""
    with openai_server() as server:
        file = offline(tmp_path, judges=[{"model": "j", "base_url": server.url}])
        assert not run_study(file).stopped_by


def test_a_judge_that_judges_itself_is_told_not_refused(tmp_path, run):
    """Models favour their own responses."""
    model = {"model": "m", "base_url": "http://127.0.0.1:9/v1"}
    file = offline(tmp_path, models=[{"name": "mine", **model}], judges=[{"name": "judge", **model}])
    code, _, err = run("check", file)
    assert code == 0
    assert "the judge 'judge' is the judged model 'mine'" in err


# ---- plans and stops -----------------------------------------------------------------------------------------------


def test_a_dry_run_plans_everything_and_calls_and_writes_nothing(tmp_path, run):
    """Calls, tokens and cost by step."""
    with openai_server() as server:
        judge = {"model": "j", "base_url": server.url, "packing": "one", "price": {"input": 1, "output": 2}}
        file = offline(tmp_path, judges=[judge, "metric:rouge_l"])
        code, _, err = run("run", file, "--dry-run", "--json", tmp_path / "plan.json")
        assert code == 0
        plan = {s["step"]: s for s in json.loads((tmp_path / "plan.json").read_text())["steps"]}
        assert plan["score:j"]["result"]["calls"] == 24
        assert plan["score:j"]["result"]["cost_usd"]["sync"] > 0
        assert plan["report"] == plan["report"] | {"status": "to do", "why": "after instances"}
        assert "nothing was sent" in err
        assert server.seen == []
        assert not (tmp_path / "results").exists()
        run_study(file)
        asked = server.counts()["served"]
        assert asked == 24
        found = run_study(file, dry_run=True)
        assert {s.status for s in found.steps} == {"skipped"}
        assert server.counts()["served"] == asked


def test_a_spent_budget_stops_and_the_same_command_goes_on(tmp_path, run):
    """Exit 3; what follows is left."""
    with openai_server() as server:
        judge = {"model": "j", "base_url": server.url, "price": {"input": 1000, "output": 1000}, "concurrency": 1}
        file = offline(tmp_path, judges=[judge], budget=2)
        code, _, err = run("run", file)
        assert code == 3
        assert "score:j: stopped" in err
        assert "report: left" in err
        code, _, err = run("run", file, "--budget", "1000")
        assert code == 0, err
        assert "score:j: done (it was not finished)" in err
        assert server.counts()["repeated"] == 0
        assert server.counts()["distinct"] == 12


def test_failed_ratings_are_asked_again_by_the_same_command(tmp_path):
    """A step with failures is not skipped."""
    broken = []

    def faults(digest, attempt):
        if not broken and attempt == 0:
            broken.append(digest)
        return "server" if digest not in broken and len(broken) < 2 and attempt < 6 else None

    with openai_server(faults=faults) as server:
        file = offline(tmp_path, judges=[{"model": "j", "base_url": server.url}], ratings=[])
        first = run_study(file, first_wait=0.001)
        assert first.steps[1].result["ratings"]["failed"] > 12
        assert "asks them again" in first.steps[1].words
        second = run_study(file, first_wait=0.001)
        assert second.steps[1].why == "it was not finished"
        assert second.steps[1].result["ratings"] == {"scored": 24}


def test_a_killed_study_goes_on_and_asks_nothing_twice_that_was_recorded(tmp_path):
    """kill -9 in the middle of the scoring."""
    with openai_server(latency=0.15) as server:
        file = offline(tmp_path, judges=[{"model": "j", "base_url": server.url}], concurrency=2)
        kill_after(server, 4, "run", file)
        assert 4 <= server.counts()["served"] < 12
        found = run_study(file)
        assert found.steps[1].result["cells"] == {"planned": 12, "judged": 12, "left": 0}
        assert found.page.is_file()
        assert server.counts()["repeated"] <= 4
        assert server.counts()["distinct"] == 12


def test_two_commands_do_not_work_on_one_study_at_once(tmp_path, run):
    """The second is told."""
    from flask_eval.ledger import RunLock

    file = offline(tmp_path)
    run_study(file)
    lock = RunLock(tmp_path / "results")
    try:
        code, _, err = run("run", file)
    finally:
        lock.close()
    assert code == 2
    assert "another flask-eval works on" in err


# ---- models that the study asks -------------------------------------------------------------------------------------


def with_models(folder, first, second, judge, *, instances=6, **more):
    """A study that asks two models on servers, and a judge on a third."""
    write_study(folder, instances=instances)
    study = {
        "name": "Two of ours",
        "instances": "instances.jsonl",
        "models": [
            {"name": "old", "model": "ours-7b", "base_url": first.url, "settings": {"temperature": 0.5}},
            {"name": "new", "model": "ours-13b", "base_url": second.url, "system": "Be brief."},
        ],
        "judges": [{"name": "judge", "model": "judge-7b", "base_url": judge.url}],
        "resamples": 20,
        **more,
    }
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study, sort_keys=False))
    return file


def responses_by(folder, model):
    """A model's responses as the study wrote them."""
    text = (folder / "results" / "responses" / f"{model}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_thirty_instances_two_models_and_a_judge_on_servers_end_with_the_page(tmp_path, run):
    """Without a line of Python."""
    servers = [openai_server(models=(name,)) for name in ("ours-7b", "ours-13b", "judge-7b")]
    with servers[0] as first, servers[1] as second, servers[2] as judge:
        file = with_models(tmp_path, first, second, judge, instances=30)
        code, _, err = run("run", file, "--dry-run")
        assert code == 0
        assert "respond:old: to do (after instances): 30 calls" in err
        assert "score:judge: to do (after instances): at most 60 calls" in err
        assert first.seen == judge.seen == []
        code, _, err = run("run", file, "--json", tmp_path / "run.json")
        assert code == 0, err
        assert [len(s.seen) for s in (first, second, judge)] == [30, 30, 60]
        steps = {s["step"]: s["result"] for s in json.loads((tmp_path / "run.json").read_text())["steps"]}
        assert steps["respond:old"]["models"] == {"old": {"responses": 30, "outcomes": {"answered": 30}}}
        assert steps["score:judge"]["cells"] == {"planned": 60, "judged": 60, "left": 0}
        assert "new" in (tmp_path / "results" / "report.html").read_text()
        assert second.seen[0].body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert responses_by(tmp_path, "old")[0]["settings"] == {
            "adapter": "openai",
            "model": "ours-7b",
            "temperature": 0.5,
        }
        code, _, err = run("run", file)
        assert err.count("skipped") == 6
        assert [len(s.seen) for s in (first, second, judge)] == [30, 30, 60]
    assert run("run", file)[0] == 0  # with nothing to ask, no server is needed


def test_bare_instructions_are_annotated_answered_judged_and_shown(tmp_path, run):
    """From a list of instructions and three servers to the page."""
    with openai_server() as old, openai_server() as new, openai_server() as judge:
        file = with_models(tmp_path, old, new, judge, instances=30)
        write_jsonl(tmp_path / "instances.jsonl", [{"id": str(n), "instruction": f"Say {n}."} for n in range(30)])
        annotator = {"name": "annotator", "model": "judge-7b", "base_url": judge.url}
        code, _, err = run("check", file)
        assert code == 2
        assert re.search(r"study.yaml:\d+:3: instance '0' \(and 29 more\) has no annotated skills: annotate it", err)
        change(file, annotate={"judge": annotator}, slices=["difficulty=1|2|3"])
        code, _, err = run("run", file, "--dry-run")
        assert code == 0, err
        assert "annotate: to do (new): 90 calls" in err
        assert old.seen == judge.seen == []
        code, _, err = run("run", file)
        assert code == 0, err
        assert "annotate: done (new)" in err
        lines = (tmp_path / "results" / "instances.jsonl").read_text().splitlines()
        annotations = [json.loads(line)["annotation"] for line in lines]
        assert {a["annotator"] for a in annotations} == {"annotator"}
        assert all(a["domains"] and a["difficulty"] for a in annotations)
        assert len(old.seen) == len(new.seen) == 30
        asked = len(judge.seen)
        code, _, err = run("run", file)
        assert err.count("skipped") == 6, err
        assert len(judge.seen) == asked
        change(file, annotate={"judge": annotator, "only": ["domains", "skills"]})
        run_study(file, only=["annotate"])
        assert len(judge.seen) == asked


def test_checklists_that_are_still_to_be_written_are_planned(tmp_path):
    """A judge with the prompt `checklist` waits for them."""
    server = {"model": "m", "base_url": "http://127.0.0.1:9/v1"}
    judge = {"name": "judge", **server, "prompt": "checklist"}
    file = offline(tmp_path, judges=[judge], annotate={"judge": server, "checklist": True})
    plan = {step.step: step.result for step in run_study(file, dry_run=True).steps}
    assert plan["annotate"]["calls"] == 6
    assert plan["score:judge"]["calls"] == 12
    assert plan["score:judge"]["upper"]


def test_instances_that_get_no_skill_are_left_out_of_scoring_and_told(tmp_path):
    """A refusal is no label."""

    def reply(body):
        return "{}" if "Say 1." in json.dumps(body) else None

    with openai_server() as model, openai_server(reply=reply) as judge:
        file = with_models(tmp_path, model, model, judge)
        change(file, annotate={"judge": {"model": "a", "base_url": judge.url}})
        write_jsonl(tmp_path / "instances.jsonl", [{"id": str(n), "instruction": f"Say {n}."} for n in range(4)])
        found = run_study(file)
        score = next(step for step in found.steps if step.step == "score:judge")
        assert score.notes[0] == "1 instances got no skill from the annotators, and are left out"
        assert score.result["cells"]["planned"] == 6


def test_another_model_is_asked_and_judged_and_nobody_else(tmp_path):
    """What is there stays."""
    with openai_server() as server, openai_server() as judge:
        file = with_models(tmp_path, server, server, judge)
        run_study(file)
        models = yaml.safe_load(file.read_text())["models"]
        change(file, models=[*models, {"name": "third", "model": "m", "base_url": server.url, "system": "Sing."}])
        assert done(run_study(file)) == ["respond:third", "score:judge", "compare", "report"]
        assert (len(server.seen), len(judge.seen)) == (18, 18)
        change(file, models=models)
        found = run_study(file)
        assert found.steps[3].result["cells"]["planned"] == 12
        assert (len(server.seen), len(judge.seen)) == (18, 18)


def test_refused_empty_and_cut_off_responses_are_kept_as_such(tmp_path):
    """And told; the failed ones are asked again."""
    order = iter(["refusal", "empty", "cut"])
    named = {}

    def faults(digest, attempt):
        return named.setdefault(digest, next(order, None)) if attempt == 0 else None

    with openai_server(faults=faults) as server, openai_server() as judge:
        file = with_models(tmp_path, server, server, judge, concurrency=1)
        found = run_study(file, only=["instances", "respond:old"])
        assert found.steps[1].result["models"]["old"] == {
            "responses": 6,
            "outcomes": {"answered": 3, "empty": 1, "truncated": 1, "refused": 1},
        }
        finishes = sorted(r["finish"] for r in responses_by(tmp_path, "old"))
        assert finishes == ["length", "refusal", "stop", "stop", "stop", "stop"]
        models = yaml.safe_load(file.read_text())["models"]
        change(file, models=[{**models[0], "retry": ["empty", "refused"]}, models[1]])
        found = run_study(file, only=["instances", "respond:old"])
        assert found.steps[1].result["calls"]["sent"] == 2
        assert found.steps[1].result["models"]["old"]["outcomes"] == {"answered": 5, "truncated": 1}


def test_worked_examples_come_before_the_instruction_and_never_give_it_away(tmp_path):
    """Drawn by the seed: the same for all, or anew for each."""
    with openai_server() as server, openai_server() as judge:
        file = with_models(tmp_path, server, server, judge)
        models = yaml.safe_load(file.read_text())["models"]
        shots = {"file": "instances.jsonl", "count": 2}
        change(file, models=[{**models[0], "shots": shots}])
        run_study(file, only=["instances", "respond"])
        asked = [[m["content"] for m in seen.body["messages"]] for seen in server.seen]
        assert {len(messages) for messages in asked} == {5}
        assert all(messages[-1] not in messages[:-1] for messages in asked)
        assert len({tuple(messages[:-1]) for messages in asked}) <= 3
        change(file, models=[{**models[0], "shots": {**shots, "per": "instance"}}])
        run_study(file, only=["instances", "respond"])
        assert len({tuple(m["content"] for m in s.body["messages"][:-1]) for s in server.seen[6:]}) > 3


def test_a_study_killed_while_models_answer_goes_on(tmp_path):
    """What was recorded is not asked again."""
    with openai_server(latency=0.15) as server, openai_server() as judge:
        file = with_models(tmp_path, server, server, judge, instances=8, concurrency=2)
        kill_after(server, 4, "run", file)
        assert 4 <= server.counts()["served"] < 16
        found = run_study(file)
        assert found.steps[3].result["cells"] == {"planned": 16, "judged": 16, "left": 0}
        assert server.counts()["repeated"] <= 4
        assert server.counts()["distinct"] == 16


# ---- what ships ----------------------------------------------------------------------------------------------------


def test_init_writes_a_study_that_passes_check_and_runs(tmp_path, run):
    """A start that works as it stands."""
    assert run("init", tmp_path / "mine")[0] == 0
    code, out, _ = run("check", tmp_path / "mine" / "study.yaml")
    assert code == 0
    assert "study 'My first study', 36 instances" in out
    found = run_study(tmp_path / "mine" / "study.yaml")
    assert "Sample data" in found.page.read_text()


def test_the_example_of_the_docs_runs_offline(tmp_path):
    """It may be copied from a checkout; its results stay out of it here."""
    text = (ROOT / "docs" / "examples" / "study" / "study.yaml").read_text()
    (tmp_path / "study.yaml").write_text(text.replace("../../../annotations", str(ROOT / "annotations")))
    found = run_study(tmp_path / "study.yaml")
    assert not found.missed
    assert (found.out / "tables").is_dir()


def test_the_json_schema_is_the_one_that_ships_and_accepts_what_ships():
    """To renew it: `flask-eval show schemas study > flask_eval/studies/study/study.schema.json`."""
    files = shipped_files()
    schema = study_schema()
    assert json.loads(files["study.schema.json"].read_text()) == schema
    jsonschema.Draft202012Validator.check_schema(schema)
    for text in (files["study.yaml"].read_text(), (ROOT / "docs" / "examples" / "study" / "study.yaml").read_text()):
        data = yaml.safe_load(text)
        jsonschema.validate(data, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, "nonsense": 1}, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, "judges": [{"card": "x", "nonsense": 1}]}, schema)
