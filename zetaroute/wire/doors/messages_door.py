"""The door of Anthropic's Messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from zetaroute.domain import Completion
from zetaroute.wire.doors import door
from zetaroute.wire.doors.blocks import AnswerBlock, BlockStream, blocks_of
from zetaroute.wire.draft import REFUSAL
from zetaroute.wire.events import event
from zetaroute.wire.json_values import mapping, parse

_NATIVE = (
    *("messages", "system", "max_tokens", "tools", "tool_choice", "thinking", "stop_sequences"),
    *("temperature", "top_p", "top_k", "output_config", "output_format", "context_management"),
)
"""What a server of the same format is sent as it came; nothing about the person who asks is among it."""
_AS_IT_IS = ("max_tokens", "temperature", "top_p")
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class MessagesDoor(door.Door):
    """/v1/messages."""

    kinds = frozenset({"call", "thinking", "signature", "block"})
    request_id = "request-id"

    def read(self, body: Mapping[str, Any]) -> door.Inbound:
        turns = [
            turn
            for number, message in enumerate(door.list_at(body.get("messages"), "messages"))
            for turn in _turns(message, f"messages[{number}]")
        ]
        tools = door.list_at(body.get("tools") or [], "tools")
        functions = [_tool(door.mapping_at(tool, f"tools[{number}]")) for number, tool in enumerate(tools)]
        metadata = dict(mapping(body.get("metadata")))
        return door.Inbound(
            turns=tuple(turns),
            system=_words(body["system"], "system") if body.get("system") is not None else None,
            options=_options(body, [one for one in functions if one is not None]),
            model=body.get("model"),
            streamed=body.get("stream"),
            session=_session(metadata.pop("user_id", None)),
            metadata=metadata,
            native={
                **{key: body[key] for key in _NATIVE if body.get(key) is not None},
                "messages": [one for one in map(_signed, body["messages"]) if one["content"] != []],
            },
            only_native=None in functions,
        )

    def whole(self, replies: list[door.Reply]) -> dict[str, Any]:
        (reply,) = replies
        done = reply.done
        native = list(done.blocks) if done.block_format == "anthropic" else []
        content = native or [_block(block) for block in blocks_of(done, reply.id)]
        ended = {"stop_reason": _stop_reason(done), "stop_sequence": None, "usage": _usage(done)}
        return {**_head(reply.id, reply.model), "content": content, **ended, "zetaroute": reply.facts}

    def error(self, status: int, message: str, *, code: str, param: str | None) -> dict[str, Any]:
        kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": message, "code": code, "param": param}}


def _session(user: Any) -> str | None:
    """Return the session that a client names within the id of its user, in a word or as JSON."""
    if not isinstance(user, str):
        return None
    _, marked, session = user.rpartition("_session_")
    if not marked:
        try:
            told = mapping(parse(user)).get("session_id")
        except ValueError:
            return None
        session = told if isinstance(told, str) else ""
    return session or None


def _turns(message: Any, place: str) -> list[tuple[str, Any]]:
    """Return a message as turns of chat completions: what each tool said is one of its own."""
    value = door.mapping_at(message, place)
    role, content = value.get("role"), value.get("content")
    if role not in ("user", "assistant", "system"):
        raise door.MalformedRequestError(f"{place}.role must be user, assistant or system.", f"{place}.role")
    if isinstance(content, str):
        return [(place, {"role": role, "content": content})]
    turns, parts, calls = list[tuple[str, Any]](), list[Any](), list[Any]()
    for number, item in enumerate(door.list_at(content, f"{place}.content")):
        where = f"{place}.content[{number}]"
        block = door.mapping_at(item, where)
        match block.get("type"):
            case "tool_result":
                said, seen = _result(block, where)
                turns.append(
                    (where, {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": said})
                )
                parts += seen
            case "tool_use":
                function = {"name": block.get("name"), "arguments": json.dumps(block.get("input") or {})}
                calls.append({"id": block.get("id"), "type": "function", "function": function})
            case _:
                part = _part(block, where)
                parts += [] if part is None else [part]
    if role == "assistant":
        turn = {"role": role, "content": parts or None}
        return [(place, {**turn, "tool_calls": calls} if calls else turn)]
    return [*turns, (place, {"role": role, "content": parts})] if parts or not turns else turns


def _signed(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message without the thoughts of models of other formats: a server refuses what it has not signed."""
    content = message["content"]
    if isinstance(content, str):
        return message
    kept = [one for one in content if one.get("type") != "thinking" or one.get("signature")]
    return message if len(kept) == len(content) else {**message, "content": kept}


