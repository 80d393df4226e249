"""Models held against each other: rows, families, ranges, and the reasons where there is no number."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flask_eval.analysis.coding import coded
from flask_eval.analysis.comparing import Comparison, InteractionRow, ModelRow, PairRow, compare
from flask_eval.analysis.macro import macro_means
from flask_eval.analysis.slices import slice_scores
from flask_eval.errors import UserError
from flask_eval.ratings import RatingTable, read_ratings
from flask_eval.schema import Annotation, Instance, Slice

LIKERT = {"judge": (1.0, 5.0)}
SKILL = "factuality"


def table(
    scores: Mapping[str, Sequence[float | None]] | pd.DataFrame, instances: list[Instance] | None = None, scales=LIKERT
) -> RatingTable:
    """Ratings of one skill, {model: scores of instances 0, 1, ...}, or any frame of ratings."""
    if not isinstance(scores, pd.DataFrame):
        scores = rows(scores)
    return read_ratings(scores, instances=instances, scales=scales)


def rows(scores: Mapping[str, Sequence[float | None]], **fields: object) -> pd.DataFrame:
    made = [
        {"instance": str(k), "model": model, "skill": SKILL, "rater": "judge", "kind": "judge", "score": score}
        | {"outcome": "scored" if score is not None else "refused"} | fields
        for model, own in scores.items()
        for k, score in enumerate(own)
    ]  # fmt: skip
    return pd.DataFrame(made)


def noisy(
    models: int = 3, n: int = 30, *, gap: float = 0.3, seed: int = 0, skills: Sequence[str] = (SKILL,)
) -> pd.DataFrame:
    """Ratings 1-5 of models that are `gap` apart."""
    random = np.random.default_rng(seed)
    ease = random.normal(0, 0.5, n)
    parts = []
    for skill in skills:
        quality = {f"m{k}": 3 + gap * k + ease + random.normal(0, 0.8, n) for k in range(models)}
        parts.append(
            rows({m: [float(np.clip(round(v), 1, 5)) for v in own] for m, own in quality.items()}, skill=skill)
        )
    return pd.concat(parts, ignore_index=True)


def pair(
    found: Comparison, a: str, b: str, skill: str | None = None, part: str | None = None, rater: str = "judge"
) -> PairRow:
    """The row of a pair, whichever stands first."""
    (row,) = [r for r in found.pairs if ({r.a, r.b}, r.skill, r.slice, r.rater) == ({a, b}, skill, part, rater)]
    return row


def model(
    found: Comparison, name: str, skill: str | None = None, part: str | None = None, rater: str = "judge"
) -> ModelRow:
    (row,) = [r for r in found.models if (r.model, r.skill, r.slice, r.rater) == (name, skill, part, rater)]
    return row


def interaction(found: Comparison, name: str, value: str) -> InteractionRow:
    (row,) = [r for r in found.interactions if (r.model, r.value) == (name, value)]
    return row


def annotated(count: int, **facts: Sequence[object]) -> list[Instance]:
    """Instances 0, 1, ... with these facts in turn: `domains`, `difficulty`, `cluster`, or metadata."""
    made = []
    for k in range(count):
        own = {name: values[k % len(values)] for name, values in facts.items()}
        annotation = Annotation(
            skills=[SKILL], domains=own.pop("domains", []), difficulty=own.pop("difficulty", None), annotator="test"
        )
        cluster = own.pop("cluster", None)
        made.append(Instance(id=str(k), instruction="?", annotation=annotation, cluster=cluster, metadata=own))
    return made


# ---- one pair, by hand --------------------------------------------------------------------------------------------


def test_a_pair_is_the_paired_t_test() -> None:
    """Difference, interval and p are scipy's; wins, ties and losses are counted."""
    a, b = [5, 4, 4, 3, 5, 2, 4, 4, 5, 3], [3, 4, 3, 3, 4, 3, 2, 4, 3, 3]
    row = pair(compare(table({"a": a, "b": b})), "a", "b", SKILL)
    expected = stats.ttest_rel(a, b)
    ends = expected.confidence_interval(0.95)
    assert (row.a, row.n, row.wins, row.ties, row.losses) == ("a", 10, 5, 4, 1)
    assert row.difference == pytest.approx(0.7)
    assert (row.low, row.high) == pytest.approx((ends.low, ends.high))
    assert row.p == pytest.approx(max(expected.pvalue, 2.0**-5))


