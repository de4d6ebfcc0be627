"""What each row brings to the sums, by which it is known whether it was counted before.

Apart from the statistics because the rows of a span that has not changed keep their parts without being read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.learn.heads import targets
from zetaroute.learn.sample import Sample

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Hash = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What each of n rows brings to the sums."""

    row: Hash
    """(n,) hash of the row's key and weight: rows with one hash have one vector and one weight."""
    arm: Index
    """(n,)"""
    fold: Index
    """(n,)"""
    values: Array
    """(n, 4) `heads.targets`"""
    trust: Array
    """(n,) how much the accuracy among them counts"""

    def __len__(self) -> int:
        return len(self.row)

    def take(self, keep: Index | NDArray[np.bool_]) -> Parts:
        """Return the chosen parts."""
        return Parts(**{name: getattr(self, name)[keep] for name in self.__slots__})

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            **{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.__slots__}
        )

    def names(self) -> Hash:
        """Return a hash of every part (n,); the second of two equal parts has another one than the first."""
        name = _mixed(self.row, self.arm.astype(np.uint64) * np.uint64(2**16) + self.fold.astype(np.uint64))
        known = np.where(np.isnan(self.values), np.nan, self.values + 0.0)
        for column in np.ascontiguousarray(np.vstack([known.T, self.trust])):
            name = _mixed(name, column.view(np.uint64))
        order = np.argsort(name, kind="stable")
        _, first, sizes = np.unique(name[order], return_index=True, return_counts=True)
        repeat = np.empty(len(name), dtype=np.uint64)
        repeat[order] = (np.arange(len(name)) - np.repeat(first, sizes)).astype(np.uint64)
        return _mixed(name, repeat)


def parts_of(rows: Sample) -> Parts:
    """Return what each row of a sample brings to the sums."""
    return Parts(
        row=_mixed(rows.key, np.ascontiguousarray(rows.weight).view(np.uint64)),
        arm=rows.arm,
        fold=rows.fold,
        values=targets(rows),
        trust=rows.trust,
    )


def _mixed(first: Hash, second: Hash) -> Hash:
    """Return one hash of two numbers each (n,): the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    value = first * np.uint64(0x9E3779B97F4A7C15) + second
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))
