"""Connections that take too much or too long are closed, and others served meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from uvicorn.server import ServerState

from zetaroute.serve.protocol import HEADER_BYTES, HEADER_COUNT, GuardedProtocol, Seldom

LARGE = 20_000_000
"""Bytes, more than sockets hold."""
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n"


class Hasty(GuardedProtocol):
    header_s = 0.2
    send_s = 0.2


async def application(scope, receive, send):
    size = LARGE if scope["path"] == "/large" else 2
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    await send({"type": "http.response.body", "body": b"x" * size})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(application, ws="none", lifespan="off", log_config=None, timeout_keep_alive=5)
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Hasty(config, state, {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()


def status_of(*pieces: bytes, then_nothing: bool = False) -> bytes:
    """Return what the server says to some bytes until it closes, or at once for a whole request."""

    async def ask() -> bytes:
        async with connected() as (reader, writer):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(10):
                return await (reader.read() if then_nothing else reader.read(15))

    try:
        return asyncio.run(ask())
    except ConnectionError:
        return b""


def test_a_whole_request_is_answered():
    assert status_of(REQUEST + b"\r\n") == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("piece", [b"", b"GET / HT", REQUEST + b"x-a: "])
def test_idle_and_half_sent_requests_are_closed(piece):
    assert status_of(piece, then_nothing=True) == b""


def test_a_header_too_large_is_refused():
    assert status_of(REQUEST + b"x-a: ", b"a" * (HEADER_BYTES + 1))[:12] in {b"HTTP/1.1 431", b""}


def test_too_many_headers_are_refused():
    many = b"".join(b"x-%d: 1\r\n" % place for place in range(HEADER_COUNT + 1))
    assert status_of(REQUEST + many + b"\r\n")[:12] == b"HTTP/1.1 400"


def test_a_client_that_does_not_read_is_left():
    async def ask() -> int:
        async with connected() as (reader, writer):
            writer.write(REQUEST.replace(b"/", b"/large", 1) + b"\r\n")
            await writer.drain()
            await asyncio.sleep(1)
            async with asyncio.timeout(10):
                with suppress(ConnectionError):
                    return len(await reader.read())
                return 0

    assert asyncio.run(ask()) < LARGE


def test_a_kind_of_message_is_logged_seldom():
    seldom = Seldom()
    records = [logging.LogRecord("asyncio", logging.ERROR, "", 0, "no files", (), None) for _ in range(3)]
    other = logging.LogRecord("asyncio", logging.ERROR, "", 0, "another", (), None)
    assert [seldom.filter(record) for record in (*records, other)] == [True, False, False, True]
