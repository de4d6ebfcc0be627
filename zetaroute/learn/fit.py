"""From training rows to a policy: the map, the four heads, and whether routing pays at all.

The one function that `retrain` calls; what it returns is compiled into an artifact by `policy.load`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce, wraps
from itertools import compress
from operator import add
from typing import ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.evaluate.ope import FOLDS, Comparison, Rows
from zetaroute.features import AnyMap, EmbeddedMap, Embeddings
from zetaroute.learn.drift import Drift, find_drifts, weights_after
from zetaroute.learn.embedded import VectorMap, enough_embedded
from zetaroute.learn.frame import Sample, clusters, take
from zetaroute.learn.heads import fit_classes, log_head, solve, target_weights, targets
from zetaroute.learn.map import TextMap, outgrown
from zetaroute.learn.statistics import Statistics, count
from zetaroute.learn.sums import Sums, gather, gather_folds
from zetaroute.learn.vectors import RECENT, RowVectors, Vectors, recent, rows_at
from zetaroute.policy.decide import Policy
from zetaroute.policy.explore import ENOUGH_GRADED
from zetaroute.policy.predict import LearnedPredictor, Priced, PriorPredictor

Array = NDArray[np.float64]
P = ParamSpec("P")
R = TypeVar("R")
Index = NDArray[np.int64]

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
    map: AnyMap
    vectors: Vectors
    """Turns texts and task labels into vectors by `map`."""
    drifts: tuple[Drift, ...]
    """Arms whose accuracy has changed within the rows, and since when."""
    statistics: Statistics
    """The sums that the heads were solved from, for the next retrain."""


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Let linear algebra take one thread while a function runs.

    Its matrices are small here: more threads, beside those of the folds, take several times as long.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@single_threaded
def fit(
    rows: Sample,
    arms: Sequence[Arm],
    *,
    objective: Objective,
    seed: int,
    jobs: int = 1,
    judge: Judge | None = None,
    known: AnyMap | None = None,
    given: Embeddings | None = None,
    kept: Callable[[str], Statistics | None] | None = None,
) -> Fitted:
    """Fit a predictor on the training rows of the given arms, in order of time, `jobs` folds at a time.

    A feature map that is `known` is kept while it is not outgrown: a map of a few hundred texts is as good as one
    of all, and one map for two versions makes them comparable. Where enough texts have an embedding `given`, the map
    reads those instead of words. `kept` returns the statistics of an earlier fit
    for the identity of a map, if there are any: then only the rows that changed since are counted.

    Routing is used unless its cross-validated gain over the best single model, judged from the logged propensities,
    says that it loses. Where that is hardly known, what is usual counts (`_benefit_of_doubt`): the gate and the
    canary judge the whole candidate afterwards, on rows of their own. With a `judge` of the caller's nobody does, so
    there the gain must exceed one standard error.
    """
    feature_map, vectors_of = _map(rows, known, given, seed=seed)
    near = recent(rows.arm, RECENT if judge is None else len(rows.arm))
    rows_x = RowVectors(rows, vectors_of, near)
    identity = feature_map.identity()
    statistics = count(
        rows,
        [arm.id for arm in arms],
        rows_x.at,
        feature_map=identity,
        size=feature_map.size,
        # Where vectors come from outside, that of a text may change without its row: all are counted again.
        kept=kept(identity) if kept and not isinstance(feature_map, EmbeddedMap) else None,
    )
    latest, x = rows_at(rows, near), rows_x.near
    folds = statistics.folds
    drifts = find_drifts(x, latest, solve(_total(folds))[0])
    if drifts:
        weighted = replace(rows, weight=weights_after(rows, drifts))
        folds = _faded(folds, weighted, drifts, rows_x)
        latest = rows_at(weighted, near)
    predictor = replace(_heads(_total(folds), x, latest, arms, feature_map), priced=_priced(rows, arms))
    predictor = replace(predictor, rating=fit_classes(x, latest.satisfaction, latest.arm, len(arms)))
    vectors = with_lengths(latest.texts, x)
    average = replace(predictor, centre=vectors.mean(axis=0))
    best = _best_single(predictor, vectors, arms, objective)
    gain: Gain | None = None
    if len(arms) > 1 and len(latest.arm) >= 10 * FOLDS:
        found = _cross_validated(folds, x, latest, arms, feature_map, objective=objective, jobs=jobs)
        gain = (judge or _log_judge(x, latest, arms, objective))(*found)
    routes = gain is not None and gain.mean > (
        gain.se if judge else -_benefit_of_doubt(gain.se, latest, arms, objective)
    )
    return Fitted(
        predictor=predictor if routes else average,
        routes=routes,
        best_single=arms[best].id,
        routing_gain=gain,
        map=feature_map,
        vectors=vectors_of,
        drifts=drifts,
        statistics=statistics,
    )


def _benefit_of_doubt(se: float, rows: Sample, arms: Sequence[Arm], objective: Objective) -> float:
    """Return the loss that an estimate with this standard error may show although routing is likely to gain.

    The posterior mean of the gain is above 0 from -prior mean x (se / prior sd)^2 on. Without ENOUGH_GRADED rows
    per arm nothing is usual, and the estimate speaks alone.
    """
    graded = int((~np.isnan(rows.accuracy)).sum())
    point = 0.01 * objective.answer_value_usd
    if graded < ENOUGH_GRADED * len(arms) or point == 0.0:
        return 0.0
    return USUAL_GAIN * point * (se / (USUAL_SPREAD * point)) ** 2


def _map(
    rows: Sample, known: AnyMap | None, given: Embeddings | None, *, seed: int
) -> tuple[AnyMap, Vectors]:
    """Return the map to use and what applies it: the known one, or a new one where that is outgrown."""
    fits = known is not None and not outgrown(known.texts, distinct=len(set(rows.texts)))
    if given is not None and enough_embedded(rows.texts, given):
        if fits and isinstance(known, EmbeddedMap) and known.space == given.space:
            kept = known.knowing(given)
            return kept, kept.vectors
        embedded = VectorMap(rows.texts, given, seed=seed, tasks=rows.tasks)
        return embedded.frozen, embedded.vectors
    if fits and known is not None and not isinstance(known, EmbeddedMap):
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


def fit_heads(x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap) -> LearnedPredictor:
    """Fit the four heads and the classes of ratings on rows with these vectors (n, D)."""
    sums = gather(x, targets(rows), rows.arm, len(arms), target_weights(rows.weight, rows.trust))
    return replace(
        _heads(sums, x, rows, arms, feature_map),
        rating=fit_classes(x, rows.satisfaction, rows.arm, len(arms)),
        priced=_priced(rows, arms),
    )


def _heads(sums: Sums, x: Array, rows: Sample, arms: Sequence[Arm], feature_map: AnyMap) -> LearnedPredictor:
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


def _total(folds: Sequence[Sums]) -> Sums:
    return reduce(add, folds)


def _faded(
    folds: Sequence[Sums], rows: Sample, drifts: Sequence[Drift], vectors: RowVectors
) -> tuple[Sums, ...]:
    """Return the sums per fold with the rows of changed arms from before their change at the `rows`' weights."""
    count = folds[0].moment.shape[1]
    weight, after = np.ones(count), np.zeros(len(rows.arm), dtype=bool)
    for drift in drifts:
        mine, old = rows.arm == drift.arm, rows.time_s < drift.since_s
        after |= mine & ~old
        weight[drift.arm] = rows.weight[mine & old].min(initial=1.0)
    index = np.flatnonzero(after)
    since = gather_folds(
        vectors.at,
        index,
        targets(rows)[index],
        rows.arm[index],
        rows.fold[index],
        target_weights(rows.weight[index], rows.trust[index]),
        arms=count,
        size=folds[0].moment.shape[2],
        folds=len(folds),
    )
    return tuple((fold - new).scaled(weight) + new for fold, new in zip(folds, since, strict=True))


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
    folds: Sequence[Sums],
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

    total = _total(folds)

    def exploits(fold: int) -> tuple[Index, Index]:
        out = rows.fold == fold
        if not out.any():
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        others = _heads(total - folds[fold], x[~out], take(rows, ~out), arms, feature_map)
        texts = list(compress(rows.texts, out))
        forecast = others.forecast(with_lengths(texts, x[out]), arms)
        eligible = rows.eligible[out] | ~rows.eligible[out].any(axis=1, keepdims=True)
        policy = Policy(version="fold", predictor=others)
        best = _best_single(others, with_lengths(rows.texts, x)[~out], arms, objective)
        single = np.where(eligible[:, best], best, np.argmax(eligible, axis=1))
        return policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible), single

    chosen, singles = np.zeros(len(rows.arm), dtype=np.int64), np.zeros(len(rows.arm), dtype=np.int64)
    parts = Parallel(n_jobs=jobs, prefer="threads")(delayed(exploits)(fold) for fold in range(FOLDS))
    for fold, (arm, single) in enumerate(parts):
        chosen[rows.fold == fold], singles[rows.fold == fold] = arm, single
    return chosen, singles


