"""An answer without the thinking that a model marked as such."""

from __future__ import annotations

_TAGS = ("think", "thinking")


def without_thinking(answer: str) -> str:
    """Return what follows a model's marked thinking; thinking that never ended hides what follows it."""
    for tag in _TAGS:
        answer = answer.rpartition(f"</{tag}>")[2].partition(f"<{tag}>")[0]
    return answer
