"""What ships with studies: a study file to start from, and the JSON schema by which editors help."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from flask_eval.studies.study.schema import Study

TEMPLATE, SCHEMA = "study.yaml", "study.schema.json"


def shipped_files() -> dict[str, Traversable]:
    """The files that `init` copies, by name."""
    here = files("flask_eval.studies.study")
    return {name: here / name for name in (TEMPLATE, SCHEMA)}


def study_schema() -> dict[str, Any]:
    """The JSON schema of a study file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
