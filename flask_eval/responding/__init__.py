"""Get responses from models: chat or completion, system prompt, worked examples, samples; resumable, every call kept."""

from flask_eval.responding.asking import OUTCOMES, Manner, outcome_of, requests, rows, shots_of
from flask_eval.responding.running import Responded, estimate, models_of, name_of, respond

__all__ = [
    "OUTCOMES",
    "Manner",
    "Responded",
    "estimate",
    "models_of",
    "name_of",
    "outcome_of",
    "requests",
    "respond",
    "rows",
    "shots_of",
]
