"""The evidence of a contest lives in the log: each query counts once, in the order of decisions, and stays."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.log.test_log import feedback, outcome
from tests.support.contested_rows import BEGAN_S, asked, began
from zetaroute.domain import (
    FIRST_SHARE,
    GRADE_DEADLINE,
    PROVING_SHARE,
    ChainAsk,
    ChainReplay,
    ContestEvent,
    ForeignUnits,
    new_id,
    unit_of,
    utc_now,
)
from zetaroute.evaluate.e_process import ROLLS_BACK_AT
from zetaroute.log.contest_events import running_event
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.projections import log_of
from zetaroute.projections.contest_standing import standing_of, step_of
from zetaroute.registry import COLD, Registry

BETTER, WORSE = {"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 0.0}


@pytest.fixture
def log(home) -> Log:
    return log_of(home)


@pytest.fixture
def versions(home) -> list[str]:
    """Two stored versions; the first serves."""
    registry = Registry(home.artifacts)
    names = [registry.publish({"parent": "v0000", "n": n}, {}) for n in range(2)]
    registry.make_current(names[0])
    return names


@pytest.fixture
def event(log, versions) -> ContestEvent:
    return begin(log, began(*versions))


def begin(log: Log, event: ContestEvent) -> ContestEvent:
    log.append([Entry(contests=(event,))])
    log.merge()
    return event


def add(log: Log, *queries) -> None:
    log.append([one.entry for one in queries])
    log.merge()


def lines(log: Log, columns: str = "id") -> list[tuple]:
    with log.open() as connection:
        return connection.execute(f"SELECT {columns} FROM evidence ORDER BY id").fetchall()


def steps(log: Log) -> list[str]:
    with log.open() as connection:
        return [step for (step,) in connection.execute("SELECT step FROM contests ORDER BY id").fetchall()]


def scored(log: Log) -> list[str]:
    return [identity for (identity,) in lines(log)]


def test_a_pair_and_a_single_answer_become_lines(log, event, versions):
    pair = asked(event, right=BETTER, heads=True, cost_usd=0.002, response_s=0.5)
    single = asked(event, right={"b": 1.0}, model="b", cost_usd=None)
    add(log, pair, single)
    columns = (
        "id, challenger, own, paired, champion_outcome, challenger_outcome, champion_p, audit_probability, "
        "gain_usd, loss_usd, gain_accuracy, missing, clipped, variance_usd"
    )
    first, second = lines(log, columns)
    assert first[:8] == (pair.id, versions[1], False, True, pair.id, pair.shadows[0].id, 0.4, 0.25)
    # Both cost as much; the wrong one is worth less than its range says.
    assert first[8:] == (
        *(pytest.approx(0.01 - 0.0025 + 0.001), pytest.approx(-0.01 + 0.0025 - 0.001)),
        *(1.0, False, True, None),
    )
    assert second[:6] == (single.id, versions[1], True, False, None, single.id)
    # q_b - q_a + (r - q_b) / p, and what a free model costs is nothing.
    assert second[8] == pytest.approx(0.006 - 0.004 + (0.01 - 0.006) / 0.25)
    assert second[10] == pytest.approx(0.6 - 0.5 + (1.0 - 0.6) / 0.25)


def test_evidence_stops_at_an_answer_that_is_not_graded_yet(log, event):
    before, waits, after = asked(event, right=BETTER), asked(event, right={}), asked(event, right=BETTER)
    add(log, before, waits, after)
    assert scored(log) == [before.id]
    log.append([Entry(feedback=tuple(waits.graded(waits.row, 1.0)))])
    log.merge()
    assert scored(log) == [before.id, waits.id, after.id]


def test_a_pair_waits_for_both_grades(log, event):
    pair = asked(event, right={"a": 0.0}, heads=True)
    add(log, pair)
    assert scored(log) == []
    log.append([Entry(feedback=tuple(pair.graded(pair.shadows[0], 1.0)))])
    log.merge()
    assert lines(log, "gain_accuracy, missing") == [(1.0, False)]


def test_after_the_deadline_a_missing_grade_is_the_worst_for_gain_and_loss(log, versions):
    event = begin(
        log, began(*versions, id=(old := new_id(time.time() - 2 * GRADE_DEADLINE.total_seconds())), epoch=old)
    )
    late_s = time.time() - GRADE_DEADLINE.total_seconds() - 60.0
    add(log, asked(event, right={"a": 0.5}, heads=True, at_s=late_s))
    ((gain, loss, accuracy, missing),) = lines(log, "gain_usd, loss_usd, gain_accuracy, missing")
    assert (gain, loss) == (pytest.approx(-0.001 - 0.005), pytest.approx(-0.01 + 0.005))
    assert (accuracy, missing) == (-0.5, True)


def test_nothing_is_waited_for_where_no_grade_would_tell_anything(log, event):
    same = asked(event, right={}, wants="a", heads=True)
    third = asked(event, right={}, model="c")
    add(log, same, third)
    assert scored(log) == [same.id, third.id]
    assert [round(gain, 9) for (gain,) in lines(log, "gain_usd")] == [0.0, 0.002]


@pytest.mark.parametrize("reference", ["yes", None])
@pytest.mark.parametrize("kind", ["timeout", "server", "unauthorised"])
def test_a_failed_call_is_wrong_with_its_cost_and_time_and_never_missing(log, event, reference, kind):
    add(
        log,
        asked(
            event,
            right={},
            model="b",
            status="error",
            error_kind=kind,
            reference=reference,
            cost_usd=0.0002,
            response_s=0.5,
        ),
    )
    ((gain, missing),) = lines(log, "gain_usd, missing")
    assert gain == pytest.approx(0.006 - 0.004 + (-0.0007 - 0.006) / 0.25)
    assert not missing


def test_a_failed_side_of_a_pair_is_wrong_and_so_is_a_call_that_its_user_did_not_wait_for(log, event):
    pair = asked(event, right={}, heads=True, source="judge", reference=None)
    failed = replace(pair.row, status="error", error_kind="server")
    log.append(
        [
            Entry(
                outcomes=(failed, *pair.shadows),
                feedback=(feedback(pair.shadows[0].id, 1.0, source="judge"),),
            )
        ]
    )
    left = asked(event, right={}, status="cancelled", error_kind="cancelled")
    add(log, left)
    assert lines(log, "gain_accuracy, missing") == [
        (1.0, False),
        (pytest.approx(0.6 - 0.5 + 0.5 / 0.4), False),
    ]


def test_a_pair_with_a_cut_answer_is_missing_at_once(log, event):
    pair = asked(event, right={"a": 1.0}, heads=True)
    cut = replace(pair.shadows[0], status="cancelled", error_kind="cancelled")
    log.append([Entry(outcomes=(pair.row, cut), feedback=(feedback(pair.id, 1.0),))])
    log.merge()
    assert lines(log, "gain_accuracy, missing") == [(-1.0, True)]


def test_what_was_learned_from_another_log_is_never_scored(log, event):
    texts, talk = ("Asked  elsewhere", "asked here"), "a talk that began elsewhere"
    units = (f"{unit_of(None, 'asked elsewhere'):016x}", f"{unit_of(None, talk):016x}")
    log.append([Entry(foreign_units=(ForeignUnits(id=new_id(), time=utc_now(), units=units),))])
    foreign, own = (asked(event, right=BETTER, heads=True, query=text) for text in texts)
    begun = asked(event, right=BETTER, heads=True, query=talk, conversation="c1")
    add(log, foreign, own, begun)
    assert scored(log) == [own.id]


def test_people_and_mixed_sources_are_no_evidence(log, event):
    rated = asked(event, right=BETTER, heads=True, source="user")
    add(log, rated)
    assert scored(log) == []
    mixed = asked(event, right={"a": 0.0}, heads=True, source="truth", reference=None)
    log.append(
        [
            mixed.entry,
            Entry(feedback=(feedback(mixed.shadows[0].id, 1.0, source="judge"),)),
            Entry(feedback=tuple(replace(said, source="truth") for said in rated.entry.feedback)),
        ]
    )
    log.merge()
    assert scored(log) == [rated.id]
    log.append([Entry(feedback=(feedback(mixed.row.id, 0.25, source="judge"),))])
    log.merge()
    assert lines(log, "gain_accuracy") == [(1.0,), (0.75,)]


@pytest.mark.parametrize(("reference", "grade"), [("yes", 1.0), (None, 0.5)])
def test_what_graded_the_other_queries_grades_this_one_too(log, event, reference, grade):
    """Somebody corrects some answers of a judge: which ones, no coin decides."""
    single = asked(event, right={"b": 1.0}, model="b", source="truth", reference=reference)
    # Of one author the latest word would count.
    judged = Entry(feedback=(replace(feedback(single.id, 0.5, source="judge"), author="judge:strict"),))
    log.append([single.entry, judged])
    log.merge()
    assert lines(log, "gain_accuracy") == [(pytest.approx(0.6 - 0.5 + (grade - 0.6) / 0.25),)]


def test_a_text_and_a_conversation_score_once(log, event):
    first = asked(event, right=BETTER, query="What is  it?")
    again = asked(event, right=WORSE, query="what IS it? ")
    opening = asked(event, right=BETTER, conversation="talk", query="hello")
    later = asked(event, right=WORSE, conversation="talk", query="and then?")
    elsewhere = asked(event, right=WORSE, conversation="another", query="Hello")
    add(log, first, again, opening, later, elsewhere)
    assert scored(log) == [first.id, opening.id]
    add(log, asked(event, right=WORSE, query=" what is it?"), asked(event, right=WORSE, conversation="talk"))
    assert scored(log) == [first.id, opening.id]


def test_what_was_asked_before_the_contest_never_scores(log, event):
    log.append(
        [
            Entry(outcomes=(outcome(id=new_id(BEGAN_S - 50.0), query="Known", role="import"),)),
            Entry(outcomes=(outcome(id=new_id(BEGAN_S - 40.0), query="begun", conversation="talk"),)),
        ]
    )
    fresh = asked(event, right=BETTER)
    add(
        log,
        asked(event, right=BETTER, query="known "),
        asked(event, right=BETTER, conversation="talk"),
        fresh,
    )
    assert scored(log) == [fresh.id]


def test_queries_that_cannot_be_audited_and_models_without_a_range_never_score(log, event):
    add(
        log,
        asked(event, right=BETTER, audit_probability=None),
        asked(event, right=BETTER, wants="new"),
        asked(event, right=BETTER, draw={"champion_model": "b"}),
        asked(event, right=BETTER, draw={"epoch": "another"}),
    )
    assert scored(log) == []
    tails = asked(event, right=BETTER, audit_probability=0.0)
    add(log, tails)
    assert scored(log) == [tails.id]


def test_an_anchor_that_is_configured_no_more_ends_in_no_traceback(log, versions):
    event = begin(log, began(*versions, anchor="gone"))
    add(log, asked(event, right=BETTER, draw={"champion_model": "gone"}))
    assert scored(log) == []


def test_lines_are_never_rewritten(log, home, event):
    queries = [asked(event, right=WORSE, heads=True) for _ in range(4)]
    add(log, *queries)
    before = lines(log, "*")
    log.append([Entry(feedback=tuple(feedback(row.id, 1.0) for row in queries[0].shadows))])
    log.merge()
    with log.open() as connection:
        connection.execute("UPDATE outcomes SET query = NULL, forgotten = now()::TIMESTAMP")
    add(log, asked(event, right=WORSE, at_s=BEGAN_S + 0.5))
    assert lines(log, "*")[-4:] == before


def test_an_answer_that_came_after_later_ones_still_counts(log, event):
    """A slow model's failures come late: left out, they would make it look better."""
    early, slow, late = (asked(event, right=BETTER) for _ in range(3))
    add(log, early, late)
    add(log, slow)
    assert scored(log) == [early.id, slow.id, late.id]


