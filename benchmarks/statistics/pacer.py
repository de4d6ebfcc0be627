"""Whether a budget that tapers lasts the day, and what its answers are worth beside those of a cliff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.statistics.sizes import Size
from zetaroute.arrays import Array
from zetaroute.config import Budget
from zetaroute.domain import Objective
from zetaroute.router.budget import Spending

QUERIES = 2000
DAYS = 10
COSTS_USD = np.array([0.0002, 0.001, 0.005])
SKILLS = np.array([0.2, 1.1, 2.2])
MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)
SHAPES = {
    "evenly": "over the whole day",
    "office": "between 8 and 18",
    "burst": "half of them in half an hour",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """The queries of a day in order of time: known chances, and what each model would do."""

    at: Array
    """(n,) share of the day that is gone."""
    accuracy: Array
    """(n, 3) true chances to be right."""
    right: Array
    cost_usd: Array


def pacer(size: Size, jobs: int) -> list[str]:
    """Return the section of the page."""
    lines = [
        "## A budget that tapers",
        "",
        f"{QUERIES:,} queries a day, three models whose true chances and costs are known, {DAYS} days each.",
        "The budget is a share of what a day without one takes. Value in USD a day, unanswered queries in",
        "brackets: with the budget as a cliff, with `taper`, of the best single model that the budget lasts for,",
        "and of the best choice with the whole day known beforehand (one price of money for all of it).",
        "",
        "| queries come | budget | cliff | taper | single | best |",
        "|---|---|---|---|---|---|",
    ]
    queries = min(QUERIES, 200 * size.loops)
    for shape, words in SHAPES.items():
        for share in (0.15, 0.4, 0.8, 1.5):
            rows = np.array(
                [_compared(_day(shape, seed, queries), share) for seed in range(min(DAYS, size.loops))]
            ).mean(axis=0)
            cliff, left, taper, unmet, single, best = rows
            lines.append(
                f"| {words} | {share:.0%} | {cliff:.2f} ({left:.0f}) | {taper:.2f} ({unmet:.0f}) "
                f"| {single:.2f} | {best:.2f} |"
            )
    return [*lines, ""]


def _day(shape: str, seed: int, queries: int) -> _Day:
    rng = np.random.default_rng(seed)
    at = rng.random(queries)
    if shape == "office":
        at = 0.33 + 0.42 * rng.beta(3, 3, queries)
    elif shape == "burst":
        at[: queries // 2] = 0.4 + 0.02 * at[: queries // 2]
    difficulty = rng.normal(size=(queries, 1))
    logits = SKILLS - 1.2 * difficulty + 0.5 * rng.normal(size=(queries, 3))
    accuracy = 1.0 / (1.0 + np.exp(-logits))
    return _Day(
        at=np.sort(at),
        accuracy=accuracy,
        right=rng.random((queries, 1)) < accuracy,
        cost_usd=COSTS_USD * np.exp(rng.normal(size=(queries, 1)) * 0.7 - 0.245),
    )


def _compared(day: _Day, share: float) -> list[float]:
    value, every = Objective().answer_value_usd, np.arange(len(day.at))
    free = (value * day.accuracy - day.cost_usd).argmax(axis=1)
    budget_usd = share * float(day.cost_usd[every, free].sum())
    lasting = day.cost_usd.sum(axis=0) <= budget_usd
    single = float(np.where(lasting, value * day.right.sum(axis=0), 0.0).max())
    low, high = 1.0, 1e4
    for _ in range(40):
        price = (low * high) ** 0.5
        chosen = (value / price * day.accuracy - day.cost_usd).argmax(axis=1)
        low, high = (price, high) if day.cost_usd[every, chosen].sum() > budget_usd else (low, price)
    chosen = free if share >= 1.0 else (value / high * day.accuracy - day.cost_usd).argmax(axis=1)
    best = value * float(day.right[every, chosen].sum())
    return [*_played(day, budget_usd, taper=False), *_played(day, budget_usd, taper=True), single, best]


def _played(day: _Day, budget_usd: float, *, taper: bool) -> tuple[float, float]:
    """Return what a day's answers are worth and how many queries got none."""
    spending, worth, unanswered = Spending(Budget(daily_usd=budget_usd, taper=taper)), 0.0, 0
    for row in range(len(day.at)):
        now = MIDNIGHT + timedelta(days=float(day.at[row]))
        objective = Objective().at_price(spending.price(now)[0])
        left_usd = spending.left_usd(now)[0] or 0.0
        gain = objective.answer_value_usd * day.accuracy[row] - day.cost_usd[row]
        model = int(np.where(day.cost_usd[row] <= left_usd, gain, -np.inf).argmax())
        if day.cost_usd[row, model] > left_usd:
            unanswered += 1
            continue
        spending.reserved.add(0.0)
        spending.settle(0.0, float(day.cost_usd[row, model]))
        spending.keep(float(day.cost_usd[row, model]), now)
        worth += Objective().answer_value_usd * float(day.right[row, model])
    return worth, float(unanswered)
