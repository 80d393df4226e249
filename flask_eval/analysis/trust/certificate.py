"""A certificate: what an agreement study showed of a judge, bound by digest to judge card, prompt and rubric.

It says, skill by skill, whether the judge may stand in for a person, and on which figures that rests. It is a JSON
record; its own digest tells whether a figure was changed afterwards, and those of card, prompt and rubric whether a run
used the same judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationError

from flask_eval.analysis.trust.rows import plain
from flask_eval.errors import UserError, nearest
from flask_eval.schema import Record, canonical, digest, slug

Status = Literal["certified", "tentative", "uncertified"]
_WORST: tuple[Status, ...] = ("certified", "tentative", "uncertified")
_NO_MINIMUM = ("mean_difference",)


class Digests(Record):
    """What the judge was; null where the study had plain ratings files."""

    card: str | None = Field(None, description="Digest of the judge card.")
    prompt: str | None = Field(None, description="Digest of the prompt template.")
    rubric: str | None = Field(None, description="Digest of the rubric set.")


class SkillCertificate(Record):
    """What was shown of one skill."""

    skill: str | None = Field(description="The skill; null: all pooled.")
    status: Status = Field(description="The verdict.")
    reason: str = Field(description="What the verdict rests on.")
    replaceability: dict[str, JsonValue] | None = Field(description="The alternative annotator test, as in `agree`.")
    agreement: dict[str, JsonValue] | None = Field(description="Judge against people, as in `agree`.")


class Certificate(Record):
    """What an agreement study showed of one judge."""

    format: Literal[1] = Field(1, description="The version of this record.")
    judge: str = Field(description="The judge's name.")
    digests: Digests = Field(description="Judge card, prompt and rubric.")
    thresholds: dict[str, float] = Field(description="The user's minimum of measures; empty: the replaceability test.")
    skills: tuple[SkillCertificate, ...] = Field(description="One entry a skill, and one pooled.")
    created: str = Field(description="The date, YYYY-MM-DD.")
    version: str = Field(description="The version of flask_eval.")
    method: str = Field(description="How figures and intervals were made.")
    seed: int = Field(description="The seed of the study.")
    digest: str = Field("", description="The digest of all the above.")

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return self.model_dump(mode="json")


def certify(
    judge: str,
    replaceability: Iterable[Mapping[str, Any]],
    agreement: Iterable[Mapping[str, Any]] = (),
    *,
    created: str,
    version: str,
    seed: int,
    method: str,
    thresholds: Mapping[str, float] | None = None,
    digests: Mapping[str, str | None] | None = None,
) -> Certificate:
    """Put what was shown of a judge into a certificate.

    Args:
        judge: the judge's name; rows of other judges are passed over.
        replaceability: rows of the alternative annotator test (`AltTest.to_dict()`), one a skill.
        agreement: rows of judge against people, one a skill: `skill`, `measures`, `intervals`, `undefined`.
        created: the date, YYYY-MM-DD.
        version: of flask_eval.
        seed: of the study.
        method: how figures and intervals were made.
        thresholds: the least value of measures, of agreement or of the test (`winning_rate`, `advantage_probability`).
        digests: of `card`, `prompt` and `rubric`, where known.

    Returns:
        Without thresholds a skill is certified where the judge `replaces` a person, uncertified where not, tentative
        where that is null. With thresholds it is certified where the low end of every figure's interval reaches the
        threshold, tentative where only the figure does or is null, uncertified where one is below.

    Raises:
        UserError: a threshold is on a measure that no row has, or that has no minimum.
    """
    limits = dict(thresholds or {})
    tests = {row["skill"]: row for row in replaceability if row["judge"] == judge}
    figures = {row["skill"]: row for row in agreement if row["judge"] == judge}
    skills = sorted({*tests, *figures}, key=lambda name: (name is None, str(name)))
    _check_thresholds(limits, [*tests.values(), *figures.values()])
    entries = []
    for skill in skills:
        test, figure = tests.get(skill), figures.get(skill)
        status, reason = by_thresholds(limits, test, figure) if limits else by_replacement(test)
        entries.append(
            SkillCertificate(
                skill=skill,
                status=status,
                reason=reason,
                replaceability=None if test is None else plain(test),
                agreement=None if figure is None else plain(figure),
            )
        )
    made = Certificate(
        judge=judge,
        digests=Digests(**(digests or {})),
        thresholds=limits,
        skills=tuple(entries),
        created=created,
        version=version,
        method=method,
        seed=seed,
    )
    return made.model_copy(update={"digest": _digest(made)})


def by_replacement(test: Mapping[str, Any] | None) -> tuple[Status, str]:
    """The verdict on a skill by the replaceability test alone, with its reason."""
    if test is None:
        return "tentative", "there is no replaceability test"
    if test["replaces"] is None:
        return (
            "tentative",
            f"the replaceability test is undefined: {test['undefined'].get('replaces', 'no reason given')}",
        )
    said = f"the judge wins over {test['winning_rate']:.0%} of the people (epsilon {test['epsilon']:g})"
    return ("certified", said) if test["replaces"] else ("uncertified", f"{said}: 50% needed")


def by_thresholds(
    thresholds: Mapping[str, float], test: Mapping[str, Any] | None, agreement: Mapping[str, Any] | None
) -> tuple[Status, str]:
    """The verdict on a skill by the user's thresholds: the worst over the measures, with their reasons."""
    found = [_against(name, least, test, agreement) for name, least in thresholds.items()]
    worst = max((status for status, _ in found), key=_WORST.index)
    return worst, "; ".join(reason for status, reason in found if status == worst)


