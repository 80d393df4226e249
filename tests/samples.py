"""Small inputs that several tests share; all written for the tests."""

import json
from pathlib import Path

from flask_eval.records import write_jsonl

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real data sets beside the checkout; absent in a stranger's clone."""

NO_DATA = "the real data sets are not beside this checkout"

SKILLS = (("factuality", "readability"), ("logical_correctness", "conciseness", "comprehension"), ("harmlessness",))


def write_study(folder, *, instances=6, models=("alpha", "beta"), empty=()):
    """Write instances.jsonl and responses.jsonl into `folder`; returns both paths.

    `empty` names (instance, model) pairs whose response is empty.
    """
    rows = [
        {
            "id": str(n),
            "instruction": f"Question {n}: what is {n} + {n}?",
            "reference": str(2 * n),
            "annotation": {
                "skills": list(SKILLS[n % 3]),
                "domains": ["Math"],
                "difficulty": 1 + n % 5,
                "annotator": "test",
            },
            "source": "tests",
        }
        for n in range(1, instances + 1)
    ]
    write_jsonl(folder / "instances.jsonl", rows)
    answers = [
        {
            "instance": row["id"],
            "model": model,
            "text": "" if (row["id"], model) in empty else f"{model} says {row['reference']}.",
        }
        for model in models
        for row in rows
    ]
    write_jsonl(folder / "responses.jsonl", answers)
    return folder / "instances.jsonl", folder / "responses.jsonl"


def verdict(**scores):
    """A judge's answer as JSON text."""
    return json.dumps({name: {"rationale": f"because of {name}", "score": score} for name, score in scores.items()})
