"""Models held against each other, paired by instance.

Each file imports from those above it only:

records     what a comparison says
adjusting   p values of a family, corrected for their number
cells       the scores of a rater, one a model, instance and skill
parts       which cells belong to a row: a skill, a domain, a slice
estimates   means and differences with cluster-robust errors
testing     p values and intervals
standing    rank ranges, probability of being best
interacting what a model does in one part against elsewhere
strengths   Bradley-Terry and mean win rate
notes       what the reader should be told
run         all of it, as one record
gates       thresholds for a CI job
"""

from __future__ import annotations

from flask_eval.analysis.comparing.records import Comparison, InteractionRow, ModelRow, PairRow, StrengthRow
from flask_eval.analysis.comparing.run import compare

__all__ = ["Comparison", "InteractionRow", "ModelRow", "PairRow", "StrengthRow", "compare"]
