"""The sliders of the page: they rank as the command does, by mouse and by keyboard, and without a script nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_report import HOSTILE, hostile, many
from test_report_browser import Visit, browser  # noqa: F401 (a fixture)
from test_selecting import noisy, ratings

from flask_eval.analysis.coding import coded
from flask_eval.analysis.selecting import Selection, select
from flask_eval.analysis.skill_means import leading, skill_means
from flask_eval.analysis.text import number
from flask_eval.reporting import report
from flask_eval.reporting.models_table import ModelsTable
from flask_eval.reporting.selection import headline
from flask_eval.reporting.text import Name, name

PRICES = ModelsTable({f"model-{k}": [30, 4, 10, 2, 1.5, 3][k] for k in range(6)}, {}, "USD/1M")


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("choices")
    scores = noisy(4, 3, 80, gap=0.05)
    scores[0, 0] += 0.5
    scores[3, 1] += 0.6
    return {
        "usual": report(many(7, 80), path=folder / "usual.html", models_table=PRICES),
        "many": report(many(24, 60), path=folder / "many.html"),
        "given": report(many(4, 80), path=folder / "given.html", weights={"factuality": 3, "conciseness": 1, "readability": 0.02}),
        "few": report(many(3, 24), path=folder / "few.html"),
        "crossed": report(ratings(scores), path=folder / "crossed.html"),
        "plain": report(many(4, 40), path=folder / "plain.html", resamples=0),
        "hostile": report(hostile(), path=folder / "hostile.html", models_table=ModelsTable({HOSTILE[0]: 1.0, HOSTILE[1]: 2.0}, {}, "<i>$")),
        "one": report(many(1, 40), path=folder / "one.html", models_table=PRICES),
    }  # fmt: skip


TABLE = """[...document.querySelectorAll('#choose-rows tr')].map(row =>
  [row.className, ...[...row.children].map(cell => cell.textContent)])"""
ANSWER = "document.getElementById('choose-answer').textContent.trim()"
SET = """weights => { const all = document.querySelectorAll('#choose-form input'); all.forEach((one, k) => { one.value = weights[k]; });
  all[0].dispatchEvent(new Event('input', { bubbles: true })); }"""


def shown(visit: Visit) -> dict[str, list[str]]:
    """The table's rows by model, in their order."""
    return {cells[1]: cells[2:] for cells in visit.run(TABLE)}


def moved(visit: Visit, weights: list[float]) -> None:
    """Move the sliders, and wait for the page's answer."""
    visit.run("document.getElementById('choose-mix').textContent = 'waiting'")
    visit.page.evaluate(SET, weights)
    assert visit.comes_true("document.getElementById('choose-mix').textContent !== 'waiting'")


def said(found: Selection) -> str:
    return "".join(part.text if isinstance(part, Name) else part for part in headline(found))


def chance(text: str) -> float:
    return {"<1%": 0.0, ">99%": 1.0}.get(text, float(re.sub(r"[^\d.]", "", text) or "nan") / 100)


def without_chance(text: str) -> str:
    return re.sub(r"[<>]?\d+%", "%", text)


@pytest.mark.parametrize("name", ["usual", "crossed", "many", "few"])
@pytest.mark.parametrize("weights", [(10, 0, 0, 1), (0, 8, 3, 0), (5, 5, 5, 5)])
def test_moving_the_sliders_ranks_as_the_command_does(browser, pages, name: str, weights) -> None:  # noqa: F811
    table = {"usual": many(7, 80), "many": many(24, 60), "few": many(3, 24)}.get(name)
    if table is None:
        scores = noisy(4, 3, 80, gap=0.05)
        scores[0, 0] += 0.5
        scores[3, 1] += 0.6
        table = ratings(scores)
    data = coded(table)
    means = skill_means(data, "judge", leading(data, "judge", 20))
    values = [*weights, *[0] * len(means.skills)][: len(means.skills)]
    prices = PRICES.prices if name == "usual" else {}
    found = select(means, dict(zip(means.skills, values, strict=True)), prices=prices)
    with Visit(browser, pages[name]) as visit:
        moved(visit, values)
        rows, answer = shown(visit), visit.run(ANSWER)
        assert visit.said == []
        assert len(visit.asked) == 1
    assert list(rows) == [choice.model for choice in found.choices]
    for choice in found.choices:
        rank, mean, interval, best, n, *rest = rows[choice.model]
        assert (rank, n) == ("\u2013" if choice.rank is None else str(choice.rank), f"{choice.n:,}")
        assert mean.startswith(number(choice.mean))
        ends = [float(end) for end in re.findall(r"\d+\.\d+", interval)]
        assert ends == pytest.approx([end for end in (choice.low, choice.high) if end is not None], abs=0.021)
        if choice.probability_best is not None:
            assert chance(best) == pytest.approx(choice.probability_best, abs=0.03)
        if prices:
            assert rest[-1].startswith({None: "\u2013", True: "yes", False: "no"}[choice.on_front])
            assert (choice.beaten_by or "") in rest[-1]
    bare = re.compile(r"\d+\.\d+\u2013\d+\.\d+")  # the ends may differ in the last digit, which were compared above
    assert bare.sub("", without_chance(answer)) == bare.sub("", without_chance(said(found)))


