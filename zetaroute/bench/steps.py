"""What the loop on recorded outcomes keeps of its queries: steps, an epoch's evidence, and the models' record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.recorded_chains import ChainRun
from zetaroute.domain import FIRST_SHARE, PROVING_SHARE, Decision, Side, Standing, Tally
from zetaroute.evaluate.scoring import COLUMNS, Decided
from zetaroute.learn.progressive import UtilityBounds
from zetaroute.policy.contest import least_probabilities

SIDES: tuple[Side, Side] = ("champion", "challenger")
_EMPTY: Mapping[str, NDArray[Any]] = {name: np.zeros(0) for name in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One query of the stream."""

    query: int
    """Its place among the recordings."""
    decision: Decision
    asked: Index
    """The models whose answers teach: the first that was asked for the user, then those of an audit."""
    chain: ChainRun | None = None
    """What the chain did that began with the first one."""
    chains: Mapping[Side, ChainRun] = field(default_factory=dict)
    """What those of both sides of a contest would have done."""

    @property
    def returned(self) -> int:
        """The model whose answer was given."""
        return int(self.asked[0]) if self.chain is None else self.chain.returned

    @property
    def beside(self) -> Index:
        """The models that the audit asked."""
        mine = self.asked[:1] if self.chain is None else self.chain.paid
        return self.asked[~np.isin(self.asked, mine)]

    def utility_usd(self, gains: Array) -> float:
        """Return what the answer was worth, by the utilities (n, K) of single models."""
        return float(gains[self.query, self.asked[0]]) if self.chain is None else self.chain.utility_usd


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
    drawn = [step.decision.contest for step in steps if step.decision.contest is not None]
    paired = [step.decision.audit is not None and step.decision.audit.heads for step in steps]
    plans: dict[Side, list[int]] = {}
    values: dict[str, Any] = {}
    for number, side in enumerate(SIDES):
        arms = [train.models.index(getattr(one, f"{side}_model")) for one in drawn]
        chained = [side in step.chains for step in steps]
        plans[side] = [
            len(train.models) + number if chain else arm for arm, chain in zip(arms, chained, strict=True)
        ]
        seen = [
            _seen_chain(step, side) if chain else _seen(step, arm, train, gains)
            for step, arm, chain in zip(steps, arms, chained, strict=True)
        ]
        values[f"{side}_utility"], values[f"{side}_right"] = np.array(seen).T
    values |= {
        name: np.array([getattr(one, name) for one in drawn])
        for side in SIDES
        for name in (f"{side}_p", f"{side}_usd", f"{side}_accuracy")
    }
    share, kept = (np.array([getattr(one, name) for one in drawn]) for name in ("share", "kept"))
    champion_least, challenger_least = least_probabilities(share, kept)
    return Decided(
        paired=np.array(paired),
        share=share,
        champion=np.array(plans["champion"]),
        challenger=np.array(plans["challenger"]),
        champion_least=champion_least,
        challenger_least=challenger_least,
        champion_asked=~np.isnan(values["champion_utility"]),
        challenger_asked=~np.isnan(values["challenger_utility"]),
        **values,
    )


def _seen(step: Step, arm: int, train: Recordings, gains: Array) -> tuple[float, float]:
    """Return utility and grade of a model's answer; NaN where it was not seen by the coin or the draw."""
    heads = step.decision.audit is not None and step.decision.audit.heads
    if not (arm in step.asked if heads else step.chain is None and step.asked[0] == arm):
        return np.nan, np.nan
    return float(gains[step.query, arm]), float(train.score[step.query, arm])


def _seen_chain(step: Step, side: Side) -> tuple[float, float]:
    """Return the same of a side's chain, which is seen where it ran, and by the answers of an audit."""
    contest, audit = step.decision.contest, step.decision.audit
    ran = step.chain is not None and contest is not None and contest.side == side
    if not ran and (audit is None or not audit.heads):
        return np.nan, np.nan
    return step.chains[side].utility_usd, step.chains[side].right


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
