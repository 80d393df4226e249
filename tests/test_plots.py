"""Plots: places on axes, labels that keep apart, what is missing, and length against score."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from test_report import many, page, ratings

from flask_eval.analysis.coding import coded
from flask_eval.analysis.lengths import length_rows
from flask_eval.analysis.slices import slice_scores
from flask_eval.reporting.heats import heat
from flask_eval.reporting.plots import Mean, Span, apart, around, panels, scatter, slopes, stride, ticks
from flask_eval.reporting.tables import SkillHead
from flask_eval.reporting.text import Name
from flask_eval.schema import Slice


def mean(model: str, value: float, *, sparse: bool = False, leads: bool = False) -> Mean:
    return Mean(model, value, value - 0.1, value + 0.1, sparse, leads)


# ---- axes ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=8),
    st.sampled_from([None, (-1e6, 1e6)]),
)
def test_an_axis_holds_all_its_values_and_is_round(values, scale) -> None:
    low, high = around(values, scale)
    room = 1e-6 * max(1.0, abs(low), abs(high))
    assert low < high
    assert low - room <= min(values)
    assert max(values) <= high + room


def test_axes_have_round_steps_within_the_scale() -> None:
    assert around([2.31, 4.72], (1.0, 5.0)) == (2.0, 5.0)
    assert around([4.9, 5.0], (1.0, 5.0)) == pytest.approx((4.9, 5.0))
    assert around([3.0], None)[0] < 3.0 < around([3.0], None)[1]
    assert stride(1.0, 4) == 0.5
    assert stride(0.03, 4) == 0.01
    assert ticks(2.0, 5.0) == [2.0, 3.0, 4.0, 5.0]


def test_values_outside_an_axis_stand_at_its_end() -> None:
    span = Span(1.0, 5.0, 10.0, 90.0)
    assert [span.at(v) for v in (0.0, 1.0, 3.0, 9.0)] == [10.0, 10.0, 50.0, 90.0]


@given(st.lists(st.floats(0, 200, allow_nan=False), min_size=1, max_size=30).map(sorted))
def test_labels_keep_their_order_and_their_distance(wanted) -> None:
    placed = apart(wanted, 10, 0, 400)
    assert all(b - a >= 10 - 1e-6 for a, b in pairwise(placed))
    assert min(placed) >= 0
    assert max(placed) <= 400 + 1e-6
    if all(b - a >= 10 for a, b in pairwise(wanted)):
        assert placed == pytest.approx(wanted)


def test_labels_that_collide_move_as_little_as_possible() -> None:
    assert apart([50.0, 50.0], 10, 0, 100) == pytest.approx([45.0, 55.0])
    assert apart([0.0, 1.0, 80.0], 10, 0, 100) == pytest.approx([0.0, 10.0, 80.0])


# ---- plots --------------------------------------------------------------------------------------------------------


def test_a_panel_sorts_models_and_names_those_without_a_mean() -> None:
    means = [mean("low", 2.0), mean("high", 4.0, leads=True), mean("few", 3.0, sparse=True)]
    drawn = panels([(Name("Skill"), 0, means, ["gone", "<i>lost</i>"])], (0.0, 10.0))
    assert drawn is not None
    one = drawn.panels[0]
    assert [label.text for label in one.labels] == ["high", "few", "low"]
    assert [label.leads for label in one.labels] == [True, False, False]
    assert (one.leaders.count("M"), one.others.count("M"), one.hollow.count("M")) == (1, 1, 1)
    assert one.absent == "gone, <i>lost</i>"
    places = [float(x) for x in re.findall(r"M([\d.]+) [\d.]+h0", one.leaders + one.hollow + one.others)]
    assert places == sorted(places, reverse=True)
    assert drawn.words == "All axes go from 1 to 5, a part of the scale 0\u201310."


def test_where_no_model_has_a_mean_nothing_is_drawn() -> None:
    assert panels([(Name("Skill"), 0, [], ["a"])], (1.0, 5.0)) is None
    assert slopes((Name("all"), Name("part")), []) is None
    assert scatter([(mean("a", 3.0), 100.0)]) is None


def test_of_few_models_the_slope_plot_shows_intervals_of_many_none() -> None:
    few = slopes((Name("all"), Name("hard")), [(mean(f"m{k}", 3.0 + k), mean(f"m{k}", 2.0 + k)) for k in range(4)])
    many_models = slopes((Name("all"), Name("hard")), [(mean(f"m{k}", k), mean(f"m{k}", k - 1)) for k in range(5)])
    assert few is not None
    assert many_models is not None
    assert few.ends.count("M") == 8
    assert many_models.ends == ""
    assert many_models.lines.count("M") == 5


def test_names_in_the_scatter_plot_cover_no_other_name_and_are_counted_where_they_find_no_room() -> None:
    drawn = scatter([(mean(f"a-model-with-a-name-{k}", 3.0), 100.0) for k in range(30)])
    assert drawn is not None
    assert 0 < len(drawn.labels) < 30
    assert len(drawn.labels) + drawn.unlabelled == 30
    assert drawn.points.count("M") == 30


# ---- heat maps ----------------------------------------------------------------------------------------------------


def test_the_heat_map_shows_the_fields_mean_and_each_model_against_its_median() -> None:
    table = many(3, 160)
    rows = slice_scores(table, by=[("skill", "domain")], resamples=0).rows
    heads = [SkillHead(s, Name(table.title(s)), "", 0) for s in table.skills]
    made = heat(rows, "domain", heads)
    assert made is not None
    cells = dict(zip([c.text for c in made.columns], made.rows[0][1], strict=True))
    math = [row.mean for row in rows if row.skill == table.skills[0] and row.by["domain"] == "Math"]
    assert cells["Math"].text == f"{np.mean(math):.2f}"
    assert (
        cells["Math"].title == f"n {max(r.n for r in rows if r.skill == table.skills[0] and r.by['domain'] == 'Math')}"
    )
    best, worst = made.maps[0], made.maps[-1]
    above, below = (
        [sum(path.count("M") for key, path in one.paths if key[0] == side) for side in "ud"] for one in (best, worst)
    )
    assert above[0] > above[1]
    assert below[0] < below[1]
    shades = [cell.shade for _, row in made.rows for cell in row if cell.text and not cell.sparse]
    assert (min(shades), max(shades)) == (0, 8)


def test_a_cell_of_few_instances_has_a_small_mark_in_every_map() -> None:
    table = many(3, 160)
    rows = slice_scores(table, by=[("skill", "domain")], resamples=0).rows
    made = heat(rows, "domain", [SkillHead(s, Name(s), "", 0) for s in table.skills])
    assert made is not None
    place = {(x, y): cell.sparse for y, (_, row) in enumerate(made.rows) for x, cell in enumerate(row) if cell.text}
    assert {True, False} == set(place.values())
    seen = {True: 0, False: 0}
    for one in made.maps:
        for key, path in one.paths:
            for x, y in re.findall(r"M(\d+) (\d+)h0", path):
                assert place[int(x), int(y)] == key.endswith("o")
                seen[key.endswith("o")] += 1
    assert min(seen.values()) > 0


def test_a_cell_of_few_instances_has_no_shade() -> None:
    table = many(2, 20)
    rows = slice_scores(table, by=[("skill", "difficulty")], resamples=0).rows
    made = heat(rows, "difficulty", [SkillHead(s, Name(s), "", 0) for s in table.skills])
    assert made is not None
    assert all(cell.sparse for _, row in made.rows for cell in row if cell.text)
    assert not made.maps


def test_one_value_of_a_dimension_makes_no_heat_map() -> None:
    table = many(2)
    rows = [r for r in slice_scores(table, by=[("skill", "domain")], resamples=0).rows if r.by["domain"] == "Math"]
    assert heat(rows, "domain", [SkillHead(s, Name(s), "", 0) for s in table.skills]) is None


# ---- length against score -----------------------------------------------------------------------------------------


def _with_lengths(scores: dict[str, list[float]], lengths: dict[str, list[int]]):
    made = {(str(k), model, 0): n for model, own in lengths.items() for k, n in enumerate(own)}
    return replace(ratings(scores), lengths=made)


def test_length_and_score_are_correlated_within_instances_as_scipy_says() -> None:
    rng = np.random.default_rng(3)
    scores = {m: rng.integers(1, 6, 40).astype(float).tolist() for m in "abcde"}
    lengths = {m: rng.integers(10, 1000, 40).tolist() for m in "abcde"}
    row = length_rows(coded(_with_lengths(scores, lengths)))[0]
    own = [
        stats.spearmanr([scores[m][k] for m in "abcde"], [lengths[m][k] for m in "abcde"]).statistic
        for k in range(40)
        if len({scores[m][k] for m in "abcde"}) > 1
    ]
    half = stats.t.ppf(0.975, len(own) - 1) * np.std(own, ddof=1) / np.sqrt(len(own))
    assert row.spearman == pytest.approx(np.mean(own))
    assert (row.low, row.high) == pytest.approx((np.mean(own) - half, np.mean(own) + half))
    assert (row.n, row.n_groups) == (len(own), 40)
    assert [p.characters for p in row.points] == [float(np.median(lengths[m])) for m in "abcde"]


def test_where_lengths_or_scores_never_differ_no_correlation_is_made_up() -> None:
    row = length_rows(coded(_with_lengths({m: [3.0, 4.0] for m in "abc"}, {m: [5, 50] for m in "abc"})))[0]
    assert row.spearman is None
    assert row.n == 0
    assert set(row.undefined) == {"spearman", "low", "high"}
    assert length_rows(coded(ratings({"a": [1, 2]}))) == ()


def test_an_empty_response_has_no_length() -> None:
    scores = {m: [1.0, 2.0, 3.0] for m in "abc"}
    row = length_rows(coded(_with_lengths(scores, {"a": [0, 0, 0], "b": [1, 2, 3], "c": [3, 4, 5]})))[0]
    assert [p.model for p in row.points] == ["b", "c"]
    assert row.n_groups == 0


# ---- on the page --------------------------------------------------------------------------------------------------


def test_the_page_holds_every_plot_with_a_description_and_without_lengths_none_of_them(tmp_path) -> None:
    table = many(4, 80)
    lengths = {(str(k), f"model-{m}", 0): 50 + 10 * m + k for k in range(80) for m in range(4)}
    made = page(replace(table, lengths=lengths), tmp_path, slices=[Slice(name="hard", where={"difficulty": 5})])
    plots = [attrs for attrs in made.all("svg") if attrs.get("class") == "plotted"]
    assert len(plots) == 12 + 1 + 1
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 20 for attrs in plots)
    assert len([attrs for attrs in made.all("svg") if attrs.get("class") == "map"]) == 4 + 0
    assert "Length and score" in made.text
    assert "Length and score" not in page(table, tmp_path).text


def test_what_a_run_spent_stands_among_its_facts() -> None:
    from flask_eval.reporting.facts import facts

    spent = {
        "calls": {"sent": 12, "answered": 10, "failed": 2},
        "tokens": {"input": 12_345, "cached": 345, "output": 678},
        "cost_usd": 1.5,
    }
    table = replace(ratings({"a": [1]}), runs=({"run": "r", "spent": spent},))
    made = {label: value.text for label, value in facts(table)[0][1]}
    assert made == {"Calls": "10 answered, 2 failed", "Tokens": "12,345 in (345 cached), 678 out", "Cost": "$1.50"}
    free = replace(table, runs=({"run": "r", "spent": spent | {"cost_usd": None}},))
    assert dict(facts(free)[0][1])["Cost"].text == "no price known"
