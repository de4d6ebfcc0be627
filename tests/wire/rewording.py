"""A stream told otherwise: its texts in smaller pieces, and its events in another order, wherever either is free."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

from .shapes import DONE, Shape

SAID_ONLY_WHOLE = {
    "two calls without numbers and names, one number",
    "one tool twice, one number, no names",
    "arguments that grow",
    "all of it again at the end",
}
"""Shapes in which only a whole piece of arguments tells one call from another, or from itself."""


def split(shape: Shape, random: Random) -> list[Any]:
    """Return the events with each text and each piece of arguments in one to three pieces."""
    return [part for event in shape.events for part in _parts(shape, event, random)]


def reordered(shape: Shape, events: list[Any], random: Random) -> tuple[Any, ...]:
    """Return the events with counts and comments anywhere before the end, and numbered calls woven together."""
    events = _woven(events, random)
    if shape.format == "openai" and (shape.finish_reason or DONE in events):
        free = [event for event in events if _says_nothing(event)]
        events = [event for event in events if not _says_nothing(event)]
        for event in free:
            events.insert(random.randint(0, len(events) - (events[-1] == DONE)), event)
    return tuple(events)


def _says_nothing(event: Any) -> bool:
    return event != DONE if isinstance(event, str) else not event.get("choices")


def _parts(shape: Shape, event: Any, random: Random) -> Iterator[Any]:
    place = None if isinstance(event, str) else _text_of(shape, event)
    if place is None:
        yield event
        return
    path, field = place
    pieces = _cut(_at(event, path)[field], random)
    for number, piece in enumerate(pieces):
        part = copy.deepcopy(event)
        _at(part, path)[field] = piece
        if number:
            _at(part, path).pop("name", None)
        if number < len(pieces) - 1:
            part.pop("usage", None)
        yield part


def _text_of(shape: Shape, event: Any) -> tuple[list[Any], str] | None:
    """Return where the one text of an event stands that may come in pieces."""
    if shape.format == "anthropic":
        field = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}.get(
            event.get("delta", {}).get("type", "")
        )
        return None if field is None else (["delta"], field)
    if shape.format == "responses":
        return ([], "delta") if isinstance(event.get("delta"), str) else None
    choices = event.get("choices") or [{}]
    delta = choices[0].get("delta", {})
    calls = delta.get("tool_calls", [])
    if isinstance(delta.get("content"), str) and delta["content"]:
        return ["choices", 0, "delta"], "content"
    if len(calls) != 1 or shape.name in SAID_ONLY_WHOLE:
        return None
    if not isinstance(calls[0].get("function", {}).get("arguments"), str):
        return None
    return ["choices", 0, "delta", "tool_calls", 0, "function"], "arguments"


def _at(event: Any, path: list[Any]) -> Any:
    for step in path:
        event = event[step]
    return event


def _cut(text: str, random: Random) -> list[str]:
    cuts = sorted(random.randint(0, len(text)) for _ in range(random.randint(0, 2)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _woven(events: list[Any], random: Random) -> list[Any]:
    """Return the events with those of several numbered calls in another order that keeps each call's own.

    Calls keep the order in which they begin.
    """
    places = [place for place, event in enumerate(events) if _number(event) is not None]
    calls: dict[int, list[Any]] = {}
    for place in places:
        calls.setdefault(_number(events[place]) or 0, []).append(events[place])
    waiting, begun, woven = list(calls.values()), 0, list(events)
    for place in places:
        chosen = random.choice([number for number, call in enumerate(waiting[: begun + 1]) if call])
        begun = max(begun, chosen + 1)
        woven[place] = waiting[chosen].pop(0)
    return woven


def _number(event: Any) -> int | None:
    """Return the number of the one call that an event tells of."""
    if isinstance(event, str):
        return None
    if event.get("type") in {"content_block_start", "content_block_delta"}:
        is_call = event.get("content_block", {}).get("type") == "tool_use"
        return event["index"] if is_call or event.get("delta", {}).get("type") == "input_json_delta" else None
    choices = event.get("choices") or [{}]
    calls = choices[0].get("delta", {}).get("tool_calls", [])
    return calls[0].get("index") if len(calls) == 1 else None
