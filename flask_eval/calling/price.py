"""What calls cost: the card's price, else the price table that litellm carries (read as a file, without its import)."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask_eval.schema import Completion, JudgeCard, Price

_TABLE = "model_prices_and_context_window_backup.json"


@cache
def _table() -> dict[str, Any]:
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    file = Path(spec.origin).with_name(_TABLE)
    return dict(json.loads(file.read_bytes())) if file.is_file() else {}


def price_of(card: JudgeCard) -> Price | None:
    """US dollars per million tokens of a card's model, or none where nobody knows; a local server costs nothing."""
    if card.price is not None:
        return card.price
    if card.adapter in ("replay", "metric"):
        return Price()
    if card.base_url is not None:
        return Price() if is_local(card.base_url) else None
    row = _table().get(card.model) or _table().get(f"{card.adapter}/{card.model}")
    if not row or "input_cost_per_token" not in row:
        return None
    cached = row.get("cache_read_input_token_cost")
    return Price(
        input=row["input_cost_per_token"] * 1e6,
        cached_input=None if cached is None else cached * 1e6,
        output=row.get("output_cost_per_token", 0.0) * 1e6,
    )


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine."""
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "") in ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # noqa: S104 (a comparison)


def cost(price: Price | None, input_tokens: float, cached_tokens: float, output_tokens: float) -> float | None:
    """US dollars of so many tokens (cached ones are part of the input), or none where the price is unknown."""
    if price is None:
        return None
    cached_price = price.input if price.cached_input is None else price.cached_input
    plain = max(input_tokens - cached_tokens, 0)
    return (plain * price.input + cached_tokens * cached_price + output_tokens * price.output) / 1e6


def cost_of(price: Price | None, completion: Completion) -> float:
    """US dollars of one completion; 0 where the price is unknown (the total then says so)."""
    return cost(price, completion.input_tokens, completion.cached_tokens, completion.output_tokens) or 0.0
