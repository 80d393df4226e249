"""`flask-eval agree`: from imported tables to the published figures, by the commands that a user types."""

import json
import re

import pandas as pd
import pytest
from samples import NO_DATA, SHARED

import flask_eval as fe
from flask_eval.records import read_rows, write_jsonl

real = pytest.mark.skipif(not SHARED.is_dir(), reason=NO_DATA)


@pytest.fixture
def agree(run):
    """Run `agree --json -`: the result record."""

    def command(*words):
        code, out, err = run("agree", *words, "--json", "-")
        assert code == 0, err
        assert "NaN" not in out
        return json.loads(out)

    return command


def imported(run, target, source, *words):
    code, _, err = run("import", "ratings", source, *words, "-o", target)
    assert code == 0, err
    return target


def versus(study, **wanted):
    rows = [r for r in study["judge_vs_human"] if all(r[k] == v for k, v in wanted.items())]
    assert len(rows) == 1, (wanted, len(rows))
    return rows[0]


def among(study, **wanted):
    rows = [r for r in study["inter_rater"] if all(r[k] == v for k, v in wanted.items())]
    assert len(rows) == 1, (wanted, len(rows))
    return rows[0]


def expected(name):
    return json.loads((SHARED / name / "expected.json").read_text())


@real
@pytest.mark.parametrize("method", ["rts", "mcq", "stareval"])
def test_summeval_judges_against_the_mean_of_three_experts(run, agree, tmp_path, method):
    """At item, instance and system level; instances with a constant side are skipped."""
    folder = SHARED / "summeval_llm"
    people = imported(
        run, tmp_path / "people.jsonl", folder / "human.jsonl.gz", "--instance", "item", "--model", "system",
        "--skill", "aspect", "--scores", "experts", "--list", "raters", "--anonymous-raters",
    )  # fmt: skip
    judge = imported(
        run, tmp_path / "judge.jsonl", folder / "judge.jsonl.gz", "--instance", "item", "--model", "system", "--skill",
        "aspect", "--rater", "judge+method", "--kind", "judge", "--scores", "score", "--where", f"method={method}",
    )  # fmt: skip
    study = agree(people, judge, "--scale", "1-5", "--resamples", "0")
    name = f"gpt-3.5-turbo-0301/{method}"
    facts = expected("summeval_llm")
    for skill, levels in facts["judge_vs_mean_of_3_experts"][name].items():
        for ours, theirs in (("item", "item_level"), ("instance", "per_document"), ("system", "system_level")):
            row = versus(study, judge=name, human="mean", skill=skill, level=ours, adjusted=None)
            figures = levels[theirs]
            for measure, key in (("pearson", "pearson"), ("spearman", "spearman"), ("kendall", "kendall_tau_b")):
                assert row["measures"][measure] == pytest.approx(figures[key], abs=5e-4), (skill, ours, measure)
            assert row["n"] == figures.get("groups_used", figures.get("n"))
            assert row["n_groups"] == figures.get("groups")
    for skill, figures in facts["human_agreement"].items():
        measures = among(study, kind="human", of="raters", skill=skill)["measures"]
        for level, value in figures["experts_alpha"].items():
            assert measures[f"alpha_{level}"] == pytest.approx(value, abs=5e-4)


