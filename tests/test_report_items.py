"""The page's items: which are listed, that hostile texts stay texts, and that the filters do what they say."""

from __future__ import annotations

import json
import re

import pytest
from samples import write_study
from test_report import Page
from test_report_browser import Visit, browser  # noqa: F401 (a fixture)

from flask_eval.ratings import read_ratings
from flask_eval.records import write_jsonl
from flask_eval.reporting import report

ATTACK = (
    "</script><script>alert(1)</script>\n<img src=x onerror=alert(2)> &amp; {{ 7*7 }}\n"
    "\u202eright to left\u202c zero\u200bwidth \x1b[31m nul\x00 </style></details></section>"
)


@pytest.fixture
def scored(tmp_path, run):
    """Three models on six instances; one response attacks, one is very long, one is empty."""
    instances, responses = write_study(tmp_path, models=("alpha", "beta", "gamma"), empty=(("4", "beta"),))
    rows = [json.loads(line) for line in responses.read_text().splitlines()]
    for row in rows:
        if (row["instance"], row["model"]) == ("1", "alpha"):
            row["text"] = ATTACK
        if (row["instance"], row["model"]) == ("2", "gamma"):
            row["text"] = "4 " * 500_000
        if (row["instance"], row["model"]) == ("3", "gamma"):
            row["text"] = "6"
    write_jsonl(responses, rows)
    code, _, said = run("score", instances, responses, "--judge", "metric:rouge_l", "-o", tmp_path / "run")
    assert code == 0, said
    return tmp_path / "run"


def listed(path) -> Page:
    return Page(path)


def test_items_show_instruction_reference_responses_and_scores(scored, tmp_path, run) -> None:
    code, _, _ = run("report", scored, "--items", "-o", tmp_path / "r.html")
    assert code == 0
    made = listed(tmp_path / "r.html")
    items = [attrs for attrs in made.all("details") if attrs.get("class") == "item"]
    assert len(items) == 6
    cards = [attrs for attrs in made.all("article") if attrs.get("class") == "card"]
    assert len(cards) == 18
    for words in (
        "All 6 rated instances",
        "Question 3: what is 3 + 3?",
        "Reference",
        "alpha says 6.",
        "The response is empty.",
    ):
        assert words in made.text
    assert "Items" not in listed(report(read_ratings(scored), path=tmp_path / "plain.html")).text


def test_hostile_texts_stay_texts_with_hidden_characters_shown(scored, tmp_path, run) -> None:
    assert run("report", scored, "--items", "-o", tmp_path / "r.html")[0] == 0
    made = listed(tmp_path / "r.html")
    assert not made.all("img")
    scripts = made.all("script")
    assert [attrs.get("type") for attrs in scripts].count("application/json") == len(scripts) - 2  # items, sliders
    assert not [name for _, attrs in made.elements for name in attrs if name.startswith("on")]
    body = made.source[made.source.index('id="items-list"') :]
    assert "&lt;script&gt;alert(1)" in body
    assert "{{ 7*7 }}" in body
    for hidden in ("\u202e", "\u200b", "\x1b", "\x00"):
        assert hidden not in made.source
    assert "\u27e8U+202E\u27e9" in body
    assert "&amp;amp;" in body


def test_a_very_long_text_is_cut_and_that_is_said(scored, tmp_path, run) -> None:
    assert run("report", scored, "--items", "-o", tmp_path / "r.html")[0] == 0
    made = listed(tmp_path / "r.html")
    assert "996,000 more of 1,000,000 characters are left out here." in made.text
    assert len(made.source) < 400_000


def test_the_widest_gaps_come_first_and_the_limit_holds(scored, tmp_path, run) -> None:
    assert run("report", scored, "--items-limit", "2", "-o", tmp_path / "r.html")[0] == 0
    made = listed(tmp_path / "r.html")
    assert "2 of 6 rated instances: the widest gap between models first; the others are not on this page." in made.text
    data = json.loads(re.search(r'id="items-data">(.*?)</script>', made.source, re.DOTALL).group(1))
    gaps = [one["gap"] for one in data]
    assert len(gaps) == 2
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0


