"""How many tokens a text has, by the encoding of OpenAI's models; other providers' counts differ by some percent."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@cache
def _encoding() -> Any:
    """o200k_base, from the files that litellm carries: nothing is fetched; none where they are absent."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None or find_spec("tiktoken") is None:
        return None
    folder = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    if not folder.is_dir():
        return None
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    import tiktoken

    return tiktoken.get_encoding("o200k_base")


@lru_cache(maxsize=2048)
def count_tokens(text: str) -> int:
    """Tokens of a text; a quarter of its characters where no encoding is to be had."""
    encoding = _encoding()
    if encoding is None:
        return max(1, len(text) // 4)
    return len(encoding.encode_ordinary(text))
