"""A comparison as text: one screen for people, full tables in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from flask_eval.analysis.comparing.records import Comparison, InteractionRow, ModelRow, PairRow
from flask_eval.analysis.text import markdown_table, number, percent, short, visible
from flask_eval.ratings import RatingTable
from flask_eval.reporting.comparison_words import (
    WIDE,
    chance_of,
    from_side,
    is_better,
    overall,
    pairs_of,
    q_of,
    ranks_of,
    raters,
    tally,
    top,
    verdict,
)
from flask_eval.reporting.text import KIND, counted, ends, listed, signed

__all__ = ["markdown", "screen"]

WIDTH = 100
_MOST_MODELS, _MOST_ROWS = 20, 12


# ---- the screen ---------------------------------------------------------------------------------------------------


def screen(found: Comparison, table: RatingTable, asked: Sequence[str] = ()) -> str:
    """What `flask-eval compare` prints.

    Args:
        found: what `compare` gave.
        table: the ratings behind it, for titles of skills.
        asked: the models in the order in which the user named them; with two, the second is held against the first.
    """
    blocks = []
    for rater in raters(found):
        models = [row.model for row in overall(found, rater)]
        order = [name for name in asked or _as_they_came(table, models) if name in models]
        blocks += list(_two(found, table, rater, order) if len(order) == 2 else _many(found, table, rater))
        blocks += list(_parts(found, table, rater, order))
    if not blocks:
        blocks.append("Nothing to compare: no rater gives scores that are numbers.")
    blocks.append(_notes(found))
    return "\n\n".join(block for block in blocks if block)


def _as_they_came(table: RatingTable, models: Sequence[str]) -> list[str]:
    return [name for name in table.models if name in models]


def _two(found: Comparison, table: RatingTable, rater: str, order: Sequence[str]) -> Iterator[str]:
    """Is B better than A, and on what?"""
    first, second = order
    yield f"Is {short(second, WIDE)} better than {short(first, WIDE)}? ({_who(found, rater)})"
    whole = pairs_of(found, rater, None)
    if not whole:
        yield "There is no instance that both have scores for."
        return
    yield "\n".join(_wrapped(list(is_better(found, from_side(whole[0], second)))))
    yield _grid(
        ["skill", "difference", f"{found.confidence:.0%} interval", "q", "n", "win/tie/loss", "verdict"],
        [_pair_line(found, table, from_side(row, second)) for row in _skill_pairs(found, rater)],
        left=(0, 6),
    )


def _skill_pairs(found: Comparison, rater: str) -> list[PairRow]:
    return [row for row in found.pairs if row.rater == rater and row.skill is not None and row.slice is None]


def _pair_line(found: Comparison, table: RatingTable, row: PairRow) -> list[str]:
    name = table.title(row.skill) if row.skill else "all skills"
    return [
        visible(name)[:30],
        signed(row.difference),
        ends(row.low, row.high) or "\u2013",
        q_of(row.q),
        f"{row.n:,}",
        f"{row.wins}/{row.ties}/{row.losses}",
        verdict(found, row),
    ]


def _many(found: Comparison, table: RatingTable, rater: str) -> Iterator[str]:
    """Who is best, the ranked list, and who leads where."""
    rows = overall(found, rater)
    yield f"{counted(len(rows), 'model')} compared ({_who(found, rater)})"
    yield "\n".join(_wrapped([top(found, rater)]))
    shown = rows[:_MOST_MODELS]
    lines = [_model_line(row) for row in shown]
    yield _grid(
        ["rank", "model", "mean", f"{found.confidence:.0%} interval", "ranks", "P(best)", "not separated from"],
        lines,
        left=(1, 6),
    ) + (
        f"\n... {counted(len(rows) - len(shown), 'more model')}: --markdown or --json has all"
        if len(rows) > len(shown)
        else ""
    )
    if whole := pairs_of(found, rater, None):
        yield f"Over all skills: {tally(found, whole)}."
    leaders = list(_leaders(found, table, rater))
    if leaders:
        yield _grid(["skill", "highest mean", "no rival significantly better", "pairs"], leaders, left=(0, 1, 2, 3))
    yield _strength_words(found, rater)


def _model_line(row: ModelRow) -> list[str]:
    return [
        "\u2013" if row.rank is None else str(row.rank),
        short(row.model, WIDE),
        number(row.mean),
        ends(row.low, row.high) or "\u2013",
        ranks_of(row.rank_low, row.rank_high),
        chance_of(row.probability_best),
        _others(row),
    ]


def _others(row: ModelRow) -> str:
    parts = []
    if row.tied_with:
        parts.append(f"tied with {_few(row.tied_with)}")
    if row.not_separated_from:
        parts.append(_few(row.not_separated_from))
    return "; ".join(parts) or "\u2013"


def _few(names: Sequence[str]) -> str:
    """One or two names; of more, how many."""
    return " and ".join(short(name, WIDE) for name in names) if len(names) < 3 else counted(len(names), "model")


def _leaders(found: Comparison, table: RatingTable, rater: str) -> Iterator[list[str]]:
    skills = list(dict.fromkeys(row.skill for row in _skill_pairs(found, rater)))
    for skill in skills:
        rows = [r for r in found.models if (r.rater, r.skill, r.slice) == (rater, skill, None) and r.mean is not None]
        ranked = sorted(rows, key=lambda r: r.rank or len(rows))
        if not ranked:
            continue
        unbeaten = [r for r in ranked if r.rank_low == 1]
        pairs = pairs_of(found, rater, skill)
        separated = sum(found.separated(p) for p in pairs)
        yield [
            visible(table.title(skill or ""))[:30],
            f"{short(ranked[0].model, WIDE)} {number(ranked[0].mean)}",
            "only it" if len(unbeaten) == 1 else counted(len(unbeaten), "model"),
            f"{separated} of {len(pairs)} separated",
        ]


def _strength_words(found: Comparison, rater: str) -> str:
    """Where mean win rate's leader hangs on who else takes part, say so."""
    rows = [row for row in found.strengths if row.rater == rater and row.mean_win_rate is not None]
    if len(rows) < 3:
        return ""
    lead = max(rows, key=lambda row: row.mean_win_rate or 0.0)
    if not lead.leads_without:
        return ""
    names = listed([short(name, WIDE) for name in lead.leads_without], 3)
    told = (
        f"By mean win rate {short(lead.model, WIDE)} leads ({number(lead.mean_win_rate)}), but it would lose the lead if "
        f"{names} {'was' if len(lead.leads_without) == 1 else 'or one of these were'} left out: mean win rate hangs on who "
        "else takes part."
    )
    return "\n".join(_wrapped([told]))


