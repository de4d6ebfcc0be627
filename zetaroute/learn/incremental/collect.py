"""The second look at a log, after the survey: the sums of all its rows, and the newest rows with their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from zetaroute.arrays import Array32
from zetaroute.domain import Arm
from zetaroute.learn.frame import sample
from zetaroute.learn.incremental.cache import PartitionCache
from zetaroute.learn.incremental.readers import Reader
from zetaroute.learn.incremental.sufficient_statistics import (
    SufficientStatistics,
    gather_rows,
    packed,
    unpacked,
)
from zetaroute.learn.incremental.survey import Newest
from zetaroute.learn.incremental.vectors import KnownVectors, RowVectors, Vectors
from zetaroute.learn.samples import TARGETS, Sample, at, joined


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectRequest:
    """What a survey of the whole log has told to look for."""

    arms: Sequence[Arm]
    trust: Mapping[str, float]
    vectors: Vectors
    """Turns texts and task labels into vectors."""
    size: int
    """Length of a vector."""
    newest: Newest
    """Which rows are read one by one."""
    known: KnownVectors
    """Vectors that the map has made before."""
    count: bool = True
    """Whether to sum; if not, only the newest rows are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRows:
    """Rows with their vectors."""

    rows: Sample
    x: Array32
    """(n, D)"""
    order: pl.DataFrame
    """(n) time and id of the rows."""

    @classmethod
    def together(cls, parts: Sequence[ReadRows]) -> ReadRows:
        """Return the rows of several parts, at least one, oldest first."""
        order = pl.concat([part.order for part in parts]).with_row_index("place").sort("time", "id")
        place = order["place"].to_numpy().astype(np.int64)
        return cls(
            rows=at(joined([part.rows for part in parts]), place),
            x=np.concatenate([part.x for part in parts])[place],
            order=order.drop("place"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a part of a log teaches, or all of it."""

    sums: SufficientStatistics
    newest: ReadRows


def collect(
    reader: Reader,
    wanted: CollectRequest,
    *,
    cache: PartitionCache | None = None,
    key: str = "",
    newest: frozenset[int] = frozenset(),
) -> Collected:
    """Return what all parts of a log teach.

    Sums that the `cache` has under the `key` are not counted again; of those parts only the `newest`, which hold some
    of the newest rows, are read.
    """
    sums = SufficientStatistics.nothing(TARGETS, len(wanted.arms), wanted.size)
    changed, read = [], []
    for number in range(reader.parts):
        kept = cache.read(number, key, unpacked) if cache else None
        if kept is None:
            changed.append(number)
        else:
            sums = sums + kept
    for number, found in zip(changed, reader.each(collect_statistics, wanted, changed), strict=True):
        sums = sums + found.sums
        read.append(found.newest)
        if cache:
            cache.write(number, key, packed(found.sums))
    uncounted = replace(wanted, count=False)
    for found in reader.each(collect_statistics, uncounted, sorted(newest.difference(changed))):
        read.append(found.newest)
    return Collected(sums=sums, newest=ReadRows.together(read))


def collect_statistics(frame: pl.DataFrame, wanted: CollectRequest) -> Collected:
    """Learn what is wanted from a part of the log."""
    arms = wanted.arms
    frame = frame.filter(pl.col("model").is_in([arm.id for arm in arms]))
    if not wanted.count:
        frame = wanted.newest.select(frame)
    near = wanted.newest.select(frame.with_row_index("place"))
    rows, place = sample(frame, arms, trust=wanted.trust), near["place"].to_numpy().astype(np.int64)
    vectors = RowVectors(rows, wanted.vectors, place, known=wanted.known)
    index = np.arange(len(rows.arm) if wanted.count else 0)
    return Collected(
        sums=gather_rows(rows, index, vectors.at, arms=len(arms), size=wanted.size),
        newest=ReadRows(rows=at(rows, place), x=vectors.near, order=near.select("time", "id")),
    )
