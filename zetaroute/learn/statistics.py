"""The sums of a log, kept beside the artifact: the next retrain counts what changed and nothing else.

A row's part in the sums is known by what it consists of: which row, arm, fold, and what was measured. Whatever
happened to the log since (new rows, late or corrected labels, deleted rows, other prices), the parts of now that
were not counted yet are added and the counted ones that are gone are subtracted.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.errors import ArtifactError
from zetaroute.evaluate.ope import FOLDS
from zetaroute.learn.frame import Sample
from zetaroute.learn.heads import target_weights, targets
from zetaroute.learn.sums import Sums, gather_folds
from zetaroute.registry import Registry, pack, unpack

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Hash = NDArray[np.uint64]

STATISTICS = "statistics.npz"
TARGETS = 4
MOST_CHANGED = 0.5
"""Parts to add or to subtract, as a share of all, from which on everything is counted afresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What each of n rows brings to the sums."""

    row: Hash
    """(n,) hash of the row's text, task, moment and weight: rows with one hash have one vector and one weight."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The sums over training rows per cross-fitting fold, and the parts that they are of."""

    map: str
    """Identity of the feature map whose vectors were summed."""
    arms: tuple[str, ...]
    folds: tuple[Sums, ...]
    parts: Parts
    added: int
    """Parts that were added when these sums were made."""
    subtracted: int
    incremental: bool
    """Whether they were made from earlier sums."""

    def note(self) -> dict[str, Any]:
        """Return what the manifest says of them."""
        return {
            "map": self.map,
            "rows": len(self.parts),
            "added": self.added,
            "subtracted": self.subtracted,
            "incremental": self.incremental,
        }

    def files(self) -> dict[str, bytes]:
        """Return the file of an artifact that holds them: arrays alone, and nothing of any text."""
        grams = {id(gram): gram for sums in self.folds for gram in sums.gram if gram.any()}
        place = {one: number for number, one in enumerate(grams)}
        upper = np.triu_indices(self.folds[0].moment.shape[2])
        arrays: dict[str, NDArray[np.generic]] = {
            "map": np.array(self.map),
            "arms": np.array(self.arms),
            "gram": np.array([gram[:, *upper] for gram in grams.values()]),
            "gram_of": np.array([[place.get(id(gram), -1) for gram in sums.gram] for sums in self.folds]),
        }
        for name in ("moment", "square", "total", "rows"):
            arrays[name] = np.stack([getattr(sums, name) for sums in self.folds])
        for name in Parts.__slots__:
            arrays[f"parts.{name}"] = getattr(self.parts, name)
        return {STATISTICS: pack(arrays)}


def count(
    rows: Sample,
    arms: Sequence[str],
    vectors: Callable[[Index], Array],
    *,
    feature_map: str,
    size: int,
    kept: Statistics | None = None,
) -> Statistics:
    """Return the statistics of all rows, from the `kept` ones of an earlier retrain where those serve.

    `vectors` returns the vectors (m, `size`) of the rows at m positions; `feature_map` is the identity of what
    made them.
    """
    parts = parts_of(rows)
    change = None if kept is None else _change(kept, parts, rows, arms, feature_map)
    if kept is None or change is None:
        added, gone, at, base = np.arange(len(parts)), parts.take(np.arange(0)), np.arange(0), None
    else:
        added, gone, at = change
        base = [sums.rearranged(_order(kept.arms, arms)) for sums in kept.folds]

    def summed(index: Index, these: Parts) -> tuple[Sums, ...]:
        return gather_folds(
            vectors,
            index,
            these.values,
            these.arm,
            these.fold,
            target_weights(rows.weight[index], these.trust),
            arms=len(arms),
            size=size,
            folds=FOLDS,
        )

    folds = summed(added, parts.take(added))
    if base is not None:
        folds = tuple(old + new - lost for old, new, lost in zip(base, folds, summed(at, gone), strict=True))
    return Statistics(
        map=feature_map,
        arms=tuple(arms),
        folds=folds,
        parts=parts,
        added=len(added),
        subtracted=len(gone),
        incremental=base is not None,
    )


