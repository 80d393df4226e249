"""Local servers that speak OpenAI's and Anthropic's chat APIs: for tests, for manual runs and for kill tests.

    with openai_server(latency=0.05, faults=STANDARD) as server:
        ...  # server.url, server.seen, server.counts()

    python tests/servers.py openai --port 0 --latency 0.05 --faults standard

A server runs in a thread of the test's process (other processes reach it by its URL), reads the schema of the request
and answers a valid verdict whose scores are made from a digest of the prompt.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

FAULTS = ("rate_limit", "server", "drop", "cut", "garbage", "missing", "out_of_range", "refusal", "empty")
REFUSAL = "I cannot help with that."
GARBAGE = "Well, it depends; ask me again tomorrow {"


@dataclass(frozen=True)
class Faults:
    """The share of the prompts for which each fault happens, on the first `times` requests with that prompt."""

    rate_limit: float = 0.0
    """429 with a retry-after header."""
    server: float = 0.0
    """500."""
    drop: float = 0.0
    """The connection is closed without an answer."""
    cut: float = 0.0
    """Finish reason length with half the JSON."""
    garbage: float = 0.0
    """Prose instead of JSON."""
    missing: float = 0.0
    """The last property is left out."""
    out_of_range: float = 0.0
    """Every score is 7."""
    refusal: float = 0.0
    """The model refuses."""
    empty: float = 0.0
    """The answer has no text."""
    times: int = 1
    """How many requests with the same prompt meet the fault, before the prompt is answered."""

    def __call__(self, digest: str, attempt: int) -> str | None:
        """The fault of this attempt (0 first) at this prompt, or none."""
        if attempt >= self.times:
            return None
        share = int(digest[:8], 16) / 2**32
        for name in FAULTS:
            share -= getattr(self, name)
            if share < 0:
                return name
        return None


STANDARD = Faults(
    rate_limit=0.05,
    server=0.03,
    drop=0.02,
    cut=0.02,
    garbage=0.02,
    missing=0.02,
    out_of_range=0.02,
    refusal=0.02,
    empty=0.02,
)


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    digest: str
    attempt: int

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema that the request asks for, or nothing."""
        return schema_of(self.body)


@dataclass(frozen=True)
class Raw:
    """An answer spelt out: `text` is the whole body."""

    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"


