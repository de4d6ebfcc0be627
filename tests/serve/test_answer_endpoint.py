"""Chat over HTTP: plain, streamed, with tools and files, and what becomes of the rows."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.cli.command import rows
from tests.cli.conftest import by_model, fails, http_config, says
from tests.providers.loopback import CLOSE, DONE, ModelServer, chat, delta, http, stream, usage
from tests.serve.running import Server, serving
from tests.support.waiting import PATIENCE_S, until
from zetaroute.config import Home
from zetaroute.domain import Outcome, new_id
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


HOLD = """
import duckdb, sys, time
while True:
    try:
        held = duckdb.connect(sys.argv[1])
        break
    except duckdb.IOException:
        time.sleep(0.01)
print("held", flush=True)
time.sleep(600)
"""


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Keep the log from everybody else while the block lasts."""
    words = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "held\n"
            yield
        finally:
            holder.kill()


def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, http_client=server.client()
    )


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_the_openai_package_asks_unchanged(over_http: Server, server: ModelServer) -> None:
    server.reply(says("four"))
    messages: list[Any] = [{"role": "system", "content": "short"}, {"role": "user", "content": "2 + 2?"}]
    with client(over_http) as asked:
        raw = asked.chat.completions.with_raw_response.create(
            model="auto", messages=messages, temperature=0.5
        )
    answer = raw.parse()
    assert answer.choices[0].message.content == "four"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (10, 15)
    known = answer.model_extra["zetaroute"] if answer.model_extra else {}
    assert raw.headers["x-zetaroute-outcome"] == known["outcome"]
    assert raw.headers["x-zetaroute-model"] == known["model"] == answer.model
    assert float(raw.headers["x-zetaroute-propensity"]) == pytest.approx(known["propensity"])
    sent = server.seen[0].body
    assert sent["temperature"] == 0.5
    assert sent["messages"] == messages
    found = rows(over_http.home, "SELECT id, query, system, status, run, forced FROM outcomes")
    assert found == [(known["outcome"], "2 + 2?", "short", "ok", "serve", False)]


