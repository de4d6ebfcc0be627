"""OpenAI's Responses: turns and options in its shape, and its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zetaroute.domain import Message
from zetaroute.wire.draft import Draft
from zetaroute.wire.json_values import JsonObject, count, label, mapping, sequence, text
from zetaroute.wire.pieces import Part

_AS_IT_IS = frozenset({"temperature", "top_p", "parallel_tool_calls"})
_TRANSLATED = frozenset(
    {"max_tokens", "reasoning_effort", "verbosity", "response_format", "tools", "tool_choice"}
)
RESPONSES_KNOW = _AS_IT_IS | _TRANSLATED
"""Options of chat completions that the format can say."""
SIGNED = "reasoning.encrypted_content"
"""What must be included for a model to go on from what it thought, where its server keeps nothing."""


def responses_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options under the names of the format; one that it does not know goes on as it is."""
    known = {key: value for key, value in options.items() if key not in _TRANSLATED}
    if "max_tokens" in options:
        known["max_output_tokens"] = options["max_tokens"]
    if "reasoning_effort" in options:
        known["reasoning"] = {**mapping(known.get("reasoning")), "effort": options["reasoning_effort"]}
    words = dict(mapping(known.get("text")))
    if "verbosity" in options:
        words["verbosity"] = options["verbosity"]
    if form := mapping(options.get("response_format")):
        words["format"] = {"type": form.get("type"), **mapping(form.get("json_schema"))}
    if words:
        known["text"] = words
    if tools := sequence(options.get("tools")):
        # Left out, strict is true here and false there.
        known["tools"] = [
            {"type": "function", "strict": False, **mapping(mapping(tool).get("function"))} for tool in tools
        ]
    if choice := options.get("tool_choice"):
        named = mapping(mapping(choice).get("function")).get("name")
        known["tool_choice"] = {"type": "function", "name": named} if named else choice
    return known


def responses_items(turns: Iterable[Message]) -> list[dict[str, Any]]:
    """Return turns as items: each call, and what each tool said, is one of its own."""
    items: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "tool":
            called = text(turn.fields.get("tool_call_id"))
            items.append({"type": "function_call_output", "call_id": called, "output": turn.content})
            continue
        if turn.content:
            items.append({"role": turn.role, "content": turn.content})
        for call in map(mapping, sequence(turn.fields.get("tool_calls"))):
            function = mapping(call.get("function"))
            wanted = {"name": text(function.get("name")), "arguments": text(function.get("arguments"))}
            items.append({"type": "function_call", "call_id": text(call.get("id")), **wanted})
    return items


def qualified(namespace: Any, name: Any) -> Any:
    """Return the name by which models of other formats know a function of a namespace."""
    return f"{namespace}__{name}" if isinstance(namespace, str) else name


def can_be_sent(items: Sequence[JsonObject]) -> list[JsonObject]:
    """Return items without thoughts that their server has not sealed: nobody keeps them by their ids."""
    return [item for item in items if item.get("type") != "reasoning" or item.get("encrypted_content")]


def take_responses(payload: JsonObject, draft: Draft) -> str | None:
    """Fill the draft from a whole answer or one event of a stream, and return its text.

    None says that no text belongs to it.
    """
    if payload.get("object") == "response":
        return _take_end(payload, draft)
    match text(payload.get("type")).removeprefix("response."):
        case "output_text.delta":
            return text(payload.get("delta"))
        case "refusal.delta":
            draft.refused = True
            return text(payload.get("delta"))
        case "reasoning_summary_text.delta" | "reasoning_text.delta":
            draft.think(text(payload.get("delta")))
        case "reasoning_summary_part.added" if count(payload.get("summary_index")):
            draft.think("\n\n")
        case "function_call_arguments.delta":
            place = count(payload.get("output_index"))
            draft.calls.take(index=place, arguments=text(payload.get("delta")))
            draft.stepped()
        case "output_item.added" | "output_item.done" as kind:
            _take_item(payload, draft, done=kind.endswith("done"))
        case "completed" | "incomplete" | "failed":
            draft.signed_off = True
            return _take_end(mapping(payload.get("response")), draft)
    return None


def _take_end(response: JsonObject, draft: Draft) -> str:
    """Take a whole answer: of one that was streamed, what was not told yet."""
    draft.served_model = label(response.get("model")) or draft.served_model
    if response.get("status") == "failed":
        draft.error = response.get("error") or {"message": "the answer failed"}
        return ""
    items = draft.blocks = tuple(map(mapping, sequence(response.get("output"))))
    draft.block_format = "responses"
    told = ""
    if not draft.steps:
        for place, item in enumerate(items):
            told += _take_whole(place, item, draft)
    draft.end(mapping(response.get("incomplete_details")).get("reason") or "stop")
    return told


def _take_whole(place: int, item: JsonObject, draft: Draft) -> str:
    match item.get("type"):
        case "message":
            parts = [mapping(part) for part in sequence(item.get("content"))]
            draft.refused = draft.refused or any("refusal" in part for part in parts)
            return "".join(text(part.get("text")) + text(part.get("refusal")) for part in parts)
        case "reasoning":
            held = item.get("summary") or item.get("content")
            draft.think("\n\n".join(text(mapping(part).get("text")) for part in sequence(held)))
    _take_item({"output_index": place, "item": item}, draft, done=True)
    return ""


def _take_item(payload: JsonObject, draft: Draft, *, done: bool) -> None:
    item = mapping(payload.get("item"))
    match item.get("type"):
        case "function_call":
            draft.calls.take(
                index=count(payload.get("output_index")),
                call_id=text(item.get("call_id")),
                name=qualified(item.get("namespace"), text(item.get("name"))),
                arguments=text(item.get("arguments")),
            )
            draft.stepped()
        case "message":
            return
        case kind if done or kind == "reasoning":
            # An id goes with what is sealed: it is told as soon as the thoughts begin.
            own = text(item.get("call_id")) or text(item.get("id"))
            draft.beside(Part(kind="item", id=own, whole=done, block=item if done else None))
            if kind == "custom_tool_call":
                _take_custom(item, draft)
            elif kind != "reasoning":
                draft.stepped()


def _take_custom(item: JsonObject, draft: Draft) -> None:
    """Take a call whose input is a text and no JSON."""
    draft.calls.take(
        index=None,
        call_id=text(item.get("call_id")),
        name=text(item.get("name")),
        arguments={"input": text(item.get("input"))},
        passed_on=False,
    )
    draft.stepped()
