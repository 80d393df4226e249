"""`flask-eval run`: a whole study from one file."""

from __future__ import annotations

from typing import Any

import click

from flask_eval.cli.common import dollars, json_option, names_of, progress, say, stoppable, write_json


@click.command("run", short_help="A whole study from one file: from instances to the page.")
@click.argument("study")
@click.option("--dry-run", is_flag=True, help="Say each step with calls, tokens and cost; call and write nothing.")
@click.option(
    "--only",
    metavar="STEP,...",
    help="Only these steps: annotate, respond, score, agree, compare, report, or score:JUDGE.",
)
@click.option(
    "--force", metavar="STEP,...", help="Do these again although nothing has changed; recorded calls are used."
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="Stop before this much is spent, in place of the file's.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), metavar="N", help="Requests in flight, in place of the file's."
)
@json_option
def run_command(study: str, json_file: str | None, **options: Any) -> int:
    """Run STUDY, a YAML file: annotate, ask the models, score, hold judges against people, compare, write the page.

    Every step resumes, and is skipped where nothing that shaped it has changed. Nothing is called before the whole file was
    checked; its faults are told with line and column. `flask-eval init DIR` writes a study to start from.

    \b
    Examples:
      flask-eval run study.yaml --dry-run
      flask-eval run study.yaml
      flask-eval run study.yaml --only compare,report --force report
    """  # noqa: D301
    from flask_eval.studies.study import StudyError, run_study

    try:
        with stoppable():
            done = run_study(
                study,
                dry_run=options["dry_run"],
                only=names_of(options["only"]),
                force=names_of(options["force"]),
                budget=options["budget"],
                concurrency=options["concurrency"],
                tell=_tell,
                progress=progress,
            )
    except StudyError as error:
        for fault in error.faults:
            say(f"flask-eval: {fault}")
        return 2
    for note in done.notes:
        say(f"note: {note}")
    write_json(json_file, done.to_dict())
    if options["dry_run"]:
        _say_plan(done)
        return 0
    if done.stopped_by:
        say(f"stopped: {done.stopped_by}; the same command goes on")
        return 3
    for reason in done.missed:
        say(f"missed: {reason}")
    say(f"The page: {done.page.absolute().as_uri()}" if done.page.exists() else f"results: {done.out}/")
    return 1 if done.missed else 0


def _tell(step: Any) -> None:
    """A line a step as it ends."""
    why = f" ({step.why})" if step.why else ""
    say(f"{step.step}: {step.status}{why}{f': {step.words}' if step.words else ''}")
    for note in step.notes:
        say(f"  note: {note}")


def _say_plan(done: Any) -> None:
    """Each step, with what it would take, and the sum."""
    calls, cost, unknown = 0, 0.0, []
    for step in done.steps:
        found = step.result
        say(f"{step.step}: {step.status}{f' ({step.why})' if step.why else ''}{_takes(found)}")
        calls += found.get("calls", 0)
        usd = found.get("cost_usd", {}).get("sync", 0.0)
        if usd is None:
            unknown.append(step.step)
        cost += usd or 0.0
    upper = "at most " if any(step.result.get("upper") for step in done.steps) else ""
    more = f" without {', '.join(unknown)}, whose price is not known" if unknown else ""
    say(f"in all {upper}{calls:,} calls, {dollars(cost)}{more}; nothing was sent, nothing was written")


def _takes(found: dict[str, Any]) -> str:
    if not found:
        return ""
    tokens, usd = found["tokens"], found["cost_usd"]["sync"]
    shown = "unknown cost" if usd is None else dollars(usd)
    return (
        f": {'at most ' if found['upper'] else ''}{found['calls']:,} calls, {tokens['input']:,} input and about "
        f"{tokens['output']:,} output tokens, {shown}"
    )
