"""Every dollar is counted once, wherever it is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from zetaroute.config import Budget
from zetaroute.router.budget import RunBudget, Spending

NOW = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)
TOMORROW = datetime(2026, 6, 1, 0, 1, tzinfo=UTC)
DAYS = {"2026-05-01": 3.0, "2026-05-31": 1.0, "2026-04-30": 50.0}


@pytest.mark.parametrize(
    ("budget", "now", "left"),
    [
        (Budget(), NOW, (None, "")),
        (Budget(daily_usd=5), NOW, (4.0, "daily budget of $5")),
        (Budget(monthly_usd=5), NOW, (1.0, "monthly budget of $5")),
        (Budget(daily_usd=5, monthly_usd=5), NOW, (1.0, "monthly budget of $5")),
        (Budget(daily_usd=1.5, monthly_usd=5), NOW, (0.5, "daily budget of $1.5")),
        (Budget(daily_usd=5, monthly_usd=6), TOMORROW, (5.0, "daily budget of $5")),
    ],
)
def test_the_tightest_budget_counts(budget, now, left):
    assert Spending(budget, DAYS).left_usd(now) == left


def test_a_call_is_counted_at_every_moment_of_its_life():
    spending = Spending(Budget(daily_usd=5), DAYS)
    lefts = []
    for step in (
        lambda: spending.reserved.add(2.0),
        lambda: spending.settle(2.0, 1.5),
        lambda: spending.keep(1.5, NOW),
        lambda: spending.refresh({**DAYS, "2026-05-31": 2.75}),
    ):
        step()
        lefts.append(spending.left_usd(NOW)[0])
    assert lefts == [2.0, 2.5, 2.5, 2.25]


def test_waiting_ends_with_the_next_call_and_frees_nothing_without_one():
    async def story() -> list[object]:
        budget, happened = RunBudget(1.0), []
        happened.append(await budget.reserved.wait())
        for expected_usd in (0.3, 0.6):
            assert budget.reserve(expected_usd)
        waiting = asyncio.create_task(budget.reserved.wait())
        await asyncio.sleep(0)
        happened.append(waiting.done())
        budget.settle(0.3, 0.1)
        happened.append(await waiting)
        return happened

    assert asyncio.run(story()) == [False, False, True]


def test_the_budget_of_a_run_holds_what_is_under_way():
    budget = RunBudget(1.0)
    assert budget.reserve(0.6)
    assert not budget.reserve(0.6)
    budget.settle(0.6, 0.1)
    assert budget.reserve(0.6)
    budget.settle(0.6, 0.9)
    assert not budget.reserve(0.01)
    assert RunBudget(None).reserve(1e9)


@pytest.mark.parametrize(
    ("hour", "spent", "price"),
    [(12, 0.0, 1.0), (12, 2.5, 1.0), (12, 3.5, 7.7), (12, 4.999, 1000.0), (12, 6.0, 1000.0), (18, 3.5, 1.0)],
)
def test_money_counts_more_while_a_budget_is_spent_faster_than_the_day_goes_by(hour, spent, price):
    now = datetime(2026, 5, 31, hour, tzinfo=UTC)
    days = {"2026-05-31": spent}
    assert Spending(Budget(daily_usd=5, taper=True), days).price(now)[0] == price
    assert Spending(Budget(daily_usd=5), days).price(now) == (1.0, "")


def test_the_budget_that_is_spent_fastest_sets_the_price_of_money():
    now = datetime(2026, 2, 15, tzinfo=UTC)
    budget = Budget(daily_usd=5, monthly_usd=20, taper=True)
    assert Spending(budget, {"2026-02-03": 12.0}).price(now) == (2.4, "monthly budget of $20")
    assert Spending(Budget(taper=True)).price(now) == (1.0, "")
