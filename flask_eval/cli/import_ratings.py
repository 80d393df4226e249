"""`flask-eval import ratings`: tables of ratings into the long table."""

from __future__ import annotations

from typing import Any

import click

from flask_eval.cli.common import json_option, say, write_json


@click.command("ratings", short_help="Turn a table of ratings, of almost any shape, into a ratings file.")
@click.argument("file")
@click.option("--instance", required=True, metavar="C", help="The instance's id: a source, see below.")
@click.option(
    "--scores",
    multiple=True,
    required=True,
    metavar="C,...",
    help="Columns or dotted paths that hold scores; a pattern such as 'crowd_*' is all columns that fit.",
)
@click.option(
    "--columns",
    type=click.Choice(["raters", "skills", "models"]),
    help="What several score columns, or the fields within a cell, are; raters where left out.",
)
@click.option(
    "--list",
    "lists",
    metavar="raters|samples",
    help="What the places of a list in a cell are; lists within lists, outermost first: raters,instances.",
)
@click.option("--skill", metavar="C|=TEXT", help="The skill; 'overall' where nothing says it.")
@click.option("--rater", metavar="C|=TEXT", help="Who rated; where left out, the column's name.")
@click.option(
    "--rater-names",
    metavar="A,B,...",
    help="The persons behind the places of a list of raters, or the two of --contingency.",
)
@click.option("--model", metavar="C|=TEXT", help="Whose response was rated.")
@click.option("--versus", metavar="C", help="The other model of a pairwise verdict (score -1, 0 or 1).")
@click.option("--sample", metavar="C", help="Which of several ratings by the same rater; a whole number.")
@click.option("--response-sample", metavar="C", help="Which of several responses of the model; a whole number.")
@click.option("--item", metavar="C", help="The checklist question.")
@click.option("--variant", metavar="C", help="The condition under which the rater rated (prompt, packing).")
@click.option("--rationale", metavar="C", help="The reasons; a list beside a list of scores goes place by place.")
@click.option("--outcome", metavar="C", help="Why a score is missing, where the table says it.")
@click.option(
    "--kind",
    type=click.Choice(["human", "judge", "metric"]),
    default="human",
    show_default=True,
    help="The raters' kind.",
)
@click.option("--anonymous-raters", is_flag=True, help="Raters are places only: NAME#1, NAME#2 ...; claim no identity.")
@click.option("--where", multiple=True, metavar="C=VALUE", help="Only such rows (C!=VALUE: only others); may repeat.")
@click.option(
    "--labels", multiple=True, metavar="A=1,B=2,...", help="The numbers that texts stand for, whatever their case."
)
@click.option("--missing", multiple=True, metavar="TEXT[=OUTCOME]", help="A text that means no score; may repeat.")
@click.option("--missing-outcome", metavar="OUTCOME|drop", help="The outcome of missing scores; see below.")
@click.option("--keep", type=click.Choice(["first", "last"]), help="Which of two different scores of one rating stays.")
@click.option("--counts", is_flag=True, help="Cells count raters: columns, fields or places are categories.")
@click.option(
    "--contingency", metavar="C|#", help="The first rater's value; columns are the second's values, cells count units."
)
@click.option(
    "-o", "--out", required=True, metavar="FILE", help="ratings.csv, .jsonl or .parquet (also .csv.gz, .jsonl.gz)."
)
@json_option
def ratings(file: str, out: str, json_file: str | None, **options: Any) -> int:
    """Turn FILE (CSV, JSONL, JSON, Parquet, .gz, a folder of them, - for JSON lines) into a ratings file.

    \b
    A source C is
      a column, or a dotted path into nested fields      --instance item   --scores mean_human.coherence
      =TEXT, the same for all rows                       --skill =preference
      # , the row's number from 1                        --instance '#'
      A+B or {A}/{B}, columns put together               --rater judge+method
      C~REGEX, a part of a column (the first group)      --model 'item~/(.*)'

    \b
    A long table, and a column a rater:
      flask-eval import ratings t.csv --instance id --skill aspect --rater judge --scores score --kind judge -o r.csv
      flask-eval import ratings t.csv --instance id --skill =safety --scores ann,bob,cem -o r.csv
    A column a skill, and fields within a cell ({"coherence": 4, "fluency": 5}):
      flask-eval import ratings t.csv --instance id --scores coherence,fluency --columns skills --rater who -o r.csv
      flask-eval import ratings t.jsonl --instance id --scores ratings --columns skills --rater who -o r.csv
    A list in a cell: several raters, or several samples of one rater:
      flask-eval import ratings t.jsonl --instance id --skill aspect --scores crowd --list raters -o r.csv
      flask-eval import ratings t.jsonl --instance id --scores scores --list samples --rater judge --kind judge -o r.csv
    Counts for each category, and a contingency table of two raters:
      flask-eval import ratings t.csv --instance unit --scores '*' --counts -o r.csv
      flask-eval import ratings t.csv --instance =unit --scores yes,no --contingency first -o r.csv

    Each place of a list is taken as one rater, the same throughout: NAME-1, NAME-2 ..., or as --rater-names says. Where
    places are no persons (any three of a crowd, sorted values), --anonymous-raters names them NAME#1, NAME#2 ..., of whom
    no figure of a single one is given. Raters who are counted are always such.

    A missing score (an empty cell, null, a field that the row lacks) stays in the table with an outcome, and is counted:
    not_applicable for people, who may rate a part only and do not count against coverage for it; unparsed for judges and
    metrics, which were asked and do. --missing-outcome names another, or 'drop', which gives such cells no rating.
    --missing N/A makes a text a missing score (not_applicable for N/A and the like); --missing garbage=refused says its
    outcome.

    Texts that are numbers are numbers (4.0 is 4). Other texts stay as labels if a rater uses nothing else for that skill;
    beside numbers they are refused, until --labels or --missing says what they mean. NaN and Infinity are refused.
    Repeated ratings that agree are counted once; those that do not are refused, unless --keep says which one stays.
    """  # noqa: D301 (click's mark for lines kept as they are)
    from flask_eval.importing.tables import check_target, import_ratings, summary, write_ratings

    check_target(out)
    found = import_ratings(file, table_options(**options))
    write_ratings(found, out)
    result = summary(found)
    write_json(json_file, result)
    say(
        f"{_several(result['ratings'], 'rating')} by {_several(len(found.raters), 'rater')} for "
        f"{_several(len(found.skills), 'skill')}, {_several(result['instances'], 'instance')}, "
        f"{_several(result['models'], 'model')} -> {out}"
    )
    if found.missing:
        told = ", ".join(f"{n:,} {outcome}" for outcome, n in found.missing.items())
        say(f"without a score: {told}")
    for note in found.notes:
        say(f"note: {note}")
    return 0


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def table_options(
    *,
    scores: tuple[str, ...],
    lists: str | None,
    rater_names: str | None,
    where: tuple[str, ...],
    labels: tuple[str, ...],
    missing: tuple[str, ...],
    **plain: Any,
) -> Any:
    """The options as they are typed, read and checked against each other.

    Raises:
        UserError: an option is not understood, or two contradict each other.
    """
    from flask_eval.importing import tables

    return tables.TableOptions(
        scores=tuple(name for text in scores for name in tables.parse_list("--scores", text)),
        lists=tables.parse_list("--list", lists or ""),
        rater_names=tables.parse_list("--rater-names", rater_names or ""),
        where=tuple(tables.parse_condition(text) for text in where),
        labels=tables.parse_labels(labels),
        missing=tables.parse_missing(missing),
        **plain,
    )
