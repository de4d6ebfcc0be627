"""What a batch must remember of every row: where it stood in the input, and what was answered before.

It lives in a temporary file of SQLite's, which disappears with the process, so that memory does not grow with the
input. Nothing here is a source: all of it is made anew from the log and the input by the next run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from zetaroute.errors import StoreError

_CACHE_KIB = 16 * 1024
_TABLES = """
    CREATE TABLE seen (custom_id TEXT PRIMARY KEY, line INTEGER, content TEXT) WITHOUT ROWID;
    CREATE TABLE answered (custom_id TEXT, content TEXT, model TEXT, PRIMARY KEY (custom_id, content, model))
        WITHOUT ROWID;
    CREATE TABLE told (place INTEGER, start INTEGER, size INTEGER, custom_id TEXT, model TEXT);
"""


@dataclass(frozen=True, slots=True)
class FirstLine:
    """Where a row with some custom_id was met first."""

    line: int
    content: str
    """The content hash."""


class SeenRows:
    """The memory of one run of a batch; raises StoreError when the temporary folder has no room."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(
            f"PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA journal_mode = OFF; {_TABLES}"
        )
        # One transaction that is never ended: nothing here has to survive.
        self._database.execute("BEGIN")
        self._any_answered = False

    def close(self) -> None:
        """Give the temporary file back."""
        self._database.close()

    def meet(self, custom_id: str, content: str, line: int) -> FirstLine | None:
        """Note a row of the input; return where the same custom_id was met before, if it was."""
        with _room():
            made = self._database.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (custom_id, line, content)
            )
            if made.rowcount:
                return None
            found = self._database.execute(
                "SELECT line, content FROM seen WHERE custom_id = ?", (custom_id,)
            ).fetchone()
        return FirstLine(*found)

    def note_answered(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Note answers of earlier runs: custom_id, content hash, model."""
        with _room():
            self._database.executemany("INSERT OR IGNORE INTO answered VALUES (?, ?, ?)", rows)
        self._any_answered = True

    def is_answered(self, custom_id: str, content: str, model: str | None) -> bool:
        """Return whether this very row was answered before, by `model` or, without one, by any."""
        if not self._any_answered:
            return False
        with _room():
            sql = "SELECT 1 FROM answered WHERE custom_id = ? AND content = ? AND (? IS NULL OR model = ?)"
            return self._database.execute(sql, (custom_id, content, model, model)).fetchone() is not None

    def is_changed(self, custom_id: str) -> bool:
        """Return whether any row with this custom_id was answered before, whatever it held."""
        if not self._any_answered:
            return False
        with _room():
            sql = "SELECT 1 FROM answered WHERE custom_id = ?"
            return self._database.execute(sql, (custom_id,)).fetchone() is not None

    def note_told(self, rows: Iterable[tuple[int, int, str, str]]) -> None:
        """Note the lines of an output: where each starts, its bytes, custom_id and model."""
        with _room():
            self._database.execute("DELETE FROM told")
            self._database.executemany(
                """
                INSERT INTO told
                SELECT (SELECT line FROM seen WHERE seen.custom_id = given.custom_id), start, size, custom_id, model
                FROM (SELECT ? AS start, ? AS size, ? AS custom_id, ? AS model) AS given
                """,
                rows,
            )

    def told(self, *, by_model: bool, in_order: bool) -> Iterator[tuple[int, int]]:
        """Yield start and bytes of each custom_id's last line, by input line or by where they stand.

        With `by_model` every model's last line counts for itself. What the input does not hold comes last.
        """
        group = "custom_id, model" if by_model else "custom_id"
        order = "place IS NULL, place, start" if in_order else "start"
        with _room():
            yield from self._database.execute(
                f"SELECT start, size FROM (SELECT place, max(start) AS start, size FROM told GROUP BY {group}) "
                f"ORDER BY {order}"
            )


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"cannot keep track of the rows in the temporary folder ({error}): make room there, or set TMPDIR."
        ) from error
