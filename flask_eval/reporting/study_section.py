"""The page's section on an agreement study: the verdict in words, tables, dots with intervals, heat maps, methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask_eval.analysis.agreeing import AgreementStudy
from flask_eval.analysis.text import number, shown
from flask_eval.ratings import RatingTable
from flask_eval.reporting.answer import Sentence
from flask_eval.reporting.certified import Marks
from flask_eval.reporting.study_meanings import MEANINGS, Meaning
from flask_eval.reporting.study_methods import methods, references
from flask_eval.reporting.study_raters import calibrated_table, effects_table, noise_table, severity_table
from flask_eval.reporting.study_tables import Shown, comparison, people_table, skill_table, slices_table
from flask_eval.reporting.study_view import Figure, View, figure, gathered, views
from flask_eval.reporting.study_words import Verdict, main_measure, people_words, said, standing_out, verdict
from flask_eval.reporting.text import Name, counted, ends, name

MOST_POINTS = 11
"""A scale with more points has no heat map: its cells would be specks."""
_MOST_MAPPED = 4
"""With more judges, each has only the heat map of all skills."""
_SHADES = 8
_LINE = 300


@dataclass(frozen=True, slots=True)
class Dot:
    """A judge and a person on one skill, on a line of 300."""

    skill: Name
    pooled: bool
    at: float | None
    start: float | None
    end: float | None
    person: float | None
    person_start: float | None
    person_end: float | None
    text: str
    interval: str
    person_text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Dots with intervals, skill by skill."""

    measure: str
    ticks: tuple[tuple[float, str], ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """How often the judge gave one score where people gave another."""

    skill: Name
    n: str
    points: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    """The people's point; count and shade of each of the judge's points."""


@dataclass(frozen=True, slots=True)
class JudgeBlock:
    """What the study says of one judge."""

    anchor: str
    judge: Name
    kind: str
    skills: Shown
    plot: Plot | None
    heats: tuple[Heat, ...]
    no_heat: str
    severity: Shown | None
    halo: str
    halo_meaning: Meaning
    noise: Shown | None
    calibrated: Shown | None
    no_calibrated: str


@dataclass(frozen=True, slots=True)
class StudySection:
    """The whole section."""

    anchor: str
    has_people: bool
    part: Name | None
    counts: str
    verdicts: tuple[Verdict, ...]
    people: str
    outstanding: tuple[Sentence, ...]
    comparison: Shown | None
    among: Shown | None
    judges: tuple[JudgeBlock, ...]
    effects: Shown | None
    slices: Shown | None
    notes: tuple[str, ...]
    methods: str
    references: tuple[str, ...]


def study_section(study: AgreementStudy, table: RatingTable, marks: Marks, anchor: str) -> StudySection:
    """What the page shows of a study; of several slices the first in full, all in one table."""
    parts = views(study, table)
    view = parts[0]
    text = methods(study, table)
    return StudySection(
        anchor=anchor,
        has_people=bool(view.people),
        part=name(view.part) if view.part else None,
        counts=f"{counted(len(view.people), 'person', 'people')}, {counted(len(view.judges), 'judge or baseline', 'judges and baselines')}",
        verdicts=tuple(verdict(view, judge) for judge in view.judges),
        people=people_words(view),
        outstanding=tuple(standing_out(view, view.judges)),
        comparison=comparison(view),
        among=people_table(view),
        judges=tuple(_judge(view, judge, marks, f"{anchor}-{k}") for k, judge in enumerate(view.judges, 1))
        if view.people
        else (),
        effects=effects_table(view),
        slices=slices_table(parts),
        notes=study.notes,
        methods=text,
        references=tuple(references(text)),
    )


def _judge(view: View, judge: str, marks: Marks, anchor: str) -> JudgeBlock:
    metric = view.is_metric(judge)
    heats, no_heat = ((), "") if metric else _heats(view, judge)
    calibrated = None if metric else calibrated_table(view, judge)
    return JudgeBlock(
        anchor=anchor,
        judge=name(judge),
        kind="Baseline metric" if metric else "Judge",
        skills=skill_table(view, judge, marks.get(judge, {})),
        plot=_plot(view, judge),
        heats=heats,
        no_heat=no_heat,
        severity=severity_table(view, judge),
        halo="" if metric else _halo(view, judge),
        halo_meaning=MEANINGS["halo"],
        noise=noise_table(view, judge),
        calibrated=calibrated,
        no_calibrated="" if metric or calibrated else _why_uncalibrated(view, judge),
    )


# ---- dots with intervals ------------------------------------------------------------------------------------------


def _plot(view: View, judge: str) -> Plot | None:
    measure, _, human = main_measure(view)
    pairs = []
    for skill in [*view.skills, None]:
        own = figure(view.against(judge, skill, human), measure)
        pairs.append((skill, own, figure(view.ceiling(judge, skill, human), measure)))
    if all(own.value is None for _, own, _ in pairs):
        return None
    lowest = min((x for _, *both in pairs for one in both for x in one[:2] if x is not None), default=0.0)
    low = 0.0 if lowest >= 0 else -0.5 if lowest >= -0.5 else -1.0
    ticks = [low + k * 0.25 * (1 if low == 0 else 2) for k in range(9)]
    shown_ticks = tuple((_place(t, low), f"{t:g}".replace("-", "\u2212")) for t in ticks if t <= 1)
    return Plot(
        MEANINGS[measure].title, shown_ticks, tuple(_dot(view, skill, own, person, low) for skill, own, person in pairs)
    )


def _dot(view: View, skill: str | None, own: Figure, person: Figure, low: float) -> Dot:
    def put(value: float | None) -> float | None:
        return None if value is None else _place(value, low)

    return Dot(
        skill=Name("All skills") if skill is None else name(view.title(skill)),
        pooled=skill is None,
        at=put(own.value),
        start=put(own.low),
        end=put(own.high),
        person=put(person.value),
        person_start=put(person.low),
        person_end=put(person.high),
        text=number(own.value),
        interval=ends(own.low, own.high),
        person_text=number(person.value),
    )


def _place(value: float, low: float) -> float:
    return round(_LINE * (min(max(value, low), 1.0) - low) / (1.0 - low), 1)


# ---- heat maps ----------------------------------------------------------------------------------------------------


def _heats(view: View, judge: str) -> tuple[tuple[Heat, ...], str]:
    """The heat maps of all skills and of each, or why there are none."""
    rows = [row for row in view.study.confusion if (row.slice, row.judge, row.human) == (view.part, judge, "each")]
    pooled = [row for row in rows if row.skill is None]
    several = len([j for j in view.judges if not view.is_metric(j)]) > _MOST_MAPPED
    wanted = [*pooled, *([] if several else view.confusions(judge))]
    made = tuple(
        Heat(
            skill=Name(view.title(row.skill)) if row.skill is None else name(view.title(row.skill)),
            n=f"{row.n:,}",
            points=tuple(name(shown(p), 12).text for p in row.points),
            rows=tuple(
                (name(shown(point), 12).text, tuple((str(c) if c else "", _shade(c, sum(counts))) for c in counts))
                for point, counts in zip(row.points, row.counts, strict=True)
            ),
        )
        for row in wanted
        if row.counts and len(row.points) <= MOST_POINTS
    )
    if made or not wanted:
        return made, ""
    if any(len(row.points) > MOST_POINTS for row in wanted):
        return (), f"The scale has more than {MOST_POINTS} points, too many for a table of who gave what."
    reasons = gathered(row.undefined.get("counts", "no pair of scores") for row in wanted)
    return (), f"There is no table of who gave what: {name(reasons[0], 300).text}."


def _shade(count: int, total: int) -> int:
    """0 for none, else 1 to 8 by the share of the row."""
    return 0 if not count else max(1, round(_SHADES * count / total))


# ---- words --------------------------------------------------------------------------------------------------------


def _halo(view: View, judge: str) -> str:
    row = view.halo(judge)
    if row is None:
        return ""
    own, people, free = (figure(row, m) for m in ("judge", "people", "people_noise_free"))
    if own.value is None or people.value is None:
        return f"Cannot be told: {name(own.reason or people.reason, 300).text}."
    figures = (
        f"its skills correlate at {said(own)} on average, those of one person at {said(people)}"
        + (f", freed of noise {said(free)}" if free.value is not None else "")
        + f" (over {counted(row.n_pairs, 'pair')} of skills)."
    )
    if row.halo is None:
        reason = row.undefined.get("halo", "no interval")
        return f"Whether there is a halo cannot be told ({name(reason, 300).text}): {figures}"
    return f"{'A halo' if row.halo else 'No halo is shown'}: {figures}"


def _why_uncalibrated(view: View, judge: str) -> str:
    reasons = gathered(_uncalibrated(view, judge))
    return f"Calibrated means: none, because {name(reasons[0], 300).text}." if reasons else ""


def _uncalibrated(view: View, judge: str) -> Iterator[str]:
    for row in view.calibrated(judge):
        if row.undefined.get("mean"):
            yield row.undefined["mean"]
