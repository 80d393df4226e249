"""An agreement study shown: verdict first, the study's own numbers, a reason for each gap, nothing hostile gets through."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from test_report import Page, many
from test_report_browser import Visit, _contrast, browser  # noqa: F401 (a fixture)

from flask_eval.analysis.agreeing import AgreementStudy, agree
from flask_eval.analysis.certifying import certificate_of
from flask_eval.cli import _run
from flask_eval.judging import plan, score
from flask_eval.ratings import RatingTable, read_ratings
from flask_eval.reporting import report
from flask_eval.reporting.study_text import markdown, methods, screen

DEMO = Path(__file__).resolve().parents[1] / "annotations" / "demo"
NO_ACTIVE = ("<script>", "<img", "onerror=", "javascript:", "\u202e")
HOSTILE = '<script>alert(1)</script>"onerror=x|`*\u202e\n'


class Made(NamedTuple):
    """The demo, judged, with its study."""

    folder: Path
    table: RatingTable
    study: AgreementStudy


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("demo")
    for judge, run in ((f"replay:{DEMO / 'sample-judge.jsonl'}", "run"), ("metric:rouge_l", "baseline")):
        score(plan(DEMO / "instances.jsonl", DEMO / "responses", judge=judge), out=folder / run)
    shutil.copy(DEMO / "ratings.csv", folder / "people.csv")
    table = read_ratings(folder / "run", folder / "baseline", folder / "people.csv")
    return Made(folder, table, agree(table))


@pytest.fixture(scope="module")
def shown(demo) -> Page:
    return Page(report(demo.table, demo.study, path=demo.folder / "study.html"))


def held(
    raters: dict[str, str],
    *,
    instances: int = 12,
    labels: bool = False,
    equal: bool = False,
    skills=("clarity", "depth"),
) -> RatingTable:
    """Seeded ratings of two models by these raters (name: kind)."""
    rng = np.random.default_rng(3)
    rows = []
    for k in range(instances):
        for model in ("alpha", "beta"):
            for skill in skills:
                truth = int(rng.integers(2, 5))
                for rater, kind in raters.items():
                    value = 3 if equal else truth + int(rng.integers(-1, 2))
                    rows.append(
                        {"instance": str(k), "model": model, "skill": skill, "rater": rater, "kind": kind,
                         "score": f"label {value}" if labels else float(value)}
                    )  # fmt: skip
    return read_ratings(pd.DataFrame(rows))


def text_of(table: RatingTable, tmp_path: Path, study: AgreementStudy | None = None, **options) -> Page:
    return Page(report(table, study or agree(table), path=tmp_path / "page.html", **options))


def lead(page: Page) -> str:
    """The first sentence of the study's section."""
    found = re.search(r'<div class="verdict[^>]*>\s*<p class="lead">(.*?)</p>', page.source, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found.group(1)) if found else ""


# ---- the page -----------------------------------------------------------------------------------------------------


def test_the_study_stands_before_the_raters_with_its_verdict_first(shown) -> None:
    assert shown.source.index('id="agreement"') < shown.source.index('id="rater-1"')
    assert lead(shown).startswith(
        "sample-judge may stand in for a person over all skills together: it holds up against 3 of"
    )
    assert "is a baseline and was not tested as a stand-in" in shown.text
    assert "The 3 people agree in part" in shown.text


def test_the_numbers_of_the_page_are_those_of_the_study(demo, shown) -> None:
    found = [
        r
        for r in demo.study.judge_vs_human
        if (r.judge, r.human, r.level, r.adjusted) == ("sample-judge", "mean", "item", None)
    ]
    assert len(found) == 13
    for row in found:
        value, (low, high) = row.measures["spearman"], row.intervals["spearman"]
        cell = f"<td[^>]*>{value:.2f}<small>(\u2212?{abs(low):.2f})(\u2013| to ){high:.2f}</small>"
        assert re.search(cell, shown.source), row.skill
    alpha = next(r for r in demo.study.inter_rater if (r.kind, r.skill) == ("human", None)).measures["alpha_ordinal"]
    assert f"alpha {alpha:.2f} (" in shown.text


def test_people_are_in_the_study_and_not_in_sections_of_their_own(shown) -> None:
    assert "ratings are used in the agreement study below" in shown.text
    assert "simulated-rater-1, skill by skill" not in shown.text.replace(" ,", ",")
    assert "sample-judge , skill by skill" in shown.text


