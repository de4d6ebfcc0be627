"""The loop of attempts: a decided query is asked, looked at and graded, and becomes rows of the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zetaroute.domain import SIGNAL, Arm, Attempt, Decision, Feedback, FeedbackSource, Query, new_id, utc_now
from zetaroute.errors import UsageError
from zetaroute.grading.graders import ACCURACY, NO_GRADE, Case, Graders
from zetaroute.providers.base import OnText
from zetaroute.providers.pool import Providers
from zetaroute.providers.retry import answer
from zetaroute.router.answer import Answer
from zetaroute.router.budget import QueryBudget
from zetaroute.router.next_ask import AskTurn, Turns
from zetaroute.router.options import AskOptions, Callbacks
from zetaroute.router.records import CHECK, OutcomeRecords
from zetaroute.wire.pieces import piece_taker_like

PASSES = 0.5
"""Score from which on an answer passes its check."""


def check_query(query: Query, graders: Graders) -> None:
    """Raise UsageError when a query is empty or its grading cannot work."""
    if not query.text.strip():
        raise UsageError("the query is empty: give some text to ask.")
    graders.check(query)


def cut_answer(error: asyncio.CancelledError) -> Answer | None:
    """Return what became of a query whose answering was cancelled by this; None where nothing was asked."""
    cut = error.args[0] if error.args else None
    return cut if isinstance(cut, Answer) else None


async def run_attempts(
    query: Query,
    decision: Decision,
    options: AskOptions,
    callbacks: Callbacks,
    *,
    arms: Mapping[str, Arm],
    providers: Providers,
    graders: Graders,
    query_budget: QueryBudget,
    beside: str | None = None,
) -> Answer:
    """Answer a decided query, falling back where the chosen model fails, and grade the answers.

    A chain looks at each answer and may ask another model, two at once where that pays. An answer that fails the
    query's check is given only where no other can be had: from the chain, else from `decision.escalations`. All of
    it while `query_budget` (open, and closed in the end) holds the cost and time is left. Each attempt is a row, of
    an audit where `beside` is the id of the user's. Cancelled, it raises asyncio.CancelledError with the Answer
    (`cut_answer`), in which the cut calls are rows too.
    """
    made = OutcomeRecords(query, decision, options, arms, beside=beside)
    turns = Turns(
        decision,
        may_ask=lambda model: query_budget.after_answer(model, made.spent_usd),
        may_ask_beside=query_budget.at_once,
        # Answers that are checked are checked one after the other.
        at_once=query.check is None,
    )
    asking = _Asking(
        turns, made, options, callbacks, arms=arms, providers=providers, query_budget=query_budget
    )
    try:
        turn: AskTurn | None = turns.first()
        while turn is not None:
            attempts = await asking.ask(turn)
            if turn.beside is None:
                score = await _checked(made, graders, providers)
                if query.may_fail_check:
                    turns.saw(attempts, vetoed=score is not None and score < PASSES)
                else:
                    turns.saw(attempts, vetoed=False, signal=score)
            turn = turns.next() if asking.has_time else None
        await _grade(made, graders, providers)
    except asyncio.CancelledError as error:
        cut_off = Answer(query=query, decision=decision, entry=made.entry())
        raise asyncio.CancelledError(cut_off) from error
    finally:
        query_budget.close(made.spent_usd)
    return Answer(
        query=query,
        decision=decision,
        entry=made.entry(turns.given, turns.asks()),
        completion=made.completion(turns.given),
        refused=tuple(dict.fromkeys(query_budget.refused)),
        retry_after_s=made.retry_after_s,
    )


class _CallUnderWay:
    """A model that is asked, and what came of it."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.attempts: tuple[Attempt, ...] = ()

    @property
    def took_s(self) -> float:
        """Seconds, as recorded where the answer is a recording."""
        return sum(one.completion.response_s if one.completion else one.elapsed_s for one in self.attempts)


