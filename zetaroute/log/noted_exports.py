"""Where texts were written to beside the log, so that forgetting can look there."""

from __future__ import annotations

from pathlib import Path

from zetaroute.domain import Export, new_id, utc_now
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log


def note_export(log: Log, target: Path | str, *, run: str | None = None) -> None:
    """Write down that texts are written to a file or an address; a pipe keeps nothing."""
    path = Path(target)
    if path.exists() and not path.is_file():
        return
    where = str(target) if "://" in str(target) else str(path.absolute())
    log.append([Entry(exports=(Export(id=new_id(), time=utc_now(), path=where, run=run),))])
