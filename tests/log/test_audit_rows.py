"""Rows of audits, seeds and imports among those of users: what each reader of the log makes of them."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pytest

from tests.log.test_log import feedback, outcome, rows
from tests.support.audits import audited_entries
from zetaroute.analysis.kpi import kpis
from zetaroute.analysis.outcomes import list_outcomes, show_outcome
from zetaroute.analysis.served import Scope
from zetaroute.config import Home, Settings
from zetaroute.domain import Arm, Query, utc_now
from zetaroute.errors import UsageError
from zetaroute.feedback.ingest import resolve
from zetaroute.feedback.judgement import Judgement
from zetaroute.forget.forget import choose, forget
from zetaroute.learn.frame import read_frame, sample
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.named_outcomes import outcome_named
from zetaroute.log.standings import read_state
from zetaroute.router.conversations import held_elsewhere, in_conversation, list_conversations
from zetaroute.transfer.export import export_lines


def seed_entry() -> Entry:
    row = outcome(role="seed", audit_probability=1.0, audited=True, forced=True, model="b", reference="yes")
    return Entry(outcomes=(row,), feedback=(feedback(row.id, 1.0),))


def test_rounds_and_what_was_served_are_of_users_alone(home: Home) -> None:
    entries = audited_entries(home)
    Log(home).append([seed_entry()])
    assert rows(Log(home), "SELECT role, accuracy FROM graded ORDER BY role") == [
        ("audit", 0.0),
        ("seed", 1.0),
        ("served", 1.0),
    ]
    assert rows(Log(home), "SELECT role FROM rounds") == [("served",)]
    assert rows(Log(home), "SELECT id, model, cost_usd, response_s, accuracy, fell_back FROM served") == [
        (entries[0].outcomes[0].id, "a", 0.001, 1.0, 1.0, False)
    ]


def test_an_audit_takes_no_part_in_what_followed_a_failure(home: Home) -> None:
    audited_entries(home, fails=True)
    served = rows(Log(home), "SELECT model, cost_usd, response_s, accuracy, fell_back FROM served")
    assert served == [("c", 0.002, 2.0, 1.0, True)]
    assert rows(Log(home), "SELECT role FROM rounds ORDER BY role") == [("attempt",), ("served",)]


def test_key_figures_are_the_same_with_rows_of_audits_and_seeds(home: Home, settings: Settings) -> None:
    log = Log(home)
    told = [audited_entries(home, number=number, fails=number % 3 == 0) for number in range(9)]
    with log.open() as connection:
        beside = kpis(connection, home, settings).json()
        connection.execute("DELETE FROM outcomes WHERE role = 'audit'")
        alone = kpis(connection, home, settings).json()
    assert beside.pop("audits") == {
        "rows": 9,
        "cost_usd": pytest.approx(9 * 0.012),
        "response_s": pytest.approx(27),
    }
    assert alone.pop("audits")["rows"] == 0
    assert beside["rows"] == len(told)
    # What is known of the judges, and what waits to be learned from, comes from all rows.
    assert beside.pop("judges")[0]["judged"] == 9
    assert beside.pop("drift")["new_graded"] > alone.pop("drift")["new_graded"]
    assert {**beside, "judges": []} == alone
    log.append([seed_entry()])
    with log.open() as connection:
        assert kpis(connection, home, settings).json()["kpis"] == alone["kpis"]


def test_key_figures_tell_kinds_of_rows_versions_and_runs_apart(home: Home, settings: Settings) -> None:
    log = Log(home)
    audited_entries(home)
    for changes, right in (
        ({"policy_version": "v0000", "run": "nightly"}, 0.0),
        ({"policy_version": "v0000", "forced": True}, 1.0),
        ({"policy_version": None, "recorded": True, "role": "import"}, 0.0),
    ):
        row = outcome(**changes)
        log.append([Entry(outcomes=(row,), feedback=(feedback(row.id, right),))])
    log.append([seed_entry()])
    with log.open() as connection:
        whole, cold, nightly = (
            kpis(connection, home, settings, scope).json()
            for scope in (Scope(), Scope(version="v0"), Scope(run="nightly"))
        )
    assert {name: group["rows"] for name, group in whole["kinds"].items()} == {
        "imported": 1,
        "pinned": 1,
        "policy": 2,
    }
    assert (whole["rows"], whole["seeding"]["rows"], whole["audits"]["rows"]) == (4, 1, 1)
    assert whole["kinds"]["policy"]["kpis"]["accuracy_rate"]["value"] == 0.5
    assert (cold["version"], cold["rows"]) == ("v0000", 2)
    assert (nightly["rows"], nightly["kpis"]["accuracy_rate"]["value"], nightly["audits"]["rows"]) == (
        1,
        0.0,
        0,
    )


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({}, "served"),
        ({"forced": True}, "served"),
        ({"fallback_of": "x", "attempt": 2}, "attempt"),
        ({"recorded": True, "policy_version": None}, "import"),
        ({"recorded": True}, "served"),
    ],
)
def test_rows_of_older_versions_tell_their_role_by_what_else_they_say(
    home: Home, changes: dict[str, object], role: str
) -> None:
    log = Log(home)
    log.append([Entry(outcomes=(outcome(**{"policy_version": "v0001", **changes}),))])
    with log.open() as connection:
        connection.execute("UPDATE outcomes SET role = NULL")
        assert connection.execute("SELECT role FROM graded").fetchall() == [(role,)]
        assert connection.execute("SELECT count(*) FROM rounds").fetchall() == [(1,)]


@pytest.mark.parametrize("merged", [False, True])
def test_the_state_knows_what_audits_took(home: Home, merged: bool) -> None:
    audited_entries(home)
    if merged:
        Log(home).merge()
    state, today = read_state(home), utc_now()[:10]
    assert state.audit_rows == 1
    assert state.audit_usd == {today: pytest.approx(0.012)}
    assert state.spent_usd == {today: pytest.approx(0.013)}
    tallies = {model: standing.tallies.get("*") for model, standing in state.standings.items()}
    assert set(tallies) == {"a", "b"}
    if merged:
        assert {model: (tally.calls, tally.accuracy) for model, tally in tallies.items() if tally} == {
            "a": (1, 1.0),
            "b": (1, 0.0),
        }


@pytest.mark.parametrize("merged", [False, True])
def test_the_failure_of_an_audit_counts_from_when_it_was_called(home: Home, merged: bool) -> None:
    """Two that fail side by side each took 3 s, and not the second one 6 s: both of them are failures."""
    log = Log(home)
    first = outcome(model="a", policy_version="v0000")
    calls = [
        outcome(
            role="audit",
            fallback_of=first.id,
            model="b",
            status="error",
            response_s=3.0,
            time=f"2026-01-02T03:04:{s}",
        )
        for s in ("10", "14")
    ]
    log.append([Entry(outcomes=(row,)) for row in (first, *calls)])
    if merged:
        log.merge()
    assert read_state(home).standings["b"].consecutive_errors == 2


def test_audits_teach_and_prove_nothing_by_a_propensity(home: Home) -> None:
    audited_entries(home)
    Log(home).append([seed_entry()])
    with Log(home).open() as connection:
        frame = read_frame(connection)
    arms = [Arm(id=one, provider="practice", model="small") for one in ("a", "b")]
    learned = sample(frame, arms)
    assert sorted(zip(learned.arm.tolist(), learned.accuracy.tolist(), strict=True)) == [
        (0, 1.0),
        (1, 0.0),
        (1, 1.0),
    ]
    assert np.isnan(learned.pmf).all()
    # What judges them is of the same unit as the answer beside which they were asked.
    assert set(frame.filter(model="a")["group"]) <= set(frame.filter(model="b")["group"])


def test_the_last_answer_and_its_conversation_are_the_users(home: Home) -> None:
    (served, _), log = audited_entries(home), Log(home)
    first = served.outcomes[0]
    with log.open() as connection:
        assert outcome_named(connection, "last") == first.id
        assert show_outcome(connection, None)["id"] == first.id
    told, model = in_conversation(log, Query(text="and then?"), None)
    assert (told.conversation, model) == ("talk 0", "a")
    assert [turn.content for turn in told.history] == ["private thought 0", "yes"]
    assert held_elsewhere(log, "talk 0").model == "a"
    (listed,) = list_conversations(log, limit=5)
    assert (listed["turns"], listed["model"], listed["cost_usd"]) == (1, "a", 0.001)


def test_an_outcome_is_shown_with_its_audit_and_an_audit_says_what_it_is(home: Home) -> None:
    served, audit = audited_entries(home)
    with Log(home).open() as connection:
        told = show_outcome(connection, served.outcomes[0].id)
        assert [(one["model"], one["role"]) for one in told["attempts"]] == [("a", "served"), ("b", "audit")]
        assert show_outcome(connection, audit.outcomes[0].id)["role"] == "audit"
        assert {row["role"] for row in list_outcomes(connection, limit=9)} == {"served", "audit"}


def test_feedback_that_names_a_query_is_about_the_answer_that_was_given(home: Home) -> None:
    served, audit = audited_entries(home)
    first, log = served.outcomes[0].id, Log(home)

    def said(outcome_id: str | None = None, custom_id: str | None = None) -> str:
        judgement = Judgement(
            metric="rating",
            value=4.0,
            source="user",
            author="ann",
            outcome_id=outcome_id,
            custom_id=custom_id,
        )
        (found,) = resolve(log, [judgement])
        assert found is not None
        return found.feedback.outcome_id

    assert said(custom_id="c0") == said(outcome_id=first) == first
    assert said(outcome_id=audit.outcomes[0].id) == audit.outcomes[0].id


def test_forgetting_a_query_forgets_its_audit(home: Home) -> None:
    served, _ = audited_entries(home)
    audited_entries(home, number=1)
    log = Log(home)
    chosen = choose(log, ids=[served.outcomes[0].id])
    assert forget(log, chosen).rows == 2
    kept = "SELECT role, query, response, reference, cost_usd FROM outcomes ORDER BY query NULLS FIRST, role"
    assert rows(log, kept)[:2] == [("audit", None, None, None, 0.01), ("served", None, None, None, 0.001)]
    assert [row[1] for row in rows(log, kept)[2:]] == ["private thought 1"] * 2
    assert b"private thought 0" not in home.database.read_bytes()
    assert rows(log, "SELECT count(*) FROM rounds") == [(2,)]


def test_an_export_tells_audits_from_answers(home: Home) -> None:
    audited_entries(home)
    text = "".join(export_lines(Log(home), form="csv", kind="rounds"))
    header, *lines = text.splitlines()
    place = header.split(",").index("role")
    assert sorted(line.split(",")[place] for line in lines) == ["audit", "served"]


def test_a_home_without_audits_has_no_answer_of_one(home: Home) -> None:
    entry = seed_entry()
    Log(home).append([Entry(outcomes=(replace(entry.outcomes[0], role="audit", fallback_of="x"),))])
    with pytest.raises(UsageError, match="no conversation to go on with"):
        in_conversation(Log(home), Query(text="and then?"), None)


def test_a_file_of_an_older_version_gets_the_views(home: Home) -> None:
    log = Log(home)
    log.append([Entry(outcomes=(outcome(),))])
    log.merge()
    with duckdb.connect(str(home.database)) as connection:
        connection.execute("DELETE FROM migrations WHERE name = '0011_contests'")
        for view in ("served", "rounds", "graded"):
            connection.execute(f"DROP VIEW {view}")
        for table in ("contests", "evidence"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("CREATE VIEW rounds AS SELECT * FROM outcomes")
        connection.execute("CREATE VIEW served AS SELECT * FROM rounds")
    assert rows(log, "SELECT count(*) FROM graded WHERE judge_cost_usd = 0") == [(1,)]
