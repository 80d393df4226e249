"""Every measure equals its definition, written out the slow way, and its values without a cluster are exact."""

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flask_eval.analysis.agreement import alpha
from flask_eval.analysis.agreement.alphas import LEVELS, alphas, dense_counts, own_alpha
from flask_eval.analysis.agreement.concordance import kendall
from flask_eval.analysis.agreement.correlation import pearson, spearman
from flask_eval.analysis.agreement.icc import icc
from flask_eval.analysis.agreement.kappa import point_measures
from flask_eval.analysis.agreement.nominal import category_measures
from flask_eval.analysis.agreement.paired import paired
from flask_eval.analysis.agreement.sheet import sheet_of, sheet_of_table

few = settings(deadline=None, max_examples=60)
scores = st.integers(1, 5).map(float)
SOME = st.integers(2, 4)


@st.composite
def tables(draw, raters=SOME, *, gaps=True):
    """(raters, units) scores from 1 to 5 that are not all equal; some missing."""
    shape = draw(raters), draw(st.integers(2, 14))
    cell = st.one_of(scores, st.just(np.nan)) if gaps else scores
    table = np.array(draw(st.lists(cell, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))).reshape(shape)
    table[:, 0] = draw(st.lists(scores, min_size=shape[0], max_size=shape[0]))
    table[0, 0], table[1, 0] = 1.0, 2.0
    return table


@st.composite
def two_sides(draw, values=scores):
    """Two sides' scores, neither constant, in clusters."""
    n = draw(st.integers(4, 25))
    x, y = (np.array(draw(st.lists(values, min_size=n, max_size=n))) for _ in range(2))
    x[:2], y[:2] = [1.0, 2.0], [2.0, 1.0]
    return x, y, np.array(draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)))


# ---- correlations -------------------------------------------------------------------------------------------------

SCIPY = {pearson: stats.pearsonr, spearman: stats.spearmanr, kendall: stats.kendalltau}


@pytest.mark.parametrize("find", SCIPY, ids=lambda find: find.__name__)
@few
@given(two_sides(st.one_of(scores, st.floats(0, 5, allow_subnormal=False))))
def test_a_correlation_is_that_of_scipy(find, sides):
    x, y, cluster = sides
    assert find(paired(x, y, cluster)).value == pytest.approx(SCIPY[find](x, y)[0], abs=1e-9)


@pytest.mark.parametrize("find", SCIPY, ids=lambda find: find.__name__)
@few
@given(two_sides())
def test_a_correlation_without_a_cluster_is_that_of_the_rest(find, sides):
    x, y, cluster = sides
    found = find(paired(x, y, cluster))
    for own, value in zip(found.clusters, found.left_out, strict=True):
        rest = cluster != own
        if np.unique(x[rest]).size < 2 or np.unique(y[rest]).size < 2:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(SCIPY[find](x[rest], y[rest])[0], abs=1e-9)


@pytest.mark.parametrize("clusters", [7, 400])
def test_kendall_counts_many_values_as_scipy_does(clusters):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(600)
    y = np.round(x + rng.standard_normal(600), 1)
    cluster = rng.integers(0, clusters, 600)
    found = kendall(paired(x, y, cluster))
    assert found.value == pytest.approx(stats.kendalltau(x, y)[0], abs=1e-12)
    for own, value in list(zip(found.clusters, found.left_out, strict=True))[:5]:
        rest = cluster != own
        assert value == pytest.approx(stats.kendalltau(x[rest], y[rest])[0], abs=1e-12)


def test_spearman_of_very_many_values_is_left_out_to_the_first_order():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(1500)
    y = x + rng.standard_normal(1500)
    found = spearman(paired(x, y))
    some = rng.integers(0, 1500, 20)
    exact = np.array([stats.spearmanr(np.delete(x, k), np.delete(y, k))[0] for k in some])
    # an error of 0.2% of what leaving a cluster out does
    assert np.abs((found.left_out[some] - exact) / (found.left_out - found.value).std()).max() < 0.02


@few
@given(two_sides(), st.sampled_from([pearson, spearman, kendall]))
def test_a_correlation_does_not_mind_which_side_comes_first_nor_a_shift(sides, find):
    x, y, cluster = sides
    value = find(paired(x, y, cluster)).value
    assert find(paired(y, x, cluster)).value == pytest.approx(value, abs=1e-12)
    assert find(paired(3 * x - 7, y, cluster)).value == pytest.approx(value, abs=1e-12)
    assert find(paired(-x, y, cluster)).value == pytest.approx(-value, abs=1e-12)


