"""Check a study before anything is called: files, names, cards, circles. All faults are told together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flask_eval.content import (
    check_skills,
    is_path,
    load_judge,
    load_rubrics,
    load_slice,
    load_taxonomy,
    shipped,
)
from flask_eval.errors import NotFoundError, UserError
from flask_eval.judging import read_instances, read_responses
from flask_eval.judging.inputs import in_slice
from flask_eval.metrics import find_metric
from flask_eval.prompting import open_prompt
from flask_eval.ratings import read_ratings
from flask_eval.records import files_of
from flask_eval.responding import name_of
from flask_eval.schema import Instance, JudgeCard, Response, Slice
from flask_eval.studies.study.checked import Asked, Checked, Collected, Path_
from flask_eval.studies.study.fitting import budget, circles, conclusions, empty_slices, names, same_model
from flask_eval.studies.study.reading import StudyFile
from flask_eval.studies.study.schema import JudgePart, ModelPart, Reached, SlicePart, changes_of


def check(file: StudyFile) -> Checked:
    """Read all that a study names; nothing is called and nothing is written.

    Raises:
        StudyError: something is missing, does not fit, or leads back to itself; all faults are told.
    """
    todo = Collected(file)
    found = Checked(file, Path(todo.beside(file.study.out)))
    circles(todo, found)
    with todo.at("rubrics"):
        found = replace(found, rubrics=load_rubrics(todo.own(file.study.rubrics)))
    with todo.at("instances", *(("file",) if _is_spelt_out(file, "instances") else ())):
        found = replace(found, instances=tuple(_instances(todo)))
    found = replace(found, responses=tuple(_responses(todo)), ratings=tuple(_ratings(todo)))
    found = replace(found, slices=tuple(_slices(todo)), **_raters(todo, found))
    names(todo, found)
    same_model(todo, found)
    budget(todo, found)
    empty_slices(todo, found)
    conclusions(todo, found)
    todo.raise_faults()
    return replace(found, notes=tuple(todo.notes))


def _is_spelt_out(file: StudyFile, *path: str | int) -> bool:
    return (*path, "file") in file.places.contents


def _instances(todo: Collected) -> list[Instance]:
    """The instances of the study: those of its slice, up to its limit."""
    part = todo.study.instances
    found = read_instances(todo.beside(part.file))
    if part.slice is not None:
        with todo.at("instances", "slice"):
            wanted = load_slice(_slice_source(todo, part.slice))
            found = [one for one in found if in_slice(wanted, one)]
            if not found:
                raise UserError(f"slice '{wanted.name}' holds none of the instances")
    return found[: part.limit]


def _slice_source(todo: Collected, text: str) -> str:
    """A file beside the study, else a rule."""
    path = todo.beside(text)
    return path if Path(path).is_file() or "=" not in text else text


def _responses(todo: Collected) -> list[Response]:
    found: dict[tuple[str, str, int], Response] = {}
    seen: dict[Path, str] = {}
    for number, name in enumerate(todo.study.responses):
        with todo.at("responses", number):
            source = todo.beside(name)
            where = Path(source).resolve()
            if where in seen:
                raise UserError(f"'{name}' stands twice; keep one")
            seen[where] = name
            for one in read_responses(source):
                key = (one.instance, one.model, one.sample)
                if key in found:
                    raise UserError(
                        f"{source}: the response of '{one.model}' to instance '{one.instance}' stands in another file "
                        "of this study too; keep one"
                    )
                found[key] = one
    return list(found.values())


def _ratings(todo: Collected) -> list[str]:
    found: list[str] = []
    for number, name in enumerate(todo.study.ratings):
        with todo.at("ratings", number):
            source = todo.beside(name)
            read_ratings(source)
            if source in found:
                raise UserError(f"'{name}' stands twice; keep one")
            found.append(source)
    return found


def _slices(todo: Collected) -> list[Slice]:
    found: dict[str, Slice] = {}
    for number, part in enumerate(todo.study.slices):
        with todo.at("slices", number):
            made = _slice(todo, part)
            if made.name in found:
                raise UserError(f"the slice '{made.name}' stands twice; give one of them another `name`")
            found[made.name] = todo.slices[number] = made
    return list(found.values())


def _slice(todo: Collected, part: SlicePart) -> Slice:
    if part.source is None:
        return Slice(name=part.name or "", where=part.where, ids=part.ids)
    found = load_slice(_slice_source(todo, part.source))
    return found if part.name is None else found.model_copy(update={"name": part.name})


# ---- who is called ------------------------------------------------------------------------------------------------


def _raters(todo: Collected, found: Checked) -> dict[str, Any]:
    """The annotators, the models and the judges, with their cards."""
    study = todo.study
    annotators: list[Asked] = []
    taxonomy = None
    if study.annotate is not None:
        for number, one in enumerate(study.annotate.judge):
            where: Path_ = ("annotate", "judge", number)
            with todo.at(*where):
                annotators.append(_asked(todo, one, where))
                _calls_a_model(annotators[-1], "annotate")
        with todo.at("annotate", "taxonomy"):
            taxonomy = load_taxonomy(todo.own(study.annotate.taxonomy or "taxonomy"))
    models = []
    for number, part in enumerate(study.models):
        with todo.at("models", number):
            models.append(_asked(todo, part, ("models", number)))
            _calls_a_model(models[-1], "answer")
            _model_files(todo, part, number)
    judges = []
    for number, rater in enumerate(study.judges):
        with todo.at("judges", number):
            judges.append(_asked(todo, rater, ("judges", number)))
            _check_rater(judges[-1].card, rater, found)
    return {"annotators": tuple(annotators), "taxonomy": taxonomy, "models": tuple(models), "judges": tuple(judges)}


def _asked(todo: Collected, part: Reached, path: Path_) -> Asked:
    return Asked(_card(todo, part), part, todo.file.at(*path))


def _card(todo: Collected, part: Reached) -> JudgeCard:
    """The card behind a part, with what the part says in its place."""
    changes = changes_of(part)
    if isinstance(part, JudgePart) and part.prompt is not None:
        changes["prompt"] = todo.own(part.prompt)
    if part.card is None:
        base = JudgeCard(name=part.name or part.model or "", adapter=part.adapter or "openai", model=part.model or "")
        base_url, model = changes.pop("base_url", None), None
    else:
        base = load_judge(_spec(todo, part.card))
        base_url, model = changes.pop("base_url", None), changes.pop("model", None)
    settings = {**base.settings, **changes.pop("settings", {})}
    card = load_judge(base, base_url=base_url, model=model)
    if isinstance(part, ModelPart) and part.card is not None and part.name is None:
        changes["name"] = name_of(part.card, card)  # as `respond` names it
    try:
        return card.model_validate({**card.model_dump(), **changes, "settings": settings})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        said = str(fault["msg"]).removeprefix("Value error, ")
        raise UserError(f"'{'.'.join(map(str, fault['loc']))}': {said}") from None


def _spec(todo: Collected, card: str) -> str:
    """A card's specification, its file seen from the working directory."""
    scheme, colon, rest = card.partition(":")
    if colon and scheme == "replay" and rest:
        return f"replay:{todo.beside(rest)}"
    if colon and scheme in ("openai", "anthropic", "litellm", "metric"):
        return card
    if card in shipped("judges") or not is_path(card):
        return card
    return todo.beside(card)


def _calls_a_model(asked: Asked, verb: str) -> None:
    if asked.card.adapter in ("replay", "metric"):
        raise UserError(f"'{asked.card.name}' calls no model, so it cannot {verb}; name a model's card")


def _model_files(todo: Collected, part: ModelPart, number: int) -> None:
    if part.shots is not None:
        read_instances(todo.beside(part.shots.file))
    if part.system is not None and part.system.startswith("@") and not Path(todo.beside(part.system[1:])).is_file():
        with todo.at("models", number, "system"):
            raise NotFoundError(f"{todo.beside(part.system[1:])}: no such file; @ before a system prompt names a file")


def _check_rater(card: JudgeCard, part: JudgePart, found: Checked) -> None:
    if card.adapter == "metric":
        find_metric(card.model)
        if part.samples > 1:
            raise UserError(f"'{card.name}' gives the same score each time; leave `samples` out")
        return
    if card.adapter == "replay":
        files_of(card.model)
    open_prompt(card, found.rubrics)
    check_skills(list(part.skills), found.rubrics, f"judge '{card.name}'")
