"""Finding one's way in an agreement study: who takes part, and the figure of one judge, skill and measure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from flask_eval.analysis.agreeing import AgreementStudy
from flask_eval.analysis.agreement import Confusion, InterRater, JudgeVersusHuman, RankingAccuracy
from flask_eval.analysis.trust.alt_test import AltTest
from flask_eval.analysis.trust.ceiling import Ceiling
from flask_eval.analysis.trust.effects import RaterEffects
from flask_eval.analysis.trust.noise import NoiseFloor
from flask_eval.analysis.trust.orthogonality import Orthogonality
from flask_eval.analysis.trust.ppi import CalibratedMean
from flask_eval.ratings import RatingTable

R = TypeVar("R")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


class Figure(NamedTuple):
    """A value with its interval; the reason where one of them is missing."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @property
    def sided(self) -> int:
        """1: the interval lies above 0; -1: below; 0: it holds 0, or there is none."""
        if self.low is None or self.high is None:
            return 0
        return (self.low > 0) - (self.high < 0)


def figure(row: Any, measure: str, group: str = "") -> Figure:
    """A measure of a row; `group`: `judge` or `difference` for the other figures of a ceiling."""
    if row is None:
        return Figure(None, reason="not measured")
    values = {"": "measures", "judge": "judge_measures", "difference": "differences"}[group]
    spans = "intervals" if not group else f"{group}_intervals"
    key = f"{group}.{measure}" if group else measure
    value = getattr(row, values).get(measure)
    ends = (getattr(row, spans) or {}).get(measure)
    told = row.undefined
    if value is None:
        return Figure(None, reason=told.get(key) or "not measured")
    if ends is None:
        made = getattr(row.method, "no_interval", {}) if hasattr(row, "method") else {}
        return Figure(value, reason=told.get(f"{key}.interval") or made.get(measure, ""))
    return Figure(value, ends[0], ends[1])


