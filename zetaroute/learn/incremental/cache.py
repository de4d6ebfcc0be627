"""What the last retrain knew of every span of the log, so that the next need not read those that have not changed.

Apart from the artifacts because it can be made again: whoever deletes the file loses nothing but time. It holds sums,
and the time, id and model of the newest rows, but nothing of any text.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from zetaroute.files.atomic import write_whole
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.learn.incremental.survey import ROWS, TEXTS, Newest, RowPosition, Survey
from zetaroute.learn.incremental.update import RowFingerprints
from zetaroute.learn.incremental.vectors import KnownVectors
from zetaroute.registry import pack, unpack


def read_vectors(path: Path, feature_map: str, size: int) -> KnownVectors:
    """Return the kept vectors, `size` long, of the map with this identity; none where the file is of another."""
    try:
        arrays = unpack(path.read_bytes())
        if str(arrays["map"]) != feature_map:
            return KnownVectors()
        key, x = np.asarray(arrays["key"], dtype=np.uint64), np.asarray(arrays["x"], dtype=np.float32)
        whole = x.shape == (len(key), size) and bool(np.isfinite(x).all())
        return KnownVectors(key=key, x=x) if whole else KnownVectors()
    except (OSError, KeyError, ValueError):
        return KnownVectors()


def write_vectors(path: Path, feature_map: str, parts: Sequence[ReadRows]) -> None:
    """Keep the vectors of these rows in place of what was kept; a disk without room keeps none."""
    key = np.concatenate([part.rows.key for part in parts])
    x = np.concatenate([part.x for part in parts])
    order = np.argsort(key, kind="stable")
    with suppress(OSError):
        write_whole(path, pack({"map": np.array(feature_map), "key": key[order], "x": x[order]}))


_KEPT = pl.Schema({**ROWS, "span": pl.Int64(), "held_out": pl.Boolean()})
"""What is kept of the newest rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanNote:
    """What is remembered of one span."""

    fingerprint: str
    """Of all that the log said in it."""
    survey: Survey
    """Its rows and texts left out."""
    parts: int
    """How many rows of it are in the sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainCache:
    """What is remembered of a log."""

    surveyed_as: str
    """What surveys depend on besides the log."""
    counted_as: str
    """What the sums depend on besides the log."""
    sums: str
    """`fingerprint` the sums that the spans were counted in."""
    spans: tuple[SpanNote, ...]
    """In the order in which they were counted."""
    training: pl.DataFrame
    """time, id, model and span of the newest training rows; the span by its place among `spans`."""
    held_out: pl.DataFrame
    unchanged: Mapping[int, int] = field(default_factory=dict)
    """By the number of a span of now its place among `spans`, where it has not changed."""

    def surveys(self) -> dict[int, Survey]:
        """Return the surveys, without texts, of the spans that have not changed, by their number."""
        return {
            number: replace(
                self.spans[place].survey,
                **{
                    name: getattr(self, name).filter(pl.col("span") == place).drop("span")
                    for name in ("training", "held_out")
                },
            )
            for number, place in self.unchanged.items()
        }

    def suffices(self, seen: Survey) -> bool:
        """Return whether the newest rows of the log are among those that a survey found with this memory's help.

        Rows older than those were left out; they would be needed if newer ones had gone.
        """
        before, now = Newest.for_training(self.training), seen.newest_training()
        held_before, held_now = Newest.of(self.held_out), seen.newest_held_out()
        return (
            seen.is_full()
            and _reaches(before.start, now.start)
            and _reaches(held_before.start, held_now.start)
            and all(_reaches(start, now.of_model.get(model)) for model, start in before.of_model.items())
        )

    def counted(self) -> dict[int, slice]:
        """Return where the rows of spans that have not changed lie among those of the sums, by their number."""
        ends = np.cumsum([note.parts for note in self.spans]).tolist()
        return {
            number: slice(ends[place] - self.spans[place].parts, ends[place])
            for number, place in self.unchanged.items()
        }


def fingerprint(parts: RowFingerprints) -> str:
    """Return what tells the sums of these parts from others, such as those of the same rows with other labels."""
    digest = blake2b(digest_size=16)
    for name in RowFingerprints.__slots__:
        digest.update(np.ascontiguousarray(getattr(parts, name)).tobytes())
    return digest.hexdigest()


def read_cache(path: Path, surveyed_as: str, fingerprints: Sequence[str]) -> RetrainCache | None:
    """Return what is remembered, where surveys depended on the same; None where there is nothing whole.

    `fingerprints` are those of the spans of now.
    """
    try:
        arrays = unpack(path.read_bytes())
        notes: dict[str, Any] = json.loads(str(arrays["notes"]))
        if notes["surveyed_as"] != surveyed_as:
            return None
        rows = pl.read_parquet(io.BytesIO(arrays["rows"].tobytes()))
        if rows.schema != _KEPT:
            return None
        sides = [rows.filter(pl.col("held_out") == side).drop("held_out") for side in (False, True)]
        place = {one["fingerprint"]: number for number, one in enumerate(notes["spans"])}
        return RetrainCache(
            surveyed_as=surveyed_as,
            counted_as=notes["counted_as"],
            sums=notes["sums"],
            spans=tuple(
                SpanNote(fingerprint=one["fingerprint"], survey=_survey(one["survey"]), parts=one["parts"])
                for one in notes["spans"]
            ),
            training=sides[0],
            held_out=sides[1],
            unchanged={number: place[one] for number, one in enumerate(fingerprints) if one in place},
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError):
        return None


def write_cache(path: Path, memory: RetrainCache) -> None:
    """Remember this in place of what was; a disk without room remembers nothing."""
    notes = {
        "surveyed_as": memory.surveyed_as,
        "counted_as": memory.counted_as,
        "sums": memory.sums,
        "spans": [
            {"fingerprint": one.fingerprint, "survey": _plain(one.survey), "parts": one.parts}
            for one in memory.spans
        ],
    }
    rows = pl.concat(
        [
            side.with_columns(held_out=pl.lit(held_out))
            for side, held_out in ((memory.training, False), (memory.held_out, True))
        ]
    )
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    packed = {
        "notes": np.array(json.dumps(notes)),
        "rows": np.frombuffer(buffer.getvalue(), dtype=np.uint8),
    }
    with suppress(OSError):
        write_whole(path, pack(packed))


def in_spans(rows: pl.DataFrame, lows: Sequence[str], places: Sequence[int]) -> pl.DataFrame:
    """Return rows with the place of their span: spans begin at the ids `lows`, and are noted at `places`."""
    number = np.searchsorted(np.array(lows), rows["id"].to_numpy().astype(np.str_), side="right") - 1
    return rows.with_columns(span=pl.Series(np.array(places, dtype=np.int64)[number]))


def _reaches(before: RowPosition | None, now: RowPosition | None) -> bool:
    return before is None or (now is not None and now >= before)


def _plain(survey: Survey) -> dict[str, Any]:
    return {
        "rows": survey.rows,
        "pairs": {source: sums.tolist() for source, sums in survey.pairs.items()},
        "graded": survey.graded,
        "arm_rows": survey.arm_rows.tolist(),
        "held_rows": survey.held_rows,
        "since": survey.since and survey.since.isoformat(),
        "until": survey.until and survey.until.isoformat(),
        "hash": survey.hash,
    }


def _survey(plain: dict[str, Any]) -> Survey:
    since, until = (plain[name] and datetime.fromisoformat(plain[name]) for name in ("since", "until"))
    return Survey(
        rows=plain["rows"],
        pairs={source: np.array(sums) for source, sums in plain["pairs"].items()},
        graded=plain["graded"],
        arm_rows=np.array(plain["arm_rows"], dtype=np.int64),
        training=ROWS.to_frame(),
        held_out=ROWS.to_frame(),
        held_rows=plain["held_rows"],
        texts=TEXTS.to_frame(),
        since=since,
        until=until,
        hash=plain["hash"],
    )
