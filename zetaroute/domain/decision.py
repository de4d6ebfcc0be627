"""What was predicted and which arm was drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zetaroute.domain.chain import Chain
from zetaroute.domain.contest import Audit, Pairing, Side


# Neither is frozen: every decision makes several per model, and a frozen one takes four times as long to make.
@dataclass(slots=True)
class Estimate:
    """A predicted mean with its standard error."""

    mean: float
    se: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What things are worth to the user, in USD."""

    answer_value_usd: float = 0.01
    """A correct answer instead of a wrong one."""
    satisfaction_value_usd: float = 0.002
    """A fully satisfied user instead of a fully unsatisfied one."""
    second_value_usd: float = 0.0005
    """One second of waiting."""

    def at_price(self, price: float) -> Objective:
        """Return the same where money counts `price` times."""
        if price == 1.0:
            return self
        return Objective(**{name: getattr(self, name) / price for name in self.__slots__})

    def is_at_price(self, stated: Objective) -> bool:
        """Return whether this is a `stated` one, or the same where money counts more."""
        if self == stated:
            return True
        pairs = [(getattr(stated, name), getattr(self, name)) for name in self.__slots__]
        prices = [then / now if now else then and math.inf for then, now in pairs if then or now]
        return min(prices) >= 1.0 and math.isclose(min(prices), max(prices))


@dataclass(slots=True, kw_only=True)
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

    def json(self) -> dict[str, Any]:
        """Return the shape that JSON answers use."""
        estimates = {
            "accuracy": self.accuracy,
            "satisfaction": self.satisfaction,
            "response_s": self.response_s,
            "cost_usd": self.cost_usd,
            "utility_usd": self.utility_usd,
        }
        means = {name: one.mean if one else None for name, one in estimates.items()}
        return {
            "model": self.model,
            "eligible": self.eligible,
            "reason": self.reason,
            "accuracy": means.pop("accuracy"),
            "satisfaction": means.pop("satisfaction"),
            "satisfied": self.satisfied,
            **means,
            "probability": self.probability,
            "se": {name: one.se for name, one in estimates.items() if one},
        }


GOES_ON = "; goes on in its conversation"
TAKES_OVER = "; takes over in its conversation"
"""How the reason of the candidate ends that a conversation has chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """What the server of a conversation's model has in its prompt cache, and another one would have to read anew."""

    tokens: int = 0
    writes: bool = False
    """Whether the client has new turns written into the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What became of the question whether a conversation goes on with its model."""

    kept: str
    """The model of the turn before."""
    model: str
    """The one that answers."""
    warm_tokens: int
    charge_usd: float | None
    """What the turn costs more with `model` than with `kept`; None where a price is unknown."""

    @property
    def taken(self) -> bool:
        """Whether another model answers."""
        return self.model != self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which arm answers, and everything needed to explain and to evaluate that choice later."""

    candidates: tuple[Candidate, ...]
    model: str
    propensity: float | None
    """Probability with which `model` was drawn; None when it was pinned by the user or kept by its conversation."""
    forced: bool
    """True when `model` was not drawn."""
    explored: bool
    """True when the draw differs from the arm that the policy prefers."""
    policy_version: str
    seed: int
    router_s: float = 0.0
    note: str | None = None
    """What the decision had to do without."""
    escalations: tuple[str, ...] = ()
    """Models that it pays to ask, in this order, while the answers fail the query's check."""
    chain: Chain | None = field(default=None, repr=False, compare=False)
    """Which models are asked after `model`, by what the answers look like; None: its answer is given."""
    chained: Mapping[Side, Chain] = field(default_factory=dict, repr=False, compare=False)
    """The chains of the sides of the contest that would have one answer."""
    segment: str | None = None
    """Learned kind of the query; None where it has a task label, or where no kind has a name."""
    objective: Objective | None = None
    """What the utilities stand on."""
    contest: Pairing | None = None
    """Set while a contest runs; `policy_version` is then the side that the query was given to."""
    audit: Audit | None = None
    """None where no coin was tossed."""
    kept: bool = False
    """Forced by the conversation that it goes on with, and not by the user: every limit of the query holds, and
    where it fails others are asked."""
    switch: Switch | None = None
    """Set where the conversation may go on with another model."""
    extra_usd: Mapping[str, float] = field(default_factory=dict)
    """By model what its files and the length of the query cost beside what the candidate tells."""
    slow: Mapping[str, float] = field(default_factory=dict)
    """By model how many times its learned response time the candidate tells, by the load of now."""

    @property
    def pinned(self) -> bool:
        """Whether the user named the model, and with it chose its place and its price."""
        return self.forced and not self.kept

    def expected_usd(self, model: str) -> float:
        """Return what a call of one of the candidates is expected to cost; 0 where that is unknown."""
        cost = next(candidate.cost_usd for candidate in self.candidates if candidate.model == model)
        return cost.mean + self.extra_usd.get(model, 0.0) if cost else 0.0

    def unloaded_s(self) -> float | None:
        """Return the response time that was learned of `model` for such a query, whatever its load is now."""
        if self.model not in self.slow:
            return None
        mine = next(candidate for candidate in self.candidates if candidate.model == self.model)
        return mine.response_s.mean / self.slow[self.model]

    def fallbacks(self) -> tuple[str, ...]:
        """Return the other eligible models, best predicted utility first."""
        others = [c for c in self.candidates if c.eligible and c.model != self.model]
        return tuple(c.model for c in sorted(others, key=lambda c: -c.utility_usd.mean))

    def json(self) -> dict[str, Any]:
        """Return the shape that JSON answers use, with every candidate."""
        return {
            "model": self.model,
            "policy": self.policy_version,
            "propensity": self.propensity,
            "forced": self.forced,
            "explored": self.explored,
            "seed": self.seed,
            "router_s": self.router_s,
            "note": self.note,
            "candidates": [one.json() for one in self.candidates],
        }
