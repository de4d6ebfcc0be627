"""Two versions of the policy side by side: the steps of a contest, and what both wanted of one query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Side = Literal["champion", "challenger"]
ContestStep = Literal[
    "began", "refitted", "rejected", "promoted", "paused", "resumed", "rolled_back", "ended"
]

GRADE_DEADLINE = timedelta(hours=1)
"""How long the evidence waits for a grade; then the worst is assumed."""
FIRST_ROWS, BETS_FROM = 30, 60
"""Rows per model after which the first challenger is fitted, and after which bets are made on what it says."""
FIRST_SHARE = 0.69
"""Share of the queries that a challenger begins with: the probability of a gain that is usual."""
LEAST_SHARE, LARGEST_SHARE = 0.25, 0.9
"""Of the queries, that it is given while nothing speaks clearly against it."""
PROVING_SHARE, PROVEN_SHARE = 0.5, 0.95
"""Shares of a promoted version beside the champion of before: while it is tested for harm, and afterwards."""
PROVING_UNITS = 600
"""Scored queries by which a promoted version is tested for harm before another one may challenge it."""


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
    ranges: tuple[UtilityRange, ...]
    answer_value_usd: float
    second_value_usd: float
    unknown_usd: float
    """What a call counts whose cost is unknown."""
    free: tuple[str, ...]
    """Models whose unknown cost counts as nothing: local ones."""
    accuracy_margin: float
    max_regret_usd: float | None
    """What challengers of this champion may lose in a month; None: no limit."""
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

    @property
    def width_usd(self) -> float:
        """By how much two answers may differ at most."""
        return max(one.high_usd for one in self.ranges) - min(one.low_usd for one in self.ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What the two sides of a contest wanted for one query, and what was expected of it before."""

    epoch: str
    challenger: str
    """Version."""
    share: float
    """Probability with which the query was given to the challenger."""
    kept: float
    """Share of the queries that exploring leaves to the two sides at least, whatever the query."""
    side: Side
    """To which it was given."""
    champion_model: str
    """Of a chain the first one."""
    challenger_model: str
    champion_p: float
    """Probability, given how the audit's coin fell, that it is seen what the champion's model or chain brings."""
    challenger_p: float
    champion_usd: float
    """Utility that the challenger's heads expect of the champion's model, without satisfaction."""
    challenger_usd: float
    champion_accuracy: float
    challenger_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReplay:
    """What the chain of a side would have done with an audited query, by the answers that were asked for anyway."""

    id: str
    outcome_id: str
    """Of the query's first row."""
    side: Side
    asked: tuple[str, ...]
    """Models."""
    returned: str | None
    """The one whose answer would have been given; None where all failed."""
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceLine:
    """What one query says of a contest; written once, and never changed."""

    id: str
    """Of the query's first row."""
    time: str
    epoch: str
    challenger: str
    """Version: the evidence of harm counts its own lines alone."""
    unit: str
    """Hash of the conversation, else of the text: each counts once."""
    own: bool
    """Whether the challenger was given the query."""
    share: float
    paired: bool
    """Whether it was seen what both sides' models or chains bring."""
    champion_model: str
    """Of a chain its name."""
    challenger_model: str
    champion_outcome: str | None
    """Id of the row with the answer that the champion's model or chain brought; None where it was not seen."""
    challenger_outcome: str | None
    champion_cost_usd: float | None = None
    """Of all that a chain asked; None of a single model."""
    challenger_cost_usd: float | None = None
    champion_waited_s: float | None = None
    challenger_waited_s: float | None = None
    champion_p: float
    challenger_p: float
    audit_probability: float
    champion_usd: float
    """What was expected."""
    challenger_usd: float
    gain_usd: float
    """The challenger's gain: its mean over the draws is the true one."""
    loss_usd: float
    """The same with the other sign, but for what is missing: that counts as the worst for both."""
    gain_accuracy: float
    variance_usd: float | None
    """Mean of earlier squared gains of its kind; None: nothing is bet on this line."""
    variance_accuracy: float | None
    worst_gain_usd: float
    """What the gain may be below 0 at most."""
    worst_loss_usd: float
    worst_accuracy: float
    clipped: bool
    """Whether a utility lay outside its model's range."""
    missing: bool
    """Whether a grade never came."""
    next_share: float
    """Share of the queries that the challenger is given after this line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignUnits:
    """What was learned from other logs: nothing of it is ever scored here."""

    id: str
    time: str
    units: tuple[str, ...]
    """Hashes of conversations and of texts."""


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
    of_all: bool = False
    """Whether every model is asked in turn, each by a decision of its own."""
