"""Symmetric matrices kept as one half: a decision reads those of all arms, which takes longer than to multiply them.

The half is that of the cyclic diagonals: diagonal d holds M[i, (i + d) mod D] for every i. Half of them hold every
pair of places once, and the products of a vector's entries that belong to one are two windows of the same vector.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index

Matrices = NDArray[np.floating]
Short = NDArray[np.float32]

FEW = 64
"""Vectors up to which the halves are read as they are; for more, whole matrices are made and multiplied."""
BATCH = 1024
"""Vectors that are multiplied with all matrices at once: enough for speed, few enough for memory."""


def fold(matrices: Matrices) -> Short:
    """Return symmetric matrices (K, D, D) as halves (K, (D // 2 + 1) D), each pair of places counted whole."""
    size = matrices.shape[1]
    halves = matrices[:, np.arange(size), _columns(size)] * _times(size)[:, None]
    return halves.reshape(len(matrices), -1).astype(np.float32)


def unfold(halves: Short, size: int) -> Short:
    """Return the matrices (K, D, D) of halves; `size` is D."""
    matrices = np.zeros((len(halves), size, size), dtype=np.float32)
    rows, columns = np.arange(size), _columns(size)
    entries = halves.reshape(len(halves), -1, size) / _times(size)[:, None].astype(np.float32)
    matrices[:, rows, columns] = entries
    matrices[:, columns, rows] = entries
    return matrices


def half_size(size: int) -> int:
    """Return how many numbers the half of a matrix of `size` rows has."""
    return (size // 2 + 1) * size


def quadratic(x: Array, halves: Short) -> Array:
    """Return x' M x for n vectors (n, D) and K folded matrices, shape (n, K), in the precision of these."""
    short = x.astype(np.float32)
    count, size = x.shape
    if count <= FEW:
        twice = np.concatenate([short, short], axis=1)
        row, step = twice.strides
        windows = as_strided(twice, (count, size // 2 + 1, size), (row, step, step), writeable=False)
        products = (windows * short[:, None, :]).reshape(count, half_size(size))
        return (products @ halves.T).astype(np.float64)
    matrices = unfold(halves, size)
    parts = [short[start : start + BATCH] for start in range(0, count, BATCH)]
    found = np.concatenate([((part @ matrices) * part).sum(axis=2) for part in parts], axis=1)
    return found.T.astype(np.float64)


def _columns(size: int) -> Index:
    """Return the column of every entry of the half, (D // 2 + 1, D)."""
    return (np.arange(size) + np.arange(size // 2 + 1)[:, None]) % size


def _times(size: int) -> Array:
    """Return how often each diagonal of the half stands in the whole matrix, (D // 2 + 1,).

    The main one once, others twice; of an even size the last one holds every pair of its own twice already.
    """
    times = np.full(size // 2 + 1, 2.0)
    times[0] = 1.0
    if size % 2 == 0:
        times[-1] = 1.0
    return times