def parts_of(rows: Sample) -> Parts:
    """Return what each row of a sample brings to the sums."""
    columns = zip(rows.texts, rows.tasks, rows.time_s.tolist(), rows.weight.tolist(), strict=True)
    keys = b"".join(
        hashlib.blake2b(repr(column).encode("utf-8", "replace"), digest_size=8).digest() for column in columns
    )
    return Parts(
        row=np.frombuffer(keys, dtype=np.uint64),
        arm=rows.arm,
        fold=rows.fold,
        values=targets(rows),
        trust=rows.trust,
    )


def kept_statistics(registry: Registry, feature_map: str) -> Statistics | None:
    """Return the newest statistics in the registry that were made with this feature map, if there are any whole."""
    for version in reversed(registry.versions()):
        try:
            if registry.manifest(version).get("statistics", {}).get("map") == feature_map:
                return statistics_from(registry.read(version, STATISTICS))
        except (ArtifactError, KeyError, ValueError, zipfile.BadZipFile):
            continue
    return None


def statistics_from(packed: bytes) -> Statistics:
    """Return what `Statistics.files` stored; raises KeyError or ValueError where that is something else."""
    arrays = unpack(packed)
    moment = np.asarray(arrays["moment"], dtype=np.float64)
    arms, size = moment.shape[2:]
    nothing = np.zeros((arms, size, size))
    grams = [_square(packed_gram, size) for packed_gram in np.asarray(arrays["gram"], dtype=np.float64)]
    folds = tuple(
        Sums(
            gram=tuple(nothing if place < 0 else grams[place] for place in places),
            moment=moment[fold],
            **{
                name: np.asarray(arrays[name][fold], dtype=np.float64) for name in ("square", "total", "rows")
            },
        )
        for fold, places in enumerate(arrays["gram_of"].tolist())
    )
    parts = Parts(**{name: np.asarray(arrays[f"parts.{name}"]) for name in Parts.__slots__})
    return Statistics(
        map=str(arrays["map"]),
        arms=tuple(arrays["arms"].tolist()),
        folds=folds,
        parts=parts,
        added=0,
        subtracted=0,
        incremental=False,
    )


def _change(
    kept: Statistics, parts: Parts, rows: Sample, arms: Sequence[str], feature_map: str
) -> tuple[Index, Parts, Index] | None:
    """Return which parts to add, which ones to subtract, and the rows that have those ones' vectors.

    None where counting afresh is right: other vectors, much that changed, or a part to subtract whose text is no
    longer there.
    """
    if kept.map != feature_map:
        return None
    moved = _order(arms, kept.arms)
    old = kept.parts.take(moved[kept.parts.arm] >= 0)
    old = Parts(row=old.row, arm=moved[old.arm], fold=old.fold, values=old.values, trust=old.trust)
    now, before = parts.names(), old.names()
    added = np.flatnonzero(~np.isin(now, before, assume_unique=True))
    gone = old.take(~np.isin(before, now, assume_unique=True))
    if len(added) + len(gone) > MOST_CHANGED * len(parts):
        return None
    order = np.argsort(parts.row)
    at = order[np.minimum(np.searchsorted(parts.row, gone.row, sorter=order), len(order) - 1)]
    if (parts.row[at] != gone.row).any():
        return None
    return added, gone, at


def _order(old: Sequence[str], new: Sequence[str]) -> Index:
    """Return the position in `old` of every arm of `new`, -1 where it is not there."""
    place = {arm: index for index, arm in enumerate(old)}
    return np.array([place.get(arm, -1) for arm in new], dtype=np.int64)


def _square(packed: Array, size: int) -> Array:
    """Return symmetric matrices (K, D, D) from their upper triangles (K, D (D + 1) / 2)."""
    whole = np.zeros((len(packed), size, size))
    upper = np.triu_indices(size)
    whole[:, *upper] = packed
    whole.transpose(0, 2, 1)[:, *upper] = packed
    return whole


def _mixed(first: Hash, second: Hash) -> Hash:
    """Return one hash of two numbers each (n,): the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    value = first * np.uint64(0x9E3779B97F4A7C15) + second
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))
