"""One item as the page shows it: its texts cut and made safe, the responses, and what every rater gave them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from flask_eval.analysis.text import visible
from flask_eval.ratings import RatingTable
from flask_eval.reporting.text import OUTCOME, Name, name
from flask_eval.schema import Instance, Response

if TYPE_CHECKING:
    from markupsafe import Markup

LONGEST = 4000
"""Characters of one text that the page shows; the run holds the whole."""

ResponseKey = tuple[str, str, int]
"""Instance, model, response sample."""

_ROLE = {"system": "System prompt", "user": "Earlier turn: user", "assistant": "Earlier turn: assistant"}
_FINISH = {"length": "cut off at its length limit", "content_filter": "stopped by a content filter"}


class Text(NamedTuple):
    """A text as the page shows it: escaped, line breaks kept, hidden characters visible."""

    body: Markup
    left_out: str = ""
    """How much of a long one is not shown, in words."""


class Turn(NamedTuple):
    """A headed text: the system prompt, an earlier turn, the instruction, a reference."""

    head: str
    text: Text


class Reason(NamedTuple):
    """One rating with its rationale."""

    of: str
    """Skill, rater and score in words."""
    text: Text


class Line(NamedTuple):
    """A row of scores: one skill, or one question of it, by every rater."""

    title: Name
    scores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One model's response with everything that was said of it."""

    model: Name
    place: int
    """The model's position in the filters."""
    note: str
    text: Text | None
    absent: str
    """Why there is no text."""
    raters: tuple[Name, ...]
    lines: tuple[Line, ...]
    reasons: tuple[Reason, ...]

    @property
    def size(self) -> int:
        """Characters of its texts."""
        return sum(len(one.body) for one in [*([self.text] if self.text else []), *(r.text for r in self.reasons)])


class Topic(NamedTuple):
    """What a rating is about."""

    skill: str
    question: str
    rival: str


@dataclass(slots=True)
class Verdicts:
    """All ratings of one response."""

    scores: dict[Topic, dict[str, list[str]]] = field(default_factory=dict)
    """By topic and rater; several samples one after the other."""
    reasons: list[tuple[Topic, str, str, str]] = field(default_factory=list)
    """Topic, rater, score, rationale."""


def text_of(raw: str) -> Text:
    """A text for the page: escaped, at most `LONGEST` characters, line breaks and tabs kept, the rest visible."""
    from markupsafe import escape

    kept = raw.replace("\r\n", "\n")
    body = re.sub(r"[^\n\t]+", lambda found: visible(found.group()), kept[:LONGEST])
    left = len(kept) - LONGEST
    return Text(escape(body), f"{left:,} more of {len(kept):,} characters are left out here." if left > 0 else "")


def turns_of(instance: Instance | None) -> tuple[Turn, ...]:
    """What was asked, and what is known to be right."""
    if instance is None:
        return ()
    turns = [Turn(_ROLE[one.role], text_of(one.content)) for one in instance.messages]
    if instance.instruction:
        turns.append(Turn("Instruction", text_of(instance.instruction)))
    count = len(instance.reference)
    heads = ["Reference"] if count == 1 else [f"Reference {k}" for k in range(1, count + 1)]
    return (*turns, *(Turn(head, text_of(one)) for head, one in zip(heads, instance.reference, strict=True)))


def excerpt(instruction: str) -> str:
    """The beginning of an instruction on one line."""
    line = " ".join(instruction[:400].split())
    return visible(line if len(line) <= 140 else f"{line[:139].rstrip()}\u2026")


def verdicts_of(table: RatingTable, wanted: Iterable[str]) -> dict[ResponseKey, Verdicts]:
    """The ratings of these instances by response, skills in the order of the table."""
    ratings = table.ratings[table.ratings["instance"].isin(list(wanted))]
    place = {skill: k for k, skill in enumerate(table.skills)}
    columns = ("instance", "model", "response_sample", "skill", "item", "versus", "rater", "variant", "sample")
    rows: Iterator[tuple[Any, ...]] = zip(
        *(ratings[column].tolist() for column in (*columns, "score", "outcome", "rationale")), strict=True
    )
    made: dict[ResponseKey, Verdicts] = {}
    for row in sorted(rows, key=lambda row: (place[row[3]], *row[4:9])):
        instance, model, response_sample, skill, item, versus, rater, _, _, score, outcome, rationale = row
        own = made.setdefault((instance, model, int(response_sample)), Verdicts())
        topic, said = Topic(skill, item, versus), score_text(score, outcome)
        own.scores.setdefault(topic, {}).setdefault(rater, []).append(said)
        if rationale.strip():
            own.reasons.append((topic, rater, said, rationale))
    return made


def score_text(score: Any, outcome: str) -> str:
    """A score, or why there is none."""
    if outcome != "scored":
        return OUTCOME.get(outcome, outcome)
    if isinstance(score, str):
        return name(score).text
    return f"{score:.4g}".replace("-", "\u2212")


def card(
    table: RatingTable,
    model: tuple[str, int],
    response: Response | None,
    verdicts: Verdicts,
    raters: Sequence[str],
    sample: int | None,
) -> Card:
    """One response, or what is known of it.

    Args:
        table: for the skills' titles.
        model: the model's name and its position in the filters.
        response: the text, where it is known.
        verdicts: all ratings of the response.
        raters: all raters, in order.
        sample: the response's number where there are several of the model, else None.
    """
    own = [rater for rater in raters if any(rater in scores for scores in verdicts.scores.values())]
    notes = [] if sample is None else [f"response {sample + 1}"]
    notes += [_FINISH[response.finish]] if response is not None and response.finish in _FINISH else []
    text = text_of(response.text) if response is not None and response.text.strip() else None
    absent = "" if text else "The text is not known here." if response is None else "The response is empty."
    return Card(
        model=name(model[0]),
        place=model[1],
        note=", ".join(notes),
        text=text,
        absent=absent,
        raters=tuple(map(name, own)),
        lines=tuple(
            Line(Name(_titled(table, topic)), tuple(", ".join(scores.get(rater, ["\u2013"])) for rater in own))
            for topic, scores in verdicts.scores.items()
        ),
        reasons=tuple(
            Reason(f"{_titled(table, topic)}, {name(rater).text}: {said}", text_of(rationale))
            for topic, rater, said, rationale in verdicts.reasons
        ),
    )


def by_instance(keys: Iterable[ResponseKey], models: Mapping[str, int]) -> dict[str, list[tuple[str, int]]]:
    """The responses to each instance: model and sample, in the order of the models."""
    made: dict[str, list[tuple[str, int]]] = {}
    for instance, model, sample in dict.fromkeys(keys):
        if model in models:
            made.setdefault(instance, []).append((model, sample))
    return {instance: sorted(own, key=lambda pair: (models[pair[0]], pair[1])) for instance, own in made.items()}


def _titled(table: RatingTable, topic: Topic) -> str:
    parts = [name(table.title(topic.skill)).text]
    parts += [f"question {name(topic.question).text}"] if topic.question else []
    parts += [f"against {name(topic.rival).text}"] if topic.rival else []
    return " \u00b7 ".join(parts)
