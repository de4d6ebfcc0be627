"""Answers of Anthropic's Messages."""

from __future__ import annotations

from zetaroute.wire.draft import Draft
from zetaroute.wire.json_values import JsonObject, count, label, mapping, sequence, text
from zetaroute.wire.pieces import Part


def take_messages(payload: JsonObject, draft: Draft) -> str | None:
    """Fill the draft from a whole answer or one event of a stream, and return its text.

    None says that no text belongs to it.
    """
    match payload.get("type"):
        case "message":
            _take_head(payload, draft)
            blocks = draft.blocks = tuple(map(mapping, sequence(payload.get("content"))))
            draft.block_format = "anthropic"
            return "".join(_take_block(place, block, draft) for place, block in enumerate(blocks))
        case "message_start":
            _take_head(mapping(payload.get("message")), draft)
        case "content_block_start":
            return _take_block(count(payload.get("index")) or 0, mapping(payload.get("content_block")), draft)
        case "content_block_delta":
            delta = mapping(payload.get("delta"))
            draft.think(text(delta.get("thinking")))
            if signature := text(delta.get("signature")):
                draft.beside(Part(kind="signature", text=signature))
            if delta.get("type") == "input_json_delta":
                index = count(payload.get("index")) or 0
                draft.calls.take(index=index, arguments=text(delta.get("partial_json")))
                draft.called()
            return text(delta.get("text"))
        case "message_delta":
            draft.end(mapping(payload.get("delta")).get("stop_reason"))
        case "message_stop":
            draft.finished = draft.signed_off = True
    return None


def _take_head(message: JsonObject, draft: Draft) -> None:
    draft.served_model = label(message.get("model")) or draft.served_model
    draft.end(message.get("stop_reason"))


def _take_block(place: int, block: JsonObject, draft: Draft) -> str:
    draft.think(text(block.get("thinking")))
    if block.get("type") == "tool_use":
        # A stream begins a call with an empty input, and sends it in parts.
        draft.calls.take(
            index=place,
            call_id=text(block.get("id")),
            name=text(block.get("name")),
            arguments=block.get("input") or None,
        )
        draft.called()
    elif block.get("type") == "redacted_thinking":
        draft.beside(Part(kind="block", block=block))
    return text(block.get("text")) if block.get("type") == "text" else ""
