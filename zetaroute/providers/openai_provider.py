"""The wire format of chat completions, as OpenAI defined it and most model servers speak it."""

from __future__ import annotations

from zetaroute.domain import Arm, Attachment, Message, Query
from zetaroute.providers.base import base64_of, binary_files, options, text_with_files
from zetaroute.providers.credentials import credentials
from zetaroute.providers.http import Ask, HttpProvider, endpoint
from zetaroute.wire.chat_completions import take_chat
from zetaroute.wire.json_values import JsonObject


class OpenAIProvider(HttpProvider):
    """Asks servers that speak chat completions."""

    def _ask(self, arm: Arm, query: Query, *, streamed: bool) -> Ask:
        return Ask(
            arm=arm,
            query=query,
            url=endpoint(arm, "/chat/completions", "https://api.openai.com/v1"),
            credentials=credentials(arm, key_header="authorization", scheme="Bearer "),
            bodies=_bodies(arm, query, streamed=streamed),
            option="stream",
            take=take_chat,
        )


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
    # The content is among the fields where it was null: servers tell that from an empty text.
    return {"content": turn.content, **turn.fields, "role": turn.role}


def _user_content(query: Query) -> str | list[JsonObject]:
    words = text_with_files(query)
    files = [_file_part(file) for file in binary_files(query)]
    return [{"type": "text", "text": words}, *files] if files else words


def _file_part(file: Attachment) -> JsonObject:
    url = f"data:{file.note.media_type};base64,{base64_of(file)}"
    if file.kind == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": file.note.name, "file_data": url}}
