"""A server that passes requests on and does nothing else: what any router behind Starlette costs at least.

python -m benchmarks.speed.passing_on URL
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def application(url: str) -> Starlette:
    """Return an application that posts to `url` what is posted to it."""

    @asynccontextmanager
    async def connected(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            yield {"session": session}

    async def pass_on(request: Request) -> Response:
        headers = {"content-type": "application/json"}
        async with request.state.session.post(
            f"{url}/chat/completions", data=await request.body(), headers=headers
        ) as answer:
            return Response(await answer.read(), status_code=answer.status, media_type="application/json")

    return Starlette(routes=[Route("/v1/chat/completions", pass_on, methods=["POST"])], lifespan=connected)


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[1]), host="127.0.0.1", port=0, access_log=False)
