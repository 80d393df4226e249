"""The waist: runs and people's ratings become two tidy tables, ratings and instances.

Whatever fills the tables is checked once, here. Each file imports from those above it only:

    columns    names and order of the columns
    checking   rows of one source become a checked part
    columnar   a whole file at once, column by column
    texts      instances and responses, read when asked for
    table      the table that every analysis takes
    runs       a run's folder becomes a part
    sources    files, tables and runs become parts
    joining    all parts become one table
    instances  the table of instances, and what is known of skills
    reading    from sources to the table
"""

from __future__ import annotations

from flask_eval.ratings.columns import (
    COLUMNS,
    DIMENSIONS,
    INSTANCE_COLUMNS,
    KEY,
    KINDS,
    LEFT_COLUMNS,
    Codes,
    ScaleEnds,
    Source,
)
from flask_eval.ratings.reading import as_table, export_table, read_ratings
from flask_eval.ratings.table import RatingTable, SkillFacts

__all__ = [
    "COLUMNS",
    "DIMENSIONS",
    "INSTANCE_COLUMNS",
    "KEY",
    "KINDS",
    "LEFT_COLUMNS",
    "Codes",
    "RatingTable",
    "ScaleEnds",
    "SkillFacts",
    "Source",
    "as_table",
    "export_table",
    "read_ratings",
]
