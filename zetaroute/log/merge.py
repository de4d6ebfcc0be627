"""Bringing segments of the journal into the tables: each id once, and of a damaged segment what is whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.log.journal import SUFFIX, Journal, is_intact, lines_of
from zetaroute.log.schema import TABLES, struct

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LARGEST_LINE = 256 * 1024 * 1024
"""Bytes."""
_LOGGER = logging.getLogger("zetaroute")


def take_segments(connection: DuckDBPyConnection, journal: Journal, segments: Sequence[Path]) -> list[Path]:
    """Bring segments into the tables in one transaction and return those that are in.

    Of a damaged one, the whole lines become a segment of their own. Raises duckdb.Error when the database takes
    nothing, StoreError when a damaged segment cannot be set aside.
    """
    whole = [segment for segment in segments if all(map(is_intact, _lines(segment)))]
    if len(whole) < len(segments) or not _reads(connection, whole):
        found = (
            segment
            if segment in whole and _reads(connection, [segment])
            else _salvage(connection, journal, segment)
            for segment in segments
        )
        whole = [segment for segment in found if segment is not None]
        if not whole:
            return []
        _read(connection, whole)
    _insert_rows(connection)
    return whole


def _salvage(connection: DuckDBPyConnection, journal: Journal, segment: Path) -> Path | None:
    """Set a damaged segment aside and return one with the lines that are whole; None where there are none."""
    trial = segment.with_suffix(".tmp")
    lines, kept = _lines(segment), []
    try:
        for line in filter(is_intact, lines):
            trial.write_bytes(line)
            if _reads(connection, [trial]):
                kept.append(line)
    finally:
        trial.unlink(missing_ok=True)
    # Before the damaged one goes: what a kill leaves twice is merged once.
    name = journal.write_lines(kept, f"{segment.stem}-salvaged{SUFFIX}") if kept else None
    aside = journal.set_aside(segment)
    lost = f"{len(lines) - len(kept)} of {len(lines)} lines of {segment.name} cannot be read"
    _LOGGER.warning("note: %s; the segment was set aside in %s", lost, aside)
    return journal.folder / name if name else None


def _lines(segment: Path) -> list[bytes]:
    """Return the lines of a segment; none where it cannot be read."""
    with suppress(OSError):
        return lines_of(segment)
    return []


def _reads(connection: DuckDBPyConnection, segments: Sequence[Path]) -> bool:
    import duckdb

    try:
        _read(connection, segments)
    except duckdb.Error:
        return False
    return True


def _read(connection: DuckDBPyConnection, segments: Sequence[Path]) -> None:
    """Read segments into the table `incoming`; raise duckdb.Error when one of them is damaged."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE incoming AS SELECT * FROM read_json(
            $segments, format = 'newline_delimited', maximum_object_size = {_LARGEST_LINE},
            columns = {{{", ".join(f"{name}: '{struct(columns)}[]'" for name, columns in TABLES.items())}}})
        """,
        {"segments": [str(segment) for segment in segments]},
    )


def _insert_rows(connection: DuckDBPyConnection) -> None:
    """Bring what is in `incoming` into the tables, each id once, in one transaction."""
    import duckdb

    connection.execute("BEGIN")
    try:
        pmf = ", list_transform(row.candidates, lambda c: c.probability) AS pmf"
        lengths = connection.execute(
            f"SELECT {', '.join(f'sum(len({table}))' for table in TABLES)} FROM incoming"
        )
        for table, rows in zip(TABLES, lengths.fetchone() or (), strict=True):
            if not rows:
                continue
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
