"""Phrases: scores that a text states without a heading, as in `I give it a 4`, `4 out of 5`, `4 stars`, `[[4]]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from flask_eval.parsing.hits import AMOUNT, SCORE_WORD, Hit, Rank
from flask_eval.parsing.values import Mark, take, words
from flask_eval.schema import Scale

USUAL_MAXIMA = frozenset({3, 4, 5, 6, 7, 10, 20, 100})
"""Where `N/M` is a score on another scale rather than a fraction."""
_RESULT = re.compile(r"(?<!\[)\[{1,2}[^\S\n]*+result[^\S\n]*+\]{1,2}\s*:?\s*\(?", re.IGNORECASE)
_DOUBLE = re.compile(r"\[\[(?=[^\[\]\n]{1,40}\]\])")
_TAG = re.compile(r"<[^\S\n]*+(?P<name>[\w -]{1,60})[^\S\n]*+>\s*(?=[^<\n]{1,60}</)")
_ABSENT = re.compile(
    r"\b(?:this|the)\s+(?:skill|criterion|aspect|metric|dimension|rubric|question|score|rating|evaluation)\s+"
    r"(?:is\s+(?:not\s+applicable|inapplicable|n/a)|does\s+not\s+apply|doesn't\s+apply)\b",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\s*\{")
VERB = re.compile(
    r"\b(?:score[sd]?|scoring|rate[sd]?|rating|give[sn]?|giving|gave|award(?:s|ed|ing)?|assign(?:s|ed|ing)?|grade[sd]?|grading|"
    r"deserv(?:es?|ed|ing)|earn(?:s|ed|ing)?|merit(?:s|ed|ing)?|warrant(?:s|ed|ing)?|receiv(?:es?|ed|ing)|gets?|getting|got|"
    r"settled?\s+on|lands?\s+(?:on|at)|goes\s+with|go(?:ing)?\s+with|worth|justif(?:y|ies)|evaluated?|assess(?:ed)?|chose|choose|"
    r"select(?:ed)?|pick(?:ed)?|conclude[sd]?|say|vote)\b",
    re.IGNORECASE,
)
_IS_A = re.compile(
    r"\b(?:(?:it|this|that|the\s+(?:response|answer|summary))(?:'s|\s+is)(?:\s+\w+ly)?\s+an?\s+(?:(?:solid|strong|clear|weak|firm|full|low|high)\s+)?|"
    r"(?:believe|think|feel|say|find)\s+(?:that\s+)?an?\s+)(?=\S)",
    re.IGNORECASE,
)
FILLER_WORDS = (
    "it this that the these an a its their my your our response responses answer summary reply output text model assistant "
    "assistant's response's article dialogue story essay translation completion candidate content solution explanation code "
    "submission student conversation as at of with to be is in on for overall final total solid strong full perfect only just "
    "score rating grade mark verdict level therefore thus hence likely both also here gets deserves receives given"
)
_NUMBERED = words(
    "response responses answer summary reply output text model assistant candidate solution code submission content essay story"
)
"""Nouns that a number may name, as in `Solution 1`."""
_BEFORE_VALUE = words(
    "a an as at it this that only just overall solid strong full perfect score rating grade mark verdict level therefore likely "
    "total final its their my your our"
)
_DIRECT = words("scored scores scoring rated deserves deserve merits merit assign assigned award say give")
"""Verbs that a score may follow without more words."""
_NOUNS = words("score rating grade")
_FILLERS = re.compile(
    rf"(?:[^\S\n]++(?:{'|'.join(sorted(FILLER_WORDS.split(), key=len, reverse=True))})(?![\w'])){{0,9}}[^\S\n]*+:?[^\S\n]*+",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(rf"{AMOUNT}\s*(?:or|to|and|-+)\s*\Z", re.IGNORECASE)
_VISIBLE = re.compile(r"\w")
_RATIO = re.compile(rf"(?<![\w./+-])[+-]?{AMOUNT}(?=\s*/\s*\d|\s+out\s+of\b)", re.IGNORECASE)
_STARS = re.compile(
    rf"(?<![\w./-]){AMOUNT}(?:\s+and\s+a\s+half)?[\s-]stars?\b(?=\s*\Z|[^\S\n]*+[^\w\s]|\s*\n|\s+(?:rating|score|response|answer|summary|for|because|since|as|out)\b)|[★⭐][★⭐☆\ufe0f\s]*",
    re.IGNORECASE,
)


def phrases(text: str, scale: Scale) -> Iterator[Hit]:
    """Every score that a plain text states in such a way, whether it is meant or not."""
    for source in (_tokens, _verbs, _copulas, _ratios, _stars):
        yield from source(text, scale)


def _tokens(text: str, scale: Scale) -> Iterator[Hit]:
    """`[RESULT] 4`, `[[4]]`, `<score>4</score>`, and a boxed value, `this skill does not apply`."""
    for pattern, rank in ((_RESULT, Rank.EXPLICIT), (_DOUBLE, Rank.EXPLICIT), (_BOXED, Rank.BARE)):
        for sign in pattern.finditer(text):
            if mark := take(text, sign.end(), scale):
                yield Hit(rank, sign.start(), mark.end, mark)
    for absent in _ABSENT.finditer(text):
        yield Hit(Rank.PHRASE, absent.start(), absent.end(), Mark("not_applicable", None, absent.end()))
    for tag in _TAG.finditer(text):
        if SCORE_WORD.fullmatch(tag["name"]) and (mark := take(text, tag.end(), scale)):
            yield Hit(Rank.EXPLICIT, tag.start(), mark.end, mark)


def _verbs(text: str, scale: Scale) -> Iterator[Hit]:
    """`I give it a 4`, `rated 4`, `deserves a 4`."""
    for verb in VERB.finditer(text):
        fillers = _FILLERS.match(text, verb.end())
        mark = take(text, fillers.end(), scale) if fillers and fillers[0] else None
        if fillers is None or mark is None or "\n" in text[verb.end() : mark.end]:
            continue
        said = fillers[0].lower().strip(" :").split()
        if (
            _leads(verb[0].lower(), said)
            or (mark.maximum is not None and mark.maximum == scale.max)
            or (scale.labels and not said)
        ):
            yield Hit(Rank.PHRASE, verb.start(), mark.end, mark)


def _leads(verb: str, said: list[str]) -> bool:
    """Whether a verb and the words after it lead to a score rather than to a number of things."""
    if not said:
        return verb in _DIRECT
    if said[-1] in _NUMBERED:
        return len(said) > 1 and said[-2] in {"this", "the"}
    return said[-1] in _BEFORE_VALUE


def _copulas(text: str, scale: Scale) -> Iterator[Hit]:
    """`it is a 4`, `I believe a 4 is fair`."""
    for said in _IS_A.finditer(text):
        if mark := take(text, said.end(), scale):
            yield Hit(Rank.PHRASE, said.start(), mark.end, mark)


def _ratios(text: str, scale: Scale) -> Iterator[Hit]:
    """`4 out of 5`, `4/5`; with another usual maximum only where it ends the text."""
    for ratio in _RATIO.finditer(text):
        mark = take(text, ratio.start(), scale)
        if mark is None or mark.maximum is None or _is_alternative(text, ratio.start()):
            continue
        if mark.maximum == scale.max or (mark.maximum in USUAL_MAXIMA and not _VISIBLE.search(text, mark.end)):
            yield Hit(Rank.RATIO, ratio.start(), mark.end, mark)


def _stars(text: str, scale: Scale) -> Iterator[Hit]:
    """`4 stars`, `a 4-star answer`, `★★★★☆`."""
    if scale.labels:
        return
    for stars in _STARS.finditer(text):
        full = sum(stars[0].count(sign) for sign in "★⭐")
        amount = str(full) if full else re.split(r"[\s-]stars?", stars[0])[0]
        total = full + stars[0].count("☆")
        mark = take(f"{amount}/{total}" if total > full else amount, 0, scale)
        if mark is not None and not _is_alternative(text, stars.start()):
            yield Hit(Rank.STARS, stars.start(), stars.end(), replace(mark, end=stars.end()))


def _is_alternative(text: str, at: int) -> bool:
    """Whether a number before makes this one of two: `3 or 4 stars`."""
    return bool(_ALTERNATIVE.search(text[max(0, at - 12) : at]))
