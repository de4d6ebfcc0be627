"""Where a query is made ready and a decided one gets its answer, and what came of it goes to the writer.

Shared by `batch` and `serve`: both decide for themselves, for one may wait for money and the other may not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from zetaroute.config import Objective
from zetaroute.domain import Attempt, Check, Decision, Query, RatingLot
from zetaroute.errors import NoAnswerError
from zetaroute.feedback.ratings import with_lot
from zetaroute.grading.graders import Graders
from zetaroute.log.journal import Journal
from zetaroute.policy import Limits
from zetaroute.providers.base import OnText
from zetaroute.providers.pool import open_providers
from zetaroute.router.attempts import Round, play
from zetaroute.router.budget import QueryBudget, RunBudget
from zetaroute.router.prepare import embedded, may_be_embedded
from zetaroute.router.router import Router
from zetaroute.router.writer import Safe, Writer


def choose(
    router: Router,
    query: Query,
    *,
    seed: int,
    model: str | None = None,
    kept: str | None = None,
    limits: Limits | None = None,
    objective: Objective | None = None,
) -> Decision:
    """Decide a query; `model` pins one, and an unknown one raises ConfigError with those that exist.

    `kept` is the one that answered last in the conversation, and goes on where it may.
    """
    if model is not None:
        router.settings.arm(model)
    return router.decide(query, seed=seed, limits=limits, objective=objective, forced=model, kept=kept)


async def ask(
    router: Router,
    query: Query,
    decision: Decision,
    *,
    journal: Journal | None,
    on_text: OnText | None = None,
    on_switch: Callable[[Attempt, str], None] | None = None,
    timeout_s: float | None = None,
    limits: Limits | None = None,
    lot: RatingLot | None = None,
) -> Round:
    """Answer a decided query and journal what happened (with journal=None nothing is kept).

    `limits` bind what follows the decision too: the judges, and the cost of all models together. `lot` says whether
    a rating will be asked for and is written on the answer's row; None where nobody can be asked.
    Raises NoAnswerError, after its rows are safe, when no model answered.
    """
    limits = limits or Limits()
    providers = open_providers(router.settings.arms)
    query_budget = QueryBudget(decision, spending=router.spending, most_usd=limits.max_cost_usd)
    query_budget.open()
    try:
        played = await play(
            query,
            decision,
            arms=router.arms,
            providers=providers,
            graders=Graders(router.settings, local_only=limits.local_only),
            on_text=on_text,
            on_switch=on_switch,
            query_budget=query_budget,
            deadline_s=timeout_s,
        )
    except asyncio.CancelledError as error:
        if journal is not None and error.args and isinstance(error.args[0], Round):
            journal.append([error.args[0].entry])
        raise
    finally:
        await providers.aclose()
    if lot is not None and played.outcome.status == "ok":
        played = with_lot(played, lot)
    if journal is not None:
        journal.append([played.entry])
    if played.outcome.status != "ok":
        refused = ", ".join(dict.fromkeys(query_budget.refused))
        limit = f"; asking {refused} would cost more than may be spent" if refused else ""
        raise NoAnswerError(f"no model could answer: {played.failures}{limit}.")
    return played


class Desk:
    """Answers decided queries, any number at once, over connections that they share."""

    def __init__(
        self, router: Router, writer: Writer, *, budget: RunBudget | None = None, limits: Limits | None = None
    ) -> None:
        self._router = router
        self._writer = writer
        self._budget = budget or RunBudget(None)
        self._limits = limits or Limits()
        self._providers = open_providers(router.settings.arms, many=True)
        self._graders = Graders(router.settings, local_only=self._limits.local_only)
        endpoint = router.settings.embedding
        self.embedder = None
        if endpoint is not None:
            from zetaroute.providers.embeddings import Embedder

            self.embedder = Embedder(endpoint, many=True)

    async def prepared(self, query: Query, check: Check | None = None) -> Query:
        """Return the query as it is decided: with its tags, its check, and its embedding where it may have one."""
        query = self._graders.checked(self._router.tagged(query), check)
        if self.embedder is None or not self.may_embed(query):
            return query
        return await embedded(query, self.embedder)

    def may_embed(self, query: Query) -> bool:
        """Return whether the embedding endpoint may see a query, with the tags that a detector gives it."""
        return may_be_embedded(self._router.tagged(query), self._router.settings, self._limits)

    def query_budget(self, decision: Decision, *, most_usd: float | None = None) -> QueryBudget:
        """Return what a decided query may spend, still to be opened; `most_usd` is the query's own limit."""
        limits_usd = [limit for limit in (most_usd, self._limits.max_cost_usd) if limit is not None]
        return QueryBudget(
            decision,
            spending=self._router.spending,
            run=self._budget,
            most_usd=min(limits_usd, default=None),
        )

    async def answer(
        self,
        query: Query,
        decision: Decision,
        query_budget: QueryBudget,
        *,
        run: str,
        deadline_s: float | None = None,
        on_text: OnText | None = None,
        on_ask: Callable[[str], None] | None = None,
        start_anew: bool = True,
        outcome_id: str | None = None,
    ) -> tuple[Round, Safe]:
        """Answer a query whose purse is open; return its round, and when it is safe.

        A cancelled one is written too. An answer that is checked is shown when it is whole: until then that of
        another model may take its place. The other arguments are those of `play`.
        """
        try:
            played = await play(
                query,
                decision,
                arms=self._router.arms,
                providers=self._providers,
                graders=self._graders,
                run=run,
                on_text=None if query.check else on_text,
                on_ask=on_ask,
                query_budget=query_budget,
                deadline_s=deadline_s,
                start_anew=start_anew,
                outcome_id=outcome_id,
            )
        except asyncio.CancelledError as error:
            if error.args and isinstance(error.args[0], Round):
                self._note(error.args[0])
                self._writer.add(error.args[0])
            raise
        if query.check and on_ask is not None:
            # Of the models that were asked, the one whose answer is given.
            on_ask(played.outcome.model)
        if query.check and on_text is not None and played.completion is not None and played.completion.words:
            on_text(played.completion.words)
        self._note(played)
        return played, self._writer.add(played)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._providers.aclose()
        if self.embedder is not None:
            await self.embedder.aclose()

    def _note(self, played: Round) -> None:
        for outcome in played.entry.outcomes:
            self._router.observe(outcome)
