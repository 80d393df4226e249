"""The files that `annotate` writes: the instances, what every answer came to, and a list for a person to settle."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flask_eval.annotating.fields import Answer
from flask_eval.annotating.votes import Vote
from flask_eval.errors import RecordError, UserError
from flask_eval.ledger import Ledger
from flask_eval.records import Row, open_text, read_rows, replacing, suffix, write_jsonl
from flask_eval.schema import Instance, digest

COLUMNS = ("instance", "field", "instruction", "votes", "proposed", "confidence", "decision")
"""The columns of the list to settle; `instance`, `field` and `decision` are read back."""

_WRITTEN = "annotated:"
_SHOWN_CHARS = 300
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def beside(out: str | Path, ending: str) -> Path:
    """The file of that ending beside the instances: `a.jsonl` has `a.annotation.jsonl` and `a.settle.csv`."""
    path = Path(out)
    name = path.name.removesuffix(".gz")
    return path.with_name(f"{Path(name).stem or name}.{ending}")


def check_target(out: str | Path) -> None:
    """Raise UserError where the instances cannot be written to that file."""
    path = Path(out)
    if suffix(path) not in (".jsonl", ".ndjson"):
        raise UserError(f"-o {out}: instances are written as JSON lines; name a file that ends in .jsonl or .jsonl.gz")
    if path.is_dir():
        raise UserError(f"-o {out}: is a folder; name a file")


def guard(out: str | Path, ledger: Ledger, source: str | Path | None) -> None:
    """Raise UserError where writing would lose what a person did: an edited file, or decisions on the list."""
    path, target = Path(out), str(out)
    same = source is not None and Path(source).exists() and path.exists() and Path(source).samefile(path)
    if path.exists() and not same and digest(path.read_bytes().hex()) != ledger.meta(_WRITTEN + path.name):
        raise UserError(
            f"-o {target}: is not as `annotate` left it, so writing it anew would lose changes; annotate that file "
            f"itself (flask-eval annotate {target} ... -o {target}), or name another"
        )
    settle = beside(out, "settle.csv")
    decided = [place for place, row in read_list(settle) if row.get("decision")] if settle.exists() else []
    if decided:
        raise UserError(
            f"{decided[0]}: holds a decision, which a new list would lose; apply them "
            f"(flask-eval annotate {target} --settled {settle} -o {target}), then move it away"
        )


def write_instances(out: str | Path, instances: Iterable[Instance], ledger: Ledger | None = None) -> int:
    """Write instances as JSON lines, whole or not at all; returns how many.

    With the ledger beside them it is kept in mind how the file was left, so that a later change is noticed.
    """
    path = Path(out)
    count = write_jsonl(path, (one.model_dump(mode="json", exclude_defaults=True) for one in instances))
    if ledger is not None:
        left = digest(path.read_bytes().hex())
        ledger.transaction([partial(ledger.set_meta, _WRITTEN + path.name, left)])
    return count


def write_details(out: str | Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write what every answer came to, a line an instance and field; earlier lines of others are kept."""
    path = beside(out, "annotation.jsonl")
    new = {(str(row["instance"]), str(row["field"])): row for row in rows}
    held: dict[tuple[str, str], Mapping[str, Any]] = {}
    if path.exists() and path.stat().st_size:
        for place, row in read_rows(path):
            if not {"instance", "field"} <= row.keys():
                raise RecordError(place, "is no detail of an annotation", "move the file away")
            held[row["instance"], row["field"]] = row
    write_jsonl(path, (held | new).values())
    return path


def detail_of(vote: Vote, taken: Mapping[str, Any]) -> dict[str, Any]:
    """A vote as a line of the details."""
    return {
        "instance": vote.instance,
        "field": vote.field,
        "labels": list(vote.labels),
        "outcome": vote.outcome,
        "confidence": vote.confidence,
        "shares": dict(vote.shares),
        "tied": vote.tied,
        **taken,
        "answers": [_answer(answer) for answer in vote.answers],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    parts = [
        {"name": p.name, "outcome": p.outcome, "label": p.label, "rationale": p.rationale}
        | ({"repeated": True} if p.repeated else {})
        for p in answer.parts
    ]
    row: dict[str, Any] = {"annotator": answer.annotator, "sample": answer.sample, "labels": list(answer.labels)}
    row |= {"outcome": answer.outcome, "parts": parts}
    return row | ({"shown": list(answer.shown)} if answer.shown else {})


def write_settle(out: str | Path, votes: Sequence[Vote], instances: Mapping[str, Instance]) -> Path | None:
    """Write the list for a person to settle; where there is nothing to settle, there is none.

    It begins with a byte-order mark, by which spreadsheets know UTF-8, and no cell begins a formula.
    """
    path = beside(out, "settle.csv")
    if not votes:
        path.unlink(missing_ok=True)
        return None
    with replacing(path, packed=False) as handle:
        handle.write("\ufeff")
        table = csv.writer(handle, lineterminator="\r\n")
        table.writerow(COLUMNS)
        for vote in votes:
            row = (vote.instance, vote.field, _short(instances[vote.instance].instruction), _votes(vote))
            confidence = "" if vote.confidence is None else f"{vote.confidence:.3g}"
            table.writerow([_plain(cell) for cell in (*row, "; ".join(vote.labels), confidence, "")])
    return path


def read_list(path: str | Path) -> Iterator[Row]:
    """The rows of a list to settle, as a spreadsheet left it: (place, row); a CSV may be separated by `;`.

    Raises:
        RecordError: it is no table, or a row does not fit its header.
    """
    file = Path(path)
    if not (file.is_file() and suffix(file) == ".csv" and _has_semicolons(file)):
        yield from read_rows(path)
        return
    with open_text(file) as handle:
        table = csv.reader(handle, delimiter=";", strict=True)
        try:
            header = next(table)
            for cells in table:
                place = f"{path}:{table.line_num}"
                if len(cells) > len(header):
                    raise RecordError(place, f"has {len(cells)} cells, the header {len(header)}", "quote such cells")
                yield place, {name: cell for name, cell in zip(header, cells, strict=False) if cell}
        except csv.Error as error:
            raise RecordError(f"{path}:{table.line_num}", f"not valid CSV: {error}") from None
        except UnicodeDecodeError as error:
            raise RecordError(str(path), f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None


def _has_semicolons(file: Path) -> bool:
    """Whether a CSV was saved where the comma is a decimal sign."""
    try:
        with open_text(file) as handle:
            header = handle.readline()
    except UnicodeDecodeError:
        return False  # told by whoever reads on
    return header.count(";") > header.count(",")


def _votes(vote: Vote) -> str:
    """Who said what: `a: Math; Coding | b: Math | c: refused`."""
    several = len({answer.sample for answer in vote.answers}) > 1
    return " | ".join(
        f"{answer.annotator}{f' #{answer.sample + 1}' if several else ''}: {'; '.join(answer.labels) or answer.outcome}"
        for answer in vote.answers
    )


def _short(text: str) -> str:
    """The beginning of an instruction on one line."""
    line = " ".join(text[: 2 * _SHOWN_CHARS].split())
    return line if len(line) <= _SHOWN_CHARS and len(text) <= 2 * _SHOWN_CHARS else line[: _SHOWN_CHARS - 3] + "..."


def _plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; a control character is shown as its escape."""
    text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in cell)
    return f"'{text}" if text.startswith(_FORMULA) or text.startswith("'") else text


def unguarded(cell: str) -> str:
    """What a cell held before `'` was put before it."""
    return cell[1:] if cell.startswith("'") and (cell[1:].startswith(_FORMULA) or cell[1:].startswith("'")) else cell
