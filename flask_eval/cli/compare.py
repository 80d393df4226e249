"""`flask-eval compare`: models held against each other, instance by instance."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flask_eval.cli.common import json_option, names_of, say, write_json
from flask_eval.cli.sources import open_sources, source_options, tables_of
from flask_eval.errors import UserError


@click.command("compare", short_help="Which models differ, on what, and what could have been found.")
@source_options
@click.option(
    "--models",
    "asked",
    metavar="A,B",
    help="Only these models (as --model); of two: is the second better than the first?",
)
@click.option(
    "--by",
    multiple=True,
    metavar="DIM[,DIM]",
    help="Also within parts: domain, difficulty, source, group or a metadata key; a,b crosses, a repeat adds a table.",
)
@click.option(
    "--slice", "parts", multiple=True, metavar="S", help="Also within these instances: a file of ids, or a rule."
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Call two models tied where their difference is shown to lie within X (two one-sided tests).",
)
@click.option(
    "--adjust",
    type=click.Choice(["holm", "bh"]),
    default="holm",
    show_default=True,
    help="Correct for many tests: Holm (no false difference at all) or Benjamini-Hochberg (few among those found).",
)
@click.option(
    "--fail-under",
    metavar="SKILL=X,...",
    help="Exit 1 where a model's mean is lower, or missing; overall=X: the macro mean.",
)
@click.option(
    "--fail-if-worse-than",
    "baseline",
    metavar="RUN",
    help="Exit 1 where a model is significantly worse than in this run.",
)
@click.option("--markdown", metavar="FILE", help="Write every row as tables.")
@json_option
def compare_command(**options: Any) -> int:
    """Is B better than A, and on what? Models are held against each other on the instances that both have scores for.

    SOURCES are runs and ratings files; each rater stands by itself. Every difference has an interval, an adjusted p (q), n,
    and the difference that this data would have found.

    \b
    Examples:
      flask-eval compare runs/a
      flask-eval compare runs/a --models old,new --margin 0.1
      flask-eval compare runs/a --by difficulty --slice flask/hard.txt
      flask-eval compare runs/new --fail-under overall=4,factuality=3.5 --fail-if-worse-than runs/old
    """  # noqa: D301
    from flask_eval.analysis.coding import coded
    from flask_eval.analysis.comparing import compare
    from flask_eval.content import load_slice
    from flask_eval.reporting.comparison_text import covered, markdown, screen

    asked = _asked(options)
    table = open_sources(options)
    if len(table.models) < 2 and asked:
        raise UserError(f"--models {options['asked']}: these ratings hold one model only; nothing to compare it with")
    settings = {name: options[name] for name in ("adjust", "confidence", "resamples", "seed")}
    data = coded(table)
    slices = [load_slice(part) for part in options["parts"]]
    found = compare(data, by=tables_of(options["by"]), slices=slices, margin=options["margin"], **settings)
    gates = _gates(table, options, settings)
    write_json(options["json_file"], found.to_dict() | {"gates": [asdict(gate) for gate in gates]})
    if options["markdown"]:
        Path(options["markdown"]).write_text(markdown(found, table), encoding="utf-8")
    if options["json_file"] != "-":
        click.echo(screen(found, table, asked))
    if thin := covered(_coverage(data)):
        say(thin)
    missed = [gate for gate in gates if not gate.passed]
    for gate in gates:
        if not gate.passed or (gate.gate == "fail_if_worse_than" and gate.skill is None):
            say(f"{'missed' if not gate.passed else 'kept'}: {gate.reason}")
    return 1 if missed else 0


def _asked(options: dict[str, Any]) -> list[str]:
    """The models of `--models`, which takes the place of `--model`."""
    asked = names_of(options["asked"])
    if options["asked"] is None:
        return names_of(options["models"])
    if options["models"]:
        raise UserError("--models and --model are the same here; give one of them")
    if len(set(asked)) < 2:
        raise UserError(f"--models {options['asked']}: name at least two different models, such as --models old,new")
    options["models"] = options["asked"]
    return asked


def _coverage(data: Any) -> dict[str, float | None]:
    """Each model's lowest coverage, over the raters."""
    from flask_eval.analysis.coverage import outcome_counts

    found: dict[str, float | None] = {}
    for row in outcome_counts(data):
        if row.coverage is not None:
            found[row.model] = min(row.coverage, found.get(row.model) or 1.0)
    return found


def _gates(table: Any, options: dict[str, Any], settings: dict[str, Any]) -> list[Any]:
    """Every threshold that the user set, kept or missed."""
    from flask_eval.analysis.comparing.gates import beside_baseline, fail_under, thresholds_of, worse_than

    gates: list[Any] = []
    if options["fail_under"] is not None:
        gates += fail_under(table, thresholds_of(options["fail_under"], table.skills))
    if options["baseline"] is not None:
        before = open_sources({**options, "sources": (options["baseline"],), "models": None})
        both, matched = beside_baseline(table, before)
        gates += worse_than(both, matched, margin=options["margin"], **settings)
    return gates
