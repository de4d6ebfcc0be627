"""A real HTTP server on loopback whose every byte and every pause a test decides.

It lives beside the tests of the providers; those of the flows may use it too.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.waiting import PATIENCE_S, until

RESET = "reset"
"""A step that breaks the connection with a TCP reset."""

CLOSE = "close"
"""A step that ends the connection in the ordinary way."""

Step = bytes | float | str | threading.Event
"""Bytes to send, seconds or an event to wait for, RESET or CLOSE."""

Reply = tuple[Step, ...]
_NO_REQUEST = b"\x16"
"""How TLS begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as the server saw it."""

    target: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True, kw_only=True)
class ModelServer:
    """Answers with the replies it was given, in order; the last one stays."""

    port: int = 0
    secure: bool = False
    replies: list[Reply | Callable[[Seen], Reply]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    connected: int = 0
    """Connections that are open now."""
    now: int = 0
    peak: int = 0
    """The most requests that were open at once."""

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}"

    def reply(self, *replies: Reply | Callable[[Seen], Reply]) -> None:
        self.replies = list(replies)

    def settle(self) -> None:
        """Wait until it has read everything that was sent to it before, by clients that are gone by now."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(_NO_REQUEST)
            while last.recv(4096):
                pass
        until(lambda: self.connected == 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.connected += 1
        try:
            await self._converse(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client hung up or the test is over, which some tests want
        finally:
            # Nobody takes what is still to be sent, and a connection that waits for that is never closed.
            writer.transport.abort()
            self.connected -= 1

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (seen := await _request(reader)) is not None:
            self.seen.append(seen)
            self.now += 1
            self.peak = max(self.peak, self.now)
            try:
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                keep = await _play(writer, reply(seen) if callable(reply) else reply)
            finally:
                self.now -= 1
            if not keep:
                return
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    """Return the next request, or None when there is none, because the client hung up or speaks TLS."""
    head = await reader.read(1)
    if head in (b"", _NO_REQUEST):
        return None
    head += await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(target=first.split(" ")[1], headers=headers, body=json.loads(body) if body else None)


async def _play(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Play the steps and return whether the connection stays open: when nothing says that it closes."""
    for step in reply:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif step == RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        elif step == CLOSE:
            return False
        elif isinstance(step, threading.Event):
            while not step.is_set():
                await asyncio.sleep(0.002)
        else:
            await asyncio.sleep(float(step))
    return b"connection: close" not in b"".join(step for step in reply if isinstance(step, bytes)).lower()


class Running:
    """Runs one server in a thread until it is stopped."""

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self.server = ModelServer(secure=certificate is not None)
        self._certificate = certificate
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> ModelServer:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self.server

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._stopping = asyncio.Event()
        listener = await asyncio.start_server(self.server.serve, "127.0.0.1", 0, ssl=self._certificate)
        self.server.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        # Nobody else comes in; closed only at the end, because asyncio leaves open what a closed one has just let in.
        for door in listener.sockets:
            self._loop.remove_reader(door)
        while calls := asyncio.all_tasks() - {asyncio.current_task()}:
            # A task that ends before it has begun closes nothing, so those of this moment begin first.
            await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        listener.close()


def http(
    body: bytes | str | object = b"",
    *,
    status: int = 200,
    headers: Iterable[str] = (),
    content_type: str = "application/json",
    keep: bool = False,
) -> Reply:
    """Return one whole answer: `body` as it is, or as JSON."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = (
        f"HTTP/1.1 {status} Status",
        f"content-type: {content_type}",
        f"content-length: {len(data)}",
        f"connection: {'keep-alive' if keep else 'close'}",
        *headers,
    )
    return ("\r\n".join(lines).encode() + b"\r\n\r\n" + data,)


def stream(*steps: Step | object, content_type: str = "text/event-stream") -> Reply:
    """Return a streamed answer that ends when the connection closes; objects become events."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n".encode()
    return (head, *(step if isinstance(step, Step) else event(step) for step in steps))


def chunked(*steps: Step | object, finish: bool = True, keep: bool = False) -> Reply:
    """Return a streamed answer in HTTP chunks, with or without the last one."""
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
        f"connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    ).encode()
    return (head, *map(_chunk, steps), *((b"0\r\n\r\n",) if finish else ()))


def _chunk(step: Step | object) -> Step:
    if isinstance(step, float | str | threading.Event):
        return step
    data = step if isinstance(step, bytes) else event(step)
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(payload: object, name: str | None = None) -> bytes:
    """Return one event of a stream."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(payload)}\n\n".encode()


DONE = b"data: [DONE]\n\n"


def delta(text: str | None = None, *, finish: str | None = None, **fields: object) -> dict[str, object]:
    """Return one event of a chat completion's stream."""
    content = {} if text is None else {"content": text}
    return {
        "object": "chat.completion.chunk",
        "model": "served-1",
        "choices": [{"index": 0, "delta": content, "finish_reason": finish}],
        **fields,
    }


def usage(prompt: int, completion: int, cached: int | None = None) -> dict[str, object]:
    """Return the last event of a stream, which holds the token counts and no choice."""
    counts: dict[str, object] = {"prompt_tokens": prompt, "completion_tokens": completion}
    if cached is not None:
        counts["prompt_tokens_details"] = {"cached_tokens": cached}
    return {"object": "chat.completion.chunk", "model": "served-1", "choices": [], "usage": counts}


def chat(content: object, *, finish: str | None = "stop", **fields: object) -> dict[str, object]:
    """Return a whole chat completion."""
    message = {"role": "assistant", "content": content}
    return {
        "object": "chat.completion",
        "model": "served-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        **fields,
    }
