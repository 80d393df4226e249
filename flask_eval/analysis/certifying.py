"""From a study to a certificate, and from a certificate to what it says of a run's judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_eval.analysis.agreeing import AgreementStudy
from flask_eval.analysis.trust.certificate import Certificate, Status, certify, digest_of, status_of
from flask_eval.errors import UserError
from flask_eval.ratings import RatingTable

METHOD = (
    "Replaceability: the alternative annotator test (Calderon, Reichart and Dror 2025). Agreement: judge against the mean of "
    "the people, item level; intervals by a jackknife over clusters."
)


def certificate_of(
    study: AgreementStudy, table: RatingTable, *, thresholds: Mapping[str, float], created: str, version: str
) -> Certificate:
    """The certificate of the one judge of a study, over everything (slices left out).

    Raises:
        UserError: there is no judge, or there are several; or a threshold does not fit.
    """
    kinds = {row.judge for row in study.replaceability} | {row.judge for row in study.judge_vs_human}
    judges = sorted(name for name in kinds if table.raters.get(name) != "metric") or sorted(kinds)
    if len(judges) != 1:
        told = "no judge" if not judges else f"{len(judges)} judges ({', '.join(judges[:4])})"
        raise UserError(f"--certify: the study has {told}; name one by --judge")
    judge = judges[0]
    whole = [
        row
        for row in study.judge_vs_human
        if row.slice is None and row.level == "item" and row.human == "mean" and row.adjusted is None
    ]
    return certify(
        judge,
        [row.to_dict() for row in study.replaceability if row.slice is None],
        [row.to_dict() for row in whole],
        created=created,
        version=version,
        seed=study.seed,
        method=METHOD,
        thresholds=thresholds,
        digests=digests_of(judge_config(table, judge)),
    )


def judge_config(table: RatingTable, judge: str) -> Mapping[str, Any] | None:
    """The configuration under which a run's rater rated, or none where no run tells."""
    for run in table.runs:
        found = run.get("raters", {}).get(judge)
        if found is not None:
            config: Mapping[str, Any] = found
            return config
    return None


def digests_of(config: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Digests of judge card, prompt and rubric set of a rater's configuration; none where there is no such part."""
    said = config or {}
    return {
        "card": digest_of(said["card"]) if said.get("card") else None,
        "prompt": (said.get("prompt") or {}).get("digest"),
        "rubric": digest_of(said["rubrics"]) if said.get("rubrics") else None,
    }


def statuses(
    certificate: Certificate, judge: str, config: Mapping[str, Any] | None, skills: list[str]
) -> dict[str, tuple[Status, str]]:
    """What a certificate says of each skill that a judge rated: (certified, tentative or uncertified; why)."""
    known = {"judge": judge, **digests_of(config)}
    return {skill: status_of(certificate, skill, known) for skill in skills}
