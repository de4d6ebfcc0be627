"""What learning from one part of a log costs per row: reading, surveying, harvesting, and what is sent back.

    python -m benchmarks.speed.parts HOME [ROWS]

Processor seconds, since others may be using the machine; HOME is a home whose log has at least ROWS rows.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from zetaroute.config import Home, Settings, load_settings
from zetaroute.learn.fit import map_of
from zetaroute.learn.incremental.collect import CollectRequest, collect_statistics
from zetaroute.learn.incremental.readers import Partitions
from zetaroute.learn.incremental.survey import Newest, Survey, survey
from zetaroute.learn.incremental.train import open_source
from zetaroute.learn.incremental.vectors import KnownVectors
from zetaroute.projections import log_of
from zetaroute.transfer.export import export

T = TypeVar("T")


def main() -> None:
    """Measure on the first part of the log."""
    home = Home(Path(sys.argv[1]))
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    settings, log = load_settings(None, home.config), log_of(home)
    with log.open() as connection:
        source = open_source(
            connection, log, settings, since=None, sources=(), cluster=False, partition_rows=rows
        )
    reader = source.reader
    if not isinstance(reader, Partitions):
        raise SystemExit(f"the log of {home.path} has no {rows:,} rows")
    span = reader.spans[0]
    frame, reading = timed(lambda: reader.read(span))
    seen, surveying = timed(lambda: survey(frame, settings.arms, 0))
    report("reading", reading, frame.height)
    report("survey", surveying, frame.height)
    _, adding = timed(lambda: seen + seen)
    say(
        f"a survey takes {len(pickle.dumps(seen)) / 2**20:.1f} MiB, and {1e3 * adding:.0f} ms to add to another"
    )
    _harvests(frame, settings, seen)
    with tempfile.TemporaryDirectory() as folder:
        export(log, str(Path(folder) / "export"))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
    with log.open() as connection:
        (count,) = connection.execute("SELECT count(*) FROM outcomes").fetchone() or (1,)
    say(f"an exported row takes {size / count:.0f} bytes of Parquet, its feedback with it")


def _harvests(frame: pl.DataFrame, settings: Settings, seen: Survey) -> None:
    """Harvest the part as an old one, whose rows only add to sums, and as the newest one, read row by row."""
    (feature_map, _), mapping = timed(lambda: map_of(seen.text_labels(), None, seed=0, distinct=10**6))
    size = len(pickle.dumps(feature_map)) / 2**20
    say(f"a map of {feature_map.texts:,} texts: {mapping:.1f} s, {size:.1f} MiB")
    old = CollectRequest(
        arms=settings.arms,
        trust={},
        vectors=feature_map.vectors,
        size=feature_map.size,
        newest=Newest(start=None, of_model={}),
        known=KnownVectors(),
    )
    newest = replace(old, newest=seen.newest())
    for name, wanted in (("harvest of an old part", old), ("harvest of the newest part", newest)):
        found, took = timed(partial(collect_statistics, frame, wanted))
        report(name, took, frame.height)
        say(f"it takes {len(pickle.dumps(found)) / 2**20:.1f} MiB")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what the work brings, and the processor's seconds that it took."""
    start = time.process_time()
    found: Any = work()
    return found, time.process_time() - start


def report(what: str, seconds: float, rows: int) -> None:
    """Say what a step takes per row."""
    say(f"{what}: {seconds:.2f} s for {rows:,} rows, {1e6 * seconds / rows:.1f} us per row")


def say(words: str) -> None:
    """Print one line."""
    print(words, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
