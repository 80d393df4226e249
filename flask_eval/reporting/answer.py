"""The answer in words: which model scores highest, and whether the ratings can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask_eval.analysis.macro import MacroRow
from flask_eval.analysis.slices import CROWDED, ENOUGH, too_narrow
from flask_eval.analysis.sparsity import FEW, RULE
from flask_eval.analysis.text import number, percent
from flask_eval.reporting.comparison_words import chance_of
from flask_eval.reporting.contest import Contest
from flask_eval.reporting.text import Name, counted, ends, name

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
    ranks: str
    """The ranks that the tests leave open."""
    chance: str
    """The probability of being best."""
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


def answer(rows: Sequence[MacroRow], scale: tuple[float, float], kind: str, contest: Contest) -> Answer:
    """The answer of one rater.

    A best model is named only where it is significantly better than every other, after correction, on enough instances, and
    where the missing ratings could not change that or are few.
    """
    standings = tuple(_standing(row, scale, contest) for row in rows)
    scored = [row for row in rows if row.mean is not None]
    if not scored:
        reason = rows[0].reason if rows else "nothing is rated yet"
        return Answer(("There is no mean over skills to show.",), f"{reason[:1].upper()}{reason[1:]}.", standings)
    details = " ".join(_details(scored, kind, contest))
    return Answer(_headline(scored, contest, metric=kind == "metric"), details, standings)


def _details(scored: Sequence[MacroRow], kind: str, contest: Contest) -> Iterator[str]:
    skills = len(scored[0].skills)
    if skills > 1:
        yield f"Each mean gives the same weight to {skills} skills."
    if left := len(scored[0].left_out):
        yield (
            f"{counted(left, 'skill')} that only some models have a score for {'is' if left == 1 else 'are'} left out."
        )
    if contest.tested:
        yield (
            "Models are held against each other on the instances that both have scores for, and the tests corrected for their "
            f"number ({contest.adjust}, {counted(contest.tests, 'test')})."
        )
        yield from _power(scored, contest)
    if any(row.sparse for row in scored):
        yield f"Grey: {RULE}."
    if any(_thin(row) for row in scored):
        yield f"Where coverage is below {COVERED:.0%}, the mean is of what was scored alone."
    if any(too_narrow(row.interval, row.at_end, row.n) for row in scored):
        yield (
            f"Intervals are too narrow where more than {CROWDED:.0%} of the scores are at one end of the scale, of fewer "
            f"than {ENOUGH} instances, as here."
        )
    if kind == "metric":
        yield "A metric is a baseline, no judge of quality."


def _power(scored: Sequence[MacroRow], contest: Contest) -> Iterator[str]:
    """What a test between two models at the top that are not separated could have shown."""
    top = [row.model for row in scored if not contest.better.get(row.model)]
    row = contest.pair(top[0], top[1]) if len(top) > 1 else None
    if row is not None and row.detectable is not None:
        first = "the two" if len(scored) == 2 else "the first two of these"
        yield f"Between {first}, a difference of {number(row.detectable)} would have been found with a power of 80%."


def _headline(rows: Sequence[MacroRow], contest: Contest, *, metric: bool) -> Sentence:
    top, rest = rows[0], rows[1:]
    if not rest:
        return name(top.model), f" has a mean of {_mean(top)}; there is no other model to compare it with."
    if not contest.tested:
        said = f"The means of {len(rows)} models go from {number(rows[-1].mean)} to {number(top.mean)}"
        return (f"{said}; without an interval for each, nothing tells whether the models differ.",)
    models = {row.model for row in rows}
    best = [row for row in rows if models - {row.model} <= contest.worse.get(row.model, frozenset())]
    if not best:
        return _open(rows, contest)
    if rivals := [row for row in rows if row is not best[0] and not _firm(best[0], row)]:
        return _unsure(best[0], rivals)
    return _best(best[0], rows, contest, metric=metric)


def _best(best: MacroRow, rows: Sequence[MacroRow], contest: Contest, *, metric: bool) -> Sentence:
    """A model that is significantly better than every other."""
    others = [row for row in rows if row is not best]
    shared = {row.model: pair.n for row in others if (pair := contest.pair(best.model, row.model))}
    rival = min(shared, key=lambda model: shared[model])
    if shared[rival] < FEW or best.sparse:
        where = " on this baseline" if metric else ""
        said = f" is highest{where}, {_mean(best)}, and every other model significantly lower, but on only "
        n = min(shared[rival], best.n)
        count = counted(n, "instance") + (f" of fewer than {FEW} clusters" if n >= FEW else "")
        against = (" against ", name(rival)) if shared[rival] < best.n else ()
        few = "too few to be firm" if n >= FEW else f"fewer than {FEW} are too few to be firm"
        return name(best.model), said, count, *against, f": {few}."
    scores = "is highest on this baseline" if metric else "scores highest"
    first = others[0]
    if first is rows[0]:
        said = f" scores significantly higher than every other model where both are scored, {_mean(best)}, though "
        return name(best.model), said, name(first.model), f" has {_mean(first)} over all that it was scored on."
    after = (". ", name(first.model), f" follows with {_mean(first)}.")
    return name(best.model), f" {scores}, {_mean(best)}, and every other model significantly lower", *after


def _open(rows: Sequence[MacroRow], contest: Contest) -> Sentence:
    """No model is better than every other: those without a significantly better one."""
    top = [row for row in rows if not contest.better.get(row.model)]
    lower = [row for row in rows if row not in top]
    if not top:
        return ("Not separated: every model has a significantly better one, each on other instances.",)
    if len(top) == 1:
        level = [row for row in lower if row.model not in contest.worse[top[0].model]]
        said = " has no significantly better rival, but is not separated from "
        return "Not separated: ", name(top[0].model), said, *_listed(level), "."
    names = _listed(top)
    if contest.tied([row.model for row in top]):
        start: Sentence = ("Tied" + (" at the top" if lower else ""), f" within \u00b1{contest.margin:g}: ", *names)
    else:
        start = ("Not separated" + (" at the top" if lower else "") + ": ", *names)
    if not lower:
        return *start, "; no difference between two of them is significant."
    others = "The other model has" if len(lower) == 1 else "Each other model has"
    return *start, f". {others} a significantly better one: ", *_listed(lower, most=4), "."


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


def _standing(row: MacroRow, scale: tuple[float, float], contest: Contest) -> Standing:
    low, high = scale

    def place(value: float | None) -> float | None:
        return None if value is None else round(300 * (min(max(value, low), high) - low) / (high - low), 1)

    return Standing(
        name=name(row.model),
        mean=number(row.mean),
        interval=ends(row.low, row.high),
        count=f"{row.n:,}",
        coverage=percent(row.coverage),
        ranks=contest.ranks(row.model),
        chance=chance_of(contest.chance.get(row.model)),
        few=row.sparse,
        at=place(row.mean),
        start=place(row.low),
        end=place(row.high),
    )
