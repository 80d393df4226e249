"""An agreement study as text: one screen for people, full tables in Markdown, a methods paragraph for a paper."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

import flask_eval
from flask_eval.analysis.agreeing import AgreementStudy
from flask_eval.analysis.text import markdown_table, visible
from flask_eval.ratings import RatingTable
from flask_eval.reporting.study_meanings import MEANINGS
from flask_eval.reporting.study_methods import methods, references
from flask_eval.reporting.study_view import Figure, View, figure, gathered, views
from flask_eval.reporting.study_words import (
    ANSWER,
    EFFECTS,
    flat,
    floor_words,
    people_words,
    plain,
    said,
    standing_out,
    verdict,
)
from flask_eval.reporting.text import counted, listed, name

__all__ = ["markdown", "methods", "screen"]

WIDTH = 80
_MOST_TABLES = 2
_MOST_EFFECTS = 8
_FIGURES = ("spearman", "kendall", "pearson")
_TITLES = {
    "alpha_nominal": "alpha nominal",
    "alpha_ordinal": "alpha ordinal",
    "alpha_interval": "alpha interval",
    "icc_single": "ICC single",
    "icc_mean": "ICC mean",
    "spearman": "Spearman",
    "kendall": "Kendall",
    "pearson": "Pearson",
    "kappa": "Kappa",
    "kappa_quadratic": "Quadratic kappa",
    "exact": "Exact",
    "within_one": "Within one",
    "mean_difference": "Mean difference",
    "percent": "Percent agreement",
}


# ---- the screen ---------------------------------------------------------------------------------------------------


def screen(study: AgreementStudy, table: RatingTable) -> str:
    """What `flask-eval agree` prints: the verdict in words, then the figures that it rests on."""
    parts = views(study, table)
    view = parts[0]
    title = f"Agreement study: {_counts(view)}"
    blocks = [
        _wrap([title + (f" (slice {name(view.part).text})" if view.part else "")]),
        _wrap(_verdicts(view)),
        _wrap([people_words(view)]),
        *_comparison(view),
        *_per_judge(view),
        *_outstanding(view),
        *_floors(view),
        *(_slices(parts) if len(parts) > 1 else ()),
        _wrap(f"Note: {visible(note)}" for note in study.notes),
        _wrap(
            ["Full tables and a methods paragraph: --markdown FILE; everything: --json FILE; a page: flask-eval report"]
        ),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _counts(view: View) -> str:
    judges = [j for j in view.judges if not view.is_metric(j)]
    metrics = len(view.judges) - len(judges)
    texts = [counted(len(view.people), "person", "people"), counted(len(judges), "judge")]
    if metrics:
        texts.append(counted(metrics, "baseline"))
    return ", ".join([*texts, counted(len(view.skills), "skill")])


def _wrap(texts: Iterable[str], indent: str = "  ") -> list[str]:
    """Paragraphs as lines of the screen's width."""
    options = {"subsequent_indent": indent, "break_on_hyphens": False}
    return [line for text in texts if text for line in textwrap.wrap(text, WIDTH, **options)]  # type: ignore[arg-type]


def _verdicts(view: View) -> Iterator[str]:
    for judge in view.judges:
        found = verdict(view, judge)
        yield " ".join(
            part for part in (flat(found.lead), "" if found.metric else found.skills, found.closeness) if part
        )


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
    """Columns as wide as they must be; those that `right` marks (`r`) are set to the right."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    marks = right.ljust(len(header))
    lines = [
        " ".join(
            text.rjust(width) if mark == "r" else text.ljust(width)
            for text, width, mark in zip(row, widths, marks, strict=True)
        ).rstrip()
        for row in (header, *rows)
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _comparison(view: View) -> Iterator[list[str]]:
    """Judges and baselines side by side, as FLASK's table 1."""
    if len(view.judges) < 2 or not view.people or view.labels:
        return
    rows = []
    for judge in view.judges:
        row = view.against(judge, None)
        label = name(judge, 24).text
        if view.is_metric(judge):
            label = f"{name(judge, 17).text}, baseline"
        rows.append([label, *(said(figure(row, m)) for m in _FIGURES)])
    person = view.ceiling(view.judges[0], None)
    if person is not None:
        rows.append(["one person, others", *(said(figure(person, m)) for m in _FIGURES)])
    header = ("Against people's mean", "Spearman", "Kendall", "Pearson")
    yield ["All skills pooled, item by item:", *_grid(header, rows)]


