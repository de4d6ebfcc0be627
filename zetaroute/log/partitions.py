"""A log in spans of ids, so that it can be read a part at a time, here or by several processes.

Ids are in order of time, and what is known of a row lies in its span: feedback by the id of its outcome, copies of a
row by their common id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from zetaroute.log.views import make_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_COLUMNS = {"outcomes": "id", "feedback": "outcome_id"}
"""By table the column that says in which span a row is."""

_SUMS = """
    WITH edges AS (
        SELECT unnest($lows::VARCHAR[]) AS low, generate_subscripts($lows::VARCHAR[], 1) - 1 AS number
    ),
    hashed AS (SELECT {column} AS id, hash(one) AS hash FROM {table} AS one WHERE {column} < $end)
    SELECT number, count(*), sum(hash) FROM hashed ASOF JOIN edges ON hashed.id >= edges.low GROUP BY number
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The rows with low <= id < high; None is open."""

    low: str | None
    high: str | None


def spans(connection: DuckDBPyConnection, rows: int) -> list[Span]:
    """Return spans of about so many rows each that together hold the log as it is now.

    Rows that come later have later ids, and are in none.
    """
    found = connection.execute(
        "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM outcomes) "
        "WHERE place > 1 AND place % ? = 1 ORDER BY id",
        [rows],
    ).fetchall()
    (last,) = connection.execute("SELECT max(id) FROM outcomes").fetchone() or (None,)
    edges = [None, *(one for (one,) in found), last and f"{last} "]
    return [Span(low, high) for low, high in pairwise(edges)]


def fingerprints(connection: DuckDBPyConnection, parts: Sequence[Span]) -> list[str]:
    """Return what tells all that the log says in each of its spans: something else as soon as any of it changes."""
    sums: list[list[str]] = [[] for _ in parts]
    values = {"lows": [span.low or "" for span in parts], "end": parts[-1].high}
    for table, column in _COLUMNS.items():
        found = connection.execute(_SUMS.format(table=table, column=column), values).fetchall()
        for number, *what in found:
            sums[number].append(f"{table} {what}")
    return [" ".join(one) for one in sums]


def narrow(connection: DuckDBPyConnection, span: Span) -> None:
    """Let this connection see the rows of a span alone: temporary views hide the tables and views of the log."""
    (whole,) = connection.execute("SELECT format('\"{}\"', current_database())").fetchone() or ("",)
    for table, column in _COLUMNS.items():
        bounds = [
            f"{column} {sign} {_text(edge)}" for sign, edge in ((">=", span.low), ("<", span.high)) if edge
        ]
        rows = f"SELECT * FROM {whole}.main.{table} WHERE {' AND '.join(bounds) or 'true'}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {rows}")
    make_views(connection, temporary=True)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
