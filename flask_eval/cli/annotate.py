"""`flask-eval annotate`: domains, skills and difficulty for instances; checklists and references where asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flask_eval.cli.common import (
    calling_options,
    dollars,
    json_option,
    names_of,
    outcomes_line,
    percent,
    progress,
    say,
    spent_line,
    stoppable,
    write_json,
)
from flask_eval.errors import UserError


@click.command("annotate", short_help="Give instances domains, skills, difficulty, checklists, references.")
@click.argument("instances")
@click.option("--judge", help="Who annotates: a judge card, or ADAPTER:MODEL.")
@click.option("--annotators", metavar="J,...", help="Several annotators, whose votes are taken together.")
@click.option("--judge-model", metavar="M", help="Takes the place of the card's model.")
@click.option("--base-url", metavar="URL", help="A server that speaks the adapter's API.")
@click.option("-o", "--out", metavar="FILE", help="The instances with their annotation, as JSON lines.")
@click.option("--rubrics", default="flask", show_default=True, help="The rubric set whose skills may be chosen.")
@click.option("--taxonomy", default="flask", show_default=True, help="Domains and levels: shipped, or your file.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Skills of an instance, at most.")
@click.option("--only", metavar="FIELD,...", help="Only these of domains, skills, difficulty.")
@click.option("--overwrite", is_flag=True, help="Ask anew for what is there already.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Answers of each annotator.")
@click.option("--checklist", is_flag=True, help="Write at most five questions an instance, each tied to a skill.")
@click.option("--references", is_flag=True, help="Write missing references, marked with who wrote them.")
@click.option("--check", "human", metavar="HUMAN", help="Hold the annotation of INSTANCES against that of this file.")
@click.option("--settled", metavar="CSV", help="Apply a person's decisions on the list to settle; call nothing.")
@click.option("--settled-by", metavar="NAME", default="settled", show_default=True, help="Who decided.")
@click.option(
    "--settle-below",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Fields of a lower confidence go on the list to settle.",
)
@click.option("--prompts", metavar="DIR", help="A folder with your templates of the shipped names.")
@click.option("--dry-run", is_flag=True, help="Say calls, tokens and cost; call nothing.")
@click.option("--seed", type=int, default=0, show_default=True, help="Fixes the order in which criteria are shown.")
@click.option("--retry", metavar="OUTCOME,...", help="Ask again what came to these outcomes: unparsed, refused ...")
@click.option(
    "--confidence", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Of the intervals."
)
@calling_options("instances")
@json_option
def annotate_command(**options: Any) -> int:
    """Give INSTANCES what scoring needs, and write them to FILE.

    Asks for the domain, then for the skills (criteria without names, in a shuffled order), then for the difficulty. What
    is there already is kept. Every call is kept beside FILE, so the same command goes on after a stop. See
    `docs/annotate.md`.

    \b
    Examples:
      flask-eval annotate mine.jsonl --judge openai:gpt-5-mini -o annotated.jsonl --dry-run
      flask-eval annotate mine.jsonl --annotators a.yaml,b.yaml -o annotated.jsonl
      flask-eval annotate annotated.jsonl --settled annotated.settle.csv -o final.jsonl
      flask-eval annotate annotated.jsonl --check human.jsonl
      flask-eval annotate final.jsonl --slice hard.txt --judge openai:gpt-5 --checklist -o final.jsonl
    """  # noqa: D301
    _check_options(options)
    if options["human"] is not None:
        return _check(options)
    if options["settled"] is not None:
        return _settle(options)
    return _annotate(options)


def _check_options(options: dict[str, Any]) -> None:
    """Raise UserError where options contradict each other, or say too little."""
    asks = options["judge"] or options["annotators"]
    modes = [
        name
        for name, given in (("--check", options["human"]), ("--settled", options["settled"]), ("--judge", asks))
        if given
    ]
    if len(modes) > 1:
        raise UserError(f"{modes[0]} and {modes[1]} are two commands; give one of them")
    if not modes:
        raise UserError("--judge is missing: name who annotates (or --check HUMAN, or --settled CSV)")
    if options["out"] is None and not options["human"] and not options["dry_run"]:
        raise UserError("-o is missing: name the file of annotated instances, e.g. -o annotated.jsonl")


# ---- by models ------------------------------------------------------------------------------------------------------


def _cards(options: dict[str, Any]) -> list[Any]:
    from flask_eval.content import load_judge

    names = [*([options["judge"]] if options["judge"] else []), *names_of(options["annotators"])]
    if options["judge_model"] and len(names) > 1:
        raise UserError("--judge-model: with several annotators, name each one's model by its card or ADAPTER:MODEL")
    return [
        load_judge(name, model=options["judge_model"], base_url=options["base_url"]) for name in dict.fromkeys(names)
    ]


def _plan(options: dict[str, Any]) -> Any:
    from flask_eval.annotating import plan_annotation
    from flask_eval.content import load_rubrics, load_taxonomy
    from flask_eval.importing.hub import parse_mapping
    from flask_eval.judging.inputs import read_instances
    from flask_eval.judging.planning import chosen_instances

    cards = _cards(options)
    rubrics, taxonomy = load_rubrics(options["rubrics"]), load_taxonomy(options["taxonomy"])
    places: dict[str, str] = {}
    found = read_instances(options["instances"], mapping=parse_mapping(options["pairs"]), places=places)
    chosen = chosen_instances(found, options["part"])[: options["limit"]]
    return plan_annotation(
        found,
        cards,
        rubrics=rubrics,
        taxonomy=taxonomy,
        chosen=[one.id for one in chosen],
        only=names_of(options["only"]),
        top=options["top"],
        samples=options["samples"],
        overwrite=options["overwrite"],
        checklist=options["checklist"],
        references=options["references"],
        seed=options["seed"],
        prompts=options["prompts"],
        places=places,
    )


def _annotate(options: dict[str, Any]) -> int:
    plan = _plan(options)
    for note in plan.notes:
        say(f"note: {note}")
    if options["dry_run"]:
        return _dry_run(plan, options)
    from flask_eval.annotating import annotate
    from flask_eval.calling.asking import Asking

    total = sum(plan.asks(step, plan.instances) for step in plan.steps)
    with stoppable(), progress("annotating", total) as show:
        done = annotate(
            plan,
            out=Path(options["out"]),
            source=options["instances"],
            how=Asking(concurrency=options["concurrency"], budget=options["budget"]),
            retry=names_of(options["retry"]),
            durable=options["durable"],
            settle_below=options["settle_below"],
            on_progress=lambda n, _, tally: show(n, _words(tally)),
        )
    result = done.result
    if len(plan.cards) * plan.samples > 1:
        result["agreement"] = _agreement(done, options)
    write_json(options["json_file"], result)
    _tell(result)
    if done.stopped_by:
        say(f"stopped: {done.stopped_by}; {result['left']:,} answers are left, the same command goes on")
        return 3
    return 0


def _words(tally: Any) -> str:
    failed = f", {tally.failed} failed" if tally.failed else ""
    return f"{tally.answered:,} calls{failed}" + (f", {tally.cost_usd:.2f} USD" if tally.cost_usd else "")


def _dry_run(plan: Any, options: dict[str, Any]) -> int:
    found = plan.estimate(options["out"])
    write_json(options["json_file"], found)
    by = ", ".join(f"{name} {n:,}" for name, n in found["by_field"].items())
    tokens, usd = found["tokens"], found["cost_usd"]
    say(f"{found['instances']:,} instances, {found['calls']:,} calls ({by}); nothing was sent")
    say(
        f"tokens: {tokens['input']:,} input ({tokens['cacheable']:,} of them a start that an earlier request shares), "
        f"about {tokens['output']:,} output (assumed)"
    )
    if usd["sync"] is None:
        say(f"cost: unknown; {found['undefined']['cost_usd']}")
    else:
        say(f"cost: {dollars(usd['sync'])}; {dollars(usd['cached'])} with prompt caching")
    return 0


def _tell(result: dict[str, Any]) -> None:
    say(f"{result['annotated']:,} of {result['instances']:,} instances have every field; written to {result['file']}")
    for name, counts in result["by_field"].items():
        say(f"{name}: {outcomes_line(counts)}")
    if result["repeated"]:
        say(f"{result['repeated']:,} choices named a label twice; the repeat counts as out of range")
    _tell_written(result)
    for row in result.get("agreement", {}).get("fields", []):
        say(_agreement_line(row))
    if result["settle"]["rows"]:
        say(f"{result['settle']['rows']:,} fields to settle: fill in `decision` in {result['settle']['file']}")
    if result["calls"]["sent"]:
        say(spent_line(result))
    elif not result["left"]:
        say("nothing was asked: every answer is there already")
    if result.get("last_error"):
        say(f"the last error: {result['last_error']}; the same command asks failed calls again")


def _tell_written(result: dict[str, Any]) -> None:
    """Checklists and references."""
    if "checklist" in result:
        own = result["checklist"]
        dropped = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in own["dropped"].items() if n)
        say(f"checklists: {own['questions']:,} questions" + (f"; left out: {dropped}" if dropped else ""))
        if own["without_skills"]:
            say(f"{own['without_skills']:,} instances have no skill with a rubric, so no checklist")
    if "references" in result:
        say(f"references: {result['references']['written']:,} written, {result['references']['kept']:,} kept")


# ---- by people ------------------------------------------------------------------------------------------------------


def _settle(options: dict[str, Any]) -> int:
    from flask_eval.annotating.outputs import check_target, write_instances
    from flask_eval.annotating.settling import settle
    from flask_eval.content import load_rubrics, load_taxonomy
    from flask_eval.importing.hub import parse_mapping
    from flask_eval.judging.inputs import read_instances

    check_target(options["out"])
    done = settle(
        read_instances(options["instances"], mapping=parse_mapping(options["pairs"])),
        options["settled"],
        taxonomy=load_taxonomy(options["taxonomy"]),
        rubrics=load_rubrics(options["rubrics"]),
        by=options["settled_by"],
    )
    write_instances(options["out"], done.instances)
    decided = sum(done.decisions.values())
    write_json(
        options["json_file"],
        {
            "instances": len(done.instances),
            "decisions": decided,
            "by_field": dict(done.decisions),
            "undecided": done.undecided,
            "file": str(options["out"]),
        },
    )
    say(f"{decided:,} decisions applied, {done.undecided:,} rows without one; written to {options['out']}")
    return 0


def _check(options: dict[str, Any]) -> int:
    """Say how far the annotation of one file agrees with that of another."""
    from flask_eval.analysis.labelling import check_annotations
    from flask_eval.judging.inputs import read_instances
    from flask_eval.judging.planning import chosen_instances

    own = chosen_instances(read_instances(options["instances"]), options["part"])[: options["limit"]]
    human = read_instances(options["human"])
    result = check_annotations(own, human, confidence=options["confidence"])
    if not result["instances"]:
        raise UserError(f"--check {options['human']}: has none of the {len(own)} instances; the ids must be the same")
    write_json(options["json_file"], result)
    say(f"{result['instances']:,} instances are in both files; {options['confidence']:.0%} intervals")
    for name in ("skills", "domains"):
        say(_sets_line(name, result[name]))
    say(_levels_line(result["difficulty"]))
    return 0


def _value(row: dict[str, Any], name: str, *, share: bool = False) -> str:
    """A measure with its interval, or why there is none."""
    value = row.get("measures", row)[name]
    if value is None:
        return f"undefined ({row['undefined'][name]})"
    ends = row["intervals"][name]
    shown = [percent(x) if share else f"{x:.3f}" for x in (value, *(ends or ()))]
    return shown[0] + (f" [{shown[1]}, {shown[2]}]" if ends else "")


def _sets_line(name: str, row: dict[str, Any]) -> str:
    if not row["n"]:
        return f"{name}: the other file has none"
    parts = [f"accepted {_value(row, 'accepted', share=True)} of {row['n_labels']:,} labels"]
    parts += [f"{part} {_value(row, part, share=True)}" for part in ("precision", "recall")]
    chance = "" if row["chance"] is None else f"; by chance {percent(row['chance'])} would be accepted"
    missing = f"; {row['n_missing']:,} without a label here" if row["n_missing"] else ""
    return f"{name}: {', '.join(parts)}, on {row['n']:,} instances{missing}{chance}"


def _levels_line(row: dict[str, Any]) -> str:
    if not row["n"]:
        return "difficulty: no instance has a level in both files"
    parts = [f"{name} {_value(row, name)}" for name in ("spearman", "kendall", "pearson", "alpha_ordinal")]
    exact = f"exact {_value(row, 'exact', share=True)}, by chance {percent(row['chance'])}"
    missing = f"; {row['n_missing']:,} without a level here" if row["n_missing"] else ""
    return f"difficulty: {', '.join(parts)}, {exact}, on {row['n']:,} instances{missing}"


# ---- between annotators ---------------------------------------------------------------------------------------------


def _agreement(done: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Agreement between annotators, and of each with itself, for every field that was asked for."""
    from flask_eval.analysis.labelling import Labelled, agreement_on_labels

    clusters = {one.id: one.cluster or one.id for one in done.instances}
    rows: list[dict[str, Any]] = []
    names = done.result["annotators"]
    for field in ("domains", "skills", "difficulty"):
        answers = [a for a in done.answers if a.field == field]
        sets: list[tuple[str, list[str], list[Labelled]]] = []
        if len(names) > 1:
            between = [Labelled((a.instance, a.sample), a.annotator, a.labels, clusters[a.instance]) for a in answers]
            sets.append(("annotators", names, between))
        if done.result["samples"] > 1:
            for name in names:
                own = [a for a in answers if a.annotator == name]
                within = [Labelled(a.instance, f"{name}#{a.sample + 1}", a.labels, clusters[a.instance]) for a in own]
                sets.append(("samples", [name], within))
        for of, who, labelled in sets:
            if labelled:
                made = agreement_on_labels(labelled, ordinal=field == "difficulty", confidence=options["confidence"])
                rows.append({"field": field, "of": of, "annotators": who, **made})
    return {"confidence": options["confidence"], "fields": rows}


def _agreement_line(row: dict[str, Any]) -> str:
    who = " and ".join(row["annotators"]) + (" with itself" if row["of"] == "samples" else "")
    name = "alpha_ordinal" if row["field"] == "difficulty" else "alpha_nominal"
    return (
        f"{row['field']}, {who}: {name} {_value(row, name)}, the same {_value(row, 'exact', share=True)}, "
        f"on {row['n']:,} units"
    )
