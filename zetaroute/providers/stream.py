"""The bytes of an answer, turned into a draft.

It lives apart from the connection so that it needs none, and apart from the wire formats because they
differ only in what a JSON object means. What the server was asked for does not matter here: servers answer
a stream request with plain JSON and the other way round, under any content type, so the first byte decides.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from zetaroute.domain import Arm, Completion, Query, ToolCall, text_tokens, tool_calls_as_text
from zetaroute.providers.base import JsonObject, call_cost_usd, mapping, parse
from zetaroute.providers.errors import Faults


@dataclass(slots=True, kw_only=True)
class Draft:
    """What has arrived of one answer."""

    pieces: list[str] = field(default_factory=list)
    finished: bool = False
    """The server has said that the answer is complete."""
    error: object = None
    """What the server sent in place of the answer's text."""
    first_text_at: float | None = None
    """Moment of the first piece (`time.perf_counter`); None while the answer comes in one piece."""
    begun: bool = False
    """The model has begun to write, be it thoughts or the answer."""
    served_model: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    """Cached ones included."""
    cached_tokens: int | None = None
    output_tokens: int | None = None
    calls: dict[int, ToolCall] = field(default_factory=dict)
    """Tools that the model wants to be called, by their place in the answer."""
    half: str = ""
    """The first half of a character that a server cut in two UTF-16 escapes."""

    @property
    def text(self) -> str:
        """The answer so far; without a word, the tool calls that came in its place, as JSON."""
        words = "".join(self.pieces)
        if words.strip() or not self.calls:
            return words
        return tool_calls_as_text(self.tool_calls)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in their order."""
        return tuple(call for _, call in sorted(self.calls.items()))

    @property
    def is_answer(self) -> bool:
        """Whether this is all of an answer, and more than white space; tool calls are one too."""
        return self.finished and bool(self.text.strip())

    def call(self, place: int, *, name: str = "", arguments: str = "", call_id: str = "") -> None:
        """Take a tool call, or the next part of one."""
        known = self.calls.get(place, ToolCall(name="", arguments=""))
        self.calls[place] = ToolCall(
            name=known.name + name, arguments=known.arguments + arguments, id=known.id or call_id
        )
        self.begun = True

    def add(self, piece: str) -> str:
        """Append `piece` and return it as it may be shown: lone surrogates can be neither printed nor stored."""
        piece = self.half + piece
        self.half = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
        piece = piece.removesuffix(self.half)
        piece = piece.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self.pieces.append(piece)
        self.begun = self.begun or bool(piece)
        return piece

    def completion(self, arm: Arm, query: Query, *, started_at: float, ended_at: float) -> Completion:
        """Return the answer as the domain knows it; tokens that the server did not count are estimated."""
        # A count of zero means that nobody counted.
        input_tokens, output_tokens = self.input_tokens or None, self.output_tokens or None
        estimated = input_tokens is None or output_tokens is None
        input_tokens = query.tokens() if input_tokens is None else input_tokens
        output_tokens = text_tokens(self.text) if output_tokens is None else output_tokens
        return Completion(
            text=self.text,
            served_model=self.served_model,
            finish_reason=self.finish_reason,
            ttft_s=None if self.first_text_at is None else self.first_text_at - started_at,
            response_s=ended_at - started_at,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=self.cached_tokens,
            tool_calls=self.tool_calls,
            tokens_estimated=estimated,
            cost_usd=call_cost_usd(
                arm,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cached_tokens=self.cached_tokens,
            ),
        )


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


LONGEST_ANSWER = 20_000_000
"""Bytes: no answer is longer than this; a server gone wild is."""

Take = Callable[[JsonObject, Draft], str | None]
"""Fills a draft from one JSON object of a wire format and returns the text that came with it.

None says that the object does not belong to an answer of this format.
"""

_SIGN_OFF = "[DONE]"

_EVENT_STREAM_STARTS = b":deir"
"""First letters of a comment and of the fields data, event, id and retry."""


class Reading:
    """Reads one answer."""

    def __init__(self, *, take: Take, draft: Draft, faults: Faults, content_type: str) -> None:
        self._events: EventDecoder | None = None
        self._take = take
        self._draft = draft
        self._faults = faults
        self._content_type = content_type
        self._size = 0
        self._body: list[bytes] = []
        self._begun = False

    @property
    def streamed(self) -> bool:
        """Whether the answer comes in pieces."""
        return self._events is not None

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the pieces of text that `chunk` completes; raises ProviderError for what cannot be used."""
        self._size += len(chunk)
        if self._size > LONGEST_ANSWER:
            raise self._faults.malformed(f"it is longer than {LONGEST_ANSWER // 1_000_000} MB")
        if not self._begun:
            chunk = chunk.lstrip()
            self._begun = bool(chunk)
            if self._is_event_stream(chunk):
                self._events = EventDecoder()
        if self._events is None:
            self._body.append(chunk)
            return
        for event in self._events.feed(chunk):
            yield from self._read(event)

    def close(self) -> Iterator[str]:
        """Yield what the last bytes hold; raises ProviderError unless the answer is complete."""
        if self._events is None:
            yield from self._whole()
            return
        for event in self._events.close():
            # Half an event is what a cut stream ends with.
            if _is_complete(event):
                yield from self._read(event)
        if not self._draft.finished:
            raise self._faults.truncated()

    def _is_event_stream(self, start: bytes) -> bool:
        if not start or start[:1] in b"{[":
            return False
        return "event-stream" in self._content_type or start[:1] in _EVENT_STREAM_STARTS

    def _read(self, event: Event) -> Iterator[str]:
        if event.data.strip() == _SIGN_OFF:
            self._draft.finished = True
            return
        try:
            payload = parse(event.data)
        except ValueError:
            if event.name == "error":
                raise self._faults.payload(event.data) from None
            raise self._faults.malformed("an event of its stream is not JSON") from None
        text = self._accept(mapping(payload))
        if text:
            yield text

    def _whole(self) -> Iterator[str]:
        try:
            payload = parse(b"".join(self._body).decode("utf-8-sig", "replace"))
        except ValueError:
            kind = self._content_type or "nothing in particular"
            raise self._faults.malformed(f"it is not JSON but {kind}") from None
        text = self._accept(mapping(payload))
        if text is None:
            raise self._faults.malformed("it does not have the shape of an answer")
        self._draft.finished = True
        if text:
            yield text

    def _accept(self, payload: JsonObject) -> str | None:
        error = _error_in(payload)
        text = None if error else self._take(payload, self._draft)
        if error or self._draft.error:
            raise self._faults.payload(error or self._draft.error)
        return None if text is None else self._draft.add(text)


def _error_in(payload: JsonObject) -> object:
    """Return the error that came in place of an answer: some servers say 200 first and find out later."""
    if "error" in (payload.get("type"), payload.get("object")):
        return payload.get("error") or payload
    return payload.get("error")


def _is_complete(event: Event) -> bool:
    try:
        parse(event.data)
    except ValueError:
        return event.data.strip() == _SIGN_OFF
    return True
