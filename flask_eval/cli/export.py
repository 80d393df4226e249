"""`flask-eval export`: a run's ratings as one long table."""

from __future__ import annotations

import click

from flask_eval.cli.common import say


@click.command("export", short_help="Write a run's ratings as CSV, JSONL or Parquet.")
@click.argument("run")
@click.option(
    "-o", "--out", required=True, metavar="FILE", help="ratings.csv, .jsonl or .parquet (also .csv.gz, .jsonl.gz)."
)
def export_command(run: str, out: str) -> int:
    """Write every rating of RUN, one a row, with its outcome; a missing score is an empty cell or null."""
    from flask_eval.judging import open_run
    from flask_eval.ratings import export_table
    from flask_eval.records import write_table

    opened = open_run(run)
    table = export_table(opened.path)
    write_table(out, table)
    left = opened.status()["cells"]["left"]
    say(f"{len(table):,} ratings written to {out}")
    if left:
        say(
            f"note: {left:,} planned cells are not judged yet, and not in the file; `flask-eval score` goes on with them"
        )
    return 0
