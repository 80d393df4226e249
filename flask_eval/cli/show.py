"""`flask-eval list` and `flask-eval show`: what ships with the tool."""

from __future__ import annotations

import json
from typing import Any

import click

from flask_eval.errors import UserError, for_terminal, nearest

KINDS = ("rubrics", "judges", "prompts", "annotations", "metrics", "schemas")


def _kind(text: str) -> str:
    known = {kind: kind for kind in KINDS} | {kind.rstrip("s"): kind for kind in KINDS}
    if text not in known:
        raise UserError(f"no kind is called '{text}'{nearest(text, KINDS)}")
    return known[text]


@click.command("list", short_help="List shipped rubric sets, judges, prompts, taxonomies, metrics.")
@click.argument("kind", required=False)
def list_command(kind: str | None) -> int:
    """List what ships with the tool: rubrics, judges, prompts, annotations, metrics, schemas; or one KIND."""
    for one in [_kind(kind)] if kind else KINDS:
        click.echo(f"{one}:")
        for name, text in _entries(one):
            click.echo(f"  {name:<18} {text}".rstrip())
    return 0


def _entries(kind: str) -> list[tuple[str, str]]:
    from flask_eval import content

    if kind == "metrics":
        from flask_eval.metrics import METRICS

        return [(f"metric:{name}", metric.description) for name, metric in METRICS.items()]
    if kind == "schemas":
        return [(name, f"JSON schema of a {name.replace('-', ' ')} file") for name in (*content.SCHEMAS, "study")]
    found = []
    for name in content.shipped(kind):
        if name.startswith("_"):
            continue
        found.append((name, _summary(kind, name)))
    return found


def _summary(kind: str, name: str) -> str:
    from flask_eval import content
    from flask_eval.schema import describe

    if kind == "rubrics":
        rubrics = content.load_rubrics(name)
        skills = "1 skill" if len(rubrics.skills) == 1 else f"{len(rubrics.skills)} skills"
        return f"{skills}, scale {describe(rubrics.scale)}"
    if kind == "judges":
        card = content.load_judge(name)
        return f"{card.adapter}, {card.model}" + (f" at {card.base_url}" if card.base_url else "")
    if kind == "annotations":
        taxonomy = content.load_taxonomy(name)
        return f"{len(taxonomy.domains)} domains, {len(taxonomy.difficulties)} levels of difficulty"
    return ""


@click.command("show", short_help="Show one of them.")
@click.argument("kind")
@click.argument("name")
def show_command(kind: str, name: str) -> int:
    """Show shipped content, or your file of that kind, as it stands: `flask-eval show rubrics flask`."""
    from flask_eval import content

    one = _kind(kind)
    if one == "metrics":
        from flask_eval.metrics import find_metric

        metric = find_metric(name.removeprefix("metric:"))
        click.echo(
            f"metric:{metric.name}\n{metric.description}\nscale {metric.scale[0]}-{metric.scale[1]}; {metric.note}"
        )
    elif one == "schemas":
        click.echo(json.dumps(_schema(name), indent=2, ensure_ascii=False))
    else:
        click.echo(for_terminal(content.text_of(content.find(one, name))), nl=False)
    return 0


def _schema(name: str) -> dict[str, Any]:
    """The JSON schema of a kind of YAML file."""
    from flask_eval import content

    if name == "study":
        from flask_eval.studies.study.shipped import study_schema

        return study_schema()
    if name not in content.SCHEMAS:
        raise UserError(f"no schema is called '{name}'{nearest(name, [*content.SCHEMAS, 'study'])}")
    return content.json_schema(name)
