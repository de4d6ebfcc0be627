"""A figure: a number with its interval."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

LEAST_WRITTEN, MOST_WRITTEN = 0.001, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its two-sided 95% interval and the rows it stands on."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def json(self) -> dict[str, float | int | None]:
        """Return the shape that every JSON answer uses for a KPI."""
        return asdict(self)


def strength(evidence: float) -> str:
    """Return how strong evidence is as people read it: three digits, in full up to a million."""
    if evidence > MOST_WRITTEN:
        return f"over {MOST_WRITTEN:,}"
    if evidence < LEAST_WRITTEN:
        return f"under {LEAST_WRITTEN}"
    if evidence < 10:
        return f"{evidence:.3g}"
    # Rounded down, so that none seems to have come up to a bound that it has not.
    return f"{math.floor(evidence):,}" if evidence >= 100 else f"{math.floor(10 * evidence) / 10:g}"
