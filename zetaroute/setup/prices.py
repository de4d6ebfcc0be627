"""Take prices out of the community price list for the models that are configured.

The list is a JSON object, model name -> what is known of it, as LiteLLM publishes it: USD per token under
`input_cost_per_token`, `output_cost_per_token`, `cache_read_input_token_cost`, and `max_input_tokens`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zetaroute.config import Home, ImportedPrice, prices_text, read_prices
from zetaroute.domain import Arm, Prices
from zetaroute.errors import StoreError, UsageError
from zetaroute.files.atomic import write_whole

LARGEST = 100_000_000
"""Bytes of a price list."""

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


def import_prices(home: Home, arms: Sequence[Arm], file: Path) -> Import:
    """Write the prices of the configured models into prices.toml; those of earlier imports stay.

    Raises UsageError when the list cannot be used and StoreError when the home cannot be written.
    """
    listed = read_price_list(file)
    done = Import()
    for arm in arms:
        if arm.provider not in {"openai", "anthropic"}:
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
            done.found[arm.id] = _imported(arm, names[0], listed[names[0]])
    if done.found:
        home.make()
        try:
            write_whole(home.prices, prices_text({**read_prices(home.prices), **done.found}).encode("utf-8"))
        except OSError as error:
            raise StoreError(
                f"cannot write {home.prices} ({error.strerror}): make the home writable."
            ) from error
    return done


def read_price_list(file: Path) -> PriceList:
    """Return the models of a price list that have a price; raises UsageError when the file is no such list."""
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(
                f"{file} is larger than a price list is: name model_prices_and_context_window.json."
            )
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read {file} ({error.strerror}): name a price list that is there."
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: name model_prices_and_context_window.json.") from error
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


def listed_prices(entry: Mapping[str, Any]) -> Prices | None:
    """Return an entry's prices per million tokens, or None when it does not have both."""
    per_input, per_output, cached = (
        _per_million(entry.get(key))
        for key in ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    )
    if per_input is None or per_output is None:
        return None
    return Prices(input=per_input, output=per_output, cached_input=cached)


def price_table(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Return the price of every model and where it comes from."""
    return [
        {
            "model": arm.id,
            "input": arm.prices.input if arm.prices else None,
            "cached_input": arm.prices.cached_input if arm.prices else None,
            "output": arm.prices.output if arm.prices else None,
            "source": arm.price_source or "unknown",
        }
        for arm in arms
    ]


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


def _per_million(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or value < 0:
        return None
    # 1.5e-07 x 1e6 is 0.15 and a little, and nobody's price has more digits than these.
    return float(f"{value * 1e6:.10g}")
