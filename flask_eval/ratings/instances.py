"""What is known beside the ratings: the table of instances, and the titles, groups and order of skills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from flask_eval.content import load_rubrics
from flask_eval.errors import RecordError, UserError
from flask_eval.ratings.columns import DIMENSIONS, INSTANCE_COLUMNS
from flask_eval.ratings.runs import RunPart
from flask_eval.ratings.table import SkillFacts
from flask_eval.records import read_records
from flask_eval.schema import Instance, RubricSet


def instances_of(
    runs: list[RunPart], given: str | Path | Iterable[Instance] | None, rated: list[str], notes: list[str]
) -> dict[str, Instance]:
    """Every instance by id; what is given wins over what runs hold, and two runs may not contradict each other."""
    found: dict[str, Instance] = {}
    if given is not None:
        if isinstance(given, (str, Path)):
            pairs = read_records(given, Instance)
        else:
            pairs = ((f"instance '{instance.id}'", instance) for instance in given)
        for place, instance in pairs:
            if instance.id in found:
                raise RecordError(place, f"instance '{instance.id}' stands twice", "keep one")
            found[instance.id] = instance
        _check_ids(found, rated, notes)
    sources = dict.fromkeys(found, "")
    for run in runs:
        for instance in run.instances:
            source = sources.setdefault(instance.id, run.part.name)
            if source and found.setdefault(instance.id, instance) != instance:
                raise UserError(
                    f"instance '{instance.id}' differs between {source} and {run.part.name}: they do not belong "
                    "together, unless --instances says which is right"
                )
    return found


def _check_ids(given: Mapping[str, Instance], rated: list[str], notes: list[str]) -> None:
    """Tell rated instances that the given instances do not know."""
    unknown = [name for name in rated if name not in given]
    if rated and len(unknown) == len(rated):
        raise UserError(f"no rated instance is among the given instances, for one '{unknown[0]}': do the ids match?")
    if unknown:
        notes.append(
            f"{len(unknown):,} of {len(rated):,} rated instances are not among the given instances (for one "
            f"'{unknown[0]}'); they have no domain, difficulty or source."
        )


def instance_table(given: Mapping[str, Instance], rated: Iterable[str], notes: list[str]) -> pd.DataFrame:
    """One row an instance; what is rated but not known has its id alone."""
    rows = list(given.values()) + [
        Instance(id=name, instruction="") for name in dict.fromkeys(rated) if name not in given
    ]
    annotations = [row.annotation for row in rows]
    made: dict[str, Any] = {
        "instance": pd.Series([row.id for row in rows], dtype="str"),
        "cluster": pd.Series([row.cluster or row.id for row in rows], dtype="str"),
        "source": pd.Series([row.source for row in rows], dtype="str"),
        "difficulty": pd.Series([a.difficulty for a in annotations], dtype="Int64"),
        "skills": pd.Series([a.skills for a in annotations], dtype=object),
        "domains": pd.Series([a.domains for a in annotations], dtype=object),
    }
    for key in dict.fromkeys(key for row in rows for key in row.metadata):
        if key in INSTANCE_COLUMNS or key in DIMENSIONS:
            notes.append(f"The metadata key '{key}' is left out: a column of flask-eval has that name.")
        else:
            made[key] = pd.Series([row.metadata.get(key) for row in rows], dtype=object)
    return pd.DataFrame(made)


def rubrics_of(
    runs: list[RunPart],
    rubrics: str | RubricSet | None,
    instances: Mapping[str, Instance],
    rated: set[str],
    notes: list[str],
) -> dict[str, SkillFacts]:
    """Titles, groups and order of skills: as given, else from the runs, else of shipped skills of the same names."""
    sets = [load_rubrics(rubrics)] if rubrics is not None else _sets_of(runs)
    skills = [skill for found in sets for skill in found.skills]
    skills += [skill for instance in instances.values() for skill in instance.rubrics]
    facts: dict[str, SkillFacts] = {}
    for skill in skills:
        facts.setdefault(skill.name, SkillFacts(skill.label, skill.group, len(facts)))
    unknown = rated - facts.keys()
    shipped = load_rubrics("flask") if unknown else None
    if shipped and all(shipped.find(name) for name in unknown):
        notes.append("Titles, groups and order of the skills are those of the shipped rubric set 'flask'.")
        for skill in shipped.skills:
            facts.setdefault(skill.name, SkillFacts(skill.label, skill.group, len(facts)))
    return facts


def _sets_of(runs: list[RunPart]) -> list[RubricSet]:
    """The rubric sets that the raters' configurations hold."""
    found = []
    for config in (config for run in runs for config in run.facts["raters"].values()):
        try:
            found.append(RubricSet.model_validate(config["rubrics"]))
        except (KeyError, ValueError):
            continue
    return found
