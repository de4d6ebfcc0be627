"""Anthropic's Messages over a real connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.support.waiting import PATIENCE_S
from zetaroute.domain import Arm, Completion, Message, Native, Prices, Query
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.anthropic_provider import AnthropicProvider
from zetaroute.providers.base import OnText

from .loopback import ModelServer, Reply, event, http, stream

PRICES = Prices(input=1.0, cached_input=0.1, output=5.0)


def arm_at(server: ModelServer, **fields: object) -> Arm:
    arm = Arm(id="a/m1", provider="anthropic", model="m1", base_url=server.url, timeout_s=PATIENCE_S)
    return replace(arm, **fields)


def ask(arm: Arm, query: Query | None = None, on_text: OnText | None = None) -> Completion:
    async def once() -> Completion:
        provider = AnthropicProvider()
        try:
            return await provider.complete(arm, query or Query(text="why?"), on_text)
        finally:
            await provider.aclose()

    return asyncio.run(once())


def failure(arm: Arm, on_text: OnText | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(arm, on_text=on_text)
    return caught.value


def whole(*texts: str, stop: str | None = "end_turn", **counts: int) -> dict[str, object]:
    blocks = [{"type": "text", "text": text} for text in texts]
    return {
        "type": "message",
        "role": "assistant",
        "model": "served-1",
        "content": [{"type": "thinking", "thinking": "hm"}, *blocks],
        "stop_reason": stop,
        "usage": counts,
    }


def start(**counts: int) -> bytes:
    message = {"type": "message", "model": "served-1", "content": [], "stop_reason": None, "usage": counts}
    return event({"type": "message_start", "message": message}, "message_start")


def delta(text: str) -> bytes:
    piece = {"type": "text_delta", "text": text}
    return event({"type": "content_block_delta", "index": 0, "delta": piece}, "content_block_delta")


def stop(reason: str = "end_turn", **counts: int) -> bytes:
    payload = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": counts}
    return event(payload, "message_delta")


BLOCK = event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
THINKING = event(
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}
)
PING = event({"type": "ping"}, "ping")
END = event({"type": "message_stop"}, "message_stop")


def test_plain_request_and_answer(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-1")
    counts = {
        "input_tokens": 50,
        "cache_read_input_tokens": 40,
        "cache_creation_input_tokens": 10,
        "output_tokens": 20,
    }
    server.reply(http(whole("be", "cause", **counts)))
    history = (
        Message(role="system", content="and kind"),
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
    )
    query = Query(text="c", system="be brief", history=history)
    completion = ask(arm_at(server, prices=PRICES, api_key_env="SOME_KEY"), query)
    assert completion == Completion(
        text="because",
        served_model="served-1",
        finish_reason="end_turn",
        ttft_s=None,
        response_s=completion.response_s,
        input_tokens=100,
        output_tokens=20,
        cached_tokens=40,
        cache_write_tokens=10,
        thinking="hm",
        cost_usd=pytest.approx((60 * 1.0 + 40 * 0.1 + 20 * 5.0) / 1e6),
    )
    (seen,) = server.seen
    assert seen.target == "/v1/messages"
    assert seen.headers["x-api-key"] == "sk-1"
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in seen.headers
    assert seen.body == {
        "model": "m1",
        "max_tokens": 4096,
        "stream": False,
        "system": "be brief\n\nand kind",
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ],
    }


def test_a_request_of_the_same_format_goes_out_as_it_came(server: ModelServer) -> None:
    server.reply(http(whole("yes")))
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}
    ]
    native = Native(
        format="anthropic",
        body={"messages": turns, "thinking": {"type": "enabled"}},
        headers={"anthropic-beta": "some-2026-01-01"},
    )
    query = Query(text="a", options={"max_tokens": 9}, native=native)
    completion = ask(arm_at(server, system="of the config", options={"temperature": 0.5}), query)
    (seen,) = server.seen
    assert seen.headers["anthropic-beta"] == "some-2026-01-01"
    assert seen.body == {
        "model": "m1",
        "max_tokens": 4096,
        "temperature": 0.5,
        "stream": False,
        "system": "of the config",
        "messages": turns,
        "thinking": {"type": "enabled"},
    }
    assert completion.blocks[-1] == {"type": "text", "text": "yes"}


def test_streamed_request_and_answer(server: ModelServer) -> None:
    server.reply(
        stream(
            start(
                input_tokens=50, cache_read_input_tokens=40, cache_creation_input_tokens=10, output_tokens=1
            ),
            PING,
            BLOCK,
            THINKING,
            0.05,
            delta("be"),
            0.1,
            delta("cause"),
            event({"type": "content_block_stop", "index": 0}),
            stop(output_tokens=20),
            END,
        )
    )
    pieces: list[str] = []
    completion = ask(arm_at(server, prices=PRICES), on_text=pieces.append)
    assert pieces == ["be", "cause"]
    assert (completion.text, completion.served_model) == ("because", "served-1")
    assert completion.finish_reason == "end_turn"
    assert (completion.input_tokens, completion.cached_tokens, completion.output_tokens) == (100, 40, 20)
    assert completion.cost_usd == pytest.approx((60 * 1.0 + 40 * 0.1 + 20 * 5.0) / 1e6)
    assert completion.ttft_s is not None
    assert 0.05 <= completion.ttft_s <= completion.response_s - 0.08
    assert server.seen[0].body["stream"] is True
    assert "system" not in server.seen[0].body


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(http(whole("because")), id="plain JSON"),
        pytest.param(stream(start(), delta("because"), stop(), END), id="ordinary"),
        pytest.param(stream(start(), delta("because"), stop()), id="no message_stop"),
        pytest.param(stream(start(), delta("because"), END), id="no stop reason"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_shapes_without_counts(server: ModelServer, reply: Reply, streamed: bool) -> None:
    server.reply(reply)
    completion = ask(arm_at(server, prices=PRICES), on_text=(lambda _: None) if streamed else None)
    assert completion.text == "because"
    assert (completion.input_tokens, completion.output_tokens) == (5, 2)
    assert completion.tokens_estimated
    assert completion.cost_usd == pytest.approx(5 * PRICES.input / 1e6 + 2 * PRICES.output / 1e6)


@pytest.mark.parametrize(
    ("base", "target"),
    [
        ("", "/v1/messages"),
        ("/", "/v1/messages"),
        ("/v1", "/v1/messages"),
        ("/v1/", "/v1/messages"),
        ("/v1/messages", "/v1/messages"),
        ("/api/anthropic", "/api/anthropic/v1/messages"),
    ],
)
def test_where_a_base_url_leads(server: ModelServer, base: str, target: str) -> None:
    server.reply(http(whole("because")))
    ask(arm_at(server, base_url=server.url + base))
    assert server.seen[0].target == target


def test_a_missing_base_url() -> None:
    with pytest.raises(ConfigError, match=r"https://api\.anthropic\.com"):
        ask(Arm(id="a/m1", provider="anthropic", model="m1"))


def error(kind: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": "told so"}}


@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        pytest.param(http(error("overloaded_error"), status=529), "server", True, id="status 529"),
        pytest.param(http(error("authentication_error"), status=401), "unauthorised", False, id="status 401"),
        pytest.param(http(error("not_found_error")), "rejected", False, id="error object in a 200"),
        pytest.param(
            stream(start(), delta("be"), event(error("overloaded_error"), "error")),
            "server",
            True,
            id="event",
        ),
        pytest.param(
            stream(start(), event(error("rate_limit_error"))), "rate_limited", True, id="unnamed event"
        ),
        pytest.param(stream(start(), event(error("odd_error"), "error")), "server", False, id="odd event"),
    ],
)
def test_errors(server: ModelServer, reply: Reply, kind: str, retryable: bool) -> None:
    server.reply(reply)
    caught = failure(arm_at(server), lambda _: None)
    assert (caught.kind, caught.retryable) == (kind, retryable)
    assert "told so" in str(caught)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        pytest.param(stream(start(), delta("be")), "malformed", "truncated", id="truncated"),
        pytest.param(http(whole(stop="refusal")), "empty", "refusal", id="no text"),
        pytest.param(http({"type": "message", "content": 7}), "empty", "no text", id="odd content"),
        pytest.param(http({"choices": []}), "malformed", "shape", id="another format"),
    ],
)
def test_answers_of_no_use(server: ModelServer, reply: Reply, kind: str, words: str) -> None:
    server.reply(reply)
    caught = failure(arm_at(server))
    assert caught.kind == kind
    assert words in str(caught)


def test_an_echoed_key_is_masked(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-ant-123456")
    server.reply(http({"error": {"message": "bad key sk-ant-123456"}}, status=401))
    caught = failure(arm_at(server, api_key_env="SOME_KEY"))
    assert "bad key [key]" in str(caught)
    assert "check SOME_KEY" in str(caught)
    assert "123456" not in str(caught)


def test_effort_is_a_budget_of_thinking_where_the_format_lets_a_model_think(server: ModelServer) -> None:
    server.reply(http(whole("4")))
    arm = arm_at(server, effort="low", options={"temperature": 0, "max_tokens": 100})
    turn = Message(role="tool", content="-3", fields={"tool_call_id": "c"})
    for query in (
        Query(text="why?"),
        Query(text="why?", native=Native(format="anthropic", body={"messages": [], "max_tokens": 100})),
        Query(
            text="why?",
            native=Native(format="anthropic", body={"max_tokens": 100, "thinking": {"type": "adaptive"}}),
        ),
        Query(text="why?", options={"tools": [{}], "tool_choice": "required"}),
        Query(text="why?", after=(turn,)),
    ):
        ask(arm, query)
    ask(replace(arm, effort="none"))
    low = {"type": "enabled", "budget_tokens": 2048}
    bodies = [request.body for request in server.seen]
    told = [(body.get("thinking"), body["max_tokens"], body.get("temperature")) for body in bodies]
    assert told == [
        (low, 2148, None),
        (low, 2148, None),
        ({"type": "adaptive"}, 100, 0),
        (None, 100, 0),
        (None, 100, 0),
        (None, 100, 0),
    ]
