"""What commands share: results as JSON, progress, lines for people."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from flask_eval.errors import for_terminal

json_option = click.option(
    "--json", "json_file", metavar="FILE", help="Write the result record as JSON (-: standard output)."
)


def calling_options(first: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """What every command takes that calls models: how many, how much, which instances; `first`: what `--limit` counts."""
    options = (
        click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Stop before this much is spent."),
        click.option(
            "--limit", type=click.IntRange(min=1), metavar="N", help=f"Only the first N {first}, in file order."
        ),
        click.option(
            "--slice", "part", metavar="S", help="Only these instances: a file of ids, a YAML slice, or a rule."
        ),
        click.option(
            "--concurrency",
            type=click.IntRange(1, 1000),
            metavar="N",
            help="Requests in flight (default: 16, or the card's).",
        ),
        click.option("--durable", is_flag=True, help="Sync every call to disk: safe against a power cut, slower."),
        click.option(
            "--map", "pairs", multiple=True, metavar="FIELD=COLUMN", help="Read a field from a column of another name."
        ),
    )

    def add(command: Callable[..., int]) -> Callable[..., int]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def say(text: str) -> None:
    """A line for people, on standard error."""
    click.echo(for_terminal(text), err=True)


def write_json(target: str | None, result: Mapping[str, Any]) -> None:
    """Write a result record where `--json` says."""
    if target is None:
        return
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def names_of(text: str | None) -> list[str]:
    """A list that was given with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM stops as ctrl-C does: calls in flight finish first."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Show how far work is: a bar where standard error is a terminal, else a line a minute.

    Yields:
        A function that takes how much is done, and a few words.
    """
    if sys.stderr.isatty():
        with _bar(label, total) as update:
            yield update
        return
    last = [time.monotonic()]

    def line(done: int, words: str) -> None:
        if time.monotonic() - last[0] >= 60:
            last[0] = time.monotonic()
            say(f"{label}: {done} of {total}{f', {words}' if words else ''}")

    yield line


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=total, words="")
        yield lambda done, words: shown.update(task, completed=done, words=words)


def outcomes_line(ratings: Mapping[str, int]) -> str:
    """Counts of outcomes in words: `720 scored, 3 refused`."""
    return ", ".join(f"{n:,} {outcome.replace('_', ' ')}" for outcome, n in ratings.items()) or "none"


def percent(share: float | None) -> str:
    """A share in percent, as tables and pages show it."""
    from flask_eval.analysis.text import percent as shown

    return shown(share)


def dollars(amount: float) -> str:
    """US dollars; small amounts with the digits that matter."""
    return f"{amount:.2f} USD" if amount >= 1 or amount == 0 else f"{amount:.2g} USD"


def spent_line(result: Mapping[str, Any]) -> str:
    """Calls, tokens, cost and time of a command, in words."""
    calls, tokens = result["calls"], result["tokens"]
    cost = "unknown cost" if result["cost_usd"] is None else dollars(result["cost_usd"])
    return (
        f"{calls['answered']:,} calls answered, {calls['failed']:,} failed ({calls['sent']:,} sent); "
        f"{tokens['input']:,} + {tokens['output']:,} tokens, {cost}; {result['seconds']:.1f} s"
    )


def without_line(without: Mapping[str, int]) -> str:
    """Instances without a response in words: `40 instances by each of 15 models`."""
    counts = set(without.values())
    if len(without) > 1 and len(counts) == 1:
        return f"{counts.pop():,} instances have no response by each of {len(without)} models"
    shown = ", ".join(f"{model} {n:,}" for model, n in list(without.items())[:6])
    return f"instances without a response: {shown}{', ...' if len(without) > 6 else ''}"


def load_certificate(path: str | None) -> Any:
    """The certificate that `--certificate` names, or none.

    Raises:
        UserError: it cannot be read, or was changed after it was written.
    """
    if path is None:
        return None
    from flask_eval.analysis.trust.certificate import read_certificate
    from flask_eval.errors import UserError
    from flask_eval.records import parse_json

    file = Path(path)
    if not file.is_file():
        raise UserError(f"--certificate {path}: no such file; `flask-eval agree --certify {path}` writes one")
    try:
        data = parse_json(file.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError:
        raise UserError(f"--certificate {path}: is no text, so no certificate") from None
    if not isinstance(data, dict):
        raise UserError(f"--certificate {path}: is no certificate; `flask-eval agree --certify` writes one")
    return read_certificate(data)
