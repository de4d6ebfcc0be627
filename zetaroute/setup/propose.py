"""A commented config made of what was found: servers on this machine, and services that a key opens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from zetaroute.config import PRESETS, ImportedPrice, parse_settings
from zetaroute.config.prices import inline, prices_toml, toml_value
from zetaroute.errors import UsageError, ZetarouteError
from zetaroute.setup.detect import Server
from zetaroute.setup.services import HostedService

MOST_PER_SERVER = 3
"""Models of one server that take part at first: every one is explored, and each must be loaded."""
ACCURACY_AT_3B, ACCURACY_PER_DOUBLING = 0.55, 0.06
LEAST_ACCURACY, MOST_ACCURACY = 0.30, 0.85
SECONDS_AT_LEAST, SECONDS_PER_BILLION = 1.0, 0.65
UNSIZED_ACCURACY, UNSIZED_S = 0.60, 4.0
ELSEWHERE_S = 3.0
"""Seconds to expect of a model on another machine, whatever its size: it was made for it."""
_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)\s?([bm])(?![a-z])", re.IGNORECASE)

_GUARD = """
# A floor: a model that is surely below it is not used for that kind of query any more.
# `zetaroute policies guards --min accuracy=0.6` shows first what it would do.
# [[guards]]
# metric = "accuracy"              # accuracy | satisfaction (min); error_rate | p95_response_s (max)
# min = 0.6
# task = "reasoning"               # optional: only for queries asked with --task reasoning
"""


def billions(name: str, told: str | None = None) -> float | None:
    """Return the size of a model in billions of parameters as its name, or else its server, tells it."""
    for text in (name, told or ""):
        found = [
            float(experts or 1) * float(number) / (1 if unit in "bB" else 1000)
            for experts, number, unit in _SIZE.findall(text)
        ]
        if found:
            # `30b-a3b`: the whole is what it knows, the smaller number what it uses at a time.
            return max(found)
    return None


def prior(size: float | None) -> tuple[float, float, str]:
    """Return the accuracy and the seconds to expect of a local model of `size` billions, and why, in words."""
    if size is None:
        return UNSIZED_ACCURACY, UNSIZED_S, "a guess: its name tells no size"
    accuracy = ACCURACY_AT_3B + ACCURACY_PER_DOUBLING * math.log2(max(size, 0.01) / 3)
    seconds = SECONDS_AT_LEAST + SECONDS_PER_BILLION * size
    why = f"a guess from its size ({size:g}B): 0.55 at 3B, 0.06 more for each doubling"
    return round(min(max(accuracy, LEAST_ACCURACY), MOST_ACCURACY), 2), round(seconds, 1), why


def proposed_config(
    servers: Sequence[Server],
    services: Sequence[HostedService],
    *,
    preset: str | None,
    priced: Mapping[str, ImportedPrice],
) -> str:
    """Return the text of a config with these models; it is read back before it is returned.

    `priced` are prices that were imported earlier, by model id. Raises UsageError for an unknown preset, and
    ZetarouteError when nothing was found that could answer.
    """
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"--preset is {preset!r}: choose one of {', '.join(PRESETS)}.")
    blocks = [block for server in servers for block in _local(server)]
    blocks += [block for service in services for block in _hosted(service, priced)]
    if not blocks:
        raise ZetarouteError(
            "no model was found: start a server such as Ollama, or put a key into a variable such as "
            "OPENAI_API_KEY; `zetaroute init` alone writes a config of practice models."
        )
    text = _head(preset) + "".join(blocks) + "".join(_vectors(servers)) + _GUARD
    parse_settings(text, file=None)
    return text


def _head(preset: str | None) -> str:
    return f"""\
# Written by `zetaroute init --detect` from what ran and which keys were set. It is yours: change what you like.
# Every key is explained in docs/configuration.md; `zetaroute doctor` checks the file.
schema_version = 1

[objective]                        # what things are worth to you, in USD
preset = "{preset or "balanced"}"                # quality | balanced | cheap | fast, or the three numbers one by one:
# answer_value_usd = 0.01          # a correct answer instead of a wrong one
# satisfaction_value_usd = 0.002   # a fully satisfied user instead of a fully unsatisfied one
# second_value_usd = 0.0005        # one second of waiting

