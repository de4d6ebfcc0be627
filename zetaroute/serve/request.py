"""What a client asks, read from its JSON into a query; whatever is no good is refused with its place."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import ClientDisconnect, Request

from zetaroute.config import PRESETS, Objective, Settings
from zetaroute.domain import Attachment, Message, Query
from zetaroute.errors import ConfigError, UsageError
from zetaroute.files.strict_json import strict_json
from zetaroute.files.text import text_of
from zetaroute.router.attachments import LARGEST, attachment_of
from zetaroute.serve.errors import ApiError, bad
from zetaroute.wire.turns import turn_fields

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "function",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message and the files in it."""

    message: Message
    attachments: tuple[Attachment, ...]


def read_turn(value: Any, place: str) -> Turn:
    """Return a message; raise ApiError, naming its place, for one that cannot be passed on whole."""
    if not isinstance(value, dict):
        raise bad(f"{place} must be an object.", place)
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise bad(f"{place}.role must be one of {', '.join(_ROLES)}.", f"{place}.role")
    content = value.get("content")
    if content is None and role != "assistant":
        raise bad(f"{place}.content is missing.", f"{place}.content")
    words, files = _content(content, f"{place}.content")
    if files and role != "user":
        raise bad(f"{place} holds a file, which only a message of the role user may.", f"{place}.content")
    return Turn(
        message=Message(role=_ROLES[role], content=words, fields=turn_fields(value)), attachments=tuple(files)
    )


def _content(content: Any, place: str) -> tuple[str, list[Attachment]]:
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, list):
        raise bad(f"{place} must be a text or a list of parts.", place)
    words, files = [], []
    for number, part in enumerate(content):
        where = f"{place}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        match kind:
            case "text" | "input_text" | "refusal":
                words.append(_text(part.get("refusal" if kind == "refusal" else "text"), where))
            case "image_url":
                inner = part.get("image_url")
                url = inner.get("url") if isinstance(inner, dict) else inner
                files.append(_file(_text(url, where), "image", where))
            case "file":
                inner = part.get("file")
                inner = inner if isinstance(inner, dict) else {}
                name = inner.get("filename")
                data = _text(inner.get("file_data"), where)
                files.append(_file(data, name if isinstance(name, str) else "file", where))
            case _:
                raise bad(f"{where} must be a part of the type text, image_url or file.", where)
    return "\n".join(words), files


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise bad(f"{place} holds no text where one belongs.", place)
    return value


def _file(url: str, name: str, place: str) -> Attachment:
    """Return a file that came as a data URL; addresses are not fetched."""
    head, comma, data = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise bad(f"{place} must hold its file as data:TYPE;base64,...; addresses are not fetched.", place)
    if len(data) > LARGEST * 4 // 3 + 4:
        raise bad(f"{place} holds a file of more than {LARGEST // 1_000_000} MB.", place)
    try:
        content = base64.b64decode(data, validate=True)
        return attachment_of(name[:200], content, place=place)
    except (binascii.Error, ValueError) as error:
        raise bad(f"{place} is not valid base64.", place) from error
    except UsageError as error:
        raise bad(str(error), place) from error


