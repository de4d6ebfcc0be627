"""Fit the heads: ridge regressions that share a common part over the arms, and the classes of ratings.

y = x . (m0 + b0 + b_k) + noise with b0 ~ N(0, s^2/5) shared by all arms and b_k ~ N(0, s^2/a) per arm, where the log
says a. Arms of one model (`of`) are a family: of them b_k = f + o_k, f ~ N(0, s^2 3/4a) shared by the family and
o_k ~ N(0, s^2/4a). Only sums over rows are needed per arm, and the solution is exact; scikit-learn's Ridge on the
expanded design is the reference in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Array32, Index
from zetaroute.domain import Arm
from zetaroute.features import AnyMap
from zetaroute.features.text_map import CONSTANT
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics
from zetaroute.learn.logistic import fit_multinomial
from zetaroute.learn.samples import Sample, targets
from zetaroute.policy.heads import ClassHead, LinearHead, LogHead
from zetaroute.policy.learned import LearnedPredictor, Priced
from zetaroute.policy.packed_covariance import fold, quadratic

SHARED_RIDGE = 5.0
ARM_RIDGE = 30.0
"""Of a log that says nothing of how much the arms differ."""
FAMILY, OWN = 4 / 3, 4.0
"""Ridges of a family and of an arm in it, in those of an arm alone: 3/4 + 1/4 = 1, so an arm with relatives is as
free as any, and shares three quarters of that with them."""
RATING_RIDGE = 10 / 3
STEP = 3.0
"""Factor between two ridges of the arms that are tried."""
MOST_STEPS = 4
"""Factors that the ridge of a log may lie from ARM_RIDGE."""

Ridges = Sequence[float | None]
"""Of the arms, by target."""


def relatives(arms: Sequence[Arm]) -> list[Index]:
    """Return the places of the arms of each model that is there at several efforts."""
    ids = [arm.of or arm.id for arm in arms]
    places = [np.flatnonzero([one == model for one in ids]) for model in dict.fromkeys(ids)]
    return [family for family in places if len(family) > 1]


def solve(
    sums: SufficientStatistics, families: Sequence[Index] = (), ridges: Ridges | None = None
) -> tuple[LinearHead | None, ...]:
    """Return the exact posterior mean and spread of every arm's coefficients, per target; None without any row.

    `families` hold the places of arms that share a part of their own. With P_k = (A_k + r_k I)^-1 the products of
    the recipe need no matrix product: A_k P_k = I - r_k P_k. Targets that were known for the same rows share one
    inverse and the ridge of the first of them. Where `ridges` give a target none, the log says it.
    """
    factors: dict[int, tuple[_Factor, Array32]] = {}
    heads: list[LinearHead | None] = []
    for head, gram in enumerate(sums.gram):
        if sums.rows[head].sum() <= 0:
            heads.append(None)
            continue
        if id(gram) not in factors:
            given = None if ridges is None else ridges[head]
            factor = likely_factor(sums, head, families) if given is None else _factor(gram, families, given)
            factors[id(gram)] = factor, fold(factor.spread)
        factor, stored = factors[id(gram)]
        coef, moment = _Solution.of(sums, head, factor).coef, sums.moment[head]
        explained = 2 * np.einsum("ki,ki->", coef, moment) - np.einsum(
            "ki,kij,kj->", coef, gram, coef, optimize=True
        )
        residual = max(float(sums.square[head].sum() - explained), 0.0)
        noise = float(np.sqrt(residual / max(float(sums.rows[head].sum()) - factor.freedom, 1.0)))
        heads.append(LinearHead(coef=coef, spread=stored, noise=noise, rows=sums.rows[head]))
    return tuple(heads)


def arm_ridges(sums: SufficientStatistics, families: Sequence[Index] = ()) -> Ridges:
    """Return the ridge of the arms that the log says for each target, as in `likely_factor`."""
    found: dict[int, float] = {}
    for head, gram in enumerate(sums.gram):
        if sums.rows[head].sum() > 0 and id(gram) not in found:
            found[id(gram)] = likely_factor(sums, head, families).arm
    return [found.get(id(gram)) for gram in sums.gram]


def likely_factor(sums: SufficientStatistics, head: int, families: Sequence[Index] = ()) -> _Factor:
    """Return what solutions for a target have in common at the ridge of the arms that lies halfway, by factors, from
    ARM_RIDGE to the most likely one.

    The likelihood given a ridge (MacKay 1992, evidence maximisation) is that of outcomes, but what chooses is how
    arms differ. What is hard for all of them alike is noise to the outcomes alone, so that their ridge is too large
    for the differences: with every arm's outcome of every query the two were measured to be about a factor 2 apart.
    A few rows move it little, for its prior is log-normal, one STEP wide.
    """
    tried: dict[float, _Factor] = {}

    def factor(steps: float) -> _Factor:
        if steps not in tried:
            tried[steps] = _factor(sums.gram[head], families, ARM_RIDGE * STEP**steps)
        return tried[steps]

    def surprise(steps: int) -> float:
        return _Solution.of(sums, head, factor(steps)).surprise + steps**2

    best, least = 0, surprise(0)
    for way in (1, -1):
        while abs(best + way) <= MOST_STEPS and (here := surprise(best + way)) < least:
            best, least = best + way, here
        if best:
            break
    return factor(best / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Factor:
    """What solutions over the same rows have in common."""

    arm: float
    """Ridge of an arm without relatives."""
    ridge: Array
    """(K, 1) r_k"""
    family_ridge: float
    inverse: Array
    """(K, D, D) P_k"""
    families: tuple[tuple[Index, Array], ...]
    """Places of the arms of each family, with (f I + sum of A_k - A_k P_k A_k)^-1, (D, D)."""
    spread: Array
    """(K, D, D) P_k, and for relatives the doubt about the family with it."""
    pooled: Array
    """(D, D) 5 I + sum over arms and families of what their rows tell of the shared part"""
    freedom: float
    """Degrees of freedom that the fit takes: the trace of the sum of A_k times the spread."""
    volume: float
    """How much the prior's volume is above the posterior's: twice its logarithm, but for a constant."""


def _factor(gram: Array, families: Sequence[Index], arm: float) -> _Factor:
    one, ridge, family_ridge = np.eye(gram.shape[1]), np.full((len(gram), 1), arm), FAMILY * arm
    for family in families:
        ridge[family] = OWN * arm
    inverse, volume = np.empty_like(gram), -len(one) * float(np.log(ridge).sum())
    for k, own in enumerate(gram):
        inverse[k], more = _inverse(own + ridge[k] * one)
        volume += more
    spread, found = inverse, list[tuple[Index, Array]]()

    def told(places: Index) -> Array:
        """Return the sum of A_k - A_k P_k A_k."""
        own = ridge[places, 0]
        return np.asarray(own.sum() * one - np.tensordot(own**2, inverse[places], axes=1))

    freedom = float((len(one) - ridge[:, 0] * np.trace(inverse, axis1=1, axis2=2)).sum())
    pooled = SHARED_RIDGE * one + told(np.arange(len(gram)))
    for family in families:
        below = told(family)
        known, more = _inverse(below + family_ridge * one)
        volume += more - len(one) * math.log(family_ridge)
        doubt = (OWN * arm) ** 2 * inverse[family] @ known @ inverse[family]
        spread = spread.copy()
        spread[family] += doubt
        freedom += float(np.einsum("kij,kji->", gram[family], doubt))
        pooled += family_ridge * (one - family_ridge * known) - below
        found.append((family, known))
    return _Factor(
        arm=arm,
        ridge=ridge,
        family_ridge=family_ridge,
        inverse=inverse,
        families=tuple(found),
        spread=spread,
        pooled=pooled,
        freedom=freedom,
        volume=volume + float(np.linalg.slogdet(pooled)[1]),
    )


def _inverse(matrix: Array) -> tuple[Array, float]:
    """Return the inverse of a positive definite matrix (D, D), and the logarithm of its determinant."""
    from scipy.linalg.lapack import dpotrf, dpotri

    root, failed = dpotrf(matrix)
    if failed:
        raise np.linalg.LinAlgError("the sums of a ridge regression are no sums of squares.")
    half = dpotri(root)[0]
    inverse = half + half.T
    np.fill_diagonal(inverse, np.diagonal(half))
    return inverse, 2 * float(np.log(np.diagonal(root)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solution:
    """The coefficients of one target."""

    coef: Array
    """(K, D)"""
    surprise: float
    """-2 ln of the likelihood of all outcomes given the ridge, but for a constant; the noise is the most likely."""

    @classmethod
    def of(cls, sums: SufficientStatistics, head: int, factor: _Factor) -> _Solution:
        gram, moment = sums.gram[head], sums.moment[head]
        count = float(sums.rows[head].sum())
        level = np.zeros(moment.shape[1])
        level[-1] = float(sums.total[head].sum()) / count / CONSTANT
        centred = moment - gram @ level
        alone = np.einsum("kij,kj->ki", factor.inverse, centred)
        square = float(sums.square[head].sum() - ((moment + centred) @ level).sum())
        left = square - float((alone * centred).sum())
        pulls = factor.ridge * alone
        pulled = pulls.sum(axis=0)
        for family, known in factor.families:
            below = pulls[family].sum(axis=0)
            pulled += factor.family_ridge * known @ below - below
            left -= float(below @ known @ below)
        common = np.linalg.solve(factor.pooled, pulled)
        left -= float(pulled @ common)
        shared = np.tile(common, (len(gram), 1))
        for family, known in factor.families:
            rest = centred[family] - gram[family] @ common
            pulls = factor.ridge[family] * np.einsum("kij,kj->ki", factor.inverse[family], rest)
            shared[family] += known @ pulls.sum(axis=0)
        own = centred - np.einsum("kij,kj->ki", gram, shared)
        return cls(
            coef=level + shared + np.einsum("kij,kj->ki", factor.inverse, own),
            surprise=count * float(np.log(max(left, 1e-9 * square, 1e-12) / count)) + factor.volume,
        )


def log_head(linear: LinearHead | None, x: Array, logs: Array, arm: Index, weight: Array) -> LogHead | None:
    """Return the head of a logarithm with the way back to mean and p95, from the residuals of rows (n, D).

    What belongs to a time that is over, with a weight below 1, says nothing of how answers scatter now. A row's own
    pull on the fit is taken out of its residual before the p95 is read off (leave one out, by its leverage).
    """
    if linear is None:
        return None
    arms = len(linear.coef)
    current = ~np.isnan(logs) & (weight >= 1.0)
    owner, x = arm[current], x[current]
    residual = np.clip(logs[current] - linear.own_mean(x, owner), -8.0, 8.0)
    smear, upper = np.ones(arms), np.ones(arms)
    for k in np.unique(owner).tolist():
        mine = residual[owner == k]
        leverage = quadratic(x[owner == k], linear.spread[[k]])[:, 0]
        unseen = np.sort(mine / (1.0 - np.minimum(leverage, 0.9)))
        rank = math.ceil(0.95 * (len(mine) + 1))
        smear[k] = float(np.exp(mine).mean())
        upper[k] = float(np.exp(unseen[min(rank, len(mine)) - 1]))
    return LogHead(linear=linear, smear=smear, upper=upper)


def fit_classes(x: Array, satisfaction: Array, arm: Index, arms: int) -> ClassHead | None:
    """Fit the category of a rating; None without ratings of at least two categories.

    Bad is below .375 on the 0..1 scale (1 and 2 of 5, thumbs down), good from .625 (4 and 5, thumbs up).
    """
    known = ~np.isnan(satisfaction)
    category = np.digitize(satisfaction[known], [0.375, 0.625])
    present, category = np.unique(category, return_inverse=True)
    if len(present) < 2:
        return None
    design = np.hstack([x[known], np.eye(arms)[arm[known]]])
    coef, intercept = np.zeros((3, design.shape[1])), np.full(3, -50.0)
    coef[present], intercept[present] = fit_multinomial(design, category, ridge=RATING_RIDGE)
    return ClassHead(coef=coef, intercept=intercept)


def heads(
    sums: SufficientStatistics,
    x: Array,
    rows: Sample,
    arms: Sequence[Arm],
    feature_map: AnyMap,
    ridges: Ridges | None = None,
) -> LearnedPredictor:
    """Solve the heads from sums; `rows` with vectors (n, D) say how times and costs scatter."""
    accuracy, satisfaction, response, cost = solve(sums, relatives(arms), ridges)
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
