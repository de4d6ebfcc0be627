"""From the journal's segments into the tables of the log: what a merge does once the file is open.

Apart from the log because the shape of rows changes with the tables, and how to open a file that others hold stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.store.migrations import (
    CANARY_COLUMNS,
    EXPORT_COLUMNS,
    FEEDBACK_COLUMNS,
    OUTCOME_COLUMNS,
    PROMOTION_COLUMNS,
    struct,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LARGEST_LINE = 256 * 1024 * 1024
"""Bytes."""


def read_segments(connection: DuckDBPyConnection, segments: Sequence[Path]) -> None:
    """Read segments into the table `incoming`; raises duckdb.Error when one of them is damaged."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE incoming AS SELECT * FROM read_json(
            $segments, format = 'newline_delimited', maximum_object_size = {_LARGEST_LINE},
            columns = {{
                outcomes: '{struct(OUTCOME_COLUMNS)}[]',
                feedback: '{struct(FEEDBACK_COLUMNS)}[]',
                promotions: '{struct(PROMOTION_COLUMNS)}[]',
                canaries: '{struct(CANARY_COLUMNS)}[]',
                exports: '{struct(EXPORT_COLUMNS)}[]'
            }})
        """,
        {"segments": [str(segment) for segment in segments]},
    )


def insert_rows(connection: DuckDBPyConnection) -> None:
    """Bring what is in `incoming` into the tables, each id once, in one transaction."""
    import duckdb

    connection.execute("BEGIN")
    try:
        pmf = ", list_transform(row.candidates, lambda c: c.probability) AS pmf"
        for table in ("outcomes", "feedback", "promotions", "canaries", "exports"):
            extra = pmf if table == "outcomes" else ""
            connection.execute(f"""
                INSERT INTO {table} BY NAME
                WITH rows AS (SELECT unnest({table}) AS row FROM incoming)
                SELECT unnest(row){extra} FROM rows
                WHERE row.id NOT IN (
                    SELECT id FROM {table} WHERE id >= (SELECT min(rows.row.id) FROM rows)
                )
                QUALIFY row_number() OVER (PARTITION BY row.id) = 1
                ORDER BY row.id
            """)
        connection.execute("DROP TABLE incoming")
        connection.execute("COMMIT")
    except BaseException:
        # After a full disk there is no transaction left to roll back; the first error is the one to tell.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise
