"""Check a study before anything is called: files, names, cards, circles. All faults are told together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flask_eval.analysis.comparing.gates import OVERALL
from flask_eval.calling.price import price_of
from flask_eval.content import (
    check_skills,
    is_path,
    load_judge,
    load_rubrics,
    load_slice,
    load_taxonomy,
    shipped,
)
from flask_eval.errors import NotFoundError, UserError, nearest
from flask_eval.judging import open_run, read_instances, read_responses
from flask_eval.judging.inputs import in_slice
from flask_eval.metrics import find_metric
from flask_eval.prompting import open_prompt
from flask_eval.ratings import DIMENSIONS, read_ratings
from flask_eval.records import files_of
from flask_eval.reporting.images import check_images
from flask_eval.schema import Instance, JudgeCard, Response, RubricSet, Slice, Taxonomy
from flask_eval.studies.study.reading import StudyError, StudyFile
from flask_eval.studies.study.schema import JudgePart, ModelPart, Reached, SlicePart, Study, beside, changes_of

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Asked:
    """A model that the study calls.

    Attributes:
        card: its card, with the study file's changes.
        part: what the study file says of it.
        place: `file:line:column`.
    """

    card: JudgeCard
    part: Reached
    place: str


@dataclass(frozen=True)
class Checked:
    """A study whose inputs were read and found in order.

    Attributes:
        file: the study file.
        out: the study's folder.
        instances: those of the study, before they are annotated.
        responses: those that are there already.
        ratings: files of people's ratings.
        rubrics: the rubric set.
        annotators: who annotates, if anybody.
        taxonomy: what annotators choose domains and levels from.
        models: whom the study asks for responses.
        judges: who rates.
        slices: parts that tables show.
        notes: what the user should know.
    """

    file: StudyFile
    out: Path
    instances: tuple[Instance, ...] = ()
    responses: tuple[Response, ...] = ()
    ratings: tuple[str, ...] = ()
    rubrics: RubricSet = field(default_factory=lambda: load_rubrics("flask"))
    annotators: tuple[Asked, ...] = ()
    taxonomy: Taxonomy | None = None
    models: tuple[Asked, ...] = ()
    judges: tuple[Asked, ...] = ()
    slices: tuple[Slice, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def study(self) -> Study:
        """What the file says."""
        return self.file.study

    def beside(self, name: str) -> str:
        """A path of the study file, seen from the working directory."""
        return beside(self.file.path.parent, name)

    @property
    def page(self) -> Path:
        """Where the page is written."""
        path = self.study.report.path
        return Path(self.beside(path)) if path else self.out / "report.html"


class _Check:
    """Collects faults, each with its place."""

    def __init__(self, file: StudyFile) -> None:
        self.file, self.study, self.folder = file, file.study, file.path.parent
        self.faults: list[tuple[int, int, str]] = []
        self.notes: list[str] = []
        self.slices: dict[int, Slice] = {}

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """A user's error inside is a fault at this place."""
        try:
            yield
        except UserError as error:
            self.fault(str(error), *path)

    def fault(self, text: str, *path: str | int) -> None:
        """Note a fault of a path."""
        self.fault_at(self.file.at(*path), text)

    def fault_at(self, place: str, text: str) -> None:
        """Note a fault of a place."""
        line, column = (int(part) for part in place.rsplit(":", 2)[1:])
        for option in ("--judge ", "--slice "):
            text = text.removeprefix(option)
        self.faults.append((line, column, f"{place}: {text}"))

    def beside(self, name: str) -> str:
        """A path of the study file, seen from the working directory."""
        return beside(self.folder, name)

    def own(self, name: str) -> str:
        """A shipped name as it is, a path seen from the working directory."""
        return self.beside(name) if is_path(name) else name

    def raise_faults(self) -> None:
        """Raise StudyError where there are faults."""
        if self.faults:
            raise StudyError([text for *_, text in sorted(dict.fromkeys(self.faults))])


