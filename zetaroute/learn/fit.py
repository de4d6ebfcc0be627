"""From training rows to a fitted policy: the map, the four heads, and whether routing pays at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.features import AnyMap, EmbeddedMap, Embeddings
from zetaroute.learn.feature_maps import TextMap, VectorMap, enough_embedded, outgrown
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics, gather_rows
from zetaroute.learn.incremental.vectors import RowVectors, Vectors
from zetaroute.learn.model_drift import ModelDrift, find_drifts, weights_after
from zetaroute.learn.ridge import fit_classes, heads, prices_learned_at
from zetaroute.learn.routing_gain import Gain, Judge, cross_validated, kept_anchor
from zetaroute.learn.samples import Sample
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.policy.learned import LearnedPredictor, with_lengths
from zetaroute.policy.policy import Policy

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What a fit brings."""

    predictor: LearnedPredictor
    routes: bool
    """Whether it tells queries apart; if not, the predictor has a centre."""
    anchor: str
    """The single model that answers unless another one is expected to be better: see `Policy.anchor`."""
    average: Array
    """(1 + size,) the average query."""
    routing_gain: Gain | None
    """Cross-validated utility of routing minus the best single model; None without a judge."""
    map: AnyMap
    vectors: Vectors
    """Turns texts and task labels into vectors by `map`."""
    drifts: tuple[ModelDrift, ...]
    """Arms whose accuracy has changed within the rows, and since when."""

    def policy(self, version: str, chain: ChainPlan | None = None) -> Policy:
        """Return the policy that this makes."""
        return Policy(
            version=version,
            predictor=self.predictor,
            anchor=self.anchor,
            average=self.average,
            chain=chain,
        )


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

    A feature map that is `known` is kept while it is not outgrown. Where a `judge` is given, routing is used only if
    its cross-validated gain over the best single model exceeds one standard error; without, a contest judges it.
    """
    labels = dict(zip(rows.texts, rows.tasks, strict=True))
    feature_map, vectors = map_of(labels, known, seed=seed, distinct=len(labels))
    index = np.arange(len(rows.arm))
    at_hand = RowVectors(rows, vectors, index)
    x = at_hand.near.astype(np.float64)
    fitted = conclude(
        gather_rows(rows, index, at_hand.at, arms=len(arms), size=feature_map.size),
        rows,
        x,
        arms,
        arm_rows=np.bincount(rows.arm, minlength=len(arms)),
        feature_map=feature_map,
        vectors=vectors,
        objective=objective,
    )
    if judge is None:
        return fitted
    found = cross_validated(x, rows, arms, feature_map, objective=objective, jobs=jobs)
    gain = None if found is None else judge(*found)
    routes = gain is not None and gain.mean > gain.se
    predictor = fitted.predictor if routes else replace(fitted.predictor, centre=fitted.average)
    return replace(fitted, predictor=predictor, routes=routes, routing_gain=gain)


def conclude(
    sums: SufficientStatistics,
    latest: Sample,
    x: Array,
    arms: Sequence[Arm],
    *,
    arm_rows: Index,
    feature_map: AnyMap,
    vectors: Vectors,
    objective: Objective,
    anchor: str | None = None,
) -> Fitted:
    """Fit a predictor from the sums of all training rows, and from the `latest` what no sums can tell.

    These rows are in order of time, with vectors `x` (n, D). `arm_rows` (K,) counts all rows of every arm. The model
    `anchor` stays the single model to beat unless another is better by more than their standard errors.
    """
    learned = heads(sums, x, latest, arms, feature_map)
    drifts = find_drifts(x, latest, learned.accuracy)
    if drifts:
        latest = replace(latest, weight=weights_after(latest, drifts, arm_rows))
        learned = heads(_faded(sums, latest, drifts, x), x, latest, arms, feature_map)
    predictor = replace(
        learned,
        priced=prices_learned_at(latest, arms),
        rating=fit_classes(x, latest.satisfaction, latest.arm, len(arms)),
    )
    average = with_lengths(latest.texts, x).mean(axis=0)
    return Fitted(
        predictor=predictor,
        routes=True,
        anchor=arms[kept_anchor(predictor, average, arms, objective, anchor)].id,
        average=average,
        routing_gain=None,
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


def _faded(
    sums: SufficientStatistics, latest: Sample, drifts: Sequence[ModelDrift], x: Array
) -> SufficientStatistics:
    """Return the sums with the rows of changed arms from before their change at the weights of `latest`.

    All rows of an arm since its change are among the latest, for it was seen there.
    """
    arms, size = sums.moment.shape[1:]
    weight, after = np.ones(arms), np.zeros(len(latest.arm), dtype=bool)
    for drift in drifts:
        mine, old = latest.arm == drift.arm, latest.time_s < drift.since_s
        after |= mine & ~old
        weight[drift.arm] = latest.weight[mine & old].min(initial=1.0)
    since = gather_rows(latest, np.flatnonzero(after), lambda rows: x[rows], arms=arms, size=size)
    return (sums - since).scaled(weight) + since
