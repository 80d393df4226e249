"""The nouns of flask_eval.

Records that files hold are frozen pydantic models with `extra="forbid"`: they meet the outside world once, at the edge.
What the hot path makes by the hundred thousand (Request, Completion, Call, Rating) are frozen, slotted dataclasses.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from flask_eval.errors import masked

Number = int | float
Value = int | float | str
Kind = Literal["judge", "human", "metric"]

OUTCOMES = (
    "scored",
    "not_applicable",
    "refused",
    "truncated",
    "unparsed",
    "out_of_range",
    "failed",
    "empty_response",
)
"""Why a planned rating has a score, or has none, in the order in which they are shown."""

_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\x00-\x1f\x7f-\x9f]+"
)


def is_empty(text: str) -> bool:
    """Whether a text has no visible character; zero-width and control characters count as none."""
    return not _INVISIBLE.sub("", text)


def slug(name: str) -> str:
    """The slug of a skill's name or title: `Logical Correctness` becomes `logical_correctness`."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def several(value: Any) -> tuple[Any, ...]:
    """The distinct values that a scalar holds where it is read as several, `|` between them: `a|b` is `a` and `b`."""
    if not isinstance(value, str):
        return () if value is None else (value,)
    return tuple(dict.fromkeys(part.strip() for part in value.split("|") if part.strip()))


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _identifier(value: Any) -> Any:
    """Ids are strings; a file may hold them as integers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _visible(value: str) -> str:
    if is_empty(value):
        raise ValueError("must hold a visible character")
    return value


_SECRET_NAMES = re.compile(r"key|token|secret|password|authorization|headers|credential", re.IGNORECASE)


def _no_keys(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings are written down with the run: none may hold a key."""
    for name, value in settings.items():
        if _SECRET_NAMES.search(name) and name not in ("max_tokens", "max_completion_tokens"):
            raise ValueError(f"'{name}' may hold a key, and settings are written down; keys come from the environment")
        if masked(json.dumps(value, default=str)) != json.dumps(value, default=str):
            raise ValueError(f"the value of '{name}' looks like a key; keys come from the environment (api_key_env)")
    return settings


def _plain_url(url: str | None) -> str | None:
    """A base URL without login, query and fragment, for it is written down with the run."""
    if url is None:
        return None
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no login, query or fragment: it is written down; name the key by api_key_env")
    return url.strip().rstrip("/")


Id = Annotated[str, BeforeValidator(_identifier), AfterValidator(_visible)]
Slug = Annotated[str, BeforeValidator(lambda v: slug(v) if isinstance(v, str) else v), Field(pattern=r"^[a-z0-9_]+$")]


class Record(BaseModel):
    """A frozen record that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultError(ValueError):
    """A fault at a known place within a record: `path` leads to it, so that its line can be told."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


