"""OpenAI's Responses over a real connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.waiting import PATIENCE_S
from tests.wire.shapes.responses import COUNTED, RESPONSES, SAYS, SEALED, body, tells
from zetaroute.domain import Arm, Completion, Message, Native, Prices, Query
from zetaroute.errors import ProviderError
from zetaroute.providers.base import OnText
from zetaroute.providers.responses_provider import ResponsesProvider
from zetaroute.wire.pieces import Part, PieceTaker

from .loopback import ModelServer, http, stream

SCHEMA = {"type": "object"}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def arm_at(server: ModelServer, **fields: Any) -> Arm:
    arm = Arm(
        id="r/m1",
        provider="responses",
        model="m1",
        base_url=f"{server.url}/v1",
        timeout_s=PATIENCE_S,
        prices=Prices(input=1.0, cached_input=0.1, output=5.0),
    )
    return replace(arm, **fields)


def ask(arm: Arm, *queries: Query, on_text: OnText | None = None) -> list[Completion]:
    async def all_of_them() -> list[Completion]:
        provider = ResponsesProvider()
        try:
            return [await provider.complete(arm, query, on_text) for query in queries]
        finally:
            await provider.aclose()

    return asyncio.run(all_of_them())


def test_turns_tools_and_options_under_the_names_of_the_format(server: ModelServer) -> None:
    server.reply(http(body(SAYS), headers=["x-request-id: req-7"]))
    history = (
        Message(role="user", content="Weather?"),
        Message(role="assistant", content="", fields={"content": None, "tool_calls": [CALL]}),
        Message(role="tool", content="-3", fields={"tool_call_id": "c1"}),
    )
    wanted = {
        "max_tokens": 9,
        "reasoning_effort": "low",
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
    }
    (done,) = ask(arm_at(server, system="be brief"), Query(text="so?", history=history, options=wanted))
    assert (done.text, done.request_id, done.cost_usd) == ("Yes.", "req-7", pytest.approx(100 / 1e6))
    (seen,) = server.seen
    assert seen.target == "/v1/responses"
    assert seen.body == {
        "model": "m1",
        "store": False,
        "stream": False,
        "instructions": "be brief",
        "input": [
            {"role": "user", "content": "Weather?"},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "-3"},
            {"role": "user", "content": "so?"},
        ],
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "strict": False, "name": "weather", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "weather"},
        "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
        "include": ["reasoning.encrypted_content"],
    }


def test_thoughts_and_what_is_sealed_of_them_come_in_pieces(server: ModelServer) -> None:
    (shape,) = (one for one in RESPONSES if "thoughts" in one.name)
    server.reply(stream(*shape.events))
    pieces: list[str | Part] = []
    taker = PieceTaker(take=pieces.append, kinds=frozenset({"thinking", "item"}))
    (done,) = ask(arm_at(server), Query(text="why?"), on_text=taker)
    assert (done.thinking, done.cached_tokens, done.finish_reason) == ("hm", 20, "stop")
    assert done.blocks == (SEALED, SAYS)
    assert [piece.block for piece in pieces if isinstance(piece, Part) and piece.whole] == [SEALED]
    assert server.seen[0].body["stream"] is True


def test_a_model_that_does_not_think_is_asked_without_its_thoughts(server: ModelServer) -> None:
    refused = {"error": {"message": "Encrypted content is not supported with this model."}}
    server.reply(http(refused, status=400), http(body(SAYS)), http(body(SAYS)))
    query = Query(text="why?", options={"tools": [TOOL]})
    assert [done.text for done in ask(arm_at(server), query, query)] == ["Yes.", "Yes."]
    assert ["include" in seen.body for seen in server.seen] == [True, False, False]


def test_the_effort_of_an_arm_stands_before_that_of_a_request(server: ModelServer) -> None:
    server.reply(http(body(SAYS)))
    native = Native(
        format="responses", body={"input": "why?", "reasoning": {"effort": "low", "summary": "auto"}}
    )
    ask(arm_at(server, effort="high"), Query(text="why?"), Query(text="why?", native=native))
    told = [seen.body["reasoning"] for seen in server.seen]
    assert told == [{"effort": "high"}, {"effort": "high", "summary": "auto"}]


def test_a_request_of_the_same_format_goes_out_as_it_came(server: ModelServer) -> None:
    server.reply(http(body(SAYS)))
    items = [SEALED, {"role": "user", "content": "so?"}]
    native = Native(format="responses", body={"input": items, "tools": [{"type": "web_search"}]})
    ask(arm_at(server, options={"temperature": 0.5}), Query(text="so?", native=native))
    assert server.seen[0].body["input"] == items
    assert server.seen[0].body["tools"] == [{"type": "web_search"}]
    assert server.seen[0].body["temperature"] == 0.5


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (stream(tells("failed", response=body(status="failed", error={"code": "server_error"}))), "server"),
        (http(body(status="failed", error={"code": "rate_limit_exceeded"}, usage=COUNTED)), "rate_limited"),
        (http({"error": {"message": "no", "code": "context_length_exceeded"}}, status=400), "rejected"),
        (http(body()), "empty"),
    ],
)
def test_failures(server: ModelServer, reply: Any, kind: str) -> None:
    server.reply(reply)
    with pytest.raises(ProviderError) as failure:
        ask(arm_at(server), Query(text="why?"))
    assert failure.value.kind == kind
