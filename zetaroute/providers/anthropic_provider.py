"""The wire format of Anthropic's Messages."""

from __future__ import annotations

from dataclasses import replace

from zetaroute.domain import Arm, Attachment, Native, Query
from zetaroute.providers.base import (
    base64_of,
    binary_files,
    options,
    text_with_files,
)
from zetaroute.providers.credentials import credentials
from zetaroute.providers.http import Ask, HttpProvider, endpoint
from zetaroute.wire.anthropic import messages_options, messages_turns, take_messages
from zetaroute.wire.json_values import JsonObject, mapping

_VERSION = "2023-06-01"
_MAX_TOKENS = 4096
"""The format demands a limit on the answer's length."""
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 65536}
"""Tokens of thinking by effort; the format takes 1,024 at least."""


class AnthropicProvider(HttpProvider):
    """Asks servers that speak Messages."""

    def _ask(self, arm: Arm, query: Query, *, streamed: bool) -> Ask:
        key = credentials(arm, key_header="x-api-key")
        # People paste this address with and without the version at its end.
        native = query.native if query.native and query.native.format == "anthropic" else None
        headers = {"anthropic-version": _VERSION, **(native.headers if native else {}), **key.headers}
        versioned = (arm.base_url or "").rstrip("/").endswith("/v1")
        return Ask(
            arm=arm,
            query=query,
            url=endpoint(arm, "/messages" if versioned else "/v1/messages", "https://api.anthropic.com"),
            credentials=replace(key, headers=headers),
            bodies=(_body(arm, query, native, streamed=streamed),),
            take=take_messages,
        )


def _body(arm: Arm, query: Query, native: Native | None, *, streamed: bool) -> JsonObject:
    if native is not None:
        # What its client has written for this format goes out as it came.
        limit = {"max_tokens": _MAX_TOKENS} | messages_options(arm.options)[0]
        own = {} if arm.system is None else {"system": arm.system}
        whole = {**limit, **own, **native.body, "model": arm.model, "stream": streamed}
        return whole if "thinking" in native.body else _thinking(arm, query, whole)
    turns = (*query.history, *query.after)
    systems = [turn.content for turn in turns if turn.role == "system"]
    system = query.system if query.system is not None else arm.system
    wanted, words = messages_options(options(arm, query))
    systems = [one for one in (system, *systems, words) if one is not None]
    body: JsonObject = {
        "max_tokens": _MAX_TOKENS,
        **wanted,
        "model": arm.model,
        "messages": [
            *messages_turns(query.history),
            {"role": "user", "content": _user_content(query)},
            *messages_turns(query.after),
        ],
        "stream": streamed,
    }
    body = _thinking(arm, query, body)
    return {**body, "system": "\n\n".join(systems)} if systems else body


def _thinking(arm: Arm, query: Query, body: JsonObject) -> JsonObject:
    """Return a body with the thinking of the arm's effort, where the format lets a model think.

    It does not where a tool is forced, nor in a loop of tools whose earlier thoughts are not at hand.
    """
    budget, forced = _BUDGETS.get(arm.effort or "", 0), mapping(body.get("tool_choice")).get("type")
    if not budget or query.after or forced in ("any", "tool"):
        return body
    # A model that thinks samples in its own way alone.
    kept = {key: value for key, value in body.items() if key not in ("temperature", "top_p", "top_k")}
    thinking = {"type": "enabled", "budget_tokens": budget}
    return {**kept, "max_tokens": body["max_tokens"] + budget, "thinking": thinking}


def _user_content(query: Query) -> str | list[JsonObject]:
    words = text_with_files(query)
    files = [_file_block(file) for file in binary_files(query)]
    return [*files, {"type": "text", "text": words}] if files else words


def _file_block(file: Attachment) -> JsonObject:
    source = {"type": "base64", "media_type": file.note.media_type, "data": base64_of(file)}
    return {"type": "image" if file.kind == "image" else "document", "source": source}
