"""The nouns of zetaroute as frozen values.

They live on the ground floor because every room passes them on and none owns them. Time is seconds (`_s`),
money is USD (`_usd`), tokens are counts. A value is made once; nothing is patched later.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "error", "cancelled"]
Source = Literal["truth", "judge", "user", "implicit"]


def new_id(now_s: float | None = None) -> str:
    """Return a time-ordered UUID (version 7, RFC 9562): ids sort by the moment they were made."""
    millis = int((time.time() if now_s is None else now_s) * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    value = (millis & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One earlier turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a person or a program asks."""

    text: str
    system: str | None = None
    task: str | None = None
    reference: str | None = None
    """The true answer, or what the grader compares with; None when nobody knows it."""
    grader: str | None = None
    custom_id: str | None = None
    conversation: str | None = None
    history: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """USD per million tokens."""

    input: float
    output: float
    cached_input: float | None = None
    """None: cached tokens cost what input tokens cost."""

    def cost_usd(self, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Return the cost of one call; `cached_tokens` are a part of `input_tokens`."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = input_tokens - cached_tokens
        return (fresh * self.input + cached_tokens * cached_price + output_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A model as a choice: where it is, what it costs, what to expect of it before any data."""

    id: str
    provider: str
    model: str
    """What the server is told; the id is what people type and what the log stores."""
    base_url: str | None = None
    api_key_env: str | None = None
    """The NAME of an environment variable, never a key."""
    file: str | None = None
    """Recorded outcomes (Parquet), for the provider `recorded`."""
    tags: tuple[str, ...] = ()
    prices: Prices | None = None
    """None: unknown, so the cost of a call is unknown too, never zero."""
    prior_accuracy: float | None = None
    prior_response_s: float | None = None
    timeout_s: float = 60.0
    max_concurrency: int = 8
    delay: float = 1.0
    """Practice models only: a factor on their waiting time; 0 answers at once."""

    @property
    def local(self) -> bool:
        """Whether the model runs on the user's own machine or network."""
        return "local" in self.tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What one successful call brought back."""

    text: str
    served_model: str | None
    finish_reason: str | None
    ttft_s: float | None
    """Seconds until the first piece of text; None when the answer came in one piece."""
    response_s: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    recorded: bool = False
    """True when time, cost and score are recordings, not measurements of this run."""
    score: float | None = None
    """A recorded score 0..1, where the provider replays recorded outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A predicted mean with its standard error."""

    mean: float
    se: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One arm as the decision saw it."""

    model: str
    eligible: bool
    reason: str
    """Why the arm is out, or what its figures rest on."""
    accuracy: Estimate
    satisfaction: Estimate
    response_s: Estimate
    cost_usd: Estimate | None
    """None: the price is unknown."""
    utility_usd: Estimate
    probability: float
    satisfied: float | None = None
    """Predicted probability that a rating would be good (4 or 5); None before any rating was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which arm answers, and everything needed to explain and to evaluate that choice later."""

    candidates: tuple[Candidate, ...]
    model: str
    propensity: float | None
    """Probability with which `model` was drawn; None when it was pinned by the user."""
    forced: bool
    explored: bool
    """True when the draw differs from the arm that the policy holds best."""
    policy_version: str
    seed: int
    router_s: float = 0.0

    def fallbacks(self) -> tuple[str, ...]:
        """Return the other eligible models, best predicted utility first."""
        others = [c for c in self.candidates if c.eligible and c.model != self.model]
        return tuple(c.model for c in sorted(others, key=lambda c: -c.utility_usd.mean))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call that was made: either a completion or an error."""

    model: str
    completion: Completion | None = None
    error_kind: str | None = None
    error: str | None = None
    elapsed_s: float = 0.0
    status: Status = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One judgement of one outcome; the latest per (outcome, metric, author) wins."""

    id: str
    outcome_id: str
    metric: str
    """`accuracy` (0..1), `rating` (1..5), `thumbs` (0 or 1), or a name of the user's own."""
    value: float
    source: Source
    author: str
    time: str
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row of the log: facts, never rewards."""

    id: str
    time: str
    """UTC, ISO 8601."""
    query: str
    model: str
    status: Status
    run: str | None = None
    custom_id: str | None = None
    content_hash: str | None = None
    """Hash of everything that was asked, so that a resumed batch knows a changed row."""
    conversation: str | None = None
    system: str | None = None
    task: str | None = None
    reference: str | None = None
    grader: str | None = None
    policy_version: str | None = None
    served_model: str | None = None
    propensity: float | None = None
    forced: bool = False
    explored: bool = False
    recorded: bool = False
    attempt: int = 1
    fallback_of: str | None = None
    error_kind: str | None = None
    error: str | None = None
    finish_reason: str | None = None
    ttft_s: float | None = None
    response_s: float | None = None
    router_s: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    prices: Prices | None = None
    response: str | None = None
    seed: int | None = None
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One change of the current policy version."""

    id: str
    time: str
    version: str
    previous: str | None
    reason: str
    author: str
    forced: bool = False


ALL_TASKS = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts over the last rows of one arm and one task: what guards judge by."""

    calls: int = 0
    errors: int = 0
    graded: int = 0
    accuracy: float = 0.0
    """Mean accuracy of the graded rows."""
    rated: int = 0
    satisfaction: float = 0.0
    satisfaction_sd: float = 0.0
    p95_low_s: float | None = None
    """Lower 95% confidence bound of the 95% quantile of response time; None with too few answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one arm stands according to the log: what a decision needs to know of the past."""

    model: str
    consecutive_errors: int = 0
    last_error_s: float | None = None
    """Seconds since the epoch."""
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """Task label (or ALL_TASKS) -> what happened there lately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its two-sided 95% interval and the rows it stands on."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def json(self) -> dict[str, float | int | None]:
        """Return the shape that every JSON answer uses for a KPI."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}
