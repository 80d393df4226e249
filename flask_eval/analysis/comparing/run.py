"""Models held against each other: differences paired by instance, corrected for their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from flask_eval.analysis.coding import Coded, Floats, coded
from flask_eval.analysis.comparing.adjusting import adjusted, check_adjust
from flask_eval.analysis.comparing.cells import is_nominal
from flask_eval.analysis.comparing.measuring import Study, study_of
from flask_eval.analysis.comparing.notes import method_of, notes_of, told_of_parts
from flask_eval.analysis.comparing.parts import tables_of
from flask_eval.analysis.comparing.records import Comparison, InteractionRow, ModelRow, PairRow, StrengthRow
from flask_eval.analysis.comparing.rows import Adjusted, Setting, interaction_rows, model_rows, pair_rows, strength_rows
from flask_eval.analysis.comparing.standing import Chances
from flask_eval.analysis.comparing.strengths import bradley_terry, verdict_duels
from flask_eval.analysis.comparing.testing import two_sided
from flask_eval.analysis.cutting import in_slice
from flask_eval.analysis.scores import check_confidence
from flask_eval.analysis.slices import By
from flask_eval.analysis.text import short
from flask_eval.errors import UserError
from flask_eval.ratings import RatingTable, as_table
from flask_eval.schema import Slice


def compare(
    table: RatingTable | Coded,
    *,
    by: By = (),
    slices: Iterable[Slice] = (),
    skills: Iterable[str] | None = None,
    models: Iterable[str] | None = None,
    raters: Iterable[str] | None = None,
    margin: float | None = None,
    adjust: str = "holm",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Hold every two models against each other on the instances that both have scores for; each rater by itself.

    There is a row for each pair and skill, one over all skills (their macro mean), and one for each part that `by` and `slices`
    ask for. The overall rows are one family of tests, all other rows another, the interactions a third.

    Args:
        table: what `read_ratings` gave.
        by: also within parts: a dimension (`domain`, `difficulty`, `source`, `group`, a metadata key), or several that are
            crossed (`"domain,difficulty"`, `["skill", "domain"]`).
        slices: also within these parts of the instances.
        skills: only these skills, by slug or title.
        models: only these models.
        raters: only these raters.
        margin: call two models tied where their difference is shown to lie within it, in points of the scale.
        adjust: `holm` or `bh`.
        confidence: of the intervals; verdicts are at the level 1 - confidence.
        resamples: 0 for no intervals and no probability of being best; else ten times as many draws for that probability. The
            intervals need no resampling.
        seed: of those draws.

    Raises:
        UserError: a name or dimension does not occur, a slice holds none of the instances, or an option makes no sense.
    """
    check_confidence(confidence)
    check_adjust(adjust)
    if margin is not None and not 0 < margin < np.inf:
        raise UserError(f"--margin {margin:g}: must be above 0, in points of the scale, such as 0.1")
    data = _data(table, skills, models, raters)
    tables = tables_of(by, data.table)
    notes = [*data.table.notes, *data.notes]
    inside = [(part.name, in_slice(data.table, part, notes)) for part in slices]
    studies = []
    for rater, name in enumerate(data.raters):
        if is_nominal(data, rater):
            notes.append(f"'{short(name)}' gives labels, which have no mean: not compared.")
        elif study := study_of(data, rater, tables, inside, margin):
            studies.append(study)
    made = _Corrected(studies, adjust, confidence, margin, resamples)
    for study in studies:
        notes += notes_of(study, data, several=len(studies) > 1)
    notes += told_of_parts(studies, data, tables)
    strengths = tuple(_strengths(data, studies, made.setting, notes))
    chances = Chances(max((len(study.own.models) for study in studies), default=0), resamples, seed)
    return Comparison(
        models=tuple(made.models(chances)),
        pairs=tuple(made.pairs()),
        interactions=tuple(made.interactions()),
        strengths=strengths,
        confidence=confidence,
        adjust=adjust,
        margin=margin,
        resamples=resamples,
        seed=seed,
        method=method_of(adjust, margin),
        notes=tuple(dict.fromkeys(notes)),
        families=made.setting.families,
    )


def _data(
    table: RatingTable | Coded,
    skills: Iterable[str] | None,
    models: Iterable[str] | None,
    raters: Iterable[str] | None,
) -> Coded:
    if isinstance(table, Coded):
        if skills is None and models is None and raters is None:
            return table
        table = table.table
    return coded(as_table(table).only(raters=raters, models=models, skills=skills))


