"""Tables of ratings of any shape become the long table; nothing is dropped, guessed or repaired in silence."""

import csv
import gzip
import io
import json
import re
import shlex
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_eval.cli import _run
from flask_eval.cli.import_ import import_command
from flask_eval.cli.import_ratings import ratings as command
from flask_eval.errors import RecordError, UserError
from flask_eval.importing.tables import (
    Condition,
    TableOptions,
    import_ratings,
    parse_condition,
    parse_labels,
    parse_list,
    parse_missing,
    summary,
    write_ratings,
)
from flask_eval.ratings import COLUMNS, read_ratings
from flask_eval.records import read_rows

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"

if "ratings" not in import_command.commands:
    import_command.add_command(command)


def write(path, content):
    """Write a text, or rows as JSON lines; packed where the name says so."""
    text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def as_json(cell):
    return str(cell) if isinstance(cell, str) or cell == cell // 1 else float(cell)


class Result:
    """What a command left behind."""

    def __init__(self, out, record, told):
        self.out, self.record, self.told = out, record, told
        self.rows = [row for _, row in read_rows(out)]

    def short(self, *names):
        """Chosen columns of each row."""
        return [tuple(row[name] for name in names) for row in self.rows]

    @property
    def notes(self):
        return " ".join(self.record["notes"])


@pytest.fixture
def load(tmp_path, capsys):
    """Import a table by the command: load(content, "--instance id ...", name="table.csv")."""

    def load(content, options, name=None, out="out.jsonl"):
        name = name or ("table.csv" if isinstance(content, str) else "table.jsonl")
        file = content if isinstance(content, Path) else write(tmp_path / name, content)
        words = ["import", "ratings", file, *shlex.split(options), "-o", tmp_path / out]
        code = _run([str(word) for word in [*words, "--json", tmp_path / "result.json"]])
        told = capsys.readouterr().err
        assert code == 0, told
        return Result(tmp_path / out, json.loads((tmp_path / "result.json").read_text()), told)

    return load


@pytest.fixture
def fails(tmp_path, capsys):
    """Import a table that does not fit: the one line that says so, after exit 2 and without a file."""

    def fails(content, options, name=None):
        name = name or ("table.csv" if isinstance(content, str) else "table.jsonl")
        file = content if isinstance(content, Path) else write(tmp_path / name, content)
        code = _run(["import", "ratings", str(file), *shlex.split(options), "-o", str(tmp_path / "out.csv")])
        told = capsys.readouterr().err
        assert code == 2, told
        assert not (tmp_path / "out.csv").exists()
        assert len(told.splitlines()) == 1
        return told.removeprefix("flask-eval: ").strip()

    return fails


LONG = "id,system,aspect,who,score\n1,A,Fluency,ann,4\n1,A,Fluency,bob,5\n2,A,Fluency,ann,3\n"
LONG_OPTIONS = "--instance id --model system --skill aspect --rater who --scores score"


# ---- shapes -------------------------------------------------------------------------------------------------------


def test_a_long_table_keeps_its_rows_and_gets_all_columns(load):
    found = load(LONG, LONG_OPTIONS)
    assert found.rows[0] == {
        "instance": "1",
        "model": "A",
        "response_sample": 0,
        "versus": "",
        "skill": "fluency",
        "item": "",
        "rater": "ann",
        "kind": "human",
        "sample": 0,
        "variant": "",
        "score": 4,
        "outcome": "scored",
        "rationale": "",
    }
    assert found.record == {
        "ratings": 3,
        "raters": {"ann": 2, "bob": 1},
        "skills": {"fluency": 3},
        "models": 1,
        "instances": 2,
        "missing": {},
        "duplicates": 0,
        "notes": [],
    }
    assert found.told.startswith("3 ratings by 2 raters for 1 skill, 2 instances, 1 model -> ")


def test_several_columns_are_raters_named_by_the_column(load):
    found = load("id,ann,bob\n1,4,5\n2,3,3\n", "--instance id --skill =fluency --scores ann,bob")
    assert found.short("instance", "rater", "score") == [
        ("1", "ann", 4),
        ("1", "bob", 5),
        ("2", "ann", 3),
        ("2", "bob", 3),
    ]


def test_several_columns_may_be_skills_or_models(load):
    text = "id,coherence,fluency\n1,4,5\n"
    skills = load(text, "--instance id --scores coherence,fluency --columns skills --rater =ann")
    assert skills.short("skill", "rater", "score") == [("coherence", "ann", 4), ("fluency", "ann", 5)]
    models = load(text, "--instance id --scores '*' --columns models --rater =ann --skill =overall")
    assert models.short("model", "score") == [("coherence", 4), ("fluency", 5)]


def test_fields_of_a_cell_are_skills_raters_or_models_by_their_keys(load):
    rows = [{"id": 1, "human": {"Coherence": 2.5, "Fluency": 4.0}}]
    skills = load(rows, "--instance id --scores human --columns skills")
    assert skills.short("rater", "skill", "score") == [("human", "coherence", 2.5), ("human", "fluency", 4)]
    raters = load(rows, "--instance id --scores human --columns raters --skill =x")
    assert raters.short("rater", "score") == [("Coherence", 2.5), ("Fluency", 4)]


def test_two_columns_of_fields_are_two_raters_and_their_keys_skills(load):
    rows = [{"id": 1, "human": {"a": 2}, "judge": {"a": 3}}]
    found = load(rows, "--instance id --scores human,judge --columns skills")
    assert found.short("rater", "skill", "score") == [("human", "a", 2), ("judge", "a", 3)]


def test_two_columns_of_fields_are_two_skills_where_their_keys_are_raters(load):
    rows = [{"id": 1, "coherence": {"ann": 2}, "fluency": {"ann": 3}}]
    found = load(rows, "--instance id --scores coherence,fluency --columns raters")
    assert found.short("rater", "skill", "score") == [("ann", "coherence", 2), ("ann", "fluency", 3)]


