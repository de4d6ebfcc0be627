"""The final answer of a text, found without knowing the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["empty", "choice", "number", "boolean", "calls", "json", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """What an answer settles on."""

    kind: Kind
    value: Any
    """Equal for answers that say the same in other words."""
    cued: bool = False
    """Whether the text marks it as its answer, by a box, a tag or words."""


def final_of(text: str, query: str) -> Final:
    """Return what a text settles on."""
    folded = " ".join(text.casefold().split())
    return Final(kind="text" if folded else "empty", value=folded)
