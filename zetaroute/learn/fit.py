"""From training rows to a fitted policy: the map, the four heads, and whether routing pays at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce, wraps
from operator import add
from typing import ParamSpec, TypeVar

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.evaluate.ope import FOLDS
from zetaroute.features import AnyMap, EmbeddedMap, Embeddings
from zetaroute.learn.feature_maps import TextMap, VectorMap, enough_embedded, outgrown
from zetaroute.learn.incremental.sufficient_statistics import Folds, gather_folds
from zetaroute.learn.incremental.vectors import RowVectors, Vectors
from zetaroute.learn.model_drift import ModelDrift, find_drifts, weights_after
from zetaroute.learn.ridge import fit_classes, heads, prices_learned_at, solve
from zetaroute.learn.routing_gain import (
    Gain,
    Judge,
    benefit_of_doubt,
    best_single,
    cross_validated,
    log_judge,
    with_lengths,
)
from zetaroute.learn.samples import Sample
from zetaroute.policy.learned import LearnedPredictor

P = ParamSpec("P")
R = TypeVar("R")


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
    drifts: tuple[ModelDrift, ...]
    """Arms whose accuracy has changed within the rows, and since when."""


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
) -> Fitted:
    """Fit a predictor on training rows that are at hand, in order of time, `jobs` folds at a time.

    A feature map that is `known` is kept while it is not outgrown. With a `judge` of the caller's, see `conclude`.
    """
    labels = dict(zip(rows.texts, rows.tasks, strict=True))
    feature_map, vectors = map_of(labels, known, seed=seed, distinct=len(labels))
    index = np.arange(len(rows.arm))
    at_hand = RowVectors(rows, vectors, index)
    return conclude(
        gather_folds(rows, index, at_hand.at, arms=len(arms), size=feature_map.size),
        rows,
        at_hand.near.astype(np.float64),
        arms,
        arm_rows=np.bincount(rows.arm, minlength=len(arms)),
        feature_map=feature_map,
        vectors=vectors,
        objective=objective,
        jobs=jobs,
        judge=judge,
    )


@single_threaded
def conclude(
    folds: Folds,
    latest: Sample,
    x: Array,
    arms: Sequence[Arm],
    *,
    arm_rows: Index,
    feature_map: AnyMap,
    vectors: Vectors,
    objective: Objective,
    jobs: int,
    judge: Judge | None = None,
) -> Fitted:
    """Fit a predictor from the sums per fold of all training rows, and from the `latest` what no sums can tell.

    These rows are in order of time, with vectors `x` (n, D). `arm_rows` (K,) counts all rows of every arm.
    Routing is used unless its cross-validated gain over the best single model, judged from the logged propensities,
    says that it loses. Where that is hardly known, what is usual counts (`benefit_of_doubt`): the gate and the
    canary judge the whole candidate afterwards, on rows of their own. After a `judge` of the caller's none does, so
    there the gain must exceed one standard error.
    """
    drifts = find_drifts(x, latest, solve(reduce(add, folds))[0])
    if drifts:
        latest = replace(latest, weight=weights_after(latest, drifts, arm_rows))
        folds = _faded(folds, latest, drifts, x)
    predictor = replace(
        heads(reduce(add, folds), x, latest, arms, feature_map),
        priced=prices_learned_at(latest, arms),
        rating=fit_classes(x, latest.satisfaction, latest.arm, len(arms)),
    )
    known = with_lengths(latest.texts, x)
    best = best_single(predictor, known, arms, objective)
    gain: Gain | None = None
    if len(arms) > 1 and len(latest.arm) >= 10 * FOLDS:
        found = cross_validated(folds, x, latest, arms, feature_map, objective=objective, jobs=jobs)
        gain = (judge or log_judge(x, latest, arms, objective))(*found)
    routes = gain is not None and gain.mean > (
        gain.se if judge else -benefit_of_doubt(gain.se, latest, arms, objective)
    )
    return Fitted(
        predictor=predictor if routes else replace(predictor, centre=known.mean(axis=0)),
        routes=routes,
        best_single=arms[best].id,
        routing_gain=gain,
        map=feature_map,
        vectors=vectors,
        drifts=drifts,
    )


def map_of(
    labels: Mapping[str, str | None],
    known: AnyMap | None,
    *,
    seed: int,
    distinct: int,
    given: Embeddings | None = None,
) -> tuple[AnyMap, Vectors]:
    """Return the map to use and what applies it: the known one, or a new one where that is outgrown.

    A map of a few hundred texts is as good as one of all, and one map for two versions makes them comparable.
    `labels` are training texts, oldest first, with their task labels, and `distinct` says how many there are in all.
    Where enough texts have an embedding `given`, the map reads those instead of words.
    """
    texts, tasks = list(labels), list(labels.values())
    fits = known is not None and not outgrown(known.texts, distinct=distinct)
    if given is not None and enough_embedded(texts, given):
        if fits and isinstance(known, EmbeddedMap) and known.space == given.space:
            kept = known.with_embeddings(given)
            return kept, kept.vectors
        embedded = VectorMap(texts, given, seed=seed, tasks=tasks)
        return embedded.frozen, embedded.vectors
    if fits and known is not None and not isinstance(known, EmbeddedMap):
        return known, known.vectors
    fresh = TextMap(texts, seed=seed, tasks=tasks)
    return fresh.frozen, fresh.vectors


def _faded(folds: Folds, latest: Sample, drifts: Sequence[ModelDrift], x: Array) -> Folds:
    """Return the sums per fold with the rows of changed arms from before their change at the weights of `latest`.

    All rows of an arm since its change are among the latest, for it was seen there.
    """
    arms, size = folds[0].moment.shape[1:]
    weight, after = np.ones(arms), np.zeros(len(latest.arm), dtype=bool)
    for drift in drifts:
        mine, old = latest.arm == drift.arm, latest.time_s < drift.since_s
        after |= mine & ~old
        weight[drift.arm] = latest.weight[mine & old].min(initial=1.0)
    since = gather_folds(latest, np.flatnonzero(after), lambda rows: x[rows], arms=arms, size=size)
    return tuple((fold - new).scaled(weight) + new for fold, new in zip(folds, since, strict=True))
