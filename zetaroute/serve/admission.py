"""Who may come in, and how many at once: looked at before anything of a request is read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zetaroute.serve.api_errors import DOORS, ApiError, bad, come_back
from zetaroute.serve.metrics import PLACES, Metrics

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_OPEN = frozenset({"/healthz", "/readyz"})
"""What tells nothing and is asked by what carries no token."""
_FOUND = {
    **dict.fromkeys((*DOORS, "/v1/messages/count_tokens", "/v1/decision"), "chat"),
    "/v1/embeddings": "embeddings",
    "/v1/feedback": "feedback",
    "/v1/models": "models",
    "/": "page",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The rules of the door."""

    token_sha256: str | None
    hosts: tuple[str, ...]
    """Names that a request may give as its host; empty: any, because a token keeps strangers out."""
    max_requests: int


class AdmissionMiddleware:
    """Lets requests in, counts them, and puts on every answer what browsers must be told."""

    def __init__(self, app: ASGIApp, *, admission: Admission, metrics: Metrics) -> None:
        self._app = app
        self._admission = admission
        self._metrics = metrics
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = _FOUND.get(scope["path"], PLACES[-1])
        seen = 500

        async def watched(message: Message) -> None:
            nonlocal seen
            if message["type"] == "http.response.start":
                seen = message["status"]
                answer = MutableHeaders(raw=message["headers"])
                answer["x-content-type-options"] = "nosniff"
                answer["cache-control"] = "no-store"
                message["headers"] = answer.raw
            await send(message)

        self._inside += 1
        self._metrics.add("zetaroute_in_flight")
        try:
            refusal = self._refusal(scope)
            app = self._app if refusal is None else refusal.response(scope["path"])
            await app(scope, receive, watched)
        finally:
            self._inside -= 1
            self._metrics.add("zetaroute_in_flight", -1.0)
            self._metrics.request(place, seen)

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers, rules = Headers(scope=scope), self._admission
        if rules.hosts and _name(headers.get("host", "")) not in rules.hosts:
            return bad("this server is not reached under that host; add it to hosts in [serve].", code="host")
        if scope["path"] in _OPEN:
            return None
        if rules.token_sha256 is not None and not _holds(headers, rules.token_sha256, scope["method"]):
            challenge = {"www-authenticate": 'Bearer, Basic realm="zetaroute"'}
            return ApiError(401, "the token is missing or wrong.", code="invalid_api_key", headers=challenge)
        if self._inside > rules.max_requests:
            return come_back(
                429, f"{rules.max_requests} requests are under way already.", "too_many_requests"
            )
        return None


def hashed(token: str | bytes) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).hexdigest()


def _holds(headers: Headers, token_sha256: str, method: str) -> bool:
    """Whether a request carries the token; a person with a browser gives it as the password."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    # Headers are read as Latin-1, whatever the client has written.
    token = (value.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")).encode("latin-1")
    if scheme.lower() == "basic" and method == "GET":
        try:
            token = base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            token = b""
    return bool(token) and hmac.compare_digest(hashed(token), token_sha256)


def _name(host: str) -> str:
    """Return a Host header's name, in lower case and without the port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()
