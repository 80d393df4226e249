"""Import FLASK's release: evaluation set, hard subset, released responses.

Nothing is dropped, repaired or joined by position in silence: what the files leave open becomes a warning with a code and
an id. Source of the formats: github.com/kaistAI/FLASK, both the current files and those before December 2023.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flask_eval.content import check_skills, load_rubrics, load_taxonomy
from flask_eval.errors import RecordError, UserError
from flask_eval.records import files_of, read_rows, record_error, replacing, write_jsonl
from flask_eval.schema import Instance, Response, RubricSet, is_empty

ANNOTATOR = "gpt-4 (FLASK release)"
"""Who gave the released annotations."""

CODES = (
    "extra_keys",
    "reference_missing",
    "domain_missing",
    "domain_unknown",
    "difficulty_missing",
    "duplicate_instruction",
    "hard_matched_by_prefix",
    "hard_unmatched",
    "hard_differs",
    "response_extra_keys",
    "response_unknown_instance",
    "empty_response",
    "zero_width_response",
    "no_response",
    "prompt_differs",
    "prompt_unknown_instance",
)
"""Every code that a warning may have, in the order in which an import gives them."""


@dataclass(frozen=True, slots=True)
class FlaskWarning:
    """Something that the files leave open, and what became of it."""

    code: str
    """One of `CODES`."""
    id: str
    """The instance's id; the hard file's own number for `hard_unmatched`, the model for `response_extra_keys`."""
    message: str
    """What was found and what was done."""


@dataclass(frozen=True)
class FlaskImport:
    """What an import found."""

    instances: list[Instance]
    """The evaluation set in file order."""
    hard_ids: list[str]
    """Ids of the instances that are the hard subset, in the order of the hard file."""
    responses: dict[str, list[Response]]
    """Responses by model, in file order; only those to instances of the set."""
    warnings: list[FlaskWarning]
    """What the files leave open."""
    hard_rows: int | None = None
    """Rows of the hard file; none where no file was given."""

    @property
    def hard_matched_by_prefix(self) -> int:
        """How many of the matched hard rows are the beginning of an instruction."""
        return sum(warning.code == "hard_matched_by_prefix" for warning in self.warnings)

    @property
    def response_counts(self) -> dict[str, int]:
        """Responses by model."""
        return {model: len(responses) for model, responses in self.responses.items()}

    @property
    def without_response(self) -> dict[str, int]:
        """Instances without a response, by model."""
        return {model: len(self.instances) - count for model, count in self.response_counts.items()}

    @property
    def empty(self) -> dict[str, int]:
        """Responses of no character or of white space, by model."""
        return self._blank_counts["empty_response"]

    @property
    def zero_width(self) -> dict[str, int]:
        """Responses of invisible characters that are no white space, by model."""
        return self._blank_counts["zero_width_response"]

    @cached_property
    def _blank_counts(self) -> dict[str, dict[str, int]]:
        codes = {model: [_blank(r.text) for r in responses] for model, responses in self.responses.items()}
        return {
            code: {model: found.count(code) for model, found in codes.items()}
            for code in ("empty_response", "zero_width_response")
        }


def import_flask(
    evaluation: Path, *, hard: Path | None = None, outputs: Path | None = None, prompts: Path | None = None
) -> FlaskImport:
    """Read FLASK's release.

    Args:
        evaluation: the evaluation set, in the current shape (idx, instruction ...) or the older one (question_id, text ...).
        hard: the hard subset; its rows are found by their text, never by their numbers, which are its own.
        outputs: a folder with a file of responses for each model, named by it.
        prompts: what the models were prompted with (question_id, text), to be compared with the instructions.

    Raises:
        NotFoundError: a path leads nowhere.
        RecordError: a row lacks what it needs, names an unknown skill, or repeats an id.
    """
    warnings: list[FlaskWarning] = []
    instances = _read_instances(evaluation, warnings)
    hard_rows = None if hard is None else [row for _, row in _parsed(hard, [])]
    hard_ids = _match_hard(hard_rows or [], instances, warnings)
    responses = {} if outputs is None else _read_outputs(outputs, instances, warnings)
    if prompts is not None:
        _compare_prompts(prompts, instances, warnings)
    return FlaskImport(instances, hard_ids, responses, warnings, None if hard_rows is None else len(hard_rows))


def summary(result: FlaskImport) -> dict[str, Any]:
    """The record that `import flask --json` writes; `hard...` is null where no hard file was given."""
    told_hard = result.hard_rows is not None
    return {
        "instances": len(result.instances),
        "hard": result.hard_rows,
        "hard_matched": len(result.hard_ids) if told_hard else None,
        "hard_matched_by_prefix": result.hard_matched_by_prefix if told_hard else None,
        "responses": result.response_counts,
        "without_response": result.without_response,
        "empty": result.empty,
        "zero_width": result.zero_width,
        "warnings": [asdict(warning) for warning in result.warnings],
    }


def write_flask(result: FlaskImport, out: Path) -> list[Path]:
    """Write instances.jsonl, responses/MODEL.jsonl, hard.txt (with a hard file) and warnings.jsonl; returns their paths.

    Each file takes its old one's place when it is complete; other files in `out` stay as they are.

    Raises:
        UserError: `out` cannot be written.
    """
    tables: dict[Path, Iterator[dict[str, Any]]] = {out / "instances.jsonl": map(_instance_row, result.instances)}
    for model, responses in result.responses.items():
        tables[out / "responses" / f"{model}.jsonl"] = map(_response_row, responses)
    tables[out / "warnings.jsonl"] = map(asdict, result.warnings)
    try:
        for path, rows in tables.items():
            write_jsonl(path, rows)
        if result.hard_rows is None:
            return list(tables)
        with replacing(out / "hard.txt") as handle:
            handle.writelines(f"{name}\n" for name in result.hard_ids)
    except OSError as error:
        raise UserError(f"-o {out}: cannot be written ({error.strerror}); name another folder") from None
    return [*tables, out / "hard.txt"]


def _instance_row(instance: Instance) -> dict[str, Any]:
    row: dict[str, Any] = {"id": instance.id, "instruction": instance.instruction}
    if instance.reference:
        row["reference"] = instance.reference[0]
    row["annotation"] = instance.annotation.model_dump(mode="json")
    if instance.source:
        row["source"] = instance.source
    if instance.metadata:
        row["metadata"] = dict(instance.metadata)
    return row


def _response_row(response: Response) -> dict[str, Any]:
    return {"instance": response.instance, "model": response.model, "text": response.text, "finish": response.finish}


# ---- the evaluation set -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """The keys of one generation of FLASK's files."""

    id: str
    instruction: str
    skills: str
    domains: str
    difficulty: str
    by_products: re.Pattern[str]
    """Keys of the annotation's making, which are expected and not kept."""

    def beyond(self, row: dict[str, Any]) -> dict[str, Any]:
        own = {self.id, self.instruction, self.skills, self.domains, self.difficulty, "answer", "task"}
        return {key: value for key, value in row.items() if key not in own and not self.by_products.fullmatch(key)}