def test_p_equals_scipy_where_enough_instances_differ() -> None:
    found = compare(table(noisy(2, 60)))
    frame = noisy(2, 60).pivot_table(index="instance", columns="model", values="score")
    for skill in (None, SKILL):
        assert pair(found, "m0", "m1", skill).p == pytest.approx(stats.ttest_rel(frame["m0"], frame["m1"]).pvalue)


def test_p_is_never_below_what_the_instances_that_differ_can_give() -> None:
    """Three instances differ, all for a: even a sign test has 1/4."""
    a = [5.0] * 20
    row = pair(compare(table({"a": a, "b": [4, 4, 4, *a[3:]]})), "a", "b", SKILL)
    assert row.p == pytest.approx(0.25)


def test_the_better_model_stands_first() -> None:
    found = compare(table(noisy(3, 40, gap=1)))
    assert [(row.a, row.b) for row in found.pairs if row.skill is None] == [("m2", "m1"), ("m2", "m0"), ("m1", "m0")]
    assert [row.model for row in found.models[:3]] == ["m2", "m1", "m0"]
    assert [row.rank for row in found.models[:3]] == [1, 2, 3]


def test_the_difference_that_would_have_been_found_is_that_of_the_first_step() -> None:
    """Three pairs: level .05 / 3 two-sided, power .8."""
    row = compare(table(noisy(3, 40))).pairs[0]
    error = (row.high - row.low) / 2 / stats.t.ppf(0.975, 39)
    assert row.detectable == pytest.approx((stats.t.ppf(1 - 0.05 / 6, 39) + stats.t.ppf(0.8, 39)) * error)


# ---- nothing varies -----------------------------------------------------------------------------------------------


def test_models_with_the_same_scores_are_not_called_equal_with_certainty() -> None:
    """p 1, and the rule of three says how far other instances might differ."""
    row = pair(compare(table({"a": [4] * 10, "b": [4] * 10})), "a", "b")
    share = 1 - 0.05**0.1
    assert (row.difference, row.p, row.q) == (0, 1, 1)
    assert (row.low, row.high) == pytest.approx((-4 * share, 4 * share))
    assert row.detectable is None
    assert "same on all instances" in row.undefined["detectable"]


def test_a_constant_difference_has_the_p_of_a_sign_test() -> None:
    row = pair(compare(table({"a": [4.4] * 8, "b": [4.1] * 8})), "a", "b")
    assert row.p == pytest.approx(2.0**-7)
    assert row.difference == pytest.approx(0.3)
    assert row.low < 0.3 < row.high


def test_without_a_scale_a_constant_difference_has_no_interval() -> None:
    row = pair(compare(table({"a": [4] * 8, "b": [3] * 8}, scales={}), margin=2), "a", "b")
    assert (row.low, row.high, row.equivalent) == (None, None, None)
    assert {"low", "high", "equivalent", "q_equivalent"} <= set(row.undefined)
    assert "scale is not known" in row.undefined["low"]


def test_one_instance_gives_a_difference_and_no_test() -> None:
    found = compare(table({"a": [5], "b": [3]}), margin=0.5)
    row = pair(found, "a", "b")
    assert (row.difference, row.n, row.wins) == (2, 1, 1)
    assert (row.low, row.p, row.q, row.equivalent, row.detectable) == (None,) * 5
    assert {"low", "high", "p", "q", "equivalent", "q_equivalent", "detectable"} <= set(row.undefined)
    assert found.families["overall"] == 0
    first = model(found, "a")
    assert (first.rank, first.rank_low, first.rank_high, first.probability_best) == (1, 1, 2, None)
    assert "one instance" in first.undefined["probability_best"]


