"""Means and spreads of groups of rows, each known by three sums: what SQL adds up, pooled into figures.

Apart from `confidence`, whose figures start from rows: here a group of one row and one of a million cost the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.domain import Figure
from zetaroute.evaluate.confidence import NOTHING, t_quantile, wilson

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """One quantity in g groups of rows, arrays (g,); rows where it is unknown are not counted."""

    n: Array
    mean: Array
    """Anything where n is 0."""
    squares: Array
    """Sum of the squared deviations from the group's mean."""

    @classmethod
    def of(cls, values: Array, rows: Array | None = None) -> Moments:
        """Return groups of `rows` (g,) equal values each, NaN where unknown; without `rows`, of one each."""
        known = ~np.isnan(values)
        return cls(
            n=np.where(known, 1.0 if rows is None else rows, 0.0),
            mean=values,
            squares=np.zeros(len(values)),
        )

    def take(self, chosen: Mask) -> Moments:
        """Return some of the groups."""
        return Moments(n=self.n[chosen], mean=self.mean[chosen], squares=self.squares[chosen])

    def where(self, counts: Mask) -> Moments:
        """Return the same groups, of which only those count that `counts` (g,)."""
        return Moments(n=np.where(counts, self.n, 0.0), mean=self.mean, squares=self.squares)

    def figure(self, weights: Array | None = None, *, least: float = -math.inf) -> Figure:
        """Return the mean over all rows with its t interval; `weights` (g,) re-weight the rows (linearised variance).

        `least` is the smallest value that the quantity can have: the interval does not go below it.
        """
        known = self.take(self.n > 0)
        n = int(known.n.sum())
        if n == 0:
            return NOTHING
        weight = np.ones(len(known.n)) if weights is None else weights[self.n > 0]
        share = weight / float(weight @ known.n)
        mean = float((share * known.n) @ known.mean)
        if n == 1:
            return Figure(value=mean, low=None, high=None, n=1)
        spread = known.squares + known.n * (known.mean - mean) ** 2
        half = t_quantile(0.975, n - 1) * math.sqrt(float(share**2 @ spread) * n / (n - 1))
        return Figure(value=mean, low=max(mean - half, least), high=mean + half, n=n)

    def share(self) -> Figure:
        """Return the mean of values in 0..1 over all rows with Wilson's interval."""
        known = self.take(self.n > 0)
        n = int(known.n.sum())
        return wilson(float(known.n @ known.mean) / n, n, n) if n else NOTHING


def ratio(top: Moments, bottom: Array) -> Figure:
    """Return the sum of `top` over that of `bottom`, which is one value (g,) for all rows of a group, NaN unknown.

    Over the rows that have both; the interval by the delta method.
    """
    both = (top.n > 0) & ~np.isnan(bottom)
    top, bottom = top.take(both), bottom[both]
    n = int(top.n.sum())
    below = float(top.n @ bottom)
    if n < 2 or below <= 0:
        return Figure(value=None, low=None, high=None, n=n)
    value = float(top.n @ top.mean) / below
    residual = top.mean - value * bottom
    about = residual - float(top.n @ residual) / n
    variance = float(top.squares.sum() + top.n @ about**2) / (n - 1)
    half = t_quantile(0.975, n - 1) * math.sqrt(variance) / (math.sqrt(n) * below / n)
    return Figure(value=value, low=value - half, high=value + half, n=n)
