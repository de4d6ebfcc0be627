"""What may still be spent: the budget, what the log says was spent, and what is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from zetaroute.config import Budget
from zetaroute.domain import Decision, usd

STEEPNESS = 4
"""Of the price of money; see docs/measurements/simulations.md."""
HIGHEST_PRICE = 1000.0


class Reserve:
    """What is set aside for calls under way."""

    def __init__(self) -> None:
        self.usd = 0.0
        self._calls = 0
        self._settled = asyncio.Event()

    def add(self, expected_usd: float) -> None:
        """Set aside what a call is expected to cost."""
        self._calls += 1
        self.usd += expected_usd

    def change(self, more_usd: float) -> None:
        """Set more aside for a call under way, or less."""
        self.usd += more_usd

    def remove(self, expected_usd: float) -> None:
        """Give back what was set aside for a call that is over."""
        self._calls -= 1
        self.usd = self.usd - expected_usd if self._calls else 0.0
        self._settled.set()

    async def wait(self) -> bool:
        """Wait until a call is over; return False when none is under way, so that waiting frees nothing."""
        if not self._calls:
            return False
        self._settled.clear()
        await self._settled.wait()
        return True


class Spending:
    """Counts money by day (UTC), as far as the log knows it and beyond.

    Every dollar is in one place at a time: reserved while a call is under way, pending while its row is not yet
    safe, and then in the days, which `refresh` replaces by the log's own, other processes' rows included.
    """

    def __init__(self, budget: Budget, days: Mapping[str, float] | None = None) -> None:
        self._budget = budget
        self._days = dict(days or {})
        self.reserved = Reserve()
        self._pending_usd = 0.0

    @property
    def limited(self) -> bool:
        """Whether there is a budget at all."""
        return (self._budget.daily_usd, self._budget.monthly_usd) != (None, None)

    def left_usd(self, now: datetime | None = None) -> tuple[float | None, str]:
        """Return what is left of the tightest budget and its name; None where there is no budget."""
        found = self._spent(_now(now))
        return min(((limit - spent, name) for limit, spent, name in found), default=(None, ""))

    def share_left(self, now: datetime | None = None) -> float:
        """Return which part is left of the budget that is spent most, 0 to 1; 1 where there is no budget."""
        return min((_share(limit - spent, limit) for limit, spent, _ in self._spent(_now(now))), default=1.0)

    def price(self, now: datetime | None = None) -> tuple[float, str]:
        """Return how many times money counts, and which budget says so; 1 where none tapers.

        That is the part of the time that is left over the part of the money that is left, to a power: 1 while the
        money lasts at the pace of until now, and steeply more where it does not. Two digits of it.
        """
        if not self._budget.taper:
            return 1.0, ""
        now = _now(now)
        day = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() / 86400
        next_month = (now.replace(day=28) + timedelta(days=4)).replace(day=1)
        gone = {"daily": day, "monthly": (now.day - 1 + day) / (next_month - timedelta(days=1)).day}
        found = [
            ((1.0 - gone[name.partition(" ")[0]]) / max(_share(limit - spent, limit), 1e-9), name)
            for limit, spent, name in self._spent(now)
        ]
        pace, name = max(found, default=(1.0, ""))
        return float(f"{min(max(pace, 1.0) ** STEEPNESS, HIGHEST_PRICE):.2g}"), name

    def _spent(self, now: datetime) -> list[tuple[float, float, str]]:
        """Return of every budget its limit, what was spent of it or is under way, and its name."""
        if not self.limited:
            return []
        today = now.strftime("%Y-%m-%d")
        budget, under_way = self._budget, self.reserved.usd + self._pending_usd
        found: list[tuple[float, float, str]] = []
        if budget.daily_usd is not None:
            spent_usd = self._days.get(today, 0.0) + under_way
            found.append((budget.daily_usd, spent_usd, f"daily budget of {usd(budget.daily_usd)}"))
        if budget.monthly_usd is not None:
            spent_usd = sum(cost for day, cost in self._days.items() if day.startswith(today[:7])) + under_way
            found.append((budget.monthly_usd, spent_usd, f"monthly budget of {usd(budget.monthly_usd)}"))
        return found

    def settle(self, expected_usd: float, cost_usd: float) -> None:
        """Put what a call did cost in the place of what was set aside for it."""
        self._pending_usd += cost_usd
        self.reserved.remove(expected_usd)

    def keep(self, cost_usd: float, now: datetime | None = None) -> None:
        """Take a cost as written: its row is safe."""
        today = _now(now).strftime("%Y-%m-%d")
        self._pending_usd -= cost_usd
        self._days[today] = self._days.get(today, 0.0) + cost_usd

    def refresh(self, days: Mapping[str, float]) -> None:
        """Take the log's days, which hold every row that is safe."""
        self._days = dict(days)


