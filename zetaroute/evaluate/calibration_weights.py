"""Weighted means of what was seen of a part of the units, by calibration weights, with intervals inside their range.

Deville & Sarndal 1992 for the weights, Wilson 1927 and the log scale for one mean, MOVER (Zou & Donner 2008) for sums
and differences of several.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import t_quantile, wilson

RIDGE = 0.02
NEWTON_STEPS = 50
SETTLED = 1e-12
PSEUDO_ROWS = 4.0
"""Rows with the variance of the values that join the residuals."""
LOG_NORMAL_ROWS = 200.0
"""Rows with the variance of a log-normal amount that join the values: a few rows seldom hold the rare large ones."""
LARGEST_LOG_VARIANCE = 2.0
"""Of a log-normal amount; one that varies more mixes models of different prices, as the values themselves show."""
LARGEST_LOG = 50.0
"""Of how many times its value an amount's interval may reach: beyond it nothing is known anyway."""
FEW_EVENTS = 5.0
"""Right answers, or wrong ones, below which a share is worth no more rows than were seen."""


def calibration_weights(probability: Array, forecasts: Array) -> Array:
    """Return weights (m,) of the units that were seen, summing to 1.

    `probability` (m,) is that of seeing them, `forecasts` (m, k) theirs, 0 in the mean over all units. The weights
    are exp(forecasts @ tilt) / probability (raking), with the tilt that brings their mean of the forecasts to 0 but
    for a ridge.
    """
    inverse = -np.log(probability)

    def at(tilt: Array) -> tuple[float, Array]:
        exponent = inverse + forecasts @ tilt
        top = float(exponent.max())
        weights = np.exp(exponent - top)
        total = float(weights.sum())
        return top + math.log(total) + 0.5 * RIDGE * float(tilt @ tilt), weights / total

    tilt = np.zeros(forecasts.shape[1])
    value, weights = at(tilt)
    for _ in range(NEWTON_STEPS):
        slope = weights @ forecasts + RIDGE * tilt
        step = np.linalg.solve(_curvature(weights, forecasts), slope)
        fall = float(slope @ step)
        size = 1.0
        while size > SETTLED:
            lower, found = at(tilt - size * step)
            if lower <= value - 1e-4 * size * fall:
                break
            size /= 2.0
        if fall < SETTLED or size <= SETTLED:
            break
        tilt, value, weights = tilt - size * step, lower, found
    return weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighting:
    """Weights of the units whose answers were seen; what one column of KPIs shares."""

    weights: Array
    """(n,), 0 for what was not seen, summing to 1."""
    forecasts: Array
    """(n, k), standardised."""

    @classmethod
    def of(cls, seen: Mask, probability: Array, forecasts: Array) -> Weighting:
        """Calibrate the units `seen` (n,), each seen with its `probability`, on the `forecasts` (n, k) of all."""
        centred = forecasts - forecasts.mean(axis=0)
        spread = centred.std(axis=0)
        standardised = centred / np.where(spread > SETTLED, spread, np.inf)
        weights = np.zeros(len(seen))
        weights[seen] = calibration_weights(probability[seen], standardised[seen])
        return cls(weights=weights, forecasts=standardised)

    def mean(self, values: Array) -> WeightedMean:
        """Return the weighted mean of `values` (n,) where they are known, NaN elsewhere."""
        known = (self.weights > 0.0) & ~np.isnan(values)
        weights = self.weights[known] / self.weights[known].sum()
        own, found = self.forecasts[known], values[known]
        mean, centre = float(weights @ found), weights @ own
        # The ridge of the weights: so the regression is what the weights' own dependence on chance comes to.
        slope = np.linalg.solve(_curvature(weights, own), (weights * (found - mean)) @ own)
        fitted = mean + (self.forecasts - centre) @ slope
        residual = found - fitted[known]
        influence = fitted.copy()
        influence[known] += len(fitted) * weights * residual
        return WeightedMean(
            value=mean, values=found, weights=weights, residual=residual, fitted=fitted, influence=influence
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedMean:
    """A mean, or a sum of several, with its two-sided 95% interval."""

    value: float
    low: float
    high: float
    influence: Array
    """(n,) what each unit adds to it, n times."""
    rows: int

    def figure(self) -> Figure:
        """Return it as a figure."""
        return Figure(value=self.value, low=self.low, high=self.high, n=self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMean:
    """A weighted mean of the m known values, before anything is said of its interval."""

    value: float
    values: Array
    """(m,)"""
    weights: Array
    """(m,), summing to 1."""
    residual: Array
    """(m,) what the forecasts do not explain."""
    fitted: Array
    """(n,) what they expect of every unit."""
    influence: Array
    """(n,)"""

    @property
    def worth(self) -> float:
        """How many equally weighted rows say as much (Kish 1965)."""
        return 1.0 / float(self.weights @ self.weights)

    def variance(self, spread: float) -> float:
        """Return the larger of the linearised variance and that of the fit and the residuals, `spread` being the
        variance of pseudo-rows."""
        n, m = len(self.fitted), len(self.values)
        pooled = (float(self.residual @ self.residual) + PSEUDO_ROWS * spread) / (m + PSEUDO_ROWS)
        designed = float(self.fitted.var(ddof=1)) / n + pooled / self.worth
        return max(float(self.influence.var(ddof=1)) / n, designed)

    def share(self) -> CalibratedMean:
        """Return the mean of values in 0..1 with Wilson's interval at its effective sample size."""
        # Sums of weights err in the last digit.
        value = min(max(self.value, 0.0), 1.0)
        spread = value * (1.0 - value)
        variance = self.variance(spread)
        worth = spread / variance if variance > 0.0 and spread > 0.0 else self.worth
        if self.worth * min(value, 1.0 - value) < FEW_EVENTS:
            worth = min(worth, self.worth)
        return self._within(value, *self._wilson(value, worth))

    def amount(self, largest: float) -> CalibratedMean:
        """Return the mean of values that are 0 or more with an interval on the log scale; none is above `largest`."""
        positive = min(float(self.weights @ (self.values > 0.0)), 1.0)
        # Amounts above 0 may be as frequent as Wilson's bound, however few were seen.
        most = self._wilson(positive, self.worth)[1]
        if self.value <= 0.0:
            return self._within(0.0, 0.0, most * largest)
        spread = float(self.weights @ (self.values - self.value) ** 2)
        variance = self.variance(spread)
        if spread > SETTLED * self.value**2:
            joined = self.worth * spread + LOG_NORMAL_ROWS * self._log_normal(positive)
            variance *= max(1.0, joined / spread / (self.worth + LOG_NORMAL_ROWS))
        error, t = math.sqrt(variance) / self.value, self._quantile
        # The mean of a few skewed amounts is rather too small than too large (Hall 1992, with a skewness of three
        # coefficients of variation).
        reach = math.exp(min(t * error + 0.5 * (1.0 + t * t) * error**2, LARGEST_LOG))
        return self._within(
            self.value,
            self.value / math.exp(min(t * error, LARGEST_LOG)),
            max(self.value * reach, self.value / positive * most),
        )

    @property
    def _quantile(self) -> float:
        return t_quantile(0.975, self.worth - 1.0)

    def _wilson(self, share: float, worth: float) -> tuple[float, float]:
        figure = wilson(share, worth, len(self.values), quantile=self._quantile)
        return float(figure.low or 0.0), float(figure.high or 0.0)

    def _log_normal(self, positive: float) -> float:
        """Return the variance of values of which a share is log-normal, as are those above 0, and the rest 0."""
        above = self.values > 0.0
        weights, logs = self.weights[above] / positive, np.log(self.values[above])
        variance = float(weights @ (logs - weights @ logs) ** 2) * self.worth / max(self.worth - 1.0, 1.0)
        square = self.value**2 / positive * math.exp(min(variance, LARGEST_LOG_VARIANCE))
        return square - self.value**2

    def _within(self, value: float, low: float, high: float) -> CalibratedMean:
        return CalibratedMean(
            value=value, low=low, high=high, influence=self.influence, rows=len(self.values)
        )


def combined(parts: Sequence[tuple[float, CalibratedMean]]) -> CalibratedMean:
    """Return the sum of factors times means of the same units, with MOVER's interval.

    Its ends lie as far away as those of the parts, put together by the correlations of their errors; so the sum
    stays inside the sums of the parts' intervals.
    """
    factors = np.array([factor for factor, _ in parts])
    influence = np.array([mean.influence for _, mean in parts])
    below = np.array([mean.value - mean.low for _, mean in parts])
    above = np.array([mean.high - mean.value for _, mean in parts])
    centred = influence - influence.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=1))
    correlation = (centred @ centred.T) / np.where(np.outer(size, size) > 0.0, np.outer(size, size), np.inf)
    np.fill_diagonal(correlation, 1.0)
    value = sum(factor * mean.value for factor, mean in parts)
    down = factors * np.where(factors > 0.0, below, above)
    up = factors * np.where(factors > 0.0, above, below)
    return CalibratedMean(
        value=value,
        low=value - math.sqrt(max(float(down @ correlation @ down), 0.0)),
        high=value + math.sqrt(max(float(up @ correlation @ up), 0.0)),
        influence=factors @ influence,
        rows=min(mean.rows for _, mean in parts),
    )


def _curvature(weights: Array, forecasts: Array) -> Array:
    """Return the weighted covariance of the forecasts (m, k) with the ridge, (k, k)."""
    mean = weights @ forecasts
    ridge = RIDGE * np.eye(forecasts.shape[1])
    return np.asarray((forecasts * weights[:, None]).T @ forecasts - np.outer(mean, mean) + ridge)
