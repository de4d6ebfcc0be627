"""What is learned from one part of a log: its sums, and the vectors of the few rows that are read one by one.

The second look at a log, after a survey of all of it has said what to look for; harvests add up like surveys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from zetaroute.arrays import Array32
from zetaroute.domain import Arm
from zetaroute.learn.frame import sample
from zetaroute.learn.incremental.survey import Newest
from zetaroute.learn.incremental.update import Counted, Statistics, count_part
from zetaroute.learn.incremental.vectors import KnownVectors, RowVectors, Vectors
from zetaroute.learn.samples import Sample, at, joined


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectRequest:
    """What a survey of the whole log has told to look for."""

    arms: Sequence[Arm]
    trust: Mapping[str, float]
    vectors: Vectors
    """Turns texts and task labels into vectors."""
    size: int
    """Length of a vector."""
    training: Newest
    held_out: Newest
    earlier: Statistics | None
    """The sums of an earlier retrain, of these arms."""
    known: KnownVectors
    """Vectors that the map has made before."""
    keep_parts: bool = True
    """Whether to tell what every row brings to the sums, so that the next retrain need not count it again."""


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
class PartitionStatistics:
    """What one part of a log teaches."""

    counted: Counted
    training: ReadRows
    """The newest training rows."""
    held_out: ReadRows
    """The newest rows that a candidate can be judged by."""


def collect_statistics(frame: pl.DataFrame, wanted: CollectRequest) -> PartitionStatistics:
    """Learn what is wanted from a part of the log."""
    arms, seen = wanted.arms, frame.filter(~pl.col("holdout"))
    seen = seen.filter(pl.col("model").is_in([arm.id for arm in arms]))
    rows = sample(seen, arms, trust=wanted.trust)
    seen = seen.with_row_index("place")
    near = wanted.training.select(seen)
    place = near["place"].to_numpy().astype(np.int64)
    vectors = RowVectors(rows, wanted.vectors, place, known=wanted.known)
    counted = count_part(rows, len(arms), vectors.at, size=wanted.size, earlier=wanted.earlier)
    if not wanted.keep_parts:
        counted = replace(counted, parts=counted.parts.take(np.arange(0)))
    judged = wanted.held_out.select(frame.filter(pl.col("holdout")))
    held_out = sample(judged, arms)
    usable = np.flatnonzero(~np.isnan(held_out.pmf[:, 0]))
    judged = judged.filter(pl.col("model").is_in([arm.id for arm in arms]))
    held_out = at(held_out, usable)
    return PartitionStatistics(
        counted=counted,
        training=ReadRows(rows=at(rows, place), x=vectors.near, order=near.select("time", "id")),
        held_out=ReadRows(
            rows=held_out,
            x=wanted.known.of(held_out, wanted.vectors),
            order=judged[usable].select("time", "id"),
        ),
    )
