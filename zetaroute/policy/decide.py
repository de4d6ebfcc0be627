"""Put the pieces together: a query in, a decision out.

Everything it needs is passed in: it opens nothing, asks no clock and draws only from its seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.config import DEFAULT_RULES, GuardRule, Objective, TagRule
from zetaroute.domain import Arm, CanaryArms, Candidate, Check, Decision, Estimate, Query, Standing
from zetaroute.errors import NoAnswerError
from zetaroute.features import Embeddings
from zetaroute.policy.escalation import CheckReliability, second_chances
from zetaroute.policy.exploration import (
    PROBATION,
    QUOTA,
    draw,
    explored_shares,
    is_given_to_candidate,
    only,
    thompson,
    with_floor,
    with_quota,
)
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.guards import Exclusion, Limits, check_forced, exclusions, files_usd
from zetaroute.policy.policy import Challenger, Expectation, Policy, held_best
from zetaroute.policy.prior import PriorPredictor, newcomers


def candidates(
    arms: Sequence[Arm],
    forecast: Forecast,
    mean: Array,
    se: Array,
    excluded: Sequence[Exclusion | None],
    pmf: Array,
    *,
    cold: bool,
) -> tuple[Candidate, ...]:
    """Return the K arms as one decision saw them: its forecast, utilities (1, K) and probabilities (K,).

    `cold` says that no version was learned yet.
    """
    accuracy = _estimates(forecast.accuracy, forecast.accuracy_se)
    satisfaction = _estimates(forecast.satisfaction, forecast.satisfaction_se)
    response_s = _estimates(forecast.response_s, forecast.response_se)
    cost_usd = _estimates(forecast.cost_usd, forecast.cost_se)
    utility_usd = _estimates(mean, se)
    satisfied, rows, probability = forecast.satisfied[0].tolist(), forecast.rows.tolist(), pmf.tolist()
    return tuple(
        Candidate(
            model=arm.id,
            eligible=exclusion is None,
            reason=exclusion.reason
            if exclusion
            else _grounds(arm, int(rows[k]), cost_usd[k].mean, cold=cold),
            accuracy=accuracy[k],
            satisfaction=satisfaction[k],
            response_s=response_s[k],
            cost_usd=None if math.isnan(cost_usd[k].mean) else cost_usd[k],
            utility_usd=utility_usd[k],
            probability=probability[k],
            satisfied=None if math.isnan(satisfied[k]) else satisfied[k],
        )
        for k, (arm, exclusion) in enumerate(zip(arms, excluded, strict=True))
    )


def _grounds(arm: Arm, rows: int, cost_usd: float, *, cold: bool) -> str:
    grounds = "prior from the config"
    if rows:
        grounds = f"record of {rows} graded answers" if cold else f"learned from {rows} rows"
    if math.isnan(cost_usd):
        grounds += "; price unknown, counted as " + ("free: local" if arm.local else "the dearest")
    return grounds


def _estimates(mean: Array, se: Array) -> list[Estimate]:
    return list(map(Estimate, mean[0].tolist(), se[0].tolist()))


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
    rules: Sequence[TagRule] = DEFAULT_RULES,
    seed: int,
    now_s: float,
    forced: str | None = None,
    kept: str | None = None,
    challenger: Challenger | None = None,
    expected: Mapping[str, Expectation] = MappingProxyType({}),
) -> Decision:
    """Choose the arm that answers `query`, with the probability of every arm.

    `rate` is the share of queries that are explored, over all eligible arms; `forced` pins a model, which then has no
    propensity. Nor has the model that a conversation has `kept`, which goes on where every limit of the query lets
    it; else the query is routed anew. With a `challenger` the query is given to one of the two policies by lot, and
    every probability is that over both. What a policy is known to have `expected`, by its version, is not asked for.

    Raises NoAnswerError when the user's limits leave no model, or not the pinned one, and ForbiddenQueryError when
    the rules on tags do.
    """
    own = _opinion(policy.with_record(standings), query, arms, objective, expected)
    files = files_usd(arms, query)
    costs = [
        cost + files.get(arm.id, 0.0)
        for arm, cost in zip(arms, own.forecast.cost_usd[0].tolist(), strict=True)
    ]
    pinned = forced is not None
    if forced is not None:
        # Whoever names a model has chosen its place and its price; what is left to spend is another matter.
        limits = replace(limits, local_only=False, max_cost_usd=None)
        check_forced(forced, arms, query=query, costs=costs, limits=limits, rules=rules)
    elif kept is not None:
        with suppress(NoAnswerError):
            check_forced(kept, arms, query=query, costs=costs, limits=limits, rules=rules)
            forced = kept
    excluded = exclusions(
        arms,
        query=query,
        expected_cost_usd=costs,
        limits=limits,
        guards=guards,
        rules=rules,
        standings=standings,
        now_s=now_s,
        segment=own.segment,
    )
    eligible = np.array([one is None for one in excluded])
    if query.check is not None and forced is None:
        own = own.with_chances(eligible, query.check)
    demoted = np.array([one is not None and one.demoted for one in excluded])
    new = newcomers(
        arms,
        own.forecast.rows,
        standings,
        query=query,
        objective=objective,
        eligible=eligible,
    )
    shares = explored_shares(own.mean[0], eligible, answer_value_usd=objective.answer_value_usd)

    def explored(pmf: Array) -> Array:
        floored = with_quota(with_floor(pmf, shares, rate), new, QUOTA)
        return with_quota(floored, demoted, PROBATION)

    if challenger is None or forced is not None:
        sampled = thompson(own.mean[0], own.se[0], eligible, np.random.default_rng([seed, 0]))
        pmf = explored(sampled)
        lot = _Lot(decider=own, drawn=pmf, pmf=pmf)
    else:
        other = _opinion(challenger.policy.with_record(standings), query, arms, objective, expected)
        if query.check is not None:
            other = other.with_chances(eligible, query.check)
        before, after = own.best(eligible), other.best(eligible)
        duel = _duel(challenger, other, before, after, rate=rate)
        sides = [(own, explored(only(before, len(arms)))), (other, explored(only(after, len(arms))))]
        lot = _cast(sides, duel, seed)
    if forced is None:
        chosen = draw(lot.drawn, seed)
    else:
        chosen = next(index for index, arm in enumerate(arms) if arm.id == forced)
    return Decision(
        candidates=candidates(
            arms,
            lot.decider.forecast,
            lot.decider.mean,
            lot.decider.se,
            excluded,
            lot.pmf,
            cold=isinstance(lot.decider.policy.predictor, PriorPredictor),
        ),
        model=arms[chosen].id,
        propensity=None if forced else float(lot.pmf[chosen]),
        forced=forced is not None,
        explored=forced is None and chosen != lot.decider.best(eligible),
        policy_version=lot.decider.policy.version,
        seed=seed,
        note=_note(query),
        escalations=tuple(arms[index].id for index in lot.decider.after[chosen]) if lot.decider.after else (),
        segment=own.segment,
        objective=objective,
        duel=lot.duel,
        kept=forced is not None and not pinned,
        files_usd=files,
    )


def _note(query: Query) -> str | None:
    if query.embedding is None or query.embedding.error is None:
        return None
    return f"no embedding ({query.embedding.error.rstrip('.')}): decided without it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opinion:
    """What one policy expects of every arm for one query; arrays (1, K)."""

    policy: Policy
    arms: Sequence[Arm]
    objective: Objective
    forecast: Forecast
    mean: Array
    """Utility in USD."""
    se: Array
    segment: str | None = None
    """The learned kind of the query."""
    after: tuple[tuple[int, ...], ...] = ()
    """For every arm those that may be asked after it; empty where nothing is checked."""

    def best(self, eligible: Mask) -> int:
        """Return the arm (of the K eligible or not) that the policy holds best."""
        chosen = held_best(self.mean, self.se, self.forecast.rows, eligible[None, :])
        return int(chosen[0])

    def with_chances(self, eligible: Mask, check: Check) -> _Opinion:
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


def _opinion(
    policy: Policy,
    query: Query,
    arms: Sequence[Arm],
    objective: Objective,
    expected: Mapping[str, Expectation],
) -> _Opinion:
    found = expected.get(policy.version)
    if found is None:
        own, knowing = query.embedding, policy
        if own is not None and own.values:
            given = np.array(own.values, dtype=np.float32)
            knowing = policy.with_embeddings(Embeddings(space=own.space, by_text={query.text: given}))
        (found,) = knowing.expect([query], arms)
    mean, se = found.forecast.utility(objective, arms)
    return _Opinion(
        policy=policy,
        arms=arms,
        objective=objective,
        forecast=found.forecast,
        mean=mean,
        se=se,
        segment=found.segment,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lot:
    """Which policy a query was given to, and what is drawn from."""

    decider: _Opinion
    drawn: Array
    """(K,) the probabilities of the policy that decides."""
    pmf: Array
    """(K,) the same over the lot between two policies: what is logged."""
    duel: CanaryArms | None = None


def _cast(sides: Sequence[tuple[_Opinion, Array]], duel: CanaryArms, seed: int) -> _Lot:
    """Give the query to the champion or to the candidate, which come in this order with their probabilities."""
    (_, by_champion), (_, by_candidate) = sides
    decider, drawn = sides[int(is_given_to_candidate(duel.share, seed))]
    pmf = (1.0 - duel.share) * by_champion + duel.share * by_candidate
    return _Lot(decider=decider, drawn=drawn, pmf=pmf, duel=duel)


def _duel(challenger: Challenger, opinion: _Opinion, before: int, after: int, *, rate: float) -> CanaryArms:
    """Return the two arms with what the candidate's own heads, older than the canary, expect of them.

    The bound of the propensities leaves out what exploring adds, which differs from query to query.
    """
    unliked = replace(opinion.objective, satisfaction_value_usd=0.0)
    gains = opinion.forecast.utility(unliked, opinion.arms)[0][0]
    right = opinion.forecast.accuracy[0]
    return CanaryArms(
        canary=challenger.canary,
        share=challenger.share,
        least=min(challenger.share, 1.0 - challenger.share)
        * (1.0 - rate)
        * (1.0 - QUOTA)
        * (1.0 - PROBATION),
        before=opinion.arms[before].id,
        after=opinion.arms[after].id,
        before_usd=float(gains[before]),
        after_usd=float(gains[after]),
        before_accuracy=float(right[before]),
        after_accuracy=float(right[after]),
    )
