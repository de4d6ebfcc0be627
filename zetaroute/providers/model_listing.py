"""Which models a server says it has, asked with no model answering, so that it costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from zetaroute.domain import Arm, Prices
from zetaroute.errors import ProviderError
from zetaroute.providers.call_errors import Faults
from zetaroute.providers.connections import Connections, RouteError, route
from zetaroute.providers.credentials import Credentials, credentials
from zetaroute.providers.http import endpoint
from zetaroute.providers.price_list import listed_prices
from zetaroute.version import __version__
from zetaroute.wire.json_values import label, mapping, parse

LARGEST = 8_000_000
"""Bytes of a list."""
MOST = 5000
"""Names that are kept of one."""
_HOLDERS = ("data", "models", "result", "items")
_NAMES = ("id", "name", "model_name", "model", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a server lists."""

    models: tuple[str, ...]
    sizes: Mapping[str, str] = field(default_factory=dict)
    """Number of parameters by model, in the server's words (`3.2B`), where it tells."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """What its models cost, where the server tells one price, which is not zero."""
    windows: Mapping[str, int] = field(default_factory=dict)
    """Context windows by model, in tokens, where the server tells."""
    window: int | None = None
    """The same of whichever model it serves."""
    slots: int | None = None
    """Calls that it answers at once, where it tells."""
    base_url: str | None = None
    """Where it was found, when that is not where the config says."""
    ahead_s: float | None = None
    """By how much the server's clock is ahead of ours; None where it names no time."""

    def has(self, model: str) -> bool:
        """Return whether a name that the config gives is one of these, a tag or a folder before it left out."""
        return any(name in {model, f"{model}:latest"} or name.endswith(f"/{model}") for name in self.models)


async def list_models(arm: Arm, *, timeout_s: float) -> Listing:
    """Return the models that the server of `arm` lists.

    Raises ProviderError when it does not tell within `timeout_s`, and ConfigError for an unusable base_url.
    """
    base = (arm.base_url or "").rstrip("/")
    if arm.provider == "anthropic":
        path = "/models" if base.removesuffix("/messages").endswith("/v1") else "/v1/models"
        key = credentials(arm, key_header="x-api-key")
        key = replace(key, headers={"anthropic-version": "2023-06-01", **key.headers})
        url = endpoint(
            replace(arm, base_url=base.removesuffix("/messages")), path, "https://api.anthropic.com"
        )
        return await _asked(arm, url._replace(query="limit=1000"), key, timeout_s=timeout_s)
    key = credentials(arm, key_header="authorization", scheme="Bearer ")
    trunk = base.removesuffix("/chat/completions")
    url = endpoint(replace(arm, base_url=trunk), "/models", "https://api.openai.com/v1")
    try:
        return await _asked(arm, url, key, timeout_s=timeout_s)
    except ProviderError as error:
        if error.kind not in {"rejected", "malformed"} or "/v1" in url.path:
            raise
        versioned = url._replace(path=url.path.removesuffix("/models") + "/v1/models")
        try:
            listing = await _asked(arm, versioned, key, timeout_s=timeout_s)
        except ProviderError:
            raise error from None
        return replace(listing, base_url=f"{trunk}/v1")


async def list_at(arm: Arm, path: str, *, timeout_s: float) -> Listing:
    """Return what a server says at a path of its own; raises as `list_models`.

    Ollama tells sizes at /api/tags and windows of what is loaded at /api/ps, LM Studio windows at /api/v0/models,
    llama.cpp window and slots at /props, LiteLLM prices at /model/info.
    """
    url = urlsplit(arm.base_url or "")._replace(path=path, query="")
    return await _asked(
        arm, url, credentials(arm, key_header="authorization", scheme="Bearer "), timeout_s=timeout_s
    )


