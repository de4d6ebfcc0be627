"""Forgetting in the DuckDB file: the file is written anew without the texts, then takes the place of the old one.

Deleted text survives in a DuckDB file, also after a checkpoint. So the rows are copied, without what is forgotten,
into a fresh file that never held it. A kill at any moment leaves the old file or the new one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.domain import unit_of
from zetaroute.errors import StoreError
from zetaroute.files.atomic import sync_folder
from zetaroute.log.log import PATIENCE_S, Log, connect, unusable
from zetaroute.log.standings import write_standings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ERASED = (
    "query",
    "system",
    "reference",
    "response",
    "thinking",
    "error",
    "custom_id",
    "conversation",
    "session",
    "content_hash",
    "attachments",
    "embedding",
    "embedding_model",
    "seed",
    "segment",
)
"""Columns of an outcome that hold its text, a hash or a vector of it, or what was made of that: a batch draws the
seed from the query. All the others are numbers and names that tell nothing of it."""
_FRESH = ".forgetting"


def rewrite(
    log: Log,
    ids: Collection[str],
    reasons: Mapping[str, str],
    *,
    segments: Collection[str] = (),
    patience_s: float = PATIENCE_S,
) -> None:
    """Write the file of a log anew without the texts of these outcomes; numbers and decisions stay.

    `reasons` are words that promotions and contests stand on, each with what takes its place; `segments` are names of
    kinds of queries that no row keeps. Raises StoreBusyError
    when others do not leave the file for `patience_s`, StoreError when there is no room or the system does not
    let an open file be replaced; then the old file stands.
    """
    import duckdb

    path = log.home.database
    with _alone(log, patience_s=patience_s) as connection:
        for left in path.parent.glob(f"{path.name}{_FRESH}*"):
            left.unlink(missing_ok=True)
        fresh = path.with_name(f"{path.name}{_FRESH}-{uuid.uuid4().hex[:8]}")
        try:
            _copy(connection, fresh, ids, reasons, segments)
            _sync(fresh)
            # At the end of this connection the name is that of the new file, whose log is not ours to remove.
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            # While the old one is still locked: a process that waits for it then opens the new one.
            os.replace(fresh, path)
            sync_folder(path.parent)
        except (OSError, duckdb.Error) as error:
            raise unusable(path, error) from error
        finally:
            for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
                left.unlink(missing_ok=True)
        # What statements that did not fit into memory have left, of runs that were killed.
        shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)
    _renew_standings(log, patience_s=patience_s)


@contextmanager
def _alone(log: Log, *, patience_s: float) -> Iterator[DuckDBPyConnection]:
    """Yield a connection that locks the file, with everything in it and nothing in its write-ahead log."""
    wal = log.home.database.with_name(f"{log.home.database.name}.wal")
    for _ in range(100):
        with log.open(patience_s=patience_s):
            pass
        with connect(log.home.database, patience_s=patience_s) as connection:
            if not wal.exists():
                yield connection
                return
    raise StoreError(f"{log.home.database} is written to all the time: try again when less is going on.")


def _copy(
    connection: DuckDBPyConnection,
    fresh: Path,
    ids: Collection[str],
    reasons: Mapping[str, str],
    segments: Collection[str],
) -> None:
    (name,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    connection.execute(f"ATTACH '{str(fresh).replace(chr(39), chr(39) * 2)}' AS fresh")
    connection.execute(f'COPY FROM DATABASE "{name}" TO fresh (SCHEMA)')
    tables = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? AND NOT temporary",
        [name],
    ).fetchall()
    connection.execute("SET VARIABLE forgotten = ?::VARCHAR[]", [list(ids)])
    connection.execute("SET VARIABLE unnamed = ?::VARCHAR[]", [list(segments)])
    texts = connection.execute(
        "SELECT DISTINCT query FROM outcomes WHERE list_contains(getvariable('forgotten'), id) AND query IS NOT NULL"
    ).fetchall()
    units = [f"{unit_of(None, text):016x}" for (text,) in texts]
    connection.execute("SET VARIABLE units = ?::VARCHAR[]", [units])
    connection.execute("SET VARIABLE now = ?::TIMESTAMP", [datetime.now(UTC).replace(tzinfo=None)])
    for schema, table in tables:
        place = f'"{schema}"."{table}"'
        changed = _changed(table, reasons) if schema == "main" else ""
        connection.execute(f'INSERT INTO fresh.{place} SELECT *{changed} FROM "{name}".{place}')
    connection.execute("DETACH fresh")


def _changed(table: str, reasons: Mapping[str, str]) -> str:
    """Return what of a table is not copied as it is, as the REPLACE clause of a SELECT."""
    if table == "outcomes":
        gone = "list_contains(getvariable('forgotten'), id)"
        unnamed = f"{gone} OR list_contains(getvariable('unnamed'), segment)"
        erased = [
            f"CASE WHEN {unnamed if column == 'segment' else gone} THEN NULL ELSE {column} END AS {column}"
            for column in ERASED
        ]
        moment = (
            f"CASE WHEN {gone} THEN coalesce(forgotten, getvariable('now')) ELSE forgotten END AS forgotten"
        )
        return f" REPLACE ({', '.join([*erased, moment])})"
    if table == "feedback":
        gone = "list_contains(getvariable('forgotten'), outcome_id)"
        return f" REPLACE (CASE WHEN {gone} THEN NULL ELSE comment END AS comment)"
    if table == "evidence":
        # What was measured stays; the hash of a text, by which it could be guessed, goes with it.
        ids = ("id", "champion_outcome", "challenger_outcome")
        gone = " OR ".join(f"list_contains(getvariable('forgotten'), {name})" for name in ids)
        return f" REPLACE (CASE WHEN {gone} THEN NULL ELSE unit END AS unit)"
    if table == "foreign_units":
        return " REPLACE (list_filter(units, unit -> NOT list_contains(getvariable('units'), unit)) AS units)"
    if table in {"promotions", "contests", "canaries"} and reasons:
        words = "reason"
        for old, new in reasons.items():
            words = f"replace({words}, {_quoted(old)}, {_quoted(new)})"
        return f" REPLACE ({words} AS reason)"
    return ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _renew_standings(log: Log, *, patience_s: float) -> None:
    """Write state.json anew, which may quote the reason of a contest, and remove what killed writers left."""
    with log.open(patience_s=patience_s) as connection:
        write_standings(connection, log.home.state)
    for whole in (log.home.state, log.home.vectors):
        for draft in log.home.path.glob(f"{whole.name}.*.tmp"):
            with contextlib.suppress(OSError):
                draft.unlink()
