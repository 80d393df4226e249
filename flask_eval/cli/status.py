"""`flask-eval status`: how far a run is, while it goes on and after."""

from __future__ import annotations

from typing import Any

import click

from flask_eval.cli.common import json_option, outcomes_line, percent, without_line, write_json
from flask_eval.errors import for_terminal


@click.command("status", short_help="Tell a run's coverage, outcomes, tokens and cost.")
@click.argument("run")
@json_option
def status_command(run: str, json_file: str | None) -> int:
    """Tell how far RUN is: coverage, outcomes, calls, tokens and cost of all that it holds.

    Works while the run goes on.
    """
    from flask_eval.judging import open_run

    found = open_run(run).status()
    write_json(json_file, found)
    if json_file != "-":
        for line in lines(found):
            click.echo(for_terminal(line))
    return 0


def lines(found: dict[str, Any]) -> list[str]:
    """The status in words."""
    cells, calls, tokens = found["cells"], found["calls"], found["tokens"]
    judges = found["judge"] or ", ".join(found.get("raters", {}))
    said = [
        f"run        {found['run']}",
        f"judge      {judges}",
        f"cells      {cells['judged']:,} of {cells['planned']:,} judged, {cells['left']:,} left",
        f"ratings    {outcomes_line(found['ratings'])}",
        f"coverage   {percent(found['coverage'])} of {found['ratings_planned']:,} planned ratings that apply",
    ]
    without = {model: n for model, n in found["without_response"].items() if n}
    if without:
        said.append(f"no answer  {without_line(without)}")
    if calls["sent"]:
        cost = "unknown" if found["cost_usd"] is None else f"{found['cost_usd']:.4f} USD"
        said += [
            f"calls      {calls['answered']:,} answered, {calls['failed']:,} failed, {calls['sent']:,} sent",
            f"tokens     {tokens['input']:,} input ({tokens['cached']:,} cached), {tokens['output']:,} output",
            f"cost       {cost}",
        ]
    if (found["judge"] or "").startswith("metric:"):
        from flask_eval.metrics import find_metric

        said.append(f"note       {find_metric(found['judge']).note}")
    for name, part in found.get("raters", {}).items():
        said.append(
            f"  {name}: {part['cells']['judged']:,} of {part['cells']['planned']:,} cells, coverage {percent(part['coverage'])}"
        )
    return said
