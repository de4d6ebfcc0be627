"""Every shape that servers answer in means the same however its bytes are cut."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from zetaroute.domain import Arm, tool_calls_as_text
from zetaroute.providers.call_errors import Faults
from zetaroute.providers.stream import Reading
from zetaroute.wire.anthropic import take_messages
from zetaroute.wire.chat_completions import take_chat
from zetaroute.wire.draft import Draft
from zetaroute.wire.pieces import Part
from zetaroute.wire.responses import take_responses

from .rewording import reordered, split
from .shapes import SHAPES, STREAMS, Shape

FAULTS = Faults(arm=Arm(id="a/m", provider="openai", model="m"), url="http://here/v1")
TAKES = {"openai": take_chat, "anthropic": take_messages, "responses": take_responses}


def read(shape: Shape, cuts: list[int] | None = None) -> tuple[Draft, str, dict[int, Part]]:
    """Return the draft of a body that comes cut at these places, what of it was shown, and its calls as they came."""
    draft, pieces = Draft(), list[str | Part]()
    reading = Reading(take=TAKES[shape.format], draft=draft, faults=FAULTS, content_type="")
    for start, end in pairwise([0, *sorted(cuts or ()), len(shape.raw)]):
        pieces += reading.feed(shape.raw[start:end])
    pieces += [*reading.close(), draft.flush()]
    calls: dict[int, Part] = {}
    for part in pieces:
        if isinstance(part, Part) and part.kind == "call":
            before = calls.get(part.place)
            calls[part.place] = dataclasses.replace(part, text=(before.text if before else "") + part.text)
    return draft, "".join(piece for piece in pieces if isinstance(piece, str)), calls


def check(shape: Shape, cuts: list[int] | None = None) -> None:
    draft, _, calls = read(shape, cuts)
    assert draft.is_answer
    assert draft.usage.usage() == shape.usage
    assert draft.calls.calls() == shape.calls
    for place, part in calls.items():
        assert part.name == shape.calls[place].name
        # The rest is told at the end.
        assert shape.calls[place].arguments.startswith(part.text)
    only_calls = shape.calls and shape.text == "Yes." and not draft.has_text
    assert draft.text() == (tool_calls_as_text(shape.calls) if only_calls else shape.text)
    assert draft.thinking() == shape.thinking
    reason = shape.finish_reason
    assert draft.finish_reason in ({reason, "tool_calls"} if shape.calls else {reason})


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_what_a_shape_means(shape: Shape) -> None:
    check(shape)


def test_there_are_enough_shapes_and_each_has_a_name_of_its_own() -> None:
    assert len(SHAPES) >= 60
    assert len({(shape.name, shape.streamed, shape.calls != ()) for shape in SHAPES}) == len(SHAPES)


@given(st.sampled_from(SHAPES), st.data())
@settings(max_examples=100)
def test_it_means_the_same_however_it_is_cut(shape: Shape, data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(shape.raw)), max_size=12)
    check(shape, data.draw(places))


@given(st.sampled_from([shape for shape in SHAPES if shape.streamed]), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_it_means_the_same_in_smaller_pieces_and_any_order_that_is_free(shape: Shape, random: Random) -> None:
    changed = dataclasses.replace(shape, events=reordered(shape, split(shape, random), random))
    places = [random.randint(0, len(changed.raw)) for _ in range(random.randint(0, 4))]
    check(changed, places)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_it_means_the_same_byte_by_byte(shape: Shape) -> None:
    check(shape, list(range(len(shape.raw))))


@pytest.mark.parametrize(
    "shape", [s for s in STREAMS if s.name != "a mark that opened in the prompt"], ids=lambda s: s.name
)
def test_what_is_shown_is_the_answer_alone(shape: Shape) -> None:
    draft, shown, _ = read(shape)
    assert shown == draft.text() == shape.text
