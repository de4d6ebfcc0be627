"""How far two answers say the same."""

from __future__ import annotations

from zetaroute.answers.read import ReadAnswer


def agreement(one: ReadAnswer, other: ReadAnswer) -> float:
    """Return how far two answers agree, from 0 (different) to 1 (the same)."""
    return float(one.final == other.final)
