"""The log keeps every acknowledged row once, whatever happens to the processes around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import duckdb
import pytest

from zetaroute.config import Home
from zetaroute.domain import Candidate, Estimate, Feedback, Outcome, Promotion, new_id
from zetaroute.errors import StoreBusyError, StoreError
from zetaroute.log.journal import Entry, Journal
from zetaroute.log.log import Log

ONE = Estimate(mean=0.5, se=0.1)
CANDIDATE = Candidate(
    model="a",
    eligible=True,
    reason="prior",
    accuracy=ONE,
    satisfaction=ONE,
    response_s=ONE,
    cost_usd=None,
    utility_usd=ONE,
    probability=1.0,
)


def outcome(**changes) -> Outcome:
    base = Outcome(id=new_id(), time="2026-01-02T03:04:05", query="q", model="a", status="ok", response_s=0.5)
    return replace(base, **changes)


def feedback(outcome_id: str, value: float, **changes) -> Feedback:
    base = Feedback(
        id=new_id(),
        outcome_id=outcome_id,
        metric="accuracy",
        value=value,
        source="truth",
        author="grader:exact",
        time="2026-01-02T03:04:06",
    )
    return replace(base, **changes)


def rows(log: Log, sql: str) -> list[tuple]:
    with log.open() as connection:
        return connection.execute(sql).fetchall()


def test_row_survives_the_way_into_the_file(home):
    log = Log(home)
    row = outcome(query="naïve\x00\ud800 日本", candidates=(CANDIDATE,), propensity=1.0, cost_usd=None)
    log.append([Entry(outcomes=(row,))])
    found = rows(
        log, "SELECT id, query, cost_usd, propensity, pmf, candidates[1].cost_usd, time FROM outcomes"
    )
    assert len(found) == 1
    identity, query, cost, propensity, pmf, candidate_cost, time = found[0]
    assert identity == row.id
    assert query == "naïve\x00? 日本"
    assert cost is None
    assert candidate_cost is None
    assert (propensity, pmf) == (1.0, [1.0])
    assert time.isoformat() == row.time
    assert log.journal.segments() == []


def test_merging_the_same_segment_twice_adds_nothing(home):
    log = Log(home)
    entry = Entry(outcomes=(outcome(),), feedback=(feedback("x", 1.0),))
    log.append([entry, entry])
    assert rows(log, "SELECT count(*) FROM outcomes") == [(1,)]
    log.append([entry])
    assert rows(log, "SELECT count(*) FROM outcomes") == [(1,)]
    assert rows(log, "SELECT count(*) FROM feedback") == [(1,)]


def test_late_segment_with_an_old_id_is_taken(home):
    log = Log(home)
    early, late = outcome(id=new_id(1_000.0)), outcome(id=new_id(2_000.0))
    log.append([Entry(outcomes=(late,))])
    log.merge()
    log.append([Entry(outcomes=(early,))])
    assert rows(log, "SELECT id FROM outcomes ORDER BY id") == [(early.id,), (late.id,)]


def test_damaged_segment_is_set_aside_and_the_others_are_kept(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    (home.journal / "0000-broken.jsonl").write_text('{"outcomes": [{"id": \n')
    assert rows(log, "SELECT count(*) FROM outcomes") == [(1,)]
    assert [path.name for path in (home.journal / "damaged").iterdir()] == ["0000-broken.jsonl"]


def test_half_written_segment_is_never_read(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    (home.journal / f"{new_id()}.tmp").write_text('{"outcomes": [')
    assert rows(log, "SELECT count(*) FROM outcomes") == [(1,)]


def test_drafts_of_killed_processes_are_swept_and_young_ones_left(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    old, young = home.journal / "a.jsonl.1.tmp", home.journal / "b.jsonl.2.tmp"
    for draft in (old, young):
        draft.write_text("half")
    os.utime(old, (1.0, 1.0))
    log.merge()
    assert [path.name for path in home.journal.glob("*.tmp")] == [young.name]


def test_latest_feedback_wins_per_author_and_truth_goes_before_user(home):
    log = Log(home)
    row = outcome(reference="r")
    log.append(
        [
            Entry(outcomes=(row,)),
            Entry(feedback=(feedback(row.id, 1.0, source="user", author="ann"),)),
            Entry(feedback=(feedback(row.id, 0.0, time="2026-01-02T03:04:07"),)),
            Entry(feedback=(feedback(row.id, 1.0, time="2026-01-02T03:04:06"),)),
            Entry(feedback=(feedback(row.id, 4.0, metric="rating", source="user", author="ann"),)),
            Entry(feedback=(feedback(row.id, 0.0, metric="thumbs", source="user", author="bob"),)),
        ]
    )
    found = rows(log, "SELECT accuracy, accuracy_source, satisfaction FROM rounds")
    assert found == [(0.0, "truth", pytest.approx((0.75 + 0.0) / 2))]


def test_failed_row_with_a_reference_counts_as_wrong_and_without_one_as_unknown(home):
    log = Log(home)
    log.append(
        [
            Entry(outcomes=(outcome(id=new_id(1.0), status="error", reference="r", error_kind="empty"),)),
            Entry(outcomes=(outcome(id=new_id(2.0), status="error", error_kind="empty"),)),
            Entry(
                outcomes=(outcome(id=new_id(3.0), status="error", reference="r", error_kind="unauthorised"),)
            ),
        ]
    )
    assert rows(log, "SELECT accuracy FROM rounds ORDER BY id") == [(0.0,), (None,), (None,)]


def test_served_counts_a_chain_as_one_query(home):
    log = Log(home)
    first = outcome(
        status="error", error_kind="server", response_s=2.0, cost_usd=None, propensity=0.4, reference="r"
    )
    second = outcome(model="b", attempt=2, fallback_of=first.id, response_s=1.0, cost_usd=0.25, reference="r")
    log.append([Entry(outcomes=(first, second), feedback=(feedback(second.id, 1.0),))])
    log.append([Entry(outcomes=(outcome(status="cancelled"),))])
    found = rows(
        log, "SELECT id, model, status, fell_back, response_s, cost_usd, accuracy, propensity FROM served"
    )
    assert found == [(first.id, "b", "ok", True, 3.0, 0.25, 1.0, 0.4)]


def test_unknown_cost_of_the_answer_stays_unknown_in_a_chain(home):
    log = Log(home)
    first = outcome(status="error", cost_usd=0.1)
    second = outcome(model="b", attempt=2, fallback_of=first.id, cost_usd=None)
    log.append([Entry(outcomes=(first, second))])
    assert rows(log, "SELECT cost_usd FROM served") == [(None,)]


def test_promotions_are_kept(home):
    log = Log(home)
    promotion = Promotion(
        id=new_id(), time="2026-01-01T00:00:00", version="v1", previous="v0", reason="r", author="a"
    )
    log.append([Entry(promotions=(promotion,))])
    assert rows(log, "SELECT version, previous, forced FROM promotions") == [("v1", "v0", False)]


HOLD = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(600)"


def test_busy_file_leaves_rows_in_the_journal(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    log.merge()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.database)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        log.append([Entry(outcomes=(outcome(),))])
        assert log.merge() is False
        with pytest.raises(StoreBusyError, match="another process"), log.open(patience_s=0.1):
            pass
        holder.kill()
    assert rows(log, "SELECT count(*) FROM outcomes") == [(2,)]


def test_damaged_file_is_told_and_the_journal_kept(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    home.database.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreError, match="damaged"), log.open():
        pass
    assert len(log.journal.segments()) == 1


def test_segment_that_cannot_be_set_aside_is_told(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    (home.journal / "0.jsonl").write_text("{broken\n")
    (home.journal / "damaged").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="out of the journal .File exists."), log.open():
        pass
    assert len(log.journal.segments()) == 2


def test_file_of_a_newer_version_is_refused_unchanged(home):
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    log.merge()
    with duckdb.connect(str(home.database)) as connection:
        connection.execute("INSERT INTO migrations VALUES ('9999_future', now()::TIMESTAMP)")
    with pytest.raises(StoreError, match="newer zetaroute"), log.open():
        pass


def test_migrating_twice_changes_nothing(home):
    log = Log(home)
    first = rows(log, "SELECT name FROM migrations ORDER BY name")
    assert rows(log, "SELECT name FROM migrations ORDER BY name") == first
    assert len(first) == len({name for (name,) in first}) > 0


def test_unwritable_home_is_told(tmp_path, home):
    home.path.parent.mkdir(parents=True, exist_ok=True)
    home.path.write_text("a file where the home should be")
    with pytest.raises(StoreError, match="cannot write to the home"):
        home.make()
    with pytest.raises(StoreError, match="cannot write the journal"):
        Journal(home.journal).append([Entry(outcomes=(outcome(),))])


def test_journal_line_is_plain_json_without_nan(home):
    journal = Journal(home.journal)
    journal.append([Entry(outcomes=(outcome(response_s=float("nan"), cost_usd=float("inf")),))])
    ((_, line),) = journal.named_lines()
    assert line["outcomes"][0]["response_s"] is None
    assert line["outcomes"][0]["cost_usd"] is None
    assert json.loads(json.dumps(line, allow_nan=False)) == line


def test_what_no_column_holds_is_left_out_of_its_row(home):
    log = Log(home)
    odd = outcome(response="half \ud83d", input_tokens=2**70, output_tokens=2**63, cached_tokens=2**60)
    log.append([Entry(outcomes=(odd,))])
    ((_, line),) = log.journal.named_lines()
    row = line["outcomes"][0]
    assert (row["response"], row["input_tokens"], row["output_tokens"]) == ("half ?", None, None)
    assert rows(log, "SELECT response, cached_tokens FROM outcomes") == [("half ?", 2**60)]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_files_of_a_home_are_for_its_owner_alone(tmp_path):
    home = Home(tmp_path / "open")
    home.path.mkdir(mode=0o755)
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    log.merge()
    log.append([Entry(outcomes=(outcome(),))])
    found = {path.name for path in home.path.rglob("*") if path.stat().st_mode & 0o077}
    assert found == set()
    assert {path.name for path in home.path.iterdir()} >= {"journal", "state.json", "zetaroute.duckdb"}