_CURRENT = _Shape("idx", "instruction", "skill", "domain", "difficulty", re.compile(r"(?!)"))
_OLDER = _Shape(
    "question_id",
    "text",
    "metrics",
    "domain_labeled",
    "difficulty_labeled",
    re.compile(r".*_review|metric_explanation|num_skills|total_tokens.*"),
)


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The names that the release uses."""

    rubrics: RubricSet
    domains: frozenset[str]
    levels: dict[str, int]


def _vocabulary() -> _Vocabulary:
    taxonomy = load_taxonomy()
    levels = {difficulty.title.lower(): difficulty.level for difficulty in taxonomy.difficulties}
    return _Vocabulary(load_rubrics("flask"), frozenset(domain.name for domain in taxonomy.domains), levels)


def _read_instances(path: Path, warnings: list[FlaskWarning]) -> list[Instance]:
    found: dict[str, Instance] = {}
    first_of: dict[str, str] = {}
    for place, instance in _parsed(path, warnings):
        if instance.id in found:
            raise RecordError(place, f"id '{instance.id}' stands twice", "keep one of the rows")
        found[instance.id] = instance
        first = first_of.setdefault(instance.instruction, instance.id)
        if first != instance.id:
            message = f"has the same instruction as {first}; both are kept"
            warnings.append(FlaskWarning("duplicate_instruction", instance.id, message))
    return list(found.values())


def _parsed(path: Path, warnings: list[FlaskWarning]) -> Iterator[tuple[str, Instance]]:
    vocabulary = _vocabulary()
    for place, row in read_rows(path):
        yield place, _parse(place, row, vocabulary, warnings)


def _parse(place: str, row: dict[str, Any], vocabulary: _Vocabulary, warnings: list[FlaskWarning]) -> Instance:
    shape = _CURRENT if _CURRENT.id in row else _OLDER
    name = _id(row, place, "idx", "question_id")

    def note(code: str, message: str) -> None:
        warnings.append(FlaskWarning(code, name, message))

    data = {
        "id": name,
        "instruction": _text(row, shape.instruction, place),
        "metadata": _extras(shape.beyond(row), note),
        "reference": _reference(row, place, note),
        "annotation": {
            "skills": check_skills(_skills(row, shape.skills, place), vocabulary.rubrics, place),
            "domains": _domains(row.get(shape.domains), vocabulary, note),
            "difficulty": _difficulty(row.get(shape.difficulty), vocabulary, note),
            "annotator": ANNOTATOR,
        },
        "source": row.get("task"),
    }
    try:
        return Instance.model_validate(data)
    except ValidationError as error:
        raise record_error(place, error, Instance) from None


def _id(row: dict[str, Any], place: str, *keys: str) -> str:
    value = next((row[key] for key in keys if key in row), None)
    if value is None or isinstance(value, bool) or not isinstance(value, int | str):
        shown = f"got {value!r}" if value is not None else f"the row has {', '.join(list(row)[:8])}"
        raise RecordError(place, f"no number under {' or '.join(keys)}: {shown}", "give a file of FLASK's release")
    return str(value)


def _text(row: dict[str, Any], key: str, place: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise RecordError(place, f"field '{key}' must be text, got {value!r:.60}", "give a file of FLASK's release")
    return value


def _skills(row: dict[str, Any], key: str, place: str) -> list[str]:
    value = row.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise RecordError(place, f"field '{key}' must be a list of skills, got {value!r:.60}")
    return value


def _extras(extra: dict[str, Any], note: Callable[[str, str], None]) -> dict[str, Any]:
    kept = {key: value for key, value in extra.items() if value is None or isinstance(value, str | int | float)}
    lists = [key for key in extra if key not in kept]
    parts = [f"kept as metadata: {', '.join(kept)}"] if kept else []
    parts += [f"dropped, being no single values: {', '.join(lists)}"] if lists else []
    if parts:
        note("extra_keys", "; ".join(parts))
    return kept


def _reference(row: dict[str, Any], place: str, note: Callable[[str, str], None]) -> tuple[str, ...]:
    answer = row.get("answer")
    if answer is not None and not isinstance(answer, str):
        raise RecordError(place, f"field 'answer' must be text, got {answer!r:.60}")
    if answer is None or is_empty(answer):
        note("reference_missing", f"no reference: the answer is {answer!r:.20}")
        return ()
    return (answer,)


def _domains(value: Any, vocabulary: _Vocabulary, note: Callable[[str, str], None]) -> list[str]:
    names = value if isinstance(value, list) else [value]
    kept = [name for name in names if isinstance(name, str) and any(map(str.isalpha, name))]
    bad = [name for name in names if name not in kept]
    if bad or not names:
        remain = f"{', '.join(kept)} remains" if kept else "no domain remains"
        note("domain_missing", f"{', '.join(map(repr, bad)) or 'an empty list'} is no domain; {remain}")
    unknown = [name for name in kept if name not in vocabulary.domains]
    if unknown:
        note("domain_unknown", f"{', '.join(unknown)}: not among FLASK's ten domains; kept as given")
    return kept


def _difficulty(value: Any, vocabulary: _Vocabulary, note: Callable[[str, str], None]) -> int | None:
    level = vocabulary.levels.get(value.strip().rstrip(". ").lower()) if isinstance(value, str) else None
    if level is None:
        note("difficulty_missing", f"{value!r:.60} is no level of difficulty; left without one")
    return level


# ---- the hard subset ----------------------------------------------------------------------------------------------


def _match_hard(rows: list[Instance], instances: list[Instance], warnings: list[FlaskWarning]) -> list[str]:
    by_text: dict[str, list[Instance]] = {}
    for instance in instances:
        by_text.setdefault(instance.instruction, []).append(instance)
    row_of: dict[str, str] = {}
    for row in rows:
        same = by_text.get(row.instruction)
        match = _choose(same, row) if same else _longer(instances, row)
        if isinstance(match, str) or match.id in row_of:
            reason = match if isinstance(match, str) else f"row {row_of[match.id]} already is instance {match.id}"
            warnings.append(
                FlaskWarning("hard_unmatched", row.id, f"row {row.id} of the hard file: {reason}; left out")
            )
            continue
        row_of[match.id] = row.id
        if not same:
            message = f"row {row.id} of the hard file is the beginning of its instruction and has the same answer"
            warnings.append(FlaskWarning("hard_matched_by_prefix", match.id, message))
        if _facts(match) != _facts(row):
            names = ", ".join(name for name, value in _facts(match).items() if _facts(row)[name] != value)
            message = f"row {row.id} of the hard file differs in {names}; the evaluation set's is kept"
            warnings.append(FlaskWarning("hard_differs", match.id, message))
    return list(row_of)


def _choose(same: list[Instance], row: Instance) -> Instance | str:
    if len(same) == 1:
        return same[0]
    skills = set(row.annotation.skills)
    alike = [i for i in same if i.reference == row.reference and set(i.annotation.skills) == skills]
    if len(alike) == 1:
        return alike[0]
    return f"the instances {', '.join(i.id for i in same)} share its instruction, and answer and skills do not decide"


def _longer(instances: list[Instance], row: Instance) -> Instance | str:
    """The one instance whose instruction goes on where the row's ends."""
    if is_empty(row.instruction):
        return "its instruction is empty"
    longer = [i for i in instances if i.instruction.startswith(row.instruction)]
    if not longer:
        return "no instance has its instruction"
    if len(longer) > 1:
        return f"its instruction is the beginning of several: {', '.join(i.id for i in longer[:5])}"
    return longer[0] if longer[0].reference == row.reference else f"instance {longer[0].id} has another answer"