def test_a_dotted_path_reaches_fields_and_names_by_its_last_part(load):
    rows = [{"id": {"n": 7}, "s": {"coherence": 2, "v1.5": 3}}]
    found = load(rows, "--instance id.n --scores s.coherence,s.v1.5 --columns skills --rater =ann")
    assert found.short("instance", "skill", "score") == [("7", "coherence", 2), ("7", "v1_5", 3)]


def test_paths_with_the_same_last_part_are_named_whole(load):
    rows = [{"id": 1, "ann": {"score": 2}, "bob": {"score": 3}}]
    found = load(rows, "--instance id --scores ann.score,bob.score --skill =x")
    assert found.short("rater", "score") == [("ann.score", 2), ("bob.score", 3)]


def test_a_column_whose_name_holds_dots_is_that_column(load):
    found = load(
        "id,claude-2,claude-2.1\n1,4,5\n", "--instance id --scores claude-2,claude-2.1 --columns models --rater =j"
    )
    assert found.short("model", "score") == [("claude-2", 4), ("claude-2.1", 5)]


def test_each_place_of_a_list_is_one_rater_and_that_is_told(load):
    rows = [{"id": 1, "experts": [3, 1], "crowd": [5]}]
    found = load(rows, "--instance id --skill =x --scores experts,crowd --list raters")
    assert found.short("rater", "score") == [("experts-1", 3), ("experts-2", 1), ("crowd-1", 5)]
    assert "Each place of a list is taken as one rater throughout" in found.notes
    one = load(rows, "--instance id --skill =x --scores experts.0,experts.1")
    assert one.short("rater", "score") == [("experts-1", 3), ("experts-2", 1)]


def test_places_that_are_no_persons_claim_no_identity(load):
    rows = [{"id": 1, "experts": [3, 1], "crowd": [5]}]
    found = load(rows, "--instance id --skill =x --scores experts,crowd --list raters --anonymous-raters")
    assert found.short("rater", "score") == [("experts#1", 3), ("experts#2", 1), ("crowd#1", 5)]
    assert "experts#1 ... (2 in all) are places, not persons" in found.notes
    assert "taken as one rater" not in found.notes


def test_a_column_of_single_scores_beside_lists_keeps_its_name(load):
    rows = [{"id": 1, "crowd": [5, 4], "chief": 3}, {"id": 2, "crowd": None, "chief": 2}]
    found = load(rows, "--instance id --skill =x --scores crowd,chief --list raters")
    assert found.short("rater", "score")[2:] == [("chief", 3), ("crowd-1", None), ("chief", 2)]


def test_a_list_of_persons_can_be_named(load):
    found = load(
        [{"id": 1, "humans": [3, 1]}], "--instance id --skill =x --scores humans --list raters --rater-names ann,bob"
    )
    assert found.short("rater", "score") == [("ann", 3), ("bob", 1)]
    assert found.record["notes"] == []


def test_a_list_of_samples_is_one_rater_several_times_with_reasons_place_by_place(load):
    rows = [{"id": 1, "judge": "gpt", "s": [3, None, 4], "why": ["good", "?", "fine"]}]
    found = load(rows, "--instance id --skill =x --scores s --list samples --rater judge --kind judge --rationale why")
    assert found.short("rater", "sample", "score", "outcome", "rationale") == [
        ("gpt", 0, 3, "scored", "good"),
        ("gpt", 1, None, "unparsed", "?"),
        ("gpt", 2, 4, "scored", "fine"),
    ]
    assert found.record["missing"] == {"unparsed": 1}


def test_one_reason_beside_a_list_goes_to_each_and_a_list_beside_one_score_is_joined(load):
    options = "--instance id --skill =x --rater =j --scores s --rationale why"
    assert load([{"id": 1, "s": [3, 4], "why": "all"}], options + " --list samples").short("rationale") == [
        ("all",),
        ("all",),
    ]
    assert load([{"id": 1, "s": 3, "why": ["a", "b"]}], options).short("rationale") == [("a\nb",)]


def test_lists_of_fields_and_fields_of_lists_are_spread_out(load):
    rows = [{"id": 1, "experts": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}]
    options = "--instance id --scores experts --list raters --columns skills"
    expected = [("experts-1", "a", 1), ("experts-1", "b", 2), ("experts-2", "a", 3), ("experts-2", "b", 4)]
    assert load(rows, options).short("rater", "skill", "score") == expected
    rows = [{"id": 1, "experts": {"a": [1, 3], "b": [2, 4]}}]
    assert sorted(load(rows, options).short("rater", "skill", "score")) == expected


def test_lists_within_lists_are_named_from_the_outermost_in(load):
    rows = [{"study": "s", "table": [[1, 2, None], [1, 3, 3]]}]
    found = load(rows, "--instance study --skill =x --scores table --list raters,instances --rater =coder")
    assert found.short("instance", "rater", "score") == [
        ("s/1", "coder-1", 1),
        ("s/2", "coder-1", 2),
        ("s/3", "coder-1", None),
        ("s/1", "coder-2", 1),
        ("s/2", "coder-2", 3),
        ("s/3", "coder-2", 3),
    ]


@pytest.mark.parametrize("cell", ['"[3, null, 4]"', "3;;4", '"3, ,4"', "3||4", '"[3, None, 4]"'])
def test_a_list_in_a_cell_of_text_is_taken_apart(load, cell):
    found = load(f"id,s\n1,{cell}\n", "--instance id --skill =x --scores s --list raters")
    assert found.short("rater", "score") == [("s-1", 3), ("s-2", None), ("s-3", 4)]


def test_labels_with_commas_are_no_list(load):
    found = load('id,s\n1,"yes, mostly;no"\n', "--instance id --skill =x --scores s --list raters")
    assert found.short("score") == [("yes, mostly",), ("no",)]


def test_counts_in_columns_are_raters_without_identity(load):
    found = load("id,yes,no\n1,2,1\n2,,3\n3,0,0\n", "--instance id --skill =safe --scores yes,no --counts")
    assert found.short("instance", "rater", "score") == [
        ("1", "rater#1", "yes"),
        ("1", "rater#2", "yes"),
        ("1", "rater#3", "no"),
        ("2", "rater#1", "no"),
        ("2", "rater#2", "no"),
        ("2", "rater#3", "no"),
    ]
    assert "1 units have no rater at all." in found.notes