@real
def test_summeval_conventions_of_pooling(run, agree, tmp_path):
    """Pooled, with each skill's mean taken out, each expert, and what is null against a mean."""
    folder = SHARED / "summeval_llm"
    people = imported(
        run, tmp_path / "people.csv", folder / "human.jsonl.gz", "--instance", "item", "--model", "system",
        "--skill", "aspect", "--scores", "experts", "--list", "raters", "--anonymous-raters",
    )  # fmt: skip
    judge = imported(
        run, tmp_path / "judge.csv", folder / "judge.jsonl.gz", "--instance", "item", "--model", "system", "--skill",
        "aspect", "--rater", "=rts", "--kind", "judge", "--scores", "score", "--where", "method=rts",
    )  # fmt: skip
    study = agree(people, judge, "--scale", "1-5", "--resamples", "0")
    facts = expected("summeval_llm")["conventions_rts"]
    pooled = facts["four_aspects_pooled"]
    row = versus(study, human="mean", skill=None, level="item", adjusted=None)
    assert row["measures"]["pearson"] == pytest.approx(pooled["item"]["pooled"]["pearson"], abs=5e-4)
    assert row["measures"]["kappa_quadratic"] is None
    assert "kappa_quadratic" in row["undefined"]
    centred = versus(study, human="mean", skill=None, level="item", adjusted="skill_centred")
    assert centred["measures"]["pearson"] == pytest.approx(pooled["item"]["skill_centred"]["pearson"], abs=5e-4)
    groups = versus(study, human="mean", skill=None, level="instance", adjusted=None)
    assert groups["measures"]["pearson"] == pytest.approx(
        pooled["instance"]["per_document_and_skill"]["pearson"], abs=5e-4
    )
    assert (groups["n"], groups["n_groups"]) == (390, 400)
    system = versus(study, human="mean", skill=None, level="system", adjusted=None)
    assert system["measures"]["pearson"] == pytest.approx(pooled["system"]["means"]["pearson"], abs=5e-4)
    each = versus(study, human="each", skill="coherence", level="item", adjusted=None)
    coherence = facts["coherence"]
    assert each["measures"]["pearson"] == pytest.approx(coherence["item"]["each"], abs=5e-4)
    assert each["measures"]["kappa_quadratic"] == pytest.approx(
        coherence["kappa_quadratic"]["judge_rows_off_the_scale_left_out"]["each"], abs=5e-4
    )


@real
def test_newsroom_and_dices_alphas_are_the_published_ones(run, agree, tmp_path):
    """Raters that are only places in a list have no figures of their own."""
    folder = SHARED / "judgebench_human"
    words = (
        "--instance",
        "item",
        "--skill",
        "aspect",
        "--scores",
        "ratings",
        "--list",
        "raters",
        "--rater",
        "=crowd",
        "--anonymous-raters",
    )
    facts = expected("judgebench_human")["alpha"]
    for name, level, scale in (("newsroom", "ordinal", "1-5"), ("dices_350_crowd", "nominal", "nominal")):
        table = imported(run, tmp_path / f"{name}.jsonl", folder / f"{name}.jsonl.gz", *words)
        study = agree(table, "--scale", scale, "--resamples", "0")
        for skill, figures in facts[name].items():
            row = among(study, kind="human", of="raters", skill=skill.lower())
            assert row["measures"][f"alpha_{level}"] == pytest.approx(figures["published_alpha"][0], abs=1e-6)
            assert row["pairs"] == []


@real
def test_pandalm_kappas_are_the_published_ones(run, agree, tmp_path):
    """Three people by name, two judges; a verdict that could not be read is left out, and n says so."""
    source = SHARED / "pandalm" / "pairwise.jsonl.gz"
    base = ("--instance", "item", "--model", "pair", "--skill", "=preference")
    people = imported(
        run, tmp_path / "people.csv", source, *base, "--scores", "humans", "--list", "raters", "--rater-names", "annotator1,annotator2,annotator3"
    )  # fmt: skip
    judges = imported(
        run, tmp_path / "judges.csv", source, *base, "--scores", "gpt-3.5-turbo,pandalm-7b", "--kind", "judge", "--missing", "garbage"
    )  # fmt: skip
    study = agree(people, judges, "--scale", "nominal", "--resamples", "0")
    facts = expected("pandalm")
    row = among(study, kind="human", of="raters", skill="preference")
    assert row["measures"]["alpha_nominal"] == pytest.approx(facts["computed"]["alpha_nominal"], abs=1e-6)
    assert row["measures"]["alpha_interval"] is None
    kappas = {tuple(sorted((p["a"][-1], p["b"][-1]))): p["kappa"] for p in row["pairs"]}
    for pair, value in facts["computed"]["cohen_kappa"].items():
        assert kappas[tuple(pair.split("-"))] == pytest.approx(value, abs=1e-6)
    for judge in ("gpt-3.5-turbo", "pandalm-7b"):
        found = versus(study, judge=judge, human="majority", skill="preference", level="item", adjusted=None)
        theirs = facts["unreadable_labels"][judge]["left_out"]
        assert found["measures"]["exact"] == pytest.approx(theirs["accuracy"], abs=1e-6)
        assert found["measures"]["kappa"] == pytest.approx(theirs["kappa"], abs=1e-6)
        assert found["n"] == theirs["n"]
        verdict = next(r for r in study["replaceability"] if r["judge"] == judge and r["skill"] == "preference")
        assert verdict["replaces"] is not None


