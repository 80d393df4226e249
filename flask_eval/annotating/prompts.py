"""An instance becomes the request that asks for one field of its annotation: pure, and byte-stable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_eval.annotating.fields import ask_difficulty, ask_domains, ask_skills, candidates, shuffled
from flask_eval.content import load_prompt
from flask_eval.errors import UserError
from flask_eval.prompting import compile_template
from flask_eval.schema import (
    Asked,
    Instance,
    JudgeCard,
    Message,
    Request,
    RubricSet,
    Skill,
    Taxonomy,
    canonical,
    digest,
)

TEMPLATES = {
    "domains": "annotate_domain",
    "skills": "annotate_skills",
    "difficulty": "annotate_difficulty",
    "checklist": "annotate_checklist",
    "references": "write_reference",
}
"""What is asked for, and the prompt template by which."""

MOST_QUESTIONS = 5
"""Questions of a checklist, as in FLASK-HARD."""

VARIANTS = {"math": "mathematics", "mathematics": "mathematics", "coding": "coding", "programming": "coding"}
"""First domains (lower case) that have a wording of their own for difficulty; every other one has the general wording."""


@dataclass(frozen=True)
class Wording:
    """The templates of one command, with what they choose from.

    Attributes:
        taxonomy: domains and levels.
        rubrics: the set whose skills may be chosen.
        top: how many skills an instance gets at most.
        seed: fixes the order of the criteria.
    """

    templates: dict[str, Any]
    taxonomy: Taxonomy
    rubrics: RubricSet
    top: int = 3
    seed: int = 0

    def domains(self, card: JudgeCard, instance: Instance, sample: int = 0) -> Request:
        """Asks for one domain, or two."""
        asked = ask_domains(self.taxonomy, rationale=_reasons(card))
        return self._request("domains", card, instance, sample, asked, domains=self.taxonomy.domains)

    def shown(self, instance: Instance, sample: int = 0) -> tuple[str, ...]:
        """The skills behind the numbered criteria, in the order in which they are shown."""
        return shuffled(candidates(instance, self.rubrics), instance.id, self.seed, sample)

    def skills(self, card: JudgeCard, instance: Instance, sample: int = 0) -> Request:
        """Asks for the most important criteria, by number; no name of a skill is shown."""
        known = candidates(instance, self.rubrics)
        order = self.shown(instance, sample)
        asked = ask_skills(len(order), self.top, rationale=_reasons(card))
        criteria = [(n, known[name].criterion) for n, name in enumerate(order, 1)]
        return self._request("skills", card, instance, sample, asked, criteria=criteria)

    def difficulty(self, card: JudgeCard, instance: Instance, sample: int = 0) -> Request:
        """Asks for a level, in the wording of the instance's first domain."""
        asked = ask_difficulty(self.taxonomy, rationale=_reasons(card))
        levels = self.taxonomy.difficulties
        return self._request("difficulty", card, instance, sample, asked, variant=variant_of(instance), levels=levels)

    def checklist(self, card: JudgeCard, instance: Instance) -> Request:
        """Asks for questions, each tied to an annotated skill that has a rubric."""
        skills = self.annotated(instance)
        schema = checklist_schema([skill.name for skill in skills])
        return self._request("checklist", card, instance, 0, (), schema=schema, skills=skills, most=MOST_QUESTIONS)

    def annotated(self, instance: Instance) -> list[Skill]:
        """The instance's annotated skills, as far as there is a rubric."""
        known = candidates(instance, self.rubrics)
        return [known[name] for name in instance.annotation.skills if name in known]

    def reference(self, card: JudgeCard, instance: Instance) -> Request:
        """Asks for the answer to the instruction, as free text."""
        return self._request("references", card, instance, 0, ())

    def _request(
        self,
        what: str,
        card: JudgeCard,
        instance: Instance,
        sample: int,
        asked: tuple[Asked, ...],
        *,
        schema: str = "",
        **shown: Any,
    ) -> Request:
        template = self.templates[what]
        values = {"asked": asked, "rationale": _reasons(card), **shown}
        system = _block(template, "system", values)
        references = () if "reference" in card.without else instance.reference
        turns = [part for m in instance.messages for part in (m.role, m.content)]
        listed = canonical([list(pair) for pair in shown.get("criteria", [])])
        code = digest(system, listed, *turns, instance.instruction, *references)[:20]
        user = _block(template, "user", {**values, "instance": instance, "references": references, "code": code})
        settings = tuple(sorted(card.settings.items()))
        return Request((("system", system), ("user", user)), asked, settings, sample, schema=schema)


