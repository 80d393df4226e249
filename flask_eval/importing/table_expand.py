"""From rows to ratings: columns, fields, lists, counts per category and contingency tables are spread out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from flask_eval.errors import RecordError, UserError, nearest
from flask_eval.importing.table_options import TableOptions
from flask_eval.importing.table_record import SOURCES, Context, Entry, Record, ScoreColumn, Spot
from flask_eval.importing.table_rows import ABSENT, Column, Source, names_of_rows, reach, source_of, text_of
from flask_eval.importing.table_values import ScoreReader, shown, unpacked
from flask_eval.records import Row
from flask_eval.schema import is_empty

_ALONE = Spot()
_AT_MOST = 1_000_000


class Expander:
    """Turns rows into ratings, by the options."""

    def __init__(self, options: TableOptions, head: Sequence[Row]) -> None:
        """Find what the options name.

        Args:
            options: which column is what.
            head: the first rows, which tell columns from other readings of an option.
        """
        self.options = options
        self._head = [row for _, row in head]
        self.names = names_of_rows(self._head)
        known = frozenset(self.names)
        given = {name: getattr(options, name) for name in SOURCES}
        sources = {
            name: source_of("--" + name.replace("_", "-"), text, known)
            for name, text in given.items()
            if text is not None
        }
        self.context = Context(options, sources, ScoreReader(options))
        first = options.contingency
        self._first = None if first is None else source_of("--contingency", first, known)
        self._patterns = [name for name in options.scores if name not in known and set(name) & {"*", "?"}]
        self._fixed = [self._score_column(name) for name in options.scores if name not in self._patterns]
        self._shapes: dict[tuple[str, ...], list[ScoreColumn]] = {}
        self._units: Counter[str] = Counter()
        _name_apart(self._fixed)

    def _score_column(self, path: str) -> ScoreColumn:
        apart = bool(self.options.lists)
        cells = ((unpacked(cell, apart=apart), name) for cell, name in (reach(row, path) for row in self._head))
        found = [(cell, name) for cell, name in cells if cell is not ABSENT]
        keys = dict.fromkeys(str(key) for cell, _ in found if isinstance(cell, dict) for key in cell)
        listed = any(isinstance(cell, list) for cell, _ in found)
        return ScoreColumn(Column("--scores", path), found[0][1] if found else path, keys=tuple(keys), listed=listed)

    def _columns_of(self, row: Mapping[str, Any]) -> list[ScoreColumn]:
        """The score columns of a row; patterns are matched once for each set of columns."""
        if not self._patterns:
            return self._fixed
        shape = tuple(row)
        if shape not in self._shapes:
            self._shapes[shape] = self._matched(shape)
        return self._shapes[shape]

    def _matched(self, shape: tuple[str, ...]) -> list[ScoreColumn]:
        used = {name for column in self.columns() for name in (column.path, column.path.split(".")[0])}
        used.update(condition.column for condition in self.options.where)
        fitting = [
            name for name in shape if name not in used and any(_fits(name, pattern) for pattern in self._patterns)
        ]
        columns = [*self._fixed, *map(self._score_column, fitting)]
        _name_apart(columns)
        return columns

    def columns(self) -> Iterator[Column]:
        """Every column that the options name; patterns and conditions name none."""
        for source in self.context.sources.values():
            yield from source.columns()
        if self._first is not None:
            yield from self._first.columns()
        yield from (column.source for column in self._fixed)

    def entries(self, place: str, row: Mapping[str, Any], number: int) -> Iterator[Entry]:
        """The ratings of a row.

        Raises:
            RecordError: the row lacks what every rating needs, or a cell does not fit.
            UserError: the options do not say what the table needs said.
        """
        record = Record(self.context, place, row, number)
        columns = self._columns_of(row)
        record.many = len(columns) > 1
        if self._first is not None:
            found = self._contingency(record, columns, self._first)
        elif self.options.counts:
            found = self._counts(record, columns)
        else:
            found = self._plain(record, columns)
        for entry in found:
            if entry is not None:
                yield entry

    def _plain(self, record: Record, columns: list[ScoreColumn]) -> Iterator[Entry | None]:
        for column in columns:
            cell = column.source.of(record.row, record.number)
            if isinstance(cell, str) and (self.options.lists or cell.lstrip()[:1] in ("[", "{")):
                cell = unpacked(cell, apart=bool(self.options.lists))
            if isinstance(cell, list | dict):
                for value, spot in self._leaves(cell, record, _ALONE, 0):
                    yield record.entry(column, value, spot)
            elif column.keys and text_of(cell) == "":
                for order, key in enumerate(column.keys, 1):
                    yield record.entry(column, None, Spot(key, order))
            else:
                yield record.entry(column, cell, self._alone(record, cell) if column.listed else _ALONE)

    def _alone(self, record: Record, cell: Any) -> Spot:
        """The spot of a cell that is no list, where lists are expected: it is a list of one."""
        lists = self.options.lists
        if "instances" in lists and text_of(cell) != "":
            problem = f"score {shown(cell)} is no list, as --list {','.join(lists)} says"
            raise RecordError(record.place, problem, "leave out the places that the table does not have")
        return Spot(place=int("raters" in lists), sample=0 if "samples" in lists else None)

    def _leaves(self, cell: Any, record: Record, spot: Spot, depth: int) -> Iterator[tuple[Any, Spot]]:
        """Every score within a cell, and where it stands."""
        if isinstance(cell, dict):
            self._check_fields(cell, record, spot)
            for order, (key, inner) in enumerate(cell.items(), 1):
                path, sizes = (*spot.path, key), (*spot.sizes, 0)
                yield from self._leaves(
                    inner, record, spot._replace(key=str(key), order=order, path=path, sizes=sizes), depth
                )
        elif isinstance(cell, list):
            dimension = self._dimension(record, cell, depth)
            if not cell:
                yield None, _at(spot, dimension, 0)
            for k, inner in enumerate(cell):
                inside = spot._replace(path=(*spot.path, k), sizes=(*spot.sizes, len(cell)))
                yield from self._leaves(inner, record, _at(inside, dimension, k), depth + 1)
        else:
            yield cell, spot

    def _check_fields(self, cell: dict[str, Any], record: Record, spot: Spot) -> None:
        if spot.key is not None:
            raise RecordError(record.place, f"score {shown(cell)}: fields within fields", "name a dotted path")
        if self.options.columns is None:
            problem = f"a cell of --scores holds fields ({', '.join(map(str, list(cell)[:5]))})"
            remedy = "say what they are: --columns skills, raters or models; or name one by a dotted path"
            raise RecordError(record.place, problem, remedy)

    def _dimension(self, record: Record, cell: list[Any], depth: int) -> str:
        """What the places of a list are."""
        lists = self.options.lists
        if not lists and self.options.kind == "human":
            self.context.notes.setdefault("The places of a list are taken as raters (--list samples says otherwise).")
            lists = ("raters",)
        if depth < len(lists):
            return lists[depth]
        if not lists:
            remedy = "say what its places are: --list samples (one rater, several times) or --list raters"
            raise RecordError(record.place, f"score {shown(cell)} is a list", remedy)
        problem = f"score {shown(cell)} is a list, beyond --list {','.join(lists)}"
        raise RecordError(record.place, problem, "name what each list holds, outermost first: --list raters,instances")

    # ---- counts and contingency tables ------------------------------------------------------------------------

    def _counts(self, record: Record, columns: list[ScoreColumn]) -> Iterator[Entry | None]:
        cells = [(column, unpacked(column.source.of(record.row, record.number))) for column in columns]
        if not any(isinstance(cell, list | dict) for _, cell in cells):
            if self.options.columns:
                raise UserError("--counts: the columns are categories; leave --columns out")
            yield from self._tallied(record, None, [(column.name, cell) for column, cell in cells], _ALONE)
            return
        for column, cell in cells:
            if "instances" in self.options.lists and isinstance(cell, list):
                for k, inner in enumerate(cell, 1):
                    yield from self._tallied(record, column, _categories(inner), Spot(unit=k))
            else:
                yield from self._tallied(record, column, _categories(cell), _ALONE)

    def _tallied(
        self, record: Record, column: ScoreColumn | None, table: list[tuple[str, Any]], spot: Spot
    ) -> Iterator[Entry | None]:
        place = 0
        for category, cell in table:
            for _ in range(_count(cell, category, record.place)):
                place += 1
                yield record.entry(column, category, spot._replace(place=place))
        if not place:
            self.context.counts["units have no rater at all"] += 1

    def _contingency(self, record: Record, columns: list[ScoreColumn], first: Source) -> Iterator[Entry | None]:
        for a, b, cell in self._crossed(record, columns, first):
            for _ in range(_count(cell, f"{a} / {b}", record.place)):
                instance = record.text("instance")
                self._units[instance] += 1
                for place, value in ((1, a), (2, b)):
                    yield record.entry(None, value, Spot(place=place, unit=self._units[instance]))

    def _crossed(self, record: Record, columns: list[ScoreColumn], first: Source) -> Iterator[tuple[str, str, Any]]:
        """(first rater's value, second rater's value, count) of each cell."""
        for column in columns:
            cell = unpacked(column.source.of(record.row, record.number))
            if isinstance(cell, list) and any(isinstance(inner, list) for inner in cell):
                yield from ((str(a), b, n) for a, inner in enumerate(cell, 1) for b, n in _categories(inner))
                continue
            said = first.of(record.row, record.number)
            value = text_of(said) or ""
            if is_empty(value):
                raise record.lacks("contingency", first, said)
            pairs = _categories(cell) if isinstance(cell, list | dict) else [(column.name, cell)]
            yield from ((value, b, n) for b, n in pairs)

    # ---- at the end -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse columns that no row had.

        Raises:
            UserError: names the nearest that is there.
        """
        matched = any(len(columns) > len(self._fixed) for columns in self._shapes.values())
        if self._patterns and not matched:
            raise UserError(f"--scores {self._patterns[0]}: no column fits{nearest(self._patterns[0], self.names)}")
        for column in self.columns():
            if not column.found and all(column.of(row, 0) is ABSENT for row in self._head):
                raise column.unknown(self.names)


