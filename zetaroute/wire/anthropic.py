"""Anthropic's Messages: turns and options in its shape, and its answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from zetaroute.domain import Message
from zetaroute.wire.draft import Draft
from zetaroute.wire.json_values import JsonObject, count, label, mapping, parse, sequence, text
from zetaroute.wire.pieces import Part

_AS_IT_IS = frozenset({"max_tokens", "temperature", "top_p"})
_TRANSLATED = frozenset({"stop", "tools", "tool_choice", "parallel_tool_calls", "response_format"})
_HINTS = frozenset({"reasoning_effort", "verbosity"})
"""Options without which the answer is one still: where the format has none like it, they are left out."""
MESSAGES_KNOW = _AS_IT_IS | _TRANSLATED | _HINTS
"""Options of chat completions that the format can say, or that it can do without."""
_OTHER_LETTERS = re.compile("[^a-zA-Z0-9_-]")
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def messages_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return options under the names of the format, and words for what it has no option for."""
    known = {key: value for key, value in options.items() if key not in _TRANSLATED | _HINTS}
    if stop := options.get("stop"):
        known["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if tools := sequence(options.get("tools")):
        known["tools"] = [_tool(mapping(mapping(tool).get("function"))) for tool in tools]
        known["tool_choice"] = _choice(options.get("tool_choice"))
        if options.get("parallel_tool_calls") is False and known["tool_choice"]["type"] != "none":
            known["tool_choice"]["disable_parallel_tool_use"] = True
    return known, _wanted_json(mapping(options.get("response_format")))


def messages_turns(turns: Iterable[Message]) -> list[dict[str, Any]]:
    """Return turns but those of the role system, which stand beside them; what tools said is said by the user."""
    made: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "system":
            continue
        if turn.role == "tool":
            block = {
                "type": "tool_result",
                "tool_use_id": _id(turn.fields.get("tool_call_id")),
                "content": turn.content,
            }
            if made and isinstance(made[-1]["content"], list) and made[-1]["role"] == "user":
                made[-1]["content"].append(block)
            else:
                made.append({"role": "user", "content": [block]})
            continue
        calls = [_use(mapping(call)) for call in sequence(turn.fields.get("tool_calls"))]
        words = [{"type": "text", "text": turn.content}] if turn.content else []
        # An empty turn is refused.
        if calls or turn.content:
            made.append({"role": turn.role, "content": [*words, *calls] if calls else turn.content})
    return made


def _use(call: JsonObject) -> JsonObject:
    function = mapping(call.get("function"))
    try:
        wanted = mapping(parse(text(function.get("arguments")) or "{}"))
    except ValueError:
        wanted = {}
    return {
        "type": "tool_use",
        "id": text(call.get("id")),
        "name": text(function.get("name")),
        "input": wanted,
    }


def _id(given: Any) -> str:
    """Return the id of a call in the letters that the format lets it have."""
    return _OTHER_LETTERS.sub("_", text(given)) or "_"


def _tool(function: JsonObject) -> JsonObject:
    schema = mapping(function.get("parameters")) or {"type": "object"}
    tool = {"name": function.get("name"), "input_schema": schema}
    described = function.get("description")
    return {**tool, "description": described} if described else tool


def _choice(choice: Any) -> dict[str, Any]:
    if named := mapping(mapping(choice).get("function")).get("name"):
        return {"type": "tool", "name": named}
    return {"type": _CHOICES.get(choice, "auto") if isinstance(choice, str) else "auto"}


def _wanted_json(response_format: JsonObject) -> str | None:
    """Return the words that ask for JSON."""
    named = mapping(response_format.get("json_schema"))
    if "schema" in named:
        schema = json.dumps(named["schema"])
        return f"Answer with JSON alone, no other text, that is valid by this JSON schema: {schema}"
    if response_format.get("type") == "json_object":
        return "Answer with one JSON object alone, no other text."
    return None


def take_messages(payload: JsonObject, draft: Draft) -> str | None:
    """Fill the draft from a whole answer or one event of a stream, and return its text.

    None says that no text belongs to it.
    """
    match payload.get("type"):
        case "message":
            _take_head(payload, draft)
            blocks = draft.blocks = tuple(map(mapping, sequence(payload.get("content"))))
            draft.block_format = "anthropic"
            return "".join(_take_block(place, block, draft) for place, block in enumerate(blocks))
        case "message_start":
            _take_head(mapping(payload.get("message")), draft)
        case "content_block_start":
            return _take_block(count(payload.get("index")) or 0, mapping(payload.get("content_block")), draft)
        case "content_block_delta":
            delta = mapping(payload.get("delta"))
            draft.think(text(delta.get("thinking")))
            if signature := text(delta.get("signature")):
                draft.beside(Part(kind="signature", text=signature))
            if delta.get("type") == "input_json_delta":
                index = count(payload.get("index")) or 0
                draft.calls.take(index=index, arguments=text(delta.get("partial_json")))
                draft.stepped()
            return text(delta.get("text"))
        case "message_delta":
            draft.end(mapping(payload.get("delta")).get("stop_reason"))
        case "message_stop":
            draft.finished = draft.signed_off = True
    return None


def _take_head(message: JsonObject, draft: Draft) -> None:
    draft.served_model = label(message.get("model")) or draft.served_model
    draft.end(message.get("stop_reason"))


def _take_block(place: int, block: JsonObject, draft: Draft) -> str:
    draft.think(text(block.get("thinking")))
    if block.get("type") == "tool_use":
        # A stream begins a call with an empty input, and sends it in parts.
        draft.calls.take(
            index=place,
            call_id=text(block.get("id")),
            name=text(block.get("name")),
            arguments=block.get("input") or None,
        )
        draft.stepped()
    elif block.get("type") == "redacted_thinking":
        draft.beside(Part(kind="block", block=block))
    return text(block.get("text")) if block.get("type") == "text" else ""