@real
def test_prometheus_samples_agree_with_themselves_as_computed(run, agree, tmp_path):
    """Three samples of one judge: alpha, one-way ICC."""
    table = imported(
        run, tmp_path / "p.jsonl", SHARED / "prometheus_vicuna" / "items.jsonl.gz", "--instance", "question", "--model", "model",
        "--skill", "=overall", "--rater", "judge", "--kind", "judge", "--scores", "scores", "--list", "samples",
    )  # fmt: skip
    study = agree(table, "--scale", "1-5", "--resamples", "0")
    facts = expected("prometheus_vicuna")["computed_only"]["agreement_of_the_3_samples"]
    row = among(study, kind="judge", of="samples", skill="overall")
    for level, value in facts["krippendorff_alpha"].items():
        assert row["measures"][f"alpha_{level}"] == pytest.approx(value, abs=1e-6)
    assert row["measures"]["icc_single"] == pytest.approx(facts["icc_one_way"]["single"], abs=1e-6)
    assert row["measures"]["icc_mean"] == pytest.approx(facts["icc_one_way"]["mean_of_3"], abs=1e-6)


@real
def test_topical_chat_judges_meet_the_published_correlations(run, agree, tmp_path):
    """Samples averaged, null samples missing and not 0; one 6 on the 1-3 scale is kept only without a scale."""
    folder = SHARED / "topical_chat"
    people = imported(
        run,
        tmp_path / "people.csv",
        folder / "human.jsonl.gz",
        "--instance",
        "dialogue",
        "--model",
        "system",
        "--scores",
        "mean_human",
        "--columns",
        "skills",
    )
    judges = imported(
        run, tmp_path / "judges.csv", folder / "judge.jsonl.gz", "--instance", "item~^(.*?)/", "--model", "item~/(.*)",
        "--skill", "aspect", "--rater", "judge+method", "--kind", "judge", "--scores", "samples", "--list", "samples", "--where", "judge!=UniEval",
    )  # fmt: skip
    study = agree(people, judges, "--resamples", "0")
    names = {"method_1_all_items": "item", "method_2_per_dialogue": "instance"}
    keys = {"kendall_tau_b": "kendall", "kendall_tau": "kendall"}
    checked = 0
    for fact in expected("topical_chat")["published"]:
        if fact["method"] == "UniEval":
            continue
        measure = keys.get(fact["figure"], fact["figure"])
        row = versus(
            study,
            judge=f"gpt-3.5-turbo-0613/{fact['method']}",
            human="mean",
            skill=fact["aspect"],
            level=names[fact["level"]],
            adjusted=None,
        )
        assert row["measures"][measure] == pytest.approx(fact["computed"], abs=5e-4)
        checked += 1
    assert checked >= 24
    told = agree(people, judges, "--resamples", "0", "--scale", "1-3", "--skill", "coherence")
    facts = expected("topical_chat")["computed"]["coherence"]["llm_eval_no_cot"]["off_the_scale_left_out"]
    row = versus(
        told, judge="gpt-3.5-turbo-0613/llm_eval_no_cot", human="mean", skill="coherence", level="item", adjusted=None
    )
    assert row["measures"]["pearson"] == pytest.approx(facts["method_1_all_items"]["pearson"], abs=5e-4)
    assert any("outside 1-3" in note for note in told["notes"])


SAMPLE = [
    {
        "instance": str(k),
        "model": model,
        "skill": skill,
        "rater": rater,
        "kind": kind,
        "score": 1 + (k * 7 + len(model) + shift * (k % 3 == 0)) % 5,
    }
    for k in range(40)
    for model in ("a", "bb", "ccc")
    for skill in ("factuality", "readability")
    for rater, kind, shift in (("ann", "human", 0), ("ben", "human", 1), ("cy", "human", 2), ("gpt", "judge", 1))
]


@pytest.fixture
def ratings(tmp_path):
    """Three people and a judge."""
    write_jsonl(tmp_path / "ratings.jsonl", SAMPLE)
    return tmp_path / "ratings.jsonl"


