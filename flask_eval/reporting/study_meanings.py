"""What each measure means, and what it cannot say: two short sentences each, for readers who know no alpha."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """A measure explained."""

    title: str
    means: str
    limits: str


MEANINGS: dict[str, Meaning] = {
    "alpha": Meaning(
        "Krippendorff's alpha",
        "How much raters agree beyond chance: 1 is full agreement, 0 what chance gives; .8 is usually called reliable, "
        ".667 enough for tentative conclusions.",
        "Raters may agree and all be wrong. Where nearly all scores are equal it is low even if raters hardly differ.",
    ),
    "spearman": Meaning(
        "Spearman",
        "Whether two raters put responses in the same order: 1 the same, 0 no relation, \u22121 the reverse.",
        "A judge that is a point too generous everywhere still reaches 1. It does not say that the scores are equal.",
    ),
    "pearson": Meaning(
        "Pearson",
        "Whether scores rise and fall together along a straight line.",
        "Like Spearman it is blind to severity. Pooled over skills, part of it is only that some skills score higher "
        "than others: the row with skill means taken out shows what is left.",
    ),
    "kendall": Meaning(
        "Kendall",
        "The share of pairs of responses put in the same order less the share put in the other, with ties counted.",
        "It runs lower than Spearman on the same data; the two must not be compared with each other.",
    ),
    "kappa_quadratic": Meaning(
        "Quadratic kappa",
        "Whether scores are the same, with misses by more points counted more (by the square) and chance taken out.",
        "It depends on how often each score occurs, so figures from different data are hard to compare.",
    ),
    "kappa": Meaning(
        "Kappa",
        "How often two raters give the same label beyond what chance gives.",
        "It depends on how often each label occurs, and all disagreements count the same.",
    ),
    "exact": Meaning(
        "Exact",
        "The share of responses that get the very same score from the judge and a person.",
        "Chance is not taken out: where most scores are equal anyway it is high without any skill.",
    ),
    "within_one": Meaning(
        "Within one",
        "The share of responses whose two scores are at most one point apart.",
        "On a scale of five points chance alone gives much of it.",
    ),
    "icc": Meaning(
        "ICC",
        "The share of the spread of scores that is the responses' and not the raters': of one rater, or of the raters' mean.",
        "Severity counts against it. Where responses hardly differ it is low, however well raters agree.",
    ),
    "ceiling": Meaning(
        "Human ceiling",
        "What one person reaches against the other people on the same responses: people themselves get no higher.",
        "It is no hard limit: a judge with less noise than one person can pass it. With few people it is uncertain.",
    ),
    "gap": Meaning(
        "Difference to ceiling",
        "The judge's figure less a person's, both against the same people. Above 0: closer to people than a person is.",
        "An interval that holds 0 does not prove that the two are equal.",
    ),
    "replaces": Meaning(
        "Stands in for a person",
        "The alternative annotator test: leave out one person at a time; is the judge as close to the others, give or "
        "take epsilon? With at least half of the people: yes.",
        "Yes does not say that judge or people are right, and holds for such responses and people only.",
    ),
    "severity": Meaning(
        "Severity",
        "The mean of a rater's scores less the others' on the same responses, in points: below 0 severe, above 0 lenient.",
        "It does not say who is right. It shifts all models alike, so rankings may stand.",
    ),
    "central_tendency": Meaning(
        "Spread",
        "The spread of a rater's scores over that of the others: below 1 it keeps to the middle, above 1 it uses more of "
        "the scale.",
        "A rater with more noise also spreads more.",
    ),
    "length_slope": Meaning(
        "Length",
        "Points that a response twice as long gets on top, among responses that the others score alike.",
        "Longer responses may hold what the others overlooked: it shows a leaning, no cause.",
    ),
    "self_preference": Meaning(
        "Own family",
        "How much more lenient a judge is with models of its own family than with others.",
        "Families are told by names, and often only one model is of the family.",
    ),
    "drift": Meaning(
        "Drift",
        "How a rater's scores move from one sample to the next, in points.",
        "It needs repeated ratings of the same responses.",
    ),
    "halo": Meaning(
        "Halo",
        "Whether a judge's skills go together more than people's do: one impression that colours every score.",
        "A rater with less noise also correlates more, so people's figure is given freed of its noise too.",
    ),
    "noise": Meaning(
        "Noise floor",
        "The smallest difference of two models' means on these instances that is found with a chance of 80%.",
        "A smaller difference may be there and be missed. It says nothing of whether the judge is right.",
    ),
    "calibrated": Meaning(
        "Calibrated mean",
        "What people would have given on average: the judge's mean over all instances, corrected by its error where people "
        "rated too.",
        "It holds only where the instances that people rated are a random sample, or their chances are known.",
    ),
}
"""By measure."""
