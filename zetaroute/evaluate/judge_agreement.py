"""Whether a judge can be believed: agreement with those who know better, accuracy from few true and many judged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index, Mask
from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import NOTHING, Moments, Z, t_quantile

FEWEST_PAIRS = 30
"""Answers that both sides must have marked before anything is said against a judge."""
FEWEST_LABELS = 20
"""Answers with both a judgement and the truth that accuracy is estimated from."""
TUNING_FOLDS = 5
BINS = 5
RIGHT = 0.5
"""Score from which on an answer counts as right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers whose judged score lies in one part of 0..1."""

    judged: float
    """Mean of what the judge said."""
    right: Figure
    """Mean of what the others say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a judge says beside what others say of the same answers."""

    pairs: int
    kappa: Figure
    """Cohen's kappa of right and wrong: 1 is perfect, 0 what two that know nothing of each other would reach."""
    correlation: Figure
    """Of the scores themselves; no figure where both say only 0 and 1, and kappa says it all."""
    bins: tuple[Bin, ...]
    """Calibration."""

    @property
    def coin(self) -> bool:
        """Whether enough pairs fail to show that the judge is better than a coin."""
        return self.pairs >= FEWEST_PAIRS and self.kappa.low is not None and self.kappa.low <= 0.0


def agreement(judged: Array, known: Array, rows: Array | None = None) -> Agreement:
    """Compare what a judge says with what is known of the same answers, (n,) each and 0..1."""
    rows = np.ones(len(judged)) if rows is None else rows
    return Agreement(
        pairs=int(rows.sum()),
        kappa=kappa(judged >= RIGHT, known >= RIGHT, rows),
        correlation=_correlation(judged, known, rows),
        bins=_bins(judged, known, rows),
    )


def kappa(first: Mask, second: Mask, rows: Array | None = None) -> Figure:
    """Return Cohen's kappa (Cohen 1960), its interval from the jackknife; no figure where all agree on one answer."""
    rows = np.ones(len(first)) if rows is None else rows
    n = int(rows.sum())
    table = np.array([[float(rows[a & b].sum()) for b in (~second, second)] for a in (~first, first)])
    value = _kappa(table)
    if value is None:
        return Figure(value=None, low=None, high=None, n=n)
    # Rows of one cell of the table are alike, so leaving out one of each kind is leaving out every row.
    left_out, times = [], []
    for cell in np.ndindex(2, 2):
        if table[cell]:
            less = table.copy()
            less[cell] -= 1.0
            one = _kappa(less)
            left_out.append(value if one is None else one)
            times.append(table[cell])
    spread = np.array(left_out) - np.average(left_out, weights=times)
    se = math.sqrt((n - 1) / n * float(np.array(times) @ spread**2))
    half = t_quantile(0.975, n - 1) * se
    return Figure(value=value, low=max(value - half, -1.0), high=min(value + half, 1.0), n=n)


def powered_mean(known: Array, judged: Array, rows: Array | None = None, fold: Index | None = None) -> Figure:
    """Return the mean of what is known of few answers (n,), with the help of what a judge says of many.

    NaN is unknown. Prediction-powered inference with power tuning (Angelopoulos, Duchi & Zrnic 2023, PPI++): the
    judge's mean over the others, corrected by its error where both are known, as far as that narrows the interval. A
    biased judge biases nothing, a useless one is hardly used; how far it is used is tuned for each fold on the
    others, since tuning on the same few labels is a bias of its own. Right while the answers that are known are
    like the others. `fold` (n,) is 0 to TUNING_FOLDS - 1; without, the answers take turns.
    """
    rows = np.ones(len(known)) if rows is None else rows
    is_judged = ~np.isnan(judged)
    both, rest_of_them = ~np.isnan(known) & is_judged, np.isnan(known) & is_judged
    y, f, w = known[both], judged[both], rows[both]
    others, times = judged[rest_of_them], rows[rest_of_them]
    n, more = int(w.sum()), int(times.sum())
    if n < FEWEST_LABELS:
        return NOTHING
    if not more:
        return Moments.of(y, w).figure(least=0.0)
    spread = float(np.cov(np.concatenate([f, others]), fweights=np.concatenate([w, times]).astype(np.int64)))
    fold = np.arange(len(y)) % TUNING_FOLDS if fold is None else fold[both]
    parts = [fold == k for k in range(TUNING_FOLDS)]
    lean = np.array(
        [_lean(y[~part], f[~part], w[~part], spread, n / more) for part in parts], dtype=np.float64
    )
    rest = y - lean[fold] * f
    centres = [float(np.average(rest[part], weights=w[part])) if part.any() else 0.0 for part in parts]
    about = rest - np.array(centres)[fold]
    used = float(np.average(lean[fold], weights=w))
    mean = float(np.average(rest, weights=w)) + used * float(np.average(others, weights=times))
    variance = float(w @ about**2) / (n - TUNING_FOLDS) / n + used**2 * spread / more
    half = t_quantile(0.975, n - TUNING_FOLDS) * math.sqrt(variance)
    return Figure(
        value=min(max(mean, 0.0), 1.0), low=max(mean - half, 0.0), high=min(mean + half, 1.0), n=n + more
    )


def _lean(y: Array, f: Array, rows: Array, spread: float, ratio: float) -> float:
    """Return how far to lean on a judge, 0 to 1: the variance of the powered mean is least there."""
    if spread <= 0:
        return 0.0
    return min(
        max(float(np.cov(y, f, fweights=rows.astype(np.int64))[0, 1]) / ((1.0 + ratio) * spread), 0.0), 1.0
    )


def _kappa(table: Array) -> float | None:
    n = float(table.sum())
    if n == 0:
        return None
    share = table / n
    chance = float(share.sum(axis=0) @ share.sum(axis=1))
    return None if chance >= 1.0 else (float(np.trace(share)) - chance) / (1.0 - chance)


def _correlation(first: Array, second: Array, rows: Array) -> Figure:
    """Return Pearson's correlation with the interval of Fisher's z."""
    n = int(rows.sum())
    graded = any(not np.isin(values, (0.0, 1.0)).all() for values in (first, second))
    if not graded or n < 4 or first.std() == 0 or second.std() == 0:
        return Figure(value=None, low=None, high=None, n=n)
    ((one, both), (_, other)) = np.cov(first, second, fweights=rows.astype(np.int64))
    value = float(both / math.sqrt(one * other))
    z, half = math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12)), Z / math.sqrt(n - 3)
    return Figure(value=value, low=math.tanh(z - half), high=math.tanh(z + half), n=n)


def _bins(judged: Array, known: Array, rows: Array) -> tuple[Bin, ...]:
    place = np.minimum((judged * BINS).astype(np.int64), BINS - 1)
    found = []
    for number in np.unique(place):
        here = place == number
        mean = float(np.average(judged[here], weights=rows[here]))
        found.append(Bin(judged=mean, right=Moments.of(known[here], rows[here]).share()))
    return tuple(found)
