"""One streamed answer, whatever format it comes in, is the same in every format that it is passed on in."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from zetaroute.domain import Arm, Completion, Query
from zetaroute.providers.arrival import Arrival
from zetaroute.providers.call_errors import Faults
from zetaroute.providers.stream import Reading, Take
from zetaroute.wire.anthropic import take_messages
from zetaroute.wire.chat_completions import take_chat
from zetaroute.wire.doors.chat_door import CHAT
from zetaroute.wire.doors.door import Door, Inbound, Reply, finish_reason
from zetaroute.wire.doors.messages_door import MESSAGES
from zetaroute.wire.doors.responses_door import RESPONSES
from zetaroute.wire.pieces import Part
from zetaroute.wire.responses import take_responses

from .rewording import split
from .shapes import SHAPES, Shape

ARM = Arm(id="a/m", provider="openai", model="m")
FAULTS = Faults(arm=ARM, url="http://here/v1")
TAKES: dict[str, Take] = {"openai": take_chat, "anthropic": take_messages, "responses": take_responses}
DOORS: dict[str, Door] = {"openai": CHAT, "anthropic": MESSAGES, "responses": RESPONSES}
ASKED = Inbound(turns=(), options={}, model="auto", include_usage=True)
STREAMED = [shape for shape in SHAPES if shape.streamed]


def arrived(raw: bytes, take: Take) -> tuple[Completion, list[str | Part]]:
    """Return what a server's bytes come to, and the pieces on the way."""
    arrival, pieces = Arrival(), list[str | Part]()
    reading = Reading(take=take, draft=arrival.draft, faults=FAULTS, content_type="text/event-stream")
    pieces += [*reading.feed(raw), *reading.close(), arrival.draft.flush()]
    return arrival.completion(ARM, Query(text="?"), started_at=0.0), pieces


def passed_on(done: Completion, pieces: list[str | Part], name: str) -> bytes:
    """Return the bytes of a stream in a format."""
    door = DOORS[name]
    stream = door.stream(ASKED, answer_id="a", created=0, model="m")
    taken = [piece for piece in pieces if isinstance(piece, str) or piece.kind in door.kinds]
    reply = Reply(id="a", created=0, model="m", done=done, facts={}, inbound=ASKED)
    return stream.start() + b"".join(map(stream.piece, taken)) + stream.end(reply)


@pytest.mark.parametrize("name", DOORS)
@settings(max_examples=4)
@given(random=st.randoms(use_true_random=False))
def test_every_stream_is_the_same_in_every_format(name: str, random: Random) -> None:
    for shape in STREAMED:
        told = Shape(name=shape.name, format=shape.format, events=tuple(split(shape, random)))
        done, pieces = arrived(told.raw, TAKES[shape.format])
        again, _ = arrived(passed_on(done, pieces, name), TAKES[name])
        custom = any(one.kind == "item" and one.name for one in pieces if isinstance(one, Part))
        wanted = [(call.name, call.arguments) for call in done.tool_calls]
        assert custom or sorted((call.name, call.arguments) for call in again.tool_calls) == sorted(wanted)
        assert again.words == done.words, shape.name
        assert finish_reason(again) == finish_reason(done), shape.name
        assert (again.input_tokens, again.output_tokens) == (done.input_tokens, done.output_tokens)
        if name != "openai":
            assert again.thinking == done.thinking, shape.name


def test_what_a_server_has_sealed_reaches_clients_of_its_format_under_its_id() -> None:
    (shape,) = (one for one in STREAMED if one.name == "Responses, pieces, thoughts and counts")
    done, pieces = arrived(shape.raw, take_responses)
    again, _ = arrived(passed_on(done, pieces, "responses"), take_responses)
    assert again.blocks[0] == done.blocks[0]
    assert again.blocks[0]["encrypted_content"] == "sealed"
    messages, _ = arrived(passed_on(done, pieces, "anthropic"), take_messages)
    assert messages.thinking == "hm"