AUTO = "auto"
BODY_S = 30.0
"""How long a body may take to arrive."""
_AT_ONCE = 1_000_000
"""Bytes of a body that is parsed within the event loop."""
_MOST_METADATA = 64
_LONGEST_NAME = 1000
"""Characters of what a client names: it is kept in memory and in the log."""
MOST_MESSAGES = 10_000
MOST_ANSWERS = 8
"""Answers to one request; each is asked for by itself."""
_OURS = frozenset({"model", "messages", "stream", "stream_options", "n", "metadata", "store", "user"})
"""Keys that are not passed on: zetaroute fills them, or they are about the person who asks."""
_ACCOUNT = frozenset({"service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
"""Keys that mean something to an account at OpenAI alone."""
_ANYWHERE = frozenset({"max_tokens", "temperature", "top_p"})
"""Options that every wire format knows; with others only OpenAI's can carry the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One answer that a client wants."""

    query: Query
    model: str | None
    """The one that is pinned; None routes."""
    objective: Objective | None
    known_as: str
    """What the tags of its conversation are kept under: its name, else a hash of how it began."""
    keeps_model: bool
    """Whether the model goes on that answered last in its conversation, which has a name."""
    max_cost_usd: float | None
    """The most that all models together may cost that are asked for it; None: no limit."""
    count: int
    """How many answers."""
    streamed: bool
    include_usage: bool


async def read_json(request: Request, *, most_bytes: int) -> Any:
    """Return the JSON of a request; raise ApiError when it is too large, too slow or no JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A web page of somebody else can send other types without asking first.
        raise ApiError(415, "send the header content-type: application/json.", code="unsupported_media_type")
    too_large = ApiError(413, f"the body is larger than {most_bytes} bytes.", code="too_large")
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise ApiError(408, f"the body did not arrive within {BODY_S:g} s.", code="timeout") from None
    except ClientDisconnect:
        raise ApiError(400, "the connection broke off within the body.", code="disconnected") from None
    if len(body) < _AT_ONCE:
        return parse_json(bytes(body))
    # A large body would keep everybody else waiting.
    return await asyncio.to_thread(parse_json, bytes(body))


def parse_json(body: bytes) -> Any:
    """Return the value of strict JSON without lone surrogates; raise ApiError otherwise."""
    try:
        value = strict_json(text_of(body))
        if b"\\u" in body:
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise bad(f"the body is not valid JSON: {error}.", code="invalid_json") from None
    return value


def read_chat(body: Any, settings: Settings, *, conversation: str | None = None) -> ChatRequest:
    """Return what a body of /v1/chat/completions wants; raise ApiError for what cannot be served.

    `conversation` is the name that a header gives; metadata may give it too. Where neither does, the conversation is
    known by how it began, which others may share: so its tags count, and its model is not kept.
    """
    wanted = _object(body)
    _refuse_what_would_be_lost(wanted)
    turns = _turns(wanted.get("messages"))
    metadata = _metadata(wanted.get("metadata"))
    if conversation is not None and len(conversation) > _LONGEST_NAME:
        raise bad(f"a conversation's name may have {_LONGEST_NAME} characters.")
    query = _query(turns)
    options = {
        key: value
        for key, value in wanted.items()
        if key not in _OURS and key not in _ACCOUNT and value is not None
    }
    if "max_completion_tokens" in options:
        # One name here; each server is sent the one that it knows.
        options["max_tokens"] = options.pop("max_completion_tokens")
    only = options.keys() <= _ANYWHERE and not query.after and not any(turn.fields for turn in query.history)
    conversation = metadata.get("conversation") or conversation or None
    model, objective = _choice(wanted.get("model"), settings)
    keeps_model = conversation is not None and model is None and not _said(metadata, "reroute")
    known_as = conversation or _opening(query)
    if query.history:
        conversation = known_as
    stream_options = wanted.get("stream_options")
    return ChatRequest(
        query=replace(
            query,
            options=options,
            wire_format=None if only else "openai",
            task=metadata.get("task"),
            reference=metadata.get("reference"),
            grader=metadata.get("grader"),
            tags=_tags(metadata.get("tags", "")),
            custom_id=metadata.get("correlation_id"),
            conversation=conversation,
        ),
        model=model,
        objective=objective,
        known_as=known_as,
        keeps_model=keeps_model,
        max_cost_usd=_dollars(metadata.get("max_cost_usd")),
        count=wanted.get("n") or 1,
        streamed=_truth(wanted, "stream"),
        include_usage=_truth(_object(stream_options, "stream_options"), "include_usage")
        if stream_options is not None
        else False,
    )


def _opening(query: Query) -> str:
    """Return the hash of how a conversation began, the same in every turn."""
    first = query.history[0].content if query.history else query.text
    return hashlib.sha256(f"{query.system}\0{first}".encode("utf-8", "replace")).hexdigest()[:32]


def _query(turns: list[Turn]) -> Query:
    """Return the turns as a query: its text is what the user said last."""
    start = 0
    while start < len(turns) and turns[start].message.role == "system":
        start += 1
    asked = [place for place, turn in enumerate(turns) if turn.message.role == "user"]
    if not asked:
        raise bad("messages must hold at least one of the role user.", "messages")
    last = asked[-1]
    text, files = turns[last].message.content, [file for turn in turns for file in turn.attachments]
    if not text.strip() and not files:
        raise bad("the last message of the role user is empty.", "messages")
    system = "\n\n".join(turn.message.content for turn in turns[:start])
    return Query(
        text=text,
        system=system or None,
        history=_messages(turns[start:last]),
        after=_messages(turns[last + 1 :]),
        # Those of earlier turns go along: the model that answers now must see them too.
        attachments=tuple(files),
    )


def _messages(turns: list[Turn]) -> tuple[Message, ...]:
    return tuple(turn.message for turn in turns)


def _turns(value: Any) -> list[Turn]:
    if not isinstance(value, list) or not value:
        raise bad("messages must be a list with at least one message.", "messages")
    if len(value) > MOST_MESSAGES:
        raise bad(f"messages holds more than {MOST_MESSAGES}.", "messages")
    return [read_turn(item, f"messages[{place}]") for place, item in enumerate(value)]


def _choice(model: Any, settings: Settings) -> tuple[str | None, Objective | None]:
    if not isinstance(model, str) or not model:
        raise bad(f"model must name a model, or {AUTO} to have one chosen.", "model")
    if model == AUTO:
        return None, None
    kind, _, preset = model.partition(":")
    if kind == AUTO and preset in PRESETS:
        return None, PRESETS[preset]
    return known_model(model, settings), None


def known_model(model: str, settings: Settings) -> str:
    """Return a model's id; raise ApiError with those that exist where there is none of this name."""
    try:
        return settings.arm(model).id
    except ConfigError as error:
        presets = ", ".join(f"{AUTO}:{preset}" for preset in PRESETS)
        words = f"{str(error).rstrip('.')}; {AUTO}, {presets} choose one."
        raise ApiError(404, words, code="model_not_found", param="model") from None


def _refuse_what_would_be_lost(wanted: dict[str, Any]) -> None:
    count = wanted.get("n", 1) or 1
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_ANSWERS:
        raise bad(f"n must be a whole number from 1 to {MOST_ANSWERS}.", "n", code="invalid_value")
    if count > 1 and wanted.get("stream"):
        raise bad("n above 1 is not served as a stream: ask without stream.", "n", code="unsupported_value")
    for key in ("logprobs", "top_logprobs", "audio"):
        if wanted.get(key):
            raise bad(f"{key} is not passed back by this server.", key, code="unsupported_value")
    if wanted.get("modalities") not in (None, ["text"]):
        raise bad("only the modality text is served.", "modalities", code="unsupported_value")


def _tags(words: str) -> tuple[str, ...]:
    """Return the tags that metadata holds, which are texts alone: several stand with commas between."""
    return tuple(dict.fromkeys(tag for word in words.split(",") if (tag := word.strip())))


def _said(metadata: dict[str, str], key: str) -> bool:
    """Return whether metadata, which holds texts alone, says true under a key."""
    word = metadata.get(key, "false").strip().lower()
    if word not in {"true", "false"}:
        raise bad(f'metadata.{key} must be "true" or "false".', "metadata")
    return word == "true"


def _dollars(words: str | None) -> float | None:
    if words is None:
        return None
    try:
        amount_usd = float(words)
    except ValueError:
        amount_usd = -1.0
    if not 0.0 <= amount_usd < math.inf:
        raise bad("metadata.max_cost_usd must be an amount of money such as 0.01.", "metadata")
    return amount_usd


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise bad("metadata must be an object whose values are texts.", "metadata")
    if len(value) > _MOST_METADATA or any(len(item) > _LONGEST_NAME for item in value.values()):
        raise bad(f"metadata may hold {_MOST_METADATA} texts of {_LONGEST_NAME} characters.", "metadata")
    return value


def _object(value: Any, param: str | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad(f"{param or 'the body'} must be a JSON object.", param)
    return value


def _truth(wanted: dict[str, Any], key: str) -> bool:
    value = wanted.get(key)
    if value is not None and not isinstance(value, bool):
        raise bad(f"{key} must be true or false.", key)
    return bool(value)
