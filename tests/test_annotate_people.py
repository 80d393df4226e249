"""annotate: several annotators and their agreement, the list to settle, and the check against people."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import NO_DATA, SHARED
from servers import openai_server, schema_of
from test_annotate import bare, read, said

from flask_eval.analysis.labelling import Labelled, agreement_on_labels, check_annotations
from flask_eval.annotating.fields import Answer
from flask_eval.annotating.votes import vote
from flask_eval.judging.inputs import read_instances
from flask_eval.records import write_jsonl
from flask_eval.schema import Instance


def answers(field, *said_, outcome="unparsed"):
    """Answers of annotators a, b ... in order; an empty one came to `outcome`."""
    return [
        Answer("1", field, "abcdefgh"[n], 0, tuple(labels), "scored" if labels else outcome, ())
        for n, labels in enumerate(said_)
    ]


def cells(path):
    """The rows of a CSV file as a spreadsheet shows them."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


# ---- votes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "said_", "labels", "confidence"),
    [
        ("domains", [["Math"]], ("Math",), 1.0),
        ("domains", [["Math", "Coding"]], ("Math", "Coding"), 1.0),
        ("domains", [["Math"], ["Math", "Coding"]], ("Math",), 1.0),
        ("domains", [["Math"], ["Coding"]], ("Math",), 0.5),
        ("domains", [["Coding", "Math"], ["Coding"], ["Math", "Coding"]], ("Coding", "Math"), (1 + 2 / 3) / 2),
        ("domains", [["Math"], [], ["Math"]], ("Math",), 2 / 3),
        ("skills", [["a", "b", "c"], ["b", "a", "d"]], ("a", "b", "c"), (1 + 1 + 0.5) / 3),
        ("skills", [["a", "b", "c"], ["b", "c", "a"], ["b", "c", "a"]], ("b", "a", "c"), 1.0),
        ("skills", [["a"], ["b", "a", "c"]], ("a", "b"), 0.75),
        ("difficulty", [["1"], ["3"], ["3"]], ("3",), 2 / 3),
        ("difficulty", [["1"], ["3"], ["5"]], ("3",), 1 / 3),
        ("difficulty", [["2"], ["3"]], ("2",), 0.5),
    ],
)
def test_votes_become_labels(field, said_, labels, confidence):
    """By hand."""
    found = vote(answers(field, *said_))
    assert found.labels == labels
    assert found.confidence == pytest.approx(confidence)


def test_a_field_to_which_more_abstain_than_agree_stays_empty():
    """Two annotators see no level, one does."""
    found = vote(answers("difficulty", ["5"], [], [], outcome="not_applicable"))
    assert (found.labels, found.outcome, found.confidence) == ((), "not_applicable", None)


def test_without_any_label_the_outcome_says_what_most_came_to():
    """Of equally many the worst."""
    rows = answers("difficulty", [], [], outcome="unparsed") + answers("difficulty", [], outcome="refused")
    assert vote(rows).outcome == "unparsed"
    assert vote(rows[1:]).outcome == "refused"


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=3, unique=True), min_size=1, max_size=6))
def test_a_vote_takes_only_what_somebody_said(said_):
    """And its confidence is a share."""
    for field in ("domains", "skills"):
        found = vote(answers(field, *said_))
        assert set(found.labels) <= {label for labels in said_ for label in labels}
        assert (found.confidence is None) == (not found.labels)
        assert bool(found.labels) == any(said_)
        assert found.confidence is None or 0 < found.confidence <= 1


# ---- several annotators, end to end ---------------------------------------------------------------------------------


def two_minds(body):
    """Annotator `a` always says Math and 2; `b` says Health for every second instruction, and 3."""
    asked = schema_of(body)["properties"]
    odd = any(f"Say {n} " in body["messages"][1]["content"] for n in (1, 3, 5))
    if "domain" in asked:
        return said(domain="Health" if body["model"] == "b" and odd else "Math", second_domain="none")
    return said(difficulty="3" if body["model"] == "b" else "2") if "difficulty" in asked else None