def test_texts_that_no_run_holds_come_from_a_file_or_are_called_unknown(tmp_path, run) -> None:
    instances, responses = write_study(tmp_path)
    ratings = tmp_path / "ratings.jsonl"
    write_jsonl(
        ratings,
        [
            {
                "instance": str(n),
                "model": m,
                "skill": "x",
                "rater": r,
                "score": (n * 7 + len(m) + len(r)) % 5 + 1,
                "rationale": f"since {n}",
            }
            for n in range(1, 7)
            for m in ("alpha", "beta")
            for r in ("ann", "robert")
        ],
    )
    assert run("report", ratings, "--items", "-o", tmp_path / "a.html")[0] == 0
    bare = listed(tmp_path / "a.html")
    assert "The texts of 12 responses are not known: --responses FILE brings them in." in bare.text
    assert "disagreement" in bare.text
    assert "since 3" in bare.text
    words = (
        "report",
        ratings,
        "--items",
        "--instances",
        instances,
        "--responses",
        responses,
        "-o",
        tmp_path / "b.html",
    )
    assert run(*words)[0] == 0
    full = listed(tmp_path / "b.html")
    assert "alpha says 6." in full.text
    assert "are not known" not in full.text
    code, _, said = run("report", ratings, "--responses", responses, "-o", tmp_path / "c.html")
    assert code == 2
    assert "add --items" in said
    assert not (tmp_path / "c.html").exists()


# ---- in a browser -------------------------------------------------------------------------------------------------

SHOWN = "[...document.querySelectorAll('details.item')].filter(e => !e.hidden).length"


@pytest.fixture
def page_file(scored, tmp_path, run):
    assert run("report", scored, "--items", "-o", tmp_path / "r.html")[0] == 0
    return tmp_path / "r.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_items_run_no_foreign_script_and_ask_for_nothing(browser, page_file, scheme) -> None:  # noqa: F811
    with Visit(browser, page_file, scheme=scheme) as visit:
        visit.run("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert visit.said == []
        assert len(visit.asked) == 1
        assert visit.run("document.querySelector('#items-filters').hidden") is False


def test_filters_leave_what_they_say(browser, page_file) -> None:  # noqa: F811
    with Visit(browser, page_file) as visit:
        assert visit.run(SHOWN) == 6
        visit.page.select_option("#items-skill", label="Harmlessness")
        assert visit.comes_true(f"{SHOWN} === 2")
        visit.page.click("button[type=reset]")
        assert visit.comes_true(f"{SHOWN} === 6")
        visit.page.fill("#items-text", "QUESTION 5")
        assert visit.comes_true(f"{SHOWN} === 1")
        assert visit.run("document.querySelector('#items-count').textContent") == "1 of 6 items are shown."
        visit.page.fill("#items-text", "")
        assert visit.comes_true(f"{SHOWN} === 6")
        visit.page.select_option("#items-a", label="alpha")
        visit.page.select_option("#items-b", label="gamma")
        assert visit.comes_true("[...document.querySelectorAll('.card')].filter(e => !e.hidden).length === 12")
        visit.page.select_option("#items-sort", value="gap")
        assert visit.comes_true("document.querySelector('details.item .id').textContent !== ''")
        assert visit.said == []


def test_without_a_script_all_items_can_be_read(browser, page_file) -> None:  # noqa: F811
    with Visit(browser, page_file, java_script_enabled=False) as visit:
        assert visit.page.locator("details.item").count() == 6
        assert not visit.page.locator("#items-filters").is_visible()
        visit.page.locator("details.item").nth(2).locator("summary").first.click()
        assert visit.page.locator("details.item").nth(2).locator(".card").first.is_visible()


@pytest.mark.parametrize("width", [360, 1280])
def test_items_fit_the_screen(browser, page_file, width) -> None:  # noqa: F811
    with Visit(browser, page_file, width) as visit:
        visit.run("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert visit.run("document.documentElement.scrollWidth") == width
