"""One round of the loop: a decided query is answered, graded and turned into rows of the log.

Shared by `ask`, `batch` and the demo; it returns rows and leaves writing them to its caller, who knows how many
are written together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from zetaroute.domain import (
    CONFIG_ERRORS,
    Arm,
    Attempt,
    Completion,
    Decision,
    Feedback,
    FeedbackSource,
    Outcome,
    Query,
    new_id,
    utc_now,
)
from zetaroute.errors import UsageError
from zetaroute.grading.graders import ACCURACY, NO_GRADE, Graders
from zetaroute.log.journal import Entry
from zetaroute.providers.base import OnText
from zetaroute.providers.pool import Providers
from zetaroute.providers.retry import answer
from zetaroute.router.budget import QueryBudget
from zetaroute.router.records import OutcomeRecords, spent_usd

CHECK = "check"
"""The metric of what a check said of an answer."""
PASSES = 0.5
"""Score from which on an answer passes its check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What became of one query."""

    query: Query
    decision: Decision
    entry: Entry
    completion: Completion | None = None
    """The answer as it came; None where there is none."""

    @property
    def outcome(self) -> Outcome:
        """The row of the answer: the last one that there is; else the last failure."""
        answers = [row for row in self.entry.outcomes if row.status == "ok"]
        return (answers or self.entry.outcomes)[-1]

    @property
    def failures(self) -> str:
        """Why attempts failed: each reason once, after the models that it stopped."""
        stopped: dict[str, list[str]] = {}
        for row in self.entry.outcomes:
            if row.error is not None:
                reason = row.error.removeprefix(f"{row.model}: ").rstrip(".")
                stopped.setdefault(reason, []).append(row.model)
        return "; ".join(f"{', '.join(dict.fromkeys(models))}: {why}" for why, models in stopped.items())

    @property
    def accuracy(self) -> float | None:
        """The grade of the answer; 0 when a model failed at a query with a known answer; None if ungraded."""
        if self.outcome.status == "error" and self.query.reference is not None:
            return None if self.outcome.error_kind in CONFIG_ERRORS else 0.0
        return next((said.value for said in self._said if said.metric == ACCURACY), None)

    @property
    def check(self) -> float | None:
        """The score, 0 to 1, that the answer got from its check; None where there was none."""
        return next((said.value for said in self._said if said.metric == CHECK), None)

    @property
    def note(self) -> str | None:
        """Why the answer got no grade from a program or a judge, where it did not."""
        return next((said.comment for said in self._said if said.metric == NO_GRADE), None)

    @property
    def _said(self) -> list[Feedback]:
        return [said for said in self.entry.feedback if said.outcome_id == self.outcome.id]

    @property
    def judge_cost_usd(self) -> float | None:
        """Cost of judging the answer, beside its own; None when it is unknown."""
        asked = [said.cost_usd for said in self.entry.feedback if said.source == "judge"]
        return None if None in asked else sum(cost for cost in asked if cost is not None)

    @property
    def response_s(self) -> float:
        """Seconds that all attempts took together."""
        return sum(outcome.response_s or 0.0 for outcome in self.entry.outcomes)

    @property
    def cost_usd(self) -> float | None:
        """Cost of all attempts; None when the answer's own is unknown."""
        if self.outcome.cost_usd is None:
            return None
        return sum(outcome.cost_usd or 0.0 for outcome in self.entry.outcomes)

    @property
    def spent_usd(self) -> float:
        """What all attempts took from a budget, as far as it is known; a recording takes nothing."""
        return spent_usd(self.entry.outcomes, self.entry.feedback)


def check_query(query: Query, graders: Graders) -> None:
    """Raise UsageError when a query is empty or its grading cannot work."""
    if not query.text.strip():
        raise UsageError("the query is empty: give some text to ask.")
    graders.check(query)


async def play(
    query: Query,
    decision: Decision,
    *,
    arms: Mapping[str, Arm],
    providers: Providers,
    graders: Graders,
    run: str | None = None,
    on_text: OnText | None = None,
    on_switch: Callable[[Attempt, str], None] | None = None,
    on_ask: Callable[[str], None] | None = None,
    query_budget: QueryBudget,
    deadline_s: float | None = None,
    start_anew: bool = True,
    outcome_id: str | None = None,
) -> Round:
    """Answer a decided query, falling back where the chosen model fails, and grade the answers.

    Where the query has a check, each answer that fails it is followed by the next of `decision.escalations`, while
    `query_budget` holds its cost and the deadline has not passed; every attempt is a row. The budget comes open and
    is closed in the end. `on_ask` and `start_anew` are those of `providers.retry.answer`; `outcome_id` is the id of
    the first attempt's row where it was promised before. A cancelled call becomes a row of its own:
    asyncio.CancelledError carries the round as its argument. So it does where only the grading was cancelled: the
    answers are kept without a grade.
    """
    start, shown = time.perf_counter(), []

    def remember(text: str) -> None:
        shown.append(text)
        if on_text is not None:
            on_text(text)

    made = OutcomeRecords(query, decision, arms, run, outcome_id)
    turn: Decision | None = decision
    try:
        while turn is not None:
            left_s = deadline_s
            if deadline_s is not None and turn is not decision:
                left_s = deadline_s - (time.perf_counter() - start)
            attempts = await answer(
                decision=turn,
                arms=arms,
                providers=providers,
                query=query,
                on_text=None if on_text is None else remember,
                on_switch=on_switch,
                on_ask=on_ask,
                may_follow=query_budget.after_failure,
                deadline_s=left_s,
                start_anew=start_anew,
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
            cut = Attempt(
                model=turn.model,
                status="cancelled",
                error_kind="cancelled",
                error="".join(shown) or None,
                elapsed_s=time.perf_counter() - start,
            )
            made.add((cut,), escalated=turn is not decision)
        raise asyncio.CancelledError(Round(query=query, decision=decision, entry=made.entry)) from error
    finally:
        query_budget.close(made.spent_usd)
    return Round(query=query, decision=decision, entry=made.entry, completion=made.completion)


async def _fails(made: OutcomeRecords, graders: Graders, providers: Providers) -> bool:
    """Check the last answer, if its query asks for that; return whether it failed.

    A check that comes to nothing, as a judge that is down, fails nobody.
    """
    check = made.query.check
    if check is None or made.done[-1] is None:
        return False
    said = await graders.grade(made.case(-1, check.grader, check.reference), providers)
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
        graded = await graders.grade(made.case(place, made.query.grader, made.query.reference), providers)
        if graded is not None:
            made.feedback.append(graded)
