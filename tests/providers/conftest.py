"""What the tests of the providers share: a server on loopback and an environment without proxies and keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .carrier import CARRIER
from .loopback import ModelServer, Running


@pytest.fixture
def server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


@pytest.fixture(params=[False, True], ids=["httpx", "aiohttp"])
def each_carrier(request: pytest.FixtureRequest) -> Iterator[None]:
    CARRIER.many = request.param
    yield
    CARRIER.many = False


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
