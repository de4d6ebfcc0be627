"""The first look at a log: what must be known of all of it before it is learned from part by part.

A survey of a part is small however large the part, and surveys add up to that of the whole: so a log may be larger
than the memory, and its parts may lie on many machines.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial, reduce
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.domain import Arm
from zetaroute.learn.feature_maps import MOST_TEXTS, OUTGROWN
from zetaroute.learn.incremental.cache import Arrays, PartitionCache
from zetaroute.learn.incremental.readers import Reader
from zetaroute.learn.label_trust import pairs_in

RECENT = 50_000
"""Newest rows that everything is read from that no sums can tell: drift, scatter, ratings, and the evidence of rows
that were decided before any contest. These are known well enough from so many rows."""
MOST_OF_ARM = 1_000
"""Newest rows of every arm that are read with them, so that a rare one is not forgotten."""
_TEXTS_KEPT = int(OUTGROWN * MOST_TEXTS)
"""Distinct texts that are told apart; as many as it takes to say that a map is outgrown."""

RowPosition = tuple[datetime, str]
"""Time and id of a row: rows are in this order."""
ROWS = pl.Schema({"time": pl.Datetime("us"), "id": pl.String(), "model": pl.String()})
"""What is kept of the newest rows."""
TEXTS = pl.Schema(
    {
        "query": pl.String(),
        "time": pl.Datetime("us"),
        "id": pl.String(),
        "task": pl.String(),
        "rank": pl.UInt64(),
        "last_time": pl.Datetime("us"),
        "last_id": pl.String(),
    }
)
"""What is kept of distinct texts: time and id of the first row and of the last, whose `task` it is, and a hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest rows of a log: from some place on, and those of single models from earlier ones on."""

    start: RowPosition | None
    """None: there are no rows."""
    of_model: Mapping[str, RowPosition]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Newest:
        """Return from where on the newest RECENT of these rows are, and the newest MOST_OF_ARM of each model."""
        ends = rows.group_by("model", maintain_order=True).agg(pl.col("time", "id").tail(MOST_OF_ARM).first())
        return cls(
            start=_first(rows.tail(RECENT)),
            of_model={model: (time, id_) for model, time, id_ in ends.iter_rows()},
        )

    def select(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return those rows of a frame with `time`, `id` and `model` that are among them."""
        if self.start is None:
            return frame.clear()
        among = _from(self.start)
        for model, start in self.of_model.items():
            among |= (pl.col("model") == model) & _from(start)
        return frame.filter(among)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is known of a part of a log, or of all of it."""

    rows: Mapping[str, int]
    """How many rows there are of which sort, as a retrain reports them."""
    pairs: Mapping[str, Array]
    """`label_trust.pairs_in` the training rows."""
    graded: int
    """Training rows whose accuracy is known."""
    arm_rows: Index
    """(K,) training rows of every arm."""
    latest: pl.DataFrame
    """ROWS, of the newest training rows."""
    texts: pl.DataFrame
    """TEXTS, of distinct texts those with the lowest rank, so that every part keeps the same ones."""
    since: datetime | None
    until: datetime | None
    hash: int
    """Of the ids of the training rows, in any order."""

    def __add__(self, other: Survey) -> Survey:
        times = [
            [time for time in pair if time is not None]
            for pair in ((self.since, other.since), (self.until, other.until))
        ]
        return Survey(
            rows={name: count + other.rows[name] for name, count in self.rows.items()},
            pairs={source: sums + other.pairs[source] for source, sums in self.pairs.items()},
            graded=self.graded + other.graded,
            arm_rows=self.arm_rows + other.arm_rows,
            latest=_newest(pl.concat([self.latest, other.latest])),
            texts=_lowest(pl.concat([self.texts, other.texts])),
            since=min(times[0], default=None),
            until=max(times[1], default=None),
            hash=(self.hash + other.hash) % 2**64,
        )

    def newest(self) -> Newest:
        """Return which training rows are read one by one."""
        return Newest.of(self.latest)

    def text_labels(self) -> dict[str, str | None]:
        """Return at most MOST_TEXTS distinct training texts, oldest first, with their task labels."""
        chosen = self.texts.head(MOST_TEXTS).sort("time", "id")
        return dict(chosen.select("query", "task").iter_rows())

    def packed(self) -> Arrays:
        """Return the survey as arrays for a file, without any text."""
        plain = {name: getattr(self, name) for name in ("rows", "graded", "hash")} | {
            "pairs": {source: sums.tolist() for source, sums in self.pairs.items()},
            "arm_rows": self.arm_rows.tolist(),
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
        }
        return {"plain": np.array(json.dumps(plain)), "latest": _parquet(self.latest)}

    @classmethod
    def unpacked(cls, arrays: Arrays) -> Survey:
        """Return the survey that `packed` made arrays of; raises one of many errors for others."""
        plain = json.loads(str(arrays["plain"]))
        latest = pl.read_parquet(io.BytesIO(arrays["latest"].tobytes()))
        if latest.schema != ROWS:
            raise ValueError("these are no rows")
        return cls(
            **plain
            | {
                "latest": latest,
                "pairs": {source: np.array(sums) for source, sums in plain["pairs"].items()},
                "arm_rows": np.array(plain["arm_rows"], dtype=np.int64),
                "texts": TEXTS.to_frame(),
                "since": plain["since"] and datetime.fromisoformat(plain["since"]),
                "until": plain["until"] and datetime.fromisoformat(plain["until"]),
            }
        )


def survey_log(
    reader: Reader, arms: Sequence[Arm], *, seed: int, cache: PartitionCache | None, key: str, settled: bool
) -> Survey:
    """Survey a log with these arms.

    Parts whose survey the `cache` has under the `key` are not read where the feature map is `settled`: no text is
    kept there, and none is asked for.
    """

    def each() -> Iterator[Survey]:
        changed = []
        for number in range(reader.parts):
            kept = cache.read(number, key, Survey.unpacked) if cache and settled else None
            if kept is None:
                changed.append(number)
            else:
                yield kept
        fresh = reader.each(partial(survey, seed=seed), arms, changed)
        for number, found in zip(changed, fresh, strict=True):
            if cache:
                cache.write(number, key, found.packed())
            yield found

    return total(each())


def survey(frame: pl.DataFrame, arms: Sequence[Arm], seed: int) -> Survey:
    """Survey a part of the log; `seed` decides which of very many texts are kept."""
    models = [arm.id for arm in arms]
    training = frame.filter(pl.col("model").is_in(models))
    return Survey(
        rows=_counts(frame) | {"train": training.height},
        pairs=pairs_in(frame),
        graded=int(training["accuracy"].is_not_null().sum()),
        arm_rows=np.array([(training["model"] == model).sum() for model in models], dtype=np.int64),
        latest=_newest(training.select(ROWS.names())),
        texts=_texts(training, seed),
        since=cast("datetime | None", frame["time"].min()),
        until=cast("datetime | None", frame["time"].max()),
        hash=int(frame["id"].hash(seed=0).sum() or 0),
    )


def total(surveys: Iterable[Survey]) -> Survey:
    """Return the survey of a whole log from those of its parts, at least one."""
    return reduce(Survey.__add__, surveys)


def _counts(frame: pl.DataFrame) -> dict[str, int]:
    recorded = frame["recorded"].fill_null(value=False)
    found = {
        "all": frame.height,
        # What an audit asks is judged without one.
        "without_propensity": (
            frame["propensity"].is_null() & ~frame["role"].is_in(["audit", "seed"]).fill_null(value=False)
        ).sum(),
        "rated": frame["satisfaction"].is_not_null().sum(),
        "simulated_ratings": frame["rating_simulated"].sum(),
        "graded": frame["accuracy"].is_not_null().sum(),
        "recorded": recorded.sum(),
        "imported": (frame["policy_version"].is_null() & recorded).sum(),
        "practice": frame["model"].str.starts_with("practice/").sum(),
    }
    return {name: int(count) for name, count in found.items()}


def _texts(training: pl.DataFrame, seed: int) -> pl.DataFrame:
    first = pl.col("query", "time", "id", "task")
    rank = pl.col("query").hash(seed).alias("rank")
    ends = (pl.col("time").alias("last_time"), pl.col("id").alias("last_id"))
    return _lowest(training.select(first, rank, *ends))


def _lowest(texts: pl.DataFrame) -> pl.DataFrame:
    """Return the distinct texts of lowest rank, lowest first."""
    first = texts.sort("time", "id").unique("query", keep="first").select("query", "rank", "time", "id")
    last = texts.sort("last_time", "last_id").unique("query", keep="last")
    last = last.select("query", "task", "last_time", "last_id")
    return first.join(last, on="query").sort("rank", "query").head(_TEXTS_KEPT).select(TEXTS.names())


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the newest rows, and those that are the newest of their model, oldest first."""
    rows = rows.sort("time", "id")
    count = pl.len() - 1 - pl.int_range(pl.len())
    return rows.filter((count < RECENT) | (count.over("model") < MOST_OF_ARM))


def _first(rows: pl.DataFrame) -> RowPosition | None:
    return rows.select("time", "id").row(0) if rows.height else None


def _from(start: RowPosition) -> pl.Expr:
    time, id_ = start
    return (pl.col("time") > time) | ((pl.col("time") == time) & (pl.col("id") >= id_))


def _parquet(frame: pl.DataFrame) -> NDArray[np.generic]:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)
