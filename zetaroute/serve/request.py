"""What a client asks, in whatever format, as a query; whatever is no good is refused with its place."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from zetaroute.config import PRESETS, Objective, Settings
from zetaroute.domain import Message, Native, Query
from zetaroute.errors import ConfigError
from zetaroute.serve.api_errors import ApiError, bad
from zetaroute.serve.request_message import Turn, read_turn
from zetaroute.wire.carriers import carriers
from zetaroute.wire.doors.door import Inbound

AUTO = "auto"
SESSION_HEADERS = ("x-zetaroute-session", "x-zetaroute-conversation")
"""Name a conversation, for clients that cannot send metadata; the second is the older name."""
ROUTE_HEADER = "x-zetaroute-route"
_CLIENTS_HEADERS = ("x-claude-code-session-id", "x-session-id", "session_id")
"""What clients group their requests by: talks, the agents that these begin, and titles for them."""
_TRACE_HEADERS = ("traceparent", "tracestate")
MOST_MESSAGES = 10_000
_MOST_METADATA = 64
_LONGEST_NAME = 1000
"""Characters of what a client names: it is kept in memory and in the log."""
BETAS = "anthropic-beta"
_BETAS = re.compile("[a-z0-9, -]{1,1000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What came before a request that names the answer which it goes on from."""

    conversation: str
    turns: tuple[tuple[str, Any], ...]
    items: tuple[Any, ...]
    """The same as items of Responses."""
    tags: tuple[str, ...]
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One answer that a client wants."""

    query: Query
    inbound: Inbound
    earlier: Earlier | None
    model: str | None
    """The one that is pinned; None routes."""
    objective: Objective | None
    known_as: str
    """What the tags of its conversation are kept under: its name, else a hash of how it began."""
    keeps_model: bool
    """Whether the model goes on that answered last in its conversation, which has a name."""
    answers_calls: tuple[str, ...]
    """Calls that its last turns answer: the model that made them goes on until it makes no more."""
    goes_on_from: str | None
    """The key of the answer before its last turn (`answer_key`), whose model may go on if it was given here."""
    no_chain: bool
    """Whether one model's answer is given without a look at it."""
    max_cost_usd: float | None
    """The most that all models together may cost that are asked for it; None: no limit."""
    streamed: bool
    trace: Mapping[str, str]
    """The headers that tell which trace it is a part of."""
    only_decided: bool
    """Whether no model is asked: the client wants to know which would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """Who chooses the model."""

    model: str | None
    objective: Objective | None = None
    anew: bool = False
    only_decided: bool = False


def read_request(
    inbound: Inbound,
    settings: Settings,
    *,
    headers: Mapping[str, str] | None = None,
    earlier: Earlier | None = None,
) -> ChatRequest:
    """Return what a client wants; raise ApiError for what cannot be served.

    A header, metadata or the body names its conversation, or the client's session does together with how the talk
    began. Else the conversation is known by how it began, which others may share: so its tags count, and its model
    is kept in loops of tools alone. `earlier` stands before the turns of the request.
    """
    headers, metadata = headers or {}, _metadata(inbound.metadata)
    named, session = _names(inbound, metadata, headers)
    query = _query(_turns(inbound, earlier))
    route = _route(inbound.model, headers.get(ROUTE_HEADER, ""), settings)
    known_as = named or (earlier.conversation if earlier else None) or _opening(query, session)
    goes_on = bool(query.history or query.after)
    has_name = named is not None or earlier is not None or (session is not None and goes_on)
    keeps = route.model is None and not route.anew and not _said(metadata, "reroute")
    # What others may go on from by its id must not be called as what another client asks.
    is_talk = has_name or goes_on or (not inbound.stored and (session or "tools" in inbound.options))
    tags = (*_tags(metadata.get("tags", "")), *(earlier.tags if earlier else ()))
    return ChatRequest(
        query=replace(
            query,
            options=inbound.options,
            wire_formats=_formats(inbound, query),
            native=_native(inbound, headers.get(BETAS, ""), earlier),
            task=metadata.get("task"),
            reference=metadata.get("reference"),
            grader=metadata.get("grader"),
            tags=tuple(dict.fromkeys(tags)),
            custom_id=metadata.get("correlation_id"),
            conversation=known_as if is_talk else None,
            session=session or named,
        ),
        inbound=inbound,
        earlier=earlier,
        model=route.model,
        objective=route.objective,
        known_as=known_as,
        keeps_model=keeps and has_name,
        answers_calls=_answered(query) if keeps else (),
        goes_on_from=_before(query, known_as) if keeps else None,
        no_chain=_said(metadata, "no_chain"),
        max_cost_usd=_dollars(metadata.get("max_cost_usd")),
        streamed=_truth(inbound.streamed, "stream"),
        trace={name: headers[name] for name in _TRACE_HEADERS if headers.get(name)},
        only_decided=route.only_decided,
    )


def _turns(inbound: Inbound, earlier: Earlier | None) -> list[Turn]:
    system = [("system", {"role": "system", "content": inbound.system})] if inbound.system else []
    items = [*system, *(earlier.turns if earlier else ()), *inbound.turns]
    if len(items) > MOST_MESSAGES:
        raise bad(f"messages holds more than {MOST_MESSAGES}.", "messages")
    return [read_turn(item, place) for place, item in items]


def _names(
    inbound: Inbound, metadata: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return the name of the conversation and what the client groups its requests by, as far as they are told."""
    ours = next((headers[name] for name in SESSION_HEADERS if headers.get(name)), None)
    theirs = next((headers[name] for name in _CLIENTS_HEADERS if headers.get(name)), None)
    named, session = metadata.get("conversation") or ours or inbound.conversation, theirs or inbound.session
    for name in (named, session):
        if name is not None and (not isinstance(name, str) or len(name) > _LONGEST_NAME):
            raise bad(
                f"the name of a conversation or a session is a text of up to {_LONGEST_NAME} characters."
            )
    return named or None, session or None


