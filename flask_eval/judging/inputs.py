"""Read instances and responses: files, folders, hub sets, DataFrames or records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flask_eval.errors import NotFoundError, RecordError, UserError
from flask_eval.importing import hub
from flask_eval.records import Row, as_records, nested, read_rows
from flask_eval.schema import Instance, Response, Slice, several, slug

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)


def read_instances(
    source: Any, *, mapping: Mapping[str, str] | None = None, places: dict[str, str] | None = None
) -> list[Instance]:
    """Read instances.

    Args:
        source: a file, a folder, `-`, `hf:ORG/NAME[:CONFIG][:SPLIT]`, a DataFrame, records, or a list of dicts.
        mapping: field: column, for tables whose columns have other names.
        places: filled with the place (`file:line`) of each id, where given.

    Raises:
        UserError: nothing there, a row that does not fit, or an id that stands twice.
    """
    found: dict[str, Instance] = {}
    places = {} if places is None else places
    for place, instance in _records(source, Instance, mapping):
        if instance.id in found:
            raise RecordError(
                place, f"id '{instance.id}' stands twice (first at {places[instance.id]})", "ids must differ"
            )
        found[instance.id], places[instance.id] = instance, place
    if not found:
        raise UserError("there are no instances")
    return list(found.values())


def read_responses(*sources: Any, mapping: Mapping[str, str] | None = None) -> list[Response]:
    """Read responses from one or several sources, as `read_instances` does.

    Raises:
        UserError: nothing there, a row that does not fit, or two responses under one instance, model and sample.
    """
    found: dict[tuple[str, str, int], Response] = {}
    places: dict[tuple[str, str, int], str] = {}
    for source in sources:
        for place, response in _records(source, Response, mapping):
            key = (response.instance, response.model, response.sample)
            if key in found:
                where = f"instance '{key[0]}', model '{key[1]}', sample {key[2]}"
                raise RecordError(place, f"{where} stands twice (first at {places[key]})", "number them by `sample`")
            found[key], places[key] = response, place
    if not found:
        raise UserError("there are no responses")
    return list(found.values())


def _records(source: Any, model: type[M], mapping: Mapping[str, str] | None) -> Iterator[tuple[str, M]]:
    if isinstance(source, (str, Path)):
        yield from as_records(_rows(str(source), mapping, model), model)
    elif hasattr(source, "to_dict") and hasattr(source, "columns"):
        rows = ((f"row {n}", nested(_present(row))) for n, row in enumerate(source.to_dict("records")))
        mapped = hub.apply_mapping(rows, mapping, fields=model.model_fields) if mapping else rows
        yield from as_records(mapped, model, cells=True)
    else:
        for number, record in enumerate(source):
            if isinstance(record, dict):
                yield from as_records([(f"item {number}", record)], model)
                continue
            if not isinstance(record, model):
                raise UserError(f"item {number} is {type(record).__name__}, not {model.__name__}")
            yield f"item {number}", record


def _present(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(k): v for k, v in row.items() if not (v is None or (isinstance(v, float) and v != v))}  # noqa: PLR0124 (NaN)


def _rows(source: str, mapping: Mapping[str, str] | None, model: type[BaseModel]) -> Iterator[Row]:
    if source.startswith("hf:") or hub.is_arrow_folder(Path(source)):
        yield from hub.read_hub(source, mapping, fields=model.model_fields)
        return
    scheme, colon, _ = source.partition(":")
    if colon and "/" not in scheme and len(scheme) > 1 and not Path(source).exists():
        raise NotFoundError(f"{source}: no such file, and no scheme is called '{scheme}'; hub sets are hf:ORG/NAME")
    rows = read_rows(source)
    yield from hub.apply_mapping(rows, mapping, fields=model.model_fields) if mapping else rows


def facts(instance: Instance) -> dict[str, tuple[Any, ...]]:
    """What an instance can be sliced by: dimension and its values."""
    found: dict[str, tuple[Any, ...]] = {key: (value,) for key, value in instance.metadata.items()}
    found |= {f"{key}|": several(value) for key, value in instance.metadata.items()}
    found |= {
        "id": (instance.id,),
        "skill": instance.annotation.skills,
        "domain": instance.annotation.domains,
        "difficulty": (instance.annotation.difficulty,),
        "source": (instance.source,),
    }
    return found


def in_slice(part: Slice, instance: Instance) -> bool:
    """Whether an instance belongs to a slice: listed by id, or every condition holds."""
    if part.ids is not None:
        return instance.id in part.ids
    has = facts(instance)
    for dimension, wanted in (part.where or {}).items():
        values = {slug(str(v)) if dimension == "skill" else str(v) for v in has.get(dimension, ())}
        asked = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        if not values & {slug(str(v)) if dimension == "skill" else str(v) for v in asked}:
            return False
    return True
