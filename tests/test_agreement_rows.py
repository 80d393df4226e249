"""Rows of an agreement study: which there are, over what they are counted, and what they hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from flask_eval.analysis.agreement import (
    INTER_RATER_MEASURES,
    VERSUS_MEASURES,
    confusion,
    disattenuated,
    inter_rater,
    judge_difference,
    judge_versus_human,
    prepare,
    ranking_accuracy,
)

PEOPLE, JUDGES = ["ann", "bob", "cem"], ["j1", "j2"]


def simulated(instances=30, models=4, skills=("clear", "right"), seed=0):
    """Three people and two judges, numbers from 1 to 5; `right` is scored lower than `clear`."""
    rng = np.random.default_rng(seed)
    shape = (instances, models, len(skills))
    quality = rng.standard_normal(shape) - np.arange(len(skills)) + 0.5 * np.arange(models)[None, :, None]
    index = pd.MultiIndex.from_product(
        [[f"i{k}" for k in range(instances)], [f"m{k}" for k in range(models)], skills],
        names=["instance", "model", "skill"],
    )
    made = []
    for rater in PEOPLE + JUDGES:
        scores = np.clip(np.round(3 + quality + rng.standard_normal(shape)), 1, 5)
        frame = pd.DataFrame({"score": scores.reshape(-1)}, index=index).reset_index()
        made.append(frame.assign(rater=rater, kind="human" if rater in PEOPLE else "judge", outcome="scored", sample=0))
    return pd.concat(made, ignore_index=True)


@pytest.fixture(scope="module")
def ratings():
    return simulated()


def only(rows, **wanted):
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def wide(ratings, raters, **where):
    for name, value in where.items():
        ratings = ratings[ratings[name] == value]
    return ratings.pivot_table(index=["instance", "model", "skill"], columns="rater", values="score")[raters]


# ---- which rows ---------------------------------------------------------------------------------------------------


def test_a_row_holds_the_keys_that_scripts_read(ratings):
    row = inter_rater(ratings, resamples=0)[0].to_dict()
    assert {"kind", "of", "raters", "skill", "slice", "by", "n_units", "n_ratings"} <= row.keys()
    assert {"measures", "intervals", "undefined", "pairs"} <= row.keys()
    assert tuple(row["measures"]) == INTER_RATER_MEASURES
    assert {"a", "b", "n", "kappa", "kappa_linear", "kappa_quadratic", "exact", "within_one"} <= row["pairs"][0].keys()
    row = judge_versus_human(ratings, resamples=0)[0].to_dict()
    assert {"judge", "human", "skill", "slice", "by", "level", "adjusted", "n", "n_groups", "n_instances"} <= row.keys()
    assert tuple(row["measures"]) == VERSUS_MEASURES
    assert row["intervals"] == {}


def test_there_is_a_row_for_each_skill_and_one_for_all_pooled(ratings):
    rows = inter_rater(ratings, resamples=0)
    assert [(row.kind, row.of, row.skill) for row in rows] == [
        (kind, "raters", skill) for kind in ("human", "judge") for skill in ("clear", "right", None)
    ]
    versus = judge_versus_human(ratings, resamples=0)
    assert {(row.skill, row.adjusted) for row in versus} == {
        ("clear", None),
        ("right", None),
        (None, None),
        (None, "skill_centred"),
    }
    assert list(dict.fromkeys(row.human for row in versus)) == ["mean", "each", "majority", *PEOPLE]
    assert {row.level for row in versus if row.adjusted} == {"item", "system"}


def test_judges_and_people_may_be_picked_whatever_their_kind_says(ratings):
    rows = judge_versus_human(ratings, judges=["ann"], humans=["bob", "j1"], resamples=0)
    assert {row.judge for row in rows} == {"ann"}
    assert {row.human for row in rows} == {"mean", "each", "majority", "bob", "j1"}


def test_a_metric_stands_among_the_judges_but_agrees_among_metrics(ratings):
    turned = ratings.assign(kind=ratings["kind"].where(ratings["rater"] != "j2", "metric"))
    assert [row.judge for row in judge_versus_human(turned, resamples=0)][-1] == "j2"
    assert {row.kind for row in inter_rater(turned, resamples=0)} == {"human", "judge", "metric"}


def test_places_in_a_list_have_no_rows_pairs_or_shares_of_their_own(ratings):
    rows = inter_rater(ratings, anonymous=True, resamples=0)
    people = only(rows, kind="human", skill="clear")
    assert people.pairs == ()
    assert "places in a list" in people.undefined["conger"]
    assert people.measures["alpha_ordinal"] is not None
    assert only(rows, kind="judge", skill="clear").pairs
    versus = judge_versus_human(ratings, anonymous=["ann", "bob", "cem"], resamples=0)
    assert {row.human for row in versus} == {"mean", "each", "majority"}


def test_identified_raters_keep_their_pairs_beside_places(ratings):
    row = only(inter_rater(ratings, anonymous={"cem"}, resamples=0), kind="human", skill="clear")
    assert [(pair.a, pair.b) for pair in row.pairs] == [("ann", "bob")]


# ---- what is counted ----------------------------------------------------------------------------------------------


def test_only_scored_ratings_of_whole_responses_count(ratings):
    spoilt = ratings.assign(item="")
    spoilt.loc[spoilt.index[:5], "outcome"] = "refused"
    spoilt.loc[spoilt.index[5:9], "item"] = "question 1"
    kept = ratings.iloc[9:]
    assert inter_rater(spoilt, resamples=0) == inter_rater(kept, resamples=0)


def test_units_with_one_rating_do_not_count_but_are_told(ratings):
    gone = (ratings["rater"] != "ann") & (ratings["kind"] == "human") & (ratings["instance"].isin(["i0", "i1"]))
    row = only(inter_rater(ratings[~gone]), kind="human", skill="clear")
    assert (row.n_units, row.n_ratings, row.n_single_units) == (28 * 4, 3 * 28 * 4, 2 * 4)
    assert (row.n_instances, row.n_clusters) == (28, 28)


def test_rows_do_not_mind_the_order_of_ratings(ratings):
    mixed = ratings.sample(frac=1, random_state=1)
    found, again = judge_versus_human(ratings), judge_versus_human(mixed)
    for row in found:
        other = only(again, judge=row.judge, human=row.human, skill=row.skill, level=row.level, adjusted=row.adjusted)
        assert other.measures == pytest.approx(row.measures, nan_ok=False)
        assert other.n == row.n
        if row.level != "system":
            assert {k: other.intervals[k] for k in row.intervals} == {
                k: pytest.approx(v) for k, v in row.intervals.items()
            }


def test_clusters_join_instances_in_intervals_only(ratings):
    clusters = {f"i{k}": f"c{k // 5}" for k in range(30)}
    alone = only(judge_versus_human(ratings), judge="j1", human="mean", skill="clear", level="item")
    joined = only(judge_versus_human(ratings, clusters=clusters), judge="j1", human="mean", skill="clear", level="item")
    assert joined.measures == alone.measures
    assert (joined.n_clusters, alone.n_clusters) == (6, 30)
    assert joined.intervals["pearson"] != alone.intervals["pearson"]


def test_samples_are_averaged_before_judges_are_held_against_people(ratings):
    twice = ratings[ratings["rater"] == "j1"].assign(sample=1)
    twice["score"] = np.clip(twice["score"] + 1, 1, 5)
    both = pd.concat([ratings, twice], ignore_index=True)
    row = only(judge_versus_human(both), judge="j1", human="ann", skill="clear", level="item")
    table = wide(both, ["j1", "ann"], skill="clear")
    assert row.measures["pearson"] == pytest.approx(stats.pearsonr(table["j1"], table["ann"])[0])
    assert row.undefined["kappa"] == "means of samples are no points of the scale"
    own = only(inter_rater(both), of="samples", skill="clear")
    assert (own.raters, own.n_units, own.n_ratings) == (("j1",), 120, 240)
    assert [(pair.a, pair.b) for pair in own.pairs] == [("0", "1")]
    assert own.undefined["conger"]
    among = only(inter_rater(both), of="raters", kind="judge", skill="clear")
    assert among.undefined["fleiss"] == "means of samples are no points of the scale"
    assert among.measures["alpha_interval"] is not None


def test_variants_are_conditions_not_samples(ratings):
    other = ratings[ratings["rater"] == "j1"].assign(variant="packed")
    rows = inter_rater(pd.concat([ratings.assign(variant=""), other], ignore_index=True), resamples=0)
    assert {row.of for row in rows} == {"raters"}


def test_samples_of_labels_give_their_most_frequent_one():
    rows = [("i1", "j", "judge", 0, "yes"), ("i1", "j", "judge", 1, "no"), ("i1", "j", "judge", 2, "yes")]
    rows += [("i2", "j", "judge", 0, "yes"), ("i2", "j", "judge", 1, "no")]  # no label is more frequent: no score
    rows += [("i1", "a", "human", 0, "yes"), ("i2", "a", "human", 0, "yes")]
    ratings = pd.DataFrame(rows, columns=["instance", "rater", "kind", "sample", "score"]).assign(skill="s")
    row = only(judge_versus_human(ratings), human="a", level="item", skill="s")
    assert (row.n, row.measures["exact"]) == (1, 1)


# ---- judges against people ----------------------------------------------------------------------------------------


def test_items_instances_and_systems_are_three_correlations(ratings):
    table = wide(ratings, [*PEOPLE, "j1"], skill="clear")
    judge, people = table["j1"], table[PEOPLE].mean(axis=1)
    rows = judge_versus_human(ratings)
    for name, find in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        item = only(rows, judge="j1", human="mean", skill="clear", level="item")
        assert item.measures[name] == pytest.approx(find(judge, people)[0])
        groups = [
            find(judge[part.index], part)[0]
            for _, part in people.groupby("instance")
            if min(np.ptp(judge[part.index]), np.ptp(part)) > 0
        ]
        instance = only(rows, judge="j1", human="mean", skill="clear", level="instance")
        assert instance.measures[name] == pytest.approx(np.mean(groups))
        assert (instance.n, instance.n_groups) == (len(groups), 30)
        means = [side.groupby("model").mean() for side in (judge, people)]
        system = only(rows, judge="j1", human="mean", skill="clear", level="system")
        assert system.measures[name] == pytest.approx(find(*means)[0])
        assert system.n == 4


def test_kappas_belong_to_items_and_to_points(ratings):
    rows = judge_versus_human(ratings, resamples=0)
    assert (
        only(rows, judge="j1", human="ann", skill="clear", level="instance").undefined["kappa"]
        == "counted at level item"
    )
    mean = only(rows, judge="j1", human="mean", skill="clear", level="item")
    assert mean.undefined["exact"] == "a mean of people's scores is no point of the scale"
    each = only(rows, judge="j1", human="each", skill="clear", level="item")
    own = [only(rows, judge="j1", human=name, skill="clear", level="item") for name in PEOPLE]
    for name, value in each.measures.items():
        assert value == pytest.approx(np.mean([row.measures[name] for row in own]))
    centred = only(rows, judge="j1", human="ann", skill=None, level="item", adjusted="skill_centred")
    assert centred.undefined["kappa"] == "skill-centred scores are no points of the scale"
    assert centred.undefined["mean_difference"] == "each skill's mean is taken out of both sides"


def test_taking_out_the_skills_means_takes_out_the_differences_between_skills(ratings):
    rows = judge_versus_human(ratings, judges=["j1"], resamples=0)
    pooled = only(rows, human="mean", skill=None, level="item", adjusted=None)
    centred = only(rows, human="mean", skill=None, level="item", adjusted="skill_centred")
    assert centred.measures["pearson"] < pooled.measures["pearson"]
    table = wide(ratings, [*PEOPLE, "j1"])
    sides = [side - side.groupby("skill").transform("mean") for side in (table["j1"], table[PEOPLE].mean(axis=1))]
    assert centred.measures["pearson"] == pytest.approx(stats.pearsonr(*sides)[0])


def test_the_majority_is_the_score_that_most_people_gave(ratings):
    table = wide(ratings, [*PEOPLE, "j1"], skill="right")
    most = table[PEOPLE].apply(lambda row: row.mode().iloc[0] if row.mode().size == 1 else np.nan, axis=1)
    row = only(judge_versus_human(ratings), judge="j1", human="majority", skill="right", level="item")
    assert row.n == most.notna().sum()
    assert row.measures["exact"] == pytest.approx((table["j1"] == most)[most.notna()].mean())


def test_gaps_are_left_out_never_filled(ratings):
    gaps = ratings.drop(ratings[(ratings["rater"] == "bob") & (ratings["instance"] == "i3")].index)
    gaps = gaps.drop(gaps[(gaps["rater"] == "j1") & (gaps["model"] == "m1")].index)
    rows = judge_versus_human(gaps, judges=["j1"], resamples=0)
    assert only(rows, human="mean", skill="clear", level="item").n == 90
    assert only(rows, human="bob", skill="clear", level="item").n == 87
    assert only(rows, human="bob", skill="clear", level="system").n == 3
    table = wide(gaps, [*PEOPLE, "j1"], skill="clear").dropna(subset=["j1"])
    value = stats.pearsonr(table["j1"], table[PEOPLE].mean(axis=1))[0]
    assert only(rows, human="mean", skill="clear", level="item").measures["pearson"] == pytest.approx(value)


def test_several_responses_of_a_model_are_averaged_across_models_not_within_items(ratings):
    more = pd.concat([ratings, ratings.assign(response_sample=1, score=6 - ratings["score"])], ignore_index=True)
    more["response_sample"] = more["response_sample"].fillna(0).astype(int)
    rows = judge_versus_human(more, judges=["j1"], resamples=0)
    assert only(rows, human="mean", skill="clear", level="item").n == 240
    instance = only(rows, human="mean", skill="clear", level="instance")
    assert instance.undefined["pearson"].startswith("on every instance")


# ---- scales -------------------------------------------------------------------------------------------------------


def test_scores_on_different_scales_are_correlated_but_not_compared(ratings):
    other = ratings["rater"] == "j1"
    moved = ratings.assign(score=ratings["score"].where(~other, (ratings["score"] - 1) / 4))
    scales = {"j1": (0, 1, 0.25), **dict.fromkeys(PEOPLE, (1, 5))}
    row = only(judge_versus_human(moved, scales=scales), judge="j1", human="ann", skill="clear", level="item")
    same = only(judge_versus_human(ratings), judge="j1", human="ann", skill="clear", level="item")
    assert row.measures["pearson"] == pytest.approx(same.measures["pearson"])
    assert row.undefined["kappa"] == "the scales differ: 0-1 by 0.25 (judge), 1-5 (people)"
    assert row.undefined["mean_difference"] == row.undefined["kappa"]
    among = only(inter_rater(moved, scales={"j1": (0, 1, 0.25), "j2": (1, 5)}), kind="judge", skill="clear")
    assert among.undefined["alpha_interval"] == "the raters' scales differ (j1: 0-1 by 0.25, j2: 1-5)"


def test_people_on_different_scales_have_no_mean(ratings):
    rows = judge_versus_human(ratings, scales={"ann": (1, 5), "bob": (0, 10)}, resamples=0)
    for human in ("mean", "majority"):
        row = only(rows, judge="j1", human=human, skill="clear", level="item")
        assert set(row.undefined.values()) == {"the people's scales differ"} or human == "mean"
        assert row.undefined["pearson"] == "the people's scales differ"
    assert only(rows, judge="j1", human="each", skill="clear", level="item").measures["pearson"] is not None
    ranked = only(
        ranking_accuracy(ratings, scales={"ann": (1, 5), "bob": (0, 10)}), judge="j1", human="mean", skill="clear"
    )
    assert ranked.undefined["accuracy"] == "the people's scales differ"


def test_a_known_scale_shows_that_the_other_side_has_another(ratings):
    row = only(
        judge_versus_human(ratings.assign(score=ratings["score"] * 2), scales=dict.fromkeys(JUDGES, (2, 10))),
        judge="j1",
        human="ann",
        skill="clear",
        level="item",
    )
    assert row.measures["kappa"] is not None
    far = ratings.assign(score=ratings["score"].where(ratings["rater"] != "ann", ratings["score"] * 10))
    row = only(judge_versus_human(far, scales={"j1": (1, 5)}), judge="j1", human="ann", skill="clear", level="item")
    assert row.undefined["exact"] == "the scales differ: people's scores lie outside 1-5"


def test_scores_outside_their_scale_do_not_count(ratings):
    spoilt = ratings.copy()
    spoilt.loc[spoilt.index[spoilt["rater"] == "j1"][:7], "score"] = 9
    rows = judge_versus_human(spoilt, judges=["j1"], scales={"j1": (1, 5)}, resamples=0)
    row = only(rows, human="mean", skill=None, level="item", adjusted=None)
    assert (row.n, row.n_out_of_range) == (233, 7)


def test_continuous_scores_have_no_kappa(ratings):
    moved = ratings.assign(score=ratings["score"] + np.random.default_rng(0).random(len(ratings)) / 3)
    row = only(judge_versus_human(moved, resamples=0), judge="j1", human="ann", skill="clear", level="item")
    assert "no point of the scale" in row.undefined["kappa"]
    among = only(inter_rater(moved, resamples=0), kind="human", skill="clear")
    assert "no points of a scale" in among.undefined["alpha_nominal"]
    assert among.measures["alpha_ordinal"] is not None


def test_numbers_may_be_told_to_be_labels(ratings):
    scales = dict.fromkeys([*PEOPLE, *JUDGES], "nominal")
    row = only(inter_rater(ratings, scales=scales), kind="human", skill="clear")
    same = only(inter_rater(ratings), kind="human", skill="clear")
    assert row.measures["alpha_nominal"] == pytest.approx(same.measures["alpha_nominal"])
    assert row.undefined["icc_single"] == "labels have no order"
    assert row.pairs[0].undefined["kappa_linear"] == "labels have no order"
    versus = judge_versus_human(ratings, scales=scales, resamples=0)
    item = only(versus, judge="j1", human="ann", skill="clear", level="item")
    assert item.measures["kappa"] is not None
    assert item.undefined["pearson"] == "labels have neither order nor mean"
    assert not any(row.adjusted for row in versus)


def test_a_label_that_the_scale_does_not_have_does_not_count():
    rows = [(f"i{k}", rater, label) for k in range(4) for rater, label in (("a", "yes"), ("b", "no" if k else "maybe"))]
    ratings = pd.DataFrame(rows, columns=["instance", "rater", "score"]).assign(skill="s", kind="human")
    row = only(inter_rater(ratings, scales=dict.fromkeys("ab", ("yes", "no"))), skill="s")
    assert (row.n_units, row.n_out_of_range) == (3, 1)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"scales": {"j1": "ordinal"}}, "neither two numbers"),
        ({"scales": {"j1": (5, 1)}}, "lowest, highest"),
        ({"scales": {"j1": (1, 5, 0)}}, "not above 0"),
        ({"confidence": 95}, "between 0 and 1"),
        ({"resamples": -1}, "must not be negative"),
        ({"kappa_weights": "rank"}, "by value or by position"),
        ({"slice_of": {"i0": ("a", "b")}, "by": ["domain"]}, "has 2 values"),
    ],
)
def test_options_that_do_not_fit_are_refused(ratings, options, why):
    with pytest.raises(ValueError, match=why):
        judge_versus_human(ratings, **options)


# ---- slices -------------------------------------------------------------------------------------------------------


def test_a_slice_is_the_study_of_its_instances(ratings):
    domain = {f"i{k}": "Math" if k % 3 else ["Math", "Law"] for k in range(30)} | {"i1": None}
    rows = judge_versus_human(ratings, slice_of=domain, by=["domain"], resamples=0)
    assert {(row.slice, row.by["domain"]) for row in rows} == {("domain=Math", "Math"), ("domain=Law", "Law")}
    law = [f"i{k}" for k in range(0, 30, 3)]
    alone = judge_versus_human(ratings[ratings["instance"].isin(law)], resamples=0)
    for row in alone:
        where = {name: getattr(row, name) for name in ("judge", "human", "skill", "level", "adjusted", "n", "n_groups")}
        assert only(rows, slice="domain=Law", **where).measures == pytest.approx(row.measures)
    people = only(
        inter_rater(ratings, slice_of=domain, by=["domain"]), slice="domain=Math", kind="human", skill="clear"
    )
    assert people.n_instances == 29


def test_dimensions_are_crossed_and_named_in_their_order(ratings):
    labels = {f"i{k}": (f"d{k % 2}", np.int64(k % 3)) for k in range(30)}
    rows = inter_rater(ratings, slice_of=labels, by=["domain", "skill", "difficulty"], within="hard", resamples=0)
    assert {row.slice for row in rows} == {f"hard;domain=d{a};difficulty={b}" for a in (0, 1) for b in (0, 1, 2)}
    assert rows[0].to_dict()["by"] == {"domain": "d0", "difficulty": 0}
    named = {instance: {"domain": a, "difficulty": int(b)} for instance, (a, b) in labels.items()}
    assert inter_rater(ratings, slice_of=named, within="hard", resamples=0) == rows


def test_without_slices_everything_may_lie_in_one(ratings):
    assert {row.slice for row in inter_rater(ratings, within="hard", resamples=0)} == {"hard"}
    assert {row.slice for row in inter_rater(ratings, resamples=0)} == {None}


def test_slices_may_go_by_what_a_rating_says(ratings):
    rows = judge_versus_human(ratings, slice_of=ratings["model"], by=["model"], resamples=0)
    row = only(rows, judge="j1", human="mean", skill="clear", level="item", slice="model=m2")
    assert row.n == 30
    assert (
        only(rows, judge="j1", human="mean", skill="clear", level="system", slice="model=m2").measures["pearson"]
        is None
    )


def test_labels_of_ratings_may_be_lists_of_mappings(ratings):
    labels = {f"m{k}": [{"size": "small" if k < 2 else "big"}, {"size": "any"}] for k in range(4)}
    rows = judge_versus_human(ratings, slice_of=ratings["model"].map(labels), resamples=0)
    assert {row.slice for row in rows} == {"size=small", "size=big", "size=any"}
    same = only(rows, judge="j1", human="mean", skill="clear", level="item", slice="size=any")
    assert (
        same.measures
        == only(
            judge_versus_human(ratings, resamples=0), judge="j1", human="mean", skill="clear", level="item"
        ).measures
    )


def test_what_is_prepared_once_serves_every_question(ratings):
    prepared = prepare(ratings, scales=dict.fromkeys(PEOPLE, (1, 5)), resamples=50, anonymous={"cem"})
    options = {"scales": dict.fromkeys(PEOPLE, (1, 5)), "resamples": 50, "anonymous": {"cem"}}
    for find in (inter_rater, judge_versus_human, judge_difference, ranking_accuracy, confusion, disattenuated):
        assert find(prepared) == find(ratings, **options)
    with pytest.raises(ValueError, match="leave out seed"):
        inter_rater(prepared, seed=1)


# ---- the other questions ------------------------------------------------------------------------------------------


def test_two_judges_are_compared_on_the_pairs_that_both_rated(ratings):
    gaps = ratings.drop(ratings[(ratings["rater"] == "j1") & (ratings["instance"] == "i0")].index)
    row = only(judge_difference(gaps), human="mean", skill="clear", level="item", adjusted=None)
    shared = judge_versus_human(gaps[gaps["instance"] != "i0"])
    own = [only(shared, judge=judge, human="mean", skill="clear", level="item") for judge in JUDGES]
    assert (row.a, row.b, row.n) == ("j1", "j2", 116)
    assert row.a_measures == own[0].measures
    assert row.b_measures == own[1].measures
    for name in ("pearson", "spearman", "kendall", "mean_difference"):
        assert row.measures[name] == pytest.approx(own[0].measures[name] - own[1].measures[name])
        low, high = row.intervals[name]
        assert low < row.measures[name] < high
    assert row.undefined["kappa"] == "a mean of people's scores is no point of the scale"


def test_two_judges_are_compared_on_the_instances_where_neither_is_constant():
    people, first, second = [1.0, 2, 3] * 6, [1.0, 2, 3] * 5 + [2.0] * 3, [2.0] * 3 + [1.0, 3, 2] * 5
    rows = [
        (f"i{k // 3}", f"m{k % 3}", "s", rater, kind, score)
        for rater, kind, scores in (("a", "human", people), ("j1", "judge", first), ("j2", "judge", second))
        for k, score in enumerate(scores)
    ]
    ratings = pd.DataFrame(rows, columns=["instance", "model", "skill", "rater", "kind", "score"])
    row = only(judge_difference(ratings, against=["mean"]), skill="s", level="instance")
    assert (row.n, row.n_groups) == (4, 6)
    assert row.measures["pearson"] == pytest.approx(1 - 0.5)


def test_a_judge_is_compared_against_the_people_that_are_asked_for(ratings):
    rows = judge_difference(ratings, against=["each", "bob"], resamples=0)
    assert {row.human for row in rows} == {"each", "bob"}
    each = only(rows, human="each", skill="clear", level="item")
    assert each.measures["kappa_quadratic"] is not None


def test_ranking_accuracy_counts_pairs_of_models_with_their_ties(ratings):
    rows = ranking_accuracy(ratings)
    row = only(rows, judge="j1", human="ann", skill="clear")
    counts = dict.fromkeys(["concordant", "discordant", "tied_human", "tied_judge", "tied_both"], 0)
    for _, part in wide(ratings, ["ann", "j1"], skill="clear").groupby("instance"):
        for a in range(4):
            for b in range(a):
                people, judge = (np.sign(part[name].iloc[a] - part[name].iloc[b]) for name in ("ann", "j1"))
                tied = "tied_both" if not people and not judge else "tied_human" if not people else "tied_judge"
                counts[tied if not people or not judge else "concordant" if people == judge else "discordant"] += 1
    assert {name: getattr(row, f"n_{name}") for name in counts} == counts
    assert (row.n, row.n_groups) == (30 * 6, 30)
    right = counts["concordant"] + counts["tied_both"]
    assert row.measures["accuracy"] == pytest.approx(right / 180)
    decided = counts["concordant"] + counts["discordant"] + counts["tied_judge"]
    assert row.measures["decided"] == pytest.approx((counts["concordant"] + counts["tied_judge"] / 2) / decided)
    assert row.intervals["accuracy"][0] < row.measures["accuracy"] < row.intervals["accuracy"][1]
    each = only(rows, judge="j1", human="each", skill="clear")
    own = [only(rows, judge="j1", human=name, skill="clear").measures["accuracy"] for name in PEOPLE]
    assert each.measures["accuracy"] == pytest.approx(np.mean(own))


def test_a_margin_makes_ties_of_small_differences(ratings):
    close = ratings.assign(score=ratings["score"] + (ratings["rater"] == "j1") * np.linspace(0, 0.1, len(ratings)))
    strict, lenient = (
        only(ranking_accuracy(close, tie_margin=margin), judge="j1", human="ann", skill="clear") for margin in (0, 0.2)
    )
    same = only(ranking_accuracy(ratings), judge="j1", human="ann", skill="clear")
    assert strict.n_tied_both == 0
    assert lenient.measures == same.measures
    with pytest.raises(ValueError, match="must not be negative"):
        ranking_accuracy(ratings, tie_margin=-1)


def test_a_confusion_matrix_has_people_in_rows_and_the_judge_in_columns(ratings):
    scales = dict.fromkeys([*PEOPLE, *JUDGES], (0, 5))
    row = only(confusion(ratings, scales=scales), judge="j1", human="ann", skill="clear")
    assert row.points == (0, 1, 2, 3, 4, 5)
    table = wide(ratings, ["ann", "j1"], skill="clear")
    for a, counts in zip(row.points, row.counts, strict=True):
        for b, count in zip(row.points, counts, strict=True):
            assert count == ((table["ann"] == a) & (table["j1"] == b)).sum()
    assert row.n == 120
    each = only(confusion(ratings), judge="j1", human="each", skill="clear")
    assert each.points == (1, 2, 3, 4, 5)
    assert each.n == 360


def test_a_confusion_matrix_needs_points(ratings):
    row = only(confusion(ratings.assign(score=ratings["score"] / 7)), judge="j1", human="each", skill="clear")
    assert row.counts == ()
    assert "no point of the scale" in row.undefined["counts"]


def test_a_correlation_is_corrected_for_what_people_do_not_agree_on(ratings):
    row = only(disattenuated(ratings), judge="j1", skill="clear", adjusted=None)
    people = only(inter_rater(ratings), kind="human", skill="clear")
    versus = only(judge_versus_human(ratings), judge="j1", human="mean", skill="clear", level="item")
    reliability = people.measures["icc_mean"]  # three people on every unit: the reliability of their mean
    assert row.measures["reliability"] == pytest.approx(reliability)
    assert row.measures["pearson"] == versus.measures["pearson"]
    assert row.measures["corrected"] == pytest.approx(versus.measures["pearson"] / np.sqrt(reliability))
    assert row.intervals["corrected"][0] < row.measures["corrected"] < row.intervals["corrected"][1]
    assert (row.n, row.n_multiple, row.n_instances) == (120, 120, 30)


def test_the_correction_finds_the_correlation_with_what_people_have_in_common():
    rng = np.random.default_rng(0)
    quality = rng.standard_normal(4000)
    judge = 0.8 * quality + 0.6 * rng.standard_normal(4000)
    rows = [(f"i{k}", "j", "judge", judge[k]) for k in range(4000)]
    rows += [
        (f"i{k}", f"p{p}", "human", quality[k] + 1.5 * rng.standard_normal())
        for k in range(4000)
        for p in range(1 + k % 3)
    ]
    ratings = pd.DataFrame(rows, columns=["instance", "rater", "kind", "score"]).assign(skill="s")
    row = only(disattenuated(ratings), skill="s")
    assert row.measures["corrected"] == pytest.approx(0.8, abs=0.03)
    assert row.measures["pearson"] < 0.6


def test_taking_out_the_skills_means_takes_them_out_of_reliability_too(ratings):
    rows = disattenuated(ratings, judges=["j1"])
    pooled, centred = (only(rows, skill=None, adjusted=adjusted) for adjusted in (None, "skill_centred"))
    assert centred.measures["reliability"] < pooled.measures["reliability"]
    assert centred.measures["corrected"] == pytest.approx(pooled.measures["corrected"], abs=0.1)
