"""Take prices out of the community price list for the models that are configured.

The list is a JSON object, model name -> what is known of it, as LiteLLM publishes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zetaroute.config import Home, ImportedPrice, prices_text, read_prices
from zetaroute.domain import Arm, Prices
from zetaroute.errors import UsageError
from zetaroute.files.atomic import os_errors, write_whole
from zetaroute.files.strict_json import strict_json
from zetaroute.files.utf8_text import text_of
from zetaroute.providers.price_list import listed_prices, unpriced_terms

LARGEST = 100_000_000
"""Bytes of a price list."""

_SHOWN = ("input", "cached_input", "cache_write", "output", "reasoning")

PriceList = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True, kw_only=True)
class Import:
    """What an import found, by model id."""

    found: dict[str, ImportedPrice] = field(default_factory=dict)
    ambiguous: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names in the list that fit a model and differ in price."""
    unlisted: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    """Models whose price stands in the config, which counts."""
    unpriced: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Prices of the list that hold only at times, and are not counted."""


def import_prices(home: Home, arms: Sequence[Arm], file: Path) -> Import:
    """Write the prices of the configured models into prices.toml; those of earlier imports stay.

    Raises UsageError when the list cannot be used and StoreError when the home cannot be written.
    """
    listed = read_price_list(file)
    done = Import()
    for arm in arms:
        if arm.provider not in {"openai", "anthropic", "responses"}:
            continue
        if arm.price_source == "config":
            done.own.append(arm.id)
            continue
        names = _names(arm, listed)
        if not names:
            done.unlisted.append(arm.id)
        elif len({(listed_prices(listed[name])) for name in names}) > 1:
            done.ambiguous[arm.id] = tuple(names)
        else:
            entry = listed[names[0]]
            done.found[arm.id] = _imported(arm, names[0], entry)
            if terms := unpriced_terms(entry):
                done.unpriced[arm.id] = terms
    if done.found:
        home.make()
        with os_errors(f"cannot write {home.prices}", "make the home writable."):
            write_whole(home.prices, prices_text({**read_prices(home.prices), **done.found}).encode("utf-8"))
    return done


def read_price_list(file: Path) -> PriceList:
    """Return the models of a price list that have a price; raises UsageError when the file is no such list."""
    with os_errors(f"cannot read {file}", "name a price list that is there.", UsageError):
        size, content = file.stat().st_size, file.read_bytes() if file.stat().st_size <= LARGEST else b""
    if size > LARGEST:
        raise UsageError(f"{file} is larger than a price list is: name model_prices_and_context_window.json.")
    try:
        values = strict_json(text_of(content))
    except ValueError as error:
        raise UsageError(
            f"{file} is not JSON ({error}): name model_prices_and_context_window.json."
        ) from error
    if not isinstance(values, dict):
        raise UsageError(f"{file} is no price list: it must be an object of models.")
    listed = {
        name: entry
        for name, entry in values.items()
        if isinstance(entry, dict) and listed_prices(entry) is not None
    }
    if not listed:
        raise UsageError(f"{file} holds no model with input_cost_per_token and output_cost_per_token.")
    return listed


def price_table(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Return the price of every model and where it comes from."""
    return [
        {
            "model": arm.id,
            **_shown(arm.prices),
            "source": arm.price_source or "unknown",
        }
        for arm in arms
    ]


def _shown(prices: Prices | None) -> dict[str, Any]:
    shown = {name: getattr(prices, name, None) for name in _SHOWN}
    above = prices.above if prices else ()
    return {
        **shown,
        "above": [
            {"tokens": tier.tokens, **{name: getattr(tier.prices, name) for name in _SHOWN}} for tier in above
        ],
    }


def _names(arm: Arm, listed: PriceList) -> list[str]:
    """Return the names in the list that may mean this model: its own if there, else those behind a prefix.

    What runs at home costs what it costs there: for a local model only its full id counts.
    """
    exact = [name for name in (arm.id, arm.model) if name in listed]
    if arm.local:
        return [arm.id] if arm.id in listed else []
    return exact[:1] or [name for name in listed if name.endswith(f"/{arm.model}")]


def _imported(arm: Arm, name: str, entry: Mapping[str, Any]) -> ImportedPrice:
    prices = listed_prices(entry)
    assert prices is not None  # noqa: S101  - entries without are not in the list; this tells mypy
    window = entry.get("max_input_tokens")
    known = isinstance(window, int) and not isinstance(window, bool) and window > 0
    return ImportedPrice(
        model=arm.model, listed=name, prices=prices, context_window=window if known else None
    )
