"""Carry an annotation out: step after step over all instances, each answer recorded before it is used."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.annotating.fields import FIELDS, Answer, answer_of, has, with_labels
from flask_eval.annotating.outputs import (
    check_target,
    detail_of,
    guard,
    write_details,
    write_instances,
    write_settle,
)
from flask_eval.annotating.planning import Plan, no_price
from flask_eval.annotating.prompts import variant_of
from flask_eval.annotating.votes import Vote, vote
from flask_eval.annotating.written import Checklist, Reference, checklist_of, reference_of
from flask_eval.calling.asking import Asking, ask, open_calls
from flask_eval.calling.engine import Tally
from flask_eval.calling.price import price_of
from flask_eval.errors import UserError, nearest
from flask_eval.ledger import Ledger
from flask_eval.schema import Annotation, Asked, Call, Instance, JudgeCard, Request

ASKED_AGAIN = ("refused", "truncated", "unparsed", "out_of_range", "not_applicable", "empty_response")
"""Outcomes that `--retry` may name; failed calls are asked again in any case."""

OnProgress = Callable[[int, int, Tally], None]
Askeds = tuple[Asked, ...]


@dataclass(frozen=True)
class Annotated:
    """What `annotate` did.

    Attributes:
        instances: the whole set, annotated as far as it went.
        answers: every answer on a field, for agreement between annotators.
        result: the result record (`annotate --json`).
        stopped_by: why work is left; empty where none is.
    """

    instances: tuple[Instance, ...]
    answers: tuple[Answer, ...]
    result: dict[str, Any]
    stopped_by: str = ""


@dataclass
class _Work:
    """The instances as they stand, and what became of every answer."""

    plan: Plan
    ledger: Ledger
    how: Asking
    retry: frozenset[str]
    on_progress: OnProgress
    now: dict[str, Instance]
    tally: Tally = field(default_factory=Tally)
    votes: list[Vote] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    left: int = 0
    done: int = 0
    before: dict[str, Annotation] = field(default_factory=dict)
    given: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)

    def run(self) -> None:
        """Do the steps one after another; a stop ends them."""
        for step in self.plan.steps:
            if self.tally.stopped_by:
                self.left += self.plan.asks(step, list(self.now.values()))
                continue
            if step in FIELDS:
                self._field(step)
            elif step == "references":
                self._references()
            else:
                self._checklists()

    def _ask(
        self,
        step: str,
        card: JudgeCard,
        instances: Sequence[Instance],
        sample: int,
        again: Callable[[Instance, Call, Askeds], bool],
    ) -> dict[str, tuple[Askeds, Call]]:
        """What was asked and its call, by instance; what a stop left unasked is missing."""
        asked: dict[str, Askeds] = {}
        done = self.done

        def requests() -> Iterator[tuple[str, Request]]:
            for one in instances:  # rendered as they are asked: the texts need not be held
                request = self.plan.request(step, card, one, sample)
                asked[one.id] = request.answer
                yield one.id, request

        def ask_again(name: Hashable, request: Request, call: Call) -> bool:
            return bool(self.retry) and again(self.now[str(name)], call, request.answer)

        def show(found: int, tally: Tally) -> None:
            self.done = done + found
            self.on_progress(self.done, self.total(), tally)

        calls = ask(card, requests(), self.ledger, self.how, again=ask_again, tally=self.tally, on_progress=show)
        self.left += len(instances) - len(calls)
        self.done = done + len(calls)
        return {name: (asked[name], call) for name, call in ((str(n), c) for n, c in calls.items())}

    def total(self) -> int:
        """How many answers the command needs, as far as can be told."""
        return max(self.done, sum(self.plan.asks(step, self.plan.instances) for step in self.plan.steps))

    # ---- domains, skills, difficulty ---------------------------------------------------------------------------------

    def _field(self, step: str) -> None:
        open_ = [one for one in self.now.values() if self.plan.wants(step, one)]
        answers: dict[str, list[Answer]] = {one.id: [] for one in open_}
        for card, sample in self.plan.voters(step):
            if self.tally.stopped_by:
                self.left += len(open_)
                continue
            calls = self._ask(step, card, open_, sample, partial(self._wants_again, step, card, sample))
            for name, (asked, call) in calls.items():
                answers[name].append(self._answer(step, card, sample, self.now[name], call, asked))
        for one in open_:
            if len(answers[one.id]) == len(self.plan.voters(step)):
                self._take(vote(answers[one.id]))

    def _wants_again(self, step: str, card: JudgeCard, sample: int, one: Instance, call: Call, asked: Askeds) -> bool:
        """Whether a part of the answer came to an outcome that `--retry` names; `none` for a second domain is none."""
        answer = self._answer(step, card, sample, one, call, asked)
        return any(
            part.outcome in self.retry and not (part.name == "second_domain" and part.outcome == "not_applicable")
            for part in answer.parts
        )

    def _answer(self, step: str, card: JudgeCard, sample: int, one: Instance, call: Call, asked: Askeds) -> Answer:
        shown = self.plan.wording.shown(one, sample) if step == "skills" else ()
        return answer_of((one.id, step, card.name, sample), asked, call, shown)

    def _take(self, found: Vote) -> None:
        one = self.now[found.instance]
        self.votes.append(found)
        variant = {"variant": variant_of(one)} if found.field == "difficulty" else {}
        self.details.append(detail_of(found, variant))
        self.outcomes.setdefault(found.field, Counter()).update(answer.outcome for answer in found.answers)
        if not found.labels:
            return  # what was there stays where nothing came
        names = dict.fromkeys(a.annotator for a in found.answers if set(a.labels) & set(found.labels))
        self.given.setdefault(one.id, {})[found.field] = tuple(names)
        annotation = with_labels(one.annotation, found.field, found.labels)
        self.now[one.id] = one.model_copy(update={"annotation": annotation})

    def sign(self) -> None:
        """Name the annotators of every instance: who was there before only where a field of theirs stays."""
        for name, given in self.given.items():
            one, before = self.now[name], self.before[name]
            stays = before.annotator and any(has(before, f) for f in FIELDS if f not in given)
            names = dict.fromkeys(
                [*([before.annotator] if stays else []), *(n for f in FIELDS for n in given.get(f, ()))]
            )
            annotation = one.annotation.model_copy(update={"annotator": " + ".join(names)})
            self.now[name] = one.model_copy(update={"annotation": annotation})

    # ---- references and checklists -----------------------------------------------------------------------------------

    def _references(self) -> None:
        card = self.plan.cards[0]
        open_ = [one for one in self.now.values() if self.plan.wants("references", one)]
        calls = self._ask("references", card, open_, 0, lambda _, call, __: reference_of(call).outcome in self.retry)
        counts = self.outcomes.setdefault("references", Counter())
        for name, (_, call) in calls.items():
            found = reference_of(call)
            counts[found.outcome] += 1
            self.details.append(_reference_row(name, card, found))
            if found.text:
                self.now[name] = self.now[name].model_copy(
                    update={"reference": (found.text,), "reference_by": card.name}
                )
        kept = sum(bool(self.now[name].reference) for name in self.plan.chosen) - counts["scored"]
        self.extra["references"] = {"written": counts["scored"], "kept": kept}

    def _checklists(self) -> None:
        card, plan = self.plan.cards[0], self.plan
        chosen = [one for one in self.now.values() if one.id in plan.chosen]
        open_ = [one for one in chosen if plan.wants("checklist", one)]
        skills = {one.id: [skill.name for skill in plan.wording.annotated(one)] for one in open_}
        calls = self._ask(
            "checklist", card, open_, 0, lambda one, call, _: checklist_of(call, skills[one.id]).outcome in self.retry
        )
        counts = self.outcomes.setdefault("checklist", Counter())
        dropped: Counter[str] = Counter()
        for name, (_, call) in calls.items():
            found = checklist_of(call, skills[name])
            counts[found.outcome] += 1
            dropped.update(duplicate=found.duplicates, unknown_skill=len(found.unknown), surplus=found.surplus)
            self.details.append(_checklist_row(name, card, found))
            if found.items:
                self.now[name] = self.now[name].model_copy(update={"checklist": found.items})
        self.extra["checklist"] = {
            "written": counts["scored"],
            "kept": sum(bool(one.checklist) and not plan.overwrite for one in chosen),
            "without_skills": sum(not plan.wording.annotated(one) for one in chosen),
            "questions": sum(len(self.now[one.id].checklist) for one in open_),
            "dropped": {name: dropped[name] for name in ("duplicate", "unknown_skill", "surplus")},
        }


def _reference_row(name: str, card: JudgeCard, found: Reference) -> dict[str, Any]:
    row = {"instance": name, "field": "reference", "annotator": card.name, "outcome": found.outcome}
    return row | ({"error": found.why} if found.why else {})


def _checklist_row(name: str, card: JudgeCard, found: Checklist) -> dict[str, Any]:
    row: dict[str, Any] = {"instance": name, "field": "checklist", "annotator": card.name, "outcome": found.outcome}
    row |= {"questions": len(found.items), "duplicates": found.duplicates, "surplus": found.surplus}
    row["unknown_skills"] = list(found.unknown)
    return row | ({"error": found.why} if found.why else {})


def annotate(
    plan: Plan,
    *,
    out: str | Path,
    source: str | Path | None = None,
    how: Asking | None = None,
    retry: Iterable[str] = (),
    durable: bool = False,
    settle_below: float = 1.0,
    on_progress: OnProgress = lambda *_: None,
) -> Annotated:
    """Ask for what is missing, and write the instances with it; a repeat goes on where an earlier one stopped.

    Args:
        plan: made by `plan_annotation`.
        out: the file of instances that is written; the calls, details and list to settle lie beside it.
        source: the file that the instances came from, where there is one; it may be the same.
        how: concurrency, budget, waits.
        retry: outcomes that are asked again.
        durable: sync every call to disk.
        settle_below: fields of a lower confidence go on the list to settle, as do those without a label.
        on_progress: told a few times a second how many of how many answers there are.

    Raises:
        UserError: the file cannot be written without losing something, or a model cannot be called.
    """
    check_target(out)
    again = _retried(retry)
    started = time.monotonic()
    with open_calls(out, durable=durable) as ledger:
        guard(out, ledger, source)
        now = {one.id: one for one in plan.instances}
        before = {one.id: one.annotation for one in plan.instances}
        work = _Work(plan, ledger, how or Asking(), again, on_progress, now, before=before)
        work.run()
        work.sign()
        write_instances(out, work.now.values(), ledger)
        details = write_details(out, work.details) if work.details else None
        open_ = [v for v in work.votes if v.confidence is None or v.confidence < settle_below]
        settle = write_settle(out, open_, work.now)
    result = _result(work, time.monotonic() - started)
    result |= {"file": str(out), "details": details and str(details)}
    result["settle"] = {"file": settle and str(settle), "rows": len(open_), "below": settle_below}
    answers = tuple(answer for v in work.votes for answer in v.answers)
    return Annotated(tuple(work.now.values()), answers, result, work.tally.stopped_by if work.left else "")


def _retried(retry: Iterable[str]) -> frozenset[str]:
    names = frozenset(retry) - {"failed"}
    for name in sorted(names):
        if name not in ASKED_AGAIN:
            raise UserError(f"--retry {name}: no outcome that can be asked again{nearest(name, ASKED_AGAIN)}")
    return names


def _result(work: _Work, seconds: float) -> dict[str, Any]:
    """The result record, but for its files."""
    plan, tally = work.plan, work.tally
    chosen = [one for one in work.now.values() if one.id in plan.chosen]
    parts = [part for v in work.votes for answer in v.answers for part in answer.parts]
    unpriced = any(price_of(card) is None for card in plan.cards)
    result: dict[str, Any] = {
        "instances": len(chosen),
        "annotated": sum(all(has(one.annotation, f) for f in plan.fields) for one in chosen),
        "outcomes": dict(_ordered(sum(work.outcomes.values(), Counter()))),
        "by_field": {step: dict(_ordered(counts)) for step, counts in work.outcomes.items()},
        "kept": {f: sum(has(work.before[one.id], f) and not plan.overwrite for one in chosen) for f in plan.fields},
        "repeated": sum(part.repeated for part in parts),
        "annotators": [card.name for card in plan.cards],
        "samples": plan.samples,
        "left": work.left,
        "calls": {"sent": tally.sent, "answered": tally.answered, "failed": tally.failed},
        "tokens": {"input": tally.input_tokens, "cached": tally.cached_tokens, "output": tally.output_tokens},
        "cost_usd": None if unpriced else tally.cost_usd,
        "seconds": round(seconds, 3),
        "seed": plan.wording.seed,
        "top": plan.wording.top,
        "taxonomy": plan.wording.taxonomy.name,
        "rubrics": plan.wording.rubrics.name,
        "undefined": {"cost_usd": no_price(plan.cards)} if unpriced else {},
        "notes": list(plan.notes),
        **work.extra,
    }
    return result | ({"last_error": tally.last_error} if tally.last_error else {})


def _ordered(counts: Counter[str]) -> Iterator[tuple[str, int]]:
    """Counts by outcome, `scored` first."""
    order = ("scored", "not_applicable", "refused", "truncated", "unparsed", "out_of_range", "failed", "empty_response")
    yield from ((outcome, counts[outcome]) for outcome in order if counts[outcome])
