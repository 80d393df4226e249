"""One self-contained page from the tables and the results of studies."""

from flask_eval.reporting.page import report

__all__ = ["report"]
