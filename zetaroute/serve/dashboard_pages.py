"""The page at `/`, the last retrain's report, and what they need; what makes them is handed in."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from zetaroute.config import Home, Settings
from zetaroute.log.log import Log
from zetaroute.serve.api_errors import ApiError
from zetaroute.serve.service import Service

FRESH_S = 2.0
"""How long one page serves everybody who asks."""
BESIDE = {"/page.css": ("style.css", "text/css"), "/page.js": ("live.js", "text/javascript")}
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


class DashboardPages(Protocol):
    """Makes the pages; handed in, because drawing figures takes libraries that answering does not load."""

    def page(self, home: Home, log: Log, settings: Settings) -> str:
        """Return the page of this moment; raise StoreBusyError when others keep the log."""

    def report(self, home: Home) -> bytes | None:
        """Return the newest version's report; None where there is none that can be read."""

    def file(self, name: str) -> bytes:
        """Return the style or the script that the page asks for."""


class Page:
    """The page, made once for all who ask within a moment."""

    def __init__(self, dashboard: DashboardPages, service: Service) -> None:
        self._dashboard = dashboard
        self._service = service
        self._making = asyncio.Lock()
        self._made_at = float("-inf")
        self._html = ""

    async def html(self) -> str:
        """Return the page of this moment; raise StoreBusyError when others keep the log."""
        async with self._making:
            if time.monotonic() - self._made_at > FRESH_S:
                own = self._service
                make = self._dashboard.page
                self._html = await asyncio.to_thread(make, own.home, own.log, own.settings)
                self._made_at = time.monotonic()
            return self._html


async def page(request: Request) -> Response:
    """Show what is served now."""
    return HTMLResponse(await request.app.state.page.html(), headers=_OWN)


async def report(request: Request) -> Response:
    """Show the last retrain's report."""
    state = request.app.state
    found = await asyncio.to_thread(state.dashboard.report, state.service.home)
    if found is None:
        raise ApiError(
            404, "nothing was retrained yet: `zetaroute retrain` writes a report.", code="not_found"
        )
    return HTMLResponse(found, headers=_REPORT)


async def beside(request: Request) -> Response:
    """Send what the page asks for: the style, which reports have too, or the script that renews it."""
    name, kind = BESIDE[request.url.path]
    return Response(request.app.state.dashboard.file(name), media_type=kind, headers=_OWN)
