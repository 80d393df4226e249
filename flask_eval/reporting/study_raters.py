"""The page's tables on the raters themselves: what they do to scores, what they can tell, what people would have said."""

from __future__ import annotations

from flask_eval.analysis.text import number
from flask_eval.reporting.study_meanings import MEANINGS
from flask_eval.reporting.study_tables import Reasons, Shown, cell, meanings
from flask_eval.reporting.study_view import Figure, View, figure
from flask_eval.reporting.study_words import EFFECTS
from flask_eval.reporting.tables import Block, Cell, Row, Table
from flask_eval.reporting.text import FEW, Name, name

_MOST_RATERS = 40


def effects_table(view: View) -> Shown | None:
    """What each rater does to its scores, over all skills."""
    reasons, blocks = Reasons(), []
    for kind, head in (
        ("judge", "Judges, against people"),
        ("metric", "Baselines"),
        ("human", "People, against the other people"),
    ):
        rows = []
        for rater in [r for r, own in view.kinds.items() if own == kind][:_MOST_RATERS]:
            row = view.effects(rater, None)
            if row is not None:
                cells = [Cell(f"{row.n:,}"), *(cell(figure(row, m), reasons) for m in EFFECTS)]
                cells += [cell(figure(row, m), reasons) for m in ("low_end_use", "middle_use", "high_end_use")]
                rows.append(Row(name(rater), tuple(cells)))
        if rows:
            blocks.append(Block(Name(head), tuple(rows)))
    if not blocks:
        return None
    heads = ("n", *(MEANINGS[m].title for m in EFFECTS), "Lowest score", "Middle third", "Highest score")
    caption = "Severity, length, own family and drift in points; spread as a ratio; the last three are shares of the rater\u2019s scores."
    if len(view.people) > _MOST_RATERS:
        caption += f" The first {_MOST_RATERS} of {len(view.people)} people."
    table = Table(
        caption, "Rater", tuple(map(Name, heads)), tuple(blocks), heading="Rater effects", label="Rater effects"
    )
    return Shown(table, reasons.lines(), meanings(*EFFECTS))


def severity_table(view: View, judge: str) -> Shown | None:
    """One judge's effects skill by skill."""
    reasons, rows = Reasons(), []
    for skill in view.skills:
        row = view.effects(judge, skill)
        if row is not None and row.measures.get("severity") is not None:
            few = row.n_instances < FEW
            cells = [cell(figure(row, m), reasons, faint=few) for m in ("severity", "central_tendency", "length_slope")]
            rows.append(Row(name(view.title(skill)), (Cell(f"{row.counts.get('severity', 0):,}"), *cells)))
    if not rows:
        return None
    heads = ("n", "Severity", "Spread", "Length")
    table = Table(
        "Against the people on the same responses, in points; spread as a ratio.",
        "Skill",
        tuple(map(Name, heads)),
        (Block(None, tuple(rows)),),
        heading="Severity by skill",
        label="Severity by skill",
    )
    return Shown(table, reasons.lines())


def noise_table(view: View, judge: str) -> Shown | None:
    """The smallest difference that can be told, skill by skill."""
    reasons, rows = Reasons(), []
    for row in view.noise(judge):
        mdd = row.minimum_detectable_difference
        low, high = row.intervals.get("minimum_detectable_difference") or (None, None)
        found = Figure(mdd, low, high, row.undefined.get("minimum_detectable_difference", ""))
        cells = [Cell(f"{row.n_instances:,}"), Cell(f"{row.samples:g}"), cell(found, reasons)]
        for key in ("instances_to_halve", "samples_to_halve"):
            value = getattr(row, key)
            told = row.undefined.get(key, "no number does")
            cells.append(Cell(f"{value:,}") if value is not None else cell(Figure(None, reason=told), reasons))
        rows.append(Row(name(view.title(row.skill)), tuple(cells)))
    if not rows:
        return None
    heads = (
        "Instances",
        "Ratings of a response",
        "Smallest difference that can be told",
        "Instances that would halve it",
        "Ratings that would halve it",
    )
    table = Table(
        "Two models on the same instances, in points; power .8 at the two-sided level .05.",
        "Skill",
        tuple(map(Name, heads)),
        (Block(None, tuple(rows)),),
        heading="Noise floor",
        label="Noise floor by skill",
    )
    return Shown(table, reasons.lines(), meanings("noise"))


def calibrated_table(view: View, judge: str) -> Shown | None:
    """Calibrated means beside the raw ones."""
    found = view.calibrated(judge)
    if not view.has_calibrated(judge):
        return None
    reasons, blocks = Reasons(), []
    for skill in [s for s in view.skills if any(row.skill == s for row in found)]:
        rows = []
        for row in (one for one in found if one.skill == skill):
            told = row.undefined.get("mean") or row.undefined.get("low", "")
            cells = (
                Cell(number(row.judge_mean)),
                cell(Figure(row.mean, row.low, row.high, told), reasons),
                Cell(number(row.human_mean)),
                Cell(f"{row.n_human:,}"),
                Cell(f"{row.n_judge:,}"),
            )
            rows.append(Row(name(row.model), cells))
        blocks.append(Block(name(view.title(skill)), tuple(rows)))
    heads = (
        "Judge\u2019s raw mean",
        "Calibrated mean",
        "People\u2019s mean",
        "Instances with people",
        "Instances with judge",
    )
    table = Table(
        "What people would have given on average, estimated from both.",
        "Model",
        tuple(map(Name, heads)),
        tuple(blocks),
        heading="Calibrated means",
        label="Calibrated means",
        tall=True,
    )
    return Shown(table, reasons.lines(), meanings("calibrated"))