def _best_single(
    predictor: LearnedPredictor, vectors: Array, arms: Sequence[Arm], objective: Objective
) -> int:
    """Return the arm that the predictor holds best for the average of the queries (n, 1 + size)."""
    average = replace(predictor, centre=vectors.mean(axis=0))
    return int(np.argmax(average.forecast(vectors[:1], arms).utility(objective, arms)[0][0]))


def _log_judge(x: Array, rows: Sample, arms: Sequence[Arm], objective: Objective) -> Judge:
    """Judge routing by the rows with known propensities and accuracy."""

    def judge(chosen: Index, single: Index) -> Gain | None:
        usable = ~np.isnan(rows.pmf[:, 0]) & ~np.isnan(rows.accuracy)
        if usable.sum() < 10 * FOLDS:
            return None
        evaluated = Rows(
            x=x,
            arm=rows.arm,
            pmf=rows.pmf,
            before=single,
            after=chosen,
            fold=rows.fold,
            stratum=rows.stratum,
            cluster=clusters(rows),
        )
        utility = realised_utility(rows, arms, objective)[usable]
        return Comparison(evaluated.take(usable), utility, bounded=False).difference()

    return judge


def with_lengths(texts: Sequence[str], x: Array) -> Array:
    """Return what a learned predictor forecasts from: the length of each text in front of its vector."""
    return np.hstack([PriorPredictor().vectors(texts), x])