# ---- missing scores -----------------------------------------------------------------------------------------------


def test_a_missing_score_is_no_number() -> None:
    """Pairs rest on what two models share, means on what all share, and the note says so."""
    scores = {"a": [5, 4, None, 3, 5], "b": [4, 4, 4, 2, 3], "c": [3, 2, 2, None, 3]}
    found = compare(table(scores))
    row = pair(found, "a", "b", SKILL)
    assert row.n == 4
    assert row.difference == pytest.approx((1 + 0 + 1 + 2) / 4)
    assert model(found, "a", SKILL).mean == pytest.approx((5 + 4 + 5) / 3)
    assert {r.n for r in found.models} == {3}
    assert any("every model has a score for" in note and "3 to 4" in note for note in found.notes)


def test_missing_scores_leave_each_pair_its_own_t_test() -> None:
    frame = noisy(4, 50, skills=("a", "b"))
    random = np.random.default_rng(5)
    gone = random.random(len(frame)) < 0.2
    frame.loc[gone, ["score", "outcome"]] = [None, "refused"]
    wide = frame.astype({"score": float}).pivot_table(index=["skill", "instance"], columns="model", values="score")
    for row in compare(table(frame)).pairs:
        if row.skill:
            own = wide.loc[row.skill, [row.a, row.b]].dropna()
            assert row.n == len(own)
            assert row.p == pytest.approx(stats.ttest_rel(own[row.a], own[row.b]).pvalue)


def test_what_does_not_apply_is_left_out() -> None:
    frame = rows({"a": [5, 4, 4, 3, 5], "b": [4, 4, 3, 2, 3]})
    frame.loc[0, ["score", "outcome"]] = [None, "not_applicable"]
    assert pair(compare(table(frame)), "a", "b").n == 4


def test_a_model_without_any_score_does_not_spoil_the_others() -> None:
    found = compare(table({"a": [5, 4, 4, 3], "b": [4, 4, 3, 3], "gone": [None] * 4}))
    assert pair(found, "a", "b").difference == pytest.approx(0.5)
    assert pair(found, "a", "gone").undefined["p"] == "'gone' has no score"
    lost = model(found, "gone")
    assert (lost.mean, lost.rank, lost.n) == (None, None, 0)
    assert model(found, "b").rank_high == 2
    assert any("No score of 'gone'" in note for note in found.notes)


def test_a_skill_that_some_model_lacks_does_not_count_overall() -> None:
    frame = pd.concat(
        [rows({"a": [5, 4, 4], "b": [3, 3, 4]}), rows({"a": [1, 1, 2], "b": [None] * 3}, skill="readability")]
    )
    found = compare(table(frame))
    assert model(found, "a").mean == pytest.approx(13 / 3)
    assert model(found, "b", "readability").undefined["mean"] == "no rating is scored"
    assert model(found, "a", "readability").mean == pytest.approx(4 / 3)
    assert any("'readability'" in note and "leave these skills out" in note for note in found.notes)


def test_a_model_that_shrinks_the_common_instances_is_named() -> None:
    found = compare(table({"a": [5, 4] * 10, "b": [4, 4] * 10, "c": [3, 4] + [None] * 18}))
    assert any("'c' has few scores" in note and "20" in note for note in found.notes)


def test_models_on_different_instances_have_no_difference() -> None:
    found = compare(table({"a": [5, 4, None, None], "b": [None, None, 3, 4]}))
    row = pair(found, "a", "b")
    assert (row.difference, row.n) == (None, 0)
    assert "no instance" in row.undefined["difference"]
    assert "every model" in model(found, "a").undefined["mean"]


# ---- samples, raters, labels --------------------------------------------------------------------------------------