def test_a_decision_is_held_back_while_an_earlier_one_may_still_be_under_way(log, event):
    slow = asked(event, right=BETTER)
    add(log, replace(slow, row=replace(slow.row, time=utc_now())))
    assert scored(log) == []


def test_a_clock_that_was_wrong_once_stops_nothing(log, event):
    ahead = asked(event, right={}, at_s=time.time() + 10**6)
    log.append([Entry(outcomes=(replace(ahead.row, time="2999-01-01T00:00:00"),))])
    now = asked(event, right=BETTER)
    add(log, now)
    assert scored(log) == [now.id, ahead.id]
    later = asked(event, right=BETTER)
    add(log, later)
    assert scored(log) == [now.id, later.id, ahead.id]


def test_all_looks_see_the_same_whatever_was_merged_when(log, home, event, tmp_path):
    queries = [
        asked(
            event,
            right={"a": float(number % 3 == 0), "b": float(number % 2)},
            heads=number % 4 == 0,
            model="ab"[number % 2],
        )
        for number in range(130)
    ]
    other = log_of(type(home)(tmp_path / "other"))
    registry = Registry(other.home.artifacts)
    for n in range(2):
        registry.publish({"parent": "v0000", "n": n}, {})
    registry.make_current(event.champion)
    begin(other, event)
    # Nothing is bet before the log has some rows, however they came.
    earlier = [
        Entry(outcomes=(outcome(id=new_id(BEGAN_S - 9.0), query="old", role="import"),)) for _ in "x" * 130
    ]
    for one in (log, other):
        one.append(earlier)
        one.merge()
    add(log, *queries)
    for start in range(0, 130, 26):
        add(other, *queries[start : start + 26])
    columns = (
        "id, gain_usd, loss_usd, gain_accuracy, variance_usd, worst_gain_usd, worst_loss_usd, worst_accuracy"
    )
    for once, bitwise in zip(lines(log, columns), lines(other, columns), strict=True):
        assert bitwise == pytest.approx(once) if once[0] == bitwise[0] else False
    assert read_state(home).contest.share == pytest.approx(read_state(other.home).contest.share)
    assert all(variance is not None for (variance,) in lines(log, "variance_usd"))


