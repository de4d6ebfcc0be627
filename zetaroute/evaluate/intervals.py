"""Intervals for one sample: means, shares and quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Figure

Z = 1.959963984540054
NOTHING = Figure(value=None, low=None, high=None, n=0)


def t_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t distribution; `degrees` may be infinite."""
    from scipy.special import stdtrit

    return float(stdtrit(max(min(degrees, 1e9), 1.0), probability))


def mean_figure(values: Array) -> Figure:
    """Return the mean with its t interval."""
    x = values[~np.isnan(values)]
    n = len(x)
    if n == 0:
        return NOTHING
    mean = float(x.mean())
    if n == 1:
        return Figure(value=mean, low=None, high=None, n=1)
    half = t_quantile(0.975, n - 1) * float(x.std(ddof=1)) / math.sqrt(n)
    return Figure(value=mean, low=mean - half, high=mean + half, n=n)


def wilson(p: float, worth: float, n: int, *, quantile: float = Z) -> Figure:
    """Return a share with Wilson's interval (Wilson 1927) for a sample `worth` so many rows, standing on `n`.

    Exact 0 and 1 get a width too. For graded scores between 0 and 1 the binomial variance is an upper bound, so the
    interval is safe.
    """
    square = quantile * quantile
    centre = (p + square / (2 * worth)) / (1 + square / worth)
    half = quantile * math.sqrt(p * (1 - p) / worth + square / (4 * worth * worth)) / (1 + square / worth)
    return Figure(value=p, low=max(0.0, min(p, centre - half)), high=min(1.0, max(p, centre + half)), n=n)


def quantile_figures(values: Array, *probabilities: float) -> tuple[Figure, ...]:
    """Return quantiles, each with the interval between two order statistics (Woodruff 1952)."""
    # The NaN go to the end.
    ordered = np.sort(values)
    known = ordered[: len(values) - int(np.isnan(values).sum())]
    return tuple(_quantile(known, probability) for probability in probabilities)


def _quantile(x: Array, probability: float) -> Figure:
    """Return a quantile of sorted values."""
    n = len(x)
    if n == 0:
        return NOTHING
    half = Z * math.sqrt(n * probability * (1 - probability))
    low, high = math.floor(n * probability - half) - 1, math.ceil(n * probability + half)
    return Figure(
        value=float(np.quantile(x, probability)),
        low=float(x[low]) if low >= 0 else None,
        high=float(x[high]) if high < n else None,
        n=n,
    )


def difference_figure(after: Figure, before: Figure) -> Figure:
    """Return after - before for independent samples, interval by MOVER (Zou & Donner 2008).

    Uses the two intervals alone, so it serves means, shares, quantiles and ratios alike.
    """
    n = min(after.n, before.n)
    if after.value is None or before.value is None:
        return Figure(value=None, low=None, high=None, n=n)
    value = after.value - before.value
    if after.low is None or after.high is None or before.low is None or before.high is None:
        return Figure(value=value, low=None, high=None, n=n)
    low = value - math.hypot(after.value - after.low, before.high - before.value)
    high = value + math.hypot(after.high - after.value, before.value - before.low)
    return Figure(value=value, low=low, high=high, n=n)


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

    def figure(
        self, weights: Array | None = None, *, least: float = -math.inf, most: float = math.inf
    ) -> Figure:
        """Return the mean over all rows with its t interval; `weights` (g,) re-weight the rows (linearised variance).

        `least` and `most` are the values that the quantity lies between: neither the mean, which values completed for
        who rates may carry past them, nor the interval passes them.
        """
        known = self.take(self.n > 0)
        n = int(known.n.sum())
        if n == 0:
            return NOTHING
        weight = np.ones(len(known.n)) if weights is None else weights[self.n > 0]
        share = weight / float(weight @ known.n)
        mean = min(max(float((share * known.n) @ known.mean), least), most)
        if n == 1:
            return Figure(value=mean, low=None, high=None, n=1)
        spread = known.squares + known.n * (known.mean - mean) ** 2
        half = t_quantile(0.975, n - 1) * math.sqrt(float(share**2 @ spread) * n / (n - 1))
        return Figure(value=mean, low=max(mean - half, least), high=min(mean + half, most), n=n)

    def share(self, weights: Array | None = None) -> Figure:
        """Return the mean of values in 0..1 over all rows with Wilson's interval; `weights` (g,) re-weight the rows.

        Re-weighted rows are worth what their weights leave of them (Kish 1965), or less where those that count most
        vary most.
        """
        known = self.take(self.n > 0)
        n = int(known.n.sum())
        if not n:
            return NOTHING
        weight = np.ones(len(known.n)) if weights is None else weights[self.n > 0]
        share = weight / float(weight @ known.n)
        mean = min(max(float((share * known.n) @ known.mean), 0.0), 1.0)
        worth = 1.0 / float(share**2 @ known.n)
        if weights is not None:
            variance = float(share**2 @ (known.n * (known.mean * (1.0 - known.mean))))
            worth = min(worth, mean * (1.0 - mean) / variance) if variance > 0.0 else worth
        return wilson(mean, worth, n)


def ratio(top: Moments, bottom: Array) -> Figure:
    """Return the sum of `top` over that of `bottom`, which is one value (g,) for all rows of a group, NaN unknown;
    neither is below 0.

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
    return Figure(value=value, low=max(value - half, 0.0), high=value + half, n=n)


def standard_error(values: Array) -> float | None:
    """Return the standard error of the mean of values (n,); None for fewer than two."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