# ---- kappas -------------------------------------------------------------------------------------------------------


def kappa_by_hand(x, y, disagreement):
    observed = np.mean([disagreement(a, b) for a, b in zip(x, y, strict=True)])
    expected = np.mean([disagreement(a, b) for a in x for b in y])
    return 1 - observed / expected


DISAGREEMENTS = {
    "kappa": lambda a, b: a != b,
    "kappa_linear": lambda a, b: abs(a - b),
    "kappa_quadratic": lambda a, b: (a - b) ** 2,
}


@few
@given(two_sides())
def test_kappa_is_one_less_observed_over_expected_disagreement(sides):
    x, y, cluster = sides
    found = point_measures(paired(x, y, cluster))
    for name, disagreement in DISAGREEMENTS.items():
        assert found[name].value == pytest.approx(kappa_by_hand(x, y, disagreement), abs=1e-12)
    assert found["exact"].value == pytest.approx(np.mean(x == y))
    assert found["within_one"].value == pytest.approx(np.mean(abs(x - y) <= 1))


@few
@given(two_sides())
def test_measures_of_points_without_a_cluster_are_those_of_the_rest(sides):
    x, y, cluster = sides
    found = point_measures(paired(x, y, cluster))
    for own in np.unique(cluster):
        rest = cluster != own
        wanted = point_measures(paired(x[rest], y[rest], cluster[rest]))
        for name, estimate in found.items():
            value = estimate.left_out[list(estimate.clusters).index(own)]
            other = wanted[name].value
            assert not np.isfinite(value) if other is None else value == pytest.approx(other, abs=1e-9)


@few
@given(two_sides(), st.permutations([1.0, 2.0, 3.0, 4.0, 5.0]))
def test_plain_kappa_does_not_mind_how_categories_are_called(sides, names):
    x, y, _ = sides
    renamed = [np.array([names[int(score) - 1] for score in side]) for side in (x, y)]
    assert point_measures(paired(*renamed))["kappa"].value == pytest.approx(
        point_measures(paired(x, y))["kappa"].value, abs=1e-12
    )


def test_weights_by_position_are_those_of_the_places_that_occur():
    x, y = np.array([1.0, 2, 9, 9, 1]), np.array([2.0, 2, 9, 1, 1])
    by_place = point_measures(paired(x, y), weights="position")
    place = {1.0: 0.0, 2.0: 1.0, 9.0: 2.0}
    moved = [np.array([place[score] for score in side]) for side in (x, y)]
    for name in ("kappa_linear", "kappa_quadratic"):
        assert by_place[name].value == pytest.approx(point_measures(paired(*moved))[name].value)
        assert by_place[name].value != pytest.approx(point_measures(paired(x, y))[name].value)


def test_one_step_of_a_coarser_scale_is_within_one():
    x, y = np.array([0.0, 0.25, 1.0]), np.array([0.25, 0.75, 1.0])
    assert point_measures(paired(x, y), step=0.25)["within_one"].value == pytest.approx(2 / 3)


def test_a_judge_that_always_says_the_same_has_kappa_zero():
    found = point_measures(paired(np.full(4, 3.0), np.array([1.0, 3, 5, 3])))
    assert found["kappa"].value == pytest.approx(0)
    assert found["kappa_quadratic"].value == pytest.approx(0)


# ---- alpha --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@few
@given(tables())
def test_alpha_without_the_package_is_that_of_the_package(level, table):
    sheet = sheet_of_table(table).pairable
    wanted = krippendorff.alpha(reliability_data=table, level_of_measurement=level)
    assert own_alpha(sheet, level) == pytest.approx(wanted, abs=1e-12)
    value, why = alpha(dense_counts(sheet), sheet.score.distinct, level)
    assert value == pytest.approx(wanted, abs=1e-12)
    assert why == ""


def alpha_by_hand(table, distance):
    """Krippendorff's definition, over all pairs of ratings of a unit, and all pairs of ratings."""
    units = [column[~np.isnan(column)] for column in table.T]
    units = [unit for unit in units if unit.size > 1]
    ratings = np.concatenate(units)
    within = sum(sum(distance(a, b) for a in unit for b in unit) / (unit.size - 1) for unit in units)
    every = sum(distance(a, b) for a in ratings for b in ratings) / (ratings.size - 1)
    return 1 - within / every


