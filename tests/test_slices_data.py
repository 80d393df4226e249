"""Figures of real data sets, through the commands that a user would type.

The expected figures are those of each set's `expected.json` (published, or computed by plain means there).
"""

from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest
from samples import NO_DATA, SHARED

from flask_eval.analysis.slices import slice_scores
from flask_eval.content import load_slice
from flask_eval.importing.flask import import_flask
from flask_eval.ratings import read_ratings

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=NO_DATA)

TO_THE_DIGIT = 1e-6

LOGICKOR = [
    "--instance",
    "item",
    "--model",
    "model",
    "--rater",
    "=judge",
    "--skill",
    "skill",
    "--scores",
    "score",
    "--response-sample",
    "turn",
]


def expected(name: str) -> dict:
    return json.loads((SHARED / name / "expected.json").read_text())


@pytest.fixture
def made(run, tmp_path):
    """Import a table of ratings, slice it, and give the rows."""

    def rows(source: str, options: list[str], *words: object) -> list[dict]:
        out = tmp_path / "ratings.csv"
        code, _, err = run("import", "ratings", SHARED / source, *options, "--kind", "judge", "-o", out)
        assert code == 0, err
        code, text, err = run("slice", out, *words, "--json", "-")
        assert code == 0, err
        return json.loads(text)["rows"]

    return rows


# ---- just_eval: aspects by difficulty, task type and topic --------------------------------------------------------

ASPECTS = ["--instance", "item", "--model", "model", "--rater", "judge", "--skill", "aspect", "--scores", "score"]


@pytest.fixture
def items(tmp_path):
    """The items' tags as instances: a key that holds several values has `|` between them."""
    lines = []
    with gzip.open(SHARED / "just_eval" / "items.jsonl.gz", "rt", encoding="utf-8") as handle:
        for item in map(json.loads, handle):
            tags = {name: "|".join(item.get(name, ())) for name in ("task_types", "topics")}
            metadata = tags | {"level": item.get("difficulty")}
            lines.append(json.dumps({"id": str(item["item"]), "instruction": "", "metadata": metadata}))
    path = tmp_path / "instances.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("by", "figures"), [("level", "by_difficulty"), ("task_types|", "by_task_type"), ("topics|", "by_topic")]
)
def test_just_eval_by_level_task_type_and_topic(made, items, by: str, figures: str) -> None:
    rows = made("just_eval/multi_aspect.jsonl.gz", ASPECTS, "--instances", items, "--by", f"skill,{by}")
    wanted = {
        (aspect, value): (cell["mean"], cell["n"])
        for aspect, facts in expected("just_eval")["aspects"].items()
        for value, cell in facts[figures].items()
        if cell["n"]
    }
    found = {(row["skill"], row["by"][by.rstrip("|")]): (row["mean"], row["n"]) for row in rows}
    assert found.keys() == wanted.keys()
    for key, (mean, n) in wanted.items():
        assert found[key] == (pytest.approx(mean, abs=TO_THE_DIGIT), n), key


def test_just_eval_helpfulness_falls_from_easy_to_hard_and_the_drop_is_that(run, made, items, tmp_path) -> None:
    words = ["--instances", items, "--slice", "level=hard", "--skill", "helpfulness", "--scale", "1-5"]
    rows = made("just_eval/multi_aspect.jsonl.gz", ASPECTS, *words)
    assert [row["slice"] for row in rows] == ["level=hard", "level=hard"]
    found = json.loads(run("slice", tmp_path / "ratings.csv", *words, "--json", "-")[1])["drops"]
    assert [row["skill"] for row in found] == ["helpfulness", None]
    for row in found:
        assert (row["part"], row["full"]) == pytest.approx((4.224719, 4.60625), abs=TO_THE_DIGIT)
        assert row["difference"] == pytest.approx(4.224719 - 4.60625, abs=2 * TO_THE_DIGIT)
        assert (row["n_part"], row["n_full"]) == (178, 800)
        assert row["high"] < 0


