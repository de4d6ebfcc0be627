"""Answers of Anthropic's format."""

from __future__ import annotations

from typing import Any

from .building import ROME, TWO, Shape, call, used


def anthropic(name: str, *events: Any, **means: Any) -> Shape:
    return Shape(
        name=f"Anthropic, {name}", events=events, format="anthropic", **{"finish_reason": "end_turn", **means}
    )


def started(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"model": "m", "usage": usage}}


def block(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": fields}


def grows(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def ends(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


SAID = (
    block(0, type="text", text=""),
    grows(0, type="text_delta", text="Ye"),
    grows(0, type="text_delta", text="s."),
)
STOP = {"type": "message_stop"}
MESSAGES = (
    anthropic(
        "counts at both ends",
        started(input_tokens=25, output_tokens=1),
        *SAID,
        ends(output_tokens=15),
        STOP,
        usage=used(25, 15),
    ),
    anthropic(
        "cache",
        started(
            input_tokens=25, cache_read_input_tokens=1000, cache_creation_input_tokens=200, output_tokens=1
        ),
        *SAID,
        ends(output_tokens=15),
        STOP,
        usage=used(1225, 15, cached=1000, written=200),
    ),
    anthropic(
        "all counts again at the end",
        started(input_tokens=25, cache_read_input_tokens=1000, output_tokens=1),
        *SAID,
        ends(input_tokens=25, cache_read_input_tokens=1000, output_tokens=15),
        STOP,
        usage=used(1025, 15, cached=1000),
    ),
    anthropic(
        "zeros at the start",
        started(input_tokens=0, output_tokens=0),
        *SAID,
        ends(input_tokens=25, output_tokens=15),
        STOP,
        usage=used(25, 15),
    ),
    anthropic(
        "thinking",
        started(input_tokens=25, output_tokens=1),
        block(0, type="thinking", thinking=""),
        grows(0, type="thinking_delta", thinking="Let me see."),
        *SAID,
        ends(output_tokens=15),
        STOP,
        usage=used(25, 15),
        thinking="Let me see.",
    ),
    anthropic(
        "two tools",
        started(input_tokens=25, output_tokens=1),
        block(0, type="tool_use", id="a", name="weather", input={}),
        grows(0, type="input_json_delta", partial_json='{"city": '),
        grows(0, type="input_json_delta", partial_json='"Paris"}'),
        block(1, type="tool_use", id="b", name="time", input={}),
        grows(1, type="input_json_delta", partial_json=ROME),
        ends("tool_use", output_tokens=15),
        STOP,
        usage=used(25, 15),
        calls=TWO,
        finish_reason="tool_use",
    ),
    anthropic(
        "a tool without arguments",
        started(input_tokens=25, output_tokens=1),
        block(0, type="tool_use", id="a", name="now", input={}),
        ends("tool_use", output_tokens=15),
        STOP,
        usage=used(25, 15),
        calls=(call("now", "{}", "a"),),
        finish_reason="tool_use",
    ),
    anthropic(
        "cut",
        started(input_tokens=25, output_tokens=1),
        *SAID,
        ends("max_tokens", output_tokens=15),
        STOP,
        usage=used(25, 15),
        finish_reason="max_tokens",
    ),
    anthropic(
        "refusal",
        started(input_tokens=25, output_tokens=1),
        *SAID,
        ends("refusal", output_tokens=15),
        STOP,
        usage=used(25, 15),
        finish_reason="refusal",
    ),
    Shape(
        name="Anthropic, whole",
        format="anthropic",
        streamed=False,
        events=(
            {
                "type": "message",
                "model": "m",
                "content": [
                    {"type": "thinking", "thinking": "Let me see."},
                    {"type": "text", "text": "Yes."},
                ],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 25, "output_tokens": 15},
            },
        ),
        usage=used(25, 15),
        thinking="Let me see.",
        finish_reason="end_turn",
    ),
)
