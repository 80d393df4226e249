"""What a person decided on a list to settle goes into the instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_eval.annotating.fields import FIELDS, candidates, with_labels
from flask_eval.annotating.outputs import read_list, unguarded
from flask_eval.content import check_skills
from flask_eval.errors import RecordError, UserError, nearest
from flask_eval.schema import Instance, RubricSet, Taxonomy

NOTHING = "-"
"""The decision that a field shall hold nothing."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Instances after decisions.

    Attributes:
        instances: the whole set, in its order.
        decisions: how many fields were decided, by field.
        undecided: rows of the list without a decision; their fields stay as they are.
    """

    instances: tuple[Instance, ...]
    decisions: Mapping[str, int]
    undecided: int


def settle(
    instances: Sequence[Instance], path: str | Path, *, taxonomy: Taxonomy, rubrics: RubricSet, by: str = ""
) -> Settled:
    """Apply the decisions of a list to settle.

    Args:
        instances: the set.
        path: the list, as CSV or another table; `instance`, `field` and `decision` are read.
        taxonomy: decides which domains and levels there are.
        rubrics: decides which skills there are, besides the instances' own.
        by: who decided; named as an annotator, after those who were.

    Raises:
        RecordError: a row names no instance, no field, or a decision that does not exist; says file and line.
    """
    now = {one.id: one for one in instances}
    seen: dict[tuple[str, str], str] = {}
    counts = dict.fromkeys(FIELDS, 0)
    undecided = 0
    for place, row in read_list(path):
        if not row:
            continue  # spreadsheets leave blank lines
        name, field = _where(place, row, now)
        if (name, field) in seen:
            raise RecordError(
                place, f"instance '{name}', {field}: stands twice (first at {seen[name, field]})", "keep one"
            )
        seen[name, field] = place
        decision = unguarded(str(row.get("decision") or "")).strip()
        if not decision:
            undecided += 1
            continue
        labels = _labels(place, field, decision, now[name], taxonomy, rubrics)
        annotation = with_labels(now[name].annotation, field, labels)
        names = [annotation.annotator] if annotation.annotator else []
        if by and by not in annotation.annotator.split(" + "):
            names.append(by)
        now[name] = now[name].model_copy(
            update={"annotation": annotation.model_copy(update={"annotator": " + ".join(names)})}
        )
        counts[field] += 1
    return Settled(tuple(now.values()), counts, undecided)


def _where(place: str, row: Mapping[str, Any], instances: Mapping[str, Instance]) -> tuple[str, str]:
    missing = next((name for name in ("instance", "field") if name not in row), None)
    if missing is not None:
        raise RecordError(place, f"column '{missing}' is missing or empty", "use the list that `annotate` wrote")
    name, field = unguarded(str(row["instance"])), str(row["field"]).strip().lower()
    if name not in instances:
        raise RecordError(place, f"id '{name}' is no instance{nearest(name, instances)}")
    if field not in FIELDS:
        raise RecordError(place, f"'{field}' is no field of an annotation{nearest(field, FIELDS)}")
    return name, field


def _labels(
    place: str, field: str, decision: str, instance: Instance, taxonomy: Taxonomy, rubrics: RubricSet
) -> tuple[str, ...]:
    """The labels of a decision, as files spell them."""
    if decision == NOTHING:
        return ()
    parts = [part.strip() for part in decision.split(";") if part.strip()]
    if not parts:
        raise RecordError(place, f"decision '{decision}': names no label", f"{NOTHING} leaves the field empty")
    try:
        labels = _known(place, field, parts, instance, taxonomy, rubrics)
    except RecordError:
        raise
    except UserError as error:
        raise RecordError(place, str(error)) from None
    if len(set(labels)) != len(labels):
        raise RecordError(place, f"decision '{decision}': a label stands twice", "keep one")
    if field == "domains" and len(labels) > 2:
        raise RecordError(place, f"decision '{decision}': an instance has one domain, or two")
    return labels


def _known(
    place: str, field: str, parts: Sequence[str], instance: Instance, taxonomy: Taxonomy, rubrics: RubricSet
) -> tuple[str, ...]:
    if field == "domains":
        names = {domain.name.casefold(): domain.name for domain in taxonomy.domains}
        return tuple(_one_of(place, part, names, f"taxonomy '{taxonomy.name}' has no domain") for part in parts)
    if field == "difficulty":
        levels = {str(level.level): str(level.level) for level in taxonomy.difficulties}
        levels |= {level.title.casefold(): str(level.level) for level in taxonomy.difficulties}
        if len(parts) != 1:
            raise RecordError(place, f"decision '{'; '.join(parts)}': an instance has one level of difficulty")
        # a spreadsheet may turn 3 into 3.0
        return (_one_of(place, parts[0].removesuffix(".0"), levels, f"taxonomy '{taxonomy.name}' has no level"),)
    own = {skill.label.casefold(): skill.name for skill in instance.rubrics}
    own |= {skill.name: skill.name for skill in instance.rubrics}
    known = candidates(instance, rubrics)
    return tuple(
        own[part.casefold()]
        if part.casefold() in own
        else (part if part in known else check_skills([part], rubrics, place)[0])
        for part in parts
    )


def _one_of(place: str, part: str, known: Mapping[str, str], what: str) -> str:
    found = known.get(part.casefold())
    if found is None:
        raise RecordError(place, f"{what} '{part}'{nearest(part, known.values())}")
    return found
