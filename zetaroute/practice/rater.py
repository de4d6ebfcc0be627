"""A simulated person who sometimes rates an answer."""

from __future__ import annotations

from random import Random

AUTHOR = "simulated"
_RATED_SHARE = 0.4
_WRONG, _RIGHT = 1.7, 4.6
_PATIENCE_S = 0.05
_MOST_LOST = 0.8
"""Points that a rating loses to waiting, however long the wait."""
_NOISE = 0.7


def simulated_rating(rng: Random, *, accuracy: float, response_s: float) -> int | None:
    """Draw a rating 1 to 5, or None for the three in five answers that are left unrated.

    `accuracy` is 0 to 1; waiting takes off up to `_MOST_LOST` points, half of them after `_PATIENCE_S`.
    """
    if rng.random() >= _RATED_SHARE:
        return None
    waited = response_s / (response_s + _PATIENCE_S) if response_s > 0 else 0.0
    mood = _WRONG + (_RIGHT - _WRONG) * accuracy - _MOST_LOST * waited + rng.gauss(0.0, _NOISE)
    return min(5, max(1, round(mood)))
