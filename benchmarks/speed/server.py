"""A model server that answers at once, plain or streamed; run as a process of its own it says where it listens."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_USAGE = {"prompt_tokens": 20, "completion_tokens": 2}
_PLAIN = json.dumps(
    {
        "object": "chat.completion",
        "model": "loopback",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
).encode()
_EVENTS = (
    {"model": "loopback", "choices": [{"index": 0, "delta": {"content": "42"}, "finish_reason": "stop"}]},
    {"model": "loopback", "choices": [], "usage": _USAGE},
)
_STREAMED = (
    b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in _EVENTS) + b"data: [DONE]\n\n"
)


def _reply(content_type: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (content_type, len(body)) + body


class _Server(asyncio.Protocol):
    def __init__(self) -> None:
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  - what the protocol is made for
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, end, body = self._waiting.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < length:
            return
        streams = json.loads(body).get("stream", False)
        self._transport.write(
            _reply(b"text/event-stream", _STREAMED) if streams else _reply(b"application/json", _PLAIN)
        )
        self._transport.close()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  - tells the parent where it listens
    await server.serve_forever()


@contextmanager
def model_server() -> Iterator[str]:
    """Yield the base URL of a server in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.speed.server"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  - this very file
        assert server.stdout is not None  # noqa: S101  - it is a pipe
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        finally:
            server.terminate()


if __name__ == "__main__":
    asyncio.run(_serve())
