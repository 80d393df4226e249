"""Intervals: what they are made of, where there are none, and that resamples of alpha are those of the package."""

import math

import krippendorff
import numpy as np
import pytest
from scipy import stats

from flask_eval.analysis.agreement.alphas import LEVELS, alphas
from flask_eval.analysis.agreement.correlation import pearson
from flask_eval.analysis.agreement.intervals import (
    FISHER,
    IDENTITY,
    SHARE,
    Estimate,
    cluster_mean,
    difference_of,
    interval_of,
    mean_of,
    standard_error,
    undefined,
    variance_ratio,
)
from flask_eval.analysis.agreement.levels import Points, system_level
from flask_eval.analysis.agreement.paired import paired
from flask_eval.analysis.agreement.resampling import Weights, alpha_draws, alpha_draws_of_units, draw_clusters
from flask_eval.analysis.agreement.sheet import sheet_of, sheet_of_table


def ratings(units, raters=3, seed=0):
    rng = np.random.default_rng(seed)
    quality = rng.standard_normal(units)
    return np.clip(np.round(3 + 0.8 * quality + 0.8 * rng.standard_normal((raters, units))), 1, 5)


# ---- the jackknife ------------------------------------------------------------------------------------------------


def test_the_interval_of_a_mean_of_even_scores_is_students_t():
    values = np.array([1.0, 2, 2, 3, 3, 3, 4, 4, 5])
    low, high = interval_of(cluster_mean(values, np.arange(9))).ends
    wanted = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    # the kurtosis of these scores is below the normal's, so the degrees of freedom stay G - 1
    assert (low, high) == pytest.approx(wanted)


def test_few_clusters_that_carry_the_spread_cost_degrees_of_freedom():
    even, heavy = np.tile([1.0, 2.0], 25), np.array([1.0] * 48 + [9.0, -7.0])
    assert standard_error(even)[1] == pytest.approx(49)
    assert standard_error(heavy)[1] < 5


def test_ratings_of_one_instance_are_resampled_together():
    values, cluster = np.repeat([1.0, 2, 3, 4, 5, 5], 4), np.repeat(np.arange(6), 4)
    together = interval_of(cluster_mean(values, cluster)).ends
    one_each = interval_of(cluster_mean(values[::4], np.arange(6))).ends
    assert together == pytest.approx(one_each)


def test_a_correlation_has_its_interval_on_fishers_z():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(40)
    found = pearson(paired(x, x + rng.standard_normal(40)))
    error, df = standard_error(found.left_out)
    middle, half = math.atanh(found.value), stats.t.ppf(0.95, df) * error / (1 - found.value**2)
    assert interval_of(found, 0.9).ends == pytest.approx((math.tanh(middle - half), math.tanh(middle + half)))
    assert interval_of(found).method == "cluster jackknife, t on Fisher's z"


def test_a_share_has_wilsons_interval():
    agree = np.array([1.0] * 30 + [0.0] * 10)
    low, high = interval_of(cluster_mean(agree, np.arange(40), transform=SHARE)).ends
    worth = 0.75 * 0.25 / standard_error(cluster_mean(agree, np.arange(40)).left_out)[0] ** 2
    assert worth == pytest.approx(39)
    wanted = stats.binomtest(30, 40).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=0.01)


def test_perfect_agreement_still_leaves_room_below():
    low, high = interval_of(cluster_mean(np.ones(20), np.arange(20), transform=SHARE)).ends
    assert high == 1
    assert 0.8 < low < 0.9


def test_intraclass_correlations_have_their_interval_on_the_logarithm_of_f():
    for single, value in ((True, 0.5), (False, 0.75)):
        scale = variance_ratio(3.0, single=single)
        # both are F = 4
        assert scale.forward(value) == pytest.approx(math.log(4))
        assert scale.inverse(math.log(4)) == pytest.approx(value)
        slope = (scale.forward(value + 1e-6) - scale.forward(value - 1e-6)) / 2e-6
        assert scale.slope(value) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    ("estimate", "why"),
    [
        (Estimate(0.5, left_out=np.full(4, 0.5), transform=FISHER), "fewer than 5 clusters"),
        (Estimate(0.5, left_out=np.full(9, 0.5), transform=FISHER), "no two clusters differ"),
        (Estimate(1.0, left_out=np.append(np.ones(8), 0.9), transform=FISHER), "end of its scale"),
        (Estimate(0.5, left_out=np.append(np.full(8, 0.5), np.nan), transform=FISHER), "hangs on that cluster"),
        (Estimate(0.5, left_out=np.full(9, 0.5), transform=SHARE), "no two clusters differ"),
        (Estimate(0.5, draws=np.full(100, np.nan)), "in most resamples"),
        (Estimate(0.5, draws=np.full(100, 0.5)), "all resamples give the same value"),
        (Estimate(0.5), "no interval was asked for"),
        (undefined("all ratings equal"), "all ratings equal"),
    ],
)
def test_where_there_is_no_interval_there_is_a_reason(estimate, why):
    found = interval_of(estimate)
    assert found.ends is None
    assert why in found.method


def test_ends_are_finite_however_wide_the_interval():
    wild = np.append(np.full(8, 0.5), -40.0)
    for transform in (IDENTITY, FISHER, variance_ratio(3.0, single=True), variance_ratio(3.0, single=False)):
        ends = interval_of(Estimate(0.5, left_out=wild, transform=transform), 0.999).ends
        assert all(map(math.isfinite, ends))


# ---- several estimates --------------------------------------------------------------------------------------------