def _parts(found: Comparison, table: RatingTable, rater: str, order: Sequence[str]) -> Iterator[str]:
    """What differs between the parts that `--by` and `--slice` ask for."""
    rows = [row for row in found.pairs if row.rater == rater and row.slice is not None]
    if rows and len(order) == 2:
        lines = []
        for row in rows[: 3 * _MOST_ROWS]:
            first, *rest = _pair_line(found, table, from_side(row, order[1]))
            lines.append([f"{visible(row.slice or '')[:40]}{' ' + first if row.skill else ''}", *rest])
        header = ["part", "difference", f"{found.confidence:.0%} interval", "q", "n", "win/tie/loss", "verdict"]
        yield _grid(header, lines, left=(0, 6))
    elif rows:
        told = []
        for part in dict.fromkeys(row.slice for row in rows):
            own = [row for row in rows if row.slice == part]
            told.append(f"{visible(part or '')[:60]}: {tally(found, own)}")
        yield "\n".join(told[: 3 * _MOST_ROWS])
    yield from _interactions([row for row in found.interactions if row.rater == rater], found)


def _interactions(rows: Sequence[InteractionRow], found: Comparison) -> Iterator[str]:
    if not rows:
        return
    real = sorted((row for row in rows if found.separated(row)), key=lambda row: row.q or 0.0)
    if not real:
        yield (
            f"No model does better or worse in one part than elsewhere, as far as this data tells (0 of {len(rows)} tests)."
        )
        return
    lines = [
        f"  {short(row.model, WIDE)} in {_where(row)}: {signed(row.difference)} ({ends(row.low, row.high)}, q {q_of(row.q)}, n {row.n:,})"
        for row in real[:_MOST_ROWS]
    ]
    if len(real) > _MOST_ROWS:
        lines.append(f"  ... {len(real) - _MOST_ROWS} more")
    yield "\n".join(
        [f"Better or worse than elsewhere, relative to the field ({len(real)} of {len(rows)} tests):", *lines]
    )


def _where(row: InteractionRow) -> str:
    return (
        visible(row.value)[:40] if row.dimension == "slice" else f"{visible(row.dimension)} {visible(row.value)[:40]}"
    )


def _who(found: Comparison, rater: str) -> str:
    return f"{KIND[raters(found)[rater]].lower()} {short(rater, 40)}"


