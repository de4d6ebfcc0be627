"""Which version began to serve or to be tried, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CanaryStep = Literal["started", "raised", "promoted", "rolled_back", "stopped"]


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
