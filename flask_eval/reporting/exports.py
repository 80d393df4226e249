"""The page's numbers and figures as files beside it: CSV tables, Markdown tables, pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_eval.analysis.agreeing import AgreementStudy
from flask_eval.analysis.comparing.records import InteractionRow, ModelRow, PairRow, StrengthRow
from flask_eval.analysis.coverage import OutcomeRow
from flask_eval.analysis.dropping import DropRow
from flask_eval.analysis.lengths import LengthPoint, LengthRow
from flask_eval.analysis.macro import MacroRow
from flask_eval.analysis.selecting import Choice
from flask_eval.analysis.slices import SliceRow
from flask_eval.errors import UserError
from flask_eval.records import replacing, write_table
from flask_eval.reporting.gallery import Subject
from flask_eval.reporting.images import check_images, rendered
from flask_eval.reporting.standalone import standalone

if TYPE_CHECKING:
    import pandas as pd

_SHAPES: Mapping[str, type | tuple[str, ...]] = {
    "coverage": OutcomeRow,
    "macro": MacroRow,
    "scores": SliceRow,
    "by_domain": SliceRow,
    "by_difficulty": SliceRow,
    "by_skill_and_domain": SliceRow,
    "by_skill_and_difficulty": SliceRow,
    "slices": SliceRow,
    "drops": DropRow,
    "models": ModelRow,
    "pairs": PairRow,
    "interactions": InteractionRow,
    "strengths": StrengthRow,
    "selection": Choice,
    "length_and_score": tuple(f.name for f in fields(LengthRow) if f.name != "points"),
    "lengths": ("rater", "kind", *(f.name for f in fields(LengthPoint))),
}
"""The files of `--csv`, and the columns of each: the fields of a record."""


@dataclass(frozen=True, slots=True)
class Exports:
    """What to write beside the page; None: nothing of that kind."""

    png: str | Path | None = None
    """A folder for pictures by plotly, each as PNG and SVG."""
    svg: str | Path | None = None
    """A folder for the page's own figures."""
    csv: str | Path | None = None
    """A folder for the tables."""
    markdown: str | Path | None = None

    def check(self) -> None:
        """Refuse before anything is computed or written.

        Raises:
            UserError: a folder is a file, two kinds of figures share a folder, or kaleido is missing.
        """
        for flag, folder in (("--png", self.png), ("--svg", self.svg), ("--csv", self.csv)):
            if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
                raise UserError(f"{flag} {folder}: is a file; name a folder")
        if self.markdown is not None and Path(self.markdown).is_dir():
            raise UserError(f"--markdown {self.markdown}: is a folder; name a file")
        if self.png is not None:
            if self.svg is not None and Path(self.png).resolve() == Path(self.svg).resolve():
                raise UserError(f"--png and --svg {self.svg}: their files would mix; name two folders")
            check_images()

    def drawn(self, subjects: Sequence[Subject]) -> dict[str, bytes]:
        """The pictures by file name; they come first, so that a browser that fails leaves nothing half written."""
        return rendered(subjects) if self.png is not None else {}

    def write(
        self,
        pictures: Mapping[str, bytes],
        page: str,
        subjects: Sequence[Subject],
        tables: Mapping[str, pd.DataFrame],
        text: str,
    ) -> None:
        """Write what was asked for; each file whole or not at all."""
        if self.png is not None:
            _into(Path(self.png), pictures)
        if self.svg is not None:
            own = standalone(page, {one.anchor: one.rater for one in subjects})
            _into(Path(self.svg), {name: svg.encode() for name, svg in own.items()})
        if self.csv is not None:
            for name, table in tables.items():
                write_table(Path(self.csv) / f"{name}.csv", table)
        if self.markdown is not None:
            with replacing(Path(self.markdown)) as handle:
                handle.write(text)


def _into(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in files.items():
            waiting = folder / f".{name}.part"
            waiting.write_bytes(body)
            waiting.replace(folder / name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None


def frames(record: Mapping[str, Any], agreements: Sequence[AgreementStudy] = ()) -> dict[str, pd.DataFrame]:
    """The page's JSON record as tables, one row a record; a table without rows keeps its columns.

    Fields within fields become columns of their own (`outcomes.scored`, `by.domain`, `undefined.low`), lists JSON text.

    Args:
        record: what `report --json` writes.
        agreements: studies, judge against people, a table each.
    """
    made = {name: _frame(rows, _SHAPES[name]) for name, rows in _rows(record)}
    for place, study in enumerate(agreements, 1):
        made[f"agreement_{place}" if place > 1 else "agreement"] = study.to_frame()
    return made


def _rows(record: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    yield "coverage", record["coverage"]
    yield "macro", record["macro"]
    yield "scores", record["scores"]["rows"]
    for dimension in ("domain", "difficulty"):
        yield f"by_{dimension}", record["by"].get(dimension, {"rows": []})["rows"]
        yield f"by_skill_and_{dimension}", record["crosses"].get(dimension, {"rows": []})["rows"]
    yield "slices", [row for part in record["slices"] for row in part["scores"]["rows"]]
    yield "drops", [row for part in record["slices"] for row in part["drops"]]
    for name in ("models", "pairs", "interactions", "strengths"):
        yield name, record["comparison"][name]
    yield "selection", record.get("selection", {"choices": []})["choices"]
    yield "length_and_score", [{k: v for k, v in row.items() if k != "points"} for row in record["lengths"]]
    raters = [({"rater": row["rater"], "kind": row["kind"]}, row["points"]) for row in record["lengths"]]
    yield "lengths", [who | point for who, points in raters for point in points]


def _frame(rows: Sequence[Mapping[str, Any]], shape: type | tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    flat = [_flat(row) for row in rows]
    found = dict.fromkeys(key for row in flat for key in row)
    order = list(shape) if isinstance(shape, tuple) else [f.name for f in fields(shape)]
    columns = sorted(found, key=lambda key: order.index(key.partition(".")[0])) if flat else order
    return pd.DataFrame([[row.get(key) for key in columns] for row in flat], columns=columns, dtype=object)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            made |= {f"{key}.{inner}": one for inner, one in value.items()}
        else:
            made[key] = json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple) else value
    return made
