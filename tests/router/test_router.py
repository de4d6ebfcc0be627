"""A router remembers within its run who is being tried again."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.log.test_log import outcome
from tests.support.contested_rows import began
from zetaroute.config import Budget, Settings
from zetaroute.domain import Query, Standing, Tally
from zetaroute.errors import NoAnswerError
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import LogState
from zetaroute.policy import Policy, PriorPredictor
from zetaroute.registry import COLD, Registry
from zetaroute.router.budget import Spending
from zetaroute.router.router import Router, open_router

QUERY = Query(text="hello there")


def router_of(settings: Settings, **fields: object) -> Router:
    policy = Policy(version="v0000", predictor=PriorPredictor())
    return Router(**{"settings": settings, "policy": policy, "standings": {}, **fields})


def eligible(router: Router, seed: int = 1) -> set[str]:
    decision = router.decide(QUERY, seed=seed)
    return {candidate.model for candidate in decision.candidates if candidate.eligible}


@pytest.mark.parametrize("status", ["ok", "error", "cancelled"])
def test_after_the_cooldown_one_query_tries_while_the_others_avoid_it(settings, status):
    failing = settings.arms[2].id
    standing = Standing(model=failing, consecutive_errors=3, last_error_s=time.time() - 31)
    router = router_of(settings, standings={failing: standing})
    seed = next(seed for seed in range(200) if router_of(settings).decide(QUERY, seed=seed).model == failing)
    assert router.decide(QUERY, seed=seed).model == failing
    assert failing not in eligible(router)
    router.observe((outcome(model=failing, status=status),))
    # Back, or left alone for twice as long, or for another query to try.
    assert (failing in eligible(router)) is (status != "error")
    assert router.standings[failing].consecutive_errors == {"ok": 0, "error": 4, "cancelled": 3}[status]


def test_a_query_that_goes_elsewhere_is_no_probe(settings):
    failing = settings.arms[2].id
    standing = Standing(model=failing, consecutive_errors=3, last_error_s=time.time() - 31)
    router = router_of(settings, standings={failing: standing})
    router.decide(QUERY, seed=1, forced=settings.arms[0].id)
    assert router.standings[failing] == standing


def standing(model: str, graded: int, accuracy: float) -> Standing:
    return Standing(model=model, record=Tally(graded=graded, accuracy=accuracy))


def test_a_cold_start_explores_less_with_every_graded_answer(settings):
    record = {arm.id: standing(arm.id, 30, 0.5) for arm in settings.arms}
    assert router_of(settings).rate == 0.5
    assert router_of(settings, standings=record).rate == pytest.approx(0.25)
    learned = Policy(version="v0001", predictor=PriorPredictor())
    assert router_of(settings, policy=learned).rate == 0.05


def test_a_cold_start_follows_the_record_that_it_is_told(settings):
    router = router_of(settings)
    best = settings.arms[0].id
    told = {arm.id: standing(arm.id, 400, 0.95 if arm.id == best else 0.2) for arm in settings.arms}
    before = [router.decide(QUERY, seed=seed).model for seed in range(40)].count(best)
    router.sync_standings(LogState(standings=told, spent_usd={}, audit_usd={}, audit_rows=0, contest=None))
    after = [router.decide(QUERY, seed=seed).model for seed in range(40)].count(best)
    assert after > 30 > before


def test_what_is_under_way_counts_against_the_budget(settings):
    router = router_of(replace(settings, budget=Budget(daily_usd=1)), spending=Spending(Budget(daily_usd=1)))
    assert len(eligible(router)) == 3
    router.spending.reserved.add(0.9995)
    assert eligible(router) == {"practice/small"}
    router.spending.settle(0.9995, 1.0)
    with pytest.raises(NoAnswerError, match="daily budget of .1 is used up"):
        router.decide(QUERY, seed=1)


def test_what_the_log_knows_is_not_forgotten_with_a_state_of_another_version(home, settings):
    model, now = settings.arms[2].id, datetime.now(UTC).replace(tzinfo=None).isoformat()
    log = Log(home)
    log.append([Entry(outcomes=(outcome(model=model, status="error", cost_usd=0.75, time=now),))])
    log.merge()
    state = json.loads(home.state.read_text())
    home.state.write_text(json.dumps({**state, "schema": state["schema"] - 1}))
    router = open_router(home, replace(settings, budget=Budget(monthly_usd=1)))
    assert router.spending.left_usd()[0] == pytest.approx(0.25)
    assert router.standings[model].consecutive_errors == 1


def test_a_log_that_is_none_stops_no_decision(home, settings):
    home.make()
    home.database.write_text("no database")
    assert len(eligible(open_router(home, settings))) == 3


def test_a_challenger_that_cannot_be_loaded_is_told_once(home, settings, caplog):
    Registry(home.artifacts).make_current(COLD)
    log = Log(home)
    log.append([Entry(contests=(began(COLD, "v0007-gone"),))])
    with caplog.at_level(logging.WARNING, "zetaroute"):
        assert [open_router(home, settings).contest for _ in range(2)] == [None, None]
    (told,) = caplog.messages
    assert told.startswith("note: v0007-gone cannot be loaded, so v0000 serves alone: ")


def test_a_budget_that_tapers_makes_models_that_cost_less_answer(settings):
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    # A millionth is left: enough for this query, and at any time of the day far too little for the rest of it.
    spending = Spending(Budget(daily_usd=1e6, taper=True), {today: 1e6 - 1})
    priced = tuple(replace(arm, tags=()) for arm in settings.arms)
    plain = router_of(replace(settings, arms=priced))
    scarce = router_of(replace(settings, arms=priced), spending=spending)
    decision = scarce.decide(QUERY, seed=1)
    assert decision.note == (
        "the daily budget of $1000000 is spent faster than its time goes by: "
        "money counts 1000 times, so a right answer is worth $0.00001"
    )
    utility = [candidate.utility_usd.mean for candidate in decision.candidates]
    cost = [candidate.cost_usd.mean for candidate in decision.candidates]
    assert decision.objective == settings.objective.at_price(1000.0)
    assert max(utility) == utility[cost.index(min(cost))]
    assert plain.decide(QUERY, seed=1).note is None
