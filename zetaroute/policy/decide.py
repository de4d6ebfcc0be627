"""A query in, a decision out.

All that is needed is passed in: nothing is opened here, no clock is asked, and the seed alone decides what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.config import DEFAULT_RULES, GuardRule, Objective, TagRule
from zetaroute.domain import (
    Arm,
    AuditTerms,
    Candidate,
    Decision,
    Estimate,
    Query,
    Standing,
)
from zetaroute.errors import NoAnswerError
from zetaroute.policy.contest import kept_by
from zetaroute.policy.draw import comparing, drawn_alone, drawn_of_sides
from zetaroute.policy.exploration import (
    PROBATION,
    QUOTA,
    explored_shares,
    thompson,
    with_floor,
    with_quota,
)
from zetaroute.policy.forecast import extra_usd
from zetaroute.policy.guards import Exclusion, Limits, check_forced, exclusions
from zetaroute.policy.opinion import Opinion, opinion_of
from zetaroute.policy.policy import Contest, Expectation, Policy
from zetaroute.policy.prior import PriorPredictor, newcomers

FIRST_OF_CHAIN = "; its utility is that of the chain that it begins"
NOTED_SLOW = 1.5
"""Times the usual response time that the reason of a candidate tells."""
NO_AUDIT = AuditTerms(probability=0.0, blocked="no audit was asked for")


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
    contest: Contest | None = None,
    audit: AuditTerms = NO_AUDIT,
    chains: bool = False,
    expected: Mapping[str, Expectation] = MappingProxyType({}),
    slow: Mapping[str, float] = MappingProxyType({}),
) -> Decision:
    """Choose the arm that answers `query`, with every arm's probability.

    `rate` is the share of queries that are explored, over all eligible arms; `forced` pins a model, and one that a
    conversation has `kept` goes on where every limit lets it: neither has a propensity. In a `contest` one of two
    policies is drawn to decide, and every probability is that over both. By the terms of `audit` a coin decides
    whether several models are asked; where all are, a forced one says what both sides would have asked. With `chains`
    it may be the first of several, unless drawn to explore. `slow` models take so many times their forecast.
    Raises NoAnswerError when the user's limits leave no model, or not the pinned one; ForbiddenQueryError for tags.
    """
    own = opinion_of(policy.with_record(standings), query, arms, objective, standings, expected, slow)
    costs = own.costs_usd(extra := extra_usd(arms, query))
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
        _at_no_stake(contest, audit) if fixed is not None else contest,
        audit if fixed is None else replace(audit, probability=0.0),
        query,
        excluded=excluded,
        standings=standings,
        expected=expected,
        slow=slow,
        rate=rate,
        seed=seed,
        fixed=fixed,
        kept=forced is None and fixed is not None,
        extra_usd=extra,
        chain_usd=_most_usd(limits) if chains else None,
    )


def _at_no_stake(contest: Contest | None, audit: AuditTerms) -> Contest | None:
    """Return a contest that gives its challenger nothing, where every model is asked; else none."""
    return None if contest is None or not audit.of_all else replace(contest, share=0.0)


def _most_usd(limits: Limits) -> float:
    """Return what a whole chain may cost."""
    return min(
        (limit for limit in (limits.max_cost_usd, limits.left_usd) if limit is not None), default=math.inf
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
    own: Opinion,
    contest: Contest | None,
    audit: AuditTerms,
    query: Query,
    *,
    excluded: Sequence[Exclusion | None],
    standings: Mapping[str, Standing],
    expected: Mapping[str, Expectation],
    slow: Mapping[str, float],
    rate: float,
    seed: int,
    fixed: str | None,
    kept: bool,
    extra_usd: Mapping[str, float],
    chain_usd: float | None,
) -> Decision:
    """Draw an arm by what the policy in use, or its challenger, makes of those that are not excluded."""
    arms, objective = own.arms, own.objective
    eligible = np.array([one is None for one in excluded])
    if fixed is None:
        own = _looking(own, query, eligible, chain_usd)
    new = newcomers(arms, own.forecast.rows, standings, query=query, objective=objective, eligible=eligible)
    # Audits ask newcomers too, and no user has to take their answers.
    quota = 0.0 if audit.probability > 0.0 else QUOTA
    explored = _exploring(own, eligible, excluded, new, rate=rate, quota=quota)
    if contest is None:
        pmf = explored(thompson(own.mean[0], own.se[0], eligible, np.random.default_rng([seed, 0])))
        drawn = drawn_alone(own, pmf, audit, eligible, seed=seed)
    else:
        tried = contest.policy.with_record(standings)
        other = opinion_of(tried, query, arms, objective, standings, expected, slow)
        other = _looking(other, query, eligible, chain_usd)
        drawn = drawn_of_sides(
            own, other, contest, audit, eligible, new, explored, kept=kept_by(rate, quota), seed=seed
        )
    if chain_usd is not None:
        drawn = comparing(drawn, audit, standings, eligible, seed=seed)
    chosen = drawn.chosen if fixed is None else [arm.id for arm in arms].index(fixed)
    decider = drawn.decider
    return Decision(
        candidates=candidates_of(decider, excluded, drawn.pmf),
        model=arms[chosen].id,
        propensity=float(drawn.pmf[chosen]) if fixed is None else None,
        forced=fixed is not None,
        explored=fixed is None and chosen != decider.best(eligible),
        policy_version=decider.policy.version,
        seed=seed,
        note=_note(query),
        escalations=tuple(arms[index].id for index in decider.after[chosen]) if decider.after else (),
        chain=decider.chain if fixed is None and chosen in decider.reach[:1] else None,
        chained=drawn.chained,
        segment=own.segment,
        objective=objective,
        contest=drawn.pairing,
        audit=drawn.audit,
        kept=kept,
        extra_usd=extra_usd,
        slow=decider.slow,
    )


def _exploring(
    own: Opinion,
    eligible: Mask,
    excluded: Sequence[Exclusion | None],
    new: Mask,
    *,
    rate: float,
    quota: float,
) -> Callable[[Array], Array]:
    """Return what makes probabilities (K,) of others that explore too: the floor, newcomers, those on probation."""
    demoted = np.array([one is not None and one.demoted for one in excluded])
    shares = explored_shares(own.mean[0], eligible, answer_value_usd=own.objective.answer_value_usd)
    return lambda pmf: with_quota(with_quota(with_floor(pmf, shares, rate), new, quota), demoted, PROBATION)


def _looking(opinion: Opinion, query: Query, eligible: Mask, chain_usd: float | None) -> Opinion:
    """Return the same where answers are looked at: by the query's check, and by a chain of up to `chain_usd`."""
    if query.check is not None and query.may_fail_check:
        opinion = opinion.with_chances(eligible, query.check)
    return opinion if chain_usd is None else opinion.with_chain(query, eligible, chain_usd)


