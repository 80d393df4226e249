"""The facts of the runs: who judged, by which prompt and rubrics, when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask_eval.ratings import RatingTable
from flask_eval.reporting.text import Name, name

Fact = tuple[str, Name]

_SETTINGS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "reasoning_effort", "seed")
"""Settings that a page may show; others may hold what is nobody's business."""


def facts(table: RatingTable) -> tuple[tuple[Name, tuple[Fact, ...]], ...]:
    """Each run's name and facts, as far as it tells them."""
    return tuple((name(str(run.get("run", "run")), 80), tuple(_run(run))) for run in table.runs)


def _run(run: Mapping[str, Any]) -> Iterator[Fact]:
    labels = {"created": "Created", "flask_eval": "flask_eval", "seed": "Seed", "samples": "Samples"}
    for key, label in labels.items():
        if isinstance(run.get(key), (str, int)):
            yield label, name(str(run[key]))
    raters = run.get("raters")
    for rater, config in raters.items() if isinstance(raters, dict) else ():
        yield "Rater", name(str(rater), 80)
        if isinstance(config, dict):
            yield from _rater(config)
    if said := _versioned(run.get("rubrics"), "digest"):
        yield "Rubrics", name(said, 80)
    spent = run.get("spent")
    if isinstance(spent, dict) and spent["calls"]["answered"] + spent["calls"]["failed"]:
        yield from _spent(spent)


def _spent(spent: Mapping[str, Any]) -> Iterator[Fact]:
    """Calls, tokens and cost of all that the run's ledger holds."""
    calls, tokens, cost = spent["calls"], spent["tokens"], spent["cost_usd"]
    failed = f", {calls['failed']:,} failed" if calls["failed"] else ""
    yield "Calls", Name(f"{calls['answered']:,} answered{failed}")
    cached = f" ({tokens['cached']:,} cached)" if tokens["cached"] else ""
    yield "Tokens", Name(f"{tokens['input']:,} in{cached}, {tokens['output']:,} out")
    yield (
        "Cost",
        Name(
            f"${cost:,.2f}"
            if cost is not None and cost >= 0.01
            else f"${cost:.2g}"
            if cost
            else "no price known"
            if cost is None
            else "$0"
        ),
    )


def _rater(config: Mapping[str, Any]) -> Iterator[Fact]:
    card = config.get("card")
    if isinstance(card, dict):
        yield _model(str(card.get("model", "")), str(card.get("adapter", "")))
        without = card.get("without")
        if isinstance(without, (list, tuple)) and without:
            yield "Prompt leaves out", name(", ".join(map(str, without)), 80)
        settings = card.get("settings")
        shown = [f"{k} {settings[k]}" for k in _SETTINGS if k in settings] if isinstance(settings, dict) else []
        if shown:
            yield "Settings", name(", ".join(shown), 80)
    if said := _versioned(config.get("prompt"), "digest"):
        yield "Prompt", name(said, 80)
    for key, label in (("packing", "Skills in one call"), ("empty", "Empty responses count as")):
        if isinstance(config.get(key), (str, int)):
            yield label, name(str(config[key]))


def _model(model: str, adapter: str) -> Fact:
    """What stands behind a rater; of replayed completions the file's name, without the folders of whoever ran it."""
    if adapter == "replay":
        return "Completions replayed from", name(model.replace("\\", "/").rpartition("/")[2], 80)
    if adapter == "metric":
        return "Metric", name(model, 80)
    return "Model", name(f"{model}, called through {adapter}", 80)


def _versioned(value: Any, *keys: str) -> str:
    """A name with its version and digest; a plain name as it is."""
    if not isinstance(value, dict):
        return str(value) if isinstance(value, str) else ""
    parts = [str(value.get("name", ""))]
    if value.get("version"):
        parts.append(f"version {value['version']}")
    parts += [f"{key} {str(value[key])[:12]}" for key in keys if value.get(key)]
    return ", ".join(part for part in parts if part)
