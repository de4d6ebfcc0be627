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
    Audit,
    AuditTerms,
    Candidate,
    Decision,
    Estimate,
    Pairing,
    Query,
    Side,
    Standing,
)
from zetaroute.errors import NoAnswerError
from zetaroute.policy.asking import CLAIM_SE, MOST_BESIDE, charges, fewest_first, inverse, worth_asking
from zetaroute.policy.contest import Draw, SideView, cast, kept_by, toss
from zetaroute.policy.exploration import (
    PROBATION,
    QUOTA,
    draw,
    explored_shares,
    only,
    thompson,
    with_floor,
    with_quota,
)
from zetaroute.policy.forecast import extra_usd
from zetaroute.policy.guards import Exclusion, Limits, check_forced, exclusions
from zetaroute.policy.opinion import Opinion, opinion_of
from zetaroute.policy.policy import Contest, Expectation, Policy
from zetaroute.policy.prior import FEWEST_GRADED, PriorPredictor, newcomers

FIRST_OF_CHAIN = "; its utility is that of the chain that it begins"
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
) -> Decision:
    """Choose the arm that answers `query`, with the probability of every arm.

    `rate` is the share of queries that are explored, over all eligible arms; `forced` pins a model, and one that a
    conversation has `kept` goes on where every limit of the query lets it: neither has a propensity. In a `contest`
    one of two policies is drawn to decide, and every probability is that over both. By the terms of `audit` a coin
    decides whether several models are asked; where all are, a forced one says what both sides would have asked. With
    `chains` the arm may be the first of several; drawn to explore it is asked alone. What a policy is known to have
    `expected`, by its version, is not asked for.

    Raises NoAnswerError when the user's limits leave no model, or not the pinned one; ForbiddenQueryError for tags.
    """
    own = opinion_of(policy.with_record(standings), query, arms, objective, standings, expected)
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
    demoted = np.array([one is not None and one.demoted for one in excluded])
    if fixed is None:
        own = _looking(own, query, eligible, chain_usd)
    new = newcomers(arms, own.forecast.rows, standings, query=query, objective=objective, eligible=eligible)
    shares = explored_shares(own.mean[0], eligible, answer_value_usd=objective.answer_value_usd)

    # Audits ask newcomers too, and no user has to take their answers.
    quota = 0.0 if audit.probability > 0.0 else QUOTA

    def explored(pmf: Array) -> Array:
        floored = with_quota(with_floor(pmf, shares, rate), new, quota)
        return with_quota(floored, demoted, PROBATION)

    if contest is None:
        pmf = explored(thompson(own.mean[0], own.se[0], eligible, np.random.default_rng([seed, 0])))
        lot = _alone(own, pmf, audit, eligible, seed=seed)
    else:
        other = opinion_of(contest.policy.with_record(standings), query, arms, objective, standings, expected)
        other = _looking(other, query, eligible, chain_usd)
        lot = _cast(own, other, contest, audit, eligible, new, explored, kept=kept_by(rate, quota), seed=seed)
    chosen = lot.chosen if fixed is None else [arm.id for arm in arms].index(fixed)
    decider = lot.decider
    return Decision(
        candidates=candidates_of(decider, excluded, lot.pmf),
        model=arms[chosen].id,
        propensity=float(lot.pmf[chosen]) if fixed is None else None,
        forced=fixed is not None,
        explored=fixed is None and chosen != decider.best(eligible),
        policy_version=decider.policy.version,
        seed=seed,
        note=_note(query),
        escalations=tuple(arms[index].id for index in decider.after[chosen]) if decider.after else (),
        chain=decider.chain if fixed is None and chosen in decider.reach[:1] else None,
        chained=lot.chained,
        segment=own.segment,
        objective=objective,
        contest=lot.pairing,
        audit=lot.audit,
        kept=kept,
        extra_usd=extra_usd,
    )


