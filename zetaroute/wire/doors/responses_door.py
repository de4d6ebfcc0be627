"""The door of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zetaroute.domain import Completion
from zetaroute.wire.doors import door
from zetaroute.wire.doors.blocks import AnswerBlock, BlockStream, blocks_of
from zetaroute.wire.doors.chat_door import passed_on
from zetaroute.wire.draft import REFUSAL
from zetaroute.wire.events import event
from zetaroute.wire.json_values import mapping
from zetaroute.wire.responses import can_be_sent, qualified

_MEANT = ("instructions", "tools", "tool_choice", "text", "max_output_tokens", "reasoning")
_BESIDE = ("truncation", "include", "max_tool_calls", "top_logprobs")
_READ = (*_MEANT, *_BESIDE, "input", "conversation", "previous_response_id", "background", "prompt")
"""Keys that are read here or mean nothing to a model."""
_NATIVE = (*_MEANT, *_BESIDE, "temperature", "top_p", "parallel_tool_calls")
"""What a server of the same format is sent as it came; nothing about the person who asks is among it."""
_ECHOED = (
    *("instructions", "metadata", "temperature", "top_p", "max_output_tokens", "previous_response_id"),
    *("reasoning", "text", "truncation", "user", "parallel_tool_calls", "tool_choice", "tools", "store"),
)
_ECHO = {
    "metadata": {},
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "text": {"format": {"type": "text"}},
    "truncation": "disabled",
    "store": True,
}
_PARTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}


class ResponsesDoor(door.Door):
    """/v1/responses."""

    kinds = frozenset({"call", "thinking", "item"})

    def read(self, body: Mapping[str, Any]) -> door.Inbound:
        for key in ("background", "prompt"):
            if body.get(key):
                raise door.unserved(f"{key} is not served here.", key)
        system, previous = body.get("instructions"), body.get("previous_response_id")
        talk = body.get("conversation")
        turns, ours = _turns(body.get("input"))
        given = body["input"]
        given = [{"role": "user", "content": given}] if isinstance(given, str) else given
        tools = door.list_at(body.get("tools") or [], "tools")
        choice = mapping(body.get("tool_choice"))
        kinds = {str(door.mapping_at(tool, "tools").get("type")) for tool in (*tools, choice) if tool}
        return door.Inbound(
            turns=tuple(turns),
            system=None if system is None else door.text_at(system, "instructions"),
            options={**passed_on(body, *_READ), **_options(body)},
            model=body.get("model"),
            streamed=body.get("stream"),
            metadata=body.get("metadata"),
            session=body.get("prompt_cache_key"),
            conversation=talk.get("id") if isinstance(talk, dict) else talk,
            previous=None if previous is None else door.text_at(previous, "previous_response_id"),
            stored=body.get("store") is not False,
            native_format="responses",
            native={
                **{key: body[key] for key in _NATIVE if body.get(key) is not None},
                "input": can_be_sent(
                    [{"role": "user", "content": given}] if isinstance(given, str) else given
                ),
            },
            only_native=not ours or not kinds <= {"function", "namespace"} or bool(body.get("top_logprobs")),
            echo={key: body[key] for key in _ECHOED if body.get(key) is not None},
        )

    def whole(self, replies: list[door.Reply]) -> dict[str, Any]:
        (reply,) = replies
        return _body(reply, answer_items(reply.done, reply.id, reply.inbound))


def answer_items(done: Completion, answer_id: str, inbound: door.Inbound) -> list[dict[str, Any]]:
    """Return an answer as items: as they came, or made."""
    if done.block_format == "responses" and done.blocks:
        return list(map(dict, done.blocks))
    spaces, refused = namespaces(inbound), done.finish_reason == REFUSAL
    return [_item(block, answer_id, spaces, refused=refused) for block in blocks_of(done, answer_id)]


def answer_turn(done: Completion, answer_id: str) -> dict[str, Any]:
    """Return an answer as a turn of chat completions, to go on from."""
    calls = [
        {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": block.text}}
        for block in blocks_of(done, answer_id)
        if block.kind == "call"
    ]
    turn = {"role": "assistant", "content": done.words}
    return {**turn, "tool_calls": calls} if calls else turn


def _turns(given: Any) -> tuple[list[tuple[str, Any]], bool]:
    """Return the input as turns, and whether these hold all of it that another model needs."""
    if isinstance(given, str):
        return [("input", {"role": "user", "content": given})], True
    turns: list[tuple[str, Any]] = []
    ours = True
    for number, item in enumerate(door.list_at(given, "input")):
        place = f"input[{number}]"
        value = door.mapping_at(item, place)
        match value.get("type", "message"):
            case "message":
                turns.append(
                    (place, {**value, "content": _content(value.get("content"), f"{place}.content")})
                )
            case "function_call" | "custom_tool_call" as kind:
                ours = ours and kind == "function_call"
                wanted = value.get("arguments", value.get("input"))
                function = {"name": qualified(value.get("namespace"), value.get("name")), "arguments": wanted}
                call = {"id": value.get("call_id"), "type": "function", "function": function}
                last = turns[-1][1] if turns else {}
                if last.get("role") == "assistant":
                    turns[-1] = (turns[-1][0], {**last, "tool_calls": [*last.get("tool_calls", ()), call]})
                else:
                    turns.append((place, {"role": "assistant", "content": None, "tool_calls": [call]}))
            case "function_call_output" | "custom_tool_call_output":
                said = _content(value.get("output"), f"{place}.output")
                turn = {"role": "tool", "tool_call_id": value.get("call_id"), "content": said}
                turns.append((place, turn))
            case "reasoning":
                # What a model thought in an earlier turn: chat completions have no place for it.
                continue
            case str(kind) if kind.endswith(("_call", "_call_output")):
                ours = False
            case kind:
                raise door.unserved(f"{place} is of the type {kind!r}, which is not served here.", place)
    return turns, ours


def _content(content: Any, place: str) -> Any:
    """Return the parts of a message under the names of chat completions."""
    if not isinstance(content, list):
        return content
    return [_part(part, f"{place}[{number}]") for number, part in enumerate(content)]


def _part(part: Any, place: str) -> Any:
    value = door.mapping_at(part, place)
    kind = value.get("type")
    if isinstance(kind, str) and kind in _PARTS:
        return {**value, "type": _PARTS[kind]}
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": value.get("image_url")}}
    if kind == "input_file":
        return {"type": "file", "file": {name: value.get(name) for name in ("filename", "file_data")}}
    raise door.unserved(f"{place} is of a type that is not served here.", place)


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that chat completions have under other names."""
    options: dict[str, Any] = {"max_tokens": body.get("max_output_tokens")}
    options["reasoning_effort"] = mapping(body.get("reasoning")).get("effort")
    words = mapping(body.get("text"))
    options["verbosity"] = words.get("verbosity")
    form = mapping(words.get("format"))
    if form.get("type") == "json_schema":
        options["response_format"] = door.schema_format(
            form.get("schema"), form.get("name"), form.get("strict")
        )
    elif form.get("type") == "json_object":
        options["response_format"] = {"type": "json_object"}
    if body.get("tools") is not None:
        options["tools"] = [
            made
            for number, tool in enumerate(door.list_at(body["tools"], "tools"))
            for made in functions(door.mapping_at(tool, f"tools[{number}]"), f"tools[{number}]")
        ]
    if options.get("tools"):
        options["tool_choice"] = _choice(body.get("tool_choice"))
    return {key: value for key, value in options.items() if value not in (None, [])}


