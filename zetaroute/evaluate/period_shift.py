"""Has the world changed since a policy was learned? Tests of two periods against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index

LEVEL = 0.001
"""Chance that all tests of one look together raise an alarm where nothing has changed (Holm 1979)."""
SMALLEST_MIX = 0.1
"""Share of the queries that must have moved from some kinds to others to be worth a word."""
SMALLEST_ACCURACY = 0.05
FEWEST_EXPECTED = 5.0
"""Expected queries of a kind in either period; rarer kinds are counted together (Cochran 1954)."""
FEWEST_QUERIES = 50
FEWEST_EFFECTIVE = 15.0
"""Effective sample size to be expected of a model's graded rows of one kind in one period; less says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Queries of one span of time; arrays (n,) unless said. Repeated texts and turns of a conversation count once."""

    kind: NDArray[np.str_]
    arm: Index
    accuracy: Array
    """NaN where it is unknown."""
    pmf: Array
    """(n, K) the probabilities that the model was drawn from; NaN where it was not drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One thing that has changed by more than chance."""

    arm: int | None
    """The model whose accuracy changed; None: the mix of queries."""
    change: float
    """Of the accuracy; of the mix the share of queries that moved to the kinds that grew."""
    p: float
    kind: str
    """The kind that changed most."""


def find_shifts(before: Period, after: Period) -> list[Shift]:
    """Return what differs between two periods: the mix of queries, and the accuracy of each model."""
    tested = [mix_shift(before.kind, after.kind)]
    tested += [accuracy_shift(before, after, arm) for arm in range(before.pmf.shape[1])]
    known = [one for one in tested if one is not None]
    return [
        one
        for one in _holm(known)
        if abs(one.change) >= (SMALLEST_MIX if one.arm is None else SMALLEST_ACCURACY)
    ]


def mix_shift(before: NDArray[np.str_], after: NDArray[np.str_]) -> Shift | None:
    """Return how the kinds of queries moved, by a chi-squared test of homogeneity; None with too few queries."""
    if min(len(before), len(after)) < FEWEST_QUERIES:
        return None
    kinds, place = np.unique(np.concatenate([before, after]), return_inverse=True)
    counts = np.stack(
        [np.bincount(part, minlength=len(kinds)) for part in (place[: len(before)], place[len(before) :])]
    ).astype(np.float64)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    rare = expected.min(axis=0) < FEWEST_EXPECTED
    pooled = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)]) if rare.any() else counts
    wanted = pooled.sum(axis=1, keepdims=True) * pooled.sum(axis=0) / pooled.sum()
    kept = wanted.min(axis=0) > 0
    if kept.sum() < 2:
        return None
    from scipy.special import chdtrc

    statistic = float(((pooled - wanted)[:, kept] ** 2 / wanted[:, kept]).sum())
    shares = counts / counts.sum(axis=1, keepdims=True)
    moved = shares[1] - shares[0]
    return Shift(
        arm=None,
        change=float(np.maximum(moved, 0.0).sum()),
        p=float(chdtrc(int(kept.sum()) - 1, statistic)),
        kind=str(kinds[int(np.argmax(np.abs(moved)))]),
    )


def accuracy_shift(before: Period, after: Period, arm: int) -> Shift | None:
    """Return how the accuracy of one model changed on equal queries; None where too little is known.

    Within each kind the rows count by the inverse of their propensity (Hajek's mean), since a policy that sends a
    model other queries than before changes what it gets right without the model having changed. The kinds' changes
    are averaged by what each can tell. Which kinds count is decided by the probabilities alone, never by what was
    drawn from them: samples that look good are those that missed the rare and heavy rows.
    """
    parts = []
    for kind in np.unique(after.kind):
        old, new = (_Cell.of(period, arm, str(kind)) for period in (before, after))
        if min(old.effective, new.effective, len(old.weight), len(new.weight)) < FEWEST_EFFECTIVE:
            continue
        sizes = np.array([old.effective, new.effective])
        common = float((sizes @ [old.mean, new.mean] + 0.5) / (sizes.sum() + 1.0))
        parts.append(
            (str(kind), new.mean - old.mean, old.variance(common) + new.variance(common), sizes.sum())
        )
    if not parts:
        return None
    from scipy.special import stdtr

    changes = np.array([change for _, change, *_ in parts])
    precision = 1.0 / np.array([variance for _, _, variance, _ in parts])
    change = float(precision @ changes / precision.sum())
    t = change * math.sqrt(float(precision.sum()))
    degrees = sum(float(size) - 2.0 for *_, size in parts)
    largest = int(np.argmax(np.abs(changes) * np.sqrt(precision)))
    return Shift(arm=arm, change=change, p=float(2.0 * stdtr(degrees, -abs(t))), kind=parts[largest][0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """The graded rows of one model and one kind in one period."""

    accuracy: Array
    weight: Array
    effective: float
    """Sample size that the probabilities promise, whatever was drawn."""

    @classmethod
    def of(cls, period: Period, arm: int, kind: str) -> _Cell:
        graded = (period.kind == kind) & ~np.isnan(period.accuracy) & ~np.isnan(period.pmf[:, 0])
        graded &= period.pmf[:, arm] > 0
        chance, drawn = period.pmf[graded, arm], period.arm[graded] == arm
        return cls(
            accuracy=period.accuracy[graded][drawn],
            weight=1.0 / chance[drawn],
            effective=float(len(chance) ** 2 / (1.0 / chance).sum()) if len(chance) else 0.0,
        )

    @property
    def mean(self) -> float:
        """The accuracy over all queries of the kind."""
        return float(self.weight @ self.accuracy / self.weight.sum())

    def variance(self, common: float) -> float:
        """Return the larger of the binomial variance by design and the one that the sample shows (linearised)."""
        design = common * (1.0 - common) / self.effective
        shown = float(self.weight**2 @ (self.accuracy - common) ** 2 / self.weight.sum() ** 2)
        return max(design, shown)


def _holm(tested: Sequence[Shift]) -> list[Shift]:
    """Return the shifts that pass Holm's step-down test at LEVEL, the surest first."""
    ranked = sorted(tested, key=lambda one: one.p)
    passed = 0
    while passed < len(ranked) and ranked[passed].p <= LEVEL / (len(ranked) - passed):
        passed += 1
    return ranked[:passed]
