"""Server-sent events: out of bytes, however they are cut, and into bytes."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: its name (`message` unless the server named it) and its data."""

    name: str
    data: str


class EventDecoder:
    """Takes bytes as they come and gives the events that they complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._partial: list[str] = []
        self._after_cr = False
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that `chunk` completes."""
        for line in self._lines(self._decoder.decode(chunk)):
            yield from self._take(line)

    def close(self) -> Iterator[Event]:
        """Yield what the last bytes hold: not every server ends its last event with an empty line."""
        rest = self._decoder.decode(b"", final=True)
        for line in ("".join((*self._partial, rest)), ""):
            yield from self._take(line)

    def _lines(self, text: str) -> list[str]:
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
            self._after_cr = False
        if text:
            self._after_cr = text.endswith("\r")
        *whole, rest = _LINE_END.split(text)
        if not whole:
            self._partial.append(rest)
            return []
        whole[0] = "".join((*self._partial, whole[0]))
        self._partial = [rest]
        return whole

    def _take(self, line: str) -> Iterator[Event]:
        if not line:
            if self._data:
                yield Event(name=self._name or "message", data="\n".join(self._data))
            self._name, self._data = "", []
            return
        # A comment starts with a colon, so its field has no name; servers send them to keep a line alive.
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
        elif field == "event":
            self._name = value.removeprefix(" ")


def event(payload: Mapping[str, Any], name: str | None = None) -> bytes:
    """Return the bytes of one event of a stream."""
    head = b"" if name is None else f"event: {name}\n".encode()
    return head + b"data: " + json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
