"""What the columns of a foreign table are: the options of `import ratings`, checked against each other."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from flask_eval.errors import UserError, nearest
from flask_eval.schema import OUTCOMES, Kind, Value, is_empty

Columns = Literal["raters", "skills", "models"]
"""What names stand for: those of several score columns, or of the fields within a cell."""

LIST_PLACES = ("raters", "samples", "instances")
"""What the places of a list may be."""

DROP = "drop"
"""In the place of an outcome: a missing score gives no rating at all."""

NOT_APPLICABLE = frozenset({"n/a", "na", "n.a.", "n. a.", "not applicable", "not_applicable"})
"""Texts that say `not_applicable` by themselves, once `--missing` names them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One `--where`: rows whose column has, or has not, this value."""

    column: str
    value: str
    equal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """Which column of a table is what.

    A source is a column, a dotted path, `=TEXT` (the same for all rows), `#` (the row's number from 1), `A+B` or
    `{A}/{B}` (put together), or `C~REGEX` (a part of a column: the first group, or all that matches).
    """

    instance: str
    """The source of the instance's id."""
    scores: tuple[str, ...]
    """Columns, dotted paths or patterns (`crowd_*`; `*` is every column not named elsewhere) that hold scores."""
    kind: Kind = "human"
    """What the raters are."""
    columns: Columns | None = None
    """What the names of several score columns, or of the fields in a cell, are; raters where left out."""
    lists: tuple[str, ...] = ()
    """What the places of a list in a cell are, outermost first; people's lists are raters where left out."""
    skill: str | None = None
    rater: str | None = None
    model: str | None = None
    sample: str | None = None
    response_sample: str | None = None
    versus: str | None = None
    item: str | None = None
    variant: str | None = None
    outcome: str | None = None
    """The source of the outcome of ratings without a score."""
    rationale: str | None = None
    """The source of the reasons; a list beside a list of scores goes place by place."""
    rater_names: tuple[str, ...] = ()
    """The persons behind the places of a list of raters, where each place is always the same person."""
    anonymous_raters: bool = False
    """Raters are places only, NAME#1, NAME#2 ..., whatever identity the table seems to give; without it the places of a
    list are raters NAME-1, NAME-2 ..."""
    where: tuple[Condition, ...] = ()
    """Only rows that fit: values of one column are alternatives, different columns must all fit."""
    labels: Mapping[str, Value] = field(default_factory=dict)
    """The number (or another label) of a text, whatever its case."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Texts that mean no score, and the outcome of each; "" takes the usual one."""
    missing_outcome: str | None = None
    """The outcome of a missing score, or `drop`; where left out, `not_applicable` for people, `unparsed` for others."""
    keep: Literal["first", "last"] | None = None
    """Which of two different scores of the same rating stays; where left out they are an error."""
    counts: bool = False
    """Cells count raters: columns, fields or places are categories, and n in a cell are n raters without identity."""
    contingency: str | None = None
    """The source of the first rater's value, where columns are the second rater's values and cells count units."""

    def __post_init__(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            UserError: names both, and what to do.
        """
        if not self.scores:
            raise UserError("--scores: name at least one column")
        for text in (*self.scores, *self.rater_names, self.instance, self.rater or "", self.skill or ""):
            if any("\ud800" <= sign <= "\udfff" for sign in text):
                raise UserError(f"{text!r}: is no UTF-8; write it anew")
        self._check_words()
        if self.counts or self.contingency is not None:
            self._check_tally()
        self._check_names()

    def _check_words(self) -> None:
        for name in self.lists:
            if name not in LIST_PLACES:
                raise UserError(
                    f"--list {name}: {name} is none of {', '.join(LIST_PLACES)}{nearest(name, LIST_PLACES)}"
                )
        if len(set(self.lists)) != len(self.lists):
            raise UserError(f"--list {','.join(self.lists)}: names the same places twice")
        for outcome in (self.missing_outcome or "", *self.missing.values()):
            if outcome and outcome not in (*OUTCOMES[1:], DROP):
                known = (*OUTCOMES[1:], DROP)
                raise UserError(f"'{outcome}' is no outcome of a missing score{nearest(outcome, known)}")
        both = self.labels.keys() & self.missing.keys()
        if both:
            raise UserError(f"'{min(both)}' is in --labels and in --missing; keep one")

    def _check_tally(self) -> None:
        name = "--counts" if self.counts else "--contingency"
        if self.counts and self.contingency is not None:
            raise UserError("--counts and --contingency are two shapes; give one")
        wrong = {
            "--rater-names": self.rater_names and self.counts,
            "--sample": self.sample,
            "--list raters": "raters" in self.lists,
            "--list samples": "samples" in self.lists,
            "--rationale": self.rationale,
            "--outcome": self.outcome,
        }
        if self.contingency is not None:
            wrong |= {"--columns": self.columns, "--list": self.lists}
        for option, given in wrong.items():
            if given:
                raise UserError(f"{name}: cells count raters or units, so that {option} has no meaning; leave it out")

    def _check_names(self) -> None:
        if self.rater_names and "raters" not in self.lists and self.contingency is None:
            raise UserError("--rater-names names the places of a list: add --list raters")
        if self.rater_names and self.anonymous_raters:
            raise UserError("--rater-names says who the raters are, --anonymous-raters that nobody knows; give one")
        if self.rater_names and (self.rater or self.columns == "raters"):
            raise UserError("--rater-names already says who rated; leave --rater and --columns raters out")
        if len(set(self.rater_names)) != len(self.rater_names) or any(map(is_empty, self.rater_names)):
            raise UserError("--rater-names: a name is empty or stands twice")
        if "samples" in self.lists and self.sample:
            raise UserError("--list samples already numbers the samples; leave --sample out")
        if self.columns == "skills" and self.skill:
            raise UserError("--columns skills already names the skill; leave --skill out, or --columns")
        if self.columns == "models" and self.model:
            raise UserError("--columns models already names the model; leave --model out, or --columns")
        if self.columns == "raters" and self.rater and not (self.anonymous_raters or self.counts):
            raise UserError("--columns raters already names the rater; leave --rater out, or --columns")

    @property
    def default_outcome(self) -> str:
        """The outcome of a score that is missing without a word."""
        return self.missing_outcome or ("not_applicable" if self.kind == "human" else "unparsed")


# ---- options as they are typed ------------------------------------------------------------------------------------


def parse_list(option: str, text: str) -> tuple[str, ...]:
    """`A,"B, with a comma",C` as names.

    Raises:
        UserError: a name holds a line break.
    """
    try:
        row = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:
        raise UserError(f"{option} {text}: write names with commas between; quote a name that holds one") from None
    return tuple(name.strip() for name in row if name.strip())


def parse_labels(texts: Iterable[str]) -> dict[str, Value]:
    """`A=1,B=2` as {"a": 1, "b": 2}; what is no number becomes another label.

    Raises:
        UserError: a part is no LABEL=NUMBER, or a label stands twice.
    """
    found: dict[str, Value] = {}
    for part in (part for text in texts for part in parse_list("--labels", text)):
        label, sign, value = part.rpartition("=")
        key = label.strip().casefold()
        if not sign or not key or not value.strip():
            raise UserError(f"--labels {part}: write LABEL=NUMBER, as in --labels bad=1,good=2")
        if key in found:
            raise UserError(f"--labels {part}: '{label.strip()}' stands twice; keep one")
        found[key] = _value(part, value.strip())
    return found


def _value(part: str, text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return text
    if number != number or number in (float("inf"), -float("inf")):  # noqa: PLR0124 (NaN is not itself)
        raise UserError(f"--labels {part}: {text} is no number; --missing names what means no score")
    return int(number) if number.is_integer() else number


def parse_missing(texts: Iterable[str]) -> dict[str, str]:
    """`TEXT` or `TEXT=OUTCOME` as {text: outcome}; "" where the usual outcome is meant.

    Raises:
        UserError: the outcome does not exist.
    """
    found: dict[str, str] = {}
    for part in texts:
        text, sign, outcome = part.rpartition("=")
        if not sign:
            text, outcome = part, ""
        key = text.strip().casefold()
        if outcome and outcome not in (*OUTCOMES[1:], DROP):
            raise UserError(f"--missing {part}: '{outcome}' is no outcome{nearest(outcome, (*OUTCOMES[1:], DROP))}")
        found[key] = outcome or ("not_applicable" if key in NOT_APPLICABLE else "")
    return found


def parse_condition(text: str) -> Condition:
    """`COLUMN=VALUE` or `COLUMN!=VALUE`.

    Raises:
        UserError: the text is neither.
    """
    column, sign, value = text.partition("=")
    equal = not column.endswith("!")
    column = column.removesuffix("!").strip()
    if not sign or not column:
        raise UserError(f"--where {text}: write COLUMN=VALUE or COLUMN!=VALUE")
    return Condition(column, value.strip(), equal)
