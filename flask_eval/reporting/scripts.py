"""The page's own scripts and their data: each script is named by its digest in the page's policy, nothing else may run."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from flask_eval.content import folder, text_of

if TYPE_CHECKING:
    from markupsafe import Markup


def script(name: str) -> tuple[Markup, str]:
    """A shipped script (`reports/NAME.js`) as it stands in the page, and its source expression for the policy.

    Indents and lines that are a comment are left out, so a text of several lines cannot stand in a script.

    Raises:
        ValueError: the script's text would end its element.
    """
    lines = (line.strip() for line in text_of(folder("reports") / f"{name}.js").splitlines())
    return allowed("".join(f"{line}\n" for line in lines if line and not line.startswith("//")))


def allowed(text: str) -> tuple[Markup, str]:
    """A script's text as it stands in the page, and `'sha256-...'` of exactly that text (CSP level 3, section 8.3)."""
    from markupsafe import Markup

    text = text.replace("\r\n", "\n").replace("\r", "\n")  # as the browser's parser does before it takes the digest
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("a script that holds the end of its own element, or a comment's start, cannot stand in a page")
    return Markup(text), f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"  # noqa: S704 (our own file)


def json_text(record: Any) -> Markup:
    """Compact JSON for an element of the page; no `<`, so that nothing in it can end that element."""
    from markupsafe import Markup

    text = json.dumps(record, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704 (no `<`)
