"""The bytes of an answer, turned into a draft.

What the server was asked for does not matter: servers answer a stream request with plain JSON and the other way
round, under any content type, so the first byte decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zetaroute.providers.call_errors import Faults
from zetaroute.wire.draft import Draft
from zetaroute.wire.events import Event, EventDecoder
from zetaroute.wire.json_values import JsonObject, mapping, parse
from zetaroute.wire.pieces import Part

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

    def __init__(
        self, *, take: Take, draft: Draft, faults: Faults, content_type: str, framed: bool = False
    ) -> None:
        """Begin to read; `framed` says that HTTP itself tells a whole body from one that broke off."""
        self._events: EventDecoder | None = None
        self._take = take
        self._draft = draft
        self._faults = faults
        self._content_type = content_type
        self._framed = framed
        self._size = 0
        self._body: list[bytes] = []
        self._begun = False

    @property
    def streamed(self) -> bool:
        """Whether the answer comes in pieces."""
        return self._events is not None

    def feed(self, chunk: bytes) -> Iterator[str | Part]:
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

    def close(self) -> Iterator[str | Part]:
        """Yield what the last bytes hold; raises ProviderError unless the answer is complete."""
        if self._events is None:
            yield from self._whole()
            return
        for event in self._events.close():
            # Half an event is what a cut stream ends with.
            if _is_complete(event):
                yield from self._read(event)
        # Some servers say nothing at the end, but end their body as HTTP wants it.
        self._draft.finished = self._draft.finished or (self._framed and self._draft.steps > 0)
        if not self._draft.finished:
            raise self._faults.truncated()

    def _is_event_stream(self, start: bytes) -> bool:
        if not start or start[:1] in b"{[":
            return False
        return "event-stream" in self._content_type or start[:1] in _EVENT_STREAM_STARTS

    def _read(self, event: Event) -> Iterator[str | Part]:
        if event.data.strip() == _SIGN_OFF:
            self._draft.finished = self._draft.signed_off = True
            return
        try:
            payload = parse(event.data)
        except ValueError:
            if event.name == "error":
                raise self._faults.payload(event.data) from None
            raise self._faults.malformed("an event of its stream is not JSON") from None
        yield from self._told(self._accept(mapping(payload)))

    def _whole(self) -> Iterator[str | Part]:
        try:
            payload = parse(b"".join(self._body).decode("utf-8-sig", "replace"))
        except ValueError:
            kind = self._content_type or "nothing in particular"
            raise self._faults.malformed(f"it is not JSON but {kind}") from None
        text = self._accept(mapping(payload))
        if text is None:
            raise self._faults.malformed("it does not have the shape of an answer")
        self._draft.finished = True
        yield from self._told(text)

    def _told(self, text: str | None) -> Iterator[str | Part]:
        before, calls = self._draft.new_parts()
        yield from before
        if text:
            yield text
        yield from calls

    def _accept(self, payload: JsonObject) -> str | None:
        # A failure may be billed too.
        self._draft.usage.take(payload)
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
