"""A file or standard input, line by line: plain, gzip or Zstandard; JSON lines, with the bad ones named."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from zetaroute.errors import UsageError
from zetaroute.files.atomic import os_errors
from zetaroute.files.strict_json import strict_json
from zetaroute.files.utf8_text import without_mark

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes; a longer line is reported and skipped."""
TOO_LONG = f"is longer than {LONGEST_LINE // 2**20} MiB"
_PACKED_CHUNK = 16 * 1024
_ARRAY = re.compile(rb"\s*\[\s*(?:\{|$)")
"""How an array of objects begins."""
_QUERY_COLUMNS = {b"query", b"prompt", b"question", b"custom_id"}
_MARKS = {".gz": b"\x1f\x8b\x08", ".zst": b"\x28\xb5\x2f\xfd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that cannot be used."""

    line: int
    error: str


class BadLines:
    """The file of what could not be used; there is none while there is nothing to tell."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        with self._writing():
            self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with self._writing():
                self._file.close()

    def add(self, bad: BadLine) -> None:
        """Tell one line; raises StoreError when it cannot be written."""
        self.count += 1
        with self._writing():
            if self._file is None:
                self._file = open(self._path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
            line = json.dumps({"line": bad.line, "error": bad.error}, ensure_ascii=False)
            self._file.write(line.encode("utf-8", "replace").decode("utf-8") + "\n")

    def _writing(self) -> AbstractContextManager[None]:
        return os_errors(
            f"cannot write {self._path}",
            "make room, or copy the input to where files can be written; what was imported is kept.",
        )


def json_object(line: bytes | None, number: int) -> dict[str, Any] | BadLine | None:
    """Return the JSON object of a line that LineSource gave, or why it is none; None for a blank line."""
    if line is None:
        return BadLine(line=number, error=TOO_LONG)
    try:
        text = line.decode("utf-8")
        if not text or text.isspace():
            return None
        row = strict_json(text)
    except UnicodeDecodeError:
        return BadLine(line=number, error="is not UTF-8 text")
    except ValueError as error:
        return BadLine(line=number, error=f"is not JSON: {error}")
    return row if isinstance(row, dict) else BadLine(line=number, error="must be a JSON object")


def json_objects(
    name: str, lines: Iterator[tuple[int, bytes | None]]
) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Yield number and JSON object of each line that is not blank, or why it is none.

    Raises UsageError where the first of them shows that the input `name` is no JSON lines, but CSV or an array.
    """
    begun = False
    for number, line in lines:
        found = json_object(line, number)
        if found is None:
            continue
        if not begun and line is not None and isinstance(found, BadLine):
            _refuse_other_kinds(name, line)
        begun = True
        yield number, found


def _refuse_other_kinds(name: str, first: bytes) -> None:
    if _ARRAY.match(first):
        raise UsageError(
            f"{name} is one JSON array, not JSON lines: write each object on a line of its own (`jq -c '.[]'`)."
        )
    cells = {cell.strip(b" \"'\r\n").lower() for cell in re.split(rb"[,;\t]", first)}
    if (
        Path(name.removesuffix(".gz").removesuffix(".zst")).suffix in {".csv", ".tsv"}
        or cells & _QUERY_COLUMNS
    ):
        raise UsageError(
            f'{name} is CSV, not JSON lines: write each row as an object on a line of its own, such as {{"query": '
            '"..."}.'
        )


class LineSource:
    """One opened input."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._held = ExitStack()
        self._raw: IO[bytes] | None = None
        self._size: int | None = None

    def __enter__(self) -> Self:
        if self.name == "-":
            if sys.stdin is None:
                raise UsageError("standard input is closed: pipe a file into it, or name one.")
            self._raw = sys.stdin.buffer
            return self
        with os_errors(f"cannot read {self.name}", "name another file.", UsageError):
            self._raw = self._held.enter_context(open(self.name, "rb"))
            self._size = Path(self.name).stat().st_size if Path(self.name).is_file() else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def share_read(self) -> float | None:
        """Return which share of the bytes was read; None where it is unknown how many there are."""
        if not self._size or self._raw is None or self._raw.closed:
            return None
        return min(self._raw.tell() / self._size, 1.0)

    def lines(self) -> Iterator[bytes | None]:
        """Yield the lines, None for one that is too long, without a byte order mark.

        Raises UsageError where the file is broken or UTF-16 text.
        """
        for place, line in enumerate(self._read_lines()):
            yield line if place or line is None else self._unmarked(line)

    def _unmarked(self, first: bytes) -> bytes:
        try:
            return without_mark(first)
        except ValueError as error:
            raise UsageError(f"{self.name} cannot be read: {error}.") from None

    def _read_lines(self) -> Iterator[bytes | None]:
        try:
            opened = self._unpacked()
            while line := opened.readline(LONGEST_LINE):
                if len(line) < LONGEST_LINE or line.endswith(b"\n"):
                    yield line
                    continue
                while (rest := opened.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield None
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"{self.name} breaks off or is damaged ({reason}): what came before was read; fix the file and "
                "run again."
            ) from error

    def objects(self) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
        """Yield number and JSON object of each line that is not blank, or why it is none."""
        return json_objects(self.name, enumerate(self.lines(), start=1))

    def _unpacked(self) -> IO[bytes]:
        assert self._raw is not None  # noqa: S101  - lines are read inside `with`
        packing = self._packing(self._raw)
        if packing == ".gz":
            return gzip.GzipFile(fileobj=self._raw)  # type: ignore[return-value]  # reads bytes, but is no IO[bytes]
        if packing == ".zst":
            return io.BufferedReader(_Zstd(self._raw, _zstd_decompressor(self.name)))
        return self._raw

    def _packing(self, raw: IO[bytes]) -> str:
        """Return the suffix that says how the input is packed; standard input shows it by its first bytes."""
        if self.name != "-" or not isinstance(raw, io.BufferedReader):
            return Path(self.name).suffix
        start = raw.peek(4)
        return next((suffix for suffix, mark in _MARKS.items() if start.startswith(mark)), "")


class _Zstd(io.RawIOBase):
    """Reads all frames of a file; both libraries know the same decompressor, one frame at a time."""

    def __init__(self, packed: IO[bytes], new: Any) -> None:
        self._packed = packed
        self._new = new
        self._frame = new()
        self._begun = False
        self._waiting = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._waiting:
            chunk = self._next_chunk()
            if not chunk:
                if self._begun and not self._frame.eof:
                    raise EOFError("its last frame is cut short")
                return 0
            self._begun = True
            try:
                self._waiting = memoryview(self._frame.decompress(chunk))
            # The two libraries have errors of their own, which have nothing in common.
            except Exception as error:
                raise EOFError(str(error)) from error
        size = min(len(buffer), len(self._waiting))
        buffer[:size], self._waiting = self._waiting[:size], self._waiting[size:]
        return size

    def _next_chunk(self) -> bytes:
        if not self._frame.eof:
            return self._packed.read(_PACKED_CHUNK)
        chunk = bytes(self._frame.unused_data) or self._packed.read(_PACKED_CHUNK)
        if chunk:
            self._frame = self._new()
        return chunk


def _zstd_decompressor(name: str) -> Any:
    """Return what makes a decompressor: the standard library's from Python 3.14 on, else the extra's."""
    try:
        return importlib.import_module("compression.zstd").ZstdDecompressor
    except ImportError:
        pass
    try:
        library = importlib.import_module("zstandard")
    except ImportError:
        raise UsageError(
            f"{name} is packed with Zstandard: install zetaroute[zstd], or unpack it with `zstd -dc FILE | ... -`."
        ) from None
    return lambda: library.ZstdDecompressor(max_window_size=2**31).decompressobj()
