"""One self-contained page: the answer first, what it rests on next, the facts last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import flask_eval
from flask_eval.analysis.agreeing import AgreementStudy
from flask_eval.analysis.coding import Coded, coded
from flask_eval.analysis.coverage import OutcomeRow, outcome_counts
from flask_eval.analysis.text import visible
from flask_eval.analysis.trust.certificate import Certificate
from flask_eval.content import folder, text_of
from flask_eval.ratings import RatingTable
from flask_eval.records import replacing
from flask_eval.reporting import radar
from flask_eval.reporting.certified import marks, terms
from flask_eval.reporting.exports import Exports, frames
from flask_eval.reporting.facts import facts
from flask_eval.reporting.gallery import subjects
from flask_eval.reporting.interactive import interactive as interactive_of
from flask_eval.reporting.items import items_of
from flask_eval.reporting.markdown import markdown as markdown_of
from flask_eval.reporting.models_table import ModelsTable, read_models_table
from flask_eval.reporting.scripts import json_text, script
from flask_eval.reporting.sections import Numbers, Setting, coverage_words, numbers, section
from flask_eval.reporting.selection import chooser
from flask_eval.reporting.study_section import study_section
from flask_eval.reporting.tables import Table, coverage_table, study_table
from flask_eval.reporting.text import counted
from flask_eval.schema import Response, Slice

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

SAMPLE_BANNER = "Sample data: names that begin with sample- are sample models or a sample judge; they illustrate, they are no result."
SIMULATED_BANNER = "Simulated raters: those whose names begin with simulated- are no people; their ratings illustrate, they are no result."


class Study(Protocol):
    """What a report can show beside the ratings: any result that makes a table."""

    def to_frame(self) -> pd.DataFrame:
        """One row a result."""
        ...


def report(
    table: RatingTable,
    *studies: Study,
    path: str | Path,
    title: str | None = None,
    slices: Sequence[Slice] = (),
    banner: str | None = None,
    data: str | Path | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    certificate: Certificate | None = None,
    items: int | None = None,
    responses: Iterable[Response] = (),
    margin: float | None = None,
    interactive: bool = False,
    png: str | Path | None = None,
    svg: str | Path | None = None,
    csv: str | Path | None = None,
    markdown: str | Path | None = None,
    weights: Mapping[str, float] | None = None,
    models_table: ModelsTable | str | Path | None = None,
) -> Path:
    """Write one self-contained HTML page; nothing in it is fetched, and no number needs a script.

    Args:
        table: what `read_ratings` gave.
        studies: results to show: agreement studies in a section of their own, in place of the people's means where there
            are judges; others as tables (anything with `to_frame`; `title` and `notes` are used where they are there).
        path: the page to write; replaced whole or not at all.
        title: the page's title.
        slices: parts of the instances to set beside all of them.
        banner: a line at the top that nobody can overlook.
        data: a JSON file to write the same numbers to.
        confidence: of the intervals.
        resamples: 0 for no intervals.
        seed: kept with the numbers.
        certificate: what was shown of a judge; each skill is marked certified, tentative or uncertified.
        items: list so many single items with their texts, those where models or raters lie furthest apart; None: none.
        responses: texts for `items` that no run holds.
        margin: call two models tied where their difference is shown to lie within it, in points of the scale.
        interactive: add a section of interactive figures; plotly.js then stands in the page (about 5 MB).
        png: a folder for pictures of each figure, as PNG (300 dpi) and SVG; needs `flask-eval[images]` and Chrome or Chromium.
        svg: a folder for the page's own figures as SVG files; needs neither.
        csv: a folder for the same numbers as CSV, a table a file.
        markdown: a file for the page's tables in Markdown.
        weights: by skill, for the choice of a model; skills without one weigh nothing. None: the same for all.
        models_table: prices and speeds of the models: a file with the columns model, price and speed, or what `read_models_table` gave.

    Returns:
        The page's path.

    Raises:
        UserError: a slice holds none of the instances, an option does not fit, or `png` lacks kaleido or a browser; nothing is
            written then.
    """
    exports = Exports(png, svg, csv, markdown)
    exports.check()
    known = read_models_table(models_table) if isinstance(models_table, (str, Path)) else models_table
    codes = coded(replace(table, texts=table.texts.also(responses)))
    agreements = [study for study in studies if isinstance(study, AgreementStudy)]
    raters = _alone(codes, table, agreements)
    made = numbers(codes, raters, slices, Setting(confidence, resamples, seed, margin))
    scripts: list[tuple[Markup, str]] = []  # each part of the page that has one adds it: `script(name)`
    listed = items_of(codes, slices, items) if items is not None else None
    if listed is not None:
        scripts.append(script("items"))
    choice = chooser(codes, raters, weights, known, confidence=confidence, resamples=resamples, seed=seed)
    if choice is not None and choice.groups:
        scripts += [*([script("selection_front")] if choice.against else []), script("selection")]
    shown = subjects(codes, made, raters)
    pictures = exports.drawn(shown)
    live = interactive_of(shown) if interactive else None
    if live is not None:
        scripts += live.scripts
    outcomes = outcome_counts(codes)
    said = title or _title(codes)
    judges = [rater for rater in codes.raters if table.raters[rater] == "judge"]
    certified = marks(certificate, table, judges)
    sheets = ["report.css", "plots.css", *(["study.css"] if agreements else []), *(["items.css"] if listed else [])]
    sheets += ["interactive.css"] if live else []
    sections = [section(codes, made, rater, certified.get(rater)) for rater in raters]
    covered = coverage_table(outcomes, dict(table.without_response), len(codes.raters))
    notes = list(dict.fromkeys([*made.scores.notes, *made.comparison.notes]))
    html = _render(
        {
            "title": said,
            "summary": _summary(codes),
            "banners": _banners(table, banner),
            "sections": sections,
            "agreements": [
                study_section(study, table, certified, f"agreement-{k}" if k > 1 else "agreement")
                for k, study in enumerate(agreements, 1)
            ],
            "people_in_study": len(raters) < len(codes.raters),
            "certificate": terms(certificate) if certificate else "",
            "coverage": covered,
            "coverage_words": coverage_words(_covered(outcomes)),
            "studies": [_study(study) for study in studies if not isinstance(study, AgreementStudy)],
            "runs": facts(table),
            "items": listed,
            "notes": notes,
            "live": live,
            "chooser": choice,
            "method": _method(made, codes),
            "version": flask_eval.__version__,
            "radar_geometry": radar,
            "data": _embedded(made, raters),
            "sheets": sheets,
            "scripts": [text for text, _ in scripts],
            "policy": " ".join(source for _, source in scripts),
        }
    )
    target = Path(path)
    with replacing(target) as handle:
        handle.write(html)
    record: dict[str, Any] = {}
    if data is not None or csv is not None:  # a large one where there are many models
        record = _record(said, made, outcomes) | _studied(agreements)
        record |= {"selection": choice.selection.to_dict()} if choice else {}
    if data is not None:
        with replacing(Path(data)) as handle:
            json.dump(record, handle, indent=1, allow_nan=False)
            handle.write("\n")
    text = markdown_of(said, _banners(table, banner), sections, covered, [*_method(made, codes), *notes])
    exports.write(pictures, html, shown, frames(record, agreements) if csv is not None else {}, text)
    return target


def _alone(data: Coded, table: RatingTable, agreements: Sequence[AgreementStudy]) -> list[str]:
    """The raters with sections of their own: where a study holds judges against people, the people's ratings are in it."""
    own = [rater for rater in data.raters if table.raters[rater] != "human"]
    return own if own and any(study.n_people and study.n_judges for study in agreements) else list(data.raters)