@pytest.fixture
def split(tmp_path, run):
    """Six instances annotated by two who disagree: (result, folder, standard error)."""
    with openai_server(reply=two_minds) as server:
        words = ("--annotators", "openai:a,openai:b", "--base-url", server.url, "-o", tmp_path / "out.jsonl")
        code, text, err = run("annotate", bare(tmp_path), *words, "--only", "domains,difficulty", "--json", "-")
        assert code == 0, err
    return json.loads(text), tmp_path, err


def test_two_annotators_give_agreement_and_a_list_to_settle(split):
    """Alpha, kappa of each label, and what they do not agree on."""
    result, folder, err = split
    rows = {row["field"]: row for row in result["agreement"]["fields"]}
    assert rows["domains"]["of"] == "annotators"
    assert (rows["domains"]["n"], rows["domains"]["n_answers"]) == (6, 12)
    assert rows["domains"]["measures"]["exact"] == 0.5
    # observed disagreement 1/2; expected 2 * 9 * 3 / (12 * 11)
    assert rows["domains"]["measures"]["alpha_nominal"] == pytest.approx(1 - 0.5 / (54 / 132))
    health = next(label for label in rows["domains"]["labels"] if label["label"] == "Health")
    assert health["n_named"] == 3
    assert health["measures"]["kappa"] == pytest.approx(0.0)
    assert rows["difficulty"]["measures"]["exact"] == 0
    assert "alpha_ordinal" in rows["difficulty"]["measures"]
    assert result["settle"]["rows"] == 9
    assert "to settle" in err
    header, *body = cells(folder / "out.settle.csv")
    table = [dict(zip(header, row, strict=True)) for row in body]
    assert table[0]["votes"] == "openai:a: Math | openai:b: Health"
    assert {(row["field"], row["confidence"], row["decision"]) for row in table} == {
        ("domains", "0.5", ""),
        ("difficulty", "0.5", ""),
    }
    first = read(folder / "out.jsonl")[0]["annotation"]
    assert (first["domains"], first["difficulty"], first["annotator"]) == (["Math"], 2, "openai:a")


def decide(path, **decisions):
    """Fill in the list as a spreadsheet would."""
    rows = cells(path)
    for row in rows[1:]:
        row[6] = decisions.get(f"{row[1]}_{row[0]}", "")
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle).writerows(rows)


def test_decisions_are_read_back_without_a_call(split, run):
    """Titles and whole numbers as spreadsheets write them; a dash empties a field; the rest stays."""
    _, folder, _ = split
    settle, final = folder / "out.settle.csv", folder / "final.jsonl"
    decide(
        settle, domains_1="health; math", difficulty_1="3.0", difficulty_2="-", difficulty_3="expert level knowledge"
    )
    code, text, _ = run(
        "annotate", folder / "out.jsonl", "--settled", settle, "--settled-by", "Ada", "-o", final, "--json", "-"
    )
    assert code == 0
    assert json.loads(text)["decisions"] == 4
    assert json.loads(text)["undecided"] == 5
    notes = [row["annotation"] for row in read(final)]
    assert notes[0]["domains"] == ["Health", "Math"]
    assert notes[0]["annotator"].endswith(" + Ada")
    assert [note.get("difficulty") for note in notes] == [3, None, 5, 2, 2, 2]


@pytest.mark.parametrize(
    ("decisions", "say"),
    [
        ({"domains_1": "Maths"}, "did you mean 'Math'"),
        ({"difficulty_1": "6"}, "no level '6'"),
        ({"difficulty_1": "2; 3"}, "one level"),
        ({"domains_1": "Math; Health; Coding"}, "one domain, or two"),
        ({"domains_1": "Math; math"}, "stands twice"),
    ],
)
def test_a_decision_that_does_not_exist_is_told_with_its_line(split, run, decisions, say):
    """Exit 2; nothing is written."""
    _, folder, _ = split
    decide(folder / "out.settle.csv", **decisions)
    code, _, err = run(
        "annotate", folder / "out.jsonl", "--settled", folder / "out.settle.csv", "-o", folder / "final.jsonl"
    )
    assert code == 2
    assert say in err
    assert "out.settle.csv:" in err
    assert not (folder / "final.jsonl").exists()


