"""A certificate says what was shown, is bound to the judge, and notices when it is changed."""

import copy
import json

import numpy as np
import pytest
from test_trust_panel import long_table

from flask_eval.analysis.trust.alt_test import replaceability
from flask_eval.analysis.trust.certificate import certify, digest_of, read_certificate, status_of
from flask_eval.errors import UserError

DIGESTS = {"card": digest_of({"name": "j"}), "prompt": digest_of("rate {response}"), "rubric": digest_of([1, 2])}


def alt_row(skill, *, replaces, **more):
    rate = {True: 1.0, False: 0.0, None: None}[replaces]
    undefined = {} if rate is not None else {"replaces": "2 people: the test needs 3"}
    return {
        "judge": "j",
        "skill": skill,
        "winning_rate": rate,
        "epsilon": 0.15,
        "replaces": replaces,
        "undefined": undefined,
    } | more


def figures(skill, value, interval):
    return {
        "judge": "j",
        "skill": skill,
        "measures": {"pearson": value},
        "intervals": {"pearson": interval},
        "undefined": {},
    }


ROWS = [alt_row("a", replaces=True), alt_row("b", replaces=False), alt_row("c", replaces=None)]


def made(agreement=(), **more):
    settings = {"created": "2026-01-31", "version": "0.1.0", "seed": 0, "method": "jackknife-t"}
    return certify("j", ROWS, agreement, **(settings | more))


def statuses(certificate):
    return {entry.skill: entry.status for entry in certificate.skills}


def test_without_thresholds_the_replaceability_test_decides():
    assert statuses(made()) == {"a": "certified", "b": "uncertified", "c": "tentative"}
    reasons = {entry.skill: entry.reason for entry in made().skills}
    assert reasons["a"] == "the judge wins over 100% of the people (epsilon 0.15)"
    assert reasons["c"] == "the replaceability test is undefined: 2 people: the test needs 3"


@pytest.mark.parametrize(
    ("value", "interval", "status"),
    [
        (0.7, [0.6, 0.8], "certified"),
        (0.7, [0.5, 0.8], "tentative"),
        (0.7, None, "tentative"),
        (None, None, "tentative"),
        (0.59, [0.5, 0.7], "uncertified"),
        (0.6, [0.6, 0.6], "certified"),
    ],
)
def test_with_a_threshold_the_low_end_of_the_interval_decides(value, interval, status):
    assert statuses(made([figures("b", value, interval)], thresholds={"pearson": 0.6}))["b"] == status


def test_of_several_thresholds_the_worst_counts():
    certificate = made([figures("a", 0.7, [0.65, 0.8])], thresholds={"pearson": 0.6, "winning_rate": 0.5})
    entry = next(entry for entry in certificate.skills if entry.skill == "a")
    assert entry.status == "tentative"
    assert entry.reason == "winning_rate 1.000 reaches 0.5, but has no interval"


def test_a_threshold_on_what_was_not_shown_is_refused():
    with pytest.raises(UserError, match="did you mean 'pearson'"):
        made([figures("a", 0.7, None)], thresholds={"pearsn": 0.5})
    with pytest.raises(UserError, match="no minimum"):
        made([figures("a", 0.7, None)], thresholds={"mean_difference": 0.5})


def test_it_survives_json_and_a_change_is_noticed():
    certificate = made([figures("a", 0.7123456789, [0.6, 0.8])], thresholds={"pearson": 0}, digests=DIGESTS)
    data = json.loads(json.dumps(certificate.to_dict(), allow_nan=False))
    assert read_certificate(data) == certificate
    for path in (("skills", 1, "status"), ("judge",), ("digests", "prompt"), ("thresholds", "pearson"), ("seed",)):
        forged = copy.deepcopy(data)
        place = forged
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = {"status": "certified", "thresholds": 0.1, "pearson": 0.1, "seed": 7}.get(path[-1], "x")
        with pytest.raises(UserError, match="changed after it was written"):
            read_certificate(forged)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"judge": None}, "judge: Input should be a valid string"),
        ({"format": 2}, "format: Input should be 1"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_by_field(change, message):
    with pytest.raises(UserError, match=message):
        read_certificate(made().to_dict() | change)


def test_from_plain_ratings_its_digests_are_null():
    assert made().to_dict()["digests"] == {"card": None, "prompt": None, "rubric": None}


@pytest.mark.parametrize("part", ["card", "prompt", "rubric"])
def test_another_card_prompt_or_rubric_is_not_certified(part):
    certificate = made(digests=DIGESTS)
    assert status_of(certificate, "a", DIGESTS)[0] == "certified"
    status, reason = status_of(certificate, "a", DIGESTS | {part: "0" * 32})
    assert (status, reason) == ("uncertified", f"the certificate is of another {part}")


def test_where_one_side_has_no_digest_the_verdict_is_tentative():
    assert status_of(made(), "a", DIGESTS)[0] == "tentative"
    status, reason = status_of(made(digests=DIGESTS), "a", {"judge": "j"})
    assert status == "tentative"
    assert "cannot be compared" in reason
    assert status_of(made(), "b", DIGESTS)[0] == "uncertified"


def test_without_any_digest_the_name_binds():
    assert status_of(made(), "a", {"judge": "j"})[0] == "certified"
    assert status_of(made(), "a", {"judge": "k"})[0] == "uncertified"
    renamed = DIGESTS | {"judge": "k"}
    assert status_of(made(digests=DIGESTS), "a", renamed)[0] == "certified"


def test_a_skill_is_found_by_slug_or_title_and_an_unknown_one_is_uncertified():
    certificate = certify(
        "j", [alt_row("logical_correctness", replaces=True)], created="2026-01-31", version="0", seed=0, method=""
    )
    assert status_of(certificate, "Logical Correctness", {})[0] == "certified"
    assert status_of(certificate, "insight", {})[1] == "the certificate does not speak of insight"
    assert status_of(certificate, None, {})[1] == "the certificate does not speak of all skills"


def test_the_digest_of_the_same_content_is_the_same():
    assert digest_of({"a": 1, "b": (1, 2)}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_rows_of_the_alternative_annotator_test_go_in_as_they_are():
    rng = np.random.default_rng(0)
    people = rng.integers(1, 6, (40, 3)).astype(float)
    columns = {f"p{k}": people[:, k] for k in range(3)} | {"j": people.mean(axis=1)}
    rows = [row.to_dict() for row in replaceability(long_table(columns, judges=("j",)))]
    certificate = certify("j", rows, created="2026-01-31", version="0.1.0", seed=0, method="alt-test")
    assert statuses(certificate) == {"s": "certified", None: "certified"}
    assert read_certificate(json.loads(json.dumps(certificate.to_dict()))) == certificate