def _facts(instance: Instance) -> dict[str, Any]:
    annotation = instance.annotation
    return {
        "answer": instance.reference,
        "task": instance.source,
        "skills": annotation.skills,
        "domains": annotation.domains,
        "difficulty": annotation.difficulty,
    }


# ---- responses and prompts ----------------------------------------------------------------------------------------


def _read_outputs(folder: Path, instances: list[Instance], warnings: list[FlaskWarning]) -> dict[str, list[Response]]:
    known = {instance.id for instance in instances}
    responses: dict[str, list[Response]] = {}
    for path in files_of(folder):
        model = Path(path.name.removesuffix(".gz")).stem
        if model in responses:
            raise UserError(f"{path}: a second file of the model '{model}'; keep one")
        responses[model] = _read_responses(path, model, known, warnings)
    answered = {model: {response.instance for response in found} for model, found in responses.items()}
    for instance in instances:
        missing = [model for model, ids in answered.items() if instance.id not in ids]
        if missing:
            message = f"no response of {_listed(missing, len(responses))}"
            warnings.append(FlaskWarning("no_response", instance.id, message))
    return responses


def _listed(models: list[str], total: int) -> str:
    return f"all {total} models" if len(models) == total > 1 else ", ".join(models)


def _read_responses(path: Path, model: str, known: set[str], warnings: list[FlaskWarning]) -> list[Response]:
    found: dict[str, Response] = {}
    first: dict[str, str] = {}
    extra: dict[str, int] = {}
    blank: list[FlaskWarning] = []
    for place, row in read_rows(path):
        name, text = _id(row, place, "question_id", "idx"), _text(row, "text", place)
        if name in first:
            raise RecordError(place, f"a second response of {model} to '{name}' (first: {first[name]})", "keep one")
        first[name] = place
        for key in row.keys() - {"question_id", "idx", "text"}:
            extra[key] = extra.get(key, 0) + 1
        if name not in known:
            message = f"{place}: {model} answers an instance that the evaluation set does not hold; left out"
            blank.append(FlaskWarning("response_unknown_instance", name, message))
            continue
        found[name] = Response(instance=name, model=model, text=text, finish="stop")
        if code := _blank(text):
            blank.append(FlaskWarning(code, name, f"{model}: {_BLANK[code]}; kept as it is"))
    if extra:
        told = ", ".join(f"{key} ({count} rows)" for key, count in sorted(extra.items()))
        warnings.append(FlaskWarning("response_extra_keys", model, f"{path.name}: not kept: {told}"))
    warnings += blank
    return list(found.values())