def test_the_openai_package_streams_unchanged(over_http: Server, server: ModelServer) -> None:
    server.reply(says("one two"))
    with client(over_http) as asked:
        stream_of = asked.chat.completions.create(
            model="two/m2",
            messages=[{"role": "user", "content": "count"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream_of)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5
    assert server.seen[0].body["model"] == "m2"
    ((forced, propensity, ttft),) = rows(over_http.home, "SELECT forced, propensity, ttft_s FROM outcomes")
    assert (forced, propensity) == (True, None)
    assert ttft > 0


def test_several_answers_are_choices_and_rows_of_their_own(over_http: Server, server: ModelServer) -> None:
    server.reply(by_model(m1=says("one"), m2=says("two")))
    with client(over_http) as asked:
        answer = asked.chat.completions.create(model="auto", messages=[{"role": "user", "content": "x"}], n=3)
    known = answer.model_extra["zetaroute"]["choices"] if answer.model_extra else []
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    said = {"one/m1": "one", "two/m2": "two"}
    assert [choice.message.content for choice in answer.choices] == [said[one["model"]] for one in known]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 45
    found = rows(over_http.home, "SELECT id FROM outcomes WHERE propensity IS NOT NULL")
    assert {row_id for (row_id,) in found} == {one["outcome"] for one in known}


def test_of_several_answers_those_are_given_that_there_are(shared: Server, models: ModelServer) -> None:
    models.reply(says("first"), fails(403))
    body = {"model": "one/m1", "messages": [{"role": "user", "content": "x"}], "n": 2}
    answer = shared.post("/v1/chat/completions", body)
    assert [one["message"]["content"] for one in answer.json()["choices"]] == ["first"]
    models.reply(fails(403))
    refused = shared.post("/v1/chat/completions", body)
    assert refused.status_code >= 500
    assert "no model could answer" in refused.json()["error"]["message"]


def test_a_stream_shows_each_piece_at_once(shared: Server, models: ModelServer) -> None:
    go_on = threading.Event()
    models.reply(stream(delta("first"), go_on, delta(" last", finish="stop"), usage(3, 2), DONE))
    body = {"model": "one/m1", "messages": [{"role": "user", "content": "x"}], "stream": True}
    seen: list[str] = []
    with (
        shared.client() as http_client,
        http_client.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-zetaroute-model"] == "one/m1"
        for line in answer.iter_lines():
            seen += [word for word in ("first", " last") if word in line]
            if seen:
                # The rest is sent only once this was read.
                go_on.set()
    assert seen == ["first", " last"]


def test_tools_go_there_and_back(shared: Server, models: ModelServer) -> None:
    wanted = {
        "id": "call_7",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    said = chat(None, finish="tool_calls")
    said["choices"][0]["message"]["tool_calls"] = [wanted]  # type: ignore[index]
    models.reply(http(said), says("cold"))
    answer = shared.ask("Weather?", model="one/m1", tools=[TOOL], tool_choice="auto").json()
    message = answer["choices"][0]["message"]
    assert (message["content"], message["tool_calls"]) == (None, [wanted])
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert models.seen[0].body["tools"] == [TOOL]
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [wanted]},
        {"role": "tool", "tool_call_id": "call_7", "content": "-3"},
    ]
    again = shared.post("/v1/chat/completions", {"model": "auto", "messages": turns, "tools": [TOOL]})
    assert again.json()["choices"][0]["message"]["content"] == "cold"
    assert models.seen[1].body["messages"] == turns


def test_streamed_tools_come_in_pieces(shared: Server, models: ModelServer) -> None:
    go_on = threading.Event()
    parts = [
        {"index": 0, "id": "c1", "function": {"name": "weather", "arguments": '{"ci'}},
        {"index": 0, "function": {"arguments": 'ty": 1}'}},
    ]
    pieces = [delta() for _ in parts]
    for piece, part in zip(pieces, parts, strict=True):
        piece["choices"][0]["delta"] = {"tool_calls": [part]}  # type: ignore[index]
    models.reply(stream(pieces[0], go_on, pieces[1], delta(finish="tool_calls"), DONE))
    messages = [{"role": "user", "content": "Weather?"}]
    body = {"model": "one/m1", "messages": messages, "tools": [TOOL], "stream": True}
    found: list[Any] = []
    with (
        shared.client() as http_client,
        http_client.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        for line in answer.iter_lines():
            found += [] if line in ("", "data: [DONE]") else [json.loads(line.removeprefix("data: "))]
            if "tool_calls" in line:
                # The rest is sent only once this was read.
                go_on.set()
    calls = [
        one["choices"][0]["delta"]["tool_calls"][0]
        for one in found
        if "tool_calls" in one["choices"][0]["delta"]
    ]
    assert [call.get("id") for call in calls] == ["c1", None]
    assert [call["function"] for call in calls] == [
        {"name": "weather", "arguments": '{"ci'},
        {"arguments": 'ty": 1}'},
    ]
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_images_and_earlier_turns(tmp_path: Path, server: ModelServer) -> None:
    server.reply(says("a cat"))
    home = tmp_path / "seeing"
    home.mkdir()
    seeing = http_config(server).replace('tags = ["local"]', 'tags = ["local"]\naccepts = ["image"]')
    (home / "config.toml").write_text(seeing, encoding="utf-8")
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "what is it?"},
    ]
    with serving(home) as running:
        answer = running.post("/v1/chat/completions", {"model": "auto", "messages": turns})
        assert answer.status_code == 200, answer.text
    # Only one of the two models reads images.
    assert answer.headers["x-zetaroute-propensity"] == "1"
    sent = server.seen[0].body["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "user"]
    assert sent[-1]["content"][1]["image_url"]["url"].endswith(PNG)
    ((query, conversation),) = rows(home, "SELECT query, conversation FROM outcomes")
    assert query == "what is it?"
    assert conversation is not None


def test_a_checked_stream_names_the_model_whose_answer_it_is(tmp_path: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("no json"), m2=fails(403)))
    home = tmp_path / "checked"
    home.mkdir()
    checks = '[[checks]]\ntask = "lists"\ngrader = "json"\n'
    (home / "config.toml").write_text(http_config(server) + checks, encoding="utf-8")
    asked = {
        "model": "auto",
        "stream": True,
        "messages": [{"role": "user", "content": "x"}],
        "metadata": {"task": "lists"},
    }
    with serving(home) as running:
        answer = running.post("/v1/chat/completions", asked)
    chunks = [one for one in events(answer.text) if one != "[DONE]"]
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in chunks) == "no json"
    assert {one["model"] for one in chunks} == {answer.headers["x-zetaroute-model"]} == {"one/m1"}


