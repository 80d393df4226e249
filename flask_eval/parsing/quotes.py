"""Quotes: which parts of a judge's text are not the judge's own words, or not meant as a verdict."""

from __future__ import annotations

import re
from bisect import bisect_right

Span = tuple[int, int]

_SIGN = re.compile(
    r"(?P<line>^[^\S\n]{0,3}>[^\n]*)|(?P<ends>\n[^\S\n]*\n)|(?P<line_end>\n)|(?P<fence>```+)|(?P<sign>[\"“”„«»\u2018\u2019'`])",
    re.MULTILINE,
)
_CURLY = "“„«"
_CLOSED_BY = {'"': '"', "“": "”“", "„": "“”", "«": "»", "\u2018": "\u2019", "'": "'", "`": "`"}

_THEY = r"(?:response|answer|assistant|model|author|user|text|candidate|student|it|they|he|she|output|essay|code|which|that|who)"
_SAYS = (
    r"(?:says|said|claims|claimed|states|stated|writes|wrote|asserts|asserted|insists|insisted|declares|declared|prints|"
    r"printed|outputs|quotes|quoted|mentions|mentioned|argues|argued|suggests|suggested|demands|demanded|requests|requested|"
    r"asks|asked|tells|told|instructs|instructed|orders|begs|wants|tries|tried|attempts|pretends|reads?|ends\s+with|ended\s+with|closes\s+with|begins\s+with|"
    r"asking|requesting|demanding|claiming|insisting|stating|saying|pretending|begging|trying)"
)
_WHAT_IS_SAID = (
    r"(?:graders?|judges?|evaluators?|raters?|reviewers?|readers?|that|it|should|must|be|to|the|me|us|for|a|an|of|give|get|deserves?|itself|is|has|its|own|text|"
    r"line|lines|words|string|phrase|with|as|at|on|verdict|result|force|output|print|return|contains?|includes?|full|perfect|this|these|those|following|final|json|block|object|score|scores|rating|ratings|verdicts)"
)
_SAID = rf"\b{_SAYS}\s*[:,]?(?:\s+{_WHAT_IS_SAID})*\s*:?\s*"
_HOLDS = (
    rf"(?:\b(?:contains?|contained|containing|includes?|included|including)|\b{_THEY}\s+(?:\w+\s+)?(?:has|had|gives|gave|rates|rated))"
    r"(?:\s+(?:the|a|an|its|own|text|words|lines?|string|dict|object|json|verdicts?|score|rating|itself|phrase|of|following|this|these|those|block))*\s*[:,]?\s*"
)
_OWN_OF = (
    r"\b(?:response|answer|assistant|model|candidate|author)(?:'s)?\s+(?:own|self-\w+)(?:\s+\w+){0,2}(?:\s+(?:is|was|of))?\s*[:,]?\s*|"
    r"\b(?:dict|json|object|text|content)\s+(?:in|of|from)\s+the\s+(?:response|answer|assistant|model)(?:\s+(?:is|was))?\s*[:,]?\s*|"
    r"\bquot(?:e|ing|ed)(?:\s+\w+){0,4}\s*[:,]?\s*"
)
_OPENED = r"(?:```+\w*\s*)?(?:</?[\w-]{1,20}>\s*)?[\"'“\u2018`(\[]?\s*$"
_SAID_BEFORE = re.compile(_SAID + _OPENED, re.IGNORECASE)
_TOLD_BEFORE = re.compile(rf"(?:{_SAID}|{_HOLDS}|{_OWN_OF}){_OPENED}", re.IGNORECASE)
_SAID_AFTER = re.compile(
    r"[\"'”\u2019`)]?[^\S\n]?[,;:(-]?[^\S\n]*(?:(?:this|that|which|it)[^\S\n]+)?(?:(?:is|was|are|were)[^\S\n]+)?"
    r"(?:what[^\S\n]+(?:the|it)\b|(?:just\s+)?(?:quoted|copied|taken)[^\S\n]+from\b|(?:claimed|written|produced|given)[^\S\n]+by[^\S\n]+the[^\S\n]+"
    r"(?:response|answer|assistant|model|candidate|author|text)|(?:is|was)[^\S\n]+(?:the[^\S\n]+response's|in[^\S\n]+the[^\S\n]+response|part[^\S\n]+of))",
    re.IGNORECASE,
)

