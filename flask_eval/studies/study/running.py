"""Run a study: steps whose inputs have not changed are skipped, the others resume; a stop leaves the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flask_eval
from flask_eval.errors import UserError, nearest
from flask_eval.ledger import RunLock
from flask_eval.reporting.filenames import slug
from flask_eval.studies.study.answering import annotation_faults, instance_step
from flask_eval.studies.study.asking import respond_steps
from flask_eval.studies.study.checked import Asked, Checked
from flask_eval.studies.study.checking import check
from flask_eval.studies.study.concluding import Concluding
from flask_eval.studies.study.digests import of_output
from flask_eval.studies.study.rating import plan_faults, score_steps
from flask_eval.studies.study.reading import StudyError, read_study
from flask_eval.studies.study.servers import faults_of
from flask_eval.studies.study.state import Done, State
from flask_eval.studies.study.steps import STAGES, Ended, Session, Show, Step


@dataclass(frozen=True, slots=True)
class StepReport:
    """What became of a step, or would."""

    step: str
    status: str
    """`skipped` (nothing has changed), `done`, `stopped`, `left` (after a stop), `left out` (by `only`) or `to do`."""
    why: str = ""
    """Why it is done: what has changed."""
    words: str = ""
    missed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    result: dict[str, Any] = field(default_factory=dict)
    """The step's result record; of a plan: calls, tokens and cost."""


@dataclass(frozen=True)
class StudyRun:
    """What `run_study` did or would do.

    Attributes:
        study: the study's name.
        out: its folder.
        page: the page.
        steps: what became of each step, in order.
        notes: what the user should know.
        spent: US dollars of this command.
        stopped_by: why work is left; empty where none is.
    """

    study: str
    out: Path
    page: Path
    steps: tuple[StepReport, ...]
    notes: tuple[str, ...] = ()
    spent: float = 0.0
    stopped_by: str = ""

    @property
    def missed(self) -> tuple[str, ...]:
        """Thresholds that were missed."""
        return tuple(reason for step in self.steps for reason in step.missed)

    def to_dict(self) -> dict[str, Any]:
        """The result record (`run --json`)."""
        return {
            "study": self.study,
            "out": str(self.out),
            "page": str(self.page),
            "steps": [
                {
                    "step": one.step,
                    "status": one.status,
                    "why": one.why,
                    "missed": list(one.missed),
                    "notes": list(one.notes),
                    "result": one.result,
                }
                for one in self.steps
            ],
            "cost_usd": self.spent,
            "stopped_by": self.stopped_by or None,
            "notes": list(self.notes),
        }


def prepare(path: str | Path) -> Checked:
    """Read a study file and all that it names, and see whether instances, annotators and judges fit together.

    Raises:
        StudyError: they do not, or the file has faults; nothing was called.
    """
    checked = check(read_study(path))
    faults = [*annotation_faults(checked), *plan_faults(checked)]
    if faults:
        raise StudyError(list(dict.fromkeys(faults)))
    return checked


def steps_of(checked: Checked) -> list[Step]:
    """The steps of a study, in order."""
    first = instance_step(checked)
    asked = _places(checked.out / "responses", checked.models, ".jsonl")
    runs = _places(checked.out / "runs", checked.judges)
    responding = respond_steps(checked, (first.name,), asked)
    before = (first.name, *(step.name for step in responding))
    scoring = score_steps(checked, before, asked, runs)
    needs = (*before, *(step.name for step in scoring))
    return [first, *responding, *scoring, *Concluding(checked, asked, runs, needs).steps()]


def _places(folder: Path, called: Iterable[Asked], suffix: str = "") -> dict[str, Path]:
    """The place of each model or judge; two names that a file system would hold for one get a number."""
    found: dict[str, Path] = {}
    for one in called:
        stem = slug(one.card.name)
        name, count = stem, 1
        while folder / f"{name}{suffix}" in found.values():
            count += 1
            name = f"{stem}-{count}"
        found[one.card.name] = folder / f"{name}{suffix}"
    return found


