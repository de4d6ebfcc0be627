"""The models looked over from outside: keys, prices, servers, and whether those list what is configured."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from zetaroute.config import Settings
from zetaroute.domain import Arm
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.connections import unopenable
from zetaroute.providers.embedder import Embedder
from zetaroute.providers.model_listing import Listing, list_models
from zetaroute.router.router import without_key
from zetaroute.setup.doctor.diagnosis import Diagnosis, doubtful, well, wrong

LISTING_S = 5.0
"""How long a server may take to list its models."""
CLOCK_S = 60.0
"""By how much two clocks may differ."""
_SHOWN = 6

_Place = tuple[str, str, str | None]


async def examine_servers(settings: Settings, *, calls: bool) -> list[Diagnosis]:
    """Return what there is to say of keys, servers, clocks and the embedding endpoint.

    `calls` allows a vector from an embedding endpoint that is not local, which may cost a fraction of a cent.
    """
    closed, shut = without_key(settings.arms), unopenable(settings.arms)
    places: dict[_Place, list[Arm]] = {}
    for arm in settings.arms:
        if arm.base_url is not None and arm.id not in closed and arm.id not in shut:
            places.setdefault((arm.provider, arm.base_url or "", arm.api_key_env), []).append(arm)
    seen = await asyncio.gather(*(_server(arms) for arms in places.values()))
    vectors = await _embedding(settings, calls=calls)
    clocks = [ahead_s for _, ahead_s in seen if ahead_s is not None]
    found = [
        *_keys(settings.arms, closed),
        *_ways(settings.arms),
        *(one for lines, _ in seen for one in lines),
    ]
    return [*found, *vectors, *_prices(settings.arms), *_clock(clocks)]


def _keys(arms: Sequence[Arm], closed: Mapping[str, str]) -> Iterator[Diagnosis]:
    names: dict[str, list[str]] = {}
    for arm in arms:
        if arm.api_key_env is not None:
            names.setdefault(arm.api_key_env, []).append(arm.id)
    for name, models in names.items():
        if os.environ.get(name, "").strip():
            yield well("key", f"{name} is set ({', '.join(models)})")
            continue
        left_out = f"{name} is not set, so {', '.join(models)} cannot answer"
        fix = f"put the key into the variable {name}, in the shell or the service that runs zetaroute"
        yield (wrong if len(closed) == len(arms) else doubtful)("key", left_out, fix)


def _ways(arms: Sequence[Arm]) -> Iterator[Diagnosis]:
    for model, reason in unopenable(arms).items():
        words, _, fix = reason.partition("; ")
        yield wrong("connection", f"{model} cannot be connected to: {words}", fix or "correct it")


async def _server(arms: Sequence[Arm]) -> tuple[list[Diagnosis], float | None]:
    """Return what a server says of the models that the config expects there, and its clock's advance."""
    first = replace(arms[0], id=", ".join(arm.id for arm in arms))
    try:
        listing = await list_models(first, timeout_s=LISTING_S)
    except ConfigError as error:
        return [wrong("server", str(error))], None
    except ProviderError as error:
        if error.kind in {"rejected", "malformed"}:
            words = f"{first.base_url} answers, but lists no models ({str(error).rstrip('.')})"
            return [doubtful("server", words, "`zetaroute models check` calls each model once")], None
        return [wrong("server", str(error))], None
    if listing.base_url is not None:
        words = f"{first.base_url} lists its models only below {listing.base_url}"
        return [wrong("server", words, f'write base_url = "{listing.base_url}"')], listing.ahead_s
    lacking = [arm for arm in arms if not listing.has(arm.model)]
    if not lacking:
        words = f"{first.base_url} answers and lists {', '.join(arm.model for arm in arms)}"
        return [well("server", words)], listing.ahead_s
    return [_unlisted(arm, listing) for arm in lacking], listing.ahead_s


def _unlisted(arm: Arm, listing: Listing) -> Diagnosis:
    some = ", ".join(listing.models[:_SHOWN]) + (", ..." if len(listing.models) > _SHOWN else "")
    words = f"{arm.id}: {arm.base_url} does not list {arm.model} (it lists {some or 'none'})"
    if arm.base_url and ":11434" in arm.base_url:
        return wrong("server", words, f"`ollama pull {arm.model}`, or correct model in the config")
    if len(listing.models) == 1:
        return doubtful("server", words, "fine where the server has one model and takes any name for it")
    return wrong("server", words, "correct model in the config")


async def _embedding(settings: Settings, *, calls: bool) -> list[Diagnosis]:
    embedding = settings.embedding
    if embedding is None:
        return []
    if not (embedding.arm.local or calls):
        words = f"{embedding.arm.model} at {embedding.arm.base_url} was not asked, since a vector may cost"
        return [doubtful("embedding", words, "`zetaroute doctor --calls` asks for one")]
    embedder = Embedder(embedding)
    try:
        (vector,) = await embedder.embed(["zetaroute"])
    except (ProviderError, ConfigError) as error:
        fix = "queries are decided without it meanwhile; fix it or take [embedding] out of the config"
        return [wrong("embedding", str(error), fix)]
    finally:
        await embedder.aclose()
    return [well("embedding", f"{embedding.arm.model} gives vectors of {len(vector.values)} numbers")]


def _prices(arms: Sequence[Arm]) -> Iterator[Diagnosis]:
    unknown = [arm.id for arm in arms if arm.prices is None and arm.base_url is not None]
    if unknown:
        words = f"the price of {', '.join(unknown)} is unknown, so its cost is too"
        yield doubtful("prices", words, "`zetaroute models prices --import FILE`, or price in the config")
    else:
        yield well("prices", "every model has a price")


def _clock(ahead_s: Sequence[float]) -> Iterator[Diagnosis]:
    """Hold the own clock against those of the servers: the one in the middle has the say."""
    if not ahead_s:
        return
    middle = sorted(ahead_s)[len(ahead_s) // 2]
    if abs(middle) > CLOCK_S:
        which = "behind" if middle > 0 else "ahead of"
        words = f"this machine's clock is {abs(middle):.0f} s {which} that of the servers"
        yield doubtful(
            "clock", words, "set it by network time: days, budgets and the order of rows hang on it"
        )
    else:
        yield well("clock", "this machine's clock agrees with that of the servers")
