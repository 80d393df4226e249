"""`flask-eval compare`: the answer in a screen of text, the record, and the gates of a CI job."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flask_eval.records import write_jsonl

SKILLS = ("factuality", "readability", "conciseness")


def write_ratings(path, models, *, n=60, skills=SKILLS, rater="judge", seed=1, missing=(), noise=0.6):
    """Ratings 1-5 of `models` = {name: mean}, the same instances for all; `missing`: (model, skill) without a score."""
    chance = np.random.default_rng(seed)
    ease = chance.normal(0, 0.5, n)
    rows = []
    for model, mean in models.items():
        for skill in skills:
            for k in range(n):
                score = float(np.clip(round(mean + ease[k] + chance.normal(0, noise)), 1, 5))
                row = {
                    "instance": str(k),
                    "model": model,
                    "skill": skill,
                    "rater": rater,
                    "kind": "judge",
                    "score": score,
                }
                if (model, skill) in missing:
                    row |= {"score": None, "outcome": "refused"}
                rows.append(row)
    write_jsonl(path, rows)
    return path


@pytest.fixture
def two(tmp_path):
    """Ratings of two models, the second clearly better."""
    return write_ratings(tmp_path / "r.jsonl", {"old": 3.0, "new": 3.8})


def record(run, *words):
    """The exit code and the JSON record of a command."""
    code, out, err = run("compare", *words, "--json", "-")
    return code, json.loads(out), err


# ---- the screen ---------------------------------------------------------------------------------------------------


def test_two_models_get_their_answer_in_one_screen(run, two):
    """Is the second better than the first, and on what?"""
    code, out, _ = run("compare", two, "--models", "old,new", "--scale", "1-5")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("Is new better than old?")
    assert "Yes: new scores higher than old, +0." in out
    assert sum(line.startswith(("Factuality", "Readability", "Conciseness")) for line in lines) == 3
    assert len(lines) <= 24
    assert all(len(line) <= 100 for line in lines)


def test_the_order_of_the_names_is_the_question(run, two):
    """Asked the other way round, the answer is no, with the sign turned."""
    _, out, _ = run("compare", two, "--models", "new,old", "--scale", "1-5")
    assert out.splitlines()[0].startswith("Is old better than new?")
    assert "No: old scores lower than new, \u22120." in out


def test_without_a_margin_equal_models_are_not_called_tied(run, tmp_path):
    """Not separated is not equal, and the screen tells how to ask for more."""
    path = write_ratings(tmp_path / "r.jsonl", {"a": 3.0, "b": 3.0})
    _, out, _ = run("compare", path, "--scale", "1-5")
    assert "Not separated" in out
    assert "power of 80%" in out
    assert "--margin X" in out
    assert " tied" not in out.split("Method:")[0]


def test_with_a_margin_equal_models_are_tied(run, tmp_path):
    """Equivalence is shown, not assumed."""
    path = write_ratings(tmp_path / "r.jsonl", {"a": 3.0, "b": 3.0}, n=400)
    _, out, _ = run("compare", path, "--scale", "1-5", "--margin", "0.3")
    assert "tied within ±0.3" in out


def test_many_models_are_ranked_with_ranges(run, tmp_path):
    """Two groups: the ranges say so, and no single best is claimed."""
    path = write_ratings(tmp_path / "r.jsonl", {"a": 4.0, "b": 4.0, "c": 2.5, "d": 2.5}, n=100)
    code, out, _ = run("compare", path, "--scale", "1-5")
    assert code == 0
    assert "No single best: " in out
    assert "1\u20132" in out
    assert "3\u20134" in out
    assert "4 of 6 pairs separated" in out


def test_a_clear_winner_is_called_best(run, tmp_path):
    """Significantly better than every other after correction."""
    path = write_ratings(tmp_path / "r.jsonl", {"a": 4.2, "b": 3.0, "c": 2.5}, n=100)
    _, out, _ = run("compare", path, "--scale", "1-5")
    assert "Best: a, " in out


def test_hostile_names_cannot_act_on_a_terminal(run, tmp_path):
    """Escapes and overrides of direction are shown, not obeyed."""
    path = write_ratings(tmp_path / "r.jsonl", {"a\x1b[31m": 3.0, "b\u202e": 3.8})
    _, out, err = run("compare", path, "--scale", "1-5")
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err


def test_thin_coverage_is_said(run, tmp_path):
    """Refused scores are not compared, and that is told."""
    path = write_ratings(tmp_path / "r.jsonl", {"a": 3.0, "b": 3.0}, missing={("b", "factuality")})
    _, _, err = run("compare", path, "--scale", "1-5")
    assert "Coverage below 95%: b 66.7%" in err


# ---- the record ---------------------------------------------------------------------------------------------------


def test_the_record_has_the_agreed_keys(run, two):
    """Other people's scripts read them."""
    code, found, _ = record(run, two, "--scale", "1-5")
    assert code == 0
    assert {"models", "pairs", "gates", "method", "seed"} <= set(found)
    model = {"model", "skill", "mean", "low", "high", "rank", "rank_low", "rank_high", "tied_with", "not_separated_from", "probability_best"}  # fmt: skip
    pair = {"a", "b", "skill", "slice", "difference", "low", "high", "p", "q", "adjust", "n", "equivalent"}
    assert all(model <= set(row) for row in found["models"])
    assert all(pair <= set(row) for row in found["pairs"])
    assert [row["skill"] for row in found["pairs"]].count(None) == 1
    assert {row["adjust"] for row in found["pairs"]} == {"holm"}


