"""Prices as LiteLLM writes them: USD per token, by names that say what for and from which length of input on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from zetaroute.domain import Prices, PriceTier
from zetaroute.wire.json_values import mapping, sequence

_KEYS = {
    "input": "input_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
    "reasoning": "output_cost_per_reasoning_token",
}
_ABOVE = re.compile(rf"({'|'.join(_KEYS.values())})_above_(\d+)k_tokens")
_BY_CIRCUMSTANCE = re.compile(r"_above_|peak|night|hour|_1hr|discount|tier")
"""Names of prices that hold at some times or for some calls only."""
_SERVICE = re.compile(r"_(priority|flex|batches)$")
"""What costs something else only where it is asked for."""


def listed_prices(entry: Mapping[str, Any]) -> Prices | None:
    """Return an entry's prices per million tokens, or None when it does not name both input and output."""
    tiers: dict[int, dict[str, float | None]] = {}
    for key, value in entry.items():
        found = _ABOVE.fullmatch(key)
        if found and _per_million(value) is not None:
            name = next(name for name, own in _KEYS.items() if own == found[1])
            tiers.setdefault(int(found[2]) * 1000, {})[name] = _per_million(value)
    base: Mapping[str, Any] = entry
    for tier in sorted(map(mapping, sequence(entry.get("tiered_pricing"))), key=_begin):
        if _begin(tier) > 0:
            tiers.setdefault(_begin(tier), _named(tier))
        else:
            base = {**entry, **tier}
    prices = _prices(_named(base))
    if prices is None:
        return None
    above: list[PriceTier] = []
    for tokens, changed in sorted(tiers.items()):
        # What a tier does not name costs there what it costs below.
        known = {name: getattr(prices, name) for name in _KEYS}
        longer = _prices({**known, **{name: value for name, value in changed.items() if value is not None}})
        if longer is not None:
            above.append(PriceTier(tokens=tokens, prices=longer))
    return Prices(**{name: getattr(prices, name) for name in _KEYS}, above=tuple(above))


def unpriced_terms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of an entry's prices that hold only at times and are not understood here."""
    return tuple(
        key
        for key, value in entry.items()
        if _BY_CIRCUMSTANCE.search(key)
        and ("cost" in key or "pric" in key)
        and key != "tiered_pricing"
        and not _ABOVE.fullmatch(key)
        and not _SERVICE.search(key)
        and value
    )


def _named(entry: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _per_million(entry.get(key)) for name, key in _KEYS.items()}


def _prices(named: Mapping[str, float | None]) -> Prices | None:
    given, taken = named["input"], named["output"]
    if given is None or taken is None:
        return None
    reasoning = named["reasoning"]
    return Prices(
        input=given,
        output=taken,
        cached_input=named["cached_input"],
        cache_write=named["cache_write"],
        reasoning=None if reasoning == taken else reasoning,
    )


def _begin(tier: Mapping[str, Any]) -> int:
    begin = next(iter(sequence(tier.get("range"))), 0)
    usable = isinstance(begin, int | float) and not isinstance(begin, bool) and 0 <= begin < math.inf
    return int(begin) if usable else 0


def _per_million(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or value < 0:
        return None
    # 1.5e-07 x 1e6 is 0.15 and a little, and no price has more digits than these.
    return float(f"{value * 1e6:.10g}")
