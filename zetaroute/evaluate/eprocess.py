"""The canary's test: two policies tried side by side, judged after every row, without paying for looking.

A bet against "the candidate is no better" that grows only where that is wrong (Waudby-Smith & Ramdas 2024): by
Ville's inequality it reaches 1/alpha with probability alpha at most, whenever and however often one looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zetaroute.arrays import Array, Mask

End = Literal["promoted", "rolled_back"]

ALPHA = 0.025
"""False promotions that all canaries together may make, however many there are; the gate has as much."""
STAKED = 0.5
"""Share of what is left of ALPHA that one canary bets; the rest is kept for those after it."""
ROLLBACK_AT = 20.0
"""Evidence of harm that ends a canary."""
STAKES = 5
LARGEST_STAKE = 0.9
"""Share of what could be lost on one row that the boldest bet risks."""
LARGEST_LOG = 700.0
"""Evidence beyond this would not fit into a float, and no report shows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Rows of a canary in the order in which they came, each array (n,); rewards and predictions lie in 0..1."""

    reward: Array
    before: Array
    """Reward predicted for the champion's arm, by a model that is older than the canary."""
    after: Array
    """The same for the candidate's arm."""
    took_before: Array
    """1 / propensity where the champion's arm was drawn, else 0."""
    took_after: Array
    """1 / propensity where the candidate's arm was drawn, else 0."""
    differ: Mask
    """Whether the two arms differ; where they do not, the row says nothing."""
    least: Array
    """A lower bound of both arms' propensities that holds whatever the query."""

    def gains(self) -> Array:
        """Return each row's doubly robust gain of the candidate (n,); its mean is the true one, whatever was
        predicted, because the propensities are exact."""
        gain = (
            self.after
            - self.before
            + self.took_after * (self.reward - self.after)
            - self.took_before * (self.reward - self.before)
        )
        return np.where(self.differ, gain, 0.0)


def promotion_level(left: float) -> float:
    """Return the evidence that promotes a candidate while `left` of ALPHA is left."""
    return 1.0 / (STAKED * left)


def left_after(left: float, *, promoted: bool, evidence: float) -> float:
    """Return what is left of ALPHA after a canary that ended with this evidence for its candidate.

    A promotion costs nothing: it is right, or the one error that ALPHA pays for has been made. Otherwise what was
    staked is worth what the bet made of it, but never more than itself, so that no candidate is promoted on
    another one's merits. Over candidates that are no better what is left, times the evidence of the canary that
    runs, is a supermartingale, and a promotion needs it to grow from ALPHA to 1 (Ville's inequality).
    """
    if promoted:
        return left
    return left * (1.0 - STAKED + STAKED * min(1.0, evidence))


def evidence(gains: Array, worst: Array) -> Array:
    """Return after each row (n,) the evidence that the mean of `gains` is above 0.

    `worst` (n,) bounds the loss on a row: gains >= -worst, known before the row came. The mean of STAKES bets,
    each half as bold as the one before.
    """
    stakes = LARGEST_STAKE / worst[:, None] * 0.5 ** np.arange(STAKES)
    wealth = np.cumsum(np.log1p(stakes * gains[:, None]), axis=0)
    return np.asarray(np.exp(np.minimum(np.logaddexp.reduce(wealth, axis=1) - np.log(STAKES), LARGEST_LOG)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How a canary stands after its last row."""

    end: End | None
    """What the evidence has decided; None while it has not."""
    gain: float
    """Evidence now that the candidate is better."""
    harm: float
    """Evidence now that it is worse."""
    reason: str
    at_row: int | None = None
    """The row (from 1) that decided."""


def judge(utility: Trials, accuracy: Trials, *, promote_at: float, margin: float) -> Evidence:
    """Judge a canary by its rows: both trials hold the same rows.

    Promoted when the evidence for a gain in utility reaches `promote_at` and that for an accuracy above -margin
    reaches ROLLBACK_AT; rolled back when the evidence for a loss of utility, or for an accuracy below -margin,
    reaches ROLLBACK_AT. What comes first counts.
    """
    worst = 1.0 / utility.least
    gains, change = utility.gains(), accuracy.gains() + margin
    better, worse = evidence(gains, worst), evidence(-gains, worst)
    kept, broken = evidence(change, worst), evidence(-change, worst + margin)
    promoted = max(_first(better, promote_at), _first(kept, ROLLBACK_AT))
    rolled_back = min(_first(worse, ROLLBACK_AT), _first(broken, ROLLBACK_AT))
    end: End | None = None
    reason = "the evidence does not suffice yet"
    if promoted < rolled_back:
        end = "promoted"
        reason = f"after {promoted + 1:.0f} graded rows the evidence for a gain reached {promote_at:g}"
    elif rolled_back < promoted:
        end = "rolled_back"
        what = "a loss of utility" if _first(worse, ROLLBACK_AT) == rolled_back else "a loss of accuracy"
        reason = f"after {rolled_back + 1:.0f} graded rows the evidence for {what} reached {ROLLBACK_AT:g}"
    return Evidence(
        end=end,
        gain=_last(better),
        harm=max(_last(worse), _last(broken)),
        reason=reason,
        at_row=None if end is None else int(min(promoted, rolled_back)) + 1,
    )


def _first(evidence: Array, level: float) -> float:
    reached = np.flatnonzero(evidence >= level)
    return float(reached[0]) if len(reached) else np.inf


def _last(evidence: Array) -> float:
    return float(evidence[-1]) if len(evidence) else 1.0
