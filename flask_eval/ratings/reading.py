"""Reading: sources in, one table out; the other files of this folder do the steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from flask_eval.errors import UserError
from flask_eval.ratings.checking import Part
from flask_eval.ratings.columns import ScaleEnds, Source
from flask_eval.ratings.instances import instance_table, instances_of, rubrics_of
from flask_eval.ratings.joining import joined, left_of
from flask_eval.ratings.runs import RunPart, scales_of
from flask_eval.ratings.sources import open_source
from flask_eval.ratings.table import RatingTable
from flask_eval.ratings.texts import Texts
from flask_eval.schema import Instance, RubricSet


def read_ratings(
    *sources: Source,
    instances: str | Path | Iterable[Instance] | None = None,
    rubrics: str | RubricSet | None = None,
    scales: Mapping[str, ScaleEnds] | None = None,
) -> RatingTable:
    """Put runs and ratings together in one table.

    Args:
        sources: run folders, ratings files (CSV, JSONL, Parquet, `.gz`), folders of them, `-`, DataFrames, or runs.
        instances: a file of instances, or instances, for slicing ratings files; wins over what a run holds.
        rubrics: a rubric set for titles, groups and order of skills, where no run brings one.
        scales: lowest and highest score (or labels) of raters whose scale no run tells.

    Raises:
        RecordError: a row does not fit, or two rows contradict each other; says where, what and what to do.
        UserError: nothing is given, or sources do not fit together.
    """
    if not sources:
        raise UserError("no ratings are given: name a run's folder or a ratings file")
    parts: list[Part] = []
    runs: list[RunPart] = []
    for number, source in enumerate(sources, 1):
        for found in open_source(source, number):
            parts.append(found if isinstance(found, Part) else found.part)
            if isinstance(found, RunPart):
                runs.append(found)
    table, notes = joined(parts)
    left = left_of(runs, table)
    rated = list(dict.fromkeys([*table["instance"].unique(), *left["instance"].unique()]))
    skills = {*table["skill"].unique(), *left["skill"].unique()}
    known = instances_of(runs, instances, rated, notes)
    missing: dict[str, int] = {}
    for model, count in (pair for run in runs for pair in run.without_response.items()):
        missing[model] = max(count, missing.get(model, 0))
    return RatingTable(
        ratings=table,
        instances=instance_table(known, rated, notes),
        left=left,
        without_response=missing,
        scales=scales_of(runs) | dict(scales or {}),
        rubrics=rubrics_of(runs, rubrics, known, skills, notes),
        runs=tuple(run.facts for run in runs),
        notes=tuple(notes),
        lengths={key: length for run in runs for key, length in run.lengths.items()},
        texts=Texts(known, tuple(Path(run.part.name) for run in runs)),
    )


def export_table(run: Source) -> pd.DataFrame:
    """Every rating of a run (or of any source) with all columns; whole scores as integers, a missing one as null."""
    ratings = read_ratings(run).ratings
    score = ratings["score"]
    if pd.api.types.is_float_dtype(score) and (score.dropna() % 1 == 0).all():
        return ratings.assign(score=score.astype("Int64"))
    return ratings


def as_table(source: RatingTable | Source) -> RatingTable:
    """A table as it is; anything else is read as a source of ratings."""
    return source if isinstance(source, RatingTable) else read_ratings(source)
