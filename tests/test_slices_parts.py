"""Slices beside everything, sparse cells told and merged, keys that hold several values."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flask_eval.analysis.coding import coded
from flask_eval.analysis.dropping import drops
from flask_eval.analysis.slices import SliceTable, slice_scores
from flask_eval.content import load_slice
from flask_eval.errors import UserError
from flask_eval.ratings import RatingTable, read_ratings
from flask_eval.schema import Annotation, Instance, Slice

LIKERT = {"judge": (1.0, 5.0)}


def table(rows: list[dict], instances: list[Instance] | None = None, scales=LIKERT) -> RatingTable:
    made = [{"model": "m", "skill": "factuality", "rater": "judge", "kind": "judge", **row} for row in rows]
    return read_ratings(pd.DataFrame(made), instances=instances, scales=scales)


def scored(scores: list[float], **fields) -> list[dict]:
    return [{"instance": str(k), "score": float(s), **fields} for k, s in enumerate(scores)]


# ---- a slice beside everything ------------------------------------------------------------------------------------

SCORES = [5, 4, 5, 4, 3, 2, 3, 1]
HARD = Slice(name="hard", ids=("4", "5", "6", "7"))


def test_a_drop_is_the_slice_less_all_and_its_interval_knows_their_overlap() -> None:
    data = coded(table(scored(SCORES)))
    row = drops(data, (np.arange(8) >= 4)[data.instance])[0]
    mean, hard = np.mean(SCORES), np.mean(SCORES[4:])
    influence = [(s - hard) / 4 * (k >= 4) - (s - mean) / 8 for k, s in enumerate(SCORES)]
    error = math.sqrt(8 / 7 * sum(v**2 for v in influence))
    assert (row.full, row.part, row.n_full, row.n_part) == (mean, hard, 8, 4)
    assert row.difference == pytest.approx(hard - mean)
    assert row.high - row.difference == pytest.approx(stats.t.ppf(0.975, 3) * error)


def test_each_slice_stands_beside_everything_by_skill_and_pooled_while_its_rows_stay_as_they_were() -> None:
    rows = [*scored(SCORES), *scored([3] * 8, skill="clarity")]
    easy = Slice(name="easy", ids=("0", "1"))
    found = slice_scores(table(rows), slices=[HARD, easy])
    assert [(r.slice, r.skill) for r in found.rows] == [
        (name, skill) for name in ("hard", "easy") for skill in ("factuality", "clarity", None)
    ]
    assert [(d.slice, d.skill) for d in found.drops] == [(r.slice, r.skill) for r in found.rows]
    assert [d.part for d in found.drops] == [r.mean for r in found.rows]
    assert found.drops[0].full == np.mean(SCORES)
    assert slice_scores(table(rows)).drops == ()


def test_the_record_of_drops_has_its_keys_and_a_reason_for_every_gap() -> None:
    rows = [
        *scored(SCORES),
        *scored([3, 3], model="unseen"),
        {"instance": "5", "model": "gone", "score": None, "outcome": "failed"},
    ]
    made = json.loads(json.dumps(slice_scores(table(rows), slices=[HARD]).to_dict(), allow_nan=False))["drops"]
    keys = "rater kind model skill slice full part difference low high n_full n_part sparse undefined"
    assert set(made[0]) == set(keys.split())
    for row in made:
        for name in ("full", "part", "difference", "low", "high"):
            assert (row[name] is None) == (name in row["undefined"])
    by_model = {row["model"]: row for row in made if row["skill"] is None}
    assert by_model["unseen"]["undefined"]["difference"] == "no rating is scored within the slice"
    assert (by_model["unseen"]["full"], by_model["unseen"]["n_part"]) == (3.0, 0)
    assert by_model["gone"]["undefined"]["full"] == "no rating is scored"


@pytest.mark.parametrize(
    ("options", "scores", "why"),
    [
        ({"slices": [Slice(name="all", ids=tuple("01234567"))]}, SCORES, "the slice holds everything that is scored"),
        (
            {"slices": [Slice(name="one", ids=("3",))]},
            SCORES,
            "one instance (cluster) only: nothing shows how much others differ",
        ),
        ({"slices": [HARD]}, [4] * 8, "all instances have the same mean"),
        ({"slices": [HARD], "resamples": 0}, SCORES, "no interval was asked for"),
    ],
)
def test_a_drop_without_an_interval_says_why(options: dict, scores: list[float], why: str) -> None:
    row = slice_scores(table(scored(scores)), **options).drops[0]
    assert (row.low, row.high, row.undefined["low"]) == (None, None, why)
    assert row.difference is not None


def test_labels_have_no_drop() -> None:
    rows = [{"instance": i, "score": s} for i, s in (("4", "yes"), ("1", "no"))]
    assert slice_scores(table(rows), slices=[HARD]).drops == ()


def test_the_text_shows_both_sides_and_the_drop(run, tmp_path) -> None:
    table(scored(SCORES)).ratings.to_csv(tmp_path / "r.csv", index=False)
    (tmp_path / "hard.txt").write_text("4\n5\n6\n7\n")
    code, out, _ = run("slice", tmp_path / "r.csv", "--slice", tmp_path / "hard.txt", "--scale", "1-5")
    assert code == 0
    assert "Everything beside slice hard:" in out
    assert "| m | factuality | 3.38 | 8 | 2.25 \u2020 | 4 | \u22121.12 |" in out


# ---- rules --------------------------------------------------------------------------------------------------------


def facts(difficulty: int | None, domains: tuple[str, ...] = (), **metadata) -> dict:
    return {"instruction": "?", "annotation": Annotation(difficulty=difficulty, domains=domains), "metadata": metadata}


WITH_FACTS = [
    Instance(id="0", **facts(5, ("Math",), tags="a|b", long=True)),
    Instance(id="1", **facts(4, ("Coding",), tags="b", long=False)),
    Instance(id="2", **facts(1, ("Math", "History"), tags=" b |c|b")),
    Instance(id="3", **facts(None, ())),
]


@pytest.mark.parametrize(
    ("rule", "mean"),
    [
        ("difficulty=5", 1.0),
        ("difficulty=4|5", 1.5),
        ("domain=Math|Coding;difficulty=4|5", 1.5),
        (" domain = Math ; difficulty = 1 ", 3.0),
        ("difficulty=none", 4.0),
        ("domain=none", 4.0),
        ("long=true", 1.0),
        ("tags|=b", 2.0),
        ("tags|=a|c", 2.0),
        ("tags=b", 2.0),
    ],
)
def test_a_rule_on_the_command_line_is_a_slice_by_its_own_name(rule: str, mean: float) -> None:
    part = load_slice(rule)
    found = slice_scores(table(scored([1, 2, 3, 4]), WITH_FACTS), by=["skill"], slices=[part])
    assert [(row.slice, row.mean) for row in found.rows] == [(rule.strip(), mean)]


def test_a_rule_and_the_same_conditions_in_a_file_are_one(tmp_path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("name: s\nwhere: {difficulty: [4, 5], domain: Math}\n")
    for rule in ("difficulty=4|5;domain=Math", str(file)):
        rows = slice_scores(table(scored([1, 2, 3, 4]), WITH_FACTS), by=["skill"], slices=[load_slice(rule)]).rows
        assert [row.mean for row in rows] == [1.0]


def test_a_rule_picks_the_same_instances_for_judging_as_for_reading(tmp_path) -> None:
    from flask_eval.analysis.cutting import in_slice
    from flask_eval.judging.inputs import in_slice as judged

    made = table(scored([1, 2, 3, 4]), WITH_FACTS)
    for rule in ("difficulty=4|5", "long=true", "tags|=b", "domain=Math;difficulty=1", "id=0|3"):
        part = load_slice(rule)
        assert in_slice(made, part).tolist() == [judged(part, one) for one in WITH_FACTS]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("difficulty=", "--slice difficulty=: 'difficulty=' is no condition; write DIMENSION=VALUE"),
        ("=5", "--slice =5: '=5' is no condition"),
        ("difficulty=5;", "'' is no condition"),
        ("difficulty=4|", "'difficulty=4|' is no condition"),
        ("difficulty=4;difficulty=5", "'difficulty' stands twice; write alternatives with |, as in difficulty=A|B"),
        ("nowhere.txt", "no such file"),
    ],
)
def test_a_broken_rule_is_told(rule: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_slice(rule)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("difficulty=expert", "slice 'difficulty=expert' holds none of the 4 instances: difficulty is one of 1, 4, 5"),
        ("domain=Math;difficulty=4", "holds none of the 4 instances: no instance meets all conditions"),
        ("source=x", "no source is known; give the instances with --instances"),
        ("dificulty=4", "instances have no 'dificulty'; did you mean 'difficulty'?"),
        ("domain|=Math", "instances have no 'domain|'"),
    ],
)
def test_a_rule_that_holds_nothing_says_what_the_instances_have(rule: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        slice_scores(table(scored([1, 2, 3, 4]), WITH_FACTS), slices=[load_slice(rule)])
    assert said in str(caught.value)


# ---- several values in one key ------------------------------------------------------------------------------------


def test_a_key_that_holds_several_values_counts_an_instance_once_in_each() -> None:
    found = slice_scores(table(scored([1, 2, 3, 4]), WITH_FACTS), by=["tags|"])
    assert [(r.slice, r.by, r.mean, r.n, r.n_ratings) for r in found.rows] == [
        ("tags=a", {"tags": "a"}, 1.0, 1, 1),
        ("tags=b", {"tags": "b"}, 2.0, 3, 3),
        ("tags=c", {"tags": "c"}, 3.0, 1, 1),
        ("tags=none", {"tags": None}, 4.0, 1, 1),
    ]
    assert "2 instances have several values of 'tags'; they count with weight 1 in each." in found.notes
    whole = slice_scores(table(scored([1, 2, 3, 4]), WITH_FACTS), by=["tags"]).rows
    assert [r.slice for r in whole] == ["tags= b |c|b", "tags=a|b", "tags=b", "tags=none"]


def test_keys_of_several_values_cross_with_domains() -> None:
    rows = slice_scores(table(scored([1, 2, 3, 4]), WITH_FACTS), by=["tags|,domain"]).rows
    assert [(r.slice, r.mean) for r in rows if r.by["tags"] == "b"] == [
        ("tags=b;domain=Coding", 2.0),
        ("tags=b;domain=History", 3.0),
        ("tags=b;domain=Math", 2.0),
    ]


@pytest.mark.parametrize(
    ("by", "said"),
    [("tags|,tags", "'tags' stands twice"), ("skill|", "unknown dimension 'skill|'"), ("tag|", "unknown")],
)
def test_the_bar_belongs_to_metadata_keys(by: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("|", r"\|")):
        slice_scores(table(scored([1, 2, 3, 4]), WITH_FACTS), by=[by])


# ---- sparse cells -------------------------------------------------------------------------------------------------


def test_fewer_than_ten_instances_are_sparse_and_marked() -> None:
    for size, sparse in ((9, True), (10, False)):
        found = slice_scores(table(scored([3, 4] * 5)[:size]), by=["skill"])
        assert found.rows[0].sparse is sparse
        assert ("3.44 \u2020" in str(found)) is sparse
        assert ("\u2020 fewer than 10 instances" in str(found)) is sparse


def test_instances_of_one_cluster_count_once_for_what_is_sparse() -> None:
    instances = [Instance(id=str(k), instruction="?", cluster=f"story {k // 2}") for k in range(12)]
    row = slice_scores(table(scored([3, 4] * 6), instances)).rows[0]
    assert (row.n, row.sparse) == (12, True)


def levels(counts: dict[object, int], skill: str = "factuality", start: int = 0) -> tuple[list[dict], list[Instance]]:
    """So many instances of each level."""
    rows, instances = [], []
    for level, count in counts.items():
        for _ in range(count):
            name = str(start + len(rows))
            rows.append({"instance": name, "skill": skill, "score": float(len(rows) % 5 + 1)})
            annotation = Annotation(difficulty=level if isinstance(level, int) else None)
            metadata = {} if isinstance(level, int) or level is None else {"kind": level}
            instances.append(Instance(id=name, instruction="?", annotation=annotation, metadata=metadata))
    return rows, instances


def merged(counts: dict[object, int], least: int, by: str = "difficulty") -> dict[object, int]:
    rows, instances = levels(counts)
    found = slice_scores(table(rows, instances), by=[by], merge=least)
    return {next(iter(row.by.values())): row.n for row in found.rows}


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ({1: 30, 2: 30, 3: 30, 4: 20, 5: 4}, {1: 30, 2: 30, 3: 30, "4-5": 24}),  # as FLASK's ">=4"
        ({1: 3, 2: 12, 3: 30, 4: 6, 5: 5}, {"1-2": 15, 3: 30, "4-5": 11}),  # as FLASK's "<=2" and ">=4"
        ({1: 10, 2: 10}, {1: 10, 2: 10}),
        ({1: 4, 2: 3, 3: 2}, {"1-3": 9}),
        ({1: 20, 3: 2, 5: 20, None: 3}, {"1-3": 22, 5: 20, None: 3}),
    ],
)
def test_neighbouring_levels_are_merged_until_each_has_enough(counts: dict, wanted: dict) -> None:
    assert merged(counts, 10) == wanted


def test_other_values_with_too_few_go_together_and_a_single_one_stays() -> None:
    assert merged({"x": 12, "y": 3, "z": 2, "a": 40}, 10, "kind") == {"a": 40, "x": 12, "other (2 values)": 5}
    assert merged({"x": 12, "y": 3}, 10, "kind") == {"x": 12, "y": 3}


def test_what_was_merged_is_told() -> None:
    rows, instances = levels({1: 30, 4: 20, 5: 4})
    found = slice_scores(table(rows, instances), by=["difficulty"], merge=10)
    assert "Values of 'difficulty' of fewer than 10 instances were merged: 4-5 = 4, 5." in found.notes
    assert (found.merge, found.to_dict()["merge"]) == (10, 10)
    assert slice_scores(table(rows, instances), by=["difficulty"]).merge == 0


def test_levels_are_merged_within_each_skill_as_flask_did() -> None:
    many, first = levels({1: 20, 2: 20, 3: 20})
    few, second = levels({1: 20, 2: 4, 3: 8}, "clarity", start=100)
    found = slice_scores(table(many + few, first + second), by=["skill,difficulty"], merge=10)
    assert [(r.skill, r.by["difficulty"]) for r in found.rows] == [
        ("factuality", 1), ("factuality", 2), ("factuality", 3), ("clarity", 1), ("clarity", "2-3"),
    ]  # fmt: skip


def test_models_share_their_levels_even_where_one_was_refused() -> None:
    rows, instances = levels({1: 12, 2: 12})
    lost = [row | {"model": "b", "score": None, "outcome": "refused"} for row in rows if int(row["instance"]) >= 12]
    found = slice_scores(table([*rows, *lost], instances), by=["difficulty"], merge=10)
    assert [(r.model, r.by["difficulty"], r.n, r.sparse) for r in found.rows] == [
        ("m", 1, 12, False), ("m", 2, 12, False), ("b", 2, 0, True),
    ]  # fmt: skip


def test_an_instance_of_two_merged_domains_counts_once_in_what_they_became() -> None:
    instances = [
        Instance(id=str(k), instruction="?", annotation=Annotation(domains=("Math",) if k else ("Law", "Art")))
        for k in range(11)
    ]
    rows = slice_scores(table(scored([1] + [4] * 10), instances), by=["domain"], merge=5).rows
    assert [(r.by["domain"], r.n, r.n_ratings) for r in rows] == [("Math", 10, 10), ("other (2 values)", 1, 1)]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 14), min_size=1, max_size=5),
    least=st.integers(2, 12),
)
def test_merging_loses_no_instance_and_leaves_enough_wherever_it_can(counts: list[int], least: int) -> None:
    given_counts = {level: count for level, count in enumerate(counts, 1) if count}
    if not given_counts:
        return
    found = merged(given_counts, least)
    assert sum(found.values()) == sum(counts)
    assert min(found.values()) >= least or len(found) == 1
    assert {k: v for k, v in found.items() if isinstance(k, int)}.items() <= given_counts.items()


def test_merge_is_an_option_of_the_command(run, tmp_path) -> None:
    rows, instances = levels({1: 12, 2: 3, 3: 12})
    table(rows).ratings.to_csv(tmp_path / "r.csv", index=False)
    (tmp_path / "i.jsonl").write_text("".join(one.model_dump_json(exclude_defaults=True) + "\n" for one in instances))
    words = ["slice", tmp_path / "r.csv", "--instances", tmp_path / "i.jsonl", "--by", "difficulty", "--json", "-"]
    made = json.loads(run(*words, "--merge", 5)[1])
    assert [row["slice"] for row in made["rows"]] == ["difficulty=1-2", "difficulty=3"]
    assert run(*words, "--merge", 1)[0] == 2


def test_a_slice_table_is_made_of_records_alone() -> None:
    found = slice_scores(table(scored(SCORES)), slices=[HARD])
    assert isinstance(found, SliceTable)
    assert [row["model"] for row in found.to_dict()["drops"]] == ["m", "m"]
