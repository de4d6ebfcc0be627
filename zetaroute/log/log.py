"""The outcome log: the DuckDB file, opened only for the moments of a merge or a read.

DuckDB lets one process in at a time, so nothing is held open while a model answers: rows go to the journal first
and every opening merges what waits there, in one transaction, each id once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.config import DEFAULT_PRIVACY, Home, Privacy
from zetaroute.errors import StoreBusyError, StoreError
from zetaroute.files.atomic import private_files
from zetaroute.log.journal import Entry
from zetaroute.log.merge import take_segments
from zetaroute.log.pseudonyms import protected_journal
from zetaroute.log.schema import migrate
from zetaroute.log.standings import is_readable_state, write_standings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


PATIENCE_S = 10.0
"""How long a command that needs the log waits for another process to leave it."""
_BUSY = ("Could not set lock on file", "used by another process")
"""What DuckDB says of a file that another process holds, on POSIX and on Windows."""
MANY = 16
"""Segments that wait until a command merges them that reads nothing of the log itself."""
_OPENING = threading.RLock()
_NO_DATABASE = "not a valid DuckDB database file"
_MAKING_S = 2.0
_SMALLEST = 3 * 4096
"""Bytes that every DuckDB file has: its three headers."""
_NO_ROOM = ("No space left", "File too large", "quota exceeded", "Could not write", "Read-only file system")

OF_ONE = """(getvariable('version') IS NULL OR policy_version = getvariable('version') AND forced IS NOT TRUE)
            AND (getvariable('run') IS NULL OR run = getvariable('run'))"""
"""In SQL whether a row belongs to the variables `version`, which has chosen its model, and `run`; NULL names all."""


Projection = Callable[["DuckDBPyConnection", Home], Entry | None]
"""Looks at the log after rows came in and returns the rows that follow from them, if any do."""


class Log:
    """The log of one home."""

    def __init__(
        self,
        home: Home,
        privacy: Privacy = DEFAULT_PRIVACY,
        *,
        projections: Sequence[Projection] = (),
        on_derived: Callable[[Entry], None] | None = None,
    ) -> None:
        """Keep of what is appended what `privacy` lets it, and of every merge what the projections conclude.

        `on_derived` is told each of their conclusions.
        """
        self.home = home
        self.journal = protected_journal(home, privacy)
        self._projections = projections
        self._on_derived = on_derived

    def append(self, entries: Sequence[Entry]) -> None:
        """Make the entries safe; they appear in the DuckDB file with the next opening."""
        self.journal.append(entries)

    @property
    def is_begun(self) -> bool:
        """Whether anything was logged yet."""
        return self.home.database.exists() or bool(self.journal.segments())

    def keep_up(self, *, read_soon: bool) -> None:
        """Bring the journal into the file if many segments wait, or its rows are `read_soon`.

        Opening the file takes longer than all else that an `ask` does.
        """
        if read_soon or len(self.journal.segments()) >= MANY:
            self.merge()

    def merge(self, *, patience_s: float = 0.0) -> bool:
        """Bring the journal into the file; return False when another process holds it, and the rows wait."""
        try:
            with self.open(patience_s=patience_s):
                return True
        except StoreBusyError:
            return False

    @contextmanager
    def open(self, *, patience_s: float = PATIENCE_S) -> Iterator[DuckDBPyConnection]:
        """Yield a connection to the migrated file with the journal merged; keep it open for moments only.

        Raises StoreBusyError after `patience_s`, StoreError when the file is damaged, from a newer version or
        cannot be written.
        """
        self.home.make()
        with (
            _alone(self.home.database, patience_s),
            private_files(),
            connect(self.home.database, patience_s=patience_s) as connection,
        ):
            self._migrate(connection)
            self._take_in(connection)
            self.journal.sweep(time.time())
            yield connection

    def write(self, connection: DuckDBPyConnection, entry: Entry) -> None:
        """Make an entry safe and bring it into the open file at once."""
        self.journal.append([entry])
        self._take_in(connection)

    def _take_in(self, connection: DuckDBPyConnection) -> None:
        """Bring what waits in the journal into the tables, and what follows from it; then the standings."""
        # Over many small files, more threads take eight times the memory and four times as long.
        connection.execute("SET threads = 1")
        merged = self._merge_into(connection)
        # Also where no row came in: what follows from some is due after a while.
        for derive in self._projections:
            derived = derive(connection, self.home)
            if derived is not None:
                self.journal.append([derived])
                merged += self._merge_into(connection)
                if self._on_derived is not None:
                    self._on_derived(derived)
        connection.execute("RESET threads")
        if merged or not is_readable_state(self.home):
            try:
                write_standings(connection, self.home.state, merged=[segment.name for segment in merged])
            except OSError as error:
                raise unusable(self.home.state, error) from error
        # Only now: a reader of the state without these segments must still find them in the journal.
        self.journal.drop(merged)

    def _migrate(self, connection: DuckDBPyConnection) -> None:
        import duckdb

        try:
            migrate(connection)
        except duckdb.Error as error:
            # Tables of these names that are not ours.
            raise unusable(self.home.database, error) from error

    def _merge_into(self, connection: DuckDBPyConnection) -> list[Path]:
        """Bring the waiting segments into the tables and return those that are in."""
        segments = self.journal.segments()
        if not segments:
            return []
        import duckdb

        try:
            return take_segments(connection, self.journal, segments)
        except duckdb.Error as error:
            raise unusable(self.home.database, error) from error


def is_busy(error: Exception) -> bool:
    """Return whether DuckDB refuses a file because another process holds it."""
    return any(words in str(error) for words in _BUSY)


@contextmanager
def _alone(path: Path, patience_s: float) -> Iterator[None]:
    """Keep other threads of this process out, as DuckDB does with other processes: both would merge the same rows."""
    if not _OPENING.acquire(timeout=patience_s):
        raise _busy(path, "another part of this process")
    try:
        yield
    finally:
        _OPENING.release()


@contextmanager
def connect(path: Path, *, patience_s: float) -> Iterator[DuckDBPyConnection]:
    """Yield a connection that locks the file; what is under its name then, not what was replaced meanwhile."""
    import duckdb

    began = time.monotonic()
    deadline = began + patience_s
    while True:
        named = _inode(path)
        try:
            connection = duckdb.connect(str(path))
            # The lock may be that of a file that `store.forget` has replaced between opening and locking.
            if named is None or named == _inode(path):
                break
            # The write-ahead log that it has found belongs to the file of now.
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            connection.close()
            continue
        except duckdb.Error as error:
            if named is None and _lacks_room(str(error)):
                # What was begun here is no database, and would stand in the way when there is room.
                path.unlink(missing_ok=True)
            made_by = began + min(_MAKING_S, patience_s)
            if not is_busy(error) and not (_is_being_made(path, error) and time.monotonic() < made_by):
                raise unusable(path, error) from error
            if time.monotonic() >= deadline:
                raise _busy(path, "another process") from error
            time.sleep(0.02)
    try:
        # It would be drawn on standard output, beside an answer, whenever a statement takes two seconds.
        connection.execute("SET enable_progress_bar = false")
        yield connection
    except duckdb.IOException as error:
        raise unusable(path, error) from error
    finally:
        connection.close()


def _is_being_made(path: Path, error: Exception) -> bool:
    """Return whether a file is none of DuckDB's only because another process is about to write its first pages."""
    try:
        return _NO_DATABASE in str(error) and path.stat().st_size < _SMALLEST
    except OSError:
        return False


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _busy(path: Path, whom: str) -> StoreBusyError:
    return StoreBusyError(f"{path} is in use by {whom}: its rows wait in the journal; try again in a moment.")


def _lacks_room(reason: str) -> bool:
    return any(words in reason for words in _NO_ROOM)


def unusable(path: Path, error: Exception) -> StoreError:
    """Return what to say of a file that cannot be used."""
    reason = str(error).partition("\n")[0]
    if _lacks_room(reason):
        return StoreError(
            f"there is no room to write {path} ({reason}): make room; what waits in the journal is kept."
        )
    return StoreError(
        f"{path} cannot be opened as the outcome log ({reason}): if it is damaged, move it away and a new one is "
        "begun; what waits in the journal is kept."
    )
