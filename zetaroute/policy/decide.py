"""A query in, a decision out.

All that is needed is passed in: nothing is opened here, no clock is asked, and the seed alone decides what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.config import DEFAULT_RULES, GuardRule, Objective, TagRule
from zetaroute.domain import (
    Arm,
    AuditTerms,
    CanaryArms,
    Candidate,
    Check,
    Decision,
    Estimate,
    Query,
    Standing,
)
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
    audit: AuditTerms | None = None,
    expected: Mapping[str, Expectation] = MappingProxyType({}),
) -> Decision:
    """Choose the arm that answers `query`, with the probability of every arm.

    `rate` is the share of queries that are explored, over all eligible arms; `forced` pins a model, which then has no
    propensity. Nor has the model that a conversation has `kept`, which goes on where every limit of the query lets
    it; else the query is routed anew. With a `challenger` one of the two policies is drawn to decide, and every
    probability is that over both. What a policy is known to have `expected`, by its version, is not asked for.

    Raises NoAnswerError when the user's limits leave no model, or not the pinned one, and ForbiddenQueryError when
    the rules on tags do.
    """
    own = _opinion(policy.with_record(standings), query, arms, objective, expected)
    files = files_usd(arms, query)
    costs = own.costs_usd(files)
    fixed, limits = _fixed(forced, kept, arms, query=query, costs=costs, limits=limits, rules=rules)
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
    return _decision(
        own,
        challenger if fixed is None else None,
        query,
        excluded=excluded,
        standings=standings,
        expected=expected,
        rate=rate,
        seed=seed,
        fixed=fixed,
        kept=forced is None and fixed is not None,
        files=files,
    )


def _fixed(
    forced: str | None,
    kept: str | None,
    arms: Sequence[Arm],
    *,
    query: Query,
    costs: Sequence[float],
    limits: Limits,
    rules: Sequence[TagRule],
) -> tuple[str | None, Limits]:
    """Return the model that answers without a draw, if there is one, and the limits that hold for it."""
    if forced is not None:
        # Naming a model is choosing its place and its price; what is left to spend is another matter.
        limits = replace(limits, local_only=False, max_cost_usd=None)
        check_forced(forced, arms, query=query, costs=costs, limits=limits, rules=rules)
    elif kept is not None:
        with suppress(NoAnswerError):
            check_forced(kept, arms, query=query, costs=costs, limits=limits, rules=rules)
            forced = kept
    return forced, limits


def _decision(
    own: _Opinion,
    challenger: Challenger | None,
    query: Query,
    *,
    excluded: Sequence[Exclusion | None],
    standings: Mapping[str, Standing],
    expected: Mapping[str, Expectation],
    rate: float,
    seed: int,
    fixed: str | None,
    kept: bool,
    files: Mapping[str, float],
) -> Decision:
    """Draw an arm by what the policy in use, or its challenger, makes of those that are not excluded."""
    arms, objective = own.arms, own.objective
    eligible = np.array([one is None for one in excluded])
    demoted = np.array([one is not None and one.demoted for one in excluded])
    if query.check is not None and fixed is None:
        own = own.with_chances(eligible, query.check)
    new = newcomers(arms, own.forecast.rows, standings, query=query, objective=objective, eligible=eligible)
    shares = explored_shares(own.mean[0], eligible, answer_value_usd=objective.answer_value_usd)

    def explored(pmf: Array) -> Array:
        floored = with_quota(with_floor(pmf, shares, rate), new, QUOTA)
        return with_quota(floored, demoted, PROBATION)

    if challenger is None:
        pmf = explored(thompson(own.mean[0], own.se[0], eligible, np.random.default_rng([seed, 0])))
        lot = _Lot(decider=own, drawn=pmf, pmf=pmf)
    else:
        other = _opinion(challenger.policy.with_record(standings), query, arms, objective, expected)
        if query.check is not None:
            other = other.with_chances(eligible, query.check)
        lot = _cast(own, other, challenger, eligible, explored, rate=rate, seed=seed)
    chosen = draw(lot.drawn, seed) if fixed is None else [arm.id for arm in arms].index(fixed)
    decider = lot.decider
    return Decision(
        candidates=_candidates(decider, excluded, lot.pmf),
        model=arms[chosen].id,
        propensity=float(lot.pmf[chosen]) if fixed is None else None,
        forced=fixed is not None,
        explored=fixed is None and chosen != decider.best(eligible),
        policy_version=decider.policy.version,
        seed=seed,
        note=_note(query),
        escalations=tuple(arms[index].id for index in decider.after[chosen]) if decider.after else (),
        segment=own.segment,
        objective=objective,
        duel=lot.duel,
        kept=kept,
        files_usd=files,
    )


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

    def costs_usd(self, files: Mapping[str, float]) -> list[float]:
        """Return what every arm is expected to cost, with what reading the query's files costs by model."""
        costs = self.forecast.cost_usd[0].tolist()
        return [cost + files.get(arm.id, 0.0) for arm, cost in zip(self.arms, costs, strict=True)]

    def best(self, eligible: Mask) -> int:
        """Return the arm (of the K eligible or not) that the policy prefers."""
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
    """(K,) the same over the draw between two policies: what is logged."""
    duel: CanaryArms | None = None


def _cast(
    own: _Opinion,
    other: _Opinion,
    challenger: Challenger,
    eligible: Mask,
    explored: Callable[[Array], Array],
    *,
    rate: float,
    seed: int,
) -> _Lot:
    """Give the query to the champion or to the candidate."""
    before, after = own.best(eligible), other.best(eligible)
    duel = _duel(challenger, other, before, after, rate=rate)
    by_champion, by_candidate = (explored(only(best, len(own.arms))) for best in (before, after))
    given = is_given_to_candidate(duel.share, seed)
    return _Lot(
        decider=other if given else own,
        drawn=by_candidate if given else by_champion,
        pmf=(1.0 - duel.share) * by_champion + duel.share * by_candidate,
        duel=duel,
    )


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


def _candidates(opinion: _Opinion, excluded: Sequence[Exclusion | None], pmf: Array) -> tuple[Candidate, ...]:
    """Return the K arms as one decision saw them, with their probabilities (K,)."""
    forecast, cold = opinion.forecast, isinstance(opinion.policy.predictor, PriorPredictor)
    accuracy = _estimates(forecast.accuracy, forecast.accuracy_se)
    satisfaction = _estimates(forecast.satisfaction, forecast.satisfaction_se)
    response_s = _estimates(forecast.response_s, forecast.response_se)
    cost_usd = _estimates(forecast.cost_usd, forecast.cost_se)
    utility_usd = _estimates(opinion.mean, opinion.se)
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
        for k, (arm, exclusion) in enumerate(zip(opinion.arms, excluded, strict=True))
    )


def _grounds(arm: Arm, rows: int, cost_usd: float, *, cold: bool) -> str:
    grounds = "prior from the config"
    if rows:
        grounds = f"record of {rows} graded answers" if cold else f"learned from {rows} rows"
    if math.isnan(cost_usd):
        grounds += "; price unknown, counted as " + ("free: local" if arm.local else "the most expensive")
    return grounds


def _estimates(mean: Array, se: Array) -> list[Estimate]:
    return list(map(Estimate, mean[0].tolist(), se[0].tolist()))


def _note(query: Query) -> str | None:
    if query.embedding is None or query.embedding.error is None:
        return None
    return f"no embedding ({query.embedding.error.rstrip('.')}): decided without it"