def test_the_mean_over_persons_moves_by_each_persons_own_clusters():
    first = Estimate(0.4, left_out=np.array([0.5, 0.3]), clusters=np.array([0, 2]), transform=FISHER)
    second = Estimate(0.6, left_out=np.array([0.6, np.nan]), clusters=np.array([0, 7]), transform=FISHER)
    found = mean_of([first, undefined("constant"), second])
    assert found.value == pytest.approx(0.5)
    assert found.clusters.tolist() == [0, 2, 7]
    assert found.left_out == pytest.approx([0.55, 0.45, 0.5])


def test_a_mean_of_nothing_says_why():
    assert mean_of([undefined("no unit has both scores"), undefined("constant")]).reason == "constant"


def test_a_difference_is_surer_than_its_parts_where_they_move_together():
    rng = np.random.default_rng(0)
    people = rng.standard_normal(80)
    shared = people + rng.standard_normal(80)
    a, b = (pearson(paired(shared + 0.1 * rng.standard_normal(80), people)) for _ in range(2))
    found = interval_of(difference_of(a, b)).ends
    alone = interval_of(a).ends
    assert found[0] < a.value - b.value < found[1]
    assert found[1] - found[0] < (alone[1] - alone[0]) / 3


# ---- resamples ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_resampled_alpha_is_that_of_the_package_on_the_same_draws(level):
    table = ratings(60)
    table[0, :10] = np.nan
    draws = draw_clusters(60, 25, seed=3)
    found = alpha_draws(sheet_of_table(table), level, draws)
    wanted = [krippendorff.alpha(table[:, draw], level_of_measurement=level) for draw in draws]
    assert np.abs(found - wanted).max() < 1e-12


def test_units_of_one_cluster_are_drawn_together():
    table, cluster = ratings(60), np.repeat(np.arange(12), 5)
    rater, unit = np.nonzero(~np.isnan(table))
    sheet = sheet_of(unit, rater, table[rater, unit], cluster[unit])
    draws = draw_clusters(12, 10, seed=1)
    units = [np.concatenate([np.flatnonzero(cluster == one) for one in draw]) for draw in draws]
    wanted = [krippendorff.alpha(table[:, own], level_of_measurement="ordinal") for own in units]
    assert np.abs(alpha_draws(sheet, "ordinal", draws) - wanted).max() < 1e-12


@pytest.mark.parametrize("level", LEVELS)
def test_drawing_patterns_gives_the_same_distribution_as_drawing_units(level):
    sheet = sheet_of_table(ratings(400))
    units = alpha_draws(sheet, level, draw_clusters(400, 4000, seed=1))
    patterns = alpha_draws_of_units(sheet, level, resamples=4000, seed=2)
    assert patterns.mean() == pytest.approx(units.mean(), abs=0.003)
    assert patterns.std() == pytest.approx(units.std(), rel=0.06)


def test_many_categories_are_resampled_too():
    sheet = sheet_of_table(np.round(ratings(80) * 17 + np.arange(80)))
    found = alpha_draws_of_units(sheet, "interval", resamples=2000, seed=0)
    assert found.std() == pytest.approx(alpha_draws(sheet, "interval", draw_clusters(80, 2000, seed=0)).std(), rel=0.1)


@pytest.mark.parametrize("level", LEVELS)
def test_the_jackknife_error_of_alpha_is_that_of_its_resamples(level):
    sheet = sheet_of_table(ratings(400))
    error, _ = standard_error(alphas(sheet, [level])[level].left_out)
    assert error == pytest.approx(alpha_draws(sheet, level, draw_clusters(400, 4000, seed=1)).std(), rel=0.07)


def test_a_resample_of_equal_ratings_has_no_alpha():
    table = np.array([[1.0] * 5 + [2], [1.0] * 5 + [1]])
    found = alpha_draws(sheet_of_table(table), "nominal", np.array([[0, 1, 2, 3, 4, 0], [0, 5, 5, 1, 2, 3]]))
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


def test_more_clusters_than_can_be_drawn_singly_are_drawn_in_groups():
    weights = Weights(12_000, 50, 0)
    assert weights.n_groups == 5000
    sums = weights.of_sums(np.bincount(weights.group, minlength=5000)[:, None] * 1.0)
    assert sums.mean() == pytest.approx(12_000, rel=0.01)


def test_intervals_of_systems_are_the_same_for_the_same_seed_and_only_then():
    rng = np.random.default_rng(0)
    model, instance = np.tile(np.arange(6), 40), np.repeat(np.arange(40), 6)
    y = model * 0.5 + rng.standard_normal(240)
    points = Points(y + rng.standard_normal(240), y, instance, model, instance)
    found = [interval_of(system_level(points, Weights(40, 300, seed)).estimates["spearman"]).ends for seed in (1, 1, 2)]
    assert found[0] == found[1]
    pearsons = [interval_of(system_level(points, Weights(40, 300, seed)).estimates["pearson"]).ends for seed in (1, 2)]
    assert pearsons[0] != pearsons[1]


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover_what_they_promise(clustered):
    """A short run of `benchmarks/agreement_coverage.py`, with room for chance: 400 draws of 50 instances."""
    rng = np.random.default_rng(5)

    def study(n):
        cluster = np.repeat(np.arange(n), 2) if clustered else np.arange(n)
        quality = rng.standard_normal(n)[cluster]
        table = np.digitize(quality + 0.8 * rng.standard_normal((2, cluster.size)), [-1.3, -0.5, 0.5, 1.3]) + 1.0
        return pearson(paired(*table, cluster))

    truth = study(200_000).value
    ends = [interval_of(study(50)).ends for _ in range(400)]
    assert 0.92 <= np.mean([low <= truth <= high for low, high in ends]) <= 0.98
