"""Put the pieces together: a query in, a decision out.

Everything it needs is passed in: it opens nothing, asks no clock and draws only from its seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import GuardRule, Objective
from zetaroute.domain import Arm, Candidate, Decision, Estimate, Query, Standing
from zetaroute.policy.explore import draw, exploit, thompson, with_floor
from zetaroute.policy.guard import Limits, exclusions
from zetaroute.policy.predict import Forecast, Predictor

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A version of the routing policy: what it predicts, and whether it routes at all."""

    version: str
    predictor: Predictor
    single: tuple[str, ...] = ()
    """Not empty: the log did not show that routing pays, so the first eligible of these models answers."""

    def exploit(
        self, forecast: Forecast, *, arms: Sequence[Arm], objective: Objective, eligible: Mask
    ) -> NDArray[np.int64]:
        """Return the arm that this policy holds best for each of n queries; `eligible` is (n, K)."""
        if self.single:
            return np.asarray(np.argmin(np.where(eligible, self._ranks(arms), np.inf), axis=1))
        mean, se = forecast.utility(objective, arms)
        return exploit(mean, se, eligible)

    def sampler(self, mean: Array, se: Array, *, arms: Sequence[Arm], eligible: Mask, seed: int) -> Array:
        """Return the probabilities (K,) before the uniform floor is added."""
        if self.single:
            best = int(np.argmin(np.where(eligible, self._ranks(arms), np.inf)))
            return np.asarray(np.eye(len(arms))[best])
        return thompson(mean, se, eligible, np.random.default_rng([seed, 0]))

    def _ranks(self, arms: Sequence[Arm]) -> Array:
        order = {model: rank for rank, model in enumerate(self.single)}
        return np.array([order.get(arm.id, len(order)) for arm in arms], dtype=np.float64)


def decide(
    *,
    query: Query,
    arms: Sequence[Arm],
    policy: Policy,
    objective: Objective,
    rate: float,
    standings: Mapping[str, Standing],
    limits: Limits,
    guards: Sequence[GuardRule],
    seed: int,
    now_s: float,
    forced: str | None = None,
) -> Decision:
    """Choose the arm that answers `query`, with the probability of every arm.

    `rate` is the share of queries explored uniformly; `forced` pins a model, which then has no propensity.
    Raises NoAnswerError when the user's limits leave no model.
    """
    vectors = policy.predictor.vectors([query.text], [query.task])
    forecast = policy.predictor.forecast(vectors, arms)
    mean, se = forecast.utility(objective, arms)
    reasons = exclusions(
        arms,
        query=query,
        expected_cost_usd=forecast.cost_usd[0].tolist(),
        limits=Limits() if forced else limits,
        guards=guards,
        standings=standings,
        now_s=now_s,
    )
    eligible = np.array([reason is None for reason in reasons])
    pmf = with_floor(policy.sampler(mean[0], se[0], arms=arms, eligible=eligible, seed=seed), eligible, rate)
    best = int(policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible[None, :])[0])
    if forced is None:
        chosen = draw(pmf, seed)
    else:
        chosen = next(index for index, arm in enumerate(arms) if arm.id == forced)
    candidates = tuple(
        _candidate(arm, index, forecast=forecast, mean=mean, se=se, reason=reasons[index], pmf=pmf)
        for index, arm in enumerate(arms)
    )
    return Decision(
        candidates=candidates,
        model=arms[chosen].id,
        propensity=None if forced else float(pmf[chosen]),
        forced=forced is not None,
        explored=forced is None and chosen != best,
        policy_version=policy.version,
        seed=seed,
    )


def _candidate(
    arm: Arm,
    index: int,
    *,
    forecast: Forecast,
    mean: Array,
    se: Array,
    reason: str | None,
    pmf: Array,
) -> Candidate:
    cost, satisfied = forecast.cost_usd[0, index], forecast.satisfied[0, index]
    rows = int(forecast.rows[index])
    notes = [f"learned from {rows} rows" if rows else "prior from the config"]
    if np.isnan(cost):
        notes.append("price unknown, counted as " + ("free: local" if arm.local else "the dearest"))
    return Candidate(
        model=arm.id,
        eligible=reason is None,
        reason=reason or "; ".join(notes),
        accuracy=_estimate(forecast.accuracy, forecast.accuracy_se, index),
        satisfaction=_estimate(forecast.satisfaction, forecast.satisfaction_se, index),
        response_s=_estimate(forecast.response_s, forecast.response_se, index),
        cost_usd=None if np.isnan(cost) else _estimate(forecast.cost_usd, forecast.cost_se, index),
        utility_usd=_estimate(mean, se, index),
        probability=float(pmf[index]),
        satisfied=None if np.isnan(satisfied) else float(satisfied),
    )


def _estimate(mean: Array, se: Array, index: int) -> Estimate:
    return Estimate(mean=float(mean[0, index]), se=float(se[0, index]))