def harmful(event, rows=40):
    return [asked(event, right=WORSE, heads=True, model="ab"[number % 2]) for number in range(rows)]


def test_a_harmful_challenger_loses_its_share_at_once(log, home, event):
    assert read_state(home).contest.share == FIRST_SHARE
    add(log, *harmful(event))
    assert steps(log) == ["began", "rejected"]
    assert read_state(home).contest.share == 0.0
    with log.open() as connection:
        assert standing_of(connection, event).harm >= ROLLS_BACK_AT
    add(log, *harmful(event, 3))
    assert steps(log) == ["began", "rejected"]


def test_lines_of_an_older_challenger_count_for_the_gain_and_not_for_the_harm_of_the_new_one(
    log, home, event
):
    add(log, *harmful(event))
    newer = step_of(event, "refitted", reason="learned again")
    newer = replace(newer, challenger="v0009-000000000000")
    begin(log, newer)
    with log.open() as connection:
        old, new = standing_of(connection, event), standing_of(connection, newer)
    assert (new.harm, new.own_mean_usd) == (1.0, None)
    assert new.units == old.units == 40
    assert new.belief.mean < 0.0
    assert read_state(home).contest.share == 0.25
    assert steps(log) == ["began", "rejected", "refitted"]


def test_another_epoch_begins_with_what_speaks_against_its_challengers(log, event):
    for number, (earlier, expected) in enumerate([(0.2, 0.2), (30.0, 1.0)]):
        identity = new_id(BEGAN_S + 0.1 * (number + 1))
        anew = replace(event, id=identity, epoch=identity, evidence=earlier)
        begin(log, anew)
        with log.open() as connection:
            assert standing_of(connection, anew).e_value == pytest.approx(expected)
            assert standing_of(connection, anew).units == 0


