"""The vectors of a log's rows: those that are known need not be made again.

A vector is rounded to single precision where it is made, so that one that was stored is the same as one made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Array32, Index
from zetaroute.files.atomic import write_whole
from zetaroute.learn.samples import Sample, at
from zetaroute.registry import pack, unpack

Vectors = Callable[[Sequence[str], Sequence[str | None]], Array]
"""Turns texts and their task labels into vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVectors:
    """Vectors of one map that were made before, by the keys of their rows."""

    key: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    """(n,) in rising order."""
    x: Array32 = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    """(n, D)"""

    @classmethod
    def read(cls, path: Path, feature_map: str, size: int) -> KnownVectors:
        """Return the kept vectors, `size` long, of the map with this identity; none where the file is of another."""
        try:
            arrays = unpack(path.read_bytes())
            if str(arrays["map"]) != feature_map:
                return cls()
            key, x = np.asarray(arrays["key"], dtype=np.uint64), np.asarray(arrays["x"], dtype=np.float32)
            whole = x.shape == (len(key), size) and bool(np.isfinite(x).all())
            return cls(key=key, x=x) if whole else cls()
        except (OSError, KeyError, ValueError):
            return cls()

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


def keep_vectors(path: Path, feature_map: str, key: NDArray[np.uint64], x: Array32) -> None:
    """Keep the vectors of rows with these keys in place of what was kept; a disk without room keeps none."""
    order = np.argsort(key, kind="stable")
    with suppress(OSError):
        write_whole(path, pack({"map": np.array(feature_map), "key": key[order], "x": x[order]}))


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
