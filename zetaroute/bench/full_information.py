"""Fit on recorded outcomes, route the test split, compare with what is simple: every row known for every model."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.bench.baselines import baselines, mixed, one_hot
from zetaroute.bench.chain_bench import ChainBench, chain_bench
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.way import Way
from zetaroute.config import Objective
from zetaroute.domain import Arm, Query
from zetaroute.errors import UsageError
from zetaroute.evaluate.frontier import call_measures, regret_fraction, routerarena
from zetaroute.evaluate.intervals import mean_figure
from zetaroute.learn.fit import Fitted, fit
from zetaroute.policy import Forecast, Limits, Policy, decide
from zetaroute.policy.forecast import Predictor

TIMED_DECISIONS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedGain:
    """The gain of one choice over another on the same queries."""

    mean: float
    se: float


def bench_full_information(
    recordings: Recordings,
    *,
    objective: Objective,
    seed: int = 0,
    jobs: int = 2,
    use_task: bool = False,
    chain: bool = True,
) -> dict[str, Any]:
    """Return the JSON of the contract for one set of recordings and one value of an answer and a second.

    Where answers were recorded, a `chain` looks at them too. Raises UsageError when a side of the split is empty.
    """
    train, test = sides(recordings)
    arms = arms_of(recordings)
    start = time.perf_counter()
    fitted = fit_full(train, arms, objective=objective, seed=seed, jobs=jobs, use_task=use_task)
    fit_s = time.perf_counter() - start
    looking = chain_bench(train, test, arms, fitted, objective, use_task=use_task) if chain else None
    found = marked(train, test, arms, fitted, objective, use_task=use_task, looking=looking)
    return found | {"fit_s": fit_s}


def sides(recordings: Recordings) -> tuple[Recordings, Recordings]:
    """Return the training and the test side; raises UsageError when one of them is empty."""
    train, test = recordings.side(test=False), recordings.side(test=True)
    if not train.texts or not test.texts:
        raise UsageError(
            f"{recordings.dataset} has {len(train.texts)} training and {len(test.texts)} test queries: "
            "both are needed, see --train-split, --test-split and --test-share."
        )
    return train, test


def marked(
    train: Recordings,
    test: Recordings,
    arms: tuple[Arm, ...],
    fitted: Fitted,
    objective: Objective,
    *,
    use_task: bool,
    looking: ChainBench | None,
) -> dict[str, Any]:
    """Return what a fit is worth on the test side, beside what is simple."""
    policy = fitted.policy("bench")
    known, truth = utility(train, objective), utility(test, objective)
    routed = route(policy, test, arms, objective, use_task=use_task)
    simple = baselines(train, test, known=known, truth=truth, feature_map=fitted.map)
    router = Way(weights=one_hot(routed, len(arms)))
    ways = {
        "router": router,
        **{name: Way(weights=weights) for name, weights in simple.items()},
        **({} if looking is None else looking.ways(objective, router)),
    }
    spent = ways["chain" if "chain" in ways else "router"].cost_usd(test)
    ways["mix"] = Way(weights=np.tile(mixed(train, spent), (len(test.texts), 1)))
    results = {name: way.row(test, objective) for name, way in ways.items()}
    single = ways["best_single"].utility(test, objective)
    bounds = {name: results[name]["utility_usd"] for name in ("oracle", "best_single")}
    for name, way in ways.items():
        row = results[name]
        row["gain_over_best_single_usd"] = mean_figure(way.utility(test, objective) - single).json()
        row["regret_fraction"] = regret_fraction(
            row["utility_usd"], oracle=bounds["oracle"], single=bounds["best_single"]
        )
        row["routerarena"] = None if row["cost_usd"] is None else routerarena(row["score"], row["cost_usd"])
    two = _two_models(train, test, arms, fitted, use_task=use_task)
    if two is not None and looking is not None:
        two["answer_seen"] = looking.answer_seen()
    return {
        "dataset": test.dataset,
        "train_queries": len(train.texts),
        "test_queries": len(test.texts),
        "models": list(test.models),
        "answer_value_usd": objective.answer_value_usd,
        "second_value_usd": objective.second_value_usd,
        "best_single": test.models[int(np.argmax(simple["best_single"][0]))],
        "routes": fitted.routes,
        "results": results,
        "singles": singles(test, objective),
        "two_models": two,
        "decide_us": _decision_time(policy, test, arms, objective),
    } | ({} if looking is None else {"equal_accuracy": looking.equal_accuracy(objective)})


def singles(test: Recordings, objective: Objective) -> dict[str, dict[str, Any]]:
    """Return what every model alone is worth on the test queries."""
    n, count = test.score.shape
    return {
        model: Way(weights=one_hot(np.full(n, index), count)).row(test, objective)
        for index, model in enumerate(test.models)
    }


def arms_of(recordings: Recordings) -> tuple[Arm, ...]:
    """Return the recorded models as arms without prices or priors of their own."""
    return tuple(Arm(id=model, provider="recorded", model=model) for model in recordings.models)


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

    def judge(chosen: Index, single: Index) -> PairedGain:
        mine, alone = (arm.reshape(-1, count)[:, 0] for arm in (chosen, single))
        index = np.arange(len(mine))
        difference = gains[index, mine] - gains[index, alone]
        return PairedGain(
            mean=float(difference.mean()), se=float(difference.std(ddof=1) / np.sqrt(len(difference)))
        )

    return fit(
        train.full_sample(use_task=use_task), arms, objective=objective, seed=seed, jobs=jobs, judge=judge
    )


def route(
    policy: Policy,
    test: Recordings,
    arms: tuple[Arm, ...],
    objective: Objective,
    *,
    use_task: bool = False,
    vectors: Array | None = None,
) -> Index:
    """Return the arm that the policy prefers for every test query, whose `vectors` may be known."""
    if vectors is None:
        vectors = policy.predictor.vectors(test.texts, test.labels(use_task=use_task))
    forecast = policy.predictor.forecast(vectors, arms)
    eligible = np.ones(test.score.shape, dtype=bool)
    return policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible)


def forecast_of(
    predictor: Predictor, queries: Recordings, arms: tuple[Arm, ...], *, use_task: bool
) -> Forecast:
    """Return what a predictor expects of every model on every query."""
    vectors = predictor.vectors(queries.texts, queries.labels(use_task=use_task))
    return predictor.forecast(vectors, arms)


def _two_models(
    train: Recordings, test: Recordings, arms: tuple[Arm, ...], fitted: Fitted, *, use_task: bool
) -> dict[str, Any] | None:
    """Return RouteLLM's measures of the learned ranking of queries, where there are just two models.

    The strong model is the better one on the training queries; accuracy alone counts.
    """
    if len(arms) != 2:
        return None
    weak, strong = np.argsort(train.score.mean(axis=0), kind="stable").tolist()
    accuracy = forecast_of(replace(fitted.predictor, centre=None), test, arms, use_task=use_task).accuracy
    return {
        "weak": test.models[weak],
        "strong": test.models[strong],
        **call_measures(test.score[:, weak], test.score[:, strong], accuracy[:, strong] - accuracy[:, weak]),
    }


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
