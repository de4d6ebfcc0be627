"""What a candidate policy would have done on logged rows: paired doubly robust differences.

For every KPI the same estimator: rows on which the two policies agree contribute exactly zero, the others the
difference that an outcome model predicts plus its propensity-weighted errors. The variance comes from the known
propensities (the design), since the sample variance misses the arms that were hardly tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import t_quantile
from zetaroute.evaluate.reward_model import arm_variance, outcome_model

FOLDS = 5
"""Cross-fitting folds that the rows are dealt into."""
FEWEST_ROWS = 2
SMALLEST_STRATUM = 50
SMALLEST_PROPENSITY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRows:
    """Evaluation rows that neither policy was trained on."""

    x: NDArray[np.floating[Any]]
    """(n, D) features for the outcome model."""
    arm: Index
    """(n,) logged arm."""
    pmf: Array
    """(n, K) logged probabilities."""
    before: Index | Array
    """The incumbent: its arms (n,), or its probabilities (n, K) where it draws."""
    after: Index | Array
    """The candidate, likewise."""
    fold: Index
    """(n,) cross-fitting fold: rows of one conversation or one text share theirs."""
    stratum: Index
    """(n,) which logging policy drew the row: strata are weighed by what their propensities can tell."""
    cluster: Index | None = None
    """(n,) rows of one conversation or one text share a number (counted from 0), since they do not vary on their own;
    None means that every row does."""

    def take(self, keep: Mask | Index) -> LoggedRows:
        """Return the chosen rows."""
        columns: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        taken: dict[str, Any] = {
            name: None if column is None else column[keep] for name, column in columns.items()
        }
        return LoggedRows(**taken)

    def change(self) -> Array:
        """Return by how much the candidate is likelier than the incumbent to use each arm, (n, K)."""
        arms = self.pmf.shape[1]
        return probabilities(self.after, arms) - probabilities(self.before, arms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Estimated change of one KPI per query, candidate minus incumbent."""

    mean: float
    se: float
    degrees: float
    """Degrees of freedom of the t interval: hits - 1."""
    n: int
    hits: int
    """Independent rows on which the log holds what the candidate would rather do."""
    ips: float
    snips: float
    model: float

    def bound(self, alpha: float, *, side: int) -> float:
        """Return the one-sided confidence bound at level 1 - alpha: lower for side=-1, upper for side=1."""
        return self.mean + side * t_quantile(1.0 - alpha, self.degrees) * self.se

    def times(self, factor: float) -> Difference:
        """Return the same change in another unit, `factor` (not negative) of which are one of the old."""
        scaled = {name: factor * getattr(self, name) for name in ("mean", "se", "ips", "snips", "model")}
        return replace(self, **scaled)

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
    """Independent rows on which the policies differ and the log holds what the candidate would rather do."""
    effective_sample_size: float
    disagreement: float
    largest_weight: float
    propensities_consistent: bool


def probabilities(chosen: Index | Array, arms: int) -> Array:
    """Return a policy as probabilities (n, K): chosen arms (n,) become certain, probabilities stay."""
    return np.asarray(chosen if chosen.ndim == 2 else np.eye(arms)[chosen], dtype=np.float64)


def support(rows: LoggedRows) -> Support:
    """Return the support of a comparison, and whether the logged propensities agree with what was drawn.

    The weights of what was drawn add up to what the candidate wanted more of, within three standard deviations.
    """
    index = np.arange(len(rows.arm))
    gain = np.maximum(rows.change(), 0.0)
    p = np.maximum(rows.pmf, SMALLEST_PROPENSITY)
    wanted = gain.sum(axis=1)
    drawn = gain[index, rows.arm]
    weight = drawn / p[index, rows.arm]
    spread = float(((gain**2 / p).sum(axis=1) - wanted**2).sum())
    drift = abs(float(weight.sum() - wanted.sum())) / math.sqrt(spread) if spread > 0 else 0.0
    return Support(
        hits=round(_effective(per_cluster(drawn, rows.cluster))),
        effective_sample_size=_effective(per_cluster(weight, rows.cluster)),
        disagreement=float(wanted.mean()) if len(index) else 0.0,
        largest_weight=float(weight.max(initial=0.0)),
        propensities_consistent=drift <= 3.0,
    )


