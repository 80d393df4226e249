"""`flask-eval report`: one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flask_eval.cli.common import say
from flask_eval.cli.sources import open_sources, source_options


@click.command("report", short_help="Write one self-contained page from runs and ratings.")
@source_options
@click.option("-o", "--out", required=True, metavar="FILE", help="The page, e.g. report.html.")
@click.option(
    "--slice", "parts", multiple=True, metavar="S", help="Shown beside the full set: a file of ids, or a YAML slice."
)
@click.option("--title", help="The page's title.")
@click.option("--json", "json_file", metavar="FILE", help="Write the same numbers as JSON.")
def report_command(out: str, parts: tuple[str, ...], title: str | None, json_file: str | None, **options: Any) -> int:
    """Write one page that needs no network and no script: the answer in words, coverage and outcomes, radars, tables.

    SOURCES are runs and ratings files; several are put together, each rater stands by itself.

    \b
    Example:
      flask-eval report runs/a --slice flask/hard.txt -o report.html
    """  # noqa: D301
    from flask_eval.content import load_slice
    from flask_eval.reporting import report

    table = open_sources(options)
    path = report(
        table,
        path=out,
        title=title,
        slices=[load_slice(part) for part in parts],
        data=json_file,
        confidence=options["confidence"],
        resamples=options["resamples"],
        seed=options["seed"],
    )
    size = Path(path).stat().st_size / 1000
    say(f"{path} ({size:.0f} kB): one file, opens from disk")
    return 0
