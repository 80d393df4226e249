"""Pages: a free text with everything in it that may state a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flask_eval.parsing.beside import beside
from flask_eval.parsing.hits import Hit, Rank
from flask_eval.parsing.markers import markers
from flask_eval.parsing.names import Mention, mentions
from flask_eval.parsing.phrases import phrases
from flask_eval.parsing.quotes import Span, inside, is_hedged, is_meant, is_told, quoted
from flask_eval.parsing.values import plain
from flask_eval.schema import Asked, Scale


class Page:
    """A plain text with what is quoted in it, its mentions of the asked properties and its hits by scale."""

    def __init__(self, text: str, answer: Sequence[Asked], told: Sequence[Span] = ()) -> None:
        self.told = list(told)
        self.raw, self.text = text, plain(text)
        self.answer = answer
        self.quotes: list[Span] = quoted(text)
        if inside(self.quotes, *_visible_span(text)) and not text.lstrip().startswith(">"):
            self.quotes = []
        self.mentions: list[Mention] = mentions(text, answer)
        self._by_scale: dict[Scale, list[Hit]] = {}

    def hits(self, scale: Scale) -> list[Hit]:
        """Every meant and unquoted hit but the bare ones, in order."""
        if scale not in self._by_scale:
            found = (*markers(self.text, self.mentions, scale), *phrases(self.text, scale))
            kept = (kept for hit in found if (kept := self._kept(hit)))
            self._by_scale[scale] = sorted(kept, key=lambda hit: (hit.end, hit.start))
        return self._by_scale[scale]

    def named(self, index: int) -> list[Hit]:
        """The hits that name an asked property right beside the value, in order."""
        scale = self.answer[index].scale
        own = (mention for mention in self.mentions if mention.index == index)
        found = (hit for mention in own for hit in beside(self.text, mention, scale))
        return [kept for hit in found if (kept := self._kept(hit))]

    def _kept(self, hit: Hit) -> Hit | None:
        if inside(self.quotes, hit.start, hit.end) or inside(self.told, hit.start, hit.end):
            return None
        if not is_meant(self.text, hit.start, hit.end) or (hit.rank <= Rank.EXPLICIT and is_told(self.text, hit.start)):
            return None
        return replace(hit, rank=Rank.HEDGED) if is_hedged(self.text, hit.start) else hit


def _visible_span(text: str) -> Span:
    return len(text) - len(text.lstrip()), len(text.rstrip(" \t\r\n."))
