"""Who gives a rating, and the values of those who did not: ratings are completed before anything is averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.domain import Figure
from zetaroute.evaluate.reward_model import outcome_model

FEWEST_RATED = 20
"""Ratings below which nothing is said of who gives them."""
LEAST_CHANCE = 0.05
"""The estimated chance of a rating is not taken to be smaller, so that no rating stands for more than 20 rows."""
POOLED_RIDGE = 1.0
ARM_RIDGE = 3.0
STEPS = 25
CLOSE_ENOUGH = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Who was asked for a rating at random."""

    chance: Array
    """(n,) the known chance of being asked; NaN where no user could be."""
    asked: Mask
    answered: Mask
    """(n,) whether the rating was given because it was asked for."""

    def take(self, keep: Mask | Index) -> Invitation:
        """Return the chosen rows."""
        return Invitation(chance=self.chance[keep], asked=self.asked[keep], answered=self.answered[keep])


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """What is known of n rows whether they are rated or not."""

    x: NDArray[np.floating[Any]]
    """(n, D) of the query."""
    arm: Index
    arms: int
    fold: Index
    """(n,) cross-fitting fold."""
    after: Array
    """(n, S) of the answer, such as whether it was right: who rates may depend on it."""
    rows: Array | None = None
    """(n,) how many rows an entry stands for, where many are alike; None: one each."""

    @property
    def all(self) -> Array:
        """Everything side by side, (n, D + S)."""
        return np.hstack([self.x, self.after])


class ResponsePropensity:
    """The chance that each row's rating is known, and the values that this makes of ratings.

    With `asking`, of the rows that could be asked only the ratings of those count that were: their chance is known
    and only whether they answered is modelled. Without, every rating counts and all of its chance is modelled.
    """

    def __init__(self, seen: Covariates, here: Mask, asking: Invitation | None = None) -> None:
        """Model who rates: `here` (n,) are the rows with a rating."""
        chance = np.ones(len(here)) if asking is None else asking.chance
        self.seen = seen
        self.within: Mask = ~np.isnan(chance) & (chance > 0)
        """(n,) the rows that are spoken of."""
        self.among: Mask = self.within if asking is None else self.within & asking.asked
        """(n,) the rows that had the choice to rate."""
        self.known: Mask = here & self.among & (True if asking is None else asking.answered)
        """(n,) the rows whose ratings count."""
        answers = response_propensity(
            seen.all, seen.arm, self.known, seen.fold, arms=seen.arms, among=self.among, rows=seen.rows
        )
        self.answers: Array = answers[np.arange(len(here)), seen.arm]
        """(n,) the modelled chance that a user who has the choice rates."""
        self._chance = np.where(self.within, chance, 1.0) * self.answers

    def completed(self, reward: Array) -> Array:
        """Return a value for every row (n,) whose mean is that of the reward; NaN for rows not spoken of.

        Prediction plus inverse-probability-weighted error (Robins, Rotnitzky & Zhao 1994), cross-fitted: right if
        either the prediction or the chance of a rating is.
        """
        expected = self.expected(reward)
        error = np.where(self.known, reward - expected, 0.0) / self._chance
        return np.where(self.within, expected + error, np.nan)

    def expected(self, reward: Array) -> Array:
        """Return the cross-fitted prediction of a reward in 0..1 for every row (n,)."""
        seen = self.seen
        counting = np.where(self.known, reward, np.nan)
        q = outcome_model(seen.all, seen.arm, counting, seen.fold, arms=seen.arms, rows=seen.rows)
        return np.clip(q[np.arange(len(reward)), seen.arm], 0.0, 1.0)


