"""The methods paragraph of an agreement study, ready to paste into a paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flask_eval
from flask_eval.analysis.agreeing import AgreementStudy
from flask_eval.ratings import RatingTable
from flask_eval.reporting.study_view import View, views
from flask_eval.reporting.text import counted, listed, name

REFERENCES = {
    "Angelopoulos, Duchi and Zrnic 2023": "PPI++: Efficient prediction-powered inference. arXiv:2311.01453.",
    "Benjamini and Yekutieli 2001": "The control of the false discovery rate in multiple testing under dependency. Annals of "
    "Statistics 29(4), 1165-1188.",
    "Brennan 2001": "Generalizability Theory. Springer.",
    "Calderon, Reichart and Dror 2025": "The alternative annotator test for LLM-as-a-judge: how to statistically justify "
    "replacing human annotators with LLMs. ACL 2025.",
    "Campbell and Fiske 1959": "Convergent and discriminant validation by the multitrait-multimethod matrix. Psychological "
    "Bulletin 56(2), 81-105.",
    "Cohen 1968": "Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial credit. "
    "Psychological Bulletin 70(4), 213-220.",
    "Cohen 1960": "A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20(1), 37-46.",
    "Kendall 1945": "The treatment of ties in ranking problems. Biometrika 33(3), 239-251.",
    "Krippendorff 2011": "Computing Krippendorff's alpha-reliability. University of Pennsylvania, Annenberg School for "
    "Communication, Departmental Papers.",
    "Krippendorff 2018": "Content Analysis: An Introduction to Its Methodology, 4th edition. Sage.",
    "Shrout and Fleiss 1979": "Intraclass correlations: uses in assessing rater reliability. Psychological Bulletin 86(2), "
    "420-428.",
}
"""What the paragraph cites."""


def _shown(text: str) -> str:
    return name(text).text


def methods(study: AgreementStudy, table: RatingTable, quote: Callable[[str], str] = _shown) -> str:
    """One paragraph: what was compared, by which conventions, with which version and seed.

    Args:
        study: what `agree` gave.
        table: the ratings that it was made of.
        quote: how a rater's name is set.
    """
    view = views(study, table)[0]
    return " ".join(_sentences(view, quote))


def references(text: str) -> list[str]:
    """The references that a paragraph cites, in full."""
    return [f"{key}. {rest}" for key, rest in REFERENCES.items() if key in text or _in_list(key, text)]


def _in_list(key: str, text: str) -> bool:
    """`Krippendorff 2011, 2018` cites both."""
    who, _, year = key.rpartition(" ")
    return f"{who} 2011, {year}" in text


def _sentences(view: View, quote: Callable[[str], str]) -> Iterator[str]:
    yield from _compared(view, quote)
    yield (
        "The unit is one response on one skill (instance, model, response sample, skill); repeated ratings of one rater were "
        + ("reduced to the most frequent label first." if view.labels else "averaged first.")
    )
    if len(view.people) > 1:
        yield from _people(view)
    if view.people and view.judges:
        yield from _judges(view)
        yield from _trust(view)
    yield from _intervals(view)
    yield f"Computed with flask_eval {flask_eval.__version__}, seed {view.study.seed}."


def _compared(view: View, quote: Callable[[str], str]) -> Iterator[str]:
    ratings = view.table.ratings
    own = ratings[ratings["rater"].isin(list(view.kinds))]
    scored = own[own["outcome"].eq("scored")]
    groups = []
    for kind, one, many in (
        ("judge", "judge", "judges"),
        ("metric", "baseline metric", "baseline metrics"),
        ("human", "person", "people"),
    ):
        names = [r for r, k in view.kinds.items() if k == kind]
        if names:
            groups.append(f"{counted(len(names), one, many)} ({listed([quote(n) for n in names])})")
    lost = len(own) - len(scored)
    where = (
        f"{counted(own['instance'].nunique(), 'instance')}, {counted(own['model'].nunique(), 'model')} and "
        f"{counted(own['skill'].nunique(), 'skill')}"
    )
    text = f"We compared {listed(groups)} on {where}: {counted(len(scored), 'score')}"
    if lost:
        text += f"; {counted(lost, 'planned rating')} without a score were left out"
    yield f"{text}."
    pairs = view.among("human", None)
    if pairs is not None and pairs.n_units:
        yield (
            f"Two people or more scored {counted(pairs.n_units, 'unit')} of {counted(pairs.n_instances, 'instance')} "
            f"({pairs.n_ratings:,} ratings)."
        )


def _people(view: View) -> Iterator[str]:
    level = "nominal" if view.labels else "ordinal"
    yield f"Agreement among people is Krippendorff's alpha with the {level} difference function (Krippendorff 2011, 2018), which allows for gaps."
    if not view.labels:
        yield "Intraclass correlations are one-way random (Shrout and Fleiss 1979)."


def _judges(view: View) -> Iterator[str]:
    if view.labels:
        yield "Judges were held against people by Cohen's kappa (Cohen 1960) and exact agreement, as means over people."
        return
    yield (
        "Judges were held against the mean of the people by Spearman's rho, Pearson's r and Kendall's tau-b (Kendall 1945) over "
        "items; quadratic weighted kappa "
        f"({'weights by value on the scale' if view.study.kappa_weights == 'value' else 'weights by position among the scores that occur'}; "
        "Cohen 1968), exact agreement and agreement within one point are means over people, since a mean is no point of the scale."
    )
    yield (
        "Figures over all skills are pooled; skill-centred ones have each skill's mean taken out of both sides. System-level "
        "figures correlate the models' means and are conditional on these models."
    )


def _trust(view: View) -> Iterator[str]:
    if len(view.people) > 1:
        yield "The human ceiling leaves out one person at a time and holds that person and the judge against the others."
    yield (
        "Whether a judge may stand in for a person was tested by the alternative annotator test (Calderon, Reichart and Dror "
        f"2025) with epsilon {view.study.epsilon:g}: one-sided paired t-tests on the instances' means, false discovery rate .05 over "
        "the people (Benjamini and Yekutieli 2001), at least 3 identified people with 30 instances each; a winning rate of one "
        "half suffices."
    )
    if any(view.halo(judge) for judge in view.judges):
        yield (
            "Halo compares correlations between skills within the judge with those within people (Campbell and Fiske 1959), as "
            "observed and freed of noise by correlating different persons."
        )
    if any(view.noise(judge) for judge in view.judges):
        yield (
            "Minimum detectable differences (power .8, two-sided .05) rest on variance components by the method of moments "
            "(Brennan 2001)."
        )
    if any(view.has_calibrated(judge) for judge in view.judges):
        yield (
            "Calibrated means are prediction-powered estimates with tuned weight (Angelopoulos, Duchi and Zrnic 2023), each model "
            "on its own, with the instance as the unit."
        )


def _intervals(view: View) -> Iterator[str]:
    study = view.study
    if not study.resamples:
        yield "No intervals were computed."
        return
    yield f"Intervals have {study.confidence:.0%} confidence, each for itself; they resample or leave out instances (clusters), not ratings."
    judge = next(iter(view.judges), "")
    human = "each" if view.labels else "mean"
    made = [
        *_how("alpha", view.among("human", None), (view.alpha,)),
        *_how("correlations", view.against(judge, None, human), ("spearman", "pearson", "kendall")),
        *_how("kappa", view.against(judge, None, "each"), ("kappa_quadratic", "kappa")),
        *_how("shares", view.against(judge, None, "each"), ("exact", "within_one")),
        *_how("system level", view.against(judge, None, "mean", "system"), ("pearson", "spearman")),
    ]
    if made:
        labels: dict[str, list[str]] = {}
        for label, how in made:
            labels.setdefault(how, []).append(label)
        yield f"Methods: {'; '.join(f'{listed(own)} by {how}' for how, own in labels.items())}."
    if any("bootstrap" in how for _, how in made):
        yield f"Bootstraps drew {study.resamples:,} resamples."


def _how(label: str, row: Any, measures: Iterable[str]) -> Iterator[tuple[str, str]]:
    """How the intervals of the first measure that has one were made."""
    if row is not None:
        found = next((row.method.intervals[m] for m in measures if m in row.method.intervals), None)
        if found:
            yield label, found