def test_decisions_are_not_lost_by_annotating_anew(split, run):
    """A list with decisions is never written over."""
    _, folder, _ = split
    decide(folder / "out.settle.csv", domains_1="Math")
    with openai_server(reply=two_minds) as server:
        words = ("--judge", "openai:a", "--base-url", server.url, "-o", folder / "out.jsonl")
        code, _, err = run("annotate", folder / "out.jsonl", *words)
        assert (code, server.seen) == (2, [])
    assert "holds a decision" in err


def test_no_cell_of_the_list_is_a_formula_and_odd_ids_come_back(tmp_path, run):
    """A cell that begins with = + - @ or ' gets a ' before it, and is read without it."""
    names = ["=1+1", "+2", "-3", "@sum", "'quoted", 'ü; "x"']
    rows = [{"id": name, "instruction": f'=HYPERLINK("x")\n{name}\x07'} for name in names]
    write_jsonl(tmp_path / "in.jsonl", rows)
    out, settle = tmp_path / "out.jsonl", tmp_path / "out.settle.csv"
    with openai_server(faults=lambda *_: "empty") as server:
        run(
            "annotate",
            tmp_path / "in.jsonl",
            "--judge",
            "openai:m",
            "--base-url",
            server.url,
            "-o",
            out,
            "--only",
            "domains",
        )
    table = cells(settle)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in table for cell in row)
    with settle.open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle).writerows([table[0], *([*row[:6], "Math"] for row in table[1:])])
    assert run("annotate", out, "--settled", settle, "-o", tmp_path / "final.jsonl")[0] == 0
    assert {row["id"]: row["annotation"]["domains"] for row in read(tmp_path / "final.jsonl")} == {
        n: ["Math"] for n in names
    }


def test_samples_of_one_annotator_see_other_orders_and_give_agreement_with_itself(tmp_path, run):
    """Each sample is a request of its own."""
    with openai_server() as server:
        words = ("--judge", "openai:a", "--base-url", server.url, "-o", tmp_path / "out.jsonl", "--samples", "3")
        code, text, err = run("annotate", bare(tmp_path, 8), *words, "--json", "-")
        assert len(server.seen) == 72
    assert code == 0, err
    rows = json.loads(text)["agreement"]["fields"]
    assert [(row["field"], row["of"], row["n"]) for row in rows] == [
        ("domains", "samples", 8),
        ("skills", "samples", 8),
        ("difficulty", "samples", 8),
    ]
    skills = [row for row in read(tmp_path / "out.annotation.jsonl") if row["field"] == "skills"]
    assert all(len({tuple(a["shown"]) for a in row["answers"]}) == 3 for row in skills)


# ---- agreement, pure ------------------------------------------------------------------------------------------------


def test_three_raters_with_a_missing_answer():
    """The mean of the pairs' kappas; an answer without a label is missing, not a label."""
    rows = [
        Labelled(unit, rater, labels, str(unit))
        for rater, sets in {"a": "xyxyxy", "b": "xyxyyy", "c": "xyxxy "}.items()
        for unit, labels in enumerate((letter,) if letter != " " else () for letter in sets)
    ]
    found = agreement_on_labels(rows)
    assert (found["n"], found["n_answers"], found["n_missing"]) == (6, 17, 1)
    # a with b: 5 of 6 the same; a with c: 3 of 5; b with c: 4 of 5
    assert found["measures"]["exact"] == pytest.approx((5 / 6 + 3 / 5 + 4 / 5) / 3)
    assert found["raters"] == ["a", "b", "c"]


def test_full_agreement_on_one_label_has_no_alpha_but_a_reason():
    """All ratings equal."""
    rows = [Labelled(unit, rater, ("x",), str(unit)) for unit in range(6) for rater in "ab"]
    found = agreement_on_labels(rows)
    assert found["measures"]["alpha_nominal"] is None
    assert found["undefined"]["alpha_nominal"] == "all ratings equal"
    assert found["measures"]["exact"] == 1.0


def instance(name, skills=(), domains=(), difficulty=None):
    note = {"skills": skills, "domains": domains, "difficulty": difficulty}
    return Instance(id=name, instruction="?", annotation=note)


def test_the_check_by_hand():
    """Two of three own labels are the person's; a label that only one file has counts where it must."""
    own = [
        instance("1", ["a", "b"], ["Math"], 1),
        instance("2", ["c"], ["math "], 2),
        instance("3", [], [], 3),
        instance("4"),
    ]
    human = [
        instance("1", ["a", "c"], ["Math"], 1),
        instance("2", ["c"], ["Math"], 4),
        instance("3", ["a"]),
        instance("9"),
    ]
    found = check_annotations(own, human)
    assert (found["instances"], found["only_here"], found["only_human"]) == (3, 1, 1)
    skills = found["skills"]
    assert skills["accepted"] == skills["precision"] == pytest.approx(2 / 3)
    assert skills["recall"] == pytest.approx(2 / 4)
    assert skills["exact"] == pytest.approx(1 / 3)
    assert (skills["n"], skills["n_labels"], skills["n_missing"]) == (3, 3, 1)
    # own a, b, c once each; the person's a twice, c twice, over 3 instances
    assert skills["chance"] == pytest.approx((1 * 2 + 1 * 2) / (3 * 3))
    assert found["domains"]["accepted"] == 1.0
    assert (found["difficulty"]["n"], found["difficulty"]["exact"]) == (2, 0.5)
    assert found["difficulty"]["pearson"] is None
    assert "fewer than" in found["difficulty"]["undefined"]["pearson"]


def test_files_without_a_common_id_are_refused(tmp_path, run):
    """Nothing to compare is an error, not a row of blanks."""
    write_jsonl(tmp_path / "a.jsonl", [{"id": "1", "instruction": "?"}])
    write_jsonl(tmp_path / "b.jsonl", [{"id": "2", "instruction": "?"}])
    code, _, err = run("annotate", tmp_path / "a.jsonl", "--check", tmp_path / "b.jsonl")
    assert code == 2
    assert "ids must be the same" in err


@pytest.mark.skipif(not (SHARED / "flask").is_dir(), reason=NO_DATA)
def test_the_released_annotation_agrees_with_itself_and_by_chance_with_a_shuffled_one(tmp_path, run):
    """Perfect, and within the interval of what dealing at random gives."""
    import random

    evaluation = SHARED / "flask" / "evaluation_set" / "flask_evaluation.jsonl"
    run("import", "flask", evaluation, "-o", tmp_path / "f")
    source = tmp_path / "f" / "instances.jsonl"
    code, text, _ = run("annotate", source, "--check", source, "--json", "-")
    own = json.loads(text)
    assert code == 0
    assert own["skills"]["accepted"] == own["skills"]["recall"] == own["domains"]["accepted"] == 1.0
    assert own["skills"]["n"] == 1740
    for name in ("pearson", "spearman", "kendall", "alpha_ordinal", "exact"):
        assert own["difficulty"][name] == pytest.approx(1.0)
    instances = read_instances(source)
    notes = [one.annotation for one in instances]
    random.Random(7).shuffle(notes)
    dealt = [one.model_copy(update={"annotation": note}) for one, note in zip(instances, notes, strict=True)]
    other = check_annotations(instances, dealt, confidence=0.999)
    for field in ("skills", "domains"):
        low, high = other[field]["intervals"]["accepted"]
        assert low < other[field]["chance"] < high < 0.5
    for name in ("pearson", "spearman", "kendall", "alpha_ordinal"):
        low, high = other["difficulty"]["intervals"][name]
        assert low < 0 < high
    low, high = other["difficulty"]["intervals"]["exact"]
    assert low < other["difficulty"]["chance"] < high
