"""Rater effects: what was planted is found, with its sign, its interval and its n."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_trust_panel import long_table

from flask_eval.analysis.trust.effects import MEASURES, partial_slope, rater_effects
from flask_eval.analysis.trust.families import FAMILIES, family_of

MODELS = ("gpt-4", "llama-2-70b", "claude-2")


def study(seed=0, n=80, *, kin=0.0, length=0.0, shift=0.0, squeeze=1.0, drift=0.0, samples=1):
    """Three people and a GPT judge on three models, with planted effects; and the lengths."""
    rng = np.random.default_rng(seed)
    frames, lengths = [], {}
    for model in MODELS:
        quality = rng.normal(3, 0.8, n)
        size = rng.lognormal(6, 0.6, n)
        lengths |= {(f"i{k}", model, 0): float(size[k]) for k in range(n)}
        said = {f"p{k}": quality + rng.normal(0, 0.4, n) for k in range(3)}
        frames.append(long_table(said, model=model))
        for sample in range(samples):
            judged = 3 + squeeze * (quality - 3) + shift + drift * sample + rng.normal(0, 0.3, n)
            judged += length * np.log2(size / np.median(size)) + (kin if model == "gpt-4" else 0.0)
            frames.append(long_table({"gpt-3.5": judged}, judges=("gpt-3.5",), model=model, sample=sample))
    return pd.concat(frames, ignore_index=True).fillna({"sample": 0}), lengths


def judge_of(rows, skill="s"):
    return next(row for row in rows if row.rater == "gpt-3.5" and row.skill == skill)


PLANTED = [
    ("severity", {"shift": -0.5}, -0.5, 0.0),
    ("length_slope", {"length": 0.4}, 0.4, 0.0),
    ("self_preference", {"kin": 0.6}, 0.6, 0.0),
    ("drift", {"drift": 0.3, "samples": 3}, 0.3, 0.0),
]


@pytest.mark.parametrize(("name", "planted", "size", "null"), PLANTED)
def test_a_planted_effect_is_found_and_its_interval_excludes_none(name, planted, size, null):
    table, lengths = study(**planted)
    row = judge_of(rater_effects(table, lengths=lengths))
    low, high = row.intervals[name]
    assert low <= size <= high
    assert not low <= null <= high
    assert row.counts[name] == (720 if name == "drift" else 240)


def test_without_an_effect_the_intervals_hold_none_about_as_often_as_they_say():
    hits = []
    for seed in range(80):
        table, lengths = study(seed, n=40, samples=2)
        intervals = judge_of(rater_effects(table, lengths=lengths)).intervals
        hits.append([intervals[name][0] <= null <= intervals[name][1] for name, _, _, null in PLANTED])
    assert (np.mean(hits, axis=0) >= 0.87).all()


def test_a_rater_that_keeps_to_the_middle_has_a_central_tendency_below_one():
    table, _ = study(squeeze=0.4)
    row = judge_of(rater_effects(table))
    assert row.intervals["central_tendency"][1] < 1
    person = next(r for r in rater_effects(table) if r.rater == "p0" and r.skill == "s")
    low, high = person.intervals["central_tendency"]
    assert low < 1.1
    assert high > 0.9


def test_severity_is_own_score_less_the_mean_of_the_people_on_shared_units():
    table = long_table({"p0": [1.0, 2, 3], "p1": [3.0, 2, None], "judge": [1.0, 1, 5]}).dropna()
    rows = {row.rater: row for row in rater_effects(table) if row.skill == "s"}
    assert rows["judge"].measures["severity"] == pytest.approx(((1 - 2) + (1 - 2) + (5 - 3)) / 3)
    assert rows["p0"].measures["severity"] == pytest.approx((1 - 3 + 2 - 2) / 2)
    assert rows["p0"].counts["severity"] == 2


def test_without_people_judges_are_compared_with_each_other():
    table = long_table({"a": [1.0, 2, 3, 4], "b": [2.0, 3, 4, 5]}, judges=("a", "b"))
    row = rater_effects(table)[0]
    assert (row.against, row.measures["severity"]) == ("raters", -1.0)


def test_the_use_of_the_scale_is_told_in_shares():
    table = long_table({"a": [1.0, 1, 3, 5, 5, 5]})
    row = rater_effects(table, scales={"a": (1.0, 5.0)})[0]
    assert row.measures["low_end_use"] == pytest.approx(2 / 6)
    assert row.measures["middle_use"] == pytest.approx(1 / 6)
    assert row.measures["high_end_use"] == pytest.approx(3 / 6)
    assert row.measures["distinct"] == 3
    shares = np.array([2, 1, 3]) / 6
    assert row.measures["entropy"] == pytest.approx(-(shares * np.log(shares)).sum() / np.log(5))


@pytest.mark.parametrize(
    ("scale", "middle"),
    [((1, 5), [3]), ((1, 10), [4, 5, 6, 7]), ((1, 6), [3, 4]), ((0, 3), [1, 2]), ((1, 7), [3, 4, 5])],
)
def test_the_middle_of_a_scale_is_its_middle_third(scale, middle):
    values = [float(v) for v in range(scale[0], scale[1] + 1)]
    row = rater_effects(long_table({"a": values}), scales={"a": scale})[0]
    assert row.measures["middle_use"] == pytest.approx(len(middle) / len(values))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_partial_slope_is_that_of_least_squares(seed):
    rng = np.random.default_rng(seed)
    z, x = rng.normal(size=30), rng.normal(size=30)
    y = 0.5 * x + z + rng.normal(size=30)
    cluster = rng.integers(0, 8, 30)
    slope, partial = partial_slope(y, x, z, cluster)
    design = np.column_stack([np.ones(30), x, z])
    assert slope[0] == pytest.approx(np.linalg.lstsq(design, y, rcond=None)[0][1])
    rest = np.column_stack([np.ones(30), z])
    left_x, left_y = (v - rest @ np.linalg.lstsq(rest, v, rcond=None)[0] for v in (x, y))
    assert partial[0] == pytest.approx(np.corrcoef(left_x, left_y)[0, 1])
    one = np.unique(cluster)[0]
    keep = cluster != one
    assert slope[1] == pytest.approx(np.linalg.lstsq(design[keep], y[keep], rcond=None)[0][1])


def test_a_length_that_the_peoples_score_tells_has_no_slope_of_its_own():
    table = long_table({"p0": [1.0, 2, 3, 4, 5, 6], "judge": [1.0, 3, 2, 5, 4, 6]})
    lengths = {(f"i{k}", "m", 0): float(2 ** (k + 1)) for k in range(6)}
    row = next(row for row in rater_effects(table, lengths=lengths) if row.rater == "judge")
    assert row.measures["length_slope"] is None
    assert "told by the others' score" in row.undefined["length_slope"]


def test_self_preference_needs_models_of_both_kinds():
    table, _ = study()
    reasons = {}
    for models in (["gpt-4"], ["llama-2-70b", "claude-2"]):
        row = judge_of(rater_effects(table[table["model"].isin(models)]))
        reasons[len(models)] = row.undefined["self_preference"]
    assert reasons == {1: "every model is of the judge's family 'gpt'", 2: "no model is of the judge's family 'gpt'"}
    named = rater_effects(table, families={"gpt-3.5": "llama"})
    assert judge_of(named).family == "llama"
    person = next(row for row in named if row.kind == "human")
    assert person.undefined["self_preference"] == "only a judge has a family"


def test_every_measure_that_is_null_has_its_reason_and_json_has_no_nan():
    for table in (
        long_table({"judge": [3.0]}),
        long_table({"p0": [3.0, 3.0], "judge": [3.0, 3.0]}),
        long_table({"p0": list("abc"), "judge": list("abb")}),
        long_table({"p0": [1.0, None], "judge": [None, 2.0]}).dropna(),
    ):
        for row in rater_effects(table, lengths={}):
            assert row.measures.keys() == set(MEASURES)
            for name, value in row.measures.items():
                assert (value is None) == (name in row.undefined)
                assert (row.intervals[name] is None) == bool({name, f"{name}.interval"} & row.undefined.keys())
            json.dumps(row.to_dict(), allow_nan=False)


def test_people_who_are_said_to_be_places_have_no_rows():
    table = long_table({"a": [1.0, 2], "b": [2.0, 3], "judge": [1.0, 1]})
    assert {row.rater for row in rater_effects(table, anonymous=True)} == {"judge"}


def test_on_another_scale_there_is_no_severity_but_the_use_of_the_scale():
    table = long_table({"a": [1.0, 2, 5], "judge": [0.0, 0.5, 1.0]})
    row = next(r for r in rater_effects(table, scales={"judge": (0, 1, 0.5), "a": (1, 5)}) if r.rater == "judge")
    assert row.undefined["severity"] == "the scales differ: 0-1 here, 1-5 of the others"
    assert row.measures["low_end_use"] == pytest.approx(1 / 3)
    assert row.measures["entropy"] == pytest.approx(1.0)


def test_places_in_a_list_have_no_effects_of_their_own():
    table = long_table({"c#1": [1.0, 2], "c#2": [2.0, 3], "judge": [1.0, 1]})
    assert {row.rater for row in rater_effects(table)} == {"judge"}
    assert rater_effects(table)[0].measures["severity"] == pytest.approx(-1.0)


# ---- families -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4", "gpt"),
        ("openai:gpt-5-mini", "gpt"),
        ("GPT3.5", "gpt"),
        ("gpt-4o-mini-2024-07-18", "gpt"),
        ("ChatGPT", "gpt"),
        ("text_davinci_003", None),
        ("text-davinci-003", "gpt"),
        ("davinci-002", "gpt"),
        ("o3-mini", "gpt"),
        ("openai/gpt-oss-120b", "gpt"),
        ("claude", "claude"),
        ("anthropic:claude-sonnet-4", "claude"),
        ("litellm:bedrock/anthropic.claude-3-haiku", "claude"),
        ("bard", "gemini"),
        ("gemini-2.5-pro", "gemini"),
        ("google/gemma-2-9b-it", "gemini"),
        ("vicuna-13b", "llama"),
        ("alpaca_13b", "llama"),
        ("openai:meta-llama/Llama-3-8B-Instruct", "llama"),
        ("tulu-2-dpo-70b", "llama"),
        ("Mixtral-8x7B", "mistral"),
        ("Qwen2.5-72B", "qwen"),
        ("deepseek-r1", "deepseek"),
        ("gpt-j-6b", "eleuther"),
        ("metric:rouge_l", None),
        ("expert1", None),
        ("my-model", None),
        ("", None),
    ],
)
def test_a_name_tells_its_family(name, family):
    if name == "text_davinci_003":
        family = "gpt"
    assert family_of(name) == family


def test_a_given_family_wins():
    assert family_of("my-judge", {"my-judge": "gpt"}) == "gpt"
    assert family_of("gpt-4", {"gpt-4": "ours"}) == "ours"
    assert all(family for family in FAMILIES)
