"""Requests over aiohttp: the same answers and errors as over httpx, by connections that many calls share cheaply."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import lru_cache

import aiohttp
import httpx
from yarl import URL

from zetaroute.providers.connections import HttpResponse, parsed_url

_CHUNK = 65_536


class AiohttpTransport:
    """Carries requests of any number of calls at once; the callers bound how many."""

    def __init__(self, certificates: ssl.SSLContext | None) -> None:
        self._certificates = certificates
        self._session: aiohttp.ClientSession | None = None
        self._lines: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, connect_s: float
    ) -> HttpResponse:
        """Send a request and return the answer's head; its body is still to be read."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self._certificates or True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                response_class=_noting(self._lines),
            )
        with _errors_of_httpx():
            response = await self._session.request(
                method,
                _address(url),
                headers=headers,
                data=content,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=connect_s),
            )
        if "content-encoding" not in response.headers:
            return _PlainResponse(response)
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            # It forgets those that it hung up on before, and TLS waits for the other side's goodbye.
            for line in self._lines:
                line.abort()
            await asyncio.sleep(0)


@lru_cache(maxsize=256)
def _address(url: str) -> URL:
    """Return a URL as aiohttp wants it; the exchange has made a header of the user and the password in it."""
    return URL(str(parsed_url(url)), encoded=True).with_user(None)


def _noting(lines: weakref.WeakSet[asyncio.Transport]) -> type[aiohttp.ClientResponse]:
    """Return a class of responses that add what they came over to `lines`."""

    class Response(aiohttp.ClientResponse):
        async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
            if connection.transport is not None:
                lines.add(connection.transport)
            return await super().start(connection)

    return Response


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx():
            async for chunk in self._response.content.iter_chunked(_CHUNK):
                yield chunk

    async def aclose(self) -> None:
        # Gives the connection back when the body was read to its end, and closes it otherwise.
        self._response.release()


class _PlainResponse(_Body):
    """An answer that is not compressed: nothing of httpx's own, which takes as long as the rest, is needed for it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__(response)
        self.status_code, self.headers = response.status, response.headers

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        return self.__aiter__()


@contextlib.contextmanager
def _errors_of_httpx() -> Iterator[None]:
    try:
        yield
    except aiohttp.InvalidURL as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error)) from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
        raise httpx.ReadError(str(error)) from error
    except aiohttp.ClientError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
