"""Objects in a text: a tolerant scanner for JSON, Python and half-broken objects, whatever stands around them.

Linear in the length of the text: each failed start costs a bounded look-ahead, each parsed character is passed once, and
the look-aheads for doubtful quotes have a budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Piece: TypeAlias = "Node | list[Piece] | str"

MAX_DEPTH = 32
MAX_PIECES = 120_000
"""Values read from one text; a text with more is no judge's answer."""
MAX_DOUBTS = 5_000
"""Quotes looked at beyond the first that might end a string."""

MAX_UNCLOSED_CHARS = 40

_GAP = r"(?:\s|//[^\n]{0,200}\n|#[^\n]{0,200}\n|/\*[^*]{0,200}\*/)*+"
_QUOTED_KEY = (
    r"(?:\"(?:[^\"\\\n]|\\.){1,400}+\"|'(?:[^'\\\n]|\\.){1,400}+'|[“”„][^“”„\"\n]{1,400}+[“”\"]|"
    r"[\u2018\u2019][^\u2018\u2019\n]{1,400}+[\u2018\u2019]|`[^`\n]{1,400}+`)\s*+(?::|=>)"
)
_BARE_KEY = r"[^\W\d][\w .\-/&]{0,80}?\s*+(?::|=>?)"
_KEY = re.compile(rf"(?:{_QUOTED_KEY}|{_BARE_KEY})")
_NEXT_KEY = re.compile(_QUOTED_KEY)
_START = re.compile(rf"(?:\{{|\bdict\s?\()(?={_GAP}(?:{_QUOTED_KEY}|{_BARE_KEY}))")
_DICT = re.compile(r"dict\s?\(")
_COMMENTS = re.compile(_GAP)
_FILLER = re.compile(rf"(?:{_GAP},?)*+")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_BARE = re.compile(r"(?:(?!//|/\*)[^,}\]{\[\n\"“”\u2018()#']|\([^()\n]{0,80}\)|(?<=\w)')*+")
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|null|true|false")
_RESYNC = re.compile(r"[,{}]|```|\n[^\S\n]*\n")
_ESCAPE = re.compile(
    r"\\(?:(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4}))|(.))", re.DOTALL
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_SURROGATES = re.compile("[\ud800-\udfff]")

_CLOSERS = {'"': '"', "'": "'", "`": "`"} | dict.fromkeys("“”„", '“”"') | dict.fromkeys("\u2018\u2019", "\u2018\u2019'")
_BODIES = {
    opener: re.compile(rf"[^{closers}\\]*+(?:\\.[^{closers}\\]*+)*+[{closers}]", re.DOTALL)
    for opener, closers in _CLOSERS.items()
}
_AFTER_MEMBER = {
    quoted: re.compile(rf"{_GAP}(?:\Z|[}}\])]|```|,{_GAP}(?:\Z|[}}\])]|{key})|{_QUOTED_KEY})")
    for quoted, key in ((True, _QUOTED_KEY), (False, rf"(?:{_QUOTED_KEY}|{_BARE_KEY})"))
}
_AFTER_ITEM = re.compile(rf"{_GAP}(?:\Z|[,\])}}])")


@dataclass(slots=True)
class Node:
    """One object: its place in the text, and its members in order; a name may stand twice."""

    start: int
    end: int = 0
    pairs: list[tuple[str, Piece]] = field(default_factory=list)
    damaged: bool = False
    """Whether something in it could not be read."""
    repaired: bool = False
    """Whether it was read although it is no strict JSON (told of the outermost object)."""


@dataclass(slots=True)
class Scan:
    """The outermost objects of a text, in order."""

    nodes: list[Node]
    overrun: bool = False
    """Whether the text held more than anyone will read; nothing of it counts."""


def scan(text: str) -> Scan:
    """Every outermost object with at least one named member; never raises."""
    scanner = _Scanner(text)
    nodes = list(scanner.nodes())
    return Scan([], overrun=True) if scanner.pieces > MAX_PIECES else Scan(nodes)


class _Scanner:
    """A position in a text, and what was met on the way."""

    def __init__(self, text: str) -> None:
        self.text, self.pos = text, 0
        self.pieces, self.doubts = 0, 0
        self.stopped, self.repaired = False, False
        self.broken: Node | None = None
        self.endless: set[str] = set()

    def nodes(self) -> Iterator[Node]:
        """The outermost objects; one that breaks off at its own level, or holds nothing, is none."""
        while (start := _START.search(self.text, self.pos)) and self.pieces <= MAX_PIECES:
            self.pos = start.start()
            self.stopped, self.repaired, self.broken = False, False, None
            node = self._object(1)
            node.repaired = self.repaired
            self.pos = max(self.pos, start.end())
            if node.pairs and self.broken is not node:
                yield node

    def _object(self, depth: int) -> Node:
        """Read an object whose opening bracket is here; a lost closing bracket is forgiven where the text ends."""
        node = Node(self.pos)
        opener = _DICT.match(self.text, self.pos)
        self.pos, close = (opener.end(), ")") if opener else (self.pos + 1, "}")
        self.repaired |= opener is not None
        quoted = True
        while not self.stopped:
            gap = self._gap()
            if self.text[self.pos : self.pos + 1] == close:
                self.pos += 1
                break
            key = _KEY.match(self.text, self.pos)
            if key is None:
                self._recover(node, gap)
                continue
            self.pos = key.end()
            quoted = key[0][0] in _CLOSERS and (quoted or not node.pairs)
            self.repaired |= key[0][0] != '"'
            self._member(node, key[0], depth, quoted=quoted)
        node.end = self.pos
        return node

    def _member(self, node: Node, key: str, depth: int, *, quoted: bool) -> None:
        """Read the value of a key into `node`, also where the value breaks off."""
        self._gap(comma=False)
        value = self._value(depth, _AFTER_MEMBER[quoted], node)
        node.pairs.append((_key_text(key), value))

    def _gap(self, *, comma: bool = True) -> str:
        """Pass blanks, comments and commas; give what was passed."""
        passed = (_FILLER if comma else _COMMENTS).match(self.text, self.pos)
        gap = passed[0] if passed else ""
        self.pos += len(gap)
        self.repaired |= gap.strip() not in {"", ","} or (
            gap.strip() == "," and self.text[self.pos : self.pos + 1] in {"}", "]"}
        )
        return gap

    def _recover(self, node: Node, gap: str) -> None:
        """Where a key should stand: end with the text, pass a stray bracket, or go on at the next key."""
        self.repaired = True
        here = self.text[self.pos : self.pos + 1]
        if not here or self.text.startswith("```", self.pos) or _BLANK_LINE.search(gap):
            self.stopped = True
        elif here in "])}":
            self.pos += 1
        else:
            self._resync(node)

    def _resync(self, node: Node) -> None:
        """Pass what cannot be read, up to the next key or the closing bracket; anything else breaks the object off."""
        node.damaged = True
        while sign := _RESYNC.search(self.text, self.pos):
            self.pos = sign.start()
            if sign[0] == "}":
                return
            if sign[0] != ",":
                break
            after = _FILLER.match(self.text, self.pos)
            self.pos = after.end() if after else sign.end()
            if _KEY.match(self.text, self.pos):
                return
        else:
            self.pos = len(self.text)
        self.stopped, self.broken = True, node

    def _value(self, depth: int, after: re.Pattern[str], node: Node) -> Piece:
        self.pieces += 1
        here = self.text[self.pos : self.pos + 1]
        if self.pieces > MAX_PIECES:
            self.stopped = True
            return ""
        if here == "{" or _DICT.match(self.text, self.pos):
            return self._object(depth + 1) if depth < MAX_DEPTH else self._too_deep(node)
        if here in {"[", "("}:
            return self._array(depth + 1, node) if depth < MAX_DEPTH else self._too_deep(node)
        if here in _CLOSERS and here:
            return self._string(after)
        return self._bare()

    def _too_deep(self, node: Node) -> str:
        node.damaged, self.stopped, self.broken = True, True, node
        return ""

    def _array(self, depth: int, node: Node) -> list[Piece]:
        items: list[Piece] = []
        self.pos += 1
        while not self.stopped:
            self._gap()
            here = self.text[self.pos : self.pos + 1]
            if here in {"]", ")"}:
                self.pos += 1
                break
            if here == "}" or _NEXT_KEY.match(self.text, self.pos):
                self.repaired = True
                break
            before = self.pos
            items.append(self._value(depth, _AFTER_ITEM, node))
            if self.pos == before:
                self._resync(node)
        return items

    def _bare(self) -> str:
        """A value without quotes, up to what must end it: `4`, `null`, `N/A`, `4 (good)`."""
        found = _BARE.match(self.text, self.pos)
        word = found[0] if found else ""
        self.pos += len(word)
        word = word.strip()
        self.repaired |= not _LITERAL.fullmatch(word)
        return word

    def _string(self, after: re.Pattern[str]) -> str:
        """A string; it ends at the first quote after which an object can go on, so that unescaped quotes are text."""
        opener, begin = self.text[self.pos], self.pos + 1
        self.repaired |= opener != '"'
        first = end = 0
        at = begin
        while opener not in self.endless and (body := _BODIES[opener].match(self.text, at)):
            at = body.end()
            if not first and _is_short(self.text[begin : at - 1]) and _NEXT_KEY.match(self.text, at - 1):
                return self._unclosed(begin, at - 1)
            first = first or at
            if after.match(self.text, at):
                end = at
                break
            self.doubts += 1
            self.repaired = True
            if self.doubts > MAX_DOUBTS:
                break
        if first:
            self.pos = end or first
            return _unescaped(self.text[begin : self.pos - 1])
        return self._unended(opener, begin)

    def _unclosed(self, begin: int, end: int) -> str:
        """A short value whose closing quote is lost before the next key."""
        self.repaired, self.pos = True, end
        return _unescaped(self.text[begin:end].rstrip(", \t\n"))

    def _unended(self, opener: str, begin: int) -> str:
        """A string that nothing ends is read to the end of the text, unless an object may stand in it."""
        self.endless.add(opener)
        self.repaired = True
        if _RESYNC.search(self.text, begin):
            self.pos = begin
            return ""
        self.pos = len(self.text)
        return _unescaped(self.text[begin:])


def _is_short(text: str) -> bool:
    """Whether a text can be a value whose closing quote was forgotten: `4, ` before the next key."""
    return len(text) <= MAX_UNCLOSED_CHARS and text.rstrip().endswith(",")


def _key_text(key: str) -> str:
    """What a key says, without quotes and colon."""
    return _unescaped(key.rstrip(":=> \t\r\n").strip("\"'“”„\u2018\u2019` "))


def _unescaped(text: str) -> str:
    """The text that the escapes of JSON and Python spell; half a surrogate pair becomes U+FFFD."""
    if "\\" in text:
        text = _ESCAPE.sub(_escape, text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _SURROGATES.sub("\ufffd", text)


def _escape(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else _ESCAPES.get(found[4], found[4])
