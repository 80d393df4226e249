"""What a comparison says in words: verdicts, numbers with their doubts, who stands at the top."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flask_eval.analysis.comparing.records import Comparison, ModelRow, PairRow
from flask_eval.analysis.text import number, short
from flask_eval.reporting.text import counted, ends, listed, signed

WIDE = 30
"""A model's name on the screen is cut at so many characters."""


def ranks_of(low: int | None, high: int | None) -> str:
    """The ranks that the corrected pairs leave open: `1`, `2\u20135`."""
    if low is None or high is None:
        return "\u2013"
    return f"{low}" if low >= high else f"{low}\u2013{high}"


def chance_of(share: float | None) -> str:
    """A probability in whole percent; never 0 % or 100 %."""
    if share is None:
        return "\u2013"
    return "<1%" if share < 0.005 else ">99%" if share > 0.995 else f"{100 * share:.0f}%"


def q_of(value: float | None) -> str:
    """An adjusted p: three digits, never 0."""
    if value is None:
        return "\u2013"
    return "<0.001" if value < 0.0005 else number(value, 3)


def q_words(value: float | None) -> str:
    """`q 0.031`, `q < 0.001`."""
    shown = q_of(value)
    return f"q < {shown[1:]}" if shown.startswith("<") else f"q {shown}"


def difference(row: PairRow, confidence: float) -> str:
    """A difference with all that it needs: `+0.31 (95% interval 0.24 to 0.38, q < 0.001, n 200)`."""
    interval = ends(row.low, row.high)
    said = f"{confidence:.0%} interval {interval}, " if interval else ""
    return f"{signed(row.difference)} ({said}{q_words(row.q)}, n {row.n:,})"


def turned(row: PairRow) -> PairRow:
    """The same pair seen from the other side."""

    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return replace(
        row,
        a=row.b,
        b=row.a,
        difference=minus(row.difference),
        low=minus(row.high),
        high=minus(row.low),
        wins=row.losses,
        losses=row.wins,
    )


def from_side(row: PairRow, model: str) -> PairRow:
    """The pair with `model` as `a`, so that a positive difference speaks for it."""
    return row if row.a == model else turned(row)


def verdict(found: Comparison, row: PairRow) -> str:
    """One word or two for a pair, seen from `a`."""
    if row.difference is None or row.q is None:
        return "no test"
    separated = found.separated(row)
    if separated and row.equivalent:
        return "higher, within margin" if row.difference > 0 else "lower, within margin"
    if separated:
        return "higher" if row.difference > 0 else "lower"
    return "tied" if row.equivalent else "not separated"


def overall(found: Comparison, rater: str) -> list[ModelRow]:
    """The models of a rater over all skills, best first; those without a mean last."""
    rows = [row for row in found.models if row.rater == rater and row.skill is None and row.slice is None]
    return sorted(rows, key=lambda row: (row.rank is None, row.rank or 0))


def pairs_of(found: Comparison, rater: str, skill: str | None, part: str | None = None) -> list[PairRow]:
    """The pairs of a rater under a skill (None: all), in a slice (None: everything)."""
    return [row for row in found.pairs if (row.rater, row.skill, row.slice) == (rater, skill, part)]


def raters(found: Comparison) -> dict[str, str]:
    """The raters that compare anything, with their kinds."""
    return {row.rater: row.kind for row in found.models}


def is_better(found: Comparison, row: PairRow) -> Iterator[str]:
    """The answer to "is `a` better than `b`?", over all skills."""
    a, b = short(row.a, WIDE), short(row.b, WIDE)
    said = difference(row, found.confidence)
    word = verdict(found, row)
    if word == "no test":
        yield f"No answer: {row.undefined.get('difference') or row.undefined.get('p') or 'nothing is rated for both'}."
    elif word.startswith("higher"):
        yield f"Yes: {a} scores higher than {b}, {said}."
    elif word.startswith("lower"):
        yield f"No: {a} scores lower than {b}, {said}."
    elif word == "tied":
        yield f"No: {a} and {b} are tied within \u00b1{found.margin:g}: {said}."
    else:
        yield f"Not separated: {said}."
    if word.endswith("within margin"):
        yield f"The difference is real, and shown to be smaller than the margin of {found.margin:g}."
    if word == "not separated" and row.detectable is not None:
        yield f"This data would have found a difference of {number(row.detectable)} with a power of 80%."
    if word == "not separated" and found.margin is None:
        yield "Not separated is not equal: --margin X tests whether the difference lies within X."


def top(found: Comparison, rater: str) -> str:
    """Who is best of several models, in a sentence."""
    rows = overall(found, rater)
    ranked = [row for row in rows if row.mean is not None]
    if not ranked:
        reason = next((r.undefined.get("mean", "") for r in rows), "") or "nothing is rated yet"
        return f"There is no mean over skills to compare: {reason}."
    first = ranked[0]
    if len(ranked) == 1:
        return f"{short(first.model)} has a mean of {number(first.mean)}; there is no other model to compare it with."
    if first.rank_high == 1:
        return f"Best: {short(first.model)}, {number(first.mean)}; every other model scores significantly lower."
    if first.rank_low is None:
        return f"{short(first.model)} has the highest mean, {number(first.mean)}; nothing was tested."
    contenders = [row for row in ranked if row.rank_low == 1]
    names = listed([short(row.model, WIDE) for row in contenders])
    return f"No single best: {counted(len(contenders), 'model')} have no significantly better rival: {names}."


def tally(found: Comparison, rows: Sequence[PairRow]) -> str:
    """How many pairs are separated, tied, neither, or untested: `95 of 105 pairs separated, 8 not separated`."""
    words = [verdict(found, row) for row in rows]
    separated = sum(word.startswith(("higher", "lower")) for word in words)
    parts = [f"{separated:,} of {counted(len(rows), 'pair')} separated"]
    for word, text in (("tied", "tied"), ("not separated", "not separated"), ("no test", "without a test")):
        if count := words.count(word):
            parts.append(f"{count:,} {text}")
    return ", ".join(parts)