def test_by_and_slice_add_parts(run, two, tmp_path):
    """Within parts, and relative to elsewhere."""
    instances = [
        {"id": str(k), "instruction": "?", "annotation": {"difficulty": 1 + k % 2, "skills": []}} for k in range(60)
    ]
    write_jsonl(tmp_path / "i.jsonl", instances)
    (tmp_path / "hard.txt").write_text("\n".join(str(k) for k in range(0, 60, 3)))
    code, found, _ = record(
        run, two, "--scale", "1-5", "--instances", tmp_path / "i.jsonl", "--by", "difficulty", "--slice", tmp_path / "hard.txt"
    )  # fmt: skip
    assert code == 0
    parts = {row["slice"] for row in found["pairs"]}
    assert {"difficulty=1", "difficulty=2"} <= parts
    assert any(part and part.startswith("hard") for part in parts)
    assert {row["dimension"] for row in found["interactions"]} >= {"difficulty"}


def test_markdown_holds_every_pair(run, two, tmp_path):
    """Tables for an appendix."""
    code, _, _ = run("compare", two, "--scale", "1-5", "--markdown", tmp_path / "c.md")
    text = (tmp_path / "c.md").read_text()
    assert code == 0
    assert text.count("| new | old |") == 4
    assert "### Alternatives to the mean" in text


# ---- gates --------------------------------------------------------------------------------------------------------


def test_a_mean_below_its_threshold_fails(run, two):
    """Exit 1, and a line that names the model; the record is written all the same."""
    code, found, err = record(run, two, "--scale", "1-5", "--fail-under", "overall=3.5,Factuality=1")
    assert code == 1
    assert "missed: 'old' overall has 2.9" in err
    assert "'new'" not in err
    assert {(gate["model"], gate["skill"], gate["passed"]) for gate in found["gates"]} == {
        ("old", None, False), ("new", None, True), ("old", "factuality", True), ("new", "factuality", True),
    }  # fmt: skip


def test_means_above_their_thresholds_pass(run, two):
    """Exit 0, and no line."""
    code, _, err = run("compare", two, "--scale", "1-5", "--fail-under", "overall=2")
    assert code == 0
    assert "missed" not in err


