"""The log written out for other tools and other machines.

Parquet in folders by day and host, as every tool for large tables reads it; `retrain --from` reads it back.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from zetaroute.errors import StoreError, UsageError
from zetaroute.flows.leftovers import note_export
from zetaroute.store.log import Log, rows_since

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DAY = "strftime(time, '%Y-%m-%d')"
_TABLES = ("outcomes", "feedback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    folder: str
    files: int
    rows: int


def export(log: Log, to: str, *, host: str | None = None, since: str | None = None) -> Exported:
    """Write outcomes and feedback as Parquet under `to`: TABLE/day=YYYY-MM-DD/host=NAME/part.parquet.

    `to` is a folder, or an address in an object store that polars knows (`s3://bucket/path`, its keys from the
    environment). A day is written whole and replaces what the same host wrote of it before, so that exporting again
    doubles nothing. Raises StoreError where it cannot be written.
    """
    name = host or platform.node() or "localhost"
    if not name.replace("-", "").replace(".", "").replace("_", "").isalnum():
        raise UsageError(
            f"the host name {name!r} may hold letters, digits, dots, dashes and underscores only."
        )
    rows, written = 0, []
    with log.open() as connection:
        for table in _TABLES:
            for day in _days(connection, table, since):
                frame = _day(connection, table, day)
                written.append(f"{to.rstrip('/')}/{table}/day={day}/host={name}/part.parquet")
                _write(frame, written[-1])
                rows += frame.height
    for target in written:
        note_export(log, target)
    return Exported(folder=to, files=len(written), rows=rows)


def _days(connection: DuckDBPyConnection, table: str, since: str | None) -> list[str]:
    found = rows_since(connection, f"SELECT time, {_DAY} AS day FROM {table}", since, order="time")
    return [str(day) for (day,) in found.unique("day").order("day").fetchall()]


def _day(connection: DuckDBPyConnection, table: str, day: str) -> pl.DataFrame:
    found = connection.sql(
        f"SELECT * FROM {table} WHERE time >= $1::DATE AND time < $1::DATE + INTERVAL 1 DAY ORDER BY time, id",
        params=[day],
    )
    return pl.DataFrame(found)


def _write(frame: pl.DataFrame, target: str) -> None:
    try:
        frame.write_parquet(target, mkdir=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(
            f"{target} cannot be written ({reason}): make room or name another folder."
        ) from error