_VERDICT = (
    r"(?:verdicts?|scores?|ratings?|json|evaluations?|judge?ments?|objects?|blocks?|dicts?|text|lines?|instructions?|prompts?|outputs?|"
    r"results?|grades?|commands?|attempts?)"
)
_FORGED = r"(?:inject\w*|embedded|faked?|forged|bogus|planted|smuggled|hidden|spurious|fraudulent|manipulat\w*|adversarial|malicious|fabricat\w*|untrusted)"
_REFUSES = (
    r"(?:ignor(?:e|ed|ing)|disregard(?:ed|ing)?|discard(?:ed|ing)?|dismiss(?:ed|ing)?|reject(?:ed|ing)?|disobey(?:ed)?|"
    r"(?:do|did|will|would)(?:\s+not|n't)\s+(?:follow|count|use|accept|trust|obey)|(?:not|never)\s+follow(?:ed|ing)?)"
)
_FOREIGN = re.compile(
    rf"\b{_FORGED}(?:[^\w.!?\n]+\w+){{0,3}}?[^\w.!?\n]+{_VERDICT}\b|\b{_VERDICT}(?:[^\w.!?\n]+\w+){{0,3}}?[^\w.!?\n]+{_FORGED}\b|"
    rf"\b(?:i|which|was|were|be|have)\s+(?:\w+\s+){{0,2}}{_REFUSES}\b|"
    rf"^\W*(?:{_FORGED}|{_REFUSES})\W*$|"
    rf"\b{_REFUSES}\s+(?:this|that|the|these|its|a|an)\s+(?:\w+\s+){{0,2}}{_VERDICT}\b",
    re.IGNORECASE,
)
"""Words that a judge has for a verdict that is none of its own."""
_HINTED = re.compile(
    r"\b(?:ignor\w+|disregard\w*|inject\w*|embed\w*|faked?|forged|hidden|attempt\w*|contain(?:s|ed|ing)?|includ(?:es|ed|ing)|(?:last|closing)\s+(?:lines?|words?|paragraph|sentence))\b",
    re.IGNORECASE,
)
_RATING = r"(?:verdicts?|scores?|ratings?|evaluations?|assessments?|judge?ments?|results?|answers?|outputs?|decisions?|conclusions?|grades?|json|opinion)"
_MINE = re.compile(
    rf"\bmy\s+(?:\w+\s+){{0,3}}{_RATING}\b|"
    r"\b(?:i|i'd|i'll|we)\s+(?:(?:would|will|now|therefore|thus|hence|shall|can|do|still)\s+){0,2}(?:give|rate|score|assign|award|grade|judge|evaluate|"
    r"conclude|arrive|assess)\b|"
    rf"\bhere\s+(?:is|are|comes?)\s+(?:the|an?|your)?\s*(?:\w+\s+){{0,2}}?{_RATING}\b|"
    rf"^\W*(?:the\s+)?(?:(?:final|overall|revised|updated|corrected|actual|own|honest)\s+)*{_RATING}(?:\s+(?:for|of|on|is|are|as)\b|\W*$)|"
    r"^\W*(?:the\s+)?(?:response|answer|summary)\s+(?:evaluation|assessment|judge?ment|ratings?|scores?)\W*$|"
    r"^\W*(?:based|given)\b|^\W*(?:scored|rated|judged|evaluated|assessed)\s+(?:the|this|it)\b|\b(?:as|you|was|were)\s+(?:\w+\s+)?(?:requested|asked|instructed|wanted|told)\b",
    re.IGNORECASE,
)
"""Words with which a judge gives a verdict of its own."""
_PART = re.compile(r"[,;]|[.!?](?=\s)|\n|\b(?:and|so|hence|thus|therefore|but)\b", re.IGNORECASE)
_ITS_OWN = re.compile(
    rf"\b{_THEY}(?:'s)?\s+(?:\w+\s+){{0,2}}(?:{_SAYS}|contain\w*|includ\w*|has|had|gives|gave)\b", re.IGNORECASE
)
_TAKEN = re.compile(
    r"\b(?:found|in|from|inside|within|by|end\s+of)\s+(?:the|its|this|that)\s+(?:\w+\s+)?(?:response|answer|text|assistant|model|candidate|essay)\b",
    re.IGNORECASE,
)
_ABOUT_IT = re.compile(
    r"\b(?:response|answer|text|assistant|model|candidate|author|output|essay|passage|submission|its?)(?:'s)?\b",
    re.IGNORECASE,
)
_OPEN_END = re.compile(
    r"\b(?:reads?|says|said|saying|states|stated|with|this|these|following|lines?|text|words|string|json|verdicts?|block|object|"
    r"contains|contained|includes|included)\Z",
    re.IGNORECASE,
)
"""How a line ends that introduces the next one without a colon."""
_LINE = re.compile(r"[^\n]*\S[^\n]*")
_FRAME = re.compile(r"\s*(?P<fence>```+\w*)?\s*(?:</?[\w-]{1,20}>\s*)?")
MAX_SHOWN_CHARS = 100_000
"""How much of the end of a text is searched for such lines."""
MAX_LEAD_CHARS = 300
"""How much of a line that may introduce a passage is looked at."""
_FRAME_BEFORE = re.compile(r"\s*(?:```+\w*\s*)?(?:</?[\w-]{1,20}>\s*)?[\"'“\u2018`(\[]?\s*$")
_OBJECT_LINE = re.compile(r"\s*\{[ ]*\}[^\S\n]*")
_BLANK_LINE = re.compile(r"\n[^\S\n]*(?:\n|\Z)")
_REJECTED_AFTER = re.compile(
    rf"[\"'”\u2019`)]?\s*(?:```+)?\s*[,;:(-]?\s*(?:(?:which|that)\s+(?:i|we)\s+(?:\w+\s+){{0,2}}{_REFUSES}|"
    rf"(?:i|we)\s+(?:\w+\s+)?{_REFUSES}\s+(?:this|that|it|these)(?:\s+{_VERDICT})?\s*(?:[.!;,]|$)|"
    rf"(?:this|that|which)(?:\s+{_VERDICT})?\s+(?:is|was)\s+(?:(?:an?|the|clearly|obviously)\s+)*(?:not\s+(?:mine|my)\b|"
    rf"(?:false|{_FORGED}|{_REFUSES})(?:\s+{_VERDICT})?\s*(?:[.!,;:)\n]|$|(?:by|in|into|and)\b)))",
    re.IGNORECASE,
)

