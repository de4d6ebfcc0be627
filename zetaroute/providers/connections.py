"""The HTTP clients of a run: opened when they are needed, lent for one call, kept warm for the next.

It lives apart from the exchange because which library carries the bytes, and how many connections it keeps,
is one decision. A call at a time per client: the pool inside a client grows slow with the calls that share
it, so that 64 at once through one client take several times as long as through a client each.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from zetaroute.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    import httpx

_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class Connections:
    """Lends clients; the one given back last is lent first, because its connection is the warmest."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[httpx.AsyncClient]] = defaultdict(list)
        self._certificates: ssl.SSLContext | None = None

    @contextlib.asynccontextmanager
    async def lend(self, origin: str, *, secure: bool) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a client for one call to `origin`; raises ConfigError when the environment allows none."""
        idle = self._idle[origin]
        client = idle.pop() if idle else self._open(secure=secure)
        try:
            yield client
        finally:
            idle.append(client)

    async def aclose(self) -> None:
        """Close all clients, which must have been given back."""
        while self._idle:
            _, clients = self._idle.popitem()
            for client in clients:
                await client.aclose()

    def _open(self, *, secure: bool) -> httpx.AsyncClient:
        import httpx

        try:
            return httpx.AsyncClient(
                verify=self._trusted() if secure else False,
                # A proxy in the environment is for the outside world, never for this machine's own servers.
                mounts=dict.fromkeys(_LOOPBACK),
            )
        # The error's own text may hold a proxy's password.
        except (ImportError, OSError, ValueError) as error:
            raise ConfigError(
                f"Connections cannot be opened ({type(error).__name__}): correct the environment's HTTP_PROXY, "
                "HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR."
            ) from None

    def _trusted(self) -> ssl.SSLContext:
        """Return the certificates, read once: that takes longer than all the rest of opening a client."""
        import httpx

        if self._certificates is None:
            self._certificates = httpx.create_ssl_context()
        return self._certificates