def prompt_digest(body: dict[str, Any]) -> str:
    """The digest of what the model is shown: system and messages."""
    shown = json.dumps([body.get("system"), body.get("messages") or body.get("prompt")], sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


def schema_of(body: dict[str, Any]) -> dict[str, Any]:
    """The schema in an OpenAI or an Anthropic request, or nothing."""
    wanted = (
        (body.get("response_format") or {}).get("json_schema")
        or (body.get("output_config") or {}).get("format")
        or body.get("output_format")  # what litellm still sends to Anthropic
        or {}
    )
    return wanted.get("schema") or {}


def instance_of(schema: dict[str, Any], digest: str, path: str = "") -> Any:
    """A value that the schema admits; choices are made by the digest of the prompt and the property's path."""
    if "enum" in schema:
        values = [value for value in schema["enum"] if value != "N/A"]
        return values[int(hashlib.sha256((digest + path).encode()).hexdigest()[:8], 16) % len(values)]
    kinds = schema.get("type", "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: instance_of(inner, digest, f"{path}/{name}") for name, inner in properties.items()}
    if kind in {"integer", "number"}:
        return 1
    return [] if kind == "array" else f"Because of {digest[:6]}."


def with_score(value: Any, score: int) -> Any:
    """The verdict with every score replaced."""
    if not isinstance(value, dict):
        return value
    return {name: score if name == "score" else with_score(inner, score) for name, inner in value.items()}


def content_of(body: dict[str, Any], digest: str, fault: str | None) -> tuple[str, str]:
    """The text and the finish reason (`stop`, `length`, `refusal`) of an answer."""
    schema = schema_of(body)
    value = instance_of(schema, digest) if schema else None
    if fault == "missing" and value:
        value.popitem()
    if fault == "out_of_range":
        value = with_score(value, 7)
    text = json.dumps(value) if schema else f"Answer {digest[:12]}."
    known = {
        "cut": (text[: len(text) // 2], "length"),
        "garbage": (GARBAGE, "stop"),
        "refusal": (REFUSAL, "refusal"),
        "empty": ("", "stop"),
    }
    return known.get(fault or "", (text, "stop"))


def openai_answer(body: dict[str, Any], text: str, finish: str) -> dict[str, Any]:
    """A chat completion as OpenAI writes it."""
    refused = finish == "refusal"
    message = {"role": "assistant", "content": None if refused else text, "refusal": text if refused else None}
    tokens = len(json.dumps(body["messages"])) // 4
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop" if refused else finish},
        ],
        "usage": {
            "prompt_tokens": tokens,
            "prompt_tokens_details": {"cached_tokens": tokens // 2},
            "completion_tokens": len(text) // 4,
            "total_tokens": tokens + len(text) // 4,
        },
    }


def anthropic_answer(body: dict[str, Any], text: str, finish: str) -> dict[str, Any]:
    """A message as Anthropic writes it, its text in two blocks."""
    half = len(text) // 2
    tokens = len(json.dumps([body.get("system"), body["messages"]])) // 4
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": part} for part in (text[:half], text[half:]) if part],
        "stop_reason": {"stop": "end_turn", "length": "max_tokens"}.get(finish, finish),
        "stop_sequence": None,
        "usage": {
            "input_tokens": tokens - 2 * (tokens // 4),
            "cache_read_input_tokens": tokens // 4,
            "cache_creation_input_tokens": tokens // 4,
            "output_tokens": len(text) // 4,
        },
    }


def continued(body: dict[str, Any], text: str, finish: str) -> dict[str, Any]:
    """A text continued, as servers answer at /completions."""
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    usage = {"prompt_tokens": len(body["prompt"]) // 4, "completion_tokens": len(text) // 4}
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }


ROUTES: dict[str, Callable[[dict[str, Any], str, str], dict[str, Any]]] = {
    "/v1/chat/completions": openai_answer,
    "/v1/completions": continued,
    "/v1/messages": anthropic_answer,
}


class LocalServer:
    """A server in a thread, at 127.0.0.1; it speaks both APIs, `url` is the base URL of the one named.

    Args:
        speaks: `openai` or `anthropic`.
        port: 0 takes a free one.
        latency: seconds before each answer, or a function of (prompt digest, attempt).
        faults: a function of (prompt digest, attempt) that names a fault or none.
        reply: makes the text from the request's body, or gives none for the usual answer.
        raw: makes a whole answer from (body, attempt), or gives none.
        refuse_key: every key is refused with 401, and quoted.
        cap: requests in flight beyond which 429 is answered.
        models: the models that the server lists at /models; none: it keeps no list.
    """

    def __init__(
        self,
        speaks: str = "openai",
        *,
        port: int = 0,
        latency: float | Callable[[str, int], float] = 0.0,
        faults: Callable[[str, int], str | None] | None = None,
        reply: Callable[[dict[str, Any]], str | None] | None = None,
        raw: Callable[[dict[str, Any], int], Raw | None] | None = None,
        refuse_key: bool = False,
        cap: int | None = None,
        retry_after: float = 0.05,
        models: tuple[str, ...] | None = None,
    ) -> None:
        self.speaks, self.port, self.latency = speaks, port, latency
        self.faults, self.reply, self.raw = faults, reply, raw
        self.refuse_key, self.cap, self.retry_after = refuse_key, cap, retry_after
        self.models = models
        self.seen: list[Seen] = []
        self.answered: Counter[str] = Counter()
        self.statuses: Counter[int | str] = Counter()
        self.in_flight = self.peak = 0
        self._attempts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base URL for the API that the server was made for."""
        return f"http://127.0.0.1:{self.port}" + ("/v1" if self.speaks == "openai" else "")

    def counts(self) -> dict[str, Any]:
        """Requests received; answered with a completion; distinct prompts among these; answered more than once."""
        return {
            "received": len(self.seen),
            "served": self.answered.total(),
            "distinct": len(self.answered),
            "repeated": sum(1 for n in self.answered.values() if n > 1),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items(), key=str)},
            "peak": self.peak,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**26)
        for path in ROUTES:
            app.router.add_post(path, self._handle)
        if self.models is not None:
            app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=2048)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        late = asyncio.all_tasks() - {asyncio.current_task()}
        for task in late:  # answers that nobody waits for any more
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models or ()]}
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        digest = prompt_digest(body)
        attempt = self._attempts[digest]
        self._attempts[digest] += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.path, headers, body, digest, attempt))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self._answer(request, self.seen[-1])
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        crowded = self.cap is not None and self.in_flight > self.cap
        wait = self.latency(seen.digest, seen.attempt) if callable(self.latency) else self.latency
        if wait and not crowded:
            await asyncio.sleep(wait)
        fault = "rate_limit" if crowded else self.faults(seen.digest, seen.attempt) if self.faults else None
        if fault == "drop":
            self.statuses["drop"] += 1
            if request.transport:
                request.transport.abort()
            return web.Response()
        answer = self._raw(seen, fault) or self._completion(seen, fault)
        self.statuses[answer.status] += 1
        return web.Response(text=answer.text, status=answer.status, headers=answer.headers, content_type=answer.kind)

    def _raw(self, seen: Seen, fault: str | None) -> Raw | None:
        if self.refuse_key:
            key = seen.headers.get("authorization") or seen.headers.get("x-api-key", "")
            return _error(401, "authentication_error", f"Incorrect API key provided: {key.removeprefix('Bearer ')}.")
        if fault == "rate_limit":
            return _error(429, "rate_limit_error", "Slow down.", {"retry-after": f"{self.retry_after:g}"})
        if fault == "server":
            return _error(500, "api_error", "Something broke.")
        return self.raw(seen.body, seen.attempt) if self.raw else None

    def _completion(self, seen: Seen, fault: str | None) -> Raw:
        text, finish = content_of(seen.body, seen.digest, fault)
        if self.reply and fault is None:
            custom = self.reply(seen.body)
            text = text if custom is None else custom
        self.answered[seen.digest] += 1
        return Raw(text=json.dumps(ROUTES[seen.path](seen.body, text, finish)))


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Raw:
    """An error body that both SDKs understand."""
    body = {"type": "error", "error": {"type": code, "code": code, "message": message}}
    return Raw(status, json.dumps(body), headers or {})


@contextmanager
def openai_server(**options: Any) -> Iterator[LocalServer]:
    """A running server; `url` ends in /v1."""
    with LocalServer("openai", **options) as server:
        yield server


@contextmanager
def anthropic_server(**options: Any) -> Iterator[LocalServer]:
    """A running server; `url` is the host."""
    with LocalServer("anthropic", **options) as server:
        yield server


def main() -> None:
    """Serve until SIGTERM or SIGINT; then print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speaks", choices=("openai", "anthropic"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--faults", choices=("none", "standard"), default="none")
    parser.add_argument("--refuse-key", action="store_true")
    parser.add_argument("--cap", type=int, metavar="N", help="more requests in flight are answered 429")
    chosen = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with LocalServer(
        chosen.speaks,
        port=chosen.port,
        latency=chosen.latency,
        faults=STANDARD if chosen.faults == "standard" else None,
        refuse_key=chosen.refuse_key,
        cap=chosen.cap,
    ) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        ended.wait()
        sys.stdout.write(json.dumps(server.counts()) + "\n")


if __name__ == "__main__":
    main()
