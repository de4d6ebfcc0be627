"""Events are the same however the bytes are cut."""

from __future__ import annotations

import pytest

from zetaroute.wire.events import Event, EventDecoder


def decoded(*chunks: bytes) -> list[Event]:
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*events, *decoder.close()]


def message(data: str, name: str = "message") -> Event:
    return Event(name=name, data=data)


@pytest.mark.parametrize(
    ("raw", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [message("a"), message("b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [message("a"), message("b")]),
        (b"data: a\r\rdata: b\r\r", [message("a"), message("b")]),
        (b"data: a\ndata: b\n\n", [message("a\nb")]),
        (b"data:a\n\ndata:  b\n\n", [message("a"), message(" b")]),
        (b"data\n\n", [message("")]),
        (b": keep-alive\n\n:\n\ndata: a\n\n: ping\n\n", [message("a")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [message("a", "error"), message("b")]),
        (b"event: ping\n\nid: 7\nretry: 10\nstrange: x\ndata: a\n\n", [message("a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [message("a")]),
        (b"data: no empty line at the end", [message("no empty line at the end")]),
        ("data: \u2028 é 😀\n\n".encode(), [message("\u2028 é 😀")]),
        (b"data: \xff\n\n", [message("\ufffd")]),
        (b"", []),
        (b"\n\n\n", []),
    ],
)
def test_events_do_not_depend_on_where_the_bytes_are_cut(raw: bytes, events: list[Event]) -> None:
    assert decoded(raw) == events
    assert decoded(*(raw[i : i + 1] for i in range(len(raw)))) == events
    for cut in range(len(raw)):
        assert decoded(raw[:cut], raw[cut:]) == events


def test_a_line_of_many_chunks_is_read_in_linear_time() -> None:
    chunks = [b"data: ", *([b"x" * 1000] * 10_000), b"\n\n"]
    assert decoded(*chunks) == [message("x" * 10_000_000)]