class Sieve:
    """Lets rows through that `--where` wants."""

    def __init__(self, options: TableOptions) -> None:
        self.left_out = 0
        found: dict[tuple[str, bool], set[str]] = {}
        for condition in options.where:
            found.setdefault((condition.column, condition.equal), set()).add(condition.value)
        self._tests = [(Column("--where", path), values, equal) for (path, equal), values in found.items()]
        self._seen: dict[str, set[str]] = {path: set() for path, _ in found}

    def wants(self, row: Mapping[str, Any]) -> bool:
        """Whether a row fits every condition; of a list, one item is enough."""
        for column, values, equal in self._tests:
            cell = column.of(row, 0)
            texts = [text_of(part) or "" for part in (cell if isinstance(cell, list) else [cell])]
            if values.isdisjoint(texts) == equal:
                seen = self._seen[column.path]
                if len(seen) < 50:
                    seen.update(texts)
                self.left_out += 1
                return False
        return True

    def check(self, kept: int, names: Sequence[str]) -> None:
        """Refuse columns that no row had, and conditions that let no row through.

        Raises:
            UserError: names the nearest that is there.
        """
        for column, values, equal in self._tests:
            if not column.found:
                raise column.unknown(names)
            seen = self._seen[column.path]
            if not kept and seen:
                hint = nearest(min(values), seen) if equal else ""
                said = f"--where {column.path}{'=' if equal else '!='}{min(values)}"
                raise UserError(f"{said}: no row is left{hint}")


