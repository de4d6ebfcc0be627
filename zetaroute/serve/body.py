"""The JSON of a request, read within limits of size and time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from zetaroute.files.strict_json import strict_json
from zetaroute.files.utf8_text import text_of
from zetaroute.serve.api_errors import ApiError, bad

BODY_S = 30.0
"""How long a body may take to arrive."""
_AT_ONCE = 1_000_000
"""Bytes of a body that is parsed within the event loop."""


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; raise ApiError for anything else."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise bad("the body must be a JSON object.")
    return body


async def read_json(request: Request) -> Any:
    """Return the JSON of a request; raise ApiError when it is too large, too slow or no JSON."""
    most_bytes = int(request.app.state.service.settings.serving.max_body_mb * 1e6)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A web page of somebody else can send other types without asking first.
        raise ApiError(415, "send the header content-type: application/json.", code="unsupported_media_type")
    too_large = ApiError(413, f"the body is larger than {most_bytes} bytes.", code="too_large")
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise ApiError(408, f"the body did not arrive within {BODY_S:g} s.", code="timeout") from None
    except ClientDisconnect:
        raise ApiError(400, "the connection broke off within the body.", code="disconnected") from None
    if len(body) < _AT_ONCE:
        return parse_json(bytes(body))
    # A large body would keep everybody else waiting.
    return await asyncio.to_thread(parse_json, bytes(body))


def parse_json(body: bytes) -> Any:
    """Return the value of strict JSON without lone surrogates; raise ApiError otherwise."""
    try:
        value = strict_json(text_of(body))
        if b"\\u" in body:
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise bad(f"the body is not valid JSON: {error}.", code="invalid_json") from None
    return value
