"""From the long table to a matrix, coefficients on it, and intervals that leave out clusters."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flask_eval.analysis.trust.coefficients import COEFFICIENTS, MOST_SIGNS, count_cells, kendall
from flask_eval.analysis.trust.jackknife import groups_of, jackknife_interval, leave_out_sums
from flask_eval.analysis.trust.panel import by_skill, cluster_codes, is_place, panels
from flask_eval.analysis.trust.rows import number, plain
from flask_eval.analysis.trust.scales import ends_of, on_points, step_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def needs(name):
    return pytest.mark.skipif(not (DATA / name).is_dir(), reason=f"the data set {name} is not beside the checkout")


def lines(path):
    with gzip.open(DATA / path, "rt", encoding="utf-8") as handle:
        return [json.loads(line) for line in handle]


def long_table(columns, *, judges=("judge",), model="m", skill="s", instances=None, **more):
    """A long table from one list of scores a rater (None: no score); raters in `judges` are judges."""
    frames = []
    for rater, scores in columns.items():
        names = instances or [f"i{k}" for k in range(len(scores))]
        rows = {"instance": names, "model": model, "skill": skill, "rater": rater, "score": list(scores)}
        rows["kind"] = "judge" if rater in judges else "human"
        frames.append(pd.DataFrame({**rows, **more}))
    return pd.concat(frames, ignore_index=True)


def summeval(judge="rts"):
    """SummEval's experts and one ChatGPT judge as a long table."""
    rows = [
        (r["item"], r["system"], r["aspect"], f"expert{k + 1}", "human", float(v))
        for r in lines("summeval_llm/human.jsonl.gz")
        for k, v in enumerate(r["experts"])
    ]
    rows += [
        (r["item"], r["system"], r["aspect"], "gpt-3.5/" + judge, "judge", r["score"])
        for r in lines("summeval_llm/judge.jsonl.gz")
        if r["method"] == judge
    ]
    frame = pd.DataFrame(rows, columns=["instance", "model", "skill", "rater", "kind", "score"])
    return frame.assign(score=frame["score"].astype(float))


# ---- the panel ----------------------------------------------------------------------------------------------------


def test_samples_and_variants_of_one_rater_are_averaged_first():
    table = pd.DataFrame(
        {
            "instance": "1",
            "skill": "s",
            "rater": "j",
            "kind": "judge",
            "sample": [0, 1, 0],
            "variant": ["", "", "b"],
            "score": [1.0, 2.0, 6.0],
        }
    )
    assert panels(table)[0].scores.tolist() == [[3.0]]


def test_labels_of_one_rater_give_the_most_frequent_one_and_the_earliest_of_equals():
    table = pd.DataFrame({"instance": "1", "skill": "s", "rater": "j", "sample": range(5), "score": list("abbac")})
    panel = panels(table)[0]
    assert panel.nominal
    assert panel.labels[int(panel.scores[0, 0])] == "a"


def test_only_scored_rows_without_a_checklist_question_count():
    table = long_table({"a": [1.0, 2.0, 3.0, None]}).assign(
        item=["", "q1", "", ""], outcome=["scored", "scored", "refused", "scored"]
    )
    assert panels(table)[0].scores.tolist() == [[1.0]]


def test_numbers_and_labels_of_different_skills_get_a_panel_each():
    table = pd.concat([long_table({"a": [1.0, 2.0]}), long_table({"a": ["x", "y"]}, skill="t")])
    assert [(p.nominal, set(p.skill)) for p in panels(table)] == [(False, {"s"}), (True, {"t"})]
    assert [name for name, _ in by_skill(panels(table)[0])] == ["s", None]


def test_numbers_can_be_declared_labels():
    assert panels(long_table({"a": [1.0, -1.0]}), nominal=True)[0].labels == (1.0, -1.0)


def test_an_instance_without_a_cluster_is_its_own_even_where_a_cluster_has_its_name():
    codes = cluster_codes(pd.Series(["a", "b", "c", "d"]), {"b": "a", "c": "a", "d": ""})
    assert codes[1] == codes[2]
    assert len(set(codes.tolist())) == 3


def test_a_place_in_a_list_is_told_from_a_person():
    assert is_place("crowd#12")
    assert not is_place("annotator 1")
    assert not is_place("#1 fan")


def test_a_scale_is_two_or_three_numbers_and_labels_have_no_ends():
    assert ends_of((1, 5)) == ends_of((1, 5, 0.5)) == (1.0, 5.0)
    assert ends_of(("no", "yes")) is ends_of("nominal") is ends_of(None) is None
    assert (step_of((1, 5)), step_of((1, 5, 0.5)), step_of("nominal")) == (1.0, 0.5, 1.0)