def test_counts_by_fields_places_and_numbers(load):
    fields = load(
        [{"id": 1, "votes": {"1": 1, "5": 2}}], "--instance id --skill =x --scores votes --counts --rater =crowd"
    )
    assert fields.short("rater", "score") == [("crowd#1", 1), ("crowd#2", 5), ("crowd#3", 5)]
    places = load([{"id": "s", "t": [[0, 2], [1, 0]]}], "--instance id --skill =x --scores t --counts --list instances")
    assert places.short("instance", "rater", "score") == [("s/1", "t#1", 2), ("s/1", "t#2", 2), ("s/2", "t#1", 1)]
    labels = load("id,low,high\n1,1,1\n", "--instance id --skill =x --scores low,high --counts --labels low=1,high=5")
    assert labels.short("score") == [(1,), (5,)]


def test_a_contingency_table_becomes_units_rated_by_two(load):
    text = "first,yes,no\nyes,1,1\nno,0,2\n"
    found = load(text, "--instance =unit --skill =safe --scores yes,no --contingency first")
    assert Counter(zip(*[iter(found.short("rater", "score"))] * 2, strict=True)) == {
        (("rows", "yes"), ("columns", "yes")): 1,
        (("rows", "yes"), ("columns", "no")): 1,
        (("rows", "no"), ("columns", "no")): 2,
    }
    assert found.record["instances"] == 4
    named = load(text, "--instance =unit --skill =safe --scores yes,no --contingency first --rater-names ann,bob")
    assert named.record["raters"] == {"ann": 4, "bob": 4}


def test_a_contingency_table_in_a_cell_is_read_by_places(load):
    rows = [{"id": "t", "cells": [[0, 1], [0, 2]]}]
    found = load(rows, "--instance id --skill =x --scores cells --contingency '#' --anonymous-raters")
    assert found.short("rater", "score")[:2] == [("rater#1", 1), ("rater#2", 2)]
    assert found.record["instances"] == 3


def test_anonymous_columns_and_rows_are_numbered(load):
    columns = load("id,r1,r2\n1,4,5\n", "--instance id --skill =x --scores r1,r2 --anonymous-raters --rater =nurse")
    assert columns.short("rater") == [("nurse#1",), ("nurse#2",)]
    rows = load(
        "id,score\n1,4\n2,3\n1,5\n1,5\n", "--instance id --skill =x --scores score --anonymous-raters --rater =nurse"
    )
    assert rows.short("instance", "rater") == [("1", "nurse#1"), ("2", "nurse#1"), ("1", "nurse#2"), ("1", "nurse#3")]
    assert "are places, not persons" in rows.notes
    assert rows.record["duplicates"] == 0


def test_every_field_of_the_long_table_can_be_filled(load):
    text = "i,m,v,q,n,r,c,s,why,o\n1,A,B,q1,2,3,short,1,because,\n2,A,B,q1,2,3,short,,,refused\n"
    found = load(
        text,
        (
            "--instance i --model m --versus v --item q --sample n --response-sample r --variant c --scores s --rationale why "
            "--outcome o --rater =gpt --skill =x --kind judge"
        ),
    )
    assert found.short(
        "versus", "item", "sample", "response_sample", "variant", "score", "outcome", "rationale", "kind"
    ) == [
        ("B", "q1", 2, 3, "short", 1, "scored", "because", "judge"),
        ("B", "q1", 2, 3, "short", None, "refused", "", "judge"),
    ]


# ---- sources ------------------------------------------------------------------------------------------------------


def test_columns_are_put_together_and_taken_apart(load):
    rows = [{"item": "d1/sys", "judge": "gpt", "method": "rts", "s": 3}]
    found = load(rows, "--instance 'item~^(.*?)/' --model 'item~[^/]+$' --rater judge+method --skill =x --scores s")
    assert found.short("instance", "model", "rater") == [("d1", "sys", "gpt/rts")]
    found = load(rows, "--instance '{item}:{method}' --rater '{judge}/{method}' --skill =x --scores s")
    assert found.short("instance", "rater") == [("d1/sys:rts", "gpt/rts")]


def test_row_numbers_serve_where_a_table_has_no_ids(load):
    assert load("ann,bob\n1,2\n3,4\n", "--instance '#' --skill =x --scores ann,bob").short("instance")[::2] == [
        ("1",),
        ("2",),
    ]


def test_a_column_of_that_name_wins_over_every_other_reading(load):
    found = load("a+b,=x,s*\n1,z,3\n", "--instance a+b --skill '=x' --rater =r --scores 's*'")
    assert found.short("instance", "skill", "score") == [("1", "z", 3)]


def test_a_pattern_takes_every_column_that_fits_and_is_not_named_elsewhere(load):
    text = "id,crowd_1,crowd_2,note\n1,4,5,x\n"
    assert load(text, "--instance id --skill =x --scores 'crowd_*' --rationale note").record["raters"] == {
        "crowd_1": 1,
        "crowd_2": 1,
    }
    assert load(text, "--instance id --skill =x --scores '*' --rationale note").record["ratings"] == 2
    assert load(text, "--instance id --skill =x --scores '*' --where note=x").record["ratings"] == 2


def test_where_takes_alternatives_of_a_column_and_all_of_several_columns(load):
    text = "id,m,lang,s\n1,a,de,1\n2,b,de,2\n3,c,de,3\n4,a,en,4\n"
    options = "--instance id --skill =x --rater =r --scores s"
    found = load(text, f"{options} --where m=a --where m=b --where lang=de")
    assert found.short("instance") == [("1",), ("2",)]
    assert "2 of 4 rows are left out by --where." in found.notes
    assert load(text, f"{options} --where m!=a").short("instance") == [("2",), ("3",)]
    tags = load([{"id": 1, "tags": ["x", "y"], "s": 1}, {"id": 2, "tags": [], "s": 1}], f"{options} --where tags=y")
    assert tags.short("instance") == [("1",)]


# ---- scores -------------------------------------------------------------------------------------------------------


