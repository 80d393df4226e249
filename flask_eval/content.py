"""Find and load shipped content and the user's own: rubric sets, judge cards, prompts, taxonomies, instance sets.

A bare name is shipped content; a known scheme wins; otherwise a slash or a suffix makes it the user's file. Nothing is
picked up by accident.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from flask_eval.errors import NotFoundError, RecordError, UserError, nearest
from flask_eval.records import read_rows, yaml_record
from flask_eval.schema import JudgeCard, Record, RubricSet, Slice, Taxonomy, slug

FOLDERS = ("rubrics", "annotations", "judges", "reports")
"""The four content folders."""

SCHEMES = ("openai", "anthropic", "litellm", "replay", "metric", "hf")
"""Schemes that win over files and shipped names."""

KINDS = ("rubrics", "annotations", "judges", "prompts", "metrics")
"""What `list` and `show` know."""

_SUFFIX = {"rubrics": ".yaml", "judges": ".yaml", "annotations": ".yaml", "prompts": ".md.jinja"}


def folder(kind: str) -> Traversable:
    """The shipped folder of that kind: in the installed package, or beside it in a checkout."""
    root = files("flask_eval")
    name = "judges" if kind == "prompts" else kind
    packaged = root / "_shipped" / name
    found = packaged if packaged.is_dir() else Path(str(root)).parent / name
    return found / "prompts" if kind == "prompts" else found


def shipped(kind: str) -> dict[str, Traversable]:
    """Name and file of all shipped content of a kind, by name."""
    ending = _SUFFIX[kind]
    found = {f.name.removesuffix(ending): f for f in folder(kind).iterdir() if f.name.endswith(ending)}
    return dict(sorted(found.items()))


def is_path(name: str) -> bool:
    """Whether a name means the user's file: it has a slash or a suffix."""
    return "/" in name or "\\" in name or bool(Path(name).suffix)


def find(kind: str, name: str) -> Traversable:
    """The file behind a name.

    Raises:
        NotFoundError: there is none; the nearest name is suggested.
    """
    known = shipped(kind)
    if name in known:
        return known[name]
    if not is_path(name):
        open_names = [one for one in known if not one.startswith("_")]
        raise NotFoundError(f"no shipped {_one(kind)} is called '{name}'{nearest(name, open_names)}")
    path = Path(name)
    if path.is_file():
        return path
    raise NotFoundError(f"{name}: no such file{nearest(path.name, _neighbours(path)) if _neighbours(path) else ''}")


def _neighbours(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir() if p.suffix == path.suffix] if path.parent.is_dir() else []


def _one(kind: str) -> str:
    return {"rubrics": "rubric set", "judges": "judge card", "prompts": "prompt", "annotations": "taxonomy"}[kind]


