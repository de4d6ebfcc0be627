"""A model server that answers at once or after a while, plain or streamed; as a process of its own it says where.

    python -m benchmarks.speed.server [SECONDS]

One that is told how long to take, be it 0, answers plainly and keeps its connections, as servers of many calls do.
"""

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


def _reply(content_type: bytes, body: bytes, connection: bytes = b"close") -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: %s\r\n\r\n"
    return head % (content_type, len(body), connection) + body


_KEPT = _reply(b"application/json", _PLAIN, b"keep-alive")


class _Server(asyncio.Protocol):
    """As little of HTTP as it takes, so that the server is not what is measured."""

    def __init__(self, answer_s: float | None) -> None:
        self._waiting = b""
        self._answer_s = answer_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  - what the protocol is made for
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, end, body = self._waiting.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < length:
            return
        self._waiting = body[length:]
        if self._answer_s is not None:
            if self._answer_s:
                asyncio.get_running_loop().call_later(self._answer_s, self._transport.write, _KEPT)
            else:
                self._transport.write(_KEPT)
            return
        streams = json.loads(body).get("stream", False)
        self._transport.write(
            _reply(b"text/event-stream", _STREAMED) if streams else _reply(b"application/json", _PLAIN)
        )
        self._transport.close()


async def _serve(answer_s: float | None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Server(answer_s), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  - tells the parent where it listens
    await server.serve_forever()


@contextmanager
def model_server(*, answer_s: float | None = None) -> Iterator[str]:
    """Yield the base URL of a server in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.speed.server", *([] if answer_s is None else [str(answer_s)])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  - this very file
        assert server.stdout is not None  # noqa: S101  - it is a pipe
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        finally:
            server.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) if len(sys.argv) > 1 else None))
