"""Whether it is time to learn again."""

from __future__ import annotations

from dataclasses import dataclass

from zetaroute.analysis.log_drift import LogDrift

FIRST_ROWS = 200
"""Graded rows that a first version is worth trying with."""
LEAST_ROWS = 100
GROWTH = 0.2
"""Share of its training rows that must have come since a version was learned to learn again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """Whether it is time to learn again, and why or why not."""

    stale: bool
    words: str


def staleness(found: LogDrift, *, min_rows: int | None = None) -> Staleness:
    """Return whether to learn again: enough new graded rows (`min_rows`, or a share of the old), or drift."""
    if found.version is None:
        wanted = FIRST_ROWS if min_rows is None else min_rows
    elif min_rows is None:
        wanted = max(LEAST_ROWS, round(GROWTH * found.learned_from))
    else:
        wanted = min_rows
    count = f"{found.new_graded} new graded rows, {wanted} wanted"
    if found.reasons:
        return Staleness(stale=True, words=found.line)
    return Staleness(stale=found.new_graded >= max(wanted, 1), words=f"{count}; {found.line}")
