"""Write the log out: Parquet folders by day and host, or a file of lines (JSON or CSV)."""

from __future__ import annotations

import csv
import gzip
import io
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from zetaroute.errors import StoreError, UsageError
from zetaroute.files.atomic import os_errors, rewrite
from zetaroute.log.log import Log
from zetaroute.log.noted_exports import note_export
from zetaroute.log.rows import rows_since
from zetaroute.log.schema import FEEDBACK_COLUMNS

if TYPE_CHECKING:
    import polars as pl
    from duckdb import DuckDBPyConnection


Format = Literal["jsonl", "csv"]
Kind = Literal["feedback", "rounds", "rows"]
_AT_ONCE = 10_000
_ROUND = (
    "id, time, run, custom_id, conversation, session, query, system, task, reference, grader, policy_version, model, "
    "served_model, propensity, forced, explored, recorded, attempt, fallback_of, escalated, role, "
    "audit_probability, audited, status, error_kind, "
    "error, finish_reason, ttft_s, response_s, router_s, input_tokens, cached_tokens, cache_write_tokens, "
    "output_tokens, reasoning_tokens, tokens_estimated, cost_usd, response, thinking, tags, store, forgotten, "
    "accuracy, accuracy_source, satisfaction, rating, "
    "thumbs, verdict_label"
)
_SELECTS: dict[Kind, str] = {
    "feedback": f"SELECT {', '.join(FEEDBACK_COLUMNS)} FROM feedback",
    "rounds": f"SELECT {_ROUND} FROM graded",
    # What was asked because another model failed a check tells of hard queries alone.
    "rows": "SELECT query, model AS model_name, accuracy AS performance, response_s AS response_time, "
    "coalesce(task, '') AS category, tags, cost_usd, id, time FROM graded WHERE accuracy IS NOT NULL "
    "AND status <> 'cancelled' AND escalated IS NOT TRUE AND store IS NULL AND forgotten IS NULL",
}
"""What there is to write: all feedback; all attempts, flat; and what routers train on, graded rows with a text."""
NAMES = frozenset(
    (*FEEDBACK_COLUMNS, *_ROUND.split(", "), "model_name", "performance", "response_time", "category")
)
"""Every column that a file of lines may have."""
_DAY = "strftime(time, '%Y-%m-%d')"
_TABLES = ("outcomes", "feedback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    folder: str
    files: int
    rows: int


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
    import polars as pl

    return pl.DataFrame(found)


def _write(frame: pl.DataFrame, target: str) -> None:
    import polars as pl

    try:
        frame.write_parquet(target, mkdir=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(
            f"{target} cannot be written ({reason}): make room or name another folder."
        ) from error


def export_lines(
    log: Log, *, form: Format, since: str | None = None, kind: Kind = "feedback"
) -> Iterator[str]:
    """Yield pieces of text, whole lines each: everything of a kind since a moment, the oldest first.

    The log is held open meanwhile.
    """
    with log.open() as connection:
        rows = rows_since(connection, _SELECTS[kind], since, order="time, id")
        names = tuple(rows.columns)
        if form == "csv":
            yield _csv([names])
        while group := rows.fetchmany(_AT_ONCE):
            plain = [
                [
                    cell.isoformat(timespec="microseconds") if isinstance(cell, datetime) else cell
                    for cell in row
                ]
                for row in group
            ]
            yield _csv(plain) if form == "csv" else _jsonl(names, plain)


def export_file(
    log: Log, path: Path, *, form: Format, since: str | None = None, kind: Kind = "feedback"
) -> None:
    """Write everything of a kind to a file, packed where its name ends in .gz.

    A kill leaves the old file or the new one. Raises UsageError where the file cannot be written.
    """
    pieces = export_lines(log, form=form, since=since, kind=kind)
    with os_errors(f"cannot write {path}", "name another file.", UsageError):
        rewrite(path, lambda draft: _write_lines(draft, pieces, packed=path.suffix == ".gz"))


def _write_lines(draft: IO[bytes], pieces: Iterator[str], *, packed: bool) -> None:
    file = gzip.GzipFile(fileobj=draft, mode="wb", mtime=0) if packed else draft
    for piece in pieces:
        file.write(piece.encode("utf-8"))
    if packed:
        file.close()


def _jsonl(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    told = (dict(zip(names, row, strict=True)) for row in rows)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return what stands in a cell; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