def check(file: StudyFile) -> Checked:
    """Read all that a study names; nothing is called and nothing is written.

    Raises:
        StudyError: something is missing, does not fit, or leads back to itself; all faults are told.
    """
    todo = _Check(file)
    found = Checked(file, Path(todo.beside(file.study.out)))
    _circles(todo, found)
    with todo.at("rubrics"):
        found = replace(found, rubrics=load_rubrics(todo.own(file.study.rubrics)))
    with todo.at("instances", *(("file",) if _is_spelt_out(file, "instances") else ())):
        found = replace(found, instances=tuple(_instances(todo)))
    found = replace(found, responses=tuple(_responses(todo)), ratings=tuple(_ratings(todo)))
    found = replace(found, slices=tuple(_slices(todo)), **_raters(todo, found))
    _names(todo, found)
    _same_model(todo, found)
    _budget(todo, found)
    _empty_slices(todo, found)
    _conclusions(todo, found)
    todo.raise_faults()
    return replace(found, notes=tuple(todo.notes))


def _is_spelt_out(file: StudyFile, *path: str | int) -> bool:
    return (*path, "file") in file.places.contents


def _instances(todo: _Check) -> list[Instance]:
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


def _slice_source(todo: _Check, text: str) -> str:
    """A file beside the study, else a rule."""
    path = todo.beside(text)
    return path if Path(path).is_file() or "=" not in text else text


def _responses(todo: _Check) -> list[Response]:
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


def _ratings(todo: _Check) -> list[str]:
    found: list[str] = []
    for number, name in enumerate(todo.study.ratings):
        with todo.at("ratings", number):
            source = todo.beside(name)
            read_ratings(source)
            if source in found:
                raise UserError(f"'{name}' stands twice; keep one")
            found.append(source)
    return found


def _slices(todo: _Check) -> list[Slice]:
    found: dict[str, Slice] = {}
    for number, part in enumerate(todo.study.slices):
        with todo.at("slices", number):
            made = _slice(todo, part)
            if made.name in found:
                raise UserError(f"the slice '{made.name}' stands twice; give one of them another `name`")
            found[made.name] = todo.slices[number] = made
    return list(found.values())


def _slice(todo: _Check, part: SlicePart) -> Slice:
    if part.source is None:
        return Slice(name=part.name or "", where=part.where, ids=part.ids)
    found = load_slice(_slice_source(todo, part.source))
    return found if part.name is None else found.model_copy(update={"name": part.name})


# ---- who is called ------------------------------------------------------------------------------------------------


def _raters(todo: _Check, found: Checked) -> dict[str, Any]:
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


def _asked(todo: _Check, part: Reached, path: Path_) -> Asked:
    return Asked(_card(todo, part), part, todo.file.at(*path))


def _card(todo: _Check, part: Reached) -> JudgeCard:
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
    try:
        return card.model_validate({**card.model_dump(), **changes, "settings": settings})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        said = str(fault["msg"]).removeprefix("Value error, ")
        raise UserError(f"'{'.'.join(map(str, fault['loc']))}': {said}") from None


def _spec(todo: _Check, card: str) -> str:
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


def _model_files(todo: _Check, part: ModelPart, number: int) -> None:
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


# ---- what holds between the parts ---------------------------------------------------------------------------------


def _names(todo: _Check, found: Checked) -> None:
    """Names that stand twice."""
    judges: dict[str, str] = {}
    for one in found.judges:
        if one.card.name in judges:
            first = judges[one.card.name]
            todo.fault_at(
                one.place, f"the judge '{one.card.name}' stands twice (first at {first}); give one another `name`"
            )
        judges.setdefault(one.card.name, one.place)
    answered = dict.fromkeys(one.model for one in found.responses)
    models: dict[str, str] = {}
    for one in found.models:
        name = one.card.name
        if name in models or name in answered:
            first = models.get(name) or "the responses' files"
            todo.fault_at(one.place, f"the model '{name}' stands twice (first at {first}); give one another `name`")
        models.setdefault(name, one.place)


