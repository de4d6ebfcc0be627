"""Fit the heads: ridge regressions that share a common part over the arms, and the classes of ratings.

y = x . (m0 + b0 + b_k) + noise with b0 ~ N(0, s^2/5) shared by all arms and b_k ~ N(0, s^2/30) per arm. Arms of one
model (`of`) are a family: of them b_k = f + o_k, f ~ N(0, s^2/40) shared by the family and o_k ~ N(0, s^2/120). Only
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
FAMILY_RIDGE = 40.0
OWN_RIDGE = 120.0
"""1/40 + 1/120 = 1/30: an arm with relatives is as free as any, and shares three quarters of that with them."""


def relatives(arms: Sequence[Arm]) -> list[Index]:
    """Return the places of the arms of each model that is there at several efforts."""
    ids = [arm.of or arm.id for arm in arms]
    places = [np.flatnonzero([one == model for one in ids]) for model in dict.fromkeys(ids)]
    return [family for family in places if len(family) > 1]


def solve(sums: SufficientStatistics, families: Sequence[Index] = ()) -> tuple[LinearHead | None, ...]:
    """Return the exact posterior mean and spread of every arm's coefficients, per target; None without any row.

    `families` hold the places of arms that share a part of their own. With P_k = (A_k + r_k I)^-1 the products of
    the recipe need no matrix product: A_k P_k = I - r_k P_k. Targets that were known for the same rows share one
    inverse.
    """
    factors: dict[int, _Factor] = {}
    heads: list[LinearHead | None] = []
    for head, gram in enumerate(sums.gram):
        if sums.rows[head].sum() <= 0:
            heads.append(None)
            continue
        if id(gram) not in factors:
            factors[id(gram)] = _factor(gram, families)
        heads.append(_solve(sums, head, factors[id(gram)]))
    return tuple(heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Factor:
    """What solutions over the same rows have in common."""

    ridge: Array
    """(K, 1) r_k"""
    inverse: Array
    """(K, D, D) P_k"""
    families: tuple[tuple[Index, Array], ...]
    """Places of the arms of each family, with (40 I + sum of A_k - A_k P_k A_k)^-1, (D, D)."""
    stored: Array32
    """(K, half of D x D) the spread as it is served: P_k, and for relatives the doubt about the family with it."""
    pooled: Array
    """(D, D) 5 I + sum over arms and families of what their rows tell of the shared part"""
    freedom: float
    """Degrees of freedom that the fit takes: the trace of the sum of A_k times the spread."""


def _factor(gram: Array, families: Sequence[Index]) -> _Factor:
    one, ridge = np.eye(gram.shape[1]), np.full((len(gram), 1), ARM_RIDGE)
    for family in families:
        ridge[family] = OWN_RIDGE
    inverse = np.asarray(np.linalg.inv(gram + ridge[:, :, None] * one), dtype=np.float64)
    shrunk = one - ridge[:, :, None] * inverse
    told, spread, found = ridge[:, :, None] * shrunk, inverse, list[tuple[Index, Array]]()
    freedom = float(np.trace(shrunk, axis1=1, axis2=2).sum())
    pooled = SHARED_RIDGE * one + told.sum(axis=0)
    for family in families:
        below = told[family].sum(axis=0)
        known = np.asarray(np.linalg.inv(below + FAMILY_RIDGE * one), dtype=np.float64)
        doubt = OWN_RIDGE**2 * inverse[family] @ known @ inverse[family]
        spread = spread.copy()
        spread[family] += doubt
        freedom += float(np.einsum("kij,kji->", gram[family], doubt))
        pooled += FAMILY_RIDGE * (one - FAMILY_RIDGE * known) - below
        found.append((family, known))
    return _Factor(
        ridge=ridge,
        inverse=inverse,
        families=tuple(found),
        stored=fold(spread),
        pooled=pooled,
        freedom=freedom,
    )


def _solve(sums: SufficientStatistics, head: int, factor: _Factor) -> LinearHead:
    gram, moment = sums.gram[head], sums.moment[head]
    count = float(sums.rows[head].sum())
    level = np.zeros(moment.shape[1])
    level[-1] = float(sums.total[head].sum()) / count / CONSTANT
    centred = moment - gram @ level
    pulls = factor.ridge * np.einsum("kij,kj->ki", factor.inverse, centred)
    pulled = pulls.sum(axis=0)
    for family, known in factor.families:
        below = pulls[family].sum(axis=0)
        pulled += FAMILY_RIDGE * known @ below - below
    shared = np.tile(np.linalg.solve(factor.pooled, pulled), (len(gram), 1))
    for family, known in factor.families:
        left = centred[family] - gram[family] @ shared[0]
        pulls = OWN_RIDGE * np.einsum("kij,kj->ki", factor.inverse[family], left)
        shared[family] += known @ pulls.sum(axis=0)
    own = centred - np.einsum("kij,kj->ki", gram, shared)
    coef = level + shared + np.einsum("kij,kj->ki", factor.inverse, own)
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
    accuracy, satisfaction, response, cost = solve(sums, relatives(arms))
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
