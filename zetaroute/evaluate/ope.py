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
FEWEST_ROWS = 2
SMALLEST_STRATUM = 50
SMALLEST_PROPENSITY = 1e-9
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
    stratum: Index
    """(n,) which logging policy drew the row: strata are weighed by what their propensities can tell."""

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
    p_after = np.maximum(rows.pmf[index, rows.after], SMALLEST_PROPENSITY)
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


class Comparison:
    """One KPI on evaluation rows: its outcome model is fitted once and serves every question about it."""

    def __init__(self, rows: Rows, reward: Array, *, bounded: bool) -> None:
        """Take the rows whose reward (n,) is known; `bounded` clips the outcome model to 0..1."""
        keep = ~np.isnan(reward)
        self._keep = keep
        self._rows, self._reward = rows.take(keep), reward[keep]
        self._index = np.arange(len(self._reward))
        self._q = outcome_model(self._rows, self._reward) if len(self._reward) >= FEWEST_ROWS else None
        if self._q is not None and bounded:
            self._q = np.clip(self._q, 0.0, 1.0)

    def difference(self) -> Difference:
        """Estimate the change of the reward's mean from the incumbent to the candidate.

        The doubly robust estimator of Dudik, Langford & Li 2011, paired; per stratum its variance is the larger
        of the sample's and the design's.
        """
        rows, reward, q, n = self._rows, self._reward, self._q, len(self._reward)
        if q is None:
            return Difference(mean=0.0, se=math.inf, degrees=1.0, n=n, ips=0.0, snips=0.0, model=0.0)
        differ = (rows.before != rows.after).astype(np.float64)
        after, spread_after = self._weights(rows.after)
        before, spread_before = self._weights(rows.before)
        after, before = differ * after, differ * before
        residual = reward - q[self._index, rows.arm]
        modelled = differ * (q[self._index, rows.after] - q[self._index, rows.before])
        psi = modelled + (after - before) * residual
        share = self._shares(differ * (self._inverse(rows.after) + self._inverse(rows.before)))
        se = self._standard_error(psi, modelled, differ * (spread_after + spread_before), share)
        hit = share[after > 0]
        return Difference(
            mean=float(share @ psi),
            se=se,
            degrees=max(float(hit.sum() ** 2 / (hit**2).sum()) - 1.0, 1.0) if len(hit) else 1.0,
            n=n,
            ips=float(share @ ((after - before) * reward)),
            snips=float(share @ differ)
            * (_normalised(share * after, reward) - _normalised(share * before, reward)),
            model=float(share @ modelled),
        )

    def value(self, chosen: Index) -> Figure:
        """Estimate the reward's mean had the arms `chosen` (one per row given) answered, with its 95% interval.

        The one-policy form of `difference`: prediction plus propensity-weighted error, design variance.
        """
        reward, q, n = self._reward, self._q, len(self._reward)
        if q is None:
            return Figure(value=None, low=None, high=None, n=n)
        chosen = chosen[self._keep]
        weight, spread = self._weights(chosen)
        predicted = q[self._index, chosen]
        psi = predicted + weight * (reward - q[self._index, self._rows.arm])
        share = self._shares(self._inverse(chosen))
        se = self._standard_error(psi, predicted, spread, share)
        hit = share[weight > 0]
        degrees = max(float(hit.sum() ** 2 / (hit**2).sum()) - 1.0, 1.0) if len(hit) else 1.0
        half = t_quantile(0.975, degrees) * se
        mean = float(share @ psi)
        return Figure(value=mean, low=mean - half, high=mean + half, n=n)

    def _inverse(self, chosen: Index) -> Array:
        return np.asarray(1.0 / self._propensity(chosen))

    def _propensity(self, chosen: Index) -> Array:
        """Return the logged probabilities of `chosen`; an arm that could not be drawn gets hardly any.

        So a comparison without support ends with an interval too wide to say anything.
        """
        return np.asarray(np.maximum(self._rows.pmf[self._index, chosen], SMALLEST_PROPENSITY))

    def _shares(self, difficulty: Array) -> Array:
        """Return each row's share of the estimate (n,), summing to 1: equal within a stratum.

        A stratum counts by its rows and by how well its propensities cover the comparison, which rewards play
        no part in; without this, rows that hardly explored would drown those that did.
        """
        shares = np.zeros(len(difficulty))
        for mine in self._strata():
            shares[mine] = 1.0 / (1.0 + float(difficulty[mine].mean()))
        return np.asarray(shares / shares.sum())

    def _standard_error(self, psi: Array, modelled: Array, spread: Array, share: Array) -> float:
        variance = 0.0
        for mine in self._strata():
            design = float(modelled[mine].var(ddof=1)) + float(spread[mine].mean())
            variance += max(float(psi[mine].var(ddof=1)), design) * float((share[mine] ** 2).sum())
        return math.sqrt(variance)

    def _strata(self) -> list[Index]:
        """Return the rows of each stratum; small ones are taken together, so that each has a variance."""
        groups = [np.flatnonzero(self._rows.stratum == one) for one in np.unique(self._rows.stratum)]
        large = [group for group in groups if len(group) >= SMALLEST_STRATUM]
        small = [group for group in groups if len(group) < SMALLEST_STRATUM]
        if not small:
            return large
        rest = np.concatenate(small)
        if len(rest) < SMALLEST_STRATUM and large:
            return [np.concatenate([large[0], rest]), *large[1:]]
        return [*large, rest]

    def _weights(self, chosen: Index) -> tuple[Array, Array]:
        """Return 1[a = chosen] / p and the variance that the design gives the weighted error, each (n,)."""
        rows, q = self._rows, self._q
        assert q is not None  # noqa: S101  - both callers have returned without a model; this tells mypy
        p = self._propensity(chosen)
        spread = _arm_variance(self._reward - q[self._index, rows.arm], rows.arm, rows.pmf.shape[1])
        return (rows.arm == chosen) / p, spread[chosen] / p


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
