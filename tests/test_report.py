"""The page: the answer first, honest about what the ratings cannot tell; nothing in it is fetched or run."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_ratings import make_run, rating

from flask_eval.content import load_rubrics
from flask_eval.errors import UserError
from flask_eval.ratings import RatingTable, read_ratings
from flask_eval.reporting import radar, report
from flask_eval.schema import Annotation, Cell, Instance, Slice

SKILLS = [skill.name for skill in load_rubrics("flask").skills]
LIKERT = {"judge": (1.0, 5.0)}


class Page(HTMLParser):
    """A page read by a parser: its elements, its attributes, and its text without style and data."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag in ("style", "script"):
            self._open.append(tag)

    def handle_endtag(self, tag) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data) -> None:
        if not self._open:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def lead(self) -> str:
        """The first answer, in words."""
        found = re.search(r'<p class="lead">(.*?)</p>', self.source, re.DOTALL)
        return unescape(re.sub(r"<[^>]+>", "", found.group(1))) if found else ""


def ratings(scores: dict[str, list[float]], skills: list[str] | None = None, **options) -> RatingTable:
    """Scores of models, one an instance, the same in each skill."""
    rows = [
        {"instance": str(k), "model": m, "skill": s, "rater": "judge", "kind": "judge", "score": float(x)}
        for m, own in scores.items()
        for s in skills or SKILLS
        for k, x in enumerate(own)
    ]
    return read_ratings(pd.DataFrame(rows), **({"scales": LIKERT} | options))


def many(models: int, instances: int = 40, raters: tuple[str, ...] = ("judge",), seed: int = 0) -> RatingTable:
    """Seeded scores that differ between models, instances and skills, some missing."""
    rng = np.random.default_rng(seed)
    rows, made = [], []
    for k in range(instances):
        domains = ("Math", "Coding") if k % 7 == 0 else (("History", "Math")[k % 2],)
        made.append(Instance(id=str(k), instruction="?", annotation=Annotation(domains=domains, difficulty=k % 5 + 1)))
        for m in range(models):
            for place, skill in enumerate(SKILLS):
                if (k + place) % 4:
                    continue
                score = float(np.clip(round(4 - 0.15 * m + rng.normal(0, 0.8)), 1, 5))
                lost = "refused" if rng.random() < 0.03 else "not_applicable" if m == 1 and place == 8 else None
                rows += [
                    {"instance": str(k), "model": f"model-{m}", "skill": skill, "rater": r, "kind": "judge",
                     "score": None if lost else score, "outcome": lost or "scored"}
                    for r in raters
                ]  # fmt: skip
    return read_ratings(pd.DataFrame(rows), instances=made, scales=dict.fromkeys(raters, (1.0, 5.0)))


def page(table: RatingTable, tmp_path: Path, *studies, **options) -> Page:
    return Page(report(table, *studies, path=tmp_path / "report.html", **options))


# ---- the answer ---------------------------------------------------------------------------------------------------


HIGH, MIDDLE, LOW = [5, 4, 5, 3, 5, 5, 4, 5, 5, 3, 5, 4], [4, 4, 5, 3, 5, 5, 4, 5, 4, 4, 5, 4], [1, 2, 1, 1, 2, 1] * 2


def test_a_model_is_called_highest_only_where_it_is_significantly_better_than_every_other(tmp_path: Path) -> None:
    apart = page(ratings({"a": HIGH, "b": LOW}), tmp_path)
    assert re.match(r"a scores highest, 4\.42 \(.*\), and every other model significantly lower\.", apart.lead)
    assert "b follows with 1.33" in apart.lead
    assert "corrected for their number (Holm, 1 test)" in apart.text


def test_models_that_the_tests_do_not_separate_are_called_that_and_none_best(tmp_path: Path) -> None:
    made = page(ratings({"a": HIGH, "b": MIDDLE, "c": LOW}), tmp_path)
    assert made.lead == "Not separated at the top: a and b. The other model has a significantly better one: c."
    assert re.search(
        r"Between the first two of these, a difference of 0\.\d\d would have been found with a power of 80%", made.text
    )
    both = page(ratings({"a": HIGH, "b": MIDDLE}), tmp_path)
    assert both.lead == "Not separated: a and b; no difference between two of them is significant."
    assert "does not test" not in both.text


