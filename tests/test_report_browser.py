"""The page as a browser draws it: text is really there, nothing is fetched, it fits a phone, and it works in the dark."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_report import hostile, many

from flask_eval.ratings import RatingTable
from flask_eval.reporting import report
from flask_eval.schema import Slice

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("CI is set and no Chromium is found: install the package chromium")
        pytest.skip("no Chromium on this machine; the page's markup is tested without one")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    hard = [Slice(name="hard", where={"difficulty": 5})]
    return {
        "usual": report(many(3, raters=("sample-judge", "other")), path=folder / "usual.html", slices=hard),
        "lengths": report(_lengthy(), path=folder / "lengths.html", slices=hard),
        "hostile": report(hostile(), path=folder / "hostile.html", title="<b>title</b>\u202e", banner="x" * 400),
    }


def _lengthy() -> RatingTable:
    """Fifteen models whose responses have lengths."""
    lengths = {(str(k), f"model-{m}", 0): 40 * (m + 2) + k for k in range(200) for m in range(15)}
    return replace(many(15, 200), lengths=lengths)


class Visit:
    """A page opened from disk, with what it logged and what it asked the network for."""

    def __init__(self, browser, path: Path, width: int = 1280, scheme: str = "light", **options) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.route("**/*", self._route)
        self.page.goto(path.as_uri())

    def _route(self, route) -> None:
        self.asked.append(route.request.url)
        if len(self.asked) == 1:
            route.continue_()
        else:
            route.abort()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.context.close()

    def run(self, script: str):
        return self.page.evaluate(script)

    def comes_true(self, script: str, seconds: float = 5) -> bool:
        """Whether a condition holds within some seconds; asked from outside, since the page's policy forbids polling."""
        end = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > end:
                return False
            self.page.wait_for_timeout(50)
        return True


LABELS = """() => [...document.querySelectorAll('.radars svg.radar')].map(svg =>
  [...svg.querySelectorAll('use:not([x])')].flatMap(use => [...document.querySelector(use.getAttribute('href')).querySelectorAll('text:not(.tick)')])
    .map(text => { const b = text.getBBox(); return [text.textContent, b.x, b.y, b.x + b.width, b.y + b.height] }))"""
