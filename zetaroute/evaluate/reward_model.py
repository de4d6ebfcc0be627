"""The outcome model behind completed ratings: what each row's reward would have been by every arm.

It may be as wrong as it likes: it decides how wide an interval is, never whether it is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask

FOLDS = 5
"""Cross-fitting folds that rows are dealt into."""
POOLED_RIDGE = 10.0
ARM_RIDGE = 30.0


def outcome_model(
    x: NDArray[np.floating[Any]],
    arm: Index,
    reward: Array,
    fold: Index,
    *,
    arms: int,
    rows: Array | None = None,
) -> Array:
    """Return cross-fitted predictions of the reward for every arm, (n, K).

    A pooled ridge regression and one per arm on its residuals, each fold predicted by the others. Rows whose
    reward is NaN are predicted and teach nothing. An entry stands for as many
    alike as `rows` (n,) says, else for one.
    """
    known = ~np.isnan(reward)
    alike = None if rows is None else rows[known]
    everywhere = float(np.average(reward[known], weights=alike)) if known.any() else float("nan")
    numbers, place = np.unique(fold, return_inverse=True)
    parts = _Sums.of(x[known], reward[known], place[known] * arms + arm[known], len(numbers) * arms, alike)
    q = np.zeros((len(reward), arms))
    for number in range(len(numbers)):
        out = place == number
        train = parts.of_arms(np.arange(len(numbers)) != number, arms)
        taught = float(train.count.sum())
        level = float(train.y.sum()) / taught if taught else everywhere
        about = train.xy - level * train.x
        pooled = _ridge(train.xx.sum(axis=0), about.sum(axis=0), POOLED_RIDGE)
        own = _ridge(train.xx, about - train.xx @ pooled, ARM_RIDGE)
        q[out] = level + x[out] @ (pooled + own).T
    return q


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """All that ridge regressions need of groups of rows, so that every row is read once for all folds."""

    xx: Array
    xy: Array
    x: Array
    y: Array
    count: Array

    @classmethod
    def of(
        cls, x: NDArray[np.floating[Any]], y: Array, group: Index, groups: int, alike: Array | None
    ) -> _Sums:
        """Sum up the rows of each group."""
        order = np.argsort(group, kind="stable")
        ends = np.searchsorted(group[order], np.arange(groups + 1))
        found = []
        for start, end in pairwise(ends):
            mine = order[start:end]
            # A group at a time, so that vectors of single precision are never all there in double.
            own = x[mine].astype(np.float64)
            times = np.ones(len(mine)) if alike is None else alike[mine]
            weighted = own if alike is None else own * times[:, None]
            found.append(
                (weighted.T @ own, weighted.T @ y[mine], weighted.sum(axis=0), times @ y[mine], times.sum())
            )
        xx, xy, x_sum, y_sum, count = (np.stack(column) for column in zip(*found, strict=True))
        return cls(xx=xx, xy=xy, x=x_sum, y=y_sum, count=count)

    def of_arms(self, folds: Mask, arms: int) -> _Sums:
        """Return the sums of each arm over the chosen folds; groups are numbered fold by fold."""

        def added(values: Array) -> Array:
            return np.asarray(values.reshape(len(folds), arms, *values.shape[1:])[folds].sum(axis=0))

        return _Sums(
            xx=added(self.xx), xy=added(self.xy), x=added(self.x), y=added(self.y), count=added(self.count)
        )


def _ridge(xx: Array, xy: Array, penalty: float) -> Array:
    """Solve one or several ridge regressions, given their sums of products (..., D, D) and (..., D)."""
    return np.asarray(np.linalg.solve(xx + penalty * np.eye(xx.shape[-1]), xy[..., None])[..., 0])
