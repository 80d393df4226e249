"""`flask-eval demo`: the tour on shipped sample data."""

from __future__ import annotations

from shlex import quote

import click

from flask_eval.cli.common import json_option, outcomes_line, percent, say, write_json


@click.command("demo", short_help="Take the tour on shipped sample data: no key, no network.")
@click.argument("directory", default="flask-eval-demo")
@json_option
def demo_command(directory: str, json_file: str | None) -> int:
    """Take the tour into DIRECTORY (flask-eval-demo): judge a sample set, add the baseline, slice, write the page.

    Models, judge and raters are sample and simulated; they illustrate, they are no result. No key, no network.
    """
    from flask_eval.studies.demo import demo

    say("Sample models, a sample judge and simulated raters: they illustrate the tool, they are no result.")
    found = demo(directory, say)
    for name, result in found.results.items():
        say(f"   {name}: {outcomes_line(result['ratings'])}; coverage {percent(result['coverage'])}")
    click.echo(found.table, nl=False, err=json_file == "-")
    write_json(json_file, {"directory": directory, "report": str(found.report), "runs": found.results})
    hard, run = quote(str(found.data / "hard.txt")), quote(str(found.run))
    say(f"The page: {found.report.absolute().as_uri()}")
    say("Next:")
    say(f"  flask-eval slice {run} --by domain --slice {hard}")
    say(f"  flask-eval export {run} -o ratings.csv        every rating with its rationale")
    say("  flask-eval score YOUR-INSTANCES YOUR-RESPONSES --judge openai:gpt-5-mini -o runs/first --dry-run")
    return 0