def test_numbers_as_text_are_numbers_and_whole_ones_are_whole(load):
    text = "id,s\n1,4\n2,4.0\n3, 4.5 \n4,1e1\n5,-1\n"
    found = load(text, "--instance id --skill =x --rater =r --scores s")
    assert [repr(score) for (score,) in found.short("score")] == ["4", "4", "4.5", "10", "-1"]


def test_texts_stay_labels_where_a_rater_uses_nothing_else(load):
    rows = [{"id": 1, "safe": "Yes", "good": 4}, {"id": 2, "safe": "No", "good": 5}]
    found = load(rows, "--instance id --rater =ann --scores safe,good --columns skills")
    assert found.short("skill", "score") == [("safe", "Yes"), ("good", 4), ("safe", "No"), ("good", 5)]
    assert load([{"id": 1, "s": True}], "--instance id --skill =x --rater =r --scores s").short("score") == [("true",)]


def test_labels_become_numbers_whatever_their_case(load):
    text = "id,s\n1,Bad\n2,good\n3,3\n"
    found = load(text, "--instance id --skill =x --rater =r --scores s --labels bad=1,GOOD=2.5")
    assert found.short("score") == [(1,), (2.5,), (3,)]
    swapped = load("id,s\n1,1\n2,2\n3,0\n", "--instance id --skill =x --rater =r --scores s --labels 1=1,2=-1,0=0")
    assert swapped.short("score") == [(1,), (-1,), (0,)]


def test_a_mix_of_numbers_and_labels_names_line_and_remedy(fails):
    told = fails("id,s\n1,4\n2,garbage\n", "--instance id --skill =x --rater =gpt --scores s")
    assert "table.csv:3: score 'garbage' stands among numbers of 'gpt' for x" in told
    assert "--labels 'garbage=NUMBER', or --missing 'garbage'" in told


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-inf", "1e999", "N/A", "null"])
def test_what_is_no_number_and_no_label_is_refused(fails, text):
    told = fails(f"id,s\n1,{text}\n", "--instance id --skill =x --rater =r --scores s")
    assert f"table.csv:2: score '{text}' is no finite number and no label; say what it means: --missing {text}" in told


def test_a_score_that_is_neither_number_nor_text_is_refused(fails):
    assert "fields within fields" in fails(
        [{"id": 1, "s": {"a": {"b": 1}}}], "--instance id --rater =r --scores s --columns skills"
    )


def test_labels_that_differ_only_in_case_or_look_like_lists_are_told(load):
    options = "--instance id --skill =x --rater =r --scores s"
    assert "'Yes' and 'yes' are counted as two: --labels yes=Yes" in load("id,s\n1,Yes\n2,yes\n", options).notes
    assert load("id,s\n1,Yes\n2,yes\n", options + " --labels yes=Yes").short("score") == [("Yes",), ("Yes",)]
    assert "looks like a list: --list raters" in load("id,s\n1,3;4;5\n", options).notes
    many = "id,s\n" + "".join(f"{k},text {k}\n" for k in range(60))
    assert "60 different labels" in load(many, options).notes


# ---- missing scores -----------------------------------------------------------------------------------------------


def test_a_missing_score_is_not_applicable_for_people_and_unparsed_for_judges(load):
    rows = [{"id": 1, "s": None}, {"id": 2, "s": 3}, {"id": 3}, {"id": 4, "s": " "}]
    options = "--instance id --skill =x --rater =r --scores s"
    people = load(rows, options)
    assert people.record["missing"] == {"not_applicable": 3}
    assert "without a score: 3 not_applicable" in people.told
    assert load(rows, options + " --kind judge").record["missing"] == {"unparsed": 3}
    assert load(rows, options + " --kind metric --missing-outcome failed").record["missing"] == {"failed": 3}
    dropped = load(rows, options + " --missing-outcome drop")
    assert dropped.record["ratings"] == 1
    assert "3 missing scores give no rating, as asked." in dropped.notes


def test_texts_can_mean_a_missing_score_each_with_its_outcome(load):
    text = "id,s\n1,N/A\n2,garbage\n3,refusal\n4,9\n5,4\n6,\n"
    found = load(
        text,
        (
            "--instance id --skill =x --rater =gpt --scores s --kind judge --missing n/a --missing garbage "
            "--missing refusal=refused --missing 9=out_of_range --missing =truncated"
        ),
    )
    assert found.short("outcome") == [
        ("not_applicable",),
        ("unparsed",),
        ("refused",),
        ("out_of_range",),
        ("scored",),
        ("truncated",),
    ]


def test_a_missing_cell_where_others_hold_fields_is_missing_for_each_field(load):
    rows = [{"id": 1, "h": {"a": 1, "b": 2}}, {"id": 2, "h": None}]
    found = load(rows, "--instance id --scores h --columns skills --missing-outcome failed")
    assert found.short("instance", "skill", "outcome")[2:] == [("2", "a", "failed"), ("2", "b", "failed")]


def test_an_empty_or_absent_list_is_one_missing_rating(load):
    rows = [{"id": 1, "s": [3]}, {"id": 2, "s": []}, {"id": 3, "s": None}, {"id": 4}]
    found = load(rows, "--instance id --skill =x --rater =r --scores s --list samples --kind judge")
    assert found.short("sample", "score") == [(0, 3), (0, None), (0, None), (0, None)]


# ---- repeats ------------------------------------------------------------------------------------------------------


def test_repeats_that_agree_are_counted_once_and_told(load):
    found = load(LONG + "1,A,Fluency,ann,4.0\n", LONG_OPTIONS)
    assert (found.record["ratings"], found.record["duplicates"]) == (3, 1)
    assert "1 repeated ratings say the same and are counted once." in found.notes


def test_repeats_that_differ_name_both_lines(fails):
    told = fails(LONG + "1,A,Fluency,ann,5\n2,A,Fluency,ann,1\n", LONG_OPTIONS)
    assert "table.csv:5: says 5 where " in told
    assert "table.csv:2 says 4, on the same rating (instance 1, model A, skill fluency, rater ann), and 1 more" in told
    assert "--keep first or --keep last takes one" in told