def _reasons(card: JudgeCard) -> bool:
    return "rationale" not in card.without


def _block(template: Any, name: str, values: dict[str, Any]) -> str:
    return "".join(template.blocks[name](template.new_context(values))).strip()


def variant_of(instance: Instance) -> str:
    """Which wording asks for the difficulty: `mathematics`, `coding` or `general`, by the first domain."""
    first = instance.annotation.domains[:1]
    return VARIANTS.get(first[0].strip().lower(), "general") if first else "general"


def checklist_schema(skills: Sequence[str]) -> str:
    """The JSON schema of a checklist, in the subset that the providers' strict modes share."""
    named = {"type": "string", "enum": list(skills)}
    question = {
        "type": "object",
        "properties": {"skill": named, "question": {"type": "string"}},
        "required": ["skill", "question"],
        "additionalProperties": False,
    }
    return canonical(
        {
            "type": "object",
            "properties": {"questions": {"type": "array", "items": question}},
            "required": ["questions"],
            "additionalProperties": False,
        }
    )


def open_wording(
    taxonomy: Taxonomy, rubrics: RubricSet, *, top: int = 3, seed: int = 0, folder: str | None = None
) -> Wording:
    """The shipped templates, or the user's where a folder holds them.

    Args:
        taxonomy: domains and levels.
        rubrics: the set whose skills may be chosen.
        top: how many skills an instance gets at most.
        seed: fixes the order of the criteria.
        folder: holds templates of the shipped names (`annotate_skills.md.jinja` ...) that take their place.

    Raises:
        UserError: a template cannot be read or rendered, or never shows the instruction.
    """
    own = Path(folder) if folder else None
    if own is not None and not any((own / f"{name}.md.jinja").is_file() for name in TEMPLATES.values()):
        raise UserError(
            f"--prompts {folder}: holds no template; name them {next(iter(TEMPLATES.values()))}.md.jinja ..."
        )
    parts = load_prompt("_parts")
    templates = {}
    for what, name in TEMPLATES.items():
        file = own / f"{name}.md.jinja" if own else None
        path = str(file) if file is not None and file.is_file() else name
        templates[what] = compile_template(path, load_prompt(path), parts)
    wording = Wording(templates, taxonomy, rubrics, top, seed)
    _try(wording)
    return wording


_SENTINEL = "an instruction of 7d1b"


def _try(wording: Wording) -> None:
    """Render each once on a made-up instance, so that a template's fault is told before anything is called."""
    from jinja2 import TemplateError

    card = JudgeCard(name="try", adapter="openai", model="try")
    skills = [skill.name for skill in wording.rubrics.skills[:1]]
    made_up: dict[str, Any] = {"id": "try", "instruction": _SENTINEL, "annotation": {"skills": skills}}
    made_up["messages"] = [Message(role="user", content="?")]
    instance = Instance.model_validate(made_up)
    asks: Iterable[tuple[str, Callable[[JudgeCard, Instance], Request]]] = (
        ("domains", wording.domains),
        ("skills", wording.skills),
        ("difficulty", wording.difficulty),
        ("checklist", wording.checklist),
        ("references", wording.reference),
    )
    for what, ask in asks:
        name = TEMPLATES[what]
        try:
            request = ask(card, instance)
        except TemplateError as error:
            raise UserError(f"prompt '{name}': {error}") from None
        if _SENTINEL not in "\n".join(content for _, content in request.messages):
            raise UserError(f"prompt '{name}': the template never shows the instruction")