def test_the_record_has_the_contracts_keys(agree, ratings):
    """Every part is there, every row has n, intervals and reasons."""
    study = agree(ratings, "--scale", "1-5")
    for part in (
        "inter_rater",
        "judge_vs_human",
        "replaceability",
        "ceiling",
        "rater_effects",
        "noise_floor",
        "calibrated",
    ):
        assert isinstance(study[part], list), part
    row = among(study, kind="human", of="raters", skill=None)
    assert {
        "kind",
        "of",
        "raters",
        "skill",
        "slice",
        "by",
        "n_units",
        "n_ratings",
        "measures",
        "intervals",
        "undefined",
        "pairs",
    } <= set(row)
    assert {"a", "b", "n", "kappa", "kappa_linear", "kappa_quadratic", "exact", "within_one"} <= set(row["pairs"][0])
    row = versus(study, judge="gpt", human="mean", skill=None, level="item", adjusted=None)
    assert {"n", "n_groups", "n_instances", "measures", "intervals", "undefined"} <= set(row)
    low, high = row["intervals"]["pearson"]
    assert low < row["measures"]["pearson"] < high
    assert {
        "judge",
        "skill",
        "slice",
        "winning_rate",
        "epsilon",
        "advantage_probability",
        "replaces",
        "undefined",
    } <= set(study["replaceability"][0])
    assert {"model", "skill", "mean", "low", "high", "judge_mean", "n_human", "n_judge"} <= set(study["calibrated"][0])


def test_slices_are_named_in_the_order_of_by(agree, ratings, tmp_path):
    """And a slice stands before them."""
    write_jsonl(
        tmp_path / "i.jsonl",
        [
            {
                "id": str(k),
                "instruction": "x",
                "annotation": {"domains": ["Math", "Coding"][: 1 + k % 2], "difficulty": 1 + k % 2},
            }
            for k in range(40)
        ],
    )
    (tmp_path / "hard.txt").write_text("\n".join(str(k) for k in range(20)))
    study = agree(
        ratings,
        "--instances",
        tmp_path / "i.jsonl",
        "--by",
        "domain,difficulty",
        "--slice",
        tmp_path / "hard.txt",
        "--resamples",
        "0",
    )
    names = {row["slice"] for row in study["judge_vs_human"]}
    assert names == {
        "hard;domain=Math;difficulty=1",
        "hard;domain=Math;difficulty=2",
        "hard;domain=Coding;difficulty=2",
    }
    row = next(r for r in study["judge_vs_human"] if r["slice"] == "hard;domain=Coding;difficulty=2")
    assert row["by"] == {"domain": "Coding", "difficulty": 2}


