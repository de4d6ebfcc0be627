"""What the tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import bare_environment, folder, http_config, server
from tests.providers.loopback import ModelServer, Running
from tests.serve.running import Server, serving

__all__ = ["bare_environment", "folder", "server"]


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with practice models that answer at once, for all tests of a module."""
    home = tmp_path_factory.mktemp("practice") / "home"
    home.mkdir()
    (home / "config.toml").write_text(practice_config(), encoding="utf-8")
    with serving(home) as running:
        yield running


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    """A model server on loopback for all tests of a module."""
    running = Running()
    yield running.start()
    running.stop()


@pytest.fixture(scope="module")
def started(models: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("shared") / "home"
    home.mkdir()
    (home / "config.toml").write_text(http_config(models), encoding="utf-8")
    with serving(home) as running:
        yield running


@pytest.fixture
def shared(started: Server, models: ModelServer) -> Server:
    """A server on `models` for tests that look at its answers alone: others have asked it before."""
    models.seen.clear()
    return started


@pytest.fixture
def over_http(tmp_path: Path, server: ModelServer) -> Iterator[Server]:
    """A server with two models on the loopback server."""
    home = tmp_path / "http"
    home.mkdir()
    (home / "config.toml").write_text(http_config(server), encoding="utf-8")
    with serving(home) as running:
        yield running


def practice_config() -> str:
    """Return a config whose practice models do not wait."""
    models = (
        f'[[models]]\nid = "practice/{size}"\nprovider = "practice"\ntags = ["local"]\ndelay = 0\n'
        f"price = {{ input = {price}, output = {4 * price} }}\nprior_accuracy = {prior}\n"
        for size, price, prior in (("small", 0.1, 0.5), ("medium", 1.0, 0.7), ("large", 3.0, 0.9))
    )
    return "schema_version = 1\n[audit]\nshare = 0\n" + "".join(models)
