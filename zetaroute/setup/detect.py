"""Look for model servers on this machine."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from zetaroute.config.models import is_loopback
from zetaroute.domain import Arm, Prices
from zetaroute.errors import ConfigError, ProviderError, UsageError
from zetaroute.providers.model_listing import Listing, list_at, list_models

PATIENCE_S = 3.0
"""How long a server on this machine may take to say what it has: it may be busy with answers."""
FAR_PATIENCE_S = 4.0
MOST_NAMED = 200
"""Characters of a model's name."""
_NO_CHAT = re.compile(r"embed|rerank|whisper|\btts\b|\bbge\b|minilm|\bgte\b|\be5\b", re.IGNORECASE)
_EMBEDS = re.compile(r"embed|\bbge\b|minilm|\bgte\b|\be5\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server may run."""

    name: str
    prefix: str
    """What the ids of its models begin with."""
    base_url: str
    concurrency: int = 2
    """Calls at once that such a server takes well."""
    further: tuple[str, ...] = ()
    """Paths at which it says more, such as context windows."""
    relays: bool = False
    """Whether it passes queries on to others, who may charge for them; its own list tells prices."""
    keys: tuple[str, ...] = ()
    """NAMES of the variables under which people keep its key."""

    @property
    def local(self) -> bool:
        """Whether what it answers is computed on this machine."""
        return is_loopback(self.base_url) and not self.relays


PLACES = (
    ServerAddress("Ollama", "ollama", "http://127.0.0.1:11434/v1", further=("/api/tags", "/api/ps")),
    ServerAddress("llama.cpp", "llamacpp", "http://127.0.0.1:8080/v1", concurrency=1, further=("/props",)),
    ServerAddress("vLLM", "vllm", "http://127.0.0.1:8000/v1", concurrency=16),
    ServerAddress(
        "LM Studio", "lmstudio", "http://127.0.0.1:1234/v1", concurrency=1, further=("/api/v0/models",)
    ),
    ServerAddress(
        *("LiteLLM", "litellm", "http://127.0.0.1:4000/v1"),
        concurrency=8,
        relays=True,
        further=("/model/info",),
        keys=("LITELLM_API_KEY", "LITELLM_PROXY_API_KEY", "LITELLM_MASTER_KEY"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What came of asking at one place."""

    place: ServerAddress
    chat: tuple[str, ...] = ()
    """Models that answer."""
    embedding: tuple[str, ...] = ()
    """Models that turn texts into vectors."""
    sizes: Mapping[str, str] = field(default_factory=dict)
    answers: bool = True
    """Whether anything that speaks HTTP is there."""
    windows: Mapping[str, int] = field(default_factory=dict)
    """Context windows in tokens, where it tells."""
    slots: int | None = None
    """Calls that it answers at once, where it tells."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """What its models cost, where it tells."""
    key: str | None = None
    """NAME of the variable whose key it was asked with, because without one it did not tell."""
    error: str | None = None
    """Why what is there lists no models."""


def places_at(addresses: Sequence[str]) -> tuple[ServerAddress, ...]:
    """Return the places of further addresses; raises UsageError for one that is none."""
    places: list[ServerAddress] = []
    for address in addresses:
        if not re.match(r"https?://[^/]", address):
            raise UsageError(f"--server is {address!r}: give an address such as http://127.0.0.1:9000/v1.")
        prefix = f"server{len(places) + 1}" if places else "server"
        base_url = address.rstrip("/")
        if urlsplit(base_url).path in {"", "/"}:
            base_url += "/v1"
        if base_url in {place.base_url for place in (*PLACES, *places)}:
            continue
        places.append(
            # The further path is there where it is llama.cpp's.
            ServerAddress(f"the server at {base_url}", prefix, base_url, concurrency=4, further=("/props",))
        )
    return tuple(places)


async def detect(places: Sequence[ServerAddress] = PLACES) -> list[Server]:
    """Return what every place says of itself, all asked at the same time and each only for moments."""
    return list(await asyncio.gather(*(_look(place) for place in places)))


async def _look(place: ServerAddress) -> Server:
    found = await _asked(place, None)
    key = next((name for name in place.keys if os.environ.get(name, "").strip()), None)
    return await _asked(place, key) if found.error is not None and key is not None else found


async def _asked(place: ServerAddress, key: str | None) -> Server:
    arm = Arm(id=place.name, provider="openai", model="", base_url=place.base_url, api_key_env=key)
    patience_s = PATIENCE_S if is_loopback(place.base_url) else FAR_PATIENCE_S
    answers = [list_models(arm, timeout_s=patience_s)]
    answers += [list_at(arm, path, timeout_s=patience_s) for path in place.further]
    said = await asyncio.gather(*answers, return_exceptions=True)
    for one in said:
        if isinstance(one, BaseException) and not isinstance(one, ProviderError | ConfigError):
            raise one
    listings = [one for one in said if isinstance(one, Listing)]
    if not listings:
        error = _refusal(said)
        return Server(place=place, answers=error is not None, error=error, key=key)
    names = tuple(dict.fromkeys(name for one in listings for name in one.models if _is_usable(name)))
    elsewhere = next((one.base_url for one in listings if one.base_url is not None), None)
    if elsewhere is not None:
        place = replace(place, base_url=elsewhere)
    alike = next((one.window for one in listings if one.window is not None), None)
    windows = {} if alike is None else dict.fromkeys(names, alike)
    windows |= {name: window for one in listings for name, window in one.windows.items()}
    sizes = {name: size for one in listings for name, size in one.sizes.items()}
    return Server(
        place=place,
        chat=tuple(name for name in names if not _NO_CHAT.search(name)),
        embedding=tuple(name for name in names if _EMBEDS.search(name)),
        sizes=sizes,
        windows=windows,
        slots=next((one.slots for one in listings if one.slots is not None), None),
        prices={name: prices for one in listings for name, prices in one.prices.items()},
        key=key,
    )


def _refusal(said: Sequence[object]) -> str | None:
    """Return what a server that lists nothing says of that; None where nothing is that speaks HTTP."""
    errors = [one for one in said if isinstance(one, ProviderError | ConfigError)]
    known = [
        one for one in errors if isinstance(one, ConfigError) or one.kind not in {"connection", "timeout"}
    ]
    return str(known[0]) if known else None


def _is_usable(name: str) -> bool:
    return name.isprintable() and len(name) < MOST_NAMED
