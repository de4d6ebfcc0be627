"""Evidence that a challenger is better than the champion, or worse: bets that grow only where that is so.

Each scored query brings `psi`, whose mean over the randomisation is the challenger's gain: the difference of two
grades where an audit asked both sides' models, else a doubly robust one by the logged probabilities. The product of
bets on psi is, where the challenger gains nothing, a supermartingale, so it passes 1/alpha with probability alpha at
most, however often one looks (Ville's inequality; Waudby-Smith & Ramdas 2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index, Mask
from zetaroute.domain import LARGEST_SHARE, LEAST_SHARE

PROMOTES_AT = 20.0
"""Evidence of a gain that promotes: 1/alpha of the whole procedure, whatever number of looks and challengers."""
ROLLS_BACK_AT = 20.0
"""Evidence of harm that takes the queries away from a challenger, or brings the old champion back."""
GAINS = (0.5, 1.5, 4.0)
"""Gains, in points of an answer's value, that the bets on a gain are best for."""
HARMS = (1.5, 4.0, 12.0)
"""The same for losses."""
SINGLE_STAKE, PAIRED_STAKE = 0.9, 0.5
"""Share of what could be lost on one query that a bet risks at most."""
PRIOR_ROWS = 50.0
"""Queries that the expected spread of psi counts for: bets by the first few rows alone are wrong too often."""
NOISE = 0.16
"""Variance of a grade given its query, before any was seen; in squares of an answer's value."""
DIFFER = 0.3
"""Share of the queries that two sides disagree on, before any was seen."""
USUAL_GAIN, USUAL_SPREAD = 1.0, 2.0
"""Mean and standard deviation, in points, of what a challenger gains (`proof.md`'s prior on recorded sets)."""
LEAST_WORST = 1e-12
"""USD: where nothing can be lost nothing is won either."""
LARGEST_LOG = 700.0
"""Evidence beyond this would not fit into a float, and no report shows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Bounds of the utility of K models in USD, each (K,)."""

    low: Array
    high: Array

    def clip(self, values: Array, arm: Index) -> Array:
        """Return values (n,) within the bounds of one model each (n,)."""
        return np.clip(values, self.low[arm], self.high[arm])

    def worst(
        self, *, least: Array, other_least: Array, anchor: int | None = None, mirror: bool = False
    ) -> Array:
        """Return what psi may lose at most, (n,), by the least probabilities (n,) of the two sides' models.

        It holds for every pair of models, with `anchor` as the champion's where that is one model; `mirror` bounds
        what -psi may lose.
        """
        spread = self.high - self.low
        if mirror:
            # -psi is psi with the sides exchanged.
            mine = np.arange(len(spread)) if anchor is None else np.array([anchor])
            theirs = np.arange(len(spread))
            least, other_least = other_least, least
        else:
            mine, theirs = np.arange(len(spread)), np.arange(len(spread))
            theirs = theirs if anchor is None else np.array([anchor])
        a, b = (grid.ravel() for grid in np.meshgrid(mine, theirs, indexing="ij"))
        taken = spread[a][None, :] / least[:, None] + (self.high[b] - self.high[a])[None, :]
        other = spread[b][None, :] / other_least[:, None] + (self.low[b] - self.low[a])[None, :]
        return np.asarray(
            np.maximum(np.maximum(taken, other).max(axis=1), self.worst_pair(mirror=mirror, anchor=anchor))
        )

    def worst_pair(self, *, anchor: int | None = None, mirror: bool = False) -> float:
        """Return what the difference of two grades may lose at most."""
        fixed = slice(None) if anchor is None else slice(anchor, anchor + 1)
        if mirror:
            return float(self.high.max() - self.low[fixed].min())
        return float(self.high[fixed].max() - self.low.min())


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Queries in the order of their decisions, each array (n,): what was expected and what was seen; NaN unseen."""

    paired: Mask
    """Whether the coin let both sides' models be asked."""
    differ: Mask
    champion_expected: Array
    challenger_expected: Array
    champion_reward: Array
    """Seen of the champion's model; NaN where it was not asked."""
    challenger_reward: Array
    champion_p: Array
    challenger_p: Array