def test_people_in_the_study_do_not_weigh_on_the_correction_of_the_judges(demo, tmp_path) -> None:
    """Their ratings have no section, so their comparisons are no tests of this page."""
    report(demo.table, demo.study, path=tmp_path / "s.html", data=tmp_path / "s.json")
    found = json.loads((tmp_path / "s.json").read_text())["comparison"]
    kinds = demo.table.raters
    assert {kinds[row["rater"]] for row in found["pairs"]} == {"judge", "metric"}
    overall = [row for row in found["pairs"] if row["skill"] is None and row["p"] is not None]
    assert found["families"]["overall"] == len(overall)


def test_an_undefined_figure_is_a_dash_with_its_reason_below(shown) -> None:
    assert "<small>a</small>" in shown.source
    assert re.search(r"<b>a</b> 0 of 3 people have 30 instances .*the test needs 3", shown.source)
    assert "no unit was rated more than once" in shown.text


def test_heat_maps_count_every_pair_of_the_confusion(demo, shown) -> None:
    rows = [r for r in demo.study.confusion if (r.judge, r.human) == ("sample-judge", "each")]
    maps = re.findall(r'<figure class="heat">.*?</figure>', shown.source, re.DOTALL)
    assert len(maps) == len(rows) == 13
    totals = sorted(sum(int(n) for n in re.findall(r'<td class="h\d[^"]*">(\d+)</td>', one)) for one in maps)
    assert totals == sorted(row.n for row in rows)


def test_each_measure_says_what_it_means_and_what_it_cannot_say(shown) -> None:
    for words in (
        "The share of pairs of responses put in the same order",
        "A judge that is a point too generous everywhere still reaches 1",
        "Raters may agree and all be wrong",
        "Yes does not say that judge or people are right",
        "A smaller difference may be there and be missed",
    ):
        assert words in shown.text


