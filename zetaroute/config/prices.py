"""Prices of a model: how a table says them, and prices.toml with imported ones, for models whose config has none."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zetaroute.config.toml_table import TomlTable
from zetaroute.domain import Arm, Prices, PriceTier
from zetaroute.errors import ConfigError
from zetaroute.files.utf8_text import read_text

SOURCE = "prices.toml"
_NAMES = ("input", "cached_input", "cache_write", "output", "reasoning")
_HEAD = """\
# Written by `zetaroute models prices --import`: USD per million tokens, by the id of the model.
# It serves the models whose [[models]] block in config.toml has no price (or no context_window).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPrice:
    """What the price list said of one model."""

    model: str
    """What the server was told when the price was imported: of another model it says nothing."""
    listed: str
    """The name in the price list."""
    prices: Prices
    context_window: int | None = None


def prices_in(table: TomlTable, instead: str) -> Prices:
    """Return the prices that a table says; `instead` is what to do where it cannot say them."""
    tiers = []
    for longer in table.tables("above"):
        tokens = longer.whole("tokens")
        if tokens is None:
            longer.fail("needs tokens, for example tokens = 200000: the input above which it holds.")
        tiers.append(PriceTier(tokens=tokens, prices=_flat(longer, instead)))
        longer.finish()
    return replace(_flat(table, instead), above=tuple(sorted(tiers, key=lambda tier: tier.tokens)))


def _flat(table: TomlTable, instead: str) -> Prices:
    per_input, per_output = table.number("input"), table.number("output")
    if per_input is None or per_output is None:
        table.fail(f"needs both input and output, in USD per million tokens; {instead}.")
    return table.change(
        Prices(input=per_input, output=per_output), "cached_input", "cache_write", "reasoning"
    )


def prices_toml(prices: Prices) -> dict[str, str]:
    """Return what `prices_in` reads, as TOML, by key."""
    rows = {name: toml_value(value) for name in _NAMES if (value := getattr(prices, name)) is not None}
    if prices.above:
        tiers = ({"tokens": toml_value(tier.tokens), **prices_toml(tier.prices)} for tier in prices.above)
        rows["above"] = f"[{', '.join(map(inline, tiers))}]"
    return rows


def inline(rows: Mapping[str, str]) -> str:
    """Return a table of TOML values in one line."""
    return "{ " + ", ".join(f"{key} = {value}" for key, value in rows.items()) + " }"


def priced(arm: Arm, imported: ImportedPrice | None) -> Arm:
    """Return the arm with what it does not say itself taken from the import."""
    if imported is None or imported.model != arm.model:
        return arm
    window = arm.context_window or imported.context_window
    if arm.prices is not None:
        return replace(arm, context_window=window)
    return replace(arm, prices=imported.prices, price_source=SOURCE, context_window=window)


def read_prices(path: Path) -> dict[str, ImportedPrice]:
    """Return the imported prices by model id, none when there is no file; raises ConfigError for a broken one."""
    try:
        values = tomllib.loads(read_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({error}); delete it and import the prices again."
        ) from error
    tables = {name: TomlTable(entry, file=path, name=f"[{name}]") for name, entry in values.items()}
    return {
        name: table.read(ImportedPrice, prices=prices_in(table, "import the prices again"))
        for name, table in tables.items()
    }


def prices_text(imported: Mapping[str, ImportedPrice]) -> str:
    """Return prices.toml."""
    return _HEAD + "".join(_block(model_id, imported[model_id]) for model_id in sorted(imported))


def _block(model_id: str, imported: ImportedPrice) -> str:
    rows = {
        "model": toml_value(imported.model),
        "listed": toml_value(imported.listed),
        **prices_toml(imported.prices),
    }
    if imported.context_window is not None:
        rows["context_window"] = toml_value(imported.context_window)
    lines = (f"{key} = {value}\n" for key, value in rows.items())
    return f"\n[{toml_value(model_id)}]\n" + "".join(lines)


def toml_value(value: float | str) -> str:
    """Return a TOML value: its basic strings are those of JSON but for the DEL character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
