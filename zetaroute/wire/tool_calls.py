"""Tools that a model wants to be called, put together from whole calls or from the pieces of a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zetaroute.domain import ToolCall
from zetaroute.wire.json_values import JsonObject, count, mapping, sequence, text
from zetaroute.wire.pieces import Braces, Part


@dataclass(slots=True, kw_only=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    braces: Braces = field(default_factory=Braces)
    length: int = 0
    unsure: bool = False

    def whole(self) -> ToolCall:
        arguments = _arguments(self.arguments)
        empty = arguments.strip() in {"", "null"}
        return ToolCall(id=self.id, name=self.name, arguments="{}" if empty else arguments)


class ToolCallReader:
    """Takes the parts of calls and tells which call each belongs to.

    Servers number calls, name them, do both or neither; they send a name once or with every part, and arguments in
    pieces, whole, or whole again after the pieces.
    """

    def __init__(self) -> None:
        self.parts: list[Part] = []
        """What came since it was last emptied, each piece of arguments once."""
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def take(
        self,
        *,
        index: int | None,
        call_id: str = "",
        name: str = "",
        arguments: object = "",
        passed_on: bool = True,
    ) -> None:
        """Take a call, or the next part of one; `arguments` are JSON text, or the object that it stands for.

        It is not `passed_on` as a part where an item of its own format tells it.
        """
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        written = arguments or ""
        call = self._known(index, call_id, name)
        if call is None or _is_another(call, call_id, name, written):
            call = _Call()
            self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        call.id = call.id or call_id
        # It comes in pieces, or whole with every part.
        call.name = name if name.startswith(call.name) else call.name + name
        if written:
            call.arguments.append(written)
            if passed_on:
                self._tell(call, written)

    def _tell(self, call: _Call, written: str) -> None:
        before = call.arguments[:-1]
        if before and call.length <= len(written) and written.startswith("".join(before)):
            # Some servers send all of the arguments again with every piece: only the whole tells.
            call.unsure = True
        call.length += len(written)
        if not call.braces.closed and not call.unsure:
            call.braces.feed(written)
            self.parts.append(
                Part(
                    kind="call",
                    text=written,
                    place=self._calls.index(call),
                    id=call.id,
                    name=call.name,
                    whole=call.braces.closed,
                )
            )

    def take_message(self, message: JsonObject) -> None:
        """Take the calls of a message of chat completions, or of one piece of it; the legacy shape is read too."""
        wanted = [mapping(one) for one in sequence(message.get("tool_calls"))]
        for place, one in enumerate(wanted):
            function = mapping(one.get("function")) or mapping(one.get("custom")) or one
            index = count(one.get("index"))
            # Several in one piece are told apart by their places, where no number does it.
            if index is None and len(wanted) > 1:
                index = place
            self.take(
                index=index,
                call_id=text(one.get("id")),
                name=text(function.get("name")),
                arguments=function.get("arguments", function.get("input")),
            )
        legacy = mapping(message.get("function_call"))
        if legacy:
            self.take(index=0, name=text(legacy.get("name")), arguments=legacy.get("arguments"))

    def calls(self) -> tuple[ToolCall, ...]:
        """Return the calls in the order in which they began."""
        return tuple(call.whole() for call in self._calls if call.name or call.arguments)

    def _known(self, index: int | None, call_id: str, name: str) -> _Call | None:
        by_id = next((call for call in self._calls if call_id and call.id == call_id), None)
        if index is None:
            if by_id is not None:
                return by_id
            return self._calls[-1] if self._calls else None
        known = self._by_index.get(index)
        # A part without a name begins no call.
        return known if known is not None or name else by_id


def _is_another(call: _Call, call_id: str, name: str, arguments: str) -> bool:
    """Return whether a part begins a call of its own, under a number that a call before it has too."""
    if not name or not call.name:
        return False
    if call_id and call.id:
        return call_id != call.id
    before = call.whole()
    return (
        _object(before.arguments) is not None
        and bool(call.arguments)
        and _object(arguments) is not None
        and (before.name, before.arguments) != (name, arguments)
    )


def _arguments(pieces: Sequence[str]) -> str:
    """Return the JSON that comes in pieces; where they make none, the last may say all of it again."""
    joined = "".join(pieces)
    if len(pieces) < 2 or _object(joined) is not None:
        return joined
    again = pieces[-1].startswith(pieces[0]) and _object(pieces[-1]) is not None
    return pieces[-1] if again else joined


def _object(written: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