def test_samples_variants_and_response_samples_are_averaged_before_anything_else() -> None:
    base = {"a": [5.0, 3, 4, 2, 5, 4], "b": [4.0, 3, 2, 2, 3, 4]}
    parts = [rows(base, sample=k, response_sample=k % 2) for k in range(3)]
    parts[2]["score"] += 0.3
    found = compare(table(pd.concat(parts), scales={"judge": (1.0, 6.0)}))
    plain = compare(table(rows(base), scales={"judge": (1.0, 6.0)}))
    assert pair(found, "a", "b").n == 6
    assert pair(found, "a", "b").p == pytest.approx(pair(plain, "a", "b").p)
    assert pair(found, "a", "b").ties == pair(plain, "a", "b").ties


def test_each_rater_stands_by_itself() -> None:
    frame = pd.concat([noisy(2, 20, seed=1), noisy(2, 20, seed=2).assign(rater="ann", kind="human")])
    found = compare(table(frame, scales=LIKERT | {"ann": (1.0, 5.0)}))
    assert [row.rater for row in found.pairs if row.skill is None] == ["judge", "ann"]
    assert found.families["overall"] == 2
    alone = compare(table(noisy(2, 20, seed=2).assign(rater="ann", kind="human"), scales={"ann": (1.0, 5.0)}))
    assert pair(found, "m0", "m1", rater="ann").p == pytest.approx(pair(alone, "m0", "m1", rater="ann").p)
    assert compare(table(frame), raters=["ann"]).models[0].rater == "ann"


def test_labels_are_left_out_with_a_note() -> None:
    frame = rows({"a": ["good", "bad"], "b": ["bad", "bad"]})
    found = compare(table(frame, scales={}))
    assert (found.models, found.pairs, found.strengths) == ((), (), ())
    assert any("gives labels" in note for note in found.notes)


# ---- one model, none ----------------------------------------------------------------------------------------------


def test_one_model_has_rows_and_no_pairs() -> None:
    found = compare(table({"a": [5, 4, 3]}), by="skill")
    assert (found.pairs, found.interactions) == ((), ())
    assert model(found, "a").mean == 4
    assert model(found, "a").undefined == {"probability_best": "there is no other model"}
    assert found.strengths[0].bradley_terry is None


def test_nothing_rated_is_an_empty_comparison() -> None:
    empty = read_ratings(rows({"a": [1.0]})).only(models=[])
    found = compare(empty)
    assert (found.models, found.pairs, found.interactions, found.strengths) == ((), (), (), ())
    assert found.families == {"overall": 0, "rows": 0, "interactions": 0}


def test_only_missing_scores_are_told_as_such() -> None:
    found = compare(table({"a": [None, None], "b": [None, None]}, scales=LIKERT))
    assert {row.mean for row in found.models} == {None}
    assert pair(found, "a", "b").difference is None


# ---- skills, clusters ---------------------------------------------------------------------------------------------


def test_each_skill_counts_the_same_overall() -> None:
    """Two skills, one with many instances: the macro difference and its error by hand."""
    many = rows({"a": [5, 4, 4, 3, 5, 4], "b": [4, 4, 3, 3, 3, 4]})
    few = rows({"a": [2, 4, 3], "b": [4, 4, 4]}, skill="readability")
    row = pair(compare(table(pd.concat([many, few]))), "a", "b")
    first, second = np.array([1, 0, 1, 0, 2, 0.0]), np.array([-2, 0, -1, 0, 0, 0.0])
    influence = (first - first.mean()) / 12 + np.where(np.arange(6) < 3, second + 1, 0) / 6
    weights = np.full(6, 1 / 144) + np.where(np.arange(6) < 3, 1 / 36, 0)
    degrees = weights.sum() ** 2 / (weights**2).sum() - 1
    error = math.sqrt((1 + 1 / degrees) * (influence**2).sum())
    assert (row.a, row.b) == ("b", "a")
    assert row.difference == pytest.approx((1 - first.mean()) / 2)
    assert row.high - row.low == pytest.approx(2 * stats.t.ppf(0.975, degrees) * error)
    assert row.n == 6
    assert (row.wins, row.ties, row.losses) == (1, 4, 1)


