"""What has to hold between the parts of a study: names, circles, prices, slices, dimensions."""

from __future__ import annotations

from pathlib import Path

from flask_eval.analysis.comparing.gates import OVERALL
from flask_eval.calling.price import price_of
from flask_eval.errors import nearest
from flask_eval.judging import open_run
from flask_eval.judging.inputs import in_slice
from flask_eval.ratings import DIMENSIONS
from flask_eval.reporting.images import check_images
from flask_eval.reporting.models_table import read_models_table
from flask_eval.studies.study.checked import Checked, Collected, Path_


def names(todo: Collected, found: Checked) -> None:
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


def circles(todo: Collected, found: Checked) -> None:
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


def same_model(todo: Collected, found: Checked) -> None:
    """A judge may favour its own responses: told, not refused."""
    judged = {(m.card.adapter, m.card.model): m.card.name for m in found.models}
    for judge in found.judges:
        name = judged.get((judge.card.adapter, judge.card.model))
        if name is not None:
            todo.notes.append(
                f"{judge.place}: the judge '{judge.card.name}' is the judged model '{name}'; models tend to favour "
                "their own responses, so let another judge rate too"
            )


def budget(todo: Collected, found: Checked) -> None:
    """A budget needs prices."""
    if todo.study.budget is None:
        return
    for one in (*found.annotators, *found.models, *found.judges):
        if price_of(one.card) is None:
            todo.fault(
                f"budget {todo.study.budget:g}: no price is known for '{one.card.model}'; add `price` to '{one.card.name}'",
                "budget",
            )


def empty_slices(todo: Collected, found: Checked) -> None:
    """Slices that hold no instance; what is still to be annotated cannot be told."""
    for number, made in todo.slices.items():
        if not found.instances or (found.annotators and made.ids is None):
            continue
        if not any(in_slice(made, one) for one in found.instances):
            todo.fault(f"slice '{made.name}' holds none of the {len(found.instances)} instances", "slices", number)


def conclusions(todo: Collected, found: Checked) -> None:
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
    _page(todo, skills)


def _page(todo: Collected, skills: list[str]) -> None:
    """What the page would stumble over: weights, the table of models, pictures."""
    part = todo.study.report
    weights = part.weights or {}
    for name in weights:
        if name not in skills or name == OVERALL:
            todo.fault(f"no skill is called '{name}'{nearest(name, skills)}", "report", "weights")
    if part.weights is not None and not any(weights.values()):
        todo.fault("at least one weight must be above 0", "report", "weights")
    if part.models_table is not None:
        with todo.at("report", "models_table"):
            read_models_table(todo.beside(part.models_table))
    if part.png:
        with todo.at("report", "png"):
            check_images()
