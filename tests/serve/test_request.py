"""What a body of a chat request means."""

from __future__ import annotations

import pytest

from zetaroute.serve.errors import ApiError
from zetaroute.serve.request import MOST_MESSAGES, read_chat


def test_an_unnamed_conversation_is_known_from_its_first_turn_on(settings):
    def known_as(*words: str) -> str:
        turns = [
            {"role": "assistant" if place % 2 else "user", "content": word}
            for place, word in enumerate(words)
        ]
        return read_chat({"model": "auto", "messages": turns}, settings).known_as

    first = known_as("my secret is 42")
    assert known_as("my secret is 42", "ok", "go on") == first
    assert known_as("another", "ok", "my secret is 42") != first


def test_a_body_of_too_many_messages_is_refused(settings):
    turns = [{"role": "user", "content": "x"}] * (MOST_MESSAGES + 1)
    assert read_chat({"model": "auto", "messages": turns[1:]}, settings).query.text == "x"
    with pytest.raises(ApiError, match="more than 10000"):
        read_chat({"model": "auto", "messages": turns}, settings)


@pytest.mark.parametrize("metadata", [{"task": "t" * 1001}, {str(place): "x" for place in range(65)}])
def test_names_of_any_size_are_refused(settings, metadata):
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(ApiError, match="metadata may hold"):
        read_chat({**body, "metadata": metadata}, settings)
    with pytest.raises(ApiError, match="1000 characters"):
        read_chat(body, settings, conversation="c" * 1001)
    assert read_chat({**body, "metadata": {"task": "t" * 1000}}, settings).query.task == "t" * 1000
