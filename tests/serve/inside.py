"""The application within a test's own process: for many requests that need no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from zetaroute.analysis.dashboard import Dashboard
from zetaroute.config import Home
from zetaroute.config.settings import parse_settings
from zetaroute.serve.admission import Admission
from zetaroute.serve.app import Offer, create_app
from zetaroute.serve.metrics import Metrics
from zetaroute.serve.telemetry import Telemetry

Ask = Callable[..., Awaitable[httpx.Response]]


def inside(
    path: Path,
    config: str,
    script: Callable[..., Awaitable[Any]],
    *,
    processes: int = 1,
    telemetry: Telemetry | None = None,
    log_requests: bool = False,
) -> Any:
    """Return what a script returns that is given a way to ask each of so many applications on one home."""
    home = Home(path)
    home.make()
    (path / "config.toml").write_text(config, encoding="utf-8")
    settings = parse_settings(config, file=None)
    admission = Admission(token_sha256=None, hosts=(), max_requests=100)
    offer = Offer(
        home=home,
        settings=settings,
        admission=admission,
        dashboard=Dashboard(),
        log_requests=log_requests,
    )

    async def run() -> Any:
        models = [arm.id for arm in settings.arms]
        apps = [create_app(offer, Metrics(models, workers=processes), telemetry) for _ in range(processes)]
        contexts = [app.router.lifespan_context(app) for app in apps]
        for context in contexts:
            await context.__aenter__()
        try:
            clients = [
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", trust_env=False)
                for app in apps
            ]
            return await script(*(_asks(client) for client in clients))
        finally:
            for context in contexts:
                await context.__aexit__(None, None, None)

    return asyncio.run(run())


def _asks(client: httpx.AsyncClient) -> Ask:
    async def ask(path: str, body: Any, **headers: str) -> httpx.Response:
        return await client.post(path, json=body, headers=headers)

    return ask
