"""Agreement studies: how far people agree, how far judges agree with them, and how sure that is.

Pure functions from the long table of ratings to frozen records; a measure that does not exist is none, with the reason.

    inter_rater         among people, among judges, of one rater with itself
    judge_versus_human  judges against people at the level of items, instances and systems
    judge_difference    the difference between two judges, on the same pairs
    ranking_accuracy    how often a judge orders two responses as people do
    confusion           what the judge gave where people gave each score
    disattenuated       the correlation corrected for the people's own unreliability
    prepare             the ratings, coded once for several of these
    alpha               Krippendorff's alpha of a table of counts
"""

from flask_eval.analysis.agreement.alphas import alpha
from flask_eval.analysis.agreement.among import INTER_RATER_MEASURES, inter_rater
from flask_eval.analysis.agreement.attenuation import disattenuated
from flask_eval.analysis.agreement.confusions import confusion
from flask_eval.analysis.agreement.differences import judge_difference
from flask_eval.analysis.agreement.judge_human import judge_versus_human
from flask_eval.analysis.agreement.matching import VERSUS_MEASURES
from flask_eval.analysis.agreement.rankings import ranking_accuracy
from flask_eval.analysis.agreement.records import (
    Confusion,
    Disattenuated,
    InterRater,
    JudgeDifference,
    JudgeVersusHuman,
    Method,
    Pair,
    RankingAccuracy,
    to_dicts,
)
from flask_eval.analysis.agreement.setting import Options, Setting, prepare

__all__ = [
    "INTER_RATER_MEASURES",
    "VERSUS_MEASURES",
    "Confusion",
    "Disattenuated",
    "InterRater",
    "JudgeDifference",
    "JudgeVersusHuman",
    "Method",
    "Options",
    "Pair",
    "RankingAccuracy",
    "Setting",
    "alpha",
    "confusion",
    "disattenuated",
    "inter_rater",
    "judge_difference",
    "judge_versus_human",
    "prepare",
    "ranking_accuracy",
    "to_dicts",
]
