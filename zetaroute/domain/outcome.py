"""What happened: answers, attempts, the rows of the log and what is said about them."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from zetaroute.domain.decision import CanaryArms, Candidate, Objective
from zetaroute.domain.models import Prices
from zetaroute.domain.query import FileNote

CONFIG_ERRORS = ("unauthorised", "unsupported")
"""Kinds of error that are mistakes of the config: they say nothing of how good a model is."""
Status = Literal["ok", "error", "cancelled"]
FeedbackSource = Literal["truth", "judge", "user", "implicit"]

_RANDOM = random.Random()
"""Seeded by the system, and once more in a forked process; asking the system for every id takes longer."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_RANDOM.seed)


def new_id(now_s: float | None = None) -> str:
    """Return a time-ordered UUID (version 7, RFC 9562): ids sort by the moment they were made."""
    millis = int((time.time() if now_s is None else now_s) * 1000)
    value = (millis & (1 << 48) - 1) << 80 | _RANDOM.getrandbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def utc_now() -> str:
    """Return this moment in UTC as the log stores it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


_CUT = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "model_length",
        "content_filter",
        "model_context_window_exceeded",
    }
)


def is_cut(finish_reason: str | None) -> bool:
    """Return whether an answer that ended for this reason is not whole: a limit or a filter cut it."""
    return finish_reason is not None and finish_reason.lower() in _CUT


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that the model wants to be called."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""
    id: str = ""
    """The server's name of this call; empty where it gives none."""


def tool_calls_as_text(calls: Sequence[ToolCall]) -> str:
    """Return the text that stands for an answer that consists of tool calls alone."""
    return json.dumps({"tool_calls": [{"name": call.name, "arguments": call.arguments} for call in calls]})


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
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    """A part of the output."""
    tokens_estimated: bool = False
    """True when the server did not count: tokens, and so the cost, are estimates of ours."""
    cost_usd: float | None = None
    recorded: bool = False
    """True when time, cost and score are recordings, not measurements of this run."""
    score: float | None = None
    """A recorded score 0..1, where the provider replays recorded outcomes."""
    tool_calls: tuple[ToolCall, ...] = ()
    thinking: str | None = None
    """What the model wrote for itself before it answered; no part of the text."""

    @property
    def words(self) -> str | None:
        """The answer's own text; None where it consists of tool calls alone."""
        alone = self.tool_calls and self.text == tool_calls_as_text(self.tool_calls)
        return None if alone else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call that was made: either a completion or an error."""

    model: str
    completion: Completion | None = None
    arrived: Completion | None = None
    """What came of a call that failed, without an answer: counts, thinking, a finish reason."""
    lost_usd: float = 0.0
    """Known cost of tries that failed before the same model was asked again."""
    error_kind: str | None = None
    error: str | None = None
    perhaps_billed: bool = False
    """Whether the server may ask for money although there is no answer."""
    elapsed_s: float = 0.0
    status: Status = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One judgement of one outcome; the latest per (outcome, metric, author) wins."""

    id: str
    outcome_id: str
    metric: str
    """`accuracy` (0..1), `rating` (1..5), `thumbs` (0 or 1), `verdict`, or a name of the user's own."""
    value: float
    source: FeedbackSource
    author: str
    time: str
    comment: str | None = None
    cost_usd: float | None = None
    """What this judgement itself cost; never a part of the arm's cost."""
    response_s: float | None = None
    """Seconds that it took; None where no model was called for it."""
    label: str | None = None
    """The word of a verdict: several words may have one value."""
    prompted: bool = False
    """True when it answers a question that a random draw decided to ask, or corrects such an answer."""


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
    """Id of the first attempt, where this is not the first."""
    escalated: bool = False
    """True when it was asked because the answer before it failed a check."""
    error_kind: str | None = None
    error: str | None = None
    finish_reason: str | None = None
    ttft_s: float | None = None
    response_s: float | None = None
    router_s: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    """A part of the output."""
    tokens_estimated: bool = False
    """True when tokens, and so the cost, are estimates."""
    cost_usd: float | None = None
    prices: Prices | None = None
    response: str | None = None
    thinking: str | None = None
    """What the model wrote for itself before it answered; no part of the answer."""
    attachments: tuple[FileNote, ...] = ()
    seed: int | None = None
    candidates: tuple[Candidate, ...] = ()
    duel: CanaryArms | None = None
    embedding: tuple[float, ...] | None = None
    embedding_model: str | None = None
    """The space that the embedding lies in."""
    router_cost_usd: float | None = None
    """What deciding cost, the embedding's price; None where nothing was paid for or the price is unknown."""
    tags: tuple[str, ...] = ()
    store: str | None = None
    """How the texts are kept: `hashed` or `features`; None: as they are."""
    ask_probability: float | None = None
    """Chance with which a rating was asked for; None where no user could be asked."""
    asked: bool | None = None
    segment: str | None = None
    """Learned kind of a query without a task label, as the version that served called it."""
    objective: Objective | None = None
    """What the utilities of the candidates stand on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file that answers were written to: what to look into when a text is forgotten."""

    id: str
    time: str
    path: str
    run: str | None = None


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


CanaryStep = Literal["started", "raised", "promoted", "rolled_back", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryEvent:
    """One step in the life of a canary. Everything its judgement needs is fixed when it starts and repeated."""

    id: str
    time: str
    canary: str
    """Id of the canary: that of its first event."""
    step: CanaryStep
    version: str
    """The candidate."""
    champion: str
    share: float
    """Share of the queries that the candidate is given from now on."""
    promote_at: float
    """Evidence that promotes."""
    evidence: float
    """Evidence for the candidate at this step; 1 says nothing."""
    accuracy_margin: float
    answer_value_usd: float
    second_value_usd: float
    lowest_usd: float
    """Utility per query that counts as 0 on the scale of the judgement; lower ones are clipped to it."""
    highest_usd: float
    """Likewise as 1."""
    unknown_usd: float
    """What a call counts whose cost is unknown."""
    free: tuple[str, ...]
    """Models whose unknown cost counts as nothing: local ones."""
    reason: str
    author: str

    @property
    def running(self) -> bool:
        """Whether the canary goes on after this step."""
        return self.step in {"started", "raised"}


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
