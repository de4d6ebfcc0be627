"""What happened: calls of a model, what they brought back, and the row that is kept of each."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from zetaroute.domain.arm import Prices
from zetaroute.domain.chain import ChainAsk
from zetaroute.domain.contest import Pairing, Side
from zetaroute.domain.decision import Candidate, Objective
from zetaroute.domain.query import FileNote

CONFIG_ERRORS = ("unauthorised", "unsupported")
"""Kinds of error that are mistakes of the config: they say nothing of how good a model is."""
OUTAGE_ERRORS = ("connection", "server", "rate_limited")
"""Kinds of error of a server that is away or overloaded: they say how reliable a model is, not how good."""
Status = Literal["ok", "error", "cancelled"]
Role = Literal["served", "attempt", "chain", "audit", "seed", "import"]
"""What a row is: the first that was asked for the user, one after it, or one that was asked to learn from."""


def is_same_model(asked_for: str, served: str) -> bool:
    """Return whether a server that names the model `served` may well mean the one that it was asked for.

    Names come with and without an owner, a folder, a date or a tag, so one that begins as the other does is the same.
    """
    one, other = (
        name.casefold().replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".gguf")
        for name in (asked_for, served)
    )
    return one.startswith(other) or other.startswith(one)


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


def tool_calls_in(text: str) -> tuple[ToolCall, ...]:
    """Return the calls, without their ids, that a text of `tool_calls_as_text` stands for; none for any other."""
    try:
        calls = tuple(ToolCall(**call) for call in json.loads(text)["tool_calls"])
        return calls if tool_calls_as_text(calls) == text else ()
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


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
    blocks: tuple[Mapping[str, Any], ...] = field(default=(), compare=False, repr=False)
    """The whole answer as it came in `block_format`, for clients of the same format."""
    block_format: str = field(default="", compare=False, repr=False)
    """The provider that speaks it."""
    request_id: str | None = field(default=None, compare=False)
    """The server's name of this call."""
    system_fingerprint: str | None = None
    logprobs: tuple[Mapping[str, Any], ...] = field(default=(), compare=False, repr=False)
    """Of its tokens, as chat completions tell them."""

    @property
    def logprob_figures(self) -> tuple[float, float, float] | None:
        """The least, the 10% quantile and the mean of the log-probabilities of its tokens; None without any."""
        told = [one.get("logprob") for one in self.logprobs]
        found = sorted(float(one) for one in told if isinstance(one, (int, float)) and math.isfinite(one))
        return (found[0], found[len(found) // 10], sum(found) / len(found)) if found else None

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
    retry_after_s: float | None = None
    """How long a server that failed asks to wait, where it does."""
    elapsed_s: float = 0.0
    status: Status = "ok"


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
    session: str | None = None
    """What the client groups its requests by."""
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
    role: Role = "served"
    audit_probability: float | None = None
    """Of the coin that decides whether several models are asked; None: the query could not be audited."""
    audited: bool = False
    """Whether several models were asked."""
    contest: Pairing | None = None
    escalated: bool = False
    """True when it was asked because of the answer before it: that failed a check, or a chain went on."""
    chain: ChainAsk | None = None
    """Set on all rows of a query that a chain answered."""
    chained: tuple[Side, ...] = ()
    """The sides of the contest that would have had a chain answer."""
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
    logprobs: tuple[float, float, float] | None = None
    """Least, 10% quantile and mean of those of its tokens, where the server was asked for them."""
    attachments: tuple[FileNote, ...] = ()
    seed: int | None = None
    candidates: tuple[Candidate, ...] = ()
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

    @property
    def waited_s(self) -> float:
        """What of its time the user waited for."""
        waited_s = None if self.chain is None else self.chain.waited_s
        return (self.response_s or 0.0) if waited_s is None else waited_s

    @property
    def is_outage(self) -> bool:
        """Whether the server failed rather than its model; a timeout before anything came is one too."""
        unheard = self.error_kind == "timeout" and self.ttft_s is None
        return self.status == "error" and (unheard or self.error_kind in OUTAGE_ERRORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file that answers were written to: what to look into when a text is forgotten."""

    id: str
    time: str
    path: str
    run: str | None = None
