"""The page's own inline figures as SVG files that stand alone: definitions and style within, light colours, no browser needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape

from flask_eval.content import folder, text_of
from flask_eval.reporting.chart_parts import FONT
from flask_eval.reporting.filenames import FileNames

_PIECE = re.compile(
    r'<section id="(?P<section>[^"]+)"|<h3>(?P<head>[^<]*)</h3>|<figcaption>(?P<caption>.*?)</figcaption>'
    r'|<svg class="(?P<kind>radar|plotted)" (?P<attributes>[^>]*)>(?P<body>.*?)</svg>',
    re.DOTALL,
)
_USE = re.compile(r'<use href="#([^"]+)"(?: x="([^"]*)")?(?: y="([^"]*)")?/>')
_DEFINED = re.compile(r'<(?:circle|path) id="([^"]+)"[^>]*/>|<g id="([^"]+)".*?</g>', re.DOTALL)
_BOX = re.compile(r'viewBox="([-0-9. ]+)"')
_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_DRAWN = re.compile(r"(fill|stroke|font-|text-anchor|opacity|paint-order|unicode-bidi)")
_GROUPS = 6
_PAD, _HEAD = 12, 26
PAPER = "#ffffff"


def standalone(page: str, raters: Mapping[str, str]) -> dict[str, str]:
    """The figures of a page that this package wrote, as SVG by file name.

    Args:
        page: its HTML.
        raters: by the anchor of each rater's section; figures elsewhere are left out.
    """
    names, made = FileNames(), {}
    defined = {one or two: found for found, one, two in _definitions(page)}
    rules = _rules()
    for section, caption, head, kind, attributes, body in _figures(page):
        if section in raters:
            heading = caption or head
            stem = names.name(raters[section], "radar" if kind == "radar" else "skill" if caption else "", heading)
            made[f"{stem}.svg"] = _file(kind, heading, attributes, body, defined, rules)
    return made


def _definitions(page: str) -> Iterator[tuple[str, str, str]]:
    for found in _DEFINED.finditer(page):
        yield found.group(0), found.group(1) or "", found.group(2) or ""


def _figures(page: str) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Section, caption, heading above, kind, attributes and body of each figure."""
    section, head, caption = "", "", ""
    for piece in _PIECE.finditer(page):
        if piece["section"]:
            section, head, caption = piece["section"], "", ""
        elif piece["head"] is not None:
            head, caption = unescape(piece["head"]), ""
        elif piece["caption"] is not None:
            caption = unescape(re.sub(r"<svg.*?</svg>|<[^>]*>", "", piece["caption"], flags=re.DOTALL)).strip()
        else:
            yield section, caption, head, piece["kind"], piece["attributes"], piece["body"]
            caption = ""


def _file(
    kind: str, title: str, attributes: str, body: str, defined: Mapping[str, str], rules: list[tuple[str, str]]
) -> str:
    found = _BOX.search(attributes)
    if found is None:
        raise ValueError("a figure of the page has no viewBox")
    x, y, width, height = map(float, found.group(1).split())
    left, top = x - _PAD, y - _PAD - _HEAD
    across, down = width + 2 * _PAD, height + 2 * _PAD + _HEAD
    drawn = re.sub(r' id="[^"]*"', "", _expanded(body, defined))
    drawn = re.sub(r"<(title|desc)>.*?</\1>", "", drawn, flags=re.DOTALL)
    style = "".join(f"{selector}{{{declared}}}" for selector, declared in _used(rules, kind, drawn))
    heading = f'<text class="heading" x="{left + _PAD:g}" y="{top + 19:g}">{_escaped(title)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" viewBox="{left:g} {top:g} {across:g} {down:g}" '
        f'width="{across:g}" height="{down:g}" role="img"><title>{_escaped(title)}</title>\n'
        f"<style>svg{{font-family:{FONT}}}{style}.{kind} .heading{{font-size:14px;font-weight:650;text-anchor:start}}</style>\n"
        f'<rect x="{left:g}" y="{top:g}" width="{across:g}" height="{down:g}" fill="{PAPER}"/>\n{heading}\n{drawn.strip()}\n</svg>\n'
    )


def _expanded(body: str, defined: Mapping[str, str]) -> str:
    """Every reference replaced by what it refers to: not every program that reads SVG follows them."""

    def put(found: re.Match[str]) -> str:
        name, x, y = found.groups()
        moved = f' transform="translate({x or 0} {y or 0})"' if x or y else ""
        return f"<g{moved}>{defined[name]}</g>"

    return _USE.sub(put, body)


def _rules() -> list[tuple[str, str]]:
    """The page's rules for drawing, with the light colours in place of variables; one a selector."""
    sheet = "".join(text_of(folder("reports") / name) for name in ("report.css", "plots.css"))
    sheet = _MEDIA.sub("", re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL))
    rules = [(selectors.strip(), declared) for selectors, declared in _RULE.findall(sheet)]
    root = next(declared for selectors, declared in rules if selectors == ":root")
    colours = dict(re.findall(r"--([a-z0-9-]+):\s*([^;]+);", root)) | {"paper": PAPER}
    made: list[tuple[str, str]] = []
    for selectors, declared in rules:
        kept = ";".join(one.strip() for one in declared.split(";") if _DRAWN.match(one.strip()))
        for selector in selectors.split(","):
            grouped = "var(--g)" in kept
            for group in range(_GROUPS) if grouped else (None,):
                own = colours | ({"g": colours[f"g{group}"]} if grouped else {})
                value = re.sub(r"var\(--([a-z0-9-]+)\)", lambda v, own=own: own[v.group(1)], kept)  # type: ignore[misc]
                if value:
                    made.append((selector.strip() + (f".m{group}" if grouped else ""), value))
    return made


def _used(rules: list[tuple[str, str]], kind: str, drawn: str) -> Iterator[tuple[str, str]]:
    """The rules whose classes all occur."""
    present = {kind, *(name for names in re.findall(r'class="([^"]*)"', drawn) for name in names.split())}
    for selector, declared in rules:
        wanted = re.findall(r"\.([a-zA-Z][\w-]*)", selector)
        tags = set(re.findall(r"(?:^|[\s>])([a-z]+)", selector))
        if wanted and set(wanted) <= present and tags <= {"text", "path", "g"} and ":" not in selector:
            yield selector, declared


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
