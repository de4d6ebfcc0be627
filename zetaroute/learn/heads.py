"""Fit the heads: ridge regressions that share a common part over the arms, and the classes of ratings.

y = x . (m0 + b0 + b_k) + noise with b0 ~ N(0, s^2/5) shared by all arms and b_k ~ N(0, s^2/30) per arm. Only
sums over rows are kept per arm, so statistics of parts of a log add up to those of the whole, and the solution
is exact; scikit-learn's Ridge on the expanded design is the reference in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.features.map import CONSTANT
from zetaroute.policy.heads import ClassHead, LinearHead, LogHead

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SHARED_RIDGE = 5.0
ARM_RIDGE = 30.0
SMALLEST = 1e-9
"""What stands for zero before a logarithm, in seconds or USD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Sums over rows, per arm; they add over folds, days and hosts."""

    gram: Array
    """(K, D, D) sum of x x^T"""
    moment: Array
    """(K, D) sum of x y"""
    square: Array
    """(K,) sum of y^2"""
    total: Array
    """(K,) sum of y"""
    rows: Array
    """(K,) sum of the weights"""

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})

    def __sub__(self, other: Statistics) -> Statistics:
        return Statistics(**{name: getattr(self, name) - getattr(other, name) for name in self.__slots__})


def gather(x: Array, y: Array, arm: Index, arms: int, weight: Array | None = None) -> Statistics:
    """Return the statistics of n rows: vectors (n, D), targets (n,) with NaN left out, arms (n,), weights (n,)."""
    weight = np.ones(len(y)) if weight is None else weight
    size = x.shape[1]
    gram, moment = np.zeros((arms, size, size)), np.zeros((arms, size))
    square, total, rows = np.zeros(arms), np.zeros(arms), np.zeros(arms)
    for k in range(arms):
        mine = (arm == k) & ~np.isnan(y)
        xs, ys, ws = x[mine], y[mine], weight[mine]
        weighted = xs * ws[:, None]
        gram[k], moment[k] = weighted.T @ xs, weighted.T @ ys
        square[k], total[k], rows[k] = ws @ ys**2, ws @ ys, ws.sum()
    return Statistics(gram=gram, moment=moment, square=square, total=total, rows=rows)


def solve(statistics: Statistics) -> LinearHead | None:
    """Return the exact posterior mean and spread of every arm's coefficients; None without any row."""
    count = float(statistics.rows.sum())
    if count <= 0:
        return None
    arms, size = statistics.moment.shape
    level = np.zeros(size)
    level[-1] = float(statistics.total.sum()) / count / CONSTANT
    gram = statistics.gram
    centred = statistics.moment - gram @ level
    spread = np.linalg.inv(gram + ARM_RIDGE * np.eye(size))
    shrunk = gram @ spread
    shared = np.linalg.solve(
        SHARED_RIDGE * np.eye(size) + (gram - shrunk @ gram).sum(axis=0),
        (centred - np.einsum("kij,kj->ki", shrunk, centred)).sum(axis=0),
    )
    own = np.einsum("kij,kj->ki", spread, centred - gram @ shared)
    coef = level + shared + own
    explained = 2 * np.einsum("ki,ki->", coef, statistics.moment) - np.einsum(
        "ki,kij,kj->", coef, gram, coef, optimize=True
    )
    residual = max(float(statistics.square.sum() - explained), 0.0)
    freedom = max(count - float(np.einsum("kij,kji->", shrunk, np.eye(size)[None].repeat(arms, 0))), 1.0)
    return LinearHead(
        coef=coef,
        spread=spread.astype(np.float32),
        noise=float(np.sqrt(residual / freedom)),
        rows=statistics.rows,
    )


def fit_linear(x: Array, y: Array, arm: Index, arms: int, weight: Array | None = None) -> LinearHead | None:
    """Fit a head on rows (n, D) whose target is known; None when none is."""
    return solve(gather(x, y, arm, arms, weight))


def fit_log(x: Array, y: Array, arm: Index, arms: int, weight: Array | None = None) -> LogHead | None:
    """Fit a head on the logarithm of a target that is not negative, with the way back to mean and p95."""
    with np.errstate(invalid="ignore"):
        logs = np.log(np.maximum(y, SMALLEST))
    linear = fit_linear(x, logs, arm, arms, weight)
    if linear is None:
        return None
    known = ~np.isnan(logs)
    residual = logs[known] - linear.mean(x[known])[np.arange(known.sum()), arm[known]]
    # What belongs to a time that is over says nothing of how answers scatter now.
    current = np.ones(len(residual), dtype=bool) if weight is None else weight[known] >= 1.0
    owner, residual = arm[known][current], residual[current]
    smear, upper = np.ones(arms), np.ones(arms)
    for k in range(arms):
        mine = np.exp(np.clip(residual[owner == k], -8.0, 8.0))
        if len(mine):
            smear[k], upper[k] = float(mine.mean()), float(np.quantile(mine, 0.95))
    return LogHead(linear=linear, smear=smear, upper=upper)


def fit_classes(x: Array, satisfaction: Array, arm: Index, arms: int) -> ClassHead | None:
    """Fit the category of a rating with scikit-learn; None without ratings of at least two categories.

    Bad is below .375 on the 0..1 scale (1 and 2 of 5, thumbs down), good from .625 (4 and 5, thumbs up).
    """
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(satisfaction)
    category = np.digitize(satisfaction[known], [0.375, 0.625])
    present = np.unique(category)
    if len(present) < 2:
        return None
    design = np.hstack([x[known], np.eye(arms)[arm[known]]])
    classifier = LogisticRegression(C=0.3, max_iter=1000).fit(design, category)
    coef = np.zeros((3, design.shape[1]))
    intercept = np.full(3, -50.0)
    if len(present) == 2:
        coef[present[1]], intercept[present[1]] = classifier.coef_[0], classifier.intercept_[0]
        intercept[present[0]] = 0.0
    else:
        coef[present], intercept[present] = classifier.coef_, classifier.intercept_
    return ClassHead(coef=coef, intercept=intercept)
