"""What a ridge regression needs to know of rows: sums that add, subtract and fade, for several targets at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.learn.samples import Sample, target_weights, targets

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


_ARRAYS = ("moment", "square", "total", "rows")


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


def gather_rows(
    rows: Sample, index: Index, vectors: Callable[[Index], Array], *, arms: int, size: int
) -> SufficientStatistics:
    """Return the sums over the rows at `index`, whose `vectors` (m, size) are made a chunk at a time."""
    y, weight = targets(rows), target_weights(rows)
    found = SufficientStatistics.nothing(y.shape[1], arms, size)
    for start in range(0, len(index), CHUNK):
        chunk = index[start : start + CHUNK]
        found = found + gather(vectors(chunk), y[chunk], rows.arm[chunk], arms, weight[chunk])
    return found


def packed(sums: SufficientStatistics) -> dict[str, NDArray[np.generic]]:
    """Return sums as arrays for a file: of a symmetric matrix one triangle, and each that is shared once."""
    grams = {id(gram): gram for gram in sums.gram}
    place = {one: number for number, one in enumerate(grams)}
    upper = np.triu_indices(sums.moment.shape[2])
    return {
        "gram": np.array([gram[:, *upper] for gram in grams.values()]),
        "gram_of": np.array([place[id(gram)] for gram in sums.gram]),
        **{name: getattr(sums, name) for name in _ARRAYS},
    }


def unpacked(arrays: Mapping[str, NDArray[np.generic]]) -> SufficientStatistics:
    """Return the sums that `packed` made arrays of; raises KeyError, ValueError or IndexError for others."""
    values = {name: np.asarray(arrays[name], dtype=np.float64) for name in _ARRAYS}
    _, arms, size = values["moment"].shape
    upper = np.triu_indices(size)
    grams = []
    for triangle in np.asarray(arrays["gram"], dtype=np.float64):
        gram = np.zeros((arms, size, size))
        gram[:, *upper] = triangle
        gram.transpose(0, 2, 1)[:, *upper] = triangle
        grams.append(gram)
    return SufficientStatistics(gram=tuple(grams[place] for place in arrays["gram_of"].tolist()), **values)
