"""From the long table of ratings to a matrix: a row a unit, a column a rater.

The unit is (instance, model, response sample, versus, skill). Ratings of one rater on one unit (samples, variants) are
averaged first, labels give their most frequent one. Only scored rows without a checklist question count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]
Clusters = Mapping[str, str]
"""The cluster of an instance; one that is left out is its own."""
Anonymous = bool | Collection[str]
"""Human raters that are only places in a list, not persons: true for all, or their names; `NAME#1` always is one."""

UNIT = ("instance", "model", "response_sample", "versus", "skill")
_DEFAULTS: dict[str, Any] = {
    "model": "",
    "response_sample": 0,
    "versus": "",
    "item": "",
    "kind": "human",
    "sample": 0,
    "variant": "",
    "outcome": "scored",
}
_PLACE = re.compile(r"#\d+$")


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Scores on one level of measurement, units by raters."""

    scores: Floats
    """(units, raters); NaN: none. On a nominal scale a code into `labels`."""
    raters: tuple[str, ...]
    """The names of the columns."""
    kinds: tuple[str, ...]
    """The kind of each column: judge, human or metric."""
    instance: Texts
    """(units,) the instance."""
    model: Texts
    """(units,) the model that was rated."""
    response: Ints
    """(units,) the response's sample."""
    skill: Texts
    """(units,) the skill."""
    cluster: Ints
    """(units,) a number for the cluster that intervals resample; the same over all panels of one table."""
    places: tuple[bool, ...]
    """Which columns are places in a list, not persons."""
    averaged: tuple[bool, ...]
    """Which columns hold means of several ratings of one unit."""
    labels: tuple[Any, ...] = ()
    """The labels of a nominal scale; empty where scores are numbers."""

    @property
    def nominal(self) -> bool:
        """Whether scores are labels without order."""
        return bool(self.labels)

    @property
    def judges(self) -> tuple[int, ...]:
        """The columns of judges and metrics."""
        return tuple(k for k, kind in enumerate(self.kinds) if kind != "human")

    @property
    def people(self) -> tuple[int, ...]:
        """The columns of people."""
        return tuple(k for k, kind in enumerate(self.kinds) if kind == "human")

    @property
    def anonymous(self) -> bool:
        """Whether a human column is only a place in a list, not a person."""
        return any(self.places)

    def only(self, rows: Bools) -> Panel:
        """The part of the panel that `rows` (units,) keeps, with the raters who scored there."""
        scores = self.scores[rows]
        used = np.flatnonzero(~np.isnan(scores).all(axis=0)) if len(scores) else np.arange(0)
        return replace(
            self,
            scores=scores[:, used],
            raters=tuple(self.raters[k] for k in used),
            kinds=tuple(self.kinds[k] for k in used),
            places=tuple(self.places[k] for k in used),
            averaged=tuple(self.averaged[k] for k in used),
            instance=self.instance[rows],
            model=self.model[rows],
            response=self.response[rows],
            skill=self.skill[rows],
            cluster=self.cluster[rows],
        )


def is_place(rater: str) -> bool:
    """Whether a rater is a place in a list (`NAME#1`, see docs/import-ratings.md), not an identified person."""
    return bool(_PLACE.search(rater))


def scored(ratings: pd.DataFrame) -> pd.DataFrame:
    """The scored rows without a checklist question, with every column of the long table but the rationale.

    Args:
        ratings: the long table; instance, skill, rater and score are needed, the others have the defaults of a ratings file.
    """
    made = {name: ratings[name] if name in ratings.columns else value for name, value in _DEFAULTS.items()}
    frame = ratings[["instance", "skill", "rater", "score"]].assign(**made)
    keep = frame["score"].notna() & (frame["item"].fillna("") == "") & (frame["outcome"] == "scored")
    if pd.api.types.is_float_dtype(frame["score"]):
        keep &= np.isfinite(frame["score"].to_numpy(dtype=float, na_value=np.nan))
    return frame[keep].reset_index(drop=True)


def label_skills(frame: pd.DataFrame, *, nominal: bool | None) -> set[str]:
    """The skills that are scored by labels without order.

    Args:
        frame: scored rows.
        nominal: true or false for all skills; none: those where a score is text.
    """
    skills = set(frame["skill"].unique())
    if nominal is not None:
        return skills if nominal else set()
    if pd.api.types.is_numeric_dtype(frame["score"]):
        return set()
    return set(frame.loc[[isinstance(value, str) for value in frame["score"]], "skill"].unique())


