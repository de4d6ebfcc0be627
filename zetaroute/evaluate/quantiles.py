"""The change of a quantile, such as the p95 response time, that a candidate would bring on logged rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import t_quantile
from zetaroute.evaluate.ope import SMALLEST_PROPENSITY, LoggedRows, per_cluster, probabilities, support

FEWEST_HITS = 100


def quantile_difference(rows: LoggedRows, values: Array, probability: float) -> Figure:
    """Estimate the change of a quantile of `values` (n,) from the incumbent to the candidate.

    Propensity-weighted quantiles with Woodruff's intervals (1952), put together by MOVER with the correlation
    that the shared rows cause (Zou 2007); no figure below 100 hits, which do not cover.
    """
    keep = ~np.isnan(values)
    rows, values = rows.take(keep), values[keep]
    hits = support(rows).hits
    nothing = Figure(value=None, low=None, high=None, n=len(values))
    if hits < FEWEST_HITS:
        return nothing
    before = _Quantile.of(rows, rows.before, values, probability, hits)
    after = _Quantile.of(rows, rows.after, values, probability, hits)
    if before is None or after is None:
        return nothing
    together = _correlation(before.influence, after.influence)
    value = after.value - before.value
    return Figure(
        value=value,
        low=value - _apart(after.value - after.low, before.high - before.value, together),
        high=value + _apart(after.high - after.value, before.value - before.low, together),
        n=len(values),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quantile:
    value: float
    low: float
    high: float
    influence: Array
    """(clusters,) what each adds to the error of the share below the quantile."""

    @classmethod
    def of(
        cls, rows: LoggedRows, chosen: Index | Array, values: Array, probability: float, hits: int
    ) -> _Quantile | None:
        """Return a policy's quantile with its interval; None where the interval has no end, or no row is its."""
        index = np.arange(len(values))
        drawn = probabilities(chosen, rows.pmf.shape[1])[index, rows.arm]
        weight = drawn / np.maximum(rows.pmf[index, rows.arm], SMALLEST_PROPENSITY)
        total = float(weight.sum())
        if total == 0.0:
            return None
        order = np.argsort(values, kind="stable")
        cumulated = np.cumsum(weight[order]) / total

        def at(share: float) -> float:
            return float(values[order[min(int(np.searchsorted(cumulated, share)), len(values) - 1)]])

        value = at(probability)
        influence = per_cluster(weight * ((values <= value) - probability) / total, rows.cluster)
        se = math.sqrt(float((influence**2).sum()))
        half = t_quantile(0.975, hits - 1) * se
        if probability - half <= 0.0 or probability + half >= 1.0:
            return None
        return cls(value=value, low=at(probability - half), high=at(probability + half), influence=influence)


def _apart(one: float, other: float, correlation: float) -> float:
    """Return how far a difference reaches whose parts reach so far and move together."""
    return math.sqrt(max(one**2 + other**2 - 2.0 * correlation * one * other, 0.0))


def _correlation(one: Array, other: Array) -> float:
    """Return the correlation of two influences whose mean is 0, between 0 and 1: a negative one is chance."""
    size = math.sqrt(float((one**2).sum() * (other**2).sum()))
    return min(max(float((one * other).sum()) / size, 0.0), 1.0) if size > 0 else 0.0
