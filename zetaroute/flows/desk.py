"""Where a query gets its embedding and a decided one its answer, and what came of it goes to the writer.

Shared by `batch` and `serve`: both decide for themselves, for one may wait for money and the other may not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from zetaroute.domain import Decision, Query
from zetaroute.flows.embed import embedded, endpoint_for
from zetaroute.flows.round import Round, play
from zetaroute.flows.router import Router
from zetaroute.flows.spending import RunBudget
from zetaroute.flows.writer import Safe, Writer
from zetaroute.providers.embedding import Embedder
from zetaroute.providers.opening import open_providers
from zetaroute.providers.protocol import OnText


class Desk:
    """Answers decided queries, any number at once, over connections that they share."""

    def __init__(
        self, router: Router, writer: Writer, *, budget: RunBudget | None = None, local_only: bool = False
    ) -> None:
        self._router = router
        self._writer = writer
        self._budget = budget or RunBudget(None)
        self._providers = open_providers(router.settings.arms, many=True)
        self._endpoint = endpoint_for(router.settings, local_only=local_only)
        self.embedder = None if self._endpoint is None else Embedder(self._endpoint, many=True)

    async def embedded(self, query: Query) -> Query:
        """Return the query with its embedding, where an endpoint is configured."""
        if self._endpoint is None or self.embedder is None:
            return query
        return await embedded(query, self._endpoint, self.embedder)

    def reserve(self, decision: Decision) -> bool:
        """Set aside what a decided query may cost; return False when the run's budget does not hold it."""
        if not self._budget.reserve(expected_usd(decision)):
            return False
        self._router.spending.reserved.add(expected_usd(decision))
        return True

    async def answer(
        self,
        query: Query,
        decision: Decision,
        *,
        run: str,
        deadline_s: float | None = None,
        on_text: OnText | None = None,
        on_ask: Callable[[str], None] | None = None,
        start_anew: bool = True,
        outcome_id: str | None = None,
    ) -> tuple[Round, Safe]:
        """Answer a query that money was set aside for; return its round, and when it is safe.

        A cancelled one is written too. The other arguments are those of `play`.
        """
        expected, cost = expected_usd(decision), 0.0
        try:
            played = await play(
                query,
                decision,
                arms=self._router.arms,
                providers=self._providers,
                run=run,
                on_text=on_text,
                on_ask=on_ask,
                deadline_s=deadline_s,
                start_anew=start_anew,
                outcome_id=outcome_id,
            )
            cost = played.spent_usd
        except asyncio.CancelledError as error:
            if error.args and isinstance(error.args[0], Round):
                self._writer.add(error.args[0])
            raise
        finally:
            self._budget.settle(expected, cost)
            self._router.spending.settle(expected, cost)
        for outcome in played.entry.outcomes:
            self._router.note(outcome)
        return played, self._writer.add(played)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._providers.aclose()
        if self.embedder is not None:
            await self.embedder.aclose()


def expected_usd(decision: Decision) -> float:
    """Return what the chosen model is expected to cost; nothing where its price is unknown."""
    chosen = next(candidate for candidate in decision.candidates if candidate.model == decision.model)
    return chosen.cost_usd.mean if chosen.cost_usd else 0.0
