"""Metrics: raters that need no call. Each compares a response with the references and gives a score from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from flask_eval.errors import NotFoundError, nearest
from flask_eval.schema import Instance, Rating, Response, is_empty

Function = Callable[[str, Sequence[str]], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that can be named: `metric:NAME`."""

    name: str
    """The name after `metric:`."""
    module: str
    """The module of this folder that holds the function of that name; loaded on first use."""
    description: str
    """What it measures, in a sentence."""
    note: str
    """What it must not be taken for; pages show it beside the numbers."""
    scale: tuple[float, float] = (0.0, 1.0)
    """The lowest and the highest score."""

    @property
    def function(self) -> Function:
        """(candidate, references) -> score."""
        loaded: Function = getattr(import_module(f"flask_eval.metrics.{self.module}"), self.name)
        return loaded


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "exact_match",
            "exact",
            "Whether the response is a reference, whatever its case and the punctuation around it.",
            "A right answer in other words, or with an explanation, scores 0: it suits answers of a word or a number.",
        ),
        Metric(
            "rouge_l",
            "rouge",
            "F1 of the longest common sequence of words of response and reference, with the reference that fits best.",
            "A word-overlap baseline, no judge of quality: it gives every skill of a response the same score.",
        ),
    )
}
"""Every metric, by name."""


def find_metric(name: str) -> Metric:
    """The metric of that name; `metric:` before it may be left out or kept.

    Raises:
        NotFoundError: there is none; the nearest name is suggested.
    """
    bare = name.removeprefix("metric:")
    if bare not in METRICS:
        raise NotFoundError(f"metric:{bare}: no metric is called '{bare}'{nearest(bare, METRICS)}")
    return METRICS[bare]


def rate(
    metric: Metric, instance: Instance, response: Response, rater: str, skills: Sequence[str] | None = None
) -> list[Rating]:
    """One rating for each skill, all with the same score or the same outcome.

    Args:
        metric: the metric.
        instance: what was asked, with its references.
        response: what was answered.
        rater: the name under which the ratings are written.
        skills: slugs of the skills to be rated; the instance's annotated ones where left out.

    Returns:
        Ratings of kind `metric`: `empty_response` where the response shows no character, `not_applicable` where the
        instance has no reference, else `scored`.
    """
    outcome, score, rationale = _verdict(metric, instance, response)
    return [
        Rating(
            instance=instance.id,
            model=response.model,
            response_sample=response.sample,
            skill=skill,
            rater=rater,
            kind="metric",
            outcome=outcome,
            score=score,
            rationale=rationale,
        )
        for skill in (instance.annotation.skills if skills is None else skills)
    ]


def _verdict(metric: Metric, instance: Instance, response: Response) -> tuple[str, float | None, str]:
    if is_empty(response.text):
        return "empty_response", None, ""
    if not instance.reference:
        return "not_applicable", None, "no reference"
    return "scored", metric.function(response.text, instance.reference), ""
