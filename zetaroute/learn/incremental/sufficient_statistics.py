"""What a ridge regression needs to know of rows: sums that add, subtract and fade, for several targets at once.

Apart from the solution because sums outlive a fit: they are kept, and only what changed is counted again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index

CHUNK = 20_000
"""Rows whose vectors are held at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SufficientStatistics:
    """Sums over rows for H targets and K arms; they add over folds, days and hosts."""

    gram: tuple[Array, ...]
    """H times (K, D, D), sum of w x x^T; targets known for the same rows hold the very same array."""
    moment: Array
    """(H, K, D) sum of w x y"""
    square: Array
    """(H, K) sum of w y^2"""
    total: Array
    """(H, K) sum of w y"""
    rows: Array
    """(H, K) sum of w"""

    @classmethod
    def nothing(cls, targets: int, arms: int, size: int) -> SufficientStatistics:
        """Return the sums over no rows."""
        return cls(
            gram=(np.zeros((arms, size, size)),) * targets,
            moment=np.zeros((targets, arms, size)),
            square=np.zeros((targets, arms)),
            total=np.zeros((targets, arms)),
            rows=np.zeros((targets, arms)),
        )

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        return self._with(other, np.add)

    def __sub__(self, other: SufficientStatistics) -> SufficientStatistics:
        return self._with(other, np.subtract)

    def scaled(self, weight: Array) -> SufficientStatistics:
        """Return the sums with the rows of each arm weighed by `weight` (K,)."""
        done = {id(gram): gram * weight[:, None, None] for gram in self.gram}
        return SufficientStatistics(
            gram=tuple(done[id(gram)] for gram in self.gram),
            moment=self.moment * weight[:, None],
            square=self.square * weight,
            total=self.total * weight,
            rows=self.rows * weight,
        )

    def rearranged(self, order: Index) -> SufficientStatistics:
        """Return the sums of the arms in another order, (K',) of positions; -1 is an arm without rows."""
        known = order >= 0

        def moved(values: Array, axis: int) -> Array:
            shape = [-1 if place == axis else 1 for place in range(values.ndim)]
            return np.asarray(np.take(values, np.where(known, order, 0), axis=axis) * known.reshape(shape))

        done = {id(gram): moved(gram, 0) for gram in self.gram}
        return SufficientStatistics(
            gram=tuple(done[id(gram)] for gram in self.gram),
            moment=moved(self.moment, 1),
            square=moved(self.square, 1),
            total=moved(self.total, 1),
            rows=moved(self.rows, 1),
        )

    def _with(
        self, other: SufficientStatistics, operation: Callable[[Array, Array], Array]
    ) -> SufficientStatistics:
        done: dict[tuple[int, int], Array] = {}
        for mine, theirs in zip(self.gram, other.gram, strict=True):
            if (id(mine), id(theirs)) not in done:
                done[id(mine), id(theirs)] = operation(mine, theirs)
        return SufficientStatistics(
            gram=tuple(done[id(a), id(b)] for a, b in zip(self.gram, other.gram, strict=True)),
            moment=operation(self.moment, other.moment),
            square=operation(self.square, other.square),
            total=operation(self.total, other.total),
            rows=operation(self.rows, other.rows),
        )


def gather(x: Array, y: Array, arm: Index, arms: int, weight: Array | None = None) -> SufficientStatistics:
    """Return the sums over n rows: vectors (n, D), targets (n, H) with NaN left out, arms (n,), weights (n,) or, one
    for each target, (n, H)."""
    weight = np.ones(len(y)) if weight is None else weight
    weights = np.broadcast_to(weight if weight.ndim == 2 else weight[:, None], y.shape)
    counts = np.where(np.isnan(y), np.nan, weights)
    patterns: dict[bytes, list[int]] = {}
    for target in range(y.shape[1]):
        patterns.setdefault(counts[:, target].tobytes(), []).append(target)
    empty = SufficientStatistics.nothing(y.shape[1], arms, x.shape[1])
    grams = list(empty.gram)
    for heads in patterns.values():
        gram = np.zeros_like(empty.gram[0])
        for k in range(arms):
            mine = (arm == k) & ~np.isnan(y[:, heads[0]])
            xs, ys, ws = x[mine], y[mine][:, heads], weights[mine, heads[0]]
            weighted = xs * ws[:, None]
            gram[k] = weighted.T @ xs
            empty.moment[heads, k] = ys.T @ weighted
            empty.square[heads, k], empty.total[heads, k] = ws @ ys**2, ws @ ys
            empty.rows[heads, k] = ws.sum()
        for head in heads:
            grams[head] = gram
    return SufficientStatistics(
        gram=tuple(grams),
        moment=empty.moment,
        square=empty.square,
        total=empty.total,
        rows=empty.rows,
    )


def gather_folds(
    vectors: Callable[[Index], Array],
    index: Index,
    y: Array,
    arm: Index,
    fold: Index,
    weight: Array,
    *,
    arms: int,
    size: int,
    folds: int,
) -> tuple[SufficientStatistics, ...]:
    """Return the sums per fold over the rows at `index`, whose `vectors` are asked for a chunk at a time.

    `y` (n, H), `arm`, `fold` (n,) and `weight` (n, H) are those of the rows at `index`.
    """
    found = [SufficientStatistics.nothing(y.shape[1], arms, size)] * folds
    for start in range(0, len(index), CHUNK):
        part = slice(start, start + CHUNK)
        x = vectors(index[part])
        for number in np.unique(fold[part]).tolist():
            mine = fold[part] == number
            found[number] = found[number] + gather(
                x[mine], y[part][mine], arm[part][mine], arms, weight[part][mine]
            )
    return tuple(found)