async def _asked(arm: Arm, url: SplitResult, key: Credentials, *, timeout_s: float) -> Listing:
    import httpx

    patient = replace(arm, timeout_s=timeout_s, connect_timeout_s=min(arm.connect_timeout_s, timeout_s))
    shown = urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))
    faults = Faults(arm=patient, url=shown, secrets=key.secrets)
    connections = Connections()
    try:
        async with asyncio.timeout(timeout_s):
            return await _got(patient, url, key, faults, connections)
    except TimeoutError:
        words = f"{arm.id}: {shown} did not answer within {timeout_s:g} s; check that the server runs."
        raise ProviderError(words, kind="timeout") from None
    except (httpx.RequestError, httpx.InvalidURL) as error:
        raise faults.transport(error) from error
    except RouteError as error:
        raise faults.unopened(str(error)) from None
    finally:
        await connections.aclose()


async def _got(
    arm: Arm, url: SplitResult, key: Credentials, faults: Faults, connections: Connections
) -> Listing:
    way = route(url, proxy=key.proxy, ca_file=arm.ca_file)
    transport = connections.lend(way)
    try:
        sent = transport.send(
            "GET",
            urlunsplit(url),
            headers={"accept": "application/json", "user-agent": f"zetaroute/{__version__}", **key.headers},
            content=b"",
            connect_s=arm.connect_timeout_s,
        )
        async with contextlib.aclosing(await sent) as response:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise faults.malformed("its list of models is endless")
    finally:
        connections.give_back(way, transport)
    if not 200 <= response.status_code < 300:
        raise faults.status(response.status_code, body[:64_000].decode("utf-8", "replace"))
    try:
        return _listing(parse(body), response.headers)
    except ValueError:
        raise faults.malformed(f"{faults.url} sent no list of models") from None


def _listing(body: Any, headers: Mapping[str, str]) -> Listing:
    """Return the names in a list of models, whatever holds it; raises ValueError where there is none."""
    items = _items(body)
    if items is None and "total_slots" in mapping(body):
        settings = mapping(mapping(body).get("default_generation_settings"))
        return Listing(models=(), window=_count(settings.get("n_ctx")), slots=_count(body["total_slots"]))
    if items is None:
        raise ValueError("no list")
    sizes: dict[str, str] = {}
    windows: dict[str, int] = {}
    asked: dict[str, set[Prices | None]] = {}
    for item in items[:MOST]:
        fields = {"id": item} if isinstance(item, str) else mapping(item)
        name = next((found for key in _NAMES if (found := label(fields.get(key)))), None)
        if name is not None:
            sizes[name] = label(mapping(fields.get("details")).get("parameter_size")) or sizes.get(name, "")
            if (window := _window(fields)) is not None:
                windows[name] = window
            asked.setdefault(name, set()).add(_prices(mapping(fields.get("model_info"))))
    told = {name: size for name, size in sizes.items() if size}
    # Several deployments may stand behind a name; where they differ, no price is that of the name.
    agreed = {name: next(iter(several)) for name, several in asked.items() if len(several) == 1}
    prices = {name: one for name, one in agreed.items() if one is not None}
    return Listing(
        models=tuple(sizes), sizes=told, prices=prices, windows=windows, ahead_s=_ahead_s(headers.get("date"))
    )


def _window(fields: Mapping[str, Any]) -> int | None:
    """Return the context window of a listed model as llama.cpp, vLLM, LM Studio or Ollama tell it."""
    said = (
        mapping(fields.get("meta")).get("n_ctx"),
        *(fields.get(key) for key in ("max_model_len", "loaded_context_length", "context_length")),
    )
    return next((count for one in said if (count := _count(one)) is not None), None)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else None


def _items(body: Any, depth: int = 3) -> list[Any] | None:
    """Return the items of a bare array, or of those under `data`, `models` and the like; None where there is none."""
    if isinstance(body, list):
        return body
    fields = mapping(body)
    found = (
        [_items(fields[key], depth - 1) for key in _HOLDERS if fields.get(key) is not None] if depth else []
    )
    lists = [items for items in found if items is not None]
    return [item for items in lists for item in items] if lists else None


def _prices(info: Mapping[str, Any]) -> Prices | None:
    """Return what a deployment costs; None where it is unknown, for which LiteLLM reports zero."""
    prices = listed_prices(info)
    return prices if prices is not None and prices.input + prices.output else None


def _ahead_s(date: str | None) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date or "").timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
