"""An agreement study in words: may the judge stand in, do the people agree, what stands out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flask_eval.reporting.answer import Sentence
from flask_eval.reporting.study_view import Figure, View, figure, gathered
from flask_eval.reporting.text import Name, counted, listed, name

FIRM, TENTATIVE = 0.8, 0.667
"""Krippendorff's (2018) customary limits of alpha: reliable; only tentative conclusions."""

ANSWER = {True: "yes", False: "no", None: "cannot tell"}
EFFECTS = ("severity", "central_tendency", "length_slope", "self_preference", "drift")
"""The effects of raters that are told."""
_CENTRE = {"central_tendency": 1.0}
"""The value that means no effect, where it is not 0."""


def said(found: Figure, digits: int = 2) -> str:
    """`0.68 (0.61 to 0.74)`; a dash where there is no value."""
    if found.value is None:
        return "-"
    if found.low is None or found.high is None:
        return plain(found.value, digits)
    return f"{plain(found.value, digits)} ({plain(found.low, digits)} to {plain(found.high, digits)})"


def plain(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits, no minus before zero; a dash where there is none."""
    if value is None:
        return "-"
    made = f"{value:.{digits}f}"
    return made if float(made) else made.lstrip("-")


def flat(sentence: Sentence) -> str:
    """A sentence as text."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


class Verdict(NamedTuple):
    """May this judge stand in for a person?"""

    judge: Name
    metric: bool
    lead: Sentence
    """One sentence over all skills."""
    skills: str
    """Which skills: yes, no, cannot tell, and why."""
    closeness: str
    """How close its scores are, beside one person's."""


def verdict(view: View, judge: str) -> Verdict:
    """The verdict on one judge, in words."""
    return Verdict(
        name(judge), view.is_metric(judge), _lead(view, judge), _by_skill(view, judge), _closeness(view, judge)
    )


def _lead(view: View, judge: str) -> Sentence:
    who, test = name(judge), view.test(judge, None)
    if not view.people:
        return "Nobody can tell whether ", who, " may stand in for a person: no person rated."
    if test is None:
        return "Whether ", who, " may stand in for a person was not tested."
    if test.replaces is None:
        reason = _brief(test.undefined.get("replaces", "no reason given"))
        if view.is_metric(judge):
            return who, f" is a baseline and was not tested as a stand-in for a person: {reason}."
        return "Whether ", who, f" may stand in for a person cannot be told: {reason}."
    won = sum(bool(person.wins) for person in test.persons)
    over = (
        f" over all skills together: it holds up against {won} of {counted(test.n_raters, 'person', 'people')} in the "
        f"alternative annotator test (epsilon {test.epsilon:g})"
    )
    if test.replaces:
        return who, f" may stand in for a person{over}."
    return who, f" may not stand in for a person{over}, fewer than half."


def _by_skill(view: View, judge: str) -> str:
    tests = {skill: view.test(judge, skill) for skill in view.skills}
    if len(view.skills) < 2 or not view.people:
        return ""
    found: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for skill, test in tests.items():
        found[test.replaces if test else None].append(name(view.title(skill)).text)
    if not found[True] and not found[False]:
        reasons = gathered(_reason(test) for test in tests.values())
        return f"Skill by skill it cannot be told: {'; '.join(map(_brief, reasons[:2]))}."
    parts = [f"{ANSWER[key]} for {listed(found[key], 12)}" for key in (True, False) if found[key]]
    if found[None]:
        reasons = gathered(_reason(tests[s]) for s in view.skills if _open(tests[s]))
        parts.append(f"{ANSWER[None]} for {listed(found[None], 12)} ({'; '.join(map(_brief, reasons[:2]))})")
    return f"Skill by skill: {'; '.join(parts)}."


def _open(test: object) -> bool:
    return getattr(test, "replaces", None) is None


def _reason(test: object) -> str:
    return str(getattr(test, "undefined", {}).get("replaces", "not tested"))


def _brief(reason: str) -> str:
    return name(reason.rstrip("."), 200).text


def main_measure(view: View) -> tuple[str, str, str]:
    """The measure of closeness that fits the scale, in words, and against whom."""
    return ("kappa", "kappa", "each") if view.labels else ("spearman", "Spearman", "mean")


def _closeness(view: View, judge: str) -> str:
    measure, word, human = main_measure(view)
    own = figure(view.against(judge, None, human), measure)
    if own.value is None:
        return ""
    whom = "each of the people" if view.labels else "the people's mean"
    text = f"Its scores agree with {whom} at {word} {said(own)}"
    ceiling = view.ceiling(judge, None, human)
    person, gap = figure(ceiling, measure), figure(ceiling, measure, "difference")
    if person.value is None or gap.value is None:
        return f"{text}."
    words = {1: "it comes closer than a person", -1: "a person comes closer"}.get(
        gap.sided, "the two are not told apart"
    )
    return f"{text}; one person against the other people reaches {plain(person.value)}: on the same footing {words}."


def people_words(view: View) -> str:
    """Do the people agree?"""
    count = len(view.people)
    if count == 0:
        return "No person rated, so there is nobody to hold a judge against."
    row = view.among("human", None)
    found = figure(row, view.alpha)
    if count == 1:
        return (
            "Only one person rated: whether people agree with each other cannot be told, nor what a judge could reach."
        )
    if found.value is None:
        return f"Whether the {count} people agree cannot be told: {_brief(found.reason)}."
    text = (
        f"{_degree(count, found.value)}: Krippendorff's alpha {said(found)}, where 1 is full agreement and 0 is chance."
    )
    by_skill = {skill: figure(view.among("human", skill), view.alpha) for skill in view.skills}
    known = {skill: one.value for skill, one in by_skill.items() if one.value is not None}
    if len(known) > 2:
        low, high = min(known, key=lambda s: known[s]), max(known, key=lambda s: known[s])
        text += (
            f" Most on {_title(view, high)} ({plain(known[high])}), least on {_title(view, low)} ({plain(known[low])})."
        )
    return text


def _title(view: View, skill: str) -> str:
    return name(view.title(skill)).text


def _degree(count: int, alpha: float) -> str:
    who = f"The {count} people"
    if alpha >= FIRM:
        return f"{who} agree well"
    if alpha >= TENTATIVE:
        return f"{who} agree well enough for tentative conclusions"
    if alpha >= 0.4:
        return f"{who} agree in part, below the usual .667"
    return f"{who} agree little" if alpha > 0.05 else f"{who} agree no better than by chance"


def standing_out(view: View, raters: Sequence[str]) -> Iterator[Sentence]:
    """What is particular about each rater: effects whose interval leaves out the value that means none."""
    for rater in raters:
        row, halo = view.effects(rater, None), view.halo(rater)
        words = []
        if row is not None:
            others = "people" if view.kinds.get(rater) != "human" and row.against == "people" else "others"
            for measure in EFFECTS if others == "people" else ("severity", "drift"):
                found = figure(row, measure)
                if shifted(found, measure).sided:
                    words.append(_effect_words(measure, found, others))
        if halo is not None and halo.halo:
            own, theirs = figure(halo, "judge"), figure(halo, "people")
            words.append(f"has a halo: its skills correlate at {said(own)}, those of people at {said(theirs)}")
        if words:
            yield name(rater), f" {'; '.join(words)}."


def shifted(found: Figure, measure: str) -> Figure:
    """The figure less the value that means no effect."""
    centre = _CENTRE.get(measure, 0.0)
    parts = [None if x is None else x - centre for x in found[:3]]
    return Figure(parts[0], parts[1], parts[2])


def _effect_words(measure: str, found: Figure, others: str) -> str:
    value, text = found.value or 0.0, said(found)
    up = shifted(found, measure).sided > 0
    low, high = sorted((abs(found.low or 0.0), abs(found.high or 0.0)))
    size = said(Figure(abs(value), low, high))
    way = {
        "severity": f"is {size} points more {'lenient' if up else 'severe'} than the {others}",
        "central_tendency": f"spreads its scores {'wider' if up else 'less'}: {text} times theirs",
        "length_slope": f"{'rewards' if up else 'punishes'} length: double length {'adds' if up else 'takes'} {size} points",
        "self_preference": f"{'favours' if up else 'disfavours'} models of its own family by {size} points",
        "drift": f"drifts by {text} points from one sample to the next",
    }
    return way[measure]


def floor_words(view: View, judge: str) -> str:
    """The smallest difference that can be told, per skill."""
    rows = [row for row in view.noise(judge) if row.minimum_detectable_difference is not None]
    if not rows:
        reasons = gathered(r.undefined.get("minimum_detectable_difference", "not measured") for r in view.noise(judge))
        return (
            f"The smallest difference of two models that can be told is not known: {_brief(reasons[0])}."
            if reasons
            else ""
        )
    parts = [f"{_title(view, row.skill)} {plain(row.minimum_detectable_difference)}" for row in rows]
    return ", ".join(parts)
