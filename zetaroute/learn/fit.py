"""From training rows to a policy: the map, the four heads, and whether routing pays at all.

The one function that `retrain` calls; what it returns is compiled into an artifact by `policy.load`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.evaluate.ope import FOLDS, Comparison, Rows
from zetaroute.features import FeatureMap
from zetaroute.learn.drift import Drift, find_drifts, weights_after
from zetaroute.learn.frame import Sample, take
from zetaroute.learn.heads import fit_classes, fit_linear, fit_log
from zetaroute.learn.map import TextMap
from zetaroute.policy.decide import Policy
from zetaroute.policy.predict import LearnedPredictor, Priced, PriorPredictor

Array = NDArray[np.float64]

OUTGROWN = 2.0
"""Times as many distinct texts as a map was fitted on make it worth a new one."""


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


Vectors = Callable[[Sequence[str], Sequence[str | None]], Array]
Judge = Callable[[NDArray[np.int64], int], Gain | None]
"""Takes the arm that cross-validated routing chooses for every row and the best single arm; returns what routing
gains over it, or None where that cannot be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What a fit brings."""

    predictor: LearnedPredictor
    routes: bool
    """Whether routing beat the best single model on the training rows; if not, the predictor has a centre."""
    best_single: str
    """The best single model by the training rows."""
    routing_gain: Gain | None
    """Cross-validated utility of routing minus the best single model; None where the log cannot say."""
    map: FeatureMap
    vectors: Vectors
    """Turns texts and task labels into vectors by `map`."""
    drifts: tuple[Drift, ...]
    """Arms whose accuracy has changed within the rows, and since when."""


def fit(
    rows: Sample,
    arms: Sequence[Arm],
    *,
    objective: Objective,
    seed: int,
    jobs: int = 1,
    judge: Judge | None = None,
    known: FeatureMap | None = None,
) -> Fitted:
    """Fit a predictor on the training rows of the given arms, `jobs` folds at a time.

    A feature map that is `known` is kept while it is not outgrown: a map of a few hundred texts is as good as one
    of all, and one map for two versions makes them comparable.

    Routing is used only when its cross-validated gain over the best single model exceeds one standard error;
    by default that is judged from the logged propensities.
    """
    feature_map, vectors_of = _map(rows, known, seed=seed)
    x = vectors_of(rows.texts, rows.tasks)
    predictor = fit_heads(x, rows, arms, feature_map)
    drifts = find_drifts(x, rows, predictor.accuracy)
    if drifts:
        rows = replace(rows, weight=weights_after(rows, drifts))
        predictor = fit_heads(x, rows, arms, feature_map)
    vectors = with_lengths(rows.texts, x)
    average = replace(predictor, centre=vectors.mean(axis=0))
    level = average.forecast(vectors[:1], arms).utility(objective, arms)[0][0]
    best = int(np.argmax(level))
    gain: Gain | None = None
    if len(arms) > 1 and len(rows.arm) >= 10 * FOLDS:
        chosen = _cross_validated(x, rows, arms, feature_map, objective=objective, jobs=jobs)
        judge = judge or _log_judge(x, rows, arms, objective)
        gain = judge(chosen, best)
    routes = gain is not None and gain.mean > gain.se
    return Fitted(
        predictor=predictor if routes else average,
        routes=routes,
        best_single=arms[best].id,
        routing_gain=gain,
        map=feature_map,
        vectors=vectors_of,
        drifts=drifts,
    )


def _map(rows: Sample, known: FeatureMap | None, *, seed: int) -> tuple[FeatureMap, Vectors]:
    """Return the map to use and what applies it: the known one, or a new one where that is outgrown."""
    distinct = len(set(rows.texts))
    if known is not None and distinct < OUTGROWN * known.texts:
        return known, known.vectors
    fresh = TextMap(rows.texts, seed=seed, tasks=rows.tasks)
    return fresh.frozen, fresh.vectors


def realised_utility(rows: Sample, arms: Sequence[Arm], objective: Objective) -> Array:
    """Return each row's utility in USD without satisfaction (n,), NaN where accuracy is unknown.

    Ratings are too sparse to decide by: they steer the policy and can stop a promotion, never carry one.
    An unknown cost counts as free for a local model and as the dearest known mean cost for any other.
    """
    return (
        objective.answer_value_usd * rows.accuracy
        - charged(rows.cost_usd, rows.arm, arms)
        - objective.second_value_usd * np.nan_to_num(rows.response_s)
    )


def charged(cost_usd: Array, arm: NDArray[np.int64], arms: Sequence[Arm]) -> Array:
    """Return the costs (n,) with unknown ones replaced: free for a local arm, else the dearest arm's mean."""
    unknown = np.isnan(cost_usd)
    if not unknown.any():
        return cost_usd
    means = [
        cost_usd[(arm == k) & ~unknown].mean() for k in range(len(arms)) if ((arm == k) & ~unknown).any()
    ]
    local = np.array([candidate.local for candidate in arms])[arm]
    return np.where(unknown, np.where(local, 0.0, max(means, default=0.0)), cost_usd)


