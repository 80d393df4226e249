"""What a dry run says: cells, calls, tokens and cost of what is still to be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask_eval.calling.engine import CONCURRENCY
from flask_eval.calling.price import cost, price_of
from flask_eval.judging.planning import RATIONALE_TOKENS, Plan
from flask_eval.judging.run import LEDGER
from flask_eval.ledger import Ledger


def estimate(plan: Plan, out: str | Path | None = None, *, concurrency: int | None = None) -> dict[str, Any]:
    """The record of `score --dry-run --json`; what a run at `out` already holds is left out.

    Input tokens are counted (o200k_base), output tokens assumed; `seconds` comes from the run's own calls, where there
    are some.
    """
    file = Path(out) / LEDGER if out is not None else None
    seconds_a_call = None
    if file is not None and file.exists():
        with Ledger(file, read_only=True) as ledger:
            found = plan.estimate(lambda key: ledger.answered(key) is not None)
            seconds_a_call = ledger.query("SELECT AVG(seconds) FROM call WHERE finish IS NOT NULL")[0][0]
    else:
        found = plan.estimate()
    price = price_of(plan.card)
    t = found["tokens"]
    full = cost(price, t["input"], 0, t["output"])
    flying = concurrency or plan.card.limits.concurrency or CONCURRENCY
    result: dict[str, Any] = {
        "cells": len(plan.cells),
        "calls": found["calls"],
        "tokens": t,
        "cost_usd": {
            "sync": full,
            "cached": cost(price, t["input"], t["cacheable"], t["output"]),
            "batch": None if full is None else full / 2,
        },
        "seconds": None if seconds_a_call is None else found["calls"] * seconds_a_call / flying,
        "output_tokens_per_rating": RATIONALE_TOKENS,
        "without_response": plan.without_response,
        "undefined": {},
    }
    if price is None:
        result["undefined"]["cost_usd"] = f"no price is known for '{plan.card.model}'; add `price` to the judge card"
    if seconds_a_call is None:
        result["undefined"]["seconds"] = "no call of this run was timed yet"
    return result