def panels(
    ratings: pd.DataFrame,
    clusters: Clusters | None = None,
    *,
    nominal: bool | None = None,
    judges: Collection[str] | None = None,
    anonymous: Anonymous = False,
) -> list[Panel]:
    """At most two panels: the skills that have numbers, then those that have labels.

    Args:
        ratings: the long table.
        clusters: the cluster of an instance.
        nominal: whether scores are labels without order; none: where they are text.
        judges: the judges and metrics to be looked at; none: all.
        anonymous: human raters that are places in a list, not persons.
    """
    frame = scored(ratings)
    if judges is not None:
        frame = frame[(frame["kind"] == "human") | frame["rater"].isin(list(judges))].reset_index(drop=True)
    if frame.empty:
        return []
    cluster = cluster_codes(frame["instance"], clusters)
    labelled = frame["skill"].isin(label_skills(frame, nominal=nominal)).to_numpy()
    return [
        _panel(frame[rows].reset_index(drop=True), cluster[rows], anonymous, labels=labels)
        for rows, labels in ((~labelled, False), (labelled, True))
        if rows.any()
    ]


def cluster_codes(instances: pd.Series[str], clusters: Clusters | None) -> Ints:
    """A number for the cluster of each row (rows,); an instance without one is a cluster of its own."""
    codes, names = pd.factorize(instances, sort=True)  # the order of rows must not decide who is left out together
    if not clusters:
        return codes.astype(np.int64)
    # an instance may have the name of another's cluster: the two must not fall together
    own = [("cluster", clusters[n]) if clusters.get(n) not in (None, "") else ("instance", n) for n in names]
    known = {key: number for number, key in enumerate(sorted(set(own)))}
    return np.array([known[key] for key in own], np.int64)[codes]


def by_skill(panel: Panel) -> Iterator[tuple[str | None, Panel]]:
    """Each skill with its part of the panel, in order of appearance; last none: all skills pooled."""
    for name in dict.fromkeys(panel.skill):
        yield str(name), panel.only(panel.skill == name)
    yield None, panel


def by_skill_of_all(found: Iterable[Panel]) -> Iterator[tuple[str | None, Panel]]:
    """Each skill of each panel, and one pooled (none): the numbers, or the labels where there are no numbers."""
    for place, panel in enumerate(found):
        yield from ((skill, part) for skill, part in by_skill(panel) if skill is not None or place == 0)


def codes_of(frame: pd.DataFrame, columns: Collection[str]) -> Ints:
    """One number for each combination of values of some columns (rows,), from 0 in order of appearance."""
    made = np.zeros(len(frame), np.int64)
    for name in columns:
        codes, values = pd.factorize(frame[name])
        made = pd.factorize(made * max(len(values), 1) + codes)[0].astype(np.int64)
    return made


def _panel(frame: pd.DataFrame, cluster: Ints, anonymous: Anonymous, *, labels: bool) -> Panel:
    unit = codes_of(frame, UNIT)
    rater, raters = pd.factorize(frame["rater"])
    first = np.unique(unit, return_index=True)[1]
    names: tuple[Any, ...] = ()
    if labels:
        code, found = pd.factorize(frame["score"].astype(object))
        names = tuple(found)
        scores = _most_frequent(unit, rater, code, (len(first), len(raters)))
    else:
        scores = _means(unit, rater, frame["score"].to_numpy(dtype=float), (len(first), len(raters)))
    kinds = frame["kind"].to_numpy(dtype=object)[np.unique(rater, return_index=True)[1]]
    return Panel(
        scores=scores,
        raters=tuple(str(r) for r in raters),
        kinds=tuple(str(kind) for kind in kinds),
        instance=frame["instance"].to_numpy(dtype=object)[first],
        model=frame["model"].to_numpy(dtype=object)[first],
        response=frame["response_sample"].to_numpy(dtype=np.int64)[first],
        skill=frame["skill"].to_numpy(dtype=object)[first],
        cluster=cluster[first],
        places=tuple(
            kind == "human" and (is_place(name) or anonymous is True or (anonymous is not False and name in anonymous))
            for name, kind in zip(raters, kinds, strict=True)
        ),
        averaged=_averaged(unit * len(raters) + rater, rater, len(raters)),
        labels=names,
    )


def _averaged(cell: Ints, rater: npt.NDArray[np.intp], count: int) -> tuple[bool, ...]:
    """Which raters rated a unit more than once."""
    repeated = pd.Series(cell).duplicated().to_numpy()
    return tuple(bool(n) for n in np.bincount(rater[repeated], minlength=count))


def _means(unit: Ints, rater: npt.NDArray[np.intp], score: Floats, shape: tuple[int, int]) -> Floats:
    """The mean score of each unit and rater; NaN where there is none."""
    cell = unit * shape[1] + rater
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, score, minlength=shape[0] * shape[1])
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape)


def _most_frequent(
    unit: Ints, rater: npt.NDArray[np.intp], code: npt.NDArray[np.intp], shape: tuple[int, int]
) -> Floats:
    """The most frequent label of each unit and rater, the earliest where several are; NaN where there is none."""
    cell = unit * shape[1] + rater
    counts = (
        pd.DataFrame({"cell": cell, "code": code}).groupby(["cell", "code"], sort=False).size().reset_index(name="n")
    )
    top = counts.sort_values("n", ascending=False, kind="stable").drop_duplicates("cell")
    made = np.full(shape[0] * shape[1], np.nan)
    made[top["cell"].to_numpy()] = top["code"].to_numpy()
    return made.reshape(shape)