@few
@given(tables())
def test_alpha_is_one_less_disagreement_within_units_over_disagreement_among_all(table):
    found = alphas(sheet_of_table(table))
    assert found["interval"].value == pytest.approx(alpha_by_hand(table, lambda a, b: (a - b) ** 2), abs=1e-12)
    assert found["nominal"].value == pytest.approx(alpha_by_hand(table, lambda a, b: a != b), abs=1e-12)
    ratio = alpha_by_hand(table, lambda a, b: ((a - b) / (a + b)) ** 2)
    assert found["ratio"].value == pytest.approx(ratio, abs=1e-12)


@few
@given(tables(), st.data())
def test_alpha_without_a_cluster_is_that_of_the_rest(table, data):
    units = table.shape[1]
    cluster = np.array(data.draw(st.lists(st.integers(0, 4), min_size=units, max_size=units)))
    rater, unit = np.nonzero(~np.isnan(table))
    found = alphas(sheet_of(unit, rater, table[rater, unit], cluster[unit]))
    for level in LEVELS:
        for own, value in zip(found[level].clusters, found[level].left_out, strict=True):
            try:
                wanted = krippendorff.alpha(table[:, cluster != own], level_of_measurement=level)
            except (ValueError, RuntimeWarning):  # nothing to pair, or all pairable ratings equal
                assert np.isnan(value)
            else:
                assert value == pytest.approx(wanted, abs=1e-9)


def test_ordinal_alpha_of_very_many_values_is_left_out_to_the_first_order():
    rng = np.random.default_rng(0)
    quality = rng.standard_normal(900)
    table = quality + rng.standard_normal((2, 900))
    found = alphas(sheet_of_table(table), ["ordinal"])["ordinal"]
    some = rng.integers(0, 900, 5)
    exact = [own_alpha(sheet_of_table(np.delete(table, k, axis=1)).pairable, "ordinal") for k in some]
    assert np.abs((found.left_out[some] - exact) / (found.left_out - found.value).std()).max() < 0.05


