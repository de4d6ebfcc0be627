"""Audits: which queries they may take, what is asked beside an answer, and which rows that makes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest

from tests.cli.conftest import by_model, fails, http_config, says
from tests.log.test_log import feedback, outcome
from tests.providers.loopback import ModelServer, Running
from tests.support.audits import Heads
from tests.support.chain_plans import PRACTICE, Scripted, plan_of
from tests.support.contested_rows import asked, began
from tests.support.waiting import until
from zetaroute.config import Audits, Budget, Home, Settings, parse_settings
from zetaroute.domain import (
    FIRST_ROWS,
    SIGNAL,
    Attachment,
    Audit,
    AuditTerms,
    Check,
    Decision,
    FileNote,
    Message,
    Native,
    Outcome,
    Query,
    Status,
)
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.policy import Contest, Limits, Policy, PriorPredictor
from zetaroute.registry import COLD
from zetaroute.router.answer import Answer
from zetaroute.router.audits import MOST_AT_ONCE, chain_replays
from zetaroute.router.budget import RunBudget, Spending
from zetaroute.router.engine import Engine
from zetaroute.router.options import AskOptions, Callbacks
from zetaroute.router.router import Router

QUERY = Query(text="What is 2 + 3?", reference="5", grader="number")
ANY = AskOptions(seed=1)
JUDGE = '[graders.fair]\njudge = "two/m2"\n'
PDF = Attachment(
    note=FileNote(name="a.pdf", media_type="application/pdf", sha256="0", size=1), kind="file", content=b"%"
)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


@pytest.fixture
def both(server: ModelServer) -> Settings:
    """`one/m1`, local and cheap, and `two/m2`; the first is asked nearly always."""
    return parse_settings(
        http_config(server, audit_share=1) + "[explore]\nrate = 0\ncold_start_rate = 0\n", file=None
    )


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Practice models with audits as they come."""
    return replace(settings, audits=Audits())


def router_of(settings: Settings, kind: type[Router] = Heads, **fields: Any) -> Router:
    policy = Policy(version=fields.pop("version", COLD), predictor=PriorPredictor())
    return kind(settings=settings, policy=policy, standings={}, **fields)


def share_in(settings: Settings, **contest: bool) -> float:
    """Return the probability of an audit while a version is tried beside the one that serves."""
    tried = Contest(
        epoch="e", policy=Policy(version="v0009", predictor=PriorPredictor()), share=0.5, **contest
    )
    return terms(settings, contest=tried).probability


def terms(settings: Settings, query: Query = QUERY, options: AskOptions = ANY, **fields: Any) -> AuditTerms:
    return Engine(router_of(settings, **fields)).audit_terms(query, options)


def audited(
    settings: Settings,
    query: Query = QUERY,
    options: AskOptions = ANY,
    *,
    callbacks: Callbacks | None = None,
    engine: Engine | None = None,
) -> tuple[Answer, list[Outcome], list[Entry]]:
    """Return an answer, the rows of its audit by model, and their entries."""
    engine = engine or Engine(router_of(settings))
    entries: list[Entry] = []

    async def run() -> Answer:
        async with engine:
            ready = await engine.prepare(query, options)
            decision = engine.decide(ready, options)
            answer = await engine.answer(ready, decision, options, callbacks=callbacks or Callbacks())
            await engine.audit(answer, options, entries.append)
            return answer

    answer = asyncio.run(run())
    return (
        answer,
        sorted((row for one in entries for row in one.outcomes), key=lambda row: row.model),
        entries,
    )


def grades(entries: list[Entry]) -> dict[str, float]:
    return {said.outcome_id: said.value for one in entries for said in one.feedback}


def test_everything_is_audited_at_first_and_less_after_a_promotion(settings: Settings) -> None:
    assert terms(settings) == AuditTerms(probability=1.0)
    assert terms(settings, version="v0003") == AuditTerms(probability=0.05)


def test_a_promoted_version_is_audited_more_while_it_is_tested_for_harm(settings: Settings) -> None:
    # It is the challenger of the champion of before, which may be the cold start.
    assert share_in(settings) == 0.25
    assert share_in(settings, promoted=True, proving=True) == 0.3
    assert share_in(settings, promoted=True) == 0.05


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_share_of_the_config_is_that_of_all_times(settings: Settings, share: float) -> None:
    own = replace(settings, audits=Audits(share=share))
    assert terms(own) == terms(own, version="v0003") == AuditTerms(probability=share)


