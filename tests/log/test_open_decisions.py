"""Decisions that wait for their outcome, by files of the home alone."""

from __future__ import annotations

import os
from pathlib import Path

from zetaroute.config import Home
from zetaroute.domain import Outcome, new_id, utc_now
from zetaroute.log.journal import Entry, Journal
from zetaroute.log.open_decisions import OpenDecisions, forget_open


def kept(home: Home, conversation: str) -> str:
    row = Outcome(
        id=new_id(), time=utc_now(), query="2 + 2?", model="a/m", status="ok", conversation=conversation
    )
    OpenDecisions(home, Journal(home.journal)).add(Entry(outcomes=(row,)))
    return row.id


def test_a_decision_waits_until_it_is_settled_or_forgotten(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    waiting = OpenDecisions(home, Journal(home.journal))
    told, named, old, other = (kept(home, name) for name in ("c1", "c2", "c3", "c4"))
    assert "../config.toml" not in waiting
    assert waiting.row(new_id()) is None
    row = waiting.row(told)
    assert row is not None
    waiting.settle({**row, "response_s": 2.5})
    assert told not in waiting
    (segment,) = home.journal.glob("*.jsonl")
    assert '"response_s": 2.5' in segment.read_text()
    os.utime(home.open_decisions / old, (0, 0))
    forget_open(home, "c2", "2001-01-01T00:00:00")
    assert [one in waiting for one in (named, old, other)] == [False, False, True]
    assert (home.open_decisions / other).stat().st_mode & 0o777 == 0o600