def test_overlapping_intervals_do_not_hide_a_difference_that_is_the_same_on_every_instance(tmp_path: Path) -> None:
    wide = [1, 2, 3, 4, 3, 2, 1, 4, 3, 2, 4, 1] * 2
    made = page(ratings({"a": [score + 1 for score in wide], "b": [*wide[:-1], 2]}), tmp_path)
    assert made.lead.startswith("a scores highest, 3.50 (3.02\u20133.98)")
    assert "b follows with 2.54 (2.08\u20133.01)" in made.lead


def test_within_a_margin_models_are_called_tied(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    base = rng.integers(2, 5, 200)
    scores = {name: list(np.clip(base + (rng.random(200) < 0.02), 1, 5)) for name in "ab"}
    made = page(ratings(scores, ["x"]), tmp_path, margin=0.2)
    assert re.match(r"Tied within \u00b10\.2: [ab] and [ab]; no difference", made.lead)
    assert "Not separated: " in page(ratings(scores, ["x"]), tmp_path).lead


def test_on_few_instances_no_sentence_is_firm(tmp_path: Path) -> None:
    made = page(ratings({"a": HIGH[:9], "b": LOW[:9]}), tmp_path)
    assert re.match(
        r"a is highest, 4\.56 \(.*\), and every other model significantly lower, but on only 9 instances: ", made.lead
    )
    assert made.lead.endswith("fewer than 10 are too few to be firm.")
    turns = [Instance(id=str(k), instruction="?", cluster=str(k // 2)) for k in range(12)]
    assert page(ratings({"a": HIGH, "b": LOW}, instances=turns), tmp_path).lead.endswith(
        "but on only 12 instances of fewer than 10 clusters: too few to be firm."
    )
    rival = ratings({"a": HIGH * 4, "b": LOW * 4, "c": LOW[:9]})
    assert "but on only 9 instances against c: fewer" in page(rival, tmp_path).lead


def test_a_model_that_was_never_rated_beside_the_highest_keeps_it_from_being_called_best(tmp_path: Path) -> None:
    scored = {"a": ([5, 4] * 10, 0), "b": ([3, 2] * 20, 0), "c": ([1, 2, 1, 1] * 5, 20)}
    rows = [
        {"instance": str(k), "model": m, "skill": "x", "rater": "judge", "kind": "judge", "score": float(score)}
        for m, (own, start) in scored.items()
        for k, score in enumerate(own, start)
    ]
    made = page(read_ratings(pd.DataFrame(rows), scales=LIKERT), tmp_path)
    assert made.lead == "Not separated: a has no significantly better rival, but is not separated from c."


@pytest.mark.parametrize("seed", range(3))
def test_among_identical_models_none_is_called_best(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = page(ratings({f"m{k}": list(rng.integers(1, 6, 60)) for k in range(8)}, ["x", "y"]), tmp_path)
    assert made.lead.startswith("Not separated")


def refusing(scores: dict[str, list[float]], planned: int, skills: tuple[str, ...] = ("x",), **options) -> RatingTable:
    """As many scores as are given, an instance each; the other planned ratings were refused."""
    rows = [
        {"instance": str(k), "model": m, "skill": s, "rater": "judge", "kind": "judge"}
        | ({"score": float(own[k]), "outcome": "scored"} if k < len(own) else {"score": None, "outcome": "refused"})
        for m, own in scores.items()
        for s in skills
        for k in range(planned)
    ]
    return read_ratings(pd.DataFrame(rows), **({"scales": LIKERT} | options))


@pytest.mark.parametrize("scales", [LIKERT, {}])
def test_a_model_that_is_highest_on_a_tenth_of_its_ratings_is_not_called_best(tmp_path: Path, scales: dict) -> None:
    made = page(refusing({"A": [5, 5, 4, 5] * 5, "B": [4, 3, 4, 3] * 50}, 200, scales=scales), tmp_path)
    assert re.fullmatch(
        r"A is highest on what was scored, 4\.75 \(.*\), but only 10% of its ratings have a score; "
        r"if the missing ones were low, it might not be\.",
        made.lead,
    )
    standings = made.source[made.source.index('class="standings"') :]
    assert "<td>20</td><td>10%</td>" in standings
    assert "<td>200</td><td>100%</td>" in standings
    assert "Where coverage is below 95%, the mean is of what was scored alone." in made.text


def test_a_rival_that_was_hardly_scored_keeps_another_model_from_being_called_best(tmp_path: Path) -> None:
    made = page(refusing({"A": [4, 3, 4, 3] * 5, "B": [1, 2]}, 20), tmp_path, confidence=0.5)
    assert made.lead.endswith(
        "but only 10% of B's ratings have a score; if the missing ones were high, it might not be."
    )


def test_a_model_is_called_best_where_missing_ratings_could_not_change_that_or_are_few(tmp_path: Path) -> None:
    bounded = page(refusing({"A": [5, 4] * 45, "B": [1, 2] * 50}, 100), tmp_path)
    assert bounded.lead.startswith("A scores highest, 4.50")
    few = page(refusing({"A": [5, 4] * 48, "B": [4, 4, 4, 5] * 25}, 100, scales={}), tmp_path)
    assert few.lead.startswith("A scores highest, 4.50")


def test_no_model_gains_by_refusing_a_whole_skill(tmp_path: Path) -> None:
    whole = refusing({"A": [5, 4, 5, 4], "B": [3, 2, 3, 2]}, 4).ratings
    other = refusing({"A": [], "B": [5, 4, 5, 4]}, 4, ("y",)).ratings
    made = page(read_ratings(pd.concat([whole, other]), scales=LIKERT), tmp_path, confidence=0.8)
    assert "A is highest on what was scored, 4.50" in made.lead
    assert "only 50% of its ratings have a score" in made.lead


def test_without_intervals_no_model_is_called_highest(tmp_path: Path) -> None:
    made = page(ratings({"a": [5, 4], "b": [2, 1]}), tmp_path, resamples=0)
    assert "nothing tells whether the models differ" in made.lead
    assert "highest," not in made.lead


def test_a_single_model_is_compared_with_nothing(tmp_path: Path) -> None:
    assert page(ratings({"a": [5, 4, 3]}), tmp_path).lead.endswith("there is no other model to compare it with.")


def rows_of(made: Page, heading: str) -> list[tuple[str, list[str]]]:
    """The rows of the table below a heading: head and cells as text."""
    body = re.search(rf"<h3>{heading}</h3>.*?</table>", made.source, re.DOTALL).group(0)
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', body)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", rest) for _, rest in found]
    return [
        (head, [re.sub(r"<[^>]+>", " ", cell) for cell in own]) for (head, _), own in zip(found, cells, strict=True)
    ]


def test_the_ranked_list_shows_the_ranks_that_the_tests_leave_open_and_how_likely_a_model_is_the_best(tmp_path) -> None:
    made = page(ratings({"a": HIGH, "b": MIDDLE, "c": LOW}), tmp_path)
    standings = re.findall(r"</svg></td><td>(.*?)</td><td>(.*?)</td>", made.source)
    assert [ranks for ranks, _ in standings] == ["1\u20132", "1\u20132", "3"]
    chances = [unescape(chance) for _, chance in standings]
    assert chances[2] == "<1%"
    assert 99 <= sum(int(chance.rstrip("%")) for chance in chances[:2]) <= 101


def test_which_differences_are_real_is_told_by_skill_and_by_pair_as_the_record_has_it(tmp_path: Path) -> None:
    made = page(many(4, 120), tmp_path, data=tmp_path / "r.json")
    record = json.loads((tmp_path / "r.json").read_text())["comparison"]
    overall = [row for row in record["pairs"] if row["skill"] is None]
    skills = rows_of(made, "Which differences are real")
    assert skills[0][0] == "All skills, each with the same weight"
    separated = sum(row["q"] <= 0.05 for row in overall)
    assert skills[0][1][1] == f"{separated} of {len(overall)}"
    assert len(skills) == 1 + 12
    listed = rows_of(made, "Model against model")
    assert [head for head, _ in listed] == [row["b"] for row in overall]
    for (_, cells), row in zip(listed, overall, strict=True):
        assert cells[0].split()[0].replace("\u2212", "-").lstrip("+") == f"{row['difference']:.2f}"
        assert cells[2] == f"{row['wins']}/{row['ties']}/{row['losses']}"


def test_of_many_models_only_neighbours_in_rank_are_listed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = {f"m{k:02}": list(rng.integers(1, 4, 30) + (k > 8)) for k in range(16)}
    listed = rows_of(page(ratings(scores, ["x"]), tmp_path), "Model against model")
    assert len(listed) == 15
    assert [cells[0] for _, cells in listed[1:]] == [head for head, _ in listed[:-1]]


def test_the_tests_between_fifteen_models_take_little_room(tmp_path: Path) -> None:
    source = page(many(15), tmp_path).source
    start, end = source.index("<h3>Which differences are real</h3>"), source.index("<h3>Where scores are missing</h3>")
    assert "Model against model" in source[start:end]
    assert end - start <= 16_000


def test_without_a_test_there_is_no_table_of_differences(tmp_path: Path) -> None:
    for made in (page(ratings({"a": HIGH}), tmp_path), page(ratings({"a": HIGH, "b": LOW}), tmp_path, resamples=0)):
        assert "Which differences are real" not in made.text


def test_a_metric_is_called_a_baseline(tmp_path: Path) -> None:
    rows = [
        {
            "instance": str(k),
            "model": m,
            "skill": "x",
            "rater": "metric:rouge_l",
            "kind": "metric",
            "score": s + k / 100,
        }
        for k in range(12)
        for m, s in (("a", 0.8), ("b", 0.1))
    ]
    made = page(read_ratings(pd.DataFrame(rows), scales={"metric:rouge_l": (0.0, 1.0)}), tmp_path)
    assert made.lead.startswith("a is highest on this baseline, 0.86")
    assert "A metric is a baseline, no judge of quality." in made.text
    assert "on the scale 0\u20131" in made.text


def test_labels_and_empty_tables_make_an_honest_page(tmp_path: Path) -> None:
    rows = [{"instance": k, "model": "m", "skill": "x", "rater": "ann", "score": "good"} for k in "123"]
    made = page(read_ratings(pd.DataFrame(rows)), tmp_path)
    assert "There is no mean over skills to show." in made.lead
    left = [Cell("1", "m", 0, "judge", 0, ("factuality",))]
    empty = read_ratings(make_run(tmp_path / "run", left=left, instances=[Instance(id="1", instruction="?")]))
    made = page(empty, tmp_path)
    assert "0% of the planned ratings that apply have a score" in made.text
    assert "There is no mean over skills to show." in made.lead


def test_skills_that_only_some_models_have_are_left_out_of_the_answer_and_that_is_said(tmp_path: Path) -> None:
    made = page(many(3), tmp_path)
    assert (
        "Each mean gives the same weight to 11 skills. 1 skill that only some models have a score for is left out."
        in made.text
    )


# ---- coverage comes first, facts last -----------------------------------------------------------------------------


def test_coverage_and_outcomes_stand_before_any_score_by_skill(tmp_path: Path) -> None:
    left = Cell("3", "m", 0, "judge", 0, ("factuality",))
    instances = [Instance(id=i, instruction="?") for i in "1234"]
    run = make_run(
        tmp_path / "run",
        [rating("1", 4), rating("2", None)],
        left=[left],
        instances=instances,
        without={"m": 1},
        manifest={
            "created": "2026-11-25T10:00:00+00:00",
            "rubrics": {"name": "flask", "version": "1", "digest": "abcdef"},
        },
    )
    made = page(read_ratings(run), tmp_path)
    order = [made.source.index(f'id="{name}"') for name in ("answer", "coverage", "rater-1", "facts")]
    assert order == sorted(order)
    row = re.search(r"<tr><th scope=\"row\">m</th>(.*?)</tr>", made.source[order[1] :]).group(1)
    assert re.findall(r"<td[^>]*>(.*?)</td>", row) == ["3", "1", "0", "1", "1", "33.3%", "1"]
    facts = made.source[order[3] :]
    for said in ("2026-11-25T10:00:00+00:00", "flask, version 1, digest abcdef", "gpt-5-mini, called through openai"):
        assert said in facts


def test_a_replayed_file_is_named_without_the_folders_of_whoever_ran_it(tmp_path: Path) -> None:
    from flask_eval.reporting.facts import facts

    table = ratings({"a": [1, 2]})
    card = {
        "adapter": "replay",
        "model": "/home/someone/secret/judge.jsonl",
        "settings": {"temperature": 0, "key": "s3cret"},
    }
    run = {"run": "r", "raters": {"judge": {"kind": "judge", "card": card}}}
    made = dict(facts(RatingTable(table.ratings, table.instances, table.left, runs=(run,)))[0][1])
    assert made["Completions replayed from"].text == "judge.jsonl"
    assert made["Settings"].text == "temperature 0"


def test_a_run_that_says_nothing_about_itself_is_no_fault(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [rating("1", 4)], rubrics=None)
    (run / "manifest.json").write_text("[broken")
    assert "Run: run" in page(read_ratings(run), tmp_path).text


# ---- radars and tables --------------------------------------------------------------------------------------------


def test_every_model_has_one_radar_with_a_name_and_a_description(tmp_path: Path) -> None:
    made = page(many(3), tmp_path)
    drawn = [attrs for attrs in made.all("svg") if attrs.get("class") == "radar"]
    assert len(drawn) == 3
    assert all(attrs["role"] == "img" for attrs in drawn)
    ids = {attrs["id"] for _, attrs in made.elements if "id" in attrs}
    assert all(part in ids for attrs in drawn for part in attrs["aria-labelledby"].split())
    assert "11 of 12 skills have a score" in made.text


def test_an_axis_without_a_score_has_no_point_and_breaks_the_outline() -> None:
    frame = radar.frame(SKILLS[:6], [0] * 6, 1, 5)
    none = [None] * 6
    full = radar.shape(frame, [3.0] * 6, none, [False] * 6)
    gap = radar.shape(frame, [3.0, None, 3.0, 3.0, 3.0, 3.0], none, [False] * 6)
    assert (len(full.points), full.outline.count("L"), full.outline[-1]) == (6, 5, "Z")
    assert (len(gap.points), gap.outline.count("M"), gap.outline.count("L")) == (5, 1, 4)
    assert "Z" not in gap.outline
    lone = radar.shape(frame, [3.0, None, 3.0, None, 3.0, None], none, [False] * 6)
    assert (lone.outline, len(lone.points)) == ("", 3)


def test_the_band_spans_the_interval_and_is_missing_where_it_is() -> None:
    frame = radar.frame(SKILLS[:4], [0] * 4, 1, 5)
    drawn = radar.shape(frame, [3.0] * 4, [(1.0, 5.0), None, (2.0, 4.0), (2.0, 4.0)], [False] * 4)
    assert drawn.band.count("M") == 1
    assert drawn.band.count("L") == 5
    assert "210 70" in drawn.band  # the rim, right above the centre (210, 186) at a radius of 116
    assert "210 171" in drawn.band  # the hub's ring


def test_axes_stay_in_the_order_of_the_rubrics_and_the_scale_is_said(tmp_path: Path) -> None:
    made = page(many(2), tmp_path)
    titles = re.findall(r'<tr><th scope="row">([^<]+)</th>', made.source.split('id="rater-1"')[1])[:12]
    assert titles == [skill.title for skill in load_rubrics("flask").skills]
    assert "Each axis goes from 1 (hub) to 5 (rim), the ends of the scale." in made.text


def test_where_the_scale_is_unknown_the_page_says_what_the_rim_is(tmp_path: Path) -> None:
    made = page(ratings({"a": [2, 4, 3]}, scales={}), tmp_path)
    assert "from 2 (hub) to 4 (rim); scores occur from 2 to 4; the scale is not known (tell it by --scale)" in made.text


def test_without_a_scale_the_answer_says_which_scores_occur_and_calls_them_no_scale(tmp_path: Path) -> None:
    made = page(ratings({"a": [4, 5, 4, 5]}, scales={}), tmp_path)
    assert "scores occur from 4 to 5; the scale is not known (tell it by --scale)" in made.text
    assert "on the scale 4" not in made.text
    assert "on the scale 1\u20135" in page(ratings({"a": [4, 5, 4, 5]}), tmp_path).text
    assert "every score is 4; the scale is not known" in page(ratings({"a": [4, 4]}, scales={}), tmp_path).text


def test_intervals_of_few_scores_that_crowd_at_the_end_of_the_scale_are_called_too_narrow(tmp_path: Path) -> None:
    crowded = page(ratings({"a": [5] * 46 + [4] * 4, "b": [3, 2] * 25}), tmp_path)
    assert "Intervals are too narrow where more than 85% of the scores are at one end of the scale" in crowded.text
    assert "Interval with *: too narrow" in crowded.text
    assert crowded.source.count("* \u00b7 n ") == len(SKILLS)
    assert "t intervals are too narrow there" in crowded.source[crowded.source.index('id="facts"') :]
    assert "too narrow" not in page(ratings({"a": [3, 2] * 25}), tmp_path).text


def test_means_that_rest_on_fewer_ratings_than_planned_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    made = page(many(3), tmp_path, data=tmp_path / "r.json")
    rows = [row for row in json.loads((tmp_path / "r.json").read_text())["scores"]["rows"] if row["skill"]]
    less = [row for row in rows if row["n_missing"] or row["n_not_applicable"]]
    listed = rows_of(made, "Where scores are missing")
    assert len(listed) == len(less) < len(rows)
    assert f"The other {len(rows) - len(less)} means rest on every planned rating." in made.text
    assert sum(int(cells[4]) for _, cells in listed) == sum(row["n_missing"] for row in rows)
    assert "Where scores are missing" not in page(ratings({"a": [3, 2, 4]}), tmp_path).text


@pytest.mark.parametrize(
    ("count", "words"), [(2, "With 2 skills a radar would show nothing"), (24, "labels of a radar would collide")]
)
def test_too_few_or_too_many_skills_make_tables_alone(tmp_path: Path, count: int, words: str) -> None:
    made = page(ratings({"a": [2, 4, 3]}, [f"skill_{k}" for k in range(count)]), tmp_path)
    assert words in made.text
    assert not [attrs for attrs in made.all("svg") if attrs.get("class") == "radar"]


def test_means_of_few_instances_are_set_apart(tmp_path: Path) -> None:
    few = page(ratings({"a": [2, 4, 3]}), tmp_path)
    assert 'class="f"' in few.source
    assert 'href="#h0"' in few.source
    enough = page(ratings({"a": [2, 4, 3] * 4}), tmp_path)
    assert 'class="f"' not in enough.source
    assert 'href="#h0"' not in enough.source


def test_slices_by_domain_and_difficulty_tell_of_instances_with_several_domains(tmp_path: Path) -> None:
    made = page(many(2), tmp_path)
    assert "6 instances have several domains; they count with weight 1 in each." in made.text
    assert [c["aria-label"] for c in made.all("div") if c.get("aria-label", "").startswith("Mean by")] == [
        "Mean by skill and model", "Mean by domain", "Mean by difficulty",
    ]  # fmt: skip


def test_a_slice_stands_beside_the_full_set_with_its_drop(tmp_path: Path) -> None:
    table = ratings({"a": [5, 5, 4, 5, 2, 1, 2, 1]})
    made = page(table, tmp_path, slices=[Slice(name="hard", ids=("4", "5", "6", "7"))])
    part = made.source[made.source.index(">Slice hard</h3>") :]
    assert re.findall(r"<td[^>]*>(.*?)<small>", part)[:3] == ["3.12", "1.50", "\u22121.62"]
    with pytest.raises(UserError, match="slice 'hard' holds none"):
        page(table, tmp_path, slices=[Slice(name="hard", ids=("nowhere",))])


def test_any_result_with_a_table_can_stand_in_the_page(tmp_path: Path) -> None:
    class Study:
        title = "Agreement"
        notes = ("One note.",)

        def to_frame(self) -> pd.DataFrame:
            return pd.DataFrame(
                {"skill": ["x", None], "alpha": [0.71234, float("nan")], "by": [{"domain": "Math"}, {}]}
            )

    made = page(ratings({"a": [1, 2, 3]}), tmp_path, Study())
    assert "Agreement" in made.text
    assert "0.712" in made.text
    assert "domain=Math" in made.text
    assert "One note." in made.text
    assert "nan" not in made.text.lower().split()


def test_numbers_on_the_page_are_those_of_the_file_beside_it(tmp_path: Path) -> None:
    made = page(many(3), tmp_path, data=tmp_path / "report.json", slices=[Slice(name="hard", where={"difficulty": 5})])
    record = json.loads((tmp_path / "report.json").read_text())
    assert set(record) == {
        "title",
        "coverage",
        "macro",
        "scores",
        "by",
        "slices",
        "comparison",
        "crosses",
        "lengths",
        "selection",
    }
    embedded = json.loads(re.search(r'id="scores">(.*?)</script>', made.source, re.DOTALL).group(1))
    first = dict(zip(embedded["columns"], embedded["rows"][0], strict=True))
    row = record["scores"]["rows"][0]
    assert embedded["names"]["skill"][first["skill"]] == row["skill"]
    assert first["mean"] == pytest.approx(row["mean"], abs=1e-4)
    assert f">{row['mean']:.2f}<" in made.source
    assert record["slices"][0]["drops"][0]["difference"] < 1


# ---- one file, and no surprises -----------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><b>bold</b>",
    "</script><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "safe\u202egnp.exe\u2066\u200b",
    "nul\x00bell\x07line\nbreak",
    "half \ud83d a pair",
    "\u05d0\u05d1\u05d2 \u0627\u0644\u0639",
    "x" * 5000,
    "z\u0351\u0352\u0353" * 40,
]  # fmt: skip


def hostile() -> RatingTable:
    rows = [
        {"instance": str(k), "model": name, "skill": s, "rater": "<i>judge</i>", "kind": "judge", "score": float(2 + (k + m) % 3),
         "rationale": "<script>alert(2)</script>"}
        for m, name in enumerate(HOSTILE)
        for s in SKILLS[:4]
        for k in range(4)
    ]  # fmt: skip
    made = [
        Instance(
            id=str(k),
            instruction="<script>",
            annotation=Annotation(domains=("<img src=x>", "\u202eMath")),
            source="'\"",
        )
        for k in range(4)
    ]
    frame = pd.DataFrame({c: pd.Series([row[c] for row in rows], dtype=object) for c in rows[0]})
    return read_ratings(frame, instances=made, scales={"<i>judge</i>": (1.0, 5.0)})


def own_scripts(made: Page) -> list[str]:
    """The texts of the scripts that run; every other one is data."""
    return re.findall(r"<script>(.*?)</script>", made.source, re.DOTALL)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    made = page(
        hostile(),
        tmp_path,
        title="<script>alert('t')</script>",
        banner="<b>banner</b>\x00",
        slices=[Slice(name="<i>s</i>", ids=("1", "2"))],
    )
    own = own_scripts(made)
    assert [attrs.get("type") for attrs in made.all("script")].count("application/json") == len(
        made.all("script")
    ) - len(own)
    assert not made.all("img")
    assert not made.all("b")
    assert not made.all("i")
    assert not [name for _, attrs in made.elements for name in attrs if name.startswith("on")]
    assert "alert(2)" not in made.source
    assert "49" not in [word.strip() for word in made.words]
    assert (
        json.loads(re.search(r'id="scores">(.*?)</script>', made.source, re.DOTALL).group(1))["names"]["model"][0]
        == HOSTILE[0]
    )


def test_hidden_characters_are_shown_and_very_long_names_cut(tmp_path: Path) -> None:
    made = page(hostile(), tmp_path)
    assert "safe\u27e8U+202E\u27e9gnp.exe\u27e8U+2066\u27e9\u27e8U+200B\u27e9" in made.text
    assert "nul\u27e8U+0000\u27e9bell\u27e8U+0007\u27e9line\u27e8U+000A\u27e9break" in made.source
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", made.source)
    assert "x" * 301 not in made.source.split("<script")[0]
    assert "x" * 39 + "\u2026" in made.text


def test_the_page_fetches_nothing_and_says_so_to_the_browser(tmp_path: Path) -> None:
    made = page(many(2), tmp_path)
    policy = next(a["content"] for a in made.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    sources = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in own_scripts(made))
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {sources}"
    links = [attrs[k] for _, attrs in made.elements for k in ("href", "src", "xlink:href", "action") if k in attrs]
    assert links
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert not re.search(r"https?://|url\(|@import", made.source)


def test_every_link_and_reference_within_the_page_leads_somewhere_and_ids_are_unique(tmp_path: Path) -> None:
    made = page(many(3, raters=("judge", "other")), tmp_path)
    ids = [attrs["id"] for _, attrs in made.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in made.elements:
        for target in [attrs.get("href", "")[1:], *attrs.get("aria-labelledby", "").split()]:
            assert not target or target in ids or attrs.get("href") == "data:,"


def test_every_table_has_a_caption_and_heads_with_a_scope(tmp_path: Path) -> None:
    made = page(many(2), tmp_path, slices=[Slice(name="hard", where={"difficulty": 5})])
    assert len(made.all("caption")) == len(made.all("table")) >= 7
    assert all(attrs.get("scope") in ("col", "row", "rowgroup") for attrs in made.all("th"))
    assert all(
        c.get("tabindex") == "0" and c["aria-label"] for c in made.all("div") if c.get("class", "").startswith("box")
    )


def test_sample_names_raise_a_banner_unless_the_given_one_says_so(tmp_path: Path) -> None:
    table = ratings({"Sample-a": [1, 2]})
    assert "they illustrate, they are no result" in page(table, tmp_path).text
    assert page(table, tmp_path, banner="Internal.").source.count('class="banner"') == 2
    assert page(table, tmp_path, banner="All of it is simulated.").source.count('class="banner"') == 1
    assert "banner" not in page(ratings({"a": [1, 2]}), tmp_path).source.split("</style>")[1]


def test_the_same_ratings_make_the_same_bytes(tmp_path: Path) -> None:
    assert page(many(2), tmp_path).source == page(many(2), tmp_path).source


def test_fifteen_models_and_twelve_skills_stay_below_200_kilobytes(tmp_path: Path) -> None:
    made = page(many(15, 60), tmp_path, slices=[Slice(name="hard", where={"difficulty": 5})])
    assert len([a for a in made.all("svg") if a.get("class") == "radar"]) == 15
    assert len(made.source.encode()) < 200_000


def test_raters_stand_by_themselves(tmp_path: Path) -> None:
    made = page(many(2, raters=("judge", "other")), tmp_path)
    assert made.source.count('<article class="answer') == 2
    assert "other, skill by skill" in made.text.replace("  ", " ").replace(" ,", ",")
