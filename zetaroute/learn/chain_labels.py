"""How likely ungraded answers are right: as graded ones were where the same models agreed."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from zetaroute.answers.names import EQUAL
from zetaroute.arrays import Array, Index, Mask

ROWS_OF_MEAN = 3.0
"""Rows of each model's mean that a pattern of agreement is given besides its own."""


def patterns(agreements: Array, asked: tuple[int, ...]) -> Index:
    """Return which pairs of the asked models agree, as a number for each query, from agreements (n, K, K)."""
    found = np.zeros(len(agreements), dtype=np.int64)
    for bit, (one, other) in enumerate(combinations(asked, 2)):
        found += (agreements[:, one, other] >= EQUAL).astype(np.int64) << bit
    return found


def labelled(right: Array, agreements: Array, answered: Mask) -> Array:
    """Return grades (n, K), a probability in place of those that are NaN, where all models have `answered` (n,)."""
    pattern, found = patterns(agreements, tuple(range(right.shape[1]))), right.copy()
    graded = answered & ~np.isnan(right).any(axis=1)
    if not graded.any():
        return found
    means = right[graded].mean(axis=0)
    for number in np.unique(pattern[answered]):
        here = pattern == number
        known = right[here & graded]
        likely = (known.sum(axis=0) + ROWS_OF_MEAN * means) / (len(known) + ROWS_OF_MEAN)
        unknown = (here & answered)[:, None] & np.isnan(right)
        found = np.where(unknown, likely, found)
    return found
