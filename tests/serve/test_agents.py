"""What agents need of every format: thoughts, patience, names of calls, and loops of tools that do not break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.loopback import ModelServer, chat, http
from tests.serve.inside import Ask, inside
from tests.wire.shapes.responses import SAYS, SEALED, body

HEAD = "schema_version = 1\n[audit]\nshare = 0\n"


def model(server: ModelServer, name: str, provider: str, **fields: Any) -> str:
    base = server.url if provider == "anthropic" else f"{server.url}/v1"
    known = {"price": "{ input = 1, output = 2 }", **fields}
    lines = "".join(f"{key} = {value}\n" for key, value in known.items())
    return f'[[models]]\nid = "{name}"\nprovider = "{provider}"\nbase_url = "{base}"\n{lines}'


def test_what_a_model_of_responses_thought_goes_back_to_it(tmp_path: Path, server: ModelServer) -> None:
    search = {"type": "web_search"}
    unsealed = {"type": "reasoning", "id": "rs_0", "summary": []}
    server.reply(http(body(SEALED, SAYS)))

    async def script(ask: Ask) -> None:
        asked = {"model": "auto", "tools": [search], "input": "2 + 2?"}
        first = (await ask("/v1/responses", asked)).json()
        assert first["output"] == [SEALED, SAYS]
        more = [unsealed, {"role": "user", "content": "sure?"}]
        again = {**asked, "input": more, "previous_response_id": first["id"]}
        assert (await ask("/v1/responses", again)).status_code == 200
        refused = await ask("/v1/responses", {**asked, "model": "chat/m"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unfit_query")

    models = model(server, "responses/m", "responses") + model(server, "chat/m", "openai")
    inside(tmp_path / "home", HEAD + models, script)
    sent = server.seen[1].body
    assert sent["input"] == [
        {"role": "user", "content": "2 + 2?"},
        SEALED,
        SAYS,
        {"role": "user", "content": "sure?"},
    ]
    assert (sent["tools"], sent["store"]) == ([search], False)
    assert "previous_response_id" not in sent


def refusal(status: int, *headers: str, code: str | None = None) -> Any:
    return http({"error": {"message": "no", "code": code}}, status=status, headers=headers)


@pytest.mark.parametrize(
    ("reply", "status", "code", "kind", "after"),
    [
        (refusal(429, "retry-after: 30"), 429, "rate_limit_exceeded", "rate_limit_error", "30"),
        (refusal(429, code="insufficient_quota"), 429, "insufficient_quota", "rate_limit_error", "5"),
        (refusal(529, "retry-after: 40"), 503, "overloaded", "overloaded_error", "40"),
        (refusal(400, code="context_length_exceeded"), 400, "context_length_exceeded", None, None),
    ],
)
def test_clients_are_told_of_a_failure_as_their_format_has_it(
    tmp_path: Path,
    server: ModelServer,
    reply: Any,
    status: int,
    code: str,
    kind: str | None,
    after: str | None,
) -> None:
    server.reply(reply)

    async def script(ask: Ask) -> list[httpx.Response]:
        said = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "2 + 2?"}]}
        return [await ask(f"/v1/{path}", said) for path in ("chat/completions", "messages")]

    chats, messages = inside(tmp_path / "home", HEAD + model(server, "chat/m", "openai"), script)
    assert (chats.status_code, chats.json()["error"]["code"]) == (status, code)
    assert messages.json()["error"]["type"] == (kind or "invalid_request_error")
    assert chats.headers.get("retry-after") == messages.headers.get("retry-after") == after


def test_calls_and_machines_keep_the_names_that_their_server_gives(
    tmp_path: Path, server: ModelServer
) -> None:
    server.reply(http(chat("4", system_fingerprint="fp_1"), headers=["x-request-id: req-7"]))

    async def script(ask: Ask) -> None:
        said = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "2 + 2?"}]}
        told = await ask("/v1/chat/completions", said)
        assert told.headers["x-request-id"] == told.json()["zetaroute"]["request_id"] == "req-7"
        assert told.json()["system_fingerprint"] == "fp_1"
        assert (await ask("/v1/messages", said)).headers["request-id"] == "req-7"

    inside(tmp_path / "home", HEAD + model(server, "chat/m", "openai"), script)
