"""What the stress suite shares: its size, a model server, and a home on it.

`ZETAROUTE_STRESS=1 pytest tests/stress` runs everything at full size, in minutes; without the variable each test
runs a small version of itself, in seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.loopback import ModelServer, Running

FULL = os.environ.get("ZETAROUTE_STRESS", "") not in {"", "0"}
full_only = pytest.mark.skipif(not FULL, reason="only at full size: set ZETAROUTE_STRESS=1")


def size(small: int, full: int) -> int:
    """Return how many of something a test uses."""
    return full if FULL else small


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model server on loopback."""
    running = Running()
    yield running.start()
    running.stop()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep proxies of the machine out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "ZETAROUTE_HOME"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def make_home(folder: Path, *models: str) -> Path:
    """Make a home with these [[models]] blocks, each given as the lines below its heading."""
    folder.mkdir()
    text = "schema_version = 1\n[ratings]\nask_share = 0\n[audit]\nshare = 0\n" + "".join(
        f"[[models]]\n{model}\n" for model in models
    )
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return folder


def model(model_id: str, url: str, *, more: str = "") -> str:
    """Return the lines of one model at `url`."""
    return f'id = "{model_id}"\nprovider = "openai"\nbase_url = "{url}/v1"\n{more}'
