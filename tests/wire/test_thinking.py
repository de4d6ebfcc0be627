"""Thinking whose opening mark stood in the prompt is held until its end comes."""

from __future__ import annotations

import pytest

from zetaroute.wire.thinking import ThinkingSplitter


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("Let me see.\n</think>\n\nYes.", "Let me see.\n", "Yes."),
        ("</think>Yes.", "", "Yes."),
        ("<think>Let me see.</think>Yes.", "Let me see.", "Yes."),
        ("Yes, with nothing before it.", "", "Yes, with nothing before it."),
        ("", "", ""),
    ],
)
def test_what_comes_before_the_closing_mark_is_thinking(
    text: str, thoughts: str, answer: str, size: int
) -> None:
    splitter = ThinkingSplitter(opened=True)
    shown = "".join(splitter.feed(text[start : start + size]) for start in range(0, len(text), size))
    assert shown + splitter.flush() == answer
    assert "".join(splitter.thoughts) == thoughts
