"""The command line: one file a command, loaded when it is called; nothing heavy at the top."""

from __future__ import annotations

import errno
import sqlite3
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from flask_eval.errors import FlaskEvalError, StoppedError, UserError, for_terminal, nearest

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "Take the tour on shipped sample data: no key, no network."),
    "init": ("init", "Copy the shipped rubrics, annotations, judges and reports to edit."),
    "list": ("show", "List shipped rubric sets, judges, prompts, taxonomies, metrics."),
    "show": ("show", "Show one of them."),
    "check": ("check", "Check your own files: rubrics, judge cards, instances, responses ..."),
    "import": ("import_", "Turn other people's formats into ours."),
    "annotate": ("annotate", "Give instances domains, skills, difficulty, checklists, references."),
    "respond": ("respond", "Ask models for responses to instances."),
    "score": ("score", "Judge responses skill by skill, into a run."),
    "status": ("status", "Tell a run's coverage, outcomes, tokens and cost."),
    "reparse": ("reparse", "Read a run's recorded completions anew, without a call."),
    "export": ("export", "Write a run's ratings as CSV, JSONL or Parquet."),
    "agree": ("agree", "Hold judges against people: agreement, ceiling, verdict."),
    "slice": ("slice", "Mean scores by skill, domain, difficulty or anything else."),
    "compare": ("compare", "Hold models against each other: which differ, on what, and gates for CI."),
    "report": ("report", "Write one self-contained page from runs and ratings."),
    "run": ("run", "A whole study from one file: from instances to the page."),
}
"""Name: (module, one line of help)."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and writes its list without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if name not in COMMANDS:
            return None
        module = import_module(f"flask_eval.cli.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is told with the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command is called '{args[0]}'{nearest(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    if wanted and not ctx.resilient_parsing:
        from flask_eval import __version__

        click.echo(f"flask-eval {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def cli() -> None:
    """Judge language models skill by skill, and know how far to trust the numbers.

    \b
    First steps:
      flask-eval demo                      the whole tour, no key needed
      flask-eval score INSTANCES RESPONSES --judge openai:gpt-5-mini -o runs/first --dry-run
      flask-eval report runs/first -o report.html

    Exit codes: 0 done; 1 a threshold that you set was missed; 2 input or options are wrong, nothing was called;
    3 stopped with work left, the same command goes on.
    """  # noqa: D301 (click's mark for lines kept as they are)


def main(args: list[str] | None = None) -> None:
    """Run the command line; every error that a user can mend is one line."""
    sys.exit(_run(args))


def _run(args: list[str] | None) -> int:  # noqa: C901, PLR0911 (one return a kind of error)
    _log_to_stderr()
    try:
        if (sys.argv[1:] if args is None else args) == []:
            args = ["--help"]
        result: Any = cli.main(args=args, prog_name="flask-eval", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except SystemExit:  # click's answer to a pipe that was closed by its reader
        return 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.Abort:
        return _fail("stopped; the same command goes on", 3)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        where = f" (see `{context.command_path} --help`)" if context else ""
        return _fail(error.format_message().rstrip(".") + where, 2)
    except StoppedError as error:
        return _fail(str(error), 3)
    except (UserError, FlaskEvalError) as error:
        return _fail(str(error), 2)
    except sqlite3.DatabaseError as error:
        full = "full" in str(error) or "locked" in str(error)
        return _fail(f"the run's ledger cannot be used: {error}", 3 if full else 2)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        mendable = error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENOENT, errno.EEXIST, errno.EROFS)
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", 2 if mendable else 3)
    except Exception:  # noqa: BLE001 (a fault of ours: its traceback is what we need to mend it)
        traceback.print_exc()
        return _fail("this is a fault of flask-eval; please report it with the lines above", 70)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    line = for_terminal(" ".join(message.split()))
    click.echo(f"flask-eval: {line}", err=True)
    return code


def _log_to_stderr() -> None:
    """Warnings are one line each."""
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("flask-eval: %(message)s"))
    logging.getLogger("flask_eval").handlers[:] = [handler]
