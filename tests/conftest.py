"""Fixtures that several tests share."""

import pytest

from flask_eval.cli import _run


@pytest.fixture
def run(capsys):
    """Run a command in this process: (exit code, standard output, standard error)."""

    def command(*words):
        code = _run([str(w) for w in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command
