"""What one policy expects of every model for one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.config import Objective
from zetaroute.domain import ALL_TASKS, Arm, Check, Query, Standing
from zetaroute.policy.escalation import CheckReliability, second_chances
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.policy import Expectation, Policy, held_best

if TYPE_CHECKING:
    from zetaroute.policy.chain.plan import ChainState

RELIABLE_CALLS = 20
"""Calls without a failure that every model is taken to have had: one failure among few proves little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one policy expects of every arm for one query; arrays (1, K)."""

    policy: Policy
    arms: Sequence[Arm]
    objective: Objective
    forecast: Forecast
    mean: Array
    """Utility in USD."""
    se: Array
    lost_s: Array
    """(K,) seconds per call that failed ones have taken lately; the forecast's response times hold them."""
    slow: Mapping[str, float] = field(default_factory=dict)
    """By model the times its learned response time by the load of now, which they hold too; empty before any was."""
    segment: str | None = None
    """The learned kind of the query."""
    after: tuple[tuple[int, ...], ...] = ()
    """For every arm those that may be asked after it; empty where nothing is checked."""
    cell: int | None = None
    """The query's in the feature map."""
    chain: ChainState | None = None
    """Set where asking by what the answers look like is held better than any single arm."""

    def costs_usd(self, extra_usd: Mapping[str, float]) -> list[float]:
        """Return what every arm is expected to cost, with what is not forecast, by model."""
        costs = self.forecast.cost_usd[0].tolist()
        return [cost + extra_usd.get(arm.id, 0.0) for arm, cost in zip(self.arms, costs, strict=True)]

    def best(self, eligible: Mask) -> int:
        """Return the arm (of the K eligible or not) that the policy prefers to ask, or to ask first."""
        if self.chain is not None:
            return self.reach[0]
        singles = self.policy.singles(self.arms, self.objective)
        return int(held_best(self.mean, self.se, self.forecast.rows, eligible[None, :], singles)[0])

    @property
    def reach(self) -> tuple[int, ...]:
        """The arms that the chain may ask, the first one first; empty without a chain."""
        if self.chain is None:
            return ()
        ids, first = [arm.id for arm in self.arms], self.chain.next()
        return tuple(ids.index(model) for model in sorted(self.chain.models, key=lambda one: one != first))

    def with_chain(self, query: Query, eligible: Mask, limit_usd: float) -> Opinion:
        """Return the same with a chain of eligible arms, of at most `limit_usd`, where that is worth more."""
        plan = self.policy.chain
        if plan is None:
            return self
        chain = plan.begin(
            query.text,
            self.forecast,
            self.arms,
            self.objective,
            eligible,
            cell=self.cell,
            limit_usd=limit_usd,
        )
        if chain is None or chain.next() is None:
            return self
        chained = replace(self, chain=chain)
        first, unliked = chained.reach[0], replace(self.objective, satisfaction_value_usd=0.0)
        gain_usd = chain.expected_usd - self.forecast.utility(unliked, self.arms)[0][0, first]
        mean = self.mean.copy()
        mean[0, first] += gain_usd
        return replace(chained, mean=mean) if mean[0, first] > self.mean[0, self.best(eligible)] else self

    def with_chances(self, eligible: Mask, check: Check) -> Opinion:
        """Return the same where answers that fail a check are asked of other eligible arms."""
        unliked = replace(self.objective, satisfaction_value_usd=0.0)
        chances = second_chances(
            self.forecast.utility(unliked, self.arms)[0][0],
            self.forecast.accuracy[0],
            eligible,
            answer_value_usd=self.objective.answer_value_usd,
            reliability=self.policy.checks.get(check.grader, CheckReliability()),
        )
        return replace(self, mean=self.mean + chances.gain_usd, after=chances.after)


def opinion_of(
    policy: Policy,
    query: Query,
    arms: Sequence[Arm],
    objective: Objective,
    standings: Mapping[str, Standing],
    expected: Mapping[str, Expectation],
    slow_now: Mapping[str, float] = MappingProxyType({}),
) -> Opinion:
    """Return what `policy` makes of a query; how reliable the arms are, `standings` tell, how slow, `slow_now`."""
    found = expected.get(policy.version)
    if found is None:
        own, knowing = query.embedding, policy
        if own is not None and own.values:
            given = np.array(own.values, dtype=np.float32)
            from zetaroute.features import Embeddings

            knowing = policy.with_embeddings(Embeddings(space=own.space, by_text={query.text: given}))
        (found,) = knowing.expect([query], arms)
    lost_s = _lost_s(standings, arms)
    forecast = found.forecast
    if lost_s.any():
        forecast = replace(forecast, response_s=forecast.response_s + lost_s)
    slow = {}
    if policy.predictor.map is not None:
        slow = {arm.id: slow_now.get(arm.id, 1.0) for arm in arms}
        if slow_now:
            forecast = forecast.slower(np.array(list(slow.values())))
    mean, se = forecast.utility(objective, arms)
    return Opinion(
        policy=policy,
        arms=arms,
        objective=objective,
        forecast=forecast,
        mean=mean,
        se=se,
        lost_s=lost_s,
        slow=slow,
        segment=found.segment,
        cell=found.cell,
    )


def _lost_s(standings: Mapping[str, Standing], arms: Sequence[Arm]) -> Array:
    """Return the mean time (K,) in seconds that failed calls add to a call of every arm."""
    lately = [one.tallies.get(ALL_TASKS) if (one := standings.get(arm.id)) else None for arm in arms]
    return np.array([one.lost_s * one.calls / (one.calls + RELIABLE_CALLS) if one else 0.0 for one in lately])