def test_instances_of_a_cluster_are_taken_together() -> None:
    """Each instance twice tells no more than once."""
    scores = {"a": [5, 4, 4, 3, 5, 4, 2, 3.0], "b": [4, 4, 3, 3, 3, 5, 1, 2.0]}
    double = {name: [s for s in own for _ in range(2)] for name, own in scores.items()}
    clusters = annotated(16, cluster=[str(k // 2) for k in range(16)])
    once, twice = compare(table(scores)), compare(table(double, clusters))
    for skill in (None, SKILL):
        left, right = pair(once, "a", "b", skill), pair(twice, "a", "b", skill)
        assert right.n == 16
        assert (right.difference, right.low, right.high, right.p) == pytest.approx(
            (left.difference, left.low, left.high, left.p)
        )


def test_means_agree_with_slice_and_the_macro_means() -> None:
    frame = noisy(3, 40, skills=("a", "b", "c"))
    data = coded(table(frame))
    found = compare(data)
    for row in slice_scores(data).rows:
        if row.skill:
            own = model(found, row.model, row.skill)
            assert (own.mean, own.low, own.high, own.n) == pytest.approx((row.mean, row.low, row.high, row.n))
    for row in macro_means(data, "judge"):
        own = model(found, row.model)
        assert (own.mean, own.low, own.high) == pytest.approx((row.mean, row.low, row.high))


# ---- families and verdicts ----------------------------------------------------------------------------------------


def test_overall_rows_are_a_family_of_their_own() -> None:
    found = compare(table(noisy(3, 40, skills=("a", "b"))))
    assert found.families == {"overall": 3, "rows": 6, "interactions": 0}
    assert max(row.p for row in found.pairs if row.skill is None) == pytest.approx(
        min(
            row.q
            for row in found.pairs
            if row.skill is None and row.p == max(r.p for r in found.pairs if r.skill is None)
        )
    )
    smallest = min((row for row in found.pairs if row.skill), key=lambda row: row.p)
    assert smallest.q == pytest.approx(min(1, 6 * smallest.p))


def test_benjamini_hochberg_is_scipys() -> None:
    found = compare(table(noisy(4, 30, skills=("a", "b"))), adjust="bh")
    own = [row for row in found.pairs if row.skill]
    assert [row.q for row in own] == pytest.approx(stats.false_discovery_control([row.p for row in own]))
    assert {row.adjust for row in own} == {"bh"}


def test_rank_ranges_follow_from_the_corrected_pairs() -> None:
    found = compare(table(noisy(5, 60, gap=0.25, seed=3)))
    for row in [r for r in found.models if r.skill is None]:
        better = worse = 0
        for other in found.pairs:
            if other.skill is None and row.model in (other.a, other.b) and found.separated(other):
                lead = other.difference if other.a == row.model else -other.difference
                better, worse = better + (lead < 0), worse + (lead > 0)
        assert (row.rank_low, row.rank_high) == (1 + better, 5 - worse)
        assert row.rank_low <= row.rank <= row.rank_high
        assert len(row.not_separated_from) == row.rank_high - row.rank_low


def test_tied_is_shown_and_not_assumed() -> None:
    """Two models that hardly differ: not separated without a margin, tied with one."""
    frame = noisy(2, 400, gap=0.0)
    plain, tested = compare(table(frame)), compare(table(frame), margin=0.3)
    assert pair(plain, "m0", "m1").equivalent is None
    assert "no margin" in pair(plain, "m0", "m1").undefined["equivalent"]
    assert model(plain, "m0").not_separated_from == ("m1",)
    assert pair(tested, "m0", "m1").equivalent is True
    assert (model(tested, "m0").tied_with, model(tested, "m0").not_separated_from) == (("m1",), ())
    assert pair(compare(table(frame), margin=0.01), "m0", "m1").equivalent is False


def test_equivalence_is_two_one_sided_t_tests() -> None:
    frame = noisy(2, 100, gap=0.1)
    wide = frame.pivot_table(index="instance", columns="model", values="score")
    gap = wide["m1"] - wide["m0"]
    expected = max(
        stats.ttest_1samp(gap, 0.4, alternative="less").pvalue,
        stats.ttest_1samp(gap, -0.4, alternative="greater").pvalue,
    )
    assert pair(compare(table(frame), margin=0.4), "m0", "m1").q_equivalent == pytest.approx(expected)


def test_equal_scores_on_few_instances_show_no_equivalence() -> None:
    """Ten equal instances say little about others; a thousand do."""
    few, many = ({"a": [5.0] * n, "b": [5.0] * n} for n in (10, 1000))
    assert pair(compare(table(few), margin=0.1), "a", "b").equivalent is False
    assert pair(compare(table(many), margin=0.1), "a", "b").equivalent is True
    q = pair(compare(table(few), margin=0.1), "a", "b").q_equivalent
    assert q == pytest.approx((1 - 0.1 / 4) ** 10)


def test_the_probability_of_being_best_adds_up_and_ties_share() -> None:
    found = compare(table(noisy(4, 40)), resamples=200)
    assert sum(row.probability_best for row in found.models if row.skill is None) == pytest.approx(1)
    same = [5, 4, 4, 3, 5, 2]
    twins = compare(table({"a": same, "b": same, "c": [1, 2, 1, 2, 1, 2]}))
    assert model(twins, "a").probability_best == pytest.approx(model(twins, "b").probability_best)
    assert (model(twins, "a").rank, model(twins, "b").rank, model(twins, "c").rank) == (1, 1, 3)


def test_the_probability_of_being_best_of_two_is_that_of_the_t_distribution() -> None:
    found = compare(table(noisy(2, 25, gap=0.3)), resamples=4000)
    row = pair(found, "m0", "m1")
    error = (row.high - row.low) / 2 / stats.t.ppf(0.975, 24)
    assert model(found, row.a).probability_best == pytest.approx(stats.t.cdf(row.difference / error, 24), abs=0.015)


def test_a_seed_repeats_and_zero_resamples_leave_out_intervals() -> None:
    data = table(noisy(3, 20))
    assert compare(data, seed=3) == compare(data, seed=3)
    assert compare(data, seed=3) != compare(data, seed=4)
    bare = compare(data, resamples=0)
    assert {row.low for row in [*bare.models, *bare.pairs]} == {None}
    assert bare.models[0].probability_best is None
    assert set(bare.models[0].undefined) == {"low", "high", "probability_best"}
    assert [row.q for row in bare.pairs] == [row.q for row in compare(data).pairs]


# ---- parts --------------------------------------------------------------------------------------------------------


def test_parts_have_rows_of_their_own() -> None:
    """By difficulty: the mean over the cells of the part, as `slice` has it."""
    data = coded(table(noisy(3, 40, skills=("a", "b")), annotated(40, difficulty=[1, 2, 3, 4])))
    found = compare(data, by="difficulty")
    sliced = {(row.model, row.slice): row for row in slice_scores(data, by="difficulty").rows}
    for (name, part), row in sliced.items():
        own = model(found, name, None, part)
        assert (own.mean, own.low, own.high, own.n) == pytest.approx((row.mean, row.low, row.high, row.n))
        assert own.by == row.by
    assert len({row.slice for row in found.pairs}) == 5
    assert any("same weight" in note for note in found.notes)


def test_crosses_and_slices() -> None:
    instances = annotated(40, difficulty=[1, 2], domains=[["Math"], ["Law", "Math"]], length=["long", "short"])
    data = table(noisy(2, 40, skills=("a", "b")), instances)
    hard = Slice(name="hard", ids=[str(k) for k in range(15)])
    found = compare(data, by=[("skill", "domain"), "length"], slices=[hard])
    parts = {(row.skill, row.slice) for row in found.pairs}
    assert {
        ("a", "domain=Math"),
        (None, "length=long"),
        (None, "hard"),
        ("b", "hard"),
        ("a", "hard;domain=Law"),
        (None, None),
    } <= parts
    assert pair(found, "m0", "m1", "a", "domain=Math").n == 40
    assert pair(found, "m0", "m1", "a", "domain=Law").n == 20
    assert pair(found, "m0", "m1", None, "hard").n == 15
    assert any("several domains" in note for note in found.notes)
    assert {row.dimension for row in found.interactions} == {"length", "slice"}


def test_by_group_takes_the_skills_of_a_group() -> None:
    frame = noisy(2, 20, skills=("factuality", "commonsense_understanding", "readability"))
    found = compare(table(frame), by="group")
    groups = {row.slice for row in found.pairs if row.slice}
    assert len(groups) == 2
    assert all(part.startswith("group=") for part in groups)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "dificulty"}, "did you mean 'difficulty'"),
        ({"by": "model"}, "models are what is compared"),
        ({"by": "skill,skill"}, "stands twice"),
        ({"margin": 0}, "--margin 0: must be above 0"),
        ({"margin": math.nan}, "--margin nan"),
        ({"adjust": "bonferroni"}, "must be holm or bh"),
        ({"confidence": 1.0}, "--confidence"),
        ({"models": ["m9"]}, "no model is called 'm9'"),
        ({"slices": [Slice(name="none", ids=["x"])]}, "slice 'none' holds none"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare(table(noisy(2, 10), annotated(10, difficulty=[1, 2])), **options)


# ---- interactions -------------------------------------------------------------------------------------------------


def test_an_interaction_is_relative_to_the_field_and_to_elsewhere() -> None:
    """Model a is 2 better on hard instances and equal elsewhere: 1 more than the field there."""
    scores = {"a": [4, 5, 5, 4, 4, 3, 4, 3], "b": [4, 3, 5, 2, 4, 1, 4, 1]}
    found = compare(table(scores, annotated(8, difficulty=[1, 5])), by="difficulty")
    row = interaction(found, "a", "5")
    gap = np.array([0, 1, 0, 1, 0, 1, 0, 1.0])
    assert row.difference == pytest.approx(gap[1::2].mean() - gap[::2].mean())
    assert (row.n, row.dimension) == (4, "difficulty")
    assert interaction(found, "b", "5").difference == pytest.approx(-1)
    assert interaction(found, "a", "1").difference == pytest.approx(-1)


def test_an_interaction_is_a_two_sample_test_where_instances_are_separate() -> None:
    frame = noisy(2, 60, gap=0)
    found = compare(table(frame, annotated(60, difficulty=[1, 2])), by="difficulty")
    wide = frame.pivot_table(index="instance", columns="model", values="score")
    half = (wide["m0"] - wide["m1"]) / 2
    hard = wide.index.astype(int) % 2 == 1
    expected = stats.ttest_ind(half[hard], half[~hard])
    row = interaction(found, "m0", "2")
    assert row.difference == pytest.approx(half[hard].mean() - half[~hard].mean())
    # Satterthwaite with equal halves: 59 instead of 58 degrees of freedom
    assert row.p == pytest.approx(expected.pvalue, rel=0.02)


def test_a_part_without_an_outside_has_no_interaction() -> None:
    found = compare(table(noisy(2, 10), annotated(10, difficulty=[3])), by="difficulty")
    row = interaction(found, "m0", "3")
    assert (row.difference, row.q, row.n) == (None, None, 0)
    assert "none outside" in row.undefined["difference"]


def test_a_part_of_one_instance_has_no_test() -> None:
    found = compare(table(noisy(2, 10), annotated(10, difficulty=[1] * 9 + [2])), by="difficulty")
    row = interaction(found, "m0", "2")
    assert row.difference is not None
    assert row.p is None
    assert "one side" in row.undefined["p"]


# ---- the record ---------------------------------------------------------------------------------------------------


def no_nan(value: object) -> None:
    json.dumps(value, allow_nan=False)


def test_the_record_has_the_keys_of_the_contract() -> None:
    found = compare(table(noisy(2, 20)), by="skill", margin=0.2)
    made = found.to_dict()
    no_nan(made)
    assert {
        "model",
        "skill",
        "mean",
        "low",
        "high",
        "rank",
        "rank_low",
        "rank_high",
        "tied_with",
        "not_separated_from",
        "probability_best",
    } <= set(made["models"][0])
    assert {"a", "b", "skill", "slice", "difference", "low", "high", "p", "q", "adjust", "n", "equivalent"} <= set(
        made["pairs"][0]
    )
    assert {"dimension", "value", "difference", "low", "high", "p", "q"} <= set(made["interactions"][0])
    assert len(found.to_frame()) == len(found.pairs)


CELL = st.one_of(st.none(), st.integers(1, 5).map(float))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), size=st.integers(1, 6), models=st.integers(1, 4))
def test_every_null_has_its_reason(data: st.DataObject, size: int, models: int) -> None:
    """Whatever is missing: no NaN in the record, and a reason for each null."""
    parts = [
        rows({f"m{k}": data.draw(st.lists(CELL, min_size=size, max_size=size)) for k in range(models)}, skill=skill)
        for skill in ("a", "b")
    ]
    made = compare(
        table(pd.concat(parts), annotated(size, difficulty=[1, 2])), by="difficulty", margin=0.5, resamples=5
    ).to_dict()
    no_nan(made)
    free = {"skill", "slice"}
    for kind in ("models", "pairs", "interactions", "strengths"):
        for row in made[kind]:
            nulls = {name for name, value in row.items() if value is None} - free
            assert nulls == set(row["undefined"]), (kind, row)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), missing=st.floats(0, 0.5))