def promoted(log, home, event) -> ContestEvent:
    """Let the challenger serve, tested for harm."""
    Registry(home.artifacts).make_current(event.challenger)
    identity = new_id(BEGAN_S + 0.5)
    return begin(log, replace(event, id=identity, epoch=identity, step="promoted"))


def test_a_promoted_version_that_harms_is_rolled_back(log, home, event):
    proving = promoted(log, home, event)
    assert read_state(home).contest.share == PROVING_SHARE
    assert read_state(home).contest.proving
    add(log, *harmful(proving))
    assert steps(log) == ["began", "promoted", "rolled_back"]
    assert Registry(home.artifacts).current() == event.champion
    assert read_state(home).contest is None
    with log.open() as connection:
        assert connection.execute("SELECT version, previous, author FROM promotions").fetchall() == [
            (event.champion, event.challenger, "evidence")
        ]
        assert running_event(connection) is None


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_where_the_champion_cannot_be_read_any_more_the_cold_start_serves(log, home, event, how):
    proving = promoted(log, home, event)
    folder = home.artifacts / event.champion
    if how == "damaged":
        (folder / "manifest.json").write_text("{}")
    else:
        (folder / "manifest.json").unlink()
        folder.rmdir()
    add(log, *harmful(proving))
    assert Registry(home.artifacts).current() == COLD
    with log.open() as connection:
        ((version, reason),) = connection.execute("SELECT version, reason FROM promotions").fetchall()
    assert version == COLD
    assert "the cold start serves" in reason


