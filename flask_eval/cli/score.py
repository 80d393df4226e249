"""`flask-eval score`: judge responses skill by skill, into a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flask_eval.cli.common import (
    calling_options,
    dollars,
    json_option,
    load_certificate,
    names_of,
    outcomes_line,
    percent,
    progress,
    say,
    spent_line,
    stoppable,
    without_line,
    write_json,
)


@click.command("score", short_help="Judge responses skill by skill, into a run.")
@click.argument("instances")
@click.argument("responses", nargs=-1, required=True)
@click.option("--judge", required=True, help="A judge card, ADAPTER:MODEL, replay:FILE or metric:NAME.")
@click.option("--judge-model", metavar="M", help="Takes the place of the card's model.")
@click.option(
    "--base-url", metavar="URL", help="A server that speaks the adapter's API, e.g. http://127.0.0.1:8000/v1."
)
@click.option("--rubrics", default="flask", show_default=True, help="A shipped rubric set, or your file.")
@click.option("--prompt", help="A shipped prompt (flask, skill_agnostic, checklist), or your template.")
@click.option("-o", "--out", metavar="RUN", help="The run's folder; a repeat goes on where it stopped.")
@click.option("--dry-run", is_flag=True, help="Say cells, calls, tokens and cost; call nothing.")
@click.option("--skills", metavar="S,...", help="Rate these skills in place of the annotated ones.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Verdicts on each response.")
@click.option("--packing", default="all", show_default=True, help="Skills in one call: all, one, or a number.")
@click.option("--seed", type=int, default=0, show_default=True, help="Kept with the run.")
@click.option("--retry", metavar="OUTCOME,...", help="Ask again what came to these outcomes: unparsed, refused ...")
@click.option(
    "--empty",
    type=click.Choice(["missing", "lowest"]),
    default="missing",
    show_default=True,
    help="What an empty response counts as.",
)
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Exit 1 where a smaller share of ratings is scored.",
)
@click.option("--certificate", metavar="F", help="Mark each skill by a certificate that `agree --certify` wrote.")
@click.option("--without-references-by", metavar="WHO,...", help="Leave out the references that these wrote.")
@calling_options("cells")
@json_option
def score_command(**options: Any) -> int:
    """Judge RESPONSES to INSTANCES skill by skill, and keep every call in RUN.

    INSTANCES and RESPONSES are JSONL, CSV or Parquet files, folders of them, or hub sets (hf:ORG/NAME); see
    `docs/files.md`. The same command goes on after a stop, and asks nothing again that is recorded.

    \b
    Examples:
      flask-eval score instances.jsonl responses/ --judge openai:gpt-5-mini -o runs/a --dry-run
      flask-eval score instances.jsonl responses/ --judge local --base-url http://127.0.0.1:8000/v1 -o runs/b
      flask-eval score instances.jsonl responses/ --judge metric:rouge_l -o runs/baseline
    """  # noqa: D301
    from flask_eval.importing.hub import parse_mapping
    from flask_eval.judging import plan as make_plan

    plan = make_plan(
        options["instances"],
        list(options["responses"]),
        judge=options["judge"],
        rubrics=options["rubrics"],
        prompt=options["prompt"],
        model=options["judge_model"],
        base_url=options["base_url"],
        samples=options["samples"],
        packing=options["packing"],
        limit=options["limit"],
        part=options["part"],
        skills=names_of(options["skills"]) or None,
        empty=options["empty"],
        seed=options["seed"],
        mapping=parse_mapping(options["pairs"]),
        without_references_by=names_of(options["without_references_by"]),
    )
    for note in plan.notes:
        say(f"note: {note}")
    if options["dry_run"]:
        return _dry_run(plan, options)
    return _score(plan, options)


def _dry_run(plan: Any, options: dict[str, Any]) -> int:
    from flask_eval.judging.estimate import estimate

    found = estimate(plan, options["out"], concurrency=options["concurrency"])
    write_json(options["json_file"], found)
    tokens = found["tokens"]
    say(f"{found['cells']:,} cells in {found['calls']:,} calls; nothing was sent")
    say(
        f"tokens: {tokens['input']:,} input ({tokens['cacheable']:,} of them a start that an earlier request shares), "
        f"about {tokens['output']:,} output (assumed, {found['output_tokens_per_rating']} a rating)"
    )
    usd = found["cost_usd"]
    if usd["sync"] is None:
        say(f"cost: unknown; {found['undefined']['cost_usd']}")
    else:
        say(
            f"cost: {dollars(usd['sync'])}; {dollars(usd['cached'])} with prompt caching; {dollars(usd['batch'])} in a batch"
        )
    return 0


def _score(plan: Any, options: dict[str, Any]) -> int:
    from flask_eval.errors import UserError
    from flask_eval.judging import score

    certificate = load_certificate(options["certificate"])
    if options["out"] is None:
        raise UserError("-o is missing: name the run's folder, e.g. -o runs/first (or say --dry-run)")
    with stoppable(), progress("judging", len(plan.cells)) as show:
        done = score(
            plan,
            out=Path(options["out"]),
            concurrency=options["concurrency"],
            budget=options["budget"],
            retry=names_of(options["retry"]),
            durable=options["durable"],
            on_progress=lambda p: show(p.judged, _words(p)),
        )
    result = done.result
    if certificate is not None:
        result["certificate"] = _marks(certificate, plan)
    write_json(options["json_file"], result)
    _tell(result, plan.notes)
    if done.stopped_by:
        say(f"stopped: {done.stopped_by}; {result['cells']['left']:,} cells are left, the same command goes on")
        return 3
    if options["min_coverage"] is not None and (result["coverage"] or 0.0) < options["min_coverage"]:
        say(f"coverage {percent(result['coverage'])} is below --min-coverage {options['min_coverage']}")
        return 1
    return 0


def _marks(certificate: Any, plan: Any) -> dict[str, dict[str, str]]:
    """What the certificate says of each skill that the plan rates."""
    from flask_eval.analysis.certifying import statuses

    skills = list(dict.fromkeys(skill for cell in plan.cells for skill in cell.skills))
    found = statuses(certificate, plan.card.name, plan.config(), skills)
    for status in ("certified", "tentative", "uncertified"):
        names = [skill for skill, (own, _) in found.items() if own == status]
        if names:
            say(f"{status}: {', '.join(names)}")
    return {skill: {"status": status, "reason": reason} for skill, (status, reason) in found.items()}


def _words(progress: Any) -> str:
    tally = progress.tally
    parts = [f"{tally.answered:,} calls"]
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    if tally.cost_usd:
        parts.append(f"{tally.cost_usd:.2f} USD")
    return ", ".join(parts)


def _tell(result: dict[str, Any], plan_notes: tuple[str, ...]) -> None:
    cells, calls = result["cells"], result["calls"]
    if not calls["sent"] and result["nothing_to_do"]:
        say("nothing to do: the run holds every cell already")
    say(f"{cells['judged']:,} of {cells['planned']:,} cells judged; ratings: {outcomes_line(result['ratings'])}")
    say(f"coverage {percent(result['coverage'])}")
    without = {m: n for m, n in result["without_response"].items() if n}
    if without:
        say(without_line(without))
    if calls["sent"]:
        say(spent_line(result))
    for note in result["notes"][len(plan_notes) :]:
        say(f"note: {note}")
    if result["ratings"].get("failed"):
        why = f" (the last: {result['last_error']})" if result.get("last_error") else ""
        say(f"{result['ratings']['failed']:,} ratings failed{why}; the same command asks them again")
    if result.get("unknown_properties"):
        say(f"{result['unknown_properties']} properties that nobody asked for were ignored")
    if result.get("note"):
        say(result["note"])