def hits_of(rows: LoggedRows) -> int:
    """Return the independent rows on which the policies differ and the log holds what the candidate would do."""
    drawn = np.maximum(rows.change(), 0.0)[np.arange(len(rows.arm)), rows.arm]
    return round(_effective(per_cluster(drawn, rows.cluster)))


class PairedDR:
    """One KPI on evaluation rows: its outcome model is fitted once and serves every question about it."""

    def __init__(self, rows: LoggedRows, reward: Array, *, bounded: bool) -> None:
        """Take the rows whose reward (n,) is not NaN; `bounded` clips the outcome model to 0..1."""
        self._keep = ~np.isnan(reward)
        self._rows, self._reward = rows.take(self._keep), reward[self._keep]
        self._index = np.arange(len(self._reward))
        # An arm that could not be drawn gets hardly any probability: such a comparison ends with an interval too
        # wide to say anything.
        self._p = np.maximum(self._rows.pmf, SMALLEST_PROPENSITY)
        self.q: Array | None = None
        """The outcome model (n, K); None when too few rewards are known."""
        if len(self._reward) >= FEWEST_ROWS:
            q = outcome_model(
                self._rows.x, self._rows.arm, self._reward, self._rows.fold, arms=rows.pmf.shape[1]
            )
            self.q = np.clip(q, 0.0, 1.0) if bounded else q
        # The vectors have told what they can; of a large log they would take most of the memory.
        self._rows = replace(self._rows, x=np.zeros((len(self._reward), 0)))

    def difference(self, within: Mask | None = None) -> Difference:
        """Estimate the change of the reward's mean from the incumbent to the candidate, over the rows `within`.

        The doubly robust estimator of Dudik, Langford & Li 2011, paired; per stratum its variance is the larger
        of the sample's and the design's.
        """
        return self._estimate(self._rows.change(), within)

    def value(self, chosen: Index | Array) -> Figure:
        """Estimate the reward's mean had the policy `chosen` (arms (n,) or probabilities (n, K)) answered.

        The one-policy form of `difference`: prediction plus propensity-weighted error, design variance.
        """
        return self._estimate(probabilities(chosen, self._rows.pmf.shape[1])[self._keep], None).figure()

    def _estimate(self, change: Array, within: Mask | None) -> Difference:
        """Estimate the mean of sum_a change(a) reward(a) over the rows, `change` being (n, K)."""
        q, rows, p = self.q, self._rows, self._p
        mine = self._index if within is None else np.flatnonzero(within[self._keep])
        if q is None or len(mine) < FEWEST_ROWS:
            return _nothing(len(mine))
        residual = self._reward - q[self._index, rows.arm]
        variance = arm_variance(residual, rows.arm, arms=q.shape[1])
        reward, arm, change, p, q = self._reward[mine], rows.arm[mine], change[mine], p[mine], q[mine]
        index = np.arange(len(mine))
        drawn = change[index, arm]
        weight = drawn / p[index, arm]
        modelled = (change * q).sum(axis=1)
        sampling = _Sampling.of(rows.take(mine), difficulty=(np.abs(change) / p).sum(axis=1))
        share = sampling.share
        psi = modelled + weight * residual[mine]
        wanted, left = np.maximum(change, 0.0).sum(axis=1), np.maximum(-change, 0.0).sum(axis=1)
        up, down = np.maximum(weight, 0.0), np.maximum(-weight, 0.0)
        hits = np.maximum(drawn, 0.0)
        return Difference(
            mean=float(share @ psi),
            se=sampling.standard_error(psi, modelled, (change**2 * variance / p).sum(axis=1)),
            degrees=max(_effective(sampling.per_cluster(share * hits)) - 1.0, 1.0),
            n=len(mine),
            hits=round(_effective(sampling.per_cluster(hits))),
            ips=float(share @ (weight * reward)),
            snips=float(share @ wanted) * _normalised(share * up, reward)
            - float(share @ left) * _normalised(share * down, reward),
            model=float(share @ modelled),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sampling:
    """How rows were drawn: by which logging policies, and which of them depend on one another."""

    share: Array
    """(n,) each row's share of the estimate, summing to 1: equal within a stratum.

    A stratum counts by its rows and by how well its propensities cover the comparison, which rewards play no part
    in; without this, rows that hardly explored would drown those that did."""
    strata: tuple[Index, ...]
    cluster: Index | None
    """(n,) numbers from 0."""

    @classmethod
    def of(cls, rows: LoggedRows, *, difficulty: Array) -> _Sampling:
        """Weigh the strata by their mean `difficulty` (n,): the sum of inverse propensities of what changes."""
        strata = _strata(rows.stratum)
        share = np.zeros(len(difficulty))
        for mine in strata:
            share[mine] = 1.0 / (1.0 + float(difficulty[mine].mean()))
        return cls(share=share / share.sum(), strata=strata, cluster=rows.cluster)

    def standard_error(self, psi: Array, modelled: Array, spread: Array) -> float:
        """Return the standard error of share @ psi: per stratum the larger of the sample's variance and the
        design's, plus what rows of one cluster have in common (Liang & Zeger 1986)."""
        variance, centred = 0.0, {"psi": psi.copy(), "modelled": modelled.copy()}
        for mine in self.strata:
            if len(mine) < FEWEST_ROWS:
                return math.inf
            design = float(modelled[mine].var(ddof=1)) + float(spread[mine].mean())
            variance += max(float(psi[mine].var(ddof=1)), design) * float((self.share[mine] ** 2).sum())
            centred["psi"][mine] -= psi[mine].mean()
            centred["modelled"][mine] -= modelled[mine].mean()
        return math.sqrt(variance + max(0.0, *(self._common(self.share * part) for part in centred.values())))

    def per_cluster(self, values: Array) -> Array:
        """Return the sum of `values` over the rows of each cluster."""
        return per_cluster(values, self.cluster)

    def _common(self, shared: Array) -> float:
        """Return the sum of the products of different rows of one cluster."""
        if self.cluster is None:
            return 0.0
        count = np.count_nonzero(np.bincount(self.cluster))
        if count < FEWEST_ROWS:
            return math.inf
        sums = self.per_cluster(shared)
        return float((sums**2).sum() - (shared**2).sum()) * count / (count - 1)


def _nothing(n: int) -> Difference:
    return Difference(mean=0.0, se=math.inf, degrees=1.0, n=n, hits=0, ips=0.0, snips=0.0, model=0.0)


def _strata(stratum: Index) -> tuple[Index, ...]:
    """Return the rows of each stratum; small ones are taken together, so that each has a variance."""
    groups = [np.flatnonzero(stratum == one) for one in np.unique(stratum)]
    large = [group for group in groups if len(group) >= SMALLEST_STRATUM]
    small = [group for group in groups if len(group) < SMALLEST_STRATUM]
    if not small:
        return tuple(large)
    rest = np.concatenate(small)
    if len(rest) < SMALLEST_STRATUM and large:
        return (np.concatenate([large[0], rest]), *large[1:])
    return (*large, rest)


def per_cluster(values: Array, cluster: Index | None) -> Array:
    """Return the sum of `values` (n,) over the rows of each cluster, by its number: 0 for one without rows.

    None means that every row is one.
    """
    if cluster is None:
        return values
    return np.asarray(np.bincount(cluster, weights=values), dtype=np.float64)


def _effective(weight: Array) -> float:
    """Return how many equal weights say as much (Kish 1965)."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def _normalised(weight: Array, reward: Array) -> float:
    return float(weight @ reward / weight.sum()) if weight.sum() > 0 else 0.0