def _choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") != "function":
        return None
    return {"type": "function", "function": {"name": choice.get("name")}}


def _head(inbound: door.Inbound, *, answer_id: str, created: int, model: str) -> dict[str, Any]:
    return {
        "id": f"resp_{answer_id}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **dict.fromkeys(_ECHOED),
        **_ECHO,
        **inbound.echo,
    }


def _body(reply: door.Reply, output: list[dict[str, Any]]) -> dict[str, Any]:
    done = reply.done
    read, written = done.input_tokens or 0, done.output_tokens or 0
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(door.finish_reason(done))
    return {
        **_head(reply.inbound, answer_id=reply.id, created=reply.created, model=reply.model),
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": cut} if cut else None,
        "output": output,
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": done.cached_tokens or 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": done.reasoning_tokens or 0},
            "total_tokens": read + written,
        },
        "zetaroute": reply.facts,
    }


def _item(
    block: AnswerBlock,
    answer_id: str,
    spaces: Mapping[str, Mapping[str, Any]],
    *,
    ended: bool = True,
    refused: bool = False,
) -> dict[str, Any]:
    """Return a block as an item of the output: whole, or as it begins."""
    whole, status = block.text if ended else "", "completed" if ended else "in_progress"
    own = f"{block.index}_{answer_id}"
    if block.block is not None and (ended or block.kind == "block"):
        return dict(block.block)
    if block.kind == "thinking":
        summary = [{"type": "summary_text", "text": whole}] if ended else []
        return {"id": block.id or f"rs_{own}", "type": "reasoning", "summary": summary}
    if block.kind == "call":
        call = {"call_id": block.id, "name": block.name, "arguments": whole, "status": status}
        return {"id": f"fc_{own}", "type": "function_call", **call, **spaces.get(block.name, {})}
    part = {"type": "refusal", "refusal": whole} if refused else _text_part(whole)
    content = [part] if ended else []
    return {"id": f"msg_{own}", "type": "message", "role": "assistant", "status": status, "content": content}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


