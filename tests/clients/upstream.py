"""What `make clients` asks: `zetaroute serve` over two models on the loopback, one of each wire format."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ARGUMENTS = '{"city": "Oslo"}'
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
    """Answers `four`, or JSON by a schema; calls every tool once that it is offered; thinks where it may."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer in the format of the path."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            name = next((name for name in offered(body) if name not in called(body)), None)
            wanted = self.messages(body, name) if self.path == "/v1/messages" else self.chat(body, name)
        except (AttributeError, KeyError, TypeError) as error:
            self.send_error(400, str(error)[:99].encode("ascii", "replace").decode())
            return
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

    def chat(self, body: dict[str, Any], calls: str | None) -> tuple[Any, list[Any]]:
        """Return a whole chat completion and its chunks."""
        wants_json = body.get("response_format", {}).get("type") == "json_schema"
        text = ARGUMENTS if wants_json else "four"
        function = {"name": calls, "arguments": ARGUMENTS}
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

    def messages(self, body: dict[str, Any], calls: str | None) -> tuple[Any, list[Any]]:
        """Return a whole message and its events."""
        blocks: list[dict[str, Any]] = []
        if body.get("thinking"):
            blocks.append({"type": "thinking", "thinking": "hm", "signature": "sig"})
        use = {"type": "tool_use", "id": "toolu_1", "name": calls, "input": json.loads(ARGUMENTS)}
        text = ARGUMENTS if "JSON schema" in json.dumps(body.get("system", "")) else "four"
        blocks.append(use if calls else {"type": "text", "text": text})
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
        return {"type": "text", "text": ""}, [
            {"type": "text_delta", "text": half} for half in (block["text"][:2], block["text"][2:])
        ]


def offered(body: dict[str, Any]) -> list[str]:
    """Return the names of the tools that may be called."""
    if body.get("tool_choice") in ("none", {"type": "none"}):
        return []
    return [tool.get("function", tool)["name"] for tool in body.get("tools") or ()]


def called(body: dict[str, Any]) -> set[str]:
    """Return the names of the tools that were called since the user said something."""
    names: set[str] = set()
    for turn in body["messages"]:
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        if turn["role"] == "user" and not any(block["type"] == "tool_result" for block in blocks):
            names = set()
        names |= {call["function"]["name"] for call in turn.get("tool_calls") or ()}
        names |= {block["name"] for block in blocks if block["type"] == "tool_use"}
    return names


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
