"""What a model is asked for each instance, and what its answer is as a response."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

from flask_eval.schema import Call, Completion, Instance, JudgeCard, Request, Response, digest, is_empty

OUTCOMES = ("answered", "empty", "truncated", "refused", "failed")
"""What came of asking for a response; all but the failed ones are kept in the file."""

Key = tuple[str, int]
"""Instance and sample."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How instances are put to a model."""

    samples: int = 1
    """Responses to each instruction."""
    system: str | None = None
    """A system prompt; one of the instance's own follows it in the same message."""
    shots: tuple[Instance, ...] = ()
    """Instances with a reference, some of which are shown as worked examples."""
    count: int = 0
    """How many of them."""
    per: Literal["run", "instance"] = "run"
    """The same examples for all instances, or drawn for each."""
    seed: int = 0
    """Of that choice."""
    completion: bool = False
    """One text to be continued in place of turns of a chat."""

    def record(self) -> dict[str, Any]:
        """What of it stands in the settings of each response; the system prompt by its digest."""
        made: dict[str, Any] = {}
        if self.system:
            made["system_digest"] = digest(self.system)
        if self.count:
            made["shots"] = {"count": self.count, "per": self.per, "seed": self.seed}
        if self.completion:
            made["completion"] = True
        return made


def outcome_of(completion: Completion | None) -> str:
    """What came of asking for a response."""
    if completion is None:
        return "failed"
    if completion.finish in ("refusal", "content_filter"):
        return "refused"
    if is_empty(completion.text):
        return "empty"
    return "truncated" if completion.finish == "length" else "answered"


def requests(
    instances: Iterable[Instance], settings: Mapping[str, Any], manner: Manner
) -> Iterator[tuple[Hashable, Request]]:
    """(instance, sample) with its request: system prompt, worked examples, earlier turns, instruction."""
    ordered = tuple(sorted(settings.items()))
    for one in instances:
        # one system message, and first: the chat templates of many models refuse another
        own = list(takewhile(lambda turn: turn.role == "system", one.messages))
        system = "\n\n".join(filter(None, (manner.system, *(turn.content for turn in own))))
        turns = tuple((turn.role, turn.content) for turn in one.messages[len(own) :])
        before = (("system", system),) if system else ()
        messages = (*before, *shots_of(manner, one), *turns, ("user", one.instruction))
        if manner.completion:
            # texts apart by a blank line; the model goes on where the instruction ends
            messages = (("prompt", "\n\n".join(text for _, text in messages) + "\n"),)
        for sample in range(manner.samples):
            yield (one.id, sample), Request(messages, (), ordered, sample)


def shots_of(manner: Manner, instance: Instance) -> tuple[tuple[str, str], ...]:
    """The worked examples before an instruction, never the instance itself."""
    if not manner.count:
        return ()
    drawn = [one for one in manner.shots if one.reference]
    seed = f"{manner.seed}:{instance.id}" if manner.per == "instance" else str(manner.seed)
    random.Random(seed).shuffle(drawn)  # noqa: S311 (no secret)
    kept = [one for one in drawn if one.id != instance.id and one.instruction != instance.instruction]
    pairs = ((("user", one.instruction), ("assistant", one.reference[0])) for one in kept[: manner.count])
    return tuple(turn for pair in pairs for turn in pair)


def rows(
    card: JudgeCard, model: str, found: Mapping[Any, Call], order: Sequence[Key], manner: Manner
) -> Iterator[dict[str, Any]]:
    """The responses as records, in the order of `order`; what failed or was not asked is none.

    Args:
        card: who was asked; its settings stand in each response, its key and address do not.
        model: the name of the model in the responses.
        found: the calls, by instance and sample.
        order: instances and samples.
        manner: how they were put to the model.
    """
    settings = {"adapter": card.adapter, "model": card.model, **manner.record(), **card.settings}
    for key in order:
        call = found.get(key)
        if call is not None and call.completion is not None:
            yield Response(
                instance=key[0],
                model=model,
                text=call.completion.text,
                sample=key[1],
                finish=call.completion.finish,
                settings=settings,
            ).model_dump(mode="json")
