"""One answer as it comes over the wire, and the parts that it is put together from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from zetaroute.domain import ToolCall
from zetaroute.wire.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One answer as it comes over the wire, and what it means."""

    name: str
    events: tuple[Any, ...]
    """One object is a whole answer, several are a stream; a text stands in it as it is."""
    format: str = "openai"
    text: str = "Yes."
    usage: Usage = field(default_factory=Usage)
    calls: tuple[ToolCall, ...] = ()
    thinking: str | None = None
    finish_reason: str | None = "stop"
    streamed: bool = True

    @property
    def raw(self) -> bytes:
        """The bytes of the body."""
        if not self.streamed:
            return json.dumps(self.events[0], ensure_ascii=False).encode()
        return b"".join(map(_event, self.events))


def _event(payload: Any) -> bytes:
    if isinstance(payload, str):
        return f"{payload}\n\n".encode()
    name = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{name}data: {json.dumps(payload, ensure_ascii=False)}\n\n".encode()


DONE = "data: [DONE]"


def piece(content: Any = None, *, finish: Any = None, usage: Any = ..., **fields: Any) -> dict[str, Any]:
    """Return one chunk of a chat completion."""
    delta = {**({} if content is None else {"content": content}), **fields}
    chunk = {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return chunk if usage is ... else {**chunk, "usage": usage}


def counts(usage: Any) -> dict[str, Any]:
    """Return the chunk without choices that counts."""
    return {"model": "m", "choices": [], "usage": usage}


def whole(message: Any = "Yes.", *, usage: Any = None, finish: Any = "stop", **fields: Any) -> dict[str, Any]:
    """Return a whole chat completion."""
    body = message if isinstance(message, dict) else {"content": message}
    choice = {"index": 0, "message": {"role": "assistant", **body}, "finish_reason": finish}
    return {"model": "m", "choices": [choice], "usage": usage, **fields}


def used(read: Any, wrote: Any, *, cached: Any = None, written: Any = None, reasoning: Any = None) -> Usage:
    return Usage(
        input_tokens=read,
        output_tokens=wrote,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def chat(read: Any, wrote: Any, total: Any = None, **more: Any) -> dict[str, Any]:
    """Return usage under the names of chat completions."""
    usage = {"prompt_tokens": read, "completion_tokens": wrote, **more}
    return usage if total is None else {**usage, "total_tokens": total}


def plain(name: str, usage: Any, means: Usage, **fields: Any) -> Shape:
    """Return the shape of a whole answer with some usage."""
    return Shape(name=name, events=(whole(usage=usage, **fields),), usage=means, streamed=False)


def stream(name: str, *events: Any, **means: Any) -> Shape:
    return Shape(name=name, events=events, **means)


def call(name: str, arguments: str, call_id: str = "") -> ToolCall:
    return ToolCall(name=name, arguments=arguments, id=call_id)


def part(name: Any = None, arguments: Any = None, call_id: Any = None, index: Any = None) -> dict[str, Any]:
    """Return a tool call, or a part of one."""
    function = {"name": name, "arguments": arguments}
    fields = {"id": call_id, "index": index}
    return {
        "type": "function",
        "function": {key: value for key, value in function.items() if value is not None},
        **{key: value for key, value in fields.items() if value is not None},
    }


HALVES = (piece("Ye"), piece("s."))
END = piece(finish="stop")
PARIS, ROME = '{"city": "Paris"}', '{"city": "Rome"}'
TWO = (call("weather", PARIS, "a"), call("time", ROME, "b"))
