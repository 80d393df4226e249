"""Before anything is asked: is each server there, does it have the model, and is each key set?"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from flask_eval.adapters.keys import api_key, check_host, is_home, redact, secrets_of
from flask_eval.errors import UserError, nearest
from flask_eval.schema import JudgeCard
from flask_eval.studies.study.checked import Asked

WAIT = 5.0
"""Seconds that a server may take to list its models."""


def faults_of(asked: Iterable[Asked]) -> list[str]:
    """What keeps a study's models from being called: `file:line:column`, what, and the remedy.

    A server of one's own (`base_url`) is asked for the list of its models; a provider's own service and litellm are not asked.
    """
    found: list[str] = []
    listed: dict[str, list[str] | None] = {}
    for one in asked:
        try:
            check_host(one.card)
            key = None if one.card.adapter == "litellm" else api_key(one.card)
            if one.card.adapter == "openai" and one.card.base_url and not is_home(one.card):
                _check_model(one.card, key, listed)
        except UserError as error:
            found.append(f"{one.place}: {error}")
    return list(dict.fromkeys(found))


def _check_model(card: JudgeCard, key: str | None, listed: dict[str, list[str] | None]) -> None:
    url = str(card.base_url)
    if url not in listed:
        listed[url] = _models(card, key)
    known = listed[url]
    if known is None or card.model in known:
        return
    has = nearest(card.model, known) if known else "; it lists none"
    raise UserError(f"the server at {url} has no model '{card.model}'{has}")


def _models(card: JudgeCard, key: str | None) -> list[str] | None:
    """The models that a server lists, or none where it keeps no such list.

    Raises:
        UserError: nobody answers there.
    """
    request = urllib.request.Request(f"{card.base_url}/models", headers={"Accept": "application/json"})  # noqa: S310 (http or https, by the card)
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=WAIT) as answer:
            body = answer.read(10_000_000)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise UserError(
                f"the server at {card.base_url} refuses the key of '{card.name}' ({error.code}); "
                "name the key's variable in `api_key_env`"
            ) from None
        return None
    except (OSError, http.client.HTTPException) as error:
        reason = redact(str(getattr(error, "reason", error)), secrets_of(card, key))
        raise UserError(
            f"the server at {card.base_url} cannot be reached ({reason}); start it, or mend `base_url`"
        ) from None
    try:
        return _names(json.loads(body))
    except ValueError:
        return None


def _names(data: Any) -> list[str] | None:
    rows = data.get("data") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        return None
    return [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row]


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it could carry a key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Do not go there."""
