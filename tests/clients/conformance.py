"""Real client packages against `zetaroute serve`, unchanged: run by `make clients` in an environment of their own.

The models behind the server are two on the loopback, one of each wire format; nothing leaves the machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ARGUMENTS = '{"city": "Oslo"}'
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
CONFIG = """
schema_version = 1
[audit]
share = 0
[[models]]
id = "chat/m"
provider = "openai"
base_url = "{url}/v1"
accepts = ["image"]
price = {{ input = 1, output = 2 }}
[[models]]
id = "messages/m"
provider = "anthropic"
base_url = "{url}"
accepts = ["image"]
price = {{ input = 1, output = 2 }}
"""


class Upstream(BaseHTTPRequestHandler):
    """Answers `four`, calls the tool that it is offered until its result is there, and thinks where it may."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer in the format of the path."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        last = json.dumps(body["messages"][-1])
        calls = bool(body.get("tools")) and '"tool_result"' not in last and '"tool"' not in last
        wanted = self.messages(body, calls) if self.path == "/v1/messages" else self.chat(body, calls)
        data = (
            "".join(f"event: {one.get('type', '')}\ndata: {json.dumps(one)}\n\n" for one in wanted[1])
            if body.get("stream")
            else json.dumps(wanted[0])
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if body.get("stream") else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def chat(self, body: dict[str, Any], calls: bool) -> tuple[Any, list[Any]]:
        """Return a whole chat completion and its chunks."""
        wants_json = body.get("response_format", {}).get("type") == "json_schema"
        text = ARGUMENTS if wants_json else "four"
        function = {"name": "weather", "arguments": ARGUMENTS}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None if calls else text}
        finish = "tool_calls" if calls else "stop"
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        whole = {**message, "tool_calls": [call]} if calls else message
        choice = {"index": 0, "message": whole, "finish_reason": finish}
        halves = (ARGUMENTS[:6], ARGUMENTS[6:]) if calls else (text[:2], text[2:])
        deltas: list[dict[str, Any]] = [{"content": half} for half in halves]
        if calls:
            first = {**call, "function": {**function, "arguments": halves[0]}}
            deltas = [{"tool_calls": [first]}]
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": halves[1]}}]})
        chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        base = {"id": "x", "model": "m"}
        return {**base, "choices": [choice], "usage": usage}, [
            {**base, **chunk} for chunk in (*chunks, {"choices": [], "usage": usage})
        ]

    def messages(self, body: dict[str, Any], calls: bool) -> tuple[Any, list[Any]]:
        """Return a whole message and its events."""
        blocks: list[dict[str, Any]] = []
        if body.get("thinking"):
            blocks.append({"type": "thinking", "thinking": "hm", "signature": "sig"})
        use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": json.loads(ARGUMENTS)}
        blocks.append(use if calls else {"type": "text", "text": "four"})
        reason, usage = "tool_use" if calls else "end_turn", {"input_tokens": 10, "output_tokens": 5}
        head = {"id": "m", "type": "message", "role": "assistant", "model": "m"}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": {**head, "usage": usage}}]
        for index, block in enumerate(blocks):
            begun, deltas = self.streamed(block)
            events.append({"type": "content_block_start", "index": index, "content_block": begun})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        events.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage})
        events.append({"type": "message_stop"})
        return {**head, "content": blocks, "stop_reason": reason, "usage": usage}, events

    def streamed(self, block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return a block as it begins and its deltas."""
        match block["type"]:
            case "thinking":
                deltas = [
                    {"type": "thinking_delta", "thinking": "hm"},
                    {"type": "signature_delta", "signature": "sig"},
                ]
                return {"type": "thinking", "thinking": "", "signature": ""}, deltas
            case "tool_use":
                halves = (ARGUMENTS[:6], ARGUMENTS[6:])
                return {**block, "input": {}}, [
                    {"type": "input_json_delta", "partial_json": half} for half in halves
                ]
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": half} for half in ("fo", "ur")]


@contextmanager
def serving(program: str) -> Iterator[str]:
    """Run the server on a home of its own, and return its address."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{upstream.server_port}"
        (Path(folder) / "config.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
        words = [program, "--home", folder, "serve", "--port", "0"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            try:
                found = next(filter(None, (re.search(r"http://\S+:\d+", line) for line in process.stdout)))
                threading.Thread(target=process.stdout.read, daemon=True).start()
                yield found[0]
            finally:
                process.terminate()
    upstream.shutdown()


def openai_chat(client: Any, model: str) -> None:
    """Chat completions, plain and streamed, with a tool; completions before them."""
    asked: list[Any] = [{"role": "user", "content": "2 + 2?"}]
    assert client.chat.completions.create(model=model, messages=asked).choices[0].message.content == "four"
    tool = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    with client.chat.completions.stream(model=model, messages=asked, tools=[tool]) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", ARGUMENTS)
    turn = {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
    asked += [{"role": "assistant", "tool_calls": [turn]}]
    asked += [{"role": "tool", "tool_call_id": call.id, "content": "-3"}]
    done = client.chat.completions.create(model="auto", messages=asked, tools=[tool])
    assert done.choices[0].message.content == "four"
    # Who called is told what the tool said.
    assert done.model == model
    assert client.completions.create(model=model, prompt="2 + 2?").choices[0].text == "four"
    pieces = client.completions.create(model=model, prompt="2 + 2?", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == "four"


def openai_responses(client: Any, model: str) -> None:
    """Responses, plain and streamed, with a tool, going on from each other, by a schema."""
    first = client.responses.create(model=model, input="2 + 2?", instructions="be brief")
    assert (first.output_text, first.status, first.usage.total_tokens) == ("four", "completed", 15)
    tool = {"type": "function", "name": "weather", "parameters": CITY}
    with client.responses.stream(
        model=model, input="And in Oslo?", previous_response_id=first.id, tools=[tool]
    ) as stream:
        kinds = [event.type for event in stream]
        done = stream.get_final_response()
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert "response.function_call_arguments.delta" in kinds
    assert kinds[-1] == "response.completed"
    (call,) = [item for item in done.output if item.type == "function_call"]
    assert (call.name, call.arguments) == ("weather", ARGUMENTS)
    results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "-3"}]
    again = client.responses.create(model="auto", input=results, previous_response_id=done.id, tools=[tool])
    assert (again.output_text, again.model) == ("four", model)
    with client.responses.stream(model=model, input="2 + 2?") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert text == stream.get_final_response().output_text == "four"
    if model == "chat/m":
        form = {"type": "json_schema", "name": "city", "schema": CITY}
        shaped = client.responses.create(model=model, input="Where?", text={"format": form})
        assert json.loads(shaped.output_text) == {"city": "Oslo"}


def anthropic_messages(client: Any, model: str) -> None:
    """Messages, plain and streamed, with a tool, thinking and an image; counted tokens."""
    asked: list[Any] = [{"role": "user", "content": "2 + 2?"}]
    assert client.messages.count_tokens(model=model, messages=asked).input_tokens > 0
    whole = client.messages.create(model=model, max_tokens=99, messages=asked)
    assert (whole.content[0].text, whole.stop_reason, whole.usage.output_tokens) == ("four", "end_turn", 5)
    image = {"type": "base64", "media_type": "image/png", "data": PNG}
    seen = [{"role": "user", "content": [{"type": "image", "source": image}, {"type": "text", "text": "?"}]}]
    with client.messages.stream(model=model, max_tokens=99, messages=seen, system="brief") as stream:
        assert "".join(stream.text_stream) == "four"
    tool = {"name": "weather", "input_schema": CITY}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    terms = {"model": model, "max_tokens": 2048, "tools": [tool], "thinking": thinking}
    for message in (client.messages.create(messages=asked, **terms), streamed(client, asked, terms)):
        use = message.content[-1]
        assert (use.type, use.name, use.input) == ("tool_use", "weather", {"city": "Oslo"})
        assert message.stop_reason == "tool_use"
        if model == "messages/m":
            assert (message.content[0].thinking, message.content[0].signature) == ("hm", "sig")
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "-3"}
        turns = [*asked, {"role": "assistant", "content": message.content}]
        turns += [{"role": "user", "content": [result]}]
        last = client.messages.create(messages=turns, **{**terms, "model": "auto"})
        assert (last.content[-1].text, last.model) == ("four", model)


def agents(openai_client: Any, anthropic_client: Any) -> None:
    """Thirty turns of two agents, in which each call of a tool is answered by the model that made it."""
    turns: list[Any] = []
    session = {"x-claude-code-session-id": "s1"}
    terms: Any = {"model": "auto", "max_tokens": 99, "tools": [{"name": "weather", "input_schema": CITY}]}
    for number in range(15):
        turns.append({"role": "user", "content": f"Weather on day {number}?"})
        models = []
        for kind in ("tool_use", "text"):
            answer = anthropic_client.messages.create(messages=turns, extra_headers=session, **terms)
            assert answer.content[-1].type == kind
            models.append(answer.model)
            turns.append({"role": "assistant", "content": answer.content})
            if kind == "tool_use":
                result = {"type": "tool_result", "tool_use_id": answer.content[-1].id, "content": "-3"}
                turns.append({"role": "user", "content": [result]})
        assert models[0] == models[1]
    tool: Any = {"type": "function", "name": "weather", "parameters": CITY}
    before = None
    for number in range(15):
        asked: Any = f"Weather on day {number}?"
        models = []
        for kind in ("function_call", "message"):
            answer = openai_client.responses.create(
                model="auto", input=asked, tools=[tool], previous_response_id=before
            )
            assert answer.output[-1].type == kind
            models.append(answer.model)
            before = answer.id
            if kind == "function_call":
                called = answer.output[-1].call_id
                asked = [{"type": "function_call_output", "call_id": called, "output": "-3"}]
        assert models[0] == models[1]


def streamed(client: Any, asked: list[Any], terms: dict[str, Any]) -> Any:
    """Return the message that a stream comes to."""
    with client.messages.stream(messages=asked, **terms) as stream:
        return stream.get_final_message()


def refusals(openai_client: Any, anthropic_client: Any) -> None:
    """Errors in the format of each."""
    import anthropic
    import openai

    for refuse, kind in (
        (lambda: openai_client.responses.create(model="none", input="x"), openai.NotFoundError),
        (
            lambda: openai_client.responses.create(model="auto", input="x", previous_response_id="resp_0"),
            openai.NotFoundError,
        ),
        (
            lambda: anthropic_client.messages.create(model="auto", max_tokens=9, messages=[]),
            anthropic.BadRequestError,
        ),
    ):
        told = None
        try:
            refuse()
        except kind as error:
            told = error.body
        assert told, f"{kind.__name__} was not raised"


def said(words: str) -> None:
    """Say what was tried."""
    sys.stdout.write(f"{words}\n")


def main(program: str) -> None:
    """Try everything with both models behind it."""
    import anthropic
    import openai

    os.environ.pop("ANTHROPIC_AUTH_TOKEN", None)
    with serving(program) as url:
        by_openai = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        by_anthropic = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
        for model in ("chat/m", "messages/m"):
            for trial, client in (
                (openai_chat, by_openai),
                (openai_responses, by_openai),
                (anthropic_messages, by_anthropic),
            ):
                trial(client, model)
                said(f"{trial.__name__} with {model}: right")
        agents(by_openai, by_anthropic)
        said("two agents of 15 questions each: right")
        refusals(by_openai, by_anthropic)
        said(f"openai {openai.__version__}, anthropic {anthropic.__version__}: right")


if __name__ == "__main__":
    main(sys.argv[1])