def _studied(agreements: Sequence[AgreementStudy]) -> dict[str, Any]:
    return {"agreement": [study.to_dict() for study in agreements]} if agreements else {}


def _title(data: Coded) -> str:
    return f"{counted(len(data.models), 'model')}, {counted(len(data.skills), 'skill')}"


def _summary(data: Coded) -> str:
    rated = len(set(data.instance.tolist()))
    scored = int(data.scored.sum())
    kinds = [counted(len(data.raters), "rater"), counted(len(data.models), "model"), counted(len(data.skills), "skill")]
    return " \u00b7 ".join([*kinds, counted(rated, "instance"), f"{counted(scored, 'score')}"])


def _banners(table: RatingTable, banner: str | None) -> list[str]:
    """What is given; and where names tell of sample data that the given banner does not mention, that too."""
    names = [name.lower() for name in [*table.raters, *table.models]]
    given = (banner or "").lower()
    simulated = any(name.startswith("simulated-") for name in names) and "simulated" not in given
    sample = any(name.startswith("sample-") for name in names) and not ("sample" in given or "simulated" in given)
    return [
        text for text in (banner, SAMPLE_BANNER if sample else None, SIMULATED_BANNER if simulated else None) if text
    ]


def _covered(rows: Sequence[OutcomeRow]) -> float | None:
    wanted = sum(row.planned - row.outcomes["not_applicable"] for row in rows)
    return sum(row.outcomes["scored"] for row in rows) / wanted if wanted else None