def _per_judge(view: View) -> Iterator[list[str]]:
    judges = [j for j in view.judges if not view.is_metric(j)] or view.judges
    if not view.people:
        return
    if len(judges) > _MOST_TABLES:
        yield _wrap([f"Tables of {len(judges)} judges by skill: --markdown FILE."])
        return
    for judge in judges:
        yield [
            f"{name(judge).text} against people, skill by skill:",
            *_grid(*_judge_grid(view, judge), " r  rr"),
            *_judge_notes(view, judge),
        ]


def _judge_grid(view: View, judge: str) -> tuple[tuple[str, ...], list[list[str]]]:
    first, second, human = ("kappa", "exact", "each") if view.labels else ("spearman", "pearson", "mean")
    rows = []
    for skill in [*view.skills, None]:
        row = view.against(judge, skill, human)
        test = view.test(judge, skill)
        ceiling = figure(view.ceiling(judge, skill, human), first)
        n = str(row.n) if row else "0"
        answer = ANSWER[test.replaces if test else None].replace("cannot tell", "?")
        label = name(view.title(skill), 25).text
        rows.append([label, n, said(figure(row, first)), said(figure(row, second)), plain(ceiling.value), answer])
    for level, adjusted, label in (("item", "skill_centred", "  skill means out"), ("system", None, "  system level")):
        row = view.against(judge, None, human, level, adjusted)
        if row is not None and figure(row, first).value is not None:
            rows.append([label, str(row.n), said(figure(row, first)), said(figure(row, second)), "", ""])
    return ("Skill", "n", _TITLES[first], _TITLES[second], "Ceil.", "May?"), rows


def _judge_notes(view: View, judge: str) -> list[str]:
    human = "each" if view.labels else "mean"
    measure = "kappa" if view.labels else "spearman"
    lines = [
        (
            f"n: pairs (models at system level, which is conditional on these models). Ceil.: one person's {_TITLES[measure]} "
            "against the other people. May?: may it stand in for a person; ? cannot tell. In brackets: "
            f"{view.study.confidence:.0%} intervals."
        )
    ]
    reasons = [figure(view.against(judge, skill, human), measure) for skill in view.skills]
    lines += [f"-: {reason}." for reason in gathered(f.reason for f in reasons if f.value is None)[:3]]
    return _wrap(lines)


def _outstanding(view: View) -> Iterator[list[str]]:
    found = [flat(s) for s in standing_out(view, [*view.judges, *view.people])]
    if found:
        more = len(found) - _MOST_EFFECTS
        shown = [f"- {text}" for text in found[:_MOST_EFFECTS]] + ([f"- and {more} more"] if more > 0 else [])
        yield ["What stands out (only where the interval leaves out no effect):", *_wrap(shown)]
    elif view.study.resamples and view.study.rater_effects:
        yield _wrap(["No rater stands out: no effect whose interval leaves out 0."])


def _floors(view: View) -> Iterator[list[str]]:
    for judge in view.judges:
        text = floor_words(view, judge)
        if text:
            who = name(judge).text
            yield _wrap([f"Noise floor of {who}, the smallest difference of two models that can be told: {text}."])


