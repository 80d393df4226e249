"""annotate --checklist and --references: what a model writes for an instance, and how scoring uses it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import openai_server, schema_of
from test_annotate import read, said

from flask_eval.annotating.written import checklist_of, reference_of
from flask_eval.records import write_jsonl
from flask_eval.schema import Call, Completion

SKILLS = ("factuality", "conciseness")


def call(text, finish="stop"):
    return Call("k", 0, Completion(text, finish))


def listed(*pairs):
    return json.dumps({"questions": [{"skill": skill, "question": question} for skill, question in pairs]})


GOOD = listed(("factuality", "Does it name Paris?"), ("Conciseness", "Is it one sentence?"))


# ---- reading a checklist --------------------------------------------------------------------------------------------


def test_questions_get_ids_and_skills():
    """Titles are read as slugs; a code fence is no fault; thoughts before it are none either."""
    for text in (GOOD, f"```json\n{GOOD}\n```", f"<think>First, {{}}.</think>\n{GOOD}"):
        found = checklist_of(call(text), SKILLS)
        assert [(i.id, i.skill, i.question) for i in found.items] == [
            ("c1", "factuality", "Does it name Paris?"),
            ("c2", "conciseness", "Is it one sentence?"),
        ]
        assert found.outcome == "scored"


def test_duplicates_unknown_skills_and_surplus_are_left_out_and_counted():
    """Near duplicates by letters and digits; the sixth question goes."""
    text = listed(
        ("factuality", "Does it name Paris?"),
        ("conciseness", "does it name Paris"),
        ("factuality", "Does it name  Paris !"),
        ("harmlessness", "Is it kind?"),
        ("factuality", " \u200b"),
        ("factuality", "What year does it give?"),
        ("factuality", "Who built the tower?"),
        ("factuality", "Are the metres right?"),
        ("conciseness", "Is there any filler?"),
        ("conciseness", "Could a word be cut?"),
    )
    found = checklist_of(call(text), SKILLS)
    assert [i.id for i in found.items] == ["c1", "c2", "c3", "c4", "c5"]
    assert (found.duplicates, found.unknown, found.surplus) == (2, ("harmlessness", "factuality"), 1)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (call(""), "unparsed"),
        (call("Well, it depends {"), "unparsed"),
        (call('["a"]'), "unparsed"),
        (call('{"questions": [{"skill": "factuality"}]}'), "unparsed"),
        (call('{"questions": "none"}'), "unparsed"),
        (call(f"Here is the list: {GOOD}"), "unparsed"),
        (call('{"questions": []}'), "not_applicable"),
        (call(listed(("tact", "Is it kind?"))), "out_of_range"),
        (call(GOOD, "length"), "truncated"),
        (call(GOOD, "content_filter"), "refused"),
        (call("I'm sorry, but I cannot help with that."), "refused"),
        (Call("k", 0, None, "HTTP 500"), "failed"),
    ],
)
def test_a_reply_that_holds_no_checklist_gives_none(reply, outcome):
    """Each with its own outcome."""
    found = checklist_of(reply, SKILLS)
    assert (found.items, found.outcome) == ((), outcome)


@given(st.text(), st.sampled_from(["stop", "length", "refusal"]))
def test_no_text_breaks_the_readers(text, finish):
    """Any text is read, or has an outcome."""
    assert bool(checklist_of(call(text, finish), SKILLS).items) is False
    found = reference_of(call(text, finish))
    assert (found.outcome == "scored") == bool(found.text)


@given(st.lists(st.tuples(st.sampled_from([*SKILLS, "other"]), st.text(max_size=30)), max_size=12))
def test_a_checklist_never_has_more_than_five_questions_nor_a_strange_skill(pairs):
    """And every question is accounted for."""
    found = checklist_of(call(listed(*pairs)), SKILLS)
    assert len(found.items) <= 5
    assert {item.skill for item in found.items} <= set(SKILLS)
    assert len(found.items) + found.duplicates + len(found.unknown) + found.surplus == len(pairs)


# ---- checklists, end to end -----------------------------------------------------------------------------------------


def annotated(folder):
    """Three instances: one annotated, one with a checklist of its own, one without skills."""
    note = {"skills": list(SKILLS), "domains": ["Culture"], "difficulty": 5, "annotator": "Ada"}
    own = [{"id": "mine", "skill": "factuality", "question": "Is it so?"}]
    rows = [
        {"id": "1", "instruction": "Where is the tower?", "annotation": note},
        {"id": "2", "instruction": "Who built it?", "annotation": note, "checklist": own},
        {"id": "3", "instruction": "Why?", "annotation": {"domains": ["Culture"], "difficulty": 1, "annotator": "Ada"}},
    ]
    write_jsonl(folder / "in.jsonl", rows)
    return folder / "in.jsonl"


def test_a_checklist_is_written_edited_and_scored_question_by_question(tmp_path, run):
    """A skill's rating is the mean of its questions, each of which keeps its own."""
    source, out = annotated(tmp_path), tmp_path / "out.jsonl"
    with openai_server(reply=lambda _: GOOD) as server:
        words = ("--judge", "openai:m", "--base-url", server.url, "-o", out, "--only", "domains", "--checklist")
        code, text, err = run("annotate", source, *words, "--json", "-")
        assert code == 0, err
        assert len(server.seen) == 1
        body = server.seen[0].body
    assert schema_of(body)["properties"]["questions"]["items"]["properties"]["skill"]["enum"] == list(SKILLS)
    assert json.loads(text)["checklist"] == {
        "written": 1,
        "kept": 1,
        "without_skills": 1,
        "questions": 2,
        "dropped": {"duplicate": 0, "unknown_skill": 0, "surplus": 0},
    }
    rows = read(out)
    assert [len(row.get("checklist", [])) for row in rows] == [2, 1, 0]
    assert rows[1]["checklist"][0]["id"] == "mine"
    rows[0]["checklist"].append({"id": "added", "skill": "factuality", "question": "Does it name the river?"})
    write_jsonl(out, rows)
    write_jsonl(tmp_path / "r.jsonl", [{"instance": "1", "model": "x", "text": "Paris."}])
    judged = said(q1=5, q2=3, q3=2)
    with openai_server(reply=lambda _: judged) as server:
        words = ("--judge", "openai:m", "--base-url", server.url, "--prompt", "checklist", "-o", tmp_path / "run")
        code, _, err = run("score", out, tmp_path / "r.jsonl", *words)
    assert code == 0, err
    run("export", tmp_path / "run", "-o", tmp_path / "ratings.jsonl")
    found = {(r["skill"], r["item"]): r["score"] for r in read(tmp_path / "ratings.jsonl")}
    assert found == {
        ("factuality", "c1"): 5,
        ("conciseness", "c2"): 3,
        ("factuality", "added"): 2,
        ("factuality", ""): 3.5,
        ("conciseness", ""): 3,
    }


