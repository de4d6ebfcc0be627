"""Put the pieces together: a query in, a decision out.

Everything it needs is passed in: it opens nothing, asks no clock and draws only from its seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import GuardRule, Objective
from zetaroute.domain import ALL_TASKS, Arm, Candidate, Decision, Estimate, Query, Standing
from zetaroute.errors import NoAnswerError, UnfitQueryError
from zetaroute.policy.explore import ENOUGH_GRADED, draw, exploit, thompson, with_floor, with_quota
from zetaroute.policy.guard import Limits, barred, exclusions, unfit
from zetaroute.policy.predict import Forecast, Predictor

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A version of the routing policy: what it predicts, and how it chooses by that."""

    version: str
    predictor: Predictor

    def exploit(
        self, forecast: Forecast, *, arms: Sequence[Arm], objective: Objective, eligible: Mask
    ) -> NDArray[np.int64]:
        """Return the arm that this policy holds best for each of n queries; `eligible` is (n, K).

        A model that was never tried is not held best on the config's word while others have a record.
        """
        mean, se = forecast.utility(objective, arms)
        tried = eligible & (forecast.rows > 0)
        return exploit(mean, se, np.where(tried.any(axis=1, keepdims=True), tried, eligible))


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
    Raises NoAnswerError when the user's limits leave no model, or not the pinned one.
    """
    vectors = policy.predictor.vectors([query.text], [query.task])
    forecast = policy.predictor.forecast(vectors, arms)
    mean, se = forecast.utility(objective, arms)
    costs = forecast.cost_usd[0].tolist()
    if forced is not None:
        # Whoever names a model has chosen its place and its price; what is left to spend is another matter.
        limits = replace(limits, local_only=False, max_cost_usd=None)
        _check_forced(forced, arms, query=query, costs=costs, limits=limits)
    reasons = exclusions(
        arms,
        query=query,
        expected_cost_usd=costs,
        limits=limits,
        guards=guards,
        standings=standings,
        now_s=now_s,
    )
    eligible = np.array([reason is None for reason in reasons])
    pmf = with_floor(thompson(mean[0], se[0], eligible, np.random.default_rng([seed, 0])), eligible, rate)
    newcomers = eligible & np.array(
        [_is_new(arm, rows, standings) for arm, rows in zip(arms, forecast.rows, strict=True)]
    )
    pmf = with_quota(pmf, newcomers)
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


def _check_forced(
    forced: str, arms: Sequence[Arm], *, query: Query, costs: Sequence[float], limits: Limits
) -> None:
    """Raise NoAnswerError when the pinned model may not answer, UnfitQueryError when it cannot take this."""
    arm, cost = next((arm, cost) for arm, cost in zip(arms, costs, strict=True) if arm.id == forced)
    bar = barred(arm, expected_cost_usd=cost, limits=limits)
    if bar:
        raise NoAnswerError(f"{forced} may not answer: {bar}; choose another model.")
    reason = unfit(arm, query=query, expected_cost_usd=cost, limits=limits)
    if reason:
        raise UnfitQueryError(f"{forced} may not answer: {reason}; choose another model.")


def _is_new(arm: Arm, rows: float, standings: Mapping[str, Standing]) -> bool:
    """Return whether an arm has too few graded answers, in the policy's training and in the log, to be judged."""
    standing = standings.get(arm.id)
    tally = standing.tallies.get(ALL_TASKS) if standing else None
    return max(rows, tally.graded if tally else 0) < ENOUGH_GRADED


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
