"""Which wire formats have everything that a query's options and turns say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zetaroute.domain import Message
from zetaroute.wire.anthropic import messages_can_carry
from zetaroute.wire.responses import responses_can_carry

_ANYWHERE = frozenset({"max_tokens", "temperature", "top_p"})
"""Options that every wire format knows."""


def carriers(options: Mapping[str, Any], turns: Sequence[Message], *, plain: bool) -> tuple[str, ...]:
    """Return the providers that can be asked; empty where any can. `plain`: the query's text comes last."""
    if plain and options.keys() <= _ANYWHERE and not any(turn.fields for turn in turns):
        return ()
    can = {"anthropic": messages_can_carry, "responses": responses_can_carry}
    return ("openai", *(name for name, carries in can.items() if carries(options, turns)))
