"""Fit on recorded outcomes, route the test split, and compare with what is simple: every row known for every model.

Full information: what the learner can do when nothing is hidden by the routing itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.domain import Arm, Query
from zetaroute.evaluate.confidence import mean_figure
from zetaroute.learn.fit import Fitted, fit
from zetaroute.learn.recordings import Recordings
from zetaroute.policy import Limits, Policy, decide

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NEIGHBOURS = 40
TIMED_DECISIONS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedGain:
    """The gain of one choice over another on the same queries."""

    mean: float
    se: float


def bench(
    recordings: Recordings, *, objective: Objective, seed: int = 0, jobs: int = 2, use_task: bool = False
) -> dict[str, Any]:
    """Return the JSON of the contract for one set of recordings and one value of an answer and a second."""
    train, test = recordings.side(test=False), recordings.side(test=True)
    arms = arms_of(recordings)
    start = time.perf_counter()
    fitted = fit_full(train, arms, objective=objective, seed=seed, jobs=jobs, use_task=use_task)
    fit_s = time.perf_counter() - start
    policy = Policy(version="bench", predictor=fitted.predictor)
    chosen = choices(policy, train, test, fitted, arms, objective, use_task=use_task)
    results = {name: score_of(test, weights, objective) for name, weights in chosen.items()}
    single = paired(test, chosen["best_single"], objective)
    for name, weights in chosen.items():
        gain = mean_figure(paired(test, weights, objective) - single)
        results[name]["gain_over_best_single_usd"] = gain.json()
    return {
        "dataset": recordings.dataset,
        "train_queries": len(train.texts),
        "test_queries": len(test.texts),
        "models": list(recordings.models),
        "answer_value_usd": objective.answer_value_usd,
        "second_value_usd": objective.second_value_usd,
        "best_single": fitted.best_single,
        "routes": fitted.routes,
        "results": results,
        "fit_s": fit_s,
        "decide_us": _decision_time(policy, test, arms, objective),
    }


def arms_of(recordings: Recordings) -> tuple[Arm, ...]:
    """Return the recorded models as arms without prices or priors of their own."""
    return tuple(Arm(id=model, provider="recorded", model=model) for model in recordings.models)


def utility(recordings: Recordings, objective: Objective) -> Array:
    """Return the utility of every model on every query in USD, (n, K); unknown costs and times count nothing."""
    return (
        objective.answer_value_usd * recordings.score
        - np.nan_to_num(recordings.cost_usd)
        - objective.second_value_usd * np.nan_to_num(recordings.latency_s)
    )


def fit_full(
    train: Recordings,
    arms: tuple[Arm, ...],
    *,
    objective: Objective,
    seed: int,
    jobs: int,
    use_task: bool = False,
) -> Fitted:
    """Fit on every model's outcome of every training query; routing is judged by the recordings themselves."""
    gains, count = utility(train, objective), len(arms)

    def judge(chosen: Index, best: int) -> PairedGain:
        mine = chosen.reshape(-1, count)[:, 0]
        difference = gains[np.arange(len(mine)), mine] - gains[:, best]
        return PairedGain(
            mean=float(difference.mean()), se=float(difference.std(ddof=1) / np.sqrt(len(difference)))
        )

    return fit(
        train.full_sample(use_task=use_task), arms, objective=objective, seed=seed, jobs=jobs, judge=judge
    )


