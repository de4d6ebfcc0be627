"""`init`: a config to start from, out of what is found, and never over one that is there."""

from __future__ import annotations

import json

import pytest

from tests.cli.command import ok, refused, run
from tests.cli.conftest import says
from tests.providers.loopback import http
from zetaroute.config import PRESETS, parse_settings
from zetaroute.setup.services import hosted_services


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for service in hosted_services():
        monkeypatch.delenv(service.key, raising=False)


def lists(server, *names):
    server.reply(
        lambda seen: (
            http({"data": [{"id": name} for name in names]}) if seen.body is None else says("hi")(seen)
        )
    )


def test_from_a_server_to_an_answer(tmp_path, server):
    lists(server, "small:3b", "large:14b")
    said = ok(tmp_path, "init", "--detect", "--yes", "--server", server.url)
    assert f"small:3b, large:14b at {server.url}/v1" in said.out
    assert "server/small:3b, server/large:14b" in said.out
    assert ok(tmp_path, "ask", "hello").out.strip() == "hi"
    ok(tmp_path, "doctor")


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        (b"y\n", 0, ""),
        (b"n\n", 1, "nothing was written."),
        (b"", 2, "give --yes where no person can be asked."),
    ],
)
def test_it_asks_before_it_writes(tmp_path, server, typed, code, words):
    lists(server, "small:3b")
    said = run(tmp_path, "init", "--detect", "--server", server.url, stdin=typed)
    assert said.code == code
    assert said.err.rstrip("\n").endswith(words)
    assert (tmp_path / "config.toml").exists() == (code == 0)


@pytest.mark.parametrize("words", [(), ("--detect", "--yes")])
def test_an_existing_config_is_left_as_it_is(tmp_path, server, words):
    lists(server, "small:3b")
    (tmp_path / "config.toml").write_text("mine")
    extra = ("--server", server.url) if words else ()
    assert "is left as it is" in refused(run(tmp_path, "init", *words, *extra), 2)
    assert (tmp_path / "config.toml").read_text() == "mine"
    assert server.seen == []


def test_keys_are_named_and_their_values_stay_where_they_are(tmp_path, server, monkeypatch):
    lists(server, "small:3b")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    said = ok(tmp_path, "init", "--detect", "--yes", "--server", server.url)
    assert "OPENAI_API_KEY is set: OpenAI can be asked" in said.out
    kept = (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert 'api_key_env = "OPENAI_API_KEY"' in kept
    assert "secret" not in said.out + said.err + kept
    assert all("authorization" not in seen.headers for seen in server.seen)


def test_a_price_list_prices_what_is_written(tmp_path, server, monkeypatch):
    lists(server, "small:3b")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    listed = {"gpt-4.1": {"input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06}}
    (tmp_path / "list.json").write_text(json.dumps(listed))
    words = ("--detect", "--yes", "--prices", str(tmp_path / "list.json"), "--server", server.url)
    ok(tmp_path, "init", *words)
    prices = {row["model"]: row["input"] for row in ok(tmp_path, "models", "prices", "--json").json}
    assert prices["openai/gpt-4.1"] == 2
    assert prices["openai/gpt-4.1-mini"] is None


@pytest.mark.parametrize("detect", [False, True])
def test_a_preset_is_written(tmp_path, server, detect):
    lists(server, "small:3b")
    more = ("--detect", "--yes", "--server", server.url) if detect else ()
    ok(tmp_path, "init", "--preset", "cheap", *more)
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert parse_settings(text, file=None).objective == PRESETS["cheap"]


@pytest.mark.parametrize("words", [("--preset", "best"), ("--yes",), ("--server", "http://x")])
def test_wrong_usage(tmp_path, words):
    refused(run(tmp_path, "init", *words), 2)
    assert not (tmp_path / "config.toml").exists()
