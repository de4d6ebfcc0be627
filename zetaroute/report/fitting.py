"""Tables that fit the screen: what is said of nothing is left out, then what can be spared.

Apart from the tables themselves because how wide a screen is has nothing to do with what stands on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zetaroute.report.terminal import one_line, rows_table, show_rows

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 120
"""Characters of a screen that has room for what is nice to know."""
LEAST_CELL = 12
WIDEST = 10_000


def show_lines(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show rows of a line each: the last column ends where the screen does."""
    others = table_width(console, heads, [[*row[:-1], ""] for row in rows])
    room = max(console.width - others + len(heads[-1]), LEAST_CELL)
    show_rows(console, "", heads, [[*row[:-1], one_line(row[-1], room)] for row in rows])


def told(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Return a table without the columns in which nothing stands; the whole of one without rows."""
    if not rows:
        return list(heads), []
    places = [place for place, _ in enumerate(heads) if any(row[place] not in {"", "-"} for row in rows)]
    return [heads[place] for place in places], [[row[place] for place in places] for row in rows]


def fitting(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], *, spare: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return a table without as many of the spare columns as it takes for its lines to fit the screen."""
    kept = list(range(len(heads)))
    for name in spare:
        told_heads, told_rows = (
            [heads[place] for place in kept],
            [[row[place] for place in kept] for row in rows],
        )
        if table_width(console, told_heads, told_rows) <= console.width:
            break
        kept = [place for place in kept if heads[place] != name]
    return [heads[place] for place in kept], [[row[place] for place in kept] for row in rows]


def table_width(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how many characters wide rows are where nothing is folded."""
    options = console.options.update(width=WIDEST)
    return console.measure(rows_table("", heads, rows), options=options).maximum
