"""The noise floor: variance components against the analysis of variance, and the difference that can be told."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_trust_panel import lines, needs

from flask_eval.analysis.trust.noise import COMPONENTS, henderson, noise_floor


def study(rng, instances=60, models=4, samples=3, judges=1, *, sd=None, shift=()):
    """Judges' scores of every model on every instance, with planted standard deviations."""
    sd = {"instance": 0.7, "instance_model": 0.5, "judge": 0.0, "model_judge": 0.0, "sample": 0.6} | (sd or {})
    i, j = rng.normal(0, sd["instance"], instances), rng.normal(0, sd["judge"], judges)
    im, mj = (
        rng.normal(0, sd["instance_model"], (instances, models)),
        rng.normal(0, sd["model_judge"], (models, judges)),
    )
    m = np.array([*shift, *[0.0] * (models - len(shift))])
    index = pd.MultiIndex.from_product([range(instances), range(models), range(judges), range(samples)])
    a, b, c, k = (index.get_level_values(x).to_numpy() for x in range(4))
    score = 3 + i[a] + m[b] + im[a, b] + j[c] + mj[b, c] + rng.normal(0, sd["sample"], len(index))
    return pd.DataFrame(
        {
            "instance": [f"i{x}" for x in a],
            "model": [f"m{x}" for x in b],
            "skill": "s",
            "rater": [f"j{x}" for x in c],
            "kind": "judge",
            "sample": k,
            "score": score,
        }
    )


def anova(table):
    """Components of a balanced instances x models design with repeats, from mean squares (Brennan 2001, table 3.2)."""
    y = table.pivot_table(index="instance", columns=["model", "sample"], values="score").to_numpy()
    instances, models = len(y), table["model"].nunique()
    repeats = table["sample"].nunique()
    y = y.reshape(instances, models, repeats)
    cell, row, column, grand = y.mean(axis=2), y.mean(axis=(1, 2)), y.mean(axis=(0, 2)), y.mean()
    ms_i = models * repeats * ((row - grand) ** 2).sum() / (instances - 1)
    ms_m = instances * repeats * ((column - grand) ** 2).sum() / (models - 1)
    ms_im = repeats * ((cell - row[:, None] - column[None, :] + grand) ** 2).sum() / ((instances - 1) * (models - 1))
    ms_s = ((y - cell[:, :, None]) ** 2).sum() / (instances * models * (repeats - 1))
    return {
        "instance": (ms_i - ms_im) / (models * repeats),
        "model": (ms_m - ms_im) / (instances * repeats),
        "instance_model": (ms_im - ms_s) / repeats,
        "sample": ms_s,
    }


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(3, 12), st.integers(2, 5), st.integers(2, 4))
def test_on_a_balanced_design_the_components_are_those_of_the_analysis_of_variance(seed, instances, models, samples):
    table = study(np.random.default_rng(seed), instances, models, samples)
    row = noise_floor(table)[0]
    for name, value in anova(table).items():
        assert row.components[name] == pytest.approx(max(value, 0.0), abs=1e-9)
        assert (name in row.negative) == (value < -1e-12)


@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_components_are_unbiased_with_and_without_balance(kept):
    rng, found = np.random.default_rng(0), []
    for _ in range(100):
        table = study(rng, 40, 3, 3)
        row = noise_floor(table[rng.random(len(table)) < kept], confidence=None)[0]
        found.append([row.components[name] for name in ("instance", "instance_model", "sample")])
    assert np.mean(found, axis=0) == pytest.approx([0.49, 0.25, 0.36], abs=0.03)


def test_intervals_of_components_cover_what_was_planted():
    rng, hits = np.random.default_rng(1), []
    for _ in range(120):
        row = noise_floor(study(rng, 50, 3, 2))[0]
        truth = {"instance": 0.49, "instance_model": 0.25, "sample": 0.36}
        hits.append([row.intervals[name][0] <= value <= row.intervals[name][1] for name, value in truth.items()])
    assert (np.mean(hits, axis=0) > 0.88).all()


def test_several_judges_have_a_row_together_with_the_judges_own_components():
    rng = np.random.default_rng(2)
    rows = [
        noise_floor(study(rng, 40, 4, 2, 6, sd={"judge": 0.5, "model_judge": 0.3}), confidence=None)[-1]
        for _ in range(30)
    ]
    assert {row.judge for row in rows} == {None}
    assert {row.n_judges for row in rows} == {6}
    assert np.mean([row.components["judge"] for row in rows]) == pytest.approx(0.25, abs=0.06)
    assert np.mean([row.components["model_judge"] for row in rows]) == pytest.approx(0.09, abs=0.03)


def test_judges_that_differ_on_models_set_a_floor_that_no_number_of_instances_takes_away():
    row = noise_floor(study(np.random.default_rng(3), 60, 4, 2, 3, sd={"model_judge": 1.0}))[-1]
    assert row.instances_to_halve is None
    assert "judges differ on models" in row.undefined["instances_to_halve"]


# ---- the smallest difference --------------------------------------------------------------------------------------


