from __future__ import annotations

import pytest

from zetaroute.errors import UsageError
from zetaroute.files.csv_rows import csv_rows
from zetaroute.files.line_source import TOO_LONG, BadLine

OPEN = 'opens a quote that is not closed: close it, and write a quote within a quoted cell as ""'


def read(*lines: bytes | None) -> list[object]:
    numbered = enumerate(lines, start=1)
    _, header = next(numbered)
    return [row for _, row in csv_rows(header, numbered)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_and_names_have_no_case(delimiter: str) -> None:
    lines = [delimiter.join(cells).encode() for cells in (("ID", " Value "), ("a", "1"), ("b", ""))]
    assert read(*lines) == [{"id": "a", "value": "1"}, {"id": "b"}]


def test_an_open_quote_costs_its_own_row_alone() -> None:
    rows = read(b"id,note\n", b'a,"open\n', b"b,fine\n", b'c,"two\n', b'lines"\n', b'd,"open again\n')
    assert rows == [
        BadLine(line=2, error=OPEN),
        {"id": "b", "note": "fine"},
        {"id": "c", "note": "two\nlines"},
        BadLine(line=6, error=OPEN),
    ]


def test_a_row_that_is_none_is_told_with_its_line() -> None:
    rows = read(b"id,note\n", b'a,"x"y\n', b"a,b,c\n", b"a,\xff\n", None, b"\n", b"b,x\n")
    assert [row.line for row in rows if isinstance(row, BadLine)] == [2, 3, 4, 5]
    assert rows[3] == BadLine(line=5, error=TOO_LONG)
    assert rows[4:] == [{"id": "b", "note": "x"}]


def test_a_column_that_is_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="names the column 'value' twice"):
        read(b"id,value,Value\n", b"a,1,2\n")
