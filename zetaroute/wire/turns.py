"""Turns of a conversation in the shape of chat completions: what belongs to one besides its role and its text."""

from __future__ import annotations

from typing import Any

from zetaroute.wire.json_values import JsonObject

_FIELDS = ("name", "tool_calls", "tool_call_id", "function_call", "refusal")


def turn_fields(turn: JsonObject) -> dict[str, Any]:
    """Return what is passed on with a turn: tools that it called, the call that it answers, a null for its content.

    Servers tell a null from an empty text, so each goes out as it came.
    """
    fields = {name: turn[name] for name in _FIELDS if turn.get(name) is not None}
    return {**fields, "content": None} if turn.get("content") is None else fields
