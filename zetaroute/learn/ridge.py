"""Fit the heads: ridge regressions that share a common part over the arms, and the classes of ratings.

y = x . (m0 + b0 + b_k) + noise with b0 ~ N(0, s^2/5) shared by all arms and b_k ~ N(0, s^2/30) per arm. Only
sums over rows are needed per arm, and the solution is exact; scikit-learn's Ridge on the expanded design is the
reference in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zetaroute.arrays import Array, Array32, Index
from zetaroute.domain import Arm
from zetaroute.features import AnyMap
from zetaroute.features.text_map import CONSTANT
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics, gather
from zetaroute.learn.samples import Sample, target_weights, targets
from zetaroute.policy.heads import ClassHead, LinearHead, LogHead
from zetaroute.policy.learned import LearnedPredictor, Priced
from zetaroute.policy.packed_covariance import fold

SHARED_RIDGE = 5.0
ARM_RIDGE = 30.0


def solve(sums: SufficientStatistics) -> tuple[LinearHead | None, ...]:
    """Return the exact posterior mean and spread of every arm's coefficients, per target; None without any row.

    With P_k = (A_k + 30 I)^-1 the products of the recipe need no matrix product: A_k P_k = I - 30 P_k.
    Targets that were known for the same rows share one inverse.
    """
    factors: dict[int, _Factor] = {}
    heads: list[LinearHead | None] = []
    for head, gram in enumerate(sums.gram):
        if sums.rows[head].sum() <= 0:
            heads.append(None)
            continue
        if id(gram) not in factors:
            factors[id(gram)] = _factor(gram)
        heads.append(_solve(sums, head, factors[id(gram)]))
    return tuple(heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Factor:
    """What solutions over the same rows have in common."""

    spread: Array
    """(K, D, D) P_k"""
    stored: Array32
    """The same as it is served."""
    pooled: Array
    """(D, D) 5 I + sum of A_k - A_k P_k A_k"""
    freedom: float
    """Degrees of freedom that the fit takes: the trace of the sum of A_k P_k."""


def _factor(gram: Array) -> _Factor:
    size = gram.shape[1]
    spread = np.asarray(np.linalg.inv(gram + ARM_RIDGE * np.eye(size)), dtype=np.float64)
    shrunk = np.eye(size) - ARM_RIDGE * spread
    return _Factor(
        spread=spread,
        stored=fold(spread),
        pooled=SHARED_RIDGE * np.eye(size) + ARM_RIDGE * shrunk.sum(axis=0),
        freedom=float(np.trace(shrunk, axis1=1, axis2=2).sum()),
    )


def _solve(sums: SufficientStatistics, head: int, factor: _Factor) -> LinearHead:
    gram, moment = sums.gram[head], sums.moment[head]
    count = float(sums.rows[head].sum())
    level = np.zeros(moment.shape[1])
    level[-1] = float(sums.total[head].sum()) / count / CONSTANT
    centred = moment - gram @ level
    pulled = ARM_RIDGE * np.einsum("kij,kj->ki", factor.spread, centred).sum(axis=0)
    shared = np.linalg.solve(factor.pooled, pulled)
    coef = level + shared + np.einsum("kij,kj->ki", factor.spread, centred - gram @ shared)
    explained = 2 * np.einsum("ki,ki->", coef, moment) - np.einsum(
        "ki,kij,kj->", coef, gram, coef, optimize=True
    )
    residual = max(float(sums.square[head].sum() - explained), 0.0)
    return LinearHead(
        coef=coef,
        spread=factor.stored,
        noise=float(np.sqrt(residual / max(count - factor.freedom, 1.0))),
        rows=sums.rows[head],
    )


def log_head(linear: LinearHead | None, x: Array, logs: Array, arm: Index, weight: Array) -> LogHead | None:
    """Return the head of a logarithm with the way back to mean and p95, from the residuals of rows (n, D).

    What belongs to a time that is over, with a weight below 1, says nothing of how answers scatter now.
    """
    if linear is None:
        return None
    arms = len(linear.coef)
    current = ~np.isnan(logs) & (weight >= 1.0)
    owner = arm[current]
    scatter = np.exp(np.clip(logs[current] - linear.own_mean(x[current], owner), -8.0, 8.0))
    smear, upper = np.ones(arms), np.ones(arms)
    for k in np.unique(owner).tolist():
        mine = scatter[owner == k]
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


def fit_heads(x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap) -> LearnedPredictor:
    """Fit the four heads and the classes of ratings on rows with these vectors (n, D)."""
    sums = gather(x, targets(rows), rows.arm, len(arms), target_weights(rows))
    return replace(
        heads(sums, x, rows, arms, feature_map),
        rating=fit_classes(x, rows.satisfaction, rows.arm, len(arms)),
        priced=prices_learned_at(rows, arms),
    )


def heads(
    sums: SufficientStatistics, x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap
) -> LearnedPredictor:
    """Solve the heads from sums; `rows` with vectors (n, D) say how times and costs scatter."""
    accuracy, satisfaction, response, cost = solve(sums)
    known = targets(rows)
    return LearnedPredictor(
        map=feature_map,
        models=tuple(arm.id for arm in arms),
        accuracy=accuracy,
        satisfaction=satisfaction,
        response=log_head(response, x, known[:, 2], rows.arm, rows.weight),
        cost=log_head(cost, x, known[:, 3], rows.arm, rows.weight),
        rating=None,
    )


def prices_learned_at(rows: Sample, arms: Sequence[Arm]) -> dict[str, Priced]:
    """Return, for the arms whose prices are known, what their costs were learned at."""
    priced = {}
    for k, arm in enumerate(arms):
        mine = rows.tokens[(rows.arm == k) & ~np.isnan(rows.tokens).any(axis=1)]
        if arm.prices is not None and len(mine):
            inputs, outputs = mine.mean(axis=0)
            priced[arm.id] = Priced(
                prices=arm.prices.flat(), input_tokens=float(inputs), output_tokens=float(outputs)
            )
    return priced
