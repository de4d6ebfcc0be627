"""The loop of attempts: a decided query is asked, checked, escalated and graded, and becomes rows of the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zetaroute.domain import Arm, Attempt, Decision, Feedback, FeedbackSource, Query, new_id, utc_now
from zetaroute.errors import UsageError
from zetaroute.grading.graders import ACCURACY, NO_GRADE, Case, Graders
from zetaroute.providers.base import OnText
from zetaroute.providers.pool import Providers
from zetaroute.providers.retry import answer
from zetaroute.router.answer import Answer
from zetaroute.router.budget import QueryBudget
from zetaroute.router.options import AskOptions, Callbacks
from zetaroute.router.records import CHECK, OutcomeRecords
from zetaroute.wire.pieces import around

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

    Where the query has a check, each answer that fails it is followed by the next of `decision.escalations`, while
    `query_budget` (open, and closed in the end) holds its cost and time is left. Each attempt is a row, of an audit
    where `beside` is the id of the user's. Cancelled, it raises asyncio.CancelledError with the Answer
    (`cut_answer`), in which the cut call is a row too.
    """
    start, shown, deadline_s = time.perf_counter(), list[str](), options.deadline_s
    made = OutcomeRecords(query, decision, options, arms, beside=beside)
    turn: Decision | None = decision
    try:
        while turn is not None:
            spent_s = 0.0 if turn is decision else time.perf_counter() - start
            left_s = None if deadline_s is None else deadline_s - spent_s
            attempts = await answer(
                decision=turn,
                arms=arms,
                providers=providers,
                query=query,
                on_text=_remembering(callbacks.on_text, shown),
                on_switch=callbacks.on_switch,
                on_ask=callbacks.on_ask,
                may_follow=query_budget.after_failure,
                deadline_s=left_s,
                start_anew=options.start_anew,
            )
            made.add(attempts, escalated=turn is not decision)
            turn = None
            if await _fails(made, graders, providers) and (
                deadline_s is None or time.perf_counter() - start < deadline_s
            ):
                turn = made.next_turn(lambda model: query_budget.after_answer(model, made.spent_usd))
        await _grade(made, graders, providers)
    except asyncio.CancelledError as error:
        if turn is not None:
            cut = _cut_attempt(turn.model, shown, time.perf_counter() - start)
            made.add((cut,), escalated=turn is not decision)
        cut_off = Answer(query=query, decision=decision, entry=made.entry(whole=False))
        raise asyncio.CancelledError(cut_off) from error
    finally:
        query_budget.close(made.spent_usd)
    return Answer(
        query=query,
        decision=decision,
        entry=made.entry(whole=True),
        completion=made.completion,
        refused=tuple(dict.fromkeys(query_budget.refused)),
    )


def _remembering(on_text: OnText | None, shown: list[str]) -> OnText | None:
    if on_text is None:
        return None

    def remember(piece: Any) -> None:
        if isinstance(piece, str):
            shown.append(piece)
        on_text(piece)

    return around(on_text, remember)


def _cut_attempt(model: str, shown: Sequence[str], elapsed_s: float) -> Attempt:
    return Attempt(
        model=model,
        status="cancelled",
        error_kind="cancelled",
        error="".join(shown) or None,
        elapsed_s=elapsed_s,
    )


async def _fails(made: OutcomeRecords, graders: Graders, providers: Providers) -> bool:
    """Check the last answer, if its query asks for that; return whether it failed.

    A check that comes to nothing, as a judge that is down, fails no answer.
    """
    check = made.query.check
    if check is None or made.done[-1] is None:
        return False
    said = await _said(made.case(-1, check.grader, check.reference), graders, providers)
    if said is None:
        return False
    judged = said.metric == ACCURACY
    source: FeedbackSource = said.source if said.source == "judge" else "implicit"
    made.feedback.append(replace(said, metric=CHECK if judged else NO_GRADE, source=source))
    return judged and said.value < PASSES


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
