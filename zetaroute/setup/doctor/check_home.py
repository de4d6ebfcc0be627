"""The home looked over: may it be written, is there room, what waits, can the log be opened."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.config import Home
from zetaroute.errors import StoreBusyError, StoreError
from zetaroute.log.standings import is_readable_state
from zetaroute.projections import log_of
from zetaroute.setup.doctor.diagnosis import Diagnosis, doubtful, well, wrong

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LITTLE_ROOM = 1_000_000_000
"""Bytes."""
NO_ROOM = 50_000_000


def examine_home(home: Home) -> Iterator[Diagnosis]:
    """Yield what there is to say of the folder and the disk it lies on."""
    if not home.path.exists():
        yield doubtful("home", f"{home.path} is not there yet", "the first `zetaroute ask` makes it")
        yield _room(next(parent for parent in home.path.parents if parent.exists()))
        return
    yield _access(home)
    yield _room(home.path)
    yield _waiting(home)


def _access(home: Home) -> Diagnosis:
    places = (home.path, home.journal, home.artifacts, home.database, home.state)
    closed = [path for path in places if path.exists() and not os.access(path, _wanted(path))]
    if closed:
        return wrong("home", f"{closed[0]} cannot be written", "make it yours: `chown` and `chmod u+rwX` it")
    others = _others_may(home.path)
    if others == "write":
        return wrong(
            "home", f"{home.path} can be written by every user of this machine", f"chmod 700 {home.path}"
        )
    if others == "read":
        words = f"{home.path} can be read by every user of this machine, and the log holds what you asked"
        return doubtful("home", words, f"chmod 700 {home.path}")
    return well("home", f"{home.path} can be read and written")


def _wanted(path: Path) -> int:
    return os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)


def _others_may(path: Path) -> str | None:
    """Return what users who own nothing here may do with a folder; where the system has no such bits, None."""
    if os.name != "posix" or not all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents):
        return None
    mode = path.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return "write"
    return "read" if mode & stat.S_IROTH and mode & stat.S_IXOTH else None


def _room(path: Path) -> Diagnosis:
    free = shutil.disk_usage(path).free
    words = f"{free / 1e9:.1f} GB are free where {path} lies"
    if free < NO_ROOM:
        return wrong("disk", words, "make room: nothing can be logged without it")
    if free < LITTLE_ROOM:
        return doubtful("disk", words, "make room soon: a row takes about 2 kB, a retrain more")
    return well("disk", words)


def _waiting(home: Home) -> Diagnosis:
    aside = list((home.journal / "damaged").glob("*"))
    if aside:
        return doubtful(
            "journal",
            f"{len(aside)} damaged segments were set aside in {home.journal / 'damaged'}",
            "see whether the disk is sound, and delete them when nothing in them is missed",
        )
    count = len(log_of(home).journal.segments())
    if not count:
        return well("journal", "nothing waits to be merged")
    waited = "1 segment waits and is" if count == 1 else f"{count} segments wait and are"
    return well("journal", f"{waited} merged whenever the log is opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLog:
    """The log of a home, opened once for everything that is looked at in it."""

    connection: DuckDBPyConnection | None
    """None where there is no log yet, or where it cannot be opened."""
    failure: StoreError | None
    """Why it cannot be opened."""


@contextmanager
def opened_log(home: Home) -> Iterator[OpenedLog]:
    """Yield the log of a home, which may not be there or not be open to us."""
    log = log_of(home)
    with ExitStack() as stack:
        connection, failure = None, None
        if log.is_begun:
            try:
                connection = stack.enter_context(log.open(patience_s=1.0))
            except StoreError as error:
                failure = error
        yield OpenedLog(connection=connection, failure=failure)


def examine_log(home: Home, log: OpenedLog) -> Iterator[Diagnosis]:
    """Yield whether the log and the models' records can be read."""
    if home.path.exists():
        yield _log(home, log)
        yield _state(home)


def _log(home: Home, log: OpenedLog) -> Diagnosis:
    if isinstance(log.failure, StoreBusyError):
        count = len(log_of(home).journal.segments())
        words = f"{home.database} is in use by another process, and {count} journal segments wait for it"
        return doubtful("log", words, "nothing is lost; when this lasts, end the process that holds the file")
    if log.failure is not None:
        return wrong("log", str(log.failure))
    if log.connection is None:
        return well("log", "nothing was logged yet")
    row = log.connection.execute("SELECT count(*) FROM outcomes").fetchone()
    return well("log", f"{home.database} opens (rows: {row[0] if row else 0})")


def _state(home: Home) -> Diagnosis:
    if not home.database.exists():
        return well("state", "nothing was logged yet, so no model has a record")
    if not is_readable_state(home):
        fix = "delete it: the next command that opens the log makes it anew"
        return doubtful("state", f"{home.state} cannot be used, so the models' records are not known", fix)
    return well("state", "the models' records can be read")