def test_just_eval_missing_scores_are_counted_and_not_averaged(made) -> None:
    rows = {row["skill"]: row for row in made("just_eval/multi_aspect.jsonl.gz", ASPECTS)}
    for aspect, facts in expected("just_eval")["aspects"].items():
        row = rows[aspect]
        assert row["mean"] == pytest.approx(facts["mean"], abs=TO_THE_DIGIT)
        assert (row["n"], row["n_missing"] + row["n_not_applicable"]) == (facts["n"], 800 - facts["n"])


def test_just_eval_safety_of_fifteen_models_where_three_are_constant(made) -> None:
    rows = made("just_eval/safety.jsonl.gz", ASPECTS, "--scale", "1-5", "--by", "skill")
    wanted = expected("just_eval")["safety_mean"]
    assert {row["model"] for row in rows} == wanted.keys()
    for row in rows:
        facts = wanted[row["model"]]
        assert (row["mean"], row["n"]) == (pytest.approx(facts["mean"], abs=TO_THE_DIGIT), facts["n"])
        assert row["low"] < row["high"]
        assert row["interval"] == ("equal" if row["mean"] == 5 else "t")


# ---- logickor: two turns of an item are one cluster ---------------------------------------------------------------


@pytest.mark.parametrize("style", ["default", "1-shot", "cot-1-shot"])
def test_logickor_means_of_65_models(made, style: str) -> None:
    rows = made("logickor/scores.csv.gz", [*LOGICKOR, "--where", f"prompt_style={style}"], "--scale", "0-10")
    facts = expected("logickor")
    wanted = facts["by_style"][style]["mean_score"]
    pooled = {row["model"]: row for row in rows if row["skill"] is None}
    assert {name: row["mean"] for name, row in pooled.items()} == pytest.approx(wanted, abs=TO_THE_DIGIT)
    assert {(row["n"], row["n_ratings"], row["sparse"]) for row in pooled.values()} == {(42, 84, False)}
    if style == "default":
        for skill, means in facts["default_mean_by_skill"].items():
            own = {row["model"]: row for row in rows if row["skill"] == skill.lower()}
            assert {name: row["mean"] for name, row in own.items()} == pytest.approx(means, abs=TO_THE_DIGIT)
            assert {(row["n"], row["n_ratings"], row["sparse"]) for row in own.values()} == {(7, 14, True)}


def test_logickor_intervals_take_the_turns_of_an_item_for_one_observation(made) -> None:
    name = "maywell/TinyWand-kiqu"
    words = ["--scale", "0-10", "--model", name]
    where = ["--where", "prompt_style=default"]
    row = next(row for row in made("logickor/scores.csv.gz", [*LOGICKOR, *where], *words) if row["skill"] is None)
    frame = pd.read_csv(SHARED / "logickor" / "scores.csv.gz")
    own = frame[(frame["model"] == name) & (frame["prompt_style"] == "default")]
    items = own.groupby("item")["score"].mean()
    error = items.std() / len(items) ** 0.5
    assert row["high"] - row["low"] == pytest.approx(2 * 2.019541 * error, rel=1e-5)  # t with 41 degrees of freedom


# ---- wildbench: two judges, two versions of the checklist ---------------------------------------------------------


def test_wildbench_means_and_counts_of_every_file(made) -> None:
    options = ["--instance", "item", "--model", "model", "--rater", "version+judge", "--skill", "=overall"]
    rows = made("wildbench/scores.jsonl.gz", [*options, "--scores", "score"], "--scale", "1-10", "--by", "skill")
    wanted = expected("wildbench")["per_file"]
    found = {row["rater"].replace("/", "|", 1) + "|" + row["model"]: row for row in rows}
    assert found.keys() == wanted.keys()
    for key, facts in wanted.items():
        row = found[key]
        assert (row["mean"], row["n"]) == (pytest.approx(facts["mean"], abs=TO_THE_DIGIT), facts["n"])
        if "published_mean" in facts:
            assert row["mean"] == pytest.approx(facts["published_mean"], abs=TO_THE_DIGIT)


