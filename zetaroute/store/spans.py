"""A log in spans of ids, so that it can be read a part at a time, here or by several processes.

Ids are in order of time, and what is told of a row lies in its span: feedback by the id of its outcome, copies of a
row by their common id.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from zetaroute.store.views import make_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


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


def fingerprint(connection: DuckDBPyConnection, span: Span) -> str:
    """Return a number of all that the log says in a span: another one as soon as any of it changes."""
    sums = [
        f"(SELECT count(*) || ' ' || coalesce(sum(hash(one)), 0) FROM {table} AS one WHERE {where})"
        for table, where in _where(span).items()
    ]
    (found,) = connection.execute(f"SELECT concat_ws(' ', {', '.join(sums)})").fetchone() or ("",)
    return str(found)


def narrow(connection: DuckDBPyConnection, span: Span) -> None:
    """Let this connection see the rows of a span alone: temporary views hide the tables and views of the log."""
    (whole,) = connection.execute("SELECT format('\"{}\"', current_database())").fetchone() or ("",)
    for table, where in _where(span).items():
        rows = f"SELECT * FROM {whole}.main.{table} WHERE {where}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {rows}")
    make_views(connection, temporary=True)


def _where(span: Span) -> dict[str, str]:
    """Return, by table, which of its rows lie in a span."""
    edges = ((">=", span.low), ("<", span.high))
    return {
        table: " AND ".join(f"{column} {sign} {_text(edge)}" for sign, edge in edges if edge) or "true"
        for table, column in (("outcomes", "id"), ("feedback", "outcome_id"))
    }


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
