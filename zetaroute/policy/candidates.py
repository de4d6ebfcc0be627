"""What a decision tells of every arm: its figures, and why it is out or what they rest on.

Apart from deciding because of its reason to change: what people and the log are shown, not what is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zetaroute.domain import Arm, Candidate, Estimate
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.guard import Exclusion

Array = NDArray[np.float64]


def candidates(
    arms: Sequence[Arm],
    forecast: Forecast,
    mean: Array,
    se: Array,
    excluded: Sequence[Exclusion | None],
    pmf: Array,
    *,
    cold: bool,
) -> tuple[Candidate, ...]:
    """Return the K arms as one decision saw them: its forecast, utilities (1, K) and probabilities (K,).

    `cold` says that no version was learned yet.
    """
    accuracy = _estimates(forecast.accuracy, forecast.accuracy_se)
    satisfaction = _estimates(forecast.satisfaction, forecast.satisfaction_se)
    response_s = _estimates(forecast.response_s, forecast.response_se)
    cost_usd = _estimates(forecast.cost_usd, forecast.cost_se)
    utility_usd = _estimates(mean, se)
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
        for k, (arm, exclusion) in enumerate(zip(arms, excluded, strict=True))
    )


def _grounds(arm: Arm, rows: int, cost_usd: float, *, cold: bool) -> str:
    grounds = "prior from the config"
    if rows:
        grounds = f"record of {rows} graded answers" if cold else f"learned from {rows} rows"
    if math.isnan(cost_usd):
        grounds += "; price unknown, counted as " + ("free: local" if arm.local else "the dearest")
    return grounds


def _estimates(mean: Array, se: Array) -> list[Estimate]:
    return list(map(Estimate, mean[0].tolist(), se[0].tolist()))
