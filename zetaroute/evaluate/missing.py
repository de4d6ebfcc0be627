"""Differences of a KPI that most rows lack, such as satisfaction: who rates is not who was asked.

Two answers stand side by side. The estimate corrects for what we see (which queries and models get rated); the
band says how much a habit that we do not see, such as only the angry rating, could change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.domain import Figure
from zetaroute.evaluate.ope import Comparison, Difference, Rows

Array = NDArray[np.float64]

FEWEST_HITS = 20
"""Rated rows showing the candidate's choice below which nothing is said."""
LEAST_CHANCE = 0.05
"""The estimated chance of a rating is not taken to be smaller, so that no rating stands for more than 20 rows."""
GAMMA = 2.0
"""Odds ratio of the band that is shown."""
LARGEST_GAMMA = 100.0
POOLED_RIDGE = 1.0
ARM_RIDGE = 3.0
STEPS = 25
CLOSE_ENOUGH = 1e-4
BISECTIONS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """The change of a KPI that is missing for some rows."""

    difference: Difference
    known: int
    share: float
    """Share of the rows whose value is known."""
    band: Figure
    """Interval if the unknown ones had up to `GAMMA` times other odds; empty when there is too little to say."""
    break_even: float | None
    """Smallest odds ratio at which the direction is not proven any more, at most `LARGEST_GAMMA`; None when it is
    not proven even if nothing unseen decides who rates."""


def rated_difference(rows: Rows, reward: Array) -> Rated:
    """Estimate the change of a reward in 0..1 (n,) that is NaN where nobody gave it.

    Doubly robust in both steps: the model's choice (known propensities) and the rating (cross-fitted logistic
    regression on features and arm). The band moves the unrated of the two policies in opposite directions.
    """
    here = ~np.isnan(reward)
    chance = chance_of_knowing(rows, here)
    comparison = Comparison(rows, reward, bounded=True, known=chance)
    difference = comparison.difference()
    share = float(here.mean()) if len(here) else 0.0
    if comparison.q is None or difference.hits < FEWEST_HITS:
        nothing = Figure(value=None, low=None, high=None, n=difference.n)
        return Rated(difference=difference, known=difference.n, share=share, band=nothing, break_even=None)
    low, high = difference.bound(0.025, side=-1), difference.bound(0.025, side=1)
    unknown = _Unknown(change=rows.change(), q=comparison.q, missing=1.0 - chance)
    return Rated(
        difference=difference,
        known=difference.n,
        share=share,
        band=Figure(
            value=difference.mean,
            low=max(low + unknown.shift(1.0 / GAMMA), -1.0),
            high=min(high + unknown.shift(GAMMA), 1.0),
            n=difference.n,
        ),
        break_even=unknown.break_even(low, high),
    )


def chance_of_knowing(rows: Rows, here: NDArray[np.bool_]) -> Array:
    """Return the cross-fitted chance that each arm's reward would be known (n, K), at least `LEAST_CHANCE`.

    One logistic regression for all arms, then one per arm on top: who rates may depend on both together.
    """
    n, arms = rows.pmf.shape
    width = rows.x.shape[1]
    design = np.hstack([rows.x, np.eye(arms)[rows.arm]])
    chance = np.empty((n, arms))
    for number in np.unique(rows.fold):
        out = rows.fold == number
        known = here[~out].astype(np.float64)
        level = _log_odds(known)
        pooled = _logistic(design[~out], known, np.full(len(known), level), POOLED_RIDGE)
        offset = level + design[~out] @ pooled
        for k in range(arms):
            mine = rows.arm[~out] == k
            own = _logistic(rows.x[~out][mine], known[mine], offset[mine], ARM_RIDGE)
            score = level + pooled[width + k] + rows.x[out] @ (pooled[:width] + own)
            chance[out, k] = _probability(score)
    return np.maximum(chance, LEAST_CHANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unknown:
    """What the unrated rows could hide."""

    change: Array
    q: Array
    missing: Array
    """(n, K) the chance that an arm's reward is not known."""

    def shift(self, gamma: float) -> float:
        """Return how much the difference moves if the odds of the unrated are `gamma` times what the rated show
        for arms that the candidate prefers, and 1 / gamma times for those that it gives up."""
        odds = np.where(self.change > 0, gamma, 1.0 / gamma)
        moved = odds * self.q / (1.0 - self.q + odds * self.q)
        return float((self.change * self.missing * (moved - self.q)).sum(axis=1).mean())

    def break_even(self, low: float, high: float) -> float | None:
        """Return the smallest odds ratio that takes an interval beside zero up to it."""
        if low <= 0.0 <= high:
            return None
        sign, bound = (1.0, low) if low > 0 else (-1.0, -high)
        least, most = 0.0, float(np.log(LARGEST_GAMMA))
        for _ in range(BISECTIONS):
            middle = (least + most) / 2
            still = bound + sign * self.shift(float(np.exp(-sign * middle))) > 0
            least, most = (middle, most) if still else (least, middle)
        return float(np.exp(most))


def _logistic(x: Array, y: Array, offset: Array, penalty: float) -> Array:
    """Fit a ridge logistic regression on top of an offset (n,) by Newton's method; return the slopes."""
    slope = np.zeros(x.shape[1])
    ridge = penalty * np.eye(x.shape[1])
    for _ in range(STEPS if len(y) else 0):
        p = _probability(offset + x @ slope)
        step = np.linalg.solve((x * (p * (1.0 - p))[:, None]).T @ x + ridge, x.T @ (y - p) - penalty * slope)
        slope = slope + step
        if float(np.abs(step).max(initial=0.0)) < CLOSE_ENOUGH:
            break
    return slope


def _probability(log_odds: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0))))


def _log_odds(known: Array) -> float:
    share = min(max(float(known.mean()), 1e-3), 1.0 - 1e-3) if len(known) else 0.5
    return float(np.log(share / (1.0 - share)))
