"""The model of one query is drawn: by the one policy that there is, or by a side of a contest, with its audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Audit, AuditTerms, Chain, Pairing, Side, Standing
from zetaroute.policy.asking import (
    CLAIM_SE,
    MOST_BESIDE,
    charges,
    fewest_first,
    inverse,
    point,
    to_compare,
    worth_asking,
)
from zetaroute.policy.contest import Draw, SideView, draw_side, toss
from zetaroute.policy.exploration import draw, only
from zetaroute.policy.opinion import Opinion
from zetaroute.policy.policy import Contest
from zetaroute.policy.prior import FEWEST_GRADED


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What was drawn for a query, and what from."""

    decider: Opinion
    """The policy that the query was given to."""
    chosen: int
    pmf: Array
    """(K,) over both policies, given how the coin fell: what is logged."""
    audit: Audit
    pairing: Pairing | None = None
    chained: Mapping[Side, Chain] = field(default_factory=dict)


def drawn_alone(own: Opinion, pmf: Array, terms: AuditTerms, eligible: Mask, *, seed: int) -> Drawn:
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
    return Drawn(decider=own, chosen=chosen, pmf=pmf, audit=_audit(own, terms, asks, heads=heads))


def comparing(
    drawn: Drawn, terms: AuditTerms, standings: Mapping[str, Standing], eligible: Mask, *, seed: int
) -> Drawn:
    """Let an audit ask the models of a chain too, at half of what audits may cost a usual query."""
    if not drawn.audit.heads:
        return drawn
    arms, objective = drawn.decider.arms, drawn.decider.objective
    more = np.array([arm.id not in drawn.audit.asks for arm in arms])
    charge = more * charges(drawn.decider.forecast, arms, objective)
    budget_usd = 0.5 * point(objective) / terms.probability
    models = to_compare(arms, standings, charge, eligible, budget_usd=budget_usd, seed=seed)
    asks = dict.fromkeys([*drawn.audit.asks, *(arms[model].id for model in models)])
    return replace(drawn, audit=replace(drawn.audit, asks=tuple(asks)))


def _worth_asking(opinion: Opinion, eligible: Mask) -> Mask:
    """Return which models (K,) may teach more than their answers take."""
    forecast = opinion.forecast
    taken = charges(forecast, opinion.arms, opinion.objective)
    doubt = np.where(forecast.rows < FEWEST_GRADED, CLAIM_SE * opinion.objective.answer_value_usd, 0.0)
    return worth_asking(opinion.mean[0], np.maximum(opinion.se[0], doubt), taken, forecast.rows, eligible)


def drawn_of_sides(
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
) -> Drawn:
    """Give the query to the champion or to the challenger."""
    ids = [arm.id for arm in own.arms]
    anchored = contest.anchor in ids and eligible[ids.index(contest.anchor)]
    single = contest.anchor if anchored and own.chain is None else None
    before = own.best(eligible) if single is None else ids.index(single)
    after = other.best(eligible)
    drawn = draw_side(
        SideView(arm=before, mean=own.mean[0], se=own.se[0], reach=own.reach),
        SideView(arm=after, mean=other.mean[0], se=other.se[0], reach=other.reach),
        share=contest.share,
        terms=terms,
        eligible=eligible,
        new=new if not new.all() else np.zeros_like(new),
        asking=inverse(charges(other.forecast, own.arms, own.objective), own.objective)
        * _worth_asking(other, eligible),
        explored=explored,
        # A check holds answers back from the chain that runs, and is not made for others.
        replays=not own.after,
        seed=seed,
    )
    return Drawn(
        decider=other if drawn.side == "challenger" else own,
        chosen=drawn.arm,
        pmf=drawn.pmf,
        audit=_audit(own, terms, drawn.asks, heads=drawn.heads),
        pairing=_pairing(contest, own, other, before, after, drawn, kept),
        chained=_chained(own, other),
    )


def _chained(own: Opinion, other: Opinion) -> dict[Side, Chain]:
    sides: dict[Side, Chain | None] = {"champion": own.chain, "challenger": other.chain}
    return {side: chain for side, chain in sides.items() if chain is not None}


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
