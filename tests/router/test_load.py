"""The load of models: calls in flight and the latest response times make forecasts of now, and move choices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.cli.conftest import http_config, says
from tests.providers.loopback import ModelServer, Running
from zetaroute.config import Objective, Settings, parse_settings
from zetaroute.domain import Decision, Query
from zetaroute.learn.feature_maps import TextMap
from zetaroute.policy import Policy
from zetaroute.policy.heads import LinearHead, LogHead
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.policy.packed_covariance import fold
from zetaroute.router.engine import Engine
from zetaroute.router.load import HALF_LIFE_S, Load
from zetaroute.router.options import AskOptions
from zetaroute.router.router import Router

USUAL_S = 0.15
WORTH = Objective(answer_value_usd=1.0, satisfaction_value_usd=0.0, second_value_usd=5.0)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


def learned(models: tuple[str, ...], accuracy: tuple[float, ...]) -> Policy:
    """Return a policy that expects the same of every query, and USUAL_S of every model."""
    names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    found = TextMap([f"{one} some words {two}" for one in names for two in names], seed=0).frozen
    constant = np.zeros((len(models), found.size))
    constant[:, -1] = 1.0 / 3.0

    def head(level: tuple[float, ...]) -> LinearHead:
        spread = fold(np.zeros((len(models), found.size, found.size), dtype=np.float32))
        coef = constant * np.array(level)[:, None]
        return LinearHead(coef=coef, spread=spread, noise=0.1, rows=np.full(len(models), 500.0))

    one = np.ones(len(models))
    times = LogHead(linear=head((float(np.log(USUAL_S)),) * len(models)), smear=one, upper=2 * one)
    predictor = LearnedPredictor(
        map=found,
        models=models,
        accuracy=head(accuracy),
        satisfaction=None,
        response=times,
        cost=None,
        rating=None,
    )
    return Policy(version="v0001", predictor=predictor)


def slow(load: Load, *, at_s: float = 0.0) -> float:
    return load.slow(at_s)["m"]


def test_answers_that_took_long_count_less_with_time_and_with_every_later_one() -> None:
    load = Load()
    for _ in range(6):
        load.saw("m", 5.0, 0, 0.0)
    now, later = slow(load), slow(load, at_s=10 * HALF_LIFE_S)
    assert 3.0 < now < 5.0
    assert later == pytest.approx(1.0, abs=0.02)
    load = Load()
    load.saw("m", 20.0, 0, 0.0)
    before = slow(load)
    for _ in range(20):
        load.saw("m", 1.0, 0, 0.0)
    assert slow(load) < 1.0 + 0.1 * (before - 1.0)


def test_what_calls_in_flight_cost_is_learned_and_counts_while_there_are_any() -> None:
    load, now_s = Load(), time.monotonic()
    for count in (0, 8) * 12:
        load.saw("m", 1.0 + 0.5 * count, count, now_s)
    assert slow(load, at_s=now_s) == pytest.approx(1.0, abs=0.4)
    with load.asking("m", None), load.asking("m", None), load.asking("m", None), load.asking("m", None):
        assert slow(load, at_s=now_s) == pytest.approx(3.0, abs=0.4)
    assert slow(load, at_s=now_s) == pytest.approx(1.0, abs=0.4)


def test_a_slow_phase_of_a_server_moves_the_choice_and_is_over_with_it(server: ModelServer) -> None:
    settings: Settings = parse_settings(http_config(server), file=None)
    policy = learned(("one/m1", "two/m2"), (0.9, 0.5))
    engine = Engine(Router(settings=settings, policy=policy, standings={}), many=False)
    options = AskOptions(objective=WORTH, seed=1)

    def decide() -> Decision:
        return engine.decide(Query(text="some words"), options)

    async def ask(*, after_s: float, times: int) -> None:
        pinned = AskOptions(model="one/m1", objective=WORTH, seed=1)
        server.reply(says("yes", after_s=after_s))
        async with engine:
            for _ in range(times):
                query = await engine.prepare(Query(text="some words"), pinned)
                await engine.answer(query, engine.decide(query, pinned), pinned)

    def best(decision: Decision) -> str:
        return max(decision.candidates, key=lambda one: one.utility_usd.mean).model

    assert best(decide()) == "one/m1"
    asyncio.run(ask(after_s=0.6, times=1))
    told = decide()
    assert best(told) == "two/m2"
    assert "times as long now" in told.candidates[0].reason
    assert told.candidates[0].response_s.mean > 1.5 * USUAL_S
    asyncio.run(ask(after_s=0.0, times=6))
    assert best(decide()) == "one/m1"