def test_judges_and_people_are_told_apart_by_name_too(agree, tmp_path):
    """Whatever the file calls them."""
    write_jsonl(tmp_path / "r.jsonl", [{**row, "kind": "human"} for row in SAMPLE])
    study = agree(tmp_path / "r.jsonl", "--judge", "gpt", "--human", "ann,ben", "--resamples", "0")
    assert {row["judge"] for row in study["judge_vs_human"]} == {"gpt"}
    assert among(study, kind="human", of="raters", skill=None)["raters"] == ["ann", "ben"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--judge", "gtp"], "did you mean 'gpt'"),
        (["--scale", "5-1"], "write LOW-HIGH"),
        (["--scale", "gpp=1-5"], "did you mean 'gpt'"),
        (["--by", "domian"], "did you mean 'domain'"),
        (["--threshold", "spearman=0.5"], "--certify"),
        (["--certify", "c.json", "--threshold", "spearmn=0.5"], "spearman"),
        (["--labelled", "nowhere.csv"], "nowhere.csv"),
        (["--judge", "ann", "--human", "ann"], "'ann'"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(run, ratings, tmp_path, monkeypatch, words, said):
    """With the nearest name where there is one."""
    monkeypatch.chdir(tmp_path)
    code, _, err = run("agree", ratings, *words, "--resamples", "0")
    assert code == 2
    assert said in err.strip().splitlines()[-1]


def table(rows):
    return pd.DataFrame([{"kind": "human", **row} for row in rows])


DEGENERATE = {
    "all equal": [
        {"instance": str(k), "model": m, "skill": "s", "rater": r, "kind": t, "score": 3}
        for k in range(5)
        for m in "abc"
        for r, t in (("x", "human"), ("y", "human"), ("j", "judge"))
    ],
    "one rater": [{"instance": str(k), "skill": "s", "rater": "x", "score": k % 5} for k in range(5)],
    "no overlap": [{"instance": str(k), "skill": "s", "rater": "xyz"[k % 3], "score": k % 5} for k in range(9)],
    "two units": [
        {"instance": str(k), "model": "a", "skill": "s", "rater": r, "kind": t, "score": k + 1}
        for k in range(2)
        for r, t in (("x", "human"), ("j", "judge"))
    ],
    "constant judge": [
        {"instance": str(k), "model": m, "skill": "s", "rater": r, "kind": t, "score": 3 if r == "j" else k % 5}
        for k in range(9)
        for m in "abc"
        for r, t in (("x", "human"), ("y", "human"), ("j", "judge"))
    ],
    "one model": [
        {"instance": str(k), "model": "a", "skill": "s", "rater": r, "kind": t, "score": (k * k) % 5}
        for k in range(9)
        for r, t in (("x", "human"), ("y", "human"), ("j", "judge"))
    ],
    "nothing scored": [
        {"instance": str(k), "skill": "s", "rater": r, "kind": t, "score": None, "outcome": "refused"}
        for k in range(4)
        for r, t in (("x", "human"), ("j", "judge"))
    ],
    "labels": [
        {"instance": str(k), "skill": "s", "rater": r, "kind": t, "score": ["yes", "no"][(k + len(r)) % 2]}
        for k in range(9)
        for r, t in (("x", "human"), ("yy", "human"), ("j", "judge"))
    ],
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_data_give_null_with_a_reason(name):
    """Never NaN, never a crash."""
    study = fe.agree(fe.read_ratings(table(DEGENERATE[name])), labelled="random")
    text = json.dumps(study.to_dict(), allow_nan=False)
    for row in json.loads(text)["inter_rater"] + json.loads(text)["judge_vs_human"]:
        for measure, value in row["measures"].items():
            assert value is not None or row["undefined"][measure], (measure, row)


def test_a_certificate_is_bound_to_the_judge_and_marks_the_skills(run, tmp_path):
    """`agree --certify`, then `score --certificate` and `report --certificate`."""
    assert run("demo", tmp_path / "demo")[0] == 0
    demo = tmp_path / "demo"
    code, _, err = run("agree", demo / "run", demo / "data" / "ratings.csv", "--certify", tmp_path / "c.json")
    assert code == 0, err
    made = json.loads((tmp_path / "c.json").read_text())
    assert made["judge"] == "sample-judge"
    assert made["digests"]["card"]
    assert {entry["status"] for entry in made["skills"]} <= {"certified", "tentative", "uncertified"}
    words = [
        "score",
        demo / "data" / "instances.jsonl",
        demo / "data" / "responses",
        "--judge",
        f"replay:{demo / 'data' / 'sample-judge.jsonl'}",
    ]
    code, out, err = run(*words, "-o", tmp_path / "again", "--certificate", tmp_path / "c.json", "--json", "-")
    assert code == 0, err
    marks = json.loads(out)["certificate"]
    pooled = {entry["skill"]: entry["status"] for entry in made["skills"]}
    assert {skill: mark["status"] for skill, mark in marks.items()} == {skill: pooled[skill] for skill in marks}
    code, out, err = run(
        "score",
        *words[1:3],
        "--judge",
        "metric:rouge_l",
        "-o",
        tmp_path / "other",
        "--certificate",
        tmp_path / "c.json",
        "--json",
        "-",
    )
    assert code == 0, err
    assert {mark["status"] for mark in json.loads(out)["certificate"].values()} == {"uncertified"}
    assert run("report", demo / "run", "-o", tmp_path / "r.html", "--certificate", tmp_path / "c.json")[0] == 0
    assert re.search("certified|tentative", (tmp_path / "r.html").read_text())
    (tmp_path / "c.json").write_text((tmp_path / "c.json").read_text().replace("tentative", "certified"))
    code, _, err = run("report", demo / "run", "-o", tmp_path / "r.html", "--certificate", tmp_path / "c.json")
    assert code == 2
    assert "changed after it was written" in err


def test_several_judges_stand_side_by_side(run, agree, tmp_path):
    """Table 1 of FLASK is one command."""
    assert run("demo", tmp_path / "demo")[0] == 0
    demo = tmp_path / "demo"
    study = agree(demo / "run", demo / "baseline", demo / "data" / "ratings.csv", "--resamples", "0")
    assert {row["judge"] for row in study["judge_vs_human"]} == {"sample-judge", "metric:rouge_l"}
    code, out, _ = run(
        "agree",
        demo / "run",
        demo / "baseline",
        demo / "data" / "ratings.csv",
        "--resamples",
        "0",
        "--markdown",
        tmp_path / "m.md",
    )
    assert code == 0
    assert "baseline" in out
    assert "Krippendorff" in (tmp_path / "m.md").read_text()
    assert [row for _, row in read_rows(demo / "data" / "ratings.csv")]


def test_a_person_with_a_single_instance_breaks_nothing():
    """Without that instance nothing is left of them; the figures of the others stand."""
    rows = [
        {
            "instance": str(k),
            "model": m,
            "skill": s,
            "rater": r,
            "kind": t,
            "score": 1 + (k * 3 + len(m) * 2 + len(s) + len(r)) % 5,
        }
        for k in range(30)
        for m in ("a", "bb", "ccc")
        for s in ("x", "yy")
        for r, t in (("p1", "human"), ("p22", "human"), ("p333", "human"), ("J", "judge"))
        if r != "p333" or k == 0
    ]
    study = fe.agree(fe.read_ratings(pd.DataFrame(rows)), scales={"": (1, 5)})
    for row in study.judge_vs_human:
        for name, (low, high) in row.intervals.items():
            assert abs(low) < 10, (name, row)
            assert abs(high) < 10, (name, row)


def test_fractions_beside_whole_points_are_taken_for_another_scale_and_told():
    """No firm "no" from scales that were never told."""
    rows = [
        {"instance": str(k), "model": m, "skill": "s", "rater": r, "kind": t, "score": score}
        for k in range(40)
        for m in "ab"
        for r, t, score in (
            ("p1", "human", 1 + k % 6),
            ("p2", "human", 1 + (k + 1) % 6),
            ("p3", "human", 1 + (k + 2) % 6),
            ("J", "judge", (k % 10) / 10),
        )
    ]
    study = fe.agree(fe.read_ratings(pd.DataFrame(rows)))
    assert all(row.replaces is None for row in study.replaceability)
    assert any("0-1 is taken" in note for note in study.notes)


def test_variants_of_one_rater_are_told():
    """They are conditions, and averaging them flatters."""
    rows = [{**row, "model": "a", "variant": v} for row in SAMPLE[:40] for v in ("one", "two")]
    keyed = {(r["instance"], r["skill"], r["rater"], r["variant"]): r for r in rows}
    study = fe.agree(fe.read_ratings(pd.DataFrame(keyed.values())), scales={"": (1, 5)}, resamples=0)
    assert any("variants are averaged" in note for note in study.notes)


def test_a_score_beyond_any_scale_is_refused():
    """Before it makes an infinity of a square."""
    rows = [
        {"instance": "1", "skill": "s", "rater": "r", "score": 1e308},
        {"instance": "2", "skill": "s", "rater": "r", "score": 1.0},
    ]
    with pytest.raises(fe.UserError, match=r"beyond 1e\+09"):
        fe.read_ratings(pd.DataFrame(rows))


def test_corrected_scores_come_nearer_to_people_and_are_written(run, tmp_path):
    """A judge that is two points lenient throughout; fitted on other instances than it is applied to."""
    rows = [
        {
            "instance": str(k),
            "model": m,
            "skill": "s",
            "rater": r,
            "kind": t,
            "score": min(10, max(1, 1 + (k * 3) % 7 + shift)),
        }
        for k in range(60)
        for m in "ab"
        for r, t, shift in (("p1", "human", 0), ("p2", "human", k % 2), ("J", "judge", 2))
    ]
    write_jsonl(tmp_path / "r.jsonl", rows)
    code, out, err = run(
        "agree", tmp_path / "r.jsonl", "--scale", "1-10", "--corrected", tmp_path / "c.csv", "--json", "-"
    )
    assert code == 0, err
    (row,) = json.loads(out)["corrections"]
    assert row["error_corrected"] < row["error_raw"] / 2
    table = pd.read_csv(tmp_path / "c.csv")
    assert len(table) == 120
    assert (table["score"] - table["corrected"]).mean() == pytest.approx(1.75, abs=0.1)
