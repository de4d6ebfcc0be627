"""The sums of a log, kept beside the artifact: the next retrain counts what changed and nothing else.

A row's part in the sums is known by what it consists of: which row, arm, fold, and what was measured. Whatever
happened to the log since (new rows, late or corrected labels, deleted rows, other prices), the parts of now that
were not counted yet are added and the counted ones that are gone are subtracted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.ope import FOLDS
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics, gather_folds
from zetaroute.learn.ridge import target_weights, targets
from zetaroute.learn.samples import Sample
from zetaroute.registry import Registry, pack, unpack

Hash = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFingerprints:
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

    def take(self, keep: Index | Mask) -> RowFingerprints:
        """Return the chosen parts."""
        return RowFingerprints(**{name: getattr(self, name)[keep] for name in self.__slots__})

    def __add__(self, other: RowFingerprints) -> RowFingerprints:
        return RowFingerprints(
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


def fingerprints_of(rows: Sample) -> RowFingerprints:
    """Return what each row of a sample brings to the sums."""
    return RowFingerprints(
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


STATISTICS = "statistics.npz"
TARGETS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The sums over training rows per cross-fitting fold, and the parts that they are of."""

    map: str
    """Identity of the feature map whose vectors were summed."""
    arms: tuple[str, ...]
    folds: tuple[SufficientStatistics, ...]
    parts: RowFingerprints
    added: int
    """Parts that were added when these sums were made."""
    subtracted: int
    incremental: bool
    """Whether they were made from earlier sums."""

    def of(self, arms: Sequence[str], feature_map: str) -> Statistics | None:
        """Return the sums as they are of these arms, in this order; None where their vectors are other ones."""
        if self.map != feature_map:
            return None
        place = _order(arms, self.arms)
        old = self.parts.take(place[self.parts.arm] >= 0)
        return replace(
            self,
            arms=tuple(arms),
            folds=tuple(sums.rearranged(_order(self.arms, arms)) for sums in self.folds),
            parts=replace(old, arm=place[old.arm]),
        )

    def note(self) -> dict[str, Any]:
        """Return what the manifest says of them."""
        return {
            # Sums whose parts are not known cannot be brought up to date: they are no map's to look for.
            "map": self.map if len(self.parts) else None,
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
        for name in RowFingerprints.__slots__:
            arrays[f"parts.{name}"] = getattr(self.parts, name)
        return {STATISTICS: pack(arrays)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one part of a log changes in the sums, and what its rows bring to them."""

    folds: tuple[SufficientStatistics, ...]
    """Sums of the rows that are new, minus those of what is no longer so."""
    parts: RowFingerprints
    added: int
    subtracted: int
    found: int
    """Earlier parts that are among these rows, as they were or as they were changed."""

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            folds=tuple(mine + theirs for mine, theirs in zip(self.folds, other.folds, strict=True)),
            parts=self.parts + other.parts,
            added=self.added + other.added,
            subtracted=self.subtracted + other.subtracted,
            found=self.found + other.found,
        )


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
    while True:
        earlier = None if kept is None else kept.of(arms, feature_map)
        counted = count_part(rows, len(arms), vectors, size=size, earlier=earlier)
        found = combined(counted, arms, feature_map=feature_map, earlier=earlier)
        if found is not None:
            return found
        kept = None


def count_part(
    rows: Sample, arms: int, vectors: Callable[[Index], Array], *, size: int, earlier: Statistics | None
) -> Counted:
    """Return what the rows of one part of a log bring to the `earlier` sums, which are `Statistics.of` these arms."""
    parts = fingerprints_of(rows)
    if earlier is None:
        added, gone, where, found = np.arange(len(parts)), parts.take(np.arange(0)), np.arange(0), 0
    else:
        added, gone, where, found = _change(earlier.parts, parts)

    def summed(index: Index, these: RowFingerprints) -> tuple[SufficientStatistics, ...]:
        return gather_folds(
            vectors,
            index,
            these.values,
            these.arm,
            these.fold,
            target_weights(rows.weight[index], these.trust),
            arms=arms,
            size=size,
            folds=FOLDS,
        )

    folds = summed(added, parts.take(added))
    if len(gone):
        folds = tuple(new - lost for new, lost in zip(folds, summed(where, gone), strict=True))
    return Counted(folds=folds, parts=parts, added=len(added), subtracted=len(gone), found=found)


def combined(
    counted: Counted, arms: Sequence[str], *, feature_map: str, earlier: Statistics | None
) -> Statistics | None:
    """Return the statistics of a log from what was counted over all of it.

    None where an earlier row is no longer there: what it brought cannot be subtracted without its text, so all must
    be counted afresh.
    """
    if earlier is not None and counted.found < len(earlier.parts):
        return None
    folds = counted.folds
    if earlier is not None:
        folds = tuple(old + new for old, new in zip(earlier.folds, folds, strict=True))
    return Statistics(
        map=feature_map,
        arms=tuple(arms),
        folds=folds,
        parts=counted.parts,
        added=counted.added,
        subtracted=counted.subtracted,
        incremental=earlier is not None,
    )


def kept_statistics(registry: Registry, feature_map: str) -> Statistics | None:
    """Return the newest statistics in the registry that were made with this feature map, if there are any whole."""
    for version in reversed(registry.versions()):
        try:
            if registry.manifest(version).get("statistics", {}).get("map") == feature_map:
                return statistics_from(registry.read(version, STATISTICS))
        except (ArtifactError, KeyError, ValueError):
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
        SufficientStatistics(
            gram=tuple(nothing if place < 0 else grams[place] for place in places),
            moment=moment[fold],
            **{
                name: np.asarray(arrays[name][fold], dtype=np.float64) for name in ("square", "total", "rows")
            },
        )
        for fold, places in enumerate(arrays["gram_of"].tolist())
    )
    parts = RowFingerprints(
        **{name: np.asarray(arrays[f"parts.{name}"]) for name in RowFingerprints.__slots__}
    )
    return Statistics(
        map=str(arrays["map"]),
        arms=tuple(arrays["arms"].tolist()),
        folds=folds,
        parts=parts,
        added=0,
        subtracted=0,
        incremental=False,
    )


def _change(old: RowFingerprints, parts: RowFingerprints) -> tuple[Index, RowFingerprints, Index, int]:
    """Return which parts to add, which old ones to subtract, the rows that have those ones' vectors, and how many
    of the old ones are among these rows."""
    here = np.isin(old.row, parts.row)
    old = old.take(here)
    now, before = parts.names(), old.names()
    added = np.flatnonzero(~np.isin(now, before, assume_unique=True))
    gone = old.take(~np.isin(before, now, assume_unique=True))
    order = np.argsort(parts.row)
    where = order[np.searchsorted(parts.row, gone.row, sorter=order)]
    return added, gone, where, len(old)


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
