"""The part of an answer that is meant for the reader, at a length that can be read closely.

It lives apart because the graders that look for a final answer (choice, number, json) all start from it.
"""

from __future__ import annotations

HALF = 6_000
"""Characters kept of the head and of the tail of a long answer: a final answer stands in one or the other."""

_THINKING = ("think", "thinking")


def without_thinking(answer: str) -> str:
    """Return what follows a model's marked thinking; thinking that never ended hides what follows it."""
    for tag in _THINKING:
        answer = answer.rpartition(f"</{tag}>")[2].partition(f"<{tag}>")[0]
    return answer


def excerpt(text: str) -> str:
    """Return the text, or its first and last 6,000 characters when it is longer than both."""
    return text if len(text) <= 2 * HALF else f"{text[:HALF]}\n{text[-HALF:]}"