def test_a_missing_score_is_no_pass(run, tmp_path):
    """A model that refused a whole skill does not reach a threshold for it."""
    path = write_ratings(tmp_path / "r.jsonl", {"a": 4.0}, missing={("a", "factuality")})
    code, _, err = run("compare", path, "--scale", "1-5", "--fail-under", "factuality=1")
    assert code == 1
    assert "has no mean, and a missing score is no pass" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("factualty=3", "did you mean 'factuality'"),
        ("factuality", "write SKILL=X"),
        ("factuality=high", "write SKILL=X"),
        ("factuality=nan", "write SKILL=X"),
        (",", "write SKILL=X"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(run, two, text, said):
    """Exit 2, one line, nothing compared."""
    code, out, err = run("compare", two, "--fail-under", text)
    assert (code, out) == (2, "")
    assert said in err


def test_a_loss_against_the_baseline_fails(run, tmp_path):
    """The model under its old name, rated again."""
    before = write_ratings(tmp_path / "before.jsonl", {"m": 3.8})
    now = write_ratings(tmp_path / "now.jsonl", {"m": 3.0}, seed=1)
    code, found, err = record(run, now, "--scale", "1-5", "--fail-if-worse-than", before)
    assert code == 1
    assert "'m' overall is worse than the baseline by 0." in err
    assert not all(gate["passed"] for gate in found["gates"])


def test_no_loss_passes_and_tells_what_could_have_been_missed(run, tmp_path):
    """Not separated is a pass, with the difference that would have been found."""
    before = write_ratings(tmp_path / "before.jsonl", {"m": 3.5})
    now = write_ratings(tmp_path / "now.jsonl", {"m": 3.6}, seed=1)
    code, _, err = run("compare", now, "--scale", "1-5", "--fail-if-worse-than", before)
    assert code == 0
    assert "kept: 'm' overall is not shown to be worse" in err
    assert "would have been found (power 80%)" in err


def test_one_model_on_each_side_is_matched_whatever_its_name(run, tmp_path):
    """A candidate against what is in production."""
    before = write_ratings(tmp_path / "before.jsonl", {"prod": 3.8})
    now = write_ratings(tmp_path / "now.jsonl", {"candidate": 3.0})
    code, _, err = run("compare", now, "--scale", "1-5", "--fail-if-worse-than", before)
    assert code == 1
    assert "'candidate' overall is worse" in err


def test_models_that_cannot_be_matched_are_refused(run, tmp_path):
    """Two candidates and two others: nobody knows who is whose baseline."""
    before = write_ratings(tmp_path / "before.jsonl", {"a": 3.8, "b": 3.8})
    now = write_ratings(tmp_path / "now.jsonl", {"c": 3.0, "d": 3.0})
    code, _, err = run("compare", now, "--fail-if-worse-than", before)
    assert code == 2
    assert "pick one on each side by --model" in err


def test_another_judge_is_no_baseline(run, tmp_path):
    """Scores of different raters cannot be compared."""
    before = write_ratings(tmp_path / "before.jsonl", {"m": 3.8}, rater="other")
    now = write_ratings(tmp_path / "now.jsonl", {"m": 3.0})
    code, _, err = run("compare", now, "--fail-if-worse-than", before)
    assert code == 2
    assert "score both with the same judge" in err


# ---- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--models", "old"), "name at least two different models"),
        (("--models", "old,old"), "name at least two different models"),
        (("--models", "old,nwe"), "did you mean 'new'"),
        (("--models", "old,new", "--model", "old"), "give one of them"),
        (("--margin", "0"), "--margin"),
        (("--adjust", "bonferroni"), "--adjust"),
        (("--by", "difficulty"), "give the instances with --instances"),
    ],
)
def test_options_that_do_not_fit_are_one_line(run, two, words, said):
    """Exit 2, what is wrong and what to do."""
    code, out, err = run("compare", two, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_labels_are_no_scores(run, tmp_path):
    """A nominal scale has nothing to compare by means; said, not failed."""
    rows = [
        {"instance": str(k), "model": m, "skill": "s", "rater": "p", "score": "yes"} for k in range(5) for m in "ab"
    ]
    write_jsonl(tmp_path / "r.jsonl", rows)
    code, out, _ = run("compare", tmp_path / "r.jsonl")
    assert code == 0
    assert "Nothing to compare" in out or "label" in out
