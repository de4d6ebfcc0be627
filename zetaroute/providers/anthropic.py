"""The wire format of Anthropic's Messages.

It lives apart from the exchange: here is only what this format asks and what its answers mean.
"""

from __future__ import annotations

import json
from dataclasses import replace

from zetaroute.domain import Arm, Attachment, Completion, Query
from zetaroute.providers.base import (
    JsonObject,
    OnText,
    base64_of,
    binary_files,
    count,
    label,
    mapping,
    options,
    schema_of,
    sequence,
    text,
    text_with_files,
)
from zetaroute.providers.credentials import credentials
from zetaroute.providers.http import Ask, Exchange, endpoint
from zetaroute.providers.stream import Draft

_VERSION = "2023-06-01"
_MAX_TOKENS = 4096
"""The format demands a limit on the answer's length."""


class AnthropicProvider:
    """Asks servers that speak Messages."""

    def __init__(self, *, many: bool = False) -> None:
        self._exchange = Exchange(many=many)

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` once; raises ProviderError, and ConfigError for an unusable base_url."""
        key = credentials(arm, key_header="x-api-key")
        # People paste this address with and without the version at its end.
        versioned = (arm.base_url or "").rstrip("/").endswith("/v1")
        ask = Ask(
            arm=arm,
            query=query,
            url=endpoint(arm, "/messages" if versioned else "/v1/messages", "https://api.anthropic.com"),
            credentials=replace(key, headers={"anthropic-version": _VERSION, **key.headers}),
            bodies=(_body(arm, query, streamed=on_text is not None),),
            take=_take,
        )
        return await self._exchange.complete(ask, on_text)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchange.aclose()


def _body(arm: Arm, query: Query, *, streamed: bool) -> JsonObject:
    systems = [turn.content for turn in query.history if turn.role == "system"]
    system = query.system if query.system is not None else arm.system
    if system is not None:
        systems.insert(0, system)
    wanted = options(arm, query)
    schema = schema_of(wanted.pop("response_format", None))
    if schema is not None:
        # The format knows no schema of an answer, so the words have to say it.
        systems.append(f"Answer with JSON alone, no other text, that is valid by this JSON schema: {schema}")
    turns = [{"role": turn.role, "content": turn.content} for turn in query.history if turn.role != "system"]
    body = {
        "max_tokens": _MAX_TOKENS,
        **wanted,
        "model": arm.model,
        "messages": [*turns, {"role": "user", "content": _user_content(query)}],
        "stream": streamed,
    }
    return {**body, "system": "\n\n".join(systems)} if systems else body


def _user_content(query: Query) -> str | list[JsonObject]:
    words = text_with_files(query)
    files = [_file_block(file) for file in binary_files(query)]
    return [*files, {"type": "text", "text": words}] if files else words


def _file_block(file: Attachment) -> JsonObject:
    source = {"type": "base64", "media_type": file.note.media_type, "data": base64_of(file)}
    return {"type": "image" if file.kind == "image" else "document", "source": source}


def _take(payload: JsonObject, draft: Draft) -> str | None:
    """Fill the draft from a whole answer or from one event of a stream, and return its text."""
    match payload.get("type"):
        case "message":
            _take_message(payload, draft)
            blocks = list(map(mapping, sequence(payload.get("content"))))
            for place, block in enumerate(blocks):
                _take_call(place, block, draft)
            return "".join(text(block.get("text")) for block in blocks if block.get("type") == "text")
        case "message_start":
            _take_message(mapping(payload.get("message")), draft)
        case "content_block_start":
            block = mapping(payload.get("content_block"))
            _take_call(count(payload.get("index")) or 0, block, draft)
            return text(block.get("text"))
        case "content_block_delta":
            delta = mapping(payload.get("delta"))
            draft.begun = draft.begun or bool(text(delta.get("thinking")))
            if delta.get("type") == "input_json_delta":
                draft.call(count(payload.get("index")) or 0, arguments=text(delta.get("partial_json")))
            return text(delta.get("text"))
        case "message_delta":
            _take_stop(mapping(payload.get("delta")), draft)
            _take_usage(mapping(payload.get("usage")), draft)
        case "message_stop":
            draft.finished = True
    return None


def _take_call(place: int, block: JsonObject, draft: Draft) -> None:
    if block.get("type") != "tool_use":
        return
    # A stream begins a call with an empty input, and sends it in parts.
    given = block.get("input")
    draft.call(place, name=text(block.get("name")), arguments=json.dumps(given) if given else "")


def _take_message(message: JsonObject, draft: Draft) -> None:
    draft.served_model = label(message.get("model")) or draft.served_model
    _take_stop(message, draft)
    _take_usage(mapping(message.get("usage")), draft)


def _take_stop(message: JsonObject, draft: Draft) -> None:
    reason = label(message.get("stop_reason"))
    if reason:
        draft.finish_reason, draft.finished = reason, True


def _take_usage(usage: JsonObject, draft: Draft) -> None:
    """Take the counts, which grow during a stream; `input_tokens` on the wire leaves the cached ones out."""
    cached = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    fresh = count(usage.get("input_tokens"))
    if fresh is not None:
        draft.input_tokens = max(draft.input_tokens or 0, fresh + (cached or 0) + (written or 0))
    if cached is not None:
        draft.cached_tokens = max(draft.cached_tokens or 0, cached)
    output = count(usage.get("output_tokens"))
    if output is not None:
        draft.output_tokens = max(draft.output_tokens or 0, output)