def in_conversation(server: Server, name: str, **metadata: str) -> httpx.Response:
    """Send one more turn of a conversation that its client holds."""
    turns = [("user", "What is 2 + 3?"), ("assistant", "5"), ("user", "And plus 1?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    asked = {"model": "auto", "messages": messages, "metadata": metadata}
    return server.post("/v1/chat/completions", asked, **{"x-zetaroute-conversation": name})


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_named_conversation_keeps_its_model(tmp_path: Path, server: ModelServer, workers: str) -> None:
    server.reply(says("yes"))
    home = tmp_path / "kept"
    home.mkdir()
    rate = "[explore]\ncold_start_rate = 1\n"
    (home / "config.toml").write_text(http_config(server) + rate, encoding="utf-8")
    with serving(home, "--workers", workers) as running:
        for name in ("a", "b"):
            first = in_conversation(running, name)
            assert "x-zetaroute-propensity" in first.headers
            again = [in_conversation(running, name) for _ in range(4)]
            assert {one.headers["x-zetaroute-model"] for one in again} == {first.headers["x-zetaroute-model"]}
            assert not any("x-zetaroute-propensity" in one.headers for one in again)
        found = [in_conversation(running, "a", reroute="true") for _ in range(4)]
        assert all("x-zetaroute-propensity" in one.headers for one in found)
        assert in_conversation(running, "a", reroute="perhaps").status_code == 400
    # After the end of that process the log is asked.
    with serving(home) as running:
        model = found[-1].headers["x-zetaroute-model"]
        assert in_conversation(running, "a").headers["x-zetaroute-model"] == model


@pytest.mark.parametrize(("named", "store"), [(True, "full"), (False, "hashed")])
def test_a_conversation_that_was_private_stays_private(
    tmp_path: Path, server: ModelServer, named: bool, store: str
) -> None:
    server.reply(says("yes"))
    home = tmp_path / "private"
    home.mkdir()
    more = f'[explore]\ncold_start_rate = 1\n[privacy]\nstore = "{store}"\n'
    (home / "config.toml").write_text(http_config(server) + more, encoding="utf-8")
    name = "trip" if named else ""
    with serving(home) as running:
        assert in_conversation(running, name, tags="private").headers["x-zetaroute-model"] == "one/m1"
        after = [in_conversation(running, name, reroute="true") for _ in range(6)]
    with serving(home) as running:
        after += [in_conversation(running, name, reroute="true") for _ in range(6)]
        elsewhere = in_conversation(running, "another", reroute="true")
    assert {one.headers["x-zetaroute-model"] for one in after} == {"one/m1"}
    assert {one.headers["x-zetaroute-propensity"] for one in after} == {"1"}
    assert float(elsewhere.headers["x-zetaroute-propensity"]) < 1


def test_others_are_asked_where_the_kept_model_fails(over_http: Server, server: ModelServer) -> None:
    server.reply(says("yes"))
    pinned = {"model": "two/m2", "messages": [{"role": "user", "content": "x"}]}
    named = {"x-zetaroute-conversation": "trip"}
    assert over_http.post("/v1/chat/completions", pinned, **named).status_code == 200
    server.reply(by_model(m1=says("yes"), m2=fails(403)))
    for _ in range(2):
        assert in_conversation(over_http, "trip").headers["x-zetaroute-model"] == "one/m1"
    assert over_http.post("/v1/chat/completions", pinned, **named).status_code == 502
    found = rows(
        over_http.home,
        "SELECT model, status, forced, propensity, fallback_of IS NULL FROM outcomes ORDER BY time, id",
    )
    assert found[1:] == [
        ("two/m2", "error", True, None, True),
        ("one/m1", "ok", False, None, False),
        ("one/m1", "ok", True, None, True),
        ("two/m2", "error", True, None, True),
    ]


def test_a_turn_in_which_something_was_found_makes_the_next_ones_private(
    tmp_path: Path, server: ModelServer
) -> None:
    server.reply(says("yes"))
    home = tmp_path / "found"
    home.mkdir()
    more = '[explore]\ncold_start_rate = 1\n[privacy]\ndetect = ["secrets"]\n'
    (home / "config.toml").write_text(http_config(server) + more, encoding="utf-8")
    key = "ghp_" + "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA1bC2"
    with serving(home) as running:

        def asked(text: str, name: str) -> float:
            """Return the probability that the model was drawn with: 1 where there was no other."""
            turn = {"role": "user", "content": text}
            wanted = {
                "model": "auto",
                "messages": [turn],
                "metadata": {"conversation": name, "reroute": "true"},
            }
            answer = running.post("/v1/chat/completions", wanted)
            return float(answer.headers["x-zetaroute-propensity"])

        assert asked(f"My key is {key}.", "trip") == 1
        assert asked("And now?", "trip") == 1
        assert asked("And now?", "another") < 1


@pytest.mark.parametrize(("remote_tags", "status"), [('["local"]', 200), ('["eu"]', 503)])
def test_a_log_that_others_hold_stops_a_turn_only_where_it_may_be_private(
    tmp_path: Path, server: ModelServer, remote_tags: str, status: int
) -> None:
    server.reply(says("yes"))
    home = tmp_path / "held"
    home.mkdir()
    config = http_config(server).replace('id = "two/m2"', f'id = "two/m2"\ntags = {remote_tags}')
    (home / "config.toml").write_text(config, encoding="utf-8")
    with serving(home) as running:
        assert running.ask().status_code == 200
        with held(home / "zetaroute.duckdb"):
            assert in_conversation(running, "").status_code == status


def test_a_kept_model_that_may_not_answer_any_more_is_replaced(
    over_http: Server, server: ModelServer
) -> None:
    server.reply(says("yes"))
    pinned = {"model": "two/m2", "messages": [{"role": "user", "content": "x"}]}
    said = over_http.post("/v1/chat/completions", pinned, **{"x-zetaroute-conversation": "trip"})
    assert said.headers["x-zetaroute-model"] == "two/m2"
    assert in_conversation(over_http, "trip").headers["x-zetaroute-model"] == "two/m2"
    assert in_conversation(over_http, "trip", max_cost_usd="0.001").headers["x-zetaroute-model"] == "one/m1"
    over_http.post("/v1/chat/completions", pinned, **{"x-zetaroute-conversation": "trip"})
    assert in_conversation(over_http, "trip", tags="private").headers["x-zetaroute-model"] == "one/m1"


@pytest.mark.parametrize(("most", "status"), [("0", 400), ("1", 200), ("a lot", 400), ("-1", 400)])
def test_a_request_may_say_what_it_may_cost(
    shared: Server, models: ModelServer, most: str, status: int
) -> None:
    models.reply(says("yes"))
    messages = [{"role": "user", "content": "x"}]
    asked = {"model": "auto", "messages": messages, "metadata": {"max_cost_usd": most}}
    assert shared.post("/v1/chat/completions", asked).status_code == status


def test_a_fallback_keeps_the_headers_true(over_http: Server, server: ModelServer) -> None:
    server.reply(by_model(m1=fails(400, "no"), m2=says("yes")))
    for streamed in (False, True):
        for _ in range(40):
            answer = over_http.ask("hello", stream=streamed)
            assert answer.status_code == 200
            assert answer.headers["x-zetaroute-model"] == "two/m2"
    found = rows(
        over_http.home,
        "SELECT status, fallback_of IS NOT NULL, count(*) FROM outcomes GROUP BY ALL ORDER BY ALL",
    )
    answered = sum(count for status, _, count in found if status == "ok")
    assert answered == 80
    assert any(fell and status == "ok" for status, fell, _ in found)
    told = over_http.said.read_text().splitlines()
    assert len([line for line in told if line.startswith("note: one/m1 failed (")]) >= 1
    assert len(told) < 40, "not a line for each of the answers"


@pytest.fixture(scope="module")
def failing(models: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests in which the models fail."""
    home = tmp_path_factory.mktemp("failing") / "home"
    home.mkdir()
    (home / "config.toml").write_text(http_config(models), encoding="utf-8")
    with serving(home) as running:
        yield running


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (fails(400, "no such option"), 400, "upstream_rejected"),
        (fails(401, "bad key"), 502, "upstream_error"),
        (http(b"<html>"), 502, "upstream_error"),
        (
            http({"error": {"message": "slow down"}}, status=429, headers=("retry-after: 60",)),
            429,
            "rate_limit_exceeded",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_failures_upstream(
    failing: Server, models: ModelServer, reply: Any, status: int, code: str, streamed: bool
) -> None:
    models.reply(reply)
    before = len(rows(failing.home, "SELECT 1 FROM outcomes"))
    answer = failing.ask("hello", model="one/m1", stream=streamed)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert ("retry-after" in answer.headers) == (status == 429)
    found = [status for (status,) in rows(failing.home, "SELECT status FROM outcomes")]
    assert found == ["error"] * (before + 1)


def test_a_stream_that_breaks_off_says_so(over_http: Server, server: ModelServer) -> None:
    server.reply(stream(delta("half of"), CLOSE))
    found = events(over_http.ask("hello", stream=True).text)
    assert found[-1]["error"]["code"] == "upstream_error"
    assert "[DONE]" not in found
    # What was read cannot be taken back, so nobody else was asked.
    assert rows(over_http.home, "SELECT status, fallback_of FROM outcomes") == [("error", None)]


def test_a_client_that_leaves_cancels_the_call(over_http: Server, server: ModelServer) -> None:
    slow = [step for _ in range(500) for step in (0.05, b" ")]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n"
    server.reply(stream(delta("begun"), *slow), (head, *slow))
    body = {"model": "one/m1", "messages": [{"role": "user", "content": "x"}]}
    with (
        over_http.client() as http_client,
        http_client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as answer,
    ):
        assert "begun" in next(line for line in answer.iter_lines() if "begun" in line)
    until(lambda: server.now == 0)
    leave(over_http, server, body)
    kept = [("cancelled", "begun"), ("cancelled", None)]
    until(lambda: rows(over_http.home, "SELECT status, response FROM outcomes ORDER BY id") == kept)


def test_a_client_that_leaves_lets_others_try_a_failing_model(tmp_path: Path, server: ModelServer) -> None:
    home = tmp_path / "failing"
    home.mkdir()
    (home / "config.toml").write_text(http_config(server), encoding="utf-8")
    failed = [
        Outcome(id=new_id(), time="2026-01-02T03:04:05", query="x", model="one/m1", status="error")
        for _ in range(3)
    ]
    Log(Home(home)).append([Entry(outcomes=(one,)) for one in failed])
    server.reply((2 * PATIENCE_S,), says("yes"))
    with serving(home) as running:
        leave(running, server, {"model": "one/m1", "messages": [{"role": "user", "content": "x"}]})
        until(lambda: rows(home, "SELECT count(*) FROM outcomes WHERE status = 'cancelled'") == [(1,)])
        later = running.ask("later").headers["x-zetaroute-outcome"]
    ((candidates,),) = rows(
        home, f"SELECT candidates FROM outcomes WHERE coalesce(fallback_of, id) = '{later}' LIMIT 1"
    )
    assert {one["model"]: one["eligible"] for one in candidates} == {"one/m1": True, "two/m2": True}


def leave(running: Server, server: ModelServer, body: dict[str, Any]) -> None:
    """Ask, and hang up once a model is asked."""
    connection = HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_S)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    until(lambda: server.now == 1)
    connection.close()


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "none/such"}, 404, "model"),
        ({"model": "auto:none"}, 404, "model"),
        ({"model": None}, 400, "model"),
        ({"n": 9}, 400, "n"),
        ({"n": True}, 400, "n"),
        ({"audio": {"voice": "x"}}, 400, "audio"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, 400, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            400,
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}
                ]
            },
            400,
            "messages[0].content[0]",
        ),
        ({"metadata": {"task": 3}}, 400, "metadata"),
        ({"stream": "yes"}, 400, "stream"),
        ({"tools": [TOOL]}, 400, None),
    ],
)
def test_what_cannot_be_served_is_refused(
    practice: Server, change: dict[str, Any], status: int, param: str | None
) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]} | change
    answer = practice.post("/v1/chat/completions", body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1e999]", b"[NaN]", b"[" * 100_000, b"\xff", b'"x"', b"9" * 5000]
)
def test_what_is_no_request_is_refused(practice: Server, body: bytes) -> None:
    with practice.client() as http_client:
        answer = http_client.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == 400


def test_hostile_text_passes_unharmed(shared: Server, models: ModelServer) -> None:
    models.reply(says("ok"))
    text = 'a\x00b\u202e"</script>\\ 模型 \U0001f600'
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text + "\ud83d"}]})
    with shared.client() as http_client:
        answer = http_client.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == 200, answer.text
    assert models.seen[0].body["messages"][0]["content"] == text + "?"


def test_models_and_presets(practice: Server) -> None:
    with client(practice) as asked:
        names = [one.id for one in asked.models.list()]
        assert names[:2] == ["auto", "auto:balanced"]
        assert set(names) > {"auto:cheap", "practice/small", "practice/large"}
        assert asked.models.retrieve("practice/small").owned_by == "practice"
        with pytest.raises(openai.NotFoundError):
            asked.models.retrieve("none")
    assert practice.ask(model="auto:cheap").status_code == 200
    assert practice.ask(model="practice/large").headers["x-zetaroute-model"] == "practice/large"
