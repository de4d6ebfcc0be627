"""The rows of one query: how its attempts become what the log stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

from zetaroute.domain import (
    Arm,
    Attempt,
    Audit,
    ChainAsk,
    Completion,
    Decision,
    Feedback,
    Outcome,
    Query,
    Role,
    content_hash,
    new_id,
    utc_now,
)
from zetaroute.grading.graders import Case
from zetaroute.log.journal import Entry
from zetaroute.router.options import AskOptions

CHECK = "check"
"""The metric of what a check said of an answer."""


def spent_usd(outcomes: Iterable[Outcome], feedback: Iterable[Feedback]) -> float:
    """Return what rows took from a budget, as far as it is known; a recording takes nothing."""
    return reported_cost_usd((row for row in outcomes if not row.recorded), feedback)


def reported_cost_usd(outcomes: Iterable[Outcome], feedback: Iterable[Feedback]) -> float:
    """Return what rows and their judges cost, as far as it is known; a recording what it was recorded with."""
    answering = sum((row.cost_usd or 0.0) + (row.router_cost_usd or 0.0) for row in outcomes)
    return answering + sum(said.cost_usd or 0.0 for said in feedback)


class OutcomeRecords:
    """The rows of one query as its attempts come in, and what is said of them."""

    def __init__(
        self,
        query: Query,
        decision: Decision,
        options: AskOptions,
        arms: Mapping[str, Arm],
        *,
        beside: str | None = None,
    ) -> None:
        """Make rows of an audit where `beside` is the id of the first row that was asked for the user."""
        self.query, self._decision, self._options, self._arms = query, decision, options, arms
        self._beside = beside
        # Made before anything is asked: evidence goes by the order of decisions, not by that of answers.
        self._first_id = options.outcome_id or new_id()
        self.outcomes: list[Outcome] = []
        self.feedback: list[Feedback] = []
        self.done: list[Completion | None] = []
        self.retry_after_s: float | None = None
        """When the first of the servers that failed wants to be asked again, of those that say so."""

    def add(self, attempts: Sequence[Attempt], *, role: Role = "attempt", escalated: bool = False) -> None:
        """Take in the attempts of one turn; the `role` is that of all rows but the first."""
        for number, attempt in enumerate(attempts, start=len(self.outcomes) + 1):
            first = self.outcomes[0].id if self.outcomes else self._beside
            row = self._row(attempt, number=number, first=first, role=role, escalated=escalated)
            self.outcomes.append(row)
            self.done.append(attempt.completion)
            if attempt.retry_after_s is not None:
                self.retry_after_s = min(attempt.retry_after_s, self.retry_after_s or attempt.retry_after_s)

    def case(self, place: int, grader: str | None, reference: str | None) -> Case:
        """Return the answer at a place as a grader wants it."""
        done, row = self.done[place], self.outcomes[place]
        return Case(
            outcome_id=row.id,
            query=self.query.text,
            answer=done.text if done else "",
            model=row.model,
            reference=reference,
            task=self.query.task,
            grader=grader,
            tags=self.query.tags,
            local_only=self._options.limits.local_only,
        )

    def completion(self, model: str | None) -> Completion | None:
        """Return the answer of a model."""
        rows = zip(self.outcomes, self.done, strict=True)
        return next((done for row, done in rows if row.model == model and done is not None), None)

    @property
    def spent_usd(self) -> float:
        """What the attempts and what was said of them took from a budget, as far as it is known."""
        return spent_usd(self.outcomes, self.feedback)

    def entry(self, given: str | None = None, chain: Mapping[str, ChainAsk] = MappingProxyType({})) -> Entry:
        """Return what is to be written of the query; where an answer is `given`, with whether it is to be rated.

        That is drawn by the decision's seed, by numbers of its own and whatever the answer: so who is asked does
        not depend on who would rate. The `chain` says of every model what its ask was.
        """
        rows = [replace(row, chain=chain[row.model]) if row.model in chain else row for row in self.outcomes]
        share = self._options.rating_share
        if share is not None and given is not None:
            asked = Random(f"rating {self._decision.seed}").random() < share
            place = next(place for place, row in enumerate(rows) if row.model == given and row.status == "ok")
            rows[place] = replace(rows[place], ask_probability=share, asked=asked)
        return Entry(outcomes=tuple(rows), feedback=tuple(self.feedback))

    def _role(self, role: Role, *, drawn: bool) -> Role:
        if self._beside is not None:
            return "audit"
        if not drawn:
            return role
        return "seed" if self._options.seeds else "served"

    def _coin(self, role: Role, model: str) -> Audit | None:
        """Return the coin that a row tells of: with all models asked anyway, one that always falls on heads.

        On heads a model of a chain is asked whatever the answers are, by the audit where not by the chain.
        """
        if self._options.seeds:
            return Audit(probability=1.0, heads=True)
        coin = self._decision.audit
        if coin is None or coin.blocked is not None or role == "attempt":
            return None
        return coin if role != "chain" or (coin.heads and model in coin.asks) else None

    def _row(
        self, attempt: Attempt, *, number: int, first: str | None, role: Role, escalated: bool
    ) -> Outcome:
        """Return the row of one attempt; only the first carries the decision, for only that arm was drawn."""
        query, decision, options = self.query, self._decision, self._options
        done = attempt.completion or attempt.arrived
        drawn, prices = first is None, self._arms[attempt.model].prices
        role = self._role(role, drawn=drawn)
        coin = self._coin(role, attempt.model)
        return Outcome(
            id=self._first_id if drawn else new_id(),
            time=utc_now(),
            query=query.text,
            model=attempt.model,
            status=attempt.status,
            run=options.run,
            custom_id=query.custom_id,
            content_hash=content_hash(query),
            conversation=query.conversation,
            session=query.session,
            system=query.system,
            task=query.task,
            reference=query.reference,
            grader=query.grader,
            policy_version=decision.policy_version,
            served_model=done.served_model if done else None,
            recorded=done.recorded if done else False,
            attempt=number,
            escalated=escalated and not drawn,
            fallback_of=first,
            role=role,
            audit_probability=coin.probability if coin else None,
            audited=coin.heads if coin else False,
            error_kind=attempt.error_kind,
            error=attempt.error if attempt.status == "error" else None,
            finish_reason=done.finish_reason if done else None,
            ttft_s=done.ttft_s if done else None,
            response_s=attempt.completion.response_s if attempt.completion else attempt.elapsed_s,
            input_tokens=done.input_tokens if done else None,
            cached_tokens=done.cached_tokens if done else None,
            output_tokens=done.output_tokens if done else None,
            tokens_estimated=done.tokens_estimated if done else False,
            cache_write_tokens=done.cache_write_tokens if done else None,
            reasoning_tokens=done.reasoning_tokens if done else None,
            cost_usd=_cost_usd(attempt),
            prices=prices.flat(done.input_tokens or 0 if done else 0) if prices else None,
            response=_response(attempt),
            thinking=done.thinking if done else None,
            logprobs=done.logprob_figures if done else None,
            attachments=tuple(file.note for file in query.attachments),
            seed=decision.seed,
            tags=query.tags,
            segment=decision.segment,
            **self._drawn() if drawn else {},
        )

    def _drawn(self) -> dict[str, Any]:
        """Return what the first row tells of the decision."""
        decision, own = self._decision, self.query.embedding
        # That of a whole talk says nothing of the words in the row.
        told = own.values if own is not None and self._options.warm is None else ()
        return {
            "propensity": decision.propensity,
            "forced": decision.forced,
            "explored": decision.explored,
            "contest": decision.contest,
            "chained": tuple(decision.chained),
            "router_s": decision.router_s,
            "candidates": decision.candidates,
            "objective": decision.objective,
            "embedding": told or None,
            "embedding_model": own.space if own and told else None,
            "router_cost_usd": own.cost_usd if own else None,
        }


def _response(attempt: Attempt) -> str | None:
    if attempt.completion is not None:
        return attempt.completion.text
    return attempt.error if attempt.status == "cancelled" else None


def _cost_usd(attempt: Attempt) -> float | None:
    """Return what all tries of an attempt cost, as far as it is known."""
    last = attempt.completion or attempt.arrived
    if last is None or last.cost_usd is None:
        return attempt.lost_usd or None
    return last.cost_usd + attempt.lost_usd
