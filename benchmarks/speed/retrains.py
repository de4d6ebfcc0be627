"""`retrain` by the size of the log: time, memory and how both grow, and what an incremental one saves.

Every row has a text of its own from the practice generator; what came of it is what came of a logged row of its task.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.speed.large_log import Used, command_line, in_another_process, measured, seed_log
from benchmarks.speed.measuring import Figure
from zetaroute.practice.generator import generate

REFERENCE = "scikit-learn on the same rows"
NEW_SHARE = 0.01
LARGEST_REFERENCE = 100_000
"""Rows up to which a plain fit is measured beside a retrain."""
_OLD = """
    CREATE OR REPLACE TEMP TABLE old AS
        WITH first AS (SELECT * FROM outcomes WHERE fallback_of IS NULL ORDER BY id LIMIT 4000)
        SELECT *, row_number() OVER of_task - 1 AS decided, count(*) OVER of_task AS of_task,
               row_number() OVER of_model - 1 AS went, count(*) OVER of_model AS of_model
        FROM first
        WINDOW of_task AS (PARTITION BY task), of_model AS (PARTITION BY task, model)
"""
"""Rows that new ones are made of, numbered within their task, and within their task and model."""
_DRAWN = """
    CREATE OR REPLACE TEMP TABLE drawn AS
        WITH numbered AS (
            SELECT *, file_row_number + 1 AS number, random() AS first, random() AS second, random() AS third
            FROM read_parquet($texts, file_row_number = true)
        )
        SELECT number, query, task, third, candidates, pmf, policy_version, seed,
               1 + len([place FOR place IN range(1, len(pmf)) IF list_sum(pmf[1:place]) <= second]) AS place
        FROM numbered JOIN (SELECT DISTINCT task, of_task FROM old) USING (task)
        JOIN (SELECT task, decided, candidates, pmf, policy_version, seed FROM old) AS deciding
             USING (task) WHERE decided = floor(first * of_task)
"""
"""New queries with an old row's decision, and the place of the model that was drawn by its probabilities."""
_MORE = """
    CREATE OR REPLACE TEMP TABLE more AS
        WITH made AS (
            SELECT *, (SELECT max(time) FROM outcomes) + to_microseconds(10 * number) AS time FROM drawn
        ), named AS (
            SELECT *, lpad(lower(to_hex(epoch_ms(time))), 12, '0') AS front, md5(number || query) AS rest
            FROM made
        )
        SELECT old.* EXCLUDE (decided, of_task, went, of_model) REPLACE (
                   format('{}-{}-7{}-8{}-{}', front[1:8], front[9:12], rest[1:3], rest[4:6], rest[7:18]) AS id,
                   named.time AS time, named.query AS query, named.candidates AS candidates, named.pmf AS pmf,
                   named.pmf[place] AS propensity, named.policy_version AS policy_version, named.seed AS seed,
                   response_s * (0.9 + 0.2 * random()) AS response_s),
               old.id AS old_id
        FROM named JOIN (SELECT DISTINCT task, model, of_model FROM old) AS many
             ON many.task = named.task AND many.model = candidates[place].model
        JOIN old ON old.task = named.task AND old.model = many.model AND went = floor(third * many.of_model)
"""
"""New rows."""
_FEEDBACK = """
    INSERT INTO feedback BY NAME
        SELECT feedback.* REPLACE (uuidv7()::VARCHAR AS id, more.id AS outcome_id, more.time AS time)
        FROM feedback JOIN more ON feedback.outcome_id = more.old_id
"""
"""What was said of the old rows, said of the new ones."""


def retrains(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """Return the time and the memory of a full retrain and of an incremental one after it, per size."""
    home = grown_home(folder)
    figures = []
    for seed, size in enumerate(sizes, start=100):
        in_another_process(add_rows, home, size, seed=seed)
        shutil.rmtree(home / "artifacts", ignore_errors=True)
        took = measured(command_line(home, "retrain", "--promote", "force", "--json"))
        beside = None
        if size <= LARGEST_REFERENCE:
            log = str(home / "zetaroute.duckdb")
            beside = measured([sys.executable, "-m", "benchmarks.speed.plain_fit", log])
        figures += [
            _figure(f"full `retrain`, {size:,} rows", took, REFERENCE, beside),
            _incremental(home, size, took, seed=seed + 900),
        ]
    return figures


def grown_home(folder: Path) -> Path:
    """Return a home with a small log that `add_rows` can let grow, and no version."""
    home = folder / "grown"
    if not home.exists():
        home.mkdir()
        seed_log(home)
        shutil.rmtree(home / "artifacts")
    return home


def add_rows(home: Path, rows: int, *, seed: int) -> None:
    """Let the log have `rows` rows: the new ones come later, one every 10 us, with texts that it does not hold yet.

    Each was decided like an old row of its task, its model drawn anew with the probabilities of that decision, and it
    went like an old row of its task and model: so the logged probabilities are those that were drawn by.
    """
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute("SET enable_progress_bar = false")
        # In a small log a task has no row of some model: what would need one is drawn again.
        for again in count():
            (have,) = log.execute("SELECT count(*) FROM outcomes").fetchone() or (0,)
            if have >= rows:
                return
            _add(log, home / "texts.parquet", rows - have, seed=seed + 10_000 * again)


def _add(log: duckdb.DuckDBPyConnection, texts: Path, rows: int, *, seed: int) -> None:
    fresh = ((one.query.text, one.query.task) for one in generate(rows=rows, seed=seed))
    pl.DataFrame(fresh, schema=["query", "task"], orient="row").write_parquet(texts)
    log.execute("SELECT setseed(?)", [1.0 / seed])
    log.execute(_OLD)
    log.execute(_DRAWN, {"texts": str(texts)})
    log.execute(_MORE)
    log.execute("INSERT INTO outcomes BY NAME SELECT * EXCLUDE old_id FROM more ORDER BY id")
    log.execute(_FEEDBACK)
    texts.unlink()


def _incremental(home: Path, rows: int, full: Used, *, seed: int) -> Figure:
    """Return the time of a retrain after few new rows, beside the full one before them."""
    in_another_process(add_rows, home, rows + int(NEW_SHARE * rows), seed=seed)
    again = measured(command_line(home, "retrain", "--promote", "never", "--json"))
    what = f"`retrain` after {NEW_SHARE:.0%} new rows, {rows:,} before"
    return _figure(what, again, "full `retrain` before", full)


def _figure(what: str, took: Used, reference: str, beside: Used | None) -> Figure:
    processor = f"processor {took.cpu_s:.1f} s" + (f" beside {beside.cpu_s:.1f} s" if beside else "")
    return Figure(
        what=what,
        value=took.elapsed_s,
        reference=reference,
        beside=beside.elapsed_s if beside else None,
        note=f"{processor}, {took.mebibytes:,.0f} MiB",
    )