def choices(
    policy: Policy,
    train: Recordings,
    test: Recordings,
    fitted: Fitted,
    arms: tuple[Arm, ...],
    objective: Objective,
    *,
    use_task: bool,
) -> dict[str, Array]:
    """Return what each way of choosing does with the test queries: probabilities (n, K) by name."""
    n, count = test.score.shape
    known, truth = utility(train, objective), utility(test, objective)
    single = int(np.argmax(known.mean(axis=0)))
    routed = route(policy, test, arms, objective, use_task=use_task)
    cheapest = int(np.argmin(np.nan_to_num(train.cost_usd, nan=np.inf).mean(axis=0)))
    return {
        "router": _one_hot(routed, count),
        "best_single": _one_hot(np.full(n, single), count),
        "cheapest": _one_hot(np.full(n, cheapest), count),
        "random": np.full((n, count), 1.0 / count),
        "task_best": _one_hot(_task_best(train, test, known, single), count),
        "knn": _one_hot(_knn(train, test, known, fitted), count),
        "oracle": _one_hot(np.argmax(truth, axis=1), count),
    }


def route(
    policy: Policy, test: Recordings, arms: tuple[Arm, ...], objective: Objective, *, use_task: bool = False
) -> Index:
    """Return the arm that the policy holds best for every test query."""
    forecast = policy.predictor.forecast(
        policy.predictor.vectors(test.texts, test.labels(use_task=use_task)), arms
    )
    eligible = np.ones(test.score.shape, dtype=bool)
    return policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible)


def paired(test: Recordings, weights: Array, objective: Objective) -> Array:
    """Return the utility of each test query under a way of choosing, (n,)."""
    return np.asarray((weights * utility(test, objective)).sum(axis=1))


def score_of(test: Recordings, weights: Array, objective: Objective) -> dict[str, Any]:
    """Return score, cost, time, utility and shares of a way of choosing."""
    scores = (weights * test.score).sum(axis=1)
    by_task = {str(task): float(scores[test.tasks == task].mean()) for task in np.unique(test.tasks)}
    return {
        "score": float(scores.mean()),
        "score_by_task": by_task,
        "score_macro": float(np.mean(list(by_task.values()))),
        "cost_usd": _mean_known(weights, test.cost_usd),
        "response_s": _mean_known(weights, test.latency_s),
        "utility_usd": float(paired(test, weights, objective).mean()),
        "share": {
            model: float(share)
            for model, share in zip(test.models, weights.mean(axis=0), strict=True)
            if share > 0
        },
    }


def _mean_known(weights: Array, values: Array) -> float | None:
    known = ~np.isnan(values)
    if not known.any():
        return None
    return float((weights * np.nan_to_num(values)).sum() / (weights * known).sum())


def _task_best(train: Recordings, test: Recordings, known: Array, single: int) -> Index:
    best: Mapping[str, int] = {
        str(task): int(np.argmax(known[train.tasks == task].mean(axis=0))) for task in np.unique(train.tasks)
    }
    return np.array([best.get(str(task), single) for task in test.tasks], dtype=np.int64)


def _knn(train: Recordings, test: Recordings, known: Array, fitted: Fitted) -> Index:
    """Choose by the mean utility of the nearest training queries in the text space of the feature map."""
    near, far = (np.array([fitted.map.project(text) for text in side.texts]) for side in (test, train))
    count = min(NEIGHBOURS, len(far))
    closest = np.argpartition(-(near @ far.T), count - 1, axis=1)[:, :count]
    return np.asarray(np.argmax(known[closest].mean(axis=1), axis=1))


def _one_hot(chosen: Index, count: int) -> Array:
    return np.asarray(np.eye(count)[chosen])


def _decision_time(
    policy: Policy, test: Recordings, arms: tuple[Arm, ...], objective: Objective
) -> dict[str, float]:
    """Time whole decisions, text in and probabilities out, in microseconds."""
    times = []
    for number, text in enumerate(test.texts[:TIMED_DECISIONS]):
        start = time.perf_counter()
        decide(
            query=Query(text=text),
            arms=arms,
            policy=policy,
            objective=objective,
            rate=0.05,
            guards=(),
            standings={},
            limits=Limits(),
            seed=number,
            now_s=0.0,
        )
        times.append(1e6 * (time.perf_counter() - start))
    return {"p50": float(np.quantile(times, 0.5)), "p99": float(np.quantile(times, 0.99))}