def response_propensity(
    x: NDArray[np.floating[Any]],
    arm: Index,
    here: Mask,
    fold: Index,
    *,
    arms: int,
    among: Mask | None = None,
    rows: Array | None = None,
) -> Array:
    """Return the cross-fitted chance that each arm's reward would be known (n, K), at least `LEAST_CHANCE`.

    One logistic regression for all arms, then one per arm on top: who rates may depend on both together. Only the
    rows `among` teach, each as often as `rows` (n,) says.
    """
    n, width = x.shape
    among = np.ones(n, dtype=np.bool_) if among is None else among
    rows = np.ones(n) if rows is None else rows
    design = np.hstack([x, np.eye(arms)[arm]])
    chance = np.empty((n, arms))
    for number in np.unique(fold):
        out = fold == number
        taught = ~out & among
        known, times = here[taught].astype(np.float64), rows[taught]
        level = _log_odds(known, times)
        pooled = _logistic(design[taught], known, times, np.full(len(known), level), POOLED_RIDGE)
        offset = level + design[taught] @ pooled
        for k in range(arms):
            mine = arm[taught] == k
            own = _logistic(x[taught][mine], known[mine], times[mine], offset[mine], ARM_RIDGE)
            chance[out, k] = _probability(level + pooled[width + k] + x[out] @ (pooled[:width] + own))
    return np.maximum(chance, LEAST_CHANCE)


def _logistic(x: Array, y: Array, times: Array, offset: Array, penalty: float) -> Array:
    """Fit a ridge logistic regression on top of an offset (n,) by Newton's method; return the slopes.

    Every entry counts so many `times` (n,).
    """
    slope = np.zeros(x.shape[1])
    ridge = penalty * np.eye(x.shape[1])
    for _ in range(STEPS if len(y) else 0):
        p = _probability(offset + x @ slope)
        curvature = (x * (times * p * (1.0 - p))[:, None]).T @ x
        step = np.linalg.solve(curvature + ridge, x.T @ (times * (y - p)) - penalty * slope)
        slope = slope + step
        if float(np.abs(step).max(initial=0.0)) < CLOSE_ENOUGH:
            break
    return slope


def _probability(log_odds: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0))))


def _log_odds(known: Array, times: Array) -> float:
    share = float(np.average(known, weights=times)) if len(known) else 0.5
    share = min(max(share, 1e-3), 1.0 - 1e-3)
    return float(np.log(share / (1.0 - share)))


ODDS_RATIO = 2.0
"""Odds ratio of the band that is shown."""
LARGEST_GAMMA = 100.0
BISECTIONS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What the unrated could hide."""

    change: Array
    """(n, K) how much each row and arm counts in the difference: positive for what it gains, negative for the other
    side."""
    q: Array
    """(n, K) what is expected of the reward."""
    missing: Array
    """(n, K) the chance that it is not known."""

    def shift(self, gamma: float) -> float:
        """Return how much the difference moves if the odds of the unrated are `gamma` times what the rated show
        on the side that gains, and 1 / gamma times on the other."""
        odds = np.where(self.change > 0, gamma, 1.0 / gamma)
        moved = odds * self.q / (1.0 - self.q + odds * self.q)
        return float((self.change * self.missing * (moved - self.q)).sum())

    def band(self, figure: Figure) -> Figure:
        """Return the interval of a difference, widened by what odds of up to `ODDS_RATIO` could do."""
        if figure.low is None or figure.high is None:
            return replace(figure, value=None)
        return replace(
            figure,
            low=max(figure.low + self.shift(1.0 / ODDS_RATIO), -1.0),
            high=min(figure.high + self.shift(ODDS_RATIO), 1.0),
        )

    def break_even(self, figure: Figure) -> float | None:
        """Return the smallest odds ratio that takes an interval beside zero up to it; None where it holds zero."""
        if figure.low is None or figure.high is None or figure.low <= 0.0 <= figure.high:
            return None
        sign, bound = (1.0, figure.low) if figure.low > 0 else (-1.0, -figure.high)
        least, most = 0.0, float(np.log(LARGEST_GAMMA))
        for _ in range(BISECTIONS):
            middle = (least + most) / 2
            still = bound + sign * self.shift(float(np.exp(-sign * middle))) > 0
            least, most = (middle, most) if still else (least, middle)
        return float(np.exp(most))


def after_columns(known: Mapping[str, Array]) -> Array:
    """Return what is known after an answer as columns (n, 2 S): each value, 0 where unknown, and whether it is."""
    columns = [
        part
        for values in known.values()
        for part in (np.nan_to_num(values), (~np.isnan(values)).astype(float))
    ]
    return np.column_stack(columns)
