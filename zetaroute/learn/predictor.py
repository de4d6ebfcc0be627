"""From sums and a few rows to a predictor: the four heads, the classes of ratings, and what costs were learned at.

Apart from the fit because parts of the rows are fitted in the same way, to judge by the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zetaroute.domain import Arm
from zetaroute.features import AnyMap
from zetaroute.learn.heads import fit_classes, log_head, solve, target_weights, targets
from zetaroute.learn.sample import Sample
from zetaroute.learn.sums import Sums, gather
from zetaroute.policy.predict import LearnedPredictor, Priced

Array = NDArray[np.float64]


def fit_heads(x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap) -> LearnedPredictor:
    """Fit the four heads and the classes of ratings on rows with these vectors (n, D)."""
    sums = gather(x, targets(rows), rows.arm, len(arms), target_weights(rows.weight, rows.trust))
    return replace(
        heads(sums, x, rows, arms, feature_map),
        rating=fit_classes(x, rows.satisfaction, rows.arm, len(arms)),
        priced=prices_learned_at(rows, arms),
    )


def heads(sums: Sums, x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap) -> LearnedPredictor:
    """Solve the heads from sums; `rows` with vectors (n, D) say how times and costs scatter."""
    accuracy, satisfaction, response, cost = solve(sums)
    known = targets(rows)
    return LearnedPredictor(
        map=feature_map,
        models=tuple(arm.id for arm in arms),
        accuracy=accuracy,
        satisfaction=satisfaction,
        response=log_head(response, x, known[:, 2], rows.arm, rows.weight),
        cost=log_head(cost, x, known[:, 3], rows.arm, rows.weight),
        rating=None,
    )


def prices_learned_at(rows: Sample, arms: Sequence[Arm]) -> dict[str, Priced]:
    """Return, for the arms whose prices are known, what their costs were learned at."""
    priced = {}
    for k, arm in enumerate(arms):
        mine = rows.tokens[(rows.arm == k) & ~np.isnan(rows.tokens).any(axis=1)]
        if arm.prices is not None and len(mine):
            inputs, outputs = mine.mean(axis=0)
            priced[arm.id] = Priced(
                prices=arm.prices, input_tokens=float(inputs), output_tokens=float(outputs)
            )
    return priced
