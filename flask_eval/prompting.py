"""Instance, response and rubrics become a Request: pure, and byte-stable.

What is the same for many requests (task, rubrics, form of the answer) is the system message and comes first, so that a
provider's prompt cache bites; the instruction and its reference follow, the same for every model, and the response comes
last. Texts stand between markers that carry a digest of all that precedes and of the text itself, so that no response can
forge them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask_eval.content import load_prompt, load_rubrics
from flask_eval.errors import RecordError, UserError, nearest
from flask_eval.schema import (
    Asked,
    Cell,
    Instance,
    JudgeCard,
    Message,
    Request,
    RubricSet,
    Skill,
    Value,
    check_levels,
    digest,
    level_texts,
)

ASKS = ("skills", "overall", "checklist")
"""What a prompt asks for: every skill, one overall score, or the instance's own questions."""

_ASKS = re.compile(r"\{#-?\s*asks:\s*(\w+)\s*-?#\}")
_CONTROL = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"} | {0x7F: 0x2421}
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """A text that every server takes: control characters as their visible pictures, half surrogate pairs as U+FFFD."""
    return _SURROGATES.sub("\ufffd", text.translate(_CONTROL))


@dataclass(frozen=True, slots=True)
class SkillView:
    """A skill as a template sees it."""

    name: str
    label: str
    criterion: str
    texts: tuple[tuple[Value, str], ...]


@dataclass(frozen=True)
class Prompt:
    """A template with what it asks for, ready to render.

    Attributes:
        name: the template's name or path.
        asks: one of `ASKS`.
        digest: of the template's source, shared parts included.
        rubrics: the set by which it asks (skills, overall or the generic checklist rubric).
    """

    name: str
    asks: str
    digest: str
    rubrics: RubricSet
    card: JudgeCard
    _template: Any = field(repr=False)
    _system: dict[tuple[str, ...], str] = field(default_factory=dict, repr=False)

    def skills_of(self, instance: Instance, skills: Sequence[str]) -> tuple[str, ...]:
        """The skills under which this prompt gives ratings, in the order of the rubric set."""
        wanted = set(skills)
        if self.asks == "checklist":
            wanted &= {item.skill for item in instance.checklist}
        own = [s.name for s in instance.rubrics]
        order = {name: k for k, name in enumerate([*(s.name for s in self.rubrics.skills), *own])}
        return tuple(sorted(wanted, key=lambda name: order.get(name, len(order))))

    def asked(self, instance: Instance, skills: Sequence[str]) -> tuple[Asked, ...]:
        """The named properties of the answer for these skills of an instance."""
        rationale = "rationale" not in self.card.without
        scale = self.rubrics.scale
        if self.asks == "overall":
            one = self.rubrics.skills[0]
            return (Asked(one.name, one.label, scale, tuple(skills), rationale=rationale),)
        if self.asks == "checklist":
            items = [i for i in instance.checklist if i.skill in skills]
            return tuple(
                Asked(f"q{n}", i.question, scale, (i.skill,), item=i.id, rationale=rationale)
                for n, i in enumerate(items, 1)
            )
        found = (self.skill(instance, name) for name in skills)
        return tuple(Asked(s.name, s.label, scale, (s.name,), rationale=rationale) for s in found)

    def skill(self, instance: Instance, name: str) -> Skill:
        """The skill's rubric: the instance's own, or the set's."""
        own = next((s for s in instance.rubrics if s.name == name), None)
        found = own or self.rubrics.find(name)
        if found is None:
            raise UserError(f"instance '{instance.id}': no rubric for skill '{name}'")
        return found

    def render(self, instance: Instance, response: str, skills: Sequence[str], *, cell: Cell | None = None) -> Request:
        """The request that asks for a verdict on `response` under `skills`."""
        asked = self.asked(instance, skills)
        references = () if "reference" in self.card.without else instance.reference
        system = self._system_text(instance, skills, asked)
        turns = [part for m in instance.messages for part in (m.role, m.content)]
        questions = [a.title for a in asked] if self.asks == "checklist" else []
        code = digest(system, *questions, *turns, instance.instruction, *references)[:20]
        user = self._block(
            "user",
            asked=asked,
            instance=instance,
            references=references,
            instruction_code=code,
            response=response,
            response_code=digest(code, response)[:20],
        )
        sample = cell.sample if cell else 0
        settings = tuple(sorted(self.card.settings.items()))
        return Request((("system", system), ("user", user)), asked, settings, sample, cell)

    def _system_text(self, instance: Instance, skills: Sequence[str], asked: tuple[Asked, ...]) -> str:
        if self.asks == "skills":
            shown = [self.skill(instance, name) for name in skills]
        else:
            shown = list(self.rubrics.skills[:1])
        key = tuple(s.name for s in shown)
        if not instance.rubrics and key in self._system:
            return self._system[key]
        views = [SkillView(s.name, s.label, s.criterion, tuple(level_texts(s, self.rubrics.scale))) for s in shown]
        text = self._block("system", skills=views, asked=asked)
        if not instance.rubrics:
            self._system[key] = text
        return text

    def _block(self, name: str, **values: Any) -> str:
        context = self._template.new_context(
            {
                "rationale": "rationale" not in self.card.without,
                "rubric": "rubric" not in self.card.without,
                "scale_text": _scale_text(self.rubrics),
                **values,
            }
        )
        text = "".join(self._template.blocks[name](context))
        return text.strip()


