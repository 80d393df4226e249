"""Price and speed of models, from a small table that the user writes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_eval.analysis.text import short, visible
from flask_eval.errors import UserError, nearest
from flask_eval.records import read_rows
from flask_eval.reporting.text import listed, name

_HEAD = re.compile(r"(price|speed)\s*(?:\(([^()]*)\))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelsTable:
    """What is known of models beside their ratings."""

    prices: Mapping[str, float]
    speeds: Mapping[str, float]
    price_unit: str = ""
    """What stands in parentheses behind the column's name, such as `USD per million tokens`."""
    speed_unit: str = ""

    def notes(self, rated: Sequence[str], shown: Sequence[str] | None = None) -> list[str]:
        """Names that do not meet.

        Args:
            rated: the models that are rated; a name that is not among them is told.
            shown: those of them that must have a price, or a speed, where others have one; None: all.
        """
        named = list(dict.fromkeys([*self.prices, *self.speeds]))
        made = [
            f"The models table names '{short(one)}', which is not rated{_near(one, rated) or '.'}"
            for one in named
            if one not in rated
        ]
        for word, have in (("price", self.prices), ("speed", self.speeds)):
            without = [name(model).text for model in (rated if shown is None else shown) if model not in have]
            if have and without:
                made.append(
                    f"No {word} is known for {listed(without)}; {'it is' if len(without) == 1 else 'they are'} not placed on the front."
                )
        return made


def _near(one: str, rated: Sequence[str]) -> str:
    hint = nearest(one, rated)
    return visible(hint[:200]) if hint.startswith("; did you mean") else ""


def read_models_table(path: str | Path) -> ModelsTable:
    """Read `model`, `price` and `speed` (CSV, JSONL, Parquet); a unit may stand in parentheses, as in `price (USD/1M)`.

    Empty cells are not known.

    Raises:
        UserError: with file, line and value: a column is missing, a model stands twice, or a number is none.
    """
    prices: dict[str, float] = {}
    speeds: dict[str, float] = {}
    units: dict[str, str] = {}
    heads: dict[str, str] = {}
    seen: set[str] = set()
    for place, row in read_rows(path):
        model = str(row.get("model") or "").strip()
        if not model:
            raise UserError(f"{place}: no 'model'; the columns are model, price and speed")
        if model in seen:
            raise UserError(f"{place}: model '{model}' stands twice")
        seen.add(model)
        for head, value in row.items():
            if head == "model":
                continue
            found = _HEAD.fullmatch(str(head).strip())
            if not found:
                raise UserError(f"{place}: unknown column '{head}'{nearest(str(head), ['model', 'price', 'speed'])}")
            kind = found[1].lower()
            if heads.setdefault(kind, head) != head:
                raise UserError(f"{place}: '{heads[kind]}' and '{head}' are both a {kind}; keep one of the columns")
            units[kind] = (found[2] or "").strip()
            number = _number(value, place, str(head))
            if number is not None:
                (prices if kind == "price" else speeds)[model] = number
    if not seen:
        raise UserError(f"{path}: holds no model; write the columns model, price and speed")
    return ModelsTable(prices, speeds, units.get("price", ""), units.get("speed", ""))


def _number(value: Any, place: str, head: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not 0 <= number < math.inf:
        raise UserError(f"{place}: {head} is '{value}'; write a number of at least 0, or leave it empty")
    return number
