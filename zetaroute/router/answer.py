"""What became of one query: its rows, its figures, and the shapes in which they are reported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from zetaroute.domain import (
    CONFIG_ERRORS,
    Candidate,
    Completion,
    Decision,
    Feedback,
    Outcome,
    Query,
    tool_calls_in,
)
from zetaroute.errors import NoAnswerError, StoreError
from zetaroute.grading.graders import ACCURACY, NO_GRADE
from zetaroute.log.journal import Entry
from zetaroute.router.records import CHECK, reported_cost_usd, spent_usd

Format = Literal["plain", "openai"]
_PLAIN = (
    "custom_id",
    "id",
    "answer",
    "model",
    "accuracy",
    "response_s",
    "cost_usd",
    "finish_reason",
    "error",
)


# Without slots, for a batch asks for the row of each answer a dozen times.
@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one query, whether or not a model answered it."""

    query: Query
    """As it was decided: with its tags, its check and its embedding."""
    decision: Decision
    entry: Entry
    """The rows of all attempts and what was said of them."""
    completion: Completion | None = None
    """The answer as it came; None where there is none."""
    refused: tuple[str, ...] = ()
    """Models that would have been asked had there been the money."""
    retry_after_s: float | None = None
    """When the first of the servers that failed wants to be asked again, of those that say so."""
    audits: tuple[Entry, ...] = ()
    """The rows of other models that were asked the same to learn from, once they are there."""

    def __str__(self) -> str:
        """Return the text."""
        return self.text

    @cached_property
    def outcome(self) -> Outcome:
        """The row of the answer: the one that a chain gave, else the last one; else the last failure."""
        answers = [row for row in self.entry.outcomes if row.status == "ok"]
        given = [row for row in answers if row.chain is not None and row.chain.returned]
        return (given or answers or self.entry.outcomes)[-1]

    @property
    def id(self) -> str:
        """What feedback names it by."""
        return self.outcome.id

    @property
    def text(self) -> str:
        """The answer; empty where there is none."""
        return self.outcome.response or ""

    @property
    def model(self) -> str:
        """The model that answered, or that failed last."""
        return self.outcome.model

    @property
    def policy(self) -> str:
        """Version of the policy that decided."""
        return self.decision.policy_version

    @property
    def propensity(self) -> float | None:
        """Probability with which the decided model was drawn; None where it was pinned."""
        return self.decision.propensity

    @property
    def explored(self) -> bool:
        """Whether the draw differs from the model that the policy prefers."""
        return self.decision.explored

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every model with what was expected of it."""
        return self.decision.candidates

    @property
    def input_tokens(self) -> int | None:
        """Tokens that the answering model read."""
        return self.outcome.input_tokens

    @property
    def output_tokens(self) -> int | None:
        """Tokens that the answering model wrote."""
        return self.outcome.output_tokens

    @property
    def fell_back(self) -> bool:
        """Whether it is the answer of another model because the one before it failed."""
        return self.outcome.status == "ok" and any(row.status == "error" for row in self.entry.outcomes)

    @property
    def error(self) -> str | None:
        """Why there is no answer; None where there is one."""
        return self.outcome.error

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
        """The grade of the answer; 0 when a model failed at a query with a known answer; None if ungraded.

        What was a mistake of the config or an outage is no failure of the model.
        """
        row = self.outcome
        if row.status == "error" and self.query.reference is not None:
            return None if row.is_outage or row.error_kind in CONFIG_ERRORS else 0.0
        return next((said.value for said in self._said if said.metric == ACCURACY), None)

    @property
    def check(self) -> float | None:
        """The score, 0 to 1, that the answer got from its check; None where there was none."""
        return next((said.value for said in self._said if said.metric == CHECK), None)

    @property
    def note(self) -> str | None:
        """Why the answer got no grade from a program or a judge, where it did not."""
        return next((said.comment for said in self._said if said.metric == NO_GRADE), None)

    @cached_property
    def _said(self) -> list[Feedback]:
        given = self.outcome.id
        return [said for said in self.entry.feedback if said.outcome_id == given]

    @property
    def judge_cost_usd(self) -> float | None:
        """Cost of judging the answer, beside its own; None when it is unknown."""
        asked = [said.cost_usd for said in self.entry.feedback if said.source == "judge"]
        return None if None in asked else sum(cost for cost in asked if cost is not None)

    @property
    def response_s(self) -> float:
        """Seconds that all attempts took together, as far as they were waited for."""
        return sum(row.waited_s for row in self.entry.outcomes)

    @property
    def cost_usd(self) -> float | None:
        """Cost of all attempts; None when the answer's own is unknown."""
        if self.outcome.cost_usd is None:
            return None
        return sum(row.cost_usd or 0.0 for row in self.entry.outcomes)

    @property
    def spent_usd(self) -> float:
        """What all attempts took from a budget, as far as it is known; a recording takes nothing."""
        return spent_usd(self.entry.outcomes, self.entry.feedback)

    @property
    def audited(self) -> bool:
        """Whether other models are asked the same, to learn from."""
        return self.decision.audit is not None and self.decision.audit.heads

    @property
    def audit_cost_usd(self) -> float:
        """What `audits` cost with their judges, as far as it is known; no part of the cost of the answer."""
        return sum(reported_cost_usd(entry.outcomes, entry.feedback) for entry in self.audits)

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Every model that was asked, in turn, and why it failed, if it did."""
        return [{"model": row.model, "error": row.error} for row in self.entry.outcomes]

    @property
    def chain(self) -> list[dict[str, Any]]:
        """What a chain asked, in turn, and what it thought of each answer; empty where none did."""
        return [
            {
                "model": row.model,
                "probability_right": row.chain.probability_right,
                "agrees": row.chain.agrees,
                "cost_usd": row.cost_usd,
                "response_s": row.response_s,
                "returned": row.chain.returned,
                "why": row.chain.why,
            }
            for row in self.entry.outcomes
            if row.chain is not None
        ]

    def json(self) -> dict[str, Any]:
        """Return what `ask --json` prints."""
        row = self.outcome
        return {
            "id": row.id,
            "answer": row.response,
            "served_model": row.served_model,
            **self.decision.json(),
            "model": row.model,
            "response_s": self.response_s,
            "ttft_s": row.ttft_s,
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "tokens_estimated": row.tokens_estimated,
            "finish_reason": row.finish_reason,
            "cost_usd": self.cost_usd,
            "accuracy": self.accuracy,
            "check": self.check,
            "judge_cost_usd": self.judge_cost_usd,
            "audited": self.audited,
            "audit_cost_usd": self.audit_cost_usd,
            "attempts": self.attempts,
            "chain": self.chain,
            "session": self.query.session,
        }

    def line(self, form: Format) -> str:
        """Return its line of a batch's output, the end included."""
        row = self.outcome
        told = {
            "custom_id": row.custom_id,
            "id": row.id,
            "answer": row.response,
            "model": row.model,
            "accuracy": self.accuracy,
            "response_s": self.response_s,
            "cost_usd": self.cost_usd,
            "error": row.error,
            "error_kind": row.error_kind,
            "finish_reason": row.finish_reason,
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "time": row.time,
        }
        return output_line(told, form)


