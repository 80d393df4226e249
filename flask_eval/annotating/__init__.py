"""Instances get what scoring needs: domains, skills, difficulty, and where asked for checklists and references."""

from flask_eval.annotating.planning import Plan as Plan
from flask_eval.annotating.planning import plan_annotation as plan_annotation
from flask_eval.annotating.running import Annotated as Annotated
from flask_eval.annotating.running import annotate as annotate