def fit_heads(x: Array, rows: Sample, arms: Sequence[Arm], feature_map: FeatureMap) -> LearnedPredictor:
    """Fit the four heads and the classes of ratings on rows with these vectors (n, D)."""
    count = len(arms)
    taken = np.where(rows.answered, rows.response_s, np.nan)
    return LearnedPredictor(
        map=feature_map,
        models=tuple(arm.id for arm in arms),
        accuracy=fit_linear(x, rows.accuracy, rows.arm, count, rows.weight),
        satisfaction=fit_linear(x, rows.satisfaction, rows.arm, count, rows.weight),
        response=fit_log(x, taken, rows.arm, count, rows.weight),
        cost=fit_log(x, rows.cost_usd, rows.arm, count, rows.weight),
        rating=fit_classes(x, rows.satisfaction, rows.arm, count),
        priced=_priced(rows, arms),
    )


def _priced(rows: Sample, arms: Sequence[Arm]) -> dict[str, Priced]:
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


def _cross_validated(
    x: Array, rows: Sample, arms: Sequence[Arm], feature_map: FeatureMap, *, objective: Objective, jobs: int
) -> NDArray[np.int64]:
    """Return for every row the arm that a policy fitted on the other folds would choose."""
    from joblib import Parallel, delayed

    exploits = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(_fold_exploits)(x, rows, arms, feature_map, fold, objective) for fold in range(FOLDS)
    )
    chosen = np.zeros(len(rows.arm), dtype=np.int64)
    for fold, arm in enumerate(exploits):
        chosen[rows.fold == fold] = arm
    return chosen


def _log_judge(x: Array, rows: Sample, arms: Sequence[Arm], objective: Objective) -> Judge:
    """Judge routing by the rows with known propensities and accuracy."""

    def judge(chosen: NDArray[np.int64], best: int) -> Gain | None:
        usable = ~np.isnan(rows.pmf[:, 0]) & ~np.isnan(rows.accuracy)
        if usable.sum() < 10 * FOLDS:
            return None
        single = np.where(rows.eligible[:, best], best, np.argmax(rows.eligible, axis=1))
        evaluated = Rows(
            x=x, arm=rows.arm, pmf=rows.pmf, before=single, after=chosen, fold=rows.fold, stratum=rows.stratum
        )
        utility = realised_utility(rows, arms, objective)[usable]
        return Comparison(evaluated.take(usable), utility, bounded=False).difference()

    return judge


def _fold_exploits(
    x: Array, rows: Sample, arms: Sequence[Arm], feature_map: FeatureMap, fold: int, objective: Objective
) -> NDArray[np.int64]:
    out = rows.fold == fold
    predictor = fit_heads(x[~out], take(rows, ~out), arms, feature_map)
    texts = [text for text, left in zip(rows.texts, out, strict=True) if left]
    forecast = predictor.forecast(with_lengths(texts, x[out]), arms)
    policy = Policy(version="fold", predictor=predictor)
    eligible = rows.eligible[out] | ~rows.eligible[out].any(axis=1, keepdims=True)
    return policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible)


def with_lengths(texts: Sequence[str], x: Array) -> Array:
    """Return what a learned predictor forecasts from: the length of each text in front of its vector."""
    return np.hstack([PriorPredictor().vectors(texts), x])
