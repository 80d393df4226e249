"""Figures for notebooks show what the tables say."""

import pandas as pd
import pytest

import flask_eval as fe

ROWS = [
    {
        "instance": str(k),
        "model": model,
        "skill": skill,
        "rater": "judge",
        "kind": "judge",
        "score": 1 + (k + len(model)) % 5,
    }
    for k in range(12)
    for model in ("a", "bb")
    for skill in ("factuality", "readability")
]


def test_a_figure_has_a_mark_for_every_mean_with_its_interval():
    """One trace a model, n in the hover text."""
    scores = fe.slice_scores(fe.read_ratings(pd.DataFrame(ROWS)))
    figure = fe.plot(scores)
    assert [trace.name for trace in figure.data] == ["a", "bb"]
    means = {(row.model, row.skill): row for row in scores.rows if row.skill}
    for trace in figure.data:
        for x, y, up, (n, _) in zip(trace.x, trace.y, trace.error_x.array, trace.customdata, strict=True):
            row = means[trace.name, y]
            assert (x, n) == (row.mean, row.n)
            assert up == pytest.approx(row.high - row.mean)


def test_nothing_to_plot_is_told():
    """In words."""
    scores = fe.slice_scores(fe.read_ratings(pd.DataFrame(ROWS)), by=["model"])
    empty = type(scores)((), scores.by, 0.95, 0, 0)
    with pytest.raises(fe.UserError, match="nothing to plot"):
        fe.plot(empty)