@dataclass(frozen=True)
class View:
    """One part of a study: everything, or one slice."""

    study: AgreementStudy
    table: RatingTable
    part: str | None

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Who takes part, and as what: people, judges, metrics."""
        found: dict[str, str] = {}
        for row in self.study.inter_rater:
            found |= dict.fromkeys(row.raters, row.kind)
        for versus in self.study.judge_vs_human:
            found.setdefault(versus.judge, "judge")
        for effects in self.study.rater_effects:
            found.setdefault(effects.rater, effects.kind)
        return found

    @property
    def people(self) -> list[str]:
        """The people's names."""
        return [name for name, kind in self.kinds.items() if kind == "human"]

    @property
    def judges(self) -> list[str]:
        """Judges, then metrics."""
        return [name for kind in ("judge", "metric") for name, own in self.kinds.items() if own == kind]

    def is_metric(self, rater: str) -> bool:
        """Whether it is a baseline metric."""
        return self.kinds.get(rater) == "metric"

    @cached_property
    def skills(self) -> list[str]:
        """The skills that the study speaks of, in the order of the table."""
        rows: Iterable[Any] = (*self.study.inter_rater, *self.study.judge_vs_human)
        seen = {row.skill for row in rows if row.slice == self.part}
        return [skill for skill in self.table.skills if skill in seen]

    @cached_property
    def labels(self) -> bool:
        """Whether scores are labels without an order."""
        rows: list[Any] = [*self.study.judge_vs_human, *self.study.inter_rater]
        ordered = any(
            r.measures.get("spearman") is not None or r.measures.get("alpha_ordinal") is not None for r in rows
        )
        plain = any(r.measures.get("kappa") is not None or r.measures.get("alpha_nominal") is not None for r in rows)
        return plain and not ordered

    @property
    def alpha(self) -> str:
        """The alpha that fits the scale."""
        return "alpha_nominal" if self.labels else "alpha_ordinal"

    @cached_property
    def _against(self) -> dict[tuple[str, str | None, str, str, str | None], JudgeVersusHuman]:
        return {(r.judge, r.skill, r.human, r.level, r.adjusted): r for r in self._own("judge_vs_human")}

    def against(
        self, judge: str, skill: str | None, human: str = "mean", level: str = "item", adjusted: str | None = None
    ) -> JudgeVersusHuman | None:
        """A judge against people."""
        return self._against.get((judge, skill, human, level, adjusted))

    def among(self, kind: str, skill: str | None) -> InterRater | None:
        """Raters of one kind among each other."""
        return _first(self._own("inter_rater"), lambda r: (r.kind, r.skill, r.of) == (kind, skill, "raters"))

    def itself(self, rater: str, skill: str | None) -> InterRater | None:
        """One rater with itself over its samples."""
        return _first(self._own("inter_rater"), lambda r: (r.raters, r.skill, r.of) == ((rater,), skill, "samples"))

    def test(self, judge: str, skill: str | None) -> AltTest | None:
        """The alternative annotator test."""
        return _first(self._own("replaceability"), lambda r: (r.judge, r.skill) == (judge, skill))

    def ceiling(self, judge: str | None, skill: str | None, human: str = "mean") -> Ceiling | None:
        """One person against the others, beside the judge."""
        wanted = (judge, skill, human)
        return _first(self._own("ceiling"), lambda r: (r.judge, r.skill, r.human) == wanted)

    def ranking(self, judge: str, skill: str | None) -> RankingAccuracy | None:
        """How often the judge orders two responses as people's mean does."""
        return _first(self._own("ranking_accuracy"), lambda r: (r.judge, r.skill, r.human) == (judge, skill, "mean"))

    def effects(self, rater: str, skill: str | None) -> RaterEffects | None:
        """What a rater does to its scores."""
        return _first(self._own("rater_effects"), lambda r: (r.rater, r.skill) == (rater, skill))

    def halo(self, judge: str) -> Orthogonality | None:
        """Correlations between skills."""
        return _first(self._own("orthogonality"), lambda r: r.judge == judge)

    def noise(self, judge: str) -> list[NoiseFloor]:
        """The noise floor of each skill."""
        rows = {row.skill: row for row in self._own("noise_floor") if row.judge == judge}
        return [rows[skill] for skill in self.table.skills if skill in rows]

    def confusions(self, judge: str) -> list[Confusion]:
        """The confusion of each skill, against each person."""
        rows = {r.skill: r for r in self._own("confusion") if (r.judge, r.human) == (judge, "each")}
        return [rows[skill] for skill in self.skills if skill in rows]

    def calibrated(self, judge: str) -> list[CalibratedMean]:
        """Means on the people's scale."""
        return [row for row in self._own("calibrated") if row.judge == judge]

    def has_calibrated(self, judge: str) -> bool:
        """Whether at least half of them exist: a few that need no calibration, since people rated all, are no result."""
        rows = self.calibrated(judge)
        return bool(rows) and 2 * sum(row.mean is not None for row in rows) >= len(rows)

    def title(self, skill: str | None) -> str:
        """A skill as people read it."""
        return "All skills" if skill is None else self.table.title(skill)

    @cached_property
    def _found(self) -> dict[str, list[Any]]:
        return {}

    def _own(self, field: str) -> list[Any]:
        """The rows of a field of the study that belong to this part."""
        if field not in self._found:
            self._found[field] = [row for row in getattr(self.study, field) if row.slice == self.part]
        return self._found[field]


def views(study: AgreementStudy, table: RatingTable) -> list[View]:
    """The parts of a study in the order in which they were made; one of everything where there are no rows."""
    rows: Iterable[Any] = (*study.inter_rater, *study.judge_vs_human, *study.replaceability)
    parts = list(dict.fromkeys(row.slice for row in rows)) or [None]
    return [View(study, table, part) for part in parts]


def _first(rows: Iterable[R], fits: Callable[[R], bool]) -> R | None:
    return next((row for row in rows if fits(row)), None)


def pattern(reason: str) -> str:
    """A reason without its numbers."""
    return _NUMBER.sub("\x00", reason)


def gathered(reasons: Iterable[str]) -> list[str]:
    """Reasons without repeats; those that differ in numbers alone become one, with the range of the numbers."""
    groups: dict[str, list[list[str]]] = {}
    for reason in dict.fromkeys(reasons):
        groups.setdefault(pattern(reason), []).append(_NUMBER.findall(reason))
    made = []
    for shape, found in groups.items():
        parts = shape.split("\x00")
        spans = [_span(column) for column in zip(*found, strict=True)]
        made.append("".join(part + span for part, span in zip(parts, [*spans, ""], strict=True)))
    return made


def _span(numbers: Sequence[str]) -> str:
    values: Mapping[float, str] = {float(text.replace(",", "")): text for text in numbers}
    low, high = values[min(values)], values[max(values)]
    return low if low == high else f"{low} to {high}"
