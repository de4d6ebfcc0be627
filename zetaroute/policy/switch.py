"""Whether a conversation goes on with its model, or another one is worth what it costs to change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from zetaroute.domain import (
    GOES_ON,
    TAKES_OVER,
    Arm,
    Candidate,
    Decision,
    Objective,
    Query,
    Standing,
    Switch,
    Warm,
    usd,
)
from zetaroute.policy.decide import candidates_of
from zetaroute.policy.opinion import Opinion, opinion_of
from zetaroute.policy.policy import Policy, held_best
from zetaroute.policy.prior import FEWEST_GRADED, PRIOR_OUTPUT_TOKENS, tally_of


def go_on(
    decision: Decision,
    query: Query,
    warm: Warm | None,
    *,
    arms: Sequence[Arm],
    policy: Policy,
    standings: Mapping[str, Standing],
) -> Decision:
    """Return the decision of a conversation that has kept its model as one that may switch where that pays.

    Without `warm` it goes on in any case, as in a loop of tools. Difficulty is that of the whole talk. The turn costs
    by the prices of now: the kept model reads what is `warm` at the price of cached input, any other reads and, where
    turns are written into the cache, writes all of it. One whose accuracy a record tells takes over where its utility
    is better by what clears the doubt about both (`held_best`).
    """
    if warm is None:
        told = [
            replace(one, reason=one.reason + GOES_ON * (one.model == decision.model))
            for one in decision.candidates
        ]
        return replace(decision, candidates=tuple(told))
    objective = decision.objective or Objective()
    talk = opinion_of(
        policy.with_record(standings), replace(query, text=query.talk()), arms, objective, standings, {}
    )
    ids, tokens = [arm.id for arm in arms], max(query.tokens(), warm.tokens)
    place = ids.index(decision.model)
    costs = np.array([_turn_usd(arm, tokens, warm, standings, kept=arm.id == decision.model) for arm in arms])
    known = np.where(np.isnan(costs), talk.forecast.cost_usd[0], costs)
    forecast = replace(talk.forecast, cost_usd=known[None])
    mean, se = forecast.utility(objective, arms)
    judged = np.array([tally_of(standings, arm).graded >= FEWEST_GRADED for arm in arms])
    able = judged & [one.eligible for one in decision.candidates] & judged[place]
    able[place] = True
    singles = np.where(np.arange(len(ids)) == place, np.inf, mean[0])
    chosen = int(held_best(mean, se, forecast.rows, able[None, :], singles)[0])
    charge = float(costs[chosen] - costs[place])
    switch = Switch(
        kept=decision.model,
        model=ids[chosen],
        warm_tokens=warm.tokens,
        charge_usd=None if math.isnan(charge) else charge,
    )
    opinion = replace(talk, forecast=forecast, mean=mean, se=se)
    return replace(
        decision,
        model=switch.model,
        switch=switch,
        candidates=_told(decision.candidates, opinion, switch),
        # The prices are those of this very turn.
        extra_usd={},
    )


def _told(candidates: Sequence[Candidate], opinion: Opinion, switch: Switch) -> tuple[Candidate, ...]:
    """Return the candidates with what is expected of the talk, and what going on with each would cost this turn."""
    pmf = np.array([one.probability for one in candidates])
    made = candidates_of(opinion, [None] * len(candidates), pmf)
    costs = {one.model: one.cost_usd.mean for one in made if one.cost_usd is not None}

    def words(model: str) -> str:
        if model == switch.kept:
            warm = f", {switch.warm_tokens} tokens of it warm" * bool(switch.warm_tokens)
            return "; had the turn before" + warm if switch.taken else GOES_ON + warm
        if model not in costs or switch.kept not in costs:
            return TAKES_OVER * (model == switch.model)
        more = costs[model] - costs[switch.kept]
        price = f"this turn would cost {usd(abs(more))} {'more' if more >= 0 else 'less'}"
        return f"{TAKES_OVER}: {price}" if model == switch.model else f"; in place of {switch.kept} {price}"

    return tuple(
        replace(new, eligible=old.eligible, reason=old.reason + words(old.model))
        for old, new in zip(candidates, made, strict=True)
    )


def _turn_usd(arm: Arm, tokens: int, warm: Warm, standings: Mapping[str, Standing], *, kept: bool) -> float:
    """Return what one turn costs an arm, which has what is warm if it is the kept one; NaN for an unknown price."""
    if arm.prices is None:
        return 0.0 if arm.local else math.nan
    cached = warm.tokens if kept else 0
    return arm.prices.cost_usd(
        input_tokens=tokens,
        output_tokens=round(tally_of(standings, arm).output_tokens or PRIOR_OUTPUT_TOKENS),
        cached_tokens=cached,
        cache_write_tokens=(tokens - cached) if warm.writes else 0,
    )
