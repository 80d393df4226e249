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
    help="skill, group, domain, difficulty, source, model, or a metadata key ('tags|': its values hold several, as in a|b); "
    "a,b crosses, a repeat gives a table of its own.",
)
@click.option(
    "--slice",
    "parts",
    multiple=True,
    metavar="S",
    help="Only these instances, and everything beside them: a file of ids, a YAML slice, or a rule such as "
    "'difficulty=4|5;domain=Math'.",
)
@click.option(
    "--merge",
    type=click.IntRange(min=2),
    metavar="N",
    help="Merge values of fewer than N instances: neighbouring levels (4-5), other values into one.",
)
@json_option
def slice_command(
    by: tuple[str, ...], parts: tuple[str, ...], merge: int | None, json_file: str | None, **options: Any
) -> int:
    """Score every model within parts of the ratings, with interval, n, N/A, missing and coverage.

    SOURCES are runs and ratings files; several are put together, each rater stands by itself. With --slice, a second table
    sets everything beside the slice, with the drop between them. A mean of fewer than 10 instances is marked: not firm.

    \b
    Examples:
      flask-eval slice runs/a
      flask-eval slice runs/a --by domain --by difficulty
      flask-eval slice runs/a --by skill,difficulty --merge 10
      flask-eval slice runs/a --slice flask/hard.txt --slice 'difficulty=4|5' --json hard.json
    """  # noqa: D301
    from flask_eval.analysis.slices import slice_scores
    from flask_eval.content import load_slice

    table = open_sources(options)
    found = slice_scores(
        table,
        by=tables_of(by),
        slices=[load_slice(part) for part in parts],
        merge=merge or 0,
        confidence=options["confidence"],
        resamples=options["resamples"],
        seed=options["seed"],
    )
    write_json(json_file, found.to_dict())
    if json_file != "-":
        click.echo(found.to_markdown(), nl=False)
    return 0
