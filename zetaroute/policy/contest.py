"""A contest for one query: which side it is given to, which models an audit asks, and with what probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.domain import AuditTerms, Side
from zetaroute.policy.exploration import PROBATION, draw, only, thompson

CHAMPION_SAMPLES = 0.1
"""Share of the champion's queries whose model is sampled around its best."""
CHALLENGER_SAMPLES = 0.5
"""The same of the challenger's: it learns from them."""
ADDS_ONE = 1.0 / 3.0
"""Share of the audits that ask one more model, so that challengers of later on can be judged."""

EARLY_AUDITS, FIRST_AUDITS, PROVING_AUDITS, LATER_AUDITS = 1.0, 0.25, 0.3, 0.05
"""Shares of the queries that are audited, if any: see `audit_share`."""
TINY = 1e-6
"""Stands for a probability of nothing: a side without a share, on which nothing can be bet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideView:
    """What one side makes of a query; arrays (K,)."""

    arm: int
    """The model that it wants."""
    mean: Array
    """Utility in USD."""
    se: Array
    reach: tuple[int, ...] = ()
    """All models that its chain may ask; none where it asks `arm` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What was drawn for one query."""

    arm: int
    pmf: Array
    """(K,) over both sides, given how the coin fell."""
    side: Side
    heads: bool
    champion_p: float
    """Probability, given how the coin fell, that it is seen what the champion's plan brings: 1 on heads; on tails, of
    a model that it is drawn, of a chain that its side is given the query and its first model drawn."""
    challenger_p: float
    asks: tuple[int, ...] = ()
    """On heads, the answering one first."""


def draw_side(
    champion: SideView,
    challenger: SideView,
    *,
    share: float,
    terms: AuditTerms,
    eligible: Mask,
    new: Mask,
    asking: Array,
    explored: Callable[[Array], Array],
    replays: bool = True,
    seed: int,
) -> Draw:
    """Toss the coin of the audit, give the query to a side, and draw its model.

    `explored` adds to probabilities (K,) what both sides explore. While there are `new` models (K,) an audit asks one
    of them too, later on one in three asks any other; drawn by the weights `asking` (K,), 0 for never. Where nothing
    `replays` a chain by the answers of an audit, it is seen on heads where its side is given the query.
    """
    coins = np.random.default_rng([seed, 2]).random(3)
    side: Side = "challenger" if coins[0] < share else "champion"
    count = len(eligible)
    if toss(seed, terms.probability):
        mine, other = (challenger, champion) if side == "challenger" else (champion, challenger)
        pmf = share * only(challenger.arm, count) + (1.0 - share) * only(champion.arm, count)
        asks = dict.fromkeys([mine.arm, other.arm, *mine.reach, *other.reach])
        rest = eligible & (asking > 0.0) & ~np.isin(np.arange(count), list(asks))
        asks |= dict.fromkeys(_one_more(rest, new, asking, coins[1:]))
        return Draw(
            arm=mine.arm,
            pmf=pmf,
            side=side,
            heads=True,
            asks=tuple(asks),
            champion_p=1.0 if replays or not champion.reach else 1.0 - share,
            challenger_p=1.0 if replays or not challenger.reach else share,
        )
    by_champion, by_challenger = (
        explored(
            (1.0 - sampled) * only(view.arm, count)
            + sampled * thompson(view.mean, view.se, eligible, np.random.default_rng([seed, stream]))
        )
        for view, sampled, stream in ((champion, CHAMPION_SAMPLES, 3), (challenger, CHALLENGER_SAMPLES, 0))
    )
    pmf = share * by_challenger + (1.0 - share) * by_champion
    own = by_challenger if side == "challenger" else by_champion
    return Draw(
        arm=draw(own, seed),
        pmf=pmf,
        side=side,
        heads=False,
        champion_p=_seen_on_tails(champion, challenger, (1.0 - share) * by_champion, pmf),
        challenger_p=_seen_on_tails(challenger, champion, share * by_challenger, pmf),
    )


def _one_more(others: Mask, new: Mask, asking: Array, coins: Array) -> tuple[int, ...]:
    """Return one of the others (K,) that an audit asks too, or none: one of the new ones (K,) while there are any."""
    young = others & new
    if not young.any() and not (others.any() and coins[0] < ADDS_ONE):
        return ()
    among = young if young.any() else others
    return (_point_in(np.where(among, asking, 0.0), float(coins[1])),)


def _seen_on_tails(view: SideView, other: SideView, own: Array, pmf: Array) -> float:
    """Return the probability that what a side wants is seen, by its `own` part of the draw (K,).

    What is drawn for a chain is another thing than the same model alone.
    """
    begins = view.reach or (other.reach and other.arm == view.arm)
    return float((own if begins else pmf)[view.arm])


def audit_share(
    given: float | None, *, early: bool, promoted: bool, proving: bool, usual_charge: float, point: float
) -> float:
    """Return the probability of an audit: the `given` one, else by how much there is to learn from it.

    `early`: nothing has challenged the config's priors yet, and few answers are graded; `promoted`: a version serves
    that was proven; `proving`: that one is still tested for harm. Later ones are so rare that a usual query pays at
    most a `point` for them, where one more answer takes the `usual_charge`, both in USD.
    """
    if given is not None:
        return given
    if early:
        return EARLY_AUDITS
    share = PROVING_AUDITS if proving else LATER_AUDITS if promoted else FIRST_AUDITS
    return min(share, point / max(usual_charge, 1e-12))


def toss(seed: int, probability: float) -> bool:
    """Return whether the coin of an audit shows heads, drawn with its own stream of `seed`."""
    return probability > 0.0 and bool(np.random.default_rng([seed, 4]).random() < probability)


def kept_by(rate: float, quota: float) -> float:
    """Return the share of the queries that exploring, newcomers and probation leave to the two sides at least."""
    return (1.0 - rate) * (1.0 - quota) * (1.0 - PROBATION)


def least_probabilities(share: Array, kept: Array) -> tuple[Array, Array]:
    """Return what the models of champion and challenger are drawn with at least, whatever the query, each (n,)."""
    champion = (1.0 - share) * (1.0 - CHAMPION_SAMPLES) * kept
    return np.maximum(champion, TINY), np.maximum(share * (1.0 - CHALLENGER_SAMPLES) * kept, TINY)


def affordable_share(share: float, *, kept: float, width_usd: float, limit_usd: float | None) -> float:
    """Return the largest share up to `share` by which no query may lose more than a twelfth of a limit.

    `width_usd` is the widest range of a utility. With none left a challenger is judged by audits alone.
    """
    if limit_usd is None:
        return share
    most = limit_usd / 12.0 / max(width_usd, 1e-12) * kept
    if most * (1.0 - CHALLENGER_SAMPLES) < 1.0:
        return 0.0
    odds = most * (1.0 - CHAMPION_SAMPLES)
    return min(share, odds / (1.0 + odds))


def _point_in(weight: Array, point: float) -> int:
    """Return the place (of K with these weights) where a point from 0 to 1 falls."""
    bounds = np.cumsum(weight)
    return int(min(np.searchsorted(bounds, point * bounds[-1], side="right"), len(weight) - 1))
