"""Everything that is checked, in one command: `python -m tests` (format, lint, types, tests).

Words after it go to pytest: `python -m tests -k parsing`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    ("format", "ruff", "format", "--check", "."),
    ("lint", "ruff", "check", "."),
    ("types", "mypy"),
)


def main(words: list[str]) -> int:
    """Run each step; the first that fails ends it, save that tests run in any case."""
    failed = []
    for name, module, *options in STEPS:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", module, *options], cwd=ROOT, check=False).returncode:
            failed.append(name)
    print("== tests", flush=True)
    code = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, check=False).returncode
    if failed:
        print(f"failed: {', '.join(failed)}")
    return code or bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
