"""Requests that nobody would think of: made from a description of the API, and none may break the server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.cli.conftest import http_config, says
from tests.providers.loopback import Running
from tests.serve.running import Server, serving

TEXT = {"type": "string"}
KNOWN = "an-answer-that-is-there"
ANY: dict[str, Any] = {}
MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
        "content": {
            "anyOf": [
                TEXT,
                {"type": "null"},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "type": {"enum": ["text", "image_url", "file", "input_audio"]},
                            "text": TEXT,
                            "image_url": {"type": "object", "properties": {"url": TEXT}},
                            "file": {"type": "object", "properties": {"file_data": TEXT, "filename": TEXT}},
                        },
                    },
                },
            ]
        },
        "tool_calls": {"type": "array", "items": ANY},
        "tool_call_id": TEXT,
        "name": TEXT,
    },
}
SIMPLE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["role", "content"],
    "properties": {"role": {"enum": ["user"]}, "content": {"type": "string", "pattern": "^[a-z]{3,}$"}},
}
CHAT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model", "messages"],
    "properties": {
        "model": {"enum": ["auto", "auto:cheap", "practice/small", "none"]},
        "messages": {
            "anyOf": [
                {"type": "array", "minItems": 1, "items": MESSAGE},
                {"type": "array", "minItems": 1, "items": SIMPLE},
            ]
        },
        "stream": {"type": "boolean"},
        "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
        "n": {"enum": [1, 2, None]},
        "temperature": {"type": "number"},
        "max_tokens": ANY,
        "max_completion_tokens": ANY,
        "tools": {"type": "array", "items": ANY},
        "response_format": ANY,
        "metadata": {"type": "object", "additionalProperties": TEXT},
        "stop": ANY,
        "seed": ANY,
    },
}
REMARK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["metric_name", "value", "metadata"],
    "properties": {
        "metric_name": {"enum": ["accuracy", "rating", "thumbs", "own"]},
        "value": {"anyOf": [{"type": "boolean"}, {"type": "number"}]},
        "inference_id": TEXT,
        "outcome_id": TEXT,
        "metadata": {
            "type": "object",
            "required": ["correlation_id"],
            "properties": {"correlation_id": {"enum": [KNOWN, "unknown"]}},
        },
        "tags": {
            "type": "object",
            "properties": {"source": {"enum": ["user", "truth", "x"]}, "author": TEXT},
        },
        "comment": TEXT,
    },
}
ANSWERS = {"default": {"description": "an answer", "content": {"application/json": {}}}}


def takes(body: dict[str, Any], *headers: str) -> dict[str, Any]:
    parameters = [{"name": name, "in": "header", "schema": TEXT} for name in headers]
    content = {"required": True, "content": {"application/json": {"schema": body}}}
    return {"post": {"parameters": parameters, "requestBody": content, "responses": ANSWERS}}


API = schemathesis.openapi.from_dict(
    {
        "openapi": "3.1.0",
        "info": {"title": "zetaroute", "version": "1"},
        "paths": {
            "/v1/chat/completions": takes(CHAT),
            "/v1/embeddings": takes({"type": "object", "properties": {"input": ANY, "model": TEXT}}),
            "/v1/feedback": takes({"anyOf": [REMARK, {"type": "array", "items": REMARK}]}, "Idempotency-Key"),
            "/v1/models/{model}": {
                "get": {
                    "parameters": [{"name": "model", "in": "path", "required": True, "schema": TEXT}],
                    "responses": ANSWERS,
                }
            },
        },
    }
)
EASY = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def forgiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose models say yes to everything."""
    running = Running()
    models = running.start()
    models.reply(says("yes"))
    home = tmp_path_factory.mktemp("forgiving") / "home"
    home.mkdir()
    (home / "config.toml").write_text(
        http_config(models).replace("two/m2", "practice/small"), encoding="utf-8"
    )
    with serving(home) as server:
        assert server.ask("hello", metadata={"correlation_id": KNOWN}).status_code == 200
        yield server
    running.stop()


def sound(answer: httpx.Response) -> None:
    """Fail unless an answer is one, or a refusal in OpenAI's shape."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"]


@pytest.mark.parametrize(
    ("path", "good"), [("/v1/chat/completions", True), ("/v1/embeddings", False), ("/v1/feedback", True)]
)
def test_what_the_description_allows_never_breaks_it(forgiving: Server, path: str, good: bool) -> None:
    seen: Counter[int] = Counter()
    with forgiving.client() as client:

        @EASY
        @given(case=API[path]["POST"].as_strategy())
        def ask(case: Any) -> None:
            content = json.dumps(case.body).encode("utf-8", "surrogatepass")
            headers = {"content-type": "application/json"}
            key = (case.headers or {}).get("Idempotency-Key")
            if key is not None:
                headers["idempotency-key"] = str(key).encode("ascii", "ignore").decode().strip()
            try:
                answer = client.post(path, content=content, headers=headers)
            except (httpx.LocalProtocolError, ValueError):
                return  # no client can send this header
            sound(answer)
            seen[answer.status_code] += 1

        ask()
    assert (seen[200] > 0) == good, seen


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/feedback"])
def test_any_json_never_breaks_it(practice: Server, path: str) -> None:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    keys = (
        st.sampled_from(["model", "messages", "role", "content", "type", "value", "metric_name", "n"])
        | st.text()
    )
    anything = st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20
    )
    with practice.client() as client:

        @EASY
        @given(body=anything)
        def ask(body: Any) -> None:
            content = json.dumps(body).encode()
            sound(client.post(path, content=content, headers={"content-type": "application/json"}))

        ask()


def test_any_path_never_breaks_it(practice: Server) -> None:
    with practice.client() as client:

        @EASY
        @given(case=API["/v1/models/{model}"]["GET"].as_strategy())
        def ask(case: Any) -> None:
            url = httpx.URL(practice.url).copy_with(path=f"/v1/models/{case.path_parameters['model']}")
            sound(client.get(url))

        ask()
