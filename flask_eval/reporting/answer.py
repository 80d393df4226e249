"""The answer in words: which model scores highest, and whether the ratings can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_eval.analysis.macro import MacroRow
from flask_eval.analysis.slices import CROWDED, ENOUGH, too_narrow
from flask_eval.analysis.text import number, percent
from flask_eval.reporting.text import FEW, Name, counted, ends, name

COVERED = 0.95
"""From this coverage on a model may be called best whatever its missing ratings might have been."""

Sentence = tuple[str | Name, ...]
"""Words and names in turn; the page sets names apart, so that none can pass for words."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A model in the ranked list: its numbers as text, and where they lie on a line of 300 that is the scale."""

    name: Name
    mean: str
    interval: str
    count: str
    coverage: str
    few: bool
    """Too few instances to be firm."""
    at: float | None
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rater's scores say."""

    headline: Sentence
    detail: str
    standings: tuple[Standing, ...]


def answer(rows: Sequence[MacroRow], scale: tuple[float, float], kind: str) -> Answer:
    """The answer of one rater.

    A best model is named only where no other interval reaches its own, and where the missing ratings could not change
    that or are few: overlapping intervals are called not separated.
    """
    standings = tuple(_standing(row, scale) for row in rows)
    scored = [row for row in rows if row.mean is not None]
    if not scored:
        reason = rows[0].reason if rows else "nothing is rated yet"
        return Answer(("There is no mean over skills to show.",), f"{reason[:1].upper()}{reason[1:]}.", standings)
    skills = len(scored[0].skills)
    detail = "" if skills == 1 else f"Each mean gives the same weight to {skills} skills."
    if left := len(scored[0].left_out):
        detail += (
            f" {counted(left, 'skill')} that only some models have a score for {'is' if left == 1 else 'are'} left out."
        )
    if any(row.n < FEW for row in scored):
        detail += f" Grey: fewer than {FEW} instances, too few to be firm."
    if any(_thin(row) for row in scored):
        detail += f" Where coverage is below {COVERED:.0%}, the mean is of what was scored alone."
    if any(too_narrow(row.interval, row.at_end, row.n) for row in scored):
        detail += (
            f" Intervals are too narrow where more than {CROWDED:.0%} of the scores are at one end of the scale, of fewer "
            f"than {ENOUGH} instances, as here."
        )
    if kind == "metric":
        detail += " A metric is a baseline, no judge of quality."
    return Answer(_headline(scored, metric=kind == "metric"), detail.strip(), standings)


def _headline(rows: Sequence[MacroRow], *, metric: bool) -> Sentence:
    scores = "is highest on this baseline" if metric else "scores highest"
    top, rest = rows[0], rows[1:]
    if not rest:
        return name(top.model), f" has a mean of {_mean(top)}; there is no other model to compare it with."
    if any(row.low is None or row.high is None for row in rows):
        said = f"The means of {len(rows)} models go from {number(rows[-1].mean)} to {number(top.mean)}"
        return (f"{said}; without an interval for each, nothing tells whether the models differ.",)
    tied = [row for row in rest if _overlap(row, top)]
    if not tied and (rivals := [row for row in rest if not _firm(top, row)]):
        return _unsure(top, rivals)
    if not tied:
        after = (". ", name(rest[0].model), f" follows with {_mean(rest[0])}.")
        return name(top.model), f" {scores}, {_mean(top)}, and no other model's interval reaches its own", *after
    names = _listed([top, *tied])
    if len(tied) == len(rest):
        return "Not separated: the intervals of ", *names, f" overlap, {_UNTESTED}."
    lower = _listed([row for row in rest if row not in tied], most=4)
    end = f" overlap, {_UNTESTED}. Below the interval of "
    return "Not separated at the top: the intervals of ", *names, end, name(top.model), ": ", *lower, "."


_UNTESTED = "and this page does not test the difference instance by instance"


def _thin(row: MacroRow) -> bool:
    return row.coverage is not None and row.coverage < COVERED


def _firm(top: MacroRow, row: MacroRow) -> bool:
    """Whether the higher of two stays so whatever the missing ratings were, or hardly any of both are missing."""
    if not (_thin(top) or _thin(row)):
        return True
    return top.bound_low is not None and row.bound_high is not None and row.bound_high < top.bound_low


def _unsure(top: MacroRow, rivals: Sequence[MacroRow]) -> Sentence:
    """The highest of what was scored, where the missing ratings might change that."""
    start = name(top.model), f" is highest on what was scored, {_mean(top)}, but only "
    least = min((top, *rivals), key=lambda row: 1.0 if row.coverage is None else row.coverage)
    share, end = percent(least.coverage), "ratings have a score; if the missing ones were"
    if least is top:
        return *start, f"{share} of its {end} low, it might not be."
    return *start, f"{share} of ", name(least.model), f"'s {end} high, it might not be."


def _mean(row: MacroRow) -> str:
    interval = ends(row.low, row.high)
    return f"{number(row.mean)} ({interval})" if interval else number(row.mean)


def _listed(rows: Sequence[MacroRow], most: int = 6) -> Sentence:
    shown: list[str | Name] = [name(row.model) for row in (rows if len(rows) <= most else rows[: most - 1])]
    if len(rows) > most:
        shown.append(f"{len(rows) - most + 1} more")
    joints = [*([", "] * (len(shown) - 2) + [" and "])[: len(shown) - 1], ""]
    return tuple(part for pair in zip(shown, joints, strict=True) for part in pair if part)


def _overlap(a: MacroRow, b: MacroRow) -> bool:
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return True
    return a.low <= b.high and b.low <= a.high


def _standing(row: MacroRow, scale: tuple[float, float]) -> Standing:
    low, high = scale

    def place(value: float | None) -> float | None:
        return None if value is None else round(300 * (min(max(value, low), high) - low) / (high - low), 1)

    return Standing(
        name=name(row.model),
        mean=number(row.mean),
        interval=ends(row.low, row.high),
        count=f"{row.n:,}",
        coverage=percent(row.coverage),
        few=row.n < FEW,
        at=place(row.mean),
        start=place(row.low),
        end=place(row.high),
    )