class Scale(Record):
    """The values that a score may take: `{min, max, step}`, or `{labels, level}`."""

    min: Number | None = Field(None, description="The lowest score of a numeric scale.")
    max: Number | None = Field(None, description="The highest score of a numeric scale.")
    step: Number = Field(1, gt=0, description="The distance between neighbouring scores.")
    labels: tuple[str, ...] = Field((), description="The labels of a scale in words, lowest first.")
    level: Literal["nominal", "ordinal", "interval"] = Field(
        "ordinal", description="The level of measurement of a scale in words; a numeric scale is interval."
    )

    @model_validator(mode="after")
    def _is_numeric_or_labels(self) -> Scale:
        if self.labels:
            if self.min is not None or self.max is not None:
                raise ValueError("a scale has either labels or min and max, not both")
            if len({label.strip().lower() for label in self.labels}) != len(self.labels) or len(self.labels) < 2:
                raise ValueError("labels must be at least two and all different")
            if self.level == "interval":
                raise ValueError("a scale of labels is nominal or ordinal")
        elif self.min is None or self.max is None:
            raise ValueError("a scale needs min and max, or labels")
        elif not (math.isfinite(self.min) and math.isfinite(self.max) and self.min < self.max):
            raise ValueError("min must be below max")
        elif len(self.values) > 1001 or self.values[-1] != self.max:
            raise ValueError("min, max and step must give at most 1001 whole steps")
        return self

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Every value, lowest first; whole numbers as `int`."""
        if self.labels:
            return self.labels
        low, high, step = (Decimal(str(x)) for x in (self.min, self.max, self.step))
        count = int((high - low) / step) + 1
        return tuple(_number(low + step * k) for k in range(min(count, 1002)))

    @property
    def is_numeric(self) -> bool:
        """Whether scores are numbers."""
        return not self.labels

    @property
    def measurement(self) -> Literal["nominal", "ordinal", "interval"]:
        """The level of measurement; numeric scales are interval."""
        return self.level if self.labels else "interval"

    def find(self, value: Value) -> Value | None:
        """The value of the scale that equals `value` (labels: whatever their case), or none."""
        if self.labels:
            wanted = str(value).strip().lower()
            return next((label for label in self.labels if label.lower() == wanted), None)
        if isinstance(value, str) or not math.isfinite(value):
            return None
        return next((v for v in self.values if isinstance(v, (int, float)) and abs(v - value) < 1e-9), None)


def _number(value: Decimal | float) -> Number:
    number = float(value)
    return int(number) if number.is_integer() else number


class Skill(Record):
    """One ability, with the rubric by which it is scored."""

    name: Slug = Field(description="The slug by which files and JSON name the skill: a-z, 0-9 and _.")
    title: str = Field("", description="The name that people read; made from `name` where left out.")
    group: str = Field("", description="The family that the skill belongs to.")
    criterion: str = Field(description="The question that a rater answers with a score.")
    levels: dict[Value, str] = Field(
        description="What each score means; in-between steps may be left out, the lowest and the highest not."
    )

    @property
    def label(self) -> str:
        """The title, or the slug spelt out."""
        return self.title or self.name.replace("_", " ").capitalize()


class RubricSet(Record):
    """A named set of skills on one scale (YAML, `rubrics/`)."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", description="The name of the set.")
    version: str = Field("1", description="Changes when the wording does.")
    source: str = Field("", description="Where the rubrics come from.")
    scale: Scale = Field(description="The scale on which every skill of the set is scored.")
    skills: tuple[Skill, ...] = Field(min_length=1, description="The skills, in the order in which they are shown.")

    @model_validator(mode="after")
    def _levels_fit_the_scale(self) -> RubricSet:
        seen: set[str] = set()
        for place, skill in enumerate(self.skills):
            if skill.name in seen:
                raise FaultError(f"skill '{skill.name}' stands twice", "skills", place)
            seen.add(skill.name)
            try:
                check_levels(skill, self.scale)
            except FaultError as error:
                raise FaultError(str(error), "skills", place, *error.path) from None
        return self

    def find(self, name: str) -> Skill | None:
        """The skill of that slug or title, whatever its case, or none."""
        return self._by_name.get(slug(name))

    @cached_property
    def _by_name(self) -> dict[str, Skill]:
        titles = {slug(skill.title): skill for skill in self.skills if skill.title}
        return titles | {skill.name: skill for skill in self.skills}


def check_levels(skill: Skill, scale: Scale) -> None:
    """Raise FaultError where a level is off the scale, or an end of the scale has no text."""
    found = {scale.find(_as_value(key, scale)): key for key in skill.levels}
    if None in found:
        key = found[None]
        raise FaultError(f"skill '{skill.name}': level {key!r} is not on the scale {describe(scale)}", "levels", key)  # type: ignore[arg-type]
    needed = scale.values if scale.labels else (scale.values[0], scale.values[-1])
    for value in needed:
        if value not in found:
            raise FaultError(f"skill '{skill.name}': level {value!r} has no text", "levels")
    if len(found) != len(skill.levels):
        raise FaultError(f"skill '{skill.name}': a level stands twice", "levels")


def _as_value(key: Value, scale: Scale) -> Value:
    if scale.labels or not isinstance(key, str):
        return key
    try:
        return float(key)
    except ValueError:
        return key


def level_texts(skill: Skill, scale: Scale) -> list[tuple[Value, str]]:
    """The described levels of a skill in the order of the scale: (value, text)."""
    texts = {scale.find(_as_value(key, scale)): text for key, text in skill.levels.items()}
    return [(value, texts[value]) for value in scale.values if value in texts]


def describe(scale: Scale) -> str:
    """A scale in words: `1-5`, `1-5 in steps of 0.5`, `no / yes`."""
    if scale.labels:
        return " / ".join(scale.labels)
    return f"{scale.min}-{scale.max}" + (f" in steps of {scale.step}" if scale.step != 1 else "")


