"""What a step of a study is, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAGES = ("annotate", "instances", "respond", "score", "agree", "compare", "report")
"""The stages of a study, in their order; a step is one of them, or one of its parts: `score:gpt`."""

Show = Callable[[int, str], None]


def _silent(_: str, __: int) -> AbstractContextManager[Show]:
    return nullcontext(lambda _done, _words: None)


@dataclass
class Session:
    """One command's work on a study."""

    budget: float | None = None
    """US dollars that all steps together may spend."""
    concurrency: int | None = None
    """Requests in flight, where neither step nor card says."""
    durable: bool = False
    progress: Callable[[str, int], AbstractContextManager[Show]] = _silent
    """Shows how far a step is: takes a label and a total, gives a function of how much is done, and words."""
    first_wait: float = 0.5
    """Seconds before the second attempt of a call."""
    spent: float = 0.0

    @property
    def left(self) -> float | None:
        """What is left of the budget, or none where there is no budget."""
        return None if self.budget is None else max(self.budget - self.spent, 0.0)

    def pay(self, cost_usd: float | None) -> None:
        """Count what a step cost."""
        self.spent += cost_usd or 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended."""

    words: str
    """A line for people."""
    result: dict[str, Any] = field(default_factory=dict)
    """The result record, as the command of that name writes it."""
    stopped_by: str = ""
    """Why work is left; empty where none is."""
    complete: bool = True
    """Whether the step can be skipped next time; false where calls failed, which are asked again."""
    missed: tuple[str, ...] = ()
    """Thresholds of the user that were missed."""
    notes: tuple[str, ...] = ()
    """What the user should know."""


@dataclass(frozen=True)
class Step:
    """One step of a study.

    Attributes:
        name: the stage, or stage and part: `score:gpt`.
        needs: names of the steps that it works on.
        outputs: files and run folders that it writes.
        inputs: the digest of each thing that shapes it, by name; what the steps before wrote is among them.
        run: does it.
        estimate: calls, tokens and cost still to come; told whether the steps before are done.
        renew: makes room where its inputs have changed; recorded calls stay.
        edited: whether people may want to edit what it writes, so that their work is not overwritten.
    """

    name: str
    needs: tuple[str, ...]
    outputs: tuple[Path, ...]
    inputs: Callable[[], dict[str, str]]
    run: Callable[[Session], Ended]
    estimate: Callable[[bool], dict[str, Any]] | None = None
    renew: Callable[[], None] | None = None
    edited: bool = False

    @property
    def stage(self) -> str:
        """The stage: `score` of `score:gpt`."""
        return self.name.partition(":")[0]