def test_another_version_made_current_ends_the_contest(log, home, event):
    Registry(home.artifacts).make_current(COLD)
    add(log, *harmful(event, 2))
    assert steps(log) == ["began", "ended"]
    assert read_state(home).contest is None
    assert scored(log) == []


def test_the_limit_on_losses_pauses_the_challenger_while_audits_go_on(log, home, versions):
    event = begin(log, began(*versions, max_regret_usd=0.02))
    add(log, *[asked(event, right={"a": 0.52, "b": 0.5}, heads=True) for _ in range(120)])
    assert steps(log) == ["began", "paused"]
    assert read_state(home).contest.share == 0.0
    # A new challenger begins with what is left of the limit: nothing.
    refitted = replace(step_of(event, "refitted", reason="learned again"), challenger="v0009-000000000000")
    begin(log, refitted)
    assert read_state(home).contest.share == 0.0
    add(log, *[asked(refitted, right={"a": 0.52, "b": 0.5}, heads=True, share=0.0) for _ in range(3)])
    assert steps(log) == ["began", "paused", "refitted", "paused"]
    assert len(scored(log)) == 123


def test_another_epoch_of_the_same_champion_has_the_same_limit(log, home, versions):
    event = begin(log, began(*versions, max_regret_usd=0.02))
    add(log, *[asked(event, right={"a": 0.52, "b": 0.5}, heads=True) for _ in range(120)])
    identity = new_id()
    anew = begin(log, replace(event, id=identity, epoch=identity, time="2026-05-06T00:00:00"))
    add(log, asked(anew, right=BETTER, at_s=time.time()))
    assert read_state(home).contest.share == 0.0
    assert steps(log)[-1] == "paused"


def test_a_month_later_the_limit_begins_anew(log, home, versions):
    event = begin(log, began(*versions, max_regret_usd=0.02))
    add(log, *[asked(event, right={"a": 0.52, "b": 0.5}, heads=True) for _ in range(120)])
    with log.open() as connection:
        connection.execute("UPDATE evidence SET time = time - INTERVAL 40 DAY")
    add(log, asked(event, right=BETTER, heads=True, share=0.0))
    assert steps(log) == ["began", "paused", "resumed"]
    assert read_state(home).contest.share > 0.0


def test_a_promoted_version_that_lost_what_it_may_is_rolled_back(log, home, versions):
    event = begin(log, began(*versions, max_regret_usd=0.02))
    proving = promoted(log, home, event)
    add(log, *[asked(proving, right={"a": 0.52, "b": 0.5}, heads=True) for _ in range(120)])
    assert steps(log)[-1] == "rolled_back"
    with log.open() as connection:
        ((reason,),) = connection.execute("SELECT reason FROM promotions").fetchall()
    assert "max_regret_usd" in reason


