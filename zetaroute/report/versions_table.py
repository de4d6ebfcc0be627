"""How the versions of a policy are listed, and how two of them differ."""

from __future__ import annotations

from collections.abc import Sequence

from zetaroute.report.tables import Column, Report, Result, Section, Table, listed, number, table


def versions_table(rows: Sequence[Result]) -> Table:
    """Return a line per version: which serves, which challenges it, and what the evidence said."""
    return listed(
        rows,
        ("version", lambda row: row["version"]),
        (Column(title="", prose=True), lambda row: "; ".join(filter(None, (row["current"], row["contest"])))),
        (Column(title="created (UTC)", spare=1), lambda row: _minute(row["created"])),
        (Column(title="parent", spare=3), lambda row: row["parent"] or ""),
        (Column(title="verdict", prose=True), lambda row: row["verdict"] or ""),
        (number("rows", spare=2), lambda row: str(row["training_rows"] or "")),
        ("promoted", lambda row: _minute(row["promoted"])),
    )


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
