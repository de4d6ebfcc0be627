"""What a call cost, where that can be known.

It lives apart because every wire format asks it, and because an unknown must stay unknown: never zero.
"""

from __future__ import annotations

from zetaroute.domain import Arm


def call_cost_usd(
    arm: Arm, *, input_tokens: int | None, output_tokens: int | None, cached_tokens: int | None = None
) -> float | None:
    """Return the cost in USD, or None when a price or a token count is unknown."""
    if arm.prices is None or input_tokens is None or output_tokens is None:
        return None
    # A server that claims more cached tokens than it read would make the call cheaper than free.
    cached = min(cached_tokens or 0, input_tokens)
    return arm.prices.cost_usd(input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached)
