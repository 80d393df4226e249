"""Asking many things: what is recorded is not asked again, equal requests are asked once, and a stop keeps what is there."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from servers import Faults, Raw, openai_server

from flask_eval.calling.asking import Asking, ask, calls_folder, check_askable, open_calls
from flask_eval.calling.engine import Tally
from flask_eval.errors import UserError
from flask_eval.schema import JudgeCard, Price, Request


def card(server, **more) -> JudgeCard:
    return JudgeCard(name="m", adapter="openai", model="m", base_url=server.url, **more)


def questions(*texts: str) -> list[tuple[str, Request]]:
    return [(f"{n}", Request((("user", text),), (), (), 0)) for n, text in enumerate(texts)]


FAST = Asking(concurrency=4, first_wait=0.0)


def test_what_the_ledger_holds_is_not_asked_again(tmp_path) -> None:
    with openai_server() as server, open_calls(tmp_path / "a.jsonl") as ledger:
        first = ask(card(server), questions("a", "b"), ledger, FAST)
        again = ask(card(server), questions("b", "a", "c"), ledger, FAST)
        assert server.counts()["received"] == 3
    assert list(again) == ["0", "1", "2"]
    assert again["0"].completion == first["1"].completion
    assert again["1"].completion == first["0"].completion


def test_equal_requests_are_asked_once_and_each_name_has_the_answer(tmp_path) -> None:
    with openai_server(latency=0.02) as server, open_calls(tmp_path / "a.jsonl") as ledger:
        found = ask(card(server), questions("first", *["same"] * 9), ledger, FAST)
        assert server.counts()["received"] == 2
    assert len(found) == 10
    assert len({found[str(n)].completion for n in range(1, 10)}) == 1


def test_equal_requests_that_are_asked_again_are_asked_once_and_all_get_the_new_answer(tmp_path) -> None:
    number = count()
    with (
        openai_server(latency=0.02, reply=lambda _: f"answer {next(number)}") as server,
        open_calls(tmp_path / "a.jsonl") as ledger,
    ):
        old = ask(card(server), questions("same", "same", "same"), ledger, FAST)
        new = ask(card(server), questions("same", "same", "same"), ledger, FAST, again=lambda *_: True)
        kept = ask(card(server), questions("same"), ledger, FAST)
        assert server.counts()["received"] == 2
    assert {call.completion.text for call in old.values()} == {"answer 0"}
    assert {call.completion.text for call in new.values()} == {"answer 1"}
    assert kept["0"].completion.text == "answer 1"


def test_an_answer_stands_where_asking_again_fails(tmp_path) -> None:
    tally = Tally()
    with openai_server() as server, open_calls(tmp_path / "a.jsonl") as ledger:
        old = ask(card(server), questions("a", "b"), ledger, FAST)
        server.raw = lambda body, _: Raw(400, '{"error": {"message": "no"}}') if "a" in str(body["messages"]) else None
        new = ask(card(server), questions("b", "a"), ledger, FAST, again=lambda *_: True, tally=tally)
    assert new["1"].completion == old["0"].completion
    assert (tally.answered, tally.failed) == (1, 1)
    assert "400" in tally.last_error


def test_a_failed_call_has_its_error_and_is_asked_anew_next_time(tmp_path) -> None:
    with openai_server() as server, open_calls(tmp_path / "a.jsonl") as ledger:
        server.raw = lambda body, _: Raw(422, "{}") if "bad" in str(body["messages"]) else None
        found = ask(card(server), questions("good", "bad"), ledger, FAST)
        assert found["0"].completion
        assert found["1"].completion is None
        assert "422" in found["1"].error
        server.raw = None
        assert ask(card(server), questions("good", "bad"), ledger, FAST)["1"].completion
        assert server.counts()["received"] == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Raw(200, "<html><body>Bad gateway</body></html>", kind="text/html"), "not JSON"),
        (Raw(200, "data: \x00\x01 {"), "not JSON"),
        (Raw(200, '{"choices": []}'), "no choices"),
        (Raw(200, '{"choices": [{"finish_reason": "stop"}]}'), "no choices"),
    ],
)
def test_what_is_no_completion_becomes_none(tmp_path, answer, said) -> None:
    with openai_server() as server, open_calls(tmp_path / "a.jsonl") as ledger:
        server.raw = lambda body, _: answer if "odd" in str(body["messages"]) else None
        found = ask(card(server), questions("fine", "odd"), ledger, FAST)
        assert server.counts()["received"] == 7  # six attempts
    assert found["0"].completion
    assert found["1"].completion is None
    assert said in found["1"].error


def test_a_model_that_the_server_lacks_stops_after_one_request(tmp_path) -> None:
    tally = Tally()
    body = '{"error": {"message": "model m does not exist", "code": "model_not_found"}}'
    with openai_server(raw=lambda *_: Raw(404, body)) as server, open_calls(tmp_path / "a.jsonl") as ledger:
        found = ask(card(server), questions("a", "b", "c"), ledger, FAST, tally=tally)
        assert server.counts()["received"] == 1
    assert found == {}
    assert "does not exist" in tally.stopped_by


def test_faults_on_the_way_are_overcome(tmp_path) -> None:
    with (
        openai_server(faults=Faults(rate_limit=0.4, server=0.3, drop=0.3)) as server,
        open_calls(tmp_path / "a.jsonl") as ledger,
    ):
        found = ask(card(server), questions(*(f"q{n}" for n in range(20))), ledger, FAST)
    assert all(call.completion for call in found.values())


def test_a_budget_is_held_and_needs_a_price(tmp_path) -> None:
    dear, tally = Price(input=1000, output=1000), Tally()
    with openai_server() as server, open_calls(tmp_path / "a.jsonl") as ledger:
        priced = card(server, price=dear, settings={"max_tokens": 10})
        asked = [(n, Request((("user", f"question {n} " * 20),), (), (("max_tokens", 10),), 0)) for n in range(100)]
        found = ask(priced, asked, ledger, Asking(budget=1.5), tally=tally)
        assert 0 < len(found) < 100
        assert tally.cost_usd <= 1.5
        assert "budget" in tally.stopped_by
    far = JudgeCard(name="far", adapter="openai", model="unheard-of", base_url="https://models.example/v1")
    with pytest.raises(UserError, match="no price is known for 'unheard-of'"):
        check_askable([far], Asking(budget=1.0))


def test_all_cards_are_looked_at_before_the_first_is_called(monkeypatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with openai_server() as server:
        keyless = JudgeCard(name="far", adapter="anthropic", model="claude")
        with pytest.raises(UserError, match="ANTHROPIC_API_KEY is not set"):
            check_askable([card(server), keyless])
        check_askable([card(server)])
        assert server.seen == []


def test_the_calls_stand_beside_the_file(tmp_path) -> None:
    assert calls_folder(tmp_path / "r.jsonl") == tmp_path / "r.calls"
    assert calls_folder(tmp_path / "r.jsonl.gz") == tmp_path / "r.calls"
    assert calls_folder(f"{tmp_path}/out/") == tmp_path / "out" / "calls"
    assert calls_folder(tmp_path) == tmp_path / "calls"
    assert calls_folder("r.v2.jsonl") == Path("r.v2.calls")


def test_two_processes_do_not_ask_into_one_folder(tmp_path) -> None:
    out = tmp_path / "a.jsonl"
    with open_calls(out), pytest.raises(UserError, match=r"a\.calls"), open_calls(out):
        pass
    with open_calls(out) as ledger:  # free again
        assert ledger.query("SELECT COUNT(*) FROM call") == [(0,)]
