"""What the tests of the command line share: a home whose practice models answer at once, and a model server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.providers.loopback import DONE, ModelServer, Reply, Running, Seen, chat, delta, http, stream, usage


@pytest.fixture
def folder(tmp_path: Path, instant_config: str) -> Path:
    """A home with practice models that do not wait."""
    path = tmp_path / "home"
    path.mkdir()
    (path / "config.toml").write_text(instant_config, encoding="utf-8")
    return path


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model server on loopback."""
    running = Running()
    yield running.start()
    running.stop()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of the machine out, and what is written to the current folder in a new one."""
    monkeypatch.chdir(tmp_path)
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    terminal = ("NO_COLOR", "FORCE_COLOR", "ZETAROUTE_HOME", "COLUMNS")
    for name in (*proxies, *(proxy.lower() for proxy in proxies), *terminal):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def http_folder(tmp_path: Path, server: ModelServer) -> Path:
    """A home with two models on the loopback server: `one/m1`, free and local, and `two/m2`, with a price."""
    path = tmp_path / "http-home"
    path.mkdir()
    (path / "config.toml").write_text(http_config(server), encoding="utf-8")
    return path


def http_config(server: ModelServer, *, audit_share: float = 0.0) -> str:
    """Return a config with two models on the loopback server; audits ask both, as a right answer is worth a lot."""
    objective = "[objective]\nanswer_value_usd = 10" if audit_share else ""
    return f"""
schema_version = 1
{objective}
[ratings]
ask_share = 0
[audit]
share = {audit_share}
[[models]]
id = "one/m1"
provider = "openai"
base_url = "{server.url}/v1"
tags = ["local"]
price = {{ input = 1, output = 2 }}
prior_accuracy = 0.9
[[models]]
id = "two/m2"
provider = "openai"
base_url = "{server.url}/v1"
price = {{ input = 100, output = 200 }}
prior_accuracy = 0.2
"""


def says(text: str | Callable[[Seen], str], *, after_s: float = 0.0) -> Callable[[Seen], Reply]:
    """Return a reply that says `text`, streamed when the client asks for that."""

    def reply(seen: Seen) -> Reply:
        words = text if isinstance(text, str) else text(seen)
        if seen.body["stream"]:
            half = len(words) // 2
            pieces = (delta(words[:half]), delta(words[half:], finish="stop"), usage(10, 5), DONE)
            return (after_s, *stream(*pieces))
        counts = {"prompt_tokens": 10, "completion_tokens": 5}
        return (after_s, *http(chat(words, usage=counts)))

    return reply


def by_model(**replies: Callable[[Seen], Reply]) -> Callable[[Seen], Reply]:
    """Return a reply that depends on the model that was asked."""
    return lambda seen: replies[seen.body["model"]](seen)


def fails(status: int = 400, message: str = "no") -> Callable[[Seen], Reply]:
    """Return a refusal."""
    return lambda seen: http({"error": {"message": message}}, status=status)
