"""The HTTP connections of a run: opened when they are needed, lent for one call, kept warm for the next.

It lives apart from the exchange because which library carries the bytes, and how many connections it keeps,
is one decision. A single question goes over plain httpx, which starts fast. Many at once go over aiohttp, in
one pool for all: that of httpx grows slow with the calls that share it. Where aiohttp cannot go, through a
proxy, every call has an httpx pool to itself. Of httpx only the transports are used: its client adds cookies,
redirects and a third of the time.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult
from urllib.request import getproxies, proxy_bypass

from zetaroute.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to a server: calls that share it can share a connection."""

    origin: str
    secure: bool
    proxy: str | None
    ca_file: str | None


def route(url: SplitResult, *, proxy: str | None, ca_file: str | None) -> Route:
    """Return the way to `url`: through `proxy`, else through the environment's, which local servers are spared."""
    host = url.hostname or ""
    if proxy is None and not _is_loopback(host) and not proxy_bypass(host):
        proxies = getproxies()
        proxy = proxies.get(url.scheme) or proxies.get("all")
    secure = url.scheme == "https"
    return Route(
        origin=f"{url.scheme}://{url.netloc}", secure=secure, proxy=proxy, ca_file=ca_file if secure else None
    )


class Connections:
    """Lends transports; of plain ones the last given back is lent first: its connection is the warmest."""

    def __init__(self, *, many: bool = False) -> None:
        self._many = many
        """Whether many calls are to be under way at once."""
        self._idle: defaultdict[Route, list[httpx.AsyncBaseTransport]] = defaultdict(list)
        self._shared: dict[Route, httpx.AsyncBaseTransport] = {}
        self._certificates: dict[str | None, ssl.SSLContext] = {}

    @contextlib.asynccontextmanager
    async def lend(self, way: Route) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """Lend a transport for one call over `way`; raises ConfigError when none can be opened."""
        if self._many and way.proxy is None:
            if way not in self._shared:
                self._shared[way] = self._open_shared(way)
            yield self._shared[way]
            return
        idle = self._idle[way]
        transport = idle.pop() if idle else self._open(way)
        try:
            yield transport
        finally:
            idle.append(transport)

    async def aclose(self) -> None:
        """Close all transports, which must have been given back."""
        while self._idle:
            _, transports = self._idle.popitem()
            for transport in transports:
                await transport.aclose()
        while self._shared:
            _, transport = self._shared.popitem()
            await transport.aclose()

    def _open_shared(self, way: Route) -> httpx.AsyncBaseTransport:
        from zetaroute.providers.transport import AiohttpTransport

        return AiohttpTransport(self._trusted(way))

    def _open(self, way: Route) -> httpx.AsyncBaseTransport:
        import httpx

        try:
            return httpx.AsyncHTTPTransport(verify=self._trusted(way) or False, proxy=way.proxy)
        # The error's own text may hold a proxy's password.
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            raise ConfigError(
                f"No connection to {way.origin} can be opened ({type(error).__name__}): correct proxy in the "
                "config, or the environment's HTTP_PROXY, HTTPS_PROXY or ALL_PROXY."
            ) from None

    def _trusted(self, way: Route) -> ssl.SSLContext | None:
        """Return the certificates, read once: that takes longer than all the rest of opening a client."""
        import httpx

        if not way.secure:
            return None
        if way.ca_file not in self._certificates:
            try:
                context = httpx.create_ssl_context()
            except OSError as error:
                raise ConfigError(
                    f"The certificates cannot be read ({error.strerror or type(error).__name__}): "
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
        raise ConfigError(
            f"The ca_file {ca_file} cannot be read as certificates ({error.strerror or 'not PEM'}): correct it."
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
