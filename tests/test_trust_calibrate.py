"""The judge's scores on the people's scale: the curve, the folds, and the refusal outside the labelled range."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_trust_panel import long_table, needs, summeval

from flask_eval.analysis.trust.calibrate import FEWEST_CLUSTERS, calibrate, fit_curve, folds_of


def study(seed=0, n=120, labelled=60, bias=1.0, stretch=1.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 1, n)
    judge = np.clip(np.round(3 + stretch * (truth - 3) + bias + rng.normal(0, 0.4, n)), 1, 6)
    people = {f"p{k}": [*(truth[:labelled] + rng.normal(0, 0.3, labelled)), *[None] * (n - labelled)] for k in range(2)}
    return long_table(people | {"judge": judge}).dropna(subset=["score"])


def pava(values, weights):
    """Pool adjacent violators, written out."""
    blocks = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            late, early = blocks.pop(), blocks.pop()
            weight_sum = early[1] + late[1]
            blocks.append([(early[0] * early[1] + late[0] * late[1]) / weight_sum, weight_sum, early[2] + late[2]])
    return [value for value, _, count in blocks for _ in range(count)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 6), st.floats(1, 5)), min_size=2, max_size=40))
def test_the_isotonic_curve_is_pool_adjacent_violators_over_distinct_scores(pairs):
    judge, human = (np.array(column, float) for column in zip(*pairs, strict=True))
    predict, low, high = fit_curve(judge, human, "isotonic")
    values = np.unique(judge)
    means = [human[judge == v].mean() for v in values]
    assert predict(values) == pytest.approx(pava(means, [(judge == v).sum() for v in values]))
    assert (low, high) == (judge.min(), judge.max())
    grid = predict(np.linspace(low, high, 50))
    assert (np.diff(grid) >= -1e-12).all()


def test_the_line_is_least_squares_and_never_falls():
    x = np.arange(10.0)
    predict, _, _ = fit_curve(x, 2 + 0.5 * x, "linear")
    assert predict(np.array([4.0])) == pytest.approx([4.0])
    falling, _, _ = fit_curve(x, -x, "linear")
    assert falling(x) == pytest.approx(np.full(10, -4.5))
    flat, _, _ = fit_curve(np.ones(4), np.array([1.0, 2, 3, 4]), "linear")
    assert flat(np.ones(1)) == pytest.approx([2.5])


@pytest.mark.parametrize("curve", ["isotonic", "linear"])
def test_a_severe_judge_is_put_right(curve):
    made = calibrate(study(n=600, labelled=300, bias=-1.2, stretch=0.7), curve=curve)
    row = made.corrections[0]
    assert row.error_corrected < 0.6 * row.error_raw
    assert row.interval[0] > 0
    assert row.gain == pytest.approx(row.error_raw**2 - row.error_corrected**2)
    assert (row.n, row.n_judge, row.n_clusters) == (300, 600, 300)
    corrected = made.scores["corrected"]
    assert corrected.mean() == pytest.approx(3.0, abs=0.15)
    assert made.scores["score"].mean() == pytest.approx(1.9, abs=0.25)


def test_a_judge_without_fault_gains_nothing():
    rng = np.random.default_rng(1)
    truth = rng.normal(3, 1, 200)
    table = long_table({"p": truth + rng.normal(0, 0.3, 200), "judge": truth})
    row = calibrate(table, curve="linear").corrections[0]
    low, high = row.interval
    assert low <= 0.01
    assert high >= -0.05


def test_a_labelled_score_is_corrected_by_a_curve_that_has_not_seen_its_cluster():
    table = study(n=60, labelled=60)
    clusters = {f"i{k}": f"c{k // 3:02d}" for k in range(60)}
    before = calibrate(table, clusters, curve="linear", seed=1).scores
    changed = table.assign(score=table["score"].where((table["kind"] == "judge") | (table["instance"] != "i0"), 99.0))
    after = calibrate(changed, clusters, curve="linear", seed=1).scores
    fold = dict(zip([f"i{k}" for k in range(60)], folds_of(np.arange(60) // 3, 10, 1), strict=True))
    same = np.isclose(before["corrected"], after["corrected"])
    own = before["instance"].map(fold) == fold["i0"]
    assert same[own.to_numpy()].all()
    assert not same[~own.to_numpy()].any()
    assert {fold["i0"], fold["i1"], fold["i2"]} == {fold["i0"]}


def test_outside_the_labelled_range_there_is_no_correction():
    people = {"p": [*np.linspace(2, 4, 20), *[None] * 3]}
    table = long_table(people | {"judge": [*np.repeat([2.0, 3.0], 10), 1.0, 2.5, 5.0]}).dropna(subset=["score"])
    made = calibrate(table)
    last = made.scores.set_index("instance").loc[["i20", "i21", "i22"]]
    assert last["corrected"].isna().tolist() == [True, False, True]
    assert last["reason"].tolist() == ["outside the labelled range 2-3", "", "outside the labelled range 2-3"]
    assert made.corrections[0].n_refused == 2


@pytest.mark.parametrize("labelled", [0, 1, FEWEST_CLUSTERS - 1])
def test_with_too_few_labels_there_is_no_curve(labelled):
    made = calibrate(study(labelled=labelled))
    row = made.corrections[0].to_dict()
    assert row["gain"] is None
    assert row["undefined"]["gain"] == f"{labelled} labelled clusters: a curve needs 5"
    assert row["knots"] == []
    assert made.scores["corrected"].isna().all()
    json.dumps(row, allow_nan=False)


def test_labels_and_empty_tables_give_nothing():
    assert calibrate(long_table({"p": list("ab"), "judge": list("ab")})).corrections == ()
    empty = calibrate(study().head(0))
    assert empty.corrections == ()
    assert empty.scores.empty


def test_an_unknown_curve_is_refused():
    with pytest.raises(ValueError, match="isotonic or linear"):
        calibrate(study(), curve="cubic")


@needs("summeval_llm")
def test_correcting_chatgpt_on_summeval_takes_its_severity_away():
    row = next(r for r in calibrate(summeval()).corrections if r.skill == "coherence")
    assert row.interval[0] > 0
    assert row.error_corrected < row.error_raw
    levels = [y for _, y in row.knots]
    assert levels == sorted(levels)
    assert isinstance(calibrate(summeval()).scores, pd.DataFrame)
