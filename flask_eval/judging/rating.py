"""What calls came to, as ratings: every skill of a cell gets one, with a score or with the outcome that says why not."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from flask_eval.parsing import read
from flask_eval.schema import Asked, Call, Cell, Rating, Response, Scale, Value, Verdict, is_empty

_WORST_FIRST = ("failed", "refused", "truncated", "unparsed", "out_of_range")


def ratings_of(cell: Cell, parts: Sequence[tuple[tuple[Asked, ...], Call]]) -> tuple[list[Rating], int]:
    """The ratings of a cell from the calls of its parts; and how many properties came that nobody asked for."""
    verdicts: list[Verdict] = []
    unknown = 0
    for asked, call in parts:
        if call.completion is None:
            verdicts += [Verdict(a, "failed", rationale=call.error) for a in asked]
        else:
            reading = read(asked, call.completion)
            verdicts += reading.verdicts
            unknown += len(reading.unknown)
    ratings = [
        _rating(cell, skill, v.outcome, v.score, v.rationale, item=v.asked.item)
        for v in verdicts
        for skill in v.asked.skills
    ]
    if any(rating.item for rating in ratings):
        ratings += [_of_questions(cell, skill, ratings) for skill in cell.skills]
    return ratings, unknown


def _rating(
    cell: Cell, skill: str, outcome: str, score: Value | None = None, rationale: str = "", *, item: str = ""
) -> Rating:
    return Rating(
        instance=cell.instance,
        model=cell.model,
        skill=skill,
        rater=cell.rater,
        kind="judge",
        outcome=outcome,
        score=score,
        response_sample=cell.response_sample,
        item=item,
        sample=cell.sample,
        rationale=rationale,
    )


def _of_questions(cell: Cell, skill: str, ratings: Sequence[Rating]) -> Rating:
    """A skill's rating from those of its questions: their mean, where none of them failed."""
    own = [r for r in ratings if r.skill == skill]
    bad = [r.outcome for r in own if r.outcome in _WORST_FIRST]
    scores = [r.score for r in own if isinstance(r.score, (int, float))]
    if bad:
        outcome = min(bad, key=_WORST_FIRST.index)
        return _rating(cell, skill, outcome, rationale=f"{len(bad)} of {len(own)} questions have no score")
    if scores:
        return _rating(cell, skill, "scored", fmean(scores), f"the mean of {len(scores)} of {len(own)} questions")
    return _rating(cell, skill, "not_applicable", rationale=f"none of {len(own)} questions applies")


def of_empty(cell: Cell, response: Response, scale: Scale, *, lowest: bool) -> list[Rating] | None:
    """The ratings of an empty response, made without a call; none where the response is not empty."""
    if not is_empty(response.text):
        return None
    if lowest:
        said = "an empty response: the lowest score (--empty lowest)"
        return [_rating(cell, skill, "scored", scale.values[0], said) for skill in cell.skills]
    return [_rating(cell, skill, "empty_response") for skill in cell.skills]
