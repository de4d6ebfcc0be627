"""Standings tell of the log's end and of the journal's tail."""

from __future__ import annotations

from tests.store.test_log import feedback, outcome
from zetaroute.domain import ALL_TASKS, new_id
from zetaroute.store.journal import Entry
from zetaroute.store.log import Log
from zetaroute.store.standing import read_standings


def test_errors_in_a_row_are_counted_over_file_and_journal(home):
    log = Log(home)
    statuses = ["ok", "error", "error"]
    log.append([Entry(outcomes=(outcome(id=new_id(float(n)), status=s),)) for n, s in enumerate(statuses, 1)])
    log.merge()
    assert read_standings(home)["a"].consecutive_errors == 2
    log.append([Entry(outcomes=(outcome(status="error", time="2026-05-05T00:00:00"),))])
    standing = read_standings(home)["a"]
    assert standing.consecutive_errors == 3
    assert standing.last_error_s == 1777939200.0
    log.append([Entry(outcomes=(outcome(status="ok"),))])
    assert read_standings(home)["a"].consecutive_errors == 0
    log.merge()
    assert read_standings(home)["a"].consecutive_errors == 0


def test_tallies_are_kept_per_task_and_over_all(home):
    log = Log(home)
    for task, value in (("x", 1.0), ("x", 0.0), ("y", 1.0), (None, 1.0)):
        row = outcome(task=task)
        log.append([Entry(outcomes=(row,), feedback=(feedback(row.id, value),))])
    log.merge()
    tallies = read_standings(home)["a"].tallies
    assert set(tallies) == {"x", "y", ALL_TASKS}
    assert (tallies["x"].graded, tallies["x"].accuracy) == (2, 0.5)
    assert (tallies[ALL_TASKS].calls, tallies[ALL_TASKS].accuracy) == (4, 0.75)


def test_missing_or_broken_state_is_made_anew(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(status="error"),))])
    log.merge()
    home.state.write_text("{broken")
    assert read_standings(home) == {}
    home.state.unlink()
    log.merge()
    assert read_standings(home)["a"].consecutive_errors == 1
