"""What the loop on recorded outcomes keeps of its queries: steps, an epoch's evidence, and the models' record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.bench.datasets import Recordings
from zetaroute.domain import FIRST_SHARE, PROVING_SHARE, Decision, Standing, Tally
from zetaroute.evaluate.scoring import COLUMNS, Decided
from zetaroute.learn.progressive import UtilityBounds
from zetaroute.policy.contest import least_probabilities

_EMPTY: Mapping[str, NDArray[Any]] = {name: np.zeros(0) for name in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One query of the stream."""

    query: int
    """Its place among the recordings."""
    decision: Decision
    asked: Index
    """The models that were asked, the answering one first."""


@dataclass(slots=True, kw_only=True)
class Epoch:
    """The evidence against one champion."""

    anchor: str | None
    bounds: UtilityBounds
    earlier: float = 1.0
    """What evidence before a change of the champion has left, at most 1."""
    promoted: bool = False
    """Whether its challenger serves and is tested for harm."""
    rejected: bool = False
    lines: dict[str, NDArray[Any]] = field(default_factory=lambda: dict(_EMPTY))
    versions: list[str] = field(default_factory=list)
    """Of the challenger of each line."""
    truth: list[float] = field(default_factory=list)
    """The gain of each line in USD, as the recordings know it."""

    @property
    def share(self) -> float:
        """Share of the queries that the challenger is given now."""
        if self.rejected:
            return 0.0
        if len(self.lines["next_share"]):
            return float(self.lines["next_share"][-1])
        return PROVING_SHARE if self.promoted else FIRST_SHARE


def decided_of(steps: Sequence[Step], train: Recordings, gains: Array) -> Decided:
    """Return queries of a contest with what was seen of them; `gains` (n, K) are the utilities in USD."""
    rows = np.array([step.query for step in steps])
    drawn = [step.decision.contest for step in steps if step.decision.contest is not None]
    place = {arm: index for index, arm in enumerate(train.models)}
    arm = {
        side: np.array([place[getattr(one, f"{side}_model")] for one in drawn])
        for side in ("champion", "challenger")
    }
    asked = {
        side: np.array([chosen in step.asked for chosen, step in zip(arms.tolist(), steps, strict=True)])
        for side, arms in arm.items()
    }
    values: dict[str, Any] = {
        name: np.array([getattr(one, name) for one in drawn])
        for name in (
            *("champion_p", "challenger_p", "champion_usd", "challenger_usd"),
            *("champion_accuracy", "challenger_accuracy"),
        )
    }
    for side in ("champion", "challenger"):
        values[f"{side}_utility"] = np.where(asked[side], gains[rows, arm[side]], np.nan)
        values[f"{side}_right"] = np.where(asked[side], train.score[rows, arm[side]], np.nan)
    share, kept = (np.array([getattr(one, name) for one in drawn]) for name in ("share", "kept"))
    champion_least, challenger_least = least_probabilities(share, kept)
    return Decided(
        paired=np.array([step.decision.audit is not None and step.decision.audit.heads for step in steps]),
        share=share,
        champion=arm["champion"],
        challenger=arm["challenger"],
        champion_least=champion_least,
        challenger_least=challenger_least,
        champion_asked=asked["champion"],
        challenger_asked=asked["challenger"],
        **values,
    )


def record_of(train: Recordings, queries: Index, models: Index) -> dict[str, Standing]:
    """Return the record of every model that answered, by what was asked of whom: both (rows,)."""
    return {
        model: Standing(model=model, record=_tally(train, queries[models == k], k))
        for k, model in enumerate(train.models)
        if (models == k).any()
    }


def _tally(train: Recordings, mine: Index, arm: int) -> Tally:
    """Return the record of an arm on these queries."""

    def of(values: Array) -> tuple[int, float, float]:
        known = values[mine, arm]
        known = known[~np.isnan(known)]
        spread = float(known.std(ddof=1)) if len(known) > 1 else 0.0
        return len(known), float(known.mean()) if len(known) else 0.0, spread

    accuracy, cost, seconds = of(train.score), of(train.cost_usd), of(train.latency_s)
    return Tally(
        calls=len(mine),
        graded=accuracy[0],
        accuracy=accuracy[1],
        accuracy_sd=accuracy[2],
        charged=cost[0],
        cost_usd=cost[1],
        cost_usd_sd=cost[2],
        timed=seconds[0],
        response_s=seconds[1],
        response_s_sd=seconds[2],
    )