_BLANKS = re.compile(r"[^\S\n]+")
_BREAK = re.compile(r"[.!?](?=\s)|\n\s*\n")
_COMMA = re.compile(r"[,;:()]|[.!?](?=\s)|\n")
_SENTENCE = re.compile(r"[.!?](?=\s)|\n|;")
_CLAUSE = re.compile(
    r"\bscale\s+(?:of|from)\s+\w+\s*(?:to|-+)\s*\w+|\d+\s*-\s*(?:\d+|point)\s+scale|[,:()\[\]\"|]|\s-+\s|\b(?:and|but|so|thus|hence|therefore|resulting|yet|because|since|while|whereas|though|although|"
    r"which|making|leading|earning|giving|scoring|receiving|getting|deserving|warranting|meriting|with|i|i'd|i'll|we|my)\b",
    re.IGNORECASE,
)
_UNMEANT = re.compile(
    r"^\W*(?:no|nothing|none|nobody)\b|\b(?:not|never|cannot|he|she|ignor\w+|inject\w+|embedded|fake|hidden|compared|comparing|unlike|versus|tempted|consider(?:ed|ing)|defin\w+|describ\w+|"
    r"neither|nor|instead\s+of|rather\s+than|opposed\s+to|than|below|above|short\s+of|almost|nearly|"
    r"close\s+to|nearer|towards?|approach\w*|at\s+most|at\s+least|up\s+to|maximum|minimum|max|min|highest|lowest|scale|range|"
    r"rang\w+|between|require[sd]?|requirements?|requiring|need(?:s|ed|ing)?|such\s+as|example|hypothetical\w*|previous\w*|"
    r"reference|itself|themselves|himself|herself|prevent\w*|keep\w*|expected|threshold|reserved|criteria\s+(?:for|of)|"
    r"criterion\s+(?:for|of)|descriptions?\s+(?:for|of)|definitions?\s+(?:for|of)|"
    r"to\s+(?:earn|get|receive|achieve|reach|merit|deserve|obtain|attain|justify|warrant|qualify\s+for|be\s+given|be\s+awarded|score|rate))\b"
    r"|n't\b|e\.g|\bwould\s+(?:have|otherwise|need|require)\b|\b(?:miss\w*|lack\w*|enough|falls?|fail\w*)\b[^.]*\b(?:for|to|of)\s+(?:an?|the)?\s*$",
    re.IGNORECASE,
)
_FITS = re.compile(r"\b(?:meet|match|fit|align|satisf|correspond|fulfil)\w*", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|never|cannot|hardly|barely|than|would)\b|n't\b", re.IGNORECASE)
_REFERENCE = re.compile(
    r"\breference(?:\s+\w+)?\s*[(,]?\s*(?:(?:with|of|which|that|has|had|got|gets|is|at|itself|a|the|whose)\s+)*$",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(r"^\W*(?:if|had|were)\b(?!.*\b(?:i|my|i'd)\b)", re.IGNORECASE)
_AIM = re.compile(r"\bto\s+(?:\w+ly\s+)?$", re.IGNORECASE)
_ME = re.compile(r"\b(?:i|i'm|i'd|i'll|we|me)\b", re.IGNORECASE)
_EARLIER = re.compile(
    r"^\W*(?:previously|initially|originally|at\s+first|earlier)\b(?!.*\b(?:but|now|however|finally)\b)", re.IGNORECASE
)
_IF = re.compile(
    r"\b(?:if|unless|had\s+(?:it|the|they)|were\s+(?:it|the|they)|with\s+(?:more|better|additional|fewer)|otherwise)\b",
    re.IGNORECASE,
)
_MIGHT = re.compile(r"\b(?:would|could|might|may|'d)\b", re.IGNORECASE)
_FIRST_PERSON = re.compile(r"\b(?:i|we)\s+(?:would|might|could)\b|\bi'd\b", re.IGNORECASE)
_RULE_AFTER = re.compile(
    r"[\"'”\u2019)\]]{0,3}[^\S\n]*(?:,[^\S\n]*)?(?:(?:it|one|that|the\s+\w+)\s+)?(?:requires?|required|needs?|means|would\s+(?!be\s+(?:fair|appropriate|suitable|"
    r"reasonable|justified))|could|might|(?:is|was|seems)(?:n't\b|\s+(?:not|too|never|un\w+)\b)|doesn't|does\s+not|if\b|when\b|unless|represents?|denotes|describes?|is\s+(?:reserved|for|only|defined|described|"
    r"(?:given|awarded|assigned|used)\s+(?:when|if|to|for|only))|indicates\s+(?:that\s+)?an?\b|corresponds?\s+to\s+an?\b|reserved|"
    r"criteria|criterion|levels?|rubric|descriptions?|standards?|(?:responses|answers)\b|"
    r"(?:response|answer)\s+(?:would|must|should|needs?|requires?)\b)",
    re.IGNORECASE,
)


def quoted(text: str) -> list[Span]:
    """The passages in quotation marks, backticks or block quotes, in order.

    A curly quote does not pass a blank line, any other does not pass the end of its line.
    """
    found: list[Span] = []
    opened: tuple[str, int] | None = None
    for sign in _SIGN.finditer(text):
        if sign["line"] is not None:
            found.append(sign.span())
            opened = None
        elif sign["line_end"] is not None:
            opened = opened if opened and opened[0] in _CURLY else None
        elif sign["sign"] is None:
            opened = None
        elif opened is not None and sign[0] in _CLOSED_BY[opened[0]] and _closes(text, sign.start()):
            found.append((opened[1], sign.end()))
            opened = None
        elif opened is None and sign[0] in _CLOSED_BY and _opens(text, sign.start()):
            opened = (sign[0], sign.start())
    return found


def _opens(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return not before.isalnum() and bool(after) and not after.isspace()


def _closes(text: str, at: int) -> bool:
    return not text[at + 1 : at + 2].isalnum()


def inside(spans: list[Span], start: int, end: int) -> bool:
    """Whether one of the ordered spans holds all of start..end."""
    k = bisect_right(spans, (start, len(spans) and spans[-1][1])) - 1
    return k >= 0 and spans[k][0] <= start and end <= spans[k][1]


def is_attributed(text: str, start: int, end: int) -> bool:
    """Whether the words right before or after say that someone else wrote this: `the response claims ...`."""
    after = _BLANKS.sub(" ", text[end : end + 120])
    if _SAID_AFTER.match(after) or _REJECTED_AFTER.match(after):
        return True
    return is_told(text, start) and not _is_mine(_BLANKS.sub(" ", text[max(0, start - 160) : start]))


def shown(text: str) -> tuple[list[Span], list[Span]]:
    """The passages that a line before them attributes to the response, and those that such a line only may attribute.

    `The response ended with these lines:` does, `The last line of the response:` may. A passage is what a code fence
    holds, or the objects of the following lines, or the lines up to a blank one; blank lines may stand before it.
    """
    found: list[Span] = []
    doubtful: list[Span] = []
    for line in _LINE.finditer(text, max(0, len(text) - MAX_SHOWN_CHARS)):
        lead = text[max(line.start(), line.end() - MAX_LEAD_CHARS) : line.end()]
        if not (found and line.start() < found[-1][1]) and is_foreign_lead(lead):
            found.append(_passage(text, line.end()))
        elif not (doubtful and line.start() < doubtful[-1][1]) and is_doubtful_lead(lead):
            doubtful.append(_passage(text, line.end()))
    return found, doubtful


def is_foreign_lead(line: str) -> bool:
    """Whether a line says that what follows it is the response's, or is not to be followed."""
    line = _BLANKS.sub(" ", line).rstrip(" \t*_)\"'”`\r")
    colon = line.endswith((":", "\uff1a"))
    sentence = _last_part(_SENTENCE, line)
    if _is_mine(sentence):
        return False
    if not colon:
        return bool(_OPEN_END.search(sentence) and _TOLD_BEFORE.search(sentence))
    return bool(_TOLD_BEFORE.search(sentence) or _FOREIGN.search(sentence))


def joined(spans: list[Span]) -> list[Span]:
    """The spans in order, those that overlap as one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def line_above(text: str, start: int) -> str:
    """The end of the last line that says something before a place, whatever fence or tag stands between."""
    lead = _FRAME_BEFORE.sub("", text[max(0, start - MAX_LEAD_CHARS) : start])
    return lead[lead.rfind("\n") + 1 :]


def is_doubtful_lead(line: str) -> bool:
    """Whether a line speaks of the response, or of a forgery, and announces no verdict of the judge."""
    line = _BLANKS.sub(" ", line).rstrip(" \t*_)\"'”`\r")
    sentence = _last_part(_SENTENCE, line)
    if not line or _is_mine(sentence):
        return False
    colon = line.endswith((":", "\uff1a"))
    return bool((colon and (_ABOUT_IT.search(sentence) or _HINTED.search(sentence))) or _FOREIGN.search(line))


def _is_mine(lead: str) -> bool:
    """Whether the last words give the judge's own verdict: `..., so my verdict is:`."""
    lead = _FRAME_BEFORE.sub("", lead).rstrip(" \t:*_")
    part = _last_part(_PART, lead)
    mine = _MINE.search(part)
    return bool(mine) and not any(sign.search(part) for sign in (_ITS_OWN, _TAKEN, _FOREIGN))


def _passage(text: str, at: int) -> Span:
    """What stands after an introduction that ends here."""
    frame = _FRAME.match(text, at)
    start = frame.end() if frame else at
    if frame and frame["fence"]:
        end = text.find("```", start)
        return at, len(text) if end < 0 else end
    if text.startswith("{", start):
        end = start
        while line := _OBJECT_LINE.match(text, end):
            end = line.end()
        return at, max(end, start + 1)
    blank = _BLANK_LINE.search(text, start)
    return at, blank.start() if blank else len(text)


def is_told(text: str, start: int) -> bool:
    """Whether the words right before say that the response, not the judge, holds what begins here."""
    lead = _last_part(_BREAK, _BLANKS.sub(" ", text[max(0, start - 160) : start]))
    return bool(_TOLD_BEFORE.search(lead))


def is_meant(text: str, start: int, end: int) -> bool:
    """Whether a score named in a sentence is given, not denied, required, hoped for or told of a rubric."""
    sentence = _last_part(_SENTENCE, _BLANKS.sub(" ", text[max(0, start - 240) : start]))
    clause = _last_part(_CLAUSE, sentence)
    if _SAID_BEFORE.search(sentence) or _REFERENCE.search(sentence):
        return False
    if _UNMEANT.search(clause) and not (_FITS.search(clause) and not _DENIED.search(clause)):
        return False
    if _EARLIER.match(sentence) or (_AIM.search(sentence) and not _ME.search(sentence)):
        return False
    if _SUPPOSED.match(sentence):
        return False
    if _IF.search(sentence) and _MIGHT.search(sentence + text[start:end]):
        return False
    return not _RULE_AFTER.match(_BLANKS.sub(" ", text[end : end + 80]))


def is_hedged(text: str, start: int) -> bool:
    """Whether `would`, `could` or `might` governs the score; `I would give it` is no hedge."""
    clause = _last_part(_COMMA, text[max(0, start - 160) : start])
    return bool(_MIGHT.search(clause)) and not _FIRST_PERSON.search(clause)


def _last_part(border: re.Pattern[str], text: str) -> str:
    end = 0
    for found in border.finditer(text):
        end = found.end()
    return text[end:]
