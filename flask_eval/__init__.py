"""Judge language models skill by skill, and know how far to trust the numbers.

The public names load on first use (PEP 562), so `import flask_eval` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "FlaskEvalError": "errors",
    "UserError": "errors",
    "Instance": "schema",
    "JudgeCard": "schema",
    "Rating": "schema",
    "Response": "schema",
    "RubricSet": "schema",
    "Scale": "schema",
    "Slice": "schema",
    "load_judge": "content",
    "load_rubrics": "content",
    "read_instances": "judging",
    "read_responses": "judging",
    "plan": "judging",
    "Plan": "judging",
    "score": "judging",
    "Run": "judging",
    "open_run": "judging",
    "RatingTable": "ratings",
    "read_ratings": "ratings",
    "slice_scores": "analysis.slices",
    "agree": "analysis.agreeing",
    "compare": "analysis.comparing",
    "report": "reporting",
    "plot": "reporting.figures",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 (a list once sorted)

if TYPE_CHECKING:
    from flask_eval.content import load_judge as load_judge
    from flask_eval.content import load_rubrics as load_rubrics
    from flask_eval.errors import FlaskEvalError as FlaskEvalError
    from flask_eval.errors import UserError as UserError
    from flask_eval.schema import Instance as Instance
    from flask_eval.schema import JudgeCard as JudgeCard
    from flask_eval.schema import Rating as Rating
    from flask_eval.schema import Response as Response
    from flask_eval.schema import RubricSet as RubricSet
    from flask_eval.schema import Scale as Scale
    from flask_eval.schema import Slice as Slice


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'flask_eval' has no attribute '{name}'")
    value = getattr(import_module(f"flask_eval.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__, "__version__"]
