"""The steps of canaries as the log holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from zetaroute.domain import CanaryEvent

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS = ", ".join(field.name for field in fields(CanaryEvent)).replace(
    "time", "strftime(time, '%Y-%m-%dT%H:%M:%S.%f') AS time", 1
)


def event_of(stored: Mapping[str, Any]) -> CanaryEvent:
    """Return the event that JSON or a row holds."""
    values = {field.name: stored[field.name] for field in fields(CanaryEvent)}
    return CanaryEvent(**{**values, "free": tuple(values["free"])})


def running_canary(connection: DuckDBPyConnection) -> CanaryEvent | None:
    """Return the last step of the canary that runs, or None."""
    last = last_step(connection)
    return last if last is not None and last.running else None


def last_step(
    connection: DuckDBPyConnection, *, version: str | None = None, champion: str | None = None
) -> CanaryEvent | None:
    """Return the last step of all canaries, or of those between two versions; None where there is none."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM canaries WHERE version = coalesce($1, version) "
        "AND champion = coalesce($2, champion) ORDER BY time DESC, id DESC LIMIT 1",
        [version, champion],
    )
    names = [column[0] for column in found.description or ()]
    row = found.fetchone()
    return None if row is None else event_of(dict(zip(names, row, strict=True)))
