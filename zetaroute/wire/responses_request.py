"""Turns and options of chat completions in the shape of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zetaroute.domain import Message
from zetaroute.wire.json_values import JsonObject, mapping, sequence, text

_AS_IT_IS = frozenset({"temperature", "top_p", "parallel_tool_calls"})
_TRANSLATED = frozenset(
    {"max_tokens", "reasoning_effort", "verbosity", "response_format", "tools", "tool_choice"}
)
SIGNED = "reasoning.encrypted_content"
"""What must be included for a model to go on from what it thought, where its server keeps nothing."""


def responses_can_carry(options: Mapping[str, Any], turns: Iterable[Message]) -> bool:
    """Return whether the format has everything that these options and turns of chat completions say."""
    if not options.keys() <= _AS_IT_IS | _TRANSLATED:
        return False
    if not all(mapping(tool).get("type") == "function" for tool in sequence(options.get("tools"))):
        return False
    return all(turn.role != "function" and "function_call" not in turn.fields for turn in turns)


def responses_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options under the names of the format; one that it does not know goes on as it is."""
    known = {key: value for key, value in options.items() if key not in _TRANSLATED}
    if "max_tokens" in options:
        known["max_output_tokens"] = options["max_tokens"]
    if "reasoning_effort" in options:
        known["reasoning"] = {**mapping(known.get("reasoning")), "effort": options["reasoning_effort"]}
    words = dict(mapping(known.get("text")))
    if "verbosity" in options:
        words["verbosity"] = options["verbosity"]
    if form := mapping(options.get("response_format")):
        words["format"] = {"type": form.get("type"), **mapping(form.get("json_schema"))}
    if words:
        known["text"] = words
    if tools := sequence(options.get("tools")):
        # Left out, strict is true here and false there.
        known["tools"] = [
            {"type": "function", "strict": False, **mapping(mapping(tool).get("function"))} for tool in tools
        ]
    if choice := options.get("tool_choice"):
        named = mapping(mapping(choice).get("function")).get("name")
        known["tool_choice"] = {"type": "function", "name": named} if named else choice
    return known


def responses_items(turns: Iterable[Message]) -> list[dict[str, Any]]:
    """Return turns as items: each call, and what each tool said, is one of its own."""
    items: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "tool":
            called = text(turn.fields.get("tool_call_id"))
            items.append({"type": "function_call_output", "call_id": called, "output": turn.content})
            continue
        if turn.content:
            items.append({"role": turn.role, "content": turn.content})
        for call in map(mapping, sequence(turn.fields.get("tool_calls"))):
            function = mapping(call.get("function"))
            wanted = {"name": text(function.get("name")), "arguments": text(function.get("arguments"))}
            items.append({"type": "function_call", "call_id": text(call.get("id")), **wanted})
    return items


def qualified(namespace: Any, name: Any) -> Any:
    """Return the name by which models of other formats know a function of a namespace."""
    return f"{namespace}__{name}" if isinstance(namespace, str) else name


def can_be_sent(items: Sequence[JsonObject]) -> list[JsonObject]:
    """Return items without thoughts that their server has not sealed: nobody keeps them by their ids."""
    return [item for item in items if item.get("type") != "reasoning" or item.get("encrypted_content")]
