"""Prediction-powered means against ppi-python, their coverage, and what they refuse."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_trust_panel import lines, long_table, needs

from flask_eval.analysis.trust.ppi import (
    FEWEST_TO_TUNE,
    calibrated_differences,
    calibrated_means,
    ppi_mean,
    tuned_lambda,
)

# Fixtures from ppi-python 0.2.3 (numba, so no dependency of ours). The recipe, in an environment of its own:
#   pip install ppi-python
#   ppi_mean_pointestimate(y, f, u, lam=lam), ppi_mean_ci(y, f, u, alpha=0.05, lam=lam)   with y, f, u = curve(n, N)
# lam None is tuned: _calc_lam_glm(y[:, None], f[:, None], u[:, None], np.eye(1), clip=True).
POINTS = [
    # n, N, lam, mean, low, high
    (12, 30, None, 2.9928883329229214, 2.467095351541615, 3.518681314304228),
    (12, 30, 0.0, 2.9730000000000003, 2.2334797915772455, 3.712520208422755),
    (12, 30, 0.5, 2.9873666666666665, 2.4803783278559766, 3.4943550054773564),
    (12, 30, 1.0, 3.0017333333333327, 2.3242760001117047, 3.6791906665549607),
    (50, 450, None, 2.882468159619768, 2.64983302547283, 3.1151032937667056),
    (50, 450, 0.0, 2.9427999999999996, 2.603110264795802, 3.282489735204197),
    (50, 450, 0.5, 2.898696666666667, 2.661455169563687, 3.1359381637696466),
    (50, 450, 1.0, 2.8545933333333338, 2.5807467183578736, 3.128439948308794),
    (400, 1200, None, 2.8944035867670674, 2.806201849207395, 2.98260532432674),
    (400, 1200, 0.0, 2.9195775000000004, 2.8023508172758462, 3.0368041827241545),
    (400, 1200, 0.5, 2.8959804166666667, 2.8076773813323985, 2.984283452000935),
    (400, 1200, 1.0, 2.8723833333333335, 2.7605988719751986, 2.9841677946914684),
]
LAMBDAS = [(12, 30, 0.6921693592664061), (50, 450, 0.6839827720531235), (400, 1200, 0.5334115423784466)]


def curve(n, more):
    """Labels, the judge's scores on labelled, and on other instances; the same on every machine."""
    i = np.arange(n + more)
    f = np.round(3 + 1.6 * np.sin(1.3 * i) + 0.9 * np.sin(0.37 * i * i), 3)
    y = np.round(0.8 + 0.7 * f + 1.1 * np.cos(2.1 * i + 0.5), 3)
    return y[:n], f[:n], f[n:]


def together(y, f, u):
    return np.concatenate([y, np.full(len(u), np.nan)]), np.concatenate([f, u])


# ---- ppi-python ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "more", "lam", "mean", "low", "high"), POINTS)
def test_the_mean_is_that_of_ppi_python(n, more, lam, mean, low, high):
    made = ppi_mean(*together(*curve(n, more)), lam=lam)
    assert made.mean == pytest.approx(mean, abs=1e-9)
    # ours has t quantiles and counts lost degrees of freedom, which matters less the more labels there are
    wider = (made.high - made.low) / (high - low)
    assert 1.0 <= wider < {12: 1.35, 50: 1.06, 400: 1.006}[n]


@pytest.mark.parametrize(("n", "more", "lam"), LAMBDAS)
def test_lambda_is_tuned_as_in_ppi_python(n, more, lam):
    assert tuned_lambda(*together(*curve(n, more))) == pytest.approx(lam, abs=1e-12)


@pytest.mark.parametrize(
    ("lam", "mean"), [(0.0, 2.9491724617524335), (0.5, 2.9091812837273983), (1.0, 2.869190105702364)]
)
def test_the_weighted_mean_is_that_of_ppi_python(lam, mean):
    # ppi_mean_pointestimate(y, f, np.r_[f, u], lam=lam, w=w): the judge's side is the whole frame
    human, judge = together(*curve(50, 450))
    chance = 0.05 + 0.1 * (np.arange(500) % 4 + 1) / 4
    assert ppi_mean(human, judge, lam=lam, weights=1 / chance).mean == pytest.approx(mean, abs=1e-9)


# ---- properties ---------------------------------------------------------------------------------------------------

samples = st.integers(0, 100_000).map(np.random.default_rng)


@settings(deadline=None, max_examples=60)
@given(samples, st.integers(10, 40), st.integers(1, 60), st.floats(-1, 1))
def test_it_is_never_wider_than_the_labels_alone(rng, n, more, quality):
    y = rng.normal(size=n + more)
    f = quality * y + rng.normal(size=n + more)
    human = np.where(np.arange(n + more) < n, y, np.nan)
    made = ppi_mean(human, f)
    low, high = stats.t.interval(0.95, n - 1, y[:n].mean(), stats.sem(y[:n]))
    assert made.high - made.low <= (high - low) * (1 + 1e-9)
    assert 0 <= made.lam <= 1