"""Of each radar, the boxes of its labels in units of the drawing; labels are drawn once and used by all radars."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["usual", "hostile"])
def test_the_page_opens_from_disk_without_a_word_or_a_request(browser, pages, name: str, scheme: str) -> None:
    with Visit(browser, pages[name], scheme=scheme) as visit:
        assert visit.said == []
        assert visit.asked == [pages[name].as_uri()]


def test_every_label_of_every_radar_is_drawn(browser, pages) -> None:
    with Visit(browser, pages["usual"]) as visit:
        radars = visit.run(LABELS)
        drawn = visit.run("[...document.querySelectorAll('.radars svg.radar')].map(e => e.getBBox().width)")
    assert [len(labels) for labels in radars] == [12 * 2] * 6
    for labels in radars:
        assert all(text and right - left > 8 and low - top > 6 for text, left, top, right, low in labels)
    assert all(width > 300 for width in drawn)  # with its labels; the rim alone is 232 wide


def test_the_labels_of_a_radar_do_not_cover_each_other(browser, pages) -> None:
    with Visit(browser, pages["usual"]) as visit:
        radars = visit.run(LABELS)
    for labels in radars:
        assert not [
            (one[0], other[0])
            for place, one in enumerate(labels)
            for other in labels[:place]
            if one[1] < other[3] - 1 and other[1] < one[3] - 1 and one[2] < other[4] - 2 and other[2] < one[4] - 2
        ]


def test_outlines_bands_and_points_take_up_room(browser, pages) -> None:
    with Visit(browser, pages["usual"]) as visit:
        sizes = visit.run("""() => ['.own', '.band', '.median', '.arc'].map(c => { const b =
          document.querySelector('svg.radar ' + c + ', svg.defs ' + c)?.getBBox(); return b ? Math.min(b.width, b.height) : 0 })""")
        points = visit.run(
            "[...document.querySelectorAll('svg.radar use[x]')].filter(e => e.getBoundingClientRect().width > 4).length"
        )
    assert all(size > 20 for size in sizes[:3])
    assert points == 6 * 12 - 2  # model 1 has no metacognition, for both raters


TEXTS = """() => [...document.querySelectorAll('svg.plotted')].map(svg => [...svg.querySelectorAll('text')].map(t => {
  const b = t.getBBox(); return [t.textContent, b.x, b.y, b.x + b.width, b.y + b.height] }))"""
"""Of each plot, the boxes of its texts."""


@pytest.mark.parametrize("name", ["usual", "hostile", "lengths"])
def test_the_texts_of_plots_are_drawn_and_cover_no_other(browser, pages, name: str) -> None:
    with Visit(browser, pages[name]) as visit:
        plots = visit.run(TEXTS)
    assert plots
    for texts in plots:
        for place, one in enumerate(texts):
            assert one[3] - one[1] > 2, one
            assert one[4] - one[2] > 6, one
            for other in texts[:place]:
                apart = (
                    one[1] >= other[3] - 1 or other[1] >= one[3] - 1 or one[2] >= other[4] - 3 or other[2] >= one[4] - 3
                )
                assert apart, (one, other)


def test_dots_stand_where_their_means_are(browser, pages) -> None:
    """The dots of a panel go down the page from right to left, and lie within its axis."""
    with Visit(browser, pages["lengths"]) as visit:
        paths = visit.run(
            "[...document.querySelectorAll('.panels svg.plotted')].map(e => [...e.querySelectorAll('.pt')].map(p => p.getAttribute('d')))"
        )
    for own in paths:
        places = [(float(y), float(x)) for d in own for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", d)]
        xs = [x for _, x in sorted(set(places))]
        assert len(xs) in (14, 15)
        assert xs == sorted(xs, reverse=True)
        assert all(122 < x < 330 for x in xs)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_heat_maps_are_shaded_and_their_numbers_stand_out(browser, pages, scheme: str) -> None:
    script = """() => [...document.querySelectorAll('.field td[class^=h]')].map(e => [getComputedStyle(e).color,
      getComputedStyle(e).backgroundColor, getComputedStyle(document.body).backgroundColor])"""
    with Visit(browser, pages["lengths"], scheme=scheme) as visit:
        cells = visit.run(script)
    assert len({back for _, back, _ in cells}) > 3
    for ink, back, paper in cells:
        assert _contrast(ink, _over(back, paper)) >= 4.5


def _over(colour: str, paper: str) -> str:
    """A translucent colour on opaque paper."""
    *front, alpha = [float(v) for v in re.findall(r"[\d.]+", colour)] + ([1.0] if colour.startswith("rgb(") else [])
    back = [float(v) for v in re.findall(r"[\d.]+", paper)][:3]
    return "rgb({:.0f}, {:.0f}, {:.0f})".format(
        *(alpha * f + (1 - alpha) * b for f, b in zip(front, back, strict=True))
    )


@pytest.mark.parametrize("name", ["usual", "hostile"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_makes_the_page_wider_than_the_screen(browser, pages, name: str, width: int) -> None:
    with Visit(browser, pages[name], width) as visit:
        assert visit.run("document.documentElement.scrollWidth") == width
        wide = visit.run(
            "[...document.querySelectorAll('.box')].every(b => b.getBoundingClientRect().right <= innerWidth)"
        )
        assert wide


def test_wide_tables_scroll_by_keyboard_within_their_own_box(browser, pages) -> None:
    with Visit(browser, pages["usual"], 390) as visit:
        visit.run("[...document.querySelectorAll('.box')].find(b => b.scrollWidth > b.clientWidth + 50).focus()")
        visit.page.keyboard.press("End")
        for _ in range(5):
            visit.page.keyboard.press("ArrowRight")
        assert visit.comes_true("document.activeElement.scrollLeft > 0")
        assert visit.run("document.activeElement.getAttribute('role')") == "region"


def test_every_section_is_reached_by_its_link(browser, pages) -> None:
    with Visit(browser, pages["usual"]) as visit:
        links = visit.page.locator("nav a")
        for k in range(links.count()):
            links.nth(k).focus()
            visit.page.keyboard.press("Enter")
            assert visit.run("document.querySelector(location.hash) !== null")


def test_hostile_names_are_text_in_the_browser_too(browser, pages) -> None:
    with Visit(browser, pages["hostile"]) as visit:
        assert visit.run("document.querySelectorAll('main script, main img, main b, main i, h1 b').length") == 0
        assert "<script>alert(1)</script>" in visit.run("document.querySelector('.standings').innerText")
        assert visit.run("document.title") == "<b>title</b>\u27e8U+202E\u27e9"
        assert visit.said == []


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(v) / 255 for v in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_paper_in_both_schemes(browser, pages, scheme: str) -> None:
    script = """() => ['body', '.summary', 'caption', 'td', 'td small', 'td.f', '.kind', 'footer', '.banner'].map(s => {
      const e = document.querySelector(s); return [s, getComputedStyle(e).color,
        getComputedStyle(s === '.banner' ? e : document.body).backgroundColor] })"""
    labels = "() => ['.radar text', '.radar.c text', '.radar.c .few'].map(s => [s, getComputedStyle(document.querySelector(s)).fill, getComputedStyle(document.body).backgroundColor])"
    with Visit(browser, pages["usual"], scheme=scheme) as visit:
        for what, ink, paper in [*visit.run(script), *visit.run(labels)]:
            assert _contrast(ink, paper) >= 4.5, what
        dark = visit.run("getComputedStyle(document.body).backgroundColor")
    assert (max(int(v) for v in re.findall(r"\d+", dark)[:3]) < 60) == (scheme == "dark")


def test_no_number_needs_a_script(browser, pages) -> None:
    with Visit(browser, pages["usual"], java_script_enabled=False) as visit:
        assert visit.page.locator("table").first.inner_text().count("model-") == 3


def test_on_paper_every_row_is_printed_on_white(browser, pages) -> None:
    with Visit(browser, pages["usual"], scheme="dark") as visit:
        visit.page.emulate_media(media="print")
        assert visit.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert visit.run("[...document.querySelectorAll('.tall')].every(b => b.scrollHeight <= b.clientHeight + 1)")
        assert len(visit.page.pdf()) > 10_000
