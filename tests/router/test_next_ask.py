"""Chains as they are run: who is asked after whom, whose answer is given, what it costs, and what is kept of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.providers.loopback import Running, chat, http
from tests.router.test_engine import answered, engine_of
from tests.support.chain_plans import PRACTICE, Scripted, plan_of
from zetaroute.config import Home, Settings, parse_settings
from zetaroute.config.settings import Chains
from zetaroute.domain import Attachment, Audit, Check, FileNote, Message, Query
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.views import GIVEN
from zetaroute.policy import Limits, Policy, PriorPredictor
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.router.answer import Answer
from zetaroute.router.attempts import cut_answer
from zetaroute.router.budget import RunBudget
from zetaroute.router.engine import Engine
from zetaroute.router.options import AskOptions, Callbacks

SMALL, MEDIUM, LARGE = PRACTICE
EASY = Query(text="What is 2 + 3?", reference="5", grader="number")
"""All practice models are right."""
HARD = Query(text="What is 2 * (3 + 4)?", reference="14", grader="number")
"""The small one is wrong."""
ANY = AskOptions(seed=1)


def chained(settings: Settings, plan: ChainPlan | None = None, **fields: Any) -> Engine:
    settings = replace(settings, explore=replace(settings.explore, rate=0.0, cold_start_rate=0.0))
    policy = Policy(
        version="v0001",
        predictor=PriorPredictor(),
        chain=plan or plan_of(objective=settings.objective),
    )
    return engine_of(settings, policy=policy, **fields)


def run(settings: Settings, query: Query, chain: Scripted, **options: Any) -> Answer:
    """Return what a chain makes of a query."""
    callbacks = options.pop("callbacks", Callbacks())
    run_budget = options.pop("budget", None)
    wanted = replace(ANY, **options)

    async def answer() -> Answer:
        async with engine_of(settings) as engine:
            engine._budget = run_budget or RunBudget(None)
            first = chain.order[0]
            decision = replace(engine.decide(query, wanted), model=first, chain=chain, audit=None)
            return await engine.answer(query, decision, wanted, callbacks=callbacks)

    return asyncio.run(answer())


def changed(settings: Settings, **by_model: Any) -> Settings:
    """Return settings with fields of arms changed, by the last part of their id."""
    return replace(
        settings,
        arms=tuple(replace(arm, **by_model.get(arm.id.split("/")[1], {})) for arm in settings.arms),
    )


def asked(answer: Answer) -> list[str]:
    return [row.model for row in answer.entry.outcomes]


def test_all_that_a_chain_asked_is_paid_and_waited_for(settings: Settings) -> None:
    answer = run(settings, EASY, Scripted(right={SMALL: 0.6, MEDIUM: 0.9}))
    first, second = answer.entry.outcomes
    assert asked(answer) == [SMALL, MEDIUM]
    assert (first.role, second.role) == ("served", "chain")
    assert (first.escalated, second.escalated) == (False, True)
    assert second.fallback_of == first.id
    assert (answer.model, answer.text, answer.accuracy) == (MEDIUM, "The answer is 5.", 1.0)
    assert answer.completion is not None
    assert answer.completion.text == answer.text
    assert answer.cost_usd == pytest.approx((first.cost_usd or 0) + (second.cost_usd or 0))
    assert answer.response_s == pytest.approx((first.response_s or 0) + (second.response_s or 0))
    told = [
        (one["model"], one["probability_right"], one["returned"], one["why"])
        for one in answer.json()["chain"]
    ]
    assert told == [
        (SMALL, 0.6, False, "practice/medium is worth asking"),
        (MEDIUM, 0.9, True, "enough"),
    ]
    assert first.propensity == answer.decision.propensity is not None


def test_the_likeliest_answer_is_given_whichever_came_last(settings: Settings) -> None:
    chain = Scripted(right={SMALL: 0.1, MEDIUM: 0.8, LARGE: 0.7}, enough=3)
    answer = run(settings, HARD, chain)
    assert asked(answer) == list(PRACTICE)
    assert (answer.model, answer.accuracy) == (MEDIUM, 1.0)
    assert [row.chain.returned for row in answer.entry.outcomes if row.chain] == [False, True, False]


def test_the_log_knows_which_answer_was_given_though_it_was_not_the_last(
    home: Home, settings: Settings
) -> None:
    home.make()
    log = Log(home)
    answer = run(settings, EASY, Scripted(right={SMALL: 0.9, MEDIUM: 0.6}), run="test")
    assert (asked(answer), answer.model) == ([SMALL, MEDIUM], SMALL)
    log.append([answer.entry])
    with log.open() as connection:
        served = connection.execute(
            "SELECT model, cost_usd, response_s, escalated, accuracy FROM served"
        ).fetchall()
        given = connection.execute(f"SELECT model FROM outcomes WHERE {GIVEN}").fetchall()
    usd, seconds = pytest.approx(answer.cost_usd), pytest.approx(answer.response_s)
    assert served == [(SMALL, usd, seconds, True, 1.0)]
    assert given == [(SMALL,)]


def test_one_answer_may_be_enough(settings: Settings) -> None:
    answer = run(settings, EASY, Scripted(right={SMALL: 0.9}, enough=1))
    assert asked(answer) == [SMALL]
    assert [one["returned"] for one in answer.chain] == [True]


@pytest.mark.parametrize(
    ("query", "options"),
    [
        (EASY, replace(ANY, no_chain=True)),
        (EASY, replace(ANY, model=SMALL)),
        (EASY, replace(ANY, kept=SMALL)),
        (replace(EASY, history=(Message(role="user", content="hello"),)), ANY),
        (replace(EASY, after=(Message(role="tool", content="5"),)), ANY),
        (replace(EASY, options={"tools": []}), ANY),
        (replace(EASY, task="poetry"), ANY),
        (
            replace(
                EASY,
                attachments=(
                    Attachment(
                        note=FileNote(name="a", media_type="text/plain", sha256="", size=1),
                        kind="text",
                        content=b"x",
                    ),
                ),
            ),
            ANY,
        ),
        (EASY, replace(ANY, limits=Limits(max_cost_usd=1e-4))),
        (replace(EASY, tags=("private",)), replace(ANY, limits=Limits(local_only=True))),
    ],
)
def test_where_one_model_alone_may_answer_no_chain_does(
    settings: Settings, query: Query, options: AskOptions
) -> None:
    settings = changed(
        replace(settings, chains=Chains(not_for=("poetry",))), medium={"tags": ()}, large={"tags": ()}
    )
    answer = answered(chained(settings), query, options)
    assert len(answer.entry.outcomes) == 1
    assert answer.chain == []


def test_chains_can_be_switched_off_for_good(settings: Settings) -> None:
    off = replace(settings, chains=Chains(enabled=False))
    assert answered(chained(off), EASY, ANY).chain == []


def test_a_model_that_is_drawn_to_explore_is_asked_alone(settings: Settings) -> None:
    engine = chained(settings)
    engine.router.settings = replace(
        engine.router.settings, explore=replace(settings.explore, rate=1.0, cold_start_rate=1.0)
    )
    drawn = [engine.decide(EASY, replace(ANY, seed=seed)) for seed in range(40)]
    assert {one.model for one in drawn} == set(PRACTICE)
    assert all((one.chain is not None) == (one.model == SMALL) for one in drawn)
    assert all(one.explored == (one.model != SMALL) for one in drawn)


def test_an_answer_that_fails_its_check_is_not_given_while_there_are_others(settings: Settings) -> None:
    checked = replace(HARD, check=Check(grader="number", reference="14"))
    sure = {SMALL: 0.99, MEDIUM: 0.5, LARGE: 0.5}
    answer = run(settings, checked, Scripted(right=sure, enough=1))
    assert (asked(answer), answer.model, answer.check) == ([SMALL, MEDIUM], MEDIUM, 1.0)
    # Where the chain has no other, those follow that escalating would ask.
    answer = run(settings, checked, Scripted(order=(SMALL,), right=sure, enough=1))
    assert asked(answer)[0] == SMALL
    assert answer.model != SMALL
    assert answer.check == 1.0


def test_a_chain_goes_on_without_a_model_that_fails(settings: Settings) -> None:
    right = {SMALL: 0.5, LARGE: 0.9}
    answer = run(changed(settings, medium={"model": "absent"}), EASY, Scripted(right=right))
    rows = [(row.model, row.status, row.role) for row in answer.entry.outcomes]
    assert rows == [(SMALL, "ok", "served"), (MEDIUM, "error", "chain"), (LARGE, "ok", "chain")]
    assert answer.model == LARGE
    assert answer.chain[1]["why"] == "it failed"
    broken = changed(settings, small={"model": "absent"}, medium={"model": "absent"})
    answer = run(broken, EASY, Scripted(order=(SMALL, MEDIUM), right=right))
    # A model that is asked because others failed was not chosen for a hard query.
    rows = [(row.model, row.role, row.escalated) for row in answer.entry.outcomes]
    assert rows == [(SMALL, "served", False), (MEDIUM, "attempt", False), (LARGE, "attempt", False)]
    assert answer.text


def test_every_ceiling_holds_for_the_whole_chain(settings: Settings) -> None:
    chain = Scripted(right=dict.fromkeys(PRACTICE, 0.5), enough=3)
    decision = engine_of(settings).decide(HARD, ANY)
    two = decision.expected_usd(SMALL) + decision.expected_usd(MEDIUM)
    answer = run(settings, HARD, chain, limits=Limits(max_cost_usd=1.1 * two))
    assert asked(answer) == [SMALL, MEDIUM]
    budget = RunBudget(1.1 * two)
    answer = run(settings, HARD, chain, budget=budget)
    assert asked(answer) == [SMALL, MEDIUM]
    assert answer.chain[1]["why"].endswith(f"{LARGE} would cost more than may be spent")
    assert budget.left_usd() == pytest.approx(1.1 * two - (answer.cost_usd or 0.0))


def test_the_first_answer_is_held_until_it_is_looked_at(settings: Settings) -> None:
    pieces: list[str] = []
    names: list[str] = []
    told = Callbacks(on_text=pieces.append, on_ask=names.append)
    answer = run(settings, EASY, Scripted(right={SMALL: 0.9, MEDIUM: 0.6}), callbacks=told)
    assert pieces == [answer.text]
    assert names == [SMALL, MEDIUM, SMALL]


def test_of_two_at_once_the_slower_one_is_ended_and_counted_where_the_other_suffices(
    home: Home, settings: Settings
) -> None:
    slow = changed(settings, small={"delay": 1e5})
    answer = run(slow, EASY, Scripted(right={MEDIUM: 0.9}, enough=1, at_once=True))
    # The one that was decided for is ended here.
    cut, given = answer.entry.outcomes
    assert [(row.model, row.status) for row in (cut, given)] == [(SMALL, "cancelled"), (MEDIUM, "ok")]
    assert (answer.model, answer.accuracy) == (MEDIUM, 1.0)
    assert cut.cost_usd == pytest.approx(answer.decision.expected_usd(SMALL))
    assert answer.cost_usd == pytest.approx((given.cost_usd or 0.0) + (cut.cost_usd or 0.0))
    assert answer.response_s == given.response_s
    home.make()
    log = Log(home)
    log.append([answer.entry])
    with log.open() as connection:
        (served,) = connection.execute("SELECT model, status, fell_back, response_s FROM served").fetchall()
    assert served == (MEDIUM, "ok", False, pytest.approx(answer.response_s))


def test_two_at_once_are_waited_for_together_where_both_are_needed(settings: Settings) -> None:
    answer = run(settings, EASY, Scripted(right={SMALL: 0.9, MEDIUM: 0.6}, at_once=True))
    first, second = answer.entry.outcomes
    assert (first.model, second.model, answer.model) == (SMALL, MEDIUM, SMALL)
    assert answer.response_s == pytest.approx(max(first.response_s or 0.0, second.response_s or 0.0))


def test_who_leaves_while_two_are_asked_leaves_a_row_of_each(settings: Settings) -> None:
    slow = changed(settings, small={"delay": 1e5}, medium={"delay": 1e5})
    chain = Scripted(right={}, at_once=True)

    async def leave() -> Answer | None:
        async with engine_of(slow) as engine:
            decision = replace(engine.decide(EASY, ANY), model=SMALL, chain=chain)
            task = asyncio.create_task(engine.answer(EASY, decision, ANY))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as error:
                return cut_answer(error)
        return None

    left = asyncio.run(leave())
    assert left is not None
    rows = [(row.model, row.status, row.chain) for row in left.entry.outcomes]
    assert rows == [(SMALL, "cancelled", None), (MEDIUM, "cancelled", None)]


def test_on_heads_all_models_of_the_chain_are_asked_and_none_twice(settings: Settings) -> None:
    coin = Audit(probability=0.25, heads=True, asks=PRACTICE)
    chain = Scripted(right={SMALL: 0.9, MEDIUM: 0.6})

    async def audited() -> tuple[Answer, list[Entry]]:
        entries: list[Entry] = []
        async with engine_of(settings) as engine:
            decision = replace(engine.decide(EASY, ANY), model=SMALL, chain=chain, audit=coin)
            answer = await engine.answer(EASY, decision, ANY)
            await engine.audit(answer, ANY, entries.append)
        return answer, entries

    answer, entries = asyncio.run(audited())
    assert asked(answer) == [SMALL, MEDIUM]
    beside = [row for entry in entries for row in entry.outcomes]
    assert [(row.model, row.role, row.chain) for row in beside] == [(LARGE, "audit", None)]
    rows = [*answer.entry.outcomes, *beside]
    assert [(row.audited, row.audit_probability) for row in rows] == [(True, 0.25)] * 3


def test_a_policy_with_a_plan_has_the_audit_ask_all_that_the_chain_may(settings: Settings) -> None:
    engine = chained(settings)
    engine.router.settings = replace(engine.router.settings, audits=replace(settings.audits, share=1.0))
    decision = engine.decide(EASY, ANY)
    assert decision.chain is not None
    assert decision.audit is not None
    assert decision.audit.asks[0] == decision.model == SMALL
    assert set(decision.audit.asks) == set(PRACTICE)


def test_a_chain_goes_from_no_thinking_to_thinking_of_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    running = Running()
    server = running.start()
    counts = {
        "prompt_tokens": 8,
        "completion_tokens": 500,
        "completion_tokens_details": {"reasoning_tokens": 400},
    }
    server.reply(http(chat("It is 12.")), http(chat("It is 14.", usage=counts)))
    config = (Path(__file__).parents[2] / "configs" / "thinking.toml").read_text("utf-8")
    text = config.replace("https://api.openai.com", server.url) + "\n[audit]\nshare = 0\n"
    base, high = "openai/gpt-5.1", "openai/gpt-5.1:high"
    chain = Scripted(order=(base, high), right={base: 0.3, high: 0.9})
    answer = run(parse_settings(text, file=None), HARD, chain)
    running.stop()
    assert [(seen.body["model"], seen.body["reasoning_effort"]) for seen in server.seen] == [
        ("gpt-5.1", "none"),
        ("gpt-5.1", "high"),
    ]
    assert (answer.model, answer.accuracy) == (high, 1.0)
    thought = answer.entry.outcomes[1]
    # 8 tokens at 1.25 and 500, thinking included, at 10 USD per million.
    assert (thought.reasoning_tokens, thought.cost_usd) == (400, pytest.approx(5010e-6))