class _Asking:
    """Asks the models of one query turn by turn, and makes rows of their attempts."""

    def __init__(
        self,
        turns: Turns,
        made: OutcomeRecords,
        options: AskOptions,
        callbacks: Callbacks,
        *,
        arms: Mapping[str, Arm],
        providers: Providers,
        query_budget: QueryBudget,
    ) -> None:
        self._turns, self._made, self._options, self._callbacks = turns, made, options, callbacks
        self._arms, self._providers, self._query_budget = arms, providers, query_budget
        self._started_at = time.perf_counter()

    @property
    def has_time(self) -> bool:
        """Whether the deadline has not passed."""
        return self._options.deadline_s is None or self._spent_s < self._options.deadline_s

    @property
    def _spent_s(self) -> float:
        return time.perf_counter() - self._started_at

    async def ask(self, turn: AskTurn) -> tuple[Attempt, ...]:
        """Ask the model of a turn and return its attempts; of two at once the turns are told as they come."""
        first = _CallUnderWay(turn.decision)
        second = None if turn.beside is None else _CallUnderWay(turn.beside)
        try:
            await (self._run(first) if second is None else self._race(first, second))
        finally:
            self._made.add(first.attempts, role=turn.role, escalated=turn.escalated)
            if second is not None:
                self._made.add(second.attempts, role="chain", escalated=True)
        return first.attempts

    async def _run(self, call: _CallUnderWay) -> None:
        shown, start = list[str](), time.perf_counter()
        deadline_s = self._options.deadline_s
        if deadline_s is not None and self._made.outcomes:
            deadline_s -= self._spent_s
        try:
            call.attempts = await answer(
                decision=call.decision,
                arms=self._arms,
                providers=self._providers,
                query=self._made.query,
                on_text=_remembering(self._callbacks.on_text, shown),
                on_switch=self._callbacks.on_switch,
                on_ask=self._callbacks.on_ask,
                may_follow=self._query_budget.after_failure,
                deadline_s=deadline_s,
                start_anew=self._options.start_anew,
            )
        except asyncio.CancelledError:
            call.attempts = (cut_attempt(call.decision.model, shown, time.perf_counter() - start),)
            raise

    async def _race(self, first: _CallUnderWay, second: _CallUnderWay) -> None:
        """Ask two models at once, and end the call of one where the answer of the other suffices."""
        calls = {asyncio.create_task(self._run(call)): call for call in (first, second)}
        waiting, waited_s = set(calls), 0.0
        try:
            while waiting and not self._turns.suffices():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                # A recording answers at once, whatever its time was.
                for call in sorted((calls[task] for task in done), key=lambda one: one.took_s):
                    if self._turns.suffices():
                        self._turns.saw_too_late(call.attempts)
                        continue
                    self._turns.saw(
                        call.attempts,
                        vetoed=False,
                        waited_s=max(call.took_s - waited_s, 0.0),
                        running=calls[next(iter(waiting))].decision.model if waiting else None,
                    )
                    waited_s = max(call.took_s, waited_s)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        for call in (calls[task] for task in waiting):
            # What it has written by then is billed, and nobody tells how much that is.
            lost_usd = call.decision.expected_usd(call.decision.model)
            call.attempts = tuple(replace(one, lost_usd=lost_usd) for one in call.attempts)
            self._turns.saw_too_late(call.attempts)


def _remembering(on_text: OnText | None, shown: list[str]) -> OnText | None:
    if on_text is None:
        return None

    def remember(piece: Any) -> None:
        if isinstance(piece, str):
            shown.append(piece)
        on_text(piece)

    return piece_taker_like(on_text, remember)


def cut_attempt(model: str, shown: Sequence[str] = (), elapsed_s: float = 0.0) -> Attempt:
    """Return the attempt that a cancelled call was, or one that was never made."""
    return Attempt(
        model=model,
        status="cancelled",
        error_kind="cancelled",
        error="".join(shown) or None,
        elapsed_s=elapsed_s,
    )


async def _checked(made: OutcomeRecords, graders: Graders, providers: Providers) -> float | None:
    """Check the last answer, if its query asks for that; return its score.

    A check that comes to nothing, as a judge that is down, gives none.
    """
    check = made.query.check
    if check is None or made.done[-1] is None:
        return None
    said = await _said(made.case(-1, check.grader, check.reference), graders, providers)
    if said is None:
        return None
    judged, metric = said.metric == ACCURACY, SIGNAL if check.signal else CHECK
    source: FeedbackSource = said.source if said.source == "judge" else "implicit"
    made.feedback.append(replace(said, metric=metric if judged else NO_GRADE, source=source))
    return said.value if judged else None


async def _grade(made: OutcomeRecords, graders: Graders, providers: Providers) -> None:
    """Grade every answer: also those that a check held back tell what their model can."""
    for place, done in enumerate(made.done):
        if done is None:
            continue
        if done.score is not None:
            made.feedback.append(
                Feedback(
                    id=new_id(),
                    outcome_id=made.outcomes[place].id,
                    metric=ACCURACY,
                    value=done.score,
                    source="truth",
                    author="recorded",
                    time=utc_now(),
                )
            )
            continue
        graded = await _said(made.case(place, made.query.grader, made.query.reference), graders, providers)
        if graded is not None:
            made.feedback.append(graded)


async def _said(case: Case, graders: Graders, providers: Providers) -> Feedback | None:
    """Return the grade of an answer; what breaks a grader costs the grade, and never an answer that was paid for."""
    try:
        return await graders.grade(case, providers)
    except Exception as error:
        return Feedback(
            id=new_id(),
            outcome_id=case.outcome_id,
            metric=NO_GRADE,
            value=0.0,
            source="truth",
            author=case.grader or "reference",
            time=utc_now(),
            comment=f"the grader broke ({type(error).__name__}: {error})",
        )
