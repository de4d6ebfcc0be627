"""Two versions of the policy side by side: the steps of a contest, and what both wanted of one query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["champion", "challenger"]
ContestStep = Literal[
    "began", "refitted", "rejected", "promoted", "paused", "resumed", "rolled_back", "ended"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityRange:
    """Bounds that the utility of a model's answers is clipped to, in USD; fixed for an epoch."""

    model: str
    low_usd: float
    high_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestEvent:
    """One step of a contest. Everything its evidence needs is fixed when it begins and repeated."""

    id: str
    time: str
    """UTC, ISO 8601."""
    epoch: str
    """Id of the event that it began with: the evidence of one epoch belongs together."""
    step: ContestStep
    champion: str
    """Version."""
    anchor: str | None
    """The single model that the champion always asks; None where it chooses by query."""
    challenger: str
    """Version."""
    since: str
    """Id of the event by which the challenger came: the evidence of harm counts from there."""
    ranges: tuple[UtilityRange, ...]
    answer_value_usd: float
    second_value_usd: float
    unknown_usd: float
    """What a call counts whose cost is unknown."""
    free: tuple[str, ...]
    """Models whose unknown cost counts as nothing: local ones."""
    accuracy_margin: float
    evidence: float
    """That the challengers of the epoch beat the champion, by this step; 1 says nothing."""
    harm: float
    """That the challenger of now is worse."""
    reason: str
    author: str

    @property
    def running(self) -> bool:
        """Whether the contest goes on after this step."""
        return self.step not in {"rolled_back", "ended"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What the two sides of a contest wanted for one query, and what was expected of it before."""

    epoch: str
    challenger: str
    """Version."""
    share: float
    """Probability with which the query was given to the challenger."""
    side: Side
    """To which it was given."""
    champion_model: str
    challenger_model: str
    champion_p: float
    """Probability of the champion's model over both sides, given how the coin of the audit fell."""
    challenger_p: float
    champion_usd: float
    """Utility that the challenger's heads expect of the champion's model, without satisfaction."""
    challenger_usd: float
    champion_accuracy: float
    challenger_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The coin of one query: on heads several models are asked, and all answers are graded."""

    probability: float
    """Of heads; 0 where the query cannot be audited."""
    heads: bool
    asks: tuple[str, ...] = ()
    """On heads: every model that is asked, the one that answers included."""
    blocked: str | None = None
    """Why the query cannot be audited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTerms:
    """Under which terms a query may be audited, known before the query is decided."""

    probability: float
    """Of the coin's heads; 0: never."""
    blocked: str | None = None
    """Why this query cannot be audited."""
