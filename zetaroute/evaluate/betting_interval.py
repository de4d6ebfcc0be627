"""The interval of a gain that holds however often it was looked at, and so at the moment of a promotion too."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Figure
from zetaroute.evaluate.e_process import GAINS, log_evidence

LEFT_OUT_AT = 40.0
"""Evidence against a gain that leaves it out: 2 / alpha, since gains above and below are left out."""
STEPS = 40


def betting_interval(
    gain: Array,
    loss: Array,
    paired: Mask,
    variance: Array,
    worst_gain: Array,
    worst_loss: Array,
    *,
    point: float,
) -> Figure:
    """Return the mean gain per query of n lines of evidence with its 95% interval, valid at every look.

    All gains m that are left where the bets on psi - m and on m - psi stay below 40 (Waudby-Smith & Ramdas 2024),
    with arrays (n,) as `log_evidence` takes them: `gain` and -`loss` are psi but for grades that never came, which
    widen the interval to both sides. A `point` is what a hundredth of an answer is worth. An end that no evidence
    draws is where no gain can be.
    """
    n = len(gain)
    if not n:
        return Figure(value=None, low=None, high=None, n=0)
    deltas = point * np.array(GAINS)
    value = float((gain - loss).mean()) / 2.0

    def too_low(m: float) -> bool:
        return _left_out(log_evidence(gain - m, paired, variance, worst_gain + abs(m), deltas))

    def too_high(m: float) -> bool:
        return _left_out(log_evidence(loss + m, paired, variance, worst_loss + abs(m), deltas))

    return Figure(
        value=value,
        low=_edge(too_low, inside=value, outside=min(value, -float(worst_gain.min()))),
        high=_edge(too_high, inside=value, outside=max(value, float(worst_loss.min()))),
        n=n,
    )


def _left_out(log: Array) -> bool:
    return float(log[-1]) >= math.log(LEFT_OUT_AT)


def _edge(left_out: Callable[[float], bool], *, inside: float, outside: float) -> float:
    """Return the first value on the way from `inside` to `outside` that is left out; `outside` where none is."""
    if not left_out(outside):
        return outside
    for _ in range(STEPS):
        middle = (inside + outside) / 2.0
        inside, outside = (inside, middle) if left_out(middle) else (middle, outside)
    return outside