def run_study(
    path: str | Path,
    *,
    dry_run: bool = False,
    force: Collection[str] = (),
    only: Collection[str] = (),
    budget: float | None = None,
    concurrency: int | None = None,
    tell: Callable[[StepReport], None] = lambda _: None,
    progress: Callable[[str, int], AbstractContextManager[Show]] | None = None,
    first_wait: float = 0.5,
) -> StudyRun:
    """Run a study from instances to the page; a repeat goes on where an earlier one stopped.

    Args:
        path: the study file.
        dry_run: say what would be done, with calls, tokens and cost; nothing is called and nothing is written.
        force: steps (or stages) that are done again although nothing has changed; recorded calls are used.
        only: steps (or stages) that are done, the others left as they are.
        budget: US dollars that this command may spend, in place of the file's.
        concurrency: requests in flight, in place of the file's.
        tell: told of each step as it ends.
        progress: shows how far a step is: takes a label and a total, gives a function of how much is done, and words.
        first_wait: seconds before the second attempt of a call.

    Raises:
        StudyError: the file has faults, a server does not have a model, or a key is missing; all are told, nothing was called.
        UserError: a step's own input does not fit.
    """
    checked = prepare(path)
    steps = steps_of(checked)
    asked = _named(steps, only, "--only") or {step.name for step in steps}
    forced = _named(steps, force, "--force")
    if dry_run:
        reports = _planned(steps, State(checked.out, checked.study.name), asked, forced)
        return StudyRun(checked.study.name, checked.out, checked.page, tuple(reports), checked.notes)
    study = checked.study
    session = Session(
        budget=study.budget if budget is None else budget,
        concurrency=concurrency or study.concurrency,
        durable=study.durable,
        first_wait=first_wait,
    )
    if progress is not None:
        session.progress = progress
    before = State(checked.out, study.name)
    _check_servers(checked, [step for step, why in _whys(steps, before, asked, forced) if why])
    checked.out.mkdir(parents=True, exist_ok=True)
    lock = RunLock(checked.out)
    try:
        done = _Work(steps, State(checked.out, study.name), session, tell).all(asked, forced)
    finally:
        lock.close()
    stopped = next((one.words for one in done if one.status == "stopped"), "")
    return StudyRun(study.name, checked.out, checked.page, tuple(done), checked.notes, session.spent, stopped)


def _named(steps: list[Step], names: Iterable[str], option: str) -> set[str]:
    """The steps behind names of steps and stages."""
    found: set[str] = set()
    for name in names:
        meant = {step.name for step in steps if name in (step.name, step.stage)}
        if not meant:
            known = [*dict.fromkeys(step.stage for step in steps), *(step.name for step in steps)]
            other = " (this study has no such step)" if name in STAGES else ""
            raise UserError(f"{option} {name}: no step is called '{name}'{other}{nearest(name, known)}")
        found |= meant
    return found


def _check_servers(checked: Checked, steps: list[Step]) -> None:
    """Raise StudyError where a model that is about to be called cannot be."""
    names = {step.name for step in steps}
    called: list[Asked] = [
        *(checked.annotators if "annotate" in names else ()),
        *(one for one in checked.models if f"respond:{one.card.name}" in names),
        *(one for one in checked.judges if f"score:{one.card.name}" in names),
    ]
    faults = faults_of(one for one in called if one.card.adapter not in ("replay", "metric"))
    if faults:
        raise StudyError(faults)


def why_of(step: Step, done: Done | None, *, forced: bool = False) -> str:
    """Why a step has to be done; empty where nothing that shaped it has changed and all that it wrote is there."""
    if done is None:
        return "new"
    if not done.complete:
        return "it was not finished"
    inputs = _inputs(step)
    changed = [name for name in {**done.inputs, **inputs} if done.inputs.get(name) != inputs.get(name)]
    if changed:
        return f"changed: {', '.join(changed)}"
    if any(of_output(path) != done.outputs.get(path.name) for path in step.outputs):
        return "what it wrote is gone or was changed"
    return "forced" if forced else ""


def _inputs(step: Step) -> dict[str, str]:
    return {**step.inputs(), "version": flask_eval.__version__}


