"""Imports point one way, and heavy packages stay out of what `--help` loads."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "flask_eval"

LAYERS = {
    "__init__": 0,
    "schema": 0,
    "errors": 0,
    "content": 1,
    "records": 1,
    "ledger": 1,
    "prompting": 2,
    "parsing": 2,
    "adapters": 2,
    "metrics": 2,
    "importing": 3,
    "calling": 3,
    "judging": 4,
    "annotating": 4,
    "responding": 4,
    "ratings": 5,
    "analysis": 6,
    "reporting": 7,
    "rating_page": 7,
    "studies": 8,
    "cli": 9,
    "__main__": 10,
}
WITHIN_LAYER = {("content", "records"), ("schema", "errors")}
"""Neighbours that may import each other: the loader of content reads records."""


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(file: Path) -> list[str]:
    """Every module of ours that a file imports, also inside functions."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            if node.module == "flask_eval":
                found += [
                    f"flask_eval.{a.name}"
                    if (PACKAGE / f"{a.name}.py").exists() or (PACKAGE / a.name).is_dir()
                    else "flask_eval"
                    for a in node.names
                ]
            else:
                found.append(node.module)
    return [name for name in found if name.split(".")[0] == "flask_eval"]


FACE = PACKAGE / "__init__.py"
"""The public face names modules of every layer, for type checkers only; it loads them on first use."""

FILES = sorted(f for f in PACKAGE.rglob("*.py") if f != FACE)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_module_imports_from_lower_layers_only(file):
    """Neighbours in a layer do not import each other, except inside one folder."""
    here = file.relative_to(PACKAGE).with_suffix("").parts[0]
    for module in imports_of(file):
        there = room(module)
        if there == here:
            continue
        lower = LAYERS[there] < LAYERS[here] or (here, there) in WITHIN_LAYER
        assert lower, (
            f"{file.relative_to(ROOT)} ({here}, layer {LAYERS[here]}) imports {module} (layer {LAYERS[there]})"
        )


def test_every_module_stands_in_a_layer():
    """A new room needs its place in the house."""
    rooms = {f.relative_to(PACKAGE).with_suffix("").parts[0] for f in FILES}
    assert rooms <= set(LAYERS)


HEAVY = (
    "openai",
    "anthropic",
    "litellm",
    "pydantic",
    "tenacity",
    "pandas",
    "krippendorff",
    "plotly",
    "datasets",
    "scipy",
    "numpy",
    "aiohttp",
    "yaml",
    "jinja2",
    "rich",
)


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_loads_nothing_heavy(words):
    """`flask-eval --help` starts at once."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flask_eval", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    loaded = {
        line.rpartition("|")[2].strip().split(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "click" in loaded
    assert not loaded & set(HEAVY)


def test_importing_the_package_loads_nothing_heavy():
    """Public names load on first use."""
    code = "import sys, flask_eval; print(*(m for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not set(done.stdout.split()) & set(HEAVY)


def test_only_the_hub_module_imports_datasets():
    """One module knows the library, so one place keeps it quiet."""
    users = {f.relative_to(PACKAGE).as_posix() for f in FILES if "import datasets" in f.read_text(encoding="utf-8")}
    assert users == {"importing/hub.py"}


def test_every_package_that_an_install_brings_is_used():
    """A dependency that nothing imports is a burden on every user."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in project["dependencies"]}
    modules = {"pyyaml": "yaml"}
    used = set()
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                used.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                used |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    assert {modules.get(name, name.replace("-", "_")) for name in names} <= used


def test_nothing_evaluates_text():
    """Model and judge text is hostile: no eval, no exec, no pickle, no unsafe YAML."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile"}, f"{file}:{node.lineno}"
            if isinstance(node, ast.Import):
                assert not {a.name for a in node.names} & {"pickle", "marshal", "shelve"}, f"{file}:{node.lineno}"
