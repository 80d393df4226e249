"""Docs cannot drift: the README's commands run, and every command and option is documented."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from flask_eval.cli import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "commands.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*/README.md")),
]


def helps():
    """(words, help text) of every command and sub-command."""
    root = click.Context(
        cli, info_name="flask-eval", help_option_names=["-h", "--help"], max_content_width=100, terminal_width=100
    )
    for name in COMMANDS:
        command = cli.get_command(root, name)
        context = click.Context(command, info_name=name, parent=root, max_content_width=100, terminal_width=100)
        if isinstance(command, click.Group):
            for sub in command.list_commands(context):
                inner = click.Context(
                    command.get_command(context, sub),
                    info_name=sub,
                    parent=context,
                    max_content_width=100,
                    terminal_width=100,
                )
                yield f"{name} {sub}", inner.command.get_help(inner)
        else:
            yield name, command.get_help(context)


def reference():
    """The text of docs/commands.md."""
    start = (
        "# Commands\n\nWhat `--help` says, command by command. Results for programs go where `--json FILE` says (`-`: standard "
        "output); lines for people go to standard error, or are plain text. Exit codes: 0 done; 1 a threshold that you set was "
        "missed; 2 input or options are wrong, nothing was called; 3 stopped with work left, the same command goes on.\n"
    )
    return "\n".join([start, *(f"## flask-eval {name}\n\n```text\n{text}\n```\n" for name, text in helps())])


def test_the_reference_of_commands_is_complete():
    """To renew it: FLASK_EVAL_RENEW=1 python -m pytest tests/test_docs.py."""
    if os.environ.get("FLASK_EVAL_RENEW"):
        REFERENCE.write_text(reference())
    assert REFERENCE.read_text() == reference()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_within_the_docs_leads_somewhere(page):
    """Relative links only."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def commands_in(page):
    text = page.read_text().replace("\\\n", " ")
    return [line.strip() for line in re.findall(r"^\s*(flask-eval [^\n]*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_in_the_docs_has_options_that_exist(page):
    """Words are checked against the command itself."""
    for line in commands_in(page):
        words = line.split("#")[0].split()[1:]
        if words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, line
        command = cli.get_command(None, words[0])
        if isinstance(command, click.Group):
            command = command.get_command(None, words[1])
        known = {name for parameter in command.params for name in parameter.opts}
        used = {word.split("=")[0] for word in words if word.startswith("-") and word != "-"}
        assert used <= known | {"--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_that_a_doc_mentions_exists(page):
    """Within a sentence too."""
    for word in re.findall(r"`flask-eval (\w[\w-]*)", page.read_text()):
        assert word in COMMANDS, word


def test_the_readme_is_short():
    """What, the two commands, a picture, the three uses."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 81


def test_the_readmes_python_runs(tmp_path):
    """On the sample set, with the sample judge in place of a hosted one."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    demo = ROOT / "annotations" / "demo"
    swaps = {
        '"instances.jsonl"': repr(str(demo / "instances.jsonl")),
        '"responses/"': repr(str(demo / "responses")),
        '"openai:gpt-5-mini"': repr(f"replay:{demo / 'sample-judge.jsonl'}"),
        '"people.csv"': repr(str(demo / "ratings.csv")),
    }
    for old, new in swaps.items():
        assert old in code
        code = code.replace(old, new)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()


def test_no_doc_speaks_of_machines_or_registries():
    """Docs speak of the software only."""
    for page in PAGES:
        assert not re.search(r"(?<!\w)/(?:root|home|Users)/|pypi\.org|pythonhosted", page.read_text()), page
