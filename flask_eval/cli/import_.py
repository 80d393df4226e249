"""`flask-eval import`: other people's formats into ours."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from flask_eval.cli.common import json_option, say, write_json


class Importers(click.Group):
    """The importers; each is loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The formats that are known."""
        return ["flask", "ratings"]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The importer of that name."""
        if name == "ratings":
            from flask_eval.cli.import_ratings import ratings

            return ratings
        return super().get_command(ctx, name)


@click.group("import", cls=Importers, short_help="Turn other people's formats into ours.")
def import_command() -> None:
    """Turn other people's formats into ours."""


@import_command.command("flask")
@click.argument("evaluation", type=click.Path(path_type=Path))
@click.option(
    "--hard", type=click.Path(path_type=Path), metavar="FILE", help="FLASK-HARD; matched by text, never by number."
)
@click.option("--outputs", type=click.Path(path_type=Path), metavar="DIR", help="The models' outputs, a file a model.")
@click.option(
    "--prompts", type=click.Path(path_type=Path), metavar="RAW", help="What the models were prompted with, to compare."
)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="OUT", help="The folder to write.")
@json_option
def flask(
    evaluation: Path, hard: Path | None, outputs: Path | None, prompts: Path | None, out: Path, json_file: str | None
) -> int:
    """Turn FLASK's release into OUT/instances.jsonl, responses/MODEL.jsonl, hard.txt and warnings.jsonl.

    EVALUATION is flask_evaluation.jsonl, in its current or its older shape. Nothing is dropped or repaired in silence:
    whatever is odd becomes a warning with a code and the id.
    """
    from flask_eval.importing.flask import import_flask, summary, write_flask

    found = import_flask(evaluation, hard=hard, outputs=outputs, prompts=prompts)
    write_flask(found, out)
    result = summary(found)
    write_json(json_file, result)
    say(f"{result['instances']:,} instances -> {out / 'instances.jsonl'}")
    if hard:
        say(
            f"hard subset: {result['hard_matched']} of {result['hard']} matched ({result['hard_matched_by_prefix']} by prefix) -> {out / 'hard.txt'}"
        )
    if outputs:
        older = sorted(f.stem for f in (out / "responses").glob("*.jsonl") if f.stem not in result["responses"])
        if older:
            say(f"note: {out / 'responses'} also holds files of an earlier import: {', '.join(older[:5])}")
        say(
            f"responses: {sum(result['responses'].values()):,} by {len(result['responses'])} models -> {out / 'responses'}"
        )
    counts = Counter(warning["code"] for warning in result["warnings"])
    if counts:
        told = ", ".join(f"{n} {code}" for code, n in counts.most_common())
        say(f"warnings: {told} -> {out / 'warnings.jsonl'}")
    return 0
