"""Every format over HTTP: one service behind them all."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import rows
from tests.cli.conftest import by_model, fails, says
from tests.providers.loopback import ModelServer, chat, http
from tests.serve.conftest import practice_config
from tests.serve.inside import Ask, inside
from tests.serve.running import Server

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
CALL = {"id": "c7", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "2 + 2?"}]},
    "/v1/completions": {"prompt": "2 + 2?"},
    "/v1/responses": {"input": "2 + 2?"},
    "/v1/messages": {"messages": [{"role": "user", "content": "2 + 2?"}], "max_tokens": 9},
}


def calls() -> Any:
    wanted = chat(None, finish="tool_calls")
    wanted["choices"][0]["message"]["tool_calls"] = [CALL]  # type: ignore[index]
    return http(wanted)


@pytest.mark.parametrize("path", BODIES)
def test_each_is_answered_logged_rated_and_refused(shared: Server, models: ModelServer, path: str) -> None:
    models.reply(by_model(m1=fails(403), m2=says("four")))
    body = {"model": "auto", **BODIES[path]}
    for streamed in (False, True):
        answer = shared.post(path, {**body, "stream": streamed})
        assert answer.status_code == 200, answer.text
        assert streamed or "four" in answer.text
        outcome = answer.headers["x-zetaroute-outcome"]
        given = f"status = 'ok' AND '{outcome}' IN (id, fallback_of)"
        found = rows(shared.home, f"SELECT query, run, response FROM outcomes WHERE {given}")
        assert found == [("2 + 2?", "serve", "four")]
    said = shared.post(path, body).json()
    judged = {"inference_id": said["id"], "metric_name": "thumbs", "value": 1}
    assert shared.post("/v1/feedback", judged).status_code == 200
    refused = shared.post(path, {**body, "model": "none"})
    assert refused.status_code == 404
    assert refused.json()["error"]["message"].endswith(".")
    assert ("type" in refused.json()) == (path == "/v1/messages")
    missing = shared.post(path, {"model": "auto"})
    assert missing.status_code == 400


def test_an_answer_is_gone_on_from_in_memory_and_from_the_log(shared: Server, models: ModelServer) -> None:
    models.reply(calls(), says("cold"), says("yes"))
    asked = {"model": "two/m2", "tools": [TOOL]}
    first = shared.post("/v1/responses", {**asked, "input": "Weather?", "instructions": "brief"}).json()
    assert first["output"][0]["call_id"] == "c7"
    said = [{"type": "function_call_output", "call_id": "c7", "output": "-3"}]
    # The model that has called is told what the tool said.
    again = shared.post(
        "/v1/responses",
        {**asked, "model": "auto", "input": said, "previous_response_id": first["id"]},
    ).json()
    assert again["model"] == "two/m2"
    sent = models.seen[1].body["messages"]
    # Instructions are those of each request.
    assert [turn["role"] for turn in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"] == [CALL]
    more = {"model": "auto", "input": "sure?", "previous_response_id": again["id"], "store": False}
    last = shared.post("/v1/responses", more).json()
    assert [turn["content"] for turn in models.seen[2].body["messages"]][-2:] == ["cold", "sure?"]
    unkept = {"model": "auto", "input": "x", "previous_response_id": last["id"]}
    for missing in (unkept, {**unkept, "previous_response_id": "resp_none"}):
        refused = shared.post("/v1/responses", missing)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "previous_response_not_found")


def test_the_log_tells_what_is_not_in_memory(shared: Server, models: ModelServer) -> None:
    models.reply(says("4"), says("5"), says("6"))
    ids = [None]
    for text in ("2 + 2?", "And 1?", "And 1?"):
        body = {"model": "auto", "input": text, "previous_response_id": ids[-1], "store": False}
        ids.append(shared.post("/v1/responses", body).json()["id"])
    sent = [turn["content"] for turn in models.seen[2].body["messages"]]
    assert sent == ["2 + 2?", "4", "And 1?", "5", "And 1?"]


def test_a_decision_without_a_call_becomes_a_row_when_its_outcome_is_told(practice: Server) -> None:
    for body in BODIES.values():
        decided = practice.post("/v1/decision", {"model": "auto", **body}).json()
        assert decided["model"].startswith("practice/")
        assert 0 < decided["propensity"] <= 1
        assert decided["reasons"]
    outcome = decided["outcome_id"]
    report = {"outcome_id": outcome, "input_tokens": 10, "output_tokens": 5, "response_s": 1.5}
    assert practice.post("/v1/feedback", {**report, "input_tokens": -1}).status_code == 400
    told = {**report, "finish_reason": "stop", "metric_name": "accuracy", "value": True}
    assert practice.post("/v1/feedback", told).status_code == 200
    sql = "SELECT model, status, propensity, input_tokens, output_tokens, response_s, finish_reason, cost_usd > 0"
    found = rows(practice.home, f"{sql} FROM outcomes WHERE id = '{outcome}'")
    assert found == [(decided["model"], "ok", decided["propensity"], 10, 5, 1.5, "stop", True)]
    # What was told once is told.
    assert practice.post("/v1/feedback", report).status_code == 404
    failed = practice.post("/v1/decision", {"model": "practice/small", **BODIES["/v1/responses"]}).json()
    practice.post("/v1/feedback", {"outcome_id": failed["outcome_id"], "finish_reason": "error"})
    sql = f"SELECT status, error_kind, forced FROM outcomes WHERE id = '{failed['outcome_id']}'"
    assert rows(practice.home, sql) == [("error", "reported", True)]


def test_a_header_asks_who_would_answer(shared: Server, models: ModelServer) -> None:
    body = {"model": "auto", **BODIES["/v1/messages"]}
    told = shared.post("/v1/messages", body, **{"x-zetaroute-route": "status"}).json()
    assert sorted(told) == ["model", "policy", "propensity", "reasons"]
    assert models.seen == []
    models.reply(says("four"))
    forced = shared.post("/v1/messages", body, **{"x-zetaroute-route": "force two/m2"})
    assert forced.json()["model"] == "two/m2"
    assert shared.post("/v1/messages/count_tokens", body).json()["input_tokens"] > 0


def test_any_worker_is_told_what_came_of_a_decision(tmp_path: Path) -> None:
    async def script(one: Ask, other: Ask) -> str:
        decided = (await one("/v1/decision", {"model": "auto", **BODIES["/v1/responses"]})).json()
        report = {"outcome_id": decided["outcome_id"], "input_tokens": 10, "output_tokens": 5}
        judged = {"metric_name": "accuracy", "value": True}
        assert (await other("/v1/feedback", {**report, **judged})).status_code == 200
        assert (await one("/v1/feedback", report)).status_code == 404
        return str(decided["outcome_id"])

    outcome = inside(tmp_path / "home", practice_config(), script, processes=2)
    sql = f"SELECT status, input_tokens, cost_usd > 0, accuracy FROM rounds WHERE id = '{outcome}'"
    assert rows(tmp_path / "home", sql) == [("ok", 10, True, 1.0)]


def test_the_examples_of_the_documentation_are_answered(practice: Server) -> None:
    text = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    commands = re.findall(r"^curl (?:.|\n)+?(?<!\\)$", text, re.MULTILINE)
    assert len(commands) >= 6
    given = practice.ask().json()["id"]
    for command in commands:
        words = shlex.split(command.replace("\\\n", " ").replace("chatcmpl-...", given))
        after = dict(pairwise(words))
        url = next(word for word in words if word.startswith("http://127.0.0.1:8642/"))
        headers = dict(one.split(": ", 1) for flag, one in pairwise(words) if flag == "-H")
        answer = practice.post(url.removeprefix("http://127.0.0.1:8642"), json.loads(after["-d"]), **headers)
        assert answer.status_code == 200, (command, answer.text)
