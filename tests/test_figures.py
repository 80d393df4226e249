"""Figures for notebooks show what the tables say."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import flask_eval as fe
from flask_eval.reporting.chart_parts import label, span

HOSTILE = "<b>x</b>&amp;$y$<br>\u202ez"


def table(models=("a", "bb"), raters=("judge",), skills=("factuality", "readability", "completeness")):
    rows = [
        {"instance": str(k), "model": model, "skill": skill, "rater": rater, "kind": "judge",
         "score": 1 + (k + len(model) + len(skill)) % 5}
        for rater in raters
        for model in models
        for skill in skills
        for k in range(12)
    ]  # fmt: skip
    return fe.read_ratings(pd.DataFrame(rows))


def part(*ids: int) -> fe.Slice:
    return fe.Slice(name="few", ids=frozenset(map(str, ids)))


def test_a_figure_has_a_mark_for_every_mean_with_its_interval():
    """One trace a model, n in the hover text."""
    scores = fe.slice_scores(table())
    figure = fe.plot(scores)
    assert [trace.name for trace in figure.data] == ["a", "bb"]
    means = {(row.model, row.skill): row for row in scores.rows if row.skill}
    heads = figure.layout.yaxis.ticktext
    for trace in figure.data:
        for x, y, up, said in zip(trace.x, trace.y, trace.error_x.array, trace.customdata, strict=True):
            row = means[trace.name, heads[round(y)]]
            assert x == row.mean
            assert up == pytest.approx(row.high - row.mean)
            assert f"n {row.n}" in said


def test_a_radar_closes_each_model_and_keeps_the_order_of_the_skills():
    scores = fe.slice_scores(table())
    figure = fe.plot(scores, kind="radar")
    assert list(figure.layout.polar.angularaxis.ticktext) == ["factuality", "completeness", "readability"]
    for trace in figure.data:
        means = [row.mean for row in scores.rows if row.model == trace.name and row.skill]
        assert list(trace.r) == [*means, means[0]]
        low, high = figure.layout.polar.radialaxis.range
        assert low <= min(trace.r) <= max(trace.r) <= high


def test_a_heat_map_has_a_cell_for_every_skill_and_model():
    scores = fe.slice_scores(table())
    (trace,) = fe.plot(scores, kind="heat").data
    means = {(row.skill, row.model): row.mean for row in scores.rows}
    assert [[means[s, m] for m in ("a", "bb")] for s in ("factuality", "completeness", "readability")] == [
        list(line) for line in trace.z
    ]


@pytest.mark.parametrize("made", ["slices", "comparison"])
def test_slopes_go_from_everything_to_the_slice(made: str):
    if made == "slices":
        result = fe.slice_scores(table(), slices=[part(0, 1, 2, 3)])
        means = {row.model: (row.full, row.part) for row in result.drops if row.skill is None}
    else:
        result = fe.compare(table(), slices=[part(0, 1, 2, 3)])
        own = [row for row in result.models if row.skill is None]
        means = {
            r.model: (r.mean, next(s.mean for s in own if s.slice and s.model == r.model)) for r in own if not r.slice
        }
    figure = fe.plot(result, kind="slopes")
    assert {trace.name: tuple(trace.y) for trace in figure.data} == means
    assert set(figure.data[0].marker.symbol) == {"circle", "circle-open"}  # twelve instances, and four


def test_a_comparison_is_drawn_by_skill():
    result = fe.compare(table())
    figure = fe.plot(result)
    means = {(row.model, row.skill): row.mean for row in result.models}
    heads = figure.layout.yaxis.ticktext
    for trace in figure.data:
        assert [means[trace.name, heads[round(y)]] for y in trace.y] == list(trace.x)


@pytest.mark.parametrize("kind", ["dots", "radar", "heat"])
def test_raters_have_a_panel_each_and_one_legend(kind: str):
    figure = fe.plot(fe.slice_scores(table(raters=("one", "two"))), kind=kind)
    assert [note.text for note in figure.layout.annotations] == ["one", "two"]
    where = {trace.subplot if kind == "radar" else trace.xaxis for trace in figure.data}
    assert len(where) == 2
    if kind != "heat":
        assert [trace.showlegend for trace in figure.data] == [True, True, False, False]


@pytest.mark.parametrize("kind", ["dots", "radar", "heat"])
def test_no_name_is_markup_for_plotly(kind: str):
    made = json.dumps(
        fe.plot(fe.slice_scores(table((HOSTILE, "a"), raters=(HOSTILE, "x"))), kind=kind).to_dict(), default=list
    )
    assert "<b>" not in made
    assert "$" not in made
    assert "\\u202e" not in made
    assert label(HOSTILE).startswith("&lt;b&gt;x&lt;/b&gt;&amp;amp;&#36;y&#36;&lt;br&gt;")


def test_a_missing_mean_has_no_mark():
    rows = [
        {"instance": str(k), "model": m, "skill": s, "rater": "judge", "kind": "judge", "score": None if (m, s) == ("a", "y") else k % 5 + 1,
         "outcome": "refused" if (m, s) == ("a", "y") else "scored"}
        for m in "ab" for s in "xyz" for k in range(12)
    ]  # fmt: skip
    scores = fe.slice_scores(fe.read_ratings(pd.DataFrame(rows)))
    assert [len(trace.x) for trace in fe.plot(scores).data] == [2, 3]
    assert fe.plot(scores, kind="radar").data[0].r[1] is None
    assert fe.plot(scores, kind="heat").data[0].z[1][0] is None


def test_without_a_known_scale_the_range_holds_every_interval():
    scores = fe.slice_scores(table())
    low, high = span(scores.rows)
    assert all(low <= row.low <= row.high <= high for row in scores.rows)
    assert span([]) == (0.0, 1.0)


def test_what_cannot_be_drawn_is_told():
    """In one line each."""
    scores = fe.slice_scores(table())
    empty = type(scores)((), scores.by, 0.95, 0, 0)
    for result, kind, said in (
        (empty, None, "nothing to plot: the result lacks a row"),
        (scores, "slopes", "nothing to plot: the result lacks a slice"),
        (scores, "pie", "kind='pie': no such figure; use one of radar, dots, heat, slopes"),
        (fe.slice_scores(table(skills=("factuality",))), "radar", "a radar has 3 to"),
        ({}, None, "dict has no figure"),
    ):
        with pytest.raises(fe.UserError, match=said) as caught:
            fe.plot(result, kind=kind)
        assert "\n" not in str(caught.value)
