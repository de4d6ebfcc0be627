"""The page at `/`, made by the server, and the last report behind it.

Nothing comes from elsewhere and nothing of a query can run: the policy that browsers are sent allows this
server's own style and script and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from zetaroute.flows.live import last_report, snapshot
from zetaroute.serve.errors import ApiError
from zetaroute.serve.service import Service

FRESH_S = 2.0
"""How long one page serves everybody who asks."""
_OWN = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
_REPORT = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox",
    "referrer-policy": "no-referrer",
}


class Page:
    """Makes the page, once for all who ask within a moment."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._making = asyncio.Lock()
        self._made_at = float("-inf")
        self._html = ""

    async def html(self) -> str:
        """Return the page of this moment; raise StoreBusyError when others keep the log."""
        async with self._making:
            if time.monotonic() - self._made_at > FRESH_S:
                self._html = await asyncio.to_thread(self._make)
                self._made_at = time.monotonic()
            return self._html

    def _make(self) -> str:
        from zetaroute.report.html import live_html

        service = self._service
        return live_html(snapshot(service.home, service.log, service.settings))


async def page(request: Request) -> Response:
    """Show what is served now."""
    return HTMLResponse(await request.app.state.page.html(), headers=_OWN)


async def report(request: Request) -> Response:
    """Show the last retrain's report."""
    found = await asyncio.to_thread(last_report, request.app.state.service.home)
    if found is None:
        raise ApiError(
            404, "nothing was retrained yet: `zetaroute retrain` writes a report.", code="not_found"
        )
    return HTMLResponse(found, headers=_REPORT)


async def style(_: Request) -> Response:
    """Send the style that the reports have too."""
    return Response(_file("style.css"), media_type="text/css", headers=_OWN)


async def script(_: Request) -> Response:
    """Send what renews the page."""
    return Response(_file("live.js"), media_type="text/javascript", headers=_OWN)


@cache
def _file(name: str) -> bytes:
    from zetaroute.report.html import TEMPLATES

    return (TEMPLATES / name).read_bytes()
