"""`flask-eval report`: one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flask_eval.cli.agree import labelled_of
from flask_eval.cli.common import load_certificate, say
from flask_eval.cli.sources import open_sources, source_options
from flask_eval.errors import UserError

_WRITTEN = {
    "png": "each figure as PNG and SVG",
    "svg": "the page's own figures as SVG",
    "csv": "the same numbers, a table a file",
    "markdown": "the page's tables",
}


@click.command("report", short_help="Write one self-contained page from runs and ratings.")
@source_options
@click.option("-o", "--out", required=True, metavar="FILE", help="The page, e.g. report.html.")
@click.option(
    "--slice", "parts", multiple=True, metavar="S", help="Shown beside the full set: a file of ids, or a YAML slice."
)
@click.option("--title", help="The page's title.")
@click.option("--json", "json_file", metavar="FILE", help="Write the same numbers as JSON.")
@click.option("--certificate", metavar="F", help="Mark each skill as certified, tentative or uncertified by this file.")
@click.option("--no-study", is_flag=True, help="Leave out the agreement study where there are people and judges.")
@click.option(
    "--labelled",
    metavar="random|FILE",
    help="How the instances that people rated were chosen: random, or a CSV of instance,probability.",
)
@click.option(
    "--items", is_flag=True, help="List single items: instruction, responses, scores, rationales, with filters."
)
@click.option(
    "--items-limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many items (200), those where models or raters lie furthest apart first; implies --items.",
)
@click.option(
    "--responses", "responses", multiple=True, metavar="F", help="The responses of ratings files, for --items."
)
@click.option(
    "--weights",
    metavar="SKILL=W,...",
    help="Your mix of skills; those not named weigh nothing. The page can change it.",
)
@click.option("--models-table", metavar="F", help="A table of model, price, speed: what quality costs.")
@click.option("--interactive", is_flag=True, help="Add interactive figures; plotly stands in the page then (5 MB).")
@click.option("--png", metavar="DIR", help="Write each figure as PNG and SVG, by plotly: needs flask-eval[images].")
@click.option("--svg", metavar="DIR", help="Write the page's own figures as SVG files.")
@click.option("--csv", metavar="DIR", help="Write the same numbers as CSV, a table a file.")
@click.option("--markdown", metavar="FILE", help="Write the page's tables as Markdown.")
def report_command(out: str, parts: tuple[str, ...], title: str | None, json_file: str | None, **options: Any) -> int:
    """Write one page that needs no network and no script: the answer in words, coverage and outcomes, radars, tables.

    SOURCES are runs and ratings files; several are put together, each rater stands by itself. With people and judges (or
    metrics) among them, the page shows how they agree, as `flask-eval agree` does.

    \b
    Examples:
      flask-eval report runs/a --slice flask/hard.txt -o report.html
      flask-eval report runs/a people.csv --certificate judge.json -o report.html
      flask-eval report runs/a --weights factuality=3,conciseness=1 --models-table prices.csv -o report.html
      flask-eval report runs/a --interactive --svg figures --csv tables --markdown tables.md -o report.html
    """  # noqa: D301
    from flask_eval.analysis.skill_means import weights_of
    from flask_eval.content import load_slice
    from flask_eval.judging import read_responses
    from flask_eval.reporting import report
    from flask_eval.reporting.images import check_images
    from flask_eval.reporting.items import LIMIT
    from flask_eval.reporting.models_table import read_models_table

    if options["png"]:
        check_images()
    limit = options["items_limit"] or (LIMIT if options["items"] else None)
    if options["responses"] and limit is None:
        raise UserError("--responses F: texts are shown with the items only; add --items")
    certificate = load_certificate(options["certificate"])
    known = read_models_table(options["models_table"]) if options["models_table"] else None
    table = open_sources(options)
    titles = {skill: table.title(skill) for skill in table.skills}
    weights = weights_of(options["weights"], titles) if options["weights"] is not None else None
    for note in known.notes(table.models) if known else ():
        say(note)
    studies = [] if options["no_study"] else _studies(table, options)
    path = report(
        table,
        *studies,
        path=out,
        title=title,
        slices=[load_slice(part) for part in parts],
        data=json_file,
        confidence=options["confidence"],
        resamples=options["resamples"],
        seed=options["seed"],
        certificate=certificate,
        items=limit,
        interactive=options["interactive"],
        weights=weights,
        models_table=known,
        **{name: options[name] for name in ("png", "svg", "csv", "markdown")},
        responses=read_responses(*options["responses"]) if options["responses"] else (),
    )
    size = Path(path).stat().st_size / 1000
    say(f"{path} ({size:,.0f} kB): one file, opens from disk")
    for name in ("png", "svg", "csv", "markdown"):
        if options[name]:
            say(f"{options[name]}: {_WRITTEN[name]}")
    return 0


def _studies(table: Any, options: dict[str, Any]) -> list[Any]:
    """The agreement study, where there is somebody to hold against people."""
    kinds = set(table.raters.values())
    if "human" not in kinds or kinds == {"human"}:
        return []
    from flask_eval.analysis.agreeing import agree

    labelled = labelled_of(options["labelled"])
    settings = {name: options[name] for name in ("confidence", "resamples", "seed")}
    return [agree(table, labelled=labelled, **settings)]
