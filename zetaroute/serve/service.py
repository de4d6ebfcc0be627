"""What the endpoints of one process share: the router, the desk, the writer and the counters.

Apart from the app because it lives as long as the process and knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zetaroute.config import Home, Settings
from zetaroute.domain import Decision, Query
from zetaroute.errors import StoreError
from zetaroute.policy import Limits, tripped
from zetaroute.policy.guards import may_matter
from zetaroute.projections import log_of
from zetaroute.providers.base import OnText
from zetaroute.router.attempts import Round
from zetaroute.router.conversations import Conversations
from zetaroute.router.engine import Desk
from zetaroute.router.router import open_router
from zetaroute.router.writer import Writer
from zetaroute.serve.metrics import Metrics
from zetaroute.serve.request import ChatRequest

RUN = "serve"
"""How the log marks its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An answer, or the failure to get one, with its row written."""

    played: Round
    kept: bool


class Service:
    """One process of the server; made within its event loop."""

    def __init__(self, home: Home, settings: Settings, metrics: Metrics) -> None:
        self.home = home
        self.settings = settings
        self.metrics = metrics
        self.log = log_of(home, settings.privacy)
        self.router = open_router(home, settings)
        self.failure: StoreError | None = None
        """Why rows cannot be kept just now."""
        self.writer = Writer(
            router=self.router,
            log=self.log,
            on_done=self._count,
            on_unkept=lambda _: metrics.add("zetaroute_unkept_total"),
            on_failure=self._fail,
            lasting=True,
        )
        self.desk = Desk(self.router, self.writer)
        self.conversations = Conversations(
            self.log, alone=metrics.workers == 1, tags_matter=_tags_matter(settings)
        )
        self._under_way: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, Finished]) -> asyncio.Task[Finished]:
        """Start an answer that closing waits for."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def decide(self, wanted: ChatRequest, query: Query, kept_model: str | None = None) -> Decision:
        """Choose a model, the kept one where it may answer; raise NoAnswerError when none may."""
        return self.router.decide(
            query,
            seed=random.getrandbits(48),
            limits=Limits(max_cost_usd=wanted.max_cost_usd),
            objective=wanted.objective,
            forced=wanted.model,
            kept=kept_model,
        )

    async def _continued(self, wanted: ChatRequest) -> tuple[Query, str | None]:
        """Return the query with the tags of its conversation, and the model that goes on there, if one does."""
        name = wanted.query.conversation
        if name is None:
            return wanted.query, None
        # What a detector finds in one turn counts for the next ones too.
        query = self.router.tagged(wanted.query)
        spoken = await self.conversations.recall(name)
        self.conversations.note(name, tags=query.tags)
        query = replace(query, tags=tuple(dict.fromkeys((*query.tags, *spoken.tags))))
        model = spoken.model if wanted.keeps_model else None
        if model is None or model not in self.router.arms:
            return query, None
        standing = self.router.standings.get(model)
        return query, None if standing is not None and tripped(standing) else model

    async def answer(
        self,
        wanted: ChatRequest,
        *,
        outcome_id: str,
        on_decision: Callable[[Decision], None],
        on_ask: Callable[[str], None],
        on_text: OnText | None,
    ) -> Finished:
        """Decide, answer and write down; raise NoAnswerError when no model may answer at all."""
        start = time.perf_counter()
        query, kept_model = await self._continued(wanted)
        query = await self.desk.prepared(query)
        decision = self.decide(wanted, query, kept_model)
        query_budget = self.desk.query_budget(decision, most_usd=wanted.max_cost_usd)
        query_budget.open()
        on_decision(decision)
        played, safe = await self.desk.answer(
            query,
            decision,
            query_budget,
            run=RUN,
            deadline_s=self.settings.serving.timeout_s,
            on_text=on_text,
            on_ask=on_ask,
            # What a client has read cannot be taken back.
            start_anew=False,
            outcome_id=outcome_id,
        )
        if query.conversation is not None and played.outcome.status == "ok":
            self.conversations.note(query.conversation, model=played.outcome.model)
        kept = await safe
        if kept:
            self.failure = None
        elapsed_s = time.perf_counter() - start
        self.metrics.observe("zetaroute_answer_seconds", elapsed_s)
        self.metrics.observe("zetaroute_added_seconds", max(0.0, elapsed_s - played.response_s))
        return Finished(played=played, kept=kept)

    async def aclose(self) -> None:
        """Let what was cut write its rows, then close everything."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self.writer.aclose()
        await self.desk.aclose()

    def _count(self, rounds: Sequence[Round]) -> None:
        for played in rounds:
            for row in played.entry.outcomes:
                self.metrics.add("zetaroute_outcomes_total", model=row.model, status=row.status)
                self.metrics.add(
                    "zetaroute_tokens_total", row.input_tokens or 0, model=row.model, kind="input"
                )
                self.metrics.add(
                    "zetaroute_tokens_total", row.output_tokens or 0, model=row.model, kind="output"
                )
                self.metrics.add("zetaroute_cost_usd_total", row.cost_usd or 0.0, model=row.model)

    def _fail(self, error: StoreError) -> None:
        self.failure = error


def _tags_matter(settings: Settings) -> bool:
    endpoints = [] if settings.embedding is None else [settings.embedding.arm]
    return may_matter(settings.rules, [arm.tags for arm in (*settings.arms, *endpoints)])
