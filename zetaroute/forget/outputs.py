"""Texts outside the log: in the outputs that batches wrote, in damaged segments, in any file of the home.

What zetaroute has written and still knows as its own is changed; everything else is only named.
"""

from __future__ import annotations

import contextlib
import gzip
import html
import json
import mmap
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from zetaroute.config import Home
from zetaroute.files.atomic import write_whole

SHORTEST = 12
"""Characters below which a text says nothing of where it came from, so that it is not looked for."""
PIECE = 40
"""Of a longer text these many characters at a time are looked for, so that a quotation is found too."""
MOST_PIECES = 5000
_TEXTS = (
    "custom_id",
    "answer",
    "error",
    "query",
    "system",
    "reference",
    "response",
    "thinking",
    "conversation",
    "session",
    "comment",
)
"""Of a line of an output, besides what lies deeper."""


def blank_lines(path: Path, ids: Collection[str]) -> int:
    """Take the texts out of the lines of these outcomes and return how many lines that were.

    In place and byte for byte as long as before, since a batch may be adding lines to the file. Only lines that
    are exactly as zetaroute writes them are touched. Raises OSError.
    """
    if not any(_holds(path, [one.encode() for one in ids])):
        return 0
    blanked, start = 0, 0
    with open(path, "r+b") as file:
        while line := file.readline():
            empty = blanked_line(line, ids)
            if empty is not None:
                file.seek(start)
                file.write(empty.ljust(len(line) - 1) + b"\n")
                blanked += 1
            start += len(line)
            file.seek(start)
        file.flush()
        os.fsync(file.fileno())
    return blanked


def blanked_line(line: bytes, ids: Collection[str]) -> bytes | None:
    """Return a line of one of these outcomes with every text empty; None where there is none, or it is not ours."""
    told = _told(line)
    if told is None or not {told.get("id"), told.get("outcome_id")} & set(ids):
        return None
    blank = _blank(told)
    return None if blank == told else _line(blank)


def drop_entries(folder: Path, ids: Collection[str]) -> None:
    """Drop the lines of damaged segments that tell of these outcomes; raises OSError."""
    for segment in folder.glob("*.jsonl") if folder.is_dir() else ():
        lines = segment.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not _speaks_of(line, ids)]
        if len(kept) < len(lines):
            write_whole(segment, b"".join(kept))


def still_holding(
    home: Home, exports: Iterable[Path], texts: Collection[str], ids: Collection[str]
) -> list[Path]:
    """Return the files of a home, but the log's own, and those of `exports` that hold any of the texts.

    Of Parquet, which is packed, those that hold the rows.
    """
    wanted = sorted(_pieces(texts))[:MOST_PIECES]
    own = {home.database, home.database.with_name(f"{home.database.name}.wal"), home.config}
    files = [path for path in home.path.rglob("*") if path.is_file() and path not in own]
    beside = [
        path for export in exports for path in (export, export.with_name(f"{export.name}.errors.jsonl"))
    ]
    distinct = dict.fromkeys([*files, *(path for path in beside if path.is_file())])
    return [
        path
        for path in distinct
        if (_holds_rows(path, ids) if path.suffix == ".parquet" else any(_holds(path, wanted)))
    ]


def _holds_rows(path: Path, ids: Collection[str]) -> bool:
    import polars as pl

    try:
        table = pl.scan_parquet(path)
        texts = {"query", "comment"} & set(table.collect_schema().names())
        found = table.filter(pl.col("outcome_id" if "comment" in texts else "id").is_in(list(ids)))
        return (
            bool(texts)
            and not found.filter(pl.any_horizontal(pl.col(*texts).is_not_null())).collect().is_empty()
        )
    except (OSError, pl.exceptions.PolarsError):
        return False


def _pieces(texts: Iterable[str]) -> set[bytes]:
    """Return what to look for: pieces of the texts, as they are and as JSON and HTML write them."""
    found: set[bytes] = set()
    for text in texts:
        stripped = text.strip()
        last = max(len(stripped) - PIECE, 0)
        for start in (*range(0, last, PIECE), last):
            piece = stripped[start : start + PIECE]
            if len(piece.strip()) >= SHORTEST:
                forms = (piece, json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1])
                found.update(form.encode("utf-8", "replace") for form in (*forms, html.escape(piece)))
    return found


def _holds(path: Path, wanted: Iterable[bytes]) -> Iterator[bool]:
    """Yield True when a file holds one of the byte strings; nothing for a file that cannot be read."""
    if path.suffix == ".gz":
        with contextlib.suppress(OSError, EOFError), gzip.open(path) as packed:
            whole = packed.read()
            if any(one in whole for one in wanted):
                yield True
        return
    with (
        contextlib.suppress(OSError, ValueError),
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        if any(content.find(one) >= 0 for one in wanted):
            yield True


def _told(line: bytes) -> dict[str, Any] | None:
    """Return what a line of an output tells; None for one that zetaroute has not written like this."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) and _line(told) + b"\n" == line else None


def _line(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")


def _blank(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a line tells with every text of it empty, in both shapes that a batch writes."""
    kept = {key: "" if key in _TEXTS and isinstance(one, str) else one for key, one in told.items()}
    error, response = kept.get("error"), kept.get("response")
    if isinstance(error, dict):
        kept["error"] = {**error, "message": ""}
    if isinstance(response, dict):
        body = response["body"]
        choices = [{**one, "message": {**one["message"], "content": ""}} for one in body["choices"]]
        kept["response"] = {**response, "body": {**body, "choices": choices}}
    return kept


def _speaks_of(line: bytes, ids: Collection[str]) -> bool:
    try:
        entry = json.loads(line)
        rows = [*(entry.get("outcomes") or []), *(entry.get("feedback") or [])]
        return any(row.get("id") in ids or row.get("outcome_id") in ids for row in rows)
    except (ValueError, AttributeError, TypeError):
        return False
