"""Answers of OpenAI's Responses."""

from __future__ import annotations

from typing import Any

from .building import PARIS, TWO, Shape, call, used

SAYS = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
THINKS = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
SEALED = {**THINKS, "encrypted_content": "sealed"}
COUNTED = {"input_tokens": 25, "output_tokens": 15, "total_tokens": 40}


def responses(name: str, *events: Any, **means: Any) -> Shape:
    return Shape(name=f"Responses, {name}", events=events, format="responses", **means)


def body(*output: Any, status: str = "completed", usage: Any = COUNTED, **fields: Any) -> dict[str, Any]:
    known = {"object": "response", "model": "m", "error": None, "status": status}
    return {**known, "output": list(output), "usage": usage, **fields}


def tells(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def item(kind: str, place: int, **fields: Any) -> dict[str, Any]:
    return tells(f"output_item.{kind}", output_index=place, item=fields)


def calls(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


BEGUN = tells("created", response=body(status="in_progress", usage=None))
HALVES = (tells("output_text.delta", delta="Ye"), tells("output_text.delta", delta="s."))
RESPONSES = (
    responses("whole", body(SEALED, SAYS), usage=used(25, 15), thinking="hm", streamed=False),
    responses(
        "whole, two calls",
        body(*(calls(one.id, one.name, one.arguments) for one in TWO)),
        usage=used(25, 15),
        calls=TWO,
        streamed=False,
    ),
    responses(
        "pieces, thoughts and counts",
        BEGUN,
        item("added", 0, **{**THINKS, "summary": []}),
        tells("reasoning_summary_part.added", summary_index=0),
        tells("reasoning_summary_text.delta", delta="h"),
        tells("reasoning_summary_text.delta", delta="m"),
        item("done", 0, **SEALED),
        item("added", 1, **{**SAYS, "content": []}),
        *HALVES,
        item("done", 1, **SAYS),
        tells(
            "completed",
            response=body(SEALED, SAYS, usage={**COUNTED, "input_tokens_details": {"cached_tokens": 20}}),
        ),
        usage=used(25, 15, cached=20),
        thinking="hm",
    ),
    responses(
        "two calls in pieces, whole again",
        *(
            event
            for place, one in enumerate(TWO)
            for event in (
                item("added", place, **calls(one.id, one.name, "")),
                tells("function_call_arguments.delta", output_index=place, delta=one.arguments[:4]),
                tells("function_call_arguments.delta", output_index=place, delta=one.arguments[4:]),
                tells("function_call_arguments.done", output_index=place, arguments=one.arguments),
                item("done", place, **calls(one.id, one.name, one.arguments)),
            )
        ),
        tells("completed", response=body(usage=COUNTED)),
        usage=used(25, 15),
        calls=TWO,
    ),
    responses(
        "a call that comes whole",
        item("done", 0, **calls("a", "weather", PARIS)),
        tells("completed", response=body(usage=None)),
        calls=(call("weather", PARIS, "a"),),
    ),
    responses(
        "cut by a limit",
        *HALVES,
        tells(
            "incomplete",
            response=body(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        ),
        usage=used(25, 15),
        finish_reason="max_output_tokens",
    ),
    responses("all of it at the end alone", tells("completed", response=body(SAYS)), usage=used(25, 15)),
    responses(
        "a text as the input of a tool",
        item("done", 0, type="custom_tool_call", call_id="a", name="patch", input="x"),
        tells("completed", response=body()),
        usage=used(25, 15),
        calls=(call("patch", '{"input": "x"}', "a"),),
    ),
)