@pytest.mark.parametrize("name", ["usual", "given", "few", "plain"])
def test_a_reset_says_what_the_page_said_before_and_without_a_script(browser, pages, name: str) -> None:  # noqa: F811
    with Visit(browser, pages[name], java_script_enabled=False) as visit:
        quiet, words = (
            visit.page.locator("#choose-rows tr").all_inner_texts(),
            visit.page.locator("#choose-answer").inner_text(),
        )
        mix = visit.page.locator("#choose-mix").inner_text()
        assert not visit.page.locator("#choose-form").is_visible()
        assert len(quiet) > 2
    with Visit(browser, pages[name]) as visit:
        assert visit.page.locator("#choose-rows tr").all_inner_texts() == quiet
        moved(visit, [0, 0, 5] + [0] * 9)
        assert visit.page.locator("#choose-rows tr").all_inner_texts() != quiet
        visit.page.locator("[data-set=given]").click()
        assert visit.comes_true("!document.getElementById('choose-mix').textContent.includes('sliders')")
        again, text = (
            visit.page.locator("#choose-rows tr").all_inner_texts(),
            visit.page.locator("#choose-answer").inner_text(),
        )
        assert visit.page.locator("#choose-mix").inner_text() == mix
        assert visit.said == []
    close = re.compile(r"[<>]?\d+%")
    assert [close.sub("%", row) for row in again] == [close.sub("%", row) for row in quiet]
    assert close.sub("%", text) == close.sub("%", words)


def test_the_keyboard_moves_a_slider(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["usual"]) as visit:
        before = visit.run("document.querySelector('#choose-form output').textContent")
        first = visit.page.get_by_role("slider", name="Logical Robustness")
        first.focus()
        for _ in range(6):
            visit.page.keyboard.press("ArrowRight")
        assert first.input_value() == "8"
        assert visit.comes_true("document.getElementById('choose-mix').textContent.includes('sliders')")
        assert visit.run("document.querySelector('#choose-form output').textContent") != before
        visit.page.keyboard.press("Home")
        assert first.input_value() == "0"
        assert visit.run("document.querySelector('#choose-form output').textContent") == "0%"


def test_buttons_choose_a_group_or_all(browser, pages) -> None:  # noqa: F811
    values = "[...document.querySelectorAll('#choose-form input')].map(one => Number(one.value))"
    with Visit(browser, pages["usual"]) as visit:
        visit.page.get_by_role("button", name="Only these: Background Knowledge").click()
        assert visit.run(values) == [0, 0, 0, 5, 5, 0, 0, 0, 0, 0, 0, 0]
        assert visit.comes_true("document.getElementById('choose-mix').textContent.includes('sliders')")
        visit.page.get_by_role("button", name="Equal weights").click()
        assert visit.run(values) == [5, 5, 5, 5, 5, 5, 5, 5, 0, 5, 5, 5]  # one model has no score in the ninth


def test_without_any_weight_the_page_asks_for_one(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["usual"]) as visit:
        moved(visit, [0] * 12)
        assert visit.run(ANSWER) == "Give at least one skill a weight above 0."
        assert all(cells[0] == "\u2013" for cells in shown(visit).values())
        assert visit.run("document.querySelector('#choose-chart svg')") is None
        assert visit.said == []


def test_a_skill_that_a_model_lacks_takes_it_out_of_the_ranking(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["usual"]) as visit:
        moved(visit, [0] * 8 + [5, 0, 0, 0])
        rows = shown(visit)
    assert list(rows)[-1] == "model-1"
    assert rows["model-1"][:2] == ["\u2013", "\u2013no score in Metacognition"]


def test_the_front_is_drawn_with_its_names(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["usual"]) as visit:
        assert visit.run("[...document.querySelectorAll('#choose-chart circle')].length") == 6
        on = visit.run(
            "[...document.querySelectorAll('#choose-chart circle.on title')].map(one => one.textContent.split(':')[0])"
        )
        table = shown(visit)
        named = visit.run("[...document.querySelectorAll('#choose-chart text')].map(one => one.textContent)")
        label = visit.run("document.querySelector('#choose-chart svg').getAttribute('aria-label')")
        first = visit.run("document.querySelector('#choose-chart svg').outerHTML")
        moved(visit, [0, 0, 0, 5] + [0] * 8)
        assert visit.run("document.querySelector('#choose-chart svg').outerHTML") != first
    assert set(on) == {model for model, cells in table.items() if cells[-1] == "yes"}
    assert set(on) <= set(named)
    assert "Price (USD/1M)" in named
    assert label.startswith("Weighted mean against Price (USD/1M). On the front: ")


def test_hostile_names_stay_text(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["hostile"]) as visit:
        moved(visit, [5, 0, 0, 3])
        assert set(shown(visit)) == {name(model).text for model in hostile().models}
        assert visit.run("document.querySelectorAll('#choose :is(script:not([type]), img, i, b)').length") == 0
        assert visit.run("document.querySelectorAll('#choose-chart circle').length") == 2
        assert visit.said == []
        assert len(visit.asked) == 1


def test_one_model_has_no_sliders(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["one"]) as visit:
        assert "there is no other model to rank" in visit.run(ANSWER)
        assert visit.run("document.querySelector('#choose-form')") is None
        assert visit.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["usual", "hostile"])
def test_the_choice_fits_a_phone(browser, pages, name: str, scheme: str) -> None:  # noqa: F811
    with Visit(browser, pages[name], width=360, scheme=scheme) as visit:
        moved(visit, [5, 0, 5, 1])
        assert visit.run("document.documentElement.scrollWidth") <= 360
        assert visit.run("document.querySelector('#choose-chart svg').getBoundingClientRect().right") <= 360
        assert visit.run(
            "[...document.querySelectorAll('#choose-form input')].every(one => one.getBoundingClientRect().width > 150)"
        )


def test_paper_shows_the_table_and_no_sliders(browser, pages) -> None:  # noqa: F811
    with Visit(browser, pages["usual"]) as visit:
        visit.page.emulate_media(media="print")
        assert not visit.page.locator("#choose-form").is_visible()
        assert visit.page.locator("#choose-rows").is_visible()
