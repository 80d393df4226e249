"""`flask-eval respond`: ask models for responses to instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from flask_eval.cli.common import (
    calling_options,
    dollars,
    json_option,
    names_of,
    outcomes_line,
    progress,
    say,
    spent_line,
    stoppable,
    write_json,
)
from flask_eval.errors import UserError


def _no_number(name: str) -> Any:
    raise ValueError(name)


_JSON = json.JSONDecoder(strict=False, parse_constant=_no_number)
"""Reads a setting: line breaks may stand in a text, NaN is no number."""


@click.command("respond", short_help="Ask models for responses to instances.")
@click.argument("instances")
@click.option("--model", "models", required=True, metavar="M,...", help="Cards, or ADAPTER:MODEL; several by commas.")
@click.option("--base-url", metavar="URL", help="A server that speaks the adapter's API (vLLM, llama.cpp, Ollama).")
@click.option("-o", "--out", metavar="FILE", help="All responses as JSON lines; or a folder/ for a file a model.")
@click.option("--system", metavar="TEXT", help="A system prompt; @FILE reads it from a file.")
@click.option("--shots", metavar="FILE", help="Instances with references, shown as worked examples.")
@click.option("--n-shots", type=click.IntRange(min=1), default=3, show_default=True, help="So many of them.")
@click.option("--shots-per", type=click.Choice(["run", "instance"]), default="run", show_default=True, help="The same for all instances, or drawn for each.")  # fmt: skip
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Responses to each instruction.")  # fmt: skip
@click.option("--completion", is_flag=True, help="Have a text continued (/v1/completions) in place of a chat.")
@click.option("--settings", "pairs_of_settings", metavar="K=V,...", help="Such as temperature=0,max_tokens=512.")
@click.option("--dry-run", is_flag=True, help="Say calls, tokens and cost; call nothing.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of worked examples.")
@click.option("--retry", metavar="OUTCOME,...", help="Ask again what came to these: empty, truncated, refused.")
@calling_options("instances")
@json_option
def respond_command(**options: Any) -> int:
    """Ask models for responses to INSTANCES, and write them to FILE.

    An instance's earlier turns (`messages`) are sent before its instruction. Every call is kept beside FILE, so the same
    command goes on after a stop and asks nothing twice. Empty, cut-off and refused responses are kept as such and counted.

    \b
    Examples:
      flask-eval respond mine.jsonl --model openai:qwen3,openai:llama3 --base-url http://127.0.0.1:11434/v1 -o responses.jsonl
      flask-eval respond mine.jsonl --model openai:gpt-5-mini --settings temperature=0 -o responses.jsonl --dry-run
      flask-eval respond mine.jsonl --model base.yaml --completion --shots solved.jsonl -o responses/
    """  # noqa: D301
    from flask_eval.importing.hub import parse_mapping
    from flask_eval.judging import read_instances
    from flask_eval.judging.planning import chosen_instances
    from flask_eval.responding import Manner, models_of

    if options["out"] is None and not options["dry_run"]:
        raise UserError("-o is missing: name the file of responses, e.g. -o responses.jsonl")
    cards = models_of(
        names_of(options["models"]), base_url=options["base_url"], settings=_settings(options["pairs_of_settings"])
    )
    found = read_instances(options["instances"], mapping=parse_mapping(options["pairs"]))
    chosen = chosen_instances(found, options["part"])[: options["limit"]]
    shots = tuple(read_instances(options["shots"])) if options["shots"] else ()
    if shots and not any(one.reference for one in shots):
        raise UserError(f"--shots {options['shots']}: no instance has a reference to show as its answer")
    manner = Manner(
        samples=options["samples"],
        system=_system(options["system"]),
        shots=shots,
        count=options["n_shots"] if shots else 0,
        per=options["shots_per"],
        seed=options["seed"],
        completion=options["completion"],
    )
    return _dry_run(chosen, cards, manner, options) if options["dry_run"] else _respond(chosen, cards, manner, options)


def _settings(text: str | None) -> dict[str, Any]:
    """`k=v,...` with values as JSON where they are (lists too), else as text up to the next comma."""
    made: dict[str, Any] = {}
    rest = (text or "").strip()
    while rest:
        name, sign, after = rest.partition("=")
        name = name.strip()
        if not sign or not name or "," in name:
            raise UserError(f"--settings {rest.partition(',')[0]}: write NAME=VALUE, such as temperature=0")
        value, _, rest = after.partition(",")
        made[name] = value.strip()
        try:
            known, end = _JSON.raw_decode(after.lstrip())
        except ValueError:
            continue
        left = after.lstrip()[end:].lstrip()
        if not left or left.startswith(","):
            made[name], rest = known, left[1:].strip()
    return made


def _system(text: str | None) -> str | None:
    if text is None or not text.startswith("@"):
        return text
    path = Path(text[1:])
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--system {text}: cannot be read ({type(error).__name__})") from None


def _dry_run(chosen: Any, cards: Any, manner: Any, options: dict[str, Any]) -> int:
    from flask_eval.responding import estimate

    found = estimate(chosen, cards, out=options["out"], manner=manner, retry=names_of(options["retry"]))
    write_json(options["json_file"], found)
    usd = found["cost_usd"]["sync"]
    say(f"{found['instances']:,} instances, {len(cards)} models, {found['calls']:,} calls; nothing was sent")
    say(f"tokens: {found['tokens']['input']:,} input, about {found['tokens']['output']:,} output (assumed)")
    say(f"cost: unknown; {found['undefined']['cost_usd']}" if usd is None else f"cost: about {dollars(usd)}")
    return 0


def _respond(chosen: Any, cards: Any, manner: Any, options: dict[str, Any]) -> int:
    from flask_eval.calling.asking import Asking
    from flask_eval.responding import respond

    total = len(chosen) * len(cards) * manner.samples
    with stoppable(), progress("asking", total) as show:
        done = respond(
            chosen,
            cards,
            out=options["out"],
            manner=manner,
            how=Asking(concurrency=options["concurrency"], budget=options["budget"]),
            retry=names_of(options["retry"]),
            durable=options["durable"],
            on_progress=lambda n, tally: show(n, f"{tally.answered:,} calls, {tally.failed:,} failed"),
        )
    result = done.result
    write_json(options["json_file"], result)
    for name, own in result["models"].items():
        say(f"{name}: {own['responses']:,} responses ({outcomes_line(own['outcomes'])})")
    calls = result["calls"]
    if calls["sent"]:
        say(spent_line(result))
    elif not result["left"]:
        say("nothing was asked: every response is there already")
    say(f"written: {', '.join(result['files']) or 'nothing'}")
    if calls["failed"]:
        say(f"the last error: {result['last_error']}; the same command asks failed calls again")
    if done.stopped_by:
        say(f"stopped: {done.stopped_by}; {result['left']:,} responses are left, the same command goes on")
        return 3
    return 0
