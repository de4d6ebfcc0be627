"""`retrain` by the size of the log: time, memory and how both grow, and what an incremental one saves.

Every row has a text of its own from the practice generator; what came of it is that of a logged row of its task.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from benchmarks.large_log import Used, command_line, measured, seed_log
from benchmarks.speed.measuring import Figure
from zetaroute.practice.generator import generate

REFERENCE = "scikit-learn on the same rows"
NEW_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How the time of a retrain grows with the rows."""

    figures: Sequence[Figure]
    exponent: float | None
    """Slope of the logarithm of the processor's seconds over that of the rows: others on the machine count less."""


def retrains(folder: Path, sizes: Sequence[int], *, reference_up_to: int) -> Growth:
    """Return the time and the memory of one full retrain per size, and of an incremental one after the largest."""
    home = folder / "grown"
    home.mkdir()
    seed_log(home)
    shutil.rmtree(home / "artifacts")
    figures, seconds = [], []
    for seed, size in enumerate(sizes, start=100):
        add_rows(home, size, seed=seed)
        shutil.rmtree(home / "artifacts", ignore_errors=True)
        took = measured(command_line(home, "retrain", "--promote", "force", "--json"))
        seconds.append(took.cpu_s)
        beside = None
        if size <= reference_up_to:
            log = str(home / "zetaroute.duckdb")
            beside = measured([sys.executable, "-m", "benchmarks.speed.plain_fit", log])
        figures.append(_figure(f"full `retrain`, {size:,} rows", took, REFERENCE, beside))
    figures.append(_incremental(home, sizes[-1]))
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(sizes) > 1 else None
    return Growth(figures=figures, exponent=slope)


def add_rows(home: Path, rows: int, *, seed: int) -> None:
    """Let the log have `rows` rows, the new ones with texts that it does not hold yet."""
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        (have,) = log.execute("SELECT count(*) FROM outcomes").fetchone() or (0,)
        missing = rows - have
        if missing <= 0:
            return
        texts = home / "texts.parquet"
        fresh = ((one.query, one.task) for one in generate(rows=missing, seed=seed))
        pl.DataFrame(fresh, schema=["query", "task"], orient="row").write_parquet(texts)
        log.execute(
            """CREATE TEMP TABLE old AS
               WITH first AS (SELECT * FROM outcomes WHERE fallback_of IS NULL ORDER BY id LIMIT 4000)
               SELECT *, row_number() OVER (PARTITION BY task) - 1 AS place, count(*) OVER (PARTITION BY task) AS many
               FROM first"""
        )
        log.execute(
            """CREATE TEMP TABLE more AS
               WITH numbered AS (SELECT *, row_number() OVER (PARTITION BY task) AS number FROM read_parquet($texts))
               SELECT old.* EXCLUDE (place, many) REPLACE (
                          uuidv7()::VARCHAR AS id, numbered.query AS query,
                          response_s * (0.9 + 0.2 * random()) AS response_s),
                      old.id AS old_id
               FROM numbered JOIN old ON old.task = numbered.task AND numbered.number % old.many = old.place""",
            {"texts": str(texts)},
        )
        log.execute("INSERT INTO outcomes BY NAME SELECT * EXCLUDE old_id FROM more")
        log.execute(
            """INSERT INTO feedback BY NAME
               SELECT feedback.* REPLACE (uuidv7()::VARCHAR AS id, more.id AS outcome_id)
               FROM feedback JOIN more ON feedback.outcome_id = more.old_id"""
        )


def _incremental(home: Path, rows: int) -> Figure:
    """Return the time of a retrain after few new rows, beside a full one on the very same log."""
    add_rows(home, rows + int(NEW_SHARE * rows), seed=999)
    fresh = home.with_name("fresh")
    shutil.copytree(home, fresh, ignore=shutil.ignore_patterns("artifacts"))
    again = measured(command_line(home, "retrain", "--promote", "never", "--json"))
    full = measured(command_line(fresh, "retrain", "--promote", "never", "--json"))
    what = f"`retrain` after {NEW_SHARE:.0%} new rows, {rows:,} before"
    return _figure(what, again, "full `retrain` on the same log", full)


def _figure(what: str, took: Used, reference: str, beside: Used | None) -> Figure:
    processor = f"processor {took.cpu_s:.1f} s" + (f" beside {beside.cpu_s:.1f} s" if beside else "")
    return Figure(
        what=what,
        seconds=took.elapsed_s,
        reference=reference,
        reference_s=beside.elapsed_s if beside else float("nan"),
        note=f"{processor}, {took.mebibytes:,.0f} MiB",
    )
