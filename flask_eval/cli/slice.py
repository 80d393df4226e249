"""`flask-eval slice`: mean scores by skill, domain, difficulty or anything else."""

from __future__ import annotations

from typing import Any

import click

from flask_eval.cli.common import json_option, write_json
from flask_eval.cli.sources import open_sources, source_options, tables_of


@click.command("slice", short_help="Mean scores by skill, domain, difficulty or anything else.")
@source_options
@click.option(
    "--by",
    multiple=True,
    metavar="DIM[,DIM]",
    help="skill, group, domain, difficulty, source, model, or a metadata key; a,b crosses, a repeat gives a table of its own.",
)
@click.option(
    "--slice", "parts", multiple=True, metavar="S", help="Only these instances: a file of ids, or a YAML slice."
)
@json_option
def slice_command(by: tuple[str, ...], parts: tuple[str, ...], json_file: str | None, **options: Any) -> int:
    """Score every model within parts of the ratings, with interval, n, N/A, missing and coverage.

    SOURCES are runs and ratings files; several are put together, each rater stands by itself.

    \b
    Examples:
      flask-eval slice runs/a
      flask-eval slice runs/a --by domain --by difficulty
      flask-eval slice runs/a --by skill,difficulty --slice flask/hard.txt --json hard.json
    """  # noqa: D301
    from flask_eval.analysis.slices import slice_scores
    from flask_eval.content import load_slice

    table = open_sources(options)
    found = slice_scores(
        table,
        by=tables_of(by),
        slices=[load_slice(part) for part in parts],
        confidence=options["confidence"],
        resamples=options["resamples"],
        seed=options["seed"],
    )
    write_json(json_file, found.to_dict())
    if json_file != "-":
        click.echo(found.to_markdown(), nl=False)
    return 0