def _formats(inbound: Inbound, query: Query) -> tuple[str, ...]:
    """Return the wire formats that can carry a query; empty where any can."""
    if inbound.only_native:
        return (inbound.native_format,)
    return carriers(inbound.options, (*query.history, *query.after), plain=not query.after)


def _native(inbound: Inbound, betas: str, earlier: Earlier | None) -> Native | None:
    """Return the request as it came, with all that it goes on from and the features that a header turns on."""
    if inbound.native is None:
        return None
    body = inbound.native
    if earlier is not None:
        body = {**body, "input": [*earlier.items, *body["input"]]}
    headers = {BETAS: betas} if _BETAS.fullmatch(betas) else {}
    return Native(format=inbound.native_format, body=body, headers=headers)


def _answered(query: Query) -> tuple[str, ...]:
    """Return the calls that the turns since the last one of the model answer."""
    ids: list[str] = []
    for turn in reversed((*query.history, *query.after)):
        if turn.role == "assistant":
            break
        called = turn.fields.get("tool_call_id")
        if turn.role == "tool" and isinstance(called, str):
            ids.append(called)
    return tuple(ids)


def _before(query: Query, known_as: str) -> str | None:
    """Return the key of the last turn of a model."""
    said = (turn.content for turn in reversed((*query.history, *query.after)) if turn.role == "assistant")
    return next((answer_key(known_as, words) for words in said if words.strip()), None)


def answer_key(known_as: str, words: str) -> str:
    """Return what an answer is known by in its conversation: examples that only look like one are none of ours."""
    return _digest(known_as, words.strip())


def _opening(query: Query, session: str | None) -> str:
    """Return the hash of how a conversation began, the same in every turn."""
    first = query.history[0].content if query.history else query.text
    return _digest(*((session,) if session is not None else ()), str(query.system), first)


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()[:32]


def _query(turns: list[Turn]) -> Query:
    """Return the turns as a query: its text is what the user said last, else the instructions that stand alone."""
    start = 0
    while start < len(turns) - 1 and turns[start].message.role == "system":
        start += 1
    asked = [place for place, turn in enumerate(turns) if turn.message.role == "user"]
    if not asked and start == len(turns) - 1 and turns[start].message.role == "system":
        asked = [start]
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


def _route(model: Any, words: str, settings: Settings) -> _Route:
    """Return who chooses: the header where it says so, else the model of the body."""
    kind, _, name = words.strip().partition(" ")
    match kind.lower():
        case "force":
            return _Route(model=known_model(name.strip(), settings))
        case "auto" if not name:
            chosen = _choice(model, settings) if isinstance(model, str) and model.startswith(AUTO) else None
            return _Route(model=None, objective=chosen.objective if chosen else None, anew=True)
        case "off" if not name:
            chosen = _choice(model, settings)
            if chosen.model is None:
                raise bad(f"{ROUTE_HEADER}: off needs the name of a model in the body.", "model")
            return chosen
        case "status" if not name:
            return replace(_choice(model, settings), only_decided=True)
        case "":
            return _choice(model, settings)
    raise bad(f"{ROUTE_HEADER} must be auto, force MODEL, off or status.")


def _choice(model: Any, settings: Settings) -> _Route:
    if not isinstance(model, str) or not model:
        raise bad(f"model must name a model, or {AUTO} to have one chosen.", "model")
    if model == AUTO:
        return _Route(model=None)
    kind, _, preset = model.partition(":")
    if kind == AUTO and preset in PRESETS:
        return _Route(model=None, objective=PRESETS[preset])
    return _Route(model=known_model(model, settings))


def known_model(model: str, settings: Settings) -> str:
    """Return a model's id; raise ApiError with those that exist where there is none of this name."""
    try:
        return settings.arm(model).id
    except ConfigError as error:
        presets = ", ".join(f"{AUTO}:{preset}" for preset in PRESETS)
        words = f"{str(error).rstrip('.')}; {AUTO}, {presets} choose one."
        raise ApiError(404, words, code="model_not_found", param="model") from None


def _tags(words: str) -> tuple[str, ...]:
    """Return the tags that metadata holds, which are texts alone: several stand with commas between."""
    return tuple(dict.fromkeys(tag for word in words.split(",") if (tag := word.strip())))


def _said(metadata: Mapping[str, str], key: str) -> bool:
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


def _truth(value: Any, key: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise bad(f"{key} must be true or false.", key)
    return bool(value)
