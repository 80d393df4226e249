"""What every command on runs and ratings takes: sources, which rows, intervals."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from flask_eval.cli.common import names_of
from flask_eval.errors import UserError, nearest

OPTIONS = (
    click.argument("sources", nargs=-1, required=True),
    click.option("--instances", metavar="F", help="The instances, for slicing ratings files."),
    click.option("--rubrics", metavar="R", help="A rubric set, for titles and groups of skills in ratings files."),
    click.option("--skill", "skills", metavar="S,...", help="Only these skills."),
    click.option("--model", "models", metavar="M,...", help="Only these models."),
    click.option("--rater", "raters", metavar="R,...", help="Only these raters."),
    click.option("--scale", "scales", multiple=True, metavar="[RATER=]LOW-HIGH[:STEP]|nominal", help="The scale of ratings files, for one rater or for all; a score outside counts as out of range."),
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
    """The ratings behind a command's sources, less the rows that were not asked for; scales as told."""
    from flask_eval.content import load_rubrics
    from flask_eval.ratings import read_ratings

    table = read_ratings(*options["sources"], instances=options["instances"], rubrics=options["rubrics"])
    told = scales_of(options["scales"], list(table.raters))
    every = told.pop("", None)
    if every is None and options["rubrics"]:
        scale = load_rubrics(options["rubrics"]).scale
        every = (
            (float(scale.min), float(scale.max)) if scale.min is not None and scale.max is not None else scale.labels
        )
    scales: dict[str, Any] = dict(table.scales)
    for rater, kind in table.raters.items():
        ends = told.get(rater) or scales.get(rater) or (every if kind != "metric" else None)
        if ends and ends != "nominal":
            scales[rater] = tuple(ends[:2]) if isinstance(ends[0], float) else ends
    wanted = {name: names_of(options[name]) or None for name in ("raters", "models", "skills")}
    return replace(table, scales=scales).only(**wanted)


def scales_of(texts: tuple[str, ...], raters: list[str]) -> dict[str, Any]:
    """`--scale` as ends, labels or `nominal` by rater; `""` for all others."""
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, ends = text.rpartition("=")
        if sign and name not in raters:
            raise UserError(f"--scale {text}: no rater is called '{name}'{nearest(name, raters)}")
        found[name if sign else ""] = _scale(ends, text)
    return found


def _scale(ends: str, text: str) -> Any:
    if ends.strip() == "nominal":
        return "nominal"
    number = r"([-+]?\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"\s*{number}\s*(?:-|\.\.|to)\s*{number}\s*(?::\s*{number}\s*)?", ends)
    if match is None or float(match[1]) >= float(match[2]):
        raise UserError(f"--scale {text}: write LOW-HIGH such as 1-5, LOW-HIGH:STEP such as 1-5:0.5, or nominal")
    low, high = float(match[1]), float(match[2])
    return (low, high) if match[3] is None else (low, high, float(match[3]))


def tables_of(by: tuple[str, ...]) -> list[list[str]]:
    """`--by a,b --by c` as tables: [[a, b], [c]]."""
    return [names_of(text) for text in by]
