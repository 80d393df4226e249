"""Halo: a judge whose skills echo one impression is told from one that is merely less noisy."""

import json

import numpy as np
import pandas as pd
import pytest
from test_trust_panel import long_table, needs, summeval

from flask_eval.analysis.trust.orthogonality import orthogonality

SKILLS = ("a", "b", "c")


def study(seed=0, n=150, *, shared=0.3, halo=0.0, judge_noise=0.6, people=3, person_noise=0.6):
    """Skills that share some truth; a judge that mixes one impression into all of them."""
    rng = np.random.default_rng(seed)
    general, impression = rng.normal(size=n), rng.normal(size=n)
    frames = []
    for skill in SKILLS:
        truth = np.sqrt(shared) * general + np.sqrt(1 - shared) * rng.normal(size=n)
        said = {f"p{k}": truth + rng.normal(0, person_noise, n) for k in range(people)}
        said["judge"] = truth + halo * impression + rng.normal(0, judge_noise, n)
        frames.append(long_table(said, skill=skill))
    return pd.concat(frames, ignore_index=True)


def test_the_matrices_are_pearsons_r_within_the_judge_and_within_people():
    table = study()
    row = orthogonality(table)[0]
    wide = {
        name: part.pivot_table(index="instance", columns="skill", values="score")
        for name, part in table.groupby("rater")
    }
    assert np.array(row.judge_matrix) == pytest.approx(wide["judge"].corr().loc[list(SKILLS), list(SKILLS)].to_numpy())
    people = np.mean([wide[f"p{k}"].corr().to_numpy() for k in range(3)], axis=0)
    assert np.array(row.people_matrix) == pytest.approx(people)
    off = ~np.eye(3, dtype=bool)
    assert row.measures["judge"] == pytest.approx(np.array(row.judge_matrix)[off].mean())
    assert row.measures["excess"] == pytest.approx(row.measures["judge"] - people[off].mean())
    mean = sum(wide[f"p{k}"] for k in range(3)) / 3
    assert row.cross_matrix[0][1] == pytest.approx(np.corrcoef(wide["judge"]["a"], mean["b"])[0, 1])


def test_a_planted_halo_is_flagged():
    row = orthogonality(study(halo=1.5))[0]
    assert row.halo is True
    assert row.intervals["excess"][0] > 0
    assert (row.n, row.n_pairs, row.people_are) == (150, 3, "each")


def test_a_judge_without_halo_is_not_flagged_even_if_it_is_less_noisy_than_people():
    flags = [orthogonality(study(seed, judge_noise=0.1, person_noise=0.9))[0] for seed in range(30)]
    assert np.mean([row.halo for row in flags]) <= 0.1
    # what a naive comparison would say
    assert np.mean([row.intervals["excess"][0] > 0 for row in flags]) > 0.5


def test_peoples_correlation_freed_of_noise_is_that_of_the_truth():
    found = [orthogonality(study(seed, n=400, shared=0.5))[0].measures for seed in range(20)]
    assert np.mean([m["people_noise_free"] for m in found]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([m["people"] for m in found]) == pytest.approx(0.5 / 1.36, abs=0.03)


def test_places_in_a_list_are_taken_by_their_mean():
    table = study().replace({"rater": {f"p{k}": f"c#{k}" for k in range(3)}})
    assert orthogonality(table)[0].people_are == "mean"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (long_table({"p0": [1.0, 2, 3], "judge": [1.0, 2, 3]}), "1 skill: a correlation between skills needs 2"),
        (study().query("kind == 'judge'"), "there are no people's scores of these responses"),
        (study(n=4), "no pair of skills varies, in 5 shared responses, both for the judge and for people"),
        (study().assign(score=lambda t: t["score"].where(t["kind"] == "human", 3.0)), "no pair of skills varies"),
    ],
)
def test_where_there_is_no_figure_the_flag_is_null_with_the_reason(table, reason):
    row = orthogonality(table)[0].to_dict()
    assert row["halo"] is None
    assert reason in row["undefined"]["halo"]
    assert reason in row["undefined"]["excess"]
    json.dumps(row, allow_nan=False)


def test_skills_of_labels_and_metrics_are_left_out():
    labels = long_table({"p0": ["x", "y"], "judge": ["x", "y"]})
    assert orthogonality(labels) == []
    assert orthogonality(study().replace({"kind": {"judge": "metric"}})) == []


@needs("summeval_llm")
def test_chatgpt_echoes_itself_over_summevals_aspects_more_than_the_experts_do():
    row = orthogonality(summeval("stareval"))[0]
    assert row.halo is True
    assert row.measures["judge"] > 0.7 > row.measures["people_noise_free"]