_BLANK = {
    "empty_response": "the response is empty",
    "zero_width_response": "the response holds invisible characters only",
}


def _blank(text: str) -> str:
    """The code of a response without a visible character, else ""."""
    if not text.strip():
        return "empty_response"
    # most texts show a character at once; only the others are searched to the end
    return "zero_width_response" if is_empty(text[:40]) and is_empty(text) else ""


def _compare_prompts(path: Path, instances: list[Instance], warnings: list[FlaskWarning]) -> None:
    instruction_of = {instance.id: instance.instruction for instance in instances}
    for place, row in read_rows(path):
        name = _id(row, place, "question_id", "idx")
        text = _text(row, "text" if "text" in row else "instruction", place)
        if name not in instruction_of:
            message = f"{place}: a prompt for an instance that the evaluation set does not hold"
            warnings.append(FlaskWarning("prompt_unknown_instance", name, message))
        elif text != instruction_of[name]:
            message = (
                f"{place}: the models saw another prompt ({len(text)} characters) than the instruction "
                f"({len(instruction_of[name])}), from character {_differs_at(text, instruction_of[name])} on"
            )
            warnings.append(FlaskWarning("prompt_differs", name, message))


def _differs_at(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False), 1)
    return next((k for k, (a, b) in pairs if a != b), min(len(one), len(other)) + 1)
