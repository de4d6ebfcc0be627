"""Write the feedback of the log out, as lines that `feedback import` reads again.

Apart from the import because it only reads the log, a group of rows at a time.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from zetaroute.errors import UsageError
from zetaroute.store.log import Log, rows_since
from zetaroute.store.migrations import FEEDBACK_COLUMNS

Format = Literal["jsonl", "csv"]
_AT_ONCE = 10_000


def export_lines(log: Log, *, form: Format, since: str | None = None) -> Iterator[str]:
    """Yield pieces of text, whole lines each: all feedback since a moment, the oldest first.

    The log is held open meanwhile.
    """
    names = tuple(FEEDBACK_COLUMNS)
    if form == "csv":
        yield _csv([names])
    with log.open() as connection:
        rows = rows_since(connection, f"SELECT {', '.join(names)} FROM feedback", since, order="time, id")
        while group := rows.fetchmany(_AT_ONCE):
            plain = [[_plain(value) for value in row] for row in group]
            yield _csv(plain) if form == "csv" else _jsonl(names, plain)


def export_file(log: Log, path: Path, *, form: Format, since: str | None = None) -> None:
    """Write the feedback to a file, packed where its name ends in .gz.

    A kill leaves the old file or the new one. Raises UsageError where the file cannot be written.
    """
    draft = path.with_name(path.name + ".tmp")
    try:
        with open(draft, "wb") as raw:
            file = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
            for piece in export_lines(log, form=form, since=since):
                file.write(piece.encode("utf-8"))
            if file is not raw:
                file.close()
        os.replace(draft, path)
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror}): name another file.") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _jsonl(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    told = (dict(zip(names, row, strict=True)) for row in rows)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
