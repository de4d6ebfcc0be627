"""Requests of all formats mean the same, and one answer is the same in each, whole or streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from zetaroute.config import default_config_text, parse_settings
from zetaroute.domain import Completion, Message, ToolCall
from zetaroute.serve.api_errors import ApiError
from zetaroute.serve.decision_endpoint import door_for
from zetaroute.serve.request import read_request
from zetaroute.wire.anthropic import messages_options, messages_turns
from zetaroute.wire.carriers import carriers
from zetaroute.wire.doors.chat_door import CHAT, COMPLETIONS
from zetaroute.wire.doors.door import Door, Inbound, MalformedRequestError, Reply
from zetaroute.wire.doors.messages_door import MESSAGES
from zetaroute.wire.doors.responses_door import RESPONSES
from zetaroute.wire.pieces import Part

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "weather", "description": "of a city", "parameters": SCHEMA}
ASKED = Inbound(turns=(), options={}, model="auto", include_usage=True)
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
TALK = {
    CHAT: {
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "-3"},
        ],
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_completion_tokens": 9,
    },
    RESPONSES: {
        "instructions": "be brief",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "reasoning", "id": "r", "summary": []},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Oslo"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "-3"},
        ],
        "tools": [{"type": "function", **FUNCTION}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_output_tokens": 9,
    },
    MESSAGES: {
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "-3"}]},
        ],
        "tools": [{"name": "weather", "description": "of a city", "input_schema": SCHEMA}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "max_tokens": 9,
    },
}


KEYS = (
    *(
        "role",
        "content",
        "type",
        "text",
        "tools",
        "function",
        "name",
        "input",
        "arguments",
        "tool_calls",
        "id",
    ),
    *(
        "user",
        "assistant",
        "tool_use_id",
        "source",
        "call_id",
        "format",
        "schema",
        "tool_call_id",
        "json_schema",
    ),
    *("tool_use", "tool_result", "image", "base64", "data", "media_type", "function_call", "message", "tool"),
)
SETTINGS = parse_settings(default_config_text(), file=None)


def words(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content or ())


@pytest.mark.parametrize("door", TALK, ids=lambda door: type(door).__name__)
def test_a_talk_with_tools_means_the_same_in_every_format(door: Door) -> None:
    asked = door.read(TALK[door])
    turns = [turn for _, turn in asked.turns if turn["role"] != "system"]
    assert [(turn["role"], words(turn.get("content"))) for turn in turns] == [
        ("user", "Weather?"),
        ("assistant", ""),
        ("tool", "-3"),
    ]
    assert turns[1]["tool_calls"] == [CALL]
    assert turns[2]["tool_call_id"] == "c1"
    assert asked.options == {
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_tokens": 9,
    }
    assert door is CHAT or asked.system == "be brief"
    assert not asked.only_native


def test_a_request_of_messages_goes_on_as_it_came_without_who_asks() -> None:
    user = "user_1_account_2_session_s1"
    asked = MESSAGES.read({**TALK[MESSAGES], "metadata": {"user_id": user}, "model": "auto", "stream": True})
    assert asked.native == TALK[MESSAGES]
    assert (asked.session, asked.metadata) == ("s1", {})
    told = json.dumps({"session_id": "s2", "device_id": "d"})
    assert MESSAGES.read({**TALK[MESSAGES], "metadata": {"user_id": told}}).session == "s2"
    assert MESSAGES.read({**TALK[MESSAGES], "metadata": {"user_id": "somebody"}}).session is None
    unsigned = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""}]}
    again = MESSAGES.read({"messages": [*TALK[MESSAGES]["messages"], unsigned]}).native
    assert again is not None
    assert again["messages"] == TALK[MESSAGES]["messages"]
    search = {"type": "web_search_20250305", "name": "web_search"}
    assert not asked.only_native
    assert MESSAGES.read({**TALK[MESSAGES], "tools": [search]}).only_native


def test_what_a_client_says_of_itself_is_not_passed_on() -> None:
    asked = RESPONSES.read({"input": "why?", "client_metadata": {"installation": "i1"}, "store": False})
    assert "i1" not in json.dumps([asked.options, asked.native])
    assert "anthropic" in carriers(asked.options, (), plain=False)


def test_instructions_may_stand_among_messages() -> None:
    told = {"role": "system", "content": "in French"}
    asked = MESSAGES.read({"messages": [{"role": "user", "content": "Weather?"}, told]})
    assert [turn for _, turn in asked.turns] == [{"role": "user", "content": "Weather?"}, told]
    assert asked.native == {"messages": [{"role": "user", "content": "Weather?"}, told]}


def test_a_namespace_of_functions_is_told_to_models_as_functions() -> None:
    plain = {"type": "function", "name": "weather"}
    tools = [plain, {"type": "namespace", "name": "abroad", "tools": [plain]}]
    call = {
        "type": "function_call",
        "call_id": "c0",
        "name": "weather",
        "namespace": "abroad",
        "arguments": "{}",
    }
    asked = RESPONSES.read({"input": [{"role": "user", "content": "Weather?"}, call], "tools": tools})
    names = ["weather", "abroad__weather"]
    assert [tool["function"]["name"] for tool in asked.options["tools"]] == names
    assert asked.turns[1][1]["tool_calls"][0]["function"]["name"] == "abroad__weather"
    calls = tuple(ToolCall(id=name, name=name, arguments="{}") for name in names)
    done = Completion(
        text="", served_model="m", finish_reason="stop", ttft_s=0, response_s=0, tool_calls=calls
    )
    reply = Reply(id="a", created=0, model="m", done=done, facts={}, inbound=asked)
    stream = RESPONSES.stream(asked, answer_id="a", created=0, model="m")
    streamed = events(stream.start() + stream.end(reply))[-1]["response"]["output"]
    for output in (RESPONSES.whole([reply])["output"], streamed):
        told = [(item["name"], item.get("namespace")) for item in output]
        assert told == [("weather", None), ("weather", "abroad")]


def test_turns_and_options_reach_servers_of_messages() -> None:
    turns = [
        Message(role="user", content="Weather?"),
        Message(role="assistant", content="", fields={"content": None, "tool_calls": [CALL, CALL]}),
        Message(role="tool", content="-3", fields={"tool_call_id": "c1"}),
        Message(role="tool", content="-4", fields={"tool_call_id": "c.2"}),
        Message(role="assistant", content=""),
    ]
    made = messages_turns(turns)
    use = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}
    assert made[1] == {"role": "assistant", "content": [use, use]}
    # What several tools said is said in one turn.
    assert [block["tool_use_id"] for block in made[2]["content"]] == ["c1", "c_2"]
    assert len(made) == 3
    options = {**CHAT.read(TALK[CHAT]).options, "stop": "x", "reasoning_effort": "low"}
    assert "anthropic" in carriers(options, turns, plain=False)
    assert messages_options({**options, "response_format": {"type": "json_object"}}) == (
        {
            "max_tokens": 9,
            "stop_sequences": ["x"],
            "tools": [{"name": "weather", "description": "of a city", "input_schema": SCHEMA}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        },
        "Answer with one JSON object alone, no other text.",
    )
    assert "anthropic" not in carriers({"seed": 1}, turns, plain=False)
    assert carriers({"tools": [{"type": "custom"}]}, turns, plain=False) == ("openai",)


@pytest.mark.parametrize(
    ("door", "body", "param"),
    [
        (RESPONSES, {"input": 3}, "input"),
        (RESPONSES, {"input": [{"type": "item_reference"}]}, "input[0]"),
        (
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "input[0].content[0]",
        ),
        (RESPONSES, {"input": "x", "background": True}, "background"),
        (RESPONSES, {"input": "x", "previous_response_id": 3}, "previous_response_id"),
        (MESSAGES, {"messages": "x"}, "messages"),
        (MESSAGES, {"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        (
            MESSAGES,
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}]},
            "messages[0].content[0]",
        ),
        (MESSAGES, {"messages": [], "system": [{"type": "text"}]}, "system[0]"),
        (COMPLETIONS, {"prompt": ["a", "b"]}, "prompt"),
        (COMPLETIONS, {"prompt": "a", "best_of": 2}, "best_of"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_place(
    door: Door, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(MalformedRequestError) as told:
        door.read(body)
    assert told.value.param == param
    assert str(told.value).endswith(".")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def changed(value: Any, data: st.DataObject) -> Any:
    """Return JSON in which something, at any depth, is something else."""
    keys = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    if not keys or data.draw(st.integers(0, 5)) == 0:
        return data.draw(JSON)
    copy, key = value.copy(), data.draw(st.sampled_from(keys))
    copy[key] = changed(value[key], data)
    return copy


@given(st.sampled_from(list(TALK)), st.data())
def test_no_body_breaks_a_reader(door: Door, data: st.DataObject) -> None:
    body = {"model": "auto", **TALK[door], "metadata": {}, "stream": False}
    for _ in range(data.draw(st.integers(1, 3))):
        body = {**body, **{key: changed(body[key], data) for key in [data.draw(st.sampled_from(list(body)))]}}
    assert isinstance(door_for(body).error(400, "no.", code="x", param=None), dict)
    try:
        asked = read_request(door.read(body), SETTINGS)
    except (MalformedRequestError, ApiError) as refusal:
        said = str(refusal)
    else:
        messages_turns((*asked.query.history, *asked.query.after))
        messages_options(asked.query.options)
        said = "."
    assert said.endswith(".")


ARGUMENTS = st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=2).map(json.dumps)
CALLS = st.lists(st.tuples(st.sampled_from(["f", "g"]), ARGUMENTS), max_size=2)


def events(raw: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in raw.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


@given(st.text(max_size=9), CALLS, st.data())
def test_a_stream_comes_to_the_whole_answer(
    text: str, wanted: list[tuple[str, str]], data: st.DataObject
) -> None:
    calls = tuple(
        ToolCall(id=f"c{place}", name=name, arguments=arguments)
        for place, (name, arguments) in enumerate(wanted)
    )
    done = Completion(
        text=text, served_model="m", finish_reason="stop", ttft_s=0, response_s=0, tool_calls=calls
    )
    pieces: list[str | Part] = [text[:3], text[3:]]
    for place, call in enumerate(calls):
        cut = data.draw(st.integers(0, len(call.arguments)))
        head, tail = call.arguments[:cut], call.arguments[cut:]
        whole = data.draw(st.booleans())
        part = {"kind": "call", "place": place, "id": call.id, "name": call.name}
        pieces += [Part(**part, text=head, whole=not tail)] if head else []
        pieces += [Part(**part, text=tail, whole=True)] if tail and whole and head else []
    # The parts of two calls may come between each other, each call's in their order.
    if data.draw(st.booleans()):
        pieces.sort(key=lambda piece: isinstance(piece, Part) and not piece.text.startswith("{"))
    reply = Reply(id="a", created=0, model="m", done=done, facts={}, inbound=ASKED)
    for door in (CHAT, RESPONSES, MESSAGES):
        stream = door.stream(ASKED, answer_id="a", created=0, model="m")
        raw = stream.start() + b"".join(stream.piece(piece) for piece in pieces) + stream.end(reply)
        told = {CHAT: of_chunks, RESPONSES: of_responses, MESSAGES: of_messages}[door](events(raw))
        # A call that was told in part comes first.
        assert (told[0], sorted(told[1])) == (text, sorted(wanted))
    kept = [item for item in RESPONSES.whole([reply])["output"] if item["type"] == "function_call"]
    assert [(item["name"], item["arguments"]) for item in kept] == wanted


def of_chunks(found: list[Any]) -> tuple[str, list[tuple[str, str]]]:
    deltas = [one["choices"][0]["delta"] for one in found if one["choices"]]
    calls: dict[int, list[str]] = {}
    for part in (part for delta in deltas for part in delta.get("tool_calls", ())):
        call = calls.setdefault(part["index"], [part["function"].get("name", ""), ""])
        call[1] += part["function"]["arguments"]
    return "".join(delta.get("content", "") for delta in deltas), [(one[0], one[1]) for one in calls.values()]


def of_responses(found: list[Any]) -> tuple[str, list[tuple[str, str]]]:
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    deltas = "".join(one["delta"] for one in found if one["type"] == "response.output_text.delta")
    output = found[-1]["response"]["output"]
    told = "".join(one["delta"] for one in found if one["type"] == "response.function_call_arguments.delta")
    calls = [(item["name"], item["arguments"]) for item in output if item["type"] == "function_call"]
    assert told == "".join(arguments for _, arguments in calls)
    return deltas, calls


def of_messages(found: list[Any]) -> tuple[str, list[tuple[str, str]]]:
    blocks: list[list[str]] = []
    for one in found:
        if one["type"] == "content_block_start":
            blocks.append([one["content_block"]["type"], one["content_block"].get("name", ""), ""])
        elif one["type"] == "content_block_delta":
            assert one["index"] == len(blocks) - 1
            blocks[-1][2] += one["delta"].get("text") or one["delta"].get("partial_json", "")
    text = "".join(words for kind, _, words in blocks if kind == "text")
    return text, [(name, words) for kind, name, words in blocks if kind == "tool_use"]


def test_thinking_and_its_signature_are_told_where_the_format_has_them() -> None:
    blocks = ({"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "4"})
    done = Completion(
        text="4",
        served_model="m",
        finish_reason="end_turn",
        ttft_s=0,
        response_s=0,
        thinking="hm",
        blocks=blocks,
        block_format="anthropic",
    )
    reply = Reply(id="a", created=0, model="m", done=done, facts={}, inbound=ASKED)
    assert MESSAGES.whole([reply])["content"] == list(blocks)
    assert RESPONSES.whole([reply])["output"][0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    stream = MESSAGES.stream(ASKED, answer_id="a", created=0, model="m")
    pieces = [
        Part(kind="thinking", text="hm"),
        Part(kind="signature", text="s"),
        Part(kind="block", block={"type": "redacted_thinking", "data": "x"}),
    ]
    raw = b"".join(stream.piece(piece) for piece in pieces) + stream.end(reply)
    deltas = [one["delta"] for one in events(raw) if one["type"] == "content_block_delta"]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "s"},
        {"type": "text_delta", "text": "4"},
    ]
    begun = [one["content_block"]["type"] for one in events(raw) if one["type"] == "content_block_start"]
    assert begun == ["thinking", "redacted_thinking", "text"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (502, "api_error"),
    ],
)
def test_refusals_have_the_shape_of_messages(status: int, kind: str) -> None:
    told = MESSAGES.error(status, "no.", code="c", param=None)
    assert (told["type"], told["error"]["type"], told["error"]["message"]) == ("error", kind, "no.")
