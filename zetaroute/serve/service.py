"""What the endpoints of one process share: the engine, the writer and the counters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from zetaroute.config import Home, Settings
from zetaroute.domain import Decision, Query, Warm
from zetaroute.errors import StoreError
from zetaroute.log.journal import Entry
from zetaroute.policy import Limits
from zetaroute.policy.guards import may_matter
from zetaroute.projections import log_of
from zetaroute.router.answer import Answer
from zetaroute.router.audits import FIRST_AUDIT, asked_beside
from zetaroute.router.conversations import Conversation, Conversations, LastAnswer, last_answer
from zetaroute.router.engine import Engine
from zetaroute.router.notes import failed_before, notes_of
from zetaroute.router.options import AskOptions, Callbacks
from zetaroute.router.records import reported_cost_usd
from zetaroute.router.router import open_router
from zetaroute.router.writer import Writer
from zetaroute.serve.earlier_answers import EarlierAnswers
from zetaroute.serve.metrics import Metrics
from zetaroute.serve.protocol import Seldom
from zetaroute.serve.request import ChatRequest, answer_key
from zetaroute.serve.telemetry import Telemetry, open_telemetry
from zetaroute.wire.doors.door import call_id

RUN = "serve"
"""How the log marks its rows."""
_ANSWERS = logging.getLogger("zetaroute.answers")
_ANSWERS.addFilter(Seldom())
_REQUESTS = logging.getLogger("zetaroute.requests")
MOST_SAID = 100_000
"""Answers and calls of tools whose model is remembered."""
AUDITS_END_S = 5.0
"""How long audits under way may take to end when the server stops; no client waits for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An answer, or the failure to get one, with its row written."""

    answer: Answer
    kept: bool


class Service:
    """One process of the server; made within its event loop."""

    def __init__(
        self, home: Home, settings: Settings, metrics: Metrics, telemetry: Telemetry | None = None
    ) -> None:
        self.home = home
        self.settings = settings
        self.metrics = metrics
        self.telemetry = telemetry or open_telemetry()
        self.log = log_of(home, settings.privacy)
        self.router = open_router(home, settings)
        self.failure: StoreError | None = None
        """Why rows cannot be kept just now."""
        self.log_failure: StoreError | None = None
        """Why the log takes no rows just now; they are kept in the journal meanwhile."""
        self.writer = Writer(
            router=self.router,
            log=self.log,
            on_done=self._count,
            on_unkept=lambda _: metrics.add("zetaroute_unkept_total"),
            on_failure=self._fail,
            on_merge=self._merged,
            lasting=True,
        )
        self.engine = Engine(self.router)
        self.conversations = Conversations(
            self.log, alone=metrics.workers == 1, tags_matter=_tags_matter(settings)
        )
        self.earlier = EarlierAnswers(self.log)
        self._said: OrderedDict[str, LastAnswer] = OrderedDict()
        """By the id of a call that it made, or its key, each answer."""
        self._under_way: set[asyncio.Task[Any]] = set()
        self._audits: set[asyncio.Task[None]] = set()
        self._first_audit = self.router.audit_rows == 0

    def begin(self, work: Coroutine[Any, Any, Finished]) -> asyncio.Task[Finished]:
        """Start an answer that closing waits for."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _continued(self, wanted: ChatRequest) -> tuple[Query, str | None, Warm | None]:
        """Return the query with the tags of its conversation, the model that may go on there, and what is warm."""
        # What a detector finds in one turn counts for the next ones too.
        query = self.router.tagged(wanted.query)
        known = Conversation()
        if query.conversation is not None:
            known = await self.conversations.recall(query.conversation)
        # Before anything is answered or refused: whatever comes of this turn, the next one sends it again.
        await self.conversations.tag(wanted.known_as, query.tags)
        return known.continued(query), *self._kept(wanted, known)

    def _kept(self, wanted: ChatRequest, known: Conversation) -> tuple[str | None, Warm | None]:
        """Return the model that may go on, and what is warm there.

        In a loop of tools it is the one that wants to know what they said, and no other may take over.
        """
        called = next(filter(None, map(self._said.get, wanted.answers_calls)), None)
        if called is not None:
            return called.model, None
        model = known.model or (wanted.earlier.model if wanted.earlier else None)
        if wanted.answers_calls:
            return model, None
        last = self._said.get(wanted.goes_on_from or "") or (known.last if wanted.keeps_model else None)
        if last is not None:
            return last.model, last.warm(time.time())
        return (model, Warm()) if wanted.keeps_model and model is not None else (None, None)

    def _note(self, wanted: ChatRequest, answer: Answer, options: AskOptions, outcome_id: str) -> None:
        """Remember what the next turn goes on from."""
        query, done = answer.query, answer.completion
        if done is None:
            return
        last = last_answer(done, answer.model, before=options.kept)
        if query.conversation is not None:
            self.conversations.answered(query.conversation, last)
        keys = [call_id(outcome_id, place, call.id) for place, call in enumerate(done.tool_calls)]
        if done.words:
            keys.append(answer_key(wanted.known_as, done.words))
        for key in keys:
            self._said[key] = last
        while len(self._said) > MOST_SAID:
            self._said.popitem(last=False)
        if wanted.inbound.stored:
            self.earlier.keep(outcome_id, wanted, query, done, answer.model)

    async def decide(
        self, wanted: ChatRequest, *, outcome_id: str | None = None, no_audit: str | None = None
    ) -> tuple[Query, Decision, AskOptions]:
        """Return the query as it is asked, its decision and terms; raise NoAnswerError when no model may answer."""
        self.engine.graders.check(wanted.query)
        query, kept_model, warm = await self._continued(wanted)
        options = AskOptions(
            model=wanted.model,
            kept=kept_model,
            warm=warm,
            limits=Limits(max_cost_usd=wanted.max_cost_usd),
            objective=wanted.objective,
            deadline_s=self.settings.serving.timeout_s,
            run=RUN,
            outcome_id=outcome_id,
            no_chain=wanted.no_chain or no_audit is not None,
            # What a client has read cannot be taken back.
            start_anew=False,
            no_audit=no_audit,
        )
        query = await self.engine.prepare(query, options)
        return query, self.engine.decide(query, options), options

    async def answer(
        self,
        wanted: ChatRequest,
        *,
        outcome_id: str,
        on_decision: Callable[[Decision], None],
        callbacks: Callbacks,
    ) -> Finished:
        """Decide, answer and write down; raise NoAnswerError when no model may answer at all."""
        start, began_s = time.perf_counter(), time.time()
        query, decision, options = await self.decide(wanted, outcome_id=outcome_id)
        on_decision(decision)
        answer, safe = await self.writer.take(
            self.engine.answer(query, decision, options, callbacks=callbacks)
        )
        self._note(wanted, answer, options, outcome_id)
        if self.telemetry is not None:
            self.telemetry.answered(answer, self.router.arms, headers=wanted.trace, began_s=began_s)
        kept = await safe
        if kept:
            self.failure = None
            self._begin_audit(answer, options)
        elapsed_s = time.perf_counter() - start
        self.metrics.observe("zetaroute_answer_seconds", elapsed_s)
        self.metrics.observe("zetaroute_added_seconds", max(0.0, elapsed_s - answer.response_s))
        if _REQUESTS.isEnabledFor(logging.INFO):
            _REQUESTS.info(_line(answer, elapsed_s))
        return Finished(answer=answer, kept=kept)

    def _begin_audit(self, answer: Answer, options: AskOptions) -> None:
        """Ask other models beside an answer that its client has, or is about to have."""
        if not asked_beside(answer.decision):
            return
        if self._first_audit:
            self._first_audit = False
            logging.getLogger("zetaroute").warning("note: %s", FIRST_AUDIT)
        task = asyncio.create_task(self.engine.audit(answer, options, self._keep_audit))
        self._audits.add(task)
        task.add_done_callback(self._audits.discard)

    def _keep_audit(self, entry: Entry) -> None:
        self.writer.add_entry(entry)
        self._count_rows(entry)
        self.metrics.add("zetaroute_audits_total", len(entry.outcomes))
        self.metrics.add("zetaroute_audit_cost_usd_total", reported_cost_usd(entry.outcomes, entry.feedback))

    async def aclose(self) -> None:
        """Let what was cut write its rows, then close everything."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        if self._audits:
            _, late = await asyncio.wait(
                self._audits, timeout=min(AUDITS_END_S, self.settings.serving.shutdown_s)
            )
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await self.writer.aclose()
        await self.engine.aclose()
        if self.telemetry is not None:
            await asyncio.to_thread(self.telemetry.close)

    def _count(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._count_rows(answer.entry)
            asked_for = self.router.arms[answer.model].model
            for words in (*failed_before(answer), *notes_of(answer, asked_for=asked_for)):
                _ANSWERS.warning(f"note: {words}")

    def _count_rows(self, entry: Entry) -> None:
        add = self.metrics.add
        for row in entry.outcomes:
            add("zetaroute_outcomes_total", model=row.model, status=row.status)
            add("zetaroute_tokens_total", row.input_tokens or 0, model=row.model, kind="input")
            add("zetaroute_tokens_total", row.output_tokens or 0, model=row.model, kind="output")
            add("zetaroute_cost_usd_total", row.cost_usd or 0.0, model=row.model)

    def _merged(self, failure: StoreError | None) -> None:
        if failure is not None and self.log_failure is None:
            logging.getLogger("zetaroute").error("%s", failure)
        self.log_failure = failure

    def _fail(self, error: StoreError) -> None:
        self.failure = error


def log_requests() -> None:
    """Write a line for every answer to standard error."""
    if not _REQUESTS.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        _REQUESTS.addHandler(handler)
    _REQUESTS.setLevel(logging.INFO)
    _REQUESTS.propagate = False


def _line(answer: Answer, elapsed_s: float) -> str:
    """Return an answer's id, model, status, time, cost and its server's name of the call: nothing that was said."""
    done, cost_usd = answer.completion, answer.cost_usd
    cost = "-" if cost_usd is None else f"${cost_usd:.6f}"
    named = (done.request_id if done else None) or "-"
    return f"{answer.id} {answer.model} {answer.outcome.status} {elapsed_s:.3f} s {cost} request_id={named}"


def _tags_matter(settings: Settings) -> bool:
    endpoints = [] if settings.embedding is None else [settings.embedding.arm]
    return may_matter(settings.rules, [arm.tags for arm in (*settings.arms, *endpoints)])
