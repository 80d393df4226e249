"""Refusals: a judge that says in words that it will not rate."""

from __future__ import annotations

import re

from flask_eval.parsing.values import plain

MAX_REFUSAL_CHARS = 2000
"""Longer texts discuss something; a refusal is short."""

_ACT = (
    r"(?:help|assist|comply|rate|evaluate|score|judge|assess|grade|provide|fulfil+|continue|engage|answer|complete|create|"
    r"participate|support|discuss|respond|generate|give\s+(?:you|any|an?\s+(?:score|rating|grade|evaluation|assessment|verdict|number))|offer|process|do|perform|review|carry|proceed|make|produce|be\s+of)"
)
_CANNOT = (
    r"(?:can't|cannot|can\s+not|won't|will\s+not|could\s+not|am\s+unable\s+to|'m\s+unable\s+to|am\s+not\s+able\s+to|"
    r"'m\s+not\s+able\s+to|am\s+not\s+comfortable|'m\s+not\s+comfortable|must\s+decline|have\s+to\s+decline|decline|refuse|"
    r"don't\s+feel\s+comfortable|do\s+not\s+feel\s+comfortable|am\s+not\s+going\s+to|'m\s+not\s+going\s+to)"
)
_REFUSED = rf"i\s*(?:{_CANNOT})(?:\s+(?:to|but|not|in\s+good\s+conscience|ethically|directly|really|be\s+able\s+to))*\s*{_ACT}\b(?![^.!?\n]*\b(?:high|highly|higher|more|better|above)\b)"
_SORRY = r"(?:i\s*(?:'m|am)\s+(?:\w+\s+)?(?:sorry|afraid)|(?:my\s+)?apologies|i\s+(?:\w+\s+)?apologi[sz]e|sorry|unfortunately|regret\w*)"
_OPENING = re.compile(
    rf"[\s.,!-]*(?:(?:hello|hi|sure|thank\s+you|thanks)[^.!?\n]{{0,40}}[.!?]\s*)?(?:"
    rf"{_SORRY}[^.!?\n]{{0,120}}?\b{_REFUSED}|"
    rf"as\s+an?\s+(?:ai|artificial|large|language)[^.!?\n]{{0,120}}?\b{_REFUSED}|"
    rf"(?:however\W+|but\W+)?{_REFUSED}|"
    rf"(?:{_SORRY}\W+(?:but\s+)?)?(?:this|that|the)\s+(?:request|content|task)\s+(?:violates|goes\s+against|is\s+against))",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether the judge's text opens with a refusal: it says sorry, or what it is, and that it cannot rate."""
    return len(text) <= MAX_REFUSAL_CHARS and bool(_OPENING.match(plain(text)))