@pytest.mark.parametrize(
    ("spent_usd", "probability"),
    [(0.0, 1.0), (0.5, 1.0), (0.75, 0.5), (0.96, 0.08), (1.0, 0.0), (1.2, 0.0)],
)
def test_audits_thin_out_towards_the_end_of_a_budget(
    settings: Settings, spent_usd: float, probability: float
) -> None:
    home, audits = Spending(Budget(daily_usd=1.0)), Spending(Budget(monthly_usd=1.0))
    for spending in (home, audits):
        spending.reserved.add(spent_usd)
    run = RunBudget(1.0)
    run.reserve(0.0)
    run.settle(0.0, spent_usd)
    long = replace(QUERY, text="word " * 3000)
    for query in (QUERY, long):
        assert terms(settings, query, spending=home).probability == pytest.approx(probability)
        assert terms(settings, query, audit_spending=audits).probability == pytest.approx(probability)
        engine = Engine(router_of(settings), budget=run)
        assert engine.audit_terms(query, ANY).probability == pytest.approx(probability)


@pytest.mark.parametrize(
    ("query", "options", "why"),
    [
        (replace(QUERY, reference=None, grader=None), ANY, "nothing can grade it"),
        (
            replace(QUERY, reference=None, grader=None, check=Check(grader="json")),
            ANY,
            "nothing can grade it",
        ),
        (QUERY, replace(ANY, model="practice/small"), "pinned"),
        (QUERY, replace(ANY, kept="practice/small"), "a conversation goes on"),
        (replace(QUERY, history=(Message(role="user", content="Hi"),)), ANY, "a conversation goes on"),
        (replace(QUERY, after=(Message(role="tool", content="4"),)), ANY, "tools"),
        (replace(QUERY, options={"tools": [{}]}), ANY, "tools"),
        (
            replace(QUERY, native=Native(format="anthropic", body={"tools": [{"type": "web_search"}]})),
            ANY,
            "tools",
        ),
        (replace(QUERY, attachments=(PDF,)), ANY, "attachments"),
        (QUERY, replace(ANY, limits=Limits(max_cost_usd=1.0)), "a highest cost was asked for"),
        (QUERY, replace(ANY, no_audit="switched off"), "switched off"),
    ],
)
def test_some_queries_are_never_audited(
    settings: Settings, query: Query, options: AskOptions, why: str
) -> None:
    assert terms(settings, query, options) == AuditTerms(probability=0.0, blocked=why)


def test_the_first_turn_of_a_conversation_may_be_audited(settings: Settings) -> None:
    assert terms(settings, replace(QUERY, conversation="c")).blocked is None


def test_recordings_need_nothing_that_grades_them(settings: Settings) -> None:
    arms = tuple(replace(arm, provider="recorded") for arm in settings.arms)
    unreferenced = replace(QUERY, reference=None, grader=None)
    assert terms(replace(settings, arms=arms), unreferenced).blocked is None
    assert terms(replace(settings, arms=(*settings.arms[1:], arms[0])), unreferenced).blocked is not None


def test_a_judge_must_be_one_that_the_query_may_be_shown_to(both: Settings, server: ModelServer) -> None:
    judged = parse_settings(http_config(server, audit_share=1) + JUDGE, file=None)
    query = Query(text="Tell me of Rome.", grader="fair")
    assert terms(judged, query).blocked is None
    assert terms(judged, replace(query, tags=("private",))).blocked == "nothing can grade it"
    assert terms(judged, query, AskOptions(limits=Limits(local_only=True))).blocked == "nothing can grade it"


def test_an_audit_makes_graded_rows_beside_the_one_of_the_user(both: Settings, server: ModelServer) -> None:
    shown: list[str] = []
    server.reply(by_model(m1=says("5"), m2=says("6")))
    answer, (row,), entries = audited(both, callbacks=Callbacks(on_text=shown.append))
    (served,) = answer.entry.outcomes
    assert (served.role, served.audit_probability, served.audited) == ("served", 1.0, True)
    assert served.propensity is not None
    assert (row.role, row.audit_probability, row.audited) == ("audit", 1.0, True)
    assert (row.fallback_of, row.propensity, row.candidates) == (served.id, None, ())
    assert (row.model, row.response, row.forced, row.explored) == ("two/m2", "6", False, False)
    assert (row.query, row.policy_version, row.content_hash) == (QUERY.text, COLD, served.content_hash)
    assert grades(entries) == {row.id: 0.0}
    assert answer.accuracy == 1.0
    assert "".join(shown) == "5"
    assert answer.cost_usd == pytest.approx((10 * 1 + 5 * 2) / 1e6)


