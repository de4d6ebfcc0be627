"""What agents need of every format: thoughts, patience, names of calls, and loops of tools that do not break."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.command import rows
from tests.providers.loopback import CLOSE, DONE, ModelServer, Seen, chat, delta, http, stream, usage
from tests.serve.inside import Ask, inside
from tests.support.waiting import PATIENCE_S
from tests.wire.shapes.responses import SAYS, SEALED, body
from zetaroute.config import Home
from zetaroute.domain import Feedback, Outcome, new_id, utc_now
from zetaroute.log.journal import Entry
from zetaroute.projections import log_of

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
    server.reply(http(chat("4", system_fingerprint="fp_1"), headers=["x-request-id: req-7é"]))

    async def script(ask: Ask) -> None:
        said = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "2 + 2?"}]}
        told = await ask("/v1/chat/completions", said)
        assert told.headers["x-request-id"] == told.json()["zetaroute"]["request_id"]
        assert told.headers["x-request-id"].rstrip("?") == "req-7"
        assert told.json()["system_fingerprint"] == "fp_1"
        assert (await ask("/v1/messages", said)).headers["request-id"] == told.headers["x-request-id"]

    inside(tmp_path / "home", HEAD + model(server, "chat/m", "openai"), script)


TOOL = {"name": "run", "description": "runs it", "schema": {"type": "object"}}


def worker(seen: Seen) -> Any:
    """Answer as a model that calls a tool twice before it says what was done."""
    turns = seen.body["messages"]
    asked = [
        place for place, turn in enumerate(turns) if turn["role"] == "user" and "?" in str(turn["content"])
    ]
    results = str(turns[asked[-1] :]).count("said-")
    text, call = f"did {len(turns)}", f"c{len(turns)}"
    if seen.target == "/v1/messages":
        use = {"type": "tool_use", "id": call, "name": "run", "input": {}}
        content = [use] if results < 2 else [{"type": "text", "text": text}]
        usage = {"input_tokens": 10, "cache_read_input_tokens": 900, "output_tokens": 5}
        ended = {"stop_reason": "tool_use" if results < 2 else "end_turn", "usage": usage}
        return http({"type": "message", "role": "assistant", "model": "m", "content": content, **ended})
    counts = {"prompt_tokens": 910, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 900}}
    if results >= 2:
        return http(chat(text, usage=counts))
    function = {"id": call, "type": "function", "function": {"name": "run", "arguments": "{}"}}
    said = chat(None, finish="tool_calls", usage=counts)
    said["choices"][0]["message"]["tool_calls"] = [function]  # type: ignore[index]
    return http(said)


class MessagesAgent:
    """A client of Messages that runs what it is told to."""

    path = "/v1/messages"

    def __init__(self) -> None:
        self.turns: list[Any] = []

    def body(self) -> dict[str, Any]:
        tool = {"name": "run", "input_schema": TOOL["schema"]}
        named = {"metadata": {"user_id": "user_1_session_s1"}}
        return {"model": "auto", "max_tokens": 99, "messages": self.turns, "tools": [tool], **named}

    def take(self, said: dict[str, Any]) -> list[str]:
        self.turns.append({"role": "assistant", "content": said["content"]})
        ids = [block["id"] for block in said["content"] if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": one, "content": f"said-{one}"} for one in ids]
        self.turns += [{"role": "user", "content": results}] if results else []
        return ids


class ResponsesAgent:
    """A client of Responses that keeps its turns by itself."""

    path = "/v1/responses"

    def __init__(self) -> None:
        self.turns: list[Any] = []

    def body(self) -> dict[str, Any]:
        tool = {"type": "function", "name": "run", "parameters": TOOL["schema"]}
        named = {"prompt_cache_key": "s2", "store": False}
        return {"model": "auto", "input": self.turns, "tools": [tool], **named}

    def take(self, said: dict[str, Any]) -> list[str]:
        self.turns += said["output"]
        ids = [item["call_id"] for item in said["output"] if item["type"] == "function_call"]
        self.turns += [
            {"type": "function_call_output", "call_id": one, "output": f"said-{one}"} for one in ids
        ]
        return ids


def graded(home: Path, **accuracy: float) -> None:
    """Write a log in which each model was graded a hundred times."""
    outcomes = [
        Outcome(
            id=new_id(), time=utc_now(), query=f"{number}?", model=f"{name}/m", status="ok", response_s=0.1
        )
        for name in accuracy
        for number in range(100)
    ]
    said = [
        Feedback(
            id=new_id(),
            outcome_id=row.id,
            metric="accuracy",
            value=float(place % 10 < 10 * accuracy[row.model.partition("/")[0]]),
            source="truth",
            author="test",
            time=utc_now(),
        )
        for place, row in enumerate(outcomes)
    ]
    log = log_of(Home(home))
    log.append([Entry(outcomes=tuple(outcomes), feedback=tuple(said))])
    assert log.merge(patience_s=PATIENCE_S)


@pytest.mark.parametrize(("value", "switches"), [(1.0, 1), (1e-9, 0)])
@pytest.mark.parametrize("agent", [MessagesAgent, ResponsesAgent])
def test_an_agent_works_thirty_turns_with_the_model_that_is_worth_its_price(
    tmp_path: Path,
    server: ModelServer,
    agent: type[MessagesAgent | ResponsesAgent],
    value: float,
    switches: int,
) -> None:
    server.reply(worker)
    graded(tmp_path / "home", chat=0.2, messages=0.9)
    client = agent()

    async def script(ask: Ask) -> list[tuple[str, str | None]]:
        answers: list[tuple[str, str | None]] = []
        words, calling = "fix the parser?", False
        while len(answers) < 30:
            client.turns += [] if calling else [{"role": "user", "content": words}]
            first = {} if answers else {"x-zetaroute-route": "force chat/m"}
            told = await ask(client.path, client.body(), **first)
            assert told.status_code == 200, told.text
            switch = told.headers.get("x-zetaroute-switch")
            answers.append((told.json()["zetaroute"]["model"], switch))
            # In a loop of tools the model stays, whatever another would be worth.
            assert not (calling and (switch or answers[-1][0] != answers[-2][0]))
            calling, words = bool(client.take(told.json())), "yes, commit it?"
        return answers

    prices = (
        "{ input = 0.1, cached_input = 0.01, output = 0.2 }",
        "{ input = 3, cached_input = 0.3, output = 15 }",
    )
    config = (
        f"{HEAD}[objective]\nanswer_value_usd = {value}\nsecond_value_usd = 0\n"
        + model(server, "chat/m", "openai", price=prices[0])
        + model(server, "messages/m", "anthropic", price=prices[1])
    )
    answers = inside(tmp_path / "home", config, script)
    changes = [place for place in range(1, 30) if answers[place][0] != answers[place - 1][0]]
    assert [place for place, (_, switch) in enumerate(answers) if switch] == changes
    # The first turn that answers no call.
    assert changes == [3][:switches]
    assert switches == 0 or answers[3][1] == "chat/m messages/m"
    sql = "SELECT count(DISTINCT conversation), count(DISTINCT session) FROM outcomes WHERE run = 'serve'"
    assert rows(tmp_path / "home", sql) == [(1, 1)]


def test_a_talk_without_a_name_goes_on_from_an_answer_that_was_given_here(
    tmp_path: Path, server: ModelServer
) -> None:
    server.reply(http(chat("it is 4")))

    async def script(ask: Ask) -> list[Any]:
        turns = [{"role": "user", "content": "2 + 2?"}]
        given = (await ask("/v1/chat/completions", {"model": "auto", "messages": turns})).json()
        found = [given["zetaroute"]]
        for words in ("it is 4", "an example of five"):
            more = [*turns, {"role": "assistant", "content": words}, {"role": "user", "content": "sure?"}]
            told = await ask("/v1/chat/completions", {"model": "auto", "messages": more})
            found.append(told.json()["zetaroute"])
        return found

    models = model(server, "one/m", "openai") + model(server, "two/m", "openai")
    first, again, other = inside(tmp_path / "home", HEAD + models, script)
    assert (again["model"], again["propensity"], again["switch"]["kept"]) == (
        first["model"],
        None,
        first["model"],
    )
    assert (other["switch"], other["forced"]) == (None, False)


LOGPROBS = [{"token": "4", "logprob": -0.1, "bytes": [52], "top_logprobs": []}]


def chunks(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_several_answers_come_in_one_stream(tmp_path: Path, server: ModelServer) -> None:
    said = delta("4")
    said["choices"][0]["logprobs"] = {"content": LOGPROBS}  # type: ignore[index]
    server.reply(stream(said, delta("2", finish="stop"), usage(10, 5), DONE))

    async def script(ask: Ask) -> tuple[list[Any], list[Any]]:
        wanted = {"model": "auto", "n": 3, "stream": True, "stream_options": {"include_usage": True}}
        asked = {**wanted, "messages": [{"role": "user", "content": "?"}], "logprobs": True}
        chats = chunks(await ask("/v1/chat/completions", asked))
        return chats, chunks(await ask("/v1/completions", {**wanted, "prompt": "?"}))

    both = inside(tmp_path / "home", HEAD + model(server, "chat/m", "openai"), script)
    for found in both:
        assert len({one["id"] for one in found}) == 1
        *told, counts = found
        assert (counts["usage"]["prompt_tokens"], counts["choices"]) == (30, [])
        words: dict[int, str] = {}
        for choice in (one["choices"][0] for one in told):
            text = choice.get("text") or choice.get("delta", {}).get("content", "")
            words[choice["index"]] = words.get(choice["index"], "") + text
        assert words == {0: "42", 1: "42", 2: "42"}
        ends = [one for one in told if one["choices"][0]["finish_reason"]]
        assert len({one["zetaroute"]["outcome"] for one in ends}) == 3
    logprobs = [one["choices"][0]["logprobs"] for one in both[0][:-1] if one["choices"][0]["logprobs"]]
    assert logprobs == [{"content": LOGPROBS, "refusal": None}] * 3


def test_a_stream_of_several_tells_those_answers_that_there_are(tmp_path: Path, server: ModelServer) -> None:
    whole = stream(delta("42", finish="stop"), usage(10, 5), DONE)
    broken = stream(delta("half"), CLOSE)

    async def script(ask: Ask) -> list[httpx.Response]:
        asked = {"model": "auto", "n": 2, "stream": True, "messages": [{"role": "user", "content": "?"}]}
        server.reply(refusal(400), whole)
        one = await ask("/v1/chat/completions", asked)
        server.reply(broken, whole)
        half = await ask("/v1/chat/completions", asked)
        server.reply(refusal(400))
        return [one, half, await ask("/v1/chat/completions", asked)]

    one, half, none = inside(tmp_path / "home", HEAD + model(server, "chat/m", "openai"), script)
    assert "".join(piece["choices"][0]["delta"].get("content", "") for piece in chunks(one)) == "42"
    assert json.loads(half.text.strip().rsplit("data: ", 1)[1])["error"]["code"] == "upstream_error"
    assert (none.status_code, none.json()["error"]["code"]) == (400, "upstream_rejected")


def test_logprobs_go_to_a_model_that_tells_them(tmp_path: Path, server: ModelServer) -> None:
    said = chat("4")
    said["choices"][0]["logprobs"] = {"content": LOGPROBS}  # type: ignore[index]
    server.reply(http(said))

    async def script(ask: Ask) -> list[Any]:
        asked = {"model": "auto", "messages": [{"role": "user", "content": "?"}]}
        wanted = {**asked, "logprobs": True, "top_logprobs": 2}
        return [(await ask("/v1/chat/completions", body)).json() for body in (asked, wanted)]

    models = model(server, "chat/m", "openai") + model(server, "messages/m", "anthropic", tags='["x"]')
    config = HEAD + models.replace(f'base_url = "{server.url}"', 'base_url = "http://127.0.0.1:9"')
    plain, told = inside(tmp_path / "home", config, script)
    assert [one["choices"][0]["logprobs"] for one in (plain, told)] == [
        None,
        {"content": LOGPROBS, "refusal": None},
    ]
    assert server.seen[-1].body["top_logprobs"] == 2
    assert (
        rows(tmp_path / "home", "SELECT logprobs FROM outcomes WHERE status = 'ok'")
        == [([-0.1, -0.1, -0.1],)] * 2
    )


def test_a_line_for_every_answer_names_it_and_its_server_s_call(
    tmp_path: Path, server: ModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("zetaroute.requests")
    server.reply(http(chat("a secret"), headers=("x-request-id: call-7",)))

    async def script(ask: Ask) -> str:
        asked = {"model": "auto", "messages": [{"role": "user", "content": "a private question"}]}
        return (await ask("/v1/chat/completions", asked)).headers["x-zetaroute-outcome"]

    try:
        answered = inside(
            tmp_path / "home", HEAD + model(server, "chat/m", "openai"), script, log_requests=True
        )
    finally:
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    (line,) = [one for one in capfd.readouterr().err.splitlines() if "request_id" in one]
    assert f" {answered} chat/m ok " in line
    assert line.endswith("request_id=call-7")
    assert not {"secret", "private"} & set(line.split())
