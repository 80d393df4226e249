"""The waist: runs, files and tables of ratings become two tidy tables, and what does not fit is told with its line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_eval.content import load_rubrics
from flask_eval.errors import NotFoundError, RecordError, UserError
from flask_eval.ledger import Ledger
from flask_eval.ratings import COLUMNS, INSTANCE_COLUMNS, export_table, read_ratings
from flask_eval.records import write_table
from flask_eval.schema import Annotation, Cell, Instance, Rating, Response


def make_run(
    folder: Path,
    ratings: list[Rating] | None = None,
    *,
    instances: list[Instance] | None = None,
    left: list[Cell] | None = None,
    rubrics: str | None = "flask",
    kinds: dict[str, str] | None = None,
    without: dict[str, int] | None = None,
    manifest: dict[str, object] | None = None,
) -> Path:
    """A run as `score` leaves it behind: done cells with these ratings, and cells that are left."""
    ratings = ratings or []
    folder.mkdir(parents=True)
    cells: dict[Cell, list[Rating]] = {}
    names = {}
    for r in ratings:
        key = (r.instance, r.model, r.response_sample, r.rater, r.sample)
        names.setdefault(key, []).append(r)
    for key, own in names.items():
        cells[Cell(*key, tuple(dict.fromkeys(r.skill for r in own)))] = own
    found = {r.rater: r.kind for r in ratings} | {c.rater: "judge" for c in left or []} | (kinds or {})
    config = {"card": {"adapter": "openai", "model": "gpt-5-mini"}}
    if rubrics:
        made = load_rubrics(rubrics).model_dump(mode="json", exclude_defaults=True)
        config |= {"rubrics": made, "scale": made["scale"]}
    with Ledger(folder / "ledger.sqlite") as ledger:
        everything = instances or [Instance(id=i, instruction="?") for i in dict.fromkeys(r.instance for r in ratings)]
        steps = [partial(ledger.add_instances, everything)]
        steps += [partial(ledger.add_rater, n, k, config if k == "judge" else {}) for n, k in found.items()]
        asked = dict.fromkeys((c.instance, c.model) for c in [*cells, *(left or [])])
        responses = [Response(instance=i, model=m, text="said") for i, m in asked]
        steps += [partial(ledger.add_responses, responses), partial(ledger.add_cells, [*cells, *(left or [])])]
        if without is not None:
            steps.append(partial(ledger.set_meta, "without_response", json.dumps(without)))
        ledger.transaction(steps)
        planned = {cell: one.id for name in found for cell, one in ledger.cells(name).items()}
        ledger.transaction([partial(ledger.set_ratings, planned[cell], own) for cell, own in cells.items()])
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def rating(instance: str = "1", score: float | str | None = 4, **fields: object) -> Rating:
    made = {"model": "m", "skill": "factuality", "rater": "judge", "kind": "judge"} | fields
    outcome = made.pop("outcome", "scored" if score is not None else "refused")
    return Rating(instance=instance, score=score, outcome=outcome, **made)  # type: ignore[arg-type]


def frame(**columns: object) -> pd.DataFrame:
    made = {"instance": ["1"], "skill": ["factuality"], "rater": ["ann"], "score": [4.0]}
    return pd.DataFrame(made | columns)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# ---- what a table holds -------------------------------------------------------------------------------------------


def test_four_columns_are_enough_and_the_others_have_their_defaults() -> None:
    table = read_ratings(frame())
    assert tuple(table.ratings.columns) == COLUMNS
    row = table.ratings.iloc[0].to_dict()
    assert row == {
        "instance": "1", "model": "", "response_sample": 0, "versus": "", "skill": "factuality", "item": "",
        "rater": "ann", "kind": "human", "sample": 0, "variant": "", "score": 4.0, "outcome": "scored", "rationale": "",
    }  # fmt: skip
    assert table.ratings["score"].dtype == float


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    rows = pd.DataFrame({
        "instance": ["1", "2", "3"], "model": ["a", "b", "a"], "skill": ["factuality"] * 3, "rater": ["ann"] * 3,
        "score": [4.0, 2.5, None], "outcome": ["scored", "scored", "not_applicable"],
        "rationale": ['fine, "really"', "two\nlines", ""],
    })  # fmt: skip
    wanted = read_ratings(rows).ratings
    for name in ("r.csv", "r.tsv", "r.jsonl", "r.parquet", "r.csv.gz", "r.jsonl.gz"):
        write_table(tmp_path / name, rows)
        pd.testing.assert_frame_equal(read_ratings(tmp_path / name).ratings, wanted, obj=name)
    assert math.isnan(wanted["score"][2])


def test_a_folder_is_all_its_files_and_a_dash_is_standard_input(tmp_path: Path, monkeypatch) -> None:
    write_table(tmp_path / "a.csv", frame())
    write_table(tmp_path / "b.jsonl", frame(instance=["2"]))
    assert read_ratings(tmp_path).ratings["instance"].tolist() == ["1", "2"]
    monkeypatch.setattr("sys.stdin", io.StringIO('{"instance": 7, "skill": "x", "rater": "r", "score": 1}\n'))
    assert read_ratings("-").ratings["instance"].tolist() == ["7"]


def test_a_fault_on_standard_input_is_told_with_its_line(monkeypatch) -> None:
    text = '{"instance": 7, "skill": "x", "rater": "r", "score": 1}\n\n{"instance": 8, "skill": "x", "rater": "r"}\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    with pytest.raises(RecordError, match="standard input:3: score is empty and outcome is not given"):
        read_ratings("-")


def test_titles_of_skills_become_slugs_and_ids_become_text() -> None:
    table = read_ratings(frame(instance=[17], skill=["Logical Correctness"], model=[3]))
    assert table.ratings.loc[0, ["instance", "skill", "model"]].tolist() == ["17", "logical_correctness", "3"]


def test_labels_stay_labels_beside_numbers_of_other_raters() -> None:
    two = frame(instance=["1", "1"], skill=["factuality"] * 2, rater=["ann", "bob"], score=[4, "good"])
    table = read_ratings(two)
    assert table.ratings["score"].tolist() == [4.0, "good"]
    assert table.ratings["score"].dtype == object


def test_numbers_given_as_text_are_labels_and_that_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", '{"instance": "1", "skill": "x", "rater": "r", "score": "4"}\n')
    table = read_ratings(path)
    assert table.ratings["score"].tolist() == ["4"]
    assert any("numbers as text" in note for note in table.notes)


def test_in_csv_where_all_is_text_digits_are_numbers(tmp_path: Path) -> None:
    table = read_ratings(write(tmp_path / "r.csv", "instance,skill,rater,score\n1,x,r, 4 \n2,x,r,1e0\n"))
    assert table.ratings["score"].tolist() == [4.0, 1.0]


def test_a_checklist_question_a_pair_and_a_variant_keep_their_columns(tmp_path: Path) -> None:
    text = "instance,skill,rater,score,item,versus,variant,sample,response_sample\n1,x,r,1,q1,other,packed,2,3\n"
    row = read_ratings(write(tmp_path / "r.csv", text)).ratings.iloc[0]
    assert row[["item", "versus", "variant", "sample", "response_sample"]].tolist() == ["q1", "other", "packed", 2, 3]


def test_half_a_surrogate_pair_is_replaced() -> None:
    table = read_ratings(
        frame(rationale=pd.Series(["\ud800!"], dtype=object), rater=pd.Series(["a\udfff"], dtype=object))
    )
    assert table.ratings["rationale"][0] == "\ufffd!"
    assert table.ratings["rater"][0] == "a\ufffd"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).filter(str.strip),
            st.one_of(st.integers(-5, 5), st.floats(-1e6, 1e6, allow_nan=False), st.none()),
            st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\x00")),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[0],
    )
)
def test_what_is_exported_reads_back_the_same(tmp_path: Path, rows) -> None:
    from flask_eval.schema import is_empty

    rows = [row for row in rows if not is_empty(row[0])] or [("1", 4, "")]
    table = pd.DataFrame({
        "instance": [i for i, _, _ in rows], "skill": "x", "rater": "r", "score": [s for _, s, _ in rows],
        "outcome": ["refused" if s is None else "scored" for _, s, _ in rows], "rationale": [t for *_, t in rows],
    })  # fmt: skip
    table["score"] = table["score"].astype(float)
    out = read_ratings(table).ratings
    for suffix in ("csv", "jsonl", "parquet"):
        write_table(tmp_path / f"r.{suffix}", out)
        pd.testing.assert_frame_equal(read_ratings(tmp_path / f"r.{suffix}").ratings, out)


# ---- what does not fit --------------------------------------------------------------------------------------------

HEAD = "instance,skill,rater,score"
FAULTS = [
    (f"{HEAD},outcom\n1,x,r,4,scored\n", ":1: unknown column 'outcom'; did you mean 'outcome'?"),
    ("instance,skill,score\n1,x,4\n", ":1: column 'rater' is missing; a ratings table needs"),
    (
        f"{HEAD}\n1,x,r,4\n2,x,r,\n",
        ":3: score is empty and outcome is not given; write a score, or an outcome (not_app",
    ),
    (f"{HEAD},outcome\n1,x,r,4,refused\n", ":2: outcome is 'refused', but a score is there; leave the score empty"),
    (f"{HEAD},outcome\n1,x,r,,scored\n", ":2: outcome is 'scored', but score is empty"),
    (f"{HEAD},outcome\n1,x,r,4,score\n", ":2: unknown outcome 'score'; did you mean 'scored'?"),
    (f"{HEAD},kind\n1,x,r,4,humen\n", ":2: unknown kind 'humen'; did you mean 'human'?"),
    (f"{HEAD}\n1,x,r,NaN\n", ":2: score 'NaN' is no score; leave it empty and give an outcome"),
    (f"{HEAD}\n1,x,r,-inf\n", ":2: score '-inf' is no score"),
    (f"{HEAD}\n1,x,r,1e999\n", ":2: score '1e999' is no finite number"),
    (f"{HEAD}\n1,x,r,N/A\n", ":2: score 'N/A' is no score; leave it empty and give an outcome (not_applicable, ...)"),
    (f"{HEAD}\n1,x,r,4\n2,x,r,4o\n", ":3: score '4o' stands among numbers of 'r' for x; write a number"),
    (f"{HEAD}\n,x,r,4\n", ":2: instance is empty"),
    (f"{HEAD}\n1,,r,4\n", ":2: skill is empty"),
    (f"{HEAD}\n1,\u8ad6\u7406,r,4\n", ":2: skill '\u8ad6\u7406' has no letter a-z and no digit"),
    (f"{HEAD}\n\u200b,x,r,4\n", ":2: instance '\\u200b' has no visible character"),
    (f"{HEAD},sample\n1,x,r,4,-1\n", ":2: sample '-1' is no whole number from 0 up"),
    (f"{HEAD}\n1,x,r\n", ":2: has 3 cells, the header 4"),
    (f"{HEAD}\n1,x,r,4,5\n", ":2: has 5 cells, the header 4"),
    (f"{HEAD}\n", ": holds no record"),
    ("", ": holds no record"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=[m[:40] for _, m in FAULTS])
def test_a_fault_names_file_line_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "r.csv", text)
    with pytest.raises(RecordError) as caught:
        read_ratings(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_lines_are_counted_across_cells_with_line_breaks_and_empty_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", f'{HEAD},rationale\n1,x,r,4,"two\nlines"\n\n2,x,r,,\n')
    with pytest.raises(RecordError, match=r"r\.csv:5: score is empty"):
        read_ratings(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"score": true', "score True is neither a number nor a label"),
        ('"score": [4]', "score [4] is neither a number nor a label"),
        ('"score": 4, "model": 1.5', "model 1.5 is no text"),
        ('"score": 4, "sample": true', "sample True is no whole number"),
        ('"score": 4, "rationale": ["x"]', "rationale ['x'] is no text"),
        ('"score": 4, "skills": "x"', "unknown column 'skills'; did you mean 'skill'?"),
        ('"score": NaN', "not valid JSON: NaN is no JSON number"),
    ],
)
def test_json_values_of_the_wrong_kind_are_refused(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "r.jsonl", f'{{"instance": "1", "skill": "x", "rater": "r", {line}}}\n')
    with pytest.raises(RecordError) as caught:
        read_ratings(path)
    assert f"{path}:1: {message}" in str(caught.value)


def test_faults_in_a_table_name_the_row() -> None:
    with pytest.raises(RecordError, match="table 2, row 1: score is empty"):
        read_ratings(frame(instance=["9"]), frame(instance=["1", "2"], skill="x", rater="r", score=[1.0, math.nan]))
    with pytest.raises(RecordError, match="score inf is no finite number"):
        read_ratings(frame(score=[math.inf]))


def test_broken_files_are_told(tmp_path: Path) -> None:
    write(tmp_path / "r.parquet", "no parquet")
    with pytest.raises(RecordError, match="is no Parquet file"):
        read_ratings(tmp_path / "r.parquet")
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(b"instance,skill,rater,score\n1,x,r,4\n")[:20])
    with pytest.raises(RecordError, match="is no whole gzip file"):
        read_ratings(tmp_path / "r.csv.gz")
    with pytest.raises(NotFoundError, match="no such file or folder"):
        read_ratings(tmp_path / "nowhere.csv")
    with pytest.raises(UserError, match="no ratings are given"):
        read_ratings()
    with pytest.raises(UserError, match="a path, a DataFrame or a run, not int"):
        read_ratings(3)


# ---- ratings that stand twice --------------------------------------------------------------------------------------


def test_an_equal_rating_is_counted_once_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", f"{HEAD}\n1,x,r,4\n1,X,r,4.0\n")
    table = read_ratings(path)
    assert len(table.ratings) == 1
    assert any("1 rating stood twice" in note and "r.csv:3" in note for note in table.notes)


def test_contradictory_ratings_are_told_with_both_lines(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.csv", f"{HEAD}\n1,x,r,4\n"), write(tmp_path / "b.csv", f"{HEAD}\n2,x,r,4\n1,x,r,5\n")
    with pytest.raises(RecordError, match=r"b\.csv:3: says 5\.0 where .*a\.csv:2 says 4\.0"):
        read_ratings(one, two)


@pytest.mark.parametrize(
    "column", ["model", "versus", "item", "variant", "sample", "response_sample", "rater", "skill"]
)
def test_what_differs_in_any_part_of_the_key_is_another_rating(column: str) -> None:
    other = {"sample": [0, 1], "response_sample": [0, 1]}.get(column, ["a", "b"])
    both = frame(instance=["1", "1"], skill=["x"] * 2, rater=["r"] * 2, score=[4.0, 5.0]).assign(**{column: other})
    assert len(read_ratings(both).ratings) == 2


def test_a_rater_is_of_one_kind() -> None:
    with pytest.raises(
        RecordError, match=r"rater 'ann' is of kind 'judge' here, and of kind 'human' in table 1, row 0"
    ):
        read_ratings(frame(), frame(instance=["2"], kind=["judge"]))


# ---- runs ---------------------------------------------------------------------------------------------------------


def test_a_run_gives_its_ratings_scale_titles_and_facts(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        [rating("1", 4, rationale="so"), rating("1", None, skill="conciseness"), rating("2", 2)],
        manifest={"created": "2026-11-25", "raters": {}},
        without={"m": 3},
    )
    table = read_ratings(run)
    assert table.ratings[["instance", "skill", "outcome"]].to_numpy().tolist() == [
        ["1", "conciseness", "refused"],
        ["1", "factuality", "scored"],
        ["2", "factuality", "scored"],
    ]
    assert table.scales == {"judge": (1.0, 5.0)}
    assert table.rubrics["factuality"] == ("Factuality", "Background Knowledge", 3)
    assert table.skills == ["factuality", "conciseness"]
    assert table.without_response == {"m": 3}
    assert table.runs[0]["created"] == "2026-11-25"
    assert table.runs[0]["raters"]["judge"]["card"]["model"] == "gpt-5-mini"
    assert table.ratings["rationale"].tolist() == ["", "so", ""]


def test_cells_that_are_not_judged_have_no_row_but_count_as_left(tmp_path: Path) -> None:
    left = Cell("2", "m", 0, "judge", 0, ("factuality", "conciseness"))
    run = make_run(
        tmp_path / "run", [rating("1")], left=[left], instances=[Instance(id=i, instruction="?") for i in "12"]
    )
    table = read_ratings(run, run)
    assert len(table.ratings) == 1
    assert table.left[["instance", "skill", "rater"]].to_numpy().tolist() == [
        ["2", "factuality", "judge"],
        ["2", "conciseness", "judge"],
    ]


def test_a_run_in_which_nothing_is_judged_is_no_fault(tmp_path: Path) -> None:
    left = [Cell("1", "m", 0, "judge", 0, ("factuality",))]
    table = read_ratings(make_run(tmp_path / "run", left=left, instances=[Instance(id="1", instruction="?")]))
    assert len(table.ratings) == 0
    assert tuple(table.ratings.columns) == COLUMNS
    assert (table.raters, table.models, len(table.left)) == ({"judge": "judge"}, ["m"], 1)


def test_a_run_counts_by_itself_the_instances_that_have_no_response(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [rating("1")], instances=[Instance(id=i, instruction="?") for i in "123"])
    assert read_ratings(run).without_response == {"m": 2}


def test_a_metric_has_the_scale_from_0_to_1_where_nothing_else_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [rating("1", 0.3, rater="metric:rouge_l", kind="metric")])
    table = read_ratings(run)
    assert (table.scales, table.raters) == ({"metric:rouge_l": (0.0, 1.0)}, {"metric:rouge_l": "metric"})


def test_the_export_of_a_run_has_all_columns_and_reads_back_the_same(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [rating("1", 4), rating("2", None)])
    out = export_table(run)
    assert tuple(out.columns) == COLUMNS
    write_table(tmp_path / "r.csv", out)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text())))
    assert [row["score"] for row in rows] == ["4", ""]
    both = read_ratings(run, tmp_path / "r.csv")
    pd.testing.assert_frame_equal(both.ratings, read_ratings(run).ratings)


def test_an_object_with_a_path_is_a_run(tmp_path: Path) -> None:
    class Run:
        path = make_run(tmp_path / "run", [rating("1")])

    assert len(read_ratings(Run()).ratings) == 1


def test_two_runs_whose_instances_differ_do_not_belong_together(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", [rating("1")], instances=[Instance(id="1", instruction="this")])
    b = make_run(tmp_path / "b", [rating("1", rater="other")], instances=[Instance(id="1", instruction="that")])
    with pytest.raises(UserError, match="instance '1' differs between"):
        read_ratings(a, b)
    assert len(read_ratings(a, b, instances=[Instance(id="1", instruction="that")]).ratings) == 2


# ---- instances ----------------------------------------------------------------------------------------------------


def test_instances_come_with_annotation_cluster_and_metadata(tmp_path: Path) -> None:
    one = Instance(
        id="1",
        instruction="?",
        annotation=Annotation(skills=("x",), domains=("Math", "Coding"), difficulty=5),
        cluster="c",
        source="gsm8k",
        metadata={"language": "en", "domain": "never"},
    )
    (tmp_path / "i.jsonl").write_text(one.model_dump_json(exclude_defaults=True) + "\n")
    table = read_ratings(frame(), frame(instance=["2"]), instances=tmp_path / "i.jsonl")
    assert tuple(table.instances.columns) == (*INSTANCE_COLUMNS, "language")
    assert table.instances.iloc[0].tolist() == ["1", "c", "gsm8k", 5, ("x",), ("Math", "Coding"), "en"]
    assert table.instances.iloc[1]["cluster"] == "2"
    assert table.instances["difficulty"].isna().tolist() == [False, True]
    assert any("'domain' is left out" in note for note in table.notes)
    assert any("1 of 2 rated instances are not among" in note for note in table.notes)


def test_instances_that_match_no_rating_are_a_fault() -> None:
    with pytest.raises(UserError, match="no rated instance is among the given instances"):
        read_ratings(frame(), instances=[Instance(id="x", instruction="?")])


def test_titles_of_well_known_skills_come_from_the_shipped_set_and_that_is_told() -> None:
    table = read_ratings(frame())
    assert table.title("factuality") == "Factuality"
    assert any("shipped rubric set 'flask'" in note for note in table.notes)
    assert read_ratings(frame(skill=["next_step"])).rubrics == {}


# ---- parts, and size ----------------------------------------------------------------------------------------------


def test_a_part_of_the_table_is_taken_by_name_and_a_wrong_name_is_told() -> None:
    table = read_ratings(frame(instance=["1", "1"], skill=["Factuality", "x"], rater=["ann"] * 2, score=[1.0, 2.0]))
    assert table.only(skills=["FACTUALITY"]).ratings["score"].tolist() == [1.0]
    with pytest.raises(UserError, match=r"no rater is called 'anne'.*did you mean 'ann'"):
        table.only(raters=["anne"])


def test_a_large_file_is_read_within_moments(tmp_path: Path) -> None:
    size = 100_000
    rows = pd.DataFrame({"instance": [str(k // 50) for k in range(size)], "model": [f"m{k % 5}" for k in range(size)]})
    rows = rows.assign(
        skill=[f"s{k // 5 % 10}" for k in range(size)], rater="r", score=[k % 5 + 1 for k in range(size)]
    )
    write_table(tmp_path / "r.csv", rows)
    started = time.perf_counter()
    assert len(read_ratings(tmp_path / "r.csv").ratings) == size
    assert time.perf_counter() - started < 8  # a million in 3.5 s on two cores; generous for a busy machine
