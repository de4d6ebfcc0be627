"""The wire format of chat completions, as OpenAI defined it and most model servers speak it.

It lives apart from the exchange: here is only what this format asks and what its answers mean.
"""

from __future__ import annotations

from typing import Any

from zetaroute.domain import Arm, Attachment, Completion, Message, Query
from zetaroute.providers.base import (
    JsonObject,
    OnText,
    base64_of,
    binary_files,
    count,
    label,
    mapping,
    options,
    sequence,
    text,
    text_with_files,
)
from zetaroute.providers.credentials import credentials
from zetaroute.providers.http import Ask, Exchange, endpoint
from zetaroute.providers.stream import Draft

_THOUGHTS = ("reasoning_content", "reasoning")
"""Where servers put what a model thinks before it answers."""


class OpenAIProvider:
    """Asks servers that speak chat completions."""

    def __init__(self, *, many: bool = False) -> None:
        self._exchange = Exchange(many=many)

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` once; raises ProviderError, and ConfigError for an unusable base_url."""
        ask = Ask(
            arm=arm,
            query=query,
            url=endpoint(arm, "/chat/completions", "https://api.openai.com/v1"),
            credentials=credentials(arm, key_header="authorization", scheme="Bearer "),
            bodies=_bodies(arm, query, streamed=on_text is not None),
            option="stream",
            take=_take,
        )
        return await self._exchange.complete(ask, on_text)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchange.aclose()


def _bodies(arm: Arm, query: Query, *, streamed: bool) -> tuple[JsonObject, ...]:
    messages = [_message(turn) for turn in query.history]
    system = query.system if query.system is not None else arm.system
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    messages.append({"role": "user", "content": _user_content(query)})
    messages += [_message(turn) for turn in query.after]
    plain = {**options(arm, query), "model": arm.model, "messages": messages, "stream": False}
    if not streamed:
        return (plain,)
    bare = {**plain, "stream": True}
    # Without this option a stream carries no token counts, so no cost; not every server knows it.
    return {**bare, "stream_options": {"include_usage": True}}, bare, plain


def _message(turn: Message) -> JsonObject:
    # A turn that only called tools said nothing, which servers tell from an empty text.
    content = None if turn.fields.get("tool_calls") and not turn.content else turn.content
    return {**turn.fields, "role": turn.role, "content": content}


def _user_content(query: Query) -> str | list[JsonObject]:
    words = text_with_files(query)
    files = [_file_part(file) for file in binary_files(query)]
    return [{"type": "text", "text": words}, *files] if files else words


def _file_part(file: Attachment) -> JsonObject:
    url = f"data:{file.note.media_type};base64,{base64_of(file)}"
    if file.kind == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": file.note.name, "file_data": url}}


def _take(payload: JsonObject, draft: Draft) -> str | None:
    """Fill the draft from a whole answer or from one event of a stream, and return its text."""
    if not isinstance(payload.get("choices"), list):
        return None
    draft.served_model = label(payload.get("model")) or draft.served_model
    _take_usage(mapping(payload.get("usage")), draft)
    answer = ""
    for choice in map(mapping, payload["choices"]):
        if choice.get("index", 0) != 0:
            continue
        draft.error = choice.get("error")
        reason = label(choice.get("finish_reason"))
        if reason and not draft.error:
            draft.finish_reason, draft.finished = reason, True
        message = mapping(choice.get("delta") or choice.get("message"))
        draft.begun = draft.begun or any(text(message.get(name)) for name in _THOUGHTS)
        answer += _content(message.get("content"))
        _take_calls(message, draft)
    return answer


def _take_calls(message: JsonObject, draft: Draft) -> None:
    for place, wanted in enumerate(map(mapping, sequence(message.get("tool_calls")))):
        function = mapping(wanted.get("function"))
        index = count(wanted.get("index"))
        draft.call(
            place if index is None else index,
            name=text(function.get("name")),
            arguments=text(function.get("arguments")),
            call_id=text(wanted.get("id")),
        )


def _take_usage(usage: JsonObject, draft: Draft) -> None:
    if not usage:
        return
    draft.input_tokens = count(usage.get("prompt_tokens"))
    draft.output_tokens = count(usage.get("completion_tokens"))
    draft.cached_tokens = count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))


def _content(content: Any) -> str:
    """Return the answer's text; parts of another type, such as thinking, are not the answer."""
    parts = (mapping(part) for part in sequence(content))
    texts = (text(part.get("text")) for part in parts if part.get("type", "text") == "text")
    return text(content) or "".join(texts)
