"""Answers of OpenAI's Responses."""

from __future__ import annotations

from zetaroute.wire.draft import Draft
from zetaroute.wire.json_values import JsonObject, count, label, mapping, sequence, text
from zetaroute.wire.pieces import Part
from zetaroute.wire.responses_request import qualified


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
            draft.called()
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
            draft.called()
        case "message":
            return
        case kind if done or kind == "reasoning":
            # An id goes with what is sealed: it is told as soon as the thoughts begin.
            own = text(item.get("call_id")) or text(item.get("id"))
            draft.beside(Part(kind="item", id=own, whole=done, block=item if done else None))
            if kind == "custom_tool_call":
                _take_custom(item, draft)
            elif kind != "reasoning":
                draft.called()


def _take_custom(item: JsonObject, draft: Draft) -> None:
    """Take a call whose input is a text and no JSON."""
    draft.calls.take(
        index=None,
        call_id=text(item.get("call_id")),
        name=text(item.get("name")),
        arguments={"input": text(item.get("input"))},
        passed_on=False,
    )
    draft.called()