@few
@given(tables(), st.randoms(use_true_random=False))
def test_agreement_among_raters_does_not_mind_their_order(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    first, second = sheet_of_table(table), sheet_of_table(table[order])
    for find in (alphas, category_measures, icc):
        for name, estimate in find(first).items():
            assert find(second)[name].value == pytest.approx(estimate.value, abs=1e-12)


@few
@given(tables(), st.permutations([1.0, 2.0, 3.0, 4.0, 5.0]))
def test_nominal_measures_do_not_mind_how_categories_are_called(table, names):
    renamed = np.where(np.isnan(table), np.nan, np.array(names)[np.nan_to_num(table, nan=1).astype(int) - 1])
    first, second = (sheet_of_table(one) for one in (table, renamed))
    assert alphas(second)["nominal"].value == pytest.approx(alphas(first)["nominal"].value, abs=1e-12)
    for name, estimate in category_measures(first).items():
        assert category_measures(second)[name].value == pytest.approx(estimate.value, abs=1e-12)


@few
@given(tables())
def test_interval_alpha_minds_neither_shift_nor_unit_and_ordinal_no_stretching(table):
    found, moved = alphas(sheet_of_table(table)), alphas(sheet_of_table(10 * table - 3))
    assert moved["interval"].value == pytest.approx(found["interval"].value, abs=1e-9)
    stretched = alphas(sheet_of_table(np.exp(table)))
    assert stretched["ordinal"].value == pytest.approx(found["ordinal"].value, abs=1e-12)


# ---- categories ---------------------------------------------------------------------------------------------------


def categories_by_hand(table, names):
    """irrCAC's definitions with missing ratings: two or more for agreement, all for how often a category is used."""
    counts = np.array([[(unit == name).sum() for name in names] for unit in table.T], float)
    counts = counts[counts.sum(axis=1) > 0]
    size = counts.sum(axis=1)
    several = size > 1
    agree = ((counts * (counts - 1)).sum(axis=1)[several] / (size * (size - 1))[several]).mean()
    used = (counts / size[:, None]).mean(axis=0)
    own = np.array([[(rater == name).sum() for name in names] for rater in table], float)
    own = own[own.sum(axis=1) > 0] / own.sum(axis=1)[own.sum(axis=1) > 0][:, None]
    pairs = [(own[a] * own[b]).sum() for a in range(len(own)) for b in range(len(own)) if a != b]
    chance = {
        "fleiss": (used**2).sum(),
        "conger": np.mean(pairs),
        "ac1": (used * (1 - used)).sum() / (len(names) - 1),
        "brennan_prediger": 1 / len(names),
    }
    return {"percent": agree} | {name: (agree - expected) / (1 - expected) for name, expected in chance.items()}


@few
@given(tables())
def test_measures_of_categories_are_those_of_their_definitions(table):
    names = np.unique(table[~np.isnan(table)])
    found = category_measures(sheet_of_table(table))
    for name, value in categories_by_hand(table, names).items():
        assert found[name].value == pytest.approx(value, abs=1e-12)


@few
@given(tables(st.just(2), gaps=False))
def test_fleiss_of_two_raters_is_scott_not_cohen(table):
    found = category_measures(sheet_of_table(table))
    assert found["scott"].value == pytest.approx(found["fleiss"].value, abs=1e-12)
    pooled = np.concatenate(table)
    assert found["scott"].value == pytest.approx(
        1 - np.mean(table[0] != table[1]) / np.mean(pooled[:, None] != pooled), abs=1e-12
    )


@few
@given(tables(), st.data())
def test_measures_without_a_cluster_are_those_of_the_rest(table, data):
    units = table.shape[1]
    cluster = np.array(data.draw(st.lists(st.integers(0, 4), min_size=units, max_size=units)))
    rater, unit = np.nonzero(~np.isnan(table))

    def found(keep, find):
        return find(sheet_of(unit[keep], rater[keep], table[rater, unit][keep], cluster[unit][keep]))

    size = np.unique(table[~np.isnan(table)]).size
    for find in (lambda sheet: category_measures(sheet, n_categories=size), icc):
        for name, estimate in found(np.ones(unit.size, bool), find).items():
            if estimate.value is None:
                continue
            for own, value in zip(estimate.clusters, estimate.left_out, strict=True):
                wanted = found(cluster[unit] != own, find)[name].value
                if wanted is None:
                    assert not np.isfinite(value) or name == "scott"
                else:
                    assert value == pytest.approx(wanted, abs=1e-9)


def test_the_categories_of_a_known_scale_count_even_where_they_do_not_occur():
    table = np.array([[1.0, 2, 2, 1], [1.0, 2, 1, 1]])
    sheet = sheet_of_table(table)
    assert category_measures(sheet)["brennan_prediger"].value == pytest.approx((0.75 - 0.5) / 0.5)
    assert category_measures(sheet, n_categories=5)["brennan_prediger"].value == pytest.approx((0.75 - 0.2) / 0.8)


# ---- intraclass correlation ---------------------------------------------------------------------------------------


def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss():
    # Shrout and Fleiss (1979), Table 2: ICC(1,1) = .17, ICC(1,4) = .44
    targets = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = icc(sheet_of_table(np.array(targets, float).T))
    assert found["icc_single"].value == pytest.approx(0.17, abs=0.005)
    assert found["icc_mean"].value == pytest.approx(0.44, abs=0.005)


@few
@given(tables())
def test_the_intraclass_correlation_comes_from_mean_squares_of_uneven_units(table):
    units = [column[~np.isnan(column)] for column in table.T]
    units = [unit for unit in units if unit.size > 1]
    found = icc(sheet_of_table(table))
    if len(units) < 2:
        assert found["icc_single"].value is None
        return
    ratings = np.concatenate(units)
    sizes = np.array([unit.size for unit in units])
    between = sum(unit.size * (unit.mean() - ratings.mean()) ** 2 for unit in units) / (len(units) - 1)
    within = sum(((unit - unit.mean()) ** 2).sum() for unit in units) / (ratings.size - len(units))
    size = (ratings.size - (sizes**2).sum() / ratings.size) / (len(units) - 1)
    single = (between - within) / (between + (size - 1) * within) if between + within else None
    assert found["icc_single"].value == (None if single is None else pytest.approx(single, abs=1e-9))
    if between > 1e-9:
        assert found["icc_mean"].value == pytest.approx(1 - within / between, abs=1e-9)
