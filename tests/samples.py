"""Small inputs that several tests share; all written for the tests."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from flask_eval.records import write_jsonl

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
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


def kill_after(server, answers, *words):
    """Run a command in a process of its own, and kill -9 it once the server has given so many answers."""
    command = [sys.executable, "-m", "flask_eval", *map(str, words)]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    while sum(server.answered.values()) < answers and child.poll() is None:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the command ended before it could be killed"


def verdict(**scores):
    """A judge's answer as JSON text."""
    return json.dumps({name: {"rationale": f"because of {name}", "score": score} for name, score in scores.items()})
