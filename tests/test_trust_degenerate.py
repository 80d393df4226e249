"""Whatever the table: no crash, no NaN, and a reason beside every null."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_trust_panel import long_table

from flask_eval.analysis.trust.alt_test import replaceability
from flask_eval.analysis.trust.calibrate import calibrate
from flask_eval.analysis.trust.ceiling import ceilings
from flask_eval.analysis.trust.effects import rater_effects
from flask_eval.analysis.trust.noise import noise_floor
from flask_eval.analysis.trust.orthogonality import orthogonality
from flask_eval.analysis.trust.ppi import calibrated_differences, calibrated_means

LENGTHS = {(f"i{k}", model, 0): 10.0 * (k + 1) for k in range(50) for model in ("", "gpt-4", "b")}
ANALYSES = {
    "alt_test": replaceability,
    "ceiling": ceilings,
    "effects": lambda table, clusters: rater_effects(table, clusters, lengths=LENGTHS),
    "orthogonality": orthogonality,
    "noise": noise_floor,
    "means": lambda table, clusters: calibrated_means(table, clusters, labelled="random"),
    "differences": lambda table, clusters: calibrated_differences(table, clusters, labelled="random"),
    "calibrate": lambda table, clusters: (
        list(calibrate(table, clusters, curve="linear").corrections) + list(calibrate(table, clusters).corrections)
    ),
}
PARTS = [("measures", ""), ("judge_measures", "judge."), ("differences", "difference."), ("components", "")]
PLAIN = ["winning_rate", "replaces", "advantage_probability", "mean", "low", "high", "difference", "halo", "gain"]
PLAIN += ["minimum_detectable_difference", "samples_to_halve", "instances_to_halve", "error_raw", "lambda"]


def check(rows):
    for row in rows:
        said = row.to_dict()
        json.dumps(said, allow_nan=False)
        for part, prefix in PARTS:
            for name, value in said.get(part, {}).items():
                assert value is not None or said["undefined"].get(prefix + name), (part, name, said)
        for name in PLAIN:
            assert said.get(name, 0) is not None or said["undefined"].get(name), (name, said)


def tables():
    one = long_table({"p0": [3.0], "p1": [2.0], "judge": [4.0]})
    return {
        "empty": one.head(0),
        "one unit": one,
        "two units": long_table({"p0": [1.0, 2], "p1": [2.0, 1], "judge": [1.0, 1]}),
        "all equal": long_table(dict.fromkeys(("p0", "p1", "p2", "judge"), [3.0] * 40)),
        "constant judge": long_table({f"p{k}": np.arange(40.0) % (k + 2) for k in range(3)} | {"judge": [2.0] * 40}),
        "constant people": long_table({f"p{k}": [2.0] * 40 for k in range(3)} | {"judge": np.arange(40.0) % 5}),
        "perfect": long_table(dict.fromkeys(("p0", "p1", "p2", "judge"), np.arange(40.0) % 5)),
        "one person": long_table({"p0": np.arange(40.0) % 5, "judge": np.arange(40.0) % 4}),
        "no judge": long_table({"p0": np.arange(9.0), "p1": np.arange(9.0)[::-1]}),
        "no people": long_table({"judge": np.arange(9.0)}),
        "only a metric": long_table({"judge": np.arange(9.0) / 9}).replace({"kind": {"judge": "metric"}}),
        "no overlap": pd.concat(
            [long_table({"p0": [1.0, 2, 3]}), long_table({"judge": [1.0, 2, 3]}, instances=["x", "y", "z"])]
        ),
        "labels": long_table({f"p{k}": list("abcab") * 8 for k in range(3)} | {"judge": list("abcba") * 8}),
        "one label": long_table({f"p{k}": ["a"] * 35 for k in range(3)} | {"judge": ["a"] * 35}),
        "nothing scored": one.assign(score=np.nan),
        "huge and tiny": long_table(
            {f"p{k}": np.arange(40.0) * 10 ** (8 * k - 8) for k in range(3)} | {"judge": np.arange(40.0)}
        ),
    }


@pytest.mark.parametrize("analysis", ANALYSES)
@pytest.mark.parametrize("name", tables())
@pytest.mark.parametrize("clusters", [None, {f"i{k}": "one" for k in range(50)}], ids=["instances", "one cluster"])
def test_degenerate_data_give_null_with_a_reason(analysis, name, clusters):
    check(ANALYSES[analysis](tables()[name], clusters))


@st.composite
def any_table(draw):
    """A small table with gaps, repeats, labels, several kinds, models, skills and samples."""
    labels = draw(st.booleans())
    scores = st.sampled_from(["x", "y", "z"]) if labels else st.one_of(st.integers(1, 5).map(float), st.just(3.0))
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 5).map(lambda k: f"i{k}"),
                st.sampled_from(["", "gpt-4", "b"]),
                st.sampled_from(["s", "t"]),
                st.sampled_from(["p0", "p1", "p2", "gpt-judge", "metric:m", "q#1"]),
                st.integers(0, 1),
                scores,
            ),
            min_size=1,
            max_size=40,
        )
    )
    table = pd.DataFrame(rows, columns=["instance", "model", "skill", "rater", "sample", "score"])
    kinds = {"gpt-judge": "judge", "metric:m": "metric"}
    keep_places = draw(st.booleans())
    table = table if keep_places else table[table["rater"] != "q#1"]
    return table.assign(kind=table["rater"].map(lambda name: kinds.get(name, "human")))


@pytest.mark.parametrize("analysis", ANALYSES)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(any_table(), st.booleans())
def test_any_small_table_gives_figures_or_reasons(analysis, table, clustered):
    clusters = {f"i{k}": f"c{k // 2}" for k in range(6)} if clustered else None
    check(ANALYSES[analysis](table, clusters))


@pytest.mark.parametrize("analysis", ANALYSES)
def test_the_order_of_the_rows_changes_nothing_but_the_order_of_the_results(analysis):
    rng = np.random.default_rng(0)
    table = pd.concat(
        [
            long_table(
                {f"p{k}": rng.integers(1, 6, 40).astype(float) for k in range(3)}
                | {"judge": rng.integers(1, 6, 40).astype(float)},
                model=m,
            )
            for m in ("a", "gpt-4")
        ]
    )
    again = table.sample(frac=1, random_state=1)

    def sorted_rows(rows):
        made = [row.to_dict() for row in rows]
        for row in made:
            row.pop("persons", None)
        return sorted(json.dumps(rounded(row), sort_keys=True) for row in made)

    def rounded(value):
        if isinstance(value, dict):
            return {k: rounded(v) for k, v in value.items()}
        if isinstance(value, list):
            return [rounded(v) for v in value]
        return round(value, 6) if isinstance(value, float) else value

    if analysis == "differences":
        again = table  # pairs are named in the order in which models come
    assert sorted_rows(ANALYSES[analysis](table, None)) == sorted_rows(ANALYSES[analysis](again, None))
