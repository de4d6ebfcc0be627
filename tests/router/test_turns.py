"""Chains as they are run: who is asked after whom, whose answer is given, what it costs, and what is kept of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.router.test_engine import answered, engine_of
from tests.support.chain_plans import PRACTICE, plan_of
from zetaroute.config import Home, Settings
from zetaroute.config.settings import Chains
from zetaroute.domain import Attachment, Audit, Check, FileNote, Message, Query
from zetaroute.log.log import Log
from zetaroute.policy import Limits, Policy, PriorPredictor
from zetaroute.policy.chain import ChainPlan
from zetaroute.router.answer import Answer
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


def changed(settings: Settings, **by_model: Any) -> Settings:
    """Return settings with fields of arms changed, by the last part of their id."""
    return replace(
        settings,
        arms=tuple(replace(arm, **by_model.get(arm.id.split("/")[1], {})) for arm in settings.arms),
    )


def asked(answer: Answer) -> list[str]:
    return [row.model for row in answer.entry.outcomes]


def test_two_that_agree_suffice_and_all_that_was_asked_is_paid_and_waited_for(settings: Settings) -> None:
    answer = answered(chained(settings), EASY, ANY)
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
    told = answer.json()["chain"]
    assert [one["model"] for one in told] == [SMALL, MEDIUM]
    assert [one["returned"] for one in told] == [False, True]
    assert [one["agrees"] for one in told] == [1.0, 1.0]
    assert all(one["probability_right"] > 0.9 for one in told)
    assert "worth asking" in told[0]["why"]
    assert first.propensity == answer.decision.propensity is not None


def test_where_two_differ_a_third_is_asked_and_the_likeliest_answer_is_given(settings: Settings) -> None:
    answer = answered(chained(settings), HARD, ANY)
    assert asked(answer) == [SMALL, MEDIUM, LARGE]
    assert answer.model == LARGE
    surer = changed(settings, medium={"prior_accuracy": 0.95})
    answer = answered(chained(surer), HARD, ANY)
    assert answer.model == MEDIUM
    assert [row.chain.returned for row in answer.entry.outcomes if row.chain] == [False, True, False]


def test_the_log_knows_which_answer_was_given_though_it_was_not_the_last(
    home: Home, settings: Settings
) -> None:
    home.make()
    log = Log(home)
    first_best = changed(
        settings,
        small={"prior_accuracy": 0.6},
        medium={"prior_accuracy": 0.55},
        large={"prior_accuracy": 0.5},
    )
    engine = chained(first_best, plan_of((SMALL, MEDIUM), settings.objective))
    answer = answered(engine, EASY, replace(ANY, run="test"))
    assert asked(answer) == [SMALL, MEDIUM]
    assert answer.model == SMALL
    log.append([answer.entry])
    with log.open() as connection:
        (served,) = connection.execute(
            "SELECT model, cost_usd, response_s, escalated, accuracy FROM served"
        ).fetchall()
    assert served[0] == SMALL
    assert served[1] == pytest.approx(answer.cost_usd)
    assert served[2] == pytest.approx(answer.response_s)
    assert served[3:] == (True, 1.0)


def test_one_model_suffices_where_it_is_as_good_as_sure(settings: Settings) -> None:
    plan = plan_of(objective=settings.objective)
    sure = replace(plan, posterior=replace(plan.posterior, joint={**plan.posterior.joint}))
    sure.posterior.joint[(0,)][0, -1] = 9.0
    answer = answered(chained(settings, sure), EASY, ANY)
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


def test_an_answer_that_fails_its_check_is_not_given_while_the_chain_has_others(settings: Settings) -> None:
    checked = replace(HARD, check=Check(grader="number", reference="14"))
    surest = changed(settings, small={"prior_accuracy": 0.95}, large={"prior_accuracy": 0.8})
    answer = answered(chained(surest), checked, ANY)
    assert asked(answer)[0] == SMALL
    assert answer.model != SMALL
    assert answer.check == 1.0


def test_a_chain_goes_on_without_a_model_that_fails(settings: Settings) -> None:
    broken = changed(settings, medium={"model": "absent"})
    answer = answered(chained(broken), EASY, ANY)
    assert [(row.model, row.status) for row in answer.entry.outcomes] == [
        (SMALL, "ok"),
        (MEDIUM, "error"),
        (LARGE, "ok"),
    ]
    assert answer.model == LARGE
    assert answer.chain[1]["why"] == "it failed"
    broken = changed(settings, small={"model": "absent"})
    answer = answered(chained(broken), EASY, ANY)
    assert asked(answer) == [SMALL, MEDIUM, LARGE]
    # A model that is asked because another failed was not chosen for a hard query.
    assert [row.escalated for row in answer.entry.outcomes] == [False, False, True]


def test_every_ceiling_holds_for_the_whole_chain(settings: Settings) -> None:
    engine = chained(settings)
    decision = engine.decide(HARD, ANY)
    two = decision.expected_usd(SMALL) + decision.expected_usd(MEDIUM)
    answer = answered(engine, HARD, replace(ANY, limits=Limits(max_cost_usd=1.1 * two)))
    assert asked(answer) == [SMALL, MEDIUM]
    run = RunBudget(1.1 * two)
    budgeted = engine_of(engine.router.settings, policy=engine.router.policy)
    budgeted._budget = run
    answer = answered(budgeted, HARD, ANY)
    assert asked(answer) == [SMALL, MEDIUM]
    assert answer.chain[1]["why"].endswith(f"{LARGE} would cost more than may be spent")
    assert run.left_usd() == pytest.approx(1.1 * two - (answer.cost_usd or 0.0))


def test_the_first_answer_is_held_until_it_is_looked_at(settings: Settings) -> None:
    pieces: list[str] = []
    names: list[str] = []
    answer = answered(chained(settings), EASY, ANY, Callbacks(on_text=pieces.append, on_ask=names.append))
    assert pieces == [answer.text]
    assert names[-1] == answer.model


def test_of_two_at_once_the_slower_one_is_ended_and_counted_where_the_other_suffices(
    home: Home, settings: Settings
) -> None:
    slow = changed(
        settings,
        small={"prior_response_s": 1.0},
        medium={"prior_response_s": 1.0, "delay": 1e5},
        large={"prior_response_s": 9.0},
    )
    hasty = replace(slow, objective=replace(settings.objective, second_value_usd=0.002))
    plan = plan_of(objective=hasty.objective)
    plan.posterior.joint[(0,)][0, -1] = 9.0
    answer = answered(chained(hasty, plan), EASY, ANY)
    # The one that was decided for is ended here.
    cut, given = answer.entry.outcomes
    assert [(row.model, row.status) for row in (cut, given)] == [(MEDIUM, "cancelled"), (SMALL, "ok")]
    assert (answer.model, answer.accuracy) == (SMALL, 1.0)
    assert cut.cost_usd == pytest.approx(answer.decision.expected_usd(MEDIUM))
    assert answer.cost_usd == pytest.approx((given.cost_usd or 0.0) + (cut.cost_usd or 0.0))
    assert answer.response_s == given.response_s
    home.make()
    log = Log(home)
    log.append([answer.entry])
    with log.open() as connection:
        (served,) = connection.execute("SELECT model, status, fell_back, response_s FROM served").fetchall()
    assert served == (SMALL, "ok", False, pytest.approx(answer.response_s))


def test_on_heads_all_models_of_the_chain_are_asked_and_none_twice(settings: Settings) -> None:
    engine = chained(settings)
    options = replace(ANY, no_audit=None)
    engine.router.settings = replace(engine.router.settings, audits=replace(settings.audits, share=1.0))

    async def run() -> tuple[Answer, list[Any]]:
        entries: list[Any] = []
        async with engine:
            query = await engine.prepare(EASY, options)
            decision = engine.decide(query, options)
            answer = await engine.answer(query, decision, options)
            await engine.audit(answer, options, entries.append)
        return answer, entries

    answer, entries = asyncio.run(run())
    coin = answer.decision.audit
    assert isinstance(coin, Audit)
    assert set(coin.asks) == set(PRACTICE)
    assert asked(answer) == [SMALL, MEDIUM]
    assert [row.model for entry in entries for row in entry.outcomes] == [LARGE]
    assert [(row.audited, row.audit_probability) for row in answer.entry.outcomes] == [(True, 1.0)] * 2
