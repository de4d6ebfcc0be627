"""Reports and tables as people see them in a terminal, drawn with rich.

Text from models and users is untrusted: it passes `plain` before it is shown, and never goes through markup.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zetaroute.report.tables import Cell, Column, Report, Table, Tone

if TYPE_CHECKING:
    from rich.console import Console


LONGEST_NOTE = 500
FEWEST_CHARACTERS = 14
"""Width that a column of prose keeps on a narrow screen."""
_GAP = 2
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
"""Direction marks and overrides; the joiners that emoji and many scripts need are kept."""
_LEVELS = {"ok": "green", "warn": "yellow", "wrong": "bold red"}
_STYLES: dict[Tone, str] = {"good": "green", "bad": "bold red", "unsure": "dim", "": ""}


def plain(text: str) -> str:
    """Return `text` without what could steer a terminal: control characters, escapes, direction overrides."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one for one in text if one in "\n\t" or not steers(one))


def one_line(text: str, width: int = 60) -> str:
    """Return the start of a text on one line."""
    flat = " ".join(plain(text[: 4 * width]).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def show_report(console: Console, report: Report) -> None:
    """Show a report: its headline, its reasons, the sections that belong on a screen, and the notes."""
    console.print(plain(report.headline), style="bold", markup=False)
    for reason in report.reasons:
        console.print(f"  - {plain(reason)}", markup=False, highlight=False)
    if report.lead:
        console.print(plain(report.lead), markup=False, highlight=False)
    for section in report.sections:
        if not section.on_screen:
            continue
        if section.title:
            console.print(f"\n{plain(section.title)}", style="bold", markup=False, highlight=False)
        if section.lead:
            console.print(one_line(section.lead, LONGEST_NOTE), markup=False, highlight=False)
        if section.table is not None:
            show_table(console, section.table)
        show_notes(console, section.notes)
    show_notes(console, report.notes)


def show_notes(console: Console, notes: Iterable[str]) -> None:
    """Show what a reader must know about figures, a line each."""
    for note in notes:
        console.print(f"note: {one_line(note, LONGEST_NOTE)}", style="dim", markup=False, highlight=False)


def show_table(console: Console, table: Table) -> None:
    """Show a table as the screen has room for it.

    Where lines are too long, prose is folded, then intervals go to a second line and headings are folded, then
    columns that can be spared are left out. What is still too long is folded anywhere but in the first column,
    which names what a line is about and is there to be copied.
    """
    from rich.box import SIMPLE
    from rich.table import Table as Grid
    from rich.text import Text

    room = console.width
    layout = _layout(table, room)
    crowded = layout.width > room
    grid = Grid(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(layout.columns):
        grid.add_column(
            Text(layout.headings[place]),
            width=None if crowded or column.prose else layout.widths[place],
            no_wrap=(crowded and place == 0) or column.cut,
            overflow="ellipsis" if column.cut else "fold",
            justify="right" if column.right else "left",
        )
    for row in layout.rows:
        grid.add_row(*(Text(text, style=_STYLES[tone]) for text, tone in row))
    console.print(grid)


def show_diagnoses(console: Console, diagnoses: Sequence[Mapping[str, str | None]]) -> None:
    """Show what an examination found, in its order; nothing is folded, so that a line can be copied and grepped."""
    from rich.text import Text

    for one in diagnoses:
        line = Text().append(f"{one['level']:6}", style=_LEVELS[str(one["level"])])
        line.append(f"{one['name']:10}").append(" ".join(plain(str(one["words"])).split()))
        if one["mend"] is not None:
            line.append(" -> ", style="dim").append(plain(one["mend"]))
        console.print(line, soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Columns of a table as texts of one or more lines, with the width that each needs."""

    columns: list[Column]
    headings: list[str]
    rows: list[list[tuple[str, Tone]]]
    widths: list[int]

    @property
    def width(self) -> int:
        return sum(self.widths) + _GAP * len(self.widths)


def _layout(table: Table, room: int) -> _Layout:
    """Return the loosest layout that fits, else the tightest that there is."""
    places = list(range(len(table.columns)))
    layout = _laid_out(table, places, room, tight=False)
    while layout.width > room:
        layout = _laid_out(table, places, room, tight=True)
        spare = max(places, key=lambda place: table.columns[place].spare)
        if layout.width <= room or not table.columns[spare].spare:
            break
        places.remove(spare)
    return layout


def _laid_out(table: Table, places: Sequence[int], room: int, *, tight: bool) -> _Layout:
    from rich.cells import cell_len

    columns = [table.columns[place] for place in places]
    between = "\n" if tight else " "
    headings = [f"{column.title}{between}{column.interval}".strip() for column in columns]
    rows = [
        [(_text(row[place], table.columns[place], between), row[place].tone) for place in places]
        for row in table.rows
    ]
    widths = []
    for place, column in enumerate(columns):
        lines = [headings[place]] if not tight else [*column.title.split(), column.interval]
        lines += [line for row in rows for line in row[place][0].split("\n")]
        widest = max(cell_len(line) for line in lines)
        longest = max((cell_len(word) for line in lines for word in line.split()), default=0)
        least = max(FEWEST_CHARACTERS, longest) if column.prose else FEWEST_CHARACTERS
        widths.append(min(widest, least) if column.prose or column.cut else widest)
    for place, column in enumerate(columns):
        if column.cut:
            widths[place] += max(0, room - sum(widths) - _GAP * len(widths))
    return _Layout(columns=columns, headings=headings, rows=rows, widths=widths)


def _text(cell: Cell, column: Column, between: str) -> str:
    interval = "" if column.brief else cell.interval
    return plain(f"{cell.text}{between}{interval}" if interval else cell.text)


def steers(one: str) -> bool:
    """Return whether a character is a control character, a lone surrogate or a mark of direction."""
    return one in _DIRECTIONS or unicodedata.category(one) in {"Cc", "Cs"}