class Annotation(Record):
    """What an instance needs: skills in order of importance, domains, difficulty; and who said so."""

    skills: tuple[Slug, ...] = Field((), description="Slugs of the skills, most important first.")
    domains: tuple[str, ...] = Field((), description="One domain, or two where truly ambiguous.")
    difficulty: int | None = Field(None, ge=0, description="A level of the taxonomy, or null where none is known.")
    annotator: str = Field("", description="Who annotated: a person, a model, a file.")

    @model_validator(mode="after")
    def _no_repeats(self) -> Annotation:
        if len(set(self.skills)) != len(self.skills):
            raise ValueError("a skill stands twice")
        return self


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"] = Field(description="Who speaks.")
    content: str = Field(description="What is said.")


class ChecklistItem(Record):
    """One instance-specific question, tied to a skill."""

    id: Id = Field(description="Unique within the instance.")
    skill: Slug = Field(description="The annotated skill that the question belongs to.")
    question: str = Field(description="The question, scored by the generic rubric.")


class Instance(Record):
    """An instruction with its reference and its annotation."""

    id: Id = Field(description="Unique within a set; a string.")
    instruction: str = Field(description="What the model is asked.")
    messages: tuple[Message, ...] = Field((), description="Earlier turns and a system prompt, before the instruction.")
    reference: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = Field(
        (), description="What is known to be right; one text or several."
    )
    reference_by: str = Field("", description="Who wrote the reference, where it is known.")
    annotation: Annotation = Field(Annotation(), description="Skills, domains, difficulty.")
    checklist: tuple[ChecklistItem, ...] = Field((), description="Instance-specific questions.")
    rubrics: tuple[Skill, ...] = Field((), description="Skills of this instance alone, with their levels.")
    cluster: str = Field("", description="What intervals resample; the id where left out.")
    source: str = Field("", description="The data set that the instance comes from.")
    metadata: dict[str, str | int | float | bool | None] = Field({}, description="Anything to slice by; scalars.")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {k: v for k, v in data.items() if v is not None}
        return data


class Response(Record):
    """A model's answer to an instance."""

    instance: Id = Field(description="The id of the instance.")
    model: Id = Field(description="Which model answered.")
    text: str = Field(description="The answer as it came; may be empty.")
    sample: int = Field(0, ge=0, description="Which of several answers of the same model.")
    finish: str = Field("stop", description="Why the model stopped: stop, length, content_filter.")
    settings: dict[str, Any] = Field({}, description="The settings under which the model answered.")


class Limits(Record):
    """What a provider lets through."""

    rpm: int | None = Field(None, gt=0, description="Requests a minute.")
    tpm: int | None = Field(None, gt=0, description="Tokens a minute.")
    concurrency: int | None = Field(None, gt=0, description="Requests in flight.")


class Price(Record):
    """US dollars per million tokens."""

    input: float = Field(0.0, ge=0, description="Per million input tokens.")
    cached_input: float | None = Field(None, ge=0, description="Per million cached input tokens.")
    output: float = Field(0.0, ge=0, description="Per million output tokens.")


