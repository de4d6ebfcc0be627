"""Reports as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from zetaroute.report.tables import Report, Section, Table


def markdown(report: Report) -> str:
    """Return a report as Markdown, without its drawings."""
    blocks = [f"# {report.headline}", _list(report.reasons), report.lead]
    for section in report.sections:
        blocks += _section(section)
    return "\n\n".join(block for block in [*blocks, _list(report.notes)] if block) + "\n"


def _section(section: Section) -> list[str]:
    body = [
        section.lead,
        _table(section.table) if section.table is not None else "",
        *(block for card in section.cards for block in (f"### {card.title}", *card.lines)),
        _list(section.notes),
    ]
    heading = f"## {section.title}" if section.title else ""
    return [heading, *body] if any(body) else []


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(table: Table) -> str:
    """Return a table; bars in cells are escaped, and a cell is one line."""
    rows = [
        [f"{column.title} {column.interval}".strip() for column in table.columns],
        ["---:" if column.right else "---" for column in table.columns],
        *([f"{cell.text} {cell.interval}".strip() for cell in row] for row in table.rows),
    ]
    # A cell is one line, and its bars are no borders.
    safe = ([" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in safe)