class _Corrected:
    """All p values of the command, corrected by family, and the rows that they make."""

    def __init__(
        self, studies: Sequence[Study], adjust: str, confidence: float, margin: float | None, resamples: int
    ) -> None:
        self._studies = studies
        parts = [(s, k) for s, study in enumerate(studies) for k in range(len(study.parts))]
        families = {
            "overall": [place for place in parts if studies[place[0]].parts[place[1]].part.overall],
            "rows": [place for place in parts if not studies[place[0]].parts[place[1]].part.overall],
        }
        self._found: dict[tuple[int, int], Adjusted] = {}
        counts: dict[str, int] = {}
        for family, places in families.items():
            p = [studies[s].parts[k].p for s, k in places]
            q = _together(p, adjust)
            equivalent = _together([studies[s].parts[k].equivalent for s, k in places], adjust)
            counts[family] = sum(int((~np.isnan(values)).sum()) for values in p)
            self._found |= {place: Adjusted(q[n], equivalent[n]) for n, place in enumerate(places)}
        self._p = [_p_of_sides(study) for study in studies]
        flat = _together([p for own in self._p for p in own], adjust)
        self._q = [[flat.pop(0) for _ in own] for own in self._p]
        counts["interactions"] = sum(int((~np.isnan(p)).sum()) for own in self._p for p in own)
        self.setting = Setting(confidence, adjust, margin, resamples, counts)

    def models(self, chances: Chances) -> Iterator[ModelRow]:
        """By rater: overall, by skill, by slice."""
        for s, study in enumerate(self._studies):
            for k, part in enumerate(study.parts):
                yield from model_rows(study, part, self._found[s, k], self.setting, chances)

    def pairs(self) -> Iterator[PairRow]:
        """In the same order."""
        for s, study in enumerate(self._studies):
            for k, part in enumerate(study.parts):
                yield from pair_rows(study, part, self._found[s, k], self.setting)

    def interactions(self) -> Iterator[InteractionRow]:
        """By rater and part."""
        for study, p, q in zip(self._studies, self._p, self._q, strict=True):
            for (part, side), one, corrected in zip(study.sides, p, q, strict=True):
                yield from interaction_rows(study, part, side, one, corrected, self.setting)


def _together(p: Sequence[Floats], adjust: str) -> list[Floats]:
    """Adjust several arrays as one family."""
    if not p:
        return []
    return np.split(adjusted(np.concatenate(p), adjust), np.cumsum([len(values) for values in p])[:-1])


def _p_of_sides(study: Study) -> list[Floats]:
    none = np.full(study.own.rated, np.nan)
    return [
        none
        if side is None
        else two_sided(
            side.difference,
            side.error,
            np.full(none.size, side.degrees),
            np.full(none.size, 2.0 ** (1 - side.clusters)),
        )
        for _, side in study.sides
    ]


def _strengths(data: Coded, studies: Sequence[Study], setting: Setting, notes: list[str]) -> Iterator[StrengthRow]:
    """Of each rater: from its pairwise verdicts where it gave any, else from who scored higher on each instance."""
    known = {study.own.rater: study for study in studies}
    cluster: dict[str, int] | None = None
    for rater, kind in data.table.raters.items():
        study = known.get(rater)
        if (data.table.ratings["versus"] != "").any():
            cluster = cluster or _clusters(data)
            verdicts = verdict_duels(data.table.ratings, rater, cluster)
        else:
            verdicts = None
        if verdicts:
            notes.append(f"Bradley-Terry strengths of '{short(rater)}' are made of its pairwise verdicts.")
            yield from strength_rows(
                rater, kind, verdicts[0], bradley_terry(verdicts[1]), _skill_means(study, verdicts[0]), setting, 0.0
            )
        elif study:
            own = study.own
            yield from strength_rows(
                rater, kind, own.models, bradley_terry(study.duels), _skill_means(study, own.models), setting, own.tolerance
            )  # fmt: skip


def _clusters(data: Coded) -> dict[str, int]:
    names = {name: k for k, name in enumerate(data.table.instances["cluster"].unique())}
    instances = data.table.instances
    return {i: names[c] for i, c in zip(instances["instance"], instances["cluster"], strict=True)}


def _skill_means(study: Study | None, models: tuple[str, ...]) -> Floats:
    """[models, skills]: the means of the skill rows."""
    columns = [] if study is None else [
        part for part in study.parts if part.part.skill is not None and part.part.slice is None
    ]  # fmt: skip
    made = np.full((len(models), len(columns)), np.nan)
    for m, model in enumerate(models):
        if study is not None and model in study.own.models:
            place = study.own.models.index(model)
            made[m] = [part.means.mean[place] for part in columns]
    return made
