"""Cells to judge become requests, calls and ratings."""

from flask_eval.judging.inputs import read_instances as read_instances
from flask_eval.judging.inputs import read_responses as read_responses
from flask_eval.judging.planning import Plan as Plan
from flask_eval.judging.planning import plan as plan
from flask_eval.judging.run import Run as Run
from flask_eval.judging.run import open_run as open_run
from flask_eval.judging.scoring import score as score
