"""The texts behind the ratings: instances and responses, read from the runs only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from flask_eval.ledger import Ledger
from flask_eval.schema import Instance, Response

ResponseKey = tuple[str, str, int]
"""Instance, model, response sample."""


@dataclass(frozen=True, eq=False)
class Texts:
    """Where instructions and responses stand."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    """What is known of the instances, by id."""
    runs: tuple[Path, ...] = ()
    """The folders of the runs whose ledgers hold the responses."""
    given: Mapping[ResponseKey, Response] = field(default_factory=dict)
    """Responses that no run holds."""

    def also(self, responses: Iterable[Response]) -> Texts:
        """The same, and these responses; they win over what a run holds."""
        made = {(one.instance, one.model, one.sample): one for one in responses}
        return replace(self, given={**self.given, **made})

    def responses(self, instances: Iterable[str]) -> dict[ResponseKey, Response]:
        """The responses to these instances, as far as the runs hold them or they were given.

        Raises:
            NotFoundError: a run is no longer where it was.
        """
        wanted = list(dict.fromkeys(instances))
        found: dict[ResponseKey, Response] = {}
        for run in self.runs:
            with Ledger(run / "ledger.sqlite", read_only=True) as ledger:
                for instance in wanted:
                    found.update(_held(ledger, instance))
        known = set(wanted)
        return found | {key: one for key, one in self.given.items() if key[0] in known}


def _held(ledger: Ledger, instance: str) -> dict[ResponseKey, Response]:
    rows = ledger.query(
        "SELECT model, sample, body, finish FROM response JOIN text ON text.digest = response.text WHERE instance = ?",
        (instance,),
    )
    return {
        (instance, model, sample): Response(instance=instance, model=model, sample=sample, text=body, finish=finish)
        for model, sample, body, finish in rows
    }
