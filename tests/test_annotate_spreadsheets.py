"""annotate: what spreadsheets do to a list to settle, and a second domain without a first."""

import json

import pytest
from test_annotate import read, said

from flask_eval.annotating.fields import answer_of, ask_domains
from flask_eval.content import load_taxonomy
from flask_eval.records import write_jsonl
from flask_eval.schema import Call, Completion


@pytest.fixture
def annotated(tmp_path):
    """Two instances whose annotation is to be settled; one has an odd id."""
    rows = [
        {"id": "0012", "instruction": "Add.", "annotation": {"domains": ["Coding"], "annotator": "a"}},
        {"id": "=x; y", "instruction": "Name it."},
    ]
    write_jsonl(tmp_path / "in.jsonl", rows)
    return tmp_path / "in.jsonl"


HEADER = "instance{0}field{0}votes{0}decision\r\n"
ROWS = '0012{0}domains{0}"a: Math; Coding | b: Math"{0}Math\r\n"\'=x; y"{0}difficulty{0}{0}4\r\n'


@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize("blank", ["", "\r\n", "{0}{0}{0}\r\n"])
def test_a_list_comes_back_with_commas_or_semicolons(tmp_path, run, annotated, mark, blank):
    """Semicolons part the cells where the comma is a decimal sign; blank lines are no rows."""
    text = (HEADER + ROWS + blank).format(mark)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8-sig", newline="")
    out = tmp_path / "out.jsonl"
    code, said_, err = run("annotate", annotated, "--settled", tmp_path / "list.csv", "-o", out, "--json", "-")
    assert code == 0, err
    assert json.loads(said_)["decisions"] == 2
    assert [row["annotation"].get("domains") for row in read(out)] == [["Math"], None]
    assert read(out)[1]["annotation"]["difficulty"] == 4


@pytest.mark.parametrize(
    ("text", "say"),
    [
        (b'instance;field;decision\n0012;domains;"Math', "list.csv:2: not valid CSV"),
        ("instance;field;decision\n0012;domains;Café".encode("cp1252"), "not UTF-8"),
        (b"instance;field;decision\n0012;domains;Math;Coding", "list.csv:2: has 4 cells, the header 3"),
        (b'instance;field;decision\n0012;domains;" ; "', "names no label; - leaves the field empty"),
        (b"instance;field;decision\n12;domains;Math", "id '12' is no instance"),
        (b"instance;field;decision\n0012;domains;Maths", "did you mean 'Math'"),
    ],
)
def test_a_broken_list_is_told_with_its_place_and_nothing_is_written(tmp_path, run, annotated, text, say):
    """Exit 2, one line."""
    (tmp_path / "list.csv").write_bytes(text)
    code, _, err = run("annotate", annotated, "--settled", tmp_path / "list.csv", "-o", tmp_path / "out.jsonl")
    assert code == 2
    assert say in err
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("first", "outcome"), [("N/A", "not_applicable"), ("Literary matters", "unparsed"), ("", "unparsed")]
)
def test_a_second_domain_never_becomes_the_first(first, outcome):
    """The first domain chooses the wording for difficulty; whoever abstained from it has named none."""
    asked = ask_domains(load_taxonomy("flask"))
    call = Call("k", 0, Completion(said(domain=first, second_domain="Math")))
    answer = answer_of(("1", "domains", "a", 0), asked, call)
    assert (answer.labels, answer.outcome) == ((), outcome)
    assert answer.parts[1].label == "Math"