def read_certificate(data: Mapping[str, Any]) -> Certificate:
    """A certificate from its JSON record.

    Raises:
        UserError: a field is missing, unknown or does not fit, or the record was changed after it was written.
    """
    try:
        made = Certificate.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the record"
        raise UserError(
            f"certificate: {place}: {first['msg']}; it must be a file that `flask-eval agree --certify` wrote"
        ) from None
    if made.digest != _digest(made):
        raise UserError(
            f"certificate of '{made.judge}': its content does not fit its digest, so it was changed after it was "
            "written; write it anew with `flask-eval agree --certify`"
        )
    return made


def status_of(
    certificate: Certificate, skill: str | None, judge_config: Mapping[str, str | None]
) -> tuple[Status, str]:
    """What a certificate says of a skill of a run, with the reason.

    Args:
        certificate: the certificate.
        skill: the skill's slug or title; none: all pooled.
        judge_config: the run's `judge` (name) and digests of `card`, `prompt`, `rubric`; null or absent: not known.

    Returns:
        uncertified where a digest differs (or, with no digest on either side, the name), or the skill is not among the
        certified ones; at most tentative where only one side has a digest; else what the certificate says.
    """
    bound = certificate.digests.model_dump()
    for name, theirs in bound.items():
        ours = judge_config.get(name)
        if ours is not None and theirs is not None and ours != theirs:
            return "uncertified", f"the certificate is of another {name}"
    known = [name for name, value in bound.items() if value is not None]
    judge = judge_config.get("judge")
    if not known and judge is not None and judge != certificate.judge:
        return "uncertified", f"the certificate is of the judge '{certificate.judge}', not of '{judge}'"
    wanted = None if skill is None else slug(skill)
    entry = next((e for e in certificate.skills if (None if e.skill is None else slug(e.skill)) == wanted), None)
    if entry is None:
        return "uncertified", f"the certificate does not speak of {'all skills' if skill is None else skill}"
    unbound = [part for part in bound if (bound[part] is None) != (judge_config.get(part) is None)]
    if unbound and entry.status == "certified":
        return "tentative", f"{entry.reason}; the {', '.join(unbound)} cannot be compared: one side has no digest"
    return entry.status, entry.reason


def digest_of(value: Any) -> str:
    """The digest of a card, a prompt or a rubric set as JSON: the same content has the same digest."""
    return digest(canonical(plain(value)))


def _digest(certificate: Certificate) -> str:
    return digest(canonical(certificate.model_dump(mode="json", exclude={"digest"})))


def _against(
    name: str, least: float, test: Mapping[str, Any] | None, agreement: Mapping[str, Any] | None
) -> tuple[Status, str]:
    """One measure against its threshold."""
    value, interval, why = _figure(name, test, agreement)
    if value is None:
        return "tentative", f"{name} is undefined: {why}"
    if value < least:
        return "uncertified", f"{name} {value:.3f} is below {least:g}"
    if interval is None:
        return "tentative", f"{name} {value:.3f} reaches {least:g}, but has no interval"
    low = float(interval[0])
    if low < least:
        return "tentative", f"{name} {value:.3f} reaches {least:g}, but its interval starts at {low:.3f}"
    return "certified", f"{name} {value:.3f}, at least {low:.3f}, reaches {least:g}"


def _figure(
    name: str, test: Mapping[str, Any] | None, agreement: Mapping[str, Any] | None
) -> tuple[float | None, Any, str]:
    """A measure's value, interval and reason, from the agreement's measures or from the test."""
    for row, values in ((agreement, (agreement or {}).get("measures", {})), (test, test or {})):
        if row is not None and name in values:
            return (
                values[name],
                (row.get("intervals") or {}).get(name),
                (row.get("undefined") or {}).get(name, "no reason given"),
            )
    return None, None, "it was not measured"


def _check_thresholds(thresholds: Mapping[str, float], rows: list[Mapping[str, Any]]) -> None:
    known = {name for row in rows for name in row.get("measures", {})} | {"winning_rate", "advantage_probability"}
    for name in thresholds:
        if name in _NO_MINIMUM:
            raise UserError(f"threshold on '{name}': it is best near 0 and has no minimum; take another measure")
        if name not in known:
            raise UserError(
                f"threshold on '{name}': no such measure was shown{nearest(name, known - set(_NO_MINIMUM))}"
            )
