"""CSV with a header, read strictly: a quote that is never closed costs its own row and no other."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from zetaroute.errors import UsageError
from zetaroute.files.line_source import TOO_LONG, BadLine

_DELIMITERS = ",;\t"
_Line = tuple[int, bytes | None]


def header_cells(line: bytes | None) -> tuple[list[str], str]:
    """Return the names of a header in lower case and the delimiter: the one of `,;` and tab that makes most cells."""
    text = (line or b"").decode("utf-8", "replace")
    read = [(next(csv.reader([text], delimiter=one), []), one) for one in _DELIMITERS]
    cells, delimiter = max(read, key=lambda found: len(found[0]))
    return [cell.strip().lower() for cell in cells], delimiter


def csv_rows(
    header: bytes | None, lines: Iterator[_Line]
) -> Iterator[tuple[int, Mapping[str, str] | BadLine]]:
    """Yield for each row the line in which it begins, and its cells by name, without empty ones, or why it is bad.

    `lines` are those after the header. Raises UsageError for a header that names a column twice.
    """
    names, delimiter = header_cells(header)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"the CSV file names the column {twice!r} twice: rename one of them.")
    waiting: deque[_Line] = deque()
    while True:
        taken: list[_Line] = []
        reader = csv.reader(_texts(waiting, lines, taken), delimiter=delimiter, strict=True)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number = taken[0][0]
            # The lines that were taken into its cell are rows of their own.
            waiting.extendleft(reversed(taken[1:]))
            yield number, BadLine(line=number, error=_reason(taken, error))
            continue
        if taken[0][1] is None:
            yield taken[0][0], BadLine(line=taken[0][0], error=TOO_LONG)
        elif cells:
            yield taken[0][0], _row(taken[0][0], cells, names)


def _texts(waiting: deque[_Line], lines: Iterator[_Line], taken: list[_Line]) -> Iterator[str]:
    while (found := waiting.popleft() if waiting else next(lines, None)) is not None:
        taken.append(found)
        # Bytes that are no UTF-8 become lone surrogates, by which the row is known as bad.
        yield "\n" if found[1] is None else found[1].decode("utf-8", "surrogateescape")


def _reason(taken: list[_Line], error: csv.Error) -> str:
    if len(taken) > 1 or "unexpected end" in str(error):
        return 'opens a quote that is not closed: close it, and write a quote within a quoted cell as ""'
    return f"is not CSV: {error}"


def _row(number: int, cells: list[str], names: list[str]) -> Mapping[str, str] | BadLine:
    if len(cells) > len(names):
        return BadLine(line=number, error=f"has {len(cells)} cells under {len(names)} columns")
    if any("\ud800" <= letter <= "\udfff" for cell in cells if not cell.isascii() for letter in cell):
        return BadLine(line=number, error="is not UTF-8 text")
    return {name: cell for name, cell in zip(names, cells, strict=False) if cell != ""}


@contextmanager
def long_cells() -> Iterator[None]:
    """Let cells be as long as texts are; the limit is one for the whole process."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