@settings(deadline=None, max_examples=40)
@given(samples, st.floats(-3, 3), st.floats(0.2, 4), st.floats(-3, 3))
def test_moving_the_labels_moves_the_mean_and_moving_the_judge_moves_nothing(rng, shift, stretch, bias):
    human, judge = together(rng.normal(size=20), rng.normal(size=20), rng.normal(size=50))
    base = ppi_mean(human, judge, lam=0.4)
    moved = ppi_mean(human + shift, judge + bias, lam=0.4)
    assert (moved.mean - shift, moved.high - moved.low) == pytest.approx((base.mean, base.high - base.low))
    stretched = ppi_mean(human * stretch, judge * stretch)
    assert stretched.mean == pytest.approx(ppi_mean(human, judge).mean * stretch)


def test_with_lambda_0_or_everything_labelled_it_is_the_t_interval_of_the_labels():
    y = np.random.default_rng(0).normal(size=30)
    expected = stats.t.interval(0.95, 29, y.mean(), stats.sem(y))
    for made in (ppi_mean(y, y), ppi_mean(*together(y, np.ones(30), np.ones(100)))):
        assert (made.low, made.high) == pytest.approx(expected)
        assert made.lam == 0.0
    assert made.p == pytest.approx(stats.ttest_1samp(y, 0).pvalue)


def test_equal_weights_are_a_random_sample():
    human, judge = together(*curve(50, 450))
    even, plain = ppi_mean(human, judge, weights=np.full(500, 7.0)), ppi_mean(human, judge)
    # the weighted lambda is per whole frame, the other per rest: N / (n + N) apart
    assert even.mean == pytest.approx(plain.mean, abs=5e-3)
    assert even.high - even.low == pytest.approx(plain.high - plain.low, rel=0.05)


def test_few_labels_stand_alone():
    human, judge = together(*curve(FEWEST_TO_TUNE - 1, 50))
    assert ppi_mean(human, judge).lam == 0.0


def test_instances_of_one_cluster_count_as_one():
    human, judge = together(*curve(40, 200))
    fourfold = [np.repeat(x, 4) for x in (human, judge)]
    cluster = np.repeat(np.arange(240), 4)
    once, again = ppi_mean(human, judge, lam=0.5), ppi_mean(*fourfold, lam=0.5, cluster=cluster)
    assert again[:3] == pytest.approx(once[:3])
    naive = ppi_mean(*fourfold, lam=0.5)
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


def test_shapes_and_gaps_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        ppi_mean(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="score everywhere"):
        ppi_mean(np.ones(2), np.array([1.0, np.nan]))


# ---- coverage (2,000 draws and more settings: benchmarks/trust_ppi.py) --------------------------------------------


@pytest.mark.parametrize("n", [20, 50])
@pytest.mark.parametrize("quality", [0.0, 0.6])
def test_intervals_cover_and_are_on_average_no_wider(n, quality):
    rng, hits, widths = np.random.default_rng(n), [], []
    for _ in range(1500):
        y = rng.normal(size=n + 300)
        f = quality * y + np.sqrt(1 - quality**2) * rng.normal(size=n + 300) + 0.5
        human = np.where(np.arange(n + 300) < n, y, np.nan)
        made, alone = ppi_mean(human, f), ppi_mean(human[:n], f[:n])
        hits.append(made.low <= 0 <= made.high)
        widths.append((made.high - made.low) / (alone.high - alone.low))
    assert 0.93 <= np.mean(hits) <= 0.97
    assert np.mean(widths) <= 1
    if quality:
        assert np.mean(widths) < 0.92


# ---- rows ---------------------------------------------------------------------------------------------------------


def study(rng=None, n=60, labelled=25, models=("a", "b"), bias=1.0):
    """Two people who looked at some instances, a judge who scored all, for each model."""
    rng = rng or np.random.default_rng(0)
    frames = []
    easy = rng.normal(size=n)
    for k, model in enumerate(models):
        truth = 3 + 0.5 * k + easy + 0.5 * rng.normal(size=n)
        said = {
            f"p{p}": [*(truth[:labelled] + 0.2 * rng.normal(size=labelled)), *[None] * (n - labelled)] for p in range(2)
        }
        frames.append(long_table(said | {"judge": truth + bias + 0.3 * rng.normal(size=n)}, model=model))
    return pd.concat(frames).dropna(subset=["score"])


def test_each_model_is_estimated_on_its_own_and_the_judges_bias_is_taken_out():
    rows = calibrated_means(study(), labelled="random")
    assert [(row.model, row.n_human, row.n_judge) for row in rows] == [("a", 25, 60), ("b", 25, 60)]
    for row in rows:
        assert row.low < row.mean < row.high
        assert row.judge_mean - row.mean == pytest.approx(1.0, abs=0.2)
        assert row.high - row.low < 0.9
    keys = {
        "model",
        "skill",
        "mean",
        "low",
        "high",
        "judge_mean",
        "n_human",
        "n_judge",
        "lambda",
        "method",
        "undefined",
    }
    assert keys <= rows[0].to_dict().keys()
    alone = calibrated_means(study(models=("a",)), labelled="random")
    assert alone[0].n_human == 25