class RunBudget:
    """Counts what one run has spent and what is under way, so that its limit is kept while many calls run."""

    def __init__(self, limit_usd: float | None) -> None:
        self._limit_usd = limit_usd
        self._spent_usd = 0.0
        self.reserved = Reserve()

    def left_usd(self) -> float | None:
        """Return what is neither spent nor set aside; None where there is no limit."""
        return None if self._limit_usd is None else self._limit_usd - self._spent_usd - self.reserved.usd

    def share_left(self) -> float:
        """Return which part is left, 0 to 1; 1 where there is no limit."""
        left_usd = self.left_usd()
        return 1.0 if self._limit_usd is None or left_usd is None else _share(left_usd, self._limit_usd)

    def reserve(self, expected_usd: float) -> bool:
        """Set `expected_usd` aside; return False when the budget does not hold it any more."""
        left_usd = self.left_usd()
        if left_usd is not None and expected_usd > left_usd:
            return False
        self.reserved.add(expected_usd)
        return True

    def settle(self, expected_usd: float, cost_usd: float) -> None:
        """Put what a call did cost in the place of what was set aside for it."""
        self._spent_usd += cost_usd
        self.reserved.remove(expected_usd)


def _now(now: datetime | None) -> datetime:
    return now or datetime.now(UTC)


def _share(left_usd: float, limit_usd: float) -> float:
    return max(0.0, left_usd / limit_usd) if limit_usd > 0 else 0.0


_ROUNDING_USD = 1e-12


class QueryBudget:
    """Holds what was paid and what the call under way is expected to cost, and says which model may be asked next."""

    def __init__(
        self,
        decision: Decision,
        *,
        spending: Sequence[Spending],
        run: RunBudget | None = None,
        most_usd: float | None = None,
        beside: Sequence[str] = (),
    ) -> None:
        """Hold also what the models `beside` may cost, which are asked when the answer is there."""
        self._decision = decision
        self._spending = spending
        self._run = run or RunBudget(None)
        # A user who names a model has chosen its price.
        self._most_usd = None if decision.pinned else most_usd
        self._paid_usd = 0.0
        self._lost_usd = 0.0
        """What failed tries may have cost; no row knows it."""
        self._beside_usd = sum(map(decision.expected_usd, beside))
        self._under_way = {decision.model: decision.expected_usd(decision.model)}
        self._held_usd = 0.0
        self.refused: list[str] = []
        """Models that would have been asked had there been the money."""

    def may_open(self) -> bool:
        """Return whether every budget holds what `open` is to set aside."""
        wanted_usd = self._wanted_usd
        return wanted_usd == 0 or self._fits(wanted_usd)

    def open(self) -> bool:
        """Set aside what the decided model may cost; return False when the run's budget does not hold it."""
        wanted_usd = self._wanted_usd
        if not self._run.reserve(wanted_usd):
            return False
        for spending in self._spending:
            spending.reserved.add(wanted_usd)
        self._held_usd = wanted_usd
        return True

    def after_answer(self, model: str, paid_usd: float) -> bool:
        """Return whether a model may be asked beside what the answers until now have cost, and set its cost aside."""
        self._paid_usd, self._under_way = paid_usd, {}
        return self._hold(model)

    def at_once(self, model: str) -> bool:
        """Return whether a model may be asked beside the call under way, and set its cost aside."""
        return self._hold(model)

    def after_failure(self, model: str, perhaps_billed: bool) -> bool:
        """Return whether a model, the same or another, may be asked after a try that failed; set its cost aside."""
        failed = [model] if model in self._under_way else list(self._under_way)
        lost_usd = sum(map(self._under_way.pop, failed))
        if perhaps_billed:
            self._lost_usd += lost_usd
        return self._hold(model)

    def close(self, paid_usd: float) -> None:
        """Give back what is set aside, for what was paid in truth."""
        self._run.settle(self._held_usd, paid_usd)
        for spending in self._spending:
            spending.settle(self._held_usd, paid_usd)

    def _hold(self, model: str) -> bool:
        expected_usd = self._decision.expected_usd(model)
        own_usd = self._paid_usd + self._lost_usd + sum(self._under_way.values()) + expected_usd
        if expected_usd > 0 and not self._fits(own_usd + self._beside_usd):
            # The user's answer comes first.
            self._beside_usd = 0.0
            if not self._fits(own_usd):
                self.refused.append(model)
                return False
        total_usd = own_usd + self._beside_usd
        for reserved in (self._run.reserved, *(spending.reserved for spending in self._spending)):
            reserved.change(total_usd - self._held_usd)
        self._under_way[model], self._held_usd = expected_usd, total_usd
        return True

    @property
    def _wanted_usd(self) -> float:
        return sum(self._under_way.values()) + self._beside_usd

    def _fits(self, total_usd: float) -> bool:
        more_usd = total_usd - self._held_usd
        left_usd = [self._run.left_usd(), *(spending.left_usd()[0] for spending in self._spending)]
        if self._most_usd is not None and total_usd > self._most_usd + _ROUNDING_USD:
            return False
        return all(left is None or more_usd <= left + _ROUNDING_USD for left in left_usd)
