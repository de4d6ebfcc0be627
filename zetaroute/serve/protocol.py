"""Limits of a connection before a request is whole: header size and count, and the time that each takes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEADER_BYTES = 64 * 1024
HEADER_COUNT = 100
_MOST_KINDS = 100


class GuardedProtocol(HttpToolsProtocol):
    """A connection that is closed when it takes too much or too long."""

    header_s = 10.0
    """How long a connection may be open until its first header is whole, and how long each next header may take."""
    send_s = 60.0
    """How long a client may leave what was sent to it unread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._within_header = True
        self._waiting: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a first header."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came, as long as the header that it belongs to is not too large."""
        if self.transport.is_closing():
            return
        if self._within_header:
            self._header_bytes += len(data)
        # A body that nobody reads, because its request was refused, must end as soon as a header.
        if self._waiting is None and (self._within_header or self.cycle.response_complete):
            self._wait()
        super().data_received(data)
        if self._within_header and self._header_bytes > HEADER_BYTES:
            self._refuse()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in one header, or refuse them all."""
        super().on_header(name, value)
        if len(self.headers) > HEADER_COUNT:
            raise ValueError("too many headers")

    def on_headers_complete(self) -> None:
        """End the wait for the header."""
        self._within_header, self._header_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is another header."""
        super().on_message_complete()
        self._within_header = True
        self._stop_waiting()

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.send_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.header_s, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _refuse(self) -> None:
        self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self._stop_waiting()
        self.transport.close()


class Seldom(logging.Filter):
    """Lets each kind of message through once in a while: what strangers cause must not fill a disk."""

    def __init__(self, every_s: float = 10.0) -> None:
        super().__init__()
        self._every_s = every_s
        self._last_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is the first of its kind for a while."""
        kind = str(record.msg)[:60]
        last_s = self._last_s.get(kind)
        if last_s is not None and record.created - last_s < self._every_s:
            return False
        if len(self._last_s) > _MOST_KINDS:
            self._last_s.clear()
        self._last_s[kind] = record.created
        return True