def _slices(parts: Sequence[View]) -> Iterator[list[str]]:
    """All skills pooled, slice by slice."""
    rows = []
    for view in parts:
        measure, human = ("kappa", "each") if view.labels else ("spearman", "mean")
        alpha = said(figure(view.among("human", None), view.alpha))
        for judge in view.judges:
            row = view.against(judge, None, human)
            n = str(row.n) if row else "0"
            rows.append(
                [name(view.part or "everything", 24).text, name(judge, 18).text, n, alpha, said(figure(row, measure))]
            )
    if rows:
        heads = ("Slice", "Judge", "n", "People's alpha", "kappa" if parts[0].labels else "Spearman")
        shown = _grid(heads, rows[:12], "  r")
        yield [f"By slice ({len(parts)}):", *shown, *([f"and {len(rows) - 12} more rows"] if len(rows) > 12 else [])]


# ---- Markdown -----------------------------------------------------------------------------------------------------


def markdown(study: AgreementStudy, table: RatingTable) -> str:
    """The full tables, what the measures mean, and the methods paragraph."""
    parts = views(study, table)
    lines = ["# Agreement study", ""]
    for view in parts:
        if len(parts) > 1 or view.part:
            lines += [f"## {_code(view.part or 'everything')}", ""]
        lines += _view_markdown(view)
    text = methods(study, table, _code)
    lines += ["## Methods", "", text, "", "References:", "", *(f"- {one}" for one in references(text)), ""]
    if study.notes:
        lines += ["## Notes", "", *(f"- {_escaped(note)}" for note in study.notes), ""]
    lines += ["## What the measures mean", ""]
    lines += [f"- **{one.title}.** {one.means} {one.limits}" for one in MEANINGS.values()]
    return "\n".join(lines) + f"\n\nflask_eval {flask_eval.__version__}\n"


def _code(text: str) -> str:
    return f"`{name(text, 80).text.replace('`', chr(39))}`"


def _escaped(text: str) -> str:
    made = visible(text)
    for sign in "\\`*_[]<>|":
        made = made.replace(sign, f"\\{sign}")
    return made


def _view_markdown(view: View) -> list[str]:
    lines = []
    for judge in view.judges:
        found = verdict(view, judge)
        text = "".join(part if isinstance(part, str) else f"**{_code(part.text)}**" for part in found.lead)
        lines += [
            " ".join(filter(None, (text, "" if found.metric else _escaped(found.skills), _escaped(found.closeness)))),
            "",
        ]
    lines += [_escaped(people_words(view)), ""]
    lines += _among_markdown(view)
    for judge in view.judges:
        lines += _judge_markdown(view, judge)
    lines += _effects_markdown(view)
    for judge in view.judges:
        lines += _noise_markdown(view, judge) + _calibrated_markdown(view, judge)
    return lines


def _tabled(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], reasons: Iterable[str] = ()) -> list[str]:
    if not rows:
        return []
    told = [f"- means: {_escaped(reason)}" for reason in gathered(r for r in reasons if r)]
    return [f"### {title}", "", markdown_table(header, rows), "", *told, *([""] if told else [])]


def _among_markdown(view: View) -> list[str]:
    measures = (
        ("alpha_nominal", "percent")
        if view.labels
        else ("alpha_ordinal", "alpha_interval", "icc_single", "icc_mean", "percent")
    )
    lines = []
    for kind, who in (("human", "people"), ("judge", "judges")):
        rows, reasons = [], []
        for skill in [*view.skills, None]:
            row = view.among(kind, skill)
            if row is None or len(row.raters) < 2:
                continue
            found = [figure(row, measure) for measure in measures]
            reasons += [f.reason for f in found if f.value is None]
            rows.append([name(view.title(skill)).text, f"{row.n_units:,}", *map(said, found)])
        lines += _tabled(f"Among {who}", ("Skill", "Units", *(_TITLES[m] for m in measures)), rows, reasons)
    return lines


