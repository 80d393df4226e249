"""May the judge replace a person? The alternative annotator test against its definition, its theorem and real data."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_trust_panel import lines, long_table, needs

from flask_eval.analysis.trust.alt_test import EPSILON, benjamini_yekutieli, one_sided_p, replaceability


def by_definition(judge, people, *, nominal, epsilon, q=0.05):
    """The test as the paper tells it, person by person and instance by instance; judge and people are {instance: score}."""

    def score(own, others):
        return np.mean([own == o for o in others]) if nominal else -np.sqrt(np.mean([(own - o) ** 2 for o in others]))

    p, advantage = [], []
    for left_out, theirs in people.items():
        judge_wins, person_wins = [], []
        for instance, own in theirs.items():
            others = [said[instance] for name, said in people.items() if name != left_out and instance in said]
            if others and instance in judge:
                a, b = score(judge[instance], others), score(own, others)
                judge_wins.append(a >= b - 1e-12)
                person_wins.append(b >= a - 1e-12)
        if len(judge_wins) < 30:
            continue
        apart = np.array(person_wins, float) - np.array(judge_wins, float)
        p.append(
            stats.ttest_1samp(apart, epsilon, alternative="less").pvalue
            if apart.std() > 0
            else float(apart.mean() >= epsilon)
        )
        advantage.append(np.mean(judge_wins))
    order = np.argsort(p)
    price = sum(1 / k for k in range(1, len(p) + 1))
    passed = [k + 1 for k, place in enumerate(order) if p[place] <= (k + 1) / len(p) * q / price]
    return max(passed, default=0) / len(p), np.mean(advantage)


def as_mappings(table):
    said = {}
    for row in table.itertuples():
        said.setdefault(row.rater, {})[row.instance] = row.score
    judge = said.pop("judge")
    return judge, said


def study(rng, n=60, people=4, noise=0.7, judge_noise=0.7, gaps=0.0, *, labels=False):
    truth = rng.normal(3, 1, n)

    def say(spread):
        points = np.clip(np.round(truth + rng.normal(0, spread, n)), 1, 5)
        values = [f"label{int(v)}" if labels else float(v) for v in points]
        return [None if rng.random() < gaps else v for v in values]

    columns = {f"p{k}": say(noise) for k in range(people)} | {"judge": say(judge_noise)}
    return long_table(columns).dropna(subset=["score"])


# ---- the definition -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("gaps", [0.0, 0.25])
@pytest.mark.parametrize("seed", range(6))
def test_winning_rate_and_advantage_are_those_of_the_definition(labels, gaps, seed):
    rng = np.random.default_rng(seed)
    table = study(rng, n=90, gaps=gaps, labels=labels, judge_noise=rng.choice([0.3, 0.7, 1.1]))
    row = replaceability(table)[0]
    rate, advantage = by_definition(*as_mappings(table), nominal=labels, epsilon=0.15)
    assert row.winning_rate == pytest.approx(rate)
    assert row.advantage_probability == pytest.approx(advantage)
    assert row.replaces == (rate >= 0.5)
    assert row.score == ("accuracy" if labels else "minus_rmse")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(*[st.integers(1, 5)] * 4), min_size=30, max_size=45))
def test_a_judge_that_says_the_mean_of_the_people_is_never_worse_than_any_of_them(rows):
    # Calderon et al. (2025), the optimal judge under -RMSE
    people = np.array(rows, float)
    columns = {f"p{k}": people[:, k] for k in range(4)} | {"judge": people.mean(axis=1)}
    row = replaceability(long_table(columns))[0]
    assert row.advantage_probability == 1.0
    assert row.winning_rate == 1.0
    assert row.replaces is True


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 5), min_size=30, max_size=45))
def test_a_judge_that_says_the_majority_label_is_never_worse_than_any_of_them(rows):
    # Calderon et al. (2025), the optimal judge under accuracy
    columns = {f"p{k}": [row[k] for row in rows] for k in range(5)}
    columns["judge"] = [max("abc", key=row.count) for row in rows]
    row = replaceability(long_table(columns))[0]
    assert row.advantage_probability == 1.0
    assert row.winning_rate == 1.0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.floats(-2, 2), st.floats(0.5, 3))
def test_moving_and_stretching_everybodys_scale_changes_nothing(seed, shift, stretch):
    table = study(np.random.default_rng(seed), n=40, people=3)
    moved = table.assign(score=table["score"].astype(float) * stretch + shift)
    before, after = replaceability(table)[0], replaceability(moved)[0]
    assert after.winning_rate == before.winning_rate
    assert after.advantage_probability == pytest.approx(before.advantage_probability)


def test_a_person_as_judge_ties_with_that_person_everywhere():
    table = study(np.random.default_rng(3), n=40)
    copy = table[table["rater"] == "p0"].assign(rater="judge", kind="judge")
    row = replaceability(pd.concat([table[table["rater"] != "judge"], copy]))[0]
    same = next(person for person in row.persons if person.rater == "p0")
    assert (same.judge_advantage, same.person_advantage, same.difference, same.p, same.wins) == (1, 1, 0, 0.0, True)


def test_a_larger_epsilon_never_lowers_the_winning_rate():
    table = study(np.random.default_rng(5), judge_noise=0.9)
    rates = [replaceability(table, epsilon=e)[0].winning_rate for e in (0.0, 0.1, 0.15, 0.2, 0.5)]
    assert rates == sorted(rates)


def test_epsilon_by_kind_of_people_is_that_of_the_paper():
    assert EPSILON == {"expert": 0.2, "skilled": 0.15, "crowd": 0.1}
    assert replaceability(study(np.random.default_rng(0)))[0].epsilon == 0.15


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_at_most_q_are_the_rejections_of_the_step_up_procedure(p):
    adjusted = benjamini_yekutieli(p)
    assert adjusted == pytest.approx(stats.false_discovery_control(p, method="by"))
    assert all(a >= b - 1e-12 for a, b in zip(adjusted, p, strict=True))


def test_the_one_sided_p_is_the_paired_t_test_and_without_spread_all_or_nothing():
    x = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], 40)
    assert one_sided_p(x, 0.15) == pytest.approx(stats.ttest_1samp(x, 0.15, alternative="less").pvalue)
    assert one_sided_p(np.zeros(30), 0.15) == 0.0
    assert one_sided_p(np.ones(30), 0.15) == 1.0


# ---- clusters -----------------------------------------------------------------------------------------------------


def test_the_unit_of_the_test_is_the_cluster():
    table = study(np.random.default_rng(4), n=40)
    fourfold = pd.concat([table.assign(model=f"m{k}") for k in range(4)])  # four equal responses an instance
    once, again = replaceability(table)[0], replaceability(fourfold)[0]
    assert (again.n, again.n_clusters) == (160, 40)
    assert [person.p for person in again.persons] == pytest.approx([person.p for person in once.persons])
    assert again.intervals["advantage_probability"] == pytest.approx(once.intervals["advantage_probability"])


def test_thirty_instances_in_ten_clusters_are_too_few():
    table = study(np.random.default_rng(4), n=30)
    row = replaceability(table, {f"i{k}": f"c{k % 10}" for k in range(30)})[0]
    assert row.winning_rate is None
    assert "the most: 10" in row.undefined["winning_rate"]
    assert replaceability(table)[0].winning_rate is not None


# ---- preconditions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (study(np.random.default_rng(0), people=2), "2 people scored"),
        (study(np.random.default_rng(0), n=29, people=3), "0 of 3 people have 30 instances"),
        (study(np.random.default_rng(0), people=3).replace({"rater": {"p1": "p#1"}}), "places in a list"),
        (study(np.random.default_rng(0)).query("kind == 'judge'"), "no people's scores"),
    ],
)
def test_where_a_precondition_fails_the_verdict_is_null_with_the_reason(table, reason):
    row = replaceability(table)[0].to_dict()
    assert row["winning_rate"] is None
    assert row["replaces"] is None
    assert reason in row["undefined"]["winning_rate"]
    assert reason in row["undefined"]["replaces"]
    json.dumps(row, allow_nan=False)


def test_a_person_with_too_few_instances_is_not_tested_but_counts_among_the_others():
    table = study(np.random.default_rng(6), people=4)
    short = table[(table["rater"] != "p3") | table["instance"].isin([f"i{k}" for k in range(10)])]
    row = replaceability(short)[0]
    assert row.n_raters == 3
    left = next(person for person in row.persons if person.rater == "p3")
    assert (left.n, left.p, left.wins) == (10, None, None)
    rate, advantage = by_definition(*as_mappings(short), nominal=False, epsilon=0.15)
    assert (row.winning_rate, row.advantage_probability) == pytest.approx((rate, advantage))


def test_a_judge_on_another_declared_scale_is_not_tested():
    table = study(np.random.default_rng(0))
    people = {f"p{k}": (1.0, 5.0) for k in range(4)}
    reasons = [
        replaceability(table, scales=scales)[0].undefined.get("replaces")
        for scales in (people | {"judge": (0.0, 1.0)}, {"judge": (0.0, 4.0)}, people | {"judge": (1, 5, 1)}, people)
    ]
    assert reasons[0] == "the scales differ: 0-1 here, 1-5 of the others"
    assert reasons[1] == "the scales differ: scores of 'p0' lie outside 0-4"
    assert reasons[2:] == [None, None]


def test_people_who_are_said_to_be_places_are_not_tested():
    table = study(np.random.default_rng(0))
    for anonymous in (True, ["p2"]):
        row = replaceability(table, anonymous=anonymous)[0]
        assert row.undefined["replaces"] == "the people are places in a list, not identified persons"
        assert row.persons == ()


def test_epsilon_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="epsilon"):
        replaceability(study(np.random.default_rng(0)), epsilon=1.5)


# ---- rows ---------------------------------------------------------------------------------------------------------


def test_there_is_a_row_for_each_judge_and_skill_and_a_pooled_one():
    one = study(np.random.default_rng(0))
    metric = one[one["rater"] == "judge"].assign(rater="metric:rouge_l", kind="metric")
    table = pd.concat([one, metric, one.assign(skill="t")])
    rows = replaceability(table, slice_name="hard")
    assert [(row.judge, row.skill) for row in rows] == [
        ("judge", "s"),
        ("judge", "t"),
        ("judge", None),
        ("metric:rouge_l", "s"),
        ("metric:rouge_l", None),
    ]
    assert {row.slice for row in rows} == {"hard"}
    assert rows[2].n == 120
    assert rows[2].n_clusters == 60
    keys = {"judge", "skill", "slice", "winning_rate", "epsilon", "advantage_probability", "replaces", "undefined"}
    assert keys <= rows[0].to_dict().keys()


def test_skills_with_numbers_and_with_labels_are_pooled_by_their_wins():
    numbers = study(np.random.default_rng(0))
    labels = study(np.random.default_rng(1), labels=True).assign(skill="t")
    pooled = replaceability(pd.concat([numbers, labels]))[-1]
    assert pooled.score == "mixed"
    assert pooled.n == 120


# ---- real data ----------------------------------------------------------------------------------------------------


@needs("pandalm")
@pytest.mark.parametrize("judge", ["gpt-3.5-turbo", "pandalm-7b"])
def test_neither_judge_of_pandalm_may_replace_its_annotators(judge):
    rows = []
    for item in lines("pandalm/pairwise.jsonl.gz"):
        said = {f"annotator{k + 1}": label for k, label in enumerate(item["humans"])} | {"judge": item[judge]}
        rows += [
            (item["item"], rater, "judge" if rater == "judge" else "human", label) for rater, label in said.items()
        ]
    table = pd.DataFrame(rows, columns=["instance", "rater", "kind", "score"]).assign(skill="preference")
    table = table[table["score"] != "garbage"]
    row = replaceability(table)[0]
    rate, advantage = by_definition(*as_mappings(table), nominal=True, epsilon=0.15)
    # people agree on 90% of the pairs, these judges with the majority on 72% and 67% (expected.json)
    assert (row.winning_rate, row.replaces) == (rate, False)
    assert row.advantage_probability == pytest.approx(advantage)
    assert row.n == (974 if judge == "gpt-3.5-turbo" else 999)
