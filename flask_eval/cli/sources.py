"""What every command on runs and ratings takes: sources, which rows, intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from flask_eval.cli.common import names_of

OPTIONS = (
    click.argument("sources", nargs=-1, required=True),
    click.option("--instances", metavar="F", help="The instances, for slicing ratings files."),
    click.option("--rubrics", metavar="R", help="A rubric set, for titles and groups of skills in ratings files."),
    click.option("--skill", "skills", metavar="S,...", help="Only these skills."),
    click.option("--model", "models", metavar="M,...", help="Only these models."),
    click.option("--rater", "raters", metavar="R,...", help="Only these raters."),
    click.option("--resamples", type=click.IntRange(min=0), default=1000, show_default=True, help="0: no intervals."),
    click.option(
        "--confidence", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
        help="Of the intervals.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Kept with the result."),
)  # fmt: skip


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that every command on runs and ratings takes."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def open_sources(options: dict[str, Any]) -> Any:
    """The ratings behind a command's sources, less the rows that were not asked for."""
    from flask_eval.ratings import read_ratings

    table = read_ratings(*options["sources"], instances=options["instances"], rubrics=options["rubrics"])
    wanted = {name: names_of(options[name]) or None for name in ("raters", "models", "skills")}
    return table.only(**wanted)


def tables_of(by: tuple[str, ...]) -> list[list[str]]:
    """`--by a,b --by c` as tables: [[a, b], [c]]."""
    return [names_of(text) for text in by]