def test_without_heads_no_other_model_is_asked(both: Settings, server: ModelServer) -> None:
    server.reply(says("5"))
    answer, rows, _ = audited(replace(both, audits=Audits(share=0.0)))
    assert rows == []
    assert answer.entry.outcomes[0].audit_probability == 0.0
    assert not answer.entry.outcomes[0].audited
    assert len(server.seen) == 1


def test_an_audit_that_fails_is_a_row_and_changes_nothing_else(both: Settings, server: ModelServer) -> None:
    server.reply(by_model(m1=says("5"), m2=fails(400, "too small")))
    engine = Engine(router_of(both))
    answer, (row,), entries = audited(both, engine=engine)
    assert (row.status, row.role, row.error_kind) == ("error", "audit", "rejected")
    assert entries[0].feedback == ()
    assert answer.text == "5"
    assert engine.router.standings["two/m2"].consecutive_errors == 1


def test_a_failed_answer_is_audited_all_the_same(both: Settings, server: ModelServer) -> None:
    server.reply(by_model(m1=fails(), m2=says("5")))
    answer, (row,), entries = audited(both)
    assert [one.role for one in answer.entry.outcomes] == ["served", "attempt"]
    assert [one.audited for one in answer.entry.outcomes] == [True, False]
    assert (row.model, row.fallback_of) == ("two/m2", answer.entry.outcomes[0].id)
    assert grades(entries) == {row.id: 1.0}


def test_an_audit_escalates_nothing(both: Settings, server: ModelServer) -> None:
    server.reply(by_model(m1=says("5"), m2=says("no number")))
    checked = replace(QUERY, check=Check(grader="regex", reference="[0-9]"))
    answer, rows, entries = audited(both, checked)
    assert [row.model for row in rows] == ["two/m2"]
    assert [said.metric for said in entries[0].feedback] == ["accuracy"]
    assert len(answer.entry.outcomes) == 1


@pytest.mark.parametrize("budget", ["run", "audits"])
def test_an_audit_that_a_budget_does_not_hold_is_left_out(
    both: Settings, server: ModelServer, budget: str
) -> None:
    server.reply(says("5"))
    # A call of the cheap model is held, one of the expensive model is not.
    run = RunBudget(0.005 if budget == "run" else None)
    spending = Spending(Budget(daily_usd=0.005 if budget == "audits" else None))
    engine = Engine(router_of(both, audit_spending=spending), budget=run)
    answer, rows, _ = audited(both, engine=engine)
    (row,) = answer.entry.outcomes
    assert rows == []
    assert (row.audited, row.audit_probability) == (False, None)
    assert answer.decision.audit is not None
    assert answer.decision.audit.blocked == "a budget does not hold what it would cost"
    assert [seen.body["model"] for seen in server.seen] == ["m1"]
    assert run.reserved.usd == engine.router.spending.reserved.usd == 0.0


def test_what_is_held_for_an_audit_keeps_no_fallback_from_the_user(
    both: Settings, server: ModelServer
) -> None:
    server.reply(by_model(m1=fails(), m2=says("5")))
    decision = Engine(router_of(both)).decide(QUERY, ANY)
    # Enough for the cheap model and one call of the other, not for two.
    run = RunBudget(1.5 * decision.expected_usd("two/m2"))
    answer, rows, _ = audited(both, engine=Engine(router_of(both), budget=run))
    assert [row.role for row in answer.entry.outcomes] == ["served", "attempt"]
    assert (answer.text, answer.audited, answer.refused) == ("5", True, ())
    assert [row.role for row in rows] == ["audit"], "what the answer cost in truth leaves room for it"
    assert run.reserved.usd == 0.0