def test_the_page_stays_small_fetches_nothing_and_holds_no_nan(shown) -> None:
    assert len(shown.source.encode()) < 220_000  # a study besides what a page of ratings holds
    assert not re.search(r"\b(nan|NaN|None|inf)\b", shown.text)
    assert not re.search(r"https?://|url\(|@import", shown.source)
    ids = [attrs["id"] for _, attrs in shown.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(shown.all("caption")) == len(shown.all("table"))


def test_simulated_raters_are_named_in_a_banner_unless_the_given_one_does(demo, shown, tmp_path: Path) -> None:
    assert "begin with simulated- are no people" in shown.text
    told = text_of(demo.table, tmp_path, demo.study, banner="Sample data with simulated raters.")
    assert told.source.count('class="banner"') == 1


def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    table = held({HOSTILE: "judge", f"p{HOSTILE}": "human", "q": "human"}, skills=(f"s{HOSTILE}", "clarity"))
    study = replace(agree(table), notes=(f"note {HOSTILE}",))
    made = text_of(table, tmp_path, study)
    body = made.source.split("<body>")[1].split('<script type="application/json"')[0]
    assert not any(sign in body.replace("&#34;onerror=x", "") for sign in NO_ACTIVE)
    assert not made.all("img")
    for text in (screen(study, table), markdown(study, table), methods(study, table)):
        assert "\u202e" not in text
        assert "onerror=x|`*\n" not in text
    tables = [line for line in markdown(study, table).splitlines() if line.startswith("|")]
    assert not any("<script" in line for line in tables)


@pytest.mark.parametrize(
    ("raters", "options", "words"),
    [
        ({"j": "judge"}, {}, "no person rated"),
        ({"j": "judge", "p": "human"}, {}, "Only one person rated"),
        ({"p": "human", "q": "human"}, {}, "The 2 people agree"),
        ({"j": "judge", "p": "human", "q": "human", "r": "human"}, {"labels": True}, "Krippendorff's alpha"),
        ({"j": "judge", "p": "human", "q": "human", "r": "human"}, {"equal": True}, "cannot be told"),
        ({"metric:m": "metric", "p": "human", "q": "human", "r": "human"}, {}, "is a baseline"),
        ({"j": "judge", "x#1": "human", "x#2": "human", "x#3": "human"}, {}, "cannot be told"),
    ],
    ids=["no people", "one person", "only people", "labels", "all equal", "metric only", "places in a list"],
)
def test_whatever_is_missing_is_told_and_nothing_breaks(raters, options, words, tmp_path: Path) -> None:
    table = held(raters, **options)
    study = agree(table)
    texts = [text_of(table, tmp_path, study).text, screen(study, table).replace("\n  ", " "), markdown(study, table)]
    for text in texts:
        assert words in text.replace("\\", "")
        assert not re.search(r"\bnan\b|\bNone\b", text)


def test_labels_are_compared_by_kappa_and_heat_maps_have_their_names(tmp_path: Path) -> None:
    table = held({"j": "judge", "p": "human", "q": "human", "r": "human"}, labels=True)
    made = text_of(table, tmp_path)
    assert "Kappa beside the human ceiling" in made.text
    assert "label 3" in made.text
    assert "Quadratic kappa" not in made.text


def test_without_intervals_no_interval_is_shown(demo, tmp_path: Path) -> None:
    study = agree(demo.table, resamples=0)
    made = text_of(demo.table, tmp_path, study, resamples=0)
    assert "No intervals were computed." in made.text
    assert " to " not in re.findall(r"alpha (.*?),", screen(study, demo.table))[0]


def test_several_judges_are_compared_first_and_have_a_block_each(tmp_path: Path) -> None:
    table = held({"one": "judge", "two": "judge", "p": "human", "q": "human", "r": "human"}, instances=40)
    study = agree(table)
    made = text_of(table, tmp_path, study)
    assert made.source.count('<article class="judge"') == 2
    assert made.source.index("Raters side by side") < made.source.index('<article class="judge"')
    assert screen(study, table).count("against people, skill by skill:") == 2


def test_slices_of_a_study_stand_in_one_table(demo, tmp_path: Path) -> None:
    study = agree(demo.table, by=[["difficulty"]])
    assert "By slice" in text_of(demo.table, tmp_path, study).text
    assert "By slice (5):" in screen(study, demo.table)
    assert markdown(study, demo.table).count("\n## `difficulty=") == 5


# ---- the certificate ----------------------------------------------------------------------------------------------


def certified(demo: Made, **thresholds: float):
    study = agree(demo.table.only(raters=[r for r in demo.table.raters if r != "metric:rouge_l"]))
    return certificate_of(study, demo.table, thresholds=thresholds, created="2026-01-02", version="9")


def test_each_skill_is_marked_in_words_and_signs_with_the_reason(demo, tmp_path: Path) -> None:
    certificate = certified(demo, spearman=0.7)
    counts = {
        s: sum(e.status == s for e in certificate.skills if e.skill) for s in ("certified", "tentative", "uncertified")
    }
    made = text_of(demo.table, tmp_path, demo.study, certificate=certificate)
    for status, sign in (("certified", "\u25cf"), ("tentative", "\u25d0"), ("uncertified", "\u25cb")):
        assert made.source.count(f">{sign} {status}</td>") == 2 * counts[status]
    assert sum(counts.values()) == 12
    assert "Thresholds: spearman at least 0.7" in made.text
    assert re.search(r"spearman 0\.\d+ reaches 0\.7, but its interval starts at", made.text)
    assert "ranking only" not in made.text


def test_without_thresholds_the_test_is_named_as_the_threshold(demo, tmp_path: Path) -> None:
    made = Page(report(demo.table, path=tmp_path / "p.html", certificate=certified(demo)))
    assert "Threshold: the alternative annotator test" in made.text
    assert made.source.count("\u25d0 tentative</td>") == 12


def test_a_certificate_of_another_judge_certifies_nothing(demo, tmp_path: Path) -> None:
    made = Page(report(many(2), path=tmp_path / "p.html", certificate=certified(demo, spearman=0.1)))
    assert made.source.count("\u25cb uncertified</td>") == 12
    assert "is of the judge 'sample-judge', not of 'judge'" in made.text


# ---- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def run(capsys):
    """Run a command in this process: exit code, and what it said on standard error."""

    def command(*words: object) -> tuple[int, str]:
        code = _run([str(word) for word in words])
        return code, capsys.readouterr().err

    return command


def test_report_studies_people_and_judges_on_its_own(demo, run) -> None:
    sources = [demo.folder / "run", demo.folder / "people.csv"]
    page, data = demo.folder / "cli.html", demo.folder / "cli.json"
    assert run("report", *sources, "-o", page, "--json", data)[0] == 0
    assert 'id="agreement"' in page.read_text(encoding="utf-8")
    assert json.loads(data.read_text())["agreement"][0]["n_people"] == 3
    assert run("report", *sources, "-o", page, "--no-study")[0] == 0
    assert 'id="agreement"' not in page.read_text(encoding="utf-8")
    assert run("report", demo.folder / "run", "-o", page)[0] == 0
    assert 'id="agreement"' not in page.read_text(encoding="utf-8")


def test_report_reads_a_certificate_and_refuses_a_changed_one(demo, run) -> None:
    file, page = demo.folder / "c.json", demo.folder / "c.html"
    made = certified(demo, spearman=0.7).to_dict()
    file.write_text(json.dumps(made))
    assert run("report", demo.folder / "run", "-o", page, "--certificate", file)[0] == 0
    assert "\u25cf certified" in page.read_text(encoding="utf-8")
    for content, words in (
        (json.dumps(made | {"seed": 5}), "changed after it was written"),
        ("{", "JSON"),
        ("[]", "is no certificate"),
    ):
        file.write_text(content)
        code, output = run("report", demo.folder / "run", "-o", page, "--certificate", file)
        assert code == 2
        assert words in output
    file.write_bytes(b"\xff\xfe")
    for name in (file, "nowhere.json"):
        assert run("report", demo.folder / "run", "-o", page, "--certificate", name)[0] == 2


# ---- the screen and Markdown --------------------------------------------------------------------------------------


def test_the_screen_is_one_screen(demo) -> None:
    lines = screen(demo.study, demo.table).splitlines()
    assert len(lines) < 70
    assert max(map(len, lines)) <= 86
    text = "\n".join(lines)
    for words in ("may stand in for a person", "baseline", "skill means out", "system level", "Noise floor", "Ceil."):
        assert words in text


def test_what_stands_out_leaves_out_no_effect(demo) -> None:
    text = screen(demo.study, demo.table)
    assert "sample-judge is 0.30 (0.21 to 0.39) points more lenient than the people" in text
    assert "simulated-rater-1 is 0.51 (0.38 to 0.63) points more severe than the others" in text
    assert "length" not in text.split("What stands out")[1].split("Noise floor")[0]


def test_markdown_has_full_tables_and_a_methods_paragraph_with_references(demo) -> None:
    text = markdown(demo.study, demo.table)
    assert "## Methods" in text
    for words in (
        "Calderon, Reichart and Dror 2025",
        "Benjamini and Yekutieli 2001",
        "Krippendorff 2011",
        "epsilon 0.15",
        "seed 0",
    ):
        assert words in text
    assert "36 instances, 3 models and 12 skills" in methods(demo.study, demo.table)
    assert text.count("| Logical Robustness |") >= 4
    assert "(Angelopoulos" not in text


# ---- in a browser -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_study_fits_the_screen_and_says_nothing_to_the_console(browser, demo, shown, width: int) -> None:  # noqa: F811
    with Visit(browser, demo.folder / "study.html", width) as visit:
        assert visit.run("document.documentElement.scrollWidth") == width
        assert visit.said == []
        assert visit.run(
            "[...document.querySelectorAll('.box')].every(b => b.getBoundingClientRect().right <= innerWidth)"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_counts_stand_out_from_every_shade_in_both_schemes(browser, demo, shown, scheme: str) -> None:  # noqa: F811
    script = """() => [1,2,3,4,5,6,7,8].map(k => { const e = document.querySelector('.heat .h' + k); if (!e) return null;
      const [r, g, b, a] = getComputedStyle(e).backgroundColor.match(/[\\d.]+/g).map(Number);
      const p = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
      return [getComputedStyle(e).color, 'rgb(' + [r, g, b].map((v, i) => Math.round(v * a + p[i] * (1 - a))).join(',') + ')'] })"""
    with Visit(browser, demo.folder / "study.html", scheme=scheme) as visit:
        pairs = [pair for pair in visit.run(script) if pair]
    assert len(pairs) >= 6
    assert all(_contrast(ink, paper) >= 4.5 for ink, paper in pairs)


def test_explanations_are_printed_though_closed_on_the_screen(browser, demo, shown) -> None:  # noqa: F811
    with Visit(browser, demo.folder / "study.html") as visit:
        seen = "document.querySelector('.meanings dl').checkVisibility({contentVisibilityAuto: true})"
        assert visit.run(seen) is False
        visit.page.emulate_media(media="print")
        assert visit.comes_true(seen)
