"""What of an answer comes beside its text, while it arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

PartKind = Literal["thinking", "signature", "call", "block", "item", "logprobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of thinking, of a tool call, or what one format has: a block, an item of Responses, logprobs."""

    kind: PartKind
    text: str = ""
    """The thinking, its signature, or JSON of a call's arguments."""
    place: int = 0
    """Which of the answer's calls, from 0."""
    id: str = ""
    """With every part of a call, and of an item; empty where the server gives none."""
    name: str = ""
    """With every part of a call."""
    whole: bool = False
    """Whether the arguments of the call, or the item, are complete with it."""
    block: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceTaker:
    """Takes text, as any `on_text` does, and also the parts of the kinds that it names."""

    take: Callable[[str | Part], None]
    kinds: frozenset[PartKind]

    def __call__(self, piece: str | Part) -> None:
        """Take the next piece."""
        self.take(piece)


def piece_taker_like(on_text: Callable[[str], None], take: Callable[[Any], None]) -> Callable[[str], None]:
    """Return a taker of the same kinds of pieces as `on_text` that gives them to `take`."""
    return PieceTaker(take=take, kinds=on_text.kinds) if isinstance(on_text, PieceTaker) else take


class Braces:
    """Follows JSON that comes in pieces, to know when its first object is complete."""

    def __init__(self) -> None:
        self.closed = False
        self._depth = 0
        self._quoted = self._escaped = False

    def feed(self, piece: str) -> None:
        """Take the next piece."""
        for letter in piece:
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped, self._quoted = letter == "\\", letter != '"'
            elif letter == '"':
                self._quoted = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                self.closed = self.closed or self._depth <= 0
