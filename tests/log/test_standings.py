"""Standings tell of the log's end and of the journal's tail."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest

from tests.log.test_log import feedback, outcome
from zetaroute.domain import ALL_TASKS, Candidate, Estimate, Standing, new_id, query_kind_key
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import (
    MOST_TASKS,
    RECENT,
    end_cooldowns,
    is_readable_state,
    read_state,
    with_outcome,
)
from zetaroute.log.views import LOST


def test_errors_in_a_row_are_counted_over_file_and_journal(home):
    log = Log(home)
    statuses = ["ok", "error", "error"]
    log.append(
        [
            Entry(outcomes=(outcome(id=new_id(float(n)), status=s, time=f"2026-01-02T03:04:0{n}"),))
            for n, s in enumerate(statuses, 1)
        ]
    )
    log.merge()
    assert read_state(home).standings["a"].consecutive_errors == 2
    log.append([Entry(outcomes=(outcome(status="error", time="2026-05-05T00:00:00"),))])
    standing = read_state(home).standings["a"]
    assert standing.consecutive_errors == 3
    assert standing.last_error_s == 1777939200.0
    log.append([Entry(outcomes=(outcome(status="ok"),))])
    assert read_state(home).standings["a"].consecutive_errors == 0
    log.merge()
    assert read_state(home).standings["a"].consecutive_errors == 0


def test_tallies_are_kept_per_task_and_over_all(home):
    log = Log(home)
    for task, value in (("x", 1.0), ("x", 0.0), ("y", 1.0), (None, 1.0)):
        row = outcome(task=task)
        log.append([Entry(outcomes=(row,), feedback=(feedback(row.id, value),))])
    log.merge()
    tallies = read_state(home).standings["a"].tallies
    assert set(tallies) == {"x", "y", ALL_TASKS}
    assert (tallies["x"].graded, tallies["x"].accuracy) == (2, 0.5)
    assert (tallies[ALL_TASKS].calls, tallies[ALL_TASKS].accuracy) == (4, 0.75)


def test_only_the_most_frequent_kinds_of_query_are_told_apart(home):
    log = Log(home)
    names = [f"t{number:04}" for number in range(MOST_TASKS + 50)]
    log.append([Entry(outcomes=tuple(outcome(task=task) for task in (*names, names[-1])))])
    log.merge()
    assert set(read_state(home).standings["a"].tallies) == {*names[: MOST_TASKS - 1], names[-1], ALL_TASKS}


def test_tallies_hold_what_a_cold_start_goes_by(home):
    log = Log(home)
    for value, usd, seconds in ((1.0, 0.02, 1.0), (0.0, 0.04, 3.0), (1.0, None, None)):
        row = outcome(cost_usd=usd, response_s=seconds, output_tokens=100 if usd else None)
        log.append([Entry(outcomes=(row,), feedback=(feedback(row.id, value),))])
    log.append([Entry(outcomes=(outcome(status="error", response_s=60.0),))])
    log.merge()
    tally = read_state(home).standings["a"].tallies[ALL_TASKS]
    assert (tally.graded, tally.accuracy) == (3, pytest.approx(2 / 3))
    assert (tally.calls, tally.lost_s) == (4, 15.0), "of four calls one took a minute for nothing"
    assert tally.accuracy_sd == pytest.approx(0.5774, abs=1e-4)
    assert (tally.charged, tally.cost_usd) == (2, pytest.approx(0.03))
    assert (tally.timed, tally.response_s) == (2, pytest.approx(2.0)), "the time of a failure is no answer's"
    assert (tally.counted, tally.output_tokens, tally.output_tokens_sd) == (2, 100.0, 0.0)


def test_state_of_an_earlier_version_is_read_and_knows_less(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(cost_usd=0.02),))])
    log.merge()
    state = json.loads(home.state.read_text())
    tally = state["standings"]["a"]["tallies"][ALL_TASKS]
    for name in ("accuracy_sd", "timed", "response_s", "response_s_sd", "charged", "cost_usd", "cost_usd_sd"):
        del tally[name]
    home.state.write_text(json.dumps(state))
    found = read_state(home).standings["a"].tallies[ALL_TASKS]
    assert (found.calls, found.charged) == (1, 0)


def test_tallies_are_kept_per_segment_where_there_is_no_label(home):
    log = Log(home)
    for task, segment, value in (("x", "pens, each", 1.0), (None, "pens, each", 0.0), (None, None, 1.0)):
        row = outcome(task=task, segment=segment)
        log.append([Entry(outcomes=(row,), feedback=(feedback(row.id, value),))])
    log.merge()
    tallies = read_state(home).standings["a"].tallies
    assert set(tallies) == {"x", query_kind_key(None, "pens, each"), ALL_TASKS}
    assert (tallies[query_kind_key(None, "pens, each")].graded, tallies["x"].accuracy) == (1, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{broken",
        "[]",
        '{"schema": 4, "standings": {}, "spent_usd": {}, "contest": null, "merged": []}',
        '{"schema": 7}',
        '{"schema": 7, "standings": {"a": {}}, "spent_usd": {}, "audit_usd": {}, "audit_rows": 0, "contest": null, '
        '"merged": []}',
        '{"schema": 7, "standings": {}, "spent_usd": {}, "audit_usd": {}, "audit_rows": 0, '
        '"contest": {"step": "started"}, "merged": []}',
    ],
)
def test_state_that_cannot_be_read_is_made_anew(home, text):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(status="error"),))])
    log.merge()
    home.state.write_text(text)
    assert (is_readable_state(home), read_state(home).standings) == (False, {})
    log.merge()
    assert read_state(home).standings["a"].consecutive_errors == 1


def test_missing_state_is_made_anew(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(status="error"),))])
    log.merge()
    home.state.unlink()
    log.merge()
    assert read_state(home).standings["a"].consecutive_errors == 1


def today(**changes):
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    return outcome(time=now, **changes)


def test_what_was_spent_is_counted_over_file_and_journal_by_day(home):
    log = Log(home)
    day = datetime.now(UTC).date().isoformat()
    spent = (today(cost_usd=0.25), today(cost_usd=None), today(cost_usd=9.0, recorded=True))
    log.append([Entry(outcomes=(row,)) for row in spent])
    log.append([Entry(outcomes=(outcome(cost_usd=7.0, time="2020-01-01T00:00:00"),))])
    assert read_state(home).spent_usd == {day: 0.25, "2020-01-01": 7.0}
    log.merge()
    # Older months are no longer of interest, and a failed call may have cost something too.
    log.append([Entry(outcomes=(today(cost_usd=0.5, status="error"),))])
    assert read_state(home).spent_usd == {day: 0.75}


def test_a_segment_that_was_merged_but_not_removed_counts_once(home):
    log = Log(home)
    log.append([Entry(outcomes=(today(cost_usd=0.25, status="error"),))])
    (segment,) = log.journal.segments()
    kept = segment.with_suffix(".kept")
    os.link(segment, kept)
    log.merge()
    kept.replace(segment)
    past = read_state(home)
    assert list(past.spent_usd.values()) == [0.25]
    assert past.standings["a"].consecutive_errors == 1


@pytest.mark.parametrize("status", ["ok", "error", "cancelled"])
def test_every_end_of_a_probe_ends_it(status):
    standing = Standing(model="a", consecutive_errors=3, last_error_s=1.0, probe_s=2.0)
    assert with_outcome(standing, status=status, time_s=3.0, began_s=2.0).probe_s is None


def demoting(reason: str) -> Candidate:
    nothing = Estimate(mean=0.5, se=0.1)
    return Candidate(
        model="a",
        eligible=False,
        reason=reason,
        accuracy=nothing,
        satisfaction=nothing,
        response_s=nothing,
        cost_usd=None,
        utility_usd=nothing,
        probability=0.02,
    )


def test_standing_knows_for_which_tasks_the_latest_query_found_it_demoted(home):
    log = Log(home)
    broken = "demoted by a guard: accuracy"
    reasons = [("x", None, broken), ("y", None, broken), (None, "s", broken), ("x", None, "prior")]
    reasons += [(None, None, "prior")]
    rows = [
        outcome(id=new_id(float(n)), task=task, segment=segment, candidates=(demoting(reason),))
        for n, (task, segment, reason) in enumerate(reasons, 1)
    ]
    log.append([Entry(outcomes=(row,)) for row in rows])
    log.merge()
    assert read_state(home).standings["a"].demoted == {"y", query_kind_key(None, "s")}


@pytest.mark.parametrize(("changed", "record"), [(True, (RECENT, 0.9)), (False, (RECENT + 100, 0.9))])
def test_tally_tells_of_the_latest_rows_of_a_model_and_its_record_of_all_since_it_changed(
    home, changed, record
):
    log = Log(home)
    entries = []
    for number in range(RECENT + 100):
        row = outcome(id=new_id(1.0 + number), task="x")
        right = number % 10 > 0 and (number >= 100 or not changed)
        entries.append(Entry(outcomes=(row,), feedback=(feedback(row.id, float(right)),)))
    log.append(entries)
    log.merge()
    standing = read_state(home).standings["a"]
    assert {task: (tally.graded, tally.accuracy) for task, tally in standing.tallies.items()} == {
        ALL_TASKS: (RECENT, pytest.approx(0.9)),
        "x": (RECENT, pytest.approx(0.9)),
    }
    assert (standing.record.graded, standing.record.accuracy) == (record[0], pytest.approx(record[1]))


def test_a_state_that_is_nested_too_deeply_is_made_anew(home):
    home.make()
    home.state.write_text("[" * 100_000)
    assert (is_readable_state(home), read_state(home).standings) == (False, {})


def failure(second: float, took_s: float, **changes):
    moment = f"2026-01-02T03:04:{second:04.1f}"
    return outcome(status="error", error_kind="connection", time=moment, response_s=took_s, **changes)


@pytest.mark.parametrize("merged", [True, False])
def test_calls_that_fail_side_by_side_are_one_failure(home, merged):
    log = Log(home)
    # Eight calls from second 1 on, of which each waited for a fallback; then one that began after all of them.
    for number in range(8):
        first = failure(6.0 + number / 2, 0.0)
        later = outcome(
            model="b", time=first.time, response_s=5.0 + number / 2, fallback_of=first.id, attempt=2
        )
        log.append([Entry(outcomes=(first, later))])
    log.append([Entry(outcomes=(failure(20.0, 1.0),))])
    if merged:
        log.merge()
    standing = read_state(home).standings["a"]
    assert standing.consecutive_errors == 2


def test_an_outage_says_nothing_of_accuracy(home):
    log = Log(home)
    kinds = [("connection", None), ("server", None), ("rate_limited", None), ("timeout", None)]
    blamed = [("timeout", 0.5), ("malformed", None), ("empty", None)]
    for kind, ttft_s in (*kinds, *blamed, ("unauthorised", None)):
        row = outcome(status="error", error_kind=kind, ttft_s=ttft_s, reference="x")
        assert row.is_outage is ((kind, ttft_s) in kinds)
        log.append([Entry(outcomes=(row,))])
    log.merge()
    tally = read_state(home).standings["a"].tallies[ALL_TASKS]
    assert (tally.calls, tally.errors, tally.graded, tally.accuracy) == (8, 8, 3, 0.0)
    with log.open() as connection:
        found = connection.execute(f"SELECT count(*) FROM rounds WHERE {LOST}").fetchone()
    assert found == (4,), "in the evidence they stay what the user got"


def test_a_check_that_is_answered_ends_a_cooldown_until_the_next_failure(home):
    log = Log(home)
    log.append([Entry(outcomes=(failure(float(second), 0.0),)) for second in (1, 2, 3)])
    log.merge()
    failed_s = read_state(home).standings["a"].last_error_s
    end_cooldowns(home, ["b"], now_s=failed_s + 1)
    assert not home.checks.exists(), "it had not failed"
    end_cooldowns(home, ["a", "b"], now_s=failed_s + 1)
    assert read_state(home).standings["a"].consecutive_errors == 0
    log.merge()
    assert read_state(home).standings["a"].consecutive_errors == 0
    log.append([Entry(outcomes=(failure(30.0, 0.0),))])
    assert read_state(home).standings["a"].consecutive_errors == 4, "it was away before"
    log.append([Entry(outcomes=(outcome(),))])
    home.checks.write_text("{broken")
    assert read_state(home).standings["a"].consecutive_errors == 0