class _ResponseEvents(BlockStream):
    """The events of one answer."""

    def __init__(self, inbound: door.Inbound, **of_answer: Any) -> None:
        super().__init__(inbound, **of_answer)
        self._head = _head(inbound, answer_id=self._answer_id, created=self._created, model=self._model)
        self._spaces = namespaces(inbound)
        self._number = 0

    def start(self) -> bytes:
        kinds = ("response.created", "response.in_progress")
        return b"".join(self._event(kind, response=self._head) for kind in kinds)

    def opened(self, block: AnswerBlock) -> bytes:
        item = _item(block, self._answer_id, self._spaces, ended=False)
        events = self._event("response.output_item.added", output_index=block.index, item=item)
        if block.kind == "text":
            return events + self._of(block, "content_part.added", part=_text_part(""))
        return events

    def grown(self, block: AnswerBlock, text: str) -> bytes:
        match block.kind:
            case "text":
                return self._of(block, "output_text.delta", delta=text, logprobs=[])
            case "thinking":
                begun = b""
                if block.text == text:
                    part = {"type": "summary_text", "text": ""}
                    begun = self._of(block, "reasoning_summary_part.added", part=part)
                return begun + self._of(block, "reasoning_summary_text.delta", delta=text)
        return self._of(block, "function_call_arguments.delta", delta=text)

    def closed(self, block: AnswerBlock) -> bytes:
        match block.kind:
            case "text":
                events = self._of(block, "output_text.done", text=block.text, logprobs=[])
                events += self._of(block, "content_part.done", part=_text_part(block.text))
            case "block":
                events = b""
            case "thinking" if not block.text:
                events = b""
            case "thinking":
                part = {"type": "summary_text", "text": block.text}
                events = self._of(block, "reasoning_summary_text.done", text=block.text)
                events += self._of(block, "reasoning_summary_part.done", part=part)
            case _:
                whole = {"name": block.name, "arguments": block.text}
                events = self._of(block, "function_call_arguments.done", **whole)
        item = _item(block, self._answer_id, self._spaces)
        return events + self._event("response.output_item.done", output_index=block.index, item=item)

    def end(self, reply: door.Reply, before: Sequence[door.Reply] | None = ()) -> bytes:
        events = self.finish(reply.done)
        # What came in the stream is repeated as it stands there.
        body = _body(reply, [_item(block, self._answer_id, self._spaces) for block in self.blocks])
        return events + self._event(f"response.{body['status']}", response=body)

    def failed(self, error: Mapping[str, Any]) -> bytes:
        told = {"code": error["error"]["code"], "message": error["error"]["message"]}
        response = {**self._head, "status": "failed", "error": told}
        return self._event("response.failed", response=response)

    def _of(self, block: AnswerBlock, kind: str, **fields: Any) -> bytes:
        item_id = _item(block, self._answer_id, self._spaces)["id"]
        where = {"text": {"content_index": 0}, "thinking": {"summary_index": 0}}.get(block.kind, {})
        return self._event(f"response.{kind}", item_id=item_id, output_index=block.index, **where, **fields)

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return event({"type": kind, "sequence_number": number, **fields}, kind)


RESPONSES = ResponsesDoor(_ResponseEvents)


def functions(tool: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    """Return the functions of a tool: itself, or those of a namespace under names that begin with its own."""
    if tool.get("type") == "namespace":
        inner = door.list_at(tool.get("tools"), f"{place}.tools")
        inner_functions = [
            door.mapping_at(one, f"{place}.tools[{number}]") for number, one in enumerate(inner)
        ]
        named = [{**one, "name": qualified(tool.get("name"), one.get("name"))} for one in inner_functions]
        return [
            made for number, one in enumerate(named) for made in functions(one, f"{place}.tools[{number}]")
        ]
    if tool.get("type") != "function":
        return []
    known = ("name", "description", "parameters", "strict")
    return [{"type": "function", "function": {key: tool[key] for key in known if tool.get(key) is not None}}]


def namespaces(inbound: door.Inbound) -> dict[str, dict[str, Any]]:
    """Return what a call of each function of a namespace is told as, by the name that models know."""
    spaces = [tool for tool in inbound.echo.get("tools", ()) if tool.get("type") == "namespace"]
    return {
        qualified(space["name"], one.get("name")): {"name": one.get("name"), "namespace": space["name"]}
        for space in spaces
        if isinstance(space.get("name"), str)
        for one in space["tools"]
    }
