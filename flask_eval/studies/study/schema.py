"""The study file (YAML): instances, models, judges, people, slices and page in one place.

Paths are relative to the study file. A bare string stands for the one thing that a section cannot do without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flask_eval.schema import Id, JudgeCard, Limits, Price, Record, Slug

FOLDER = "results"
"""Where a study writes, unless it says otherwise."""

Again = Literal["not_applicable", "refused", "truncated", "unparsed", "out_of_range", "failed"]
"""Outcomes of a rating that can be asked again."""


def _as(name: str, part: type[Record]) -> BeforeValidator:
    """A bare string stands for the field of that name."""
    return BeforeValidator(
        lambda value: {name: value} if isinstance(value, str) else value, json_schema_input_type=str | part
    )


def _listed(kind: Any) -> BeforeValidator:
    """One thing stands for a list of it."""
    return BeforeValidator(
        lambda value: [value] if isinstance(value, (str, dict)) else value,
        json_schema_input_type=kind | list[kind],
    )


def _packing(value: Any) -> Any:
    text = str(value)
    if isinstance(value, bool) or not (text in ("all", "one") or (text.isdigit() and int(text) > 0)):
        raise ValueError("must be all, one, or how many skills a call rates")
    return text


def _items(value: Any) -> Any:
    if not isinstance(value, (bool, int)) or (not isinstance(value, bool) and value < 1):
        raise ValueError("must be true, false, or how many items are listed")
    return value


def _numbers(values: dict[str, float]) -> dict[str, float]:
    if not values:
        raise ValueError("must name at least one skill")
    return values


Names = Annotated[tuple[str, ...], _listed(str)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
SkillNumbers = Annotated[dict[Slug, float], AfterValidator(_numbers)]


class InstancesPart(Record):
    """The instances of the study."""

    file: str = Field(description="A file, a folder of files, or hf:ORG/NAME.")
    slice: str | None = Field(None, description="Only these: a file of ids, a YAML slice, or a rule.")
    limit: Count | None = Field(None, description="Only the first so many.")


class Reached(Record):
    """A model, and how it is reached: a card, or adapter and model spelt out."""

    card: str | None = Field(
        None, description="A card's shipped name or file, ADAPTER:MODEL, replay:FILE or metric:NAME."
    )
    name: str | None = Field(None, min_length=1, description="Its name in every table.")
    adapter: Literal["openai", "anthropic", "litellm"] | None = Field(
        None, description="How it is reached where no card is named; openai where left out."
    )
    model: str | None = Field(None, min_length=1, description="The provider's name of the model.")
    base_url: str | None = Field(None, description="A server that speaks the adapter's API.")
    api_key_env: str | None = Field(None, description="The environment variable that holds the key.")
    settings: dict[str, Any] = Field({}, description="Sent with each request: temperature, max_tokens ...")
    limits: Limits | None = Field(None, description="What the provider lets through.")
    price: Price | None = Field(None, description="US dollars per million tokens.")
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = Field(None, description="Requests in flight.")

    @model_validator(mode="after")
    def _card_or_model(self) -> Reached:
        if self.card is None and self.model is None:
            raise ValueError("a model needs `card`, or `model` (with `base_url` for a server of your own)")
        if self.card is not None and self.adapter is not None:
            raise ValueError("`card` says the adapter already; leave `adapter` out")
        return self


class Shots(Record):
    """Worked examples shown before the instruction."""

    file: str = Field(description="Instances with references.")
    count: Count = Field(3, description="How many are shown.")
    per: Literal["run", "instance"] = Field("run", description="Drawn once for all, or anew for each instance.")


class ModelPart(Reached):
    """A model whose responses are to be judged; the study asks it."""

    samples: Count = Field(1, description="How many responses to each instruction.")
    system: str | None = Field(None, description="A system prompt; @FILE reads it from a file.")
    shots: Annotated[Shots | None, _as("file", Shots)] = Field(None, description="Worked examples shown before.")
    retry: tuple[Literal["empty", "truncated", "refused", "failed"], ...] = Field(
        (), description="Outcomes that are asked again."
    )


class JudgePart(Reached):
    """A rater: a model, recorded completions or a metric."""

    samples: Count = Field(1, description="How many verdicts on each response.")
    prompt: str | None = Field(None, description="A prompt template: a shipped name or a file.")
    without: tuple[Literal["reference", "rationale", "rubric"], ...] | None = Field(
        None, description="What the prompt leaves out."
    )
    packing: Annotated[str, BeforeValidator(_packing, json_schema_input_type=Literal["all", "one"] | Count)] = Field(
        "all", description="Skills in one call: all, one, or a number."
    )
    skills: tuple[str, ...] = Field((), description="Rate these in place of the annotated ones.")
    empty: Literal["missing", "lowest"] = Field("missing", description="What an empty response counts as.")
    retry: tuple[Again, ...] = Field((), description="Outcomes that are asked again.")
    min_coverage: Share | None = Field(None, description="Exit 1 where a smaller share of ratings is scored.")


class AnnotatePart(Record):
    """How the instances get skills, domains and difficulty."""

    judge: Annotated[
        tuple[Annotated[Reached, _as("card", Reached)], ...], Field(min_length=1), _listed(str | Reached)
    ] = Field(description="Who annotates; several vote.")
    samples: Count = Field(1, description="How many answers of each annotator; they vote.")
    only: tuple[Literal["domains", "skills", "difficulty"], ...] = Field((), description="Only these; else all.")
    taxonomy: str | None = Field(None, description="A taxonomy's file; else the shipped one.")
    top: Count = Field(3, description="How many skills an instance gets at most.")
    retry: tuple[Again | Literal["empty_response"], ...] = Field((), description="Outcomes that are asked again.")
    overwrite: bool = Field(default=False, description="Replace annotations that are there.")
    checklist: bool = Field(default=False, description="Also write checklist questions.")
    references: bool = Field(default=False, description="Also write missing references, marked with who wrote them.")


class SlicePart(Record):
    """A named part of the instances."""

    source: str | None = Field(None, description="A file of ids, a YAML slice, or a rule such as difficulty=5.")
    name: str | None = Field(None, min_length=1, description="How tables name it.")
    where: dict[str, Any] | None = Field(None, description="Dimension: a value, or a list of values; all must hold.")
    ids: Annotated[tuple[Id, ...], Field(min_length=1)] | None = Field(None, description="Ids of the instances.")

    @model_validator(mode="after")
    def _one_of_three(self) -> SlicePart:
        if sum(x is not None for x in (self.source, self.where, self.ids)) != 1:
            raise ValueError("a slice has either a file or rule (`source`), or `where`, or `ids`")
        if self.source is None and self.name is None:
            raise ValueError("a slice of `where` or `ids` needs a `name`")
        return self


class AgreePart(Record):
    """How judges are held against people."""

    by: Names = Field((), description="Tables by dimension: domain, or domain,difficulty.")
    kappa_weights: Literal["value", "position"] = Field("value", description="How weighted kappas weigh.")
    epsilon: Share = Field(0.15, description="What a person may be better by.")
    labelled: Literal["random"] | None = Field(None, description="How the instances that people rated were chosen.")
    curve: Literal["isotonic", "linear"] = Field("isotonic", description="Of the correction of the judge's severity.")


class ComparePart(Record):
    """How models are held against each other."""

    by: Names = Field((), description="Also within parts: domain, difficulty ...")
    margin: Annotated[float, Field(gt=0)] | None = Field(None, description="Models within it are called tied.")
    adjust: Literal["holm", "bh"] = Field("holm", description="Correction for many tests.")
    fail_under: SkillNumbers | None = Field(None, description="Exit 1 where a model's mean is lower; overall: all.")
    rater: str | None = Field(None, description="Whose means the thresholds are about; the first judge where left out.")
    fail_if_worse_than: str | None = Field(None, description="Exit 1 where a model is worse than in this run.")


class ReportPart(Record):
    """The page."""

    title: str | None = Field(None, description="The page's title; the study's name where left out.")
    path: str | None = Field(None, description="The page's file; report.html in the study's folder where left out.")
    banner: str | None = Field(None, description="A line at the top that nobody can overlook.")
    items: Annotated[bool | int, BeforeValidator(_items, json_schema_input_type=bool | Count)] = Field(
        default=False, description="List single items; a number: at most so many."
    )
    weights: dict[Slug, Annotated[float, Field(ge=0)]] | None = Field(
        None, description="Weights of skills where the page begins; skills that are left out weigh nothing."
    )
    models_table: str | None = Field(None, description="A table of model, price and speed.")
    interactive: bool = Field(default=False, description="Add interactive figures (5 MB).")
    svg: bool = Field(default=False, description="Write the figures as SVG files into figures/.")
    png: bool = Field(default=False, description="Write them as PNG and SVG into pictures/; needs flask-eval[images].")
    csv: bool = Field(default=False, description="Write the numbers as CSV into tables/.")
    markdown: bool = Field(default=False, description="Write the tables as tables.md.")


class Study(Record):
    """A whole evaluation: what is asked, who answers, who judges, and what is written."""

    name: str = Field(min_length=1, description="The study's name.")
    out: str = Field(FOLDER, min_length=1, description="The folder of everything that the study writes.")
    instances: Annotated[InstancesPart, _as("file", InstancesPart)] = Field(description="What is asked.")
    annotate: Annotated[AnnotatePart | None, _as("judge", AnnotatePart)] = Field(
        None, description="Who annotates, and what."
    )
    responses: Names = Field((), description="Files of responses that are there already.")
    models: Annotated[tuple[Annotated[ModelPart, _as("card", ModelPart)], ...], _listed(str | ModelPart)] = Field(
        (), description="Models that the study asks."
    )
    judges: Annotated[tuple[Annotated[JudgePart, _as("card", JudgePart)], ...], _listed(str | JudgePart)] = Field(
        (), description="Who rates."
    )
    rubrics: str = Field("flask", description="A shipped rubric set, or a file.")
    ratings: Names = Field((), description="Files of people's ratings.")
    slices: Annotated[tuple[Annotated[SlicePart, _as("source", SlicePart)], ...], _listed(str | SlicePart)] = Field(
        (), description="Parts of the instances that tables show beside the whole."
    )
    agree: AgreePart = Field(AgreePart(), description="How judges are held against people.")
    compare: ComparePart = Field(ComparePart(), description="How models are held against each other.")
    report: ReportPart = Field(ReportPart(), description="The page.")
    budget: Annotated[float, Field(ge=0)] | None = Field(None, description="US dollars that one command may spend.")
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = Field(None, description="Requests in flight.")
    durable: bool = Field(default=False, description="Sync every call to disk.")
    seed: int = Field(0, description="Of all that is drawn.")
    resamples: Annotated[int, Field(ge=0)] = Field(1000, description="Of the intervals; 0: none.")
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="Of the intervals.")

    @model_validator(mode="after")
    def _there_is_something_to_show(self) -> Study:
        if not self.judges and not self.ratings:
            raise ValueError("a study needs `judges`, or `ratings` of people, or both")
        if self.judges and not self.models and not self.responses:
            raise ValueError("judges need something to judge: `responses` (files), or `models` to ask")
        return self


def beside(folder: Path, name: str) -> str:
    """A path of the study file, seen from the working directory."""
    return name if Path(name).is_absolute() or name.startswith("hf:") else str(folder / name)


CARD_FIELDS = ("adapter", "model", "base_url", "api_key_env", "settings", "limits", "price")
"""What a part of the study file may say of a card."""


def changes_of(part: Reached) -> dict[str, Any]:
    """What a part says in place of its card."""
    said = part.model_dump(include=part.model_fields_set & {*CARD_FIELDS, "name", "prompt", "without"})
    return {key: value for key, value in said.items() if key in JudgeCard.model_fields and value is not None}
