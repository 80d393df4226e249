"""Parsing: what a judge's completion says of each property it was asked for. Pure, total, and linear in the text.

A verdict in JSON (or nearly JSON) goes before one in prose; of several verdicts the last one that is the judge's own
counts; whatever is wrong with one property costs that property alone.
"""

from __future__ import annotations

from flask_eval.parsing.reading import read

__all__ = ["read"]
