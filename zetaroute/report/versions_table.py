"""How the versions of a policy are listed, and how two of them differ."""

from __future__ import annotations

from collections.abc import Sequence

from zetaroute.report.tables import Column, Heading, Report, Result, Section, Table, number, table


def versions_table(rows: Sequence[Result]) -> Table:
    """Return a line per version: which serves, which challenges it, and what the evidence said."""
    columns: list[Heading] = [
        "version",
        Column(title="", prose=True),
        Column(title="created (UTC)", spare=1),
        Column(title="parent", spare=3),
        Column(title="verdict", prose=True),
        number("rows", spare=2),
        "promoted",
    ]
    cells = [
        [
            row["version"],
            "; ".join(word for word in (row["current"], row["contest"]) if word),
            _minute(row["created"]),
            row["parent"] or "",
            row["verdict"] or "",
            str(row["training_rows"] or ""),
            _minute(row["promoted"]),
        ]
        for row in rows
    ]
    return table(columns, cells)


def difference_report(found: Result) -> Report:
    """Return how two versions differ: their facts side by side, and where queries would move."""
    moved = sum(move["queries"] for move in found["moved"])
    facts = [[name, *(str(value or "-") for value in values)] for name, values in found["facts"].items()]
    moves = [[move["from"], move["to"], str(move["queries"])] for move in found["moved"]]
    return Report(
        headline=f"They would ask another model for {moved} of the {found['queries']} latest queries",
        sections=[
            Section(table=table(["from", "to", number("queries")], moves) if moved else None, on_screen=True),
            Section(
                table=table(["", *(Column(title=one, prose=True) for one in found["versions"])], facts),
                on_screen=True,
            ),
        ],
    )


def _minute(time: str | None) -> str:
    return (time or "")[:16].replace("T", " ")
