"""One value that is kept as long as what it was made of stays: predictors share how, and not what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Latest(Generic[Key, Value]):
    """What was worked out last: for most queries the same arms stand as they stood for the one before."""

    def __init__(self) -> None:
        self._held: tuple[Key, Value] | None = None

    def of(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made unless it is the key of the last time."""
        held = self._held
        if held is None or held[0] != key:
            held = self._held = (key, make())
        return held[1]
