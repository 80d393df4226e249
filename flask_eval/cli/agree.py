"""`flask-eval agree`: hold judges against people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flask_eval.cli.common import json_option, names_of, say, write_json
from flask_eval.cli.sources import open_sources, scales_of, source_options, tables_of
from flask_eval.errors import UserError


@click.command("agree", short_help="Hold judges against people: agreement, ceiling, verdict.")
@source_options
@click.option(
    "--by",
    multiple=True,
    metavar="DIM[,DIM]",
    help="domain, difficulty, source, model, group or a metadata key: a table for each value.",
)
@click.option(
    "--slice", "parts", multiple=True, metavar="S", help="Only these instances: a file of ids, or a YAML slice."
)
@click.option(
    "--judge", "judges", metavar="R,...", help="These raters are the judges (default: kind judge and metric)."
)
@click.option("--human", "humans", metavar="R,...", help="These raters are the people (default: kind human).")
@click.option(
    "--kappa-weights",
    type=click.Choice(["value", "position"]),
    default="value",
    show_default=True,
    help="How weighted kappas weigh.",
)
@click.option(
    "--epsilon",
    type=click.FloatRange(0, 1),
    default=0.15,
    show_default=True,
    help="What a person may be better by: .2 experts, .15 skilled, .1 crowd.",
)
@click.option(
    "--labelled",
    metavar="random|FILE",
    help="How the instances that people rated were chosen: random, or a CSV of instance,probability. Calibrated means need it.",
)
@click.option(
    "--curve",
    type=click.Choice(["isotonic", "linear"]),
    default="isotonic",
    show_default=True,
    help="Of the correction of the judge's severity.",
)
@click.option(
    "--corrected", metavar="FILE", help="Write the judge's scores, corrected to people's (cross-fitted), as a table."
)
@click.option("--certify", metavar="FILE", help="Write a certificate of what was shown, a JSON file (one judge).")
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="MEASURE=X",
    help="Certify by this minimum in place of the replaceability test.",
)
@click.option("--markdown", metavar="FILE", help="Write the tables and a methods paragraph as Markdown.")
@json_option
def agree_command(**options: Any) -> int:
    """Do the people agree, does the judge agree with them, and may it stand in for one of them?

    SOURCES are runs and ratings files with people and judges (`flask-eval import ratings` makes such files of other
    tables). Every figure has n and an interval, or the reason why there is none.

    \b
    Examples:
      flask-eval agree runs/a people.csv
      flask-eval agree runs/flask runs/agnostic runs/rouge people.csv --json study.json
      flask-eval agree ratings.csv --human ann,ben,cy --judge gpt --scale 1-5 --by domain
    """  # noqa: D301
    from flask_eval.analysis.agreeing import agree
    from flask_eval.content import load_slice
    from flask_eval.records import write_table
    from flask_eval.reporting.study_text import markdown, screen

    if options["thresholds"] and not options["certify"]:
        raise UserError("--threshold goes with --certify FILE")
    thresholds = thresholds_of(options["thresholds"])
    table = open_sources(options)
    for note in table.notes:
        say(f"note: {note}")
    study = agree(
        table,
        by=tables_of(options["by"]),
        slices=[load_slice(part) for part in options["parts"]],
        judges=names_of(options["judges"]) or None,
        humans=names_of(options["humans"]) or None,
        scales=scales_of(options["scales"], list(table.raters)),
        kappa_weights=options["kappa_weights"],
        epsilon=options["epsilon"],
        labelled=labelled_of(options["labelled"]),
        curve=options["curve"],
        confidence=options["confidence"],
        resamples=options["resamples"],
        seed=options["seed"],
    )
    result = study.to_dict()
    if options["certify"]:
        result["certificate"] = _certify(study, table, options["certify"], thresholds)
    write_json(options["json_file"], result)
    if options["corrected"]:
        write_table(options["corrected"], study.corrected)
        say(f"{len(study.corrected):,} corrected scores -> {options['corrected']}")
    if options["markdown"]:
        Path(options["markdown"]).write_text(markdown(study, table), encoding="utf-8")
    if options["json_file"] != "-":
        click.echo(screen(study, table))
    return 0


def thresholds_of(texts: tuple[str, ...]) -> dict[str, float]:
    """`--threshold MEASURE=X` as numbers."""
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UserError(f"--threshold {text}: write MEASURE=X, such as spearman=0.6") from None
    return found


def labelled_of(text: str | None) -> Any:
    """`--labelled`: the word random, or a file of probabilities."""
    if text is None or text == "random":
        return text
    from flask_eval.records import read_rows

    found = {}
    for place, row in read_rows(text):
        try:
            share = float(row["probability"])
            found[str(row["instance"])] = share
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{place}: needs instance and probability (above 0, at most 1)") from None
        if not 0 < share <= 1:
            raise UserError(f"{place}: probability {share:g} is not above 0 and at most 1")
    return found


def _certify(study: Any, table: Any, target: str, thresholds: dict[str, float]) -> dict[str, Any]:
    from datetime import UTC, datetime

    import flask_eval
    from flask_eval.analysis.certifying import certificate_of

    made = certificate_of(
        study,
        table,
        thresholds=thresholds,
        created=datetime.now(UTC).date().isoformat(),
        version=flask_eval.__version__,
    ).to_dict()
    write_json(target, made)
    counts = {
        status: sum(entry["status"] == status for entry in made["skills"])
        for status in ("certified", "tentative", "uncertified")
    }
    say(f"certificate of '{made['judge']}': {', '.join(f'{n} {status}' for status, n in counts.items())} -> {target}")
    return made