def test_the_instance_is_the_unit_responses_and_people_are_averaged():
    table = study(models=("a",))
    doubled = pd.concat([table.assign(response_sample=0), table.assign(response_sample=1)])
    assert calibrated_means(doubled, labelled="random")[0].mean == pytest.approx(
        calibrated_means(table, labelled="random")[0].mean
    )
    assert calibrated_means(doubled, labelled="random")[0].n_human == 25


def test_differences_come_from_differences_on_shared_instances():
    table = study(np.random.default_rng(3), n=400, labelled=60)
    row = calibrated_differences(table, labelled="random")[0]
    assert (row.a, row.b, row.n_human, row.n_judge) == ("a", "b", 60, 400)
    assert row.low <= -0.5 <= row.high
    assert row.p < 0.05
    means = calibrated_means(table, labelled="random")
    apart = np.hypot(means[0].high - means[0].low, means[1].high - means[1].low)
    assert row.high - row.low < 0.8 * apart  # what models share by instance is gone


def test_known_probabilities_undo_a_chosen_sample():
    rng = np.random.default_rng(4)
    easy = rng.random(4000)
    truth = 2 + 2 * easy
    chance = 0.02 + 0.2 * easy
    there = rng.random(4000) < chance
    said = {"p": np.where(there, truth, np.nan), "judge": np.full(4000, 3.0) + rng.normal(size=4000)}
    table = long_table(said).dropna(subset=["score"])
    known = {f"i{k}": float(c) for k, c in enumerate(chance)}
    weighted = calibrated_means(table, labelled=known)[0]
    assert weighted.low <= 3.0 <= weighted.high
    naive = calibrated_means(table, labelled="random")[0]
    assert naive.low > 3.0


@pytest.mark.parametrize(
    ("labelled", "reason"),
    [
        (None, "how the labelled instances were chosen is not told"),
        ("all", "only 'random' or probabilities are known"),
        ({"i0": 0.5}, "instance 'i1' is labelled, but its probability is not given"),
        ({f"i{k}": 0.0 if k == 40 else 0.5 for k in range(60)}, "instance 'i40' has probability 0.0"),
    ],
)
def test_an_unknown_choice_of_labels_is_refused_with_the_reason(labelled, reason):
    for row in [*calibrated_means(study(), labelled=labelled), *calibrated_differences(study(), labelled=labelled)]:
        said = row.to_dict()
        assert said["low"] is None
        assert reason in said["undefined"]["low"]
        json.dumps(said, allow_nan=False)
    assert calibrated_means(study(), labelled=labelled)[0].judge_mean is not None


def test_where_everything_is_labelled_nothing_was_chosen():
    row = calibrated_means(study(labelled=60), labelled=None)[0]
    assert row.mean is not None
    assert row.method == "labels alone (nothing is unlabelled); cluster-robust t"


@pytest.mark.parametrize(
    ("table", "name", "reason"),
    [
        (study(labelled=1), "mean", "1 labelled instance(s)"),
        (study().query("kind == 'judge'"), "mean", "no instance has both"),
        (study().assign(score=3.0), "low", "all labels are equal"),
        (long_table({"p": ["x", "y"], "judge": ["x", "x"]}), "mean", "labels have no mean"),
    ],
)
def test_a_mean_or_interval_that_does_not_exist_is_null_with_the_reason(table, name, reason):
    row = calibrated_means(table, labelled="random")[0].to_dict()
    assert row[name] is None
    assert reason in row["undefined"][name]
    json.dumps(row, allow_nan=False)


def test_a_constant_judge_leaves_the_labels_alone():
    table = study().assign(score=lambda t: t["score"].where(t["kind"] == "human", 4.0))
    row = calibrated_means(table, labelled="random")[0]
    assert row.lambda_ == 0.0
    assert row.mean == pytest.approx(row.human_mean)
    assert "the judge adds nothing" in row.method


@needs("pandalm")
@pytest.mark.parametrize(("judge", "gain"), [("gpt-3.5-turbo", 1.52), ("pandalm-7b", 1.35)])
def test_pandalms_judges_save_labels_as_measured(judge, gain):
    # with 50 labels of 999, the effective sample size grows by 1.52 and 1.35
    score = {"1": 1.0, "2": 0.0, "0": 0.5}
    pairs = [
        (np.mean([score[str(v)] for v in row["humans"]]), score[row[judge]])
        for row in lines("pandalm/pairwise.jsonl.gz")
        if row[judge] in score
    ]
    human, machine = (np.array(column) for column in zip(*pairs, strict=True))
    rng, ratios, hits = np.random.default_rng(0), [], []
    for _ in range(400):
        there = np.isin(np.arange(len(human)), rng.choice(len(human), 50, replace=False))
        made = ppi_mean(np.where(there, human, np.nan), machine)
        alone = ppi_mean(human[there], machine[there])
        ratios.append(((alone.high - alone.low) / (made.high - made.low)) ** 2)
        hits.append(made.low <= human.mean() <= made.high)
    assert np.mean(ratios) == pytest.approx(gain, abs=0.2)
    assert 0.93 <= np.mean(hits) <= 0.98
