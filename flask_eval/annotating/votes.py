"""Several answers on one field become one: what most annotators said, and how many did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_eval.annotating.fields import WORST_FIRST, Answer


@dataclass(frozen=True, slots=True)
class Vote:
    """What the answers on one field of an instance came to.

    Attributes:
        instance: the instance's id.
        field: the field of the annotation.
        labels: those that were chosen, most important first.
        outcome: `scored` where there is a label, else why there is none.
        confidence: the mean over the chosen labels of the share of answers that hold them; none without a label.
        shares: every label that was named, with the share of the answers that hold it.
        answers: the answers, in the order of annotators and samples.
    """

    instance: str
    field: str
    labels: tuple[str, ...]
    outcome: str
    confidence: float | None
    shares: Mapping[str, float]
    answers: tuple[Answer, ...]

    @property
    def tied(self) -> bool:
        """Whether a label that was left out had as many answers behind it as one that was chosen."""
        lowest = min((self.shares[label] for label in self.labels), default=2.0)
        return any(share >= lowest for label, share in self.shares.items() if label not in self.labels)


def vote(answers: Sequence[Answer]) -> Vote:
    """Take the answers of all annotators and samples on one field of one instance together.

    Domains: those that more than half of the answers hold, at most two; where there is none, the one most often named.
    Skills: as many as an answer names on average (rounded), those named most often. Difficulty: the level named most
    often; of several, the one nearest to the mean of all. Other ties go to the label that stands further to the front,
    then to the one that came first. An answer without a label counts against every label; where more answers abstained
    than hold the leading label, the field stays empty. One answer alone is taken as it is.
    """
    first = answers[0]
    said = [answer.labels for answer in answers if answer.labels]
    counts = Counter(label for labels in said for label in labels)
    shares = {label: n / len(answers) for label, n in counts.most_common()}
    abstained = sum(answer.outcome == "not_applicable" for answer in answers)
    if not said or abstained > max(counts.values()):
        outcome = "not_applicable" if said else _why(answers)
        return Vote(first.instance, first.field, (), outcome, None, shares, tuple(answers))
    choose = {"domains": _domains, "skills": _skills, "difficulty": _level}[first.field]
    labels = said[0] if len(said) == len(answers) == 1 else choose(said, counts, len(answers))
    confidence = sum(shares[label] for label in labels) / len(labels)
    return Vote(first.instance, first.field, labels, "scored", confidence, shares, tuple(answers))


def _why(answers: Sequence[Answer]) -> str:
    """Why no answer holds a label: what most came to, of several the worst."""
    counts = Counter(answer.outcome for answer in answers)
    return min(counts, key=lambda outcome: (-counts[outcome], WORST_FIRST.index(outcome)))


def _ranked(said: Sequence[tuple[str, ...]], counts: Counter[str]) -> list[str]:
    """Labels by how many name them, then by how far to the front they stand, then by which came first."""
    places: dict[str, list[int]] = {}
    for labels in said:
        for place, label in enumerate(labels):
            places.setdefault(label, []).append(place)
    came = list(places)
    return sorted(
        places, key=lambda label: (-counts[label], sum(places[label]) / len(places[label]), came.index(label))
    )


def _domains(said: Sequence[tuple[str, ...]], counts: Counter[str], total: int) -> tuple[str, ...]:
    ranked = _ranked(said, counts)
    return tuple(label for label in ranked if counts[label] * 2 > total)[:2] or tuple(ranked[:1])


def _skills(said: Sequence[tuple[str, ...]], counts: Counter[str], _: int) -> tuple[str, ...]:
    wanted = max(1, int(sum(map(len, said)) / len(said) + 0.5))
    return tuple(_ranked(said, counts)[:wanted])


def _level(said: Sequence[tuple[str, ...]], counts: Counter[str], _: int) -> tuple[str, ...]:
    most = max(counts.values())
    mean = sum(int(labels[0]) for labels in said) / len(said)
    tied = [level for level, n in counts.items() if n == most]
    return (min(tied, key=lambda level: (abs(int(level) - mean), int(level))),)
