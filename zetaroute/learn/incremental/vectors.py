"""The vectors of a log's rows: those that are known need not be made again.

A vector is rounded to single precision where it is made, so that one that was stored is the same as one made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Array32, Index
from zetaroute.learn.samples import Sample, at

Vectors = Callable[[Sequence[str], Sequence[str | None]], Array]
"""Turns texts and their task labels into vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVectors:
    """Vectors of one map that were made before, by the keys of their rows."""

    key: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    """(n,) in rising order."""
    x: Array32 = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    """(n, D)"""

    def of(self, rows: Sample, vectors: Vectors) -> Array32:
        """Return the vectors of all rows (m, D); `vectors` makes those that are not known."""
        place = np.minimum(np.searchsorted(self.key, rows.key), max(len(self.key) - 1, 0))
        here = self.key[place] == rows.key if len(self.key) else np.zeros(len(rows.key), dtype=bool)
        missing = np.flatnonzero(~here).tolist()
        made = vectors([rows.texts[row] for row in missing], [rows.tasks[row] for row in missing])
        found = np.empty((len(rows.key), made.shape[1]), dtype=np.float32)
        found[~here] = made
        if here.any():
            found[here] = self.x[place[here]]
        return found


class RowVectors:
    """The vectors of a sample's rows: those of some are held, those of the others made when asked for."""

    def __init__(
        self, rows: Sample, vectors: Vectors, near: Index, *, known: KnownVectors | None = None
    ) -> None:
        self._rows, self._vectors, self._known = rows, vectors, known or KnownVectors()
        self.near = self._made(near)
        self._place = np.full(len(rows.arm), -1)
        self._place[near] = np.arange(len(near))

    def at(self, index: Index) -> Array:
        """Return the vectors of the rows at some positions, (m, D)."""
        place = self._place[index]
        far = place < 0
        found = np.empty((len(index), self.near.shape[1]))
        found[~far] = self.near[place[~far]]
        found[far] = self._made(index[far])
        return found

    def _made(self, index: Index) -> Array32:
        return self._known.of(at(self._rows, index), self._vectors)
