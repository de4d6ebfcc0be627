"""Answers of chat completions, as OpenAI defined them and most model servers send them."""

from __future__ import annotations

from typing import Any

from zetaroute.wire.draft import Draft
from zetaroute.wire.json_values import JsonObject, label, mapping, sequence, text
from zetaroute.wire.pieces import Part

_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Where servers put what a model thinks before it answers; some say it under two of these names."""


def take_chat(payload: JsonObject, draft: Draft) -> str | None:
    """Fill the draft from a whole answer or one event of a stream, and return its text.

    None says that it is no piece of such an answer.
    """
    if not isinstance(payload.get("choices"), list):
        return None
    draft.served_model = label(payload.get("model")) or draft.served_model
    draft.system_fingerprint = label(payload.get("system_fingerprint")) or draft.system_fingerprint
    if not payload["choices"] and mapping(payload.get("usage")) and draft.steps:
        # The counts of the whole come last: some servers say in no other way that it is whole.
        draft.finished = True
    answer = ""
    for choice in map(mapping, payload["choices"]):
        if choice.get("index", 0) not in (0, None):
            continue
        draft.error = choice.get("error")
        if not draft.error:
            draft.end(choice.get("finish_reason"))
        if told := sequence(mapping(choice.get("logprobs")).get("content")):
            draft.logprobs += map(mapping, told)
            draft.beside(Part(kind="logprobs", block={"content": list(told)}))
        answer += _take_message(_message(choice, draft), draft)
    return answer


def _message(choice: JsonObject, draft: Draft) -> JsonObject:
    """Return what a choice brings; a whole message behind the pieces of a stream repeats them."""
    delta = mapping(choice.get("delta"))
    return mapping(choice.get("message")) if not delta and not draft.steps else delta


def _take_message(message: JsonObject, draft: Draft) -> str:
    for thought in (text(message.get(name)) for name in _THOUGHTS):
        if thought:
            draft.think(thought)
            break
    else:
        for detail in map(mapping, sequence(message.get("reasoning_details"))):
            draft.think(text(detail.get("text")) or text(detail.get("summary")))
    if message.get("tool_calls") or message.get("function_call"):
        draft.calls.take_message(message)
        draft.stepped()
    refusal = text(message.get("refusal"))
    draft.refused = draft.refused or bool(refusal)
    return _content(message.get("content"), draft) + refusal


def _content(content: Any, draft: Draft) -> str:
    """Return the answer's text; parts of thinking are separated from it."""
    answer = text(content)
    for part in map(mapping, sequence(content)):
        match part.get("type", "text"):
            case "text" | "output_text":
                answer += text(part.get("text"))
            case "refusal":
                draft.refused = True
                answer += text(part.get("refusal"))
            case "thinking" | "reasoning":
                inner = part.get("thinking") or part.get("text")
                draft.think(text(inner) + "".join(text(mapping(one).get("text")) for one in sequence(inner)))
    return answer
