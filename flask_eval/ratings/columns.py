"""The columns of the two tables: their names and order, and what their values look like."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]
Column = tuple[Codes, list[Any]]
ScaleEnds = tuple[float, float] | tuple[str, ...]
Source = Any
"""A run's folder, a ratings file, a folder of them, `-`, a DataFrame, or an object with a `.path` (a Run)."""

KEY = ("instance", "model", "response_sample", "versus", "skill", "item", "rater", "sample", "variant")
"""What tells one rating from another."""

COLUMNS = (
    *("instance", "model", "response_sample", "versus", "skill", "item", "rater", "kind", "sample", "variant"),
    *("score", "outcome", "rationale"),
)
"""The columns of the long table, in order."""

INSTANCE_COLUMNS = ("instance", "cluster", "source", "difficulty", "skills", "domains")
"""The columns of the table of instances that are always there; metadata keys follow."""

LEFT_COLUMNS = ("instance", "model", "response_sample", "skill", "rater", "kind", "sample")
"""The columns of what is left to judge."""

DIMENSIONS = ("skill", "group", "domain", "difficulty", "source", "model")
"""What tables are cut by, beside metadata keys."""

KINDS = ("judge", "human", "metric")
"""What a rater can be."""

CODED = COLUMNS[:-1]
"""The columns that are kept as codes: all but the rationale."""

CHUNK = 1 << 16
"""Rows that are taken at a time."""

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
"""A number that is written as text."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair, which no file can hold."""
