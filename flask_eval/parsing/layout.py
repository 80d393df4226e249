"""Layout: forms of a list or a table of scores, told as plain lines `Name: value`.

Only lines that name an asked property change, and only in texts without an object: what they say stays what it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from flask_eval.parsing.values import fold
from flask_eval.schema import Asked

_NUMBER = r"\d{1,3}(?:\.\d{1,2})?(?:\s*/\s*\d{1,3})?"
_TAG = re.compile(r"</?(?:b|strong|i|em|u|p|li|ul|ol|span|div|h[1-6])(?:\s[^<>\n]{0,80})?>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_RULE = re.compile(r"\s*\|?[\s:|-]*-[\s:|-]*")
MAX_CHARS = 40_000


def plain_lines(text: str, answer: Sequence[Asked]) -> str:
    """The text with its lists and tables of the asked properties as lines `Name: value`."""
    if "{" in text or len(text) > MAX_CHARS:
        return text
    text = _BREAK.sub("\n", _TAG.sub("", text))
    names = tuple(
        sorted({form for asked in answer for form in (asked.name, asked.title) if form}, key=len, reverse=True)
    )
    for pattern, made in _rewrites(names):
        text = pattern.sub(made, text)
    return _tables(_numbers_first(text, names), {fold(name) for name in names})


@lru_cache(maxsize=256)
def _name(names: tuple[str, ...]) -> str:
    forms = (r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", name) if part) for name in names)
    return rf"(?:{'|'.join(forms)})"


@lru_cache(maxsize=256)
def _rewrites(names: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    start = rf"(?im)^(?P<name>[^\w\n]{{0,12}}{_name(names)}[*_]{{0,3}})[^\S\n]*"
    return (
        # the range of the scale beside the name: `Factuality [1-5]: 3`
        (
            re.compile(start + r"[(\[]\s*\d{1,3}\s*(?:-|\u2013|to)\s*\d{1,3}\s*[)\]][*_]{0,3}[^\S\n]*[:=-]"),
            r"\g<name>:",
        ),
        # a word before the number: `Factuality: Level 4`
        (
            re.compile(start + rf"[:=-]\s*(?:level|grade)[^\S\n]+(?P<value>{_NUMBER})(?=[^\S\n]*(?:[.;,(]|$))"),
            r"\g<name>: \g<value>",
        ),
        # a word, and the number in brackets: `Factuality: good (4)`
        (
            re.compile(start + rf"[:=][^\S\n]*[a-z][a-z' -]{{0,30}}\((?P<value>{_NUMBER})\)[^\S\n]*\.?$"),
            r"\g<name>: \g<value>",
        ),
    )


def _numbers_first(text: str, names: tuple[str, ...]) -> str:
    """`4 - Factuality` as `Factuality: 4`; numbers that only count the lines (1, 2, 3 ...) are left out."""
    line = re.compile(
        rf"(?im)^[^\w\n]{{0,12}}(?P<value>{_NUMBER})[^\S\n]+[-:\u2013][^\S\n]+(?P<name>{_name(names)})[^\w\n]*$"
    )
    values = [found["value"].strip() for found in line.finditer(text)]
    counted = values == [str(k) for k in range(1, len(values) + 1)]
    made: str | Callable[[re.Match[str]], str] = r"\g<name>" if counted else r"\g<name>: \g<value>"
    return line.sub(made, text)


def _tables(text: str, known: set[str]) -> str:
    """A table with the properties as its columns and one row of values."""
    lines = text.split("\n")
    made: list[str] = []
    k = 0
    while k < len(lines):
        head = _cells(lines[k])
        after = k + 2 if k + 1 < len(lines) and _RULE.fullmatch(lines[k + 1]) else k + 1
        row = _cells(lines[after]) if after < len(lines) else []
        columns = [name for name in head if fold(name) in known]
        last = after + 1 >= len(lines) or not _cells(lines[after + 1])
        if len(columns) > 1 and len(row) == len(head) and last:
            made += [f"{name}: {value}" for name, value in zip(head, row, strict=True) if fold(name) in known]
            k = after + 1
        else:
            made.append(lines[k])
            k += 1
    return "\n".join(made)


def _cells(line: str) -> list[str]:
    """The cells of a Markdown row; none where it is no row."""
    if line.count("|") < 2:
        return []
    return [cell.strip().strip("*_ ") for cell in line.strip().strip("|").split("|")]
