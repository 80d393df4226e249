"""The tables of an agreement study as the page shows them; a missing figure points to its reason below the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_eval.analysis.text import number
from flask_eval.reporting.certified import Mark
from flask_eval.reporting.study_meanings import MEANINGS, Meaning
from flask_eval.reporting.study_view import Figure, View, figure, gathered, pattern
from flask_eval.reporting.study_words import ANSWER
from flask_eval.reporting.tables import Block, Cell, Row, Table
from flask_eval.reporting.text import FEW, Name, ends, name


@dataclass(frozen=True, slots=True)
class Shown:
    """A table with the reasons for what is missing and what its measures mean."""

    table: Table
    reasons: tuple[tuple[str, str], ...] = ()
    """Letter and reason."""
    meanings: tuple[Meaning, ...] = ()


class Reasons:
    """Letters for reasons, in the order in which they came."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._places: dict[str, int] = {}

    def letter(self, reason: str) -> str:
        """The letter of a reason; reasons that differ in numbers alone share one."""
        self._found.append(reason)
        return _letter(self._places.setdefault(pattern(reason), len(self._places)))

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Letter and reason, to stand below the table."""
        return tuple((_letter(k), name(reason, 300).text) for k, reason in enumerate(gathered(self._found)))


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else str(place + 1)


def cell(found: Figure, reasons: Reasons, *, faint: bool = False, digits: int = 2) -> Cell:
    """A figure with its interval; a dash with the letter of its reason where there is none."""
    if found.value is None:
        reason = found.reason or "not measured"
        return Cell("\u2013", reasons.letter(reason), faint=True)
    return Cell(
        number(found.value, digits),
        ends(found.low, found.high, digits),
        faint,
        name(found.reason, 300).text if found.reason else "",
    )


def meanings(*keys: str) -> tuple[Meaning, ...]:
    """What these measures mean."""
    return tuple(MEANINGS[key] for key in keys)


def skill_table(view: View, judge: str, marks: Mapping[str, Mark]) -> Shown:
    """One judge against people, skill by skill."""
    reasons = Reasons()
    measures: tuple[str, ...] = ("spearman", "pearson", "kappa_quadratic", "within_one")
    if view.labels:
        measures = ("kappa", "exact")
    if view.is_metric(judge):
        measures = tuple(m for m in measures if m not in ("kappa_quadratic", "within_one"))
    main = measures[0]
    rows = [_skill_row(view, judge, skill, measures, marks, reasons) for skill in view.skills]
    whole = [_skill_row(view, judge, None, measures, {}, reasons, status=bool(marks))]
    whole += _levels(view, judge, measures, reasons, bool(marks))
    title = MEANINGS[main].title
    heads = ["n", "Stands in for a person", *(["Certificate"] if marks else []), "People\u2019s alpha"]
    heads += [*(MEANINGS[m].title for m in measures), f"Human ceiling ({title})", "Difference to ceiling"]
    against = "each person, then the mean over people" if view.labels else "the mean of the people"
    if "kappa_quadratic" in measures:
        against += "; kappa and within one: each person, then the mean"
    table = Table(
        f"{'Baseline' if view.is_metric(judge) else 'Judge'} against {against}. n: pairs. Small: {view.study.confidence:.0%} interval. "
        f"Grey: fewer than {FEW} instances.",
        "Skill",
        tuple(map(Name, heads)),
        (Block(None, tuple(rows)), Block(Name("All skills"), tuple(whole))),
        heading="Skill by skill",
        label="Agreement by skill",
    )
    return Shown(table, reasons.lines(), meanings("alpha", *measures, "ceiling", "gap", "replaces"))


def _skill_row(
    view: View,
    judge: str,
    skill: str | None,
    measures: Sequence[str],
    marks: Mapping[str, Mark],
    reasons: Reasons,
    *,
    status: bool = False,
) -> Row:
    human = "each" if view.labels else "mean"
    row, test = view.against(judge, skill, human), view.test(judge, skill)
    ceiling, main = view.ceiling(judge, skill, human), measures[0]
    n = row.n if row else 0
    few = row is None or row.n_instances < FEW
    cells = [Cell(f"{n:,}"), _answer(test, reasons)]
    mark = marks.get(skill or "")
    if mark is not None:
        cells.append(Cell(mark.text, title=name(mark.reason, 300).text))
    elif marks or status:
        cells.append(Cell(""))
    cells.append(cell(figure(view.among("human", skill), view.alpha), reasons, faint=few))
    for measure in measures:
        whom = "mean" if measure in ("spearman", "pearson") else "each"
        cells.append(cell(figure(view.against(judge, skill, whom), measure), reasons, faint=few))
    cells += [
        cell(figure(ceiling, main), reasons, faint=few),
        cell(figure(ceiling, main, "difference"), reasons, faint=few),
    ]
    return Row(Name("Pooled") if skill is None else name(view.title(skill)), tuple(cells))


def _answer(test: object, reasons: Reasons) -> Cell:
    replaces = getattr(test, "replaces", None)
    if replaces is None:
        reason = getattr(test, "undefined", {}).get("replaces", "not tested")
        return Cell(ANSWER[None], reasons.letter(reason), faint=True)
    won = sum(bool(person.wins) for person in getattr(test, "persons", ()))
    return Cell(ANSWER[replaces], f"{won} of {getattr(test, 'n_raters', 0)} people")


def _levels(view: View, judge: str, measures: Sequence[str], reasons: Reasons, marked: bool) -> list[Row]:  # noqa: FBT001
    if view.labels:
        return []
    rows = []
    before, after = (Cell(""),) * (2 + marked), (Cell(""),) * len(measures)
    levels = (
        ("item", "skill_centred", "Skill means taken out"),
        ("instance", None, "Within instance, across models"),
        ("system", None, "Models\u2019 means, for these models only"),
    )
    for level, adjusted, label in levels:
        row = view.against(judge, None, "mean", level, adjusted)
        if row is not None:
            figures = tuple(cell(figure(row, m), reasons) for m in ("spearman", "pearson"))
            rows.append(Row(Name(label), (Cell(f"{row.n:,}"), *before, *figures, *after)))
    return rows


def comparison(view: View) -> Shown | None:
    """Judges and baselines side by side on everything, with one person among them."""
    if not view.people or not view.judges:
        return None
    reasons, rows = Reasons(), []
    columns: tuple[tuple[str, str], ...] = (("spearman", "mean"), ("kendall", "mean"), ("pearson", "mean"))
    if view.labels:
        columns = (("kappa", "each"), ("exact", "each"))
    for judge in view.judges:
        cells = [cell(figure(view.against(judge, None, human), m), reasons) for m, human in columns]
        if not view.labels:
            centred = view.against(judge, None, "mean", "item", "skill_centred")
            cells.append(cell(figure(centred, "pearson"), reasons))
        kind = " (baseline)" if view.is_metric(judge) else ""
        shown = name(judge)
        rows.append(Row(Name(shown.text + kind, shown.full), (*cells, _answer(view.test(judge, None), reasons))))
    ceiling = view.ceiling(view.judges[0], None, columns[0][1])
    if len(view.people) > 1:
        cells = [cell(figure(ceiling, m), reasons) for m, _ in columns]
        rest = [Cell("")] * (1 if view.labels else 2)
        rows.append(Row(Name("One person against the others"), (*cells, *rest)))
    heads = (
        [MEANINGS[m].title for m, _ in columns]
        + ([] if view.labels else ["Pearson, skill means taken out"])
        + ["Stands in for a person"]
    )
    caption = "All skills pooled, item by item, against " + (
        "each person." if view.labels else "the mean of the people."
    )
    table = Table(
        caption,
        "Rater",
        tuple(map(Name, heads)),
        (Block(None, tuple(rows)),),
        heading="Side by side",
        label="Raters side by side",
    )
    return Shown(table, reasons.lines(), meanings(*(m for m, _ in columns)))


def people_table(view: View) -> Shown | None:
    """The people among each other."""
    if len(view.people) < 2:
        return None
    reasons = Reasons()
    measures = (
        ("alpha_nominal", "percent")
        if view.labels
        else ("alpha_ordinal", "alpha_interval", "icc_single", "icc_mean", "percent")
    )
    heads = {
        "alpha_nominal": "Alpha (nominal)",
        "alpha_ordinal": "Alpha (ordinal)",
        "alpha_interval": "Alpha (interval)",
        "icc_single": "ICC of one person",
        "icc_mean": "ICC of their mean",
        "percent": "Exact",
    }
    rows = []
    for skill in [*view.skills, None]:
        row = view.among("human", skill)
        if row is None:
            continue
        few = row.n_instances < FEW
        cells = [Cell(f"{row.n_units:,}"), *(cell(figure(row, m), reasons, faint=few) for m in measures)]
        rows.append(Row(Name("All skills") if skill is None else name(view.title(skill)), tuple(cells)))
    caption = f"Responses that two people or more scored. Small: {view.study.confidence:.0%} interval. Grey: fewer than {FEW} instances."
    table = Table(
        caption,
        "Skill",
        tuple(Name(h) for h in ("n", *(heads[m] for m in measures))),
        (Block(None, tuple(rows)),),
        heading="Do the people agree?",
        label="Agreement among people",
    )
    return Shown(
        table, reasons.lines(), meanings("alpha", "exact") if view.labels else meanings("alpha", "icc", "exact")
    )


def slices_table(parts: Sequence[View]) -> Shown | None:
    """All skills pooled, slice by slice."""
    if len(parts) < 2:
        return None
    reasons, blocks = Reasons(), []
    for judge in parts[0].judges:
        rows = []
        for view in parts:
            measure, human = ("kappa", "each") if view.labels else ("spearman", "mean")
            row = view.against(judge, None, human)
            cells = (
                Cell(f"{row.n if row else 0:,}"),
                cell(figure(view.among("human", None), view.alpha), reasons),
                cell(figure(row, measure), reasons),
                _answer(view.test(judge, None), reasons),
            )
            rows.append(Row(name(view.part or "everything"), cells))
        blocks.append(Block(name(judge), tuple(rows)))
    heads = ("n", "People\u2019s alpha", "Kappa" if parts[0].labels else "Spearman", "Stands in for a person")
    table = Table(
        "All skills pooled.",
        "Slice",
        tuple(map(Name, heads)),
        tuple(blocks),
        heading="By slice",
        label="Agreement by slice",
        tall=True,
    )
    return Shown(table, reasons.lines())