class UnansweredError(NoAnswerError):
    """No model could answer: what became of the query is here all the same."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


class UnkeptAnswerError(StoreError):
    """The rows of an answer could not be written: the answer is here all the same."""

    def __init__(self, error: StoreError, answer: Answer) -> None:
        super().__init__(str(error))
        self.answer = answer


def output_line(told: Mapping[str, Any], form: Format) -> str:
    """Return a line of a batch's output, the end included; what `told` leaves out is null.

    `response_s` and `cost_usd` are of all attempts, `time` is UTC in ISO 8601.
    """
    fields = _openai(told) if form == "openai" else {name: told.get(name) for name in _PLAIN}
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8") + "\n"


def _openai(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape of a line that the OpenAI Batch API writes."""
    own, custom_id = told.get("id"), told.get("custom_id")
    if told.get("error") is not None:
        error = {"code": told.get("error_kind"), "message": told["error"]}
        return {"id": own, "custom_id": custom_id, "response": None, "error": error}
    read, written, time = told.get("input_tokens"), told.get("output_tokens"), told.get("time")
    known = read is not None and written is not None
    usage = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": (read or 0) + (written or 0),
    }
    message = {"role": "assistant", "content": told.get("answer")}
    if calls := tool_calls_in(told.get("answer") or ""):
        named = [{"name": call.name, "arguments": call.arguments} for call in calls]
        message |= {
            "content": None,
            "tool_calls": [
                {"id": f"call_{number}", "type": "function", "function": one}
                for number, one in enumerate(named)
            ],
        }
    body = {
        "id": own,
        "object": "chat.completion",
        "created": int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()) if time else None,
        "model": told.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": told.get("finish_reason")}],
        "usage": usage if known else None,
    }
    response = {"status_code": 200, "request_id": own, "body": body}
    return {"id": own, "custom_id": custom_id, "response": response, "error": None}