class JudgeCard(Record):
    """A model acting as rater (YAML, `judges/`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[^\x00-\x1f\s][^\x00-\x1f]*$", description="The rater's name in every table.")
    adapter: Literal["openai", "anthropic", "litellm", "replay", "metric"] = Field(
        description="How the model is reached."
    )
    model: str = Field(description="The provider's name of the model (replay: a file; metric: its name).")
    base_url: Annotated[str | None, AfterValidator(_plain_url)] = Field(
        None, description="Another server that speaks the adapter's API; without login or query."
    )
    api_key_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="The environment variable that holds the key."
    )
    prompt: str = Field("flask", description="A prompt template: a shipped name or a path.")
    without: tuple[Literal["reference", "rationale", "rubric"], ...] = Field(
        (), description="What the prompt leaves out: FLASK's ablations."
    )
    settings: Annotated[dict[str, Any], AfterValidator(_no_keys)] = Field(
        {}, description="Settings sent with each request: temperature, max_tokens ...; no key."
    )
    limits: Limits = Field(Limits(), description="What the provider lets through.")
    price: Price | None = Field(None, description="US dollars per million tokens; unknown where left out.")

    @property
    def kind(self) -> Kind:
        """`metric` for raters without calls, else `judge`."""
        return "metric" if self.adapter == "metric" else "judge"


class Slice(Record):
    """A named part of the instances: by conditions or by ids."""

    name: str = Field(min_length=1, description="How tables name the slice.")
    where: dict[str, Any] | None = Field(None, description="Dimension: a value, or a list of values; all must hold.")
    ids: tuple[Id, ...] | None = Field(None, description="Ids of the instances.")

    @model_validator(mode="after")
    def _where_or_ids(self) -> Slice:
        if (self.where is None) == (self.ids is None):
            raise ValueError("a slice has either where or ids")
        return self


class Domain(Record):
    """A field of knowledge with its parts."""

    name: str = Field(min_length=1, description="The domain's name in annotations.")
    definition: str = Field("", description="What belongs to it.")
    subdomains: tuple[str, ...] = Field((), description="Its parts, shown to annotators only.")


class Difficulty(Record):
    """One level of difficulty."""

    level: int = Field(ge=0, description="The number in annotations; higher is harder.")
    title: str = Field(description="Its name.")
    definition: str = Field("", description="What belongs to it.")


class Taxonomy(Record):
    """Domains and levels of difficulty (YAML, `annotations/`)."""

    name: str = Field(description="The name of the taxonomy.")
    version: str = Field("1", description="Changes when the wording does.")
    source: str = Field("", description="Where it comes from.")
    domains: tuple[Domain, ...] = Field(min_length=1, description="The domains.")
    difficulties: tuple[Difficulty, ...] = Field(min_length=1, description="The levels of difficulty, easiest first.")


# ---- the hot path: frozen, slotted dataclasses --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """One named property of a judge's answer: a rationale and a score."""

    name: str
    """The property's name: a skill's slug, `overall`, or a checklist question's `q1` ..."""
    title: str
    """What the prompt calls it; accepted in free-text answers too."""
    scale: Scale
    """The values that the score may take."""
    skills: tuple[str, ...]
    """The skills under which the score is written; not part of the request's identity."""
    item: str = ""
    """The checklist question's id."""
    rationale: bool = True
    """Whether reasons are asked for, before the score."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is to be rated: one response by one rater, once."""

    instance: str
    model: str
    response_sample: int
    rater: str
    sample: int
    skills: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: pure and byte-stable."""

    messages: tuple[tuple[str, str], ...]
    """(role, content) in order; what is the same for many requests comes first."""
    answer: tuple[Asked, ...]
    """The properties asked for."""
    settings: tuple[tuple[str, Any], ...] = ()
    """Settings sent with the request, sorted by name."""
    sample: int = 0
    """Which of several answers to the same request."""
    cell: Cell | None = None
    """The cell behind the request; only a replayed request is told apart by it."""
    schema: str = ""
    """The JSON schema of the answer (canonical JSON), where it is not one of asked properties."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back."""

    text: str
    finish: str = "stop"
    """`stop`, `length`, `content_filter`, `refusal`, or another reason of the provider."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its answer or its error; append-only."""

    key: str
    attempt: int
    completion: Completion | None
    error: str = ""
    error_kind: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """One verdict of one rater on one skill of one response; a score exactly when the outcome is `scored`."""

    instance: str
    model: str
    skill: str
    rater: str
    kind: Kind
    outcome: str
    score: Value | None = None
    response_sample: int = 0
    versus: str = ""
    item: str = ""
    sample: int = 0
    variant: str = ""
    rationale: str = ""

    def __post_init__(self) -> None:
        """A missing score is never a number."""
        if (self.score is not None) != (self.outcome == "scored"):
            raise ValueError(f"outcome '{self.outcome}' with score {self.score!r}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one asked property came to."""

    asked: Asked
    outcome: str
    score: Value | None = None
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A completion read: one verdict for each asked property, and what was not asked for."""

    verdicts: tuple[Verdict, ...]
    unknown: tuple[str, ...] = ()
    """Names of scored properties that nobody asked for; ignored and counted."""
    notes: tuple[str, ...] = field(default=())
    """How the text was read, for people: `json`, `text`, `repaired`."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(*parts: str) -> str:
    """A blake2b digest (32 hex digits) of texts; the parts' borders count."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "big"))
        hasher.update(data)
    return hasher.hexdigest()
