"""One row of a foreign table: its fields, and how model, skill and rater of each of its ratings are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask_eval.errors import RecordError, UserError, nearest
from flask_eval.importing.table_options import DROP, Columns, TableOptions
from flask_eval.importing.table_rows import ABSENT, Column, Source, text_of
from flask_eval.importing.table_values import ScoreReader, aligned, reasons, shown
from flask_eval.schema import Value, is_empty, slug

FIELDS = ("instance", "model", "response_sample", "versus", "skill", "item", "rater", "sample", "variant")
"""What tells one rating from another, in the order of `Entry`."""

SOURCES = (*FIELDS, "rationale", "outcome")
"""The fields that an option of the same name fills."""

Entry = tuple[str, str, int, str, str, str, str, int, str, Value | None, str, str]
"""One rating: `FIELDS`, score, outcome, rationale."""

UNNAMED = "rater"
"""What raters without identity are called where nothing names them."""

_OVERALL = "overall"
_PLACES = (
    "Each place of a list is taken as one rater throughout, NAME-1, NAME-2 ...: --anonymous-raters says that places are no "
    "persons, --rater-names who they are."
)
_WHOLE = ("response_sample", "sample")
_NEEDED = ("instance", "skill", "rater")


class Spot(NamedTuple):
    """Where a score stands within its cell."""

    key: str | None = None
    """The field's name, where the cell holds fields."""
    order: int = 0
    """The field's number within the cell, from 1."""
    place: int = 0
    """The rater's place in a list, from 1; 0 where there is no list of raters."""
    sample: int | None = None
    """The place in a list of samples, from 0."""
    unit: int = 0
    """The place in a list of instances, from 1."""
    path: tuple[str | int, ...] = ()
    """The keys and places that lead to the score."""
    sizes: tuple[int, ...] = ()
    """The length of the list at each step of `path`; 0 for a field."""


@dataclass(slots=True)
class ScoreColumn:
    """A column of scores."""

    source: Column
    name: str
    number: int = 0
    """Its place among the score columns, from 1."""
    keys: tuple[str, ...] = ()
    """The fields that its cells hold, as far as the first rows tell."""
    listed: bool = False
    """Whether its cells hold lists, as far as the first rows tell."""


@dataclass(slots=True)
class Context:
    """What the rows of one import share, and what is told at its end."""

    options: TableOptions
    sources: Mapping[str, Source]
    scores: ScoreReader
    dropped: int = 0
    """Missing scores that gave no rating."""
    unplaced: set[str] = field(default_factory=set)
    """Raters without identity whose number is their turn among the rows of the same unit."""
    counts: Counter[str] = field(default_factory=Counter)
    """What is odd, but no error."""
    notes: dict[str, None] = field(default_factory=dict)
    """Sentences, each once."""
    slugs: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Any] = field(init=False)
    """Fields that are the same for all rows."""

    def __post_init__(self) -> None:
        """A field that no option names is empty, or 0."""
        self.constants = {name: 0 if name in _WHOLE else "" for name in FIELDS if name not in self.sources}


