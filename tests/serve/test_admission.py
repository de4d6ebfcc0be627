"""Who may come in: hosts, tokens, sizes, numbers."""

from __future__ import annotations

import base64
import hashlib
import http.client
import threading
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from tests.cli.command import refused, run
from tests.cli.conftest import http_config, says
from tests.providers.loopback import ModelServer
from tests.serve.conftest import practice_config
from tests.serve.running import Server, serving
from tests.support.waiting import PATIENCE_S, until
from zetaroute.serve.admission import _holds, hashed

TOKEN = "correct-horse-battery"  # noqa: S105  - it opens nothing but these tests


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_is_refused(practice: Server, host: str) -> None:
    answer = practice.get("/", host=host)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "host"


def test_pages_of_others_may_not_ask(practice: Server) -> None:
    with practice.client() as client:
        preflight = client.options("/v1/chat/completions", headers={"origin": "http://evil.example"})
        simple = client.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
    assert preflight.status_code == 405
    assert simple.status_code == 415
    for answer in (preflight, simple):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_body_too_large_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "small"
    home.mkdir()
    (home / "config.toml").write_text(practice_config() + "[serve]\nmax_body_mb = 0.01\n", encoding="utf-8")
    with serving(home) as server:
        assert server.ask("x" * 20_000).status_code == 413
        # Without a length the size is found out while it is read.
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        connection.request(
            "POST", "/v1/chat/completions", iter([b"x" * 6000] * 4), {"content-type": "application/json"}
        )
        assert connection.getresponse().status == 413
        connection.close()
        assert server.ask("hello").status_code == 200


def test_a_token_opens_everything_but_health(tmp_path: Path) -> None:
    home = tmp_path / "closed"
    home.mkdir()
    (home / "config.toml").write_text(practice_config(), encoding="utf-8")
    with serving(home, "--token-env", "ZR_TEST_TOKEN", ZR_TEST_TOKEN=TOKEN) as server:
        basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        for path in ("/", "/metrics", "/v1/models", "/report", "/none"):
            assert server.get(path).status_code == 401
            assert server.get(path, authorization="Bearer wrong").status_code == 401
        assert server.get("/", authorization=f"Basic {basic}").status_code == 200
        assert server.get("/v1/models", authorization=f"Bearer {TOKEN}").status_code == 200
        assert server.get("/healthz").status_code == server.get("/readyz").status_code == 200
        body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
        refusal = server.post("/v1/chat/completions", body)
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (401, "invalid_api_key")
        # What a browser sends by itself asks no questions.
        assert server.post("/v1/chat/completions", body, authorization=f"Basic {basic}").status_code == 401
        assert server.post("/v1/chat/completions", body, authorization=f"Bearer {TOKEN}").status_code == 200
    assert TOKEN not in server.said.read_text()
    assert not [path for path in home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_only_the_hash_stands_in_the_config(tmp_path: Path) -> None:
    home = tmp_path / "hashed"
    home.mkdir()
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    text = practice_config() + f'[serve]\ntoken_sha256 = "{digest}"\n'
    (home / "config.toml").write_text(text, encoding="utf-8")
    with serving(home) as server:
        assert server.get("/v1/models").status_code == 401
        assert server.get("/v1/models", authorization=f"Bearer {TOKEN}").status_code == 200
        assert server.get("/v1/models", authorization=f"Bearer {digest}").status_code == 401


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "--token-env"),  # noqa: S104  - it is refused
        (("--token-env", "ZR_NOT_SET"), "ZR_NOT_SET"),
        (("--host", "192.0.2.1", "--token-env", "ZR_TEST_TOKEN"), "cannot listen"),
    ],
)
def test_an_unsafe_start_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setenv("ZR_TEST_TOKEN", TOKEN)
    said = run(folder, "--quiet", "serve", "--port", "0", *arguments)
    assert words in refused(said, 2)


def test_too_many_at_once_are_told_to_come_back(tmp_path: Path, server: ModelServer) -> None:
    home = tmp_path / "busy"
    home.mkdir()
    (home / "config.toml").write_text(http_config(server) + "[serve]\nmax_requests = 2\n", encoding="utf-8")
    go_on = threading.Event()
    server.reply(lambda seen: (go_on, *says("slow")(seen)))  # type: ignore[arg-type]
    found: list[int] = []
    with serving(home) as running:
        asking = [threading.Thread(target=lambda: found.append(running.ask().status_code)) for _ in range(6)]
        for one in asking:
            one.start()
        until(lambda: len(found) == 4)
        go_on.set()
        for one in asking:
            one.join()
        assert sorted(found) == [200, 200, 429, 429, 429, 429]
        assert running.ask().status_code == 200


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_a_token_may_hold_any_character(coding: str) -> None:
    token = "l\u00e4ngeres-Geheimnis".encode(coding)
    headers = Headers(raw=[(b"authorization", b"Bearer " + token)])
    basic = Headers(raw=[(b"authorization", b"Basic " + base64.b64encode(b"me:" + token))])
    known = hashed("l\u00e4ngeres-Geheimnis")
    assert _holds(headers, known, "POST") == (coding == "utf-8")
    assert _holds(basic, known, "GET") == (coding == "utf-8")
