"""Which wire formats have everything that a query's options and turns say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zetaroute.domain import Message
from zetaroute.wire.anthropic import MESSAGES_KNOW
from zetaroute.wire.json_values import mapping, sequence
from zetaroute.wire.responses import RESPONSES_KNOW

_ANYWHERE = frozenset({"max_tokens", "temperature", "top_p"})
"""Options that every wire format knows."""


def carriers(options: Mapping[str, Any], turns: Sequence[Message], *, plain: bool) -> tuple[str, ...]:
    """Return the providers that can be asked; empty where any can. `plain`: the query's text comes last."""
    if plain and options.keys() <= _ANYWHERE and not any(turn.fields for turn in turns):
        return ()
    tools = sequence(options.get("tools"))
    if any(mapping(tool).get("type") != "function" for tool in tools) or any(map(_is_legacy, turns)):
        return ("openai",)
    can = {"anthropic": MESSAGES_KNOW, "responses": RESPONSES_KNOW}
    return ("openai", *(name for name, known in can.items() if options.keys() <= known))


def _is_legacy(turn: Message) -> bool:
    """Whether a turn calls a function as chat completions once did."""
    return turn.role == "function" or "function_call" in turn.fields
