"""What a client is told: answers in the shape of OpenAI's, with what zetaroute knows of them beside."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from zetaroute.domain import Completion, Decision, ToolCall, new_id
from zetaroute.router.answer import Answer
from zetaroute.wire.draft import REFUSAL

DONE = b"data: [DONE]\n\n"
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    REFUSAL: "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
}
PREFIX = "chatcmpl-"
"""Stands before an outcome's id to make the id of a completion."""


def facts(answer: Answer, *, kept: bool) -> dict[str, Any]:
    """Return the field `zetaroute` of an answer."""
    outcome, decision = answer.outcome, answer.decision
    return {
        "outcome": outcome.id,
        "model": outcome.model,
        "served_model": outcome.served_model,
        "policy": decision.policy_version,
        "propensity": decision.propensity,
        "forced": decision.forced,
        "explored": decision.explored,
        "attempts": answer.attempts,
        "response_s": answer.response_s,
        "router_s": decision.router_s,
        "cost_usd": answer.cost_usd,
        "tokens_estimated": outcome.tokens_estimated,
        "kept": kept,
    }


def headers(decision: Decision, *, outcome_id: str, model: str) -> dict[str, str]:
    """Return the headers of an answer: a name that ASCII cannot hold is percent-encoded."""
    found = {
        "x-zetaroute-outcome": outcome_id,
        "x-zetaroute-model": quote(model, safe="/:@ !#$&'()*+,;=?[]~"),
        "x-zetaroute-policy": decision.policy_version,
    }
    if decision.propensity is not None:
        found["x-zetaroute-propensity"] = f"{decision.propensity:.9g}"
    return found


def completion_json(answer: Answer, done: Completion, *, first_id: str, kept: bool) -> dict[str, Any]:
    """Return a whole answer."""
    refused = done.finish_reason == REFUSAL
    words = {"content": None if refused else done.words, "refusal": done.words if refused else None}
    message: dict[str, Any] = {"role": "assistant", **words}
    if done.tool_calls:
        message["tool_calls"] = [_call(call) for call in done.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(done)}
    return {
        "id": PREFIX + first_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer.model,
        "choices": [choice],
        "usage": _usage(done),
        "zetaroute": facts(answer, kept=kept),
    }


def several_json(bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return several whole answers as the choices of one; each keeps what zetaroute knows of it."""
    first = bodies[0]
    usage = {
        name: sum(body["usage"][name] for body in bodies)
        for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    return {
        **first,
        "choices": [{**body["choices"][0], "index": place} for place, body in enumerate(bodies)],
        "usage": {**first["usage"], **usage},
        "zetaroute": {**first["zetaroute"], "choices": [body["zetaroute"] for body in bodies]},
    }


class Chunks:
    """The pieces of one streamed answer."""

    def __init__(self, first_id: str, model: str) -> None:
        self._base = {
            "id": PREFIX + first_id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }

    def start(self) -> bytes:
        """Return the piece that says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, words: str) -> bytes:
        """Return a piece of the answer."""
        return self._chunk({"content": words})

    def end(self, answer: Answer, done: Completion, *, kept: bool, include_usage: bool) -> bytes:
        """Return the last pieces: tools that are to be called, why it ended, and the counts where they are wanted."""
        calls = [{"index": place, **_call(call)} for place, call in enumerate(done.tool_calls)]
        parts = [self._chunk({"tool_calls": calls})] if calls else []
        parts.append(self._chunk({}, finish=_reason(done), zetaroute=facts(answer, kept=kept)))
        if include_usage:
            parts.append(event({**self._base, "choices": [], "usage": _usage(done)}))
        return b"".join([*parts, DONE])

    def _chunk(self, delta: Mapping[str, Any], *, finish: str | None = None, **fields: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**self._base, "choices": [choice], **fields})


def event(payload: Mapping[str, Any]) -> bytes:
    """Return one event of a stream."""
    return b"data: " + json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def _reason(done: Completion) -> str:
    """Return why the answer ended, in OpenAI's words where the model's own are others."""
    reason = _REASONS.get(done.finish_reason or "", done.finish_reason or "stop")
    return "tool_calls" if done.tool_calls and reason == "stop" else reason


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id or f"call_{new_id()}", "type": "function", "function": function}


def _usage(done: Completion) -> dict[str, Any]:
    prompt, completion = done.input_tokens or 0, done.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": done.cached_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": done.reasoning_tokens or 0},
    }
