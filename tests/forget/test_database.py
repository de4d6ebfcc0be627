"""A file that is written anew without some texts keeps what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.analysis.test_earned import LINE
from zetaroute.config import Home
from zetaroute.domain import ForeignUnits, Outcome, new_id, unit_of, utc_now
from zetaroute.forget.database import rewrite
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log


def test_evidence_keeps_its_figures_and_loses_the_hash_of_a_forgotten_text(tmp_path: Path) -> None:
    log = Log(Home(tmp_path))
    rows = [
        Outcome(id=new_id(), time=utc_now(), query=f"What is {n}?", model="a", status="ok") for n in range(3)
    ]
    lines = [replace(LINE, id=row.id, unit=f"unit {n}", gain_usd=0.1 * n) for n, row in enumerate(rows)]
    # A line of a past row has an id of its own, and names the answers.
    lines[2] = replace(lines[2], id=new_id(), challenger_outcome=rows[2].id)
    known = tuple(f"{unit_of(None, row.query):016x}" for row in rows)
    foreign = ForeignUnits(id=new_id(), time=utc_now(), units=known)
    log.append([Entry(outcomes=tuple(rows), evidence=tuple(lines), foreign_units=(foreign,))])
    log.merge()
    rewrite(log, [rows[1].id, rows[2].id], {})
    with log.open() as connection:
        found = connection.execute("SELECT unit, gain_usd FROM evidence ORDER BY gain_usd").fetchall()
        units = connection.execute("SELECT units FROM foreign_units").fetchall()
    assert found == [("unit 0", 0.0), (None, 0.1), (None, 0.2)]
    assert units == [([known[0]],)]