def _circles(todo: _Check, found: Checked) -> None:
    """What the study reads must not be what it writes."""
    study, out = todo.study, found.out.resolve()
    if out.exists() and not out.is_dir():
        todo.fault(f"{found.out}: is a file; name a folder", "out")
    if todo.file.path.resolve().is_relative_to(out):
        todo.fault(f"out '{study.out}' holds the study file itself; name a folder of its own, such as results", "out")
        return
    reads: list[tuple[str, Path_]] = [(study.instances.file, ("instances",))]
    reads += [(name, ("responses", k)) for k, name in enumerate(study.responses)]
    reads += [(name, ("ratings", k)) for k, name in enumerate(study.ratings)]
    reads += [(m.shots.file, ("models", k, "shots")) for k, m in enumerate(study.models) if m.shots]
    if study.compare.fail_if_worse_than:
        reads.append((study.compare.fail_if_worse_than, ("compare", "fail_if_worse_than")))
    page = found.page.resolve()
    for name, path in reads:
        where = Path(todo.beside(name)).resolve()
        if where.is_relative_to(out):
            what = "the study would read its own results" if where.exists() else "only the study itself writes there"
            todo.fault(f"'{name}' lies in `out` ({study.out}): {what}; name a file outside it", *path)
        if page == where:
            todo.fault(f"the page would take the place of '{name}'; name another file", "report", "path")
    if page == todo.file.path.resolve():
        todo.fault("the page would take the place of the study file; name another file", "report", "path")


def _same_model(todo: _Check, found: Checked) -> None:
    """A judge may favour its own responses: told, not refused."""
    judged = {(m.card.adapter, m.card.model): m.card.name for m in found.models}
    for judge in found.judges:
        name = judged.get((judge.card.adapter, judge.card.model))
        if name is not None:
            todo.notes.append(
                f"{judge.place}: the judge '{judge.card.name}' is the judged model '{name}'; models tend to favour "
                "their own responses, so let another judge rate too"
            )


def _budget(todo: _Check, found: Checked) -> None:
    """A budget needs prices."""
    if todo.study.budget is None:
        return
    for one in (*found.annotators, *found.models, *found.judges):
        if price_of(one.card) is None:
            todo.fault(
                f"budget {todo.study.budget:g}: no price is known for '{one.card.model}'; add `price` to '{one.card.name}'",
                "budget",
            )


def _empty_slices(todo: _Check, found: Checked) -> None:
    """Slices that hold no instance; what is still to be annotated cannot be told."""
    for number, made in todo.slices.items():
        if not found.instances or (found.annotators and made.ids is None):
            continue
        if not any(in_slice(made, one) for one in found.instances):
            todo.fault(f"slice '{made.name}' holds none of the {len(found.instances)} instances", "slices", number)


def _conclusions(todo: _Check, found: Checked) -> None:
    """What the last steps would stumble over: dimensions, skills, packages."""
    study = todo.study
    known = [*DIMENSIONS, *dict.fromkeys(key for one in found.instances for key in one.metadata)]
    for part, by in (("agree", study.agree.by), ("compare", study.compare.by)):
        for name in (name.strip() for one in by for name in one.split(",") if name.strip()):
            if found.instances and name not in known:
                todo.fault(f"there is no dimension '{name}'{nearest(name, known)}", part, "by")
    own = {skill.name for one in found.instances for skill in one.rubrics}
    skills = [*(skill.name for skill in found.rubrics.skills), *sorted(own), OVERALL]
    for name in study.compare.fail_under or {}:
        if name not in skills:
            todo.fault(f"no skill is called '{name}'{nearest(name, skills)}", "compare", "fail_under")
    if study.compare.fail_if_worse_than:
        with todo.at("compare", "fail_if_worse_than"):
            open_run(todo.beside(study.compare.fail_if_worse_than))
    rater = study.compare.rater
    if rater is not None and found.judges and rater not in (names := [one.card.name for one in found.judges]):
        todo.fault(f"no judge is called '{rater}'{nearest(rater, names)}", "compare", "rater")
    if study.report.png:
        with todo.at("report", "png"):
            check_images()
