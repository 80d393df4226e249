"""Interactive figures: drawn from the page alone, filtered by model, and no name of the data is markup in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from test_report import HOSTILE, Page, hostile, many, ratings
from test_report_browser import Visit, browser  # noqa: F401 (a fixture)

from flask_eval.ratings import RatingTable, read_ratings
from flask_eval.reporting import report
from flask_eval.schema import Slice

HARD = [Slice(name="<b>hard</b>", where={"difficulty": 5})]


def lost() -> RatingTable:
    """A skill and a model without any score."""
    rows = [
        {"instance": str(k), "model": model, "skill": skill, "rater": "judge", "kind": "judge",
         "score": None if "lost" in (model, skill) else float(k % 5 + 1), "outcome": "refused" if "lost" in (model, skill) else "scored"}
        for model in ("a", "lost")
        for skill in ("lost", "x", "y")
        for k in range(12)
    ]  # fmt: skip
    return read_ratings(pd.DataFrame(rows), scales={"judge": (1.0, 5.0)})


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("interactive")
    return {
        "usual": report(
            many(8, raters=("sample-judge", "other")), path=folder / "usual.html", slices=HARD, interactive=True
        ),
        "hostile": report(hostile(), path=folder / "hostile.html", interactive=True),
        "both": report(many(2), path=folder / "both.html", items=5, interactive=True),
        "plain": report(many(2), path=folder / "plain.html"),
        "lost": report(lost(), path=folder / "lost.html", interactive=True),
        "few": report(ratings({"a": [5, 4, 3]}, skills=["factuality"]), path=folder / "few.html", interactive=True),
    }


def figures_of(path: Path) -> list:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(found[1])


# ---- without a browser --------------------------------------------------------------------------------------------


def test_plotly_stands_in_the_page_once_and_only_where_it_was_asked_for(pages) -> None:
    assert pages["usual"].read_text().count("* plotly.js v") == 1
    assert "plotly" not in pages["plain"].read_text().lower()
    assert pages["plain"].stat().st_size < 200_000
    assert not [attrs for attrs in Page(pages["usual"]).all("script") if "src" in attrs]


def test_the_policy_names_each_script_by_its_digest(pages) -> None:
    policy = next(attrs["content"] for attrs in Page(pages["both"]).all("meta") if attrs.get("http-equiv"))
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/=]{44}'", policy)) == 4  # items, plotly, figures, sliders
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_the_marks_are_the_means_of_the_page(pages, tmp_path: Path) -> None:
    report(many(8, raters=("sample-judge", "other")), path=tmp_path / "p.html", data=tmp_path / "p.json")
    rows = json.loads((tmp_path / "p.json").read_text())["scores"]["rows"]
    means = {
        (row["model"], row["skill"].replace("_", " ")): row["mean"]
        for row in rows
        if row["rater"] == "other" and row["skill"]
    }
    radar, dots = (one["figure"] for one in figures_of(pages["usual"])[1][:2])
    heads = [text.lower() for text in dots["layout"]["yaxis"]["ticktext"]]
    assert [trace["name"] for trace in radar["data"]] == [trace["name"] for trace in dots["data"]]
    for trace in dots["data"]:
        assert {heads[round(y)]: x for x, y in zip(trace["x"], trace["y"], strict=True)} == {
            skill: mean for (model, skill), mean in means.items() if model == trace["name"] and mean is not None
        }
    for trace in radar["data"]:
        assert trace["r"] == [*(means[trace["name"], head] for head in heads), means[trace["name"], heads[0]]]


def test_no_text_of_a_figure_is_markup(pages) -> None:
    text = json.dumps([figures_of(pages[name]) for name in ("usual", "hostile")])
    assert set(re.findall(r"<[^>]*>", text)) <= {"<br>", "<extra>", "</extra>"}
    assert "&lt;b&gt;hard&lt;/b&gt;" in text
    assert "&lt;script&gt;" in text


def test_where_a_radar_would_show_nothing_there_is_none(pages) -> None:
    assert [one["kind"] for one in figures_of(pages["few"])[0]] == ["dots", "heat"]


# ---- in a browser -------------------------------------------------------------------------------------------------

SHOWN = """(k) => { const g = document.querySelectorAll('#interactive .view')[0].querySelectorAll('.drawn')[k];
  return g.data.map(t => t.name) }"""
LEGEND = (
    "[...document.querySelectorAll('#interactive .drawn')[0].querySelectorAll('.legendtext')].map(e => e.textContent)"
)


@pytest.mark.parametrize("name", ["usual", "hostile", "both", "few", "lost"])
def test_the_page_draws_from_disk_without_a_word_or_a_request(browser, pages, name: str) -> None:  # noqa: F811
    with Visit(browser, pages[name]) as visit:
        assert visit.comes_true("document.querySelectorAll('#interactive .drawn .main-svg').length > 0")
        places = visit.run(
            "[...document.querySelectorAll('#interactive .drawn')].map(e => !!e.querySelector('.main-svg'))"
        )
        assert all(places)
        visit.page.wait_for_timeout(300)
        assert visit.said == []
        assert visit.asked == [pages[name].as_uri()]


def test_the_models_that_are_chosen_are_drawn(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["usual"]) as visit:
        order = visit.run(
            "[...document.querySelectorAll('.view')[0].querySelectorAll('label')].map(e => e.textContent.trim())"
        )
        assert len(order) == 8
        for place in (0, 1):
            assert visit.page.evaluate(SHOWN, place) == order[:5]
        box = visit.page.locator(".view").first.get_by_label(order[6], exact=True)
        box.focus()
        visit.page.keyboard.press("Space")
        assert visit.comes_true(f"({LEGEND}).length === 6")
        assert visit.run(LEGEND) == [*order[:5], order[6]]
        heads = "document.querySelectorAll('.view')[0].querySelectorAll('.drawn.heat')[0].layout.xaxis.ticktext"
        assert visit.run(heads) == [*order[:5], order[6]]
        visit.page.locator(".view").first.get_by_role("button", name="All").click()
        assert visit.comes_true(f"({LEGEND}).length === 8")
        assert visit.run("document.querySelector('.view output').textContent") == "8 of 8 shown"
        visit.page.locator(".view").first.get_by_role("button", name="None").click()
        assert visit.comes_true("!document.querySelector('.view').querySelector('.main-svg')")
        assert visit.run("document.querySelectorAll('.view')[1].querySelector('.drawn').data.length") == 5
        visit.page.locator(".view").first.get_by_label(order[7], exact=True).check()
        assert visit.comes_true(f"({LEGEND}).length === 1")
        assert visit.said == []


def test_a_model_without_any_score_alone_is_drawn_as_nothing(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["lost"]) as visit:
        visit.page.get_by_label("a", exact=True).uncheck()
        assert visit.comes_true("document.querySelector('.view output').textContent === '1 of 2 shown'")
        visit.page.wait_for_timeout(300)
        assert visit.run("document.querySelectorAll('#interactive .drawn .points path').length") == 0
        assert visit.said == []


def test_the_labels_of_the_figures_are_drawn(browser, pages) -> None:  # noqa: F811
    script = """() => [...document.querySelectorAll('#interactive .angularaxistick text')].map(e => { const b = e.getBoundingClientRect();
      return [e.textContent, b.width, b.height] })"""
    with Visit(browser, pages["usual"]) as visit:
        assert visit.comes_true("document.querySelectorAll('#interactive .angularaxistick text').length >= 24")
        found = visit.run(script)
    assert {"Factuality", "Readability"} <= {text for text, _, _ in found}
    assert all(width > 20 and height > 8 for _, width, height in found)


def test_hostile_names_are_text_in_the_figures(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["hostile"]) as visit:
        visit.page.get_by_role("button", name="All").click()
        assert visit.comes_true(f"({LEGEND}).length === {len(HOSTILE)}")
        words = visit.run(
            "[...document.querySelectorAll('#interactive .legendtext')].map(e => e.textContent).join(' ')"
        )
        assert "<script>alert(1)</script>" in words
        assert "<img" in words
        assert (
            visit.run("document.querySelectorAll('#interactive script, #interactive img, #interactive svg a').length")
            == 0
        )
        assert visit.said == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_figures_make_the_page_no_wider_than_the_screen(browser, pages, width: int) -> None:  # noqa: F811
    with Visit(browser, pages["usual"], width) as visit:
        assert visit.comes_true("document.querySelectorAll('#interactive .main-svg').length > 0")
        assert visit.run("document.documentElement.scrollWidth") == width


def test_the_figures_follow_the_colour_scheme(browser, pages) -> None:  # noqa: F811
    ink = "document.querySelector('#interactive .drawn').layout.font.color"
    with Visit(browser, pages["usual"]) as visit:
        light = visit.run(ink)
        visit.page.emulate_media(color_scheme="dark")
        assert visit.comes_true(f"{ink} !== '{light}'")
        assert visit.said == []


def test_without_scripts_the_section_says_so_and_its_choice_is_off(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["usual"], java_script_enabled=False) as visit:
        assert "These figures need scripts" in visit.page.locator("#interactive").inner_text()
        assert visit.page.locator("#interactive input").first.is_disabled()
