"""Which family a model or a judge belongs to, by its name: what shares its training may share its taste."""

from __future__ import annotations

import re
from collections.abc import Mapping

FAMILIES: dict[str, tuple[str, ...]] = {
    "gpt": (r"gpt-?(?:[1-9]|oss)", "chatgpt", "davinci", "openai", r"o[1345](?:-|$)", "instructgpt"),
    "eleuther": ("gpt-?j", "gpt-?neo", "pythia"),
    "claude": ("claude", "anthropic"),
    "gemini": ("gemini", "gemma", "bard", r"palm-?\d?", "bison", "lamda"),
    "llama": ("llama", "vicuna", "alpaca", "koala", "guanaco", "wizardlm", "tulu", "openassistant", "oasst"),
    "mistral": ("mistral", "mixtral", "ministral", "magistral", "codestral", "pixtral", "devstral", "zephyr"),
    "qwen": ("qwen", "qwq", "qvq"),
    "deepseek": ("deepseek",),
    "cohere": ("command", "cohere", "aya"),
    "phi": (r"phi-?\d",),
    "grok": ("grok", "xai"),
    "glm": ("glm", "zhipu"),
    "kimi": ("kimi", "moonshot"),
    "yi": (r"yi-(?:\d|large|lightning|medium)",),
    "nova": ("nova-(?:micro|lite|pro|premier)", "titan"),
    "granite": ("granite",),
    "falcon": ("falcon",),
    "olmo": ("olmo",),
    "internlm": ("internlm",),
    "baichuan": ("baichuan",),
    "minimax": ("minimax", r"abab\d"),
    "ernie": ("ernie",),
    "hunyuan": ("hunyuan",),
    "dolly": ("dolly",),
    "jamba": ("jamba", "jurassic"),
}
"""Patterns of names by family; what was trained from a family's weights counts as the family."""

_ADAPTER = re.compile(r"^(?:openai|anthropic|litellm|replay|metric|hf):")
_PATTERNS = [
    (family, re.compile(rf"(?<![a-z0-9]){pattern}")) for family, patterns in FAMILIES.items() for pattern in patterns
]


def family_of(name: str, families: Mapping[str, str] | None = None) -> str | None:
    """The family of a model or judge, or none where its name tells none.

    Args:
        name: `gpt-4`, `openai:gpt-5-mini`, `meta-llama/Llama-3-8B` ... The last part of a path decides, then the whole;
            an adapter before a colon does not, since servers of all sorts speak the same API.
        families: families by exact name, which win over the table.
    """
    if families and name in families:
        return families[name]
    bare = _ADAPTER.sub("", name.strip().lower())
    for text in dict.fromkeys([bare.rsplit("/", 1)[-1], bare]):
        found = [(match.start(), family) for family, pattern in _PATTERNS if (match := pattern.search(text))]
        if found:
            return min(found)[1]
    return None
