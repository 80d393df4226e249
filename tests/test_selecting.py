"""The choice for a mix of skills: its means and tests, and what stands on the front of quality and price."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_report import SKILLS, Page, many, page

from flask_eval.analysis.coding import coded
from flask_eval.analysis.comparing import compare
from flask_eval.analysis.macro import macro_means
from flask_eval.analysis.selecting import select
from flask_eval.analysis.skill_means import leading, skill_means, weights_of
from flask_eval.analysis.slices import slice_scores
from flask_eval.errors import UserError
from flask_eval.ratings import RatingTable, read_ratings
from flask_eval.records import write_jsonl
from flask_eval.reporting import report
from flask_eval.reporting.models_table import ModelsTable, read_models_table
from flask_eval.reporting.selection import chooser
from flask_eval.reporting.selection_data import LETTERS, packed, unpacked
from flask_eval.schema import Instance


def ratings(scores: np.ndarray, *, skip=(), scale: tuple[float, float] | None = (1.0, 5.0)) -> RatingTable:
    """Ratings by one judge from scores[models, skills, instances]; `skip` names (model, skill) pairs without a score."""
    rows = [
        {"instance": str(i), "model": f"m{m}", "skill": f"s{s}", "rater": "judge", "kind": "judge",
         "score": None if (m, s) in skip else float(scores[m, s, i]), "outcome": "refused" if (m, s) in skip else "scored"}
        for m, s, i in np.ndindex(*scores.shape)
    ]  # fmt: skip
    return read_ratings(pd.DataFrame(rows), scales={"judge": scale} if scale else None)


def noisy(models: int = 4, skills: int = 3, instances: int = 60, gap: float = 0.2, seed: int = 1) -> np.ndarray:
    """Scores whose instances, models and skills vary together."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.5, (1, skills, instances)) + rng.normal(0, 0.4, (models, 1, instances))
    own = rng.normal(0, 0.5, (models, skills, instances))
    return (3.5 - gap * np.arange(models)[:, None, None] + shared + own).clip(1, 5)


# ---- means and spread -----------------------------------------------------------------------------------------------


def test_equal_weights_give_the_macro_mean_with_its_interval() -> None:
    data = coded(ratings(noisy()))
    chosen = select(skill_means(data, "judge"))
    rows = {row.model: row for row in macro_means(data, "judge")}
    for choice in chosen.choices:
        row = rows[choice.model]
        assert (choice.mean, choice.low, choice.high) == pytest.approx((row.mean, row.low, row.high), abs=1e-12)
    assert [choice.model for choice in chosen.choices] == [row.model for row in macro_means(data, "judge")]


def test_one_skill_alone_gives_its_own_mean_and_interval() -> None:
    data = coded(many(4, 80))
    rows = {(row.model, row.skill): row for row in slice_scores(data).rows}
    for skill in ("factuality", "metacognition"):
        for choice in select(skill_means(data, "judge"), {skill: 3}).choices:
            row = rows[choice.model, skill]
            assert choice.n == row.n
            if row.mean is not None:
                assert (choice.mean, choice.low, choice.high) == pytest.approx((row.mean, row.low, row.high), abs=1e-12)


def test_differences_agree_with_the_comparison_where_every_model_has_every_score() -> None:
    data = coded(ratings(noisy(models=5, gap=0.08)))
    chosen, made = select(skill_means(data, "judge")), compare(data)
    rows = {row.model: row for row in made.models if row.skill is None}
    assert {c.model: c.mean for c in chosen.choices} == pytest.approx({m: row.mean for m, row in rows.items()})
    assert set(chosen.leaders) == {model for model, row in rows.items() if row.rank_low == 1}
    for choice in chosen.choices:
        assert choice.probability_best == pytest.approx(rows[choice.model].probability_best, abs=0.03)


def test_the_covariance_is_that_of_the_means_over_repeated_samples() -> None:
    """The mean of the estimate over 400 samples against the means' own covariance over them."""
    drawn = [skill_means(coded(ratings(noisy(2, 2, 25, seed=seed))), "judge") for seed in range(400)]
    real = np.cov(np.array([one.mean.ravel() for one in drawn]).T)
    told = np.mean([one.covariance for one in drawn], axis=0)
    assert told == pytest.approx(real, abs=0.2 * real.max())
    assert real[0, 2] > 0.1 * real[0, 0]  # same skill, two models: shared instances
    assert real[0, 1] > 0.1 * real[0, 0]  # same model, two skills


