"""Which models an audit asks beside the answering one: those that may teach more than their answers take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.config import Objective
from zetaroute.domain import Arm, Standing
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.prior import FEWEST_GRADED, tally_of

HORIZON = 1000.0
"""Queries over which what is learned now pays."""
MOST_BESIDE = 4
"""Models that one audit asks beside the answering one: the record of before then tells which to ask next."""
AHEAD = (1, 2, 4, 8, 16, 32)
"""Numbers of further answers of one model that are looked at together: the first alone may not change a choice."""
FAR = 30.0
"""Standard errors beyond which a normal tail is nothing."""
CLAIM_SE = 0.3
"""Standard error of an accuracy that a few answers at most tell: what is only claimed is no reason not to ask."""
CLAIMED_ROWS = 4.0
"""Answers that the config's claims count for."""

USUAL_MODELS = 3
"""Of a chain: more gained nothing."""
TOGETHER = 200
"""Graded answers of every model of a chain from which on fewer audits ask all of them."""
LATER = 1.0 / 3.0
"""Share of the audits that still do."""


def charges(forecast: Forecast, arms: Sequence[Arm], objective: Objective) -> Array:
    """Return money and time in USD that an answer of every arm takes for one query, (K,)."""
    waiting = objective.second_value_usd * np.nan_to_num(forecast.response_s[0])
    return np.asarray(np.nan_to_num(forecast.charged(arms)[0]) + waiting)


def inverse(charge: Array, objective: Objective) -> Array:
    """Return weights (K,) by which audits draw: else a model that is as expensive as all others together would be
    most of what audits cost."""
    return np.asarray(1.0 / (max(point(objective), 1e-9) + charge))


def usual_charge(arms: Sequence[Arm], standings: Mapping[str, Standing], objective: Objective) -> float:
    """Return money and time in USD that an answer takes by the record of the arms, drawn as audits draw them."""
    tallies = [tally for arm in arms if (tally := tally_of(standings, arm)).calls]
    taken = np.array([one.cost_usd + objective.second_value_usd * one.response_s for one in tallies])
    weights = inverse(taken, objective)
    return float(taken @ weights / weights.sum()) if tallies else 0.0


def point(objective: Objective) -> float:
    """Return what audits may cost a usual query, in USD."""
    return 0.01 * objective.answer_value_usd


def worth_asking(mean: Array, se: Array, charge: Array, rows: Array, eligible: Mask) -> Mask:
    """Return which eligible arms (K,) may teach more than their answers take, by utilities in USD.

    What m further answers are worth is the knowledge gradient of normal beliefs (Frazier, Powell and Dayanik, 2009)
    over HORIZON queries; m is the best of AHEAD, as what one answer teaches may be too little to change a choice.
    `rows` are graded answers by now.
    """
    best = int(np.where(eligible, mean, -np.inf).argmax())
    second = float(np.where(eligible & (np.arange(len(mean)) != best), mean, -np.inf).max())
    gap = mean[best] - mean
    gap[best] = mean[best] - second
    worth = np.zeros(len(mean), dtype=bool)
    for more in AHEAD:
        moved = np.maximum(se * np.sqrt(more / (more + rows + CLAIMED_ROWS)), 1e-12)
        z = np.minimum(gap / moved, FAR)
        gain = moved * (np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) - z * _tail(z))
        worth |= HORIZON * gain >= more * charge
    return np.asarray(eligible & worth)


def fewest_first(asked: Mask, rows: Array, most: int, *, seed: int) -> tuple[int, ...]:
    """Draw up to `most` of the arms (K,) to ask, those with few rows more often."""
    among = np.flatnonzero(asked)
    if len(among) <= most:
        return tuple(among.tolist())
    weight = 1.0 / (rows[among] + 1.0)
    drawn = np.random.default_rng([seed, 5]).choice(among, most, replace=False, p=weight / weight.sum())
    return tuple(drawn.tolist())


def chain_models(accuracy: Array, cost_usd: Array, most: int = USUAL_MODELS) -> tuple[int, ...]:
    """Return the arms of a chain, the cheapest first and the most accurate one last.

    Each is more accurate than every cheaper one; where those are fewer than `most`, others that are cheaper than the
    last join them, for answers that agree tell much. Both arrays (K,) are means; NaN leaves an arm out.
    """
    order = [
        arm
        for arm in np.argsort(cost_usd, kind="stable").tolist()
        if not np.isnan(accuracy[arm] + cost_usd[arm])
    ]
    found: list[int] = []
    for arm in order:
        if not found or accuracy[arm] > accuracy[found[-1]]:
            found.append(arm)
    found = found[-most:]
    cheaper = [arm for arm in order[: order.index(found[-1])] if arm not in found] if found else []
    found += sorted(cheaper, key=lambda arm: -accuracy[arm])[: most - len(found)]
    return tuple(sorted(found, key=order.index))


def to_compare(
    arms: Sequence[Arm],
    standings: Mapping[str, Standing],
    charge: Array,
    eligible: Mask,
    *,
    budget_usd: float,
    seed: int,
) -> tuple[int, ...]:
    """Draw the models that an audit asks to learn what answers tell of one another: those of a chain, or none.

    They are a chain's by the record of the arms. So often are they drawn that what they take, the `charge` (K,) of
    each that is not asked anyway, stays within a budget per audit.
    """
    tallies = [tally_of(standings, arm) for arm in arms]
    graded = np.array([one.graded for one in tallies])
    accuracy = np.where(eligible & (graded >= FEWEST_GRADED), [one.accuracy for one in tallies], np.nan)
    unknown = [0.0 if arm.local else math.nan for arm in arms]
    cost = [one.cost_usd if one.charged else usd for one, usd in zip(tallies, unknown, strict=True)]
    models = chain_models(accuracy, np.array(cost))
    if len(models) < 2:
        return ()
    often = 1.0 if graded[list(models)].min() < TOGETHER else LATER
    often *= min(1.0, budget_usd / max(float(charge[list(models)].sum()), 1e-12))
    return models if np.random.default_rng([seed, 6]).random() < often else ()


def _tail(z: Array) -> Array:
    """Return the probability that a standard normal exceeds z (K,)."""
    return np.array([0.5 * math.erfc(one / math.sqrt(2.0)) for one in z.tolist()])
