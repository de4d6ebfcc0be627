"""The ways of choosing that a router must beat: one model, the cheapest, chance, a table of tasks, neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.bench.datasets import Recordings
from zetaroute.features import AnyMap

NEIGHBOURS = 40


def baselines(
    train: Recordings, test: Recordings, *, known: Array, truth: Array, feature_map: AnyMap
) -> dict[str, Array]:
    """Return what each way of choosing does with the test queries: probabilities (n, K) by name.

    `known` and `truth` are the utilities of every model on the training and the test queries; all but the oracle
    look at `known` alone.
    """
    n, count = test.score.shape
    single = int(np.argmax(known.mean(axis=0)))
    return {
        "best_single": one_hot(np.full(n, single), count),
        "cheapest": np.tile(_cheapest(train), (n, 1)),
        "random": np.full((n, count), 1.0 / count),
        "task_best": one_hot(_task_best(train, test, known, single), count),
        "knn": one_hot(_knn(train, test, known, feature_map), count),
        "oracle": one_hot(np.argmax(truth, axis=1), count),
    }


def one_hot(chosen: Index, count: int) -> Array:
    """Return the probabilities (n, count) of always taking the chosen arms (n,)."""
    return np.asarray(np.eye(count)[chosen])


def mixed(train: Recordings, cost_usd: float | None) -> Array:
    """Return the shares (K,) of the two models whose random mix is best on the training queries for a mean cost.

    Without one, or where no model is as expensive, that is the best model alone.
    """
    costs = np.nan_to_num(train.mean_costs())
    scores, shares = train.score.mean(axis=0), np.eye(len(costs))
    best = shares[int(np.argmax(scores))]
    if cost_usd is None:
        return np.asarray(best)
    for below in np.flatnonzero(costs <= cost_usd):
        for above in np.flatnonzero(costs > cost_usd):
            share = (cost_usd - costs[below]) / (costs[above] - costs[below])
            shares = np.vstack([shares, (1.0 - share) * shares[below] + share * shares[above]])
    able = shares @ costs <= cost_usd * (1.0 + 1e-9)
    if not able.any():
        return np.asarray(shares[int(np.argmin(costs))])
    return np.asarray(shares[int(np.argmax(np.where(able, shares @ scores, -np.inf)))])


def _cheapest(train: Recordings) -> Array:
    """Return the shares (K,) of the model that costs least on average; models of one cost share evenly."""
    means = np.nan_to_num(train.mean_costs(), nan=np.inf)
    least = means == means.min()
    return np.asarray(least / least.sum())


def _task_best(train: Recordings, test: Recordings, known: Array, single: int) -> Index:
    best: Mapping[str, int] = {
        str(task): int(np.argmax(known[train.tasks == task].mean(axis=0))) for task in np.unique(train.tasks)
    }
    return np.array([best.get(str(task), single) for task in test.tasks], dtype=np.int64)


def _place(feature_map: AnyMap, texts: Sequence[str]) -> Array:
    """Return where the texts lie in the space that the map's cells divide, without their meta features, (n, d)."""
    spaces = feature_map.spaces
    start = len(spaces.coarse) + len(spaces.fine)
    return feature_map.vectors(texts)[:, start : start + spaces.components.shape[1]]


def _knn(train: Recordings, test: Recordings, known: Array, feature_map: AnyMap) -> Index:
    """Choose by the mean utility of the nearest training queries in the text space of the feature map."""
    near, far = (_place(feature_map, side.texts) for side in (test, train))
    count = min(NEIGHBOURS, len(far))
    closest = np.argpartition(-(near @ far.T), count - 1, axis=1)[:, :count]
    return np.asarray(np.argmax(known[closest].mean(axis=1), axis=1))