def test_an_audit_that_finds_no_room_any_more_says_so_at_once(both: Settings, server: ModelServer) -> None:
    server.reply(says("5"))
    run, entries = RunBudget(1.0), list[Entry]()
    engine = Engine(router_of(both), budget=run)

    async def one() -> Answer:
        async with engine:
            answer = await engine.answer(QUERY, engine.decide(QUERY, ANY), ANY)
            run.reserve(run.left_usd() or 0.0)
            await engine.audit(answer, ANY, entries.append)
            return answer

    answer = asyncio.run(one())
    ((row,),) = (entry.outcomes for entry in entries)
    assert (row.model, row.status, row.role, row.cost_usd) == ("two/m2", "cancelled", "audit", None)
    assert row.fallback_of == answer.entry.outcomes[0].id
    assert [seen.body["model"] for seen in server.seen] == ["m1"]


def test_a_query_that_cannot_be_audited_says_so_on_its_row(both: Settings, server: ModelServer) -> None:
    server.reply(says("5"))
    answer, rows, _ = audited(both, replace(QUERY, reference=None, grader=None))
    assert (answer.entry.outcomes[0].audit_probability, rows) == (None, [])


def test_what_audits_cost_is_counted_in_every_budget(both: Settings, server: ModelServer) -> None:
    server.reply(says("5"))
    spending = {name: Spending(Budget(daily_usd=1.0)) for name in ("spending", "audit_spending")}
    run = RunBudget(1.0)
    engine = Engine(router_of(both, **spending), budget=run)
    answer, _, entries = audited(both, engine=engine)
    of_audit = (10 * 100 + 5 * 200) / 1e6
    for entry in (answer.entry, *entries):
        engine.router.keep(entry)
    assert spending["audit_spending"].left_usd()[0] == pytest.approx(1.0 - of_audit)
    assert spending["spending"].left_usd()[0] == pytest.approx(1.0 - of_audit - answer.spent_usd)
    assert run.left_usd() == pytest.approx(1.0 - of_audit - answer.spent_usd)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        (QUERY, replace(ANY, limits=Limits(local_only=True))),
        (replace(QUERY, tags=("private",)), ANY),
    ],
)
def test_what_must_stay_here_is_audited_among_local_models_alone(
    server: ModelServer, query: Query, options: AskOptions
) -> None:
    server.reply(says("5"))
    third = (
        f'[[models]]\nid = "three/m3"\nprovider = "openai"\nbase_url = "{server.url}/v1"\ntags = ["local"]\n'
        "prior_accuracy = 0.1\n"
    )
    settings = parse_settings(http_config(server, audit_share=1) + third, file=None)
    answer, rows, _ = audited(settings, query, options)
    assert sorted([answer.model, *(row.model for row in rows)]) == ["one/m1", "three/m3"]
    assert "m2" not in [seen.body["model"] for seen in server.seen]


def test_the_answer_waits_for_no_audit_and_the_audit_for_its_own_time_limit(
    both: Settings, server: ModelServer
) -> None:
    never = threading.Event()
    server.reply(by_model(m1=says("5"), m2=lambda seen: (never,)))
    arms = tuple(replace(arm, timeout_s=0.3) if arm.id == "two/m2" else arm for arm in both.arms)
    engine, entries = Engine(router_of(replace(both, arms=arms))), list[Entry]()

    async def run() -> tuple[Answer, float]:
        async with engine:
            decision = engine.decide(QUERY, ANY)
            answer = await engine.answer(QUERY, decision, ANY)
            began = time.monotonic()
            await engine.audit(answer, ANY, entries.append)
            return answer, time.monotonic() - began

    answer, took_s = asyncio.run(run())
    never.set()
    assert answer.text == "5"
    assert entries[0].outcomes[0].error_kind == "timeout"
    assert took_s >= 0.3


def test_an_interrupt_ends_the_audit_and_not_the_answer(
    both: Settings, server: ModelServer, home: Home
) -> None:
    never = threading.Event()
    server.reply(by_model(m1=says("5"), m2=lambda seen: (never,)))
    engine, log = Engine(router_of(both)), Log(home)

    async def run() -> Answer:
        answer = await engine.ask(QUERY, ANY, journal=log.journal)
        finishing = asyncio.create_task(engine.finish_audit(answer, ANY, log.journal))
        await asyncio.to_thread(until, lambda: len(server.seen) == 2)
        finishing.cancel()
        return await finishing

    answer = asyncio.run(run())
    never.set()
    assert answer.text == "5"
    assert answer.audited
    with log.open() as connection:
        rows = connection.execute("SELECT role, status, response FROM outcomes ORDER BY id").fetchall()
    assert rows == [("served", "ok", "5"), ("audit", "cancelled", None)]


