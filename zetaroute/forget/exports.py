"""Exports without the texts of some rows: tables and packed lines, each written anew and put in its place."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from zetaroute.files.atomic import rewrite
from zetaroute.files.csv_rows import long_cells
from zetaroute.forget.database import ERASED
from zetaroute.forget.outputs import blanked_line
from zetaroute.log.schema import FEEDBACK_COLUMNS, OUTCOME_COLUMNS
from zetaroute.transfer.export import NAMES

_TEXTS = frozenset((*ERASED, "comment"))
_MOMENT = "forgotten"
_DRAFT = ".forgetting"


def blank_export(path: Path, ids: Collection[str]) -> bool:
    """Take the texts of these outcomes out of a table or of packed lines; return whether there were any.

    What is not as zetaroute writes it is left as it is. Raises OSError.
    """
    name = path.name.removesuffix(".gz")
    with contextlib.suppress(EOFError, UnicodeDecodeError, gzip.BadGzipFile, csv.Error):
        if path.suffix == ".parquet":
            return rewrite(path, lambda draft: _table(path, draft, ids), suffix=_DRAFT)
        if name.endswith(".csv"):
            return rewrite(path, lambda draft: _cells(path, draft, ids), suffix=_DRAFT)
        if path.suffix == ".gz":
            return rewrite(path, lambda draft: _lines(path, draft, ids), suffix=_DRAFT)
    return False


def _table(path: Path, draft: IO[bytes], ids: Collection[str]) -> bool:
    import polars as pl

    try:
        table = pl.read_parquet(path, hive_partitioning=False)
    except pl.exceptions.PolarsError:
        return False
    key = _key(table.columns, {*OUTCOME_COLUMNS, *FEEDBACK_COLUMNS, "pmf"})
    gone = [name for name in table.columns if name in _TEXTS]
    if key is None:
        return False
    mine = pl.col(key).is_in(list(ids))
    if table.filter(mine & pl.any_horizontal(pl.col(name).is_not_null() for name in gone)).is_empty():
        return False
    moment = pl.lit(datetime.now(UTC).replace(tzinfo=None)).cast(pl.Datetime("us"))
    changed: dict[str, pl.Expr] = {name: pl.when(~mine).then(pl.col(name)) for name in gone}
    if _MOMENT in table.columns:
        changed[_MOMENT] = pl.when(mine & pl.col(_MOMENT).is_null()).then(moment).otherwise(pl.col(_MOMENT))
    table.with_columns(**changed).write_parquet(draft)
    return True


def _cells(path: Path, draft: IO[bytes], ids: Collection[str]) -> bool:
    changed = False
    with _unpacked(path) as raw, _packing(path, draft) as packed, long_cells():
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        rows = csv.reader(text)
        names = next(rows, [])
        key = _key(names, NAMES)
        if key is None:
            return False
        place, gone = names.index(key), [at for at, name in enumerate(names) if name in _TEXTS]
        packed.write(_row(names))
        for row in rows:
            mine = len(row) == len(names) and row[place] in ids and any(row[at] for at in gone)
            changed = changed or mine
            packed.write(_row(["" if mine and at in gone else cell for at, cell in enumerate(row)]))
    return changed


def _lines(path: Path, draft: IO[bytes], ids: Collection[str]) -> bool:
    changed = False
    with _unpacked(path) as raw, _packing(path, draft) as packed:
        for line in raw:
            blanked = blanked_line(line, ids)
            changed = changed or blanked is not None
            packed.write(line if blanked is None else blanked + b"\n")
    return changed


def _key(names: Collection[str], known: Collection[str]) -> str | None:
    """Return the column that names the outcome; None for a table that is none of ours."""
    if not set(names) <= set(known):
        return None
    return next((one for one in ("outcome_id", "id") if one in names), None)


def _unpacked(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.GzipFile(path) if path.suffix == ".gz" else open(path, "rb")


def _packing(path: Path, draft: IO[bytes]) -> AbstractContextManager[gzip.GzipFile | IO[bytes]]:
    if path.suffix != ".gz":
        return contextlib.nullcontext(draft)
    return gzip.GzipFile(fileobj=draft, mode="wb", mtime=0)


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")
