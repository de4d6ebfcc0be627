"""Tables fit the screen: nothing is folded where something could be spared."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from zetaroute.report.tables import fitting, show_lines, table_width, told

HEADS = ["model", "state", "liked", "tags"]
ROWS = [["a/small", "active", "-", "local"], ["a/large", "active", "", "-"]]


def screen(width: int) -> Console:
    return Console(file=io.StringIO(), width=width)


def test_columns_without_anything_are_left_out() -> None:
    heads, rows = told(HEADS, ROWS)
    assert heads == ["model", "state", "tags"]
    assert rows == [["a/small", "active", "local"], ["a/large", "active", "-"]]
    assert told(HEADS, []) == (HEADS, [])


def test_what_can_be_spared_goes_in_its_order_until_the_rest_fits() -> None:
    whole = table_width(screen(20), HEADS, ROWS)
    without = table_width(screen(20), HEADS[:3], [row[:3] for row in ROWS])
    assert 5 < without < whole
    for width, heads in (
        (whole, HEADS),
        (whole - 1, HEADS[:3]),
        (without, HEADS[:3]),
        (5, ["model", "liked"]),
    ):
        kept, rows = fitting(screen(width), HEADS, ROWS, spare=("tags", "state"))
        assert kept == heads
        assert rows == [[row[HEADS.index(head)] for head in heads] for row in ROWS]


@pytest.mark.parametrize("width", [40, 60, 140])
def test_every_row_is_one_line_and_its_end_is_cut(width: int) -> None:
    console = screen(width)
    show_lines(console, ["id", "query"], [["01a2", "why " * 100], ["01a3", "short"]])
    lines = [line for line in console.file.getvalue().splitlines() if line.strip()]
    assert len(lines) == 4
    assert all(len(line) <= width for line in lines)
    assert lines[2].rstrip().endswith("…")
    assert lines[3].split() == ["01a3", "short"]
