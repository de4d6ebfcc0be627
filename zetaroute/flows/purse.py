"""What one query may still spend: its highest cost and the budgets, over all the models that it is asked of in turn.

Apart from the budgets because it ends with its query; `ask`, `batch` and `serve` open one for each.
"""

from __future__ import annotations

from zetaroute.domain import Decision
from zetaroute.flows.spending import RunBudget, Spending

_ROUNDING_USD = 1e-12


class Purse:
    """Holds what was paid and what the call under way is expected to cost, and says which model may be asked next."""

    def __init__(
        self,
        decision: Decision,
        *,
        spending: Spending,
        run: RunBudget | None = None,
        most_usd: float | None = None,
    ) -> None:
        self._decision = decision
        self._spending = spending
        self._run = run or RunBudget(None)
        # Whoever names a model has chosen its price.
        self._most_usd = None if decision.pinned else most_usd
        self._paid_usd = 0.0
        self._lost_usd = 0.0
        """What failed tries may have cost; no row knows it."""
        self._next_usd = decision.expected_usd(decision.model)
        self._held_usd = self._next_usd
        self.refused: list[str] = []
        """Models that would have been asked had there been the money."""

    def open(self) -> bool:
        """Set aside what the decided model may cost; return False when the run's budget does not hold it."""
        if not self._run.reserve(self._held_usd):
            return False
        self._spending.reserved.add(self._held_usd)
        return True

    def after_answer(self, model: str, paid_usd: float) -> bool:
        """Return whether a model may be asked beside what the answers until now have cost, and set its cost aside."""
        self._paid_usd, self._next_usd = paid_usd, 0.0
        return self._hold(model)

    def after_failure(self, model: str, perhaps_billed: bool) -> bool:
        """Return whether a model, the same or another, may be asked after a try that failed; set its cost aside."""
        if perhaps_billed:
            self._lost_usd += self._next_usd
        self._next_usd = 0.0
        return self._hold(model)

    def close(self, paid_usd: float) -> None:
        """Give back what is set aside, for what was paid in truth."""
        self._run.settle(self._held_usd, paid_usd)
        self._spending.settle(self._held_usd, paid_usd)

    def _hold(self, model: str) -> bool:
        expected_usd = self._decision.expected_usd(model)
        total_usd = self._paid_usd + self._lost_usd + expected_usd
        if expected_usd > 0 and not self._fits(total_usd):
            self.refused.append(model)
            return False
        self._run.reserved.change(total_usd - self._held_usd)
        self._spending.reserved.change(total_usd - self._held_usd)
        self._next_usd, self._held_usd = expected_usd, total_usd
        return True

    def _fits(self, total_usd: float) -> bool:
        more_usd = total_usd - self._held_usd
        left_usd = [self._spending.left_usd()[0], self._run.left_usd()]
        if self._most_usd is not None and total_usd > self._most_usd + _ROUNDING_USD:
            return False
        return all(left is None or more_usd <= left + _ROUNDING_USD for left in left_usd)
