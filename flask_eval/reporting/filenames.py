"""File names for exports, from names that anybody may have chosen."""

from __future__ import annotations

import re
import unicodedata


def slug(text: str, limit: int = 40) -> str:
    """Small letters, digits and hyphens of a name; `x` where it has none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:limit].strip("-") or "x"


class FileNames:
    """Names for files of one folder, each once: `judge-radar-gpt-4`, then `judge-radar-gpt-4-2`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, *parts: str) -> str:
        """A new name from the parts that are not empty, without suffix."""
        stem = "-".join(slug(part) for part in parts if part)
        made, count = stem, 1
        while made in self._taken:
            count += 1
            made = f"{stem}-{count}"
        self._taken.add(made)
        return made