[explore]
rate = 0.05                        # share of queries sent to any model, so that there is something to learn
cold_start_rate = 0.5              # the same at first: it falls with every answer that is graded
"""


def _local(server: Server) -> Iterator[str]:
    """Yield a block for a few models of a server, from small to large, and the names of the others."""
    place = server.place
    sized = sorted(server.chat, key=lambda name: billions(name, server.sizes.get(name)) or 0.0)
    chosen = _spread(sized)
    shorts = [_short(name) for name in chosen]
    for number, name in enumerate(chosen):
        accuracy, seconds, why = prior(billions(name, server.sizes.get(name)))
        lines = [
            f"id = {toml_value(f'{place.prefix}/{shorts[number] if shorts.count(shorts[number]) == 1 else name}')}",
            'provider = "openai"                # it speaks OpenAI\'s format',
            f"base_url = {toml_value(place.base_url)}",
            f"model = {toml_value(name)}",
        ]
        if server.key is not None:
            lines.append(f'api_key_env = "{server.key}"    # the NAME of the variable, never the key')
        if place.local:
            lines += [
                'tags = ["local"]                   # so that --local-only keeps it',
                "price = { input = 0, output = 0 }  # you pay for electricity, not per token",
            ]
        elif name in server.prices:
            price = f"price = {inline(prices_toml(server.prices[name]))}"
            lines.append(f"{price:<35}# USD per million tokens, as the server tells")
        else:
            lines.append(
                "# price = { input = ..., output = ... }   # USD per million tokens; left out = unknown"
            )
        lines.append(f"prior_accuracy = {accuracy:<16g}  # {why}")
        if place.local:
            lines += [
                f"prior_response_s = {seconds:<14g}  # a guess for an ordinary machine; data soon takes its place",
                "timeout_s = 180                    # the first answer may wait until the model is in memory",
            ]
        else:
            lines.append(f"prior_response_s = {ELSEWHERE_S:<14g}  # a guess; data soon takes its place")
        if name in server.windows:
            lines.append(f"context_window = {server.windows[name]:<16}  # as the server tells")
        told = "" if server.slots is None else "                # its slots, as the server tells"
        lines.append(f"max_concurrency = {server.slots or place.concurrency}{told}")
        rest = [other for other in sized if other not in chosen] if number == len(chosen) - 1 else []
        if rest:
            lines.append(f"# Also there: {', '.join(rest)}; each joins with a block of its own.")
        yield "\n[[models]]\n" + "\n".join(lines) + "\n"


def _hosted(service: HostedService, priced: Mapping[str, ImportedPrice]) -> Iterator[str]:
    for model in service.models:
        model_id = f"{service.prefix}/{model.name}"
        lines = [
            f"id = {toml_value(model_id)}",
            f"provider = {toml_value(service.provider)}",
            f"base_url = {toml_value(service.base_url)}",
            f'api_key_env = "{service.key}"      # the NAME of the variable, never the key',
            _price_line(priced.get(model_id)),
            f"prior_accuracy = {model.prior_accuracy:<16g}  # a guess; it counts until there is data",
            f"prior_response_s = {model.prior_response_s:g}",
        ]
        yield "\n[[models]]\n" + "\n".join(lines) + "\n"


def _price_line(imported: ImportedPrice | None) -> str:
    if imported is None:
        return (
            "# price = { input = ..., output = ... }   # USD per million tokens, from your provider's page or by\n"
            "#            `zetaroute models prices --import FILE`; left out = unknown, never free"
        )
    prices = imported.prices
    words = f"{prices.input:g} for input and {prices.output:g} for output"
    listed = "".join(letter for letter in imported.listed if letter.isprintable())
    return f"# price: {words}, by prices.toml as {listed}; one that is written here wins"


def _vectors(servers: Sequence[Server]) -> Iterator[str]:
    """Yield the embedding endpoint of the first server that has one, to be switched on by hand."""
    for server in servers:
        if server.embedding and server.place.local:
            yield (
                "\n# Vectors tell kinds of query apart that words do not; without this block words are counted.\n"
                f"# [embedding]\n# base_url = {toml_value(server.place.base_url)}\n"
                f"# model = {toml_value(server.embedding[0])}\n# price = 0\n"
            )
            return


def _spread(sized: Sequence[str]) -> list[str]:
    """Return at most MOST_PER_SERVER of the names, the first and the last among them."""
    if len(sized) <= MOST_PER_SERVER:
        return list(sized)
    step = (len(sized) - 1) / (MOST_PER_SERVER - 1)
    return [sized[round(place * step)] for place in range(MOST_PER_SERVER)]


def _short(name: str) -> str:
    """Return a name to type: of a file only what it is called."""
    return re.split(r"[/\\]", name)[-1].removesuffix(".gguf") if name.endswith(".gguf") else name
