"""What a candidate policy would have done on logged rows: paired doubly robust differences.

For every KPI the same estimator: rows on which the two policies agree contribute exactly zero, the others the
difference that an outcome model predicts plus its propensity-weighted errors. The variance comes from the known
propensities (the design), since the sample variance misses the arms that were hardly tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.domain import Figure
from zetaroute.evaluate.confidence import t_quantile

Array = NDArray[np.float64]
Index = NDArray[np.int64]

POOLED_RIDGE = 10.0
ARM_RIDGE = 30.0
FOLDS = 5
PRIOR_ROWS = 10.0
"""Rows' worth of the mean squared error that each arm's own is shrunk towards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Evaluation rows that neither policy was trained on."""

    x: Array
    """(n, D) features for the outcome model."""
    arm: Index
    """(n,) logged arm."""
    pmf: Array
    """(n, K) logged probabilities."""
    before: Index
    """(n,) the incumbent's arm."""
    after: Index
    """(n,) the candidate's arm."""
    fold: Index
    """(n,) cross-fitting fold: rows of one conversation or one text share theirs."""

    def take(self, keep: NDArray[np.bool_]) -> Rows:
        """Return the chosen rows."""
        return Rows(**{name: getattr(self, name)[keep] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Estimated change of one KPI per query, candidate minus incumbent."""

    mean: float
    se: float
    degrees: float
    """Degrees of freedom of the t interval: hits - 1."""
    n: int
    ips: float
    snips: float
    model: float

    def bound(self, alpha: float, *, side: int) -> float:
        """Return the one-sided confidence bound at level 1 - alpha: lower for side=-1, upper for side=1."""
        return self.mean + side * t_quantile(1.0 - alpha, self.degrees) * self.se

    def figure(self) -> Figure:
        """Return the estimate with its two-sided 95% interval; no figure without rows to estimate from."""
        if math.isinf(self.se):
            return Figure(value=None, low=None, high=None, n=self.n)
        return Figure(
            value=self.mean, low=self.bound(0.025, side=-1), high=self.bound(0.025, side=1), n=self.n
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How much the log can say about the candidate."""

    hits: int
    """Rows on which the policies differ and the log holds the candidate's arm."""
    effective_sample_size: float
    disagreement: float
    largest_weight: float
    propensities_consistent: bool


def support(rows: Rows) -> Support:
    """Return the support of a comparison, and whether the logged propensities agree with what was drawn."""
    n = len(rows.arm)
    index = np.arange(n)
    differ = rows.before != rows.after
    p_after = rows.pmf[index, rows.after]
    hit = differ & (rows.arm == rows.after)
    weight = 1.0 / p_after[hit]
    expected, spread = int(differ.sum()), float((1.0 - p_after[differ]) @ (1.0 / p_after[differ]))
    drift = abs(float(weight.sum()) - expected) / math.sqrt(spread) if spread > 0 else 0.0
    return Support(
        hits=int(hit.sum()),
        effective_sample_size=float(weight.sum() ** 2 / (weight**2).sum()) if hit.any() else 0.0,
        disagreement=float(differ.mean()) if n else 0.0,
        largest_weight=float(weight.max()) if hit.any() else 0.0,
        propensities_consistent=drift <= 3.0,
    )


def difference(rows: Rows, reward: Array, *, bounded: bool) -> Difference:
    """Estimate the change of the mean of `reward` (n,) from the incumbent to the candidate.

    Rows whose reward is NaN are left out. `bounded` clips the outcome model to 0..1. The estimator and its
    variance: Dudik, Langford & Li 2011 for the doubly robust part; the variance is the larger of the sample's
    and the design's.
    """
    keep = ~np.isnan(reward)
    rows, reward = rows.take(keep), reward[keep]
    n = len(reward)
    if n < 2:
        return Difference(mean=0.0, se=math.inf, degrees=1.0, n=n, ips=0.0, snips=0.0, model=0.0)
    index = np.arange(n)
    q = outcome_model(rows, reward)
    if bounded:
        q = np.clip(q, 0.0, 1.0)
    differ = (rows.before != rows.after).astype(np.float64)
    p_after, p_before = rows.pmf[index, rows.after], rows.pmf[index, rows.before]
    weight_after = differ * (rows.arm == rows.after) / p_after
    weight_before = differ * (rows.arm == rows.before) / p_before
    residual = reward - q[index, rows.arm]
    modelled = differ * (q[index, rows.after] - q[index, rows.before])
    psi = modelled + (weight_after - weight_before) * residual
    spread = _arm_variance(residual, rows.arm, rows.pmf.shape[1])
    design = float(modelled.var(ddof=1)) + float(
        np.mean(differ * (spread[rows.after] / p_after + spread[rows.before] / p_before))
    )
    se = math.sqrt(max(float(psi.var(ddof=1)), design) / n)
    hits = int((weight_after > 0).sum())
    return Difference(
        mean=float(psi.mean()),
        se=se,
        degrees=max(hits - 1, 1),
        n=n,
        ips=float(np.mean((weight_after - weight_before) * reward)),
        snips=float(differ.mean()) * (_normalised(weight_after, reward) - _normalised(weight_before, reward)),
        model=float(modelled.mean()),
    )


def value(rows: Rows, chosen: Index, reward: Array, *, bounded: bool) -> Figure:
    """Estimate the mean of `reward` (n,) had the arms `chosen` (n,) answered, with its 95% interval.

    The one-policy form of `difference`: prediction plus propensity-weighted error, design variance.
    """
    keep = ~np.isnan(reward)
    rows, reward, chosen = rows.take(keep), reward[keep], chosen[keep]
    n = len(reward)
    if n < 2:
        return Figure(value=None, low=None, high=None, n=n)
    index = np.arange(n)
    q = outcome_model(rows, reward)
    if bounded:
        q = np.clip(q, 0.0, 1.0)
    p = rows.pmf[index, chosen]
    weight = (rows.arm == chosen) / p
    residual = reward - q[index, rows.arm]
    psi = q[index, chosen] + weight * residual
    spread = _arm_variance(residual, rows.arm, rows.pmf.shape[1])
    design = float(q[index, chosen].var(ddof=1)) + float(np.mean(spread[chosen] / p))
    se = math.sqrt(max(float(psi.var(ddof=1)), design) / n)
    half = t_quantile(0.975, max(int((weight > 0).sum()) - 1, 1)) * se
    mean = float(psi.mean())
    return Figure(value=mean, low=mean - half, high=mean + half, n=n)


def outcome_model(rows: Rows, reward: Array) -> Array:
    """Return cross-fitted predictions of the reward for every arm, (n, K).

    A pooled ridge regression and one per arm on its residuals, each fold predicted by the others.
    """
    n, arms = rows.pmf.shape
    q = np.zeros((n, arms))
    for fold in range(FOLDS):
        out = rows.fold == fold
        if not out.any():
            continue
        x, y, arm = rows.x[~out], reward[~out], rows.arm[~out]
        level = float(y.mean()) if len(y) else float(reward.mean())
        pooled = _ridge(x, y - level, POOLED_RIDGE)
        rest = y - level - x @ pooled
        base = level + rows.x[out] @ pooled
        for k in range(arms):
            mine = arm == k
            own = _ridge(x[mine], rest[mine], ARM_RIDGE) if mine.any() else 0.0 * pooled
            q[out, k] = base + rows.x[out] @ own
    return q


def _ridge(x: Array, y: Array, penalty: float) -> Array:
    return np.asarray(np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y))


def _arm_variance(residual: Array, arm: Index, arms: int) -> Array:
    squares = np.bincount(arm, weights=residual**2, minlength=arms)
    counts = np.bincount(arm, minlength=arms)
    return np.asarray((squares + PRIOR_ROWS * float(np.mean(residual**2))) / (counts + PRIOR_ROWS))


def _normalised(weight: Array, reward: Array) -> float:
    return float(weight @ reward / weight.sum()) if weight.sum() > 0 else 0.0
