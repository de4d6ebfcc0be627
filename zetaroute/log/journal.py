"""The journal: rows that are safe on disk before the DuckDB file has them.

A segment is written once, whole, and never touched again: to a temporary name, flushed, fsynced, renamed. So a
reader never meets half a segment, no lock is needed between processes, and a kill at any moment loses only what
was never acknowledged. Writing one imports no DuckDB.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import orjson

from zetaroute.domain import (
    ChainReplay,
    ContestEvent,
    EvidenceLine,
    Export,
    Feedback,
    ForeignUnits,
    Outcome,
    Promotion,
    new_id,
)
from zetaroute.errors import StoreError
from zetaroute.files.atomic import sync_files, write_whole

SUFFIX = ".jsonl"
LONGEST_DRAFT_S = 3600.0
"""No process writes a segment for this long: an older draft is a dead one's."""
_CHECKSUM = re.compile(rb', "crc32": "([0-9a-f]{8})"\}$')
"""How a line ends, over what stands before it; lines of older versions have none."""
_CHECKSUM_LENGTH = 22
_LARGEST = 2**63 - 1
"""The largest whole number that a BIGINT holds."""
_READ = {
    "outcomes": {"model", "status", "time"},
    "feedback": {"time"},
    "contests": {field.name for field in fields(ContestEvent)},
}
"""What the readers of a waiting line rely on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is written together: one line of a segment."""

    outcomes: tuple[Outcome, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    contests: tuple[ContestEvent, ...] = ()
    evidence: tuple[EvidenceLine, ...] = ()
    exports: tuple[Export, ...] = ()
    chain_replays: tuple[ChainReplay, ...] = ()
    foreign_units: tuple[ForeignUnits, ...] = ()


class Journal:
    """The segments of one home."""

    def __init__(self, folder: Path, *, protect: Callable[[Entry], Entry] | None = None) -> None:
        """Keep of every entry what `protect` leaves of it; without one, everything."""
        self.folder = folder
        self._protect = protect

    def append(self, entries: Sequence[Entry]) -> None:
        """Write the entries as one new segment; when this returns, no crash can lose them."""
        self._write(entries, sync=True)

    def place(self, entries: Sequence[Entry]) -> str:
        """Write the entries as one new segment and return its name.

        From then on the end of this program cannot lose them; that of the machine can, until `settle`.
        """
        return self._write(entries, sync=False)

    def settle(self, names: Iterable[str]) -> None:
        """Put segments on disk that were only placed; raise StoreError when the disk does not take them."""
        try:
            sync_files(self.folder, names)
        except OSError as error:
            raise StoreError(
                f"the journal {self.folder} cannot be put on disk ({error.strerror}): check the disk."
            ) from error

    def text_of(self, entry: Entry) -> bytes:
        """Return what is kept of an entry, as JSON."""
        return _json(entry if self._protect is None else self._protect(entry))

    def append_plain(self, entry: dict[str, Any]) -> None:
        """Write an entry of `text_of` as plain values; when this returns, no crash can lose it."""
        self.write_lines([_signed(json.dumps(_plain(entry)).encode("ascii"))], f"{new_id()}{SUFFIX}")

    def _write(self, entries: Sequence[Entry], *, sync: bool) -> str:
        lines = [_signed(self.text_of(entry)) for entry in entries]
        return self.write_lines(lines, f"{new_id()}{SUFFIX}", sync=sync)

    def write_lines(self, lines: Iterable[bytes], name: str, *, sync: bool = True) -> str:
        """Write lines as one new segment under a name of its own, and return it."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self.folder / name, b"".join(line + b"\n" for line in lines), sync=sync)
        except OSError as error:
            raise StoreError(
                f"cannot write the journal {self.folder} ({error.strerror}): "
                "make room or make it writable; this row was not kept."
            ) from error
        return name

    def segments(self) -> list[Path]:
        """Return the segments that wait to be merged, oldest first."""
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix == SUFFIX)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def drop(self, merged: Iterable[Path]) -> None:
        """Remove segments that the log holds by now; raise StoreError when that cannot be done."""
        with _told():
            for segment in merged:
                segment.unlink(missing_ok=True)

    def set_aside(self, segment: Path) -> Path:
        """Move a segment that cannot be read out of the way and return the folder; raise StoreError as `drop`."""
        aside = self.folder / "damaged"
        with _told():
            aside.mkdir(exist_ok=True)
            segment.replace(aside / segment.name)
        return aside

    def sweep(self, now_s: float) -> None:
        """Remove the drafts that killed processes have left behind; no caller was told that they are kept."""
        for draft in self.folder.glob("*.tmp"):
            with contextlib.suppress(OSError):
                if now_s - draft.stat().st_mtime > LONGEST_DRAFT_S:
                    draft.unlink()

    def named_lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the entries that wait, as plain values, with their segment; one that vanishes was merged."""
        for segment in self.segments():
            try:
                lines = lines_of(segment)
            except OSError:
                continue
            for line in filter(is_intact, lines):
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if _is_entry(entry):
                    yield segment.name, entry


def lines_of(segment: Path) -> list[bytes]:
    """Return the lines of a segment; raises OSError."""
    return segment.read_bytes().splitlines()


def is_intact(line: bytes) -> bool:
    """Return whether a line is what was written, as far as its checksum tells; old lines have none."""
    found = _CHECKSUM.search(line)
    if found is None:
        return line.isascii() and b'"crc32"' not in line[-_CHECKSUM_LENGTH:]
    return zlib.crc32(line[: found.start()]) == int(found[1], 16)


def _signed(line: bytes) -> bytes:
    body = line.removesuffix(b"}")
    return body + b', "crc32": "%08x"}' % zlib.crc32(body)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot take {error.filename} out of the journal ({error.strerror}): "
            "make its folder one that can be written to."
        ) from error


def _is_entry(value: Any) -> bool:
    """Whether a line is what this module writes, as far as its readers rely on it."""
    if not isinstance(value, dict):
        return False
    return all(
        isinstance(value.get(kind) or [], list)
        and all(isinstance(row, dict) and wanted <= row.keys() for row in value.get(kind) or [])
        for kind, wanted in _READ.items()
    )


def _json(entry: Entry) -> bytes:
    """Return an entry as JSON; nearly all go the short way."""
    try:
        return orjson.dumps(entry, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:
        return json.dumps(_plain(entry)).encode("ascii")


def _plain(value: Any) -> Any:  # noqa: PLR0911  - one for each of JSON's types
    """Return JSON's own types, as the log can hold them.

    Lone surrogates have no UTF-8 form; NaN and whole numbers beyond 64 bits become NULL.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST else None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
