"""FLASK's release comes in whole: nothing is dropped, repaired or joined by number in silence."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from flask_eval.errors import NotFoundError, RecordError, UserError
from flask_eval.importing.flask import CODES, FlaskImport, import_flask, summary, write_flask
from flask_eval.records import read_records
from flask_eval.schema import Instance, Response

RELEASE = Path(__file__).resolve().parents[2] / "shared" / "data" / "flask"
needs_release = pytest.mark.skipif(not RELEASE.is_dir(), reason="FLASK's release is not beside the checkout")


def current(idx, **changes):
    row = {
        "idx": idx,
        "instruction": f"Question {idx}?",
        "answer": f"Answer {idx}.",
        "task": "Kitchen",
        "skill": ["Logical Correctness", "Comprehension"],
        "domain": ["Math"],
        "difficulty": "formal education knowledge",
    }
    return {**row, **changes}


def write(path, *rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def load(tmp_path):
    """Import rows written to files: load(*rows, hard=[...], outputs={model: [...]}, prompts=[...])."""

    def load(*rows, hard=None, outputs=None, prompts=None):
        for model, responses in (outputs or {}).items():
            write(tmp_path / "outputs" / f"{model}.jsonl", *responses)
        return import_flask(
            write(tmp_path / "evaluation.jsonl", *rows),
            hard=None if hard is None else write(tmp_path / "hard.jsonl", *hard),
            outputs=None if outputs is None else tmp_path / "outputs",
            prompts=None if prompts is None else write(tmp_path / "raw.jsonl", *prompts),
        )

    return load


def told(result, code):
    return [(warning.id, warning.message) for warning in result.warnings if warning.code == code]


def test_a_row_becomes_an_instance_with_string_id_slugs_in_order_and_a_level(load):
    (instance,) = load(current(7, skill=["Readability", "Logical Correctness"], domain=["Math", "Coding"])).instances
    assert (instance.id, instance.instruction, instance.reference) == ("7", "Question 7?", ("Answer 7.",))
    assert instance.annotation.skills == ("readability", "logical_correctness")
    assert instance.annotation.domains == ("Math", "Coding")
    assert instance.annotation.difficulty == 3
    assert (instance.source, instance.annotation.annotator) == ("Kitchen", "gpt-4 (FLASK release)")


def test_a_row_before_december_2023_gives_the_same_instance_and_its_by_products_raise_no_warning(load):
    older = {
        "question_id": 7,
        "text": "Question 7?",
        "answer": "Answer 7.",
        "task": "Kitchen",
        "metrics": ["Logical Correctness", "Comprehension"],
        "domain_labeled": ["Math"],
        "difficulty_labeled": "formal education knowledge",
        "domain_review": "Math",
        "difficulty_review": "Formal education knowledge.",
        "metric_explanation": "1, 2\n[1, 2]",
        "num_skills": 2,
        "total_tokens": 700,
        "total_tokens_step2": 500,
    }
    result = load(older)
    assert result.instances == load(current(7)).instances
    assert result.warnings == []


def test_texts_stay_as_they_are_to_the_last_blank(load):
    result = load(
        current(1, instruction=" a\\nb\t\u200b", answer="no \n"),
        outputs={"m": [{"question_id": 1, "text": " x\u200b\n"}]},
    )
    assert (result.instances[0].instruction, result.instances[0].reference) == (" a\\nb\t\u200b", ("no \n",))
    assert result.responses["m"][0].text == " x\u200b\n"


@pytest.mark.parametrize("name", ["expert level knowledge", "Expert Level Knowledge.", " EXPERT LEVEL KNOWLEDGE. "])
def test_difficulty_is_read_by_name_whatever_case_and_full_stop(load, name):
    assert load(current(1, difficulty=name)).instances[0].annotation.difficulty == 5


@pytest.mark.parametrize("value", [-1, "-1", "", "I cannot rate this", None])
def test_what_is_no_difficulty_is_left_out_and_told(load, value):
    result = load(current(1, difficulty=value))
    assert result.instances[0].annotation.difficulty is None
    ((name, message),) = told(result, "difficulty_missing")
    assert name == "1"
    assert repr(value) in message


def test_a_bad_domain_is_left_out_and_told_with_what_remains(load):
    result = load(current(1, domain=["Health", "-1"]), current(2, domain=["-1"]), current(3, domain=[]))
    assert [instance.annotation.domains for instance in result.instances] == [("Health",), (), ()]
    assert told(result, "domain_missing") == [
        ("1", "'-1' is no domain; Health remains"),
        ("2", "'-1' is no domain; no domain remains"),
        ("3", "an empty list is no domain; no domain remains"),
    ]


def test_a_domain_outside_the_ten_is_kept_and_told(load):
    result = load(current(1, domain=["Sports"]))
    assert result.instances[0].annotation.domains == ("Sports",)
    assert [name for name, _ in told(result, "domain_unknown")] == ["1"]


def test_unexpected_keys_become_metadata_where_they_are_scalar_and_all_are_told(load):
    result = load(current(1, subtag="x", mcqa=False, tags=["a"]))
    assert result.instances[0].metadata == {"subtag": "x", "mcqa": False}
    ((_, message),) = told(result, "extra_keys")
    assert "kept as metadata: subtag, mcqa" in message
    assert "dropped, being no single values: tags" in message


def test_an_instance_without_an_answer_has_no_reference_and_that_is_told(load):
    result = load(current(1, answer=" "))
    assert result.instances[0].reference == ()
    assert [name for name, _ in told(result, "reference_missing")] == ["1"]


def test_a_repeated_instruction_is_kept_and_told(load):
    result = load(current(1, instruction="same"), current(2, instruction="same"))
    assert len(result.instances) == 2
    assert told(result, "duplicate_instruction") == [("2", "has the same instruction as 1; both are kept")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (current(1, skill=["Logical Corectness"]), "did you mean 'logical_correctness'"),
        (current(1, skill="Comprehension"), "must be a list of skills"),
        (current(1, skill=["Comprehension", "comprehension"]), "twice"),
        (current(1, instruction=None), "'instruction' must be text"),
        (current(1, answer=5), "'answer' must be text"),
        ({**current(1), "idx": True}, "no number under idx"),
        ({"prompt": "x"}, "the row has prompt"),
    ],
)
def test_a_row_that_does_not_fit_is_an_error_with_its_line(load, row, said):
    with pytest.raises(RecordError, match=r"evaluation\.jsonl:2") as caught:
        load(current(9), row)
    assert said in str(caught.value)


def test_an_id_that_stands_twice_is_an_error(load):
    with pytest.raises(RecordError, match=r"evaluation\.jsonl:2: id '1' stands twice"):
        load(current(1), current("1", instruction="other"))


# ---- the hard subset ----------------------------------------------------------------------------------------------


def test_the_hard_subset_is_found_by_text_and_never_by_number(load):
    hard = [
        current(1, instruction="Question 3?", answer="Answer 3."),
        current(2, instruction="Question 1?", answer="Answer 1."),
    ]
    result = load(current(1), current(2), current(3), hard=hard)
    assert result.hard_ids == ["3", "1"]
    assert summary(result)["hard"] == summary(result)["hard_matched"] == 2


def test_a_hard_row_that_is_the_beginning_of_one_instruction_with_the_same_answer_matches_and_is_told(load):
    result = load(
        current(1, instruction="Solve this\t4", answer="4"), hard=[current(8, instruction="Solve this", answer="4")]
    )
    assert result.hard_ids == ["1"]
    assert result.hard_matched_by_prefix == 1
    assert told(result, "hard_matched_by_prefix")[0][0] == "1"


@pytest.mark.parametrize(
    ("instances", "hard", "said"),
    [
        ([current(1)], current(8, instruction="unheard of"), "no instance has its instruction"),
        ([current(1)], current(8, instruction="Question", answer="other"), "has another answer"),
        ([current(1), current(2)], current(8, instruction="Question"), "the beginning of several: 1, 2"),
        ([current(1)], current(8, instruction=""), "its instruction is empty"),
        ([current(1, instruction="s"), current(2, instruction="s")], current(8, instruction="s"), "do not decide"),
    ],
)
def test_a_hard_row_without_one_match_is_left_out_and_told_under_its_own_number(load, instances, hard, said):
    result = load(*instances, hard=[hard])
    assert result.hard_ids == []
    ((name, message),) = told(result, "hard_unmatched")
    assert name == "8"
    assert said in message


def test_answer_and_skills_decide_between_instances_of_the_same_instruction(load):
    one = current(1, instruction="s", answer="a", skill=["Readability"])
    two = current(2, instruction="s", answer="a", skill=["Factuality", "Comprehension"])
    hard = current(8, instruction="s", answer="a", skill=["Comprehension", "Factuality"])
    assert load(one, two, hard=[hard]).hard_ids == ["2"]


def test_two_hard_rows_cannot_be_one_instance(load):
    result = load(current(1), hard=[current(5, instruction="Question 1?"), current(6, instruction="Question 1?")])
    assert result.hard_ids == ["1"]
    assert [name for name, _ in told(result, "hard_unmatched")] == ["6"]


def test_a_hard_row_that_differs_in_its_annotation_is_told(load):
    result = load(current(1, domain=["Health"]), hard=[current(1, domain=["Health", "Math"])])
    assert result.hard_ids == ["1"]
    ((name, message),) = told(result, "hard_differs")
    assert name == "1"
    assert "domains" in message


# ---- responses and prompts ----------------------------------------------------------------------------------------


def test_models_are_named_by_their_files_packed_ones_too(tmp_path):
    evaluation = write(tmp_path / "e.jsonl", current(1))
    write(tmp_path / "out" / "gpt4.jsonl.gz", {"question_id": 1, "text": "a"})
    write(tmp_path / "out" / "llama-2.7b.jsonl", {"idx": 1, "text": "b"})
    result = import_flask(evaluation, outputs=tmp_path / "out")
    assert {model: rs[0] for model, rs in result.responses.items()} == {
        "gpt4": Response(instance="1", model="gpt4", text="a"),
        "llama-2.7b": Response(instance="1", model="llama-2.7b", text="b"),
    }


def test_two_files_of_one_model_are_an_error(tmp_path):
    write(tmp_path / "out" / "m.jsonl", {"question_id": 1, "text": "a"})
    write(tmp_path / "out" / "m.jsonl.gz", {"question_id": 1, "text": "a"})
    with pytest.raises(UserError, match="second file of the model 'm'"):
        import_flask(write(tmp_path / "e.jsonl", current(1)), outputs=tmp_path / "out")


def test_an_instance_without_responses_is_told_once_with_its_models(load):
    outputs = {"a": [{"question_id": 1, "text": "x"}], "b": [{"question_id": k, "text": "x"} for k in (1, 2)]}
    result = load(current(1), current(2), current(3), outputs=outputs)
    assert told(result, "no_response") == [("2", "no response of a"), ("3", "no response of all 2 models")]
    assert result.without_response == {"a": 2, "b": 1}


def test_empty_and_zero_width_responses_are_kept_and_told_apart(load):
    texts = ["", " \n", "\u200b", "\ufeff \u200d", "x", "\u200b" * 50 + "x"]
    rows = [{"question_id": k, "text": text} for k, text in enumerate(texts, 1)]
    result = load(*(current(k) for k in range(1, 7)), outputs={"m": rows})
    assert [name for name, _ in told(result, "empty_response")] == ["1", "2"]
    assert [name for name, _ in told(result, "zero_width_response")] == ["3", "4"]
    assert all(message.startswith("m: ") for _, message in told(result, "empty_response"))
    assert (result.empty, result.zero_width, result.response_counts) == ({"m": 2}, {"m": 2}, {"m": 6})


def test_a_response_to_an_instance_that_is_not_in_the_set_is_kept_out_and_told(load):
    result = load(current(1), outputs={"m": [{"question_id": 1, "text": "x"}, {"question_id": 9, "text": "y"}]})
    assert [response.instance for response in result.responses["m"]] == ["1"]
    ((name, message),) = told(result, "response_unknown_instance")
    assert name == "9"
    assert "m.jsonl:2: m " in message


def test_a_second_response_to_an_instance_is_an_error_that_names_both_lines(load):
    rows = [{"question_id": 1, "text": "x"}, {"question_id": 1, "text": "y"}]
    with pytest.raises(RecordError, match=r"m\.jsonl:2: a second response of m to '1' \(first: .*m\.jsonl:1\)"):
        load(current(1), outputs={"m": rows})


def test_keys_of_responses_that_are_not_kept_are_told_once_a_model(load):
    rows = [{"question_id": k, "text": "x", "model_id": "m:1"} for k in (1, 2)]
    result = load(current(1), current(2), outputs={"m": rows})
    assert told(result, "response_extra_keys") == [("m", "m.jsonl: not kept: model_id (2 rows)")]


def test_a_prompt_that_differs_from_the_instruction_is_told_with_the_place_of_the_difference(load):
    prompts = [
        {"question_id": 1, "text": "Question 1?"},
        {"question_id": 2, "text": "Question 2? A) yes"},
        {"question_id": 9, "text": ""},
    ]
    result = load(current(1), current(2), prompts=prompts)
    ((name, message),) = told(result, "prompt_differs")
    assert name == "2"
    assert "from character 12 on" in message
    assert [name for name, _ in told(result, "prompt_unknown_instance")] == ["9"]


@pytest.mark.parametrize("option", ["evaluation", "hard", "outputs", "prompts"])
def test_a_path_that_leads_nowhere_is_one_clear_line(tmp_path, option):
    paths = {"evaluation": write(tmp_path / "e.jsonl", current(1)), option: tmp_path / "none.jsonl"}
    with pytest.raises(NotFoundError, match=r"none\.jsonl: no such file"):
        import_flask(**paths)


# ---- what is written ----------------------------------------------------------------------------------------------


def test_what_is_written_reads_back_as_it_was(load, tmp_path):
    result = load(
        current(1, domain=["Math", "-1"], subtag="x", difficulty=-1),
        current(2, answer="", instruction="Grüße \u200b"),
        hard=[current(5, instruction="Question 1?", answer="Answer 1.")],
        outputs={"m": [{"question_id": 1, "text": "\u200b"}, {"question_id": 2, "text": " ok\r\n"}]},
    )
    out = tmp_path / "out"
    paths = write_flask(result, out)
    assert {path.relative_to(out).as_posix() for path in paths} == {
        "instances.jsonl", "responses/m.jsonl", "hard.txt", "warnings.jsonl",
    }  # fmt: skip
    assert [record for _, record in read_records(out / "instances.jsonl", Instance)] == result.instances
    assert [record for _, record in read_records(out / "responses", Response)] == result.responses["m"]
    assert (out / "hard.txt").read_text() == "1\n"
    lines = [json.loads(line) for line in (out / "warnings.jsonl").read_text().splitlines()]
    assert lines == summary(result)["warnings"]


def test_other_files_of_the_folder_stay_and_own_ones_are_replaced(load, tmp_path):
    out = tmp_path / "out"
    write(out / "notes.jsonl", {"a": 1})
    write(out / "instances.jsonl", {"old": 1})
    write_flask(load(current(1)), out)
    assert sorted(path.name for path in out.iterdir()) == ["instances.jsonl", "notes.jsonl", "warnings.jsonl"]
    assert json.loads((out / "instances.jsonl").read_text())["id"] == "1"


def test_a_folder_that_cannot_be_written_is_one_clear_line(load, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        write_flask(load(current(1)), tmp_path / "file")


def test_the_summary_has_null_for_a_hard_subset_that_nobody_gave(load):
    assert summary(load(current(1))) == {
        "instances": 1,
        "hard": None,
        "hard_matched": None,
        "hard_matched_by_prefix": None,
        "responses": {},
        "without_response": {},
        "empty": {},
        "zero_width": {},
        "warnings": [],
    }


# ---- the release itself -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release() -> FlaskImport:
    sets = RELEASE / "evaluation_set"
    return import_flask(
        sets / "flask_evaluation.jsonl",
        hard=sets / "flask_hard_evaluation.jsonl",
        outputs=RELEASE / "model_output" / "outputs",
    )


@pytest.fixture(scope="module")
def expected():
    return json.loads((RELEASE / "expected.json").read_text())


@needs_release
def test_the_release_comes_in_whole(release, expected):
    found = summary(release)
    assert found["instances"] == expected["evaluation_set"] == 1740
    assert found["hard"] == found["hard_matched"] == expected["hard_set"] == 89
    assert found["hard_matched_by_prefix"] == expected["hard_found_by_unique_prefix_with_equal_answer"] == 1
    assert found["responses"] == {model: figures["rows"] for model, figures in expected["outputs"].items()}
    assert set(found["without_response"].values()) == {40}
    assert found["empty"] == {model: figures["empty_texts"] for model, figures in expected["outputs"].items()}
    zero_width = {model: count for model, count in found["zero_width"].items() if count}
    assert zero_width == {"tulu_7b": 29, "tulu_13b": 23, "tulu_30b": 23, "tulu_65b": 16, "wizardlm_13b": 1}


@needs_release
def test_the_release_raises_these_warnings_and_no_others(release, expected):
    counts = Counter(warning.code for warning in release.warnings)
    assert set(counts) <= set(CODES)
    assert counts == {
        "extra_keys": len(expected["extra_keys"]),
        "domain_missing": expected["domain_tags"]["-1"],
        "difficulty_missing": expected["difficulty"]["-1"],
        "duplicate_instruction": 1,
        "hard_matched_by_prefix": 1,
        "hard_differs": 1,
        "response_extra_keys": 3,
        "empty_response": 22,
        "zero_width_response": 92,
        "no_response": 40,
    }
    assert [name for name, _ in told(release, "no_response")] == [str(k) for k in expected["ids_without_output"]]
    assert {message for _, message in told(release, "no_response")} == {"no response of all 15 models"}
    assert [name for name, _ in told(release, "extra_keys")] == list(expected["extra_keys"])
    assert told(release, "hard_matched_by_prefix")[0][0] == str(expected["hard_found_by_prefix"]["82"])


@needs_release
def test_the_mean_lengths_of_the_released_responses_are_those_of_the_files(release, expected):
    for model, responses in release.responses.items():
        mean = sum(len(response.text) for response in responses) / len(responses)
        assert mean == pytest.approx(expected["outputs"][model]["mean_chars"], abs=1e-6)


@needs_release
def test_the_release_is_written_and_reads_back(release, tmp_path):
    write_flask(release, tmp_path)
    assert [record for _, record in read_records(tmp_path / "instances.jsonl", Instance)] == release.instances
    written = [record for _, record in read_records(tmp_path / "responses", Response)]
    assert written == [response for responses in release.responses.values() for response in responses]
    assert (tmp_path / "hard.txt").read_text().split() == release.hard_ids


@needs_release
def test_the_skills_of_the_release_are_those_of_its_rubrics(release):
    titles = [skill["Skill"] for skill in json.loads((RELEASE / "skillset_description.json").read_text())]
    assert {skill for instance in release.instances for skill in instance.annotation.skills} == {
        title.lower().replace(" ", "_") for title in titles
    }