def _judge_markdown(view: View, judge: str) -> list[str]:
    mean = () if view.labels else ("spearman", "pearson", "kendall", "mean_difference")
    each = ("kappa", "exact") if view.labels else ("kappa_quadratic", "exact", "within_one")
    main, human = ("kappa", "each") if view.labels else ("spearman", "mean")
    rows, reasons = [], []
    for skill in [*view.skills, None]:
        test, against = view.test(judge, skill), view.against(judge, skill, human)
        if against is None:
            continue
        found = [figure(view.against(judge, skill), m) for m in mean]
        found += [figure(view.against(judge, skill, "each"), m) for m in each]
        ceiling = view.ceiling(judge, skill, human)
        found += [figure(ceiling, main), figure(ceiling, main, "difference")]
        found.append(_rate(test))
        reasons += [f.reason for f in found if f.value is None]
        rows.append(
            [name(view.title(skill)).text, f"{against.n:,}", *map(said, found), ANSWER[test.replaces if test else None]]
        )
    rows += _levels_markdown(view, judge, mean, len(each) + 4) if mean else []
    heads = (
        "Skill",
        "n",
        *(_TITLES[m] for m in (*mean, *each)),
        "Ceiling",
        "Less ceiling",
        "Winning rate",
        "Stands in",
    )
    return _tabled(f"{_code(judge)} against people", heads, rows, reasons)


def _rate(test: object) -> Figure:
    value = getattr(test, "winning_rate", None)
    told = getattr(test, "undefined", {})
    return Figure(value, reason=told.get("winning_rate", "not tested") if value is None else "")


def _levels_markdown(view: View, judge: str, measures: Sequence[str], empty: int) -> list[list[str]]:
    rows = []
    levels = (
        ("item", "skill_centred", "All, skill means taken out"),
        ("instance", None, "All, within instance"),
        ("system", None, "All, system level (conditional on these models)"),
    )
    for level, adjusted, label in levels:
        row = view.against(judge, None, "mean", level, adjusted)
        if row is not None:
            rows.append([label, f"{row.n:,}", *(said(figure(row, m)) for m in measures), *[""] * empty])
    return rows


def _effects_markdown(view: View) -> list[str]:
    rows, reasons = [], []
    for rater in [*view.judges, *view.people]:
        row = view.effects(rater, None)
        if row is not None:
            found = [figure(row, m) for m in EFFECTS]
            reasons += [f.reason for f in found if f.value is None]
            rows.append([name(rater).text, f"{row.n:,}", *map(said, found)])
    heads = ("Rater", "n", *(MEANINGS[m].title for m in EFFECTS))
    return _tabled("Rater effects", heads, rows, reasons)


def _noise_markdown(view: View, judge: str) -> list[str]:
    rows = [
        [
            name(view.title(row.skill)).text,
            f"{row.n:,}",
            said(
                Figure(
                    row.minimum_detectable_difference,
                    *(row.intervals.get("minimum_detectable_difference") or (None, None)),
                )
            ),
            "-" if row.instances_to_halve is None else f"{row.instances_to_halve:,}",
            "-" if row.samples_to_halve is None else f"{row.samples_to_halve:,}",
        ]
        for row in view.noise(judge)
    ]
    reasons = [row.undefined.get("samples_to_halve", "") for row in view.noise(judge)]
    heads = ("Skill", "n", "Smallest difference that can be told", "Instances to halve it", "Samples to halve it")
    return _tabled(f"Noise floor of {_code(judge)}", heads, rows, reasons)


def _calibrated_markdown(view: View, judge: str) -> list[str]:
    known = view.calibrated(judge) if view.has_calibrated(judge) else []
    rows = [
        [
            name(row.model).text,
            name(view.title(row.skill)).text,
            plain(row.judge_mean),
            said(Figure(row.mean, row.low, row.high)),
            str(row.n_human),
            str(row.n_judge),
        ]
        for row in known
    ]
    heads = ("Model", "Skill", "Judge's mean", "Calibrated", "n people", "n judge")
    return _tabled(f"Calibrated means of {listed([_code(judge)])}", heads, rows)
