"""Does routing pay? What choosing by query gains over the best single model, by rows left out of the fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import compress
from operator import add
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.evaluate.ope import FOLDS, PairedDR
from zetaroute.features import AnyMap
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics
from zetaroute.learn.ridge import heads
from zetaroute.learn.samples import Sample, compared, take
from zetaroute.policy.exploration import ENOUGH_GRADED
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.policy.policy import Policy
from zetaroute.policy.prior import PRIORS

USUAL_GAIN, USUAL_SPREAD = 1.0, 2.0
"""Mean and standard deviation, in points of accuracy, of what routing by query gained over the best single model on
the recorded sets that the recipe was measured on."""


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


Judge = Callable[[Index, Index], Gain | None]
"""Takes, for every row, the arms that cross-validation chooses by routing and as the best single one; returns what
routing gains, or None where that cannot be said."""


def cross_validated(
    folds: Sequence[SufficientStatistics],
    x: Array,
    rows: Sample,
    arms: Sequence[Arm],
    feature_map: AnyMap,
    *,
    objective: Objective,
    jobs: int,
) -> tuple[Index, Index]:
    """Return for every row the arm that a policy fitted on the other folds would choose, and their best single.

    Both come from the other folds: a best single model that was chosen by the row itself would look too good.
    """
    from joblib import Parallel, delayed

    total = reduce(add, folds)

    def exploits(fold: int) -> tuple[Index, Index]:
        out = rows.fold == fold
        if not out.any():
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        others = heads(total - folds[fold], x[~out], take(rows, ~out), arms, feature_map)
        texts = list(compress(rows.texts, out))
        forecast = others.forecast(with_lengths(texts, x[out]), arms)
        eligible = rows.eligible[out] | ~rows.eligible[out].any(axis=1, keepdims=True)
        policy = Policy(version="fold", predictor=others)
        best = best_single(others, with_lengths(rows.texts, x)[~out], arms, objective)
        single = np.where(eligible[:, best], best, np.argmax(eligible, axis=1))
        return policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible), single

    chosen, singles = np.zeros(len(rows.arm), dtype=np.int64), np.zeros(len(rows.arm), dtype=np.int64)
    parts = Parallel(n_jobs=jobs, prefer="threads")(delayed(exploits)(fold) for fold in range(FOLDS))
    for fold, (arm, single) in enumerate(parts):
        chosen[rows.fold == fold], singles[rows.fold == fold] = arm, single
    return chosen, singles


def best_single(
    predictor: LearnedPredictor, vectors: Array, arms: Sequence[Arm], objective: Objective
) -> int:
    """Return the arm that the predictor prefers for the average of the queries (n, 1 + size)."""
    average = replace(predictor, centre=vectors.mean(axis=0))
    return int(np.argmax(average.forecast(vectors[:1], arms).utility(objective, arms)[0][0]))


def log_judge(x: Array, rows: Sample, arms: Sequence[Arm], objective: Objective) -> Judge:
    """Judge routing by the rows with known propensities and accuracy."""

    def judge(chosen: Index, single: Index) -> Gain | None:
        usable = ~np.isnan(rows.pmf[:, 0]) & ~np.isnan(rows.accuracy)
        if usable.sum() < 10 * FOLDS:
            return None
        evaluated = compared(rows, x, before=single, after=chosen)
        utility = realised_utility(rows, arms, objective)[usable]
        return PairedDR(evaluated.take(usable), utility, bounded=False).difference()

    return judge


def with_lengths(texts: Sequence[str], x: NDArray[np.floating[Any]]) -> Array:
    """Return what a learned predictor forecasts from: the length of each text in front of its vector."""
    return np.hstack([PRIORS.vectors(texts), x])


def benefit_of_doubt(se: float, rows: Sample, arms: Sequence[Arm], objective: Objective) -> float:
    """Return the loss that an estimate with this standard error may show although routing is likely to gain.

    The posterior mean of the gain is above 0 from -prior mean x (se / prior sd)^2 on. Without ENOUGH_GRADED rows
    per arm nothing is usual, and the estimate speaks alone.
    """
    graded = int((~np.isnan(rows.accuracy)).sum())
    point = 0.01 * objective.answer_value_usd
    if graded < ENOUGH_GRADED * len(arms) or point == 0.0:
        return 0.0
    return USUAL_GAIN * point * (se / (USUAL_SPREAD * point)) ** 2


def realised_utility(rows: Sample, arms: Sequence[Arm], objective: Objective) -> Array:
    """Return each row's utility in USD without satisfaction (n,), NaN where accuracy is unknown.

    Ratings are too sparse to decide by: they steer the policy and can stop a promotion, never carry one.
    An unknown cost counts as free for a local model and as the highest known mean cost for any other.
    """
    return (
        objective.answer_value_usd * rows.accuracy
        - charged(rows.cost_usd, rows.arm, arms)
        - objective.second_value_usd * np.nan_to_num(rows.response_s)
    )


def charged(cost_usd: Array, arm: Index, arms: Sequence[Arm]) -> Array:
    """Return the costs (n,) with unknown ones replaced: free for a local arm, else the highest known mean."""
    unknown = np.isnan(cost_usd)
    if not unknown.any():
        return cost_usd
    means = [
        cost_usd[(arm == k) & ~unknown].mean() for k in range(len(arms)) if ((arm == k) & ~unknown).any()
    ]
    local = np.array([candidate.local for candidate in arms])[arm]
    return np.where(unknown, np.where(local, 0.0, max(means, default=0.0)), cost_usd)