@pytest.mark.parametrize(("keep", "scores"), [("first", [4, 5, 3]), ("last", [5, 3, 5])])
def test_keep_says_which_of_two_stays(load, keep, scores):
    found = load(LONG + "1,A,Fluency,ann,4\n1,A,Fluency,ann,5\n", f"{LONG_OPTIONS} --keep {keep}")
    assert [score for (score,) in found.short("score")] == scores
    assert found.record["duplicates"] == 2
    assert f"say something else; the {keep} is kept, as asked." in found.notes


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=30))
def test_keep_last_agrees_with_a_dictionary(tmp_path_factory, rows):
    file = write(tmp_path_factory.mktemp("t") / "t.jsonl", [{"i": i, "r": f"r{r}", "s": s} for i, r, s in rows])
    options = TableOptions(instance="i", rater="r", skill="=x", scores=("s",), keep="last")
    found = import_ratings(file, options)
    kept = {(str(i), f"r{r}"): s for i, r, s in rows}
    table = found.table
    assert dict(zip(zip(table["instance"], table["rater"], strict=True), table["score"], strict=True)) == kept
    assert found.duplicates == len(rows) - len(kept)


# ---- what does not fit --------------------------------------------------------------------------------------------

ERRORS = [
    ("--instance idd --skill aspect --rater who --scores score", "no column 'idd'; did you mean 'id'?"),
    (
        "--instance id --skill aspect --rater who --scores scor",
        "--scores scor: there is no column 'scor'; did you mean 'score'?",
    ),
    (
        "--instance id --skill aspect --rater who --scores a.score",
        "there is no column 'a.score'; did you mean 'score'?",
    ),
    ("--instance id --skill aspect --rater who --scores 'x_*'", "--scores x_*: no column fits"),
    ("--instance id --skill aspect --rater who --scores score --rationale why", "--rationale why: there is no column"),
    (
        "--instance id --skill aspect --rater who --scores score --where hwo=ann",
        "--where hwo: there is no column 'hwo'",
    ),
    (
        "--instance id --skill aspect --rater who --scores score --where who=an",
        "--where who=an: no row is left; did you mean 'ann'?",
    ),
    ("--instance id --skill aspect --rater who --scores score --where who", "write COLUMN=VALUE"),
    ("--instance 'id~(' --skill aspect --rater who --scores score", "no regular expression"),
    (
        "--instance 'id~x' --skill aspect --rater who --scores score",
        "table.csv:2: --instance: the pattern finds nothing",
    ),
    ("--instance id --skill aspect --rater who --scores score --sample who", "sample 'ann' is no whole number"),
    ("--instance id --skill aspect --rater who --scores score --outcome who", "unknown outcome 'ann'"),
    ("--instance id --skill aspect --rater who --scores score,id", "leave --rater out, or say what the columns are"),
    ("--instance id --scores score,id --columns skills", "say who rated: --rater C, or --rater =NAME"),
    ("--instance id --scores score,score --skill =x", "'score' is named twice"),
    ("--instance id --scores score --columns skills --skill =x --rater =r", "--columns skills already names the skill"),
    ("--instance id --scores score --columns models --model =x --rater =r", "--columns models already names the model"),
    ("--instance id --scores score --columns raters --rater who", "--columns raters already names the rater"),
    ("--instance id --scores score --list people", "--list people: people is none of"),
    ("--instance id --scores score --list samples --sample id", "leave --sample out"),
    ("--instance id --scores score --rater-names a,b", "add --list raters"),
    ("--instance id --scores score --counts --contingency id", "two shapes; give one"),
    ("--instance id --scores score --counts --sample id", "--sample has no meaning"),
    ("--instance id --scores who --counts", "'ann' under 'who' is no count"),
    ("--instance id --scores score --labels 1", "--labels 1: write LABEL=NUMBER"),
    ("--instance id --scores score --labels a=nan", "nan is no number"),
    ("--instance id --scores score --labels a=1,A=2", "'A' stands twice"),
    ("--instance id --scores score --missing x=refusd", "'refusd' is no outcome; did you mean 'refused'?"),
    ("--instance id --scores score --missing-outcome gone", "'gone' is no outcome of a missing score"),
    ("--instance id --scores score --labels a=1 --missing A", "'a' is in --labels and in --missing"),
    ("--instance = --scores score", "name a column, a dotted path, or =TEXT"),
]


@pytest.mark.parametrize(("options", "message"), ERRORS)
def test_options_that_do_not_fit_are_told_in_one_line_and_nothing_is_written(fails, options, message):
    assert message in fails(LONG, options)


ROWS = [
    ([{"id": 1, "s": [1, 2]}], "--kind judge --rater =j", "is a list; say what its places are: --list samples"),
    ([{"id": 1, "s": [[1], [2]]}], "--list raters", "beyond --list raters"),
    ([{"id": 1, "s": {"a": 1}}], "", "holds fields (a); say what they are: --columns skills"),
    (
        [{"id": 1, "s": [[3]]}, {"id": 1, "s": 3}],
        "--list raters,instances",
        "is no list, as --list raters,instances says",
    ),
    ([{"id": 1, "s": [1, 2, 3]}], "--list raters --rater-names a,b", "the list has a place 3, --rater-names has 2"),
    ([{"id": None, "s": 1}], "", "--instance: the cell is empty"),
    ([{"id": [1], "s": 1}], "", "instance [1] is no text"),
    ([{"id": 1, "s": 1, "o": "refused"}], "--outcome o", "outcome is 'refused', but the score 1 is there"),
    (
        [{"id": 1, "s": [1, 2], "w": ["a"]}],
        "--list samples --rationale w",
        "--rationale: a list of 1 stands beside 2 scores",
    ),
    ([{"id": 1, "s": 1, "w": {"a": 1}}], "--rationale w", "rationale {'a': 1} is no text"),
]


@pytest.mark.parametrize(("rows", "options", "message"), ROWS)
def test_rows_that_do_not_fit_name_line_and_remedy(fails, rows, options, message):
    told = fails(rows, f"--instance id --skill =x --scores s {options}")
    assert message in told


