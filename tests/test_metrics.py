"""Metrics are raters without calls: word overlap (ROUGE-L) and exact match."""

import string
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer

from flask_eval.errors import UserError
from flask_eval.importing.flask import import_flask
from flask_eval.metrics import METRICS, find_metric, rate
from flask_eval.metrics.exact import bare, exact_match
from flask_eval.metrics.rouge import rouge_l, tokens
from flask_eval.schema import Annotation, Instance, Response

RELEASE = Path(__file__).resolve().parents[2] / "shared" / "data" / "flask"
needs_release = pytest.mark.skipif(not RELEASE.is_dir(), reason="FLASK's release is not beside the checkout")

PEER = RougeScorer(["rougeL"])
ascii_text = st.text(alphabet=string.printable, max_size=200)
few_words = st.lists(st.sampled_from(["a", "b", "c", "A", "1", "-", "x_y", "\n"]), max_size=30).map(" ".join)


def peer(candidate, reference):
    return PEER.score(reference, candidate)["rougeL"].fmeasure


# ---- ROUGE-L ------------------------------------------------------------------------------------------------------


def test_rouge_l_is_the_f1_of_the_longest_common_sequence_of_words():
    # the first two are the example of Lin (2004), section 3.1
    assert rouge_l("police kill the gunman", ["police killed the gunman"]) == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", ["police killed the gunman"]) == pytest.approx(2 / 4)
    assert rouge_l("a b", ["a b c d e f"]) == pytest.approx(2 * 2 / 8)


def test_the_reference_that_fits_best_counts():
    assert rouge_l("blue", ["red", "Blue!", "green"]) == 1.0


def test_a_side_without_a_word_scores_nothing():
    assert rouge_l("", ["x"]) == rouge_l("...", ["..."]) == rouge_l("x", []) == 0.0


@settings(deadline=None)
@given(ascii_text)
def test_tokens_of_ascii_text_are_those_of_the_rouge_score_package(text):
    assert list(tokens(text)) == DefaultTokenizer(use_stemmer=False).tokenize(text)


@settings(deadline=None)
@given(few_words, few_words)
def test_rouge_l_of_ascii_text_is_that_of_the_rouge_score_package(candidate, reference):
    assert rouge_l(candidate, [reference]) == pytest.approx(peer(candidate, reference))


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_rouge_l_lies_between_0_and_1_and_does_not_care_which_side_is_which(one, other):
    score = rouge_l(one, [other])
    assert 0 <= score <= 1
    assert score == rouge_l(other, [one])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Größe: 5 m²", ("größe", "5", "m²")),
        ("naïve-café", ("naïve", "café")),
        ("我爱 Python3。", ("我", "爱", "python3")),
        ("カタ ひら", ("カ", "タ", "ひ", "ら")),
        ("한국어 문장", ("한국어", "문장")),
        ("हिन्दी में", ("हिन्दी", "में")),
        ("e\u0301te\u0301", ("e\u0301te\u0301",)),
        ("snake_case\u2019s ok", ("snake", "case", "s", "ok")),
        ("☀\ufe0f a\u200bb 😀", ("a", "b")),
    ],
)
def test_letters_and_digits_of_every_script_stay_whole_and_cjk_characters_stand_alone(text, words):
    assert tokens(text) == words


# ---- exact match --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "reference"),
    [
        ("TRUE", "true"),
        ("Yes.", "yes"),
        (" **No**!\n", "no"),
        ('"Paris".', "paris"),
        ("(B)", "B"),
        ("new  york\n", "New York"),
        ("STRASSE", "straße"),
        ("e\u0301", "\u00e9"),
        ("\u200b42", "42"),
        ("「東京」。", "東京"),
        ("...", "..."),
    ],
)
def test_case_blanks_and_punctuation_around_a_text_do_not_count(candidate, reference):
    assert exact_match(candidate, [reference]) == 1.0


