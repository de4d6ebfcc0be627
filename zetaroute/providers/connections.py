"""The HTTP connections of a run: opened when they are needed, lent for one call, kept warm for the next.

A single question goes over plain httpx, which starts fast. Many at once go over aiohttp, in one pool for all: that
of httpx grows slow with the calls that share it. Where aiohttp cannot go, through a proxy, every call has an httpx
pool to itself. Of httpx only the transports are used: its client adds cookies, redirects and a third of the time.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, urlsplit

from zetaroute.domain import Arm
from zetaroute.errors import ProviderError
from zetaroute.providers.credentials import credentials
from zetaroute.providers.proxies import proxy_for

if TYPE_CHECKING:
    import ssl

    import httpx


_NO_SOCKS = (
    "its proxy speaks SOCKS, for which the package socksio is missing; install httpx[socks], or correct "
    "ALL_PROXY or proxy"
)
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to a server: calls that share it can share a connection."""

    origin: str
    secure: bool
    proxy: str | None
    ca_file: str | None


def route(url: SplitResult, *, proxy: str | None, ca_file: str | None) -> Route:
    """Return the way to `url`: through `proxy`, else through the environment's, which local servers are spared."""
    secure = url.scheme == "https"
    return Route(
        origin=f"{url.scheme}://{url.netloc}",
        secure=secure,
        proxy=proxy_for(url, own=proxy),
        ca_file=ca_file if secure else None,
    )


class RouteError(Exception):
    """No connection can be opened: says why, and how to fix it."""


class HttpResponse(Protocol):
    """The answer of a server, its head read."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in any case."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body, unpacked."""
        ...

    async def aclose(self) -> None:
        """Give the connection back."""
        ...


class Transport(Protocol):
    """What carries requests."""

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, connect_s: float
    ) -> HttpResponse:
        """Send a request and return the answer's head; raises httpx.RequestError and httpx.InvalidURL."""
        ...

    async def aclose(self) -> None:
        """Close its connections."""
        ...


class HttpxTransport:
    """Carries the requests of one call at a time, over httpx."""

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self._transport = transport
        self.aclose = transport.aclose

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, connect_s: float
    ) -> HttpResponse:
        """Send a request and return the answer's head."""
        import httpx

        request = httpx.Request(
            method,
            parsed_url(url),
            headers=headers,
            content=content,
            extensions={"timeout": {"connect": connect_s}},
        )
        return await self._transport.handle_async_request(request)


@lru_cache(maxsize=256)
def parsed_url(url: str) -> httpx.URL:
    """Return the URL of a server, parsed once for all calls: that takes a seventh of a call's own time."""
    import httpx

    try:
        found = httpx.URL(url)
        # It is decoded only when it is asked for.
        _ = found.host
    except UnicodeError as error:
        # A host that is no name, or a lone surrogate: httpx lets what its own libraries say of them through.
        raise httpx.InvalidURL(str(error)) from error
    return found


class Connections:
    """Lends transports; of plain ones the last given back is lent first: its connection is the warmest."""

    def __init__(self, *, many: bool = False) -> None:
        self._many = many
        """Whether many calls are to be under way at once."""
        self._idle: defaultdict[Route, list[Transport]] = defaultdict(list)
        self._shared: dict[Route, Transport] = {}
        self._certificates: dict[str | None, ssl.SSLContext] = {}

    def lend(self, way: Route) -> Transport:
        """Lend a transport for one call over `way`, to be given back; raises RouteError when none can be opened."""
        if self._many and way.proxy is None:
            if way not in self._shared:
                self._shared[way] = self._open_shared(way)
            return self._shared[way]
        idle = self._idle[way]
        return idle.pop() if idle else self._open(way)

    def give_back(self, way: Route, transport: Transport) -> None:
        """Take a transport back."""
        if way not in self._shared:
            self._idle[way].append(transport)

    async def aclose(self) -> None:
        """Close all lines, which must have been given back."""
        while self._idle:
            _, transports = self._idle.popitem()
            for transport in transports:
                await transport.aclose()
        while self._shared:
            _, transport = self._shared.popitem()
            await transport.aclose()

    def _open_shared(self, way: Route) -> Transport:
        from zetaroute.providers.transport import AiohttpTransport

        return AiohttpTransport(self._trusted(way))

    def _open(self, way: Route) -> Transport:
        import httpx

        try:
            return HttpxTransport(
                httpx.AsyncHTTPTransport(verify=self._trusted(way) or False, proxy=way.proxy)
            )
        # The error's own text may hold a proxy's password.
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            raise RouteError(_why(way, error)) from None

    def _trusted(self, way: Route) -> ssl.SSLContext | None:
        """Return the certificates, read once: that takes longer than all the rest of opening a client."""
        import httpx

        if not way.secure:
            return None
        if way.ca_file not in self._certificates:
            try:
                context = httpx.create_ssl_context()
            except OSError as error:
                raise RouteError(
                    f"the certificates cannot be read ({error.strerror or type(error).__name__}): "
                    "correct the environment's SSL_CERT_FILE or SSL_CERT_DIR."
                ) from None
            if way.ca_file is not None:
                _trust_too(context, way.ca_file)
            self._certificates[way.ca_file] = context
        return self._certificates[way.ca_file]


def _trust_too(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:
        raise RouteError(
            f"the ca_file {ca_file} cannot be read as certificates ({error.strerror or 'not PEM'}): correct it."
        ) from None


def unopenable(arms: Iterable[Arm]) -> dict[str, str]:
    """Return the models to which no connection can be set up, with the reason and the fix; nothing is sent."""
    found: dict[str, str] = {}
    trusted: dict[str, bool] = {}
    for arm in arms:
        reason = _closed_way(arm, trusted) if arm.base_url is not None else None
        if reason is not None:
            found[arm.id] = reason
    return found


def _closed_way(arm: Arm, trusted: dict[str, bool]) -> str | None:
    try:
        url = urlsplit(arm.base_url or "")
        own = credentials(replace(arm, api_key_env=None, headers={}), key_header="").proxy
        proxy = proxy_for(url, own=own)
    except (ValueError, ProviderError):
        # The call itself says what is wrong.
        return None
    if proxy is not None and (reason := _closed_proxy(proxy)):
        return reason
    if url.scheme != "https":
        return None
    for name, path in (("ca_file", arm.ca_file), *((name, os.environ.get(name)) for name in _CERTIFICATES)):
        if path and not trusted.setdefault(path, path in trusted or _is_trust(path)):
            return f"{name} names {path}, which cannot be read as certificates"
    return None


def _is_trust(path: str) -> bool:
    """Return whether a file holds certificates, or a folder can be read."""
    import ssl

    try:
        if not os.path.isdir(path):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError:
        return False
    return os.access(path, os.R_OK)


def _closed_proxy(proxy: str) -> str | None:
    scheme = proxy.partition("://")[0].lower()
    if scheme.startswith("socks"):
        if find_spec("socksio") is None:
            return _NO_SOCKS
    elif "://" in proxy and scheme not in {"http", "https"}:
        return "its proxy is no address of http, https or socks5; correct proxy, HTTPS_PROXY or ALL_PROXY"
    return None


def _why(way: Route, error: Exception) -> str:
    if isinstance(error, ImportError) and (way.proxy or "").lower().startswith("socks"):
        return f"{way.origin}: {_NO_SOCKS}."
    return (
        f"no connection to {way.origin} can be opened ({type(error).__name__}): correct proxy in the config, "
        "or the environment's HTTP_PROXY, HTTPS_PROXY or ALL_PROXY."
    )
