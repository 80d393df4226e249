"""`flask-eval init`: copy the shipped content to edit, and a study to start from."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

import click

from flask_eval.cli.common import say
from flask_eval.errors import UserError


@click.command("init", short_help="Copy the shipped rubrics, annotations, judges and reports to edit.")
@click.argument("directory")
def init_command(directory: str) -> int:
    """Copy the four content folders and a study file into DIRECTORY, for you to edit.

    The study (`study.yaml`) runs as it stands, on the sample set. A file that is there and differs is not touched.
    """
    from flask_eval.content import FOLDERS, folder
    from flask_eval.studies.study.shipped import TEMPLATE, shipped_files

    target = Path(directory)
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: is a file; name a folder")
    pairs = [pair for name in FOLDERS for pair in _files(folder(name), target / name)]
    pairs += [(file, target / name) for name, file in shipped_files().items()]
    differing = [to for file, to in pairs if to.exists() and to.read_bytes() != file.read_bytes()]
    if differing:
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        raise UserError(f"{differing[0]}{more} is there already and differs; name a new folder, nothing was written")
    for file, to in pairs:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(file.read_bytes())
    say(f"{len(pairs)} files in {target}/: {', '.join(FOLDERS)}, {TEMPLATE}")
    say(
        f"edit them, check them (flask-eval check {target}/rubrics/flask.yaml), name them by path (--rubrics {target}/rubrics/flask.yaml)"
    )
    say(f"or start from the study, which works as it stands: flask-eval run {target}/{TEMPLATE}")
    return 0


def _files(source: Traversable, target: Path) -> list[tuple[Traversable, Path]]:
    found: list[tuple[Traversable, Path]] = []
    for entry in sorted(source.iterdir(), key=lambda e: e.name):
        if entry.name.startswith(("__", ".")):
            continue
        found += _files(entry, target / entry.name) if entry.is_dir() else [(entry, target / entry.name)]
    return found