@pytest.mark.parametrize(
    ("fault", "outcome"), [("empty", "unparsed"), ("garbage", "unparsed"), ("refusal", "refused"), ("cut", "truncated")]
)
def test_a_bad_reply_writes_no_checklist(tmp_path, run, fault, outcome):
    """The instance stays without one."""
    out = tmp_path / "out.jsonl"
    with openai_server(faults=lambda *_: fault) as server:
        words = ("--judge", "openai:m", "--base-url", server.url, "-o", out, "--only", "domains", "--checklist")
        _, text, _ = run("annotate", annotated(tmp_path), *words, "--json", "-")
    assert json.loads(text)["by_field"]["checklist"] == {outcome: 1}
    assert "checklist" not in read(out)[0]


# ---- references -----------------------------------------------------------------------------------------------------


def test_missing_references_are_written_and_marked_and_can_be_left_out_of_scoring(tmp_path, run):
    """An existing one stays, with who wrote it."""
    note = {"skills": ["factuality"], "domains": ["Math"], "difficulty": 1, "annotator": "Ada"}
    rows = [
        {"id": "1", "instruction": "2 + 2?", "annotation": note},
        {"id": "2", "instruction": "3 + 3?", "annotation": note, "reference": "SIX", "reference_by": "Ada"},
    ]
    write_jsonl(tmp_path / "in.jsonl", rows)
    out = tmp_path / "out.jsonl"
    with openai_server(reply=lambda _: "<think>hm</think>\n FOUR ") as server:
        words = ("--judge", "openai:m", "--base-url", server.url, "-o", out, "--references")
        code, text, err = run("annotate", tmp_path / "in.jsonl", *words, "--json", "-")
        assert code == 0, err
        assert len(server.seen) == 1
        assert "response_format" not in server.seen[0].body
    assert json.loads(text)["references"] == {"written": 1, "kept": 1}
    assert [(row["reference"], row["reference_by"]) for row in read(out)] == [(["FOUR"], "openai:m"), (["SIX"], "Ada")]
    write_jsonl(tmp_path / "r.jsonl", [{"instance": n, "model": "x", "text": "?"} for n in ("1", "2")])
    with openai_server() as server:
        words = ("score", out, tmp_path / "r.jsonl", "--judge", "openai:m", "--base-url", server.url)
        assert run(*words, "-o", tmp_path / "with")[0] == 0
        first = "\n".join(s.body["messages"][1]["content"] for s in server.seen)
        code, _, err = run(*words, "-o", tmp_path / "without", "--without-references-by", "openai:m")
        assert code == 0, err
        then = "\n".join(s.body["messages"][1]["content"] for s in server.seen[2:])
        code, _, wrong = run(*words, "-o", tmp_path / "x", "--without-references-by", "openai:n")
    assert ("FOUR" in first, "SIX" in first) == (True, True)
    assert ("FOUR" in then, "SIX" in then) == (False, True)
    assert "1 of 2 instances lose their reference" in err
    assert code == 2
    assert "did you mean 'openai:m'" in wrong


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (call(" \u200b\n"), "empty_response"),
        (call("<think>only thoughts"), "empty_response"),
        (call("Half of it", "length"), "truncated"),
        (call("I can't help with that.", "refusal"), "refused"),
        (call("I'm sorry, but I cannot help with that."), "refused"),
        (Call("k", 0, None, "HTTP 500"), "failed"),
    ],
)
def test_a_reply_that_is_no_reference_writes_none(reply, outcome):
    """Empty, cut off, refused, failed."""
    found = reference_of(reply)
    assert (found.text, found.outcome) == ("", outcome)


def test_references_are_shown_to_the_annotator_that_comes_after(tmp_path, run):
    """As in FLASK, where the annotator saw them."""
    write_jsonl(tmp_path / "in.jsonl", [{"id": "1", "instruction": "2 + 2?"}])

    def reply(body):
        return None if schema_of(body) else "FOUR"

    with openai_server(reply=reply) as server:
        words = ("--judge", "openai:m", "--base-url", server.url, "-o", tmp_path / "o.jsonl", "--references")
        run("annotate", tmp_path / "in.jsonl", *words)
        assert ["[BEGIN REFERENCE" in s.body["messages"][1]["content"] for s in server.seen] == [
            False,
            True,
            True,
            True,
        ]