def candidates_of(
    opinion: Opinion, excluded: Sequence[Exclusion | None], pmf: Array
) -> tuple[Candidate, ...]:
    """Return the K arms as one decision saw them, with their probabilities (K,)."""
    forecast, cold = opinion.forecast, isinstance(opinion.policy.predictor, PriorPredictor)
    accuracy = _estimates(forecast.accuracy, forecast.accuracy_se)
    satisfaction = _estimates(forecast.satisfaction, forecast.satisfaction_se)
    response_s = _estimates(forecast.response_s, forecast.response_se)
    cost_usd = _estimates(forecast.cost_usd, forecast.cost_se)
    utility_usd = _estimates(opinion.mean, opinion.se)
    first = opinion.reach[:1]
    satisfied, rows, probability = forecast.satisfied[0].tolist(), forecast.rows.tolist(), pmf.tolist()
    lost_s, slow = (
        opinion.lost_s.tolist(),
        [opinion.slow.get(arm.id, 1.0) for arm in opinion.arms],
    )
    return tuple(
        Candidate(
            model=arm.id,
            eligible=exclusion is None,
            reason=exclusion.reason
            if exclusion
            else _grounds(arm, int(rows[k]), cost_usd[k].mean, lost_s[k], slow[k], cold=cold)
            + FIRST_OF_CHAIN * (k in first),
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


def _grounds(arm: Arm, rows: int, cost_usd: float, lost_s: float, slow: float, *, cold: bool) -> str:
    grounds = (
        "prior from the config" if cold or arm.prior_accuracy is not None else "prior: like the known models"
    )
    if rows:
        grounds = f"record of {rows} graded answers" if cold else f"learned from {rows} rows"
    if lost_s >= 0.05:
        grounds += f"; failed calls add {lost_s:.1f} s"
    if slow >= NOTED_SLOW:
        grounds += f"; answers take {slow:.1f} times as long now"
    if math.isnan(cost_usd):
        grounds += "; price unknown, counted as " + ("free: local" if arm.local else "the most expensive")
    return grounds


def _estimates(mean: Array, se: Array) -> list[Estimate]:
    return list(map(Estimate, mean[0].tolist(), se[0].tolist()))


def _note(query: Query) -> str | None:
    if query.embedding is None or query.embedding.error is None:
        return None
    return f"no embedding ({query.embedding.error.rstrip('.')}): decided without it"
