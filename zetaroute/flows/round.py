"""One round of the loop: a decided query is answered, graded and turned into rows of the log.

Shared by `ask`, `batch` and the demo; it returns rows and leaves writing them to its caller, who knows how many
are written together.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from zetaroute.domain import UNTRIED, Arm, Attempt, Completion, Decision, Feedback, Outcome, Query, new_id
from zetaroute.errors import UsageError
from zetaroute.providers.calling import answer
from zetaroute.providers.opening import Providers
from zetaroute.providers.protocol import OnText
from zetaroute.store.journal import Entry


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
        """The last attempt's row: the answer, or the last failure."""
        return self.entry.outcomes[-1]

    @property
    def accuracy(self) -> float | None:
        """The grade of the answer; 0 when a model failed at a query with a known answer; None if ungraded."""
        if self.outcome.status == "error" and self.query.reference is not None:
            return None if self.outcome.error_kind in UNTRIED else 0.0
        return self.entry.feedback[-1].value if self.entry.feedback else None

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
        rows = [row for row in self.entry.outcomes if not row.recorded]
        return sum((row.cost_usd or 0.0) + (row.router_cost_usd or 0.0) for row in rows)


def utc_now() -> str:
    """Return this moment in UTC as the log stores it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def check_query(query: Query) -> None:
    """Raise UsageError when a query is empty or its grading cannot work."""
    if not query.text.strip():
        raise UsageError("the query is empty: give some text to ask.")
    if query.grader is not None:
        from zetaroute.grade import check_grader, check_reference

        check_grader(query.grader)
        if query.reference is None:
            raise UsageError(f"the grader {query.grader} needs a reference to compare the answer with.")
        check_reference(query.grader, query.reference)


def content_hash(query: Query) -> str:
    """Return a hash of everything that is asked and graded, to know a changed row by."""
    parts: tuple[str, ...] = (
        query.text,
        query.system or "",
        query.task or "",
        query.reference or "",
        query.grader or "",
    )
    parts += tuple(f"{turn.role}\0{turn.content}" for turn in query.history)
    if query.options:
        parts += (json.dumps(query.options, sort_keys=True),)
    parts += tuple(file.note.sha256 for file in query.attachments)
    # A turn with fields, and turns behind the text, are new: what was hashed without them stays the same.
    more = [turn for turn in query.history if turn.fields] + list(query.after)
    parts += tuple(json.dumps([turn.role, turn.content, turn.fields], sort_keys=True) for turn in more)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]


async def play(
    query: Query,
    decision: Decision,
    *,
    arms: Mapping[str, Arm],
    providers: Providers,
    run: str | None = None,
    on_text: OnText | None = None,
    on_switch: Callable[[Attempt, str], None] | None = None,
    on_ask: Callable[[str], None] | None = None,
    deadline_s: float | None = None,
    start_anew: bool = True,
    outcome_id: str | None = None,
) -> Round:
    """Answer a decided query, falling back where the chosen model fails, and grade the answer.

    `on_ask`, `start_anew` as in `providers.calling.answer`; `outcome_id` is the id of the first attempt's row where
    it was promised before.
    A cancelled call becomes a row of its own: asyncio.CancelledError carries the round as its argument.
    """
    start = time.perf_counter()
    shown: list[str] = []

    def remember(text: str) -> None:
        shown.append(text)
        if on_text is not None:
            on_text(text)

    try:
        attempts = await answer(
            decision=decision,
            arms=arms,
            providers=providers,
            query=query,
            on_text=None if on_text is None else remember,
            on_switch=on_switch,
            on_ask=on_ask,
            deadline_s=deadline_s,
            start_anew=start_anew,
        )
    except asyncio.CancelledError as error:
        cut = Attempt(
            model=decision.model,
            status="cancelled",
            error_kind="cancelled",
            error="".join(shown) or None,
            elapsed_s=time.perf_counter() - start,
        )
        row = _outcome(query, decision, cut, arms, run=run, number=1, first=None, own_id=outcome_id)
        entry = Entry(outcomes=(row,))
        raise asyncio.CancelledError(Round(query=query, decision=decision, entry=entry)) from error
    outcomes: list[Outcome] = []
    for number, attempt in enumerate(attempts, start=1):
        first = outcomes[0].id if outcomes else None
        own_id = outcome_id if first is None else None
        row = _outcome(query, decision, attempt, arms, run=run, number=number, first=first, own_id=own_id)
        outcomes.append(row)
    done = attempts[-1].completion
    feedback = _graded(query, outcomes[-1], done)
    entry = Entry(outcomes=tuple(outcomes), feedback=feedback)
    return Round(query=query, decision=decision, entry=entry, completion=done)


def _outcome(
    query: Query,
    decision: Decision,
    attempt: Attempt,
    arms: Mapping[str, Arm],
    *,
    run: str | None,
    number: int,
    first: str | None,
    own_id: str | None,
) -> Outcome:
    """Return the row of one attempt; only the first carries the decision, for only that arm was drawn."""
    done, own = attempt.completion, query.embedding
    drawn = first is None
    return Outcome(
        id=own_id or new_id(),
        time=utc_now(),
        query=query.text,
        model=attempt.model,
        status=attempt.status,
        run=run,
        custom_id=query.custom_id,
        content_hash=content_hash(query),
        conversation=query.conversation,
        system=query.system,
        task=query.task,
        reference=query.reference,
        grader=query.grader,
        policy_version=decision.policy_version,
        served_model=done.served_model if done else None,
        propensity=decision.propensity if drawn else None,
        forced=decision.forced,
        explored=decision.explored and drawn,
        recorded=done.recorded if done else False,
        attempt=number,
        fallback_of=first,
        error_kind=attempt.error_kind,
        error=attempt.error if attempt.status == "error" else None,
        finish_reason=done.finish_reason if done else None,
        ttft_s=done.ttft_s if done else None,
        response_s=done.response_s if done else attempt.elapsed_s,
        router_s=decision.router_s if drawn else None,
        input_tokens=done.input_tokens if done else None,
        cached_tokens=done.cached_tokens if done else None,
        output_tokens=done.output_tokens if done else None,
        tokens_estimated=done.tokens_estimated if done else False,
        cost_usd=done.cost_usd if done else None,
        prices=arms[attempt.model].prices,
        response=done.text if done else attempt.error if attempt.status == "cancelled" else None,
        attachments=tuple(file.note for file in query.attachments),
        seed=decision.seed,
        candidates=decision.candidates if drawn else (),
        duel=decision.duel if drawn else None,
        embedding=own.values or None if drawn and own else None,
        embedding_model=own.space if drawn and own and own.values else None,
        router_cost_usd=own.cost_usd if drawn and own else None,
    )


def _graded(query: Query, outcome: Outcome, done: Completion | None) -> tuple[Feedback, ...]:
    if done is None:
        return ()
    if done.score is not None:
        value, author = done.score, "recorded"
    elif query.reference is not None:
        from zetaroute.grade import grade

        value, author = grade(done.text, query.reference, query.grader), f"grader:{query.grader or 'default'}"
    else:
        return ()
    judged = Feedback(
        id=new_id(),
        outcome_id=outcome.id,
        metric="accuracy",
        value=value,
        source="truth",
        author=author,
        time=utc_now(),
    )
    return (judged,)