def _part(block: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Return a block as a part of a message of chat completions; None for what only its own format has."""
    match block.get("type"):
        case "text":
            return {"type": "text", "text": block.get("text")}
        case "image" | "document":
            source = door.mapping_at(block.get("source"), f"{where}.source")
            if source.get("type") == "text":
                return {"type": "text", "text": source.get("data")}
            url = f"data:{source.get('media_type')};base64,{source.get('data')}"
            if source.get("type") != "base64":
                raise door.unserved(
                    f"{where} must hold its file as base64; addresses are not fetched.", where
                )
            if block["type"] == "image":
                return {"type": "image_url", "image_url": {"url": url}}
            return {"type": "file", "file": {"filename": block.get("title") or "file.pdf", "file_data": url}}
    return None


def _result(block: Mapping[str, Any], where: str) -> tuple[str, list[Any]]:
    """Return what a tool said, and the files in it, which go with the turn of the user."""
    content = block.get("content")
    if content is None or isinstance(content, str):
        return content or "", []
    parts = [
        _part(door.mapping_at(item, f"{where}.content[{number}]"), f"{where}.content[{number}]")
        for number, item in enumerate(door.list_at(content, f"{where}.content"))
    ]
    known = [part for part in parts if part is not None]
    texts = [door.text_at(part["text"], where) for part in known if part["type"] == "text"]
    return "\n".join(texts), [part for part in known if part["type"] != "text"]


def _words(system: Any, place: str) -> str:
    """Return instructions that are a text or a list of blocks of text."""
    if isinstance(system, str):
        return system
    blocks = [
        door.mapping_at(item, f"{place}[{number}]") for number, item in enumerate(door.list_at(system, place))
    ]
    return "\n\n".join(
        door.text_at(block.get("text"), f"{place}[{number}]") for number, block in enumerate(blocks)
    )


def _tool(tool: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a tool as a function of chat completions; None for one that a server of the format runs itself."""
    if tool.get("type") not in (None, "custom"):
        return None
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema")}
    if tool.get("description"):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _options(body: Mapping[str, Any], tools: list[dict[str, Any]]) -> dict[str, Any]:
    options = {key: body[key] for key in _AS_IT_IS if body.get(key) is not None}
    if body.get("stop_sequences"):
        options["stop"] = body["stop_sequences"]
    form = mapping(mapping(body.get("output_config")).get("format")) or mapping(body.get("output_format"))
    if form.get("type") == "json_schema":
        options["response_format"] = door.schema_format(form.get("schema"), form.get("name"))
    if tools:
        options["tools"] = tools
        choice = mapping(body.get("tool_choice"))
        if choice.get("type") == "tool":
            options["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
        elif isinstance(choice.get("type"), str) and choice["type"] in _CHOICES:
            options["tool_choice"] = _CHOICES[choice["type"]]
        if choice.get("disable_parallel_tool_use") is True:
            options["parallel_tool_calls"] = False
    return options


def _head(answer_id: str, model: str) -> dict[str, Any]:
    return {"id": f"msg_{answer_id}", "type": "message", "role": "assistant", "model": model}


def _stop_reason(done: Completion) -> str:
    if done.finish_reason in {"stop_sequence", "pause_turn", REFUSAL}:
        return done.finish_reason
    reason = door.finish_reason(done)
    return _STOPS.get(reason, reason)


def _usage(done: Completion) -> dict[str, Any]:
    """Return the counts: cached and newly cached tokens stand beside the others."""
    cached, written = done.cached_tokens or 0, done.cache_write_tokens or 0
    return {
        "input_tokens": max(0, (done.input_tokens or 0) - cached - written),
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
        "output_tokens": done.output_tokens or 0,
    }


def _block(block: AnswerBlock, *, begun: bool = False) -> dict[str, Any]:
    """Return a block of the content: whole, or as it begins."""
    words = "" if begun else block.text
    match block.kind:
        case "thinking":
            return {"type": "thinking", "thinking": words, "signature": "" if begun else block.signature}
        case "call":
            try:
                wanted = mapping(parse(words or "{}"))
            except ValueError:
                wanted = {}
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": wanted}
        case "block":
            return dict(block.block or {})
    return {"type": "text", "text": words}


class _MessageEvents(BlockStream):
    """The events of one answer."""

    def start(self) -> bytes:
        usage = {"input_tokens": 0, "output_tokens": 0}
        ends = {"stop_reason": None, "stop_sequence": None, "usage": usage}
        return self._event(
            "message_start", message={**_head(self._answer_id, self._model), "content": [], **ends}
        ) + self._event("ping")

    def opened(self, block: AnswerBlock) -> bytes:
        return self._event("content_block_start", index=block.index, content_block=_block(block, begun=True))

    def grown(self, block: AnswerBlock, text: str) -> bytes:
        match block.kind:
            case "thinking":
                return self._delta(block, type="thinking_delta", thinking=text)
            case "call":
                return self._delta(block, type="input_json_delta", partial_json=text)
        return self._delta(block, type="text_delta", text=text)

    def signed(self, block: AnswerBlock) -> bytes:
        return self._delta(block, type="signature_delta", signature=block.signature)

    def closed(self, block: AnswerBlock) -> bytes:
        return self._event("content_block_stop", index=block.index)

    def end(self, reply: door.Reply, before: Sequence[door.Reply] | None = ()) -> bytes:
        events = self.finish(reply.done)
        delta = {"stop_reason": _stop_reason(reply.done), "stop_sequence": None}
        events += self._event("message_delta", delta=delta, usage=_usage(reply.done), zetaroute=reply.facts)
        return events + self._event("message_stop")

    def failed(self, error: Mapping[str, Any]) -> bytes:
        return event(error, "error")

    def _delta(self, block: AnswerBlock, **delta: Any) -> bytes:
        return self._event("content_block_delta", index=block.index, delta=delta)

    def _event(self, kind: str, **fields: Any) -> bytes:
        return event({"type": kind, **fields}, kind)


MESSAGES = MessagesDoor(_MessageEvents)
