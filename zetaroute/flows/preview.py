"""What a batch would cost, before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from zetaroute.domain import Query
from zetaroute.flows.batch import Plan
from zetaroute.flows.intake import BadLine
from zetaroute.flows.router import Router


def preview(router: Router, rows: Iterable[Query | BadLine], plan: Plan) -> dict[str, Any]:
    """Return rows, expected cost with a 95% interval and the models whose price is unknown.

    The interval covers the uncertainty of each model's mean cost and of the draw, not the spread of single
    answers around their mean.
    """
    count, mean, variance, spread = 0, 0.0, 0.0, 0.0
    unpriced: set[str] = set()
    for row in rows:
        if isinstance(row, BadLine):
            continue
        count += 1
        decision = router.decide(row, seed=0, limits=plan.limits)
        chances = {c.model: 1.0 if plan.models else c.probability for c in decision.candidates}
        for candidate in decision.candidates:
            chance = chances[candidate.model]
            if chance <= 0 or (plan.models and candidate.model not in plan.models):
                continue
            if candidate.cost_usd is None:
                unpriced.add(candidate.model)
                continue
            mean += chance * candidate.cost_usd.mean
            variance += chance * (1 - chance) * candidate.cost_usd.mean**2
            spread += chance * candidate.cost_usd.se
    half = 1.96 * math.sqrt(variance + spread**2)
    return {
        "rows": count,
        "cost_usd": {"value": mean, "low": max(mean - half, 0.0), "high": mean + half, "n": count},
        "unpriced_models": sorted(unpriced),
    }