def test_state_made_anew_and_steps_that_wait_say_the_same(log, home, event):
    add(log, *[asked(event, right=BETTER, heads=True) for _ in range(30)])
    told = read_state(home).contest
    assert 0.25 <= told.share <= 0.9
    assert told.units == 30
    home.state.unlink()
    log.merge()
    assert read_state(home).contest == told
    for step in ("paused", "resumed", "rejected", "refitted"):
        log.append([Entry(contests=(step_of(event, step, reason="test", author="user"),))])
        waiting = read_state(home).contest
        log.merge()
        assert read_state(home).contest == waiting, step
        assert waiting.share == (0.0 if step in {"paused", "rejected"} else told.share)
    identity = new_id()
    log.append([Entry(contests=(replace(event, id=identity, epoch=identity),))])
    assert read_state(home).contest.share == FIRST_SHARE
    assert read_state(home).contest.units == 0
    log.append([Entry(contests=(step_of(event, "ended", reason="test"),))])
    assert read_state(home).contest is None
    log.merge()
    assert read_state(home).contest is None


MERGE = """
import sys
from zetaroute.config import Home
from zetaroute.projections import log_of
from pathlib import Path
for _ in range(10):
    log_of(Home(Path(sys.argv[1]))).merge(patience_s=20.0)
"""


def test_two_processes_that_merge_write_every_line_once(log, home, event):
    log.append([one.entry for one in harmful(event)])
    others = [subprocess.Popen([sys.executable, "-c", MERGE, str(home.path)]) for _ in range(2)]
    assert [one.wait(60) for one in others] == [0, 0]
    found = scored(log)
    assert len(found) == len(set(found)) == 40
    assert steps(log) == ["began", "rejected"]


def test_a_line_holds_what_json_can(log, home, event):
    add(log, asked(event, right=BETTER, heads=True))
    ((stored,),) = lines(log, "to_json(evidence)")
    assert json.loads(stored)["variance_usd"] is None


def chained(event, *, heads: bool, **changes):
    """Return a query of the challenger's chain: `b` was wrong for .003 USD, then `a`, for .001, was given."""
    query = asked(
        event,
        right={"a": 1.0, "b": 0.0},
        heads=heads,
        model="b",
        chained=("challenger",),
        cost_usd=0.003,
        chain=ChainAsk(
            probability_right=0.2, agrees=0.0, waited_s=None, returned=False, why="a is worth asking"
        ),
        draw={
            "side": "challenger",
            "challenger_p": 0.5 if heads else 0.25,
            "champion_p": 1.0 if heads else 0.4,
        },
        **changes,
    )
    after = replace(
        query.row,
        id=new_id(int(query.id.replace("-", "")[:12], 16) / 1000.0 + 0.001)
        if not query.shadows
        else query.shadows[0].id,
        model="a",
        role="chain",
        fallback_of=query.row.id,
        propensity=None,
        contest=None,
        cost_usd=0.001,
        chain=replace(query.row.chain, returned=True),
    )
    return replace(query, shadows=(after,))


def test_a_chain_is_worth_what_it_gave_less_all_that_it_asked(log, event):
    audited, alone = chained(event, heads=True), chained(event, heads=False)
    add(log, audited, alone)
    columns = "id, paired, champion_outcome, challenger_outcome, gain_usd, gain_accuracy, missing"
    first, second = lines(log, columns)
    whole_usd, single_usd = 0.01 - 0.003 - 0.001, 0.01 - 0.001
    # On heads the champion's model is seen for sure, whoever asked it, and the chain in half of the cases.
    assert first[:4] == (audited.id, False, audited.shadows[0].id, audited.shadows[0].id)
    assert first[4] == pytest.approx(0.006 + (whole_usd - 0.006) / 0.5 - single_usd)
    assert first[5:] == (pytest.approx(0.6 + (1.0 - 0.6) / 0.5 - 1.0), False)
    # On tails what the chain asked says nothing of the champion's model.
    assert second[:4] == (alone.id, False, None, alone.shadows[0].id)
    assert second[4] == pytest.approx(0.006 - 0.004 + (whole_usd - 0.006) / 0.25)


def replay(query, *asked_models: str, returned: str | None, waited_s: float = 0.0) -> Entry:
    one = ChainReplay(
        id=new_id(),
        outcome_id=query.id,
        side="challenger",
        asked=asked_models,
        returned=returned,
        waited_s=waited_s,
    )
    return Entry(chain_replays=(one,))


