"""A figure: a number with its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its two-sided 95% interval and the rows it stands on."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def json(self) -> dict[str, float | int | None]:
        """Return the shape that every JSON answer uses for a KPI."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}
