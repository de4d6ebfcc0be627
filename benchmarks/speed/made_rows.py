"""A log of any size, made by DuckDB alone from the few real rows of a small one.

Texts are cut short and numbered, so that no two are alike; the rest is as a busy home would have it: truth for most
rows, a judge for some, ratings asked for or volunteered, a few corrected, failures with fallbacks, conversations.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

DAYS_BEFORE, DAYS_AFTER = 90, 10
"""Days that the rows are spread over, before and after the newest version was learned."""
BLOCK = 500_000
"""Rows that are made at once: they carry nested columns."""
_ROWS = f"""
    CREATE OR REPLACE TEMP TABLE made AS
    WITH ordered AS (
        SELECT *, row_number() OVER (ORDER BY id) - 1 AS place, max(time) OVER () AS latest
        FROM small
    ),
    numbered AS (
        -- Fibonacci's multiplier: a cheap number that looks like a lot, the same in every run.
        SELECT range AS number, (range * 11400714819323198485::UINT128 % 18446744073709551616::UINT128)::UBIGINT
               // 18446744073709552::UBIGINT AS lot
        FROM range($first, $last)
    ),
    spread AS (
        SELECT numbered.*, ordered.* EXCLUDE (place),
               latest - INTERVAL {DAYS_BEFORE} DAY
               + to_microseconds((number * {86_400_000_000 * (DAYS_BEFORE + DAYS_AFTER)}::INT128 // $rows)::BIGINT)
               AS moment
        FROM numbered JOIN ordered ON place = number * $small // $rows
    )
    SELECT * EXCLUDE (number, lot, latest, moment) REPLACE (
               printf('%012x-7000-8000-%012x', epoch_ms(moment), number) AS id,
               moment AS time,
               left(query, 40) || ' ' || number AS query,
               left(response, 40) AS response,
               CASE WHEN lot % 50 > 0 THEN task END AS task,
               CASE WHEN lot % 10 < 3 THEN 'c' || number // 3 END AS conversation,
               CASE WHEN lot % 97 = 0 THEN 'error' ELSE status END AS status,
               CASE WHEN lot % 97 = 0 THEN 'timeout' END AS error_kind,
               0.2 + response_s * 1000 * (1 + lot % 89 / 89) AS response_s,
               CASE WHEN lot % 83 > 0 THEN cost_usd * (1 + lot % 79 / 79) END AS cost_usd,
               0.1 AS ask_probability,
               lot % 10 = 7 AS asked),
           id AS old_id, number, lot
    FROM spread
"""
_FALLBACKS = """
    INSERT INTO outcomes BY NAME
    SELECT * EXCLUDE (old_id, number, lot) REPLACE (
               id || 'f' AS id, id AS fallback_of, 2 AS attempt, NULL AS propensity, 'ok' AS status,
               NULL AS error_kind, 'practice/large' AS model, status = 'ok' AS escalated)
    FROM made WHERE status = 'error' OR lot % 211 = 0
"""
_TRUTH = """
    SELECT feedback.* REPLACE (
               made.id || 't' AS id, made.time AS time,
               CASE WHEN status = 'error' OR lot % 211 = 0 THEN made.id || 'f' ELSE made.id END AS outcome_id)
    FROM made JOIN small_feedback AS feedback ON feedback.outcome_id = made.old_id WHERE lot % 5 < 3
"""
_SAID = """
    SELECT id || '{mark}' AS id, id AS outcome_id, '{metric}' AS metric, {value} AS value, '{source}' AS source,
           '{author}' AS author, time + INTERVAL {after} MINUTE AS time, {more}
    FROM made WHERE {when}
"""
_JUDGED = {
    "mark": "j",
    "metric": "accuracy",
    "value": "lot % 11 / 10",
    "source": "judge",
    "author": "judge:large",
    "after": 1,
    "more": "0.0001 AS cost_usd, 0.4 AS response_s",
    "when": "lot % 5 = 4",
}
_ASKED = {
    "mark": "r",
    "metric": "rating",
    "value": "1 + lot % 5",
    "source": "user",
    "author": "me",
    "after": 2,
    "more": "true AS prompted",
    "when": "asked AND lot % 3 = 0",
}
_CORRECTED = _ASKED | {
    "mark": "s",
    "value": "1 + (lot + 1) % 5",
    "after": 3,
    "when": "asked AND lot % 57 = 0",
}
_VOLUNTEERED = _ASKED | {
    "mark": "u",
    "metric": "thumbs",
    "value": "(lot % 7 > 1)::INT",
    "more": "false AS prompted",
    "when": "lot % 23 = 0",
}


def make_rows(home: Path, rows: int) -> None:
    """Let the log of a small home hold `rows` made queries instead of its own."""
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute("SET enable_progress_bar = false")
        log.execute("SET enable_progress_bar = false")
        log.execute("SET preserve_insertion_order = false")
        log.execute("CREATE TEMP TABLE small AS FROM outcomes WHERE fallback_of IS NULL")
        log.execute("CREATE TEMP TABLE small_feedback AS FROM feedback")
        log.execute("DELETE FROM outcomes")
        log.execute("DELETE FROM feedback")
        (small,) = log.execute("SELECT count(*) FROM small").fetchone() or (0,)
        for first in range(0, rows, BLOCK):
            last = min(first + BLOCK, rows)
            log.execute(_ROWS, {"rows": rows, "small": small, "first": first, "last": last})
            log.execute("INSERT INTO outcomes BY NAME SELECT * EXCLUDE (old_id, number, lot) FROM made")
            log.execute(_FALLBACKS)
            log.execute(f"INSERT INTO feedback BY NAME {_TRUTH}")
            for said in (_JUDGED, _ASKED, _CORRECTED, _VOLUNTEERED):
                log.execute(f"INSERT INTO feedback BY NAME {_SAID.format(**said)}")