def test_clusters_of_instances_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    scores = np.repeat(rng.normal(3, 0.6, 12), 5).clip(1, 5)
    frame = pd.DataFrame(
        {
            "instance": [str(k) for k in range(60)],
            "model": "a",
            "skill": "s",
            "rater": "judge",
            "kind": "judge",
            "score": scores,
        }
    )
    single = select(skill_means(coded(read_ratings(frame)), "judge")).choices[0]
    own = [Instance(id=str(k), instruction="?", cluster=str(k // 5)) for k in range(60)]
    means = skill_means(coded(read_ratings(frame, instances=own)), "judge")
    grouped = select(means).choices[0]
    assert means.clusters.tolist() == [[12]]
    assert grouped.high - grouped.low > 1.8 * (single.high - single.low)


# ---- the choice -----------------------------------------------------------------------------------------------------


def test_weights_change_who_is_best() -> None:
    scores = noisy(2, 2, 100, gap=0)
    scores[0, 0] += 1
    scores[1, 1] += 1
    means = skill_means(coded(ratings(scores)), "judge")
    assert select(means, {"s0": 1}).leaders == ("m0",)
    assert select(means, {"s1": 1, "s0": 0}).leaders == ("m1",)
    assert select(means, {"s0": 9, "s1": 1}).weights == {"s0": 0.9, "s1": 0.1}
    assert select(means, {"s0": 1}).clear
    assert select(means, {"s0": 1}).choices[0].probability_best > 0.99


def test_identical_models_are_seldom_told_apart() -> None:
    """Eight models without a difference: at most 5% of 200 choices call any pair different (99.9% bound of 5%: 20)."""
    wrong = sum(
        len(select(skill_means(coded(ratings(noisy(8, 2, 40, gap=0, seed=seed))), "judge"), draws=1).leaders) < 8
        for seed in range(200)
    )
    assert wrong <= 20


def test_a_model_without_a_score_that_counts_is_not_ranked_and_says_why() -> None:
    means = skill_means(coded(ratings(noisy(), skip={(0, 1)})), "judge")
    chosen = select(means, {"s0": 1, "s1": 1})
    last = chosen.choices[-1]
    assert (last.model, last.mean, last.rank, last.probability_best) == ("m0", None, None, None)
    assert set(last.undefined.values()) == {"no score in s1"}
    assert [choice.rank for choice in chosen.choices[:3]] == [1, 2, 3]
    assert select(means).weights == {"s0": 0.5, "s1": 0.0, "s2": 0.5}  # by default a skill counts that all have


def test_nothing_to_tell_is_told_as_such() -> None:
    alone = select(skill_means(coded(ratings(noisy(models=1))), "judge"))
    assert alone.leaders == ()
    assert "no other model" in alone.choices[0].undefined["probability_best"]
    one = select(skill_means(coded(ratings(noisy(instances=1))), "judge"))
    assert one.leaders == ()
    assert all(choice.low is None and "one instance" in choice.undefined["low"] for choice in one.choices)
    equal = select(skill_means(coded(ratings(np.full((2, 2, 20), 4.0))), "judge"))
    assert all(choice.low is None and choice.probability_best is None for choice in equal.choices)
    assert not equal.clear
    absent = select(skill_means(coded(ratings(noisy(1, 2), skip={(0, 0), (0, 1)})), "judge"))
    assert absent.choices[0].mean is None
    assert absent.choices[0].undefined["mean"] == "no score in s0, s1"
    plain = select(skill_means(coded(ratings(noisy())), "judge"), draws=0)
    assert plain.choices[0].undefined == dict.fromkeys(("low", "high", "probability_best"), "not asked for")
    assert json.dumps(alone.to_dict(), allow_nan=False)


def test_the_best_of_many_models_are_kept_and_tested_as_many() -> None:
    data = coded(ratings(noisy(models=6)))
    assert leading(data, "judge", 3) == ("m0", "m1", "m2")
    few = select(skill_means(data, "judge", ("m0", "m1", "m2")))
    whole = select(skill_means(data, "judge"))
    assert few.tests == whole.tests == 15
    assert [(c.model, c.mean, c.low) for c in few.choices] == [(c.model, c.mean, c.low) for c in whole.choices[:3]]


def test_the_front_keeps_what_nothing_beats() -> None:
    means = skill_means(coded(ratings(noisy(5, gap=0.3))), "judge")
    prices = {"m0": 30.0, "m1": 2.0, "m2": 3.0, "m3": 1.0}
    found = {choice.model: choice for choice in select(means, prices=prices).choices}
    assert {model for model, choice in found.items() if choice.on_front} == {"m0", "m1", "m3"}
    assert (found["m2"].beaten_by, found["m2"].beaten_clearly) == ("m1", True)
    assert (found["m4"].on_front, found["m4"].price) == (None, None)
    with_speed = {
        c.model: c for c in select(means, prices=prices, speeds={"m0": 10, "m1": 10, "m2": 90, "m3": 10}).choices
    }
    assert with_speed["m2"].on_front
    near = skill_means(coded(ratings(noisy(2, gap=0.01))), "judge")
    beaten = {c.model: c for c in select(near, prices={"m0": 1, "m1": 1}).choices if c.beaten_by}
    assert [choice.beaten_clearly for choice in beaten.values()] == [False]


# ---- what the user writes -------------------------------------------------------------------------------------------

TITLES = {"factuality": "Factuality", "logical_correctness": "Logical Correctness"}


def test_weights_are_read_by_slug_or_title() -> None:
    assert weights_of("Logical correctness=2, factuality=0.5", TITLES) == {"logical_correctness": 2, "factuality": 0.5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("factuality=-1", "at least 0"),
        ("factuality", "SKILL=W"),
        ("factuality=nan", "SKILL=W"),
        ("factuality=inf", "SKILL=W"),
        ("factualty=1", "did you mean 'factuality'"),
        ("factuality=1,Factuality=2", "named twice"),
        ("factuality=0", "above 0"),
        ("", "above 0"),
    ],
)
def test_weights_that_are_none_are_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        weights_of(text, TITLES)


def test_a_table_of_models_keeps_its_units_and_gaps(tmp_path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("model,price (USD/1M),speed\na,3,\nb,,80\nc,0,1e2\n", encoding="utf-8")
    made = read_models_table(path)
    assert (made.prices, made.speeds, made.price_unit, made.speed_unit) == (
        {"a": 3, "c": 0},
        {"b": 80, "c": 100},
        "USD/1M",
        "",
    )
    notes = made.notes(["a", "b", "d"])
    assert "The models table names 'c', which is not rated." in notes
    assert any("No price is known for b and d" in note for note in notes)
    write_jsonl(tmp_path / "p.jsonl", [{"model": "a", "price": 3}])
    assert read_models_table(tmp_path / "p.jsonl").prices == {"a": 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model,price\na,cheap\n", "p.csv:2: price is 'cheap'"),
        ("model,price\na,1\nb,-2\n", "p.csv:3: price is '-2'"),
        ("model,price\na,1\na,2\n", "p.csv:3: model 'a' stands twice"),
        ("name,price\na,1\n", "no 'model'"),
        ("model,prize\na,1\n", "did you mean 'price'"),
        ("model,price,Price (EUR)\na,1,2\n", "both a price"),
    ],
)
def test_a_broken_table_of_models_names_its_line(tmp_path, run, text: str, words: str) -> None:
    path, scores = tmp_path / "p.csv", tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    scores.write_text("instance,model,skill,rater,score\n1,a,s,j,3\n", encoding="utf-8")
    code, _, said = run("report", scores, "--models-table", path, "-o", tmp_path / "r.html")
    assert (code, (tmp_path / "r.html").exists()) == (2, False)
    assert words in said


# ---- the page -------------------------------------------------------------------------------------------------------


def test_the_page_holds_the_choice_without_a_script(tmp_path, run) -> None:
    scores, prices = tmp_path / "r.jsonl", tmp_path / "p.csv"
    rows = ratings(noisy(3)).ratings[["instance", "model", "skill", "rater", "kind", "score"]]
    write_jsonl(scores, rows.to_dict("records"))
    prices.write_text("model,price (USD/1M)\nm0,9\nm1,2\nm9,1\n", encoding="utf-8")
    out = tmp_path / "r.html"
    code, _, said = run(
        "report", scores, "--weights", "s0=3,S1=1", "--models-table", prices, "-o", out, "--json", tmp_path / "r.json"
    )
    assert code == 0, said
    assert "'m9', which is not rated" in said
    made = Page(out)
    for words in (
        "Weights: S0 75% and S1 25%.",
        "Skills that are not named weigh nothing.",
        "Price (USD/1M)",
        "No price is known for m2",
    ):
        assert words in made.text
    record = json.loads((tmp_path / "r.json").read_text())["selection"]
    assert record["weights"] == {"s0": 0.75, "s1": 0.25, "s2": 0.0}
    assert [choice["on_front"] for choice in sorted(record["choices"], key=lambda c: c["model"])] == [True, True, None]


def test_weights_that_the_rater_has_not_rated_are_refused(tmp_path, run) -> None:
    path = tmp_path / "r.csv"
    path.write_text("instance,model,skill,rater,kind,score\n1,a,s,j,judge,3\n1,a,t,k,judge,3\n", encoding="utf-8")
    code, _, said = run("report", path, "--weights", "t=1", "-o", tmp_path / "r.html")
    assert code == 2
    assert "has rated none of t" in said


def test_pages_with_nothing_to_choose_say_so(tmp_path) -> None:
    single = page(many(1, 40), tmp_path)
    assert "there is no other model to rank" in single.text
    assert not any(attrs.get("id") == "choose-form" for attrs in single.all("form"))
    absent = page(ratings(noisy(2, 2), skip={(m, s) for m in range(2) for s in range(2)}), tmp_path)
    assert "No model has a score in every skill that counts." in absent.text
    several = page(many(3, 40, raters=("judge", "other")), tmp_path)
    assert "By one rater alone: the judge judge." in several.text
    many_models = page(many(25, 40), tmp_path)
    assert "These are the 20 models of 25" in many_models.text


def test_a_page_of_fifteen_models_with_prices_stays_below_200_kb(tmp_path) -> None:
    prices = ModelsTable({f"model-{k}": 1.5 * k + 0.25 for k in range(15)}, {}, "USD/1M output tokens")
    path = report(many(15, 200), path=tmp_path / "r.html", models_table=prices)
    assert path.stat().st_size < 200_000
    text = re.search(
        r'<script type="application/json" id="selection">(.*?)</script>', path.read_text(encoding="utf-8")
    )[1]
    embedded = json.loads(text)
    assert len(text) < 40_000
    assert len(embedded["shares"]) == len(SKILLS)


@pytest.mark.parametrize(("models", "skills", "digits"), [(15, 12, 1), (4, 3, 2)])
def test_what_the_page_computes_with_is_close_to_the_exact_covariance(models: int, skills: int, digits: int) -> None:
    """Each angle is off by half a step at most, and so a correlation by no more; probabilities of being best by less than .03."""
    data = coded(ratings(noisy(models, skills, 80, gap=0.03)))
    exact = skill_means(data, "judge")
    errors = np.sqrt(np.diag(exact.covariance))
    text, used = packed(exact.covariance)
    assert used == digits
    assert not set(text) & set("<>&\"'\\") - {"'"}
    back = unpacked(text, used, errors.tolist())
    step = np.pi / (len(LETTERS) ** digits - 1)
    assert np.abs(back - exact.covariance).max() <= (step / 2 + 1e-12) * np.outer(errors, errors).max()
    told = replace(exact, covariance=back)
    for weights in (None, {"s0": 1}, {"s0": 3, "s1": 1}):
        one, other = select(exact, weights), select(told, weights)
        chances = {c.model: c.probability_best for c in one.choices}
        assert {c.model: c.probability_best for c in other.choices} == pytest.approx(chances, abs=0.03)
        assert [c.high - c.low for c in other.choices] == pytest.approx([c.high - c.low for c in one.choices], rel=0.03)


def test_the_first_judge_is_chosen_for_not_a_metric() -> None:
    rows = [
        {"instance": str(k), "model": m, "skill": "s", "rater": r, "kind": kind, "score": float(k % 3)}
        for k in range(12) for m in ("a", "b") for r, kind in (("rouge", "metric"), ("gpt", "judge"))
    ]  # fmt: skip
    data = coded(read_ratings(pd.DataFrame(rows)))
    made = chooser(data, ["rouge", "gpt"], None, None, confidence=0.95, resamples=1000, seed=0)
    assert made.selection.rater == "gpt"
    assert made.groups == ()  # one skill: nothing to weigh


def test_the_function_takes_the_table_of_models_as_a_file(tmp_path) -> None:
    (tmp_path / "p.csv").write_text("model,speed (tokens/s)\nmodel-0,10\nmodel-1,30\n", encoding="utf-8")
    made = page(many(3, 60), tmp_path, models_table=tmp_path / "p.csv", weights={"factuality": 1})
    assert "Speed (tokens/s)" in made.text
    assert "Quality against speed" in made.text
    assert "No speed is known for model-2" in made.text