def _looking(opinion: Opinion, query: Query, eligible: Mask, chain_usd: float | None) -> Opinion:
    """Return the same where answers are looked at: by the query's check, and by a chain of up to `chain_usd`."""
    if query.check is not None:
        opinion = opinion.with_chances(eligible, query.check)
    return opinion if chain_usd is None else opinion.with_chain(query, eligible, chain_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lot:
    """What was drawn for a query, and what from."""

    decider: Opinion
    """The policy that the query was given to."""
    chosen: int
    pmf: Array
    """(K,) over both policies, given how the coin fell: what is logged."""
    audit: Audit
    pairing: Pairing | None = None
    chained: tuple[Side, ...] = ()


def _alone(own: Opinion, pmf: Array, terms: AuditTerms, eligible: Mask, *, seed: int) -> _Lot:
    """Draw for the one policy that there is; an audit asks the best model and others that may be better, by turns."""
    heads = toss(seed, terms.probability)
    if heads:
        chosen = own.best(eligible)
        pmf = only(chosen, len(pmf))
        chain = tuple(dict.fromkeys([chosen, *own.reach]))
        others = _worth_asking(own, eligible) & ~np.isin(np.arange(len(pmf)), chain)
        asks = (*chain, *fewest_first(others, own.forecast.rows, MOST_BESIDE, seed=seed))
    else:
        chosen, asks = draw(pmf, seed), ()
    return _Lot(decider=own, chosen=chosen, pmf=pmf, audit=_audit(own, terms, asks, heads=heads))


def _worth_asking(opinion: Opinion, eligible: Mask) -> Mask:
    """Return which models (K,) may teach more than their answers take."""
    forecast = opinion.forecast
    taken = charges(forecast, opinion.arms, opinion.objective)
    doubt = np.where(forecast.rows < FEWEST_GRADED, CLAIM_SE * opinion.objective.answer_value_usd, 0.0)
    return worth_asking(opinion.mean[0], np.maximum(opinion.se[0], doubt), taken, forecast.rows, eligible)


def _cast(
    own: Opinion,
    other: Opinion,
    contest: Contest,
    terms: AuditTerms,
    eligible: Mask,
    new: Mask,
    explored: Callable[[Array], Array],
    *,
    kept: float,
    seed: int,
) -> _Lot:
    """Give the query to the champion or to the challenger."""
    ids = [arm.id for arm in own.arms]
    anchored = contest.anchor in ids and eligible[ids.index(contest.anchor)]
    single = contest.anchor if anchored and own.chain is None else None
    before = own.best(eligible) if single is None else ids.index(single)
    after = other.best(eligible)
    drawn = cast(
        SideView(arm=before, mean=own.mean[0], se=own.se[0], reach=own.reach),
        SideView(arm=after, mean=other.mean[0], se=other.se[0], reach=other.reach),
        share=contest.share,
        terms=terms,
        eligible=eligible,
        new=new if not new.all() else np.zeros_like(new),
        asking=inverse(charges(other.forecast, own.arms, own.objective), own.objective)
        * _worth_asking(other, eligible),
        explored=explored,
        seed=seed,
    )
    return _Lot(
        decider=other if drawn.side == "challenger" else own,
        chosen=drawn.arm,
        pmf=drawn.pmf,
        audit=_audit(own, terms, drawn.asks, heads=drawn.heads),
        pairing=_pairing(contest, own, other, before, after, drawn, kept),
        chained=_chained(own, other),
    )


def _chained(own: Opinion, other: Opinion) -> tuple[Side, ...]:
    sides: tuple[tuple[Side, Opinion], ...] = (("champion", own), ("challenger", other))
    return tuple(side for side, opinion in sides if opinion.chain is not None)


def _pairing(
    contest: Contest, own: Opinion, other: Opinion, before: int, after: int, drawn: Draw, kept: float
) -> Pairing:
    """Return the models of both sides with what the challenger's heads, older than the query, expect of them.

    Of a chain that is what its own side expects, which is older than the query too.
    """
    unliked = replace(other.objective, satisfaction_value_usd=0.0)
    gains, right = other.forecast.utility(unliked, other.arms)[0][0], other.forecast.accuracy[0]

    def expected(side: Opinion, arm: int) -> tuple[float, float]:
        if side.chain is None:
            return float(gains[arm]), float(right[arm])
        return side.chain.expected_usd, float(right[list(side.reach)].max())

    champion, challenger = expected(own, before), expected(other, after)
    return Pairing(
        epoch=contest.epoch,
        challenger=contest.policy.version,
        share=contest.share,
        kept=kept,
        side=drawn.side,
        champion_model=other.arms[before].id,
        challenger_model=other.arms[after].id,
        champion_p=drawn.champion_p,
        challenger_p=drawn.challenger_p,
        champion_usd=champion[0],
        challenger_usd=challenger[0],
        champion_accuracy=champion[1],
        challenger_accuracy=challenger[1],
    )


def _audit(own: Opinion, terms: AuditTerms, asks: Sequence[int], *, heads: bool) -> Audit:
    return Audit(
        probability=terms.probability,
        heads=heads,
        asks=tuple(own.arms[arm].id for arm in asks),
        blocked=terms.blocked,
    )


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
    lost_s = opinion.lost_s.tolist()
    return tuple(
        Candidate(
            model=arm.id,
            eligible=exclusion is None,
            reason=exclusion.reason
            if exclusion
            else _grounds(arm, int(rows[k]), cost_usd[k].mean, lost_s[k], cold=cold)
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


def _grounds(arm: Arm, rows: int, cost_usd: float, lost_s: float, *, cold: bool) -> str:
    grounds = "prior from the config"
    if rows:
        grounds = f"record of {rows} graded answers" if cold else f"learned from {rows} rows"
    if lost_s >= 0.05:
        grounds += f"; failed calls add {lost_s:.1f} s"
    if math.isnan(cost_usd):
        grounds += "; price unknown, counted as " + ("free: local" if arm.local else "the most expensive")
    return grounds


def _estimates(mean: Array, se: Array) -> list[Estimate]:
    return list(map(Estimate, mean[0].tolist(), se[0].tolist()))


def _note(query: Query) -> str | None:
    if query.embedding is None or query.embedding.error is None:
        return None
    return f"no embedding ({query.embedding.error.rstrip('.')}): decided without it"
