"""What a batch would cost, before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from zetaroute.batch.input import Row
from zetaroute.batch.run import BatchPlan, Progress, feed_of
from zetaroute.batch.seen import SeenRows
from zetaroute.errors import UnfitQueryError
from zetaroute.files.lines import BadLine
from zetaroute.router.router import Router


def preview(
    router: Router, rows: Iterable[Row | BadLine], plan: BatchPlan, seen_rows: SeenRows
) -> dict[str, Any]:
    """Return rows to ask, expected cost with a 95% interval and the models whose price is unknown.

    What `seen_rows` knows as answered costs nothing more. The interval covers the uncertainty of each model's mean
    cost and of the draw, not the spread of single answers around their mean.
    """
    progress = Progress()
    mean, variance, spread, unfit = 0.0, 0.0, 0.0, 0
    unpriced: set[str] = set()
    for task in feed_of(rows, seen_rows, plan, progress):
        if task is None:
            continue
        query, model = task
        try:
            decision = router.decide(router.tagged(query), seed=0, limits=plan.limits, forced=model)
        except UnfitQueryError:
            unfit += 1
            continue
        for candidate in decision.candidates:
            chance = candidate.probability if model is None else float(candidate.model == model)
            if chance <= 0:
                continue
            if candidate.cost_usd is None:
                unpriced.add(candidate.model)
                continue
            mean += chance * candidate.cost_usd.mean
            variance += chance * (1 - chance) * candidate.cost_usd.mean**2
            spread += chance * candidate.cost_usd.se
    half = 1.96 * math.sqrt(variance + spread**2)
    count = progress.rows - progress.skipped - progress.bad_lines
    return {
        "rows": count,
        "skipped": progress.skipped,
        "bad_lines": progress.bad_lines,
        "unfit": unfit,
        "cost_usd": {"value": mean, "low": max(mean - half, 0.0), "high": mean + half, "n": count},
        "unpriced_models": sorted(unpriced),
    }
