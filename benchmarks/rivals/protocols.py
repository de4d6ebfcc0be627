"""What a rival must be able to do, and how it is entered into the comparison.

Every rival is one small adapter behind these; the marking knows nothing else of it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Rival(Protocol):
    """Something that chooses one of K models for a query, after it has learned."""

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return the model (n,) held best for every query, without exploring; x are its vectors (n, D)."""
        ...


class Taught(Rival, Protocol):
    """A rival that learns from every model's outcome at once."""

    def fit(self, x: Array, utility: Array) -> None:
        """Learn from vectors (n, D) and the utility of every model (n, K), in values of an answer."""
        ...


class Streamed(Rival, Protocol):
    """A rival that learns while it serves, from the outcome of the model it has drawn."""

    def draw(self, text: str, x: Array) -> int:
        """Return the model for one query with the vector x (D,), exploring as the rival does."""
        ...

    def learn(self, text: str, x: Array, arm: int, reward: float) -> None:
        """Take in the reward, 0..1, of the model that was just drawn for this query."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtEntry:
    """One line of the table of full information."""

    name: str
    make: Callable[[int], Taught]
    """Takes a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedEntry:
    """One line of the table of partial feedback."""

    name: str
    make: Callable[[int, int, int], Streamed]
    """Takes the number of models, the size of the vectors and a seed."""
    package: str | None = None
    """The distribution that it needs; None for our own."""

    def version(self) -> str | None:
        """Return the installed version of its package; None where it is not installed."""
        if self.package is None:
            return ""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None
