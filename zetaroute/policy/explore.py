"""From utilities to probabilities: Thompson sampling with a uniform floor, exact by construction.

The probabilities are the product. Drawing from them is a separate step with its own seed, so that the logged
propensity is exactly the one that was used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

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


def thompson(mean: Array, se: Array, eligible: Mask, rng: np.random.Generator) -> Array:
    """Return how often each arm is best in DRAWS draws around its utility, (K,); excluded arms get 0."""
    draws = mean + SPREAD * se * rng.standard_normal((DRAWS, len(mean)))
    draws[:, ~eligible] = -np.inf
    return np.asarray(np.bincount(np.argmax(draws, axis=1), minlength=len(mean)) / DRAWS)


def only(arm: int, count: int) -> Array:
    """Return the probabilities (count,) of a policy that always takes one arm."""
    pmf = np.zeros(count)
    pmf[arm] = 1.0
    return pmf


def with_floor(pmf: Array, eligible: Mask, rate: float) -> Array:
    """Return (1 - rate) pmf + rate / K over the K eligible arms."""
    return np.asarray((1.0 - rate) * pmf + rate * eligible / eligible.sum())


def with_quota(pmf: Array, some: Mask, quota: float) -> Array:
    """Return the probabilities (K,) with `quota` of them spread evenly over some arms.

    Without such arms, or with nobody else, nothing changes.
    """
    if not some.any() or not (pmf[~some] > 0).any():
        return pmf
    return np.asarray((1.0 - quota) * pmf + quota * some / some.sum())


def exploit(mean: Array, se: Array, eligible: Mask) -> NDArray[np.int64]:
    """Return the arm held best for each of n queries by its lower bound; all arrays (n, K)."""
    bound = np.where(eligible, mean - CAUTION * se, -np.inf)
    return np.asarray(np.argmax(bound, axis=1))


def is_given_to_candidate(share: float, seed: int) -> bool:
    """Return whether a query falls to a canary's candidate, drawn with its own stream of `seed`."""
    return bool(np.random.default_rng([seed, 2]).random() < share)


def draw(pmf: Array, seed: int) -> int:
    """Return the index of an arm drawn from `pmf` with its own stream of `seed`."""
    point = np.random.default_rng([seed, 1]).random() * pmf.sum()
    return int(min(np.searchsorted(np.cumsum(pmf), point, side="right"), np.flatnonzero(pmf)[-1]))
