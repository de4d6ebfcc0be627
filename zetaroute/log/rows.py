"""Rows of the log by a moment, by many values, and by the names of their columns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

SINCE = "coalesce(getvariable('since')::TIMESTAMP, '-infinity'::TIMESTAMP)"
"""In SQL the moment of the variable `since`; where it is NULL, the beginning."""


def rows_since(
    connection: DuckDBPyConnection, select: str, since: str | None, *, order: str
) -> DuckDBPyRelation:
    """Return the rows of a SELECT over a view with `time` that came at or after `since` (ISO 8601, UTC), in order."""
    return connection.sql(f"{from_moment(connection, select, since)} ORDER BY {order}")


def from_moment(connection: DuckDBPyConnection, select: str, since: str | None) -> str:
    """Return a SELECT of the rows of a SELECT with `time` that came at or after `since` (ISO 8601, UTC).

    The moment is passed as a variable: with a parameter DuckDB gathers a relation's rows one by one, which takes
    seven times as long.
    """
    connection.execute("SET VARIABLE since = ?", [since])
    return f"SELECT * FROM ({select}) WHERE time >= {SINCE}"


def rows_in(
    connection: DuckDBPyConnection, select: str, values: Iterable[str | None], rest: str = ""
) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT that ends in IN, over the distinct values that there are.

    They are passed as one text: of every value of a list DuckDB asks whether it belongs to some library, which
    takes seconds for thousands.
    """
    wanted = sorted({value for value in values if value is not None})
    if not wanted:
        return []
    texts = "(SELECT unnest(from_json(?, '[\"VARCHAR\"]')))"
    return connection.execute(f"{select} {texts} {rest}", [json.dumps(wanted)]).fetchall()


def named_rows(found: DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the rows of what was executed last, each by the names of its columns."""
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
