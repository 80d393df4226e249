"""`flask-eval reparse`: ratings anew from the recorded calls."""

from __future__ import annotations

import click

from flask_eval.cli.common import json_option, outcomes_line, percent, say, write_json


@click.command("reparse", short_help="Read a run's recorded completions anew, without a call.")
@click.argument("run")
@json_option
def reparse_command(run: str, json_file: str | None) -> int:
    """Read the recorded completions of RUN anew with this version's parser; nothing is called."""
    from flask_eval.judging import open_run

    found = open_run(run).reparse()
    write_json(json_file, found)
    status = found["status"]
    say(f"{found['cells_read']:,} cells read anew, {found['ratings_changed']:,} ratings changed")
    say(f"ratings: {outcomes_line(status['ratings'])}; coverage {percent(status['coverage'])}")
    return 0
