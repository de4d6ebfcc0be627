"""What choosing by query is held against: the best single model, and what routing gains over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import compress
from operator import add
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.evaluate.reward_model import FOLDS
from zetaroute.features import AnyMap
from zetaroute.learn.incremental.sufficient_statistics import gather_rows
from zetaroute.learn.ridge import arm_ridges, heads, relatives
from zetaroute.learn.samples import Sample, take
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.learned import LearnedPredictor, with_lengths
from zetaroute.policy.policy import Policy


class Gain(Protocol):
    """An estimated gain with its standard error."""

    @property
    def mean(self) -> float:
        """The gain per query."""
        ...

    @property
    def se(self) -> float:
        """Its standard error."""
        ...


Judge = Callable[[Index, Index], Gain]
"""Takes, for every row, the arms that cross-validation chooses by routing and as the best single one; returns what
routing gains."""


def cross_validated(
    x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap, *, objective: Objective, jobs: int
) -> tuple[Index, Index] | None:
    """Return for every row the arm that a policy fitted on the other folds would choose, and their best single.

    Both come from the other folds: a best single model that was chosen by the row itself would look too good. None
    where there are too few rows, or one arm alone.
    """
    from joblib import Parallel, delayed

    if len(arms) < 2 or len(rows.arm) < 10 * FOLDS:
        return None
    others = fold_predictors(x, rows, arms, feature_map)
    folds = [rows.group % FOLDS == number for number in range(FOLDS)]

    def exploits(number: int) -> tuple[Index, Index]:
        out = folds[number]
        if not out.any():
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        forecast = others[number].forecast(with_lengths(list(compress(rows.texts, out)), x[out]), arms)
        eligible = rows.eligible[out] | ~rows.eligible[out].any(axis=1, keepdims=True)
        average = with_lengths(rows.texts, x)[~out].mean(axis=0)
        best = kept_anchor(others[number], average, arms, objective, None)
        policy = Policy(version="fold", predictor=others[number], anchor=arms[best].id, average=average)
        single = np.where(eligible[:, best], best, np.argmax(eligible, axis=1))
        return policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible), single

    chosen, singles = np.zeros(len(rows.arm), dtype=np.int64), np.zeros(len(rows.arm), dtype=np.int64)
    parts = Parallel(n_jobs=jobs, prefer="threads")(delayed(exploits)(fold) for fold in range(FOLDS))
    for fold, (arm, single) in zip(folds, parts, strict=True):
        chosen[fold], singles[fold] = arm, single
    return chosen, singles


def fold_predictors(
    x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap
) -> list[LearnedPredictor]:
    """Return, by fold, a predictor that was fitted on the rows outside of it, with vectors (n, D).

    All have the ridges of the whole.
    """
    folds = [rows.group % FOLDS == number for number in range(FOLDS)]
    sums = [
        gather_rows(rows, np.flatnonzero(fold), lambda at: x[at], arms=len(arms), size=x.shape[1])
        for fold in folds
    ]
    total = reduce(add, sums)
    ridges = arm_ridges(total, relatives(arms))
    return [
        heads(total - part, x[~out], take(rows, ~out), arms, feature_map, ridges)
        for part, out in zip(sums, folds, strict=True)
    ]


def forecast_crossed(
    others: Sequence[LearnedPredictor], vectors: Array, group: NDArray[np.uint64], arms: Sequence[Arm]
) -> Forecast:
    """Return the forecasts for n vectors (n, 1 + D), each by the predictor that has not seen its group."""
    folds = group % FOLDS
    parts = {fold: one.forecast(vectors[folds == fold], arms) for fold, one in enumerate(others)}
    columns: dict[str, Array] = {"rows": parts[0].rows}
    for name in Forecast.__slots__:
        if name != "rows":
            columns[name] = np.empty((len(vectors), len(arms)))
            for fold, part in parts.items():
                columns[name][folds == fold] = getattr(part, name)
    return Forecast(**columns)


def kept_anchor(
    predictor: LearnedPredictor, average: Array, arms: Sequence[Arm], objective: Objective, known: str | None
) -> int:
    """Return the single model to beat: the best one for the `average` query (1 + size,), a standard error off each.

    By their means, models with few rows look best too often where there are many. The `known` one is kept unless the
    best is better there by more than one standard error of the difference.
    """
    mean, se = (one[0] for one in predictor.forecast(average[None], arms).utility(objective, arms))
    best = int(np.argmax(mean - se))
    kept = next((k for k, arm in enumerate(arms) if arm.id == known), best)
    return best if mean[best] - mean[kept] > np.hypot(se[best], se[kept]) else kept
