"""What is foreseen for many queries at once is what would be expected of each in its turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import pytest

from tests.support.worlds import World, learned as fit_policy
from zetaroute.config import Settings, default_config_text, parse_settings
from zetaroute.domain import Decision, Query
from zetaroute.errors import UsageError
from zetaroute.policy import Contest, Policy, PriorPredictor
from zetaroute.router.prefetch import BLOCK, MOST_CHARACTERS, Task, prefetching
from zetaroute.router.router import Router

WORLD = World(right={"dates": (0.9, 0.4), "sorting": (0.5, 0.9)}, cost_usd=(0.0001, 0.002))
SETTINGS = replace(parse_settings(default_config_text(), file=None), arms=WORLD.arms())


@pytest.fixture(scope="module")
def learned() -> Policy:
    found = fit_policy(WORLD.log(400, seed=3), WORLD.arms())
    return replace(found, version="v0001", kinds=("a", "b", *[None] * 6))


@pytest.fixture(scope="module")
def other() -> Policy:
    return replace(fit_policy(WORLD.log(300, seed=4), WORLD.arms()), version="v0002")


def router_of(policy: Policy, *, contest: Contest | None = None, settings: Settings = SETTINGS) -> Router:
    return Router(settings=settings, policy=policy, standings={}, contest=contest)


def queries(rows: int) -> list[Query]:
    found = WORLD.queries(rows, seed=9)
    return [Query(text=text, task=task if row % 3 else None) for row, (text, task) in enumerate(found)]


def assert_same(one: Decision, other: Decision) -> None:
    assert (one.model, one.segment, one.policy_version, one.contest is None) == (
        other.model,
        other.segment,
        other.policy_version,
        other.contest is None,
    )
    for mine, theirs in zip(one.candidates, other.candidates, strict=True):
        for name in ("accuracy", "satisfaction", "response_s", "cost_usd", "utility_usd"):
            a, b = getattr(mine, name), getattr(theirs, name)
            np.testing.assert_allclose((a.mean, a.se), (b.mean, b.se), rtol=1e-5, atol=1e-9)
        assert mine.probability == pytest.approx(theirs.probability, abs=1e-9)


@pytest.mark.parametrize("tried", [False, True])
def test_decisions_are_those_of_one_query_at_a_time(learned: Policy, other: Policy, tried: bool) -> None:
    contest = Contest(epoch="c", policy=other, share=0.5) if tried else None
    alone, ahead_of = router_of(learned, contest=contest), router_of(learned, contest=contest)
    asked = queries(2 * BLOCK)
    ahead_of.prefetch(asked)
    for seed, query in enumerate(asked):
        assert_same(ahead_of.decide(query, seed=seed), alone.decide(query, seed=seed))


@pytest.fixture
def asked_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how many queries a policy was asked what it expects, time after time."""
    found: list[int] = []
    whole = Policy.expect

    def noted(policy: Policy, queries, arms):
        found.append(len(queries))
        return whole(policy, queries, arms)

    monkeypatch.setattr(Policy, "expect", noted)
    return found


def test_what_was_foreseen_is_not_asked_again_and_serves_once(
    learned: Policy, asked_at_once: list[int]
) -> None:
    router, asked = router_of(learned), queries(5)
    router.prefetch(asked)
    for seed, query in enumerate(asked):
        assert router.decide(query, seed=seed).router_s > 0
    assert asked_at_once == [5]
    router.decide(asked[0], seed=9)
    assert asked_at_once == [5, 1]


def test_after_a_promotion_the_new_policy_is_asked(
    learned: Policy, other: Policy, asked_at_once: list[int]
) -> None:
    router, (query, *_) = router_of(learned), queries(1)
    router.prefetch([query])
    router.policy = other
    assert_same(router.decide(query, seed=1), router_of(other).decide(query, seed=1))
    assert asked_at_once[:2] == [1, 1]


def test_a_cold_start_foresees_nothing(asked_at_once: list[int]) -> None:
    router = router_of(Policy(version="v0000", predictor=PriorPredictor()))
    router.prefetch(queries(4))
    assert asked_at_once == []


def test_the_time_of_a_look_counts_as_the_router_s(learned: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 14.0])
    router, asked = router_of(learned), queries(2)
    with monkeypatch.context() as patch:
        patch.setattr("zetaroute.router.prefetch.time.perf_counter", lambda: next(moments))
        router.prefetch(asked)
    assert 2.0 < router.decide(asked[0], seed=1).router_s < 4.0


def tasks(rows: int) -> list[Task | None]:
    return [
        None if row % 7 == 3 else (Query(text=str(row)), "m0" if row % 5 == 1 else None)
        for row in range(rows)
    ]


@pytest.mark.parametrize("rows", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_ahead_yields_everything_in_order_and_looks_at_what_is_to_be_decided(rows: int) -> None:
    looks: list[list[str]] = []
    given = tasks(rows)
    assert list(prefetching(iter(given), lambda some: looks.append([query.text for query in some]))) == given
    assert list(chain(*looks)) == [task[0].text for task in given if task is not None and task[1] is None]
    assert max(map(len, looks), default=0) <= BLOCK


def test_a_block_of_long_queries_is_short() -> None:
    looks: list[int] = []
    long: list[Task | None] = [(Query(text="x" * (MOST_CHARACTERS // 4 + 1)), None)] * 9
    assert list(prefetching(iter(long), lambda some: looks.append(len(some)))) == long
    assert [size for size in looks if size] == [4, 4, 1]


@pytest.mark.parametrize("rows", [0, 3, BLOCK, BLOCK + 4])
def test_what_comes_before_a_broken_line_is_yielded_first(rows: int) -> None:
    def broken() -> Iterator[Task | None]:
        yield from tasks(rows)
        raise UsageError("line 4 is broken.")

    source = prefetching(broken(), lambda _: None)
    assert list(islice(source, rows)) == tasks(rows)
    with pytest.raises(UsageError, match="line 4"):
        next(source)
