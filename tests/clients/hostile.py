"""Requests in every format with something wrong in them: none may bring the server to a 5xx."""

from __future__ import annotations

import copy
import json
import sys
from collections import Counter
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

FUNCTION = {"name": "weather", "description": "of a city", "parameters": {"type": "object", "properties": {}}}
IMAGE = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
METADATA = {
    "task": "t",
    "conversation": "c",
    "tags": "a,b",
    "reference": "4",
    "grader": "number",
    "max_cost_usd": "1",
}
CHAT = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "-3"},
        {"role": "user", "content": "2 + 2?"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    "stop": ["x"],
    "n": 1,
    "stream": False,
    "stream_options": {"include_usage": True},
    "max_tokens": 9,
    "temperature": 0.5,
    "reasoning_effort": "low",
    "metadata": METADATA,
}
RESPONSES = {
    "model": "auto",
    "instructions": "be brief",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": IMAGE}],
        },
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "-3"},
    ],
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": "auto",
    "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "stream": False,
    "store": True,
    "max_output_tokens": 9,
    "previous_response_id": None,
    "metadata": METADATA,
}
MESSAGES = {
    "model": "auto",
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "c", "name": "weather", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "-3"}]},
    ],
    "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "stop_sequences": ["x"],
    "stream": False,
    "metadata": {"user_id": "u"},
}
DOORS: dict[str, Any] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": MESSAGES,
    "/v1/completions": {
        "model": "auto",
        "prompt": "2 + 2?",
        "stream": False,
        "max_tokens": 9,
        "stop": "x",
        "echo": False,
    },
    "/v1/decision": CHAT,
    "/v1/embeddings": {"model": "m", "input": ["x"], "dimensions": 3},
    "/v1/feedback": {
        "outcome_id": "x",
        "metric_name": "accuracy",
        "value": 1,
        "tags": {"source": "user"},
        "comment": "c",
    },
}
ROUTES = (*[""] * 12, "auto", "off", "status", "force chat/m", "force", "force \u00e9", "x")
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "auto",
            "user",
            "tool",
            "text",
            IMAGE,
            "data:",
            "data:;base64,",
            "\ud800",
            10**400,
            [[]],
            [{}],
            {"type": "text"},
        ]
    )
)
WRONG = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all that is in a body."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(one for key, below in inner for one in places(below, (*path, key)))]


@st.composite
def bodies(draw: st.DrawFn, good: Any) -> Any:
    """Return a body with one to three things replaced, left out or doubled."""
    body = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(body)))
        if not path:
            continue
        owner = body
        for key in path[:-1]:
            owner = owner[key]
        match draw(st.sampled_from(["replace", "replace", "leave out", "double"])):
            case "replace":
                owner[path[-1]] = copy.deepcopy(draw(WRONG))
            case "leave out":
                del owner[path[-1]]
            case _:
                twice = copy.deepcopy(owner[path[-1]])
                owner.append(twice) if isinstance(owner, list) else owner.update(
                    {draw(st.text(max_size=9)): twice}
                )
    return body if draw(st.integers(0, 30)) else copy.deepcopy(draw(WRONG))


def main(url: str, examples: int) -> None:
    """Ask every door `examples` times."""
    seen: Counter[str] = Counter()
    hard = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:

        def ask(door: str, body: Any, route: str, streamed: bool) -> None:
            if streamed and isinstance(body, dict) and "stream" in body:
                body = {**body, "stream": True}
            headers = {"content-type": "application/json", "x-zetaroute-route": route.encode()}
            answer = client.post(door, content=json.dumps(body).encode(), headers=headers)
            seen[f"{door} {answer.status_code // 100}xx"] += 1
            assert answer.status_code < 500, (door, route, body, answer.status_code, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["error"]["message"]

        for door, good in DOORS.items():
            wrong = given(st.just(door), bodies(good), st.sampled_from(ROUTES), st.booleans())
            hard(wrong(ask))()
    sys.stdout.write("".join(f"{key}: {count}\n" for key, count in sorted(seen.items())))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
