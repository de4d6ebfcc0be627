"""Models as choices: what is configured of them, and how they stand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a configured number may be, both ends included."""

    low: float = 0.0
    high: float = math.inf


Share = Annotated[float, Bounds(high=1.0)]
Patience = Annotated[float, Bounds(low=0.01)]
"""Seconds after which something is given up."""

DEMOTED = "demoted by a guard"
"""How the reason of a candidate begins that a guard keeps away from a kind of query."""


def usd(amount: float) -> str:
    """Return an amount of money as people write it: down to millionths, without zeros at the end."""
    return "$" + f"{amount:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """USD per million tokens."""

    input: float
    output: float
    cached_input: float | None = None
    """None: cached tokens cost what input tokens cost."""
    cache_write: float | None = None
    """For input that the server puts into its cache; None: what input tokens cost."""
    reasoning: float | None = None
    """None: tokens of reasoning cost what output tokens cost."""
    above: tuple[PriceTier, ...] = ()
    """Other prices for longer inputs, the shortest first."""

    @property
    def is_linear(self) -> bool:
        """Whether input, cached input and output alone, times three prices, make the cost."""
        return self.cache_write is None and self.reasoning is None and not self.above

    def flat(self, input_tokens: int = 0) -> Prices:
        """Return the three plain prices that hold for an input of this length."""
        here = self._at(input_tokens)
        if here.is_linear:
            return here
        return Prices(input=here.input, output=here.output, cached_input=here.cached_input)

    def cost_usd(
        self,
        *,
        input_tokens: int,
        output_tokens: int,
        cached_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> float:
        """Return the cost of one call; cached, written and reasoning tokens are parts of the others."""
        here = self._at(input_tokens)
        cached_price = here.input if here.cached_input is None else here.cached_input
        fresh = input_tokens - cached_tokens
        cost = fresh * here.input + cached_tokens * cached_price + output_tokens * here.output
        if here.cache_write is not None:
            cost += cache_write_tokens * (here.cache_write - here.input)
        if here.reasoning is not None:
            cost += reasoning_tokens * (here.reasoning - here.output)
        return cost / 1e6

    def _at(self, input_tokens: int) -> Prices:
        if not self.above:
            return self
        tiers = [tier.prices for tier in self.above if input_tokens > tier.tokens]
        return tiers[-1] if tiers else self


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """Prices of calls whose whole input is longer than some length."""

    tokens: int
    prices: Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A model as a choice: where it is, what it costs, what to expect of it before any data."""

    id: str
    provider: str
    model: str
    """What the server is told; the id is what people type and what the log stores."""
    of: str | None = None
    """The arm that this one is at another effort; arms of one model share statistics."""
    effort: str | None = None
    """How much the model is to think before it answers; None: what the server does by itself."""
    aliases: tuple[str, ...] = ()
    """Other names that people may type."""
    base_url: str | None = None
    api_key_env: str | None = None
    """The NAME of an environment variable, never a key."""
    api_key_header: str | None = None
    """The header that carries the key as it is; None: the wire format's own."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every call; `$NAME` in a value stands for an environment variable, whose value is secret."""
    proxy: str | None = None
    """None: what the environment says. `$NAME` as in the headers."""
    ca_file: str | None = None
    """Certificates (PEM) that are trusted beside the usual ones."""
    file: str | None = None
    """Recorded outcomes (Parquet), for the provider `recorded`."""
    tags: tuple[str, ...] = ()
    system: str | None = None
    """System prompt for queries that bring none."""
    prices: Prices | None = None
    """None: unknown, so the cost of a call is unknown too, never zero."""
    price_source: str | None = None
    """`config` or `prices.toml`; None while the price is unknown."""
    prior_accuracy: Share | None = None
    prior_response_s: float | None = None
    timeout_s: Patience = 60.0
    """For one call as a whole."""
    connect_timeout_s: Patience = 10.0
    first_token_timeout_s: Patience | None = None
    """Streamed answers only: until the first word, or the first word of thinking."""
    max_concurrency: int = 8
    server_concurrency: int | None = None
    """Calls at once to this arm's server, over all arms there; the smallest that they name counts."""
    context_window: int | None = None
    """Tokens; None: unknown, so nothing is too long."""
    accepts: tuple[str, ...] = ()
    """Kinds of attachment that the model reads beside text: `image`, `file`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Sent in the body of every request, as the server knows them."""
    max_tokens_key: str = "max_tokens"
    """Under which name the option `max_tokens` is sent."""
    delay: float = 1.0
    """Practice models only: a factor on their waiting time; 0 answers at once."""

    @property
    def local(self) -> bool:
        """Whether the model runs on the user's own machine or network."""
        return "local" in self.tags

    @property
    def paid(self) -> bool:
        """Whether a call may cost money: it has a price, or an unknown one at somebody else's place."""
        if self.provider == "recorded":
            return False
        if self.prices is None:
            return not self.local
        return max(self.prices.input, self.prices.output) > 0


ALL_TASKS = "*"
_SEGMENT = "segment: "


def query_kind_key(task: str | None, segment: str | None) -> str:
    """Return the key of a kind of query: its task label, else the learned segment that it lies in, else ""."""
    return task or (f"{_SEGMENT}{segment}" if segment else "")


def segment_of(place: str) -> str | None:
    """Return the segment that a key stands for; None where it stands for a task label or for neither."""
    return place.removeprefix(_SEGMENT) if place.startswith(_SEGMENT) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts over the last rows of one arm and one kind of query: what guards judge by."""

    calls: int = 0
    errors: int = 0
    graded: int = 0
    accuracy: float = 0.0
    """Mean accuracy of the graded rows."""
    accuracy_sd: float = 0.0
    rated: int = 0
    satisfaction: float = 0.0
    satisfaction_sd: float = 0.0
    p95_low_s: float | None = None
    """Lower 95% confidence bound of the 95% quantile of response time; None with too few answers."""
    p95_s: float | None = None
    """The quantile itself; None with too few answers."""
    timed: int = 0
    response_s: float = 0.0
    """Mean over the answers whose time is known, which are `timed`."""
    response_s_sd: float = 0.0
    lost_s: float = 0.0
    """Mean time that calls which failed took, over all calls."""
    charged: int = 0
    cost_usd: float = 0.0
    """Mean over the calls whose cost is known, which are `charged`."""
    cost_usd_sd: float = 0.0
    counted: int = 0
    output_tokens: float = 0.0
    """Mean over the answers whose tokens are known, which are `counted`."""
    output_tokens_sd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one arm stands according to the log: what a decision needs to know of the past."""

    model: str
    consecutive_errors: int = 0
    last_error_s: float | None = None
    """Seconds since the epoch."""
    probe_s: float | None = None
    """When this process sent a query to see whether a failing arm is back; None when none is under way."""
    record: Tally = field(default_factory=Tally)
    """All that is known of it since it last changed: what a cold start goes by."""
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """Place (`query_kind_key`) or ALL_TASKS -> what happened there lately."""
    demoted: frozenset[str] = frozenset()
    """Places whose latest query found the arm demoted by a guard."""
