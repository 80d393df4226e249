"""Adapters against local servers: what is sent, what comes back, what goes wrong, and where keys go."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import subprocess
import sys
import textwrap
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers import GARBAGE, REFUSAL, STANDARD, Faults, LocalServer, Raw, anthropic_server, openai_server

from flask_eval.adapters import answer_schema, api_key, open_adapter, redact
from flask_eval.adapters.faults import Faults as FaultReader
from flask_eval.adapters.faults import retry_after
from flask_eval.errors import CallError, MissingPackageError, UserError
from flask_eval.schema import Asked, JudgeCard, Request, Scale

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-proj-Zk3+9q/Xw7RtB2mLp8Vd"
SCALE = Scale(min=1, max=5)
ASKED = (
    Asked("logical_correctness", "Logical Correctness", SCALE, ("logical_correctness",)),
    Asked("conciseness", "Conciseness", SCALE, ("conciseness",)),
)
SERVERS = {"openai": openai_server, "anthropic": anthropic_server}
both = pytest.mark.parametrize("speaks", ["openai", "anthropic"])


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in (
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "OPENAI_CUSTOM_HEADERS",
    ):
        monkeypatch.delenv(name, raising=False)


def request(text="Is it so?", *, asked=ASKED, **settings):
    messages = (("system", "You are a judge."), ("user", text))
    return Request(messages, asked, tuple(sorted(settings.items())))


def card(adapter="openai", **fields):
    return JudgeCard(**{"name": "judge", "adapter": adapter, "model": "m", **fields})


def ask(judge, *requests, timeout=10.0):
    """The completions (or CallErrors) of requests that are sent at the same time."""

    async def send():
        adapter = open_adapter(judge, concurrency=len(requests), timeout=timeout)
        try:
            return await asyncio.gather(*(adapter.complete(r) for r in requests), return_exceptions=True)
        finally:
            await adapter.close()

    return asyncio.run(send())


def answer_of(speaks, *, timeout=10.0, judge=None, asked=None, **options):
    """The one completion or error of a server with these options, and the server."""
    with SERVERS[speaks](**options) as server:
        judge = judge or card(speaks, base_url=server.url)
        return ask(judge, asked or request(), timeout=timeout)[0], server


def failing(speaks, status, body, headers=None, **options):
    raw = Raw(status, body if isinstance(body, str) else json.dumps(body), headers or {})
    error, _ = answer_of(speaks, raw=lambda *_: raw, **options)
    assert isinstance(error, CallError)
    return error


class TestAnswerSchema:
    def test_skills_stand_in_the_order_asked_and_the_rationale_before_the_score(self):
        schema = answer_schema(ASKED)
        assert list(schema["properties"]) == schema["required"] == ["logical_correctness", "conciseness"]
        inner = schema["properties"]["conciseness"]
        assert list(inner["properties"]) == inner["required"] == ["rationale", "score"]
        assert inner["description"] == "Conciseness"
        assert schema["additionalProperties"] is inner["additionalProperties"] is False

    @pytest.mark.parametrize(
        ("scale", "wanted"),
        [
            (SCALE, {"type": ["integer", "string"], "enum": [1, 2, 3, 4, 5, "N/A"]}),
            (Scale(min=0, max=1, step=0.5), {"type": ["number", "string"], "enum": [0, 0.5, 1, "N/A"]}),
            (Scale(labels=("no", "yes")), {"type": "string", "enum": ["no", "yes", "N/A"]}),
        ],
    )
    def test_levels_are_an_enum_of_json_values_never_a_range(self, scale, wanted):
        score = answer_schema([Asked("a", "A", scale, ("a",))])["properties"]["a"]["properties"]["score"]
        assert score == wanted
        assert "minimum" not in json.dumps(score)

    def test_without_rationale_only_the_score_is_asked_for(self):
        inner = answer_schema([Asked("a", "A", SCALE, ("a",), rationale=False)])["properties"]["a"]
        assert inner["required"] == list(inner["properties"]) == ["score"]

    def test_more_levels_than_strict_mode_takes_are_described_instead(self):
        wide = [Asked(f"q{k}", "Q", Scale(min=0, max=100), ("a",)) for k in range(10)]
        score = answer_schema(wide)["properties"]["q3"]["properties"]["score"]
        assert "enum" not in score
        assert "0-100" in score["description"]


class TestOpenAI:
    def test_the_request_holds_messages_settings_and_a_strict_schema(self):
        sent = request(temperature=0, max_tokens=50, seed=3, top_k=7)
        completion, server = answer_of("openai", asked=sent)
        body = server.seen[0].body
        assert body["messages"] == [
            {"role": "system", "content": "You are a judge."},
            {"role": "user", "content": "Is it so?"},
        ]
        assert {k: body[k] for k in ("model", "temperature", "max_tokens", "seed", "top_k")} == {
            "model": "m", "temperature": 0, "max_tokens": 50, "seed": 3, "top_k": 7
        }  # fmt: skip
        wanted = {"name": "verdict", "strict": True, "schema": answer_schema(ASKED)}
        assert body["response_format"] == {"type": "json_schema", "json_schema": wanted}
        assert list(server.seen[0].schema["properties"]) == ["logical_correctness", "conciseness"]
        assert completion.finish == "stop"
        assert json.loads(completion.text).keys() == {"logical_correctness", "conciseness"}

    def test_nothing_is_sent_that_was_not_asked_for(self):
        _, server = answer_of("openai", asked=request(asked=()))
        assert server.seen[0].body.keys() == {"model", "messages"}

    @pytest.mark.parametrize(
        ("settings", "wanted"),
        [
            ({"structured": False}, None),
            ({"response_format": "text"}, {"type": "text"}),
            ({"response_format": {"type": "json_object"}}, {"type": "json_object"}),
        ],
    )
    def test_the_schema_can_be_switched_off_for_servers_that_do_not_know_it(self, settings, wanted):
        _, server = answer_of("openai", asked=request(**settings))
        assert server.seen[0].body.get("response_format") == wanted
        assert "structured" not in server.seen[0].body

    def test_a_server_that_refuses_the_schema_is_answered_with_the_setting_to_change(self):
        error = failing("openai", 400, {"error": {"message": "unknown field: response_format"}})
        assert error.kind == "request"
        assert "structured: false" in str(error)

    def test_tokens_are_counted_with_the_cached_ones_apart(self):
        completion, server = answer_of("openai")
        usage = (completion.input_tokens, completion.cached_tokens, completion.output_tokens)
        assert usage[0] == 2 * usage[1] + usage[0] % 2 > 0
        assert usage[2] == len(completion.text) // 4
        assert completion.seconds > 0
        assert server.counts()["served"] == 1

    @pytest.mark.parametrize(
        ("body", "text", "finish"),
        [
            ({"choices": [{"message": {"content": "x"}}]}, "x", "stop"),
            ({"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}, "", "content_filter"),
            ({"choices": [{"message": {"content": [{"type": "text", "text": "ab"}]}}], "usage": None}, "ab", "stop"),
            ({"choices": [{"message": {"content": "x"}, "finish_reason": "eos"}]}, "x", "eos"),
            ({"choices": [{"message": {"content": "half \ud83d"}}]}, "half \ufffd", "stop"),
        ],
    )
    def test_answers_of_other_servers_are_read_too(self, body, text, finish):
        completion, _ = answer_of("openai", raw=lambda *_: Raw(text=json.dumps(body)))
        assert (completion.text, completion.finish) == (text, finish)
        assert completion.input_tokens == completion.cached_tokens == completion.output_tokens == 0

    @pytest.mark.parametrize("body", ["", "not JSON", "[]", "{}", '{"choices": []}', '{"choices": [{"text": "x"}]}'])
    def test_an_answer_without_a_completion_is_the_servers_fault(self, body):
        error = failing("openai", 200, body)
        assert (error.kind, error.retryable) == ("server", True)

    def test_an_error_inside_of_an_answer_with_status_200_is_an_error(self):
        error = failing("openai", 200, {"error": {"code": 429, "message": "upstream is busy"}})
        assert error.kind == "rate_limit"

    def test_a_setting_that_is_not_the_cards_to_choose_is_refused_before_any_call(self):
        with pytest.raises(UserError, match="'stream'"):
            open_adapter(card(base_url="http://127.0.0.1:1/v1", settings={"stream": True}), concurrency=1)


class TestAnthropic:
    def test_the_system_message_is_a_cached_block_and_the_schema_has_no_type_lists(self):
        _, server = answer_of("anthropic", asked=request(max_tokens=50, effort="low"))
        body = server.seen[0].body
        assert body["system"] == [{"type": "text", "text": "You are a judge.", "cache_control": {"type": "ephemeral"}}]
        assert body["messages"] == [{"role": "user", "content": "Is it so?"}]
        wanted = {"type": "json_schema", "schema": answer_schema(ASKED, typed=False)}
        assert body["output_config"] == {"effort": "low", "format": wanted}
        assert '"type": ["' not in json.dumps(body)
        assert body["max_tokens"] == 50
        assert not body.keys() & {"temperature", "top_p", "top_k"}

    def test_max_tokens_has_a_default_because_the_api_demands_one(self):
        _, server = answer_of("anthropic", asked=request(structured=False))
        assert server.seen[0].body["max_tokens"] == 2048
        assert "output_config" not in server.seen[0].body

    @pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
    def test_sampling_settings_are_refused_before_any_call_with_what_to_do(self, name):
        judge = card("anthropic", base_url="http://127.0.0.1:1", settings={name: 0})
        with pytest.raises(UserError, match=f"{name}.*litellm"):
            open_adapter(judge, concurrency=1)

    def test_an_older_version_of_the_api_takes_a_temperature(self):
        settings = {"anthropic_version": "2023-06-01", "temperature": 0}
        with anthropic_server() as server:
            ask(card("anthropic", base_url=server.url, settings=settings), request(**settings))
        assert server.seen[0].headers["anthropic-version"] == "2023-06-01"
        assert server.seen[0].body["temperature"] == 0
        assert "anthropic_version" not in server.seen[0].body

    def test_text_blocks_are_joined_and_tokens_written_to_the_cache_count_as_input(self):
        completion, server = answer_of("anthropic")
        assert json.loads(completion.text).keys() == {"logical_correctness", "conciseness"}
        shown = [server.seen[0].body["system"], server.seen[0].body["messages"]]
        assert completion.input_tokens == len(json.dumps(shown)) // 4
        assert completion.cached_tokens == completion.input_tokens // 4

    @pytest.mark.parametrize(
        ("reason", "finish"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("refusal", "refusal"),
            ("pause_turn", "pause_turn"),
        ],
    )
    def test_stop_reasons_become_ours(self, reason, finish):
        body = {
            "content": [{"type": "thinking", "thinking": "?"}, {"type": "text", "text": "x"}],
            "stop_reason": reason,
        }
        completion, _ = answer_of("anthropic", raw=lambda *_: Raw(text=json.dumps(body)))
        assert (completion.text, completion.finish) == ("x", finish)


class TestBothAlike:
    @both
    @pytest.mark.parametrize(
        ("fault", "finish", "text"),
        [("refusal", "refusal", REFUSAL), ("empty", "stop", ""), ("garbage", "stop", GARBAGE), ("cut", "length", None)],
    )
    def test_odd_answers_are_completions_for_the_parser_to_judge(self, speaks, fault, finish, text):
        completion, _ = answer_of(speaks, faults=Faults(**{fault: 1.0}))
        assert completion.finish == finish
        assert text is None or completion.text == text

    @both
    @pytest.mark.parametrize(
        ("fault", "kind", "status"),
        [("rate_limit", "rate_limit", 429), ("server", "server", 500), ("drop", "connection", None)],
    )
    def test_transport_faults_have_a_kind_that_may_be_tried_again(self, speaks, fault, kind, status):
        error, server = answer_of(speaks, faults=Faults(**{fault: 1.0}))
        assert (error.kind, error.status, error.retryable) == (kind, status, True)
        assert error.retry_after == (0.05 if fault == "rate_limit" else None)
        assert len(server.seen) == 1  # the SDKs' own retries are off

    @both
    def test_a_slow_answer_is_a_timeout(self, speaks):
        error, _ = answer_of(speaks, latency=5.0, timeout=0.2)
        assert error.kind == "timeout"

    @both
    def test_a_server_that_is_not_there_is_named(self, speaks):
        judge = card(speaks, base_url="http://127.0.0.1:1/v1")
        error = ask(judge, request())[0]
        assert error.kind == "connection"
        assert "http://127.0.0.1:1/v1" in str(error)

    @both
    def test_a_redirect_is_not_followed_with_the_prompts(self, speaks):
        with openai_server() as elsewhere:
            error = failing(speaks, 307, "", {"location": elsewhere.url + "/chat/completions"})
        assert error.kind == "not_found"
        assert elsewhere.seen == []

    @both
    def test_a_request_that_is_no_text_is_its_own_fault(self, speaks):
        error, server = answer_of(speaks, asked=request("half \ud83d"))
        assert error.kind == "request"
        assert server.seen == []

    @both
    def test_a_hundred_requests_are_in_flight_at_once(self, speaks):
        with SERVERS[speaks](latency=0.5) as server:
            found = ask(card(speaks, base_url=server.url), *(request(f"Question {k}") for k in range(100)))
        assert all(json.loads(completion.text) for completion in found)
        assert server.peak == 100
        assert server.counts()["distinct"] == 100

    @both
    def test_nothing_is_left_open(self, speaks, caplog):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            answer_of(speaks)
            gc.collect()
        assert [str(w.message) for w in told if "nclosed" in str(w.message)] == []
        assert [r.message for r in caplog.records if r.name == "asyncio"] == []

    @both
    def test_the_identity_is_adapter_base_url_and_model_whatever_the_environment_says(self, speaks, monkeypatch):
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/v1")
        home = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}[speaks]
        identity = open_adapter(card(speaks), concurrency=1, sends=False).identity(request())
        assert json.loads(identity) == [speaks, home, "m"]
        local = card(speaks, base_url="http://127.0.0.1:8000/v1/")
        identity = open_adapter(local, concurrency=1).identity(request())
        assert json.loads(identity) == [speaks, "http://127.0.0.1:8000/v1", "m"]

    @both
    def test_the_clients_own_variables_do_not_move_it(self, speaks, monkeypatch):
        monkeypatch.setenv(f"{speaks.upper()}_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv(f"{speaks.upper()}_API_KEY", KEY)
        adapter = open_adapter(card(speaks), concurrency=1)
        assert adapter._client.base_url.host == f"api.{speaks}.com"
        asyncio.run(adapter.close())

    def test_an_adapter_for_a_plan_needs_no_key_and_sends_nothing(self):
        adapter = open_adapter(card(), concurrency=1, sends=False)
        with pytest.raises(CallError):
            asyncio.run(adapter.complete(request()))


class TestFaults:
    @pytest.mark.parametrize(
        ("status", "error", "kind"),
        [
            (401, {"message": "bad key"}, "denied"),
            (403, {"message": "not for you"}, "denied"),
            (404, {"message": "no such model"}, "not_found"),
            (408, {"message": "too slow"}, "timeout"),
            (409, {"message": "conflict"}, "server"),
            (429, {"code": "rate_limit_exceeded", "message": "slow down"}, "rate_limit"),
            (429, {"code": "insufficient_quota", "message": "check your plan and billing details"}, "quota"),
            (429, {"status": "RESOURCE_EXHAUSTED", "message": "check your plan and billing details"}, "rate_limit"),
            (402, {"message": "Insufficient credits"}, "quota"),
            (400, {"type": "invalid_request_error", "message": "Your credit balance is too low"}, "quota"),
            (400, {"code": "billing_hard_limit_reached", "message": "limit"}, "quota"),
            (400, {"code": "context_length_exceeded", "message": "maximum context length is 8192"}, "request"),
            (500, {"type": "exceed_context_size_error", "message": "the request exceeds the context size"}, "request"),
            (413, {"message": "too large"}, "request"),
            (422, {"message": "unprocessable"}, "request"),
            (500, {"message": "oops"}, "server"),
            (503, {"message": "overloaded"}, "server"),
            (529, {"type": "overloaded_error", "message": "Overloaded"}, "server"),
        ],
    )
    @both
    def test_the_status_and_the_code_give_the_kind(self, speaks, status, error, kind):
        found = failing(speaks, status, {"error": error})
        assert (found.kind, found.status) == (kind, status)
        assert ("the key was refused" if status == 401 else error["message"]) in str(found)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("<html><body>Bad\x00\n gateway</body></html>", "Bad gateway"),
            ('{"detail": [{"msg": "Field required", "input": "the whole prompt"}]}', "Field required"),
            ('{"error": "model \\"x\\" not found"}', 'model "x" not found'),
            ('[{"error": {"message": "from Google"}}]', "from Google"),
            ('{"error": {"message": "half \\ud83d"}}', "half \ufffd"),
            ("x" * 1000, "x" * 297 + "..."),
        ],
    )
    def test_the_servers_words_are_short_and_in_one_line(self, body, said):
        message = str(FaultReader("the server").answered(500, {}, body))
        assert message == f"HTTP 500 from the server: {said}"

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "7"}, 7.0),
            ({"Retry-After": "1.5"}, 1.5),
            ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
            ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
            ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, 0.0),
            ({"retry-after": "-3"}, 0.0),
            ({"retry-after": "4300000"}, 120.0),
            ({"retry-after": "inf"}, 120.0),
            ({"retry-after": "nan"}, None),
            ({"retry-after": "later"}, None),
            ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}, 90.0),
            ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "300ms"}, 0.3),
            ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2.5"}, 2.5),
            ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h"}, 120.0),
            ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
            ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1s?"}, None),
            ({"llm_provider-retry-after": "3"}, 3.0),
            ({"anthropic-ratelimit-tokens-reset": "2026-10-21T07:28:20Z"}, 20.0),
            (
                {
                    "anthropic-ratelimit-requests-remaining": "4",
                    "anthropic-ratelimit-requests-reset": "2026-10-21T07:29:00Z",
                    "anthropic-ratelimit-input-tokens-remaining": "0",
                    "anthropic-ratelimit-input-tokens-reset": "2026-10-21T07:28:05+00:00",
                },
                5.0,
            ),
        ],
    )
    def test_the_wait_that_a_server_asks_for_is_read_in_every_form(self, headers, seconds):
        now = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)
        assert retry_after(headers, now) == (None if seconds is None else pytest.approx(seconds))


class TestKeys:
    @both
    def test_the_key_that_the_card_names_is_sent_and_no_other(self, speaks, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-strangers")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-for-strangers")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-not-for-strangers")
        monkeypatch.setenv("GATEWAY_KEY", KEY)
        with SERVERS[speaks]() as server:
            ask(card(speaks, base_url=server.url), request())
            ask(card(speaks, base_url=server.url, api_key_env="GATEWAY_KEY"), request())
        assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer none", f"Bearer {KEY}"]
        assert "strangers" not in json.dumps([seen.headers for seen in server.seen])

    @both
    def test_a_server_that_quotes_the_key_does_not_get_it_into_the_error(self, speaks, monkeypatch):
        monkeypatch.setenv("GATEWAY_KEY", KEY)
        with SERVERS[speaks](refuse_key=True) as server:
            error = ask(card(speaks, base_url=server.url, api_key_env="GATEWAY_KEY"), request())[0]
        assert (error.kind, error.fatal) == ("denied", True)
        assert "the key was refused" in str(error)
        assert error.__cause__ is None
        assert error.__context__ is None

    @pytest.mark.parametrize(
        "encode", [str, lambda key: base64.b64encode(f"user:{key}".encode()).decode(), lambda key: key.encode().hex()]
    )
    def test_a_key_that_a_server_puts_into_a_completion_is_not_kept(self, encode, monkeypatch):
        """In clear, in base64, in hex; the rest of the completion stays as it is."""
        monkeypatch.setenv("GATEWAY_KEY", KEY)
        with openai_server(reply=lambda _: f"before {encode(KEY)} after sk-somebody-elses") as server:
            found = ask(card("openai", base_url=server.url, api_key_env="GATEWAY_KEY"), request())[0]
        assert KEY not in found.text
        assert KEY[8:] not in found.text
        assert encode(KEY)[10:-10] not in found.text
        assert found.text.startswith("before ")
        assert found.text.endswith(" after sk-somebody-elses")

    def test_a_refusal_without_a_key_says_how_to_name_one(self):
        error = failing("openai", 401, {"error": {"message": "no"}})
        assert "api_key_env" in str(error)

    @pytest.mark.parametrize(
        "shown",
        [
            f"key {KEY}",
            "key sk-proj-Zk3%2B9q%2FXw7RtB2mLp8Vd",
            "ends in B2mLp8Vd.",
            "got RtB2mLp8 and Zk3+9q/Xw",
            "masked sk-proj-****************p8Vd",
            "masked sk-…p8Vd",
            f"header Bearer {KEY}, sorry",
            "somebody else's gsk_0123456789abcdef",
        ],
    )
    def test_no_part_of_a_key_is_left(self, shown):
        clean = redact(shown, [KEY])
        assert "[key]" in clean
        assert not any(part in clean for part in ("p8Vd", "B2mL", "Zk3", "89abc"))

    def test_the_rest_of_the_text_stays(self):
        assert redact(f"a {KEY} b {KEY[:9]} c", [KEY]) == "a [key] b [key] c"
        assert redact("a risk-averse test", ["averse", "is"]) == "a risk-[key] test"
        assert redact("nothing to hide", [KEY, ""]) == "nothing to hide"

    @pytest.mark.parametrize(
        ("fields", "variable"),
        [
            ({}, "OPENAI_API_KEY"),
            ({"base_url": "https://eu.api.openai.com/v1"}, "OPENAI_API_KEY"),
            ({"adapter": "anthropic"}, "ANTHROPIC_API_KEY"),
            ({"api_key_env": "MY_KEY"}, "MY_KEY"),
            ({"api_key_env": "MY_KEY", "base_url": "https://gateway.example/v1"}, "MY_KEY"),
        ],
    )
    def test_a_missing_key_is_told_by_its_variable_before_any_call(self, fields, variable, monkeypatch):
        judge = card(**fields)
        with pytest.raises(UserError, match=variable):
            open_adapter(judge, concurrency=1)
        monkeypatch.setenv(variable, f" {KEY}\n")
        assert api_key(judge) == KEY

    @pytest.mark.parametrize(
        "url",
        ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:8000/v1", "http://10.0.0.3/v1"],
    )
    def test_a_local_server_needs_none_even_if_the_card_names_one(self, url):
        assert api_key(card(base_url=url, api_key_env="MY_KEY")) is None

    @pytest.mark.parametrize(
        "url", ["https://example.org/v1", "http://api.openai.com/v1", "https://api.openai.com.evil.org/v1"]
    )
    def test_the_key_of_openai_goes_to_openai_over_tls_alone(self, url, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert api_key(card(base_url=url)) is None

    def test_a_key_with_a_stray_character_is_refused_without_being_shown(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-\u201cquoted\u201d")
        with pytest.raises(UserError, match="OPENAI_API_KEY") as caught:
            api_key(card())
        assert "quoted" not in str(caught.value)

    def test_headers_of_the_environment_do_not_carry_a_login_to_another_host(self, monkeypatch):
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-team: a\nAuthorization: Bearer b")
        with pytest.raises(UserError, match="OPENAI_CUSTOM_HEADERS"):
            open_adapter(card(base_url="http://127.0.0.1:1/v1"), concurrency=1)


class TestOpening:
    @pytest.mark.parametrize(
        "url", ["localhost:8000/v1", "ftp://x", "http://me:hunter2secret@x/v1", "http://x/v1?api_key=hunter2secret"]
    )
    def test_a_base_url_that_is_none_or_holds_a_key_is_refused(self, url):
        with pytest.raises(ValueError, match=r"http://|no login") as caught:
            card(base_url=url)
        assert "hunter2secret" not in str(caught.value)

    @pytest.mark.parametrize("name", ["api_key", "Authorization", "extra_headers", "x-api-token"])
    def test_settings_that_may_hold_a_key_are_refused(self, name):
        with pytest.raises(ValueError, match="may hold a key"):
            card(settings={name: "hunter2secret"})

    def test_a_value_that_looks_like_a_key_is_refused_unseen(self):
        with pytest.raises(ValueError, match="looks like a key") as caught:
            card(settings={"user": KEY})
        assert KEY not in str(caught.value)

    def test_a_metric_has_no_adapter(self):
        with pytest.raises(UserError, match="metric"):
            open_adapter(card("metric", model="rouge_l"), concurrency=1)

    def test_more_requests_in_flight_than_connections_are_refused(self):
        with pytest.raises(UserError, match="1000"):
            open_adapter(card(), concurrency=1001)

    def test_an_absent_package_is_named_with_the_command_that_installs_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "anthropic", None)
        with pytest.raises(MissingPackageError, match="pip install"):
            open_adapter(card("anthropic", base_url="http://127.0.0.1:1"), concurrency=1)

    def test_newer_models_get_the_newer_name_of_max_tokens_at_openai_only(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        adapter = open_adapter(card(), concurrency=1)
        assert adapter._body(request(max_tokens=9))["max_completion_tokens"] == 9
        assert "max_tokens" not in adapter._body(request(max_tokens=9))
        asyncio.run(adapter.close())


def run(code, *arguments, **environment):
    """What a Python process prints that runs the code with the tests' folder on its path."""
    lines = textwrap.dedent(code)
    found = subprocess.run(
        [sys.executable, "-c", lines, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
    )
    assert found.returncode == 0, found.stderr
    return found


def test_importing_the_adapters_imports_no_provider():
    code = """
        import sys
        import flask_eval.adapters
        print(sorted({"openai", "anthropic", "litellm", "httpx", "aiohttp", "pandas"} & sys.modules.keys()))
    """
    assert run(code).stdout == "[]\n"


LITELLM = """
    import asyncio, json, socket, sys
    looked_up = []
    usual = socket.getaddrinfo
    def guarded(host, *rest, **named):
        looked_up.append(host)
        if host not in ("127.0.0.1", b"127.0.0.1"):
            raise socket.gaierror("no look-ups here")
        return usual(host, *rest, **named)
    socket.getaddrinfo = guarded
    from flask_eval.adapters import open_adapter
    from flask_eval.errors import CallError
    from flask_eval.schema import Asked, JudgeCard, Request, Scale
    async def main():
        asked = tuple(Asked(n, n, Scale(min=1, max=5), (n,)) for n in ("b", "a"))
        settings = (("max_tokens", 9), ("temperature", 0))
        card = JudgeCard(name="j", adapter="litellm", model=sys.argv[2], base_url=sys.argv[1], api_key_env="GATEWAY_KEY")
        adapter, second = (open_adapter(card, concurrency=4, timeout=float(sys.argv[3])) for _ in range(2))
        found = []
        for text in sys.argv[4:]:
            request = Request((("system", "s"), ("user", text)), asked, settings)
            try:
                c = await adapter.complete(request)
                found.append([c.text, c.finish, c.input_tokens, c.cached_tokens, c.output_tokens])
            except CallError as error:
                found.append([error.kind, error.status, error.retry_after, str(error), repr(error.__context__)])
        await second.close()
        await adapter.close()
        print(json.dumps({"found": found, "identity": json.loads(adapter.identity(request)), "looked_up": looked_up}))
    asyncio.run(main())
"""


def litellm(server: LocalServer, model, *texts, timeout=10.0):
    """The completions and errors through litellm, in a process where no name can be looked up."""
    options = {"GATEWAY_KEY": KEY, "OPENAI_API_KEY": "sk-not-for-strangers", "PYTHONWARNINGS": "error::ResourceWarning"}
    done = run(LITELLM, server.url, model, str(timeout), *texts, **options)
    assert done.stderr == ""
    return json.loads(done.stdout)


class TestLiteLLM:
    def test_a_local_server_is_asked_without_any_look_up_or_chatter(self):
        with openai_server() as server:
            told = litellm(server, "openai/m", "Is it so?")
        text, finish, *tokens = told["found"][0]
        assert list(json.loads(text)) == ["b", "a"]
        assert finish == "stop"
        assert all(tokens)
        assert told["identity"] == ["litellm", server.url, "openai/m"]
        assert set(told["looked_up"]) <= {"127.0.0.1"}
        body = server.seen[0].body
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 9, 0)
        assert list(server.seen[0].schema["properties"]) == ["b", "a"]
        assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"

    def test_faults_have_the_same_kinds_as_with_the_sdks(self):
        def raw(body, _):
            return {
                "busy": Raw(429, '{"error": {"message": "slow down"}}', {"retry-after": "7"}),
                "poor": Raw(429, '{"error": {"code": "insufficient_quota", "message": "pay"}}'),
                "gone": Raw(404, '{"error": {"message": "no such model"}}'),
                "long": Raw(400, '{"error": {"code": "context_length_exceeded", "message": "too long"}}'),
                "quoted": Raw(401, json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})),
                "odd": Raw(200, "not JSON"),
            }.get(body["messages"][-1]["content"])

        with openai_server(raw=raw, faults=lambda _, k: None) as server:
            told = litellm(server, "openai/m", "busy", "poor", "gone", "long", "quoted", "odd", "half \udc80")["found"]
        assert [(kind, wait) for kind, _, wait, _, _ in told] == [
            ("rate_limit", 7.0), ("quota", None), ("not_found", None), ("request", None), ("denied", None), ("server", None),
            ("request", None),
        ]  # fmt: skip
        assert "the key was refused" in told[4][3]
        assert {context for *_, context in told} == {"None"}
        assert len(server.seen) == 6  # none was sent twice

    def test_a_drop_and_a_slow_answer_are_told_apart(self):
        with openai_server(faults=lambda *_: "drop") as server:
            assert litellm(server, "openai/m", "?")["found"][0][0] == "connection"
        with openai_server(latency=5.0) as server:
            assert litellm(server, "openai/m", "?", timeout=0.5)["found"][0][0] == "timeout"

    def test_claude_keeps_its_temperature_through_litellm(self):
        with anthropic_server() as server:
            told = litellm(server, "anthropic/claude-sonnet-4-5", "Is it so?")
        assert list(json.loads(told["found"][0][0])) == ["b", "a"]
        assert server.seen[0].body["temperature"] == 0
        assert server.seen[0].headers["x-api-key"] == KEY
        assert set(told["looked_up"]) <= {"127.0.0.1"}

    def test_what_cannot_be_called_is_told_before_any_call(self):
        code = """
            from flask_eval.adapters import open_adapter
            from flask_eval.errors import UserError
            from flask_eval.schema import JudgeCard
            for model in ("gpt-4o", "nobody/x", "mistral/x", "gemini/x"):
                try:
                    open_adapter(JudgeCard(name="j", adapter="litellm", model=model), concurrency=1)
                except UserError as error:
                    print(error)
        """
        bare, unknown, keyless, either = run(code).stdout.splitlines()
        assert "openai/gpt-4o" in bare
        assert "'nobody'" in unknown
        assert "MISTRAL_API_KEY" in keyless
        assert "GEMINI_API_KEY" in either

    def test_the_base_url_of_the_environment_is_part_of_the_identity(self, monkeypatch):
        judge = card("litellm", model="ollama/llama3")
        plain = open_adapter(judge, concurrency=1, sends=False).identity(request())
        monkeypatch.setenv("OLLAMA_API_BASE", "http://127.0.0.1:7777/")
        moved = open_adapter(judge, concurrency=1, sends=False).identity(request())
        assert json.loads(plain)[1] is None
        assert json.loads(moved)[1] == "http://127.0.0.1:7777"