def audited_beside_a_chain(event, right=BETTER, **changes):
    """Return a query that the champion answered, while the challenger has a chain of `a` and `b`."""
    draw = {"champion_p": 1.0, "challenger_p": 1.0}
    return asked(
        event, right=right, heads=True, chained=("challenger",), cost_usd=0.001, draw=draw, **changes
    )


def test_what_a_chain_would_have_done_makes_a_pair(log, event):
    query = audited_beside_a_chain(event)
    add(log, query)
    assert scored(log) == [], "the replay is waited for"
    log.append([replay(query, "a", "b", returned="b", waited_s=2.0)])
    log.merge()
    columns = "paired, champion_model <> challenger_model, gain_usd, gain_accuracy"
    ((paired, differ, gain, accuracy, *outcomes),) = lines(
        log, f"{columns}, champion_outcome, challenger_outcome"
    )
    assert (paired, differ, accuracy) == (True, True, 1.0)
    assert outcomes == [query.id, query.shadows[0].id]
    # The chain gave the right answer for two calls and two seconds, the champion a wrong one for one call.
    assert gain == pytest.approx((0.01 - 0.002 - 0.001 * 2.0) - (0.0 - 0.001))
    spent = "champion_cost_usd, challenger_cost_usd, champion_waited_s, challenger_waited_s"
    assert lines(log, spent) == [(None, pytest.approx(0.002), None, 2.0)]


def test_a_chain_without_an_answer_is_wrong_and_one_that_stops_early_is_no_gain(log, event):
    failed = audited_beside_a_chain(event, right={"a": 1.0, "b": 1.0})
    same = audited_beside_a_chain(event, right={"a": 1.0, "b": 0.0})
    log.append(
        [failed.entry, replay(failed, "b", returned=None), same.entry, replay(same, "a", returned="a")]
    )
    log.merge()
    assert lines(log, "paired, gain_accuracy, gain_usd") == [
        (True, -1.0, pytest.approx(-0.001 - (0.01 - 0.001))),
        (True, 0.0, 0.0),
    ]


def test_the_other_side_of_a_chain_alone_is_scored_too(log, event):
    add(log, asked(event, right={"a": 1.0}, chained=("challenger",)))
    ((gain, own),) = lines(log, "gain_usd, own")
    assert (gain, own) == (pytest.approx(0.006 - 0.004 - (0.01 - 0.004) / 0.4), False)


def test_a_chain_whose_user_left_gave_nothing(log, event):
    query = chained(event, heads=False)
    left = replace(
        query,
        row=replace(query.row, chain=None),
        shadows=(replace(query.shadows[0], chain=None, status="cancelled"),),
    )
    add(log, left)
    ((gain,),) = lines(log, "gain_usd")
    # No more than both models can lose.
    assert gain == pytest.approx(0.006 - 0.004 + (-0.002 - 0.006) / 0.25)


def test_an_anchored_champion_is_not_judged_by_chains_of_its_own(log, event):
    add(log, asked(event, right=BETTER, heads=True, chained=("champion",)))
    assert scored(log) == []


def test_models_that_were_all_asked_in_turn_are_one_pair_at_no_stake(log, event):
    def turns(*models: str, query: str) -> list[Entry]:
        made = [
            asked(event, right=BETTER, model=model, query=query, run="r", role="seed", audit_probability=1.0)
            for model in models
        ]
        rows = [replace(one, row=replace(one.row, audited=True, propensity=None)) for one in made]
        return [
            replace(one, row=replace(one.row, contest=replace(one.row.contest, share=0.0))).entry
            for one in rows
        ]

    log.append([*turns("a", "c", "b", query="one"), *turns("a", query="two")])
    log.merge()
    assert lines(log, "paired, share, gain_accuracy") == [(True, 0.0, 1.0)], (
        "of the other one answer is waited for"
    )
    log.append(turns("b", "c", query="two"))
    log.merge()
    assert lines(log, "paired, share, gain_accuracy") == [(True, 0.0, 1.0)] * 2
