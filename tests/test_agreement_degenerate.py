"""What cannot be known is none with a reason, never NaN, never a crash."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_eval.analysis.agreement import (
    INTER_RATER_MEASURES,
    VERSUS_MEASURES,
    confusion,
    disattenuated,
    inter_rater,
    judge_difference,
    judge_versus_human,
    ranking_accuracy,
    to_dicts,
)

ALL = (inter_rater, judge_versus_human, judge_difference, ranking_accuracy, confusion, disattenuated)
COLUMNS = ["instance", "model", "skill", "rater", "kind", "score"]


def table(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def rated(scores, models=1):
    """A long table from {rater: scores of instances}; raters that start with j are judges."""
    return table(
        *(
            (f"i{place // models}", f"m{place % models}", "s", rater, "judge" if rater[0] == "j" else "human", score)
            for rater, given in scores.items()
            for place, score in enumerate(given)
            if score is not None
        )
    )


def check(value):
    """JSON holds it; no NaN and no infinity anywhere."""
    json.dumps(value, allow_nan=False)


def everything(ratings, **options):
    found = {find.__name__: find(ratings, **options) for find in ALL}
    for rows in found.values():
        check(to_dicts(rows))
        for row in rows:
            check_row(row)
    return found


def check_row(row):
    measures = getattr(row, "measures", {})
    for name, value in measures.items():
        assert (value is None) == (name in row.undefined)
        assert value is None or math.isfinite(value)
    assert all(row.undefined.values()), "every reason is in words"
    for name, (low, high) in getattr(row, "intervals", {}).items():
        assert math.isfinite(low)
        assert low <= measures[name] + 1e-9
        assert measures[name] <= high + 1e-9
    if hasattr(row, "method") and row.method.resamples:
        known = {name for name, value in measures.items() if value is not None}
        assert known == set(row.intervals) | set(row.method.no_interval)


def one(rows, **wanted):
    return next(row for row in rows if all(getattr(row, name) == value for name, value in wanted.items()))


def test_no_ratings_at_all_give_no_rows():
    assert all(rows == [] for rows in everything(table()).values())


def test_ratings_that_are_not_scored_give_no_rows():
    ratings = rated({"a": [1.0, 2], "j": [1.0, 2]}).assign(outcome="refused")
    assert all(rows == [] for rows in everything(ratings).values())


def test_people_without_a_judge_and_a_judge_without_people():
    people = everything(rated({"a": [1.0, 2, 3], "b": [1.0, 2, 2]}))
    assert len(people["inter_rater"]) == 2
    assert people["judge_versus_human"] == []
    judges = everything(rated({"j": [1.0, 2, 3]}))
    assert judges["judge_versus_human"] == []
    assert one(judges["inter_rater"], skill="s").undefined["percent"] == "only one rater of kind judge"


def test_one_rater_agrees_with_nobody():
    row = one(inter_rater(rated({"a": [1.0, 2, 3]})), skill="s")
    assert row.measures == dict.fromkeys(INTER_RATER_MEASURES)
    assert row.undefined["alpha_ordinal"] == "only one rater of kind human"
    assert row.pairs == ()


def test_all_ratings_equal():
    found = everything(rated({"a": [3.0] * 6, "b": [3.0] * 6, "j": [3.0] * 6}))
    row = one(found["inter_rater"], kind="human", skill="s")
    assert row.undefined["alpha_ordinal"] == "all ratings equal"
    assert row.undefined["fleiss"] == "all ratings equal"
    assert row.measures["percent"] == 1
    assert row.pairs[0].undefined["kappa"] == "both give one and the same score throughout"
    versus = one(found["judge_versus_human"], human="a", level="item")
    assert versus.undefined["pearson"] == "all of the judge's scores are equal"
    assert versus.undefined["kappa"] == "both give one and the same score throughout"
    assert versus.measures["exact"] == 1


def test_a_constant_judge():
    found = everything(rated({"a": [1.0, 2, 3, 4, 5, 1], "b": [1.0, 2, 3, 4, 5, 2], "j": [3.0] * 6}))
    row = one(found["judge_versus_human"], human="mean", level="item", skill="s")
    assert row.undefined["spearman"] == "all of the judge's scores are equal"
    assert row.measures["mean_difference"] == pytest.approx(3 - 33 / 12)
    assert one(found["disattenuated"], skill="s").undefined["corrected"] == "all of the judge's scores are equal"


def test_constant_people():
    row = one(judge_versus_human(rated({"a": [3.0] * 6, "j": [1.0, 2, 3, 4, 5, 1]})), human="each", level="item")
    assert row.undefined["kendall"] == "all of the people's scores are equal"


def test_raters_that_share_no_unit():
    found = everything(rated({"a": [1.0, 2, None, None], "b": [None, None, 3.0, 4], "j": [None, None, None, 4.0]}))
    row = one(found["inter_rater"], kind="human", skill="s")
    assert (row.n_units, row.n_ratings, row.n_single_units) == (0, 0, 4)
    assert row.undefined["alpha_interval"] == "no unit has two ratings"
    assert (row.pairs[0].n, row.pairs[0].kappa) == (0, None)
    assert row.pairs[0].undefined["kappa"] == "no unit has both scores"
    versus = one(found["judge_versus_human"], human="a", level="item", skill="s")
    assert (versus.n, versus.n_instances) == (0, 0)
    assert versus.undefined == dict.fromkeys(VERSUS_MEASURES, "no unit has both scores")


def test_one_model_has_no_correlation_across_models():
    rows = judge_versus_human(rated({"a": [1.0, 2, 3, 4, 5], "j": [1.0, 2, 2, 4, 5]}))
    instance = one(rows, human="mean", level="instance", skill="s")
    assert (instance.n, instance.n_groups) == (0, 5)
    assert instance.undefined["pearson"] == "on no instance are 3 models or more rated by both"
    assert one(rows, human="mean", level="system", skill="s").undefined["pearson"] == "fewer than 3 models"


def test_instances_on_which_one_side_is_constant_are_skipped():
    people, judge = [1.0, 2, 3, 2, 2, 2], [1.0, 2, 3, 1, 2, 3]
    row = one(judge_versus_human(rated({"a": people, "j": judge}, models=3)), human="mean", level="instance", skill="s")
    assert (row.n, row.n_groups, row.measures["pearson"]) == (1, 2, pytest.approx(1))
    row = one(
        judge_versus_human(rated({"a": [2.0] * 6, "j": judge}, models=3)), human="mean", level="instance", skill="s"
    )
    assert row.undefined["kendall"] == "on every instance one side gives all models the same score"


def test_two_units_are_too_few_for_correlations_and_for_intervals():
    found = everything(rated({"a": [1.0, 2], "b": [2.0, 2], "j": [1.0, 2]}))
    row = one(found["judge_versus_human"], human="a", level="item", skill="s")
    assert row.undefined["pearson"] == "fewer than 3 pairs"
    assert row.measures["kappa"] == pytest.approx(1)
    assert row.method.no_interval["exact"] == "fewer than 5 clusters"
    assert one(found["inter_rater"], kind="human", skill="s").measures["alpha_nominal"] is not None


def test_people_without_reliability_have_no_corrected_correlation():
    found = disattenuated(rated({"a": [1.0, 5, 1, 5, 1, 5], "b": [5.0, 1, 5, 1, 5, 2], "j": [1.0, 2, 3, 4, 5, 1]}))
    row = one(found, skill="s")
    assert row.measures["corrected"] is None
    assert "not above 0" in row.undefined["corrected"]
    assert row.measures["pearson"] is not None


def test_one_person_has_no_reliability():
    row = one(disattenuated(rated({"a": [1.0, 5, 1, 4], "j": [1.0, 4, 2, 5]})), skill="s")
    assert row.undefined["corrected"] == "no two units have two people: their reliability is not known"
    assert (row.n, row.n_multiple) == (4, 0)


def test_negative_scores_have_no_ratio_alpha():
    row = one(inter_rater(rated({"a": [-1.0, 0, 1], "b": [-1.0, 1, 1]})), skill="s")
    assert row.undefined["alpha_ratio"] == "a ratio scale has no negative scores"
    assert row.measures["alpha_interval"] is not None


def test_zero_stands_on_the_ratio_scale():
    row = one(inter_rater(rated({"a": [0.0, 0, 1, 3], "b": [0.0, 1, 1, 2]})), skill="s")
    assert row.measures["alpha_ratio"] is not None


def test_labels_and_numbers_do_not_go_together():
    ratings = rated({"a": [1.0, 2, 3, 4]}).astype({"score": object})
    labels = rated({"b": ["yes", "no", "yes", "no"], "j": ["yes", "no", "no", "no"]})
    found = everything(pd.concat([ratings, labels], ignore_index=True))
    row = one(found["inter_rater"], kind="human", skill="s")
    assert set(row.undefined.values()) == {"some scores are labels, others numbers"}
    versus = one(found["judge_versus_human"], human="a", level="item", skill="s")
    assert versus.undefined["kappa"] == "some scores are labels, others numbers"
    assert one(found["judge_versus_human"], human="b", level="item", skill="s").measures["kappa"] is not None


def test_infinite_and_missing_scores_do_not_count():
    found = everything(rated({"a": [1.0, 2, 3, 4, math.inf, math.nan], "j": [1.0, 2, 3, 5, 5, 5]}))
    assert one(found["judge_versus_human"], human="a", level="item").n == 4


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["i1", "i2", "i3", "i4", "i5", "i6", "i7"]),
            st.sampled_from(["m1", "m2", "m3", "m4"]),
            st.sampled_from(["s1", "s2"]),
            st.sampled_from(["a", "b", "c", "j", "k"]),
            st.integers(0, 1),
            st.one_of(st.integers(-1, 5).map(float), st.just(2.5), st.just(float("nan"))),
        ),
        max_size=60,
    ),
    st.booleans(),
    st.sampled_from(
        [None, {"j": (0, 4)}, {"a": (1, 5), "b": (1, 5), "j": (0, 1)}, {"a": "nominal"}, {"j": ("1", "2")}]
    ),
)
def test_whatever_the_ratings_nothing_is_nan_and_every_gap_has_a_reason(rows, anonymous, scales):
    ratings = pd.DataFrame(rows, columns=["instance", "model", "skill", "rater", "sample", "score"])
    ratings["kind"] = np.where(ratings["rater"].isin(["j", "k"]), "judge", "human")
    everything(ratings.astype({"score": float}), anonymous=anonymous, scales=scales, resamples=30)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["i1", "i2", "i3", "i4", "i5", "i6"]),
            st.sampled_from(["a", "b", "j"]),
            st.integers(0, 2),
            st.sampled_from(["yes", "no", "unsure"]),
        ),
        max_size=40,
    )
)
def test_whatever_the_labels_nothing_is_nan_and_every_gap_has_a_reason(rows):
    ratings = pd.DataFrame(rows, columns=["instance", "rater", "sample", "score"]).assign(skill="s")
    ratings["kind"] = np.where(ratings["rater"] == "j", "judge", "human")
    everything(ratings, resamples=30)
