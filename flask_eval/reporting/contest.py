"""Who is shown to be better than whom over all skills, and the page's tables of it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flask_eval.analysis.comparing import Comparison, PairRow
from flask_eval.analysis.text import number
from flask_eval.reporting.comparison_words import q_of, ranks_of
from flask_eval.reporting.tables import Block, Cell, Row, SkillHead, Table
from flask_eval.reporting.text import Name, ends, listed, name, signed

MOST_PAIRS = 45
"""So many pairs are listed (10 models); of more, each model is set against the one before it."""

MOST_LEADERS = 4


@dataclass(frozen=True, eq=False)
class Contest:
    """The corrected pairs of one rater, over all skills."""

    pairs: Mapping[tuple[str, str], PairRow]
    """Both ways round; the difference is that of `a` less `b` of the row itself."""
    better: Mapping[str, frozenset[str]]
    """The models that are significantly better than a model."""
    worse: Mapping[str, frozenset[str]]
    places: Mapping[str, tuple[int | None, int | None]]
    """The ranks that the corrected pairs leave open, lowest and highest."""
    chance: Mapping[str, float | None]
    """The probability of being best."""
    adjust: str
    tests: int
    """How many overall pairs were tested, of all raters: what the correction is for."""
    margin: float | None

    @property
    def tested(self) -> bool:
        """Whether any two models were held against each other."""
        return any(row.q is not None for row in self.pairs.values())

    def pair(self, one: str, other: str) -> PairRow | None:
        """The row of two models, whichever comes first in it."""
        return self.pairs.get((one, other))

    def ranks(self, model: str) -> str:
        """The ranks that the corrected pairs leave open: `1`, `2\u20135`."""
        low, high = self.places.get(model, (None, None)) if self.tested else (None, None)
        return ranks_of(low, high)

    def tied(self, models: Sequence[str]) -> bool:
        """Whether every two of the models are shown to be equivalent within the margin."""
        return all(
            (row := self.pair(one, other)) is not None and row.equivalent is True
            for place, one in enumerate(models)
            for other in models[:place]
        )


def contest_of(found: Comparison, rater: str) -> Contest:
    """What the overall rows of a comparison say of one rater; without intervals nothing is tested."""
    rows = [row for row in found.pairs if (row.rater, row.skill, row.slice) == (rater, None, None)]
    models = [row for row in found.models if (row.rater, row.skill, row.slice) == (rater, None, None)]
    better: dict[str, set[str]] = {row.model: set() for row in models}
    worse: dict[str, set[str]] = {row.model: set() for row in models}
    for row in rows:
        if found.separated(row) and row.difference:
            high, low = (row.a, row.b) if row.difference > 0 else (row.b, row.a)
            better[low].add(high)
            worse[high].add(low)
    return Contest(
        pairs={key: row for row in rows for key in ((row.a, row.b), (row.b, row.a))} if found.resamples else {},
        better={model: frozenset(names) for model, names in better.items()},
        worse={model: frozenset(names) for model, names in worse.items()},
        places={row.model: (row.rank_low, row.rank_high) for row in models},
        chance={row.model: row.probability_best for row in models},
        adjust="Holm" if found.adjust == "holm" else "Benjamini-Hochberg",
        tests=found.families.get("overall", 0),
        margin=found.margin,
    )


def difference_tables(found: Comparison, rater: str, skills: Sequence[SkillHead], *, pairs: bool) -> tuple[Table, ...]:
    """Which differences are real: skill by skill, and (`pairs`) between models over all skills."""
    by_skill: dict[str | None, list[PairRow]] = defaultdict(list)
    for row in found.pairs:
        if row.rater == rater and row.slice is None:
            by_skill[row.skill].append(row)
    models = [row.model for row in found.models if (row.rater, row.skill, row.slice) == (rater, None, None)]
    if not found.resamples or not any(row.q is not None for rows in by_skill.values() for row in rows):
        return ()
    tables = [_skill_table(found, by_skill, skills, models)]
    overall = by_skill[None]
    if pairs and any(row.difference is not None for row in overall):
        tables.append(_pair_table(found, overall, models))
    return tuple(tables)


def _skill_table(
    found: Comparison,
    by_skill: Mapping[str | None, Sequence[PairRow]],
    skills: Sequence[SkillHead],
    models: Sequence[str],
) -> Table:
    body = [Row(Name("All skills, each with the same weight"), _skill_cells(found, by_skill.get(None, ()), models))]
    body += [Row(one.title, _skill_cells(found, by_skill.get(one.skill, ()), models)) for one in skills]
    tests = found.families.get("overall", 0), found.families.get("rows", 0)
    caption = (
        "Leaders: models without a significantly better one. Separated: pairs of models whose difference is significant, "
        f"instance by instance, corrected for {tests[0]:,} tests over all skills and for {tests[1]:,} by skill. Detectable: the "
        "difference that a pair (the median one) would have shown with a power of 80%."
    )
    heads = (Name("Leaders"), Name("Pairs separated"), Name("Detectable"))
    return Table(caption, "Skill", heads, (Block(None, tuple(body)),), heading="Which differences are real", label="Separated models by skill")  # fmt: skip


def _skill_cells(found: Comparison, rows: Sequence[PairRow], models: Sequence[str]) -> tuple[Cell, ...]:
    tested = [row for row in rows if row.q is not None]
    if not tested:
        return Cell("\u2013", title="no two models could be compared"), Cell("\u2013"), Cell("\u2013")
    separated = [row for row in tested if found.separated(row)]
    ahead = _leading(found, tested)
    leaders = [name(model, 28).text for model in models if model in ahead]
    detectable = [row.detectable for row in tested if row.detectable is not None]
    return (
        Cell(listed(leaders, MOST_LEADERS) if leaders else "none"),
        Cell(f"{len(separated):,} of {len(tested):,}"),
        Cell(number(statistics.median(detectable)) if detectable else "\u2013"),
    )


def _leading(found: Comparison, tested: Iterable[PairRow]) -> frozenset[str]:
    """The models that are in a test, and in none the significantly worse one."""
    rows = [row for row in tested if row.q is not None]
    beaten = {row.b if (row.difference or 0) > 0 else row.a for row in rows if found.separated(row)}
    return frozenset({model for row in rows for model in (row.a, row.b)} - beaten)


def leaders_of(found: Comparison, rater: str) -> dict[str | None, frozenset[str]]:
    """By skill, and over all skills (None): the models without a significantly better one; none where nothing is tested."""
    rows: dict[str | None, list[PairRow]] = defaultdict(list)
    for row in found.pairs if found.resamples else ():
        if row.rater == rater and row.slice is None:
            rows[row.skill].append(row)
    return {skill: _leading(found, own) for skill, own in rows.items()}


def _pair_table(found: Comparison, rows: Sequence[PairRow], models: Sequence[str]) -> Table:
    every = len(rows) <= MOST_PAIRS
    caption = (
        f"Over all skills: the upper model's mean less the lower one's, with its {found.confidence:.0%} interval; q: its p value "
        f"corrected for all tests, significant up to {1 - found.confidence:.2g}; instances on which the upper one scores higher, "
        "equal and lower. Grey: not significant."
    )
    if found.margin is not None:
        caption += f" Tied: shown to lie within \u00b1{found.margin:g}."
    if not every:
        caption += f" Of {len(rows):,} pairs, those of neighbours in rank; `flask-eval compare` lists all."
    heads = (Name("Difference"), Name("q"), Name("Higher/equal/lower"))
    return Table(
        caption,
        "Model",
        heads if every else (Name("Next above"), *heads),
        tuple(_all_pairs(found, rows)) if every else (Block(None, tuple(_neighbours(found, rows, models))),),
        heading="Model against model",
        label="Differences between models",
        tall=True,
    )


def _all_pairs(found: Comparison, rows: Iterable[PairRow]) -> Iterator[Block]:
    by_upper: dict[str, list[PairRow]] = defaultdict(list)
    for row in rows:
        by_upper[row.a].append(row)
    for upper, own in by_upper.items():
        yield Block(name(upper), tuple(Row(name(row.b), _pair_cells(found, row)) for row in own))


def _neighbours(found: Comparison, rows: Iterable[PairRow], models: Sequence[str]) -> Iterator[Row]:
    known = {(row.a, row.b): row for row in rows}
    for upper, lower in pairwise(models):
        if row := known.get((upper, lower)):
            yield Row(name(lower), (Cell(name(upper, 28).text), *_pair_cells(found, row)))


def _pair_cells(found: Comparison, row: PairRow) -> tuple[Cell, ...]:
    if row.difference is None:
        return Cell("\u2013", title=row.undefined.get("difference", "")), Cell("\u2013"), Cell("\u2013")
    tied = "tied" if row.equivalent else ""
    return (
        Cell(signed(row.difference), ends(row.low, row.high)),
        Cell(q_of(row.q), tied, faint=not found.separated(row)),
        Cell(f"{row.wins:,}/{row.ties:,}/{row.losses:,}"),
    )