def text_of(file: Traversable) -> str:
    """A content file's text; what is not UTF-8 is told."""
    try:
        return file.read_text(encoding="utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise RecordError(str(file), "is not UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise RecordError(str(file), f"cannot be read ({error.strerror})") from None


def load_rubrics(name: str | RubricSet) -> RubricSet:
    """The rubric set of that shipped name or path."""
    if isinstance(name, RubricSet):
        return name
    file = find("rubrics", name)
    return yaml_record(text_of(file), str(file), RubricSet)


def load_taxonomy(name: str | Taxonomy = "taxonomy") -> Taxonomy:
    """The taxonomy of that shipped name (its file's, or its own: `flask`) or path."""
    if isinstance(name, Taxonomy):
        return name
    if not is_path(name) and name not in shipped("annotations"):
        ships = (yaml_record(text_of(file), str(file), Taxonomy) for file in shipped("annotations").values())
        if own := next((taxonomy for taxonomy in ships if taxonomy.name == name), None):
            return own
    file = find("annotations", name)
    return yaml_record(text_of(file), str(file), Taxonomy)


def load_prompt(name: str) -> str:
    """The source of the prompt template of that shipped name or path."""
    return text_of(find("prompts", name))


def load_judge(
    spec: str | JudgeCard, *, model: str | None = None, base_url: str | None = None, prompt: str | None = None
) -> JudgeCard:
    """The judge card behind a specification.

    Args:
        spec: a card's shipped name or file, `ADAPTER:MODEL`, `replay:FILE` or `metric:NAME`; or a card.
        model: takes the place of the card's model.
        base_url: takes the place of the card's base URL.
        prompt: takes the place of the card's prompt template.

    Raises:
        UserError: no such judge, or the card does not fit.
    """
    card = spec if isinstance(spec, JudgeCard) else _card(spec)
    changes: dict[str, Any] = {"model": model, "base_url": base_url, "prompt": prompt}
    changes = {name: value for name, value in changes.items() if value is not None}
    if base_url is not None and card.api_key_env in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        changes["api_key_env"] = None  # a provider's own key goes nowhere else
    if card.adapter in ("replay", "metric") and (model or base_url):
        raise UserError(f"judge '{card.name}' calls no model: leave out {'--judge-model' if model else '--base-url'}")
    return _checked(card, changes)


def _checked(card: JudgeCard, changes: dict[str, Any]) -> JudgeCard:
    """A card with changes, validated anew."""
    from pydantic import ValidationError

    try:
        return JudgeCard.model_validate(card.model_dump() | changes)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = str(fault["loc"][0]) if fault["loc"] else "card"
        option = {"base_url": "--base-url", "model": "--judge-model", "name": "--judge", "settings": "--settings"}.get(
            name, name
        )
        raise UserError(f"{option}: {str(fault['msg']).removeprefix('Value error, ')}") from None


def _card(spec: str) -> JudgeCard:
    scheme, colon, rest = spec.partition(":")
    if colon and scheme in ("openai", "anthropic", "litellm", "replay", "metric"):
        if not rest:
            raise UserError(f"--judge {spec}: a {'file' if scheme == 'replay' else 'name'} must follow the colon")
        name = _stem(rest) if scheme == "replay" else spec
        if not name:
            raise NotFoundError(f"--judge {spec}: '{rest}' is no file of completions")
        return JudgeCard(name=name, adapter=scheme, model=rest)
    if colon and not is_path(spec):
        adapters = ("openai", "anthropic", "litellm", "replay", "metric")
        raise NotFoundError(f"--judge {spec}: no adapter is called '{scheme}'{nearest(scheme, adapters)}")
    file = find("judges", spec)
    card = yaml_record(text_of(file), str(file), JudgeCard)
    return _beside(card, file) if isinstance(file, Path) else card


def _beside(card: JudgeCard, file: Path) -> JudgeCard:
    """A card whose relative paths are looked up from the card's own folder."""
    changes = {}
    if card.adapter == "replay" and not Path(card.model).is_absolute():
        changes["model"] = str(file.parent / card.model)
    if card.prompt not in shipped("prompts") and is_path(card.prompt) and not Path(card.prompt).is_absolute():
        changes["prompt"] = str(file.parent / card.prompt)
    return card.model_copy(update=changes)


def _stem(path: str) -> str:
    name = Path(path).name
    for ending in (".gz", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"):
        name = name.removesuffix(ending)
    return name


def load_slice(spec: str | Slice) -> Slice:
    """A slice from a file, or from a rule.

    A text file of ids (one a line) is named by its stem; a YAML file is {name, where} or {name, ids}. A text with `=` that
    is no file is a rule, and its own name: `difficulty=4|5;domain=Math` (`;`: all must hold, `|`: alternatives).
    """
    if isinstance(spec, Slice):
        return spec
    path = Path(spec)
    if not path.is_file():
        if "=" in spec:
            return _rule(spec)
        near = nearest(path.name, _neighbours(path)) if _neighbours(path) else ""
        raise NotFoundError(
            f"--slice {spec}: no such file{near}; give a text file of ids, YAML {{name, where}}, or a rule such as "
            "difficulty=5"
        )
    text = text_of(path)
    if path.suffix in (".yaml", ".yml"):
        return yaml_record(text, spec, Slice)
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1)]
    ids = [(n, line) for n, line in lines if line and not line.startswith("#")]
    if not ids:
        raise RecordError(spec, "holds no id", "write one id a line")
    seen: dict[str, int] = {}
    for number, name in ids:
        if name in seen:
            raise RecordError(f"{spec}:{number}", f"id '{name}' stands twice (first in line {seen[name]})", "keep one")
        seen[name] = number
    return Slice(name=path.stem, where=None, ids=tuple(seen))


def _rule(spec: str) -> Slice:
    """The slice of a rule such as `difficulty=4|5;domain=Math`."""
    where: dict[str, list[Any]] = {}
    for part in spec.split(";"):
        key, sign, values = (text.strip() for text in part.partition("="))
        found = [value.strip() for value in values.split("|")]
        if not (sign and key and all(found)):
            raise UserError(
                f"--slice {spec}: '{part.strip()}' is no condition; write DIMENSION=VALUE or DIMENSION=VALUE|VALUE, "
                "with ; between conditions (other values: a YAML file {name, where})"
            )
        if key in where:
            raise UserError(f"--slice {spec}: '{key}' stands twice; write alternatives with |, as in {key}=A|B")
        truths = [value == "true" for value in found if value in ("true", "false")]
        where[key] = [*found, *truths]
    return Slice(name=spec.strip(), where=where, ids=None)


def check_skills(names: list[str], rubrics: RubricSet, place: str) -> list[str]:
    """The slugs of skills named by slug or title; an unknown one is told with the nearest."""
    found = []
    for name in names:
        skill = rubrics.find(name)
        if skill is None:
            raise RecordError(
                place,
                f"rubric set '{rubrics.name}' has no skill '{name}'{nearest(slug(name), [s.name for s in rubrics.skills])}",
            )
        found.append(skill.name)
    return found


def count_rows(path: str | Path) -> int:
    """How many records a file or folder holds."""
    return sum(1 for _ in read_rows(path))


SCHEMAS: dict[str, tuple[str, type[Record]]] = {
    "rubric-set": ("rubrics", RubricSet),
    "judge-card": ("judges", JudgeCard),
    "taxonomy": ("annotations", Taxonomy),
    "slice": ("annotations", Slice),
}
"""JSON schema: the folder it lies in (`NAME.schema.json`), and the record it describes."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON schema of a kind of YAML file, by which editors help."""
    if name not in SCHEMAS:
        raise NotFoundError(f"no schema is called '{name}'{nearest(name, SCHEMAS)}")
    schema = SCHEMAS[name][1].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