def _notes(found: Comparison) -> str:
    lines = [*(f"note: {visible(note)}" for note in found.notes), f"Method: {found.method}."]
    return "\n".join(_wrapped(lines))


def _wrapped(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, WIDTH, break_on_hyphens=False) or [""]]


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> str:
    """Columns side by side; `left` names those that are text."""
    if not rows:
        return ""
    widths = [max(len(line[k]) for line in [header, *rows]) for k in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        made = [cell.ljust(widths[k]) if k in left else cell.rjust(widths[k]) for k, cell in enumerate(cells)]
        return "  ".join(made).rstrip()

    return "\n".join(map(line, [header, *rows]))


# ---- Markdown -----------------------------------------------------------------------------------------------------


def markdown(found: Comparison, table: RatingTable) -> str:
    """Every row as tables, for a paper's appendix."""
    parts = ["# Comparison of models"]
    for rater in raters(found):
        parts += [f"## {KIND[raters(found)[rater]]}: {visible(rater)}", visible(top(found, rater))]
        parts += list(_tables(found, table, rater))
    parts.append("\n".join(f"- {visible(line)}" for line in [f"Method: {found.method}.", *found.notes]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _tables(found: Comparison, table: RatingTable, rater: str) -> Iterator[str]:
    interval = f"{found.confidence:.0%} interval"
    models = [row for row in found.models if row.rater == rater]
    header = [
        "model",
        "skill",
        "slice",
        "mean",
        interval,
        "n",
        "rank",
        "ranks",
        "P(best)",
        "tied with",
        "not separated from",
    ]
    yield "### Models\n\n" + markdown_table(
        header,
        [
            [
                short(row.model),
                table.title(row.skill) if row.skill else "all",
                row.slice or "all",
                number(row.mean),
                ends(row.low, row.high) or "\u2013",
                f"{row.n:,}",
                "\u2013" if row.rank is None else str(row.rank),
                ranks_of(row.rank_low, row.rank_high),
                chance_of(row.probability_best),
                f"{len(row.tied_with)}",
                f"{len(row.not_separated_from)}",
            ]
            for row in models
        ],
        left=3,
    )
    pairs = [row for row in found.pairs if row.rater == rater]
    if pairs:
        heads = [
            "a",
            "b",
            "skill",
            "slice",
            "a \u2212 b",
            interval,
            "p",
            "q",
            "n",
            "win/tie/loss",
            "found at 80% power",
            "verdict",
        ]
        yield "### Pairs\n\n" + markdown_table(heads, [_full_pair(found, table, row) for row in pairs], left=4)
    if tests := [row for row in found.interactions if row.rater == rater]:
        heads = ["model", "part", "relative to elsewhere", interval, "p", "q", "n"]
        yield "### Parts against elsewhere\n\n" + markdown_table(
            heads,
            [
                [short(r.model), _where(r), signed(r.difference), ends(r.low, r.high) or "\u2013", q_of(r.p), q_of(r.q), f"{r.n:,}"]
                for r in tests
            ],
            left=2,
        )  # fmt: skip
    if strengths := [row for row in found.strengths if row.rater == rater]:
        heads = ["model", "Bradley-Terry", interval, "mean win rate", "leader changes without"]
        yield "### Alternatives to the mean\n\n" + markdown_table(
            heads,
            [
                [
                    short(r.model),
                    number(r.bradley_terry),
                    ends(r.bradley_terry_low, r.bradley_terry_high) or "\u2013",
                    number(r.mean_win_rate),
                    ", ".join(short(name, 30) for name in r.leads_without) or "\u2013",
                ]
                for r in strengths
            ],
        )


def _full_pair(found: Comparison, table: RatingTable, row: PairRow) -> list[str]:
    return [
        short(row.a),
        short(row.b),
        table.title(row.skill) if row.skill else "all",
        row.slice or "all",
        signed(row.difference),
        ends(row.low, row.high) or "\u2013",
        q_of(row.p),
        q_of(row.q),
        f"{row.n:,}",
        f"{row.wins}/{row.ties}/{row.losses}",
        number(row.detectable),
        verdict(found, row),
    ]


def covered(shares: dict[str, float | None]) -> str:
    """A sentence on models whose coverage is not full enough; empty where all is well."""
    thin = {model: share for model, share in shares.items() if share is not None and share < 0.95}
    if not thin:
        return ""
    said = listed([f"{short(model, WIDE)} {percent(share)}" for model, share in thin.items()])
    return f"Coverage below 95%: {said}. Only instances that both models have a score for are compared; the rest could change the result."
