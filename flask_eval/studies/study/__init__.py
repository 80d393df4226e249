"""A study: one YAML file, from instances to the page; each step resumes, and is skipped when nothing has changed."""

from flask_eval.studies.study.checked import Checked as Checked
from flask_eval.studies.study.checking import check as check
from flask_eval.studies.study.reading import StudyError as StudyError
from flask_eval.studies.study.reading import StudyFile as StudyFile
from flask_eval.studies.study.reading import read_study as read_study
from flask_eval.studies.study.running import StepReport as StepReport
from flask_eval.studies.study.running import StudyRun as StudyRun
from flask_eval.studies.study.running import prepare as prepare
from flask_eval.studies.study.running import run_study as run_study
from flask_eval.studies.study.running import steps_of as steps_of