def test_a_row_late_in_the_file_is_named_by_its_line(fails):
    text = "id,s\n" + "".join(f"{k},3\n" for k in range(2000)) + "x,N/A\n"
    assert "table.csv:2002: score 'N/A'" in fails(text, "--instance id --skill =x --rater =r --scores s")
    assert "table.json[2]: score 'N/A'" in fails(
        '[{"id": 1, "s": 1}, {"id": 2, "s": "N/A"}]',
        "--instance id --skill =x --rater =r --scores s",
        name="table.json",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no row"),
        ("id,s\n", "holds no row"),
        ("id,id\n1,2\n", "column 'id' stands twice"),
        ("id,s\n1\n", "table.csv:2: has 1 cells, the header 2"),
        ('id,s\n"1,2\n', "not valid CSV"),
    ],
)
def test_broken_tables_are_told(fails, text, message):
    assert message in fails(text, "--instance id --skill =x --rater =r --scores s")


def test_a_file_that_cannot_be_written_is_told_before_any_work(fails, tmp_path, capsys):
    assert "no such file" in fails(tmp_path / "none.csv", "--instance id --scores s")
    code = _run(["import", "ratings", str(tmp_path / "none.csv"), "--instance", "i", "--scores", "s", "-o", "r.xlsx"])
    assert code == 2
    assert "-o r.xlsx: unknown format; name it .csv, .jsonl or .parquet" in capsys.readouterr().err


def test_a_skill_or_rater_that_nothing_names_is_told(load):
    found = load("id,score\n1,4\n", "--instance id --scores score")
    assert found.short("skill", "rater") == [("overall", "score")]
    assert "all ratings are of 'overall'" in found.notes
    assert "named by the column 'score'" in found.notes
    assert load([{"id": 1, "s": [1]}], "--instance id --skill =x --scores s").notes.startswith(
        "The places of a list are taken as raters"
    )


# ---- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["r.csv", "r.tsv", "r.csv.gz", "r.jsonl", "r.jsonl.gz", "r.parquet"])
@pytest.mark.parametrize("scores", ["4,5,", "4.5,5,", "Yes,No,"])
def test_what_is_written_is_read_as_ratings(load, out, scores):
    text = "id,ann,bob,cem\n1," + scores + "\n"
    found = load(text, "--instance id --skill =x --scores ann,bob,cem", out=out)
    table = read_ratings(found.out).ratings
    assert tuple(table.columns) == COLUMNS
    assert table["outcome"].tolist() == ["scored", "scored", "not_applicable"]
    assert [str(as_json(score)) for score in table["score"][:2]] == [
        str(as_json(_cell(s))) for s in scores.split(",")[:2]
    ]


def _cell(text):
    return float(text) if text[0].isdigit() else text


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.jsonl", "t.jsonl.gz", "t.json", "t.parquet"])
def test_every_format_is_read(load, tmp_path, name):
    rows = [{"id": 1, "s": 4.0, "b.c": None}, {"id": 2, "s": None, "b.c": 3}]
    kind = name.removeprefix("t.").removesuffix(".gz")
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        content = tmp_path / name
    elif kind in ("csv", "tsv"):
        handle = io.StringIO()
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="," if kind == "csv" else "\t")
        writer.writeheader()
        writer.writerows(rows)
        content = handle.getvalue()
    else:
        content = json.dumps(rows) if kind == "json" else rows
    found = load(content, "--instance id --skill =x --scores s,b.c", name=name)
    assert found.short("rater", "score") == [("s", 4), ("b.c", None), ("s", None), ("b.c", 3)]