def test_the_order_of_rows_and_models_changes_nothing(seed: int, missing: float) -> None:
    random = np.random.default_rng(seed)
    frame = noisy(3, 12, seed=seed, skills=("a", "b"))
    gone = random.random(len(frame)) < missing
    frame.loc[gone, ["score", "outcome"]] = [None, "refused"]
    mixed = frame.sample(frac=1, random_state=seed)

    def facts(found: Comparison) -> dict[tuple[object, ...], tuple[object, ...]]:
        return {
            (r.skill, r.a, r.b): (r.difference, r.low, r.high, r.p, r.q, r.n, r.wins, r.losses) for r in found.pairs
        }

    first, second = facts(compare(table(frame))), facts(compare(table(mixed)))
    assert set(first) == set(second)
    for key, values in first.items():
        assert values == tuple(pytest.approx(v) if isinstance(v, float) else v for v in second[key])


def test_renaming_the_models_turns_the_signs_only() -> None:
    frame = noisy(3, 20, gap=0.0, seed=8)
    names = {"m0": "z", "m1": "y", "m2": "x"}
    found, turned = compare(table(frame)), compare(table(frame.assign(model=frame["model"].map(names))))
    for row in found.pairs:
        other = pair(turned, names[row.a], names[row.b], row.skill)
        sign = 1 if other.a == names[row.a] else -1
        assert other.difference == pytest.approx(sign * row.difference)
        assert (other.p, other.q) == pytest.approx((row.p, row.q))


def test_a_part_of_the_table_is_compared_by_itself() -> None:
    data = table(noisy(3, 20, skills=("a", "b")))
    found = compare(coded(data), models=["m0", "m1"], skills=["a"])
    assert found.families == {"overall": 1, "rows": 1, "interactions": 0}
    assert compare(data.only(models=["m0", "m1"], skills=["a"])).pairs == found.pairs