def scores(units: Units) -> Array:
    """Return psi of every unit, (n,)."""
    pair = units.challenger_reward - units.champion_reward
    plus = np.where(
        np.isnan(units.challenger_reward),
        0.0,
        (units.challenger_reward - units.challenger_expected) / units.challenger_p,
    )
    minus = np.where(
        np.isnan(units.champion_reward),
        0.0,
        (units.champion_reward - units.champion_expected) / units.champion_p,
    )
    single = units.challenger_expected - units.champion_expected + plus - minus
    return np.where(units.differ, np.where(units.paired, pair, single), 0.0)


def design_variance(unit: float, share: Array) -> Array:
    """Return the mean of psi^2 that is expected before any row, (2, n): of single and of paired queries.

    `unit` is an answer's value in USD, and `share` (n,) what the challenger is given.
    """
    spread = DIFFER * NOISE * unit**2
    single = 1.0 / (0.5 * np.maximum(share, LEAST_SHARE)) + 1.0 / np.maximum(1.0 - share, 0.05)
    return np.stack([spread * single, np.full(len(share), 2.0 * spread)])


def variances(psi: Array, paired: Mask, *, design: Array, past: Array) -> Array:
    """Return the mean of earlier psi^2 of the same kind for every line, (n,).

    `design` (2,) holds what single and paired ones are expected to have, and `past` (2, 2) by kind the number and the
    sum of psi^2 of the lines before these.
    """
    found = np.empty(len(psi))
    for kind in (0, 1):
        mine = paired == bool(kind)
        squares = psi[mine] ** 2
        before = past[kind, 1] + np.cumsum(squares) - squares
        count = past[kind, 0] + np.arange(len(squares))
        found[mine] = (PRIOR_ROWS * design[kind] + before) / (PRIOR_ROWS + count)
    return found


def log_evidence(psi: Array, paired: Mask, variance: Array, worst: Array, deltas: Array) -> Array:
    """Return the logarithm of the evidence that the mean of psi is above 0 after each line, (n,).

    The mean of bets of min(delta / variance, a share of 1 / worst), one for each delta in USD; psi >= -worst, and
    all but psi was known before it. An infinite variance bets nothing.
    """
    if not len(psi):
        return np.zeros(0)
    most = np.where(paired, PAIRED_STAKE, SINGLE_STAKE) / np.maximum(worst, LEAST_WORST)
    stakes = np.minimum(deltas[:, None] / np.maximum(variance, 1e-300), most)
    wealth = np.cumsum(np.log1p(stakes * psi), axis=1)
    return np.asarray(np.logaddexp.reduce(wealth, axis=0) - math.log(len(deltas)))


def last_evidence(log: Array) -> float:
    """Return the evidence after the last line; 1 without any."""
    return math.exp(min(float(log[-1]), LARGEST_LOG)) if len(log) else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What the gain per query is believed to be, in USD: a normal posterior."""

    mean: float
    sd: float

    @property
    def chance(self) -> float:
        """Probability that it is above 0."""
        return 0.5 * (1.0 + math.erf(self.mean / (self.sd * math.sqrt(2.0))))

    @property
    def share(self) -> float:
        """Share of the queries that a challenger of this promise is given."""
        return min(max(self.chance, LEAST_SHARE), LARGEST_SHARE)


def believed_gain(psi: Array, paired: Mask, *, point: float, design: Array) -> Belief:
    """Return the belief after these lines; a `point` is a hundredth of an answer's value in USD."""
    point = max(point, LEAST_WORST)
    precision = 1.0 / (USUAL_SPREAD * point) ** 2
    total = precision * USUAL_GAIN * point
    for kind in (0, 1):
        mine = psi[paired == bool(kind)]
        if len(mine):
            spread = (PRIOR_ROWS * design[kind] + float(((mine - mine.mean()) ** 2).sum())) / (
                PRIOR_ROWS + len(mine)
            )
            spread = max(spread, point**2)
            precision += len(mine) / spread
            total += float(mine.sum()) / spread
    return Belief(mean=total / precision, sd=1.0 / math.sqrt(precision))


def loss_is_limited(share: Array, psi: Array, limit: float, in_flight: float = 0.0) -> bool:
    """Return whether a challenger may go on serving under a limit in USD on what it loses.

    Its expected loss stays below the limit at all times with 95% (exp(y - y^2) <= 1 + y and Ville's inequality),
    if no query may lose more than a twelfth of it.
    """
    lost = share * psi
    return bool(-lost.sum() + 6.0 / limit * (lost**2).sum() < limit / 2.0 - in_flight)
