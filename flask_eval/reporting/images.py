"""Pictures for papers: the page's figures as PNG and SVG, through plotly, kaleido and a browser that is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from flask_eval.errors import UserError
from flask_eval.reporting import charts
from flask_eval.reporting.chart_parts import span
from flask_eval.reporting.filenames import FileNames
from flask_eval.reporting.gallery import Subject

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FORMATS = ("png", "svg")
SCALE = 300 / 96
"""Pixels of a PNG by those of a figure: 300 dots an inch where a figure has 96."""
_WIDTH = 860


def check_images(flag: str = "--png") -> None:
    """Refuse early where pictures cannot be made.

    Raises:
        UserError: kaleido is not installed.
    """
    if find_spec("kaleido") is None:
        raise UserError(
            f"{flag}: pictures need kaleido, which is not installed: pip install 'flask-eval[images]' (and Chrome or Chromium);"
            " --svg DIR needs neither"
        )


def pictures(subjects: Sequence[Subject]) -> Iterator[tuple[str, Figure]]:
    """File name (without suffix) and figure: overall, radars, dots, heat maps and slopes of each rater."""
    names = FileNames()
    for one in subjects:
        yield names.name(one.rater, "overall"), charts.ranked("Mean over skills", one.macro, span(one.macro))
        if one.round:
            median = one.median()
            for model in one.models:
                yield names.name(one.rater, "radar", model), charts.portrait(model, one.skills, median, one.scale)
        if one.skills:
            yield (
                names.name(one.rater, "skills"),
                charts.dots(one.skills, one.models, one.reach()).update_layout(width=_WIDTH),
            )
            yield names.name(one.rater, "heat", "skill"), charts.heat("By skill", one.skills, one.models)
        for dimension, axes in one.cuts.items():
            yield names.name(one.rater, "heat", dimension), charts.heat(f"By {dimension}", axes, one.models)
        for whole, part in one.slices:
            title = f"From all instances to {part.title}"
            yield names.name(one.rater, "slice", part.title), charts.slopes(title, whole, part, one.models)


def rendered(subjects: Sequence[Subject], flag: str = "--png") -> dict[str, bytes]:
    """Every picture in every format, by file name; nothing is written yet.

    Raises:
        UserError: kaleido or a browser is missing, or the browser fails.
    """
    check_images(flag)
    wanted = [(f"{name}.{form}", form, figure) for name, figure in pictures(subjects) for form in FORMATS]
    with ThreadPoolExecutor(1) as thread:  # a notebook's own thread runs a loop already
        return thread.submit(asyncio.run, _rendered(wanted, flag)).result()


async def _rendered(wanted: Sequence[tuple[str, str, Figure]], flag: str) -> dict[str, bytes]:
    from kaleido import Kaleido
    from kaleido.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError

    made: dict[str, bytes] = {}
    options: dict[str, Any] = {"mathjax": False}  # kaleido fetches it from the network otherwise
    try:
        async with Kaleido(**options) as browser:
            for name, form, figure in wanted:
                scale = SCALE if form == "png" else 1
                made[name] = await browser.calc_fig(figure, {"format": form, "scale": scale})
    except ChromeNotFoundError:
        raise UserError(
            f"{flag}: pictures need a browser, and no Chrome or Chromium is found: install one, or name its file in BROWSER_PATH;"
            " --svg DIR needs none"
        ) from None
    except (BrowserFailedError, BrowserClosedError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{flag}: the browser that draws the pictures fails ({said}); --svg DIR needs none") from None
    return made
