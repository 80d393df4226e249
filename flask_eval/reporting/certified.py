"""What a certificate says of each skill of each judge: certified, tentative or uncertified, in words and with a sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask_eval.analysis.certifying import judge_config, statuses
from flask_eval.analysis.trust.certificate import Certificate
from flask_eval.ratings import RatingTable
from flask_eval.reporting.study_view import gathered, pattern
from flask_eval.reporting.text import name

SIGN = {"certified": "\u25cf", "tentative": "\u25d0", "uncertified": "\u25cb"}
"""Full, half, empty: told apart without colour."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a certificate says of one skill."""

    status: str
    reason: str

    @property
    def text(self) -> str:
        """The sign and the word."""
        return f"{SIGN[self.status]} {self.status}"


Marks = Mapping[str, Mapping[str, Mark]]
"""By rater and skill."""


def marks(certificate: Certificate | None, table: RatingTable, judges: Iterable[str]) -> Marks:
    """The marks of every judge; none without a certificate."""
    if certificate is None:
        return {}
    return {judge: _of(certificate, table, judge) for judge in judges}


def _of(certificate: Certificate, table: RatingTable, judge: str) -> dict[str, Mark]:
    config = judge_config(table, judge)
    if config is None and judge != certificate.judge:
        reason = f"the certificate is of the judge '{certificate.judge}', not of '{judge}'"
        return {skill: Mark("uncertified", reason) for skill in table.skills}
    found = statuses(certificate, judge, config, table.skills)
    return {skill: Mark(status, reason) for skill, (status, reason) in found.items()}


def terms(certificate: Certificate) -> str:
    """By which thresholds a certificate says what it says, and of whom."""
    limits = [f"{key.replace('_', ' ')} at least {value:g}" for key, value in certificate.thresholds.items()]
    rule = (
        f"Thresholds: {', '.join(limits)}. Certified: the low end of each interval reaches them; tentative: only the figure "
        "does, or it is undefined; uncertified: a figure is below."
        if limits
        else "Threshold: the alternative annotator test. Certified: the judge may stand in for a person; uncertified: it may not; "
        "tentative: the test is undefined."
    )
    return (
        f"Certificate of {name(certificate.judge).text}, {certificate.created}, by flask_eval {name(certificate.version).text}. {rule} It "
        "holds for this judge card, prompt and rubric set: another one is uncertified."
    )


def footnotes(own: Mapping[str, Mark], titles: Mapping[str, str], skills: Sequence[str]) -> tuple[str, ...]:
    """The reasons, skills with the same one together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for skill in skills:
        if skill in own:
            mark = own[skill]
            groups.setdefault((mark.text, pattern(mark.reason)), []).append(skill)
    made = []
    for (text, _), found in groups.items():
        reason = gathered(own[skill].reason for skill in found)[0]
        made.append(f"{text}: {', '.join(titles.get(skill, skill) for skill in found)}. {name(reason, 300).text}.")
    return tuple(made)