def _method(made: Numbers, data: Coded) -> list[str]:
    scores = made.scores
    lines = [f"{scores.method[:1].upper()}{scores.method[1:]} (seed {scores.seed})."]
    if scores.resamples:
        lines.append(
            f"Intervals hold with {scores.confidence:.0%} confidence, each for itself: those that overlap prove nothing."
        )
        lines.append(f"Models against each other: {made.comparison.method} (seed {made.comparison.seed}).")
        lines.append(
            "Ranks: from 1 + the models that are significantly better, to all models less those that are significantly worse. Best: "
            "the probability that a model has the highest mean over instances of this kind, from a multivariate t around the means."
        )
    if data.notes:
        lines += data.notes
    return lines


def _study(study: Study) -> tuple[str, Table, Sequence[str]]:
    title = str(getattr(study, "title", type(study).__name__))
    notes = getattr(study, "notes", ())
    return title, study_table(study.to_frame(), title), tuple(map(str, notes))


def _record(title: str, made: Numbers, outcomes: Sequence[OutcomeRow]) -> dict[str, Any]:
    """The page's numbers as one JSON object."""
    return {
        "title": title,
        "coverage": [asdict(row) for row in outcomes],
        "macro": [asdict(row) for rows in made.macro.values() for row in rows],
        "scores": made.scores.to_dict(),
        "by": {dimension: cut.to_dict() for dimension, cut in made.cuts.items()},
        "slices": [
            {"name": part.name, "scores": scores.to_dict(), "drops": [asdict(row) for row in lost]}
            for part, scores, lost in made.slices
        ],
        "comparison": made.comparison.to_dict(),
        "crosses": {dimension: cross.to_dict() for dimension, cross in made.crosses.items()},
        "lengths": [asdict(row) for row in made.lengths],
    }


_EMBEDDED = ("mean", "low", "high", "n", "n_not_applicable", "n_missing")


def _embedded(made: Numbers, raters: Sequence[str]) -> Markup:
    """The scores as compact JSON for programs that read the page."""
    rows = [row for row in made.scores.rows if row.rater in raters]
    names = {key: list(dict.fromkeys(getattr(row, key) for row in rows)) for key in ("rater", "model", "skill")}
    places = {key: {value: place for place, value in enumerate(values)} for key, values in names.items()}
    body = [
        [*(places[key][getattr(row, key)] for key in names), *(_rounded(getattr(row, key)) for key in _EMBEDDED)]
        for row in rows
    ]
    record = {
        "names": names,
        "columns": [*names, *_EMBEDDED],
        "rows": body,
        "confidence": made.scores.confidence,
        "method": made.scores.method,
    }
    return json_text(record)


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _sheet(text: str) -> str:
    """A style sheet without comments and indents."""
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return "".join(f"{line.strip()}\n" for line in plain.splitlines() if line.strip())


def _render(values: dict[str, Any]) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        """Whatever the page says passes here: no hidden character gets through."""
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        return visible(value.replace("\n", " ").replace("\t", " "))

    where = folder("reports")
    environment = Environment(
        loader=FunctionLoader(lambda name: text_of(where / name)),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = "".join(_sheet(text_of(where / sheet)) for sheet in values["sheets"]).replace("</", "<\\/")
    values |= {"style": Markup(style)}  # noqa: S704 (our own file)
    return environment.get_template("report.html.jinja").render(values)
