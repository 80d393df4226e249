"""The human ceiling: people against people on the measures and units of the judge."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_trust_panel import kappa_by_table, lines, long_table, needs, summeval

from flask_eval.analysis.trust.ceiling import ceilings, majority_of


def study(seed=0, n=60, people=3, judge_noise=0.9, *, labels=False):
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 1, n)

    def say(noise):
        points = np.clip(np.round(truth + rng.normal(0, noise, n)), 1, 5)
        return [f"l{int(v)}" for v in points] if labels else points

    return {f"p{k}": say(0.6) for k in range(people)} | {"judge": say(judge_noise)}


def row_of(rows, **wanted):
    return next(row for row in rows if all(getattr(row, name) == value for name, value in wanted.items()))


def test_a_person_is_set_against_the_mean_of_the_others_and_the_judge_against_the_same_mean():
    said = study()
    row = row_of(ceilings(long_table(said)), human="mean", skill="s")
    people, judges = [], []
    for left_out in ("p0", "p1", "p2"):
        rest = np.mean([said[name] for name in ("p0", "p1", "p2") if name != left_out], axis=0)
        people.append(stats.pearsonr(said[left_out], rest).statistic)
        judges.append(stats.pearsonr(said["judge"], rest).statistic)
    assert row.measures["pearson"] == pytest.approx(np.mean(people))
    assert row.judge_measures["pearson"] == pytest.approx(np.mean(judges))
    assert row.differences["pearson"] == pytest.approx(np.mean(judges) - np.mean(people))
    assert [person.measures["pearson"] for person in row.persons] == pytest.approx(people)
    low, high = row.intervals["pearson"]
    assert low < row.measures["pearson"] < high


def test_against_each_there_are_measures_on_points_too():
    said = study()
    row = row_of(ceilings(long_table(said)), human="each", skill="s")
    pairs = [(a, b) for a in ("p0", "p1", "p2") for b in ("p0", "p1", "p2") if a != b]
    squared = np.mean([kappa_by_table(said[a], said[b], lambda x, y: (x - y) ** 2) for a, b in pairs])
    assert row.measures["kappa_quadratic"] == pytest.approx(squared)
    assert row.measures["exact"] == pytest.approx(np.mean([np.mean(said[a] == said[b]) for a, b in pairs]))
    assert row.judge_measures["within_one"] == pytest.approx(
        np.mean([np.mean(np.abs(said["judge"] - said[b]) <= 1) for _, b in pairs])
    )


def test_measures_on_points_do_not_exist_against_a_mean():
    row = row_of(ceilings(long_table(study())), human="mean", skill="s")
    assert row.measures["exact"] is None
    assert "not against a mean" in row.undefined["exact"]


def test_people_and_judge_are_compared_on_the_units_that_all_of_them_scored():
    said = study()
    gappy = said | {"judge": [None if k % 3 == 0 else v for k, v in enumerate(said["judge"])]}
    kept = {name: [v for k, v in enumerate(scores) if k % 3] for name, scores in said.items()}
    made = row_of(ceilings(long_table(gappy).dropna()), human="mean", skill="s")
    alone = row_of(ceilings(long_table(kept)), human="mean", skill="s")
    assert made.n == 40
    assert made.measures["pearson"] == pytest.approx(alone.measures["pearson"])


def test_a_judge_as_good_as_a_person_has_a_difference_near_0_and_a_bad_one_below():
    near = row_of(ceilings(long_table(study(n=300, judge_noise=0.6))), human="mean", skill="s")
    far = row_of(ceilings(long_table(study(n=300, judge_noise=3.0))), human="mean", skill="s")
    low, high = near.difference_intervals["pearson"]
    assert low < 0.05
    assert high > -0.05
    assert far.difference_intervals["pearson"][1] < 0


def test_the_interval_of_the_ceiling_covers():
    truth = np.mean(
        [
            row_of(ceilings(long_table(study(seed, n=3000)), confidence=None), human="mean", skill="s").measures[
                "pearson"
            ]
            for seed in range(5)
        ]
    )
    hits = []
    for seed in range(150):
        low, high = row_of(ceilings(long_table(study(1000 + seed, n=50))), human="mean", skill="s").intervals["pearson"]
        hits.append(low <= truth <= high)
    assert 0.9 <= np.mean(hits) <= 0.985


def test_labels_are_set_against_the_majority_of_the_others():
    said = study(labels=True, people=4)
    row = row_of(ceilings(long_table(said)), human="majority", skill="s")
    shares = []
    for left_out in [f"p{k}" for k in range(4)]:
        same = []
        for k in range(60):
            rest = [said[f"p{o}"][k] for o in range(4) if f"p{o}" != left_out]
            best = max(rest.count(v) for v in rest)
            top = {v for v in rest if rest.count(v) == best}
            if len(top) == 1:
                same.append(said[left_out][k] in top)
        shares.append(np.mean(same))
    assert row.measures["exact"] == pytest.approx(np.mean(shares))
    assert row.measures["pearson"] is None
    assert row.undefined["pearson"] == "only for scores with an order"


def test_of_numbers_and_labels_the_numbers_are_pooled():
    table = pd.concat([long_table(study()), long_table(study(labels=True), skill="t")])
    rows = ceilings(table)
    assert [(row.skill, row.human) for row in rows] == [
        ("s", "mean"),
        ("s", "each"),
        (None, "mean"),
        (None, "each"),
        ("t", "majority"),
        ("t", "each"),
    ]


def test_two_equally_frequent_labels_are_no_majority():
    assert np.isnan(majority_of(np.array([[0.0, 1.0], [np.nan, np.nan]]))).all()
    assert majority_of(np.array([[2.0, 2.0, 0.0], [np.nan, 1.0, np.nan]])).tolist() == [2.0, 1.0]


def test_without_a_judge_the_people_stand_alone():
    said = {name: scores for name, scores in study().items() if name != "judge"}
    row = row_of(ceilings(long_table(said)), human="mean", skill=None)
    assert row.judge is None
    assert row.measures["spearman"] > 0.3
    assert row.judge_measures["spearman"] is None
    assert row.undefined["judge.spearman"] == "there is no judge"


def test_places_in_a_list_have_a_ceiling_but_no_figures_of_their_own():
    table = long_table(study()).replace({"rater": {f"p{k}": f"crowd#{k}" for k in range(3)}})
    row = row_of(ceilings(table), human="mean", skill="s")
    assert row.measures["pearson"] is not None
    assert row.persons == ()


def test_a_judge_off_the_points_of_the_scale_has_no_measures_on_points():
    said = study()
    for added, scales in ((0.25, None), (0.5, {"p0": (1, 5)})):
        row = row_of(
            ceilings(long_table(said | {"judge": said["judge"] + added}), scales=scales), human="each", skill="s"
        )
        assert row.judge_measures["exact"] is None
        assert "are no points of the scale" in row.undefined["judge.exact"] or "outside" in row.undefined["judge.exact"]
        assert row.judge_measures["pearson"] is not None


def test_a_few_scores_off_the_points_are_left_out():
    said = study()
    judge = np.minimum(said["judge"], 4.0)
    judge[:3] += 0.5
    row = row_of(ceilings(long_table(said | {"judge": judge}), scales={"p0": (1, 5)}), human="each", skill="s")
    expected = np.mean([np.mean(judge[3:] == said[f"p{k}"][3:]) for k in range(3)])
    assert row.judge_measures["exact"] == pytest.approx(expected)


def test_means_of_a_judges_samples_are_no_points():
    said = study()
    table = pd.concat([long_table(said, sample=0), long_table({"judge": said["judge"] % 5 + 1}, sample=1)])
    row = row_of(ceilings(table, scales={"judge": (1, 5)}), human="each", skill="s")
    assert row.undefined["judge.exact"] == "means of several ratings of 'judge' are no points of the scale"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"p0": [1.0, 2, 3, 4], "judge": [1.0, 2, 3, 4]}, "1 person: a ceiling needs 2"),
        ({"p0": [3.0] * 4, "p1": [3.0] * 4, "judge": [1.0, 2, 3, 4]}, "a side is constant in every comparison"),
        ({"p0": [1.0, 2], "p1": [1.0, 2], "judge": [1.0, 2]}, "no person shares 3 units with the others and the judge"),
    ],
)
def test_a_ceiling_that_does_not_exist_is_null_with_the_reason(said, reason):
    row = row_of(ceilings(long_table(said)), human="mean", skill="s").to_dict()
    assert row["measures"]["pearson"] is None
    assert row["undefined"]["pearson"] == reason
    json.dumps(row, allow_nan=False)


def test_more_than_a_hundred_places_take_a_part_of_the_pairs():
    rng = np.random.default_rng(0)
    said = {f"c#{k}": [f"l{v}" for v in rng.integers(0, 3, 20)] for k in range(40)}
    row = row_of(ceilings(long_table(said)), human="each", skill="s")
    assert "240 of 1560 pairs" in row.method


@needs("summeval_llm")
def test_summevals_experts_agree_with_each_other_more_than_the_judge_does_with_them():
    table = summeval()
    row = row_of(ceilings(table, scales={"expert1": (1, 5)}), human="each", skill="coherence")
    # the mean r of the judge with each expert is 0.405 (README); its quadratic kappa with each, on points, 0.318
    assert row.judge_measures["pearson"] == pytest.approx(0.405, abs=5e-4)
    assert row.judge_measures["kappa_quadratic"] == pytest.approx(0.318, abs=5e-4)
    assert row.difference_intervals["pearson"][1] < 0
    assert (row.n, row.n_instances, row.n_clusters, row.n_raters) == (1200, 100, 100, 3)


@needs("judgebench_human")
def test_newsrooms_fluency_has_hardly_a_ceiling():
    rows = [
        (r["item"], r["aspect"], f"rater#{k + 1}", float(v))
        for r in lines("judgebench_human/newsroom.jsonl.gz")
        for k, v in enumerate(r["ratings"])
    ]
    table = pd.DataFrame(rows, columns=["instance", "skill", "rater", "score"]).assign(
        instance=lambda t: t["instance"].astype(str)
    )
    found = {row.skill: row.measures["pearson"] for row in ceilings(table) if row.human == "mean"}
    # their alphas are 0.28 and -0.02 (expected.json)
    assert found["Informativeness"] > 0.25
    assert abs(found["Fluency"]) < 0.1