def test_points_are_steps_from_the_lowest_score_or_whole_and_half_numbers_where_nothing_is_known():
    scores = np.array([1.0, 1.5, 2.25, np.nan])
    assert on_points(scores, (1, 5)).tolist() == [True, False, False, False]
    assert on_points(scores, (1, 5, 0.25)).tolist() == [True, True, True, False]
    assert on_points(scores, None).tolist() == [True, True, False, False]


def test_records_become_json_without_nan():
    assert plain({"a": (1.0, float("nan")), "b": [float("inf"), None]}) == {"a": [1.0, None], "b": [None, None]}
    assert number(np.float64("nan")) is None


# ---- coefficients -------------------------------------------------------------------------------------------------

REFERENCE = {
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y).statistic,
    "exact": lambda x, y: np.mean(x == y),
    "within_one": lambda x, y: np.mean(np.abs(x - y) <= 1),
    "kappa": lambda x, y: kappa_by_table(x, y, lambda a, b: float(a != b)),
    "kappa_linear": lambda x, y: kappa_by_table(x, y, lambda a, b: abs(a - b)),
    "kappa_quadratic": lambda x, y: kappa_by_table(x, y, lambda a, b: (a - b) ** 2),
}


def kappa_by_table(x, y, weight):
    seen = np.mean([weight(a, b) for a, b in zip(x, y, strict=True)])
    expected = np.mean([weight(a, b) for a in x for b in y])
    return 1 - seen / expected


@pytest.mark.parametrize("name", REFERENCE)
@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 4)), min_size=8, max_size=30))
def test_each_coefficient_is_the_textbook_one_with_and_without_each_group(name, rows):
    x, y, cluster = (np.array(column) for column in zip(*rows, strict=True))
    groups = groups_of(cluster)
    cells = count_cells(x.astype(float), y.astype(float), groups, int(groups.max()) + 1)
    made = COEFFICIENTS[name][0](cells)
    for k, value in enumerate(made):
        keep = np.ones(len(x), bool) if k == 0 else groups != k - 1
        if not keep.any():
            assert np.isnan(value)
            continue
        left_x, left_y = x[keep], y[keep]
        needs_spread = name in ("pearson", "spearman", "kendall")
        if (needs_spread and (np.ptp(left_x) == 0 or np.ptp(left_y) == 0)) or (
            name.startswith("kappa") and len(set(left_x) | set(left_y)) == 1
        ):
            assert np.isnan(value)
        else:
            assert value == pytest.approx(REFERENCE[name](left_x, left_y), abs=1e-9)


def test_kendall_of_many_different_scores_goes_group_by_group_and_is_the_same():
    rng = np.random.default_rng(0)
    x = rng.normal(size=MOST_SIGNS + 50)
    y = x + rng.normal(size=len(x))
    groups = np.arange(len(x)) % 2
    made = kendall(count_cells(x, y, groups, 2))
    assert made[0] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert made[1] == pytest.approx(stats.kendalltau(x[groups == 1], y[groups == 1]).statistic)


# ---- intervals ----------------------------------------------------------------------------------------------------


def test_the_jackknife_interval_of_a_mean_is_the_t_interval():
    x = np.random.default_rng(1).normal(size=25)
    sums = leave_out_sums(np.column_stack([x, np.ones(25)]), np.arange(25), 25)
    interval, reason = jackknife_interval(sums[:, 0] / sums[:, 1], 0.95)
    assert reason is None
    assert interval == pytest.approx(stats.t.interval(0.95, 24, x.mean(), stats.sem(x)))


def test_many_clusters_are_left_out_in_groups_and_a_cluster_is_never_split():
    cluster = np.repeat(np.arange(1000), 3)
    groups = groups_of(cluster, most=50)
    assert len(np.unique(groups)) == 50
    assert all(len(set(groups[cluster == c].tolist())) == 1 for c in range(0, 1000, 97))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.5, 0.5, 0.5, 0.5], "the figure does not vary between clusters"),
        ([0.5, 0.4, 0.6], "2 clusters: an interval needs 3"),
        ([0.5, 0.4, np.nan, 0.6], "without one of the clusters the figure is undefined"),
        ([np.nan, 0.4, 0.5, 0.6], "the figure is undefined"),
    ],
)
def test_an_interval_that_does_not_exist_has_a_reason(values, reason):
    assert jackknife_interval(np.array(values), 0.95) == (None, reason)


def test_a_perfect_correlation_has_no_interval():
    assert jackknife_interval(np.ones(10), 0.95, "fisher") == (None, "the figure is at the end of its range")


def test_intervals_of_correlations_cover_at_fifty_clusters():
    rng, hits = np.random.default_rng(2), []
    for _ in range(400):
        z = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 50)
        groups = np.arange(50)
        values = COEFFICIENTS["pearson"][0](count_cells(z[:, 0], z[:, 1], groups, 50))
        (low, high), _ = jackknife_interval(values, 0.95, "fisher")
        hits.append(low <= 0.6 <= high)
    assert 0.915 <= np.mean(hits) <= 0.98
