"""The engine: a query in, its answer out; `ask`, `batch`, `serve` and Python stand on it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from zetaroute.domain import AuditTerms, Check, Decision, Query
from zetaroute.errors import ConfigError, StoreError
from zetaroute.grading.graders import Graders
from zetaroute.log.journal import Entry, Journal
from zetaroute.policy import Limits, allowed, tripped
from zetaroute.providers.pool import Providers, open_providers
from zetaroute.router.answer import Answer, UnansweredError, UnkeptAnswerError
from zetaroute.router.attempts import cut_answer, cut_attempt, run_attempts
from zetaroute.router.audits import MOST_AT_ONCE, asked_beside, chain_replays, may_chain, unaudited
from zetaroute.router.budget import QueryBudget, RunBudget
from zetaroute.router.load import answered_s
from zetaroute.router.options import SILENT, AskOptions, Callbacks, Patient
from zetaroute.router.prepare import embedded
from zetaroute.router.records import OutcomeRecords
from zetaroute.router.router import Router

if TYPE_CHECKING:
    from zetaroute.providers.embedder import Embedder


class Engine:
    """Prepares, decides and answers queries, any number at once, over connections that they share.

    To be used in `async with`, which closes the connections.
    """

    def __init__(self, router: Router, *, budget: RunBudget | None = None, many: bool = True) -> None:
        """Spend no more than `budget` over all queries; `many` when they are answered side by side."""
        self.router = router
        self.graders = Graders(router.settings)
        self._budget = budget or RunBudget(None)
        self._many = many
        self._auditing = 0
        """Answers whose audit is under way."""

    @cached_property
    def _providers(self) -> Providers:
        return open_providers(self.router.settings.arms, many=self._many)

    @cached_property
    def embedder(self) -> Embedder | None:
        """What asks the embedding endpoint; None where the config names none."""
        if self.router.settings.embedding is None:
            return None
        from zetaroute.providers.embedder import Embedder

        return Embedder(self.router.settings.embedding, many=self._many)

    async def prepare(self, query: Query, options: AskOptions, *, check: Check | None = None) -> Query:
        """Return the query as it is decided: with its tags, its check, and its embedding where it may have one.

        `check` takes the place of the config's for the query's task. Raises UsageError for one that cannot work.
        """
        # The order is a rule of privacy: a judge, an embedding endpoint and every model are told of a query only
        # what its tags let them, so nothing comes before the tags.
        query = self.router.tagged(query)
        query = self.graders.checked(query, check)
        if self.embedder is None or not self._may_embed(query, options.limits):
            return query
        words = query.text if options.warm is None else query.talk()
        return await embedded(query, words, self.embedder)

    def may_embed(self, query: Query) -> bool:
        """Return whether the embedding endpoint may see a query, with the tags that a detector gives it."""
        return self._may_embed(self.router.tagged(query), Limits())

    def _may_embed(self, tagged: Query, limits: Limits) -> bool:
        endpoint = self.router.settings.embedding
        if endpoint is None or (limits.local_only and not endpoint.arm.local):
            return False
        return allowed(endpoint.arm.tags, tagged.tags, self.router.settings.rules)

    def decide(self, query: Query, options: AskOptions) -> Decision:
        """Choose a model for a prepared query.

        Raises ConfigError for an unknown model, NoAnswerError when the limits or the budget leave none.
        """
        decision = self.router.decide(
            query,
            seed=random.getrandbits(48) if options.seed is None else options.seed,
            limits=options.limits,
            objective=options.objective,
            forced=None if options.model is None else self.router.settings.arm(options.model).id,
            kept=self._kept(options.kept),
            warm=options.warm,
            audit=self.audit_terms(query, options),
            chains=may_chain(query, options),
        )
        return decision if self._may_audit(decision, options) else unaudited(decision)

    def _may_audit(self, decision: Decision, options: AskOptions) -> bool:
        """Return whether all that the audit asks fits into every budget: a part of it would prove nothing."""
        models = asked_beside(decision)
        if not models:
            return True
        left_usd = self.router.audit_spending.left_usd()[0]
        fits = left_usd is None or sum(map(decision.expected_usd, models)) <= max(left_usd, 0.0)
        return fits and self.query_budget(decision, options).may_open()

    def audit_terms(self, query: Query, options: AskOptions) -> AuditTerms:
        """Return under which terms a prepared query may be audited now."""
        if self._auditing >= MOST_AT_ONCE:
            return AuditTerms(probability=0.0)
        return self.router.audit_terms(query, options, graders=self.graders, run=self._budget)

    def _kept(self, model: str | None) -> str | None:
        """Return the model that a conversation goes on with: one that is configured still, and not failing."""
        if model is None or model not in self.router.arms:
            return None
        standing = self.router.standings.get(model)
        return None if standing is not None and tripped(standing) else model

    def query_budget(self, decision: Decision, options: AskOptions) -> QueryBudget:
        """Return what a decided query may spend, still to be opened."""
        return QueryBudget(
            decision,
            spending=(self.router.spending,),
            run=self._budget,
            most_usd=options.limits.max_cost_usd,
            beside=asked_beside(decision),
        )

    async def answer(
        self,
        query: Query,
        decision: Decision,
        options: AskOptions,
        *,
        callbacks: Callbacks = SILENT,
        query_budget: QueryBudget | None = None,
    ) -> Answer:
        """Answer a decided query and return what became of it, an answer or not; writing it is the caller's.

        A `query_budget` comes open. When this is cancelled, `cut_answer` makes of the error what there is to write.
        """
        held = query.may_fail_check or decision.chain is not None
        if query_budget is None:
            query_budget = self.query_budget(decision, options)
            query_budget.open()
        try:
            with self.router.load.asking(decision.model, decision.unloaded_s()) as took:
                answer = await run_attempts(
                    query,
                    decision,
                    options,
                    # Until it is looked at, another model's answer may take its place.
                    replace(callbacks, on_text=None) if held else callbacks,
                    arms=self.router.arms,
                    providers=self._providers,
                    graders=self.graders,
                    query_budget=query_budget,
                )
                took.extend(answered_s(decision, answer.entry.outcomes))
        except asyncio.CancelledError as error:
            if (cut := cut_answer(error)) is not None:
                self._observe(cut)
            raise
        self._observe(answer)
        if held:
            _tell_whole(answer, callbacks)
        return answer

    async def audit(self, answer: Answer, options: AskOptions, keep: Callable[[Entry], object]) -> None:
        """Ask the other models of an audit side by side, now that the answer is there, and hand on their graded rows.

        Nothing of it reaches the user. When this is cancelled, the calls that it cuts are handed on too. At last
        comes what the other side's chain would have done with the answers.
        """
        entries = [answer.entry]

        def keep_too(entry: Entry) -> None:
            entries.append(entry)
            keep(entry)

        calls: list[tuple[Decision, QueryBudget]] = []
        known = {row.model for row in answer.entry.outcomes if row.role == "chain" and row.status == "ok"}
        for model in asked_beside(answer.decision):
            if model in known:
                continue
            alone = replace(answer.decision, model=model, forced=True, kept=False, chain=None)
            budgets = (self.router.spending, self.router.audit_spending)
            query_budget = QueryBudget(alone, spending=budgets, run=self._budget)
            if query_budget.may_open() and query_budget.open():
                calls.append((alone, query_budget))
            else:
                # So that the evidence waits for no grade.
                skipped = OutcomeRecords(
                    answer.query, alone, options, self.router.arms, beside=entries[0].outcomes[0].id
                )
                skipped.add([cut_attempt(model)])
                keep(skipped.entry())
        self._auditing += 1
        try:
            async with asyncio.TaskGroup() as group:
                for call in calls:
                    group.create_task(self._ask_beside(*call, answer, options, keep_too))
        finally:
            self._auditing -= 1
        if replays := chain_replays(answer.query, answer.decision, entries):
            keep(Entry(chain_replays=replays))

    async def _ask_beside(
        self,
        alone: Decision,
        query_budget: QueryBudget,
        answer: Answer,
        options: AskOptions,
        keep: Callable[[Entry], object],
    ) -> None:
        query = answer.query
        try:
            with self.router.load.asking(alone.model, alone.unloaded_s()) as took:
                other = await run_attempts(
                    replace(query, check=None) if query.may_fail_check else query,
                    alone,
                    replace(
                        options,
                        deadline_s=self.router.arms[alone.model].timeout_s,
                        outcome_id=None,
                        rating_share=None,
                    ),
                    SILENT,
                    arms=self.router.arms,
                    providers=self._providers,
                    graders=self.graders,
                    query_budget=query_budget,
                    beside=answer.entry.outcomes[0].id,
                )
                took.extend(answered_s(alone, other.entry.outcomes))
        except asyncio.CancelledError as error:
            if (cut := cut_answer(error)) is not None:
                self._observe(cut)
                keep(cut.entry)
            raise
        except ConfigError:
            # It says nothing of the model; whoever asks it by itself is told.
            return
        self._observe(other)
        keep(other.entry)

    async def finish_audit(self, answer: Answer, options: AskOptions, journal: Journal) -> Answer:
        """Do the audit of an answer, journal its rows and return the answer with them; an interrupt ends it early."""
        entries: list[Entry] = []
        # The connections are opened anew, for several calls at once where one was enough before.
        self._many = self._many or len(asked_beside(answer.decision)) > 1
        try:
            async with self:
                await self.audit(answer, options, entries.append)
        except asyncio.CancelledError:
            # The answer is there, and what was cut is in the rows.
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        if entries:
            try:
                journal.append(entries)
            except StoreError as error:
                logging.getLogger("zetaroute").warning("note: the rows of an audit are lost: %s", error)
        return replace(answer, audits=tuple(entries))

    async def ask(
        self,
        query: Query,
        options: AskOptions,
        *,
        check: Check | None = None,
        callbacks: Callbacks = SILENT,
        on_decision: Callable[[Query, Decision], None] | None = None,
        journal: Journal | None,
    ) -> Answer:
        """Prepare, decide and answer one query, journal what happened, and close the connections.

        `on_decision` is told of the prepared query and its decision; with journal=None nothing is kept. Raises
        UnansweredError, after its rows are safe, when no model answered, UnkeptAnswerError with the answer when its
        rows cannot be kept, and what a callback raised, after everything else.
        """
        patient = Patient(callbacks)
        if journal is None:
            options = replace(options, no_audit="nothing is kept")
        async with self:
            query = await self.prepare(query, options, check=check)
            decision = self.decide(query, options)
            if on_decision is not None:
                on_decision(query, decision)
            try:
                answer = await self.answer(query, decision, options, callbacks=patient.callbacks)
            except asyncio.CancelledError as error:
                if journal is not None and (cut := cut_answer(error)) is not None:
                    journal.append([cut.entry])
                raise
        if journal is not None:
            try:
                journal.append([answer.entry])
            except StoreError as error:
                if answer.outcome.status != "ok":
                    raise
                raise UnkeptAnswerError(error, answer) from error
        if patient.error is not None:
            raise patient.error
        if answer.outcome.status != "ok":
            refused = ", ".join(answer.refused)
            limit = f"; asking {refused} would cost more than may be spent" if refused else ""
            raise UnansweredError(f"no model could answer: {answer.failures}{limit}.", answer)
        return answer

    def _observe(self, answer: Answer) -> None:
        self.router.observe(answer.entry.outcomes)

    async def aclose(self) -> None:
        """Close all connections that were opened."""
        opened = vars(self)
        for name in ("_providers", "embedder"):
            if opened.get(name) is not None:
                await opened.pop(name).aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _tell_whole(answer: Answer, callbacks: Callbacks) -> None:
    if callbacks.on_ask is not None:
        callbacks.on_ask(answer.model)
    words = answer.completion.words if answer.completion is not None else None
    if callbacks.on_text is not None and words:
        callbacks.on_text(words)
