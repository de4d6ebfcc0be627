"""Which rows' vectors a fit needs at hand, and how it comes by those of the others.

Apart from the fit because of size: the sums tell most of what a log teaches, and only the rest is read from rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from zetaroute.learn.frame import Sample, take

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Vectors = Callable[[Sequence[str], Sequence[str | None]], Array]
"""Turns texts and their task labels into vectors."""

RECENT = 50_000
"""Newest rows that everything is read from that no sums can tell."""
MOST_OF_ARM = 1_000
"""Newest rows of every arm that are read with them, so that a rare one is not forgotten."""


def recent(arm: Index, most: int) -> Index:
    """Return the positions of the newest `most` rows, and of the newest MOST_OF_ARM of every arm, in order.

    Drift, scatter, ratings and the judgement whether routing pays are read from these: they are known well
    enough from so many rows, and the vectors of all the others need not be computed.
    """
    if len(arm) <= most:
        return np.arange(len(arm))
    keep = np.arange(len(arm)) >= len(arm) - most
    for k in np.unique(arm).tolist():
        keep[np.flatnonzero(arm == k)[-MOST_OF_ARM:]] = True
    return np.flatnonzero(keep)


def rows_at(rows: Sample, index: Index) -> Sample:
    """Return the rows at some positions; all of them, as they are, where nothing is left out."""
    if len(index) == len(rows.arm):
        return rows
    keep = np.zeros(len(rows.arm), dtype=bool)
    keep[index] = True
    return take(rows, keep)


class RowVectors:
    """The vectors of a sample's rows: those of some are held, those of the others made when asked for."""

    def __init__(self, rows: Sample, vectors: Vectors, near: Index) -> None:
        self._rows, self._vectors = rows, vectors
        self.near = self._made(near)
        self._place = np.full(len(rows.arm), -1)
        self._place[near] = np.arange(len(near))

    def at(self, index: Index) -> Array:
        """Return the vectors of the rows at some positions, (m, D)."""
        place = self._place[index]
        far = place < 0
        if not far.any():
            return np.asarray(self.near[place])
        found = np.empty((len(index), self.near.shape[1]))
        found[~far] = self.near[place[~far]]
        found[far] = self._made(index[far])
        return found

    def _made(self, index: Index) -> Array:
        texts, tasks = self._rows.texts, self._rows.tasks
        where = index.tolist()
        return self._vectors([texts[row] for row in where], [tasks[row] for row in where])