@pytest.mark.parametrize(
    ("candidate", "reference"),
    [
        ("-5", "5"),
        (".5", "5"),
        ("5%", "5"),
        ("5!", "5"),
        ("5!.", "5"),
        ("(1, 2]", "[1, 2)"),
        ("yes and no", "yes"),
        ("C", "C#"),
        ("", "yes"),
        ("...", "?"),
    ],
)
def test_what_changes_a_value_counts(candidate, reference):
    assert exact_match(candidate, [reference]) == 0.0


def test_any_of_several_references_will_do():
    assert exact_match("b", ["a", "B"]) == 1.0
    assert exact_match("b", []) == 0.0


@settings(deadline=None)
@given(st.text(max_size=40))
def test_every_text_matches_itself(text):
    assert exact_match(text, [text]) == 1.0


@settings(deadline=None)
@given(st.text(alphabet="a5!.,\"'(*) ", max_size=12))
def test_a_bare_text_is_found_in_one_step(text):
    assert bare(f" {text}\n") == bare(text)


# ---- metrics as raters --------------------------------------------------------------------------------------------


def test_metrics_are_found_by_name_with_or_without_their_scheme():
    assert find_metric("rouge_l") is find_metric("metric:rouge_l") is METRICS["rouge_l"]
    assert find_metric("exact_match").function("Yes", ["yes"]) == 1.0


def test_an_unknown_metric_is_told_with_the_nearest():
    with pytest.raises(UserError, match=r"metric:rougel: no metric is called 'rougel'; did you mean 'rouge_l'\?"):
        find_metric("metric:rougel")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_its_name_a_description_and_a_note(name):
    metric = METRICS[name]
    assert metric.name == name
    assert metric.scale == (0.0, 1.0)
    assert metric.description.endswith(".")
    assert metric.note.endswith(".")
    assert metric.function("x", ["x"]) == 1.0


def rated(text, reference=("x",), **options):
    instance = Instance(
        id="1", instruction="?", reference=reference, annotation=Annotation(skills=("factuality", "readability"))
    )
    response = Response(instance="1", model="m", text=text, sample=2)
    return rate(find_metric("rouge_l"), instance, response, "metric:rouge_l", **options)


def test_a_response_gets_one_rating_for_each_annotated_skill():
    ratings = rated("x")
    assert [rating.skill for rating in ratings] == ["factuality", "readability"]
    assert {(r.instance, r.model, r.response_sample, r.rater, r.kind) for r in ratings} == {
        ("1", "m", 2, "metric:rouge_l", "metric"),
    }
    assert {(r.outcome, r.score) for r in ratings} == {("scored", 1.0)}


def test_the_skills_to_be_rated_may_be_named():
    assert [rating.skill for rating in rated("x", skills=["overall"])] == ["overall"]


def test_an_empty_response_and_a_missing_reference_are_outcomes_and_no_numbers():
    assert {(r.outcome, r.score) for r in rated("\u200b", reference=())} == {("empty_response", None)}
    assert {(r.outcome, r.score, r.rationale) for r in rated("x", reference=())} == {
        ("not_applicable", None, "no reference"),
    }


# ---- the released responses ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release():
    found = import_flask(
        RELEASE / "evaluation_set" / "flask_evaluation.jsonl", outputs=RELEASE / "model_output" / "outputs"
    )
    by_id = {instance.id: instance for instance in found.instances}
    return [(by_id[r.instance], r) for responses in found.responses.values() for r in responses]


@needs_release
def test_released_responses_score_as_in_the_rouge_score_package(release):
    sample = [(i, r) for i, r in release[::29] if i.reference[0].isascii() and r.text.isascii()]
    assert len(sample) > 700
    for instance, response in sample:
        assert rouge_l(response.text, instance.reference) == pytest.approx(peer(response.text, instance.reference[0]))


@needs_release
def test_all_released_responses_are_rated_in_seconds(release):
    begun = time.process_time()
    ratings = [rating for i, r in release for rating in rate(find_metric("rouge_l"), i, r, "metric:rouge_l")]
    seconds = time.process_time() - begun
    assert len(release) == 25_500
    assert len(ratings) == 15 * 5_099
    assert seconds < 10  # 1.1 s on an idle machine