def _scale_text(rubrics: RubricSet) -> str:
    values = [f'"{v}"' if isinstance(v, str) else str(v) for v in rubrics.scale.values]
    if len(values) > 21:
        return f"{values[0]} to {values[-1]} in steps of {rubrics.scale.step}, or N/A."
    return ", ".join(values) + " or N/A."


def open_prompt(card: JudgeCard, rubrics: RubricSet) -> Prompt:
    """The prompt that a judge card names.

    Raises:
        UserError: no such template, or it cannot be read or rendered.
    """
    source = load_prompt(card.prompt)
    asks = _what_it_asks(source, card.prompt)
    parts = load_prompt("_parts")
    template = compile_template(card.prompt, source, parts)
    by = {"skills": rubrics, "overall": _overall(rubrics), "checklist": None}[asks] or load_rubrics("generic_checklist")
    prompt = Prompt(card.prompt, asks, digest(source, parts), by, card, template)
    _try(prompt)
    return prompt


def _overall(rubrics: RubricSet) -> RubricSet:
    """The rubric of the overall score: the user's own skill `overall`, or the shipped one."""
    own = rubrics.find("overall")
    return rubrics.model_copy(update={"skills": (own,)}) if own else load_rubrics("overall")


def _what_it_asks(source: str, name: str) -> str:
    found = _ASKS.search(source)
    asks = found.group(1) if found else "skills"
    if asks not in ASKS:
        raise UserError(f"prompt '{name}': asks: {asks}{nearest(asks, ASKS)}")
    return asks


def compile_template(name: str, source: str, parts: str) -> Any:
    """A template with its blocks, in a sandbox, undefined names refused; `name` is told with a fault."""
    from jinja2 import DictLoader, StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=DictLoader({"prompt": source, "_parts.md.jinja": parts}),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {"clean": clean}
    environment.filters.update(filters)
    try:
        template = environment.get_template("prompt")
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise RecordError(f"{name}:{line}" if line else name, f"the template cannot be read: {error}") from None
    missing = [block for block in ("system", "user") if block not in template.blocks]
    if missing:
        raise RecordError(
            name, f"the template has no block '{missing[0]}'", "write {% block system %} and {% block user %}"
        )
    return _WithImports(template, environment)


class _WithImports:
    """A template whose blocks see the shared parts: jinja runs `import` lines only when the whole template renders."""

    def __init__(self, template: Any, environment: Any) -> None:
        parts = environment.get_template("_parts.md.jinja").module
        self.blocks = template.blocks
        self.new_context = partial(self._context, template, parts)

    @staticmethod
    def _context(template: Any, parts: Any, values: dict[str, Any]) -> Any:
        return template.new_context({**values, "parts": parts})


_SENTINEL = "a response of 9c3e"


def _try(prompt: Prompt) -> None:
    """Render once on a made-up instance, so that a template's fault is told before anything is called."""
    from jinja2 import TemplateError

    skill = prompt.rubrics.skills[0].name
    checklist = [{"id": "1", "skill": skill, "question": "?"}] if prompt.asks == "checklist" else []
    made_up: dict[str, Any] = {
        "id": "try", "instruction": "?", "reference": "!", "messages": [Message(role="user", content="?")], "checklist": checklist
    }  # fmt: skip
    instance = Instance.model_validate(made_up)
    try:
        request = prompt.render(instance, _SENTINEL, (skill,))
    except TemplateError as error:
        raise UserError(f"prompt '{prompt.name}': {error}") from None
    text = "\n".join(content for _, content in request.messages)
    if _SENTINEL not in text:
        raise UserError(f"prompt '{prompt.name}': the template never shows the response; see judges/README.md")


def check_rubrics(instance: Instance, rubrics: RubricSet, place: str) -> None:
    """Raise RecordError where an instance's own rubrics do not fit the scale of the set."""
    for skill in instance.rubrics:
        try:
            check_levels(skill, rubrics.scale)
        except ValueError as error:
            raise RecordError(
                place, f"field 'rubrics': {error}", f"the scale is that of rubric set '{rubrics.name}'"
            ) from None


def packs(skills: Sequence[str], packing: str) -> list[tuple[str, ...]]:
    """The skills of a cell split into requests: `all` in one, `one` each, or at most K (a number) in each."""
    size = len(skills) if packing == "all" else 1 if packing == "one" else int(packing)
    return [tuple(skills[k : k + size]) for k in range(0, len(skills), max(size, 1))]