def _fits(name: str, pattern: str) -> bool:
    """Whether a column's name fits a pattern of `*` and `?`."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _name_apart(columns: list[ScoreColumn]) -> None:
    """Number columns; those whose last parts are the same are named by their whole paths."""
    often = Counter(column.name for column in columns)
    for number, column in enumerate(columns, 1):
        column.number = number
        if often[column.name] > 1:
            column.name = column.source.path
    twice, times = next(iter(Counter(column.name for column in columns).most_common(1)), ("", 0))
    if times > 1:
        raise UserError(f"--scores: '{twice}' is named twice; name each column once")


def _at(spot: Spot, dimension: str, k: int) -> Spot:
    if dimension == "raters":
        return spot._replace(place=k + 1)
    return spot._replace(sample=k) if dimension == "samples" else spot._replace(unit=k + 1)


def _categories(cell: Any) -> list[tuple[str, Any]]:
    """Categories and counts of a cell: fields by name, places from 1."""
    if isinstance(cell, dict):
        return [(str(key), count) for key, count in cell.items()]
    return [(str(k), count) for k, count in enumerate(cell, 1)] if isinstance(cell, list) else []


def _count(cell: Any, category: str, place: str) -> int:
    text = text_of(cell)
    whole = "?" if text is None else text.strip().removesuffix(".0") or "0"
    if not (whole.isascii() and whole.isdecimal()) or int(whole) > _AT_MOST:
        raise RecordError(place, f"{shown(cell)} under '{category}' is no count", "write whole numbers from 0 up")
    return int(whole)