def test_nothing_is_audited_while_many_audits_are_under_way(both: Settings, server: ModelServer) -> None:
    ready = threading.Event()
    server.reply(by_model(m1=says("5"), m2=lambda seen: (ready, *says("5")(seen))))
    engine, kept = Engine(router_of(both)), list[Entry]()

    async def run() -> list[float]:
        async with engine:
            decision = engine.decide(QUERY, ANY)
            answer = await engine.answer(QUERY, decision, ANY)
            audits = [
                asyncio.create_task(engine.audit(answer, ANY, kept.append)) for _ in range(MOST_AT_ONCE)
            ]
            await asyncio.sleep(0)
            busy = engine.audit_terms(QUERY, ANY).probability
            ready.set()
            await asyncio.gather(*audits)
            return [busy, engine.audit_terms(QUERY, ANY).probability]

    assert asyncio.run(run()) == [0.0, 1.0]
    assert len(kept) == MOST_AT_ONCE


def test_rows_of_all_models_are_seeds(both: Settings, server: ModelServer) -> None:
    server.reply(says("5"))
    answer, rows, _ = audited(both, options=AskOptions(model="two/m2", seeds=True))
    (row,) = answer.entry.outcomes
    assert (row.role, row.audit_probability, row.audited, row.propensity) == ("seed", 1.0, True, None)
    assert (rows, row.contest) == ([], None)


def test_rows_of_all_models_tell_what_both_sides_of_a_contest_would_have_asked(both: Settings) -> None:
    tried = Contest(
        epoch="e", policy=Policy(version="v0009", predictor=PriorPredictor()), share=0.9, anchor="one/m1"
    )
    engine = Engine(router_of(both, Router, contest=tried))
    for model in ("one/m1", "two/m2"):
        seeded = engine.decide(QUERY, AskOptions(model=model, seeds=True))
        assert (seeded.model, seeded.forced, seeded.propensity) == (model, True, None)
        assert seeded.contest is not None
        assert (seeded.contest.champion_model, seeded.contest.share) == ("one/m1", 0.0)
        assert engine.decide(QUERY, AskOptions(model=model)).contest is None
        ungraded = replace(QUERY, reference=None, grader=None)
        assert engine.decide(ungraded, AskOptions(model=model, seeds=True)).contest is None


def test_an_unkept_answer_is_not_audited(both: Settings, server: ModelServer, tmp_path: Path) -> None:
    server.reply(says("5"))
    answer = asyncio.run(Engine(router_of(both)).ask(QUERY, ANY, journal=None))
    assert answer.decision.audit is not None
    assert answer.decision.audit.blocked == "nothing is kept"
    assert not answer.audited


def test_a_batch_that_merges_late_audits_no_more_than_it_needs_at_first(settings: Settings) -> None:
    engine = Engine(router_of(settings, Router))
    audited = 0
    for seed in range(400):
        decision = engine.decide(replace(QUERY, text=f"What is {seed} + 1?"), replace(ANY, seed=seed))
        audited += decision.audit is not None and decision.audit.heads
    first = FIRST_ROWS
    # Then a quarter of the queries.
    assert first < audited < first + 150


def chain_audit(
    settings: Settings, share: float, query: Query = QUERY
) -> tuple[Answer, list[Outcome], list[Entry]]:
    """Return an audited query of practice models while a challenger with a chain has this share."""
    settings = replace(
        settings,
        audits=Audits(share=1.0),
        explore=replace(settings.explore, rate=0.0, cold_start_rate=0.0),
    )
    policy = Policy(version="v0009", predictor=PriorPredictor(), chain=plan_of(objective=settings.objective))
    tried = Contest(epoch="e", policy=policy, share=share, anchor=PRACTICE[0])
    return audited(settings, query, engine=Engine(router_of(settings, Router, contest=tried)))