class TestTheLocalServers:
    def test_the_same_prompt_gets_the_same_scores_and_other_prompts_other_ones(self):
        with openai_server() as server:
            judge = card(base_url=server.url)
            found = [completion.text for completion in ask(judge, *(request(f"Question {k % 20}") for k in range(40)))]
        assert found[:20] == found[20:]
        assert len(set(found)) > 10
        assert server.counts()["repeated"] == 20

    def test_standard_faults_hit_their_share_and_the_next_attempt_is_answered(self):
        with openai_server(faults=STANDARD) as server:
            requests = [request(f"Question {k}") for k in range(400)]
            first = ask(card(base_url=server.url), *requests)
            second = ask(card(base_url=server.url), *requests)
        assert 20 < sum(isinstance(found, CallError) for found in first) < 60
        assert {found.finish for found in second} == {"stop"}
        assert all(json.loads(found.text) for found in second)

    def test_a_reply_and_a_cap_can_be_set(self):
        with openai_server(reply=lambda body: body["messages"][-1]["content"].upper(), cap=5, latency=0.3) as server:
            found = ask(card(base_url=server.url), *(request(f"x{k}") for k in range(10)))
        assert sorted(c.text for c in found if not isinstance(c, CallError)) != []
        assert {e.kind for e in found if isinstance(e, CallError)} == {"rate_limit"}
        assert sum(isinstance(e, CallError) for e in found) == 5

    @both
    def test_they_run_as_a_process_that_counts(self, speaks):
        command = [sys.executable, str(ROOT / "tests" / "servers.py"), speaks, "--latency", "0.01"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            url = process.stdout.readline().strip()
            ask(card(speaks, base_url=url), request("a"), request("a"), request("b"))
            process.terminate()
            counts = json.loads(process.stdout.read())
        assert process.returncode == 0
        assert (counts["served"], counts["distinct"], counts["repeated"]) == (3, 2, 1)
