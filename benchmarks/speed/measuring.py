"""What every measurement shares: figures with a reference, and repeats that take turns.

The contestants take turns within every repeat, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Timed = Callable[[], float]
"""Does one piece of work and returns the seconds that it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured beside that of a reference, in seconds or in the unit that is named."""

    what: str
    value: float
    reference: str
    beside: float | None
    """None where the reference was not measured."""
    note: str = ""
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """How many times the reference's it is."""
        return self.value / self.beside if self.beside else None


def timed(work: Callable[[], object]) -> Timed:
    """Return the same work as one that returns its seconds."""

    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


def medians(contestants: Mapping[str, Timed], repeats: int) -> dict[str, float]:
    """Return the median seconds of every contestant over `repeats` turns, after one that does not count."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, contestant in contestants.items():
            seconds = contestant()
            if turn:
                found[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in found.items()}
