"""What a body of a chat request means."""

from __future__ import annotations

from zetaroute.serve.request import read_chat


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
