"""`flask-eval check`: the user's own files, before anything is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flask_eval.cli.common import say
from flask_eval.errors import RecordError, UserError, for_terminal


@click.command("check", short_help="Check your own files: rubrics, judge cards, instances, responses ...")
@click.argument("files", nargs=-1, required=True)
@click.option("--rubrics", default="flask", show_default=True, help="The rubric set that instances' skills belong to.")
def check_command(files: tuple[str, ...], rubrics: str) -> int:
    """Check FILES: studies, rubric sets, judge cards, taxonomies, slices, prompts; instances, responses, ratings, completions.

    What a file holds is seen from its fields. Each file gets one line; exit 2 where one has a fault.
    """
    from flask_eval.content import load_rubrics

    faults = 0
    load_rubrics(rubrics)
    for name in files:
        try:
            said = _check(name, rubrics)
        except UserError as error:
            faults += 1
            for line in str(error).splitlines():
                say(f"flask-eval: {line}")
        else:
            click.echo(for_terminal(f"{name}: {said}"))
    return 2 if faults else 0


def _check(name: str, rubrics: str) -> str:
    if name == "-":
        return _standard_input(rubrics)
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return _yaml(path)
    if path.suffix == ".jinja":
        return _prompt(name, rubrics)
    if path.suffix == ".txt":
        from flask_eval.content import load_slice

        return f"slice '{path.stem}', {len(load_slice(name).ids or ())} ids, ok"
    return _table(name, rubrics)


def _standard_input(rubrics: str) -> str:
    """Standard input can be read once, and a check reads twice: by way of a file."""
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "standard-input.jsonl"
        copy.write_text(sys.stdin.read(), encoding="utf-8")
        try:
            return _table(str(copy), rubrics)
        except UserError as error:
            raise UserError(str(error).replace(str(copy), "standard input")) from None


def _yaml(path: Path) -> str:
    from flask_eval import content
    from flask_eval.errors import NotFoundError
    from flask_eval.prompting import open_prompt
    from flask_eval.records import load_placed_yaml, yaml_record
    from flask_eval.schema import JudgeCard, RubricSet, Slice, Taxonomy, describe

    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    text = content.text_of(path)
    data, _ = load_placed_yaml(text, str(path))
    keys = set(data) if isinstance(data, dict) else set()
    if "instances" in keys and keys & {"judges", "ratings", "models", "responses", "report"}:
        return _study(path)
    if "skills" in keys or "scale" in keys:
        rubrics = yaml_record(text, str(path), RubricSet)
        return f"rubric set '{rubrics.name}', {len(rubrics.skills)} skills, scale {describe(rubrics.scale)}, ok"
    if keys & {"adapter", "model", "prompt"}:
        yaml_record(text, str(path), JudgeCard)
        card = content.load_judge(str(path) if path.parent != Path() else f"./{path}")
        open_prompt(card, content.load_rubrics("flask"))
        return f"judge card '{card.name}', {card.adapter} {card.model}, ok"
    if keys & {"domains", "difficulties"}:
        taxonomy = yaml_record(text, str(path), Taxonomy)
        return f"taxonomy '{taxonomy.name}', {len(taxonomy.domains)} domains, {len(taxonomy.difficulties)} difficulties, ok"
    if keys & {"where", "ids"}:
        part = yaml_record(text, str(path), Slice)
        return f"slice '{part.name}', ok"
    raise RecordError(
        str(path), "is no study, rubric set, judge card, taxonomy or slice", "see `flask-eval list schemas`"
    )


def _study(path: Path) -> str:
    """A study with all that it names; servers and keys are looked at when it runs."""
    from flask_eval.studies.study import prepare, steps_of

    found = prepare(path)
    for note in found.notes:
        say(f"note: {note}")
    steps = [step.name for step in steps_of(found)]
    return (
        f"study '{found.study.name}', {len(found.instances):,} instances, {len(steps)} steps ({', '.join(steps)}), ok"
    )


def _prompt(name: str, rubrics: str) -> str:
    from flask_eval.content import load_rubrics
    from flask_eval.prompting import open_prompt
    from flask_eval.schema import JudgeCard

    prompt = open_prompt(JudgeCard(name="check", adapter="openai", model="none", prompt=name), load_rubrics(rubrics))
    return f"prompt, asks for {prompt.asks}, ok"


def _table(name: str, rubrics: str) -> str:
    from flask_eval.records import read_rows

    has: set[str] = set()
    for _, row in read_rows(name):
        has |= set(row)
    if {"rater", "skill"} <= has:
        from flask_eval.ratings import read_ratings

        return f"{len(read_ratings(name).ratings):,} ratings, ok"
    if "instance" in has and has & {"skill", "response_sample"}:
        from flask_eval.adapters.replay import open_replay

        open_replay(name)
        return "recorded completions, ok"
    if "instance" in has:
        from flask_eval.judging import read_responses

        found = read_responses(name)
        models = dict.fromkeys(r.model for r in found)
        named = f"{', '.join(list(models)[:5])}{' ...' if len(models) > 5 else ''}"
        return f"{len(found):,} responses (or recorded completions) by {named}, ok"
    return _instances(name, rubrics)


def _instances(name: str, rubrics: str) -> str:
    from flask_eval.content import check_skills, load_rubrics, load_taxonomy
    from flask_eval.judging import read_instances
    from flask_eval.prompting import check_rubrics

    places: dict[str, str] = {}
    found = read_instances(name, places=places)
    rubric_set, taxonomy = load_rubrics(rubrics), load_taxonomy()
    domains = {d.name for d in taxonomy.domains}
    levels = {d.level for d in taxonomy.difficulties}
    strange: dict[str, str] = {}
    for instance in found:
        place = places[instance.id]
        own = {s.name for s in instance.rubrics}
        named = [*instance.annotation.skills, *(i.skill for i in instance.checklist)]
        check_rubrics(instance, rubric_set, place)
        check_skills([s for s in named if s not in own], rubric_set, place)
        for domain in instance.annotation.domains:
            if domain not in domains:
                strange.setdefault(f"domain '{domain}'", place)
        level = instance.annotation.difficulty
        if level is not None and level not in levels:
            strange.setdefault(f"difficulty {level}", place)
    for what, place in list(strange.items())[:5]:
        say(f"note: {place}: {what} is not in the shipped taxonomy")
    bare = sum(not i.annotation.skills for i in found)
    said: dict[str, Any] = {"without skills": bare, "without a reference": sum(not i.reference for i in found)}
    notes = "".join(f", {n} {what}" for what, n in said.items() if n)
    return f"{len(found):,} instances{notes}, ok"
