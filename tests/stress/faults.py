"""Everything that can be wrong with a model server, each as the reply that a loopback server plays.

Apart from the tests because the fault suite plays each of them to `ask` and to `batch`, always and now and then.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.providers.loopback import CLOSE, RESET, ModelServer, Reply, Running, chat, delta, http, stream

TLS = Path(__file__).parents[1] / "providers" / "tls"
TIMEOUT_S = 2.0
"""What the config gives a call as a whole."""
_HUGE = b'{"choices": [{"index": 0, "message": {"content": "' + b"x" * 50_000_000 + b'"}}]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail."""

    name: str
    kinds: frozenset[str]
    """What the log may call it."""
    reply: Reply
    calls: frozenset[int]
    """How often one query may ask the model: once, or with its two retries."""


def _fault(name: str, kind: str, reply: Reply, *, again: bool | None) -> Fault:
    calls = frozenset({1, 3}) if again is None else frozenset({3 if again else 1})
    return Fault(name=name, kinds=frozenset(kind.split("|")), reply=reply, calls=calls)


def _cut(body: bytes, length: int) -> Reply:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    return head.encode() + body, CLOSE


def _slowly(data: bytes) -> Reply:
    return tuple(step for place in range(len(data)) for step in (data[place : place + 1], 1.0))


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
_BODY = json.dumps(chat("yes")).encode()
_ERROR = {"error": {"message": "no such parameter", "type": "invalid_request_error"}}
_PAGE = "<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"

FAULTS = (
    _fault("429", "rate_limited", http({"error": "slow down"}, status=429), again=True),
    _fault(
        "429 with Retry-After",
        "rate_limited",
        http({"error": "slow down"}, status=429, headers=["retry-after: 1"]),
        again=True,
    ),
    _fault("500", "server", http("oops", status=500), again=True),
    _fault("502 with HTML", "server", http(_PAGE, status=502, content_type="text/html"), again=True),
    _fault("400", "rejected", http(_ERROR, status=400), again=False),
    _fault("401", "unauthorised", http({"error": {"message": "bad key"}}, status=401), again=False),
    _fault("reset in the middle", "connection|malformed", (_HEAD + b"data: {", 0.02, RESET), again=True),
    _fault("hang before the first byte", "timeout", (600.0,), again=False),
    _fault("one byte per second", "timeout", _slowly(_HEAD), again=False),
    _fault("truncated stream", "malformed", stream(delta("half of an ans")), again=True),
    _fault("invalid JSON", "malformed", http('{"choices": [{"mess'), again=False),
    _fault("wrong content type", "malformed", http("Welcome!", content_type="text/html"), again=False),
    _fault("empty choices", "empty", http({"object": "chat.completion", "choices": []}), again=False),
    _fault("empty content", "empty", http(chat("")), again=False),
    _fault("50 MB answer", "malformed|timeout", http(_HUGE), again=False),
    _fault("Content-Length too large", "connection", _cut(_BODY, len(_BODY) + 10), again=True),
    # Half an answer, or a line that holds what nobody expects: that depends on which bytes arrive together.
    _fault("Content-Length too small", "malformed|connection", _cut(_BODY, len(_BODY) - 10), again=None),
    _fault(
        "endless stream",
        "malformed|timeout",
        (_HEAD, *(b": still here\n\n" * 10_000,) * 2_000),
        again=False,
    ),
)


@contextmanager
def dead_ends() -> Iterator[dict[str, str]]:
    """Yield places that no request ever reaches: nobody listens, bad TLS, no such host."""
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    secure = Running(certificate)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield {
            "refused": f"http://127.0.0.1:{taken.getsockname()[1]}",
            "bad TLS": secure.start().url,
            "no such host": "http://models.invalid",
        }
    secure.stop()


def slug(name: str) -> str:
    """Return a model's name for a fault."""
    return name.lower().replace(" ", "-")


def calls_of(server: ModelServer, name: str) -> int:
    """Return how often a model was asked."""
    return sum(seen.body["model"] == name for seen in server.seen)