class Record:
    """One row; each field is read when a rating needs it, once."""

    __slots__ = ("_known", "context", "many", "number", "place", "row")

    def __init__(self, context: Context, place: str, row: Mapping[str, Any], number: int) -> None:
        self.context, self.place, self.row, self.number = context, place, row, number
        self.many = False
        self._known: dict[str, Any] = context.constants.copy()

    # ---- fields -----------------------------------------------------------------------------------------------

    def text(self, name: str) -> str:
        """A field as text; "" where no option names it."""
        found: str | None = self._known.get(name)
        if found is None:
            found = self._known[name] = self._text(name)
        return found

    def _text(self, name: str) -> str:
        source = self.context.sources[name]
        cell = source.of(self.row, self.number)
        text = text_of(cell)
        if text is None:
            raise RecordError(self.place, f"{name} {shown(cell)} is no text", "name one of its parts by a dotted path")
        if text[:1].isalnum() or not is_empty(text):
            return text
        if name in _NEEDED:
            raise self.lacks(name, source, cell)
        if name == "model":
            self.context.counts["rows name no model"] += 1
        return ""

    def lacks(self, name: str, source: Source, cell: Any) -> RecordError:
        """The error for a field that every rating needs."""
        absent = next((c for c in source.columns() if c.of(self.row, self.number) is ABSENT), None)
        if cell is ABSENT and absent is not None:
            return RecordError(self.place, f"there is no column '{absent.path}'{nearest(absent.path, self.row)}")
        problem = f"--{name}: the pattern finds nothing" if cell is ABSENT else f"--{name}: the cell is empty"
        return RecordError(self.place, problem, "mend the row, or leave such rows out with --where")

    def whole(self, name: str) -> int:
        """A field as a whole number; 0 where no option names it."""
        found: int | None = self._known.get(name)
        if found is None:
            cell = self.context.sources[name].of(self.row, self.number)
            text = (text_of(cell) or "").strip().removesuffix(".0")
            if not (text.isascii() and text.isdecimal()) or len(text) > 9:
                shown_cell = "is missing" if cell is ABSENT else f"{shown(cell)} is no whole number from 0 up"
                raise RecordError(self.place, f"{name} {shown_cell}")
            found = self._known[name] = int(text)
        return found

    def _beside(self, name: str, spot: Spot) -> Any:
        """What stands beside a score under `rationale` or `outcome`."""
        if name not in self._known:
            self._known[name] = self.context.sources[name].of(self.row, self.number)
        return aligned(self._known[name], spot.path, spot.sizes, self.place, f"--{name}")

    # ---- ratings ----------------------------------------------------------------------------------------------

    def entry(self, column: ScoreColumn | None, value: Any, spot: Spot) -> Entry | None:
        """The rating of one score; none where a missing one is to be dropped.

        Args:
            column: the column, or none where columns are categories.
            value: what stands there.
            spot: where it stands within its cell.
        """
        context = self.context
        options = context.options
        score, outcome = reading = context.scores.read(value, self.place)
        if options.outcome is not None:
            outcome = context.scores.outcome(self._beside("outcome", spot), reading, self.place)
        if outcome == DROP:
            context.dropped += 1
            return None
        columns = options.columns or ("raters" if self.many and column is not None else None)
        named = "" if column is None else column.name if spot.key is None else spot.key
        instance = self.text("instance")
        return (
            f"{instance}/{spot.unit}" if spot.unit else instance,
            named if columns == "models" else self.text("model"),
            self.whole("response_sample"),
            self.text("versus"),
            self._skill(column, columns, named, spot),
            self.text("item"),
            self._rater(column, columns, named, spot),
            self.whole("sample") if spot.sample is None else spot.sample,
            self.text("variant"),
            score,
            outcome,
            "" if options.rationale is None else reasons(self._beside("rationale", spot), self.place),
        )

    def _skill(self, column: ScoreColumn | None, columns: Columns | None, named: str, spot: Spot) -> str:
        options = self.context.options
        if options.skill is not None:
            name = self.text("skill")
        elif columns == "skills":
            name = named
        elif self.many and column is not None and spot.key is not None and (options.rater or columns == "raters"):
            name = column.name
        else:
            name = _OVERALL
            self.context.notes.setdefault(
                f"No option names a skill: all ratings are of '{_OVERALL}' (--skill C or --skill =NAME says otherwise)."
            )
        made = self.context.slugs.get(name)
        if made is None:
            made = self.context.slugs[name] = slug(name)
            if not made:
                raise RecordError(self.place, f"skill {shown(name)} has no letter a-z and no digit", "--skill =NAME")
        return made

    def _rater(self, column: ScoreColumn | None, columns: Columns | None, named: str, spot: Spot) -> str:
        options = self.context.options
        if options.rater_names and spot.place:
            return self._person(spot.place)
        if options.contingency is not None and not (options.rater or options.anonymous_raters):
            return ("rows", "columns")[spot.place - 1]
        name = self._rater_name(column, columns, named, spot)
        if spot.place and (options.anonymous_raters or options.counts):
            return f"{name}#{spot.place}"
        if spot.place:
            if options.contingency is None:
                self.context.notes.setdefault(_PLACES)
            return f"{name}-{spot.place}"
        if options.anonymous_raters:
            turn = (spot.order or (column.number if column and self.many else 0)) if columns == "raters" else 0
            if turn:
                return f"{name}#{turn}"
            self.context.unplaced.add(name)
        return name

    def _person(self, place: int) -> str:
        names = self.context.options.rater_names
        if place > len(names):
            raise RecordError(
                self.place, f"the list has a place {place}, --rater-names has {len(names)}", "name one for each place"
            )
        return names[place - 1]

    def _rater_name(self, column: ScoreColumn | None, columns: Columns | None, named: str, spot: Spot) -> str:
        options = self.context.options
        by_columns = columns == "raters" and column is not None and not options.counts
        if options.rater is not None:
            if by_columns and not options.anonymous_raters:
                raise UserError(
                    "--rater: several score columns are raters, named by the column; leave --rater out, or say what "
                    "the columns are: --columns skills, --columns models"
                )
            return self.text("rater")
        if by_columns:
            return UNNAMED if options.anonymous_raters and not spot.place else named
        if column is not None and (spot.key is not None or columns is None):
            if spot.key is None and not options.lists and not options.anonymous_raters:
                self.context.notes.setdefault(
                    f"The rater is named by the column '{column.name}' (--rater C or --rater =NAME says otherwise)."
                )
            return column.name
        if options.anonymous_raters or options.counts or options.contingency is not None:
            return UNNAMED
        raise UserError(f"--columns {columns}: say who rated: --rater C, or --rater =NAME")