def test_the_minimum_detectable_difference_is_found_with_the_power_that_it_says():
    rng = np.random.default_rng(4)
    size = np.mean(
        [noise_floor(study(rng, 40, 2, 2), confidence=None)[0].minimum_detectable_difference for _ in range(60)]
    )
    found = []
    for _ in range(600):
        table = study(rng, 40, 2, 2, shift=(size,))
        mean = table.pivot_table(index="instance", columns="model", values="score")
        found.append(stats.ttest_rel(mean["m0"], mean["m1"]).pvalue < 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_four_times_the_instances_halve_it():
    row = noise_floor(study(np.random.default_rng(5), 100, 3, 2))[0]
    assert 385 <= row.instances_to_halve <= 400


def test_more_samples_halve_it_only_where_the_judges_chance_is_most_of_it():
    noisy = noise_floor(study(np.random.default_rng(6), 200, 3, 2, sd={"instance_model": 0.1, "sample": 1.0}))[0]
    fixed = noisy.components["instance_model"]
    halved = fixed + noisy.components["sample"] / noisy.samples_to_halve
    assert halved <= (fixed + noisy.components["sample"] / 2) / 4
    one_less = fixed + noisy.components["sample"] / (noisy.samples_to_halve - 1)
    assert one_less > (fixed + noisy.components["sample"] / 2) / 4
    calm = noise_floor(study(np.random.default_rng(6), 200, 3, 2, sd={"instance_model": 1.0, "sample": 0.2}))[0]
    assert calm.samples_to_halve is None
    assert "no number does" in calm.undefined["samples_to_halve"]


def test_without_repeats_the_judges_chance_is_null_with_the_reason():
    row = noise_floor(study(np.random.default_rng(7), samples=1))[0]
    assert row.components["sample"] is None
    assert row.samples_to_halve is None
    assert row.undefined["sample"] == "no repeated samples: the judge's chance is inside instance_model"
    assert row.components["instance_model"] == pytest.approx(0.25 + 0.36, abs=0.15)


def test_variants_and_several_responses_have_components_of_their_own():
    rng = np.random.default_rng(8)
    table = study(rng, 40, 3, 2)
    shifted = table.assign(variant="packed", score=table["score"] + 1 + rng.normal(0, 0.1, len(table)))
    row = noise_floor(pd.concat([table.assign(variant=""), shifted]))[0]
    assert row.components["variant"] == pytest.approx(0.5, abs=0.05)
    again = table.assign(response_sample=1, score=table["score"] + rng.normal(0, 1, len(table)))
    row = noise_floor(pd.concat([table.assign(response_sample=0), again]))[0]
    assert row.components["response"] is not None


def test_a_negative_estimate_stands_as_0_and_is_told():
    rng = np.random.default_rng(0)
    for _ in range(50):
        row = noise_floor(study(rng, 20, 3, 2, sd={"instance_model": 0.0}))[0]
        if "instance_model" in row.negative:
            assert row.components["instance_model"] == 0.0
            return
    pytest.fail("no negative estimate in 50 draws")


def test_people_labels_and_pairwise_verdicts_do_not_count():
    table = study(np.random.default_rng(0), 5)
    assert noise_floor(table.assign(kind="human")) == []
    assert noise_floor(table.assign(versus="other")) == []
    assert noise_floor(table.assign(score="a")) == []


@pytest.mark.parametrize(
    ("kwargs", "change", "name", "reason"),
    [
        ({"models": 1}, {}, "minimum_detectable_difference", "one model: there is no difference of two"),
        ({"instances": 1}, {}, "minimum_detectable_difference", "two models share fewer than 2 instances"),
        ({}, {"score": 3.0}, "instance", "all scores are equal"),
        ({"instances": 1, "models": 1, "samples": 1}, {}, "sample", "there is one rating"),
        ({"instances": 2, "models": 2, "samples": 1}, {}, "minimum_detectable_difference.interval", "2 clusters"),
    ],
)
def test_degenerate_designs_give_null_with_the_reason(kwargs, change, name, reason):
    row = noise_floor(study(np.random.default_rng(0), **kwargs).assign(**change))[0].to_dict()
    assert reason in row["undefined"][name]
    for component in COMPONENTS:
        assert (row["components"][component] is None) == (component in row["undefined"])
    json.dumps(row, allow_nan=False)


def test_effects_that_the_design_confounds_are_refused_by_the_equations():
    levels = {"a": np.array([0, 0, 1, 1]), "b": np.array([1, 1, 0, 0]), "sample": np.arange(4)}
    assert henderson(np.array([1.0, 2, 3, 5]), levels) == ({}, "the design does not tell the effects apart")


def test_power_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="power"):
        noise_floor(study(np.random.default_rng(0), 3), power=1.0)


@needs("prometheus_vicuna")
def test_gpt_4s_chance_on_prometheus_vicuna_is_its_variance_within_items():
    rows = [
        (item["question"], item["model"], sample, float(score), len(item["response"]))
        for item in lines("prometheus_vicuna/items.jsonl.gz")
        for sample, score in enumerate(item["scores"])
    ]
    table = pd.DataFrame(rows, columns=["instance", "model", "sample", "score", "size"])
    table = table.assign(skill="overall", rater="gpt-4", kind="judge")
    row = noise_floor(table)[0]
    assert row.components["sample"] == pytest.approx(0.134375, abs=1e-6)  # expected.json, within-item variance, ddof 1
    for name, value in anova(table).items():
        assert row.components[name] == pytest.approx(value, abs=1e-9)
    assert (row.n, row.n_instances, row.n_models, row.samples) == (960, 80, 4, 3.0)
    # the instance, not the judge's chance, is the noise here: more samples cannot halve what can be told
    assert row.samples_to_halve is None
    assert 300 <= row.instances_to_halve <= 320