def test_a_folder_is_all_its_files_and_a_dash_standard_input(load, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.csv", "id,s\n1,4\n")
    write(folder / "b.jsonl", [{"id": 2, "s": 5}])
    assert load(folder, "--instance id --skill =x --rater =r --scores s").short("score") == [(4,), (5,)]
    monkeypatch.setattr("sys.stdin", io.StringIO('{"id": 3, "s": 6}\n'))
    assert load(Path("-"), "--instance id --skill =x --rater =r --scores s").short("score") == [(6,)]


def test_parquet_refuses_labels_beside_numbers_and_says_what_holds_both(tmp_path):
    file = write(tmp_path / "t.jsonl", [{"id": 1, "a": "Yes", "b": 4}])
    found = import_ratings(file, TableOptions(instance="id", scores=("a", "b"), skill="=x"))
    with pytest.raises(UserError, match=r"name it \.jsonl or \.csv"):
        write_ratings(found, tmp_path / "r.parquet")
    write_ratings(found, tmp_path / "r.csv")
    with pytest.raises(UserError, match="cannot be written"):
        write_ratings(found, tmp_path / "t.jsonl" / "r.csv")


def test_half_a_surrogate_pair_is_replaced(load):
    found = load('id,why,s\n1,"[""\\ud800""]",4\n', "--instance id --skill =x --rater =r --scores s --rationale why")
    assert found.rows[0]["rationale"] == '["\\ud800"]'
    found = load('id,s\n1,"[""\\ud800""]"\n', "--instance id --skill =x --scores s --list raters")
    assert found.rows[0]["score"] == "\ufffd"


# ---- from Python --------------------------------------------------------------------------------------------------


def test_options_are_parsed_from_text():
    assert parse_list("--scores", 'a, "b,c" ,d') == ("a", "b,c", "d")
    assert parse_labels(["A=1,b=2.5", "c=C"]) == {"a": 1, "b": 2.5, "c": "C"}
    assert parse_missing(["N/A", "x=refused", "y", ""]) == {"n/a": "not_applicable", "x": "refused", "y": "", "": ""}
    assert parse_condition("a=b=c") == Condition("a", "b=c")
    assert parse_condition("a!=b") == Condition("a", "b", equal=False)


def test_the_import_is_a_function_of_a_file_and_options(tmp_path):
    file = write(tmp_path / "t.csv", LONG)
    found = import_ratings(
        file, TableOptions(instance="id", model="system", skill="aspect", rater="who", scores=("score",))
    )
    assert found.table["score"].tolist() == [4, 5, 3]
    assert found.models == {"A": 3}
    assert summary(found)["models"] == 1
    with pytest.raises(RecordError, match=r"t\.csv:2: there is no column 'sytem'"):
        import_ratings(file, TableOptions(instance="sytem", skill="aspect", rater="who", scores=("score",)))
    with pytest.raises(UserError, match="name at least one column"):
        TableOptions(instance="id", scores=())


def test_two_hundred_thousand_cells_take_seconds(tmp_path):
    """A fifth of a million; 1 million cells are meant to take less than 30 s."""
    header = "id," + ",".join(f"r{k}" for k in range(100))
    line = ",".join(str(k % 5 + 1) for k in range(100))
    file = write(tmp_path / "t.csv", header + "\n" + "".join(f"{k},{line}\n" for k in range(2000)))
    start = time.perf_counter()
    found = import_ratings(file, TableOptions(instance="id", skill="=x", scores=("r*",)))
    write_ratings(found, tmp_path / "r.csv")
    assert len(found.table) == 200_000
    assert time.perf_counter() - start < 15


# ---- the page -----------------------------------------------------------------------------------------------------

PAGE = ROOT / "docs" / "import-ratings.md"


def test_every_command_of_the_page_runs_on_the_tables_of_the_page(tmp_path, monkeypatch, capsys):
    text = PAGE.read_text()
    for name, content in re.findall(r"^`([\w-]+\.(?:csv|jsonl))`:\n\n```\w*\n(.*?)```", text, re.MULTILINE | re.DOTALL):
        write(tmp_path / name, content)
    monkeypatch.chdir(tmp_path)
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    commands = [line for line in blocks.splitlines() if line.startswith("flask-eval import ratings")]
    assert len(commands) >= 12
    for line in commands:
        assert _run(shlex.split(line, comments=False)[1:]) == 0, (line, capsys.readouterr().err)


def test_the_page_names_every_option():
    text = PAGE.read_text()
    for parameter in command.params:
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert option in text, option


# ---- real data: the options below turn each set into the long table ----------------------------------------------

NULLS = {"not_applicable": 43}
REAL = {
    "newsroom": (
        "judgebench_human/newsroom.jsonl.gz",
        "--instance item --skill aspect --scores ratings --list raters --rater =annotator --anonymous-raters",
        {"ratings": 5040, "instances": 420, "missing": {}, "raters": {f"annotator#{k}": 1680 for k in (1, 2, 3)}},
    ),
    "dices": (
        "judgebench_human/dices_350_crowd.jsonl.gz",
        "--instance item --skill aspect --scores ratings --list raters --rater =crowd --anonymous-raters",
        {"ratings": 43050, "instances": 350, "raters": {f"crowd#{k}": 350 for k in range(1, 124)}},
    ),
    "summeval people": (
        "summeval_llm/human.jsonl.gz",
        "--instance item --model system --skill aspect --scores experts,crowd --list raters --anonymous-raters",
        {
            "ratings": 4800 * 8,
            "models": 12,
            "instances": 100,
            "missing": {},
            "raters": {f"experts#{k}": 4800 for k in (1, 2, 3)} | {f"crowd#{k}": 4800 for k in range(1, 6)},
        },
    ),
    "summeval judges": (
        "summeval_llm/judge.jsonl.gz",
        "--instance item --model system --skill aspect --rater judge+method --kind judge --scores score --rationale reply",
        {
            "ratings": 14400,
            "models": 12,
            "instances": 100,
            "duplicates": 0,
            "raters": {f"gpt-3.5-turbo-0301/{method}": 4800 for method in ("rts", "mcq", "stareval")},
        },
    ),
    "summeval one judge": (
        "summeval_llm/judge.jsonl.gz",
        "--instance item --model system --skill aspect --rater '{judge}/{method}' --kind judge --scores score --where method=rts",
        {"ratings": 4800, "raters": {"gpt-3.5-turbo-0301/rts": 4800}},
    ),
    "topical_chat people": (
        "topical_chat/human.jsonl.gz",
        "--instance dialogue --model system --scores mean_human.naturalness,mean_human.coherence --columns skills --rater =mean_human",
        {"ratings": 720, "models": 6, "instances": 60, "skills": {"naturalness": 360, "coherence": 360}},
    ),
    "topical_chat people, by the fields of the cell": (
        "topical_chat/human.jsonl.gz",
        "--instance dialogue --model system --scores mean_human --columns skills",
        {"ratings": 720, "models": 6, "instances": 60, "raters": {"mean_human": 720}},
    ),
    "topical_chat judges": (
        "topical_chat/judge.jsonl.gz",
        (
            "--instance 'item~^(.*?)/' --model 'item~/(.*)' --skill aspect --rater judge+method --kind judge --scores samples "
            "--list samples --rationale replies --where judge!=UniEval"
        ),
        {"ratings": 71540, "models": 6, "instances": 60, "missing": {"unparsed": 82}},
    ),
    "topical_chat UniEval": (
        "topical_chat/judge.jsonl.gz",
        (
            "--instance 'item~^(.*?)/' --model 'item~/(.*)' --skill aspect --rater judge --kind metric --scores samples "
            "--list samples --where judge=UniEval"
        ),
        {"ratings": 720, "models": 6, "instances": 60, "missing": {}, "raters": {"UniEval": 720}},
    ),
    "pandalm people": (
        "pandalm/pairwise.jsonl.gz",
        (
            "--instance item --model pair --skill =preference --scores humans --list raters "
            "--rater-names annotator1,annotator2,annotator3"
        ),
        {"ratings": 2997, "instances": 999, "missing": {}, "raters": {f"annotator{k}": 999 for k in (1, 2, 3)}},
    ),
    "pandalm judges": (
        "pandalm/pairwise.jsonl.gz",
        "--instance item --model pair --skill =preference --scores gpt-3.5-turbo,pandalm-7b --kind judge --missing garbage",
        {"ratings": 1998, "missing": {"unparsed": 25}, "raters": {"gpt-3.5-turbo": 999, "pandalm-7b": 999}},
    ),
    "pandalm people, one model versus the other": (
        "pandalm/pairwise.jsonl.gz",
        (
            "--instance item --model 'pair~^(.*)_' --versus 'pair~_(.*)$' --skill =preference --scores humans --list raters "
            "--rater-names annotator1,annotator2,annotator3 --labels 1=1,2=-1,0=0"
        ),
        {"ratings": 2997, "instances": 999, "missing": {}},
    ),
    "prometheus_vicuna": (
        "prometheus_vicuna/items.jsonl.gz",
        (
            "--instance question --model model --skill =overall --rater judge --kind judge --scores scores --list samples "
            "--rationale rationales"
        ),
        {"ratings": 960, "models": 4, "instances": 80, "missing": {}, "raters": {"gpt-4": 960}},
    ),
    "wildbench": (
        "wildbench/scores.jsonl.gz",
        "--instance item --model model --skill =overall --rater judge --variant version --kind judge --scores score",
        {"ratings": 29653, "models": 15, "duplicates": 0, "missing": {}},
    ),
    "just_eval": (
        "just_eval/multi_aspect.jsonl.gz",
        "--instance item --model model --skill aspect --rater judge --kind judge --scores score --missing-outcome not_applicable",
        {
            "ratings": 4000,
            "instances": 800,
            "missing": NULLS,
            "skills": dict.fromkeys(("helpfulness", "clarity", "factuality", "depth", "engagement"), 800),
        },
    ),
    "just_eval safety": (
        "just_eval/safety.jsonl.gz",
        "--instance item --model model --skill aspect --rater judge --kind judge --scores score",
        {"ratings": 3000, "instances": 200, "models": 15},
    ),
    "logickor": (
        "logickor/scores.csv.gz",
        "--instance '{item}-{turn}' --model model --skill skill --rater =gpt-4 --variant prompt_style --kind judge --scores score",
        {"ratings": 16380, "instances": 84, "models": 65, "missing": {}, "duplicates": 0},
    ),
    "alpaca_eval2": (
        "alpaca_eval2/scores.csv.gz",
        "--instance item --scores '*' --columns models --skill =preference --rater =weighted_gpt4_turbo --kind judge",
        {"ratings": 805 * 58, "instances": 805, "models": 58, "missing": {"unparsed": 10}},
    ),
    "worked example, raters by units": (
        "agreement_examples/worked_examples.json",
        (
            "--where name=krippendorff_2011_CD_four_observers_missing --instance name --skill =x --scores ratings "
            "--list raters,instances --rater =observer"
        ),
        {"ratings": 48, "instances": 12, "missing": {"not_applicable": 7}},
    ),
    "worked example, counts": (
        "agreement_examples/worked_examples.json",
        "--where name=wikipedia_fleiss --instance name --skill =x --scores counts --counts --list instances --rater =rater",
        {"ratings": 140, "instances": 10, "raters": {f"rater#{k}": 10 for k in range(1, 15)}},
    ),
    "worked example, contingency": (
        "agreement_examples/worked_examples.json",
        "--where name=irrCAC_cont3x3abstractors --instance name --skill =x --scores contingency --contingency '#'",
        {"ratings": 200, "instances": 100, "raters": {"rows": 100, "columns": 100}},
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_real_data_come_in_whole(load, name):
    file, options, expected = REAL[name]
    if not (DATA / file).exists():
        pytest.skip(f"{file} is not beside the checkout")
    found = load(DATA / file, options)
    assert {key: found.record[key] for key in expected} == expected


def real(load, name):
    file, options, _ = REAL[name]
    if not (DATA / file).exists():
        pytest.skip(f"{file} is not beside the checkout")
    return load(DATA / file, options, out="real.csv")


def alpha(found, skill, level, value=lambda score: score):
    """Krippendorff's alpha of a skill, from the long table alone."""
    import krippendorff

    by_rater: dict[str, dict[str, float]] = {}
    for row in found.rows:
        if row["skill"] == skill and "score" in row:
            by_rater.setdefault(row["rater"], {})[row["instance"]] = value(row["score"])
    units = sorted({unit for scores in by_rater.values() for unit in scores})
    return krippendorff.alpha(
        [[scores.get(unit, float("nan")) for unit in units] for scores in by_rater.values()], level_of_measurement=level
    )


def test_the_published_alphas_come_out_of_the_long_table(load):
    found = real(load, "newsroom")
    assert alpha(found, "informativeness", "ordinal", int) == pytest.approx(0.284873, abs=1e-6)
    assert alpha(found, "fluency", "ordinal", int) == pytest.approx(-0.015808, abs=1e-6)
    found = real(load, "dices")
    assert alpha(found, "safety", "nominal", ["Yes", "No", "Unsure"].index) == pytest.approx(0.160860, abs=1e-6)


def test_the_published_kappas_come_out_of_the_long_table(load):
    found = real(load, "pandalm people")
    labels: dict[str, dict[str, str]] = {}
    for row in found.rows:
        labels.setdefault(row["rater"], {})[row["instance"]] = row["score"]
    for pair, expected in {(1, 2): 0.852023, (1, 3): 0.878944, (2, 3): 0.861661}.items():
        a, b = (labels[f"annotator{k}"] for k in pair)
        observed = sum(a[unit] == b[unit] for unit in a) / len(a)
        shares = [Counter(x.values()) for x in (a, b)]
        chance = sum(shares[0][label] * shares[1][label] for label in shares[0]) / len(a) ** 2
        assert (observed - chance) / (1 - chance) == pytest.approx(expected, abs=1e-6)


def test_the_published_means_come_out_of_the_long_table(load):
    found = real(load, "wildbench")
    scores = [
        float(row["score"])
        for row in found.rows
        if (row["model"], row["rater"], row["variant"]) == ("gemma-2b-it", "gpt-4o-2024-05-13", "v2.0625")
    ]
    assert sum(scores) / len(scores) == pytest.approx(4.737512, abs=1e-6)
    found = real(load, "just_eval")
    clarity = [float(row["score"]) for row in found.rows if row["skill"] == "clarity" and "score" in row]
    assert sum(clarity) / len(clarity) == pytest.approx(4.9075)
