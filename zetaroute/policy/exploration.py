"""From utilities to probabilities: Thompson sampling with a uniform floor, exact by construction.

The probabilities are the product. Drawing from them is a separate step with its own seed, so that the logged
propensity is exactly the one that was used.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from zetaroute.arrays import Array, Index, Mask

DRAWS = 64
SPREAD = 0.5
"""Share of the standard error that is sampled: half of it had the best reward with the least spread."""
CAUTION = 0.5
"""Standard errors that the exploit arm gives up: mean - CAUTION x se."""

QUOTA = 0.1
"""Share of the queries that models without enough graded answers are given together."""
PROBATION = 0.02
"""Share of the queries that demoted models are given together, so that one which recovered is noticed."""
ENOUGH_GRADED = 100
"""Graded answers after which a model is a newcomer no more."""
HALVED_AT = 0.25
"""Gap to the best utility, in right answers, at which a model's share of what is explored is half of the best's."""
HALF_COLD = 30
"""Graded answers per model by which a cold start explores half as much as at first."""


def thompson(mean: Array, se: Array, eligible: Mask, rng: np.random.Generator) -> Array:
    """Return how often each arm is best in DRAWS draws around its utility, (K,); excluded arms get 0."""
    draws = mean + SPREAD * se * rng.standard_normal((DRAWS, len(mean)))
    draws[:, ~eligible] = -np.inf
    return np.asarray(np.bincount(draws.argmax(axis=1), minlength=len(mean)) / DRAWS)


def only(arm: int, count: int) -> Array:
    """Return the probabilities (count,) of a policy that always takes one arm."""
    pmf = np.zeros(count)
    pmf[arm] = 1.0
    return pmf


def explored_shares(mean: Array, eligible: Mask, *, answer_value_usd: float) -> Array:
    """Return how what is explored is shared among the arms (K,), by their utilities in USD (K,).

    Inverse gap weighting (Abe & Long 1999): the worse an answer is expected to be for its money and time, the more
    seldom it is bought to see. Every eligible arm keeps a share.
    """
    able = np.where(eligible, mean, -np.inf)
    unit = HALVED_AT * answer_value_usd
    # An arm that is not eligible is infinitely far away, and gets nothing.
    weight = unit / (unit + (able.max() - able)) if unit > 0 else eligible.astype(np.float64)
    return np.asarray(weight / weight.sum())


def cold_rate(start: float, rate: float, *, graded: int, arms: int) -> float:
    """Return the share that a cold start explores after `graded` answers: from `start` down to `rate`.

    It falls with one over the answers, so that all that is ever explored beyond `rate` grows with their logarithm.
    """
    half = HALF_COLD * arms
    return min(start, max(rate, start * half / (half + graded)))


def with_floor(pmf: Array, shares: Array, rate: float) -> Array:
    """Return (1 - rate) pmf + rate x shares; both (K,)."""
    return np.asarray((1.0 - rate) * pmf + rate * shares)


def with_quota(pmf: Array, some: Mask, quota: float) -> Array:
    """Return the probabilities (K,) with `quota` of them spread evenly over some arms.

    Without such arms, or without others, nothing changes.
    """
    if not some.any() or not (pmf[~some] > 0).any():
        return pmf
    return np.asarray((1.0 - quota) * pmf + quota * some / some.sum())


def exploit(mean: Array, se: Array, eligible: Mask) -> Index:
    """Return the arm held best for each of n queries by its lower bound; all arrays (n, K)."""
    bound = np.where(eligible, mean - CAUTION * se, -np.inf)
    return np.asarray(bound.argmax(axis=1))


def draw(pmf: Array, seed: int) -> int:
    """Return the index of an arm drawn from `pmf` with its own stream of `seed`."""
    bounds = list(accumulate(pmf.tolist()))
    point = np.random.default_rng([seed, 1]).random() * bounds[-1]
    # Rounding never takes an arm of no probability: the last bound begins with the last arm that has any.
    return min(bisect_right(bounds, point), bounds.index(bounds[-1]))