def test_what_a_chain_would_have_done_follows_from_the_answers_of_an_audit(settings: Settings) -> None:
    answer, rows, entries = chain_audit(settings, share=0.0)
    draw = answer.decision.contest
    assert draw is not None
    assert (draw.side, draw.champion_p, draw.challenger_p) == ("champion", 1.0, 1.0)
    (replay,) = entries[-1].chain_replays
    assert [one for entry in entries[:-1] for one in entry.chain_replays] == []
    known = {row.model for row in (*answer.entry.outcomes, *rows)}
    assert (replay.outcome_id, replay.side) == (answer.entry.outcomes[0].id, "challenger")
    assert replay.returned in replay.asked
    assert set(replay.asked) <= known
    # The same answers, when the chain itself was given the query.
    ran, _, others = chain_audit(settings, share=1.0)
    assert [one for entry in others for one in entry.chain_replays] == []
    assert sorted(row.model for row in ran.entry.outcomes) == sorted(replay.asked)
    assert ran.model == replay.returned


@pytest.mark.parametrize(
    ("status", "returned"), [({}, "b"), ({"b": "error"}, "a"), ({"a": "error", "b": "error"}, None)]
)
def test_a_model_that_failed_is_paid_and_answers_nothing(
    status: dict[str, Status], returned: str | None
) -> None:
    chain = Scripted(order=("a", "b"), right={"a": 0.5, "b": 0.9})
    rows = [outcome(model=model, status=status.get(model, "ok"), response_s=1.5) for model in ("a", "b")]
    (replay,) = chain_replays(QUERY, contested(chain), [Entry(outcomes=tuple(rows))])
    assert (replay.asked, replay.returned, replay.waited_s) == (("a", "b"), returned, 3.0)


def test_nothing_is_replayed_without_every_answer_or_beside_a_check() -> None:
    chain = Scripted(order=("a", "b"), right={"a": 0.5, "b": 0.9})
    rows = [Entry(outcomes=(outcome(model=model, status="ok"),)) for model in ("a", "b")]
    assert chain_replays(QUERY, contested(chain), rows[:1]) == ()
    checked = replace(QUERY, check=Check(grader="number", reference="5"))
    assert chain_replays(checked, contested(chain), rows) == ()
    tails = contested(chain)
    assert tails.audit is not None
    assert chain_replays(QUERY, replace(tails, audit=replace(tails.audit, heads=False)), rows) == ()


def test_an_audited_query_with_a_signal_is_a_pair_too(settings: Settings) -> None:
    query = replace(QUERY, check=Check(grader="number", reference="5", signal=True))
    answer, _, entries = chain_audit(settings, share=0.0, query=query)
    assert answer.decision.contest is not None
    assert answer.decision.contest.challenger_p == 1.0
    assert len(entries[-1].chain_replays) == 1
    signals = {
        one.outcome_id: one.value for entry in entries for one in entry.feedback if one.metric == SIGNAL
    }
    assert set(signals.values()) == {1.0}


@dataclass(frozen=True)
class Sure(Scripted):
    """A chain that has enough as soon as an answer has a good signal."""

    def with_answer(self, model: str, text: str, **signs: Any) -> Self:
        after = super().with_answer(model, text, **signs)
        return replace(after, enough=1) if signs["signal"] == 1.0 else after


@pytest.mark.parametrize(("value", "wanted"), [(1.0, ("a",)), (0.0, ("a", "b"))])
def test_a_chain_that_is_replayed_weighs_the_signal(value: float, wanted: tuple[str, ...]) -> None:
    chain = Sure(order=("a", "b"), right={"a": 0.5, "b": 0.9})
    rows = [outcome(model=model, status="ok") for model in ("a", "b")]
    said = tuple(replace(feedback(row.id, value), metric=SIGNAL) for row in rows)
    query = replace(QUERY, check=Check(grader="number", reference="5", signal=True))
    (replay,) = chain_replays(query, contested(chain), [Entry(outcomes=tuple(rows), feedback=said)])
    assert replay.asked == wanted


def contested(chain: Scripted) -> Decision:
    """Return a decision for the champion, whose challenger has a chain."""
    draw = asked(began("v0001", "v0002"), right={}).row.contest
    return Decision(
        candidates=(),
        model="a",
        propensity=1.0,
        forced=False,
        explored=False,
        policy_version="v0001",
        seed=1,
        contest=draw,
        chained={"challenger": chain},
        audit=Audit(probability=0.25, heads=True),
    )