def _whys(steps: list[Step], state: State, asked: set[str], forced: set[str]) -> list[tuple[Step, str]]:
    """Each step with the reason why it would be done, as far as can be told before the steps before it are."""
    todo: dict[str, str] = {}
    for step in steps:
        if step.name not in asked:
            continue
        behind = next((name for name in step.needs if todo.get(name)), None)
        done = state.get(step.name)
        todo[step.name] = f"after {behind}" if behind else why_of(step, done, forced=step.name in forced)
    return [(step, todo.get(step.name, "")) for step in steps]


def _planned(steps: list[Step], state: State, asked: set[str], forced: set[str]) -> list[StepReport]:
    """What would be done, with calls, tokens and cost."""
    found = []
    whys = _whys(steps, state, asked, forced)
    coming = {step.name for step, why in whys if why and step.stage != "instances"}
    for step, why in whys:
        if step.name not in asked:
            found.append(StepReport(step.name, "left out"))
        elif not why:
            found.append(StepReport(step.name, "skipped", "nothing has changed"))
        else:
            result = step.estimate(coming.isdisjoint(step.needs)) if step.estimate else {}
            found.append(StepReport(step.name, "to do", why, result=result))
    return found


class _Work:
    """Goes through the steps."""

    def __init__(self, steps: list[Step], state: State, session: Session, tell: Callable[[StepReport], None]) -> None:
        self._steps, self._state, self._session, self._tell = steps, state, session, tell

    def all(self, asked: set[str], forced: set[str]) -> list[StepReport]:
        """Do what is to be done, up to a stop."""
        self._state.keep({step.name for step in self._steps})
        done: list[StepReport] = []
        for step in self._steps:
            if done and done[-1].status in ("stopped", "left"):
                report = StepReport(
                    step.name, "left", words=f"after {done[-1].step}" if done[-1].status == "stopped" else ""
                )
            elif step.name not in asked:
                report = StepReport(step.name, "left out")
            else:
                report = self._one(step, forced=step.name in forced)
            self._tell(report)
            done.append(report)
        return done

    def _one(self, step: Step, *, forced: bool) -> StepReport:
        self._needs(step)
        before = self._state.get(step.name)
        why = why_of(step, before, forced=forced)
        if not why and before is not None:
            return StepReport(step.name, "skipped", "nothing has changed", missed=before.missed, result=before.result)
        self._keep_edits(step, before, forced=forced)
        inputs = _inputs(step)
        if step.renew is not None and (before is None or before.inputs != inputs):
            step.renew()
        self._state.put(step.name, Done(inputs))
        ended = step.run(self._session)
        if not ended.stopped_by:
            self._state.put(step.name, _left_by(step, inputs, ended))
        status, words = ("stopped", ended.stopped_by) if ended.stopped_by else ("done", ended.words)
        return StepReport(step.name, status, why, words, ended.missed, ended.notes, ended.result)

    def _needs(self, step: Step) -> None:
        """Raise UserError where `only` leaves out a step that never ran."""
        for other in self._steps:
            if other.name in step.needs and not all(path.exists() for path in other.outputs):
                raise UserError(f"--only {step.stage}: {other.name} has not run yet; name it too, or leave --only out")

    @staticmethod
    def _keep_edits(step: Step, before: Done | None, *, forced: bool) -> None:
        """Raise UserError where somebody's changes would be overwritten."""
        if not step.edited or forced or before is None or not before.complete:
            return
        for path in step.outputs:
            if path.exists() and of_output(path) != before.outputs.get(path.name):
                raise UserError(
                    f"{path}: was changed since the study wrote it, and would be overwritten; move it elsewhere and name "
                    f"it in the study file, or say --force {step.stage}"
                )


def _left_by(step: Step, inputs: dict[str, str], ended: Ended) -> Done:
    """What is remembered of a step; its inputs are those that it began with."""
    outputs = {path.name: of_output(path) or "" for path in step.outputs}
    return Done(inputs, outputs, ended.complete, ended.missed, ended.result)