# ---- FLASK: what the evaluation set is made of --------------------------------------------------------------------

LEVELS = ("simple lifestyle", "advanced lifestyle", "formal education", "major level", "expert level")


@pytest.fixture(scope="module")
def release():
    folder = SHARED / "flask" / "evaluation_set"
    return import_flask(folder / "flask_evaluation.jsonl", hard=folder / "flask_hard_evaluation.jsonl")


def tagged(instances):
    """One rating of each skill that an instance asks for, so that counts of rows are counts of tags."""
    rows = [
        {
            "instance": one.id,
            "model": "m",
            "skill": skill,
            "rater": "judge",
            "kind": "judge",
            "score": int(one.id) % 5 + 1.0,
        }
        for one in instances
        for skill in one.annotation.skills
    ]
    return read_ratings(pd.DataFrame(rows), instances=instances, scales={"judge": (1, 5)})


@pytest.fixture(scope="module")
def rated(release):
    return tagged(release.instances)


def counts(table, by: str, **options) -> dict:
    return {row.by.get(by, row.skill): (row.n, row.n_ratings) for row in slice_scores(table, by=[by], **options).rows}


def test_flask_counts_by_skill_domain_and_difficulty(rated) -> None:
    facts = expected("flask")
    by_title = {rated.title(skill): n for skill, (n, _) in counts(rated, "skill").items()}
    assert by_title == {name.replace("Commonsense Understanding", rated.title("commonsense_understanding")): n
                        for name, n in facts["skill_tags"].items()}  # fmt: skip
    levels = {f"{name} knowledge": counts(rated, "difficulty")[k][0] for k, name in enumerate(LEVELS, 1)}
    assert levels == {name: n for name, n in facts["difficulty"].items() if name != "-1"}
    assert counts(rated, "difficulty")[None][0] == facts["difficulty"]["-1"]
    domains = {name: n for name, (n, _) in counts(rated, "domain").items() if name is not None}
    assert domains == {name: n for name, n in facts["domain_tags"].items() if name != "-1"}
    assert len(counts(rated, "source")) == facts["tasks"]


def test_flask_hard_is_a_list_of_ids_within_the_expert_level(rated, release, tmp_path) -> None:
    file = tmp_path / "hard.txt"
    file.write_text("\n".join(release.hard_ids))
    hard, expert = load_slice(str(file)), load_slice("difficulty=5")
    assert counts(rated, "difficulty", slices=[hard]) == {5: (89, 267)}
    found = slice_scores(rated, slices=[hard, expert]).drops
    pooled = {row.slice: (row.n_part, row.n_full) for row in found if row.skill is None}
    assert pooled == {"hard": (89, 1740), "difficulty=5": (186, 1740)}


def test_harmlessness_is_merged_as_in_the_paper_where_levels_are_sparse(release) -> None:
    """The paper, of the first 1,700 instances, shows Harmlessness by 1, 2, 3 and "4 and above", Efficiency by "up to 2"."""
    published = [one for one in release.instances if int(one.id) <= 1700]
    table = tagged(published)
    for skill, least, wanted in (
        ("harmlessness", 10, {1: 53, 2: 38, 3: 13, "4-5": 23}),
        ("logical_efficiency", 11, {"1-2": 21, 3: 72, 4: 63, 5: 18}),
    ):
        rows = slice_scores(table, by=["skill,difficulty"], skills=[skill], merge=least).rows
        assert {row.by["difficulty"]: row.n for row in rows} == wanted
    sparse = slice_scores(table, by=["skill,difficulty"]).rows
    assert [(row.skill, row.by["difficulty"], row.n) for row in sparse if row.sparse] == [
        ("harmlessness", 5, 9),
    ]
